"""Order: ranks and places of numbers, by sorting values alone or counting their leading bits.

>>> import numpy as np
>>> rank_scores(np.array([True, False, True]), np.array([0.9, 0.5, 0.5]))[1].tolist()
[1, 2]
>>> select_places([lambda: np.array([3.0, 1.0, 2.0])], 3, np.array([1]), np.array([2.0])).tolist()
[2.0]
"""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from assay._native import Array
from assay.kernels.dispatch import BLOCK, compiled_or_numpy
from assay.kernels.sums import divide

__all__ = [
    "count_below",
    "keep_between",
    "rank_labels",
    "rank_scores",
    "scan_curve",
    "select_places",
    "count_ties",
]


# Where positive rows are so much fewer than all, the others are counted by so many leading bits before any are sorted.
FEW, CELL_BITS = 8, 18
# Scores that are looked for at a time.
AT_ONCE = 1 << 13


def count_below(ranked: Array, at: Array) -> tuple[Array, Array]:
    """How many of `ranked` (n,) lie below, and how many at or below, each of `at` (m,); both ascending: (m,) int64."""
    return np.searchsorted(ranked, at, "left"), np.searchsorted(ranked, at, "right")


@compiled_or_numpy
def rank_scores(
    positive: Array, score: Array, threads: int = 1
) -> tuple[Array, Array, Array, Array]:
    """The distinct scores of rows where `positive` (n,), descending, and how many rows reach them, each (m,), int64.

    Positive rows that score at least as much, negative ones that do, and negative ones that score more.
    """
    few = score.dtype.kind == "f" and FEW * int(np.count_nonzero(positive)) <= len(score)
    step = max(1, -(-len(score) // threads))
    shares = [slice(start, start + step) for start in range(0, len(score), step)] or [slice(0)]
    with ThreadPoolExecutor(threads) as pool:
        sides = pool.map(lambda share: _sides(positive[share] != 0, score[share], few), shares)
        positives, others = zip(*sides, strict=True)
        above = _merge_runs(positives)
        first = np.ones(len(above), bool)
        np.not_equal(above[1:], above[:-1], out=first[1:])
        start = np.arange(len(above)) if first.all() else np.flatnonzero(first)
        found = above[start]
        passed = np.zeros(
            (2, len(found)), np.int64
        )  # scores of other rows that lie below each, and up to it
        if few:
            for part in pool.map(partial(_count_unranked, found), others):
                passed += part
        else:
            at = np.linspace(0, len(found), threads + 1).astype(np.intp)
            list(
                pool.map(
                    lambda i, j: _count_ranked(found[i:j], others, passed[:, i:j]), at[:-1], at[1:]
                )
            )
    above_them = np.subtract(len(score) - len(above), passed, out=passed)[:, ::-1]
    return found[::-1], len(above) - start[::-1], above_them[0], above_them[1]


def _sides(positive: Array, score: Array, few: bool) -> tuple[Array, Array]:
    """Scores of positive rows, ascending, and of the others, which need no order where the former are few."""
    above, below = score[positive], score[~positive]
    above.sort()
    if not few:
        below.sort()
    return above, below


def _merge_runs(runs: Sequence[Array]) -> Array:
    """Ascending lists as one; a stable sort finds and merges them."""
    if len(runs) == 1:
        return runs[0]
    joined = np.concatenate(runs)
    joined.sort(kind="stable")
    return joined


def _count_ranked(at: Array, lists: Sequence[Array], found: Array) -> None:
    """Adds to `found` (2, m) how many of the `lists` lie below, and up to, each of `at` (m,); all ascending."""
    for start in range(0, len(at), AT_ONCE):
        some = at[start : start + AT_ONCE]
        for ranked in lists:
            low, high = np.searchsorted(ranked, some[0]), np.searchsorted(ranked, some[-1], "right")
            near = ranked[low:high]  # what is in cache is found faster
            less = np.searchsorted(near, some)
            found[:, start : start + AT_ONCE] += less + low
            inside = less[: np.searchsorted(less, len(near))]
            tied = np.flatnonzero(some[: len(inside)] == near[inside])
            found[1, start + tied] += np.searchsorted(near, some[tied], "right") - less[tied]


def _count_unranked(at: Array, scores: Array) -> Array:
    """As _count_ranked, of unsorted scores: only those are sorted that share leading bits with one of `at`."""
    found = np.zeros((2, len(at)), np.int64)
    if not len(at):
        return found
    lowest, highest = _sortable(at[[0, -1]])
    shift = max(0, int(highest - lowest).bit_length() - CELL_BITS)

    def cells(values: Array) -> Array:
        return np.asarray((_sortable(values) - lowest) >> shift, np.intp)

    between = scores[(scores >= at[0]) & (scores <= at[-1])]
    cell, own = cells(between), cells(at)
    count, shared = np.bincount(cell, minlength=own[-1] + 1), np.zeros(own[-1] + 1, bool)
    shared[own] = True
    count[shared] = 0
    found += np.count_nonzero(scores < at[0]) + np.cumsum(count)[own]
    _count_ranked(at, [np.sort(between[shared[cell]])], found)
    return found


def _sortable(values: Array) -> Array:
    """Unsigned integers that sort as the floats do."""
    signed = (values + values.dtype.type(0)).view(f"i{values.itemsize}")  # -0 and 0 are one number
    wide = 8 * values.itemsize - 1
    keys: Array = signed ^ ((signed >> wide) | signed.dtype.type(-1 << wide))
    return keys.view(f"u{values.itemsize}")


@compiled_or_numpy
def scan_curve(
    what: str,
    tp: Array,
    fp: Array,
    fp_above: Array,
    positives: Any,
    negatives: Any,
    beta: float = 1.0,
) -> Array:
    """A sum or a maximum over the thresholds of a curve (..., m), from the highest down: (...,).

    area: of negatives below each positive row and at it, the former twice; precision: of the precision at each positive
    row; lead: the most that the true positive rate is above the false one; f_beta: the highest.
    """
    if tp.ndim > 1 or len(tp) <= BLOCK:
        return _scan(what, tp, fp, fp_above, positives, negatives, beta)
    blocks = [slice(start, start + BLOCK) for start in range(0, len(tp), BLOCK)]
    begun = [tp[block.start - 1] if block.start else 0 for block in blocks]
    found = [
        _scan(what, tp[block], fp[block], fp_above[block], positives, negatives, beta, passed)
        for block, passed in zip(blocks, begun, strict=True)
    ]
    return np.asarray(np.max(found) if what in ("lead", "f_beta") else np.sum(found))


def _scan(
    what: str,
    tp: Array,
    fp: Array,
    fp_above: Array,
    positives: Any,
    negatives: Any,
    beta: float,
    passed: Any = 0,
) -> Array:
    """As scan_curve, of the thresholds after those that `passed` positive rows reach."""
    p, q = np.expand_dims(positives, -1), np.expand_dims(negatives, -1)
    if what == "lead":
        return np.asarray((divide(tp, p) - divide(fp, q)).max(axis=-1, initial=0.0))
    if what == "f_beta":
        return np.asarray(
            divide((1 + beta**2) * tp, beta**2 * p + tp + fp).max(axis=-1, initial=0.0)
        )
    each = 2 * q - fp - fp_above if what == "area" else divide(tp, tp + fp)
    return np.asarray((np.diff(tp, prepend=passed, axis=-1) * each).sum(axis=-1))


def select_places(
    pieces: Sequence[Callable[[], Array]],
    count: int,
    places: Array,
    sample: Array,
    threads: int = 1,
) -> Array:
    """The numbers that stand at `places` (m,) of the sorted list of all of them: (m,), nan where one of them is none.

    pieces: each gives some of the `count` numbers when it is called; all are called once, and only what lies about the
    places is kept. sample: some of the numbers, evenly spread, that tell where that is: more are kept, in a second
    pass, should they mislead.
    """
    low, high = _ends(sample.ravel(), places / max(count, 1))
    with ThreadPoolExecutor(threads) as pool:
        parts = list(
            pool.map(partial(_keep_pieces, low, high), (pieces[i::threads] for i in range(threads)))
        )
    kept, below = np.concatenate([held for held, _ in parts]), sum(under for _, under in parts)
    if np.isnan(kept).any():
        return np.full(len(places), np.nan)
    own = places - below
    if own.min(initial=0) < 0 or own.max(initial=-1) >= len(kept):
        return select_places(pieces, count, places, sample[:0], threads)
    if 4 * len(sample) < len(kept) < count // 2:  # many, that a part of them tells apart as well
        return select_places([lambda: kept], len(kept), own, kept[:: len(kept) // len(sample)])
    return np.asarray(np.partition(kept, own)[own])


def _ends(sample: Array, shares: Array) -> tuple[float, float]:
    """Between which numbers those at some shares of the whole lie, as a sample (m,) has it, by five deviations."""
    reach = 2.5 * math.sqrt(len(sample))
    first, last = (
        shares.min(initial=1) * len(sample) - reach,
        shares.max(initial=0) * len(sample) + reach,
    )
    at = [place for place in (int(first), int(last)) if 0 <= place < len(sample)]
    ranked = np.partition(sample, at) if at else sample
    return ranked[int(first)] if first > 0 else -np.inf, ranked[int(last)] if last < len(
        sample
    ) else np.inf


def _keep_pieces(low: float, high: float, pieces: Sequence[Callable[[], Array]]) -> tuple[Array, int]:
    """As keep_between, of all pieces together."""
    held, below = [np.empty(0)], 0
    for piece in pieces:
        kept, under = keep_between(piece(), low, high)
        held.append(kept)
        below += under
    return np.concatenate(held), below


@compiled_or_numpy
def keep_between(values: Array, low: float, high: float) -> tuple[Array, int]:
    """The numbers (n,) from `low` to `high`, and those that are none, in their order; and how many lie below."""
    outside = values < low
    below = int(np.count_nonzero(outside))
    outside |= values > high
    return values[np.logical_not(outside, out=outside)], below


def count_ties(positive: Array, negative: Array, weight: Array | None = None) -> Array:
    """For each of `positive` (m,): the weight of `negative` (n,) below it plus half of that at its score: (m,).

    Divided by the total weight of `negative` this is the placement of DeLong (1988).
    """
    if weight is None:
        ranked = np.sort(negative)
    else:
        order = np.argsort(negative, kind="stable")
        ranked = negative[order]
    below = np.searchsorted(ranked, positive, "left")
    upto = np.searchsorted(ranked, positive, "right")
    if weight is None:
        return np.asarray(below + upto, np.float64) * 0.5
    mass = np.concatenate([[0.0], np.cumsum(weight[order])])
    return np.asarray(mass[below] + mass[upto]) * 0.5


@compiled_or_numpy
def rank_labels(truth: Array, score: Array) -> tuple[Array, Array, Array]:
    """How the labels of each row are ordered by score (n, k): average precision, ranking loss, coverage, each (n,).

    Average precision of the true labels (1 where there is none), share of pairs of a true and a false label with the
    false one scored at least as high (0 where there is no such pair), and how far down the list the last true label is.
    """
    n, k = truth.shape
    precision, loss, depth = np.ones(n), np.zeros(n), np.zeros(n, np.int32)
    step = max(1, BLOCK // max(k, 1))
    for start in range(0, n, step):
        block = slice(start, start + step)
        true = truth[block].astype(bool)
        row, at = np.nonzero(true)
        s = score[block]
        there = s[row] >= s[row, at][:, None]
        everything, hits = (
            np.count_nonzero(there, axis=1),
            np.count_nonzero(there & true[row], axis=1),
        )
        real = np.count_nonzero(true, axis=1)
        some = real > 0
        sums = np.bincount(row, hits / everything, minlength=len(true))
        precision[block][some] = sums[some] / real[some]
        pairs = real * (k - real)
        loss[block] = divide(np.bincount(row, everything - hits, minlength=len(true)), pairs)
        np.maximum.at(depth[block], row, everything.astype(np.int32))
    return precision, loss, depth
