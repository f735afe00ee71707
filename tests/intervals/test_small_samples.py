"""Intervals that rest on little are told."""

import numpy as np
import pytest

from assay.evaluation.evaluate import evaluate
from assay.table.predictions import Predictions

METRICS = ["roc_auc", "log_loss", "brier", "average_precision"]


def make(n=200, **columns):
    rng = np.random.default_rng(3)
    y = np.arange(n) % 2
    p = np.clip(0.5 + 0.2 * (2 * y - 1) + rng.normal(0, 0.2, n), 0.02, 0.98)
    return Predictions.from_arrays(y, {"m.proba": np.stack([1 - p, p], axis=1)}, **columns)


def test_weights_that_leave_few_rows_are_told_for_every_metric():
    weight = np.random.default_rng(1).lognormal(0, 2.5, 200)
    for row in evaluate(make(weight=weight), METRICS).rows:
        assert "weights that make 200 rows count as" in row.note


def test_even_weights_are_not_told():
    for row in evaluate(make(weight=np.full(200, 3.0)), METRICS).rows:
        assert "weights" not in row.note


def test_few_clusters_are_told_and_many_are_not():
    for row in evaluate(make(cluster=np.arange(200) // 40), METRICS).rows:
        assert "few clusters (5)" in row.note
    for row in evaluate(make(cluster=np.arange(200) // 4), METRICS).rows:
        assert "clusters" not in row.note


def test_a_few_of_many_rows_that_carry_the_weight_are_told():
    weight = np.random.default_rng(7).lognormal(sigma=2, size=2000)
    effective = weight.sum() ** 2 / (weight**2).sum()
    assert 50 < effective < 200
    for row in evaluate(make(2000, weight=weight), ["log_loss", "roc_auc"]).rows:
        assert f"weights that make 2000 rows count as {effective:.0f}" in row.note


@pytest.mark.parametrize("metric", ["average_precision", "ks(average=macro)"])
def test_bootstrap_intervals_of_leads_and_of_weighted_first_rows_are_told_to_be_narrow(metric):
    p = make()
    if "macro" not in metric:
        assert evaluate(p, metric).rows[0].note == ""
        p = make(weight=1.0 + np.arange(200) % 3)
    else:
        proba = np.column_stack([p.outputs["m"]["proba"] * 0.8, np.full(p.n, 0.2)])
        p = Predictions.from_arrays(np.arange(200) % 3, {"m.proba": proba})
    (row,) = evaluate(p, metric).rows
    assert f"few rows (200) for {metric.partition('(')[0]}" in row.note


def test_the_interval_of_ks_allows_for_a_threshold_that_is_chosen_on_the_same_rows():
    rng = np.random.default_rng(4)
    held = []
    for _ in range(60):
        y = np.arange(120) >= 100
        score = rng.standard_t(3, size=120) + 3.5 * y
        row = evaluate(Predictions.from_arrays(y, {"m.score": score}), "ks").rows[0]
        held.append(row.low <= 0.8216 <= row.high)
    assert row.note == ""
    assert np.mean(held) > 0.85  # percentiles less twice their bias hold 0.65 of them


def test_each_class_has_its_own_interval_of_ks():
    rng = np.random.default_rng(5)
    y = rng.integers(0, 3, 150)
    proba = np.exp(rng.normal(size=(150, 3)) + 2 * np.eye(3)[y])
    proba /= proba.sum(axis=1, keepdims=True)
    rows = evaluate(Predictions.from_arrays(y, {"m.proba": proba}), "ks(average=none)").rows
    for code, row in enumerate(rows):
        alone = Predictions.from_arrays((y == code) * 1, {"m.proba": proba[:, code]}, positive=1)
        (one,) = evaluate(alone, "ks").rows
        assert (row.value, row.low, row.high) == pytest.approx((one.value, one.low, one.high))


def test_a_class_without_rows_has_no_interval_of_ks():
    y = np.array([0, 1] * 20)
    proba = np.random.default_rng(7).dirichlet(np.ones(3), 40)
    p = Predictions.from_arrays(y, {"m.proba": proba}, classes=[0, 1, 2])
    rows = evaluate(p, "ks(average=none)").rows
    assert [np.isnan(row.low) for row in rows] == [False, False, True]
    assert rows[2].note == "single_class"


def test_uneven_weights_widen_the_interval_of_ks_as_if_there_were_fewer_rows():
    rng = np.random.default_rng(6)
    p = make(400, weight=np.full(400, 2.0))
    uneven = make(400, weight=rng.lognormal(sigma=1.5, size=400))
    width = [row.high - row.low for t in (make(400), p, uneven) for row in evaluate(t, "ks").rows]
    assert width[0] == pytest.approx(width[1])
    assert width[2] > 1.5 * width[0]


def test_correlations_of_few_rows_are_told_to_have_narrow_intervals():
    rng = np.random.default_rng(0)
    y = rng.normal(size=100)
    table = Predictions.from_arrays(y, {"m": y + rng.normal(size=100)}, task="regression")
    found = evaluate(table, ["pearson", "explained_variance", "concordance_correlation", "mae"])
    assert ["too narrow" in row.note for row in found.rows] == [True, True, True, False]


def test_the_explained_variance_of_errors_of_mean_0_has_the_interval_of_r2():
    rng = np.random.default_rng(1)
    y = rng.normal(size=80)
    error = rng.standard_t(3, size=80)
    table = Predictions.from_arrays(y, {"m": y + error - error.mean()}, task="regression")
    r2, explained = evaluate(table, ["r2", "explained_variance"]).rows
    assert (explained.low, explained.high) == pytest.approx((r2.low, r2.high), rel=1e-9)


def test_columns_of_one_mean_and_spread_have_one_interval_of_both_correlations():
    rng = np.random.default_rng(2)
    y, f = (x - x.mean() for x in rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], 90).T)
    table = Predictions.from_arrays(y, {"m": f * y.std() / f.std()}, task="regression")
    pearson, concordance = evaluate(table, ["pearson", "concordance_correlation"]).rows
    ends = (concordance.value, concordance.low, concordance.high)
    assert (pearson.value, pearson.low, pearson.high) == pytest.approx(ends, rel=1e-9)


def test_a_correlation_with_heavy_tails_lies_in_its_interval_nine_times_of_ten():
    rng = np.random.default_rng(3)
    held = []
    for _ in range(60):
        y = np.sqrt(0.8) * rng.normal(size=100)
        noise = np.sqrt(0.2 / 3) * rng.standard_t(3, size=100)
        table = Predictions.from_arrays(y + noise, {"m": y}, task="regression")
        row = evaluate(table, "pearson").rows[0]
        held.append(row.low <= np.sqrt(0.8) <= row.high)
    assert np.mean(held) > 0.85  # a plain bootstrap holds 0.77 of them


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_interval_of_a_perfect_correlation_has_a_width(sign):
    y = np.arange(30.0)
    table = Predictions.from_arrays(y, {"m": sign * y}, task="regression")
    row = evaluate(table, "pearson").rows[0]
    assert row.value == pytest.approx(sign)
    assert 0.1 < row.high - row.low < 0.3


@pytest.mark.parametrize(("rows", "told"), [(300, True), (301, False)])
def test_r2_of_few_rows_which_may_have_heavy_tails_is_told_to_be_narrow(rows, told):
    truth = np.random.default_rng(3).normal(size=rows)
    p = Predictions.from_arrays(truth, {"m": truth * 0.9}, task="regression")
    assert ("few rows (300) for r2" in evaluate(p, "r2").rows[0].note) is told
