"""Probability: what rows of class probabilities say of the truth, row by row or added up.

>>> import numpy as np
>>> proba, truth = np.array([[0.2, 0.8], [0.6, 0.4]]), np.array([1, 1])
>>> of_truth, top, others, before, answer = compute_proba_stats(proba, truth)
>>> of_truth.tolist(), before.tolist(), answer.tolist()
([0.8, 0.4], [0, 1], [1, 0])
"""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np

from assay._native import FEW_CLASSES, Array
from assay.kernels.cells import count_cells
from assay.kernels.counts import count_pairs
from assay.kernels.dispatch import BLOCK, compiled_or_numpy
from assay.kernels.sums import merge_moments

__all__ = [
    "FEW_CLASSES",
    "bin_rows",
    "compute_logit_stats",
    "compute_proba_stats",
    "count_odds",
    "sum_proba_stats",
]

Stats: TypeAlias = tuple[Array, Array, Array, Array]


@compiled_or_numpy
def bin_rows(proba: Array, right: Array, edges: Array) -> tuple[Array, Array, Array]:
    """Rows, the sum of their probabilities, and rows that were right, per bin: (bins,), float64.

    `proba` and `right` are (n,); the bins between `edges` (bins + 1,) are of equal width, and an
    inner edge belongs to the bin above it.
    """
    proba = np.asarray(proba, np.float64)
    bins = len(edges) - 1
    place = proba * bins
    code = place.astype(np.intp)
    # The product may round across an edge: such rows are searched for among the edges.
    place -= np.rint(place)
    near = np.flatnonzero(np.abs(place, out=place) < 1e-9)
    code[near] = np.searchsorted(edges, proba[near], "right") - 1
    np.minimum(code, bins - 1, out=code)
    sums = np.bincount(code, proba, bins).astype(np.float64)
    counts = np.bincount(code + bins * (right != 0), minlength=2 * bins).astype(np.float64)
    missed, hit = counts.reshape(2, bins)
    return missed + hit, sums, hit


@compiled_or_numpy
def compute_proba_stats(proba: Array, truth: Array) -> tuple[Array, Array, Array, Array, Array]:
    """What rows of class probabilities `proba` (n, k) say of `truth` (n,), in one pass, each (n,).

    The probability of the true class; the highest one; the sum of the squares of all but the true
    one; how many classes come before the true one (more probable, or as probable and declared
    earlier); and the class of the highest.
    """
    n, k = proba.shape
    of_truth = np.empty(n)
    top = np.empty(n)
    others = np.empty(n)
    before = np.empty(n, np.int32)
    answer = np.empty(n, np.int32)
    compute = _choose_stats(k)
    for start, stop in _iter_blocks(proba, truth):
        block = slice(start, stop)
        p = proba[block]
        t = truth[block] if k == 2 else truth[block].astype(np.intp)
        of_truth[block], top[block], others[block], before[block] = compute(p, t)
        wrong = before[block] > 0
        answer[block] = t ^ wrong if k == 2 else t
        wrong = np.isnan(of_truth[block] + others[block]) | (wrong & (k != 2))
        if wrong.any():
            answer[block][wrong] = p[wrong].argmax(axis=1)
    return of_truth, top, others, before, answer


@compiled_or_numpy
def compute_logit_stats(logit: Array, odds: bool = False) -> tuple[Array, Array, Array]:
    """What rows of `logit` (n, k) say, in one pass.

    The probability of the highest (n,); its class (n,), the first of those that tie; and the log
    odds of each class against the others (n, k), or (0, k) unless `odds` are asked for. These are
    exact where the probability would round to 0 or 1. Logits are defined up to a constant of the
    row, so they rank rows only after it is subtracted.
    """
    logit = np.asarray(logit, np.float64)
    at = (np.arange(len(logit)), logit.argmax(axis=1))
    shifted = logit - logit[at][:, None]
    others = np.exp(shifted)
    others[at] = 0
    total = others.sum(axis=1)
    top = 1 / (1 + total)
    if not odds:
        return top, at[1].astype(np.int32), logit[:0]
    rest = (1 + total)[:, None] - others
    log_odds = shifted - np.log(rest)
    shifted[at] = -np.inf
    second = shifted.max(axis=1)
    log_odds[at] = -second - np.log(np.exp(shifted - second[:, None]).sum(axis=1))
    return top, at[1].astype(np.int32), log_odds


@compiled_or_numpy
def count_odds(logit: Array, truth: Array, coarse: int, cells: int) -> tuple[Array, Array, Array]:
    """What rows of `logit` (n, k) say, as `compute_logit_stats`, and where their log odds lie.

    The probability of the highest (n,), its class (n,), and how many rows have log odds in each of
    so many `cells` of each class (k, cells, 2), those whose `truth` (n,) it is last; cells are
    those of `find_cells` with `coarse`.
    """
    top, answer, odds = compute_logit_stats(logit, True)
    positive = truth[:, None] == np.arange(logit.shape[1])
    return top, answer, count_cells(odds, positive, False, coarse, cells)


def _iter_blocks(proba: Array, truth: Array) -> Iterator[tuple[int, int]]:
    """Where the blocks of rows of probabilities, each of which stays in cache, begin and end."""
    n, k = proba.shape
    if truth.shape != (n,):
        raise ValueError(f"{n} rows of probabilities beside a truth of shape {truth.shape}")
    step = max(1, min(4 * BLOCK, 16 * BLOCK // max(k, 1)))
    return ((start, min(start + step, n)) for start in range(0, n, step))


def _choose_stats(k: int) -> Callable[[Array, Array], Stats]:
    if k == 2:
        return _compute_stats_of_two
    return _compute_stats_by_class if k <= FEW_CLASSES else _compute_stats_by_row


def _compute_stats_of_two(p: Array, t: Array) -> Stats:
    """As `compute_proba_stats`, without the answer: all but the truth is one number."""
    if t.max(initial=0) > 1 or t.min(initial=0) < 0:
        raise IndexError("a code is not below 2")
    first, second = p.T
    is_second = t != 0
    of_truth = np.where(is_second, second, first)
    other = np.where(is_second, first, second)
    before = (other > of_truth) | ((other == of_truth) & is_second)
    return of_truth, np.maximum(first, second), np.square(other, dtype=np.float64), before


def _compute_stats_by_class(p: Array, t: Array) -> Stats:
    """As `compute_proba_stats`, without the answer, class by class."""
    columns = p.T.copy()  # a copy, since the true class is set to 0 in it below
    classes = np.arange(p.shape[1])[:, None]
    at = (t, np.arange(len(t)))
    of_truth = columns[at]
    top = columns.max(axis=0)
    before = (columns > of_truth).sum(axis=0, dtype=np.uint8)
    tied = columns == of_truth
    if np.count_nonzero(tied) > len(t):
        before += (tied & (classes < t)).sum(axis=0, dtype=np.uint8)
    columns[at] = 0
    others = columns.astype(np.float64)
    return of_truth, top, np.einsum("ij,ij->j", others, others), before


def _compute_stats_by_row(p: Array, t: Array) -> Stats:
    """As `compute_proba_stats`, without the answer, row by row."""
    at = (np.arange(len(t)), t)
    of_truth = p[at]
    before = _count_columns(np.greater, p, of_truth)
    tied = p == of_truth[:, None]
    if np.count_nonzero(tied) > len(t):
        before += np.count_nonzero(tied & (np.arange(p.shape[1]) < t[:, None]), axis=1)
    others = p.astype(np.float64)
    others[at] = 0.0
    return of_truth, p.max(axis=1), np.einsum("ij,ij->i", others, others), before


def _count_columns(compare: np.ufunc, p: Array, bar: Array) -> Array:
    """In how many columns of `p` (n, k) the comparison with `bar` (n,) holds, eight at a time."""
    k = p.shape[1]
    holds = np.zeros((len(p), -(-k // 8) * 8), bool)
    compare(p, bar[:, None], out=holds[:, :k])
    words = holds.view(np.uint64)
    counts = np.zeros(len(p), np.int64)
    for start in range(0, words.shape[1], 255):  # a byte holds the sum of 255 words
        lanes = np.ascontiguousarray(words[:, start : start + 255].sum(axis=1))
        counts += lanes.view(np.uint8).reshape(-1, 8).sum(axis=1, dtype=np.int64)
    return counts


@compiled_or_numpy
def sum_proba_stats(
    proba: Array, truth: Array, edges: Array, floor: float, positive: int
) -> tuple[Array, Array, Array, Array | None]:
    """What one pass adds up of class probabilities `proba` (n, k) beside `truth` (n,).

    sums (5,)         mean and centred second moment of the log loss, where a probability below
                      `floor` counts as `floor`; the same of the Brier score; rows below the floor
    ranks (k,)        for how many rows 0, 1, ... classes come before the true one
    bins (3, bins)    as of `bin_rows` with `edges`, of the highest probability, or of that of the
                      class `positive` where it is not -1
    table (k, k)      for how many rows of each class each was the answer; None of many classes
    """
    k = proba.shape[1]
    weights: list[float] = []
    means: list[Array] = []
    m2s: list[Array] = []
    floored = 0
    ranks = np.zeros(k, np.int64)
    bins = np.zeros((3, len(edges) - 1))
    table = np.zeros((k, k), np.int64) if k <= FEW_CLASSES else None
    for start, stop in _iter_blocks(proba, truth):
        p = proba[start:stop]
        t = truth[start:stop]
        of_truth, top, others, before, answer = compute_proba_stats(p, t)
        behind = before[before > 0]  # few rows of a good model
        ranks += np.bincount(behind, minlength=k)
        ranks[0] += len(before) - len(behind)
        judged = (top, before == 0) if positive < 0 else (p[:, positive], t == positive)
        bins += bin_rows(*judged, edges)
        if table is not None:
            table += count_pairs(t, answer.astype(t.dtype), k)
        floored += int(np.count_nonzero(of_truth < floor))
        losses = np.empty((2, len(of_truth)))
        log_loss, brier = losses
        np.log(np.maximum(of_truth, floor, out=log_loss), out=log_loss)
        np.negative(log_loss, out=log_loss)
        np.square(np.subtract(1, of_truth, out=brier), out=brier)
        brier += others
        mean = losses.mean(axis=1)
        losses -= mean[:, None]
        weights.append(float(len(t)))
        means.append(mean)
        m2s.append(np.einsum("ij,ij->i", losses, losses))
    _, mean, m2, _ = merge_moments(
        np.array(weights)[:, None], np.array(means)[:, None], np.array(m2s)[:, None]
    )
    return np.array([mean[0, 0], m2[0, 0], mean[0, 1], m2[0, 1], floored]), ranks, bins, table
