"""Metrics of predicted quantiles and intervals.

>>> Pinball(alpha=0.9)([10.0, 10.0], [9.0, 11.0])
0.5
"""

from dataclasses import dataclass

import numpy as np

from assay.errors import UnsupportedError
from assay.kernels import Array
from assay.kernels.totals import NEGATIVE_PART, POSITIVE_PART
from assay.metrics.base import REGRESSION, RowMetric
from assay.table.rows import Rows
from assay.table.schema import Schema

__all__ = ["IntervalCoverage", "IntervalScore", "IntervalWidth", "Pinball", "QuantileCoverage"]


@dataclass(frozen=True)
class Pinball(RowMetric):
    """Mean loss of a predicted quantile.

    In [0, inf), lower is better; the true `alpha`-quantile has the least. mean of alpha (y - f)
    where y >= f, else (1 - alpha) (f - y). At alpha 0.5 half of mae. Also called quantile loss.
    Undefined (no_samples) without rows. Same value as scikit-learn's mean_pinball_loss.
    Source: Koenker & Bassett (1978), Econometrica 46:33-50.

    >>> Pinball(alpha=0.9)([10.0, 10.0], [9.0, 11.0])
    0.5
    """

    name = "pinball"
    alpha: float = 0.5
    reads = "value"
    tasks = REGRESSION
    better = "lower"
    bounds = (0.0, float("inf"))
    cases = ({"alpha": 0.1}, {"alpha": 0.95})
    oracle = "sklearn.metrics.mean_pinball_loss(y, value, alpha=m.alpha, sample_weight=w)"

    def __post_init__(self) -> None:
        check_alpha(self.name, self.alpha)

    def compute_rows(self, rows: Rows) -> Array:
        gap = rows.residual
        return np.maximum(self.alpha * gap, (self.alpha - 1) * gap)

    def batch_moments(self, rows: Rows) -> tuple[Array, Array] | None:
        # Of errors above 0 and below, of which each row has one.
        totals = rows.error_totals
        if totals is None:
            return None
        mean, m2 = totals.select_columns(POSITIVE_PART, NEGATIVE_PART)
        share = np.array([self.alpha, 1 - self.alpha])
        together = (share**2 * m2).sum() - 2 * totals.rows * np.prod(share * mean)
        return np.array([(share * mean).sum()]), np.array([max(together, 0.0)])


@dataclass(frozen=True)
class QuantileCoverage(RowMetric):
    """Share of truths at or below the predicted quantile.

    In [0, 1]; a right `alpha`-quantile has alpha. mean of y <= f. Neither higher nor lower is
    better, so models are not compared by it: pinball judges them.
    Undefined (no_samples) without rows. Same value as numpy.average of y <= f.
    Source: Gneiting, Balabdaoui & Raftery (2007), JRSS B 69:243-268.

    >>> QuantileCoverage(alpha=0.5)([1.0, 2.0, 3.0, 4.0], [2.0, 2.0, 2.0, 5.0])
    0.75
    """

    better = "neither"
    rank_by = "pinball"
    name = "quantile_coverage"
    alpha: float = 0.5
    reads = "value"
    tasks = REGRESSION
    cases = ({"alpha": 0.9},)
    oracle = "np.average(y <= value, weights=w)"

    def __post_init__(self) -> None:
        check_alpha(self.name, self.alpha)

    def compute_rows(self, rows: Rows) -> Array:
        return np.asarray(rows.truth <= rows.value, np.float64)

    def note(self, summary: object, schema: Schema) -> str:
        return f"a right quantile has {self.alpha:g}"


@dataclass(frozen=True)
class IntervalScore(RowMetric):
    """Width of the predicted interval and a fine for each truth outside it.

    In [0, inf), lower is better.
    mean of (high - low) + 2 / (1 - level) (distance of y from the interval), in the units of the
    truth. level: the share of truths that the interval is meant to hold (0.9: its ends are the 5 %
    and the 95 % quantile). Proper: the true quantiles have the least. Also called Winkler score.
    Needs `interval` (n, 2). Undefined (no_samples) without rows.
    Same value as 2 / (1 - level) times the sum of scikit-learn's mean_pinball_loss of the two ends.
    Source: Gneiting & Raftery (2007), JASA 102:359-378, section 6.2.

    >>> IntervalScore(level=0.8)([1.0, 5.0], [[0.0, 2.0], [1.0, 4.0]])
    7.5
    """

    name = "interval_score"
    level: float = 0.9
    reads = "interval"
    tasks = REGRESSION
    better = "lower"
    bounds = (0.0, float("inf"))
    cases = ({"level": 0.5}, {"level": 0.95})
    oracle = (
        "sum(sklearn.metrics.mean_pinball_loss(y, interval[:, i], alpha=(1 + s * m.level) / 2, "
        "sample_weight=w) for i, s in enumerate((-1, 1))) * 2 / (1 - m.level)"
    )

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise UnsupportedError(
                f"level of interval_score must be between 0 and 1; got {self.level}"
            )

    def compute_rows(self, rows: Rows) -> Array:
        low, high = rows.interval.T
        outside = np.maximum(low - rows.truth, 0.0) + np.maximum(rows.truth - high, 0.0)
        return np.asarray(high - low + 2 / (1 - self.level) * outside)


class IntervalCoverage(RowMetric):
    """Share of truths inside the predicted interval, its ends included.

    In [0, 1]; a right 90 % interval has 0.9. mean of low <= y <= high. Neither higher nor lower is
    better, so models are not compared by it: an interval can be made as wide as one likes;
    interval_score judges both.
    Needs `interval` (n, 2). Undefined (no_samples) without rows. Same value as numpy.average of low
    <= y <= high.
    Source: Gneiting, Balabdaoui & Raftery (2007), JRSS B 69:243-268.

    >>> IntervalCoverage()([1.0, 5.0], [[0.0, 2.0], [1.0, 4.0]])
    0.5
    """

    better = "neither"
    rank_by = "interval_score"
    name = "interval_coverage"
    reads = "interval"
    tasks = REGRESSION
    oracle = "np.average((interval[:, 0] <= y) & (y <= interval[:, 1]), weights=w)"

    def compute_rows(self, rows: Rows) -> Array:
        low, high = rows.interval.T
        return np.asarray((low <= rows.truth) & (rows.truth <= high), np.float64)


class IntervalWidth(RowMetric):
    """Mean width of the predicted interval, in the units of the truth.

    In [0, inf); of two that cover alike, the lower.
    mean of high - low. Neither higher nor lower is better by itself, so models are not compared by
    it: interval_score judges width and coverage together.
    Needs `interval` (n, 2). Undefined (no_samples) without rows. Same value as numpy.average of
    high - low.
    Source: Gneiting, Balabdaoui & Raftery (2007), JRSS B 69:243-268.

    >>> IntervalWidth()([1.0, 5.0], [[0.0, 2.0], [1.0, 4.0]])
    2.5
    """

    better = "neither"
    rank_by = "interval_score"
    name = "interval_width"
    reads = "interval"
    tasks = REGRESSION
    bounds = (0.0, float("inf"))
    oracle = "np.average(interval[:, 1] - interval[:, 0], weights=w)"

    def compute_rows(self, rows: Rows) -> Array:
        low, high = rows.interval.T
        return np.asarray(high - low)


def check_alpha(name: str, alpha: float) -> None:
    """UnsupportedError unless `alpha` of metric `name` is the level of a quantile."""
    if not 0 < alpha < 1:
        raise UnsupportedError(f"alpha of {name} must be between 0 and 1; got {alpha}")
