"""Metrics of error as a share of what was predicted: for numbers of very different size.

>>> MAPE()([10.0, 200.0], [11.0, 180.0])
0.1
"""

from dataclasses import dataclass

import numpy as np

from assay.kernels import Array
from assay.kernels.totals import SHARE
from assay.metrics.base import REGRESSION, Metric, RowMetric, ratio
from assay.states.moments import Moments, Sums
from assay.table.rows import Rows
from assay.table.schema import Schema

__all__ = ["MAPE", "SMAPE", "WMAPE"]


class MAPE(RowMetric):
    """Mean absolute error as a share of the truth (0.1 is 10 %): in [0, inf), lower is better.

    mean |y - f| / |y|. Favours predictions that are too low, which can be wrong by 1 at most.
    Undefined (zero_target) where a truth is 0: the note says how many; use wmape there.
    Same value as scikit-learn's mean_absolute_percentage_error, where no truth is 0.
    Source: Hyndman & Koehler (2006), Int. J. Forecast. 22:679-688.

    >>> MAPE()([1.0, 2.0], [1.5, 2.0])
    0.25
    """

    name = "mape"
    aliases = ("mean_absolute_percentage_error", "neg_mean_absolute_percentage_error")
    reads = "value"
    tasks = REGRESSION
    better = "lower"
    bounds = (0.0, float("inf"))
    width = 2
    undefined = "zero_target"
    oracle = (
        "sklearn.metrics.mean_absolute_percentage_error(y, value, sample_weight=w) "
        "if np.all(y) else nan"
    )

    def compute_rows(self, rows: Rows) -> Array:
        y = np.asarray(rows.truth, np.float64)
        if np.count_nonzero(y) == len(y):
            return np.abs(rows.residual / y)
        zero = y == 0
        share = np.abs(rows.residual / np.where(zero, 1.0, y))
        return np.stack([np.where(zero, 0.0, share), zero]).T

    def batch_moments(self, rows: Rows) -> tuple[Array, Array] | None:
        totals = rows.error_totals
        if totals is None:
            return None
        mean, m2 = totals.select_columns(SHARE)
        zeros = totals.zeros  # rows whose truth is 0
        share = zeros / totals.rows
        return np.append(mean, share), np.append(m2, zeros * (1 - share))

    def compute(self, summary: Sums) -> Array:
        return np.where(summary.mean[..., 1] > 0, np.nan, summary.mean[..., 0])

    def note(self, summary: Sums, schema: Schema) -> str:
        zero = float(summary.mean[0, 1])
        return f"{zero:.2%} of the weight has a truth of 0; use wmape" if zero > 0 else ""


class SMAPE(RowMetric):
    """Mean absolute error as a share of the mean size of truth and prediction.

    In [0, 2], lower is better.
    mean of 2 |y - f| / (|y| + |f|), a row where both are 0 counting 0.
    Other libraries print it in percent, or halved.
    Not symmetric despite its name: too low costs more than too high by as much.
    Undefined (no_samples) without rows. Same value as the formula in NumPy (torchmetrics' symmetric
    form, too).
    Source: Makridakis & Hibon (2000), Int. J. Forecast. 16:451-476.

    >>> SMAPE()([1.0, 0.0], [3.0, 0.0])
    0.5
    """

    name = "smape"
    reads = "value"
    tasks = REGRESSION
    better = "lower"
    bounds = (0.0, 2.0)
    oracle = (
        "np.average(np.where(y == value, 0, "
        "2 * abs(y - value) / np.maximum(abs(y) + abs(value), 1e-300)), weights=w)"
    )

    def compute_rows(self, rows: Rows) -> Array:
        y = np.asarray(rows.truth, np.float64)
        f = np.asarray(rows.value, np.float64)
        # Halved before they are added: two numbers near the largest there is have no sum.
        return np.nan_to_num(ratio(np.abs(y - f), np.abs(y) / 2 + np.abs(f) / 2))


@dataclass(frozen=True)
class ErrorAndSize:
    """Absolute error and absolute truth of each row (n, 2): what WMAPE needs together."""

    def compute_rows(self, rows: Rows) -> Array:
        return np.asarray(
            np.abs(np.stack([rows.residual, np.asarray(rows.truth, np.float64)], axis=1))
        )


class WMAPE(Metric):
    """Total absolute error as a share of the total truth.

    In [0, inf), lower is better; zeros in the truth do no harm. sum |y - f| / sum |y|: the mean
    absolute error in units of the mean truth. Large truths weigh most.
    Undefined (zero_target) where every truth is 0. Same value as the formula over scikit-learn's
    mean_absolute_error.
    Source: Kolassa & Schuetz (2007), Foresight 6:40-43.

    >>> WMAPE()([0.0, 4.0], [1.0, 4.0])
    0.25
    """

    name = "wmape"
    reads = "value"
    tasks = REGRESSION
    better = "lower"
    bounds = (0.0, float("inf"))
    needs = Moments(ErrorAndSize(), width=2)
    undefined = "zero_target"
    oracle = (
        "sklearn.metrics.mean_absolute_error(y, value, sample_weight=w) "
        "/ np.average(abs(y), weights=w)"
    )

    def compute(self, summary: Sums) -> Array:
        return ratio(summary.mean[..., 0], summary.mean[..., 1])

    def divisor(self, value: Sums, summary: Sums) -> Array:
        """Total size of the truth in each stratum of `value` (strata,), whatever the `summary`."""
        return np.asarray(value.mean[:, 1] * value.weight)
