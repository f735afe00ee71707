"""Order: ranks and places of numbers, by sorting values alone or counting their leading bits.

>>> import numpy as np
>>> rank_scores(np.array([True, False, True]), np.array([0.9, 0.5, 0.5]))[1].tolist()
[1, 2]
>>> select_places([lambda: np.array([3.0, 1.0, 2.0])], np.array([1])).tolist()
[2.0]
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from assay.kernels.sums import divide
from assay.kernels.twin import BLOCK, Array, with_twin

__all__ = [
    "count_below",
    "count_leading",
    "label_ranks",
    "leading",
    "rank_scores",
    "scan_curve",
    "select_places",
    "tie_counts",
]


def count_below(ranked: Array, at: Array) -> tuple[Array, Array]:
    """How many of `ranked` (n,) lie below, and how many at or below, each of `at` (m,); both ascending: (m,) int64."""
    return np.searchsorted(ranked, at, "left"), np.searchsorted(ranked, at, "right")


@with_twin
def rank_scores(positive: Array, score: Array, threads: int = 1) -> tuple[Array, Array, Array, Array]:
    """The distinct scores of rows where `positive` (n,), descending, and how many rows reach them, each (m,), int64.

    Positive rows that score at least as much, negative ones that do, and negative ones that score more.
    """
    with ThreadPoolExecutor(threads) as pool:
        above, below = pool.map(lambda side: np.sort(score[(positive != 0) == side]), (True, False))
    first = np.ones(len(above), bool)
    np.not_equal(above[1:], above[:-1], out=first[1:])
    start = np.arange(len(above)) if first.all() else np.flatnonzero(first)
    found = above[start]
    less = np.searchsorted(below, found)
    upto = less.copy()
    inside = less[: np.searchsorted(less, len(below))]
    tied = np.flatnonzero(found[: len(inside)] == below[inside])
    upto[tied] = np.searchsorted(below, found[tied], "right")
    return found[::-1], len(above) - start[::-1], len(below) - less[::-1], len(below) - upto[::-1]


@with_twin
def scan_curve(
    what: str, tp: Array, fp: Array, fp_above: Array, positives: Any, negatives: Any, beta: float = 1.0
) -> Array:
    """A sum or a maximum over the thresholds of a curve (..., m), from the highest down: (...,).

    area: of negatives below each positive row and at it, the former twice; precision: of the precision at each positive
    row; lead: the most that the true positive rate is above the false one; f_beta: the highest.
    """
    p, q = np.expand_dims(positives, -1), np.expand_dims(negatives, -1)
    if what == "lead":
        return np.asarray((divide(tp, p) - divide(fp, q)).max(axis=-1, initial=0.0))
    if what == "f_beta":
        return np.asarray(divide((1 + beta**2) * tp, beta**2 * p + tp + fp).max(axis=-1, initial=0.0))
    each = 2 * q - fp - fp_above if what == "area" else divide(tp, tp + fp)
    return np.asarray((np.diff(tp, prepend=0, axis=-1) * each).sum(axis=-1))


def select_places(pieces: Sequence[Callable[[], Array]], places: Array, threads: int = 1) -> Array:
    """The numbers that stand at `places` (m,) of the sorted list of all of them: (m,), nan where one of them is none.

    pieces: each gives some of the numbers when it is called; all are called twice, and nothing of them is kept.
    """
    shares = [pieces[i::threads] for i in range(threads)]
    with ThreadPoolExecutor(threads) as pool:
        count = np.sum(list(pool.map(_count_cells, shares)), axis=0)
        if count[: CELL_OF[-np.inf]].any() or count[CELL_OF[np.inf] + 1 :].any():  # beyond the infinities
            return np.full(len(places), np.nan)
        upto = np.cumsum(count)
        cells = np.searchsorted(upto, places, "right")
        found = np.empty(len(places))
        for cell in dict.fromkeys(cells.tolist()):
            held = np.concatenate(list(pool.map(partial(_within_cell, cell), shares)))
            here = cells == cell
            own = places[here] - (upto[cell] - count[cell])
            found[here] = np.partition(held, own)[own]
    return found


def _count_cells(pieces: Sequence[Callable[[], Array]]) -> Array:
    count = np.zeros(CELLS, np.int64)
    for piece in pieces:
        count_leading(piece(), count)
    return count


def _within_cell(cell: int, pieces: Sequence[Callable[[], Array]]) -> Array:
    """The numbers whose leading bits are those of the cell."""
    ends = np.array([cell << 48, (cell << 48) | ((1 << 48) - 1)], np.uint64)
    ends = np.where(ends >> np.uint64(63) == 1, ends ^ np.uint64(1 << 63), ~ends).view(np.float64)
    low, high = np.where(np.isnan(ends), [-np.inf, np.inf], ends)
    held = [np.empty(0)]
    for piece in pieces:
        values = piece()
        held.append(values[(values >= low) & (values <= high)])
    return np.concatenate(held)


@with_twin
def count_leading(values: Array, count: Array) -> bool:
    """Adds to `count` (65536,) how many of the values (n,) have each pattern of leading bits; always true."""
    count += np.bincount(leading(values), minlength=CELLS)
    return True


def leading(values: Array) -> Array:
    """The sixteen leading bits (n,) of numbers, made to sort as the numbers do."""
    bits = (np.asarray(values, np.float64) + 0.0).view(np.int64) >> 48  # -0 and 0 are one number
    return np.where(bits < 0, ~bits, bits | 0x8000) & 0xFFFF


CELLS = 1 << 16
CELL_OF = {end: int(leading(np.array([end]))[0]) for end in (-np.inf, np.inf)}


def tie_counts(positive: Array, negative: Array, weight: Array | None = None) -> Array:
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


@with_twin
def label_ranks(truth: Array, score: Array) -> tuple[Array, Array, Array]:
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
        everything, hits = np.count_nonzero(there, axis=1), np.count_nonzero(there & true[row], axis=1)
        real = np.count_nonzero(true, axis=1)
        some = real > 0
        sums = np.bincount(row, hits / everything, minlength=len(true))
        precision[block][some] = sums[some] / real[some]
        pairs = real * (k - real)
        loss[block] = divide(np.bincount(row, everything - hits, minlength=len(true)), pairs)
        np.maximum.at(depth[block], row, everything.astype(np.int32))
    return precision, loss, depth
