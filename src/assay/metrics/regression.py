"""Metrics of predicted numbers.

>>> R2()([1.0, 2.0, 3.0], [1.1, 1.9, 3.2])
0.97
"""

from dataclasses import dataclass

import numpy as np

from assay.errors import UnsupportedError
from assay.kernels import Array
from assay.kernels.totals import SIZE, SQUARE, TRUTH
from assay.metrics.base import REGRESSION, Metric, RowMetric, explain_no_spread, ratio
from assay.metrics.outputs import OfOutputs
from assay.states.moments import Moments, Sums
from assay.table.rows import Rows

__all__ = [
    "MAE",
    "MSE",
    "R2",
    "RMSE",
    "AdjustedR2",
    "Bias",
    "ExplainedVariance",
    "Huber",
    "Mean",
    "WithinTolerance",
]

# Numbers below this one may have squares that vanish.
LEAST_SQUARED = 1e-150


@dataclass(frozen=True)
class MSE(OfOutputs, RowMetric):
    """Mean squared error, in squared units of the truth.

    In [0, inf), lower is better; large errors weigh most. mean (y - f)^2. Undefined (no_samples)
    without rows. Of several outputs a row (task multioutput) the mean, or with average=none each.
    Same value as scikit-learn's mean_squared_error.

    >>> MSE()([1.0, 2.0], [1.5, 2.0])
    0.125
    """

    name = "mse"
    aliases = ("mean_squared_error", "neg_mean_squared_error")
    reads = "value"
    better = "lower"
    bounds = (0.0, float("inf"))
    cases = ({"average": "none"},)
    oracle = "sklearn.metrics.mean_squared_error(y, value, sample_weight=w, **outputs)"

    def compute_rows(self, rows: Rows) -> Array:
        return rows.residual**2

    def batch_moments(self, rows: Rows) -> tuple[Array, Array] | None:
        return None if rows.error_totals is None else rows.error_totals.select_columns(SQUARE)


@dataclass(frozen=True)
class RMSE(OfOutputs, Metric):
    """Root of the mean squared error, in the units of the truth: in [0, inf), lower is better.

    sqrt mean (y - f)^2. Undefined (no_samples) without rows. Of several outputs a row (task
    multioutput) the mean of their roots, or with average=none each. Same value as scikit-learn's
    root_mean_squared_error.

    >>> RMSE()([1.0, 2.0], [1.5, 2.0])
    0.3536
    """

    name = "rmse"
    aliases = ("root_mean_squared_error", "neg_root_mean_squared_error")
    reads = "value"
    better = "lower"
    bounds = (0.0, float("inf"))
    needs = Moments(MSE())
    cases = ({"average": "none"},)
    formula = "root"
    oracle = "sklearn.metrics.root_mean_squared_error(y, value, sample_weight=w, **outputs)"

    def compute(self, summary: Sums) -> Array:
        return np.sqrt(summary.mean[..., 0])

    def divisor(self, value: Sums, summary: Sums) -> Array:
        """Weight of each stratum of `value` (strata,), whatever the `summary`."""
        return value.weight


@dataclass(frozen=True)
class MAE(OfOutputs, RowMetric):
    """Mean absolute error, in the units of the truth.

    In [0, inf), lower is better; less moved by outliers than MSE. mean |y - f|. Undefined
    (no_samples) without rows. Of several outputs a row (task multioutput) the mean, or with
    average=none each. Same value as scikit-learn's mean_absolute_error.

    >>> MAE()([1.0, 2.0], [1.5, 2.0])
    0.25
    """

    name = "mae"
    aliases = ("mean_absolute_error", "neg_mean_absolute_error")
    reads = "value"
    better = "lower"
    bounds = (0.0, float("inf"))
    cases = ({"average": "none"},)
    absolute = True
    oracle = "sklearn.metrics.mean_absolute_error(y, value, sample_weight=w, **outputs)"

    def compute_rows(self, rows: Rows) -> Array:
        return np.abs(rows.residual)

    def batch_moments(self, rows: Rows) -> tuple[Array, Array] | None:
        return None if rows.error_totals is None else rows.error_totals.select_columns(SIZE)


@dataclass(frozen=True)
class Huber(RowMetric):
    """Squared error of small errors, absolute error of large ones.

    In [0, inf), lower is better; outliers weigh less. mean of e^2 / 2 where |e| <= delta, else
    delta (|e| - delta / 2), with e = y - f; delta in the units of the truth.
    Undefined (no_samples) without rows. Same value as the mean of scipy.special.huber.
    Source: Huber (1964), Ann. Math. Stat. 35:73-101.

    >>> Huber(delta=1)([1.0, 2.0], [1.5, 5.0])
    1.312
    """

    name = "huber"
    delta: float = 1.0
    reads = "value"
    tasks = REGRESSION
    better = "lower"
    bounds = (0.0, float("inf"))
    cases = ({"delta": 0.3}, {"delta": 2.5})
    oracle = "np.average(scipy.special.huber(m.delta, y - value), weights=w)"

    def __post_init__(self) -> None:
        if not 0 < self.delta < float("inf"):
            raise UnsupportedError(f"delta of huber must be above 0 and finite; got {self.delta}")

    def compute_rows(self, rows: Rows) -> Array:
        size = np.abs(rows.residual)
        return np.where(size <= self.delta, size**2 / 2, self.delta * (size - self.delta / 2))


class Bias(RowMetric):
    """Mean error, prediction less truth, in the units of the truth.

    0 is best, above 0 the model says too much. mean (f - y), in (-inf, inf). Errors of opposite
    sign cancel: read it beside mae or rmse. Neither higher nor lower is better, so models are not
    compared by it.
    Undefined (no_samples) without rows. Same value as numpy.average of the errors.

    >>> Bias()([1.0, 2.0], [1.5, 2.0])
    0.25
    """

    better = "neither"
    rank_by = "mae or rmse"
    name = "bias"
    reads = "value"
    tasks = REGRESSION
    bounds = (float("-inf"), float("inf"))
    oracle = "np.average(value - y, weights=w)"

    def compute_rows(self, rows: Rows) -> Array:
        return -rows.residual


class Mean(RowMetric):
    """Mean of what a model gives for each row, where that is a score of the row itself.

    Judge scores, ROUGE, seconds, or 0 and 1 for passed: the truth is not read. mean f, in
    (-inf, inf) and in the units of the scores; higher is better. Scores of the same rows are
    compared in pairs.
    Undefined (no_samples) without rows. Same value as numpy.average.

    >>> Mean()([0, 0, 0], [0.5, 1.0, 0.0])
    0.5
    """

    name = "mean"
    aliases = ("mean_score", "average_score")
    reads = "value"
    tasks = REGRESSION
    needs_truth = False
    bounds = (float("-inf"), float("inf"))
    oracle = "np.average(value, weights=w)"

    def compute_rows(self, rows: Rows) -> Array:
        return np.asarray(rows.value, np.float64)


@dataclass(frozen=True)
class WithinTolerance(RowMetric):
    """Share of rows whose prediction is close enough to the truth: in [0, 1], higher is better.

    mean of |y - f| <= absolute + relative |y|. absolute is in the units of the truth, relative a
    share of it (default 0.05: within 5 %). Undefined (no_samples) without rows. Same value as the
    mean of numpy.isclose.

    >>> WithinTolerance(relative=0.1)([10.0, 20.0], [10.5, 25.0])
    0.5
    >>> WithinTolerance(absolute=0.5, relative=0)([1.0, 2.0], [1.5, 2.0])
    1
    """

    name = "within_tolerance"
    absolute: float = 0.0
    relative: float = 0.05
    reads = "value"
    tasks = REGRESSION
    cases = ({"absolute": 1.0, "relative": 0.0}, {"absolute": 0.5, "relative": 0.2})
    oracle = "np.average(np.isclose(value, y, rtol=m.relative, atol=m.absolute), weights=w)"

    def __post_init__(self) -> None:
        for name, share in (("absolute", self.absolute), ("relative", self.relative)):
            if not 0 <= share < float("inf"):
                raise UnsupportedError(
                    f"{name} of within_tolerance must be at least 0 and finite; got {share}"
                )

    def compute_rows(self, rows: Rows) -> Array:
        return np.abs(rows.residual) <= self.absolute + self.relative * np.abs(rows.truth)


@dataclass(frozen=True)
class ErrorAndTruth:
    """Squared error and truth of each row (n, 2): what R2 needs together."""

    def compute_rows(self, rows: Rows) -> Array:
        return np.stack([MSE().compute_rows(rows), np.asarray(rows.truth, np.float64)]).T

    def batch_moments(self, rows: Rows) -> tuple[Array, Array] | None:
        totals = rows.error_totals
        return None if totals is None else totals.select_columns(SQUARE, TRUTH)


class VarianceShare(Metric):
    """Base of 1 less the squared errors over the squares of the truth about its mean."""

    reads = "value"
    bounds = (float("-inf"), 1.0)
    needs = Moments(ErrorAndTruth(), width=2)

    def compute(self, summary: Sums) -> Array:
        return 1 - ratio(summary.mean[..., 0] * summary.weight, centred_squares(summary, 1))

    def find_reason(self, summary: Sums) -> str:
        return _explain_spread(summary, self.undefined)

    def divisor(self, value: Sums, summary: Sums) -> Array:
        """Squares of the truth in each stratum of `value` (strata,) about its mean in `summary`."""
        return np.asarray(value.m2[:, 1] + value.weight * find_drift(value, summary)[:, 1] ** 2)


@dataclass(frozen=True)
class R2(OfOutputs, VarianceShare):
    """Share of the truth's variance that the predictions explain.

    In (-inf, 1], 1 is perfect, 0 is predicting the mean. 1 - sum (y - f)^2 / sum (y - mean y)^2;
    higher is better. Also called coefficient of determination.
    Undefined (zero_variance) where the truth is constant, one row included. Of several outputs a
    row (task multioutput) the mean of their shares where they are defined, or with average=none
    each. Same value as scikit-learn's r2_score.

    >>> R2()([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    1
    """

    name = "r2"
    undefined = "zero_variance"
    cases = ({"average": "none"},)
    formula = "r2"
    oracle = "sklearn.metrics.r2_score(y, value, sample_weight=w, **outputs)"


@dataclass(frozen=True)
class AdjustedR2(VarianceShare):
    """R2 less what so many features explain by chance.

    In (-inf, 1], 1 is perfect, higher is better.
    1 - (1 - R2) (n - 1) / (n - features - 1), with n the total weight and `features` the number of
    inputs of the model (without the intercept); meant for the rows that a linear model was fitted
    on.
    Undefined (zero_variance_or_too_few_rows) where the truth is constant, or n is not above
    features + 1.
    Same value as the formula over scikit-learn's r2_score.
    Source: Ezekiel (1930), Methods of Correlation Analysis.

    >>> AdjustedR2(features=2)([1.0, 2.0, 3.0, 4.0, 5.0], [1.1, 1.9, 3.2, 3.9, 5.3])
    0.968
    """

    name = "adjusted_r2"
    tasks = REGRESSION
    features: int = 1
    undefined = "zero_variance_or_too_few_rows"
    cases = ({"features": 3},)
    oracle = "adjusted_r2(y, value)"

    def __post_init__(self) -> None:
        if self.features < 0:
            raise UnsupportedError(
                f"features of adjusted_r2 must be at least 0; got {self.features}"
            )

    def compute(self, summary: Sums) -> Array:
        n = np.asarray(summary.weight, np.float64)
        free = np.where(n > self.features + 1, n - self.features - 1, 0)
        return 1 - (1 - super().compute(summary)) * ratio(n - 1, free)


@dataclass(frozen=True)
class SignedErrorAndTruth:
    """Error and truth of each row (n, 2): what the explained variance needs together."""

    def compute_rows(self, rows: Rows) -> Array:
        return np.stack([rows.residual, np.asarray(rows.truth, np.float64)], axis=1)


class ExplainedVariance(Metric):
    """R2 that forgives a constant offset.

    In (-inf, 1], 1 is perfect up to a constant, higher is better.
    1 - var (y - f) / var y. Above R2 where predictions are too high or too low throughout: `bias`
    says by how much.
    Undefined (zero_variance) where the truth is constant. Same value as scikit-learn's
    explained_variance_score.

    >>> ExplainedVariance()([1.0, 2.0, 3.0], [2.0, 3.0, 4.0])
    1
    """

    name = "explained_variance"
    reads = "value"
    tasks = REGRESSION
    bounds = (float("-inf"), 1.0)
    needs = Moments(SignedErrorAndTruth(), width=2)
    undefined = "zero_variance"
    oracle = (
        "sklearn.metrics.explained_variance_score(y, value, sample_weight=w, force_finite=False)"
    )

    def compute(self, summary: Sums) -> Array:
        return 1 - ratio(summary.m2[..., 0], centred_squares(summary, 1))

    def find_reason(self, summary: Sums) -> str:
        return _explain_spread(summary, self.undefined)

    def split_ratio(self, value: Sums, summary: Sums) -> tuple[Array, Array]:
        """Squares of errors and of the truth in each stratum of `value` (strata,).

        Both are taken about their means in the `summary`.
        """
        squares = value.m2 + value.weight[:, None] * find_drift(value, summary) ** 2
        return squares[:, 0], squares[:, 1]


def find_drift(value: Sums, summary: Sums) -> Array:
    """How far the means in each stratum of `value` (strata, d) lie from those of the `summary`."""
    return np.asarray(value.mean - summary.mean + (value.rest - summary.rest))


def _explain_spread(summary: Sums, reason: str) -> str:
    """Code of why the truth, the column 1 of `summary`, leaves nothing to divide by."""
    if centred_squares(summary, 1).all():
        return reason
    if not summary.m2[0, 1] and 0 < abs(summary.mean[0, 1]) < LEAST_SQUARED:
        return "underflow"
    return explain_no_spread(summary.m2[0, 1:], reason)


def centred_squares(summary: Sums, column: int) -> Array:
    """Centred second moment of a `column` of the `summary` (...,).

    Exactly 0 where it is no more than the rounding of the mean.
    """
    m2 = summary.m2[..., column]
    mean = summary.mean[..., column]
    return np.where(m2 > summary.weight * (8 * np.finfo(np.float64).eps * mean) ** 2, m2, 0.0)
