"""Values where naive formulas lose their digits, against exact arithmetic: fractions, mpmath."""

import math
from dataclasses import replace
from fractions import Fraction

import mpmath
import numpy as np
import pytest

from assay.engines.local import Local
from assay.evaluation.evaluate import evaluate
from assay.metrics.base import METRICS
from assay.table.predictions import Predictions
from assay.table.schema import TASKS, WRITTEN
from assay.testing import random_table
from assay.testing.tables import make_positive
from shelf import fits, instances


def figure(metric, y, prediction, **options):
    return float(METRICS.parse(metric)(y, prediction, **options))


def exact(y, f):
    """Mean, variance and covariance of the numbers that the floats are, as fractions."""
    y, f = ([Fraction(float(x)) for x in column] for column in (y, f))
    n = len(y)
    mean_y, mean_f = sum(y) / n, sum(f) / n
    return {
        "mse": sum((a - b) ** 2 for a, b in zip(y, f, strict=True)) / n,
        "yy": sum((a - mean_y) ** 2 for a in y),
        "ff": sum((b - mean_f) ** 2 for b in f),
        "yf": sum((a - mean_y) * (b - mean_f) for a, b in zip(y, f, strict=True)),
        "ee": sum((a - b - mean_y + mean_f) ** 2 for a, b in zip(y, f, strict=True)),
        "gap": mean_y - mean_f,
        "n": n,
    }


def far_out(offset=1e8, n=200):
    rng = np.random.default_rng(0)
    y = offset + rng.normal(size=n)
    return y, y + rng.normal(size=n) / 2


@pytest.mark.parametrize("batch", [7, 1000])
def test_an_offset_of_a_hundred_million_leaves_eight_digits_where_squares_alone_would_leave_none(
    batch,
):
    y, f = far_out()
    e = exact(y, f)
    p = Predictions.from_arrays(y, {"m": f}, task="regression")
    found = {
        r.metric: r.value
        for r in evaluate(p, list(EXPECTED), intervals=False, engine=Local(batch=batch)).rows
    }
    for metric, of in EXPECTED.items():
        assert found[metric] == pytest.approx(float(of(e)), rel=1e-8), metric


EXPECTED = {
    "mse": lambda e: e["mse"],
    "r2": lambda e: 1 - e["n"] * e["mse"] / e["yy"],
    "explained_variance": lambda e: 1 - e["ee"] / e["yy"],
    "pearson": lambda e: float(e["yf"]) / math.sqrt(float(e["yy"]) * float(e["ff"])),
    "concordance_correlation": lambda e: 2 * e["yf"] / (e["yy"] + e["ff"] + e["n"] * e["gap"] ** 2),
}


@pytest.mark.parametrize(
    "metric", ["r2", "explained_variance", "pearson", "spearman", "d2_absolute_error"]
)
@pytest.mark.parametrize("batch", [2, 1000])
def test_a_constant_that_no_float_holds_has_no_variance_to_explain(metric, batch):
    p = Predictions.from_arrays(
        [0.1] * 7, {"m": [0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1]}, task="regression"
    )
    assert math.isnan(evaluate(p, metric, intervals=False, engine=Local(batch=batch)).value)


def test_the_log_of_a_probability_of_1e_300_is_exact():
    proba = [[1 - 1e-12, 1e-12], [1e-300, 1.0], [0.5, 0.5]]
    theirs = -sum(mpmath.log(mpmath.mpf(p)) for p in (1 - 1e-12, 1e-300, 0.5)) / 3
    assert figure("log_loss(floor=0)", [0, 0, 1], proba) == pytest.approx(float(theirs), rel=1e-14)


def test_logits_a_thousand_apart_keep_their_loss_and_their_order():
    p = Predictions.from_arrays([0, 1, 1], {"m.logit": [[0.0, 1000.0], [0.0, 900.0], [800.0, 0.0]]})
    assert evaluate(p, "log_loss", intervals=False).value == pytest.approx(1800 / 3, rel=1e-14)
    assert evaluate(p, "roc_auc", intervals=False).value == 0.0


def test_scores_of_forecasts_that_are_nearly_certain_keep_their_digits():
    p = mpmath.mpf(1) - mpmath.mpf(2) ** -40
    proba = [[float(p), float(1 - p)]] * 3
    assert figure("brier", [0, 0, 0], proba, classes=[0, 1]) == pytest.approx(
        float(2 * (1 - p) ** 2), rel=1e-13
    )
    spherical = 1 - p / mpmath.sqrt(p**2 + (1 - p) ** 2)
    assert 1 - figure("spherical", [0, 0, 0], proba, classes=[0, 1]) == pytest.approx(
        float(spherical), abs=2e-16
    )


@pytest.mark.parametrize("metric", ["poisson_deviance", "gamma_deviance", "msle"])
@pytest.mark.parametrize("f", [3.0000003, 2.9, 1e-9, 1e12])
def test_deviances_near_the_truth_and_far_from_it_are_those_of_exact_arithmetic(metric, f):
    with mpmath.workdps(60):
        y, z = mpmath.mpf(3), mpmath.mpf(f)
        theirs = {
            "poisson_deviance": 2 * (y * mpmath.log(y / z) - y + z),
            "gamma_deviance": 2 * (mpmath.log(z / y) + y / z - 1),
            "msle": (mpmath.log(1 + y) - mpmath.log(1 + z)) ** 2,
        }[metric]
    assert figure(metric, [3.0], [f]) == pytest.approx(
        float(theirs), rel=1e-8 if f == 3.0000003 else 1e-13
    )


def figures(p, metrics, **options):
    """Every figure of every model, by metric, model and class."""
    return {
        (r.metric, r.model, r.class_): r.value
        for r in evaluate(p, metrics, intervals=False, **options).rows
    }


def assert_near(found, expected, rel):
    assert found.keys() == expected.keys()
    assert any(not math.isnan(value) for value in expected.values())
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, rel=rel, abs=1e-14, nan_ok=True), key


def fitting(p):
    return [metric for metric in instances() if fits(metric, p)]


# Amounts that grow with the weight, and one that counts how many rows there are.
OF_SIZE = {"tp", "fp", "fn", "tn", "confusion_matrix", "adjusted_r2"}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("amounts", [False, True])
def test_a_billion_equal_rows_of_each_kind_give_every_figure_of_one(task, amounts):
    p = random_table(task, 11, n=40, ties=True)
    p = make_positive(p) if amounts and task == "regression" else p
    metrics = [metric for metric in fitting(p) if metric.name not in OF_SIZE]
    once, often = (figures(replace(p, weight=np.full(p.n, w)), metrics) for w in (1.0, 1e9))
    assert_near(often, once, rel=1e-9 if task == "binary" else 1e-12)  # two are fitted by iteration


@pytest.mark.parametrize("metric", ["accuracy", "f1", "log_loss", "roc_auc", "ece", "mse"])
def test_weights_of_which_one_is_a_billion_times_the_others_lose_no_row(metric):
    y, proba = [0, 1, 1, 0], [0.2, 0.7, 0.4, 0.6]
    told = {"classes": [0, 1], "positive": 1} if metric != "mse" else {"task": "regression"}
    kind = "m.value" if metric == "mse" else "m.proba"
    small = Predictions.from_arrays(y, {kind: proba}, weight=[1.0, 1e-9, 1e-9, 1e-9], **told)
    large = Predictions.from_arrays(y, {kind: proba}, weight=[1e9, 1.0, 1.0, 1.0], **told)
    a, b = (evaluate(p, metric, intervals=False).value for p in (small, large))
    assert a == pytest.approx(b, rel=1e-15)


def in_precision(p, dtype):
    """The table with every number of a model in that precision, and the same numbers in double."""
    found = []
    for kind in (dtype, np.float64):
        models = {
            f"{m}.{name}": array.astype(dtype).astype(kind)
            for m, kinds in p.outputs.items()
            for name, array in kinds.items()
        }
        as_it_is = p.task in ("regression", "multilabel", "multioutput")
        truth = p.truth if as_it_is else np.array(p.classes)[p.truth]
        classes = None if p.task == "regression" else p.classes
        found.append(
            Predictions.from_arrays(truth, models, task=p.task, classes=classes, weight=p.weight)
        )
    return found


@pytest.mark.parametrize("task", [task for task in TASKS if task not in WRITTEN])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("weighted", [False, True])
def test_every_figure_of_single_and_half_precision_is_judged_in_double(task, dtype, weighted):
    p = random_table(task, 5, n=60, weighted=weighted)
    narrow, double = in_precision(make_positive(p) if task == "regression" else p, dtype)
    metrics = fitting(double)
    assert_near(figures(narrow, metrics), figures(double, metrics), rel=1e-12)


# What no constant added to truth and prediction changes.
FREE_OF_OFFSET = [
    "mse",
    "rmse",
    "mae",
    "bias",
    "median_ae",
    "max_error",
    "huber",
    "huber(delta=0.3)",
    "pinball(alpha=0.9)",
    "quantile_coverage(alpha=0.9)",
    "r2",
    "adjusted_r2(features=3)",
    "explained_variance",
    "pearson",
    "spearman",
    "concordance_correlation",
    "d2_absolute_error",
    "d2_pinball(alpha=0.9)",
    "interval_score",
    "interval_coverage",
    "interval_width",
    "within_tolerance(absolute=0.5, relative=0)",
]


@pytest.mark.parametrize("batch", [7, 1000])
def test_an_offset_of_two_to_the_27_changes_no_figure_that_it_leaves(batch):
    """The numbers are multiples of 2^-20, so that adding 134,217,728 rounds none of them."""
    rng = np.random.default_rng(0)
    y, gap = (np.round(rng.normal(size=300) * 2**20) / 2**20 for _ in range(2))
    half = np.round(rng.gamma(2.0, size=(300, 2)) * 2**20) / 2**20 * [-1, 1]

    def at(offset):
        f = offset + y + gap
        models = {"m.value": f, "m.interval": f[:, None] + half}
        return figures(
            Predictions.from_arrays(offset + y, models), FREE_OF_OFFSET, engine=Local(batch=batch)
        )

    assert_near(at(2.0**27), at(0.0), rel=1e-8)


@pytest.mark.parametrize(
    "metric", ["roc_auc", "average_precision", "ks", "gini", "gain", "best_f_beta", "lift"]
)
def test_probabilities_of_1e_300_keep_their_order(metric):
    y = [0, 1, 0, 1, 1, 0]
    ranks = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    expected = evaluate(
        Predictions.from_arrays(y, {"m.score": ranks}, positive=1), metric, intervals=False
    ).value
    for tiny in (1e-300 * ranks, 5e-324 * ranks, 10.0 ** (-300 + ranks)):
        p = Predictions.from_arrays(y, {"m.proba": tiny}, positive=1)
        assert evaluate(p, metric, intervals=False).value == expected


@pytest.mark.parametrize("metric", ["ndcg", "mrr", "map", "dcg"])
def test_a_label_of_probability_1e_300_ranks_above_one_of_1e_301(metric):
    low = figure(metric, [1], [[1.0, 1e-301, 1e-300]], classes=[0, 1, 2])
    high = figure(metric, [2], [[1.0, 1e-301, 1e-300]], classes=[0, 1, 2])
    assert high > low


@pytest.mark.parametrize("floor", [0, 1e-15])
def test_figures_of_a_truth_of_probability_1e_300_are_those_of_exact_arithmetic(floor):
    y, p = [1, 0, 1], [1e-300, 1e-300, 0.75]
    proba = np.array([[1 - q, q] for q in p])
    own = [mpmath.mpf(q) if t else 1 - mpmath.mpf(q) for t, q in zip(y, p, strict=True)]
    loss = -sum(mpmath.log(max(q, mpmath.mpf(floor))) for q in own) / 3
    assert figure(f"log_loss(floor={floor})", y, proba) == pytest.approx(float(loss), rel=1e-14)
    brier = 2 * sum((1 - q) ** 2 for q in own) / 3
    assert figure("brier", y, proba) == pytest.approx(float(brier), rel=1e-15)
    spherical = sum(q / mpmath.sqrt(q**2 + (1 - q) ** 2) for q in own) / 3
    assert figure("spherical", y, proba) == pytest.approx(float(spherical), rel=1e-15)
    entropy = -(mpmath.log(mpmath.mpf(2) / 3) * 2 + mpmath.log(mpmath.mpf(1) / 3)) / 3
    floored = -sum(mpmath.log(max(q, mpmath.mpf(2) ** -52)) for q in own) / 3
    assert figure("d2_log_loss", y, proba) == pytest.approx(float(1 - floored / entropy), rel=1e-14)
    assert figure("d2_brier", y, proba) == pytest.approx(
        float(1 - brier / (1 - mpmath.mpf(5) / 9)), rel=1e-14
    )


@pytest.mark.filterwarnings("error")
def test_numbers_near_the_largest_there_is_give_no_warning_and_no_advice_without_a_figure():
    p = Predictions.from_arrays([1.0, 1e308, 3.0], {"m": [1.0, -1e308, 2.0]}, task="regression")
    found = evaluate(p, ["mse", "r2", "median_ae", "max_error", "d2_absolute_error"])
    assert found.get("m", "median_ae").value == 1.0
    assert "nan" not in str(found.advice)
    assert "inf" not in str(found.advice)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_squares_beyond_the_largest_number_are_infinite_or_undefined_for_that_reason():
    p = Predictions.from_arrays([1e200, 0.0, 1.0], {"m": [-1e200, 0.0, 1.0]}, task="regression")
    rows = {r.metric: r for r in evaluate(p, ["mse", "rmse", "mae", "r2"], intervals=False).rows}
    assert rows["mae"].value == pytest.approx(2e200 / 3)
    assert math.isinf(rows["mse"].value)
    assert math.isinf(rows["rmse"].value)
    assert math.isnan(rows["r2"].value)
    assert rows["r2"].note == "overflow"


def test_the_spread_of_a_long_table_far_from_zero_keeps_twelve_digits():
    rng = np.random.default_rng(0)
    y = 1e8 + rng.normal(size=1_000_000)
    f = y + 0.3 * rng.normal(size=len(y))
    table = Predictions.from_arrays(y, {"m.value": f}, task="regression")
    far = y.astype(np.longdouble)
    wanted = 1 - ((far - f) ** 2).sum() / ((far - far.mean()) ** 2).sum()
    assert evaluate(table, "r2", intervals=False).value == pytest.approx(float(wanted), rel=2e-12)
