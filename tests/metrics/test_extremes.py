"""Numbers and weights at the ends of what 64 bits hold: right, or undefined for the true reason."""

import numpy as np
import pytest

from assay.errors import AssayError
from assay.evaluation.evaluate import evaluate
from assay.table.predictions import Predictions

TRUTH = np.array([1, 0, 1, 0, 0, 1, 0, 1])
SAID = np.array([1, 0, 0, 1, 0, 1, 0, 0])


def read(table, *metrics):
    return {row.metric: row for row in evaluate(table, list(metrics), intervals=False).rows}


@pytest.mark.parametrize("scale", [1e6, 1e9, 1e12, 1e15])
def test_true_negatives_many_orders_lighter_than_the_positives_are_counted(scale):
    weight = np.where(TRUTH == 1, scale, 1.0) * np.arange(1, 9)
    table = Predictions.from_arrays(TRUTH, {"m": SAID}, weight=weight)
    found = read(table, "specificity", "informedness", "positive_likelihood_ratio", "fpr")
    tn, fp, tp, fn = 2 + 5 + 7, 4, 1 + 6, 3 + 8
    assert found["specificity"].value == pytest.approx(tn / (tn + fp), rel=1e-14)
    assert found["informedness"].value == pytest.approx(tp / (tp + fn) - fp / (fp + tn), abs=1e-14)
    assert found["positive_likelihood_ratio"].value == pytest.approx(
        tp / (tp + fn) / (fp / (fp + tn)), rel=1e-14
    )
    assert found["false_positive_rate"].value == pytest.approx(fp / (tn + fp), rel=1e-14)


@pytest.mark.parametrize("scale", [1e6, 1e12])
def test_the_correlation_of_weights_many_orders_apart_is_that_of_the_fractions(scale):
    from fractions import Fraction

    weight = np.where(TRUTH == 1, scale, 1.0) * np.arange(1, 9)
    tp, fp, fn, tn = (
        sum(Fraction(w) for w, t, s in zip(weight, TRUTH, SAID, strict=True) if (t, s) == cell)
        for cell in ((1, 1), (0, 1), (1, 0), (0, 0))
    )
    spread = float((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)) ** 0.5
    (row,) = read(Predictions.from_arrays(TRUTH, {"m": SAID}, weight=weight), "mcc").values()
    assert row.value == pytest.approx(float(tp * tn - fp * fn) / spread, rel=1e-12)


def test_weights_whose_squares_overflow_are_refused_and_their_ratios_are_enough():
    weight = np.arange(1.0, 9) * 2e307
    with pytest.raises(AssayError, match="divide all weights by the largest"):
        Predictions.from_arrays(TRUTH, {"m": SAID}, weight=weight)
    divided = Predictions.from_arrays(TRUTH, {"m": SAID}, weight=weight / weight.max())
    assert read(divided, "recall")["recall"].value == pytest.approx(7 / 18)


@pytest.mark.parametrize("offset", [3e13, 2e15])
def test_what_rounding_hides_far_from_zero_is_not_called_constant(offset):
    rng = np.random.default_rng(2)
    y = rng.normal(size=300)
    f = y + 0.4 * rng.normal(size=300)
    table = Predictions.from_arrays(offset + y, {"m": offset + f}, task="regression")
    found = read(table, "concordance_correlation", "r2", "pearson", "explained_variance")
    assert np.isnan(found["concordance_correlation"].value)
    for row in found.values():
        assert np.isfinite(row.value) or row.note == "lost_to_rounding"


def test_squares_that_overflow_are_called_that():
    y = np.array([1e200, 2e200, 4e200])
    table = Predictions.from_arrays(y, {"m": y * 1.5}, task="regression")
    for row in read(table, "r2", "explained_variance").values():
        assert np.isnan(row.value)
        assert row.note == "overflow"


def test_a_constant_far_from_zero_is_still_called_constant():
    table = Predictions.from_arrays([0.1] * 9, {"m": [0.3] * 9}, task="regression")
    assert read(table, "r2")["r2"].note == "zero_variance"
    assert read(table, "pearson")["pearson"].note == "zero_variance"


def test_whole_numbers_that_64_bits_cannot_tell_apart_are_refused_and_their_rests_are_enough():
    start = 2**60
    y = np.array([start + 1, start + 2, start + 3])
    with pytest.raises(AssayError, match=r"beyond 2\*\*53"):
        Predictions.from_arrays(y, {"m": y + 1}, task="regression")
    rest = Predictions.from_arrays(y - start, {"m": y + 1 - start}, task="regression")
    assert read(rest, "mse")["mse"].value == 1


@pytest.mark.parametrize("metric", ["cohen_kappa(weights=quadratic)", "rps"])
def test_grades_that_do_not_occur_between_others_are_told(metric):
    y = np.array([1, 2, 5, 5, 2, 1])
    proba = np.tile([0.2, 0.3, 0.5], (6, 1))
    for classes, told in (([1, 2, 5], True), ([1, 3, 5], False)):
        truth = np.array(classes)[np.searchsorted([1, 2, 5], y)]
        table = Predictions.from_arrays(truth, {"m.proba": proba}, classes=classes)
        assert ("grades are missing between" in evaluate(table, metric).rows[0].note) == told


@pytest.mark.parametrize("size", [1e-170, 3e-120, 1e110, 2e190])
@pytest.mark.parametrize("metric", ["pearson", "concordance_correlation"])
def test_a_correlation_of_columns_whose_squares_no_double_holds_is_that_of_their_shape(
    size, metric
):
    rng = np.random.default_rng(8)
    y = rng.gamma(2.0, size=90)
    f = y + 0.3 * rng.normal(size=90)
    group = {"g": np.array(["u", "v", "w"])[np.arange(90) % 3]}
    plain = Predictions.from_arrays(y, {"m": f}, task="regression", groups=group)
    scaled = Predictions.from_arrays(y * size, {"m": f * size}, task="regression", groups=group)
    pairs = zip(
        evaluate(scaled, metric, by="g").rows, evaluate(plain, metric, by="g").rows, strict=True
    )
    for got, right in pairs:
        found = (got.value, got.low, got.high)
        assert found == pytest.approx((right.value, right.low, right.high), rel=1e-9)


def test_a_correlation_of_columns_many_orders_apart_is_that_of_their_shapes():
    y = [1.0, 2.0, 4.0, 8.0]
    f = [2.0, 1.0, 5.0, 6.0]
    right = np.corrcoef(y, f)[0, 1]
    table = Predictions.from_arrays(
        np.multiply(y, 1e-180), {"m": np.multiply(f, 1e180)}, task="regression"
    )
    assert read(table, "pearson")["pearson"].value == pytest.approx(right, rel=1e-12)


def test_squares_that_vanish_are_no_lack_of_variance():
    y = np.array([1e-180, 2e-180, 4e-180])
    table = Predictions.from_arrays(y, {"m": y * 1.5}, task="regression")
    for row in read(table, "r2", "explained_variance").values():
        assert np.isnan(row.value)
        assert row.note == "underflow"
