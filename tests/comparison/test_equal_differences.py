"""Differences of two models that are equal up to rounding: no test finds more than a sign test."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.audit.requirements import worse_than
from assay.comparison.compare import compare
from assay.comparison.equal_differences import are_equal, sign_reach, sign_test
from assay.comparison.fold_tests import combined_f, corrected_t
from assay.metrics.base import METRICS
from assay.table.predictions import Predictions

# A comparison takes longer than most laws: a third of the examples that the profile asks for.
EXAMPLES = settings().max_examples // 3


def make_numbers(n, offset, size, fold=None):
    y = size * np.random.default_rng(n).lognormal(size=n)
    return Predictions.from_arrays(
        y, {"a": y + size * 0.1, "b": y + size * offset}, task="regression", fold=fold
    )


def make_probabilities(n, fold=None):
    y = np.arange(n) % 2
    sure = {"a": 0.9, "b": 0.7}
    columns = {
        f"{m}.proba": np.stack([np.where(y == 0, p, 1 - p), np.where(y == 1, p, 1 - p)], axis=1)
        for m, p in sure.items()
    }
    return Predictions.from_arrays(y, columns, classes=[0, 1], fold=fold)


@given(
    st.integers(2, 50),
    st.sampled_from([-12, -3, 0, 4, 12]),
    st.sampled_from([0.1, 0.3, -0.25, 1.7]),
    st.sampled_from(["float32", "float64"]),
    st.data(),
)
@settings(max_examples=EXAMPLES)
def test_no_procedure_finds_more_than_a_sign_test_in_differences_that_rounding_alone_moves(
    n, power, gap, dtype, data
):
    size = 10.0**power
    y = size * np.random.default_rng(n).lognormal(size=n)
    models = {"a": y + 0.5 * size, "b": y + (0.5 + gap) * size}
    weight = data.draw(st.sampled_from([None, np.full(n, 0.3)]))
    p = Predictions.from_arrays(
        y.astype(dtype),
        {name: values.astype(dtype) for name, values in models.items()},
        task="regression",
        weight=weight,
    )
    check(p, data.draw(st.sampled_from(sorted(list_comparable(p)))))


@given(
    st.integers(2, 50),
    st.sampled_from([(0.9, 0.7), (0.6, 0.55), (1 - 1e-9, 0.5)]),
    st.sampled_from(["float32", "float64"]),
    st.data(),
)
@settings(max_examples=EXAMPLES)
def test_no_procedure_finds_more_than_a_sign_test_where_one_model_is_surer_by_as_much(
    n, sure, dtype, data
):
    y = np.random.default_rng(n).integers(0, 2, n)
    models = {
        f"{name}.proba": np.where(y == 1, p, 1 - p).astype(dtype)
        for name, p in zip("ab", sure, strict=True)
    }
    table = Predictions.from_arrays(y, models, classes=[0, 1], positive=1)
    check(table, data.draw(st.sampled_from(sorted(list_comparable(table)))))


def make_clusters(n):
    y = 1e3 * np.random.default_rng(n).normal(size=n)
    return Predictions.from_arrays(
        y, {"a": y + 0.1, "b": y + 0.4}, task="regression", cluster=np.arange(n) // 2
    )


def list_comparable(table):
    for name in METRICS.names():
        metric = METRICS.parse(name)
        try:
            bound = metric.bind(table.schema)
            if bound.granularity == "table" and metric.needs_truth:
                bound.pairing(table.schema)
                yield name
        except Exception:  # another task, options that must be given, one row alone
            continue


def check(table, metric, unit="rows"):
    try:
        found = compare(table, metric, unit=unit)
    except Exception as error:
        if (
            "undefined" in str(error)
            or "gives only" in str(error)
            or "which no model gives" in str(error)
        ):
            return
        raise
    for pair in found.pairs:
        assert pair.p >= min(1.0, 2.0 ** (1 - table.n)) * (1 - 1e-9), (metric, pair)
        if pair.difference:
            assert pair.low < pair.high, (metric, pair)
            assert pair.low <= pair.difference <= pair.high
        if pair.p >= 0.05:
            assert pair.low <= 0 <= pair.high, (metric, pair)
            better = pair.a if found.best == pair.a else pair.b
            worse = pair.b if better == pair.a else pair.a
            assert pair.verdict == "not distinguishable"
            if pair.low < 0 < pair.high:  # the gate agrees
                assert worse_than(found, worse, margin=0.0), (metric, pair)


@pytest.mark.parametrize(
    "n", [3, *(pytest.param(n, marks=pytest.mark.slow) for n in (2, 5, 6, 50))]
)
@pytest.mark.parametrize("size", [1e-9, 1e9])
def test_no_metric_of_numbers_finds_more_than_a_sign_test_in_a_constant_offset(n, size):
    table = make_numbers(n, 0.4, size)
    for metric in list_comparable(table):
        check(table, metric)


@pytest.mark.parametrize("n", [5, *(pytest.param(n, marks=pytest.mark.slow) for n in (2, 6, 50))])
def test_no_metric_of_classes_finds_more_than_a_sign_test_where_one_is_surer_by_as_much(n):
    table = make_probabilities(n)
    for metric in list_comparable(table):
        check(table, metric)


@pytest.mark.parametrize("n", [4, 5, 6, 20, 50])
def test_clusters_and_folds_of_a_constant_offset_show_no_more_than_a_sign_test(n):
    for metric in ("mae", "mse", "rmse", "median_ae"):
        check(make_clusters(n), metric)
        check(make_numbers(n, 0.4, 1e6, fold=np.arange(n) % 2), metric, "folds")
    check(make_probabilities(n, fold=np.arange(n) // 2 % 2), "brier", "folds")


def test_three_rows_that_differ_by_rounding_alone_name_no_winner():
    y = [2.2, 4.6, 9.4]
    p = Predictions.from_arrays(y, {"a": [2.3, 4.7, 9.5], "b": [2.8, 5.2, 10.0]}, task="regression")
    (pair,) = compare(p, "mae").pairs
    assert pair.p == 0.25
    assert pair.low < 0 < pair.high


def test_a_model_that_is_right_in_every_one_of_five_rows_is_no_winner():
    (pair,) = compare(Predictions.from_arrays([0, 1] * 2 + [0], {
        "a": [0, 1] * 2 + [0], "b": [1, 0] * 2 + [1]}), "accuracy").pairs  # fmt: skip
    assert pair.p == 2.0**-4
    assert pair.low <= 0


def test_two_models_that_are_equal_up_to_rounding_do_not_differ():
    y = np.random.default_rng(0).normal(size=40)
    near = y + 0.25
    p = Predictions.from_arrays(y, {"a": near, "b": np.nextafter(near, 9)}, task="regression")
    for metric in ("mae", "mse", "rmse", "r2"):
        (pair,) = compare(p, metric).pairs
        assert pair.p == 1
        assert pair.low <= 0 <= pair.high


def test_many_rows_of_a_constant_offset_still_name_a_winner():
    assert compare(make_numbers(40, 0.4, 1.0), "mae").tied == ("a",)


def test_identical_models_have_no_difference_to_be_unsure_of():
    y = np.arange(20.0)
    (pair,) = compare(
        Predictions.from_arrays(y, {"a": y + 1, "b": y + 1}, task="regression"), "mse"
    ).pairs
    assert (pair.low, pair.high, pair.p) == (0, 0, 1)


def test_small_losses_are_told_apart_as_large_ones_are():
    rng = np.random.default_rng(1)
    y = rng.normal(size=80)
    wide, narrow = (y + s * rng.normal(size=80) for s in (0.5, 0.1))
    pairs = [
        compare(
            Predictions.from_arrays(y * s, {"a": wide * s, "b": narrow * s}, task="regression"),
            "rmse",
        ).pairs[0]
        for s in (1.0, 2.0**-50)
    ]
    assert pairs[0].p == pytest.approx(pairs[1].p)


@pytest.mark.parametrize("folds", [2, 3, 5, 10])
def test_equal_folds_have_the_p_of_a_sign_test_and_an_interval_that_agrees(folds):
    found = corrected_t([0.3, 0.1 + 0.2] * (folds // 2) + [0.3] * (folds % 2), 1 / 4)
    assert found.p == 2.0 ** (1 - folds)
    assert (found.low <= 0) == (found.p >= 0.05)
    assert found.low < found.high


def test_equal_repeats_have_the_p_of_a_sign_test():
    assert combined_f(np.full((5, 2), 0.1)).p == 2.0**-9


def test_the_reach_of_equal_differences_holds_zero_where_the_sign_test_finds_nothing():
    for n in range(2, 60):
        for confidence in (0.5, 0.9, 0.95, 0.999):
            p = sign_test(1.0, n)
            if not math.isclose(p, 1 - confidence):
                assert (sign_reach(1.0, n, confidence) >= 1) == (p >= 1 - confidence)


def test_equal_up_to_rounding_is_judged_beside_the_values_that_were_subtracted():
    d = np.array([1e6 + 0.1, 2e6 + 0.1, 3e6 + 0.1]) - np.array([1e6, 2e6, 3e6])
    assert not are_equal(d)
    assert are_equal(d, 3e6)
