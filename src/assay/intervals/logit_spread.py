"""logit_spread: the interval of an average precision, by its spread over replicates as log-odds.

>>> from assay.evaluation.evaluate import evaluate
>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays([0, 1] * 20, {"m.proba": [0.2, 0.8, 0.6, 0.4] * 10}, positive=1)
>>> row = evaluate(p, "average_precision").rows[0]
>>> row.method, round(row.value, 2), round(row.low, 2)
('logit bootstrap', 0.83, 0.66)
"""

from typing import Any, Protocol, runtime_checkable

import numpy as np

from assay.intervals.largest_lead import count_effective_rows
from assay.intervals.proportions import t_quantile
from assay.intervals.replicates import Interval, Sample
from assay.kernels import Array

__all__ = ["FallsByOneRow", "bootstrap_logit"]

# Share of its usual distance at which the lower end lies below the value with one more row at
# least: calibrated by bench/coverage.py.
BELOW = 0.35


@runtime_checkable
class FallsByOneRow(Protocol):
    """A metric in [0, 1] of rankings that a single positive row below all others may lower."""

    average: str

    def add_last_row(self, values: Array, positives: Array, rows: Array) -> Array:
        """The `values` of rankings with a positive row more, below all others.

        `positives` of so many `rows` are there before it.
        """

    def compute_curve(self, curve: Any) -> Any:
        """The value of the ranking of a `curve`."""

    def compute(self, summary: Any) -> Array:
        """The values of the rankings of a `summary`."""

    def estimate(self, summary: Any) -> Array:
        """The values (values,) of one `summary`."""


def bootstrap_logit(metric: FallsByOneRow, sample: Sample, confidence: float) -> Interval:
    """Student's t, as log-odds, on the spread of the `metric` over replicates of the `sample`.

    Degrees of freedom are the rows of the smallest class less one; weighted rows are worth Kish's
    number. Where no positive row ranks low no replicate shows one, so the lower end lies below the
    value with one more, ranked below all others, by 0.35 of its usual distance at least. The
    interval holds the level `confidence` where percentiles of replicates hold 0.75 to 0.92.
    """
    values = metric.estimate(sample.summary)
    draws = np.asarray(metric.compute(sample.replicates), np.float64).reshape(sample.draws, -1)
    finest = 1 / (4 * max(sample.n, 1))
    columns = [_find_odds(column[~np.isnan(column)], finest) for column in draws.T]
    error = np.array([c.std(ddof=1) if len(c) > 1 else np.nan for c in columns])
    sizes = np.array(sample.summary.map_problems(count_effective_rows), np.float64)
    fewest = sizes[sizes.min(axis=1) > 0].min(initial=np.inf)
    half = t_quantile((1 + confidence) / 2, max(float(fewest) - 1, 1.0)) * error
    odds = _find_odds(values, finest)
    fallen = _find_odds(values - _find_falls(metric, sample, sizes), finest)
    low = np.fmin(odds - half, fallen - BELOW * half)
    varies = error > 0
    ends = [np.where(varies, 1 / (1 + np.exp(-end)), values) for end in (low, odds + half)]
    return Interval(ends[0], ends[1], "logit bootstrap")


def _find_falls(metric: FallsByOneRow, sample: Sample, sizes: Array) -> Array:
    """By how much one more positive row, in one class, lowers each value at most."""
    summary = sample.summary
    if metric.average == "micro":
        positives, negatives = sizes.sum(axis=0)
        values = metric.estimate(summary)
        return np.asarray(values - metric.add_last_row(values, positives, positives + negatives))
    positives, rows = sizes[:, 0], sizes.sum(axis=1)
    each = np.ravel(summary.read(metric.compute_curve))
    falls = np.nan_to_num(each - metric.add_last_row(each, positives, rows))
    if metric.average == "none":
        return np.asarray(falls)
    known = np.where(np.isnan(each), 0.0, positives if metric.average == "weighted" else 1.0)
    return np.atleast_1d((falls * known).max() / max(known.sum(), 1.0))


def _find_odds(shares: Array, finest: float) -> Array:
    """Logarithms of the odds of `shares`, of which none is nearer to 0 or 1 than the `finest`."""
    inner = np.clip(shares, finest, 1 - finest)
    return np.asarray(np.log(inner / (1 - inner)))
