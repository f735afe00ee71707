"""Measurements: the numbers that a training curve is judged by, before any judgement.

Losses are measured on the scale of what could be learned: baseline minus lowest validation loss.
The first epoch alone is no scale. Noise is the scatter from epoch to epoch.

>>> from assay.readers.history import History
>>> from assay.diagnosis.measurements import measure
>>> history = History.from_lists(train_loss=[9, 5, 3, 2, 1], val_loss=[8, 5, 4, 5, 6])
>>> run = measure(history)
>>> run.best_epoch, run.rise, round(run.generalisation_loss, 1)
(3.0, 1.0, 25.0)
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from assay.core.types import Better
from assay.diagnosis.trend import final_level, kendall_z, noise, running_median, theil_sen
from assay.errors import SchemaError
from assay.kernels import Array
from assay.readers.history import History, Series
from assay.readers.naming import SplitName, is_perplexity, is_regression, is_share

__all__ = [
    "BaselineFrom",
    "Measurements",
    "MetricChange",
    "find_divergence",
    "is_recovered",
    "judge_metrics",
    "measure",
    "measure_metric_tolerance",
]

BaselineFrom = Literal["given", "n_classes", "chance", "first epoch"]


@dataclass(frozen=True)
class Measurements:
    """One run in numbers. Curves (n,) are taken at the epochs of the finite validation losses.

    `train` is the training loss as logged, None where it was not; `train_eval` is the loss on
    training rows with the final weights of each epoch where the log has it, else `train`.
    `train_log` (m,) is the training loss at all its epochs. `standard_error` is that of one
    validation loss, 0 where the number of validation rows is unknown. `in_nats` says that all are
    logarithms of a logged perplexity; `train_factor` is what a training loss that was logged as a
    sum was divided by.
    """

    epochs: Array
    val: Array
    train: Array | None
    train_eval: Array | None
    train_log: Array
    train_epochs: Array
    baseline: float
    baseline_from: BaselineFrom
    noise: float
    standard_error: float
    reference: float | None = None
    reference_given: bool = False
    in_nats: bool = False
    train_factor: float = 1.0

    @property
    def has_train_eval(self) -> bool:
        """Whether `train_eval` was measured with the weights that validation was measured with."""
        return self.train_eval is not self.train

    @property
    def is_baseline_known(self) -> bool:
        """Whether the baseline is known, rather than guessed from the first epoch."""
        return self.baseline_from != "first epoch"

    @cached_property
    def best(self) -> int:
        """Position of the lowest validation loss, the first of equals."""
        return int(np.argmin(self.val))

    @property
    def best_epoch(self) -> float:
        """Epoch of the lowest validation loss."""
        return float(self.epochs[self.best])

    @property
    def lowest(self) -> float:
        """The lowest validation loss."""
        return float(self.val[self.best])

    @cached_property
    def end(self) -> float:
        """Validation loss at the end: the median of the last three."""
        return final_level(self.val)

    @property
    def learnable(self) -> float:
        """Baseline minus lowest validation loss, in the unit of the loss; at least 0."""
        return max(self.baseline - self.lowest, 0.0)

    @property
    def resolution(self) -> float:
        """Smaller falls in loss are none: twice the noise, 1 % of the learnable."""
        return max(2 * self.noise, 0.01 * self.learnable)

    @property
    def tolerance(self) -> float:
        """Smaller rises in loss are none: twice the noise, 1 % of the learnable, 2 % of the lowest.

        Of the last two the smaller, so that what is said about the baseline hides no rise.
        """
        return max(2 * self.noise, self._limit_width(0.02))

    def _limit_width(self, share: float) -> float:
        """1 % of the learnable, at most a `share` of the lowest loss where that is above 0."""
        width = 0.01 * self.learnable
        if self.in_nats:
            return min(width, share)
        if self.lowest <= 0:
            return width
        # A lowest loss near 0 is no scale.
        return min(width, max(share * self.lowest, 0.0005 * self.learnable))

    @property
    def error(self) -> float:
        """How uncertain one validation loss is: by its noise or its standard error, the larger."""
        return max(self.noise, self.standard_error)

    @cached_property
    def good(self) -> NDArray[np.intp]:
        """Positions about as good as the best.

        Their smoothed validation loss is the lowest up to the noise, or 1 % of the learnable; from
        the best to each of them it stays close to that.
        """
        width = self._limit_width(0.06)
        if self.rise > self.tolerance and self.z_val_after_best > 1.64:
            width = min(width, 0.8 * self.rise)
        width = max(self.noise, width)
        smooth = running_median(self.val)
        near = smooth <= self.lowest + width
        near[self.best] = True
        far = np.flatnonzero(smooth > self.lowest + 3 * width + 3 * self.noise)
        first = max((i for i in far.tolist() if i < self.best), default=-1)
        last = min((i for i in far.tolist() if i > self.best), default=len(smooth))
        positions = np.flatnonzero(near)
        return positions[(positions > first) & (positions < last)]

    @property
    def good_range(self) -> tuple[float, float]:
        """First and last epoch of those about as good as the best."""
        return float(self.epochs[self.good[0]]), float(self.epochs[self.good[-1]])

    @property
    def onset(self) -> float | None:
        """The first epoch after the good range; None where the range lasts to the end."""
        after = int(self.good[-1]) + 1
        return float(self.epochs[after]) if after < len(self.epochs) else None

    @property
    def rise(self) -> float:
        """How far validation loss ends above its lowest value."""
        return self.end - self.lowest

    @cached_property
    def generalisation_loss(self) -> float:
        """100 (end / lowest - 1), in percent; nan where the lowest loss is not above 0.

        Source: Prechelt (1998), Automatic early stopping using cross validation, Neural Networks
        11:761-767.
        """
        if self.in_nats:
            return 100 * math.expm1(self.rise)
        return 100 * (self.end / self.lowest - 1) if self.lowest > 0 else math.nan

    @property
    def share_given_back(self) -> float:
        """The rise as a share of what was learned; nan where nothing was learned."""
        return self.rise / self.learnable if self.learnable > 0 else math.nan

    @cached_property
    def z_val_after_best(self) -> float:
        """Trend of the validation loss from its lowest value on, in standard deviations."""
        return kendall_z(self.val[self.best :])

    @cached_property
    def z_train_after_best(self) -> float:
        """Trend of the training loss after the best epoch; nan where it was not logged."""
        return math.nan if self.train is None else kendall_z(self.train[self.best :])

    @cached_property
    def recent(self) -> Array:
        """The last 30 % of the validation losses, five at least, not smoothed."""
        return self.val[-max(5, math.ceil(0.3 * len(self.val))) :]

    @property
    def learned_val(self) -> float:
        """Share of the baseline loss that training took away, on validation rows at best."""
        return self._share_learned(self.lowest)

    @property
    def learned_train(self) -> float:
        """Share of the baseline loss that training took away, on training rows at best.

        nan where no training loss was logged, or one far above the baseline throughout: it is on
        another scale.
        """
        if self.train is None:
            return math.nan
        share = self._share_learned(float(self.train.min()))
        return math.nan if share < -0.25 else share

    def _share_learned(self, loss: float) -> float:
        return (self.baseline - loss) / self.baseline if self.baseline > 0 else math.nan

    @cached_property
    def gap(self) -> Array:
        """Validation minus training loss (n,), empty where no training loss was logged."""
        return np.empty(0) if self.train_eval is None else self.val - self.train_eval

    def gap_share(self, position: int) -> float:
        """The gap at a `position`, as a share of what training took off the baseline there.

        nan where it took nothing off, or no training loss was logged.
        """
        if self.train_eval is None or not self.baseline > self.train_eval[position]:
            return math.nan
        return float(self.gap[position] / (self.baseline - self.train_eval[position]))

    @cached_property
    def z_gap(self) -> float:
        """Trend of the gap after the first third."""
        return kendall_z(self.gap[len(self.gap) // 3 :])

    @cached_property
    def train_rises(self) -> float:
        """Share of steps in which training loss rises, the first left out; nan below two steps."""
        steps = np.diff(self.train_log)[1:]
        return float((steps > 0).mean()) if len(steps) else math.nan

    @cached_property
    def jitter(self) -> float:
        """Typical distance of a step of validation loss from the median step, by the learnable."""
        steps = np.diff(self.val)
        if len(steps) < 2 or self.learnable <= 0:
            return math.nan
        return float(np.median(np.abs(steps - np.median(steps)))) / self.learnable

    @cached_property
    def bump(self) -> tuple[float, float, int] | None:
        """(epoch, rise, length) of the largest rise made good by the best epoch, or None."""
        smooth = running_median(self.val)[: self.best + 1]
        floor = np.minimum.accumulate(smooth)
        height = smooth - floor
        peak = int(np.argmax(height))
        is_high = height[peak] > max(3 * self.noise, 0.03 * self.learnable)
        if not is_high or not self.val[self.best] < floor[peak]:
            return None
        start = int(np.argmin(smooth[: peak + 1]))
        regained = (i for i in range(peak, self.best) if self.val[i] < floor[peak])
        return float(self.epochs[start]), float(height[peak]), next(regained, self.best) - start

    @cached_property
    def slowing(self) -> float:
        """Slope of the last third over that of the first third; near 1 for a straight line."""
        third = len(self.val) // 3
        first = theil_sen(self.val[: third + 1]) if third else 0.0
        return theil_sen(self.val[-third - 1 :]) / first if first < 0 else 0.0


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


def find_divergence(history: History) -> float | None:
    """The epoch at which a loss of a `history` is first nan or inf, or None.

    A training loss that was so at less than one in twenty of its points, and is finite at the end,
    recovered.
    """
    epochs = []
    for series in history.series:
        if series.metric != history.loss:
            continue
        lost = np.flatnonzero(~np.isfinite(series.values))
        if len(lost) and not is_recovered(series, lost):
            epochs.append(series.epochs[int(lost[0])])
    return min(epochs, default=None)


def is_recovered(series: Series, lost: NDArray[np.intp]) -> bool:
    """Whether a training curve that was nan or inf at the points `lost` went on without harm."""
    is_rare = series.split == "train" and len(lost) < len(series.values) / 20
    return bool(is_rare and len(series.values) - 1 not in lost)


def measure(
    history: History, *, reference: float | None = None, reference_given: bool = False
) -> Measurements:
    """The measurements of a `history` with a finite loss on validation rows.

    `reference` is a loss known to be possible on these rows; `reference_given` says that a person
    gave it, rather than another run.
    """
    val = history.find(history.validation_split, history.loss or "")
    if val is None:
        raise SchemaError(f"{history.name} has no validation loss to measure")
    in_nats = is_perplexity(val.metric) and min(val.values) > 0
    train = _drop_lost(history.find("train", val.metric))
    train_eval = history.find("train_eval", val.metric)
    if in_nats:
        val, train, train_eval = (_take_logarithm(series) for series in (val, train, train_eval))
    epochs = np.array(val.epochs)
    values = np.array(val.values)
    train = _average_batches(train, epochs)
    factor = _find_factor(train, val)
    if train is not None and factor > 1:
        train = replace(train, values=tuple(value / factor for value in train.values))
    baseline, source = _find_baseline(history, val, train)
    if in_nats and source == "given":
        baseline = math.log(baseline) if baseline > 0 else baseline
    train_at_val = _interpolate(train, epochs)
    return Measurements(
        epochs=epochs,
        val=values,
        train=train_at_val,
        train_eval=_interpolate(train_eval, epochs) if train_eval else train_at_val,
        train_log=np.array(train.values if train else ()),
        train_epochs=np.array(train.epochs if train else ()),
        in_nats=in_nats,
        train_factor=factor,
        baseline=baseline,
        baseline_from=source,
        noise=noise(values),
        standard_error=_standard_error(history, float(values.min())),
        reference=reference,
        reference_given=reference_given,
    )


def _pair(series: Series) -> Iterable[tuple[float, float]]:
    return zip(series.epochs, series.values, strict=True)


def _drop_lost(series: Series | None) -> Series | None:
    """The curve without points that are nan or inf, from which training recovered."""
    if series is None or np.isfinite(series.values).all():
        return series
    return series.take(np.flatnonzero(np.isfinite(series.values)).tolist())


def _take_logarithm(series: Series | None) -> Any:
    """A perplexity in nats."""
    if series is None:
        return None
    return replace(series, values=tuple(np.log(np.maximum(series.values, 1e-300)).tolist()))


def _average_batches(series: Series | None, epochs: Array) -> Series | None:
    """A training curve of many points between evaluations as their means.

    The losses of single batches scatter far more than those of an evaluation. Points after the
    last evaluation are one more mean, where they are about as many.
    """
    if series is None or len(series.values) < 3 * len(epochs):
        return series
    windows = np.searchsorted(epochs, series.epochs)
    counts = np.bincount(windows, minlength=len(epochs) + 1)
    sums = np.bincount(windows, weights=series.values, minlength=len(epochs) + 1)
    ends = np.append(epochs, series.epochs[-1])
    kept = counts > 0
    kept[-1] = counts[-1] >= max(1.0, float(np.median(counts[:-1])) / 2)
    means = sums[kept] / counts[kept]
    return replace(
        series,
        epochs=tuple(ends[kept].tolist()),
        values=tuple(means.tolist()),
        aggregation="window_mean",
    )


def _find_factor(train: Series | None, val: Series) -> float:
    """By what a training loss is too large that was summed over accumulated batches; else 1.

    It begins at a whole multiple of the validation loss, and stays far above it throughout.
    """
    is_mean = train is not None and train.aggregation == "window_mean" and len(val.values) >= 3
    if train is None or not is_mean or min(val.values) <= 0:
        return 1.0
    ratios = np.interp(val.epochs, train.epochs, train.values) / np.array(val.values)
    factor = float(np.round(ratios[0]))
    is_whole = 2 <= factor <= 64 and abs(ratios[0] / factor - 1) < 0.1
    return factor if is_whole and ratios.min() > 0.6 * factor else 1.0


def _interpolate(series: Series | None, epochs: Array) -> Array | None:
    return None if series is None else np.interp(epochs, series.epochs, series.values)


def _is_regression(history: History) -> bool:
    # A bare "loss" says nothing; the metrics next to it do.
    return any(is_regression(name) for name in (history.loss or "", *history.metrics))


def _standard_error(history: History, mean: float) -> float:
    """Of a mean log loss about 1 / sqrt(n), as losses of rows scatter by about 1; else 2 mean.

    Losses of rows near 0 scatter less: by about four times their mean.
    """
    if not history.n_val:
        return 0.0
    spread = 2 * abs(mean) if _is_regression(history) else min(1.0, 4 * abs(mean))
    return spread / math.sqrt(history.n_val)


def _find_baseline(
    history: History, val: Series, train: Series | None
) -> tuple[float, BaselineFrom]:
    """The loss of a model that knows only how frequent each outcome is, and where it comes from."""
    if history.baseline is not None:
        return history.baseline, "given"
    if not _is_regression(history):
        if history.n_classes:
            return math.log(history.n_classes), "n_classes"
        if k := _find_chance_level(history, val.metric):
            return math.log(k), "chance"
    first = _find_settled(val)
    # The mean over the first epoch is nearer to the untrained model, unless that epoch exploded.
    if train is not None and first < train.values[0] < 3 * first:
        first = train.values[0]
    return first, "first epoch"


def _find_settled(val: Series) -> float:
    """The first validation loss, or one of the next two where losses before are many times that.

    The first epoch of an unscaled regression, or of batch normalisation, is no baseline.
    """
    early = val.values[:3]
    position = 0
    while position + 1 < len(early) and early[position] > 5 * early[position + 1] > 0:
        position += 1
    return early[position]


def _find_chance_level(history: History, loss: str) -> int | None:
    """k where some epoch guesses among k classes.

    Its accuracy is 1 / k and its loss log(k), which a model that learned does not show together.
    """
    splits: tuple[SplitName, ...] = ("train", history.validation_split)
    for split in splits:
        losses = history.find(split, loss)
        accuracies = history.find(split, "accuracy")
        if losses is None or accuracies is None:
            continue
        by_epoch = dict(_pair(accuracies))
        for epoch, value in _pair(losses):
            share = by_epoch.get(epoch, math.nan)
            k = round(1 / share) if 1e-4 < share < 0.6 else 0
            if k and _is_guessing(share, value, k):
                return k
    return None


def _is_guessing(accuracy: float, loss: float, k: int) -> bool:
    return abs(1 / accuracy - k) < 0.1 * k and abs(loss - math.log(k)) < 0.03 * math.log(k)


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
    finite = [(epoch, value) for epoch, value in _pair(series) if math.isfinite(value)]
    if series.better is None or not finite:
        return MetricChange(series.metric, series.better, None, None, None, None, None, "unknown")
    values = np.array([value for _, value in finite])
    position = int(np.argmax(values) if series.better == "higher" else np.argmin(values))
    best_epoch, best = finite[position]
    start_position = position
    if at_epoch is not None:
        start_position = min(range(len(finite)), key=lambda i: abs(finite[i][0] - at_epoch))
    start = finite[start_position][1]
    final = final_level(values[start_position:])
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
    """Of a share its standard error, half a point at least; of other numbers 2 %; or the noise.

    Shares may be logged as percent.
    """
    values = np.array([number for number in series.values if math.isfinite(number)])
    is_percent = 1.5 < values.max() <= 100 and is_share(series.metric)
    whole = 100.0 if is_percent else 1.0
    if values.min() >= 0 and values.max() <= whole:
        share = value / whole
        standard_error = math.sqrt(share * (1 - share) / rows) if rows else 0.0
        return max(0.005 * whole, standard_error * whole, noise(values))
    return max(0.02 * abs(value), noise(values))
