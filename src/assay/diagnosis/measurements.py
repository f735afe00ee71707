"""Measurements: the numbers that a training curve is judged by, before any judgement.

Losses are measured on the scale of what could be learned: baseline minus lowest validation loss.
The first epoch alone is no scale. Noise is the scatter from epoch to epoch.

>>> from assay.readers.history import History
>>> from assay.diagnosis.measurements import measure
>>> history = History.from_lists(train_loss=[9, 5, 3, 2, 1], val_loss=[8, 5, 4, 5, 6])
>>> run = measure(history)
>>> run.best_epoch, run.rise, round(run.generalisation_loss, 1)
(3.0, 1.5, 37.5)
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from assay.diagnosis.baseline import BaselineFrom, find_baseline, find_standard_error
from assay.diagnosis.curves import (
    average_batches,
    drop_lost,
    find_factor,
    interpolate,
    take_logarithm,
)
from assay.diagnosis.trend import (
    count_neighbours,
    find_level_error,
    kendall_z,
    measure_fall,
    measure_swing,
    noise,
    running_median,
    theil_sen,
)
from assay.errors import SchemaError
from assay.kernels import Array
from assay.readers.history import History
from assay.readers.naming import is_perplexity

__all__ = ["Measurements", "measure"]


@dataclass(frozen=True)
class Measurements:
    """One run in numbers. Curves (n,) are taken at the epochs of the finite validation losses.

    `train` is the training loss as logged, None where it was not; `train_eval` is the loss on
    training rows with the final weights of each epoch where the log has it, else `train`.
    `train_log` (m,) is the training loss at all its epochs. `standard_error` is that of one
    validation loss, 0 where the number of validation rows is unknown. `in_nats` says that all are
    logarithms of a logged perplexity; `train_factor` is what a training loss that was logged as a
    sum was divided by; `is_lagged` says that it is a mean over the epoch, half an epoch behind.
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
    is_lagged: bool = False

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

    @property
    def half(self) -> int:
        """Neighbours on either side that a level is the median of; 0 below 30 evaluations."""
        return count_neighbours(len(self.val))

    @cached_property
    def smooth(self) -> Array:
        """The level of validation loss (n,): medians of neighbours."""
        return running_median(self.val, max(1, self.half))

    @cached_property
    def bottom(self) -> int:
        """Position of the lowest level, or of the lowest loss where evaluations are few."""
        return int(np.argmin(self.smooth)) if self.half else self.best

    @property
    def lowest_level(self) -> float:
        """The lowest level of validation loss: the lowest of many losses is so by chance."""
        return float(self.smooth[self.bottom]) if self.half else self.lowest

    @cached_property
    def end(self) -> float:
        """Validation loss at the end: the median of the last three, of those after the best."""
        return self._find_end(3, self.best)

    @cached_property
    def last_level(self) -> float:
        """The level of validation loss at the end."""
        return self._find_end(max(3, 2 * self.half + 1), self.bottom)

    def _find_end(self, count: int, low: int) -> float:
        """The median of the last `count` validation losses, of those after the position `low`."""
        last = len(self.val) - 1
        first = max(min(low + 1, last), last + 1 - count)
        return float(np.median(self.val[first:]))

    @property
    def learnable(self) -> float:
        """Baseline minus lowest validation loss, in the unit of the loss; at least 0."""
        return max(self.baseline - self.lowest, 0.0)

    @property
    def resolution(self) -> float:
        """Smaller falls in loss are none: twice the noise, 1 % of the learnable, 5 % of the lowest.

        Of the last two the smaller.
        """
        return max(self.level_error, self.visible_fall)

    @property
    def visible_fall(self) -> float:
        """1 % of the learnable or of what fell, or 5 % of the lowest loss where that is less."""
        return self._limit_width(0.05, max(self.learnable, float(self.val[0]) - self.lowest))

    @property
    def level_error(self) -> float:
        """What two levels of validation loss may differ by where nothing changed."""
        return find_level_error(self.noise, self.half)

    @property
    def tolerance(self) -> float:
        """Smaller rises in loss are none: twice the noise, 1 % of the learnable, 2 % of the lowest.

        Of the last two the smaller, so that what is said about the baseline hides no rise.
        """
        return max(self.level_error, self._limit_width(0.02))

    def _limit_width(self, share: float, learned: float | None = None) -> float:
        """1 % of the learnable, at most a `share` of the lowest loss where that is above 0."""
        learned = self.learnable if learned is None else learned
        width = 0.01 * learned
        if self.in_nats:
            return min(width, share)
        if self.lowest <= 0:
            return width
        # A lowest loss near 0 is no scale.
        return min(width, max(share * self.lowest, 0.0001 * learned))

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
        if self.level_rise > self.tolerance and self.z_val_after_best > 1.64:
            width = min(width, 0.8 * self.rise)
        # What is no rise is about as good.
        width = max(self.noise, width, min(0.02 * abs(self.lowest), 0.05 * self.learnable))
        smooth = self.smooth
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

    @property
    def level_rise(self) -> float:
        """How far validation loss ends above its lowest level."""
        return self.last_level - self.lowest_level

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
        return kendall_z(self.val[self.bottom :])

    @cached_property
    def z_train_after_best(self) -> float:
        """Trend of the training loss after the best epoch; nan where it was not logged."""
        return math.nan if self.train is None else kendall_z(self.train[self.bottom :])

    @cached_property
    def recent(self) -> Array:
        """The last 30 % of the validation losses, five at least, not smoothed."""
        return self.val[-max(5, math.ceil(0.3 * len(self.val))) :]

    @cached_property
    def fall(self) -> float:
        """How far the level of validation loss fell over the last 30 %, or two evaluations."""
        return measure_fall(self.val)

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
        share = self._share_learned(float(running_median(self.train, max(1, self.half)).min()))
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
    def easier_evaluations(self) -> int:
        """Evaluations at which validation loss is below training loss at the same time.

        A mean over an epoch is that of its middle: the mean with the next one is that of its end.
        """
        if self.train is None:
            return 0
        train = self.train
        if self.is_lagged and len(train) > 1:
            ahead = np.append(train[1:], 2 * train[-1] - train[-2])
            train = (train + ahead) / 2
        return int((self.val < train).sum())

    @cached_property
    def swing(self) -> float:
        """How far both losses go up and down together from epoch to epoch, as a share of them.

        0 where they do not go together.
        """
        if self.train is None or min(self.train.min(), self.lowest) <= 0:
            return 0.0
        train, val = np.log(self.train), np.log(self.val)
        swing = measure_swing(train, val)
        if not self.is_lagged:
            return swing
        # A mean over the steps since the last evaluation goes with the mean of both evaluations,
        # and one jump of the loss with two steps of that.
        return max(swing, measure_swing(train[1:], (val[1:] + val[:-1]) / 2, jumps=2))

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
    train = drop_lost(history.find("train", val.metric))
    train_eval = history.find("train_eval", val.metric)
    if in_nats:
        val = take_logarithm(val)
        train = train and take_logarithm(train)
        train_eval = train_eval and take_logarithm(train_eval)
    epochs = np.array(val.epochs)
    values = np.array(val.values)
    train = average_batches(train, epochs)
    factor = find_factor(train, val)
    if train is not None and factor > 1:
        train = replace(train, values=tuple(value / factor for value in train.values))
    baseline, source = find_baseline(history, val, train)
    if in_nats and source == "given":
        baseline = math.log(baseline) if baseline > 0 else baseline
    train_at_val = interpolate(train, epochs)
    return Measurements(
        epochs=epochs,
        val=values,
        train=train_at_val,
        train_eval=interpolate(train_eval, epochs) if train_eval else train_at_val,
        train_log=np.array(train.values if train else ()),
        train_epochs=np.array(train.epochs if train else ()),
        in_nats=in_nats,
        train_factor=factor,
        is_lagged=train is not None and train.aggregation in ("running_mean", "window_mean"),
        baseline=baseline,
        baseline_from=source,
        noise=noise(values),
        standard_error=find_standard_error(history, float(values.min())),
        reference=reference,
        reference_given=reference_given,
    )
