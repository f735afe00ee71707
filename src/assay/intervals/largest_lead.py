"""largest_lead: the interval of the largest lead of one share of rows over another, as KS is one.

The threshold is chosen on the rows that it is judged by, so the lead is too large by chance: by
more than percentiles of resampled leads tell, for what is resampled has been chosen already.

>>> from assay.evaluation.evaluate import evaluate
>>> from assay.table.predictions import Predictions
>>> score = [i / 40 if i % 3 else 1 - i / 40 for i in range(40)]
>>> p = Predictions.from_arrays([0] * 20 + [1] * 20, {"m.score": score}, positive=1)
>>> row = evaluate(p, "ks").rows[0]
>>> round(row.low, 2), round(row.value, 2), round(row.high, 2), row.method
(0.0, 0.3, 0.48, 'normal less bias')
"""

from statistics import NormalDist
from typing import Any, Protocol, runtime_checkable

import numpy as np

from assay.intervals.replicates import Interval, Sample
from assay.kernels import Array
from assay.states.ranking import Curve, RankingProblem

__all__ = ["LargestLead", "bootstrap_lead", "count_effective_rows"]

# Rows that are added to either side of each share: calibrated by bench/coverage.py.
ADDED = 1.5


@runtime_checkable
class LargestLead(Protocol):
    """A metric that is the largest lead of the true over the false positive rate."""

    average: str

    def find_rates(self, curve: Curve) -> tuple[float, float]:
        """The true and the false positive rate where the lead of a `curve` is largest."""

    def compute(self, summary: Any) -> Array:
        """The leads (..., problems) of the rankings of a `summary`."""

    def estimate(self, summary: Any) -> Array:
        """The leads (problems,) of one `summary`."""


def bootstrap_lead(metric: LargestLead, sample: Sample, confidence: float) -> Interval:
    """Normal interval of the `metric` at its threshold, less the bias of resampled leads.

    Each rate of the `sample` is that with 1.5 rows more on either side, which keeps it from 0 and 1
    (Agresti and Coull); weighted rows are worth Kish's number. It holds the level `confidence`
    where percentiles of replicates hold 0.65 to 0.9.
    """
    values = metric.estimate(sample.summary)
    draws = np.asarray(metric.compute(sample.replicates)).reshape(sample.draws, -1)
    defined = ~np.isnan(draws)
    total = np.where(defined, draws - values, 0.0).sum(axis=0)
    bias = total / np.maximum(defined.sum(axis=0), 1)
    rates = np.array(sample.summary.map_problems(lambda problem: metric.find_rates(problem.curve)))
    rows = np.array(sample.summary.map_problems(count_effective_rows))
    rates = (rates * rows + ADDED) / (rows + 2 * ADDED)
    error = np.sqrt((rates * (1 - rates) / (rows + 2 * ADDED)).sum(axis=1))
    centre = rates[:, 0] - rates[:, 1] - bias
    half = NormalDist().inv_cdf((1 + confidence) / 2) * error
    return Interval(centre - half, centre + half, "normal less bias")


def count_effective_rows(problem: RankingProblem) -> tuple[float, float]:
    """Kish's numbers of the positive and of the negative rows of a `problem`."""
    if problem.weights is None:
        return problem.rows
    one, other = (float(w.sum() ** 2 / (w**2).sum()) if w.any() else 0.0 for w in problem.weights)
    return one, other
