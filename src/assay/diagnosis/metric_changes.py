"""metric_changes: how validation metrics fared between the epoch of lowest loss and the end.

>>> from assay.diagnosis.metric_changes import judge_metrics
>>> from assay.readers.history import History
>>> judge_metrics(History.from_lists(val_accuracy=[0.5, 0.8, 0.6, 0.6, 0.6]), 2)[0].verdict
'worse'
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from assay.core.types import Better
from assay.diagnosis.curves import pair_points
from assay.diagnosis.trend import final_level, noise
from assay.kernels import Array
from assay.readers.history import History, Series
from assay.readers.naming import is_share

__all__ = ["MetricChange", "find_least_change", "judge_metrics", "measure_metric_tolerance"]


@dataclass(frozen=True)
class MetricChange:
    """How one validation metric fared between the epoch of lowest loss and the end.

    `verdict` is improved, unharmed or worse, up to `tolerance`; unknown where the name of the
    metric does not say which way is good.
    """

    metric: str
    better: Better | None
    best: float | None
    best_epoch: float | None
    at_best_loss: float | None
    final: float | None
    tolerance: float | None
    verdict: Literal["improved", "unharmed", "worse", "unknown"]


def judge_metrics(
    history: History, at_epoch: float | None, *, better: Mapping[str, Better] | None = None
) -> tuple[MetricChange, ...]:
    """Each validation metric of a `history` besides the loss, between `at_epoch` and the end.

    `better` says "lower" or "higher" for metrics whose name does not.
    """
    curves = (history.find(history.validation_split, name) for name in history.metrics)
    directed = (
        replace(curve, better=(better or {}).get(curve.metric, curve.better))
        for curve in curves
        if curve is not None
    )
    return tuple(_judge_metric(curve, at_epoch, history.n_val) for curve in directed)


def _judge_metric(series: Series, at_epoch: float | None, rows: int | None) -> MetricChange:
    finite = [(epoch, value) for epoch, value in pair_points(series) if math.isfinite(value)]
    if series.better is None or not finite:
        return MetricChange(series.metric, series.better, None, None, None, None, None, "unknown")
    values = np.array([value for _, value in finite])
    position = int(np.argmax(values) if series.better == "higher" else np.argmin(values))
    best_epoch, best = finite[position]
    start_position = position
    if at_epoch is not None:
        start_position = min(range(len(finite)), key=lambda i: abs(finite[i][0] - at_epoch))
    start = finite[start_position][1]
    final = final_level(values[min(start_position + 1, len(values) - 1) :])
    tolerance = measure_metric_tolerance(series, start, rows)
    drop = start - final if series.better == "higher" else final - start
    verdict: Literal["improved", "unharmed", "worse"] = "unharmed"
    if abs(drop) > tolerance:
        verdict = "worse" if drop > 0 else "improved"
    return MetricChange(
        metric=series.metric,
        better=series.better,
        best=best,
        best_epoch=best_epoch,
        at_best_loss=start,
        final=final,
        tolerance=tolerance,
        verdict=verdict,
    )


def measure_metric_tolerance(series: Series, value: float, rows: int | None) -> float:
    """The change of a metric that counts: `find_least_change`, or the noise where that is more.

    Parameters:
        series: Curve of the metric, of which the finite values count.
        value: The value that the change is from, in the unit of the curve.
        rows: Number of rows that each value was measured on; None where it is unknown.
    """
    return max(find_least_change(series, value, rows), noise(_take_finite(series)))


def find_least_change(series: Series, value: float, rows: int | None) -> float:
    """Of a share its standard error, half a point at least; of other numbers 2 %.

    Shares may be logged as percent.

    Parameters:
        series: Curve of the metric, of which the finite values count.
        value: The value that the change is from, in the unit of the curve.
        rows: Number of rows that each value was measured on; None where it is unknown: half a
            point, then, of a share.
    """
    values = _take_finite(series)
    is_percent = 1.5 < values.max() <= 100 and is_share(series.metric)
    whole = 100.0 if is_percent else 1.0
    if values.min() >= 0 and values.max() <= whole:
        share = value / whole
        standard_error = math.sqrt(share * (1 - share) / rows) if rows else 0.0
        return max(0.005 * whole, standard_error * whole)
    return 0.02 * abs(value)


def _take_finite(series: Series) -> Array:
    return np.array([number for number in series.values if math.isfinite(number)])
