"""Every member of every family keeps the laws that `assay.testing` holds plug-ins to."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.svm import LinearSVC

from assay.errors import UnsupportedError
from assay.evaluation.evaluate import evaluate
from assay.fusions.base import FUSIONS
from assay.metrics.base import METRICS, Metric, Ratio
from assay.testing import (
    check_adapter,
    check_engine,
    check_fusion,
    check_metric,
    check_reader,
    random_table,
)

LOGS = Path(__file__).parents[1] / "histories"

READ = {
    "boosting": LOGS / "xgboost_train_evals_result.json",
    "huggingface": LOGS / "hf_trainer_state.json",
    "keras_csv": LOGS / "keras_csvlogger_fashion_mlp_10ep.csv",
    "keras_json": LOGS / "keras_history_fashion_mlp_10ep.json",
    "lightning": LOGS / "lightning_csvlogger_metrics.csv",
    "skorch": LOGS / "skorch_history.json",
    "training_log": LOGS / "training_log_keras.jsonl",
}

X = np.random.default_rng(0).normal(size=(40, 3))
MODELS = {
    "logistic": (LogisticRegression(), (X[:, 0] > 0).astype(int)),
    "forest": (RandomForestClassifier(5, random_state=0), np.digitize(X[:, 0], [-0.5, 0.5])),
    "margins": (LinearSVC(), (X[:, 1] > 0).astype(int)),
    "regression": (LinearRegression(), X[:, 0] + X[:, 1] / 2),
}


@pytest.mark.parametrize("name", METRICS.names())
def test_every_metric_keeps_the_laws(name):
    check_metric(name, repeats=1)


@pytest.mark.slow
@pytest.mark.parametrize("name", METRICS.names())
def test_every_metric_keeps_the_laws_on_many_tables(name):
    check_metric(name, seed=1)


@pytest.mark.parametrize("name", FUSIONS.names())
def test_every_fusion_keeps_the_laws(name):
    check_fusion({"neighbours": "neighbours(features=x)"}.get(name, name), repeats=1)


@pytest.mark.parametrize(
    "engine",
    [
        "local",
        pytest.param("local(threads=3)", marks=pytest.mark.slow),
        pytest.param("processes(workers=2)", marks=pytest.mark.slow),
    ],
)
def test_every_engine_keeps_the_laws(engine):
    check_engine(engine, repeats=1)


@pytest.mark.parametrize("name", READ)
def test_every_reader_keeps_the_laws(name):
    check_reader(name, READ[name])


@pytest.mark.parametrize("name", MODELS)
def test_the_adapter_of_scikit_learn_keeps_the_laws(name):
    model, y = MODELS[name]
    check_adapter(model.fit(X, y), X, y, task="regression" if name == "regression" else None)


def define_careless():
    class Careless(Ratio):
        """A metric that divides by seven rows, however many there are."""

        name = "careless"
        needs = METRICS.parse("accuracy").needs

        def parts(self, c):
            return c.tp, c.tp * 0 + 7

    return Careless()


def define_unbounded():
    class Unbounded(Metric):
        """A metric that leaves its bounds."""

        name = "unbounded"
        needs = METRICS.parse("accuracy").needs

        def compute(self, summary):
            return np.atleast_1d(summary.table.sum(axis=(-1, -2)) * 2.0 + 1)

    return Unbounded()


def define_twofold():
    class Twofold(Metric):
        """A metric that says it has one value and gives two."""

        name = "twofold"
        needs = METRICS.parse("accuracy").needs

        def compute(self, summary):
            return np.zeros((*np.shape(summary.total), 2))

    return Twofold()


@pytest.mark.parametrize(
    ("define", "law"),
    [
        (define_careless, "careless: .*bounds"),
        (define_unbounded, "unbounded: .*bounds"),
        (define_twofold, "twofold: .*a value for each table, here 1; 2"),
    ],
    ids=["careless", "unbounded", "twofold"],
)
def test_a_metric_that_breaks_a_law_is_told_which(define, law):
    with METRICS.isolate(), pytest.raises(AssertionError, match=law):
        check_metric(define(), repeats=3)


def test_an_evaluation_says_which_metric_gives_a_wrong_number_of_values():
    p = random_table("binary", 0, n=20)
    told = pytest.raises(UnsupportedError, match=r"twofold gives 2 values.*check_metric")
    with METRICS.isolate(), told:
        evaluate(p, define_twofold())
