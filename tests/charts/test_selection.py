"""Charts of races, rungs, costs and learning curves: each result draws a valid picture."""

import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

import assay
from assay.charts.style import draw

X, Y = load_breast_cancer(return_X_y=True)
MODELS = {
    "lr": make_pipeline(StandardScaler(), LogisticRegression()),
    "tree": DecisionTreeClassifier(random_state=0),
}


def frugal(store):
    p = assay.cross_validate(MODELS, X, Y, cv=5, store=store, progress=False)
    return assay.one_standard_error(p, "f1", costs=assay.timings(store))


def timed(store):
    assay.cross_validate(MODELS, X, Y, cv=5, store=store, progress=False)
    return assay.timings(store)


RESULTS = {
    "race": lambda store: assay.race(MODELS, X, Y, metric="f1", cv=6),
    "halving": lambda store: assay.successive_halving(MODELS, X, Y, metric="f1"),
    "learning curve": lambda store: assay.learning_curve(
        MODELS, X, Y, metric="f1", sizes=[50, 100, 200]
    ),
    "costs": frugal,
    "timings": timed,
}


@pytest.mark.parametrize("name", RESULTS)
def test_the_result_draws_itself(name, tmp_path):
    drawing = draw(RESULTS[name](tmp_path).chart(), "c")
    assert drawing.title
    assert "<svg" in drawing.svg
    assert "tree" in drawing.svg
