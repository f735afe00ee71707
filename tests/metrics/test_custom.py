"""Callables as metrics: the same values as ours, groups and comparisons included."""

import functools
import json
import pickle

import numpy as np
import pytest
import sklearn.metrics as sk
from click.testing import CliRunner

import assay
from assay.cli import cli, main
from assay.errors import UnsupportedError
from assay.metrics.base import METRICS
from assay.metrics.custom import make_metric
from assay.table.predictions import Predictions
from assay.testing import random_table


def table(n=120, weight=None):
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, n)
    q = np.clip(rng.normal(0.35 + 0.3 * y, 0.2), 0.01, 0.99)
    models = {"m.proba": np.stack([1 - q, q], 1), "o.proba": np.stack([1 - q**2, q**2], 1)}
    groups = {"site": rng.integers(0, 2, n)}
    return Predictions.from_arrays(np.array(["no", "yes"])[y], models, groups=groups, weight=weight)


@pytest.mark.parametrize(
    ("call", "ours", "parameters"),
    [
        (sk.fbeta_score, "f_beta(beta=2)", {"beta": 2}),
        (sk.log_loss, "log_loss", {}),
        (sk.brier_score_loss, "brier(scale_by_half=true)", {}),
        (sk.roc_auc_score, "roc_auc", {}),
        (sk.get_scorer("balanced_accuracy"), "balanced_accuracy", {}),
        (sk.get_scorer("roc_auc"), "roc_auc", {}),
        (sk.get_scorer("neg_log_loss"), "log_loss", {}),
        (sk.make_scorer(sk.fbeta_score, beta=0.5), "f_beta(beta=0.5)", {}),
    ],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_a_function_or_scorer_of_scikit_learn_gives_the_figure_that_ours_gives(
    call, ours, parameters, weighted
):
    p = table(weight=np.random.default_rng(2).gamma(2.0, size=120) if weighted else None)
    mine = make_metric(call, "mine", **parameters)
    found = assay.evaluate(p, [mine, ours], by="site", intervals=False)
    for row in found.rows:
        if row.metric == "mine":
            assert row.value == pytest.approx(
                found.get(row.model, ours, group=row.group).value, rel=1e-12
            )
    assert mine.better == METRICS.parse(ours).better


@pytest.mark.parametrize(
    ("call", "ours"),
    [(sk.mean_absolute_error, "mae"), (sk.get_scorer("neg_root_mean_squared_error"), "rmse")],
)
def test_a_regression_function_is_known_to_read_values_and_that_lower_is_better(call, ours):
    p = random_table("regression", 1, n=30)
    mine = make_metric(call, "mine")
    assert (mine.reads, mine.better) == ("value", "lower")
    assert assay.evaluate(p, mine, intervals=False).rows[0].value == pytest.approx(
        assay.evaluate(p, ours, intervals=False).rows[0].value
    )


def test_the_hinge_loss_of_scikit_learn_is_given_scores():
    y, score = [0, 1, 1, 0], [-2.0, 0.5, -1.0, 0.1]
    p = Predictions.from_arrays(y, {"m.score": score}, positive=1)
    row = assay.evaluate(p, make_metric(sk.hinge_loss), intervals=False).rows[0]
    assert row.value == pytest.approx(sk.hinge_loss(y, score))


def test_a_scorer_of_probabilities_serves_a_multiclass_table():
    p = random_table("multiclass", 5, n=60)
    mine = make_metric(sk.get_scorer("roc_auc_ovr"), "mine")
    assert mine.reads == "proba"
    assert assay.evaluate(p, mine, intervals=False).rows[0].value == pytest.approx(
        assay.evaluate(p, "roc_auc", intervals=False).rows[0].value
    )


def test_the_interval_is_the_bootstraps_and_near_that_of_our_own_metric():
    p = table(300).select(["m"])
    mine = make_metric(lambda truth, label: float(np.mean(truth == label)), "hits", bounds=(0, 1))
    row, ours = assay.evaluate(p, [mine, "accuracy"]).rows
    assert row.method == "bootstrap"
    assert (row.value, row.low, row.high) == pytest.approx(
        (ours.value, ours.low, ours.high), abs=0.015
    )


def test_models_are_compared_by_a_callable_as_by_our_own_metric():
    p = table(60)
    mine = make_metric(lambda truth, label: float(np.mean(truth == label)), "hits", bounds=(0, 1))
    found, ours = assay.compare(p, mine), assay.compare(p, "accuracy")
    assert found.pairs[0].difference == pytest.approx(ours.pairs[0].difference)
    assert found.pairs[0].verdict == ours.pairs[0].verdict


def test_a_callable_is_given_labels_in_the_users_own_terms():
    seen = []
    mine = make_metric(
        lambda truth, label: seen.append((truth.tolist(), label.tolist())) or 1.0, "mine"
    )
    assay.evaluate(Predictions.from_arrays(["b", "a"], {"m": ["a", "a"]}), mine, intervals=False)
    assert seen[0] == (["b", "a"], ["a", "a"])


class Share:
    """As a torchmetrics metric is used: update with (prediction, truth), then compute."""

    higher_is_better = False

    def __init__(self):
        self.wrong = self.n = 99

    def reset(self):
        self.wrong = self.n = 0

    def update(self, preds, target):
        assert set(np.unique(target)) <= set(range(5))
        self.wrong += int((preds != target).sum())
        self.n += len(target)

    def compute(self):
        return np.float32(self.wrong / self.n)


def test_an_object_that_is_updated_is_given_codes_and_starts_afresh_each_time():
    own = Share()
    p = random_table("multiclass", 4, n=40).select(["a"])
    mine, right = assay.evaluate(p, [make_metric(own, "wrong"), "accuracy"]).rows
    assert mine.value == pytest.approx(1 - right.value, rel=1e-6)
    assert METRICS.parse("wrong").better == "lower"
    assert own.n == 99


def test_the_name_reads_back_as_the_metric_and_survives_pickling():
    mine = make_metric(sk.fbeta_score, "f2", beta=2)
    assert METRICS.parse("f2") == mine
    again = pickle.loads(pickle.dumps(mine))
    assert again == mine
    assert again([0, 1, 1], [0, 1, 0]) == mine([0, 1, 1], [0, 1, 0])


def test_where_the_callable_refuses_the_figure_is_nan_and_the_note_says_why():
    def picky(truth, label):
        raise ValueError("one class only")

    row = assay.evaluate(table(20).select(["m"]), make_metric(picky)).rows[0]
    assert np.isnan(row.value)
    assert row.note == "undefined_by_callable; ValueError: one class only"
    assert json.loads(assay.evaluate(table(20), "picky").to_json())["rows"][0]["value"] is None


def test_weights_that_a_callable_cannot_take_are_noted():
    mine = make_metric(lambda truth, label: 1.0, "mine")
    row = assay.evaluate(table(20, np.arange(20.0)), mine, intervals=False).rows[0]
    assert row.note == "mine takes no weights: each row counts once"


def test_without_intervals_there_is_one_call_and_no_comparison():
    calls = []
    mine = make_metric(lambda truth, label: calls.append(1) or 0.5, "mine", intervals=False)
    row = assay.evaluate(table(20).select(["m"]), mine).rows[0]
    assert np.isnan(row.low)
    assert len(calls) < 5
    with pytest.raises(UnsupportedError, match="intervals=False"):
        assay.compare(table(20), mine)


def test_without_rows_a_callable_is_not_asked():
    mine = make_metric(lambda truth, label: 1.0, "mine")
    row = assay.evaluate(table(20).take(np.zeros(20, bool)), mine).rows[0]
    assert np.isnan(row.value)
    assert row.note == "no_samples"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((lambda truth, label: 1.0,), "needs a name"),
        ((sk.f1_score, "f1"), "already named 'f1'"),
        ((3, "three"), "expected a function"),
    ],
)
def test_a_callable_that_cannot_be_a_metric_is_refused(arguments, message):
    with pytest.raises(UnsupportedError, match=message):
        make_metric(*arguments)


@pytest.mark.parametrize(
    ("call", "message"),
    [(lambda truth: 1.0, "could not be called"), (lambda truth, label: "good", "one number")],
)
def test_a_callable_that_is_no_metric_is_named(call, message):
    with pytest.raises(UnsupportedError, match=message):
        assay.evaluate(table(20), make_metric(call, "mine"), intervals=False)


def test_parameters_bound_beforehand_are_kept():
    mine = make_metric(functools.partial(sk.fbeta_score, beta=2), "mine")
    assert mine([0, 1, 1, 0], [1, 1, 0, 0]) == METRICS.parse("f_beta(beta=2)")(
        [0, 1, 1, 0], [1, 1, 0, 0]
    )


class BinaryAUROC(Share):
    """Named as torchmetrics' own; of labels the area would be that of one threshold."""

    __module__ = "torchmetrics.classification.auroc"
    higher_is_better = True


class CareerScore(Share):
    """Its name holds letters of a metric of scores, but it is not torchmetrics'."""


def test_what_torchmetrics_has_for_scores_is_given_probabilities():
    assert make_metric(BinaryAUROC(), "area").reads == "proba"
    assert make_metric(Share(), "share").reads == "label"
    assert make_metric(CareerScore(), "career").reads == "label"


def test_the_metrics_and_functions_of_torchmetrics_give_the_figures_that_ours_give():
    torchmetrics = pytest.importorskip("torchmetrics")
    functional = pytest.importorskip("torchmetrics.functional.classification")
    pairs = [
        (torchmetrics.F1Score(task="binary"), "f1"),
        (torchmetrics.AUROC(task="binary"), "roc_auc"),
        (torchmetrics.CalibrationError(task="binary", n_bins=15), "ece"),
        (functional.binary_recall, "recall"),
        (functional.binary_average_precision, "average_precision"),
    ]
    p = table()
    for i, (theirs, ours) in enumerate(pairs):
        mine, own = assay.evaluate(
            p.select(["m"]), [make_metric(theirs, f"theirs_{i}"), ours], intervals=False
        ).rows
        assert mine.value == pytest.approx(own.value, abs=1e-6), ours


def test_a_callable_is_asked_less_often_where_rows_are_many(monkeypatch):
    monkeypatch.setattr("assay.intervals.replicates.WORK", 60 * 120 * 2)
    calls = []
    mine = make_metric(
        lambda truth, label: calls.append(1) or float(np.mean(truth == label)),
        "hits",
        bounds=(0, 1),
    )
    row = assay.evaluate(table(120).select(["m"]), mine).rows[0]
    assert 60 <= len(calls) < 70
    assert row.low < row.value < row.high


def test_an_entry_point_may_name_a_metric_made_from_a_callable(monkeypatch):
    with METRICS.isolate():
        made = make_metric(lambda truth, label: 1.0, "always_one")

    class Point:
        def load(self):
            return made

    monkeypatch.setattr(
        "importlib.metadata.entry_points",
        lambda group: [Point()] if group == "assay.metrics" else [],
    )
    METRICS.load()
    monkeypatch.setattr(METRICS, "_has_entry_points", False)
    assert assay.evaluate(table(20), "always_one", intervals=False).rows[0].value == 1.0


PLUGIN = """
import assay
from sklearn.metrics import fbeta_score

def hits(truth, label):
    return float((truth == label).mean())

assay.make_metric(fbeta_score, "my_f2", beta=2, bounds=(0, 1))
assay.make_metric(hits, bounds=(0, 1))
"""


def test_the_command_line_takes_metrics_from_a_file_of_ones_own(tmp_path):
    (tmp_path / "mine.py").write_text(PLUGIN)
    assay.write(table(), tmp_path / "p.parquet")
    asked = [
        "evaluate",
        str(tmp_path / "p.parquet"),
        "--metric",
        "my_f2,f_beta(beta=2),hits,accuracy",
        "--json",
        "-",
    ]
    run = CliRunner().invoke(cli, ["--plugin", str(tmp_path / "mine.py"), *asked])
    assert run.exit_code == 0, run.output
    found = {(r["model"], r["metric"]): r["value"] for r in json.loads(run.stdout)["rows"]}
    assert found["m", "my_f2"] == pytest.approx(found["m", "f_beta(beta=2)"])
    assert found["o", "hits"] == found["o", "accuracy"]


@pytest.mark.parametrize(
    ("name", "message"), [("no.py", "no such file"), ("no_such_module", "cannot be imported")]
)
def test_a_plugin_that_is_not_there_is_one_clear_error(capsys, name, message):
    with pytest.raises(SystemExit) as stop:
        main(["--plugin", name, "list", "metrics"])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err
