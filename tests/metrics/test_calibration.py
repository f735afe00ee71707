"""Calibration metrics: bins as a state, values against slow references, what chance alone gives."""

import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import UnsupportedError
from assay.evaluation.evaluate import evaluate
from assay.metrics.calibration import ECE, MCE
from assay.metrics.recalibration import CalibrationIntercept, CalibrationSlope
from assay.states.null_band import null_band, worst_bin_band
from assay.states.reliability import GRID, MAX_LOG_ODDS, Bins, ClassBins, select_judged
from assay.table.predictions import Predictions
from assay.table.schema import Schema
from assay.testing import tables
from shelf import assert_same, read_values

CASES = [
    ECE(equal="mass"),
    ECE(bins=5, equal="mass", debiased=True),
    ECE(debiased=True),
    MCE(bins=6, equal="mass"),
]


def binary(y, proba, **options):
    return Predictions.from_arrays(y, {"m.proba": proba}, classes=[0, 1], positive=1, **options)


def honest(n, seed, spread=2.0):
    rng = np.random.default_rng(seed)
    proba = 1 / (1 + np.exp(-rng.normal(0, spread, n)))
    return binary((rng.random(n) < proba).astype(int), proba)


@given(
    tables(tasks=("binary", "multiclass")),
    st.sampled_from(CASES),
    st.randoms(use_true_random=False),
)
def test_every_variant_is_free_of_the_order_of_rows_and_counts_weights_as_repeats(
    p, metric, random
):
    order = list(range(p.n))
    random.shuffle(order)
    assert_same(read_values(p, [metric]), read_values(p.take(np.array(order)), [metric]), rel=1e-9)
    times = np.random.default_rng(p.n).integers(1, 4, p.n)
    repeated = replace(p, weight=None).take(np.repeat(np.arange(p.n), times))
    weighted = replace(p, weight=times.astype(float))
    if not getattr(metric, "debiased", False):  # repeated rows have less noise than rows of weight
        assert_same(read_values(weighted, [metric]), read_values(repeated, [metric]), rel=1e-9)


@given(
    tables(tasks=("binary", "multiclass")), st.lists(st.integers(0, 100), min_size=2, max_size=4)
)
def test_bins_of_any_split_merge_to_the_bins_of_the_whole(p, cuts):
    for state in (Bins(), Bins(4, "answer"), Bins(0)):
        whole = state.observe(p.rows("a"))
        ends = [0, *sorted(c % (p.n + 1) for c in cuts), p.n]
        value = state.empty(p.schema)
        for a, b in pairwise(ends):
            value = state.merge(state.observe(p.slice(a, b).rows("a")), value)
        for x, y in zip(value, whole, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-11, atol=1e-12)


@given(tables(tasks=("binary", "multiclass")), st.integers(0, 2**32 - 1))
def test_bins_pooled_by_how_often_each_cell_occurs_equal_the_repeated_rows(p, seed):
    rng = np.random.default_rng(seed)
    cell, times = rng.integers(0, 4, p.n), rng.integers(0, 3, (2, 4))
    for state in (Bins(), Bins(0)):
        pooled = state.resample(state.observe(p.rows("a"), cell, 4), times)
        for i in range(2):
            again = state.observe(p.take(np.repeat(np.arange(p.n), times[i][cell])).rows("a"))
            for x, y in zip(state.select(pooled, slice(i, i + 1)), again, strict=True):
                np.testing.assert_allclose(x, y, rtol=1e-11, atol=1e-12)


def slow(p, edges):
    """ECE and MCE row by row."""
    proba, right = select_judged(p.rows("m"))
    gaps, sizes = [], []
    for low, high in pairwise(edges):
        held = (proba >= low) & ((proba < high) | (high == 1))
        if held.any():
            gaps.append(abs(right[held].mean() - proba[held].mean()))
            sizes.append(held.mean())
    return np.dot(gaps, sizes), max(gaps)


@pytest.mark.parametrize("n", [1, 7, 500])
def test_ece_and_mce_are_the_mean_and_the_largest_gap_of_the_bins(n):
    p = honest(n, n)
    ece, mce = slow(p, np.linspace(0, 1, 13))
    assert evaluate(p, ECE(bins=12), intervals=False).value == pytest.approx(ece, rel=1e-12)
    assert evaluate(p, MCE(bins=12), intervals=False).value == pytest.approx(mce, rel=1e-12)


@pytest.mark.parametrize("proba", [0.1 * i for i in range(11)])
def test_a_probability_on_an_edge_belongs_to_the_bin_above(proba):
    value = Bins(10).observe(binary([1], [proba]).rows("m"))
    assert value.mass[0].argmax() == min(
        np.searchsorted(np.linspace(0, 1, 11), proba, "right") - 1, 9
    )


def test_bins_of_equal_mass_hold_about_as_many_rows_each():
    p = honest(20_000, 0)
    metric = ECE(bins=10, equal="mass")
    mass = metric.select_bins(Bins(0).observe(p.rows("m"))).mass[0]
    assert mass.min() > 0.7 * mass.max()
    order = np.argsort(p.rows("m").proba[:, 1])
    proba, y = p.rows("m").proba[order, 1].reshape(10, -1), p.truth[order].reshape(10, -1)
    exact = np.abs(proba.mean(axis=1) - y.mean(axis=1)).mean()
    assert evaluate(p, metric, intervals=False).value == pytest.approx(exact, abs=0.002)


def test_the_grid_tells_apart_what_equal_widths_cannot():
    """Modern models say 0.999 of almost everything; equal widths put all of it in one bin."""
    assert len(Bins(0).edges) == GRID + 1
    assert Bins(0).edges[1] == pytest.approx(1 / (1 + np.exp(MAX_LOG_ODDS)))
    proba = np.tile([0.99, 0.999, 0.9999, 0.99999], 50)
    value = Bins(0).observe(binary(np.ones(200, int), proba).rows("m"))
    assert np.count_nonzero(value.mass) == 4


def test_binary_models_are_judged_by_the_positive_class_unless_the_answer_is_asked_for():
    p = binary([1, 0, 0], [0.2, 0.2, 0.4])
    assert evaluate(p, "ece(bins=1)", intervals=False).value == pytest.approx(abs(1 / 3 - 0.8 / 3))
    assert evaluate(p, "ece(bins=1, of=answer)", intervals=False).value == pytest.approx(
        abs(2 / 3 - 2.2 / 3)
    )
    several = Predictions.from_arrays(["a", "b", "c"], {"m.proba": [[0.5, 0.3, 0.2]] * 3})
    assert evaluate(several, "ece(bins=1)", intervals=False).value == pytest.approx(0.5 - 1 / 3)
    with pytest.raises(UnsupportedError, match="of=positive needs a binary task"):
        evaluate(several, "ece(of=positive)")


@pytest.mark.parametrize(("n", "spread"), [(100, 2.0), (1000, 1.0), (1000, 5.0)])
def test_a_calibrated_model_scores_as_the_null_band_says(n, spread):
    bands, scores = [], []
    for seed in range(200):
        value = Bins().observe(honest(n, seed, spread).rows("m"))
        bands.append(null_band(value))
        scores.append(float(ECE().compute(value)[0]))
    assert np.mean(scores) == pytest.approx(np.mean([b.mean for b in bands]), rel=0.06)
    above = np.mean([s > b.high for s, b in zip(scores, bands, strict=True)])
    assert 0.01 <= above <= 0.1


@pytest.mark.parametrize(
    ("n", "spread", "weighted"), [(100, 2.0, False), (1000, 5.0, False), (1000, 1.0, True)]
)
def test_the_worst_bin_of_a_calibrated_model_is_as_its_null_band_says(n, spread, weighted):
    bands, scores = [], []
    for seed in range(200):
        p = honest(n, seed, spread)
        p = replace(p, weight=np.random.default_rng(seed).gamma(4.0, size=n)) if weighted else p
        value = Bins().observe(p.rows("m"))
        bands.append(worst_bin_band(value))
        scores.append(float(MCE().compute(value)[0]))
    assert np.mean(scores) == pytest.approx(np.mean([b.mean for b in bands]), rel=0.08)
    assert 0.01 <= np.mean([s > b.high for s, b in zip(scores, bands, strict=True)]) <= 0.1


@pytest.mark.parametrize(
    ("k", "n", "metric"), [(2, 500, "classwise_ece"), (4, 500, "ace"), (8, 1000, "classwise_ece")]
)
def test_every_class_of_a_calibrated_model_scores_as_the_null_band_says(k, n, metric):
    told, scores = [], []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        proba = rng.dirichlet(np.full(k, 0.7), n)
        y = (proba.cumsum(axis=1) < rng.random(n)[:, None]).sum(axis=1).clip(0, k - 1)
        row = evaluate(
            Predictions.from_arrays(y, {"m.proba": proba}, classes=range(k)),
            metric,
            intervals=False,
        ).rows[0]
        scores.append(row.value)
        told.append([float(x) for x in re.findall(r"(?:scores|below) ([0-9.e-]+)", row.note)])
    mean, high = np.array(told).T
    assert np.mean(scores) == pytest.approx(mean.mean(), rel=0.06)
    assert 0.01 <= np.mean(np.array(scores) > high) <= 0.12


def test_debiasing_takes_off_most_of_what_chance_adds():
    plain, debiased = (
        np.mean(
            [evaluate(honest(500, s), ECE(debiased=d), intervals=False).value for s in range(60)]
        )
        for d in (False, True)
    )
    assert debiased < 0.6 * plain


def test_the_notes_name_the_null_band_and_the_worst_bin():
    rows = evaluate(
        binary([0, 0, 1, 1], [0.2, 0.2, 0.9, 0.6]), ["ece(bins=2)", "mce(bins=2)"], intervals=False
    ).rows
    assert "perfectly calibrated model scores" in rows[0].note
    assert (
        "0.75 is stated and 1.00 comes true, 50.0% of the weight; a perfectly calibrated model"
        in rows[1].note
    )


def test_the_interval_of_the_calibration_error_comes_from_models_that_are_off_by_as_much():
    row = evaluate(honest(400, 1), "ece(equal=mass)").rows[0]
    assert row.method == "parametric bootstrap"
    assert 0 <= row.low < row.value < row.high < 0.2


def test_too_many_bins_are_refused():
    with pytest.raises(UnsupportedError, match="between 1 and 256"):
        ECE(bins=0)


@pytest.mark.parametrize("bins", [4, 15])
def test_the_parts_of_the_brier_score_add_up_but_for_what_varies_within_bins(bins):
    p = honest(500, 3)
    names = [
        f"brier_calibration(bins={bins})",
        f"brier_resolution(bins={bins})",
        "brier_uncertainty",
    ]
    calibration, resolution, uncertainty, brier = (
        evaluate(p, m, intervals=False).value for m in [*names, "brier(scale_by_half=true)"]
    )
    within = brier - (calibration - resolution + uncertainty)
    assert 0 < abs(within) < 1 / (2 * bins) + 1 / (4 * bins**2)
    rounded = binary(p.truth, (np.floor(p.rows("m").proba[:, 1] * bins) + 0.5) / bins)
    calibration, resolution, uncertainty, brier = (
        evaluate(rounded, m, intervals=False).value for m in [*names, "brier(scale_by_half=true)"]
    )
    assert brier == pytest.approx(calibration - resolution + uncertainty, abs=1e-15)


def test_a_model_twice_as_extreme_as_it_should_be_has_a_slope_of_a_half():
    p = honest(20_000, 4, spread=1.0)
    odds = np.log(p.rows("m").proba[:, 1] / p.rows("m").proba[:, 0])
    extreme, shifted = (binary(p.truth, 1 / (1 + np.exp(-x))) for x in (2 * odds, odds + 1))
    assert evaluate(extreme, "calibration_slope", intervals=False).value == pytest.approx(
        0.5, abs=0.03
    )
    assert evaluate(shifted, "calibration_intercept", intervals=False).value == pytest.approx(
        -1, abs=0.05
    )


def test_equal_probabilities_are_the_reason_why_there_is_no_slope():
    p = binary([0, 0, 1, 0, 1], [0.3] * 5)
    assert (
        evaluate(p, "calibration_slope", intervals=False)
        .rows[0]
        .note.startswith("constant_probability")
    )
    assert not np.isnan(evaluate(p, "calibration_intercept", intervals=False).value)


@pytest.mark.parametrize("proba", [[0.1, 0.2, 0.8], [0.9, 0.8, 0.2]])
def test_rows_that_a_threshold_separates_have_no_slope(proba):
    row = evaluate(binary([0, 0, 1], proba), "calibration_slope", intervals=False).rows[0]
    assert np.isnan(row.value)
    assert row.note.startswith("single_class_or_separated")


@pytest.mark.parametrize("metric", [CalibrationSlope(), CalibrationIntercept()])
def test_one_step_from_the_fit_lands_where_fitting_the_drawn_rows_does(metric):
    p = honest(2000, 5)
    rng = np.random.default_rng(0)
    cell, times = np.arange(p.n) % 200, rng.multinomial(200, np.full(200, 1 / 200), size=40)
    state = metric.state
    value = state.observe(p.rows("m"), cell, 200)
    stepped = metric.compute(state.summary(state.resample(value, times), p.schema))
    drawn = (p.take(np.repeat(np.arange(p.n), t[cell])).rows("m") for t in times)
    fitted = [
        float(metric.compute(state.summary(state.observe(rows), p.schema))[0]) for rows in drawn
    ]
    assert np.std(stepped) == pytest.approx(np.std(fitted), rel=0.05)
    np.testing.assert_allclose(stepped, fitted, atol=0.25 * np.std(fitted))


def test_exact_logits_are_not_squashed_before_the_slope_is_fitted():
    y, odds = [0, 1, 0, 1, 1], np.array([-50.0, 40.0, 60.0, 55.0, 70.0])
    logits = Predictions.from_arrays(
        y, {"m.logit": np.stack([np.zeros(5), odds], axis=1)}, classes=[0, 1], positive=1
    )
    state = CalibrationSlope().state
    value = state.observe(logits.rows("m"))
    assert state.summary(value, logits.schema).values[:, 0].tolist() == odds.tolist()


def test_bins_of_too_many_classes_are_refused_before_they_fill_the_memory():
    schema = Schema("multiclass", tuple(range(5000)), {})
    with pytest.raises(
        UnsupportedError, match="15 bins of each of 5000 classes in each of 1024 strata"
    ):
        ClassBins().empty(schema, 1024)


def test_the_error_of_every_class_is_that_of_its_own_probabilities():
    p = Predictions.from_arrays(
        ["a", "b", "c", "a"], {"m.proba": [[0.6, 0.3, 0.1]] * 4}, classes=["a", "b", "c"]
    )
    each = [
        r.value for r in evaluate(p, "classwise_ece(bins=5, average=none)", intervals=False).rows
    ]
    assert each == pytest.approx([0.1, 0.05, 0.15])
    assert evaluate(p, "classwise_ece(bins=5)", intervals=False).value == pytest.approx(0.1)


@given(tables(tasks=("binary", "multiclass", "multilabel")), st.integers(0, 2**32 - 1))
def test_bins_of_every_class_merge_and_pool_as_their_rows_do(p, seed):
    rng = np.random.default_rng(seed)
    cell, times, cut = (
        rng.integers(0, 3, p.n),
        rng.integers(0, 3, (2, 3)),
        int(rng.integers(0, p.n + 1)),
    )
    for state in (ClassBins(4), ClassBins(0, 16)):
        whole = state.observe(p.rows("a"))
        halves = [state.observe(p.slice(a, b).rows("a")) for a, b in ((0, cut), (cut, p.n))]
        for x, y in zip(state.merge(*halves), whole, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-11, atol=1e-12)
        pooled = state.resample(state.observe(p.rows("a"), cell, 3), times)
        for i in range(2):
            again = state.observe(p.take(np.repeat(np.arange(p.n), times[i][cell])).rows("a"))
            for x, y in zip(state.select(pooled, slice(i, i + 1)), again, strict=True):
                np.testing.assert_allclose(x, y, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("kind", ["proba", "logit"])
def test_certain_right_answers_have_no_calibration_intercept(kind):
    y = np.array([1] * 34 + [0] * 26)
    stated = y.astype(float) if kind == "proba" else np.where(y, 50.0, -50.0)
    row = evaluate(Predictions.from_arrays(y, {f"a.{kind}": stated}), "calibration_intercept").rows[
        0
    ]
    assert np.isnan(row.value)
    assert row.note.startswith("single_class_or_separated")


@pytest.mark.parametrize("bins", [5, 10, 20, 25])
def test_an_edge_of_tenths_belongs_to_the_bin_above_it(bins):
    edges = np.arange(bins + 1) / bins
    inner = edges[1:-1]
    right = np.zeros(len(inner), bool)
    for weight in (None, np.ones(len(inner))):
        mass = Bins(bins).count(inner, right, weight, None, 1).mass[0]
        assert mass.tolist() == [0.0] + [1.0] * (bins - 1)


def test_rows_on_an_edge_are_not_counted_with_those_below_it():
    y = [1] * 8 + [0] * 8
    stated = [0.22] * 8 + [0.3] * 8
    assert ECE(bins=10)(y, stated) == pytest.approx((0.78 + 0.3) / 2, abs=1e-4)


@pytest.mark.parametrize("metric", ["ece", "ace", "mce", "classwise_ece", "brier_calibration"])
@pytest.mark.parametrize("n", [12, 60, 600])
def test_rows_that_are_all_right_and_equally_sure_do_not_make_the_calibration_certain(metric, n):
    y = np.arange(n) % 2
    sure = np.where(y == 1, 0.7, 0.3)
    p = Predictions.from_arrays(y, {"m.proba": np.stack([1 - sure, sure], axis=1)})
    (row,) = evaluate(p, metric).rows
    assert row.low < row.value - 0.1 / n
    assert row.high > row.value + 0.1 / n
