"""Metrics of predicted quantiles: what a model gives that was asked for a level, not for a mean.

>>> Pinball(alpha=0.9)([10.0, 10.0], [9.0, 11.0])
0.5
"""

from dataclasses import dataclass

import numpy as np

from assay.errors import UnsupportedError
from assay.metric import RowMetric
from assay.predictions import Rows
from assay.table.labels import Array
from assay.table.schema import Schema, Task
from assay.totals import OVER, UNDER

__all__ = ["Pinball", "QuantileCoverage"]

REGRESSION: frozenset[Task] = frozenset({"regression"})


@dataclass(frozen=True)
class Pinball(RowMetric):
    """Mean loss of a predicted quantile: in [0, inf), lower is better; the true `alpha`-quantile has the least.

    mean of alpha (y - f) where y >= f, else (1 - alpha) (f - y).  At alpha 0.5 half of mae.
    Undefined (no_samples) without rows. Same value as scikit-learn's mean_pinball_loss.
    Source: Koenker & Bassett (1978), Econometrica 46:33-50.

    >>> Pinball(alpha=0.9)([10.0, 10.0], [9.0, 11.0])
    0.5
    """

    name = "pinball"
    alpha: float = 0.5
    reads, tasks = "value", REGRESSION
    better = "lower"
    bounds = (0.0, float("inf"))
    cases = ({"alpha": 0.1}, {"alpha": 0.95})
    oracle = "sklearn.metrics.mean_pinball_loss(y, value, alpha=m.alpha, sample_weight=w)"

    def __post_init__(self) -> None:
        check_alpha(self.name, self.alpha)

    def per_row(self, rows: Rows) -> Array:
        """Loss of each row."""
        gap = rows.residual
        return np.maximum(self.alpha * gap, (self.alpha - 1) * gap)

    def over_all(self, rows: Rows) -> tuple[Array, Array] | None:
        """Mean and second moment over all rows: of errors above 0 and below, of which each row has one."""
        totals = rows.error_totals
        if totals is None:
            return None
        mean, m2 = totals.of(OVER, UNDER)
        share = np.array([self.alpha, 1 - self.alpha])
        together = (share**2 * m2).sum() - 2 * totals.rows * np.prod(share * mean)
        return np.array([(share * mean).sum()]), np.array([max(together, 0.0)])


@dataclass(frozen=True)
class QuantileCoverage(RowMetric):
    """Share of truths at or below the predicted quantile: in [0, 1]; a right `alpha`-quantile has alpha.

    mean of y <= f.  Neither higher nor lower is better, so models are not compared by it: pinball judges them.
    Undefined (no_samples) without rows. Same value as numpy.average of y <= f.
    Source: Gneiting, Balabdaoui & Raftery (2007), JRSS B 69:243-268.

    >>> QuantileCoverage(alpha=0.5)([1.0, 2.0, 3.0, 4.0], [2.0, 2.0, 2.0, 5.0])
    0.75
    """

    better, instead = "neither", "pinball"
    name = "quantile_coverage"
    alpha: float = 0.5
    reads, tasks = "value", REGRESSION
    cases = ({"alpha": 0.9},)
    oracle = "np.average(y <= value, weights=w)"

    def __post_init__(self) -> None:
        check_alpha(self.name, self.alpha)

    def per_row(self, rows: Rows) -> Array:
        """Whether each truth is at or below the prediction."""
        return np.asarray(rows.truth <= rows.value, np.float64)

    def note(self, summary: object, schema: Schema) -> str:
        return f"a right quantile has {self.alpha:g}"


def check_alpha(name: str, alpha: float) -> None:
    """UnsupportedError unless `alpha` is the level of a quantile."""
    if not 0 < alpha < 1:
        raise UnsupportedError(f"alpha of {name} must be between 0 and 1; got {alpha}")
