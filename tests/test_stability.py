"""Figures where naive formulas lose their digits, against exact arithmetic: fractions and mpmath."""

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest

from assay.engine import Local
from assay.evaluate import evaluate
from assay.metric import METRICS
from assay.predictions import Predictions


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
def test_an_offset_of_a_hundred_million_leaves_eight_digits_where_squares_alone_would_leave_none(batch):
    y, f = far_out()
    e = exact(y, f)
    p = Predictions.from_arrays(y, {"m": f}, task="regression")
    found = {r.metric: r.value for r in evaluate(p, list(EXPECTED), intervals=False, engine=Local(batch=batch)).rows}
    for metric, of in EXPECTED.items():
        assert found[metric] == pytest.approx(float(of(e)), rel=1e-8), metric


EXPECTED = {
    "mse": lambda e: e["mse"],
    "r2": lambda e: 1 - e["n"] * e["mse"] / e["yy"],
    "explained_variance": lambda e: 1 - e["ee"] / e["yy"],
    "pearson": lambda e: float(e["yf"]) / math.sqrt(float(e["yy"]) * float(e["ff"])),
    "concordance_correlation": lambda e: 2 * e["yf"] / (e["yy"] + e["ff"] + e["n"] * e["gap"] ** 2),
}


@pytest.mark.parametrize("metric", ["r2", "explained_variance", "pearson", "spearman", "d2_absolute_error"])
@pytest.mark.parametrize("batch", [2, 1000])
def test_a_constant_that_no_float_holds_has_no_variance_to_explain(metric, batch):
    p = Predictions.from_arrays([0.1] * 7, {"m": [0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1]}, task="regression")
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
    assert figure("brier", [0, 0, 0], proba, classes=[0, 1]) == pytest.approx(float(2 * (1 - p) ** 2), rel=1e-13)
    spherical = 1 - p / mpmath.sqrt(p**2 + (1 - p) ** 2)
    assert 1 - figure("spherical", [0, 0, 0], proba, classes=[0, 1]) == pytest.approx(float(spherical), abs=2e-16)


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
    assert figure(metric, [3.0], [f]) == pytest.approx(float(theirs), rel=1e-8 if f == 3.0000003 else 1e-13)


@pytest.mark.parametrize(
    "metric", ["accuracy", "f1", "mcc", "log_loss", "brier", "roc_auc", "average_precision", "ks", "ece", "gain"]
)
def test_a_billion_equal_rows_of_each_kind_give_the_figure_of_one(metric):
    y, proba = [0, 1, 1, 0, 1], [0.1, 0.8, 0.3, 0.6, 0.7]
    tables = (Predictions.from_arrays(y, {"m.proba": proba}, weight=[w] * 5) for w in (1.0, 1e9))
    once, often = (evaluate(p, metric, intervals=False).value for p in tables)
    assert often == pytest.approx(once, rel=1e-14)


@pytest.mark.parametrize("metric", ["mse", "mae", "median_ae", "r2", "pearson", "spearman", "d2_pinball(alpha=0.9)"])
def test_a_billion_equal_rows_of_each_kind_give_the_regression_figure_of_one(metric):
    y, f = [1.0, 2.0, 4.0, 8.0], [1.5, 2.0, 3.0, 9.0]
    once, often = (figure(metric, y, f, weight=[w] * 4) for w in (1.0, 1e9))
    assert often == pytest.approx(once, rel=1e-14)


@pytest.mark.parametrize("metric", ["mse", "rmse", "mape", "poisson_deviance", "huber", "median_ae", "spearman"])
def test_half_precision_predictions_are_judged_in_double(metric):
    """300 squared is beyond the largest half-precision number."""
    y = np.array([100.0, 2.0, 900.0])
    f = np.array([400.0, 2.5, 700.0], np.float16)
    assert figure(metric, y, f) == figure(metric, y, f.astype(np.float64))


@pytest.mark.parametrize("metric", ["log_loss", "brier", "spherical", "rps", "roc_auc", "ece", "ndcg", "mrr"])
def test_single_precision_probabilities_are_judged_in_double(metric):
    rng = np.random.default_rng(0)
    z = np.exp(rng.normal(size=(50, 3)) * 3)
    proba = (z / z.sum(axis=1, keepdims=True)).astype(np.float32)
    y = rng.integers(0, 3, 50)
    single, double = (
        evaluate(Predictions.from_arrays(y, {"m.proba": q}), metric, intervals=False).value
        for q in (proba, proba.astype(np.float64))
    )
    assert single == pytest.approx(double, rel=1e-14)
