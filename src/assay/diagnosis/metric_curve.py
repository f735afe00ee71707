"""metric_curve: a run judged by the curve of a validation metric, where no loss was validated.

>>> from assay.diagnosis.metric_curve import judge_metric_curve
>>> from assay.readers.history import History
>>> accuracy = [0.5, 0.62, 0.7, 0.74, 0.76, 0.74, 0.72, 0.7, 0.69]
>>> train = [1.2, 0.9, 0.7, 0.5, 0.4, 0.3, 0.2, 0.15, 0.1]
>>> run = judge_metric_curve(History.from_lists(train_loss=train, val_accuracy=accuracy))
>>> run.status, run.best_epoch, run.good_range, run.onset
('overfit', 5.0, (5.0, 5.0), 6.0)
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from assay.core.types import Better
from assay.diagnosis.metric_changes import find_least_change, measure_metric_tolerance
from assay.diagnosis.rules import FALLING, MIN_EPOCHS, RISING, Severity, Status
from assay.diagnosis.trend import (
    count_neighbours,
    final_level,
    find_level_error,
    kendall_z,
    measure_fall,
    noise,
    running_median,
)
from assay.readers.history import History, Series
from assay.readers.naming import SplitName

__all__ = ["MetricCurve", "find_good_range", "find_metric", "judge_metric_curve"]

PREFERRED = ("fitness", "map50_95", "bbox_ap", "bbox_map", "map", "miou", "f1", "accuracy")


@dataclass(frozen=True)
class MetricCurve:
    """What the curve of one validation metric says, in epochs as the log numbers them.

    `best` and `final` are values of the metric, the latter the median of the last three.
    """

    metric: str
    status: Status
    severity: Severity | None
    best_epoch: float
    good_range: tuple[float, float]
    onset: float | None
    best: float
    final: float
    points: int
    split: SplitName = "val"


def find_metric(
    history: History, *, better: Mapping[str, Better] | None = None, metric: str | None = None
) -> Series | None:
    """The validation curve that the run `history` is judged by, or None.

    That of `metric`, or of the one that the log itself chooses by, or else of the one that sums up
    the others; its direction is known, or in `better`. Where `metric` was not validated it is that
    of training.
    """
    curves = [
        replace(s, better=(better or {}).get(s.metric, s.better))
        for s in history.series
        if s.metric == metric or (s.split == history.validation_split and s.metric != history.loss)
    ]
    curves = [curve for curve in curves if curve.better is not None and _is_finite(curve)]
    curves.sort(key=lambda curve: curve.split != history.validation_split)
    for name in (metric, history.monitor, *PREFERRED):
        for curve in curves:
            if name == curve.metric:
                return curve
    return next(iter(sorted(curves, key=lambda curve: curve.better != "higher")), None)


def judge_metric_curve(
    history: History, *, better: Mapping[str, Better] | None = None, metric: str | None = None
) -> MetricCurve | None:
    """The judgement on a `history` by one validation metric; None where it has none.

    The `metric`, and the directions `better` by metric, are as in `find_metric`.
    """
    curve = find_metric(history, better=better, metric=metric)
    if curve is None:
        return None
    finite = [i for i, value in enumerate(curve.values) if np.isfinite(value)]
    curve = curve.take(finite)
    deficits = _convert_to_deficits(curve)
    best = int(np.argmin(deficits))
    tolerance = find_least_change(curve, curve.values[best], history.n_val)
    status = _decide(deficits, best, tolerance)
    is_overfit = status == "overfit"
    first, last = find_good_range(curve, history.n_val)
    after = [epoch for epoch in curve.epochs if epoch > last]
    drop = final_level(deficits) - float(deficits[best])
    return MetricCurve(
        metric=curve.metric,
        status=status,
        severity=_rate(drop, curve.values[best]) if is_overfit else None,
        best_epoch=curve.epochs[best],
        good_range=(first, last),
        onset=after[0] if is_overfit and after else None,
        best=curve.values[best],
        final=final_level(curve.values),
        points=len(curve.values),
        split=curve.split,
    )


def find_good_range(curve: Series, rows: int | None) -> tuple[float, float]:
    """First and last epoch of those around the best of a `curve` at which it is about as good.

    `rows` is the number of rows that each value was measured on, None where it is unknown.
    """
    deficits = _convert_to_deficits(curve)
    best = int(np.nanargmin(deficits))
    tolerance = measure_metric_tolerance(curve, curve.values[best], rows)
    near = running_median(deficits) <= deficits[best] + tolerance
    near[best] = True
    first = last = best
    while first > 0 and near[first - 1]:
        first -= 1
    while last + 1 < len(near) and near[last + 1]:
        last += 1
    return curve.epochs[first], curve.epochs[last]


def _is_finite(curve: Series) -> bool:
    return bool(np.isfinite(curve.values).any())


def _convert_to_deficits(curve: Series) -> np.ndarray:
    """The values with less as better, whatever the metric says."""
    values = np.array(curve.values, dtype=np.float64)
    return -values if curve.better == "higher" else values


def _decide(deficits: np.ndarray, best: int, tolerance: float) -> Status:
    if len(deficits) < MIN_EPOCHS:
        return "inconclusive"
    half = count_neighbours(len(deficits))
    smooth = running_median(deficits, half) if half else deficits
    bottom = int(np.argmin(smooth)) if half else best
    scatter = max(tolerance, find_level_error(noise(deficits), half))
    last = len(deficits) - 1
    start = max(min(bottom + 1, last), last - max(2, 2 * half))
    drop = float(np.median(deficits[start:])) - float(smooth[bottom])
    if drop > scatter and kendall_z(deficits[bottom:]) > RISING:
        return "overfit"
    recent = deficits[-max(MIN_EPOCHS, len(deficits) // 3) :]
    is_last = bottom >= last - max(1, 2 * half) or (half > 0 and drop <= scatter)
    if is_last and kendall_z(recent) < FALLING and measure_fall(deficits) > scatter:
        return "still_improving"
    return "good_fit" if drop <= scatter else "inconclusive"


def _rate(drop: float, best: float) -> Severity:
    share = drop / abs(best) if best else 1.0
    if share > 0.15:
        return "severe"
    return "moderate" if share > 0.05 else "mild"
