"""Intervals of calibration errors, which chance alone makes larger than they are."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

import assay
from assay import Predictions

ERRORS = ["ece", "mce", "ace", "classwise_ece", "brier_calibration"]


def draw(seed, n, sharpen=1.0):
    """A model whose log-odds are the true ones, times `sharpen`."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(scale=1.5, size=n)
    y = (rng.random(n) < 1 / (1 + np.exp(-odds))).astype(int)
    said = 1 / (1 + np.exp(-sharpen * odds))
    return Predictions.from_arrays(y, {"m.proba": said}, classes=[0, 1], positive=1)


@pytest.mark.parametrize("metric", ERRORS)
def test_the_interval_of_a_calibrated_model_ends_at_0(metric):
    rows = [assay.evaluate(draw(seed, 80), metric).rows[0] for seed in range(4)]
    assert [row.low for row in rows] == [0.0] * 4
    assert all(row.value > 0.01 for row in rows)
    assert {row.method for row in rows} == {"parametric bootstrap"}


@pytest.mark.parametrize("metric", ERRORS)
def test_the_interval_of_an_over_confident_model_holds_its_error_and_not_0(metric):
    true = assay.evaluate(draw(9, 400_000, 3.0), metric, intervals=False).value
    row = assay.evaluate(draw(3, 3000, 3.0), metric).rows[0]
    assert 0 < row.low < true < row.high


def test_a_model_that_is_sure_and_right_has_an_interval_with_a_width():
    y = np.arange(40) % 2
    p = Predictions.from_arrays(y, {"m.proba": np.where(y == 1, 0.97, 0.03)}, positive=1)
    row = assay.evaluate(p, "ece").rows[0]
    assert (row.low, row.value) == (0.0, pytest.approx(0.03))
    assert row.high > 0.1


def test_rows_that_all_came_true_admit_a_model_that_is_too_sure():
    y = np.arange(40) % 2
    sure = np.where(np.arange(40) < 37, 0.995, 0.8)
    p = Predictions.from_arrays(y, {"m.proba": np.where(y == 1, sure, 1 - sure)}, positive=1)
    row = assay.evaluate(p, "ece").rows[0]
    assert (row.low, row.value) == (0.0, pytest.approx(0.0196, abs=1e-4))
    assert row.high > 0.06  # about 3 of 40: so many may come out otherwise where none has


def test_rows_that_fit_a_calibrated_model_too_well_have_an_interval_from_0():
    said = np.repeat([0.2, 0.4, 0.6, 0.8], 20)
    y = np.concatenate([np.arange(20) < 20 * share for share in (0.2, 0.4, 0.6, 0.8)])
    p = Predictions.from_arrays(y.astype(int), {"m.proba": said + 0.004}, positive=1)
    row = assay.evaluate(p, "ece").rows[0]
    assert row.value == pytest.approx(0.004)
    assert row.low == 0.0
    assert row.high >= row.value


def test_two_classes_are_as_sure_as_the_positive_one_alone():
    p = draw(5, 200, 2.0)
    alone, both = (assay.evaluate(p, metric).rows[0] for metric in ("ece", "classwise_ece"))
    assert both.low == pytest.approx(alone.low, abs=0.01)
    assert both.high == pytest.approx(alone.high, abs=0.01)


def test_a_calibration_error_of_clusters_says_that_chance_is_in_it():
    p = draw(5, 120)
    clustered = replace(p, columns={"cluster": pa.array(np.arange(120) % 30)})
    rows = assay.evaluate(clustered, ["ece", "ks", "accuracy"]).rows
    notes = {row.metric: row.note for row in rows}
    assert "chance makes a calibration error larger" in notes["ece"]
    assert "few rows (120) for ks" in notes["ks"]
    assert "narrow" not in notes["accuracy"]


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["ece", "mce", "brier_calibration"])
@pytest.mark.parametrize("sharpen", [1.0, 2.0])
def test_95_of_100_intervals_hold_the_calibration_error(metric, sharpen):
    true = assay.evaluate(draw(9, 1_000_000, sharpen), metric, intervals=False).value
    rows = [assay.evaluate(draw(seed, 100, sharpen), metric).rows[0] for seed in range(150)]
    assert np.mean([row.low <= true <= row.high for row in rows]) > 0.9


def test_the_interval_of_a_class_that_no_model_is_off_in_is_found_beside_others():
    proba = [[0.5, 0.1, 0.4], [0.06, 0.93, 0.01]]
    table = Predictions.from_arrays(
        ["cat", "bee"],
        {"m.proba": proba},
        classes=["ant", "bee", "cat"],
        weight=[1.835, 2.639],
    )
    rows = assay.evaluate(table, "ace(average=none)").rows
    assert all(row.low <= row.value <= row.high for row in rows)


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["ece", "brier_calibration"])
def test_few_intervals_of_an_over_confident_model_on_40_rows_lie_above_its_error(metric):
    true = assay.evaluate(draw(9, 1_000_000, 2.0), metric, intervals=False).value
    rows = [assay.evaluate(draw(seed, 40, 2.0), metric).rows[0] for seed in range(200)]
    assert np.mean([row.low > true for row in rows]) < 0.08


@pytest.mark.parametrize("metric", ["ece", "ks"])
def test_what_chance_adds_is_taken_off_the_interval_of_clustered_rows(metric):
    p = replace(draw(2, 400, 2.0), columns={"cluster": pa.array(np.arange(400) % 20)})
    row = assay.evaluate(p, metric).rows[0]
    assert row.method == "cluster bootstrap"
    assert row.low > 0
    assert row.high - row.value < 0.8 * (row.value - row.low)
