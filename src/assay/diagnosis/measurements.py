"""Facts: the numbers a training curve is judged by, before any judgement.

Losses are measured on the scale of what could be learned, baseline minus lowest validation loss, never by the first
epoch alone; noise is the scatter from epoch to epoch.

>>> from assay.readers.history import History
>>> from assay.diagnosis.measurements import measure
>>> facts = measure(History.from_lists(train_loss=[9, 5, 3, 2, 1], val_loss=[8, 5, 4, 5, 6], baseline=10.0))
>>> facts.best_epoch, facts.rise, round(facts.generalisation_loss, 1)
(3.0, 1.0, 25.0)
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from assay.diagnosis.trend import kendall_z, late, noise, running_median, theil_sen
from assay.errors import SchemaError
from assay.readers.history import History, Series
from assay.readers.naming import Better, is_regression

__all__ = ["BaselineFrom", "Facts", "MetricFacts", "first_non_finite", "judge_metrics", "measure"]

Array = NDArray[np.float64]
BaselineFrom = Literal["given", "n_classes", "chance", "first epoch"]


@dataclass(frozen=True)
class Facts:
    """One run in numbers. Curves (n,) are taken at the epochs of the finite validation losses.

    `train` is the training loss as logged, None where it was not; `clean` is that of the final weights of each epoch
    where the log has it (`train_eval`), else `train`. `train_log` (m,) is the training loss at all its epochs.
    `standard_error` is that of one validation loss, 0 where the number of validation rows is unknown.
    """

    epochs: Array
    val: Array
    train: Array | None
    clean: Array | None
    train_log: Array
    train_epochs: Array
    baseline: float
    baseline_from: BaselineFrom
    noise: float
    standard_error: float
    reference: float | None = None
    reference_given: bool = False

    @property
    def evaluated(self) -> bool:
        """Whether `clean` was measured with the weights that validation was measured with."""
        return self.clean is not self.train

    @property
    def known(self) -> bool:
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
        return late(self.val)

    @property
    def learnable(self) -> float:
        """Baseline minus lowest validation loss: what could be learned, in the unit of the loss; at least 0."""
        return max(self.baseline - self.lowest, 0.0)

    @property
    def tolerance(self) -> float:
        """Differences in loss below this are no differences: twice the noise, or 1 % of what could be learned."""
        return max(2 * self.noise, 0.01 * self.learnable)

    @cached_property
    def good(self) -> NDArray[np.intp]:
        """Positions whose smoothed validation loss equals the lowest up to noise, or 1 % of what could be learned."""
        near = running_median(self.val) <= self.lowest + max(self.noise, 0.01 * self.learnable)
        near[self.best] = True
        return np.flatnonzero(near)

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

        Source: Prechelt (1998), Automatic early stopping using cross validation, Neural Networks 11:761-767.
        """
        return 100 * (self.end / self.lowest - 1) if self.lowest > 0 else math.nan

    @property
    def given_back(self) -> float:
        """Share of what was learned that was given back at the end; nan where nothing was learned."""
        return self.rise / self.learnable if self.learnable > 0 else math.nan

    @cached_property
    def z_val_after_best(self) -> float:
        """How surely the validation loss rises from its lowest value on, in standard deviations (Kendall's test)."""
        return kendall_z(self.val[self.best :])

    @cached_property
    def z_train_after_best(self) -> float:
        """Trend of the training loss after the best epoch; nan where it was not logged."""
        return math.nan if self.train is None else kendall_z(self.train[self.best :])

    @cached_property
    def recent(self) -> Array:
        """Smoothed by nothing: the last 30 % of the validation losses, five at least."""
        return self.val[-max(5, math.ceil(0.3 * len(self.val))) :]

    @property
    def learned_val(self) -> float:
        """Share of the baseline loss that training took away, on validation rows, at best; nan where undefined."""
        return self._learned(self.lowest)

    @property
    def learned_train(self) -> float:
        """The same on training rows."""
        return math.nan if self.train is None else self._learned(float(self.train.min()))

    def _learned(self, loss: float) -> float:
        return (self.baseline - loss) / self.baseline if self.baseline > 0 else math.nan

    @cached_property
    def gap(self) -> Array:
        """Validation minus training loss (n,), empty where no training loss was logged."""
        return np.empty(0) if self.clean is None else self.val - self.clean

    def gap_share(self, position: int) -> float:
        """The gap there as a share of what training took off the baseline; nan where undefined."""
        if self.clean is None or not self.baseline > self.clean[position]:
            return math.nan
        return float(self.gap[position] / (self.baseline - self.clean[position]))

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
        """Typical step of the validation loss about its usual step, as a share of what could be learned."""
        steps = np.diff(self.val)
        if len(steps) < 2 or self.learnable <= 0:
            return math.nan
        return float(np.median(np.abs(steps - np.median(steps)))) / self.learnable

    @cached_property
    def bump(self) -> tuple[float, float, int] | None:
        """(epoch, rise, length) of the largest rise before the best epoch that was made good later, or None."""
        smooth = running_median(self.val)[: self.best + 1]
        floor = np.minimum.accumulate(smooth)
        height = smooth - floor
        peak = int(np.argmax(height))
        before = int(np.argmin(smooth[: peak + 1]))
        if (
            not height[peak] > max(3 * self.noise, 0.03 * self.learnable)
            or not self.val[self.best] < floor[peak]
        ):
            return None
        beaten = next((i for i in range(peak, self.best) if self.val[i] < floor[peak]), self.best)
        return float(self.epochs[before]), float(height[peak]), beaten - before

    @cached_property
    def slowing(self) -> float:
        """Slope of the last third over that of the first third; near 1 the curve is a straight line."""
        third = len(self.val) // 3
        first = theil_sen(self.val[: third + 1]) if third else 0.0
        return theil_sen(self.val[-third - 1 :]) / first if first < 0 else 0.0


@dataclass(frozen=True)
class MetricFacts:
    """How one validation metric fared between the epoch of lowest loss and the end.

    `verdict` is improved, unharmed or worse, up to `tolerance`; unknown where its name does not say which way is good.
    """

    metric: str
    better: Better | None
    best: float | None
    best_epoch: float | None
    at_best_loss: float | None
    final: float | None
    tolerance: float | None
    verdict: Literal["improved", "unharmed", "worse", "unknown"]


def first_non_finite(history: History) -> float | None:
    """The epoch at which the training or validation loss is first nan or inf, or None."""
    bad = [
        epoch
        for series in history.series
        if series.metric == history.loss
        for epoch, value in zip(series.epochs, series.values, strict=True)
        if not math.isfinite(value)
    ]
    return min(bad, default=None)


def measure(
    history: History,
    *,
    n_val: int | None = None,
    n_classes: int | None = None,
    baseline: float | None = None,
    reference: float | None = None,
    reference_given: bool = False,
) -> Facts:
    """The facts of a history whose loss is finite and was measured on validation rows at least once."""
    val = history.find(history.validation_split, history.loss or "")
    if val is None:
        raise SchemaError(f"{history.name} has no validation loss to measure")
    epochs, values = np.array(val.epochs), np.array(val.values)
    train = history.find("train", val.metric)
    clean = history.find("train_eval", val.metric) or train
    level, source = _baseline(history, val, train, n_classes, baseline)
    rows = n_val if n_val is not None else history.n_val
    at_val = _at(train, epochs)
    return Facts(
        epochs=epochs,
        val=values,
        train=at_val,
        clean=at_val if clean is train else _at(clean, epochs),
        train_log=np.array(train.values if train else ()),
        train_epochs=np.array(train.epochs if train else ()),
        baseline=level,
        baseline_from=source,
        noise=noise(values),
        standard_error=_standard_error(history, float(values.min()), rows),
        reference=reference,
        reference_given=reference_given,
    )


def _at(series: Series | None, epochs: Array) -> Array | None:
    return None if series is None else np.interp(epochs, series.epochs, series.values)


def _is_regression(history: History) -> bool:
    # A bare "loss" says nothing; the metrics next to it do.
    return any(is_regression(name) for name in (history.loss or "", *history.metrics))


def _standard_error(history: History, mean: float, rows: int | None) -> float:
    """Of a mean log loss about 1 / sqrt(n), as losses of single rows scatter by about 1; of a squared error 2 mean."""
    if not rows:
        return 0.0
    return (2 * abs(mean) if _is_regression(history) else 1.0) / math.sqrt(rows)


def _baseline(
    history: History, val: Series, train: Series | None, n_classes: int | None, given: float | None
) -> tuple[float, BaselineFrom]:
    """The loss of a model that knows only how frequent each outcome is, and where that number comes from."""
    given = given if given is not None else history.baseline
    classes = n_classes or history.n_classes
    if given is not None:
        return given, "given"
    if not _is_regression(history):
        if classes:
            return math.log(classes), "n_classes"
        if chance := _at_chance(history, val.metric):
            return math.log(chance), "chance"
    first = val.values[0]
    # The mean over the first epoch is nearer to the untrained model, unless that epoch exploded.
    if train is not None and first < train.values[0] < 3 * first:
        first = train.values[0]
    return first, "first epoch"


def _at_chance(history: History, loss: str) -> int | None:
    """k where some epoch guesses: accuracy 1 / k and loss log(k) together, which a model that learned does not show."""
    for split in ("train", history.validation_split):
        losses, accuracies = history.find(split, loss), history.find(split, "accuracy")
        if losses is None or accuracies is None:
            continue
        by_epoch = dict(zip(accuracies.epochs, accuracies.values, strict=True))
        for epoch, value in zip(losses.epochs, losses.values, strict=True):
            share = by_epoch.get(epoch, math.nan)
            if not 1e-4 < share < 0.6:
                continue
            k = round(1 / share)
            if abs(1 / share - k) < 0.1 * k and abs(value - math.log(k)) < 0.03 * math.log(k):
                return k
    return None


def judge_metrics(
    history: History,
    at_epoch: float | None,
    *,
    n_val: int | None = None,
    better: Mapping[str, Better] | None = None,
) -> tuple[MetricFacts, ...]:
    """Each validation metric besides the loss, compared between `at_epoch` and the end of the run."""
    found = (history.find(history.validation_split, name) for name in history.metrics)
    series = (
        replace(s, better=(better or {}).get(s.metric, s.better)) for s in found if s is not None
    )
    return tuple(
        _judge_metric(s, at_epoch, n_val if n_val is not None else history.n_val) for s in series
    )


def _judge_metric(series: Series, at_epoch: float | None, rows: int | None) -> MetricFacts:
    finite = [(e, v) for e, v in zip(series.epochs, series.values, strict=True) if math.isfinite(v)]
    if series.better is None or not finite:
        return MetricFacts(series.metric, series.better, None, None, None, None, None, "unknown")
    values = np.array([v for _, v in finite])
    position = int(np.argmax(values) if series.better == "higher" else np.argmin(values))
    best_epoch, best = finite[position]
    near = (
        position
        if at_epoch is None
        else min(range(len(finite)), key=lambda i: abs(finite[i][0] - at_epoch))
    )
    start, final = finite[near][1], late(values[near:])
    tolerance = _metric_tolerance(values, start, rows)
    drop = start - final if series.better == "higher" else final - start
    verdict: Literal["improved", "unharmed", "worse"] = "unharmed"
    if abs(drop) > tolerance:
        verdict = "worse" if drop > 0 else "improved"
    return MetricFacts(
        series.metric, series.better, best, best_epoch, start, final, tolerance, verdict
    )


def _metric_tolerance(values: Array, at: float, rows: int | None) -> float:
    """Of a share its standard error, half a point at least; of other numbers 2 %; never less than the noise."""
    if values.min() >= 0 and values.max() <= 1:
        return max(0.005, math.sqrt(at * (1 - at) / rows) if rows else 0.0, noise(values))
    return max(0.02 * abs(at), noise(values))
