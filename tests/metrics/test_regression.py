"""Regression metrics: what is undefined, what is refused, and what is not compared."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from assay.comparison.compare import compare
from assay.errors import SchemaError, UnsupportedError
from assay.evaluation.evaluate import evaluate
from assay.io.read_write import read, write
from assay.metrics.base import METRICS
from assay.metrics.correlation import CoMoments, rescale
from assay.metrics.ordered import MedianAE, quantile
from assay.table.predictions import Predictions
from assay.testing import tables


def table(y, f, **options):
    return Predictions.from_arrays(y, {"m": f}, task="regression", **options)


def figure(metric, y, f, **options):
    return evaluate(table(y, f, **options), metric, intervals=False).rows[0]


def test_a_truth_of_0_leaves_mape_undefined_and_says_how_many_there_are():
    row = figure("mape", [0.0, 2.0, 4.0, 0.0], [1.0, 2.0, 4.0, 0.0])
    assert math.isnan(row.value)
    assert row.note == "zero_target; 50.00% of the weight has a truth of 0; use wmape"
    assert figure("wmape", [0.0, 2.0, 4.0, 0.0], [1.0, 2.0, 4.0, 0.0]).value == pytest.approx(1 / 6)


def test_wmape_of_truths_that_are_all_0_is_undefined():
    assert figure("wmape", [0.0, 0.0], [1.0, 0.0]).note.startswith("zero_target")


def test_smape_counts_a_row_where_both_are_0_as_right():
    assert figure("smape", [0.0, 0.0], [0.0, 1.0]).value == 1.0


@pytest.mark.parametrize(
    "metric", ["r2", "explained_variance", "d2_absolute_error", "d2_tweedie", "pearson"]
)
def test_a_single_row_has_no_variance_to_explain(metric):
    row = figure(metric, [2.0], [2.0])
    assert math.isnan(row.value)
    assert row.note.startswith("zero_variance")


def test_adjusted_r2_needs_more_rows_than_features():
    y = [1.0, 2.0, 3.0, 5.0]
    assert "too_few_rows" in figure("adjusted_r2(features=3)", y, y).note
    assert figure("adjusted_r2(features=2)", y, y).value == 1.0


@pytest.mark.parametrize(
    ("metric", "y", "f", "message"),
    [
        (
            "msle",
            [0.0, 1.0, 2.0],
            [0.0, -2.0, -1.0],
            "the value of model 'm' above -1; got -2 at row 1, 2 such rows",
        ),
        (
            "rmsle",
            [-1.0, 1.0, 2.0],
            [0.0, 2.0, 1.0],
            "truth above -1; got -1 at row 0, 1 such row in",
        ),
        (
            "poisson_deviance",
            [0.0, 1.0, 2.0],
            [0.0, 2.0, 1.0],
            "the value of model 'm' above 0; got 0 at row 0",
        ),
        (
            "gamma_deviance",
            [1.0, 0.0, 2.0],
            [1.0, 2.0, 1.0],
            r"gamma_deviance needs truth above 0; got 0 at row 1",
        ),
        (
            "tweedie_deviance",
            [1.0, 1.0, -2.0],
            [1.0, 2.0, 1.0],
            "truth at least 0; got -2 at row 2",
        ),
    ],
)
def test_amounts_out_of_the_domain_are_refused_with_the_first_row_and_their_number(
    metric, y, f, message
):
    with pytest.raises(UnsupportedError, match=message):
        figure(metric, y, f)


def test_a_refused_amount_is_named_by_its_id():
    with pytest.raises(UnsupportedError, match=r"at row 1 \(id 'b'\)"):
        figure("msle", [1.0, -3.0], [1.0, 1.0], id=["a", "b"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("huber(delta=0)", "delta of huber must be above 0"),
        ("pinball(alpha=1)", "alpha of pinball must be between 0 and 1"),
        (
            "tweedie_deviance(power=0.5)",
            "power of tweedie_deviance must be 0 or below, or 1 or above",
        ),
        ("d2_tweedie(power=-1)", "must not be below 0"),
        ("within_tolerance(absolute=-1)", "absolute of within_tolerance must be at least 0"),
        ("adjusted_r2(features=-1)", "features of adjusted_r2 must be at least 0"),
    ],
)
def test_parameters_out_of_range_are_refused(text, message):
    with pytest.raises(UnsupportedError, match=message):
        METRICS.parse(text)


@pytest.mark.parametrize("metric", ["bias", "quantile_coverage", "max_error"])
def test_models_are_not_compared_by_what_says_nothing_of_which_is_better(metric):
    rng = np.random.default_rng(0)
    y = rng.normal(size=50)
    p = Predictions.from_arrays(y, {"a": y + 1, "b": y - rng.random(50)}, task="regression")
    with pytest.raises(UnsupportedError, match="models by"):
        compare(p, metric)


def test_the_largest_error_leaves_out_rows_of_no_weight():
    assert figure("max_error", [1.0, 2.0], [9.0, 2.5], weight=[0.0, 1.0]).value == 0.5


def test_the_weighted_median_is_that_of_repeated_rows():
    rng = np.random.default_rng(1)
    size, times = np.sort(rng.normal(size=9)), rng.integers(0, 4, (20, 9))
    ours = quantile(size, times.astype(float), 0.5)
    theirs = [np.median(np.repeat(size, t)) for t in times]
    np.testing.assert_allclose(ours, theirs, rtol=1e-15)


def test_replicates_of_the_median_are_the_medians_of_the_drawn_rows():
    p = table(np.arange(12.0), np.arange(12.0) + np.random.default_rng(2).normal(size=12))
    state, cell = MedianAE().state, np.arange(12) % 4
    times = np.array([[1, 1, 1, 1], [2, 0, 1, 1], [0, 0, 3, 1]])
    value = state.resample(state.observe(p.rows("m"), cell, 4), times)
    found = MedianAE().compute(state.summary(value, p.schema))
    size = np.abs(p.rows("m").value - p.truth)
    assert found.tolist() == pytest.approx([np.median(np.repeat(size, t[cell])) for t in times])


def list_moments(value):
    """The moments of a value, at the scale of the columns."""
    unscaled = rescale(value, np.ones_like(value.scale))
    return (value.mean, unscaled, value.rows, value.weight, value.squares)


@given(
    tables(tasks=("regression",)),
    st.lists(st.integers(0, 100), max_size=4),
    st.integers(0, 2**32 - 1),
)
def test_comoments_of_any_split_and_of_any_drawn_cells_are_those_of_the_rows(p, cuts, seed):
    state = CoMoments()
    ends = [0, *sorted(c % (p.n + 1) for c in cuts), p.n]
    value = state.empty(p.schema)
    for a, b in pairwise(ends):
        value = state.merge(state.observe(p.slice(a, b).rows("a")), value)
    whole = state.observe(p.rows("a"))
    for x, y in zip(list_moments(value), list_moments(whole), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-10, atol=1e-10)
    rng = np.random.default_rng(seed)
    cell, times = rng.integers(0, 3, p.n), rng.integers(0, 3, (2, 3))
    pooled = state.resample(state.observe(p.rows("a"), cell, 3), times)
    for i in range(2):
        again = state.observe(p.take(np.repeat(np.arange(p.n), times[i][cell])).rows("a"))
        drawn = state.select(pooled, slice(i, i + 1))
        for x, y in zip(list_moments(drawn), list_moments(again), strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-9)


ENDS = [[0.0, 2.0], [1.0, 4.0], [3.0, 3.0]]


def test_an_interval_is_judged_by_its_width_and_by_how_far_the_truth_lies_outside():
    p = Predictions.from_arrays([1.0, 5.0, 3.0], {"m.interval": ENDS})
    asked = ["interval_score(level=0.8)", "interval_coverage", "interval_width"]
    found = [row.value for row in evaluate(p, asked, intervals=False).rows]
    assert found == pytest.approx([(2 + (3 + 10 * 1) + 0) / 3, 2 / 3, 5 / 3])


def test_an_interval_may_be_a_matrix_or_two_named_columns():
    low, high = zip(*ENDS, strict=True)
    named = Predictions.from_arrays(
        [1.0, 5.0, 3.0], {"m.interval.high": high, "m.interval.low": low}
    )
    assert named == Predictions.from_arrays([1.0, 5.0, 3.0], {"m.interval": np.array(ENDS)})
    assert named.task == "regression"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"m.interval": [[2.0, 0.0], [1.0, 4.0], [3.0, 3.0]]},
            "from 2 to 0 at row 0 .1 such rows.; the low end comes",
        ),
        (
            {"m.interval.low": [0.0, 1.0, 3.0]},
            "has low; name its two columns <model>.interval.low and",
        ),
        ({"m.interval": [1.0, 2.0, 3.0]}, r"has shape \(3,\); expected \(n, 2\)"),
        ({"m.interval": [[0.0, 2.0], [1.0, math.inf], [3.0, 3.0]]}, "is inf at row 1"),
    ],
)
def test_an_interval_that_is_none_is_refused(given, message):
    with pytest.raises(SchemaError, match=message):
        Predictions.from_arrays([1.0, 5.0, 3.0], given)


def test_classes_have_no_interval():
    with pytest.raises(SchemaError, match="needs task='regression'"):
        Predictions.from_arrays([0, 1, 1], {"m.interval": ENDS}, task="binary")


@pytest.mark.parametrize("suffix", ["parquet", "csv", "arrow"])
def test_intervals_are_read_back_as_they_were_written(tmp_path, suffix):
    p = Predictions.from_arrays([1.0, 5.0, 3.0], {"m.value": [1.0, 2.0, 3.0], "m.interval": ENDS})
    assert read(write(p, tmp_path / f"p.{suffix}")) == p


def test_the_right_quantiles_score_better_than_wider_or_narrower_ones():
    y = np.random.default_rng(0).normal(size=4000)
    half = 1.6449  # 90 % of a normal
    models = {
        f"m{f}.interval": np.tile([-f * half, f * half], (len(y), 1)) for f in (0.8, 1.0, 1.25)
    }
    found = compare(Predictions.from_arrays(y, models), "interval_score(level=0.9)")
    assert list(found.tied) == ["m1.0"]


def test_the_mean_of_scores_reads_no_truth_and_is_compared_in_pairs():
    rng = np.random.default_rng(0)
    score = rng.random(200)
    said = {"a": score, "b": np.clip(score + rng.normal(0.05, 0.1, 200), 0, 1)}
    for truth in (np.zeros(200), rng.random(200)):
        p = Predictions.from_arrays(truth, said, task="regression")
        rows = {row.model: row for row in evaluate(p, "mean").rows}
        assert rows["a"].value == pytest.approx(score.mean())
        assert rows["a"].low < score.mean() < rows["a"].high
        found = compare(p, "mean")
        assert found.tied == ("b",)
        assert found.pairs[0].p == pytest.approx(stats.ttest_rel(said["a"], said["b"]).pvalue)
