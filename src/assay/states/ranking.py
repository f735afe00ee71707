"""Order: scores sorted once, as ranking problems, and the curve that every metric of order is read off.

A binary table is one problem (the positive class), any other one for each class against the rest. Sorting the scores of
positive and of negative rows apart, by value, is an order of magnitude faster than sorting rows.

>>> import numpy as np
>>> curve = Order.of(np.array([False, True, True]), np.array([0.2, 0.9, 0.2])).curve
>>> curve.score.tolist(), curve.tp.tolist(), curve.fp.tolist()
([0.9, 0.2], [1, 2], [0, 1])
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple, TypeVar

import numpy as np

from assay.core.lazy import lazy_property
from assay.kernels import Array, count_below, rank_scores
from assay.table.schema import Schema

__all__ = ["Curve", "RankingProblem", "Ranking", "draw_curves", "count_threads"]

T = TypeVar("T")

# Scores of all problems together, up to which their sorted copies are kept for the next metric.
KEPT = 1 << 27
# Class columns, at most, and rows of them that are gathered at a time.
COLUMNS, ROWS = 64, 512
# Rows of all replicates together that are weighed at a time.
AT_ONCE = 1 << 22


class Curve(NamedTuple):
    """What a threshold gains and costs, at each distinct score of a positive row, from the highest down.

    Arrays (..., m), the leading axes those of bootstrap replicates; `positives` and `negatives` (...,) the total
    weights. Counts are int64 where rows have no weights. Between two thresholds only negatives pass, so every vertex of
    the ROC curve is (fp_above[i], tp[i - 1]) or (fp[i], tp[i]); rows that tie with a threshold enter together.
    """

    score: Array  # (m,) thresholds, descending
    tp: Array  # weight of the positive rows that score at least as much
    fp: Array  # weight of the negative rows that score at least as much
    fp_above: Array  # weight of the negative rows that score more
    positives: Any
    negatives: Any

    @property
    def new_positives(self) -> Array:
        """Weight of the positive rows at each threshold (..., m)."""
        return np.diff(self.tp, prepend=0, axis=-1)

    @property
    def roc(self) -> tuple[Array, Array]:
        """Vertices (..., 2 m + 2) of the ROC curve, from (0, 0) to (1, 1): false and true positive rate."""
        zero, one = np.zeros_like(self.tp[..., :1]), np.ones_like(self.tp[..., :1])
        before = np.concatenate([zero, self.tp[..., :-1]], axis=-1)
        tp = np.stack([before, self.tp], axis=-1).reshape(*self.tp.shape[:-1], -1)
        fp = np.stack([self.fp_above, self.fp], axis=-1).reshape(tp.shape)
        with np.errstate(divide="ignore", invalid="ignore"):
            fpr, tpr = (
                fp / np.expand_dims(self.negatives, -1),
                tp / np.expand_dims(self.positives, -1),
            )
        return np.concatenate([zero, fpr, one], axis=-1), np.concatenate([zero, tpr, one], axis=-1)


@dataclass(frozen=True, eq=False)
class RankingProblem:
    """One ranking problem, sorted: scores of positive rows (p,) and of negative rows (q,), ascending.

    Beside them, where there are any, their weights, and the cells they belong to. Of rows that count alike and are not
    drawn again only the curve is kept, as `known`.
    """

    above: Array
    below: Array
    weights: tuple[Array, Array] | None = None
    cells: tuple[Array, Array] | None = None
    known: Curve | None = None

    @staticmethod
    def from_scores(
        positive: Array,
        score: Array,
        weight: Array | None = None,
        cell: Array | None = None,
        threads: int = 1,
    ) -> "RankingProblem":
        """The problem of telling the rows where `positive` (n,) from the others by `score` (n,)."""
        if weight is None and cell is None:
            p = int(np.count_nonzero(positive))
            curve = Curve(*rank_scores(positive, score, threads), p, len(score) - p)
            return RankingProblem(score[:0], score[:0], known=curve)
        above, below = score[positive], score[~positive]
        a, b = np.argsort(above, kind="stable"), np.argsort(below, kind="stable")
        weights, cells = (
            None if column is None else (column[positive][a], column[~positive][b])
            for column in (weight, cell)
        )
        return RankingProblem(above[a], below[b], weights, cells)

    @property
    def rows(self) -> tuple[int, int]:
        """Numbers of positive and of negative rows."""
        return (
            (len(self.above), len(self.below))
            if self.known is None
            else (self.known.positives, self.known.negatives)
        )

    @lazy_property
    def places(self) -> tuple[Array, Array, Array, Array]:
        """Distinct scores of positive rows (m,), the first row of each, and how many negatives lie below, and up to."""
        first = np.ones(len(self.above), bool)
        np.not_equal(self.above[1:], self.above[:-1], out=first[1:])
        start = np.arange(len(self.above)) if first.all() else np.flatnonzero(first)
        score = self.above if len(start) == len(self.above) else self.above[start]
        return (score, start, *count_below(self.below, score))

    @lazy_property
    def curve(self) -> Curve:
        """The curve of the problem."""
        if self.known is not None:
            return self.known
        score, start, less, upto = self.places
        if self.weights is None:
            p, q = len(self.above), len(self.below)
            return Curve(score[::-1], p - start[::-1], q - less[::-1], q - upto[::-1], p, q)
        return self._curve(*self.weights)

    def resample(self, times: Array) -> Curve:
        """The curves of replicates (b, m), where `times` (b, cells) says how often each cell enters each of them."""
        assert self.cells is not None
        drawn = [times[:, cell].astype(np.float64) for cell in self.cells]
        if self.weights is not None:
            drawn = [part * weight for part, weight in zip(drawn, self.weights, strict=True)]
        return self._curve(*drawn)

    def _curve(self, of_above: Array, of_below: Array) -> Curve:
        score, start, less, upto = self.places
        mass, other = _accumulate(of_above), _accumulate(of_below)
        positives, negatives = mass[..., -1:], other[..., -1:]
        tp = positives - mass[..., start[::-1]]
        fp, fp_above = (negatives - other[..., place[::-1]] for place in (less, upto))
        return Curve(score[::-1], tp, fp, fp_above, positives[..., 0], negatives[..., 0])


def draw_curves(curve: Curve, rng: "np.random.Generator", draws: int, blocks: int = 4096) -> Curve:
    """Curves (draws, blocks) of samples like the one at hand, of rows that count alike, in blocks of rows by score.

    Rows are drawn by Poisson's law, which for many rows is to draw them with replacement.
    """
    upto = np.asarray(curve.tp + curve.fp, np.float64)
    ends = np.unique(
        np.searchsorted(upto, np.linspace(0, upto[-1] if len(upto) else 0, blocks + 1)[1:])
    )
    ends = ends[ends < len(upto)]
    gained, passed = np.diff(curve.tp[ends], prepend=0), np.diff(curve.fp[ends], prepend=0)
    gained, passed = (rng.poisson(each, (draws, len(ends))) for each in (gained, passed))
    rest = rng.poisson(float(curve.negatives) - float(curve.fp[ends[-1:]].sum()), draws)
    fp = np.cumsum(passed, axis=1)
    negatives = passed.sum(axis=1) + rest
    return Curve(
        curve.score[ends], np.cumsum(gained, axis=1), fp, fp - passed, gained.sum(axis=1), negatives
    )


def _accumulate(weight: Array) -> Array:
    return np.concatenate([np.zeros((*weight.shape[:-1], 1)), np.cumsum(weight, axis=-1)], axis=-1)


@dataclass(frozen=True, eq=False)
class Ranking:
    """Scores (n,) or (n, k) and truth of all rows, in row order, as one ranking problem per class.

    `times` (b, cells), where given, makes it b replicates: how often each cell of rows enters each of them.
    """

    score: Array
    truth: Array
    weight: Array | None
    schema: Schema
    cell: Array | None = None
    times: Array | None = None

    @property
    def count(self) -> int:
        """Number of ranking problems."""
        return 1 if self.schema.task == "binary" else self.score.shape[1]

    @property
    def problems(self) -> Iterator[tuple[Array, Array]]:
        """(is positive, score) for the positive class of a binary task, or for each class against the rest."""
        for codes in self._blocks:
            yield from self._split_problems(codes)

    @property
    def _blocks(self) -> list[range]:
        """Problems whose scores are gathered together: as many as share the lines of memory that hold them.

        Every thread has as many of them as the others.
        """
        k, threads = self.count, count_threads(self.score.size)
        wide = int(np.clip(AT_ONCE // max(len(self.score), 1), 4, COLUMNS))
        wide = max(1, -(-k // (threads * max(1, round(k / (threads * wide))))))
        return [range(start, min(start + wide, k)) for start in range(0, k, wide)]

    def _split_problems(self, codes: range) -> Iterator[tuple[Array, Array]]:
        if self.schema.task == "binary":
            yield self.truth == self.schema.positive_code, self.score
            return
        columns = np.empty((len(codes), len(self.score)), self.score.dtype)
        for start in range(0, len(self.score), ROWS):
            columns[:, start : start + ROWS] = self.score[
                start : start + ROWS, codes.start : codes.stop
            ].T
        for code, score in zip(codes, columns, strict=True):
            yield (
                (
                    self.truth[:, code] != 0
                    if self.schema.task == "multilabel"
                    else self.truth == code
                ),
                score,
            )

    def read(self, compute: Callable[[Curve], Any]) -> Array:
        """What `compute_curve` makes of every problem (problems,), or of every replicate of it (b, problems)."""
        if self.times is None:
            return np.array(self.map_problems(lambda order: compute(order.curve)), np.float64).reshape(
                self.count
            )
        return np.stack(self.map_problems(lambda order: self._replicates(order, compute)), axis=-1)

    def _replicates(self, order: RankingProblem, compute: Callable[[Curve], Any]) -> Array:
        assert self.times is not None
        step = max(1, AT_ONCE // max(len(self.truth), 1))
        blocks = (self.times[start : start + step] for start in range(0, len(self.times), step))
        return np.concatenate([np.atleast_1d(compute(order.resample(block))) for block in blocks])

    def map_problems(self, read: Callable[[RankingProblem], T]) -> list[T]:
        """What `read` makes of every problem, on as many threads as pay."""
        if self.score.size <= KEPT:
            return _map(read, self._orders, self.score.size)
        return self._map_problems(read)

    @lazy_property
    def _orders(self) -> list[RankingProblem]:
        return self._map_problems(lambda order: order)

    def _map_problems(self, read: Callable[[RankingProblem], T]) -> list[T]:
        blocks = _map(
            lambda codes: [read(self._order(p)) for p in self._split_problems(codes)],
            self._blocks,
            self.score.size,
        )
        return list(chain.from_iterable(blocks))

    def _order(self, problem: tuple[Array, Array]) -> RankingProblem:
        threads = count_threads(self.score.size) if self.count == 1 else 1
        return RankingProblem.from_scores(*problem, self.weight, None if self.times is None else self.cell, threads)

    @lazy_property
    def sizes(self) -> list[tuple[int, int]]:
        """Numbers of positive and of negative rows of every problem."""
        return self.map_problems(lambda order: order.rows)


def _map(read: Callable[[Any], T], items: Any, size: int) -> list[T]:
    threads = count_threads(size)
    if threads == 1:
        return list(map(read, items))
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(read, items))


def count_threads(size: int) -> int:
    """How many threads pay for so many scores."""
    return min(os.cpu_count() or 1, 8) if size >= 1 << 16 else 1
