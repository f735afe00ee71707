"""calibration_gaps: the interval of a calibration error, which chance alone makes larger.

Bins are off by what the model is off, and by chance; in a metric that adds up how far they are off,
chance does not cancel. So models are drawn whose bins are off by more or less than those of the
sample, and the interval ends at those that score as much, or as little, in one of forty samples.

>>> from assay.evaluation.evaluate import evaluate
>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays([0, 1] * 10, {"m.proba": [0.2, 0.8] * 10}, positive=1)
>>> row = evaluate(p, "ece").rows[0]
>>> row.method, round(row.value, 2), row.low
('parametric bootstrap', 0.2, 0.0)
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from assay.intervals.proportions import wilson
from assay.intervals.replicates import Interval, Sample
from assay.kernels import Array, divide
from assay.metrics.base import Metric

__all__ = ["bootstrap_gaps"]

# How far beyond the gaps of the sample models are looked for, and halvings of what is left.
FARTHEST = 64.0
HALVINGS = 7
# The share of the error that the lower end takes at most: models may be off otherwise than those
# that are drawn.
MOST = 0.8
# Scores this close are the same.
TIE = 1e-12
# Samples that are drawn of each model: fewer where there are many bins of many classes.
DRAWS = 500
FEWEST = 50
MOST_BINS = 1 << 19


def bootstrap_gaps(metric: Metric, sample: Sample, confidence: float) -> Interval:
    """Values by `metric` of models of which that of `sample` is an outer quantile.

    The outer quantiles hold `confidence` between them. Bins of the models are off in the direction
    of those of the sample: for the upper end by a multiple of the gap and its standard error
    together; for the lower end by that or by one of what the gap has beyond chance, so that few
    bins are off and chance makes the others as large as it can, whichever ends lower. Chance seldom
    makes an error smaller, and the interval holds the value, so the upper end of a nearly
    calibrated model hardly ever errs: the lower end takes what that leaves of the error. What comes
    true in a bin is binomial; weighted rows count as so many as they are worth (Kish). What the
    mass of the bins, drawn with the rows, makes of the model's own value is added.
    """
    value = metric.estimate(sample.summary)
    if np.isnan(value).any():
        return Interval(np.full(len(value), np.nan), np.full(len(value), np.nan), "")
    models = _Models(metric, sample)
    tail = (1 - confidence) / 2
    low = [models.value(way, _find_low(models, way, value, tail)) for way in models.ways]
    ends = _admit_other_rows(metric, sample, value, confidence)
    return Interval(
        np.fmin(np.min(low, axis=0), ends[0]),
        # Rows that fit a calibrated model too well are no reason to doubt that it is one.
        np.fmax(np.fmax(_find_high(models, value, tail), value), ends[1]),
        "parametric bootstrap",
    )


def _find_high(models: "_Models", value: Array, tail: float) -> Array:
    """The values (values,) of the least models of which a `value` is a quantile `tail`, or less.

    Where all that was stated came true, models that are off in the direction of the sample score no
    more than it: then those that are off the other way.
    """

    def find(direction: Array) -> Array:
        return _find_first(
            lambda size: models.quantile(direction, size, tail) > value + TIE, len(value)
        )

    size = find(models.with_chance)
    high = models.value(models.with_chance, size)
    beyond = size >= FARTHEST
    if not beyond.any():
        return high
    return np.where(beyond, models.value(models.opposite, find(models.opposite)), high)


def _find_low(models: "_Models", direction: Array, value: Array, tail: float) -> Array:
    """The least multiples (values,) of which a `value` is no outer quantile from above.

    A sample lies outside where fewer than a share of the model's samples score more, counting half
    of those that score the same. The share is `tail`, and what the upper end leaves of as much, but
    at most `MOST` of both.
    """

    def admits(size: Array) -> Array:
        scores = models.draw(direction, size)
        alike = np.abs(scores - value) <= TIE
        more = np.where(alike, 0.5, scores > value).mean(axis=0)
        most = MOST * 2 * tail
        if not ((tail <= more) & (more < most)).any():
            return np.asarray(more >= most)
        missed = (scores < models.find_least(direction, size, tail)).mean(axis=0)
        return np.asarray(more >= np.minimum(most, 2 * tail - np.minimum(missed, tail)))

    return _find_first(admits, len(value))


def _admit_other_rows(
    metric: Metric, sample: Sample, value: Array, confidence: float
) -> tuple[Array, Array]:
    """Where resampled rows do not vary the `value`, Wilson's interval of as many; else nan.

    Rows that are all alike do not show what others would be.
    """
    scores = metric.compute(sample.replicates)
    flat = np.ptp(scores.reshape(len(scores), -1), axis=0) <= 1e-12
    low, high = metric.bounds
    rows = np.array(sample.effective)
    first, last = wilson((value - low) / (high - low) * rows, rows, confidence)
    reach = [np.where(flat, low + end * (high - low), np.nan) for end in (first, last)]
    return reach[0], reach[1]


class _Models:
    """Models whose bins are off by a multiple of what those of the sample are, and their scores.

    `with_chance` is how far bins are off, and one standard error farther; `beyond_chance` is what
    is left of it once the variance that a calibrated bin has is taken off its square; `opposite` is
    one standard error the other way.
    """

    def __init__(self, metric: Metric, sample: Sample) -> None:
        self._metric = metric
        self._whole = sample.summary
        self._drawn = _select_draws(sample.replicates)
        self._seed = sample.seed
        self._mirrored = self._whole.mass.ndim == 3 and sample.schema.task == "binary"
        mass = self._whole.mass
        rows = divide(mass, _find_squares(self._whole) / np.maximum(mass, 1e-300))
        self._rows = np.rint(rows).astype(np.int64)
        self._stated = divide(self._whole.proba, mass)
        gap = divide(self._whole.right, mass) - self._stated
        excess = gap**2 - divide(self._stated * (1 - self._stated), rows)
        self.beyond_chance = np.sign(gap) * np.sqrt(np.maximum(excess, 0.0))
        # One row more, as often true as was stated: a bin whose rows all came true may have others.
        frequency = divide(self._whole.right + divide(mass, rows) * self._stated, mass)
        # Weights may round it to just beyond 0 or 1.
        frequency = np.clip(divide(frequency * rows, rows + 1), 0.0, 1.0)
        gap = frequency - self._stated
        error = np.sqrt(divide(frequency * (1 - frequency), rows))
        side = np.where(gap < 0, -1.0, 1.0)
        self.with_chance = side * (np.abs(gap) + error)
        self.opposite = -side * error

    @property
    def ways(self) -> list[Array]:
        """The directions in which models are off that score as the sample does by chance."""
        if not self.beyond_chance.any():
            return [self.with_chance]
        return [self.beyond_chance, self.with_chance]

    def value(self, direction: Array, size: Array) -> Array:
        """The values of the models themselves, off by multiples `size` (values,) of `direction`."""
        moved = self._find_frequency(direction, size) - self._stated
        right = self._whole.proba + self._whole.mass * moved
        return np.asarray(self._score(self._whole, right)[0])

    def find_least(self, direction: Array, size: Array, tail: float) -> Array:
        """The values (values,) below which an upper end lies below the model's own value.

        Upper ends are quantiles `tail` of models that are off `with_chance`.
        """
        own = self.value(direction, size)
        same = _find_first(lambda size: self.value(self.with_chance, size) >= own, len(own))
        return np.minimum(own, self.quantile(self.with_chance, same, tail))

    def quantile(self, direction: Array, size: Array, tail: float) -> Array:
        """The quantiles `tail` (values,) of what samples of such models score."""
        return np.asarray(np.quantile(self.draw(direction, size), tail, axis=0))

    def draw(self, direction: Array, size: Array) -> Array:
        """What samples of such models score (draws, values).

        What comes true is drawn for bins of the sample's rows, for bins of other rows would lack
        those that hold a single one. The mass of bins then moves the scores as far as it moves the
        value of the model.
        """
        rng = np.random.default_rng(self._seed)  # the same numbers for models that are alike
        frequency = self._find_frequency(direction, size)
        whole = self._whole._make(
            np.broadcast_to(array, (len(self._drawn.mass), *np.shape(array)[1:]))
            for array in self._whole
        )
        true = rng.binomial(self._rows, frequency, size=whole.mass.shape)
        right = whole.mass * divide(true, self._rows)
        if self._mirrored:  # what is told of one class is told of the other
            right[:, 0] = whole.mass[:, 0] - right[:, 1, ::-1]
        scores = self._score(whole, right)
        if np.any(size):
            moved = self._drawn.mass * (frequency - self._stated)
            values = self._score(self._drawn, self._drawn.proba + moved)
            scores = scores + np.nan_to_num(values - self.value(direction, size))
        return scores

    def _score(self, summary: Any, right: Array) -> Array:
        """The values (strata, values) where bins of a `summary` have so much of the `right`."""
        scores = self._metric.compute(summary._replace(right=right))
        return np.asarray(scores).reshape(len(right), -1)

    def _find_frequency(self, direction: Array, size: Array) -> Any:
        """How often what is stated comes true, in each bin."""
        each = size[:, None] if len(size) > 1 else size
        return np.clip(self._stated + each * direction, 0.0, 1.0)


def _select_draws(replicates: Any) -> Any:
    """The first of the replicates, as many as are read."""
    draws = max(FEWEST, min(DRAWS, MOST_BINS // max(replicates.mass[0].size, 1)))
    return replicates._make(array[:draws] for array in replicates)


def _find_squares(summary: Any) -> Array:
    """Sum of the squared weights in each bin."""
    if summary.squares.shape == summary.mass.shape:
        return np.asarray(summary.squares)
    # As if weights had nothing to do with bins.
    share = divide(summary.squares, summary.weight)
    return np.asarray(summary.mass * share[:, None, None])


def _find_first(reached: Callable[[Array], Array], values: int) -> Array:
    """The least multiple (values,) from which on a condition is `reached`, found by halving."""
    none = reached(np.zeros(values))
    if none.all():
        return np.zeros(values)
    above = np.full(values, FARTHEST)
    below = np.zeros(values)
    step = np.ones(values)
    searched = np.zeros(values, bool)
    while not searched.all():
        there = reached(step)
        above = np.where(there, np.minimum(above, step), above)
        below = np.where(there, below, step)
        searched = there | (step >= FARTHEST)
        step = np.where(searched, step, step * 2)
    for _ in range(HALVINGS):
        middle = (above + below) / 2
        there = reached(middle)
        above = np.where(there, middle, above)
        below = np.where(there, below, middle)
    return np.where(none, 0.0, above)
