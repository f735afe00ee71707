"""Metrics of sorted rows: typical and extreme errors, and shares of them explained.

>>> MedianAE()([1.0, 2.0, 3.0], [1.5, 2.0, 13.0])
0.5
"""

from dataclasses import dataclass

import numpy as np

from assay.errors import UnsupportedError
from assay.kernels import Array, select_places
from assay.metrics.all_rows import AllRowsMetric, compute_blocks
from assay.metrics.base import PairedMethod, ratio
from assay.states.ranking import count_threads
from assay.states.row_values import Values, ValueTable
from assay.table.rows import Rows
from assay.table.schema import Schema

__all__ = ["D2AbsoluteError", "D2Pinball", "MaxError", "MedianAE"]

ENOUGH = 1 << 15  # rows by which the place of the median is guessed


@dataclass(frozen=True)
class Size:
    """Absolute error of each row (n,)."""

    def compute_rows(self, rows: Rows) -> Array:
        # Not `rows.residual`, which is shared: this one is overwritten.
        error = np.subtract(rows.truth, rows.value, dtype=np.float64)
        return np.abs(error, out=error)


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
    aliases = ("median_absolute_error", "neg_median_absolute_error")
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
    aliases = ("neg_max_error",)
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


def pinball(gap: Array, alpha: float) -> Array:
    """Pinball loss, of the quantile `alpha`, of truth less prediction `gap`.

    >>> pinball(np.array([1.0, -1.0]), 0.9).round(2).tolist()
    [0.9, 0.1]
    """
    return np.asarray(np.maximum(alpha * gap, (alpha - 1) * gap))


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
