"""validate and collect: scikit-learn estimators in, an honest predictions table out."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, make_multilabel_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import (
    GroupKFold,
    RepeatedStratifiedKFold,
    StratifiedKFold,
    TimeSeriesSplit,
    cross_val_predict,
)
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from assay.adapter import ADAPTERS, collect
from assay.errors import UnsupportedError
from assay.evaluate import evaluate
from assay.validate import FitError, cross_validate

IRIS = load_iris(return_X_y=True)


def validated(models, X, y, **options):
    return cross_validate(models, X, y, progress=False, **options)


def test_out_of_fold_probabilities_equal_those_of_scikit_learn():
    X, y = IRIS
    model, cv = make_pipeline(StandardScaler(), LogisticRegression()), StratifiedKFold(4, shuffle=True, random_state=1)
    p = validated({"lr": model}, X, y, cv=cv)
    expected = cross_val_predict(model, X, y, cv=cv, method="predict_proba")
    np.testing.assert_allclose(p.rows("lr").proba, expected, rtol=1e-12)


def test_rows_keep_the_order_of_the_data_and_know_their_fold():
    X, y = IRIS
    cv = StratifiedKFold(5, shuffle=True, random_state=0)
    p = validated({"knn": KNeighborsClassifier()}, X, y, cv=cv, id=[f"flower {i}" for i in range(150)])
    fold, _ = p.group("fold")
    assert [p.classes[c] for c in p.truth] == y.tolist()
    assert p.columns["id"][17].as_py() == "flower 17"
    for number, (_, test) in enumerate(cv.split(X, y)):
        assert (fold[test] == number).all()


def test_all_models_see_the_same_folds_and_the_same_seed_gives_the_same_table():
    X, y = IRIS
    models = {"a": KNeighborsClassifier(3), "b": RandomForestClassifier(5, random_state=0)}
    first, second = (validated(models, X, y, cv=3, n_jobs=n) for n in (1, 2))
    for name in models:
        np.testing.assert_array_equal(first.rows(name).proba, second.rows(name).proba)


def test_rows_of_one_group_are_held_out_together_and_become_clusters():
    X, y = IRIS
    groups = np.arange(150) // 5
    p = validated({"knn": KNeighborsClassifier()}, X, y, cv=5, groups=groups)
    fold, _ = p.group("fold")
    assert all(len(set(fold[groups == g])) == 1 for g in range(30))
    assert "cluster" in p.columns
    again = validated({"knn": KNeighborsClassifier()}, X, y, cv=GroupKFold(5), groups=groups)
    assert again.n == 150


def test_rows_held_out_several_times_are_kept_apart_by_fold_and_joined_as_clusters():
    X, y = IRIS
    p = validated(
        {"knn": KNeighborsClassifier()}, X, y, cv=RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=0)
    )
    assert p.n == 300
    assert len(p.group("fold")[1]) == 6
    assert len(p.group("cluster")[1]) == 150


def test_a_splitter_of_ordered_rows_leaves_out_the_first_ones():
    X, y = load_diabetes(return_X_y=True)
    p = validated({"ols": LinearRegression()}, X, y, cv=TimeSeriesSplit(4))
    assert p.task == "regression"
    assert p.n == 442 - len(next(iter(TimeSeriesSplit(4).split(X)))[0])


def test_text_labels_and_string_classes_are_kept():
    X, y = load_breast_cancer(return_X_y=True)
    names = np.where(y == 1, "benign", "malignant")
    p = validated({"lr": make_pipeline(StandardScaler(), LogisticRegression())}, X, names, cv=3, positive="malignant")
    assert p.classes == ("benign", "malignant")
    assert evaluate(p, "recall").value > 0.9


def test_a_class_missing_from_a_training_fold_gets_probability_zero():
    X = np.arange(12, dtype=float)[:, None]
    y = np.array(["a", "b"] * 5 + ["c", "a"])
    cv = [(np.arange(0, 10), np.arange(10, 12)), (np.arange(2, 12), np.arange(0, 2))]
    p = validated({"knn": KNeighborsClassifier(1)}, X, y, cv=cv)
    assert p.classes == ("a", "b", "c")
    assert p.rows("knn").proba[list(p.group("fold")[0]).index(0), 2] == 0.0


def test_an_estimator_without_probabilities_gives_its_margin_as_a_score_of_the_positive_class():
    X, y = load_breast_cancer(return_X_y=True)
    p = validated({"svc": make_pipeline(StandardScaler(), LinearSVC())}, X, y, cv=3)
    assert p.schema.models["svc"] == ("label", "score")
    assert evaluate(p, "roc_auc").value > 0.95


def test_multilabel_probabilities_of_each_label_are_collected():
    X, y = make_multilabel_classification(120, n_classes=3, random_state=0)
    models = {"rf": RandomForestClassifier(20, random_state=0), "lr": MultiOutputClassifier(LogisticRegression())}
    p = validated(models, X, y, cv=3)
    assert p.task == "multilabel"
    assert p.rows("rf").proba.shape == (120, 3)
    assert evaluate(p.select(["rf"]), "roc_auc").value > 0.7


def test_weights_reach_estimators_that_take_them_and_the_table():
    X, y = load_diabetes(return_X_y=True)
    weight = np.where(np.arange(442) < 221, 1.0, 1e-6)
    plain, weighted = (validated({"ols": LinearRegression()}, X, y, cv=3, weight=w) for w in (None, weight))
    assert not np.allclose(plain.rows("ols").value, weighted.rows("ols").value)
    np.testing.assert_array_equal(weighted.weight, weight)


def test_pandas_frames_are_split_by_position():
    pd = pytest.importorskip("pandas")
    X, y = IRIS
    frame = pd.DataFrame(X, index=np.arange(150)[::-1])
    p = validated({"knn": KNeighborsClassifier()}, frame, pd.Series(y, index=frame.index), cv=3)
    assert evaluate(p, "accuracy").value > 0.9


class Broken(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        raise RuntimeError("out of luck\nand more")

    def predict(self, X):
        return X


def test_a_model_that_fails_is_named_with_its_fold_and_the_reason():
    with pytest.raises(FitError, match=r"model 'bad' failed to fit in fold \d: RuntimeError: out of luck$"):
        validated({"bad": Broken()}, *IRIS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": [0, 1]}, "X has 150 rows and y has 2"),
        ({"models": {}}, "no model is given"),
        ({"models": {"a": object()}}, "no adapter knows a builtins.object"),
        ({"cv": 200}, "the rows cannot be split"),
        ({"cv": [(np.arange(75), np.arange(75, 150))]}, "needs at least 2 folds"),
    ],
)
def test_bad_input_is_one_clear_error(change, message):
    given = {"models": {"knn": KNeighborsClassifier()}, "X": IRIS[0], "y": IRIS[1]} | change
    with pytest.raises(UnsupportedError, match=message):
        validated(given.pop("models"), given.pop("X"), given.pop("y"), **given)


def test_collect_puts_fitted_models_into_one_table():
    X, y = IRIS
    models = {"knn": KNeighborsClassifier().fit(X, y), "rf": RandomForestClassifier(5, random_state=0).fit(X, y)}
    p = collect(models, X, y, split=["train"] * 150)
    assert p.models == ["knn", "rf"]
    np.testing.assert_array_equal(p.rows("rf").proba, models["rf"].predict_proba(X))


def test_the_progress_bar_goes_to_standard_error(capsys):
    cross_validate({"knn": KNeighborsClassifier()}, *IRIS, cv=2, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "cross-validating" in err or "2/2" in err or err


def test_adapters_are_listed_without_importing_a_framework():
    assert "sklearn" in ADAPTERS.names()
