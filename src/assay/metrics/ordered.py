"""Metrics of sorted rows: typical and extreme errors, shares of them explained, and ranks.

>>> MedianAE()([1.0, 2.0, 3.0], [1.5, 2.0, 13.0])
0.5
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from assay.errors import UnsupportedError
from assay.kernels import Array, select_places
from assay.metrics.base import REGRESSION, Metric, PairedMethod, ratio
from assay.states.ranking import count_threads
from assay.states.row_values import Values, ValueTable
from assay.table.predictions import Rows
from assay.table.schema import Schema

__all__ = ["D2AbsoluteError", "D2Pinball", "MaxError", "MedianAE", "Spearman"]

ENOUGH = 1 << 15  # rows by which the place of the median is guessed
AT_ONCE = 1 << 22  # rows of all replicates together that are weighed at a time


@dataclass(frozen=True)
class TruthAndError:
    """Truth, and truth less prediction, of each row (n, 2)."""

    def compute_rows(self, rows: Rows) -> Array:
        return np.stack([np.asarray(rows.truth, np.float64), rows.residual], axis=1)


@dataclass(frozen=True)
class TruthAndValue:
    """Truth and prediction of each row (n, 2)."""

    def compute_rows(self, rows: Rows) -> Array:
        return np.stack([np.asarray(each, np.float64) for each in (rows.truth, rows.value)], axis=1)


@dataclass(frozen=True)
class Size:
    """Absolute error of each row (n,)."""

    def compute_rows(self, rows: Rows) -> Array:
        # Not `rows.residual`, which is shared: this one is overwritten.
        error = np.subtract(rows.truth, rows.value, dtype=np.float64)
        return np.abs(error, out=error)


class AllRowsMetric(Metric):
    """Base of what is read off the errors of all rows, kept."""

    reads = "value"
    tasks = REGRESSION
    needs = Values(TruthAndError(), width=2)


class MedianAE(AllRowsMetric):
    """Median absolute error, in the units of the truth.

    In [0, inf), lower is better; half the rows are nearer. median |y - f|, the mean of the two
    middle rows where their number is even. Not moved by a few wild rows.
    Keeps the errors of all rows. Undefined (no_samples) without rows.
    Same value as scikit-learn's median_absolute_error.

    >>> MedianAE()([1.0, 2.0, 3.0, 4.0], [1.0, 2.5, 4.0, 99.0])
    0.75
    """

    name = "median_ae"
    needs = Values(Size())
    better = "lower"
    bounds = (0.0, float("inf"))
    oracle = "sklearn.metrics.median_absolute_error(y, value, sample_weight=w)"

    def compute(self, summary: ValueTable) -> Array:
        if summary.weight is None and summary.counts is None:
            n = sum(map(len, summary.parts))
            if not n:
                return np.array([np.nan])
            middle = np.array([(n - 1) // 2, n // 2], np.int64)
            guess = summary.sample(ENOUGH)
            values = select_places(summary.pieces, n, middle, guess, count_threads(n))
            return np.asarray(values.mean(keepdims=True))
        size = summary.values[:, 0]
        order = np.argsort(size, kind="stable")
        ranked = size[order]
        return compute_blocks(summary, lambda weight: quantile(ranked, weight[:, order], 0.5))


class MaxError(AllRowsMetric):
    """Largest absolute error, in the units of the truth: in [0, inf), lower is better.

    max |y - f| over rows of weight above 0. It rests on one row and grows with their number: it has
    no interval, and models are not compared by it. Undefined (no_samples) without rows. Same value
    as scikit-learn's max_error.

    >>> MaxError()([1.0, 2.0], [1.5, 5.0])
    3
    """

    name = "max_error"
    needs = Values(Size())
    better = "lower"
    bounds = (0.0, float("inf"))
    oracle = "sklearn.metrics.max_error(y, value)"

    def compute(self, summary: ValueTable) -> Array:
        if summary.counts is not None:
            # The largest of resampled rows is never above the largest of the rows.
            return np.full(len(summary.counts), np.nan)
        size = summary.values[:, 0]
        if summary.weight is not None:
            size = size[summary.weight > 0]
        return np.array([size.max() if len(size) else np.nan])

    def pairing(self, schema: Schema) -> PairedMethod:
        raise UnsupportedError(
            f"{self} rests on a single row of each model; compare the models by mae or median_ae"
        )


@dataclass(frozen=True)
class D2Pinball(AllRowsMetric):
    """Share of the pinball loss that the predictions explain.

    In (-inf, 1], 1 is perfect, 0 a constant quantile. 1 - pinball(y, f) / pinball(y, alpha-quantile
    of y); higher is better. Keeps the errors of all rows.
    Undefined (zero_variance) where the truth is constant. Same value as scikit-learn's
    d2_pinball_score.
    Source: Koenker & Machado (1999), JASA 94:1296-1310.

    >>> D2Pinball(alpha=0.9)([1.0, 2.0, 3.0], [1.0, 3.0, 3.0])
    0.6667
    """

    name = "d2_pinball"
    alpha: float = 0.5
    bounds = (float("-inf"), 1.0)
    undefined = "zero_variance"
    cases = ({"alpha": 0.1}, {"alpha": 0.9})
    oracle = "sklearn.metrics.d2_pinball_score(y, value, alpha=m.alpha, sample_weight=w)"

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise UnsupportedError(f"alpha of d2_pinball must be between 0 and 1; got {self.alpha}")

    def compute(self, summary: ValueTable) -> Array:
        return explained_share(summary, self.alpha)


class D2AbsoluteError(AllRowsMetric):
    """Share of the absolute error that the predictions explain.

    In (-inf, 1], 1 is perfect, 0 predicts the median. 1 - sum |y - f| / sum |y - median y|; higher
    is better; outliers move it less than r2. Keeps the errors of all rows.
    Undefined (zero_variance) where the truth is constant. Same value as scikit-learn's
    d2_absolute_error_score.
    Source: Koenker & Machado (1999), JASA 94:1296-1310.

    >>> D2AbsoluteError()([1.0, 2.0, 3.0], [1.0, 2.0, 4.0])
    0.5
    """

    name = "d2_absolute_error"
    bounds = (float("-inf"), 1.0)
    undefined = "zero_variance"
    oracle = "sklearn.metrics.d2_absolute_error_score(y, value, sample_weight=w)"

    def compute(self, summary: ValueTable) -> Array:
        return explained_share(summary, 0.5)


class Spearman(AllRowsMetric):
    """Correlation of the ranks of truth and prediction.

    In [-1, 1], 1 is the same order, higher is better. Pearson's correlation of mid-ranks (tied rows
    share the mean of theirs; a rank counts the weight below). Any rising transformation of the
    predictions leaves it. Keeps truth and prediction of all rows.
    Undefined (zero_variance) where truth or prediction is constant. Same value as
    scipy.stats.spearmanr.
    Source: Spearman (1904), Am. J. Psychol. 15:72-101.

    >>> Spearman()([1.0, 2.0, 3.0], [1.0, 30.0, 2.0])
    0.5
    """

    name = "spearman"
    bounds = (-1.0, 1.0)
    needs = Values(TruthAndValue(), width=2)
    undefined = "zero_variance"
    oracle = (
        "scipy.stats.spearmanr(y, value).statistic if w is None else weighted_spearman(y, value, w)"
    )

    def compute(self, summary: ValueTable) -> Array:
        truth_ties = Ties.from_values(summary.values[:, 0])
        value_ties = Ties.from_values(summary.values[:, 1])

        def correlate(weight: Array) -> Array:
            total = weight.sum(axis=1, keepdims=True)
            # The weighted mean of mid-ranks is half the total.
            a = truth_ties.midranks(weight) - total / 2
            b = value_ties.midranks(weight) - total / 2
            # Where all rows tie, the mid-ranks leave their mean by a rounding error alone.
            rounding = 1e-12 * total[:, 0] ** 3
            aa = (weight * a**2).sum(axis=1)
            bb = (weight * b**2).sum(axis=1)
            aa = np.where(aa > rounding, aa, 0.0)
            bb = np.where(bb > rounding, bb, 0.0)
            return ratio(ratio((weight * a * b).sum(axis=1), np.sqrt(aa)), np.sqrt(bb))

        return compute_blocks(summary, correlate)


class Ties(NamedTuple):
    """Rows in order of a value, and the runs of them that tie; sorted once for all replicates."""

    order: Array  # (n,)
    end: Array  # where each run ends in the order (runs,)
    run: Array  # which run each row belongs to (n,)

    @classmethod
    def from_values(cls, values: Array) -> "Ties":
        """The ties of `values` (n,)."""
        order = np.argsort(values, kind="stable")
        ranked = values[order]
        start = np.ones(len(ranked), bool)
        np.not_equal(ranked[1:], ranked[:-1], out=start[1:])
        run = np.empty(len(ranked), np.intp)
        run[order] = np.cumsum(start) - 1
        return cls(order, np.append(np.flatnonzero(start)[1:], len(ranked)), run)

    def midranks(self, weight: Array) -> Array:
        """Weight below each row and half of that tied with it (b, n), by `weight` (b, n).

        >>> Ties.from_values(np.array([3.0, 1.0, 3.0])).midranks(np.ones((1, 3))).tolist()
        [[2.0, 0.5, 2.0]]
        """
        upto = np.concatenate(
            [np.zeros((len(weight), 1)), np.cumsum(weight[:, self.order], axis=1)], axis=1
        )
        ends = upto[:, np.append(0, self.end)]
        return np.asarray(((ends[:, 1:] + ends[:, :-1]) / 2)[:, self.run])


def pinball(gap: Array, alpha: float) -> Array:
    """Pinball loss, of the quantile `alpha`, of truth less prediction `gap`.

    >>> pinball(np.array([1.0, -1.0]), 0.9).round(2).tolist()
    [0.9, 0.1]
    """
    return np.asarray(np.maximum(alpha * gap, (alpha - 1) * gap))


def compute_blocks(table: ValueTable, compute: Callable[[Array], Array]) -> Array:
    """What `compute` makes of the weights of the rows of `table`: (1,), or (b,) for replicates."""
    return np.concatenate([compute(weight) for weight in iterate_weights(table)])


def iterate_weights(table: ValueTable) -> Iterator[Array]:
    """The weight of each row of `table` (1, n), or in each replicate, in blocks of them (b', n)."""
    weight = np.ones(len(table.values)) if table.weight is None else table.weight
    if table.counts is None or table.stratum is None:
        yield weight[None, :]
        return
    step = max(1, AT_ONCE // max(len(weight), 1))
    for start in range(0, len(table.counts), step):
        yield table.counts[start : start + step][:, table.stratum] * weight


def quantile(ranked: Array, weight: Array, alpha: float) -> Array:
    """Weighted quantile `alpha` (b,) of sorted values `ranked` (n,), by `weight` (b, n).

    The mean of two values where a step of the cumulated weights ends at alpha.

    >>> weight = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]])
    >>> quantile(np.array([1.0, 2.0, 4.0]), weight, 0.5).tolist()
    [1.5, 2.0]
    """
    upto = np.cumsum(weight, axis=1)
    total = upto[:, -1:] if weight.shape[1] else np.zeros((len(weight), 1))
    # Sums of the same weights in another order differ in the last place.
    slack = 1e-12 * total
    first = (upto < alpha * total - slack).sum(axis=1)
    second = (upto <= alpha * total + slack).sum(axis=1)
    last = max(len(ranked) - 1, 0)
    values = ranked if len(ranked) else np.array([np.nan])
    quantiles = (values[np.minimum(first, last)] + values[np.minimum(second, last)]) / 2
    return np.where(total[:, 0] > 0, quantiles, np.nan)


def explained_share(table: ValueTable, alpha: float) -> Array:
    """Share of the pinball loss of the best constant that the predictions of `table` spare.

    (1,), or (b,) for replicates; of the quantile `alpha`.
    """
    order = np.argsort(table.values[:, 0], kind="stable")
    y = table.values[order, 0]
    loss = pinball(table.values[order, 1], alpha)

    def share(weight: Array) -> Array:
        weight = weight[:, order]
        constant = pinball(y - quantile(y, weight, alpha)[:, None], alpha)
        return 1 - ratio(weight @ loss, (weight * constant).sum(axis=1))

    return compute_blocks(table, share)
