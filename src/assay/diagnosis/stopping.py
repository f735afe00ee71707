"""stopping: whether further epochs of a run that is under way can pay.

A run is asked after every evaluation, hundreds of times, so that the usual test of a trend would
stop most healthy runs by chance. Here a rise must be far higher than the scatter of the losses
before it, must last for a share of the run, and must go on.

>>> from assay.diagnosis.stopping import is_past_best
>>> falling = [1.0, 0.8, 0.7, 0.64, 0.6, 0.58, 0.57]
>>> is_past_best(falling + [0.58, 0.57, 0.58]), is_past_best(falling + [0.62, 0.66, 0.7])
(False, True)
"""

import math
from collections.abc import Collection, Sequence

import numpy as np

from assay.diagnosis.metric_changes import measure_metric_tolerance
from assay.diagnosis.metric_curve import find_metric, judge_metric_curve
from assay.diagnosis.run_diagnosis import RunDiagnosis
from assay.diagnosis.trend import noise
from assay.kernels import Array
from assay.readers.history import History, Series

__all__ = ["STOPS", "find_stop", "is_past_best"]

STOPS = ("overfit", "diverged")

FEWEST = 6  # evaluations before a run may be stopped
SHARE = 0.15  # of the evaluations so far that a rise must last
LEAST = 3  # evaluations that it must last anyway
SCATTERS = 4.0  # by how many times the scatter it must be higher
WANDERING = 1.4  # by how much noise over three steps falls short of that over many
TOLERANCE = 0.02  # by what share of the lowest level it must be higher anyway


def find_stop(run: RunDiagnosis, stop_when: Collection[str]) -> str | None:
    """Which of the reasons in `stop_when` holds for a `run` so far, or None.

    "overfit": validation has been worse than it was for a share of the run, far beyond its
    scatter, and no metric still gains. A run that keeps its epoch by a metric is asked for that
    metric. "diverged": the loss has been nan or inf three times in a row.
    """
    if "diverged" in stop_when and run.status == "diverged" and _is_lost(run.history):
        return "diverged"
    if "overfit" in stop_when and _cannot_gain(run):
        return "overfit"
    return None


def is_past_best(values: Sequence[float] | Array, tolerance: float | None = None) -> bool:
    """Whether a curve of which less is better has surely risen for good.

    Parameters:
        values: The losses so far (n,), finite.
        tolerance: Smaller rises are none, in the unit of the values; default: 2 % of the lowest
            level.

    Returns:
        True where the last 15 % of the values, three at least, are all higher than the lowest mean
        of as many values before, do not fall again, and stand higher by 4 times the scatter of the
        values before around a curve that falls and then rises.

    >>> is_past_best([0.9, 0.7, 0.6, 0.9, 0.7, 0.6, 0.9, 0.8, 0.8])
    False
    """
    losses = np.asarray(values, dtype=np.float64)
    width = max(LEAST, math.ceil(SHARE * len(losses)))
    if len(losses) < max(FEWEST, 2 * width):
        return False
    before, recent = losses[:-width], losses[-width:]
    means = np.convolve(before, np.full(width, 1 / width), "valid")
    lowest = int(np.argmin(means))
    level = float(means[lowest])
    least = TOLERANCE * abs(level) if tolerance is None else tolerance
    half = width // 2
    is_turning = np.median(recent[-half:]) < np.median(recent[:half])
    if is_turning or recent.min() <= level + least:
        return False
    scatter = _measure_scatter(before, lowest + half)
    return bool(np.median(recent) > level + max(least, SCATTERS * scatter))


def _measure_scatter(values: Array, lowest: int) -> float:
    """The standard deviation of `values` around a curve that falls to `lowest` and then rises.

    The first quarter, where a curve bends most, is left out. Noise that hangs together from one
    value to the next follows such a curve too well: there its scatter over three steps counts.
    """
    fit = np.concatenate([_fit_falling(values[: lowest + 1]), -_fit_falling(-values[lowest + 1 :])])
    deviations = (values - fit)[min(len(values) // 4, lowest) :]
    if len(deviations) < LEAST:
        return 0.0
    # Deviations from a fit are smaller than those from the truth.
    around = 1.25 * 1.4826 * float(np.median(np.abs(deviations)))
    return max(around, noise(values), WANDERING * noise(values, spacing=3))


def _fit_falling(values: Array) -> Array:
    """The nearest curve that never rises, in least squares: pools of adjacent violators.

    Source: Ayer et al. (1955), Annals of Mathematical Statistics 26:641-647.
    """
    levels: list[float] = []
    counts: list[int] = []
    for value in values.tolist():
        levels.append(value)
        counts.append(1)
        while len(levels) > 1 and levels[-2] < levels[-1]:
            last, count = levels.pop(), counts.pop()
            pooled = levels[-1] * counts[-1] + last * count
            counts[-1] += count
            levels[-1] = pooled / counts[-1]
    return np.repeat(levels, counts)


def _cannot_gain(run: RunDiagnosis) -> bool:
    """Whether what the epoch to keep is chosen by is past its best, and nothing else gains."""
    history = run.history
    metric = history.monitor if history.monitor in history.metrics else None
    loss = _take_finite(history.find(history.validation_split, history.loss or ""))
    if metric is not None or loss is None:
        curve = _take_finite(find_metric(history, metric=metric))
        judged = judge_metric_curve(history, metric=metric)
        is_overfit = judged is not None and judged.status == "overfit"
        return curve is not None and is_overfit and _is_metric_past_best(curve, history)
    if run.status not in ("overfit", "memorising") or not is_past_best(loss.values):
        return False
    curves = [_take_finite(history.find(history.validation_split, m)) for m in history.metrics]
    return not any(_is_gaining(curve, history) for curve in curves if curve is not None)


def _take_finite(curve: Series | None) -> Series | None:
    """The curve without values that are nan or inf; None where none is left."""
    if curve is None:
        return None
    kept = np.flatnonzero(np.isfinite(curve.values)).tolist()
    return curve.take(kept) if kept else None


def _convert_to_deficits(curve: Series) -> Array:
    """The values with less as better."""
    values = np.array(curve.values)
    return -values if curve.better == "higher" else values


def _is_metric_past_best(curve: Series, history: History) -> bool:
    deficits = _convert_to_deficits(curve)
    best = curve.values[int(np.argmin(deficits))]
    return is_past_best(deficits, measure_metric_tolerance(curve, best, history.n_val))


def _is_gaining(curve: Series, history: History) -> bool:
    """Whether the last values of a metric are better than all before them, beyond tolerance."""
    width = max(LEAST, math.ceil(SHARE * len(curve.values)))
    if curve.better is None or len(curve.values) < 2 * width:
        return False
    deficits = _convert_to_deficits(curve)
    before = np.convolve(deficits[:-width], np.full(width, 1 / width), "valid").min()
    tolerance = measure_metric_tolerance(curve, curve.values[-1], history.n_val)
    return bool(np.median(deficits[-width:]) < before - tolerance)


def _is_lost(history: History) -> bool:
    """Whether a curve of the loss was nan or inf three times in a row at the end."""
    return any(
        not np.isfinite(series.values[-LEAST:]).any()
        for series in history.series
        if series.metric == history.loss and len(series.values) >= LEAST
    )
