"""Probabilities: what rows of class probabilities say of the truth, row by row or added up.

>>> import numpy as np
>>> own, top, others, before, answer = proba_stats(np.array([[0.2, 0.8], [0.6, 0.4]]), np.array([1, 1]))
>>> own.tolist(), before.tolist(), answer.tolist()
([0.8, 0.4], [0, 1], [1, 0])
"""

from collections.abc import Iterator

import numpy as np

from assay._native import FEW_CLASSES, Array
from assay.kernels.counts import count_pairs
from assay.kernels.dispatch import BLOCK, compiled_or_numpy
from assay.kernels.sums import merge_moments

__all__ = ["FEW_CLASSES", "bin_rows", "proba_stats", "sum_proba_stats"]


@compiled_or_numpy
def bin_rows(proba: Array, right: Array, edges: Array) -> tuple[Array, Array, Array]:
    """Rows, the sum of their probabilities, and rows that were `right` (n,), per bin of equal width: (bins,), float64.

    An inner edge belongs to the bin above it.
    """
    proba, bins = np.asarray(proba, np.float64), len(edges) - 1
    place = proba * bins
    code = place.astype(np.intp)
    # Put right where the product may round across an edge.
    place -= np.rint(place)
    near = np.flatnonzero(np.abs(place, out=place) < 1e-9)
    code[near] = np.searchsorted(edges, proba[near], "right") - 1
    np.minimum(code, bins - 1, out=code)
    sums = np.bincount(code, proba, bins).astype(np.float64)
    missed, hit = (
        np.bincount(code + bins * (right != 0), minlength=2 * bins)
        .reshape(2, bins)
        .astype(np.float64)
    )
    return missed + hit, sums, hit


@compiled_or_numpy
def proba_stats(proba: Array, truth: Array) -> tuple[Array, Array, Array, Array, Array]:
    """What rows of class probabilities (n, k) say, in one pass, each (n,).

    The probability of the true class, the highest one, the sum of the squares of all but the true one, how many classes
    come before the true one (more probable, or as probable and declared earlier), and the class of the highest.
    """
    n, k = proba.shape
    own, top, others = np.empty(n), np.empty(n), np.empty(n)
    before, answer = np.empty(n, np.int32), np.empty(n, np.int32)
    facts_of = _facts_of_two if k == 2 else _facts_of_few if k <= FEW_CLASSES else _facts_of_many
    for start, stop in _blocks(proba, truth):
        block = slice(start, stop)
        p, t = proba[block], truth[block] if k == 2 else truth[block].astype(np.intp)
        own[block], top[block], others[block], before[block] = facts_of(p, t)
        wrong = before[block] > 0
        answer[block] = t ^ wrong if k == 2 else t
        wrong = np.isnan(own[block] + others[block]) | (wrong & (k != 2))
        if wrong.any():
            answer[block][wrong] = p[wrong].argmax(axis=1)
    return own, top, others, before, answer


def _blocks(proba: Array, truth: Array) -> Iterator[tuple[int, int]]:
    """Where rows of probabilities that stay in cache begin and end."""
    n, k = proba.shape
    if truth.shape != (n,):
        raise ValueError(f"{n} rows of probabilities beside a truth of shape {truth.shape}")
    step = max(1, min(4 * BLOCK, 16 * BLOCK // max(k, 1)))
    return ((start, min(start + step, n)) for start in range(0, n, step))


def _facts_of_two(p: Array, t: Array) -> tuple[Array, Array, Array, Array]:
    """As proba_stats but for the answer: all but the truth is one number."""
    if t.max(initial=0) > 1 or t.min(initial=0) < 0:
        raise IndexError("a code is not below 2")
    a, b, second = p[:, 0], p[:, 1], t != 0
    mine, rest = np.where(second, b, a), np.where(second, a, b)
    ahead = (rest > mine) | ((rest == mine) & second)
    return mine, np.maximum(a, b), np.square(rest, dtype=np.float64), ahead


def _facts_of_few(p: Array, t: Array) -> tuple[Array, Array, Array, Array]:
    """As proba_stats but for the answer, class by class."""
    columns, classes = p.T.copy(), np.arange(p.shape[1])[:, None]  # written to below
    at = (t, np.arange(len(t)))
    mine = columns[at]
    top, ahead = columns.max(axis=0), (columns > mine).sum(axis=0, dtype=np.uint8)
    level = columns == mine
    if np.count_nonzero(level) > len(t):
        ahead += (level & (classes < t)).sum(axis=0, dtype=np.uint8)
    columns[at] = 0
    rest = columns.astype(np.float64)
    return mine, top, np.einsum("ij,ij->j", rest, rest), ahead


def _facts_of_many(p: Array, t: Array) -> tuple[Array, Array, Array, Array]:
    """As proba_stats but for the answer, row by row."""
    mine = p[np.arange(len(t)), t]
    ahead = _count_rows(np.greater, p, mine)
    if np.count_nonzero(p == mine[:, None]) > len(t):
        ahead += np.count_nonzero(
            (p == mine[:, None]) & (np.arange(p.shape[1]) < t[:, None]), axis=1
        )
    rest = p.astype(np.float64)
    rest[np.arange(len(t)), t] = 0.0
    return mine, p.max(axis=1), np.einsum("ij,ij->i", rest, rest), ahead


def _count_rows(compare: np.ufunc, p: Array, bar: Array) -> Array:
    """In how many columns of each row of `p` (n, k) the comparison with its `bar` (n,) holds, eight columns at once."""
    k = p.shape[1]
    held = np.zeros((len(p), -(-k // 8) * 8), bool)
    compare(p, bar[:, None], out=held[:, :k])
    words = held.view(np.uint64)
    counts = np.zeros(len(p), np.int64)
    for start in range(0, words.shape[1], 255):  # what a byte holds
        lanes = np.ascontiguousarray(words[:, start : start + 255].sum(axis=1))
        counts += lanes.view(np.uint8).reshape(-1, 8).sum(axis=1, dtype=np.int64)
    return counts


@compiled_or_numpy
def sum_proba_stats(
    proba: Array, truth: Array, edges: Array, floor: float, positive: int
) -> tuple[Array, Array, Array, Array | None]:
    """What is added up of rows of class probabilities (n, k), in one pass: sums (5,), ranks (k,), bins (3, b), table.

    Mean and centred second moment of the log loss (of probabilities under `floor`, that of it) and of the Brier score,
    and for how many rows the floor was used; for how many 0, 1, ... classes come before the true one; bins as of
    bin_rows, of the highest probability, or of that of the class `positive` where it is not -1; and for how many rows
    of each class each was the answer (k, k), of a few classes.
    """
    k = proba.shape[1]
    parts, ranks, bins = [], np.zeros(k, np.int64), np.zeros((3, len(edges) - 1))
    table = np.zeros((k, k), np.int64) if k <= FEW_CLASSES else None
    for start, stop in _blocks(proba, truth):
        p, t = proba[start:stop], truth[start:stop]
        own, top, others, before, answer = proba_stats(p, t)
        behind = before[before > 0]  # of a good model few
        ranks += np.bincount(behind, minlength=k)
        ranks[0] += len(before) - len(behind)
        stated = (top, before == 0) if positive < 0 else (p[:, positive], t == positive)
        bins += bin_rows(*stated, edges)
        if table is not None:
            table += count_pairs(t, answer.astype(t.dtype), k)
        found = np.empty((2, len(own)))
        loss, missed = found
        np.negative(np.log(np.maximum(own, floor, out=loss), out=loss), out=loss)
        np.square(np.subtract(1, own, out=missed), out=missed)
        missed += others
        mean = found.mean(axis=1)
        found -= mean[:, None]
        parts.append(
            (len(t), mean, np.einsum("ij,ij->i", found, found), np.count_nonzero(own < floor))
        )
    weights, means, m2s, floored = (
        np.array(part, np.float64)[:, None] for part in zip(*parts, strict=True)
    )
    _, mean, m2 = merge_moments(weights, means, m2s)
    return np.array([mean[0, 0], m2[0, 0], mean[0, 1], m2[0, 1], floored.sum()]), ranks, bins, table
