"""paired_plan: which states and which procedure compare two models by a metric on a table.

>>> from assay.metrics.base import METRICS
>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays([0, 1, 1], {"a": [0, 1, 1], "b": [0, 1, 0]})
>>> PairedPlan(p, METRICS.parse("accuracy").bind(p.schema), confidence=0.95, seed=0).procedure
'mcnemar'
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np

from assay.comparison.equal_differences import (
    are_shifted,
    estimate_rounding,
    sign_reach,
    sign_test,
)
from assay.engines.base import Job
from assay.errors import UnsupportedError
from assay.intervals.replicates import Sample
from assay.intervals.resampling import draw_buckets
from assay.kernels import Array
from assay.metrics.base import Metric
from assay.states.base import Pair
from assay.states.confusion import Confusion
from assay.states.moments import Moments
from assay.states.paired_confusion import PairedConfusion
from assay.table.predictions import Predictions

__all__ = ["Outcome", "PairedPlan", "PerRow"]

# A value read off all rows is taken to be normal where there are more than `LONG` scores and at
# least `FILLED` buckets that hold rows.
LONG = 1 << 13
FILLED = 512
# Replicates that give the spread of such a value: so many that together they weigh `WEIGHED`
# scores, but at least `FEW` and at most `MANY`.
MANY = 400
FEW = 100
WEIGHED = 1 << 26


class Outcome(NamedTuple):
    """What a procedure finds: interval, p-value, its name, standard error.

    `spread` is the standard deviation of the differences of the `units` that it rests on, where
    that tells whether they are all equal.
    """

    low: float
    high: float
    p: float
    method: str
    error: float
    spread: float = np.inf
    units: float = np.inf


@dataclass(frozen=True)
class PerRow:
    """Per-row value of a metric under one model minus that under another (n,)."""

    metric: Any

    def compute_rows(self, pair: Pair) -> Array:
        """Difference of each row of `pair` (n,)."""
        return self._compute_one(pair.a) - self._compute_one(pair.b)

    def _compute_one(self, rows: Any) -> Array:
        values = np.asarray(self.metric.compute_rows(rows), np.float64)
        return values if values.ndim == 1 else values[:, 0]


@dataclass(frozen=True)
class PairedPlan:
    """Which states and which procedure compare two models by a metric on a table."""

    table: Predictions
    metric: Metric
    confidence: float
    seed: int

    @property
    def has_clusters(self) -> bool:
        return "cluster" in self.table.columns

    @property
    def procedure(self) -> str:
        """The key in `PROCEDURES`."""
        schema = self.table.schema
        pairing = self.metric.pairing(schema)
        if pairing == "delong":
            return pairing
        if self.has_clusters:
            return "buckets"
        if pairing == "mcnemar":
            return "mcnemar" if self.table.weight is None else "t"
        if pairing == "t":
            return pairing
        is_confusion = isinstance(self.metric.state, Confusion)
        return "joint" if is_confusion and schema.task != "multilabel" else "buckets"

    @property
    def z(self) -> float:
        """The normal quantile of the interval."""
        return NormalDist().inv_cdf((1 + self.confidence) / 2)

    @property
    def bootstrap_name(self) -> str:
        return "paired cluster bootstrap" if self.has_clusters else "paired bootstrap"

    def single_job(self, model: str) -> Job:
        """The job that reads one `model`."""
        return Job(self.metric.state, (model,), self.has_clusters or self.procedure == "buckets")

    def pair_job(self, a: str, b: str) -> Job:
        """The job that reads the models `a` and `b` together."""
        if self.procedure == "joint":
            return Job(PairedConfusion(), (a, b))
        return Job(Moments(PerRow(self.metric)), (a, b))

    @property
    def reads_pairs(self) -> bool:
        """Whether models are read two by two as well."""
        return self.procedure in ("joint", "t", "mcnemar")

    def jobs(self, models: Sequence[str]) -> Iterator[Job]:
        """All that is read of the `models`, in turn: there may be millions of pairs."""
        yield from map(self.single_job, models)
        if self.reads_pairs:
            yield from (self.pair_job(a, b) for a, b in combinations(models, 2))

    def count_jobs(self, models: Sequence[str]) -> int:
        """How many jobs there are."""
        return len(models) + (math.comb(len(models), 2) if self.reads_pairs else 0)

    def is_long(self, samples: Mapping[str, Sample]) -> bool:
        """Whether the `samples` keep so many rows that drawing them thousands of times is slow."""
        if not self.metric.state.keeps or self.procedure != "buckets" or self.scores <= LONG:
            return False
        return int(np.count_nonzero(next(iter(samples.values())).value.rows)) >= FILLED

    @property
    def scores(self) -> int:
        """How many scores each model gives: one a row, or one a row and class."""
        schema = self.table.schema
        return self.table.n * (schema.k if schema.task in ("multiclass", "multilabel") else 1)

    def resample(self, sample: Sample) -> Array:
        """The value of `sample` on few replicates (b,), drawn alike for every model."""
        replicates = int(np.clip(WEIGHED // max(self.scores, 1), FEW, MANY))
        counts = draw_buckets(sample.value.rows, np.random.default_rng(self.seed), replicates)
        state = sample.state.resample(sample.value, counts)
        return np.ravel(self.metric.compute(sample.state.summary(state, sample.schema)))

    def sample(self, value: Any, job: Job) -> Sample:
        """The state `value` that `job` gave, ready to be resampled."""
        return Sample(
            job.state, value, self.table.schema, job.bucketed, self.has_clusters, self.seed
        )

    def estimate(self, samples: Mapping[str, Sample]) -> dict[str, float]:
        """The value of each of the `samples` that has one, by model."""
        values = {m: self.value_of(sample) for m, sample in samples.items()}
        defined = {m: value for m, value in values.items() if not np.isnan(value)}
        if not defined:
            reason = self.metric.undefined if self.table.n else "no_samples"
            others = ", as of every other" if len(values) > 1 else ""
            raise UnsupportedError(
                f"{self.metric} of model {next(iter(values))!r} is undefined ({reason}){others}: "
                f"nothing to compare"
            )
        return defined

    def value_of(self, sample: Sample) -> float:
        """The value of the metric on all rows of `sample`."""
        return float(self.metric.estimate(sample.summary)[0])

    def mind_rounding(
        self, outcome: Outcome, a: str, b: str, values: Mapping[str, float]
    ) -> Outcome:
        """The `outcome`, or that of the sign test where only rounding tells differences apart.

        Parameters:
            outcome: What a procedure finds of two models.
            a: Name of the first model.
            b: Name of the second model.
            values: Value of each model.
        """
        if outcome.spread == gap_of(values, a, b) == 0:  # the same in every row
            return outcome
        size = max(abs(values[a]), abs(values[b]))
        losses = PerRow(self.metric) if self.procedure in ("t", "mcnemar") else None
        rounding = estimate_rounding(self.table, self.metric, a, b, size, losses)
        gap = gap_of(values, a, b)
        if not outcome.spread <= rounding:
            least = sign_test(gap, outcome.units)
            if outcome.p < least and are_shifted(self.table, a, b):
                return self._raise_p(outcome, least)
            return outcome
        is_zero = abs(gap) <= rounding
        span = self.metric.bounds[1] - self.metric.bounds[0]
        reach = max(rounding, sign_reach(gap, outcome.units, self.confidence))
        return outcome._replace(
            low=max(gap - reach, -span),
            high=min(gap + reach, span),
            p=1.0 if is_zero else sign_test(gap, outcome.units),
            error=max(outcome.error, rounding),
        )

    def _raise_p(self, outcome: Outcome, p: float) -> Outcome:
        """The `outcome` with a larger `p`, its interval widened to agree with that."""
        if p < 1 - self.confidence:
            return outcome._replace(p=p)
        return outcome._replace(low=min(outcome.low, 0.0), high=max(outcome.high, 0.0), p=p)


def gap_of(values: Mapping[str, float], a: str, b: str) -> float:
    """Of `values` by model, that of `a` less that of `b`."""
    return values[a] - values[b]
