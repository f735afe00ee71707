"""Order: ranks and places of numbers, by sorting values alone or counting their leading bits.

>>> import numpy as np
>>> rank_scores(np.array([True, False, True]), np.array([0.9, 0.5, 0.5]))[1].tolist()
[1, 2]
>>> select_places([lambda: np.array([3.0, 1.0, 2.0])], 3, np.array([1]), np.array([2.0])).tolist()
[2.0]
"""

import math
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from assay._native import Array
from assay.kernels.dispatch import BLOCK, compiled_or_numpy
from assay.kernels.sums import divide

__all__ = [
    "count_below",
    "count_ties",
    "keep_between",
    "rank_labels",
    "rank_scores",
    "scan_curve",
    "select_places",
]


# Where positive rows are at most one in so many, the others are counted, not sorted.
RARE = 8
# Leading bits by which scores are counted before any are sorted.
LEADING_BITS = 18
# Scores that are searched for at a time.
SEARCH_BLOCK = 1 << 13


def count_below(ranked: Array, at: Array) -> tuple[Array, Array]:
    """How many of `ranked` (n,) lie below, and at or below, each of `at` (m,): (m,) int64 each.

    Both arrays are ascending.
    """
    return np.searchsorted(ranked, at, "left"), np.searchsorted(ranked, at, "right")


@compiled_or_numpy
def rank_scores(
    positive: Array, score: Array, threads: int = 1
) -> tuple[Array, Array, Array, Array]:
    """The distinct scores of positive rows, descending, and how many rows reach them: (m,) each.

    The counts are int64: positive rows that score at least as much, negative rows that do, and
    negative rows that score more. `positive` and `score` are (n,); the work is shared by `threads`.
    """
    rare = score.dtype.kind == "f" and RARE * int(np.count_nonzero(positive)) <= len(score)
    step = max(1, -(-len(score) // threads))
    shares = [slice(start, start + step) for start in range(0, len(score), step)] or [slice(0)]
    with ThreadPoolExecutor(threads) as pool:

        def split(share: slice) -> tuple[Array, Array]:
            return _split_sides(positive[share] != 0, score[share], rare)

        sides = pool.map(split, shares)
        positives, others = zip(*sides, strict=True)
        ranked = _merge_runs(positives)
        is_first = np.ones(len(ranked), bool)
        np.not_equal(ranked[1:], ranked[:-1], out=is_first[1:])
        start = np.arange(len(ranked)) if is_first.all() else np.flatnonzero(is_first)
        distinct = ranked[start]
        # How many negative rows score below each distinct score, and at most as much.
        passed = np.zeros((2, len(distinct)), np.int64)
        if rare:
            for part in pool.map(partial(_count_unranked, distinct), others):
                passed += part
        else:
            ends = np.linspace(0, len(distinct), threads + 1).astype(np.intp)

            def count(i: int, j: int) -> None:
                _count_ranked(distinct[i:j], others, passed[:, i:j])

            list(pool.map(count, ends[:-1], ends[1:]))
    reaching = np.subtract(len(score) - len(ranked), passed, out=passed)[:, ::-1]
    return distinct[::-1], len(ranked) - start[::-1], reaching[0], reaching[1]


def _split_sides(positive: Array, score: Array, rare: bool) -> tuple[Array, Array]:
    """Scores of positive rows, ascending, and of the others, left unsorted where `rare`."""
    positives = score[positive]
    negatives = score[~positive]
    positives.sort()
    if not rare:
        negatives.sort()
    return positives, negatives


def _merge_runs(runs: Sequence[Array]) -> Array:
    """Ascending arrays as one; a stable sort finds the runs and merges them."""
    if len(runs) == 1:
        return runs[0]
    merged = np.concatenate(runs)
    merged.sort(kind="stable")
    return merged


def _count_ranked(at: Array, runs: Sequence[Array], counts: Array) -> None:
    """Add to `counts` (2, m) how many of the runs lie below, and at or below, each of `at` (m,).

    All arrays are ascending.
    """
    for start in range(0, len(at), SEARCH_BLOCK):
        block = at[start : start + SEARCH_BLOCK]
        for ranked in runs:
            low = np.searchsorted(ranked, block[0])
            high = np.searchsorted(ranked, block[-1], "right")
            near = ranked[low:high]  # searching in cache is faster
            less = np.searchsorted(near, block)
            counts[:, start : start + SEARCH_BLOCK] += less + low
            inside = less[: np.searchsorted(less, len(near))]
            tied = np.flatnonzero(block[: len(inside)] == near[inside])
            counts[1, start + tied] += np.searchsorted(near, block[tied], "right") - less[tied]


def _count_unranked(at: Array, scores: Array) -> Array:
    """As `_count_ranked`, of unsorted scores: only those that share leading bits are sorted."""
    counts = np.zeros((2, len(at)), np.int64)
    if not len(at):
        return counts
    lowest, highest = _convert_to_sortable(at[[0, -1]])
    shift = max(0, int(highest - lowest).bit_length() - LEADING_BITS)

    def find_cells(values: Array) -> Array:
        return np.asarray((_convert_to_sortable(values) - lowest) >> shift, np.intp)

    between = scores[(scores >= at[0]) & (scores <= at[-1])]
    cell = find_cells(between)
    cell_of_at = find_cells(at)
    count = np.bincount(cell, minlength=cell_of_at[-1] + 1)
    shared = np.zeros(cell_of_at[-1] + 1, bool)
    shared[cell_of_at] = True
    count[shared] = 0
    counts += np.count_nonzero(scores < at[0]) + np.cumsum(count)[cell_of_at]
    _count_ranked(at, [np.sort(between[shared[cell]])], counts)
    return counts


def _convert_to_sortable(values: Array) -> Array:
    """Unsigned integers that sort as the floats do."""
    signed = (values + values.dtype.type(0)).view(f"i{values.itemsize}")  # -0 and 0 are one number
    sign_bit = 8 * values.itemsize - 1
    keys: Array = signed ^ ((signed >> sign_bit) | signed.dtype.type(-1 << sign_bit))
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
    """A sum or a maximum over the thresholds of a curve, from the highest down: (...,).

    `tp`, `fp` and `fp_above` (..., m) are the weights of positive rows, of negative rows, and of
    negative rows above each threshold; `positives` and `negatives` (...,) are the totals. `what`
    is one of
      area       the sum over positive rows of the negatives at or below, plus those below
      precision  the sum of the precision at each positive row
      lead       the most that the true positive rate exceeds the false positive rate
      f_beta     the highest F score of `beta`
    """
    if tp.ndim > 1 or len(tp) <= BLOCK:
        return _scan(what, tp, fp, fp_above, positives, negatives, beta)
    results = []
    passed = 0
    for start in range(0, len(tp), BLOCK):
        block = slice(start, start + BLOCK)
        results.append(
            _scan(what, tp[block], fp[block], fp_above[block], positives, negatives, beta, passed)
        )
        passed = tp[block][-1]
    return np.asarray(np.max(results) if what in ("lead", "f_beta") else np.sum(results))


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
    """As `scan_curve`, of the thresholds after those that `passed` positive rows reach."""
    p = np.expand_dims(positives, -1)
    q = np.expand_dims(negatives, -1)
    if what == "lead":
        return np.asarray((divide(tp, p) - divide(fp, q)).max(axis=-1, initial=0.0))
    if what == "f_beta":
        scores = divide((1 + beta**2) * tp, beta**2 * p + tp + fp)
        return np.asarray(scores.max(axis=-1, initial=0.0))
    each = 2 * q - fp - fp_above if what == "area" else divide(tp, tp + fp)
    return np.asarray((np.diff(tp, prepend=passed, axis=-1) * each).sum(axis=-1))


def select_places(
    pieces: Sequence[Callable[[], Array]],
    count: int,
    places: Array,
    sample: Array,
    threads: int = 1,
) -> Array:
    """The numbers at `places` (m,) of the sorted list of all numbers: (m,); nan if any number is.

    Each of the `pieces` gives some of the `count` numbers when it is called. All are called once,
    on so many `threads`, and only numbers about the places are kept. The `sample`, numbers evenly
    spread over all, tells where that is; should it mislead, a second pass keeps more.
    """
    low, high = _bracket(sample.ravel(), places / max(count, 1))
    with ThreadPoolExecutor(threads) as pool:
        shares = (pieces[i::threads] for i in range(threads))
        parts = list(pool.map(partial(_keep_pieces, low, high), shares))
    kept = np.concatenate([part for part, _ in parts])
    below = sum(count_of_part for _, count_of_part in parts)
    if np.isnan(kept).any():
        return np.full(len(places), np.nan)
    inside = places - below
    if inside.min(initial=0) < 0 or inside.max(initial=-1) >= len(kept):
        return select_places(pieces, count, places, sample[:0], threads)
    if 4 * len(sample) < len(kept) < count // 2:
        # Many are kept: a sample of them narrows the bracket once more.
        return select_places([lambda: kept], len(kept), inside, kept[:: len(kept) // len(sample)])
    return np.asarray(np.partition(kept, inside)[inside])


def _bracket(sample: Array, shares: Array) -> tuple[float, float]:
    """Numbers between which those at `shares` of the whole lie, as a sample (m,) has it.

    The bracket reaches five standard deviations beyond; it is infinite where the sample ends.
    """
    reach = 2.5 * math.sqrt(len(sample))
    first = shares.min(initial=1) * len(sample) - reach
    last = shares.max(initial=0) * len(sample) + reach
    at = [place for place in (int(first), int(last)) if 0 <= place < len(sample)]
    ranked = np.partition(sample, at) if at else sample
    low = ranked[int(first)] if first > 0 else -np.inf
    high = ranked[int(last)] if last < len(sample) else np.inf
    return low, high


def _keep_pieces(
    low: float, high: float, pieces: Iterable[Callable[[], Array]]
) -> tuple[Array, int]:
    """As `keep_between`, of all pieces together."""
    kept = [np.empty(0)]
    below = 0
    for piece in pieces:
        part, below_part = keep_between(piece(), low, high)
        kept.append(part)
        below += below_part
    return np.concatenate(kept), below


@compiled_or_numpy
def keep_between(values: Array, low: float, high: float) -> tuple[Array, int]:
    """Those of `values` (n,) from `low` to `high`, and nan, in order; and how many lie below."""
    outside = values < low
    below = int(np.count_nonzero(outside))
    outside |= values > high
    return values[np.logical_not(outside, out=outside)], below


def count_ties(positive: Array, negative: Array, weight: Array | None = None) -> Array:
    """For each of `positive` (m,): the weight of `negative` (n,) below it plus half of that at it.

    `weight` (n,) is that of the negative rows, 1 by default. Divided by their total weight this is
    the placement of DeLong (1988): (m,).
    """
    if weight is None:
        ranked = np.sort(negative)
    else:
        order = np.argsort(negative, kind="stable")
        ranked = negative[order]
    below, upto = count_below(ranked, positive)
    if weight is None:
        return np.asarray(below + upto, np.float64) * 0.5
    mass = np.concatenate([[0.0], np.cumsum(weight[order])])
    return np.asarray(mass[below] + mass[upto]) * 0.5


@compiled_or_numpy
def rank_labels(truth: Array, score: Array) -> tuple[Array, Array, Array]:
    """Average precision, ranking loss and coverage of the labels of each row, each (n,).

    `truth` and `score` are (n, k). Average precision is that of the true labels (1 where there is
    none); ranking loss the share of pairs of a true and a false label with the false one scored at
    least as high (0 where there is no such pair); coverage how far down the list the last true
    label stands.
    """
    n, k = truth.shape
    precision = np.ones(n)
    loss = np.zeros(n)
    coverage = np.zeros(n, np.int32)
    step = max(1, BLOCK // max(k, 1))
    for start in range(0, n, step):
        block = slice(start, start + step)
        true = truth[block].astype(bool)
        row, at = np.nonzero(true)
        s = score[block]
        reaching = s[row] >= s[row, at][:, None]
        rank = np.count_nonzero(reaching, axis=1)
        hits = np.count_nonzero(reaching & true[row], axis=1)
        real = np.count_nonzero(true, axis=1)
        any_true = real > 0
        sums = np.bincount(row, hits / rank, minlength=len(true))
        precision[block][any_true] = sums[any_true] / real[any_true]
        pairs = real * (k - real)
        loss[block] = divide(np.bincount(row, rank - hits, minlength=len(true)), pairs)
        np.maximum.at(coverage[block], row, rank.astype(np.int32))
    return precision, loss, coverage
