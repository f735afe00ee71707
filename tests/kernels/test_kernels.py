"""The compiled kernels against their NumPy references, on the same inputs.

Counts are exact, sums agree to twelve digits.
"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import types
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import assay
from assay import kernels
from assay._native import COMPILED
from assay.cli import main
from assay.table.schema import TASKS
from assay.testing import random_table

pytestmark = pytest.mark.skipif(not COMPILED, reason="the kernels were not compiled")

SEEDS = st.integers(0, 2**32 - 1)
CODES = ("uint8", "uint16", "uint32", "int64")
FLOATS = ("float32", "float64")


def reference(name, *args):
    return getattr(kernels, name).__wrapped__(*args)


def agree(name, *args, rel=0.0):
    """Fails unless the compiled kernel takes these inputs and gives what the reference gives."""
    found = COMPILED[name](*args)
    assert found is not None
    wanted = reference(name, *args)
    pairs = zip(found, wanted, strict=True) if isinstance(wanted, tuple) else [(found, wanted)]
    for a, b in ((np.asarray(a), np.asarray(b)) for a, b in pairs):
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        if rel and b.dtype.kind == "f":
            np.testing.assert_allclose(a, b, rtol=rel, atol=0)
        else:
            np.testing.assert_array_equal(a, b)


def left_to_numpy(name, *args):
    """Fails unless the compiled kernel refuses these inputs; what the reference then gives."""
    assert COMPILED[name](*args) is None
    return getattr(kernels, name)(*args)


def codes(rng, n, k, dtype):
    """Codes below k, half of them one class, so that cells differ much in their counts."""
    return np.where(rng.random(n) < 0.5, k - 1, rng.integers(0, k, n)).astype(dtype)


@given(
    SEEDS,
    st.sampled_from([0, 1, 2, 3, 5, 1024, 1025, 1027, 4098, 40_001]),
    st.sampled_from([1, 2, 3, 10, 64, 65, 300]),
    st.sampled_from(CODES),
    st.sampled_from([None, 1, 4]),
)
def test_pairs_are_counted_as_in_numpy(seed, n, k, dtype, cells):
    rng = np.random.default_rng(seed)
    k = min(k, 256) if dtype == "uint8" else k
    first, second = codes(rng, n, k, dtype), codes(rng, n, k, dtype)
    cell = None if cells is None else rng.integers(0, cells, n)
    agree("count_pairs", first, second, k, None, cell, cells or 1)
    weight = rng.gamma(1.0, size=n) * (rng.random(n) < 0.8)
    agree("count_pairs", first, second, k, weight, cell, cells or 1, rel=1e-12)


@pytest.mark.parametrize(("k", "dtype"), [(256, "uint8"), (5000, "uint16")])
def test_pairs_of_very_many_classes_are_counted(k, dtype):
    rng = np.random.default_rng(0)
    agree("count_pairs", codes(rng, 3000, k, dtype), codes(rng, 3000, k, dtype), k)


@pytest.mark.parametrize("n", [65_536, 65_537, 262_149, 600_000])
@pytest.mark.parametrize("k", [2, 3, 6, 7, 10, 11, 16, 17])
def test_pairs_of_a_long_table_of_few_classes_are_counted(n, k):
    rng = np.random.default_rng(n)
    first, second = codes(rng, n, k, "uint8"), rng.integers(0, k, n).astype("uint8")
    wanted = np.bincount(first.astype(np.int64) * k + second, minlength=k * k).reshape(k, k)
    for kernel in (COMPILED["count_pairs"], kernels.count_pairs.__wrapped__):
        np.testing.assert_array_equal(kernel(first, second, k), wanted)


def test_a_code_of_no_class_is_not_counted_in_a_long_table():
    codes = np.append(np.zeros(70_000, np.uint8), np.uint8(3))
    for one, other in ((codes, codes * 0), (codes * 0, codes)):
        with pytest.raises(ValueError, match="not below 3"):
            left_to_numpy("count_pairs", one, other, 3)


@pytest.mark.parametrize("second", ["uint16", "uint32", "int64"])
def test_codes_of_two_widths_are_counted(second):
    rng = np.random.default_rng(1)
    agree("count_pairs", codes(rng, 99, 256, "uint8"), codes(rng, 99, 256, second), 256)


def test_truth_values_beside_codes_are_counted():
    kernel = kernels.count_pairs(np.array([False, True, True]), np.array([2, 2, 1], np.uint8), 3)
    assert kernel.tolist() == [[0, 0, 1], [0, 1, 1], [0, 0, 0]]


def test_pairs_that_do_not_lie_side_by_side_are_counted():
    rng = np.random.default_rng(2)
    table = codes(rng, (2000, 3), 5, "uint8")
    agree("count_pairs", table[:, 0], table[::-1, 2], 5)
    agree(
        "count_pairs",
        table[::2, 1],
        table[1::2, 1],
        5,
        rng.random(2000)[::2],
        np.arange(2000)[::2] % 3,
        3,
        rel=1e-12,
    )


def test_codes_that_are_not_aligned_are_left_to_numpy():
    crooked = np.frombuffer(b"\0" + np.array([0, 1, 1, 0]).tobytes(), np.int64, offset=1)
    assert left_to_numpy("count_pairs", crooked, crooked, 2).tolist() == [[2, 0], [0, 2]]


def test_a_code_that_no_class_has_is_not_handed_out():
    table = np.array([0, 1, 2, 2], np.uint8)  # two classes in order, and a label of no class
    for kernel in (COMPILED["map_codes"], kernels.map_codes.__wrapped__):
        assert len(kernel(np.array([0, 1, 2, 0], np.int32), 0, table)) == 0
        assert kernel(np.array([0, 1, 0], np.int32), 0, table).tolist() == [0, 1, 0]


@given(
    SEEDS,
    st.sampled_from(["uint8", "int32", "int64"]),
    st.sampled_from(["uint8", "uint16"]),
    st.integers(1, 90),
)
def test_labels_are_looked_up_as_in_numpy(seed, of_values, of_codes, span):
    rng = np.random.default_rng(seed)
    if of_values == "uint8":
        of_codes = "uint8"
    low = (
        int(rng.integers(0, 100))
        if of_values == "uint8"
        else int(rng.integers(-(2**31), 2**31 - 200))
    )
    held = np.flatnonzero(rng.random(span) < rng.choice([0.5, 1.0]))
    table = np.full(span + 1, len(held), of_codes)
    table[held] = rng.permutation(len(held)) if rng.random() < 0.5 else np.arange(len(held))
    inside = low + rng.choice(held, 50) if len(held) else np.empty(0)
    agree("map_codes", inside.astype(of_values), low, table)
    agree("map_codes", (low + rng.integers(0, span, 20)).astype(of_values), low, table)
    for outside in (low - 1, low + span, low + span + 40):
        if outside >= 0 or of_values != "uint8":
            agree("map_codes", np.append(inside, outside).astype(of_values), low, table)


@pytest.mark.parametrize("table", [[0, 1, 2, 3], [2, 0, 1, 3]])
def test_codes_are_put_where_there_is_room(table):
    values, table = np.array([7, 5, 6, 7], np.int32), np.array(table, np.uint8)
    for kernel in (COMPILED["map_codes"], kernels.map_codes.__wrapped__):
        room = np.full(4, 9, np.uint8)
        assert kernel(values, 5, table, room) is room
        assert room.tolist() == table[values - 5].tolist()


def test_a_table_of_more_places_than_its_codes_have_bits_for_is_left_to_numpy():
    table, values = (
        np.append(np.arange(1000) % 7, 255).astype(np.uint8),
        np.arange(1000, dtype=np.int32),
    )
    assert left_to_numpy("map_codes", values, 0, table).tolist() == table[:-1].tolist()


def test_labels_beyond_64_signed_bits_are_left_to_numpy():
    values = np.array([2**63 + 1, 2**63 + 3], np.uint64)
    assert left_to_numpy(
        "map_codes", values, 2**63 + 1, np.array([0, 1, 2, 3], np.uint8)
    ).tolist() == [0, 2]


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_labels_at_both_ends_of_their_type_are_looked_up(dtype):
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    table = np.array([0, 1, 2], np.uint8)
    agree("map_codes", np.array([low, low + 1], dtype), low, table)
    agree("map_codes", np.array([low, low + 2], dtype), low, table)
    agree("map_codes", np.array([low, high], dtype), low, table)
    agree("map_codes", np.array([high - 4, high - 3, high], dtype), high - 4, table)


@pytest.mark.parametrize("dtype", ["int8", "uint16", "uint64"])
def test_labels_of_other_types_are_left_to_numpy(dtype):
    high = np.iinfo(dtype).max
    values = np.array([high, high - 1, high], dtype)
    assert left_to_numpy(
        "map_codes", values, int(high) - 1, np.array([0, 1, 2], np.uint8)
    ).tolist() == [1, 0, 1]


def labels_of(rng, n, k, span, dtype):
    """Labels of k classes among `span` integers, their least one, and the table of their codes."""
    held = np.sort(rng.choice(span, k, replace=False))
    table = np.full(span + 1, max(span, k), np.uint8)
    table[held] = rng.permutation(k) if rng.random() < 0.5 else np.arange(k)
    low = (
        int(rng.integers(0, 100)) if dtype == "uint8" else int(rng.integers(-(2**31), 2**31 - 200))
    )
    return (low + held[codes(rng, n, k, np.int64)]).astype(dtype), low, table


@given(
    SEEDS,
    st.sampled_from([0, 1, 2, 255, 256, 257, 16_383, 16_384, 16_385, 40_001]),
    st.integers(1, 16),
    st.sampled_from(["uint8", "int32", "int64"]),
)
def test_pairs_of_labels_are_counted_as_in_numpy(seed, n, k, dtype):
    rng = np.random.default_rng(seed)
    span = int(rng.integers(k, 60))
    first, low, table = labels_of(rng, n, k, span, dtype)
    other = table.copy()
    other[:-1][table[:-1] < k] = rng.permutation(table[:-1][table[:-1] < k])
    second = rng.permutation(first)
    agree("pair_values", first, second, low, (table, other), k)
    wanted = kernels.count_pairs(
        kernels.map_codes(first, low, table), kernels.map_codes(second, low, other), k
    )
    np.testing.assert_array_equal(
        kernels.pair_values(first, second, low, (table, other), k), wanted
    )


@pytest.mark.parametrize("at", [0, 300, 16_384, 19_999])
@pytest.mark.parametrize("side", [0, 1])
def test_pairs_of_labels_with_one_of_no_class_are_not_counted(at, side):
    first, low, table = labels_of(np.random.default_rng(at), 20_000, 3, 9, "int32")
    both = [first, first.copy()]
    both[side][at] = low + int(np.flatnonzero(table[:-1] >= 3)[0])
    for kernel in (COMPILED["pair_values"], kernels.pair_values.__wrapped__):
        assert len(kernel(*both, low, (table, table), 3)) == 0


def test_pairs_of_labels_of_two_widths_are_counted():
    first, low, table = labels_of(np.random.default_rng(5), 5000, 4, 4, "int64")
    agree("pair_values", first, first.astype(np.int32), low, (table, table), 4)


@pytest.mark.parametrize("k", [17, 300])
def test_pairs_of_labels_of_more_classes_are_left_to_numpy(k):
    labels, table = (
        codes(np.random.default_rng(k), 400_000, k, "int32"),
        np.append(np.arange(k), k).astype(np.uint16),
    )
    found = left_to_numpy("pair_values", labels, labels[::-1], 0, (table, table), k)
    np.testing.assert_array_equal(found, kernels.count_pairs(labels, labels[::-1], k))


@given(
    SEEDS,
    st.integers(0, 300),
    st.sampled_from([None, 1, 4]),
    st.booleans(),
    st.sampled_from([0.0, 1e6]),
)
def test_moments_are_those_of_each_cell_alone(seed, n, cells, weighted, offset):
    rng = np.random.default_rng(seed)
    values = offset + rng.normal(size=(n, 2))
    weight = rng.gamma(1.0, size=n) * (rng.random(n) < 0.8) if weighted else np.ones(n)
    cell = np.zeros(n, np.int64) if cells is None else rng.integers(0, cells, n)
    found = kernels.compute_moments(
        values, weight if weighted else None, None if cells is None else cell, cells or 1
    )
    for c in range(cells or 1):
        own, w = values[cell == c], weight[cell == c]
        mean = np.average(own, axis=0, weights=w) if w.sum() else np.zeros(2)
        assert found[0][c] == pytest.approx(w.sum())
        np.testing.assert_allclose(found[1][c], mean, rtol=1e-12)
        np.testing.assert_allclose(
            found[2][c], w @ (own - mean) ** 2, rtol=1e-7, atol=1e-20 * (1 + offset**2)
        )


def test_the_second_moment_of_numbers_far_from_zero_keeps_its_digits():
    values = 1e9 + np.arange(10_001.0)[:, None] % 11
    exact = np.sum((values - 1e9 - np.mean(values - 1e9)) ** 2)
    for cell in (None, np.zeros(len(values), np.int64)):
        assert kernels.compute_moments(values, None, cell, 1)[2][0, 0] == pytest.approx(
            exact, rel=1e-10
        )


def test_numbers_that_are_all_alike_have_no_second_moment():
    for weight in (None, np.full(9999, 0.3)):
        assert 0 <= kernels.compute_moments(np.full((9999, 1), 0.1), weight)[2][0, 0] < 1e-24


@pytest.mark.parametrize(
    "values", [[1.0, np.inf], [np.inf, -np.inf], [1.0, np.nan], [1e200, -1e200, 3e199]]
)
def test_numbers_that_are_not_finite_have_no_second_moment(values):
    with np.errstate(all="ignore"):
        assert not np.isfinite(kernels.compute_moments(np.array(values)[:, None])[2]).any()


def scores(rng, n, dtype):
    """Numbers with ties, zeros of both signs and infinities."""
    drawn = np.round(rng.normal(size=n), int(rng.integers(0, 4)))
    special = rng.choice([0.0, -0.0, np.inf, -np.inf, 5e-324, -1e300], n)
    with np.errstate(over="ignore"):
        return np.where(rng.random(n) < 0.2, special, drawn).astype(dtype)


@given(
    SEEDS,
    st.sampled_from([1, 2, 3, 7, 300, 5000]),
    st.integers(1, 12),
    st.integers(1, 3),
    st.integers(1, 40),
)
def test_values_at_places_are_those_of_the_sorted_list(seed, n, m, threads, step):
    rng = np.random.default_rng(seed)
    values = scores(rng, n, "float64") * rng.choice([1.0, 1e-3, 1e-310])
    places = rng.integers(0, n, m)
    pieces = [partial(values.__getitem__, slice(i, i + 400)) for i in range(0, n, 400)]
    found = kernels.select_places(pieces, n, places, values[::step], threads)
    np.testing.assert_array_equal(found, np.sort(values)[places])


@pytest.mark.parametrize("draw", ["normal", "standard_cauchy", "random"])
@pytest.mark.parametrize("step", [10, 2_000, 1_000_000])
def test_values_of_a_long_list_are_selected(draw, step):
    values = getattr(np.random.default_rng(4), draw)(size=200_003)
    for places in ([100_001, 100_002], [0, 0, 1, 100_001, 200_002], [0], [200_002]):
        found = kernels.select_places(
            [lambda: values], len(values), np.array(places), values[::step]
        )
        np.testing.assert_array_equal(found, np.sort(values)[places])


def test_a_sample_that_misleads_costs_a_second_pass_and_no_more():
    values, read = np.random.default_rng(5).normal(size=10_000), []

    def piece():
        read.append(1)
        return values

    found = kernels.select_places([piece], len(values), np.array([5_000]), np.full(1_000, 9.0))
    assert found.tolist() == [np.sort(values)[5_000]]
    assert len(read) == 2


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_list_with_a_value_that_is_no_number_has_no_places(sign):
    values = np.array([np.copysign(np.nan, sign), 2.0, -np.inf, np.inf])
    assert np.isnan(kernels.select_places([lambda: values], 4, np.array([0, 1]), values)).all()


@given(
    SEEDS,
    st.sampled_from([0, 1, 255, 256, 257, 3000]),
    st.sampled_from([(-0.5, 0.5), (0.0, 0.0), (2.0, -2.0)]),
)
def test_numbers_between_two_ends_are_kept_as_in_numpy(seed, n, ends):
    values = np.random.default_rng(seed).normal(size=n).round(1)
    values[::50] = np.nan
    agree("keep_between", values, *ends)
    agree("keep_between", values[::2], *ends)
    agree("keep_between", values, -np.inf, np.inf)


def test_numbers_of_other_types_are_left_to_numpy():
    kept, below = left_to_numpy("keep_between", np.array([3, 1, 2], np.int32), 2.0, 3.0)
    assert (kept.tolist(), below) == ([3, 2], 1)


@given(
    SEEDS,
    st.sampled_from([1, 2, 511, 512, 513, 40_000]),
    st.sampled_from(FLOATS),
    st.sampled_from([0.0, 5.0, 1e6]),
)
def test_sums_of_errors_are_those_of_numpy(seed, n, dtype, offset):
    rng = np.random.default_rng(seed)
    truth = ((rng.normal(size=n) + offset) * (rng.random(n) < 0.9)).astype(dtype)
    value = (truth + rng.normal(size=n) * (rng.random(n) < 0.8)).astype(dtype)
    found, wanted = COMPILED["sum_errors"](truth, value), reference("sum_errors", truth, value)
    np.testing.assert_allclose(found[0][0], wanted[0][0], rtol=1e-12, atol=1e-300)
    # What is left of a spread that is all but none depends on the order of the sum.
    np.testing.assert_allclose(
        found[0][1], wanted[0][1], rtol=1e-10, atol=1e-24 * n * max(offset, 1) ** 2
    )
    assert found[1].tolist() == wanted[1].tolist() == [np.count_nonzero(truth == 0)]


def test_errors_of_two_widths_are_added_up_as_float64():
    truth, value = np.array([0.1, 0.7], np.float32), np.array([0.1, 0.5])
    assert kernels.sum_errors(truth, value)[0][0, 3] == np.abs(truth.astype(float) - value).mean()


@pytest.mark.parametrize("wrong", [np.inf, -np.inf, np.nan, 1e200])
def test_errors_without_a_sum_are_left_to_numpy(wrong):
    with np.errstate(invalid="ignore", over="ignore"):
        found = left_to_numpy("sum_errors", np.array([1.0, wrong]), np.array([1.0, 0.0]))
    assert not np.isfinite(found[0][:, 2]).all()


@given(
    SEEDS,
    st.sampled_from([1, 2, 63, 64, 65, 256, 257, 600, 5000]),
    st.sampled_from([2, 3, 10, 64, 65, 200]),
    st.sampled_from(FLOATS),
    st.sampled_from(CODES),
    st.integers(-1, 1),
)
def test_sums_of_facts_are_those_of_numpy(seed, n, k, of_proba, of_truth, positive):
    rng = np.random.default_rng(seed)
    proba = rng.dirichlet(np.ones(k) * rng.choice([0.02, 1.0]), n).astype(of_proba)
    truth = rng.integers(0, k, n).astype(of_truth)
    args = (proba, truth, np.linspace(0, 1, 16), np.finfo(float).eps, positive)
    found, wanted = COMPILED["sum_proba_stats"](*args), reference("sum_proba_stats", *args)
    np.testing.assert_allclose(found[0], wanted[0], rtol=1e-11, atol=1e-24 * n)
    for a, b in zip(found[1:3], wanted[1:3], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=0)
    assert (found[3] is None) == (wanted[3] is None) == (k > 64)
    assert found[3] is None or (found[3] == wanted[3]).all()


def test_sums_of_facts_are_those_of_the_rows():
    proba, truth = np.random.default_rng(7).dirichlet(np.ones(4), 3000), np.arange(3000) % 4
    own, top, others, before, answer = kernels.compute_proba_stats(proba, truth)
    sums, ranks, bins, table = kernels.sum_proba_stats(
        proba, truth, np.linspace(0, 1, 16), 1e-9, -1
    )
    loss, miss = -np.log(own), others + (1 - own) ** 2
    wanted = [loss.mean(), loss.var() * 3000, miss.mean(), miss.var() * 3000, 0]
    np.testing.assert_allclose(sums, wanted, rtol=1e-12)
    assert ranks.tolist() == np.bincount(before, minlength=4).tolist()
    assert table.tolist() == kernels.count_pairs(truth, answer, 4).tolist()
    np.testing.assert_allclose(
        bins, kernels.bin_rows(top, before == 0, np.linspace(0, 1, 16)), rtol=1e-12
    )


@pytest.mark.parametrize("wrong", [np.nan, 1.5, -0.5])
def test_sums_of_facts_with_a_value_that_is_no_probability_are_left_to_numpy(wrong):
    proba = np.full((300, 3), 1 / 3)
    proba[299] = wrong
    assert (
        COMPILED["sum_proba_stats"](proba, np.zeros(300, np.int64), np.linspace(0, 1, 16), 1e-9, -1)
        is None
    )


@given(
    SEEDS,
    st.sampled_from([1, 2, 5, 255, 256, 257, 600]),
    st.one_of(st.integers(1, 200), st.sampled_from([1, 2, 63, 64, 65, 66])),
    st.sampled_from(FLOATS),
    st.sampled_from(CODES),
)
def test_facts_of_rows_are_those_of_numpy(seed, n, k, of_proba, of_truth):
    rng = np.random.default_rng(seed)
    proba = rng.dirichlet(np.ones(k), n) if rng.random() < 0.5 else np.round(rng.random((n, k)), 1)
    truth = rng.integers(0, k, n).astype(of_truth)
    agree("compute_proba_stats", proba.astype(of_proba), truth, rel=1e-12)


@pytest.mark.parametrize("k", [1, 2, 64, 65, 130])
@pytest.mark.parametrize("dtype", FLOATS)
def test_facts_of_rows_that_tie_are_those_of_numpy(k, dtype):
    truth = (np.arange(260) % k).astype(np.uint8)
    signs = np.where(np.arange(260 * k).reshape(260, k) % 3, 0.0, -0.0).astype(dtype)
    for proba in (
        np.full((260, k), 0.25, dtype),
        signs,
        np.where(signs == 0, np.inf, 0).astype(dtype),
        -1 - signs,
    ):
        agree("compute_proba_stats", proba, truth)


@pytest.mark.parametrize("k", [3, 70])
def test_facts_of_rows_that_do_not_lie_side_by_side_are_found(k):
    table = np.random.default_rng(6).random((2 * k, 600))
    truth = np.arange(900)[::3] % k
    agree("compute_proba_stats", table.T[::2, ::2], truth, rel=1e-12)


@pytest.mark.parametrize("k", [3, 70])
def test_rows_with_a_value_that_is_no_number_are_left_to_numpy(k):
    for column in (0, 1, k - 1):
        proba = np.full((300, k), 0.1)
        proba[299, column] = np.nan
        found = left_to_numpy("compute_proba_stats", proba, np.ones(300, np.uint8))
        assert found[4][299] == column


@given(
    SEEDS, st.sampled_from([1, 2, 31, 32, 33, 255, 256, 900]), st.integers(1, 130), st.booleans()
)
def test_labels_are_counted_as_in_numpy(seed, n, k, as_truth_values):
    rng = np.random.default_rng(seed)
    truth, said = (rng.random((2, n, k)) < rng.random((2, 1, 1))).astype(
        bool if as_truth_values else np.uint8
    )
    if k < 70:
        agree("count_sets", truth, said)
    agree("count_labels", truth, said)


@pytest.mark.parametrize("n", [8159, 8160, 8161, 16_321])
def test_labels_of_more_rows_than_a_byte_counts_are_counted(n):
    every = np.ones((n, 9), np.uint8)
    agree("count_labels", every, every)


@pytest.mark.parametrize("k", [2039, 2040, 2041, 2047, 4080, 4083])
def test_labels_of_more_columns_than_a_byte_counts_are_counted(k):
    every = np.ones((40, k), np.uint8)
    agree("count_labels", every, every)
    agree("count_labels", every, (np.arange(40 * k).reshape(40, k) % 7 == 0).astype(np.uint8))


def test_labels_that_do_not_lie_side_by_side_are_counted():
    table = np.random.default_rng(7).integers(0, 2, (80, 700)).astype(np.uint8)
    agree("count_labels", table.T[::2, :40], table.T[1::2, 40:])


@given(
    SEEDS,
    st.sampled_from([1, 2, 40]),
    st.integers(1, 130),
    st.sampled_from(FLOATS),
    st.sampled_from([0, 0.1, 0.9, 1]),
)
def test_ranks_of_labels_are_those_of_numpy(seed, n, k, dtype, share):
    rng = np.random.default_rng(seed)
    truth = (rng.random((n, k)) < share).astype(np.uint8)
    agree("rank_labels", truth, scores(rng, (n, k), dtype), rel=1e-12)


def test_ranks_of_labels_that_tie_are_those_of_numpy():
    truth = np.random.default_rng(8).integers(0, 2, (50, 2050)).astype(bool)
    agree("rank_labels", truth, np.zeros(truth.shape), rel=1e-12)
    agree("rank_labels", truth[:, ::2], np.where(truth[:, 1::2], 0.0, -0.0), rel=1e-12)


ONES, HALVES = np.ones(8, np.int64), np.full((8, 2), 0.5)
BITS = np.ones((8, 2), np.uint8)
ORDER = np.array([0, 1, 2], np.uint8)


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("count_pairs", (ONES, ONES * 2, 2)),
        ("count_pairs", (ONES * 300, ONES, 2)),
        ("count_pairs", (-ONES, -ONES, 2)),
        ("count_pairs", (ONES, ONES, 0)),
        ("count_pairs", (ONES, ONES, 2, None, ONES * 3, 3)),
        ("count_pairs", (ONES, ONES, 2, None, -ONES, 3)),
        ("count_pairs", (ONES, ONES[:5], 2)),
        ("count_pairs", (ONES, ONES, 2, np.ones(5))),
        ("count_pairs", (ONES, ONES, 2, None, ONES[:5], 3)),
        ("pair_values", (ONES, ONES[:5], 0, (ORDER, ORDER), 2)),
        ("pair_values", (ONES[:5], ONES, 0, (ORDER, ORDER), 2)),
        ("pair_values", (ONES, ONES, 0, (ORDER, ORDER), 1)),
        ("sum_errors", (np.ones(3), np.ones(4))),
        ("sum_proba_stats", (HALVES, ONES * 2, np.linspace(0, 1, 16), 1e-9, -1)),
        ("sum_proba_stats", (HALVES[:5], ONES, np.linspace(0, 1, 16), 1e-9, -1)),
        ("compute_proba_stats", (HALVES, ONES * 2)),
        ("compute_proba_stats", (HALVES, -ONES * 3)),
        ("compute_proba_stats", (HALVES, ONES << 32)),
        ("compute_proba_stats", (HALVES[:5], ONES)),
        ("compute_proba_stats", (HALVES, np.ones((8, 8), np.uint8))),
        ("count_labels", (BITS, BITS[:5])),
        ("count_labels", (BITS, BITS.T)),
        ("rank_labels", (BITS, HALVES[:5])),
        ("rank_labels", (BITS, HALVES.T)),
    ],
)
def test_inputs_that_disagree_are_an_error_and_touch_no_memory(name, args):
    with pytest.raises((ValueError, IndexError)):
        left_to_numpy(name, *args)


def test_a_table_without_entries_is_an_error():
    with pytest.raises(IndexError):
        left_to_numpy("map_codes", ONES, 0, np.empty(0, np.uint8))


def make_rows(kind, count, n):
    rows = np.random.default_rng(n).normal(size=(count, n)).astype(np.float32)
    if kind == "bfloat16":
        return [(row.view(np.uint32) >> 16).astype(np.uint16) for row in rows]
    return [row.astype(kind) for row in rows]


@pytest.mark.parametrize("kind", ["float16", "float32", "float64", "bfloat16"])
@pytest.mark.parametrize(("count", "n"), [(1, 1), (2, 0), (3, 1023), (4, 1025), (9, 40_000)])
def test_a_mixture_is_that_of_numpy_rounded_once(kind, count, n):
    rows = make_rows(kind, count, n)
    weights = np.linspace(-0.5, 1.5, count)
    outs = [np.empty(n, rows[0].dtype) for _ in range(2)]
    assert kernels.mix(rows, weights, outs[0]) is True
    assert kernels.mix.__wrapped__(rows, weights, outs[1]) is True
    exact = sum(w * kernels.sums._read_floats(row) for w, row in zip(weights, rows, strict=True))
    spacing = {"float16": 2**-10, "float32": 2**-23, "float64": 2**-50, "bfloat16": 2**-7}[kind]
    for out in map(kernels.sums._read_floats, outs):
        np.testing.assert_allclose(out, exact, rtol=spacing / 2 + 1e-12, atol=1e-7)


@pytest.mark.parametrize("kind", ["float16", "float32", "float64", "bfloat16"])
@pytest.mark.parametrize("at", [0, 1024, 2999])
@pytest.mark.parametrize("bits", [np.inf, -np.inf, np.nan])
def test_a_mixture_that_is_not_finite_says_so(kind, at, bits):
    rows = make_rows(kind, 5, 3000)
    wrong = np.float32(bits)
    rows[3][at] = np.uint16(wrong.view(np.uint32) >> 16) if kind == "bfloat16" else wrong
    for mix in (kernels.mix, kernels.mix.__wrapped__):
        assert mix(rows, np.full(5, 0.2), np.empty_like(rows[0])) is False


def test_numbers_of_bfloat16_are_rounded_as_by_pytorch():
    torch = pytest.importorskip("torch")
    bits = np.arange(1 << 16, dtype=np.uint16)
    rows = [bits, bits[::-1].copy()]
    out, reference = np.empty_like(bits), np.empty_like(bits)
    kernels.mix(rows, np.array([0.3, 0.7]), out)
    kernels.mix.__wrapped__(rows, np.array([0.3, 0.7]), reference)
    first, second = (torch.from_numpy(row).view(torch.bfloat16).double() for row in rows)
    wanted = (0.3 * first + 0.7 * second).to(torch.bfloat16).double().numpy()
    with np.errstate(invalid="ignore"):  # bits of numbers that are none
        found = [kernels.sums._read_floats(array) for array in (out, reference)]
    np.testing.assert_array_equal(found[0], wanted)
    np.testing.assert_array_equal(found[1], wanted)


@pytest.mark.parametrize("wrong", ["length", "type", "weights"])
def test_a_mixture_of_rows_that_disagree_is_an_error(wrong):
    rows = [np.ones(4), np.ones(3) if wrong == "length" else np.ones(4)]
    out = np.empty(4, np.float32 if wrong == "type" else np.float64)
    weights = np.ones(3 if wrong == "weights" else 2)
    if wrong == "type":  # NumPy converts
        assert kernels.mix(rows, weights, out) is True
        return
    with pytest.raises(ValueError):
        kernels.mix(rows, weights, out)


def test_a_compiled_kernel_refuses_another_number_of_arguments():
    from assay._native import extension

    for kernel in vars(extension).values():
        if callable(kernel):
            with pytest.raises(TypeError, match="arguments expected"):
                kernel()


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("n", [0, 1, 24, 25, 4000, 131_072, 131_073, 400_000])
def test_curves_of_scores_of_any_spread_are_those_of_numpy(n, dtype):
    rng = np.random.default_rng(n)
    clumps = np.where(rng.random(n) < 0.9, 1e8 + rng.random(n) * 1e-3, rng.normal(size=n) * 1e30)
    wild = rng.choice([-np.inf, np.inf, 0.0, -0.0, 5e-324, 1.0], n)
    for values in (
        rng.random(n),
        rng.normal(size=n),
        np.round(rng.random(n), 2),
        np.full(n, 0.5),
        clumps,
        wild,
    ):
        for share in (0.4, 0.01):
            agree("rank_scores", rng.random(n) < share, values.astype(dtype))


@given(
    SEEDS,
    st.sampled_from([0, 1, 2, 300, 3000]),
    st.sampled_from([0, 0.002, 0.05, 0.5, 1]),
    st.integers(1, 5),
)
def test_curves_are_the_same_on_any_number_of_threads(seed, n, share, threads):
    rng = np.random.default_rng(seed)
    for dtype in FLOATS:
        agree("rank_scores", rng.random(n) < share, scores(rng, n, dtype), threads)


@pytest.mark.parametrize("positives", [16_384, 16_385])
def test_curves_of_few_and_of_many_positive_rows_are_those_of_numpy(positives):
    rng = np.random.default_rng(positives)
    positive = rng.permutation(200_000) < positives
    for values in (rng.normal(size=200_000) + positive, np.round(rng.normal(size=200_000), 2)):
        for threads in (1, 2):
            agree("rank_scores", positive, values.astype(np.float32), threads)


def test_scores_that_do_not_lie_side_by_side_are_ranked():
    table = np.random.default_rng(10).random((500, 3))
    agree("rank_scores", table[::2, 0] < 0.3, table[::2, 1])


@pytest.mark.parametrize("values", [[0.5, np.nan, 0.1], [1, 2, 3], [[0.1, 0.2, 0.3]] * 3])
def test_scores_that_are_no_list_of_floats_are_left_to_numpy(values):
    assert COMPILED["rank_scores"](np.array([True, False, True]), np.array(values)) is None


def test_a_truth_of_other_numbers_is_left_to_numpy():
    found = left_to_numpy("rank_scores", np.array([2, 0, 1]), np.array([0.1, 0.2, 0.3]))
    assert [part.tolist() for part in found] == [[0.3, 0.1], [1, 2], [0, 1], [0, 1]]


@given(
    SEEDS, st.sampled_from([2, 3, 9, 300, 5000, 120_000]), st.sampled_from([0.05, 0.5, 0.95]),
    st.sampled_from([0.3, 1, 2]),
)  # fmt: skip
def test_figures_of_a_curve_are_those_of_numpy(seed, n, share, beta):
    rng = np.random.default_rng(seed)
    positive = np.append(rng.random(n - 2) < share, [True, False])
    curve = reference("rank_scores", positive, scores(rng, n, "float64"))[1:]
    p = int(positive.sum())
    for what in ("area", "precision", "lead", "f_beta"):
        found = COMPILED["scan_curve"](what, *curve, p, n - p, beta)
        assert found == pytest.approx(
            float(reference("scan_curve", what, *curve, p, n - p, beta)), rel=1e-12, abs=1e-15
        )


def test_curves_of_weights_of_replicates_and_of_one_kind_of_rows_are_left_to_numpy():
    tp, fp, above = np.array([[1, 2], [0, 1], [0, 0]])
    for given_curve in ((tp * 1.0, fp, above, 2, 1), (tp[None], fp[None], above[None], [2], [1])):
        assert np.ravel(left_to_numpy("scan_curve", "area", *given_curve)).tolist() == [3]
    assert left_to_numpy("scan_curve", "precision", tp, fp * 0, above, 2, 0) == 2


@given(
    SEEDS,
    st.sampled_from([0, 1, 3, 255, 256, 257, 2000]),
    st.integers(1, 40),
    st.sampled_from(FLOATS),
)
def test_probabilities_are_binned_as_in_numpy(seed, n, bins, dtype):
    rng = np.random.default_rng(seed)
    edges = np.arange(bins + 1) / bins
    at_edges = np.nextafter(rng.choice(edges, n), rng.choice([-1, 0.5, 2], n)).clip(0, 1)
    for proba in (rng.random(n), at_edges, rng.choice(edges, n)):
        agree("bin_rows", proba.astype(dtype), rng.random(n) < 0.4, edges, rel=1e-12)


def test_uneven_bins_and_what_is_no_probability_are_left_to_numpy():
    right = np.array([True, False])
    assert COMPILED["bin_rows"](np.array([0.2, 0.9]), right, np.array([0, 0.1, 1])) is None
    for wrong in (np.nan, -0.1, 1.1):
        assert COMPILED["bin_rows"](np.array([0.2, wrong]), right, np.linspace(0, 1, 4)) is None


def test_threads_count_the_same():
    rng = np.random.default_rng(9)
    first, second = codes(rng, 300_000, 10, "uint8"), codes(rng, 300_000, 10, "uint8")
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: kernels.count_pairs(first, second, 10), range(16)))
    for table in found:
        np.testing.assert_array_equal(table, reference("count_pairs", first, second, 10))


SCRIPT = """
import sys
import types
from assay.cli import main
from assay.kernels import get_backend
print(get_backend())
for path in sys.argv[1:]:
    main(["evaluate", path, "--json", path + ".json"])
"""


def figures_in(path):
    rows = json.loads(path.read_text())["rows"]
    assert rows
    return [(r["metric"], r["model"], r["value"], r["low"], r["high"]) for r in rows]


def test_without_the_compiled_kernels_the_figures_are_the_same(tmp_path):
    paths = [tmp_path / f"{task}.parquet" for task in TASKS]
    for path in paths:
        assay.write(random_table(path.stem, 3, n=50, weighted=True), path)
    bare = subprocess.run(
        [sys.executable, "-c", SCRIPT, *map(str, paths)],
        env={**os.environ, "ASSAY_KERNELS": "numpy"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert bare.stdout.startswith("numpy\n")
    assert kernels.get_backend() == "compiled"
    for path in paths:
        main(["evaluate", str(path), "--json", str(path) + "2"])
        ours, theirs = (
            figures_in(path.with_name(path.name + "2")),
            figures_in(path.with_name(path.name + ".json")),
        )
        assert [a[:2] for a in ours] == [b[:2] for b in theirs]
        pairs = [
            [np.nan if v is None else v for row in side for v in row[2:]] for side in (ours, theirs)
        ]
        np.testing.assert_allclose(*pairs, rtol=1e-9, atol=1e-12)


def test_kernels_built_from_an_older_source_are_left_aside(monkeypatch):
    older = types.ModuleType("assay._native.kernels", "Compiled kernels; see assay/kernels.py.")
    monkeypatch.setitem(sys.modules, "assay._native.kernels", older)
    spec = importlib.util.find_spec("assay._native")
    fresh = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fresh)
    assert fresh.COMPILED == {}


@pytest.mark.skipif(sys.platform != "linux" or not shutil.which("gcc"), reason="needs GCC")
def test_the_kernels_are_compiled_by_a_gcc_that_lacks_what_came_with_its_version_12():
    source = Path(assay.__file__).parent / "_native" / "kernels.c"
    headers = sysconfig.get_paths()["include"]
    if not (Path(headers) / "Python.h").exists():
        pytest.skip("needs the headers of Python")
    older = ["-U__GNUC__", "-D__GNUC__=11", "-D__builtin_shufflevector=lacking"]
    subprocess.run(["gcc", "-fsyntax-only", *older, f"-I{headers}", source], check=True)


@pytest.mark.parametrize("k", [2, 9, 17])
def test_a_code_beyond_the_classes_is_refused_in_a_short_table_too(k):
    first, second = np.array([0, 1], np.uint8), np.array([0, k], np.uint8)
    for kernel in (
        kernels.count_pairs,
        getattr(kernels.count_pairs, "__wrapped__", kernels.count_pairs),
    ):
        with pytest.raises(ValueError, match=f"not below {k}"):
            kernel(first, second, k)


@given(SEEDS, st.integers(1, 300), st.integers(2, 130), st.sampled_from(FLOATS), st.booleans())
def test_what_logits_say_is_as_in_numpy(seed, n, k, dtype, odds):
    rng = np.random.default_rng(seed)
    logit = (rng.normal(size=(n, k)) * 10.0 ** rng.integers(-3, 4)).astype(dtype)
    logit[rng.random((n, k)) < 0.2] = logit[0, 0]  # ties
    found = COMPILED["compute_logit_stats"](logit, odds)
    wanted = reference("compute_logit_stats", logit, odds)
    for a, b in zip(found, wanted, strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-13)
    np.testing.assert_array_equal(found[1], logit.argmax(axis=1))


@pytest.mark.parametrize("k", [3, 80])
def test_log_odds_are_exact_where_probabilities_round_to_0_and_1(k):
    logit = np.zeros((4, k))
    logit[:, 1] = [40.0, 700.0, 1e4, 1e300]
    odds = kernels.compute_logit_stats(logit, True)[2]
    np.testing.assert_allclose(odds[:, 1], logit[:, 1] - np.log(k - 1), rtol=1e-15)
    np.testing.assert_allclose(odds[:3, 0], -logit[:3, 1], rtol=1e-15)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_logits_that_are_not_finite_are_left_to_numpy(wrong):
    with np.errstate(invalid="ignore"):
        left_to_numpy("compute_logit_stats", np.array([[0.0, wrong, 1.0]]), True)


@given(SEEDS, st.integers(1, 2000), st.integers(0, 4), st.sampled_from(FLOATS), st.booleans())
def test_cells_of_scores_are_those_of_numpy_and_rise_with_them(seed, n, coarse, dtype, unit):
    rng = np.random.default_rng(seed)
    score = rng.random(n) if unit else rng.standard_cauchy(n) * 10.0 ** rng.integers(-30, 30)
    score = np.sort(score.astype(dtype))
    agree("find_cells", score, unit, coarse)
    assert (np.diff(kernels.find_cells(score, unit, coarse)) >= 0).all()


@pytest.mark.parametrize("unit", [False, True])
def test_the_ends_of_what_a_score_may_be_have_cells(unit):
    ends = np.array([-np.inf, -3e38, -0.0, 0.0, 1e-45, 1.0, 3e38, np.inf])
    agree("find_cells", ends[3:6] if unit else ends, unit, 0)


@given(SEEDS, st.integers(1, 700), st.integers(1, 12), st.sampled_from(FLOATS), st.booleans())
def test_rows_of_each_cell_are_counted_as_in_numpy(seed, n, k, dtype, unit):
    rng = np.random.default_rng(seed)
    score = rng.random((n, k)).astype(dtype)
    positive = rng.random((n, k)) < 0.3
    cells = int(kernels.find_cells(np.array([np.inf], np.float32), unit, 6)[0]) + 1
    agree("count_cells", score, positive, unit, 6, cells)
    agree("list_filled", kernels.count_cells(score, positive, unit, 6, cells))


def test_rows_of_many_chunks_are_counted_as_in_numpy():
    rng = np.random.default_rng(0)
    score = rng.normal(size=(90_000, 11))
    agree("count_cells", score, rng.random(score.shape) < 0.3, False, 6, 24_545)


@given(SEEDS, st.integers(1, 300), st.integers(2, 70), st.sampled_from(FLOATS))
def test_cells_of_log_odds_are_counted_as_those_of_the_log_odds_themselves(seed, n, k, dtype):
    rng = np.random.default_rng(seed)
    logit = (rng.normal(size=(n, k)) * 10.0 ** rng.integers(-3, 4)).astype(dtype)
    truth = rng.integers(0, k, n).astype(np.uint8)
    top, answer, odds = kernels.compute_logit_stats(logit, True)
    positive = truth[:, None] == np.arange(k)
    found = kernels.count_odds(logit, truth, 6, 24_545)
    wanted = top, answer, kernels.count_cells(odds, positive, False, 6, 24_545)
    for a, b in zip(found, wanted, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def test_cells_of_log_odds_of_many_chunks_are_counted_as_those_of_the_log_odds_themselves():
    rng = np.random.default_rng(0)
    logit = rng.normal(size=(90_000, 30)).astype(np.float32)
    truth = rng.integers(0, 30, 90_000).astype(np.uint8)
    odds = kernels.compute_logit_stats(logit, True)[2]
    counts = kernels.count_cells(odds, truth[:, None] == np.arange(30), False, 6, 24_545)
    np.testing.assert_array_equal(kernels.count_odds(logit, truth, 6, 24_545)[2], counts)


@given(SEEDS, st.integers(1, 60), st.sampled_from(["int32", "int64"]))
def test_cells_are_scanned_from_the_highest_down_as_in_numpy(seed, cells, dtype):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 3, (cells, 2)) * rng.integers(0, 2, (cells, 2))
    agree("scan_cells", counts.astype(dtype))


def test_a_score_that_is_no_number_has_no_cell():
    score = np.array([[np.nan]])
    assert COMPILED["count_cells"](score, np.array([[True]]), False, 6, 24_545) is None
