"""Metrics of predicted numbers.

>>> R2()([1.0, 2.0, 3.0], [1.1, 1.9, 3.2])
0.97
"""

from dataclasses import dataclass

import numpy as np

from assay.metric import Metric, RowMetric, ratio
from assay.predictions import Rows
from assay.state import Moments, Sums
from assay.table.labels import Array
from assay.table.schema import Task

__all__ = ["MAE", "MSE", "R2", "RMSE"]

REGRESSION: frozenset[Task] = frozenset({"regression"})


@dataclass(frozen=True)
class MSE(RowMetric):
    """Mean squared error, in squared units of the truth: in [0, inf), lower is better; large errors weigh most.

    mean (y - f)^2. Undefined (no_samples) without rows. Same value as scikit-learn's mean_squared_error.

    >>> MSE()([1.0, 2.0], [1.5, 2.0])
    0.125
    """

    name = "mse"
    reads, tasks = "value", REGRESSION
    better = "lower"
    bounds = (0.0, float("inf"))
    oracle = "sklearn.metrics.mean_squared_error(y, value, sample_weight=w)"

    def per_row(self, rows: Rows) -> Array:
        """Squared error of each row."""
        return np.asarray(rows.truth - np.asarray(rows.value, np.float64)) ** 2


@dataclass(frozen=True)
class RMSE(Metric):
    """Root of the mean squared error, in the units of the truth: in [0, inf), lower is better.

    sqrt mean (y - f)^2. Undefined (no_samples) without rows. Same value as scikit-learn's root_mean_squared_error.

    >>> RMSE()([1.0, 2.0], [1.5, 2.0])
    0.3536
    """

    name = "rmse"
    reads, tasks = "value", REGRESSION
    better = "lower"
    bounds = (0.0, float("inf"))
    needs = Moments(MSE())
    oracle = "sklearn.metrics.root_mean_squared_error(y, value, sample_weight=w)"

    def compute(self, summary: Sums) -> Array:
        return np.sqrt(summary.mean[..., 0])


@dataclass(frozen=True)
class MAE(RowMetric):
    """Mean absolute error, in the units of the truth: in [0, inf), lower is better; less moved by outliers than MSE.

    mean |y - f|. Undefined (no_samples) without rows. Same value as scikit-learn's mean_absolute_error.

    >>> MAE()([1.0, 2.0], [1.5, 2.0])
    0.25
    """

    name = "mae"
    reads, tasks = "value", REGRESSION
    better = "lower"
    bounds = (0.0, float("inf"))
    oracle = "sklearn.metrics.mean_absolute_error(y, value, sample_weight=w)"

    def per_row(self, rows: Rows) -> Array:
        """Absolute error of each row."""
        return np.asarray(np.abs(rows.truth - np.asarray(rows.value, np.float64)))


@dataclass(frozen=True)
class ErrorAndTruth:
    """Squared error and truth of each row (n, 2): what R2 needs together."""

    def per_row(self, rows: Rows) -> Array:
        """(squared error, truth)."""
        return np.stack([MSE().per_row(rows), np.asarray(rows.truth, np.float64)], axis=1)


@dataclass(frozen=True)
class R2(Metric):
    """Share of the truth's variance that the predictions explain: in (-inf, 1], 1 is perfect, 0 is predicting the mean.

    1 - sum (y - f)^2 / sum (y - mean y)^2; higher is better.
    Undefined (zero_variance) where the truth is constant, one row included. Same value as scikit-learn's r2_score.

    >>> R2()([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    1
    """

    name = "r2"
    reads, tasks = "value", REGRESSION
    bounds = (float("-inf"), 1.0)
    needs = Moments(ErrorAndTruth(), width=2)
    undefined = "zero_variance"
    oracle = "sklearn.metrics.r2_score(y, value, sample_weight=w)"

    def compute(self, summary: Sums) -> Array:
        return 1 - ratio(summary.mean[..., 0] * summary.weight, summary.m2[..., 1])
