"""scorer: metrics as scikit-learn's `scoring`, against scikit-learn's own."""

import pickle

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_validate

import assay
from assay.errors import UnsupportedError

X, Y = load_iris(return_X_y=True)
X = X + np.random.default_rng(0).normal(0, 1.0, X.shape)
NAMES = np.array(["setosa", "versicolor", "virginica"])[Y]


def test_a_search_over_a_grid_chooses_by_the_scorer_as_by_that_of_scikit_learn():
    grid = {"C": [0.001, 0.1, 10.0]}
    ours, theirs = (
        GridSearchCV(LogisticRegression(max_iter=500), grid, scoring=scoring, cv=3).fit(X, NAMES)
        for scoring in (assay.scorer("f1"), "f1_macro")
    )
    assert ours.best_params_ == theirs.best_params_
    assert ours.cv_results_["mean_test_score"] == pytest.approx(
        theirs.cv_results_["mean_test_score"]
    )


def test_several_metrics_come_by_name_and_those_of_losses_negated():
    options = {"cv": 3, "n_jobs": None}
    model = LogisticRegression(max_iter=500)
    ours = cross_validate(
        model, X, NAMES, scoring=assay.scorer(["log_loss", "accuracy"]), **options
    )
    theirs = cross_validate(model, X, NAMES, scoring=["neg_log_loss", "accuracy"], **options)
    for name in ("test_neg_log_loss", "test_accuracy"):
        assert ours[name] == pytest.approx(theirs[name])


def test_a_scorer_goes_to_other_processes_and_counts_weights():
    made = pickle.loads(pickle.dumps(assay.scorer("log_loss")))
    model = LogisticRegression(max_iter=500).fit(X, NAMES)
    weight = np.random.default_rng(0).random(len(X))
    expected = log_loss(NAMES, model.predict_proba(X), sample_weight=weight)
    assert made(model, X, NAMES, sample_weight=weight) == pytest.approx(-expected)


def test_a_regression_is_scored_by_its_metrics():
    y = X[:, 0] + 1
    assert assay.scorer("r2")(Ridge().fit(X[:, 1:], y), X[:, 1:], y) == pytest.approx(
        Ridge().fit(X[:, 1:], y).score(X[:, 1:], y)
    )


def test_a_fold_without_a_class_is_scored():
    model = LogisticRegression(max_iter=500).fit(X, NAMES)
    some = NAMES != "setosa"
    assert assay.scorer("accuracy")(model, X[some], NAMES[some]) == pytest.approx(
        model.score(X[some], NAMES[some])
    )


@pytest.mark.parametrize("metric", ["f1(average=none)", "bias"])
def test_what_is_no_single_number_to_choose_by_is_refused(metric):
    with pytest.raises(UnsupportedError):
        assay.scorer(metric)
