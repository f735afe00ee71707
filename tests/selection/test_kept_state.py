"""Out of fold means that no part of a model has seen the rows that are held out from it."""

import numpy as np
import pytest

from assay.errors import UnsupportedError
from assay.evaluation.evaluate import evaluate
from assay.selection.cross_validate import cross_validate

sklearn = pytest.importorskip("sklearn")
from sklearn.calibration import CalibratedClassifierCV  # noqa: E402
from sklearn.ensemble import StackingClassifier, VotingClassifier  # noqa: E402
from sklearn.frozen import FrozenEstimator  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.model_selection import GridSearchCV  # noqa: E402
from sklearn.naive_bayes import GaussianNB  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import FunctionTransformer, StandardScaler  # noqa: E402
from sklearn.tree import DecisionTreeClassifier  # noqa: E402


def make_noise():
    rng = np.random.default_rng(4)
    return rng.normal(size=(80, 2)), rng.integers(0, 2, 80)


def make_kept():
    tree = DecisionTreeClassifier().fit(*make_noise())
    frozen = FrozenEstimator(tree)
    pipe = make_pipeline(StandardScaler(), LogisticRegression())
    return {
        "alone": frozen,
        "in a pipeline": make_pipeline(StandardScaler(), frozen),
        "calibrated": CalibratedClassifierCV(frozen),
        "voting": VotingClassifier([("tree", frozen), ("nb", GaussianNB())]),
        "in a grid": GridSearchCV(pipe, {"logisticregression": [frozen]}),
        "by its method": make_pipeline(FunctionTransformer(tree.predict_proba), GaussianNB()),
    }


@pytest.mark.parametrize("kind", list(make_kept()))
def test_a_model_that_keeps_what_it_learned_is_refused(kind):
    X, y = make_noise()
    with pytest.raises(UnsupportedError, match=r"model 'm' holds a fitted .*Give the estimator"):
        cross_validate({"m": make_kept()[kind]}, X, y, cv=3, progress=False)


def test_estimators_that_are_fitted_already_are_fitted_anew():
    X, y = make_noise()
    tree = DecisionTreeClassifier(random_state=0).fit(X, y)
    models = {
        "alone": tree,
        "voting": VotingClassifier([("tree", tree)]).fit(X, y),
        "searched": GridSearchCV(tree, {"max_depth": [2, None]}).fit(X, y),
    }
    found = evaluate(cross_validate(models, X, y, cv=4, progress=False), "accuracy")
    assert all(row.value < 0.75 for row in found.rows)


def test_a_stack_with_the_default_final_estimator_is_taken_unfitted():
    X, y = make_noise()
    stack = StackingClassifier([("nb", GaussianNB()), ("tree", DecisionTreeClassifier())], cv=3)
    assert cross_validate({"stack": stack}, X, y, cv=3, progress=False).n == 80
