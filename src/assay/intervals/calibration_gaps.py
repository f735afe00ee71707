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
# Samples that are drawn of each model: fewer where there are many bins of many classes.
DRAWS = 500
FEWEST = 50
MOST_BINS = 1 << 19


def bootstrap_gaps(metric: Metric, sample: Sample, confidence: float) -> Interval:
    """Values by `metric` of models of which that of `sample` is an outer quantile.

    The outer quantiles hold `confidence` between them. Bins of the models are off in the direction
    of those of the sample, by a multiple of the gap and its standard error together. What comes
    true in a bin is binomial; weighted rows count as so many as they are worth (Kish), and the mass
    of bins is drawn with the rows.
    """
    value = metric.estimate(sample.summary)
    if np.isnan(value).any():
        return Interval(np.full(len(value), np.nan), np.full(len(value), np.nan), "")
    models = _Models(metric, sample)
    tail = (1 - confidence) / 2
    low = _find_first(lambda size: models.quantile(size, 1 - tail) >= value, len(value))
    high = _find_first(lambda size: models.quantile(size, tail) > value, len(value))
    ends = _admit_other_rows(metric, sample, value, confidence)
    return Interval(
        np.fmin(models.value(low), ends[0]),
        np.fmax(models.value(high), ends[1]),
        "parametric bootstrap",
    )


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
    """Models whose bins are off by a multiple of what those of the sample are, and their scores."""

    def __init__(self, metric: Metric, sample: Sample) -> None:
        self._metric = metric
        self._whole = sample.summary
        self._drawn = _select_draws(sample.replicates)
        self._seed = sample.seed
        self._mirrored = self._whole.mass.ndim == 3 and sample.schema.task == "binary"
        mass = self._whole.mass
        rows = divide(mass, _find_squares(self._whole) / np.maximum(mass, 1e-300))
        self._stated = divide(self._whole.proba, mass)
        # One row more, as often true as was stated: a bin whose rows all came true may have others.
        frequency = divide(self._whole.right + divide(mass, rows) * self._stated, mass)
        # Weights may round it to just beyond 0 or 1.
        frequency = np.clip(divide(frequency * rows, rows + 1), 0.0, 1.0)
        gap = frequency - self._stated
        error = np.sqrt(divide(frequency * (1 - frequency), rows))
        self._direction = np.where(gap < 0, -1.0, 1.0) * (np.abs(gap) + error)
        self._rows = np.rint(self._drawn.mass * divide(rows, mass)).astype(np.int64)

    def value(self, size: Array) -> Array:
        """The values of the models themselves, whose bins are off by multiples `size` (values,)."""
        moved = self._find_frequency(size) - self._stated
        right = self._whole.proba + self._whole.mass * moved
        return np.ravel(self._metric.compute(self._whole._replace(right=right)))

    def quantile(self, size: Array, tail: float) -> Array:
        """The quantiles (values,) of what samples of such models score."""
        rng = np.random.default_rng(self._seed)  # the same numbers for models that are alike
        true = rng.binomial(self._rows, self._find_frequency(size))
        right = self._drawn.mass * divide(true, self._rows)
        if self._mirrored:  # what is told of one class is told of the other
            right[:, 0] = self._drawn.mass[:, 0] - right[:, 1, ::-1]
        scores = self._metric.compute(self._drawn._replace(right=right))
        return np.asarray(np.quantile(scores.reshape(len(scores), -1), tail, axis=0))

    def _find_frequency(self, size: Array) -> Any:
        """How often what is stated comes true, in each bin."""
        each = size[:, None] if len(size) > 1 else size
        return np.clip(self._stated + each * self._direction, 0.0, 1.0)


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
    return np.where(reached(np.zeros(values)), 0.0, above)
