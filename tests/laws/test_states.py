"""Laws of the states themselves: any split of the rows is the whole.

`empty` is neutral, `merge` is associative and commutative.
"""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.comparison.paired_plan import PerRow
from assay.metrics.base import METRICS
from assay.metrics.regression import MSE, ErrorAndTruth
from assay.states.base import Pair
from assay.states.confusion import Confusion
from assay.states.matches import BOXES, Matches
from assay.states.moments import Moments
from assay.states.paired_confusion import PairedConfusion
from assay.states.row_values import Ranked
from assay.table.predictions import Predictions
from assay.testing import tables


def states(p):
    if p.task == "regression":
        return [Moments(MSE()), Moments(ErrorAndTruth(), 2)]
    if p.task == "multioutput":
        return [METRICS.parse(name).bind(p.schema).state for name in ("mse", "r2")]
    if p.task == "text":
        return [METRICS.parse(name).state for name in ("wer", "chrf", "token_f1")]
    if p.task == "detection":
        return [METRICS.parse("box_ap").state]
    return [Confusion(), Ranked(), METRICS.parse("log_loss").state, METRICS.parse("brier").state]


def parts(p, state, cuts):
    cuts = [0, *sorted(c % (p.n + 1) for c in cuts), p.n]
    return [state.observe(p.slice(a, b).rows("a")) for a, b in pairwise(cuts)]


def assert_equal(state, a, b):
    if isinstance(state, Ranked):
        schema = state_schema
        for x, y in zip(
            (state.summary(a, schema).score, state.summary(a, schema).truth),
            (state.summary(b, schema).score, state.summary(b, schema).truth),
            strict=True,
        ):
            np.testing.assert_array_equal(np.sort(x, axis=0), np.sort(y, axis=0))
        return
    if isinstance(state, Matches):
        # The boxes may stand in any order, but that ties of scores are broken by it.
        of_boxes = [np.stack([getattr(v, name) for name in BOXES]) for v in (a, b)]
        a, b = (v._replace(**dict.fromkeys(BOXES, np.zeros(0))) for v in (a, b))
        np.testing.assert_array_equal(*(boxes[:, np.lexsort(boxes)] for boxes in of_boxes))
    for x, y in zip(a, b, strict=True):
        if np.asarray(x).dtype.kind == "i":
            np.testing.assert_array_equal(x, y)
        else:
            np.testing.assert_allclose(x, y, rtol=1e-11, atol=1e-11)


state_schema = None


@given(tables(), st.lists(st.integers(0, 100), min_size=2, max_size=4))
def test_any_split_merges_to_the_whole_in_any_order_and_grouping(p, cuts):
    global state_schema
    state_schema = p.schema
    for state in states(p):
        pieces = parts(p, state, cuts)
        whole = state.observe(p.rows("a"))
        left = state.empty(p.schema)
        for piece in pieces:
            left = state.merge(left, piece)
        right = pieces[-1]
        for piece in reversed(pieces[:-1]):
            right = state.merge(piece, right)
        backwards = pieces[-1]
        for piece in reversed(pieces[:-1]):
            backwards = state.merge(backwards, piece)
        for value in (left, right, backwards):
            assert_equal(state, value, whole)


@given(tables())
def test_empty_is_neutral_on_both_sides(p):
    global state_schema
    state_schema = p.schema
    for state in states(p):
        value, empty = state.observe(p.rows("a")), state.empty(p.schema)
        assert_equal(state, state.merge(value, empty), value)
        assert_equal(state, state.merge(empty, value), value)


@given(tables(), st.integers(0, 2**32 - 1))
def test_cells_pooled_with_how_often_each_occurs_equal_the_repeated_rows(p, seed):
    rng = np.random.default_rng(seed)
    cell = rng.integers(0, 4, p.n)
    times = rng.integers(0, 3, (2, 4))
    for state in states(p):
        if isinstance(state, Ranked | Matches):
            continue
        pooled = state.resample(state.observe(p.rows("a"), cell, 4), times)
        for i in range(2):
            again = p.take(np.repeat(np.arange(p.n), times[i][cell]))
            assert_equal(
                state, state.select(pooled, slice(i, i + 1)), state.observe(again.rows("a"))
            )


@given(tables(tasks=("binary", "multiclass")), st.integers(0, 40))
def test_the_joint_table_of_two_models_merges_to_the_whole(p, cut):
    cut = min(cut, p.n)
    state = PairedConfusion()
    pair = [Pair(q.rows("a"), q.rows("b")) for q in (p, p.slice(0, cut), p.slice(cut, p.n))]
    whole, first, second = map(state.observe, pair)
    merged = state.merge(first, second)
    np.testing.assert_array_equal(merged.code, whole.code)
    np.testing.assert_allclose(merged.weight, whole.weight, rtol=1e-12)


def test_the_joint_table_has_the_confusions_of_both_models_as_margins():
    p = Predictions.from_arrays([0, 1, 1, 0, 2], {"a": [0, 1, 0, 0, 2], "b": [1, 1, 1, 0, 0]})
    joint = PairedConfusion().observe(Pair(p.rows("a"), p.rows("b")))
    cube = np.zeros(27)
    cube[joint.code] = joint.weight
    for axis, model in ((2, "a"), (1, "b")):
        table = Confusion().observe(p.rows(model)).table[0]
        np.testing.assert_array_equal(cube.reshape(3, 3, 3).sum(axis=axis), table)


def test_the_spread_of_values_far_from_zero_is_not_lost():
    """The textbook formula, mean of squares less square of the mean, returns 0 here."""
    y = np.array([1e8 + 1, 1e8 + 2, 1e8 + 3, 1e8 + 4])
    p = Predictions.from_arrays(y, {"a": y + 1}, task="regression")
    state = Moments(ErrorAndTruth(), 2)
    pieces = [state.observe(p.slice(i, i + 1).rows("a")) for i in range(4)]
    value = pieces[0]
    for piece in pieces[1:]:
        value = state.merge(value, piece)
    exact = [Fraction(v) for v in y]
    mean = sum(exact) / 4
    assert value.m2[0, 1] == pytest.approx(float(sum((v - mean) ** 2 for v in exact)), rel=1e-12)


def test_the_difference_of_two_models_is_observed_row_by_row():
    p = Predictions.from_arrays([1.0, 2.0], {"a": [1.0, 3.0], "b": [0.0, 2.0]}, task="regression")
    value = Moments(PerRow(MSE())).observe(Pair(p.rows("a"), p.rows("b")))
    assert value.mean[0, 0] == 0.0
    assert value.m2[0, 0] == 2.0
