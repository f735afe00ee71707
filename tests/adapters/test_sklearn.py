"""What collect makes of estimators with scikit-learn's interface."""

import sys

import numpy as np
import pytest
from scipy import sparse
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC

from assay.adapters.base import ADAPTERS, Adapter, find_adapter
from assay.adapters.collect import collect
from assay.errors import MissingDependencyError, UnsupportedError
from assay.evaluation.evaluate import evaluate
from assay.selection.cross_validate import cross_validate

X = np.linspace(-2, 2, 60)[:, None]
Y = np.where(X[:, 0] + 0.5 * np.sin(9 * X[:, 0]) > 0, "yes", "no")


class Estimator:
    """An estimator of no framework: what is given is what it says."""

    def __init__(self, label, proba=None, classes=None):
        self.label = label
        if proba is not None:
            self.predict_proba = lambda X: proba
        if classes is not None:
            self.classes_ = np.array(classes)

    def fit(self, X, y):
        return self

    def get_params(self, deep=True):
        return {}

    def predict(self, X):
        return self.label


def test_batches_change_nothing():
    models = {
        "lr": LogisticRegression().fit(X, Y),
        "svm": LinearSVC().fit(X, Y),
    }
    assert collect(models, X, Y, batch_size=7) == collect(models, X, Y)


def test_data_frames_lists_and_sparse_matrices_are_cut_into_batches():
    pandas = pytest.importorskip("pandas")
    forest = RandomForestClassifier(5, random_state=0).fit(X, Y)
    whole = collect({"rf": forest}, X, Y)
    for data in (pandas.DataFrame(X).to_numpy(), X.tolist(), sparse.csr_array(X)):
        assert collect({"rf": forest}, data, Y, batch_size=16) == whole
    frame = pandas.DataFrame(X, columns=["x"])
    named = RandomForestClassifier(5, random_state=0).fit(frame, Y)
    assert collect({"rf": named}, frame, Y, batch_size=16) == whole


def test_a_score_speaks_for_the_positive_class_whichever_is_declared():
    svm = LinearSVC().fit(X, Y)
    for positive in (None, "yes", "no"):
        p = collect({"svm": svm}, X, Y, positive=positive)
        assert evaluate(p, "roc_auc").value > 0.9


@pytest.mark.parametrize("positive", ["yes", "no"])
def test_a_score_of_cross_validation_speaks_for_the_declared_positive_class(positive):
    p = cross_validate({"svm": LinearSVC()}, X, Y, cv=3, positive=positive, progress=False)
    assert evaluate(p, "roc_auc").value > 0.8


def test_a_class_that_the_rows_lack_is_known_from_the_model():
    y = np.arange(60) // 20
    knn = KNeighborsClassifier().fit(X, y)
    p = collect({"knn": knn}, X[:40], y[:40])
    assert p.classes == (0, 1, 2)


def test_a_class_that_the_model_was_never_shown_has_probability_0():
    y = np.arange(60) // 20
    p = collect({"knn": KNeighborsClassifier().fit(X[:40], y[:40])}, X, y)
    assert (p.outputs["knn"]["proba"][:, 2] == 0).all()


def test_codes_of_classes_are_not_taken_for_labels():
    model = KNeighborsClassifier().fit(X, (Y == "yes").astype(int))
    with pytest.raises(UnsupportedError, match="knows class 0, which is not among the classes"):
        collect({"knn": model}, X, Y)


def test_an_estimator_without_the_base_class_of_scikit_learn_is_read():
    y = ["a", "b", "b"]
    p = collect({"m": Estimator(np.array(y), classes=["a", "b"])}, [[0], [1], [2]], y)
    assert p.schema.models == {"m": ("label",)}


def test_one_probability_a_row_is_that_of_the_last_class():
    y = ["a", "b", "b"]
    model = Estimator(np.array(y), np.array([0.2, 0.7, 0.9]), ["a", "b"])
    p = collect({"m": model}, [[0], [1], [2]], y)
    assert p.outputs["m"]["proba"] == pytest.approx(np.array([[0.8, 0.2], [0.3, 0.7], [0.1, 0.9]]))


def test_raw_scores_under_the_name_of_probabilities_are_refused():
    model = Estimator(np.array(["a", "b"]), np.array([-2.0, 3.0]), ["a", "b"])
    with pytest.raises(UnsupportedError, match=r"shape \(2,\).*name\.score"):
        collect({"m": model}, [[0], [1]], ["a", "b"])


def test_several_numbers_a_row_of_a_regression_are_refused():
    model = LinearRegression().fit(X, np.hstack([X, X]))
    with pytest.raises(UnsupportedError, match="predicts 2 numbers a row"):
        collect({"m": model}, X, X[:, 0])


def test_sparse_answers_are_read():
    y = np.array([[0, 1], [1, 1]])
    p = collect({"m": Estimator(sparse.csr_array(y))}, [[0], [1]], y)
    assert p.outputs["m"]["label"].tolist() == y.tolist()


def test_the_truth_must_be_given_or_in_the_data():
    with pytest.raises(UnsupportedError, match="give y"):
        collect({"lr": LogisticRegression().fit(X, Y)}, X)
    with pytest.raises(UnsupportedError, match="batch_size must be 1 or more"):
        collect({"lr": LogisticRegression().fit(X, Y)}, X, Y, batch_size=0)


def test_the_more_specific_adapter_is_asked_first_and_only_if_its_framework_is_imported():
    asked = []
    with ADAPTERS.isolate():

        class Special(Adapter):
            """Estimators of this test."""

            name = "special"
            extra = "special"
            modules = ("a_framework_that_is_not_there",)
            rank = 99

            def accepts(self, model):
                asked.append(model)
                return isinstance(model, Estimator)

            def predict(self, model, inputs, *, device=None):
                return {"label": model.label}

        model = Estimator(np.array(["a"]))
        assert find_adapter(model).name == "sklearn"
        assert asked == []
        sys.modules["a_framework_that_is_not_there"] = sys
        try:
            assert find_adapter(model).name == "special"
        finally:
            del sys.modules["a_framework_that_is_not_there"]
        with pytest.raises(MissingDependencyError, match=r"pip install 'assay\[special\]'"):
            Special().import_framework()
