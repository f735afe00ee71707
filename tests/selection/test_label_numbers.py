"""XGBoost is given the numbers 0 to k - 1, and its predictions are labels again."""

import numpy as np
import pytest
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import assay
from assay.selection.label_numbers import NumberedLabels, wants_numbers

xgboost = pytest.importorskip("xgboost")

RNG = np.random.default_rng(3)
X = RNG.normal(size=(120, 3))
CODE = (X[:, 0] > 0.4).astype(int) + (X[:, 0] > -0.4).astype(int)


def make_model(**options):
    return xgboost.XGBClassifier(n_estimators=4, n_jobs=1, **options)


def predict(y, model=None, **options):
    models = {"x": make_model() if model is None else model}
    return assay.cross_validate(models, X, y, progress=False, n_jobs=1, **{"cv": 3} | options)


@pytest.mark.parametrize(
    "names", [np.array(["low", "mid", "top"]), np.array([1, 2, 3]), np.array([-5, 0, 7])]
)
def test_labels_of_any_kind_are_predicted_as_their_numbers_are(names):
    by_number = predict(CODE)
    by_name = predict(names[CODE])
    assert by_name.classes == tuple(names.tolist())
    np.testing.assert_array_equal(by_name.outputs["x"]["label"], by_number.outputs["x"]["label"])
    np.testing.assert_array_equal(by_name.outputs["x"]["proba"], by_number.outputs["x"]["proba"])


def test_a_class_that_no_training_row_has_gets_probability_0():
    y = np.r_[[1] * 4, [0, 2] * 58]
    p = predict(y, cv=KFold(3))
    assert p.classes == (0, 1, 2)
    assert (p.outputs["x"]["proba"][:4, 1] == 0).all()


def test_a_pipeline_and_a_search_hold_it_as_well():
    y = np.array(["low", "mid", "top"])[CODE]
    pipe = predict(y, make_pipeline(StandardScaler(), make_model()))
    search = predict(y, (make_model(), {"max_depth": [1, 2]}), inner=2, inner_metric="f1")
    assert assay.evaluate(pipe, "accuracy").value > 0.8
    assert "the inner search chose max_depth" in search.notes[-1]


def test_only_classifiers_of_xgboost_want_numbers():
    assert wants_numbers(make_pipeline(StandardScaler(), make_model()))
    assert not wants_numbers(xgboost.XGBRegressor())
    assert not wants_numbers(SVC())
    assert NumberedLabels([0, 1, 2]).are_numbers
    assert not NumberedLabels([0, 2]).are_numbers
