"""Ranking: scores sorted once, as ranking problems, and the curve that ranking metrics read.

A binary table is one problem (the positive class), any other one for each class against the others.
Sorting the scores of positive and of negative rows each by themselves, by value, is ten times as
fast as sorting rows.

>>> import numpy as np
>>> positive, score = np.array([False, True, True]), np.array([0.2, 0.9, 0.2])
>>> curve = RankingProblem.from_scores(positive, score).curve
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

__all__ = ["POOLED", "Curve", "Ranking", "RankingProblem", "count_threads", "draw_curves"]

T = TypeVar("T")

# Scores of all problems together, up to which their sorted copies are kept for the next metric.
MAX_SORTED_SCORES = 1 << 27
# Class columns, at most, and rows of them that are gathered at a time.
MAX_COLUMNS = 64
GATHERED_ROWS = 512
# Scores of a block of problems, and rows of a block of replicates, that are held at a time.
BLOCK_SIZE = 1 << 22
# Of all problems as one: whether a class of a row is true.
POOLED = Schema("binary", (False, True), {}, positive=True)


class Curve(NamedTuple):
    """What a threshold gains and costs, at each distinct score of a positive row, highest first.

    Arrays are (..., m), the leading axes those of bootstrap replicates; `positives` and `negatives`
    (...,) are the total weights. Counts are int64 where rows have no weights. Between two
    thresholds only negatives pass, so every vertex of the ROC curve is (fp_above[i], tp[i - 1]) or
    (fp[i], tp[i]); rows that tie with a threshold enter together.
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
        """False and true positive rate at the vertices of the ROC curve: (..., 2 m + 2) each.

        They run from (0, 0) to (1, 1).
        """
        zero = np.zeros_like(self.tp[..., :1])
        one = np.ones_like(self.tp[..., :1])
        before = np.concatenate([zero, self.tp[..., :-1]], axis=-1)
        tp = np.stack([before, self.tp], axis=-1).reshape(*self.tp.shape[:-1], -1)
        fp = np.stack([self.fp_above, self.fp], axis=-1).reshape(tp.shape)
        with np.errstate(divide="ignore", invalid="ignore"):
            fpr = fp / np.expand_dims(self.negatives, -1)
            tpr = tp / np.expand_dims(self.positives, -1)
        return np.concatenate([zero, fpr, one], axis=-1), np.concatenate([zero, tpr, one], axis=-1)


class Places(NamedTuple):
    """Distinct scores of positive rows, ascending, and what lies about them: (m,) each."""

    score: Array
    start: Array  # position of the first positive row of that score
    below: Array  # number of negative rows that score less
    upto: Array  # number of negative rows that score at most as much


@dataclass(frozen=True, eq=False)
class RankingProblem:
    """One ranking problem: the scores of positive rows (p,) and negative rows (q,), ascending.

    Beside them, where there are any, their weights, and the strata they belong to. Of rows that
    count alike and are not resampled only the curve is kept, as `known_curve`.
    """

    positive: Array
    negative: Array
    weights: tuple[Array, Array] | None = None
    strata: tuple[Array, Array] | None = None
    known_curve: Curve | None = None

    @staticmethod
    def from_scores(
        positive: Array,
        score: Array,
        weight: Array | None = None,
        stratum: Array | None = None,
        threads: int = 1,
    ) -> "RankingProblem":
        """The problem of telling the rows where `positive` (n,) from the others by `score` (n,).

        `weight` and `stratum` (n,) are those of the rows; the sorting is shared by `threads`.
        """
        if weight is None and stratum is None:
            p = int(np.count_nonzero(positive))
            curve = Curve(*rank_scores(positive, score, threads), p, len(score) - p)
            return RankingProblem(score[:0], score[:0], known_curve=curve)
        sides = [_sort_side(side, score, weight, stratum) for side in (positive, ~positive)]
        scores, weights, strata = zip(*sides, strict=True)
        return RankingProblem(
            scores[0],
            scores[1],
            None if weight is None else weights,
            None if stratum is None else strata,
        )

    @property
    def rows(self) -> tuple[int, int]:
        """Numbers of positive and of negative rows."""
        if self.known_curve is not None:
            return self.known_curve.positives, self.known_curve.negatives
        return len(self.positive), len(self.negative)

    @lazy_property
    def places(self) -> Places:
        """Where the distinct scores of positive rows lie among all."""
        positive = self.positive
        is_first = np.ones(len(positive), bool)
        np.not_equal(positive[1:], positive[:-1], out=is_first[1:])
        if is_first.all():
            start = np.arange(len(positive))
            score = positive
        else:
            start = np.flatnonzero(is_first)
            score = positive[start]
        return Places(score, start, *count_below(self.negative, score))

    @lazy_property
    def curve(self) -> Curve:
        """The curve of the problem."""
        if self.known_curve is not None:
            return self.known_curve
        if self.weights is not None:
            return self._weigh(*self.weights)
        score, start, below, upto = self.places
        p, q = self.rows
        return Curve(score[::-1], p - start[::-1], q - below[::-1], q - upto[::-1], p, q)

    def resample(self, counts: Array) -> Curve:
        """The curves (b, m) of replicates, where `counts` (b, strata) of each stratum enter."""
        assert self.strata is not None
        weights = [counts[:, stratum].astype(np.float64) for stratum in self.strata]
        if self.weights is not None:
            weights = [drawn * weight for drawn, weight in zip(weights, self.weights, strict=True)]
        return self._weigh(*weights)

    def _weigh(self, positive: Array, negative: Array) -> Curve:
        """The curve (..., m) of weights of positive rows (..., p) and of negative rows (..., q)."""
        score, start, below, upto = self.places
        mass = _accumulate(positive)
        other = _accumulate(negative)
        positives = mass[..., -1:]
        negatives = other[..., -1:]
        return Curve(
            score=score[::-1],
            tp=positives - mass[..., start[::-1]],
            fp=negatives - other[..., below[::-1]],
            fp_above=negatives - other[..., upto[::-1]],
            positives=positives[..., 0],
            negatives=negatives[..., 0],
        )


def _sort_side(
    side: Array, score: Array, weight: Array | None, stratum: Array | None
) -> tuple[Any, Any, Any]:
    """Scores of the rows on one side, ascending, with their weights and strata, if any."""
    ranked = score[side]
    order = np.argsort(ranked, kind="stable")
    return (
        ranked[order],
        None if weight is None else weight[side][order],
        None if stratum is None else stratum[side][order],
    )


def draw_curves(curve: Curve, rng: "np.random.Generator", draws: int, blocks: int = 4096) -> Curve:
    """Curves (`draws`, blocks) of samples like the one of a `curve` whose rows count alike.

    The number of rows in each of the `blocks`, consecutive by score, is drawn from Poisson's law by
    `rng`; for many rows that is to draw them with replacement.
    """
    upto = np.asarray(curve.tp + curve.fp, np.float64)
    steps = np.linspace(0, upto[-1] if len(upto) else 0, blocks + 1)[1:]
    ends = np.unique(np.searchsorted(upto, steps))
    ends = ends[ends < len(upto)]
    shape = (draws, len(ends))
    positives = rng.poisson(np.diff(curve.tp[ends], prepend=0), shape)
    negatives = rng.poisson(np.diff(curve.fp[ends], prepend=0), shape)
    below = rng.poisson(float(curve.negatives) - float(curve.fp[ends[-1:]].sum()), draws)
    fp = np.cumsum(negatives, axis=1)
    return Curve(
        score=curve.score[ends],
        tp=np.cumsum(positives, axis=1),
        fp=fp,
        fp_above=fp - negatives,
        positives=positives.sum(axis=1),
        negatives=negatives.sum(axis=1) + below,
    )


def _accumulate(weight: Array) -> Array:
    """Sums (..., n + 1) of the first 0, 1, ... n weights."""
    return np.concatenate([np.zeros((*weight.shape[:-1], 1)), np.cumsum(weight, axis=-1)], axis=-1)


@dataclass(frozen=True, eq=False)
class Ranking:
    """Scores (n,) or (n, k) and truth of all rows, in row order, as one ranking problem per class.

    `counts` (b, strata), if not None, makes it b replicates: how often each stratum of rows enters
    each of them.
    """

    score: Array
    truth: Array
    weight: Array | None
    schema: Schema
    stratum: Array | None = None
    counts: Array | None = None

    @property
    def count(self) -> int:
        """Number of ranking problems."""
        return 1 if self.schema.task == "binary" else self.score.shape[1]

    @property
    def problems(self) -> Iterator[tuple[Array, Array]]:
        """(is positive, score) of each problem: of the positive class, or of each class in turn."""
        for codes in self._blocks:
            yield from self._split_problems(codes)

    @lazy_property
    def pooled_ranking(self) -> "Ranking":
        """All problems as one: each row enters once for each class, true or not."""
        k = self.count
        true = self.truth != 0
        if self.schema.task != "multilabel":
            true = self.truth[:, None] == np.arange(k)
        weight = None if self.weight is None else np.repeat(self.weight, k)
        stratum = None if self.stratum is None else np.repeat(self.stratum, k)
        score = np.ascontiguousarray(self.score).ravel()
        return Ranking(score, true.ravel(), weight, POOLED, stratum, self.counts)

    @property
    def _blocks(self) -> list[range]:
        """Problems whose scores are gathered together, as many for each thread.

        Scores of a row lie side by side in memory: several columns are read as fast as one.
        """
        k = self.count
        threads = count_threads(self.score.size)
        wide = int(np.clip(BLOCK_SIZE // max(len(self.score), 1), 4, MAX_COLUMNS))
        rounds = max(1, round(k / (threads * wide)))
        wide = max(1, -(-k // (threads * rounds)))
        return [range(start, min(start + wide, k)) for start in range(0, k, wide)]

    def _split_problems(self, codes: range) -> Iterator[tuple[Array, Array]]:
        if self.schema.task == "binary":
            yield self.truth == self.schema.positive_code, self.score
            return
        columns = np.empty((len(codes), len(self.score)), self.score.dtype)
        for start in range(0, len(self.score), GATHERED_ROWS):
            rows = slice(start, start + GATHERED_ROWS)
            columns[:, rows] = self.score[rows, codes.start : codes.stop].T
        for code, score in zip(codes, columns, strict=True):
            if self.schema.task == "multilabel":
                yield self.truth[:, code] != 0, score
            else:
                yield self.truth == code, score

    def read(self, compute: Callable[[Curve], Any]) -> Array:
        """What `compute` makes of the curve of every problem (problems,).

        Of replicates it is (b, problems).
        """
        if self.counts is None:
            values = self.map_problems(lambda problem: compute(problem.curve))
            return np.array(values, np.float64).reshape(self.count)
        replicates = self.map_problems(lambda problem: self._read_replicates(problem, compute))
        return np.stack(replicates, axis=-1)

    def _read_replicates(self, problem: RankingProblem, compute: Callable[[Curve], Any]) -> Array:
        assert self.counts is not None
        step = max(1, BLOCK_SIZE // max(len(self.truth), 1))
        blocks = (self.counts[start : start + step] for start in range(0, len(self.counts), step))
        return np.concatenate([np.atleast_1d(compute(problem.resample(block))) for block in blocks])

    def map_problems(self, read: Callable[[RankingProblem], T]) -> list[T]:
        """What `read` makes of every problem, on as many threads as pay."""
        if self.score.size <= MAX_SORTED_SCORES:
            return _map(read, self._problems, self.score.size)
        return self._sort_and_map(read)

    @lazy_property
    def _problems(self) -> list[RankingProblem]:
        return self._sort_and_map(lambda problem: problem)

    def _sort_and_map(self, read: Callable[[RankingProblem], T]) -> list[T]:
        def read_block(codes: range) -> list[T]:
            return [read(self._sort(*problem)) for problem in self._split_problems(codes)]

        return list(chain.from_iterable(_map(read_block, self._blocks, self.score.size)))

    def _sort(self, positive: Array, score: Array) -> RankingProblem:
        threads = count_threads(self.score.size) if self.count == 1 else 1
        stratum = None if self.counts is None else self.stratum
        return RankingProblem.from_scores(positive, score, self.weight, stratum, threads)

    @lazy_property
    def sizes(self) -> list[tuple[int, int]]:
        """Numbers of positive and of negative rows of every problem."""
        return self.map_problems(lambda problem: problem.rows)


def _map(read: Callable[[Any], T], items: Any, size: int) -> list[T]:
    threads = count_threads(size)
    if threads == 1:
        return list(map(read, items))
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(read, items))


def count_threads(size: int) -> int:
    """How many threads pay for sorting `size` scores."""
    return min(os.cpu_count() or 1, 8) if size >= 1 << 16 else 1
