"""Paired tests: one metric of two models on the same rows, by the procedure that fits the metric.

>>> from assay.engines.local import Local
>>> from assay.metrics.base import METRICS
>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays([0, 1, 1, 0, 1], {"a": [0, 1, 1, 0, 1], "b": [0, 1, 0, 0, 1]})
>>> accuracy = METRICS.parse("accuracy").bind(p.schema)
>>> (d,) = PairedValues.read(p, accuracy, ["a", "b"], Local(), 0).judge(0.95)
>>> round(d.difference, 2), d.p, d.method
(0.2, 0.5, 'mcnemar mid-p')
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, islice
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np

from assay.comparison.equal_differences import sign_test
from assay.comparison.paired_bootstrap import (
    judge_resample,
    resample_buckets,
    resample_table,
    resampled_t,
)
from assay.comparison.paired_plan import Outcome, PairedPlan
from assay.core.progress import show_progress
from assay.engines.base import Engine
from assay.intervals.delong import influence_variance
from assay.intervals.proportions import t_quantile
from assay.intervals.replicates import Sample
from assay.intervals.resampling import effective_rows
from assay.kernels import Array
from assay.metrics.base import Metric
from assay.metrics.curve import OrderMetric
from assay.states.moments import Sums
from assay.table.predictions import Predictions

__all__ = ["METHODS", "PairedValues", "RawDifference"]

# States that are read at a time, of very many pairs.
BLOCK_JOBS = 500

# Pairs of which what was found for one level is kept for others, 32 kB each at most.
KEPT_PAIRS = 2000

# What a report says of each procedure, by the name that it gives itself.
METHODS: Mapping[str, str] = {
    "mcnemar mid-p": (
        "McNemar's mid-p test on the rows where one of the two is right; interval by Bonett and "
        "Price"
    ),
    "paired t": "Student's t on the differences of the rows",
    "paired delong": "DeLong's paired test of two areas",
    "paired bootstrap": "paired bootstrap: both models on the same draws of rows",
    "paired cluster bootstrap": "paired bootstrap: both models on the same draws of clusters",
}


class RawDifference(NamedTuple):
    """Value of `a` minus value of `b`: interval, uncorrected p-value, procedure, standard error."""

    a: str
    b: str
    difference: float
    low: float
    high: float
    p: float
    method: str
    error: float


@dataclass(frozen=True)
class PairedValues:
    """What was read of every model and pair, from which differences are judged at any level.

    `values` holds the value of each model that has one.
    """

    values: dict[str, float]
    plan: PairedPlan
    samples: Mapping[str, Sample]
    states: Mapping[Any, Any]
    draws: Mapping[str, Array] | None
    kept: dict[tuple[str, str], Any] = field(default_factory=dict, compare=False)

    @classmethod
    def read(
        cls, table: Predictions, metric: Metric, models: Sequence[str], engine: Engine, seed: int
    ) -> "PairedValues":
        """The rows of a table, read once.

        Parameters:
            table: The rows that all models predict.
            metric: A metric with one value a table, bound to the table's schema.
            models: Names of the models to compare.
            engine: What reads the rows.
            seed: Of the bootstrap.

        Raises:
            UnsupportedError: The metric is undefined for every model.
        """
        plan = PairedPlan(table, metric, 0.95, seed)
        states = _fold_blocks(table, plan, models, engine)
        samples = {m: plan.sample(states[plan.single_job(m)], plan.single_job(m)) for m in models}
        values = plan.estimate(samples)
        draws = {m: plan.resample(samples[m]) for m in values} if plan.is_long(samples) else None
        return cls(values, plan, samples, states, draws)

    def judge(self, confidence: float) -> list[RawDifference]:
        """The difference of every two models, its interval at the level `confidence`."""
        plan = replace(self.plan, confidence=confidence)
        differences = []
        total = math.comb(len(self.values), 2)
        with show_progress("comparing pairs", total) as update:
            for done, (a, b) in enumerate(combinations(self.values, 2), start=1):
                differences.append(self._judge_pair(plan, a, b))
                update(done, "")
        return differences

    def _judge_pair(self, plan: PairedPlan, a: str, b: str) -> RawDifference:
        """The difference of the models `a` and `b`."""
        one = self.samples[a]
        other = self.samples[b]
        if self.draws is not None:
            outcome = resampled_t(plan, one, other, self.draws[a] - self.draws[b])
        else:
            outcome = PROCEDURES[plan.procedure](plan, one, other, self._read_pair(plan, a, b))
        outcome = plan.mind_rounding(outcome, a, b, self.values)
        gap = self.values[a] - self.values[b]
        low = min(outcome.low, gap)
        high = max(outcome.high, gap)
        return RawDifference(a, b, gap, low, high, outcome.p, outcome.method, outcome.error)

    def _read_pair(self, plan: PairedPlan, a: str, b: str) -> Any:
        """What the procedure judges the models `a` and `b` by, at any level.

        What takes long to find is kept, if pairs are few.
        """
        pair = self.states.get(plan.pair_job(a, b))
        if plan.procedure not in SPREADS:
            return pair
        found = self.kept.get((a, b))
        if found is None:
            found = SPREADS[plan.procedure](plan, self.samples[a], self.samples[b], pair)
            if len(self.kept) < KEPT_PAIRS:
                self.kept[a, b] = found
        return found


def _fold_blocks(
    table: Predictions, plan: PairedPlan, models: Sequence[str], engine: Engine
) -> dict[Any, Any]:
    """The states of all jobs of a `plan`, of very many block by block, so that progress shows."""
    total = plan.count_jobs(models)
    jobs = plan.jobs(models)
    if total <= BLOCK_JOBS:
        return dict(engine.fold(table, list(jobs)))
    silent = replace(engine, progress=False)
    states: dict[Any, Any] = {}
    with show_progress("reading pairs", total, engine.progress) as update:
        while block := list(islice(jobs, BLOCK_JOBS)):
            states |= silent.fold(table, block)
            update(len(states), "")
    return states


def mcnemar(plan: PairedPlan, a: Sample, b: Sample, pair: Sums) -> Outcome:
    """McNemar's mid-p on the rows where one model is right and the other wrong.

    The interval is Bonett and Price's. `pair` holds the sums over rows of right under `a` minus
    right under `b`; `plan` says the level.

    Sources: Fagerland et al. (2013), BMC Med. Res. Methodol. 13:91; Bonett & Price (2012), JEBS
    37:479-488.
    """
    from scipy.special import bdtr

    n = int(pair.rows[0])
    total = float(pair.mean[0, 0] * n)
    discordant = float(pair.m2[0, 0] + total * pair.mean[0, 0])
    only_a = round((discordant + total) / 2)
    only_b = round((discordant - total) / 2)
    fewer = min(only_a, only_b)
    both = only_a + only_b
    p = 1.0
    if both:
        # Exact two-sided probability less half the chance of exactly this table.
        p = bdtr(fewer, both, 0.5) + (bdtr(fewer - 1, both, 0.5) if fewer else 0.0)
    pa = (only_a + 1) / (n + 2)
    pb = (only_b + 1) / (n + 2)
    error = float(np.sqrt((pa + pb - (pa - pb) ** 2) / (n + 2)))
    half = plan.z * error
    spread = float(np.sqrt(pair.m2[0, 0] / n))
    ends = pa - pb - half, pa - pb + half
    return Outcome(*ends, min(float(p), 1.0), "mcnemar mid-p", error, spread, n)


def paired_t(plan: PairedPlan, a: Sample, b: Sample, pair: Sums) -> Outcome:
    """Student's t on the differences of the rows, whose sums over rows `pair` holds.

    The models `a` and `b` are not read themselves; `plan` says the level.
    """
    from scipy.special import stdtr

    mean = float(pair.mean[0, 0])
    n = float(effective_rows(pair)[0])
    if n <= 1 or not np.isfinite(mean):
        return Outcome(-np.inf, np.inf, 1.0, "paired t", 0.0)
    spread = float(np.sqrt(pair.m2[0, 0] / pair.weight[0]))
    error = spread / float(np.sqrt(n - 1))
    half = t_quantile((1 + plan.confidence) / 2, n - 1) * error
    p = float(2 * stdtr(n - 1, -abs(mean) / error)) if error else sign_test(mean, n)
    return Outcome(mean - half, mean + half, p, "paired t", error, spread, n)


def compare_influences(plan: PairedPlan, a: Sample, b: Sample, pair: Any) -> tuple[float, float]:
    """Variance of the difference of two areas, and its degrees of freedom.

    From the influence of each row under both models. `a` and `b` are their rankings; `plan` says
    the metric; `pair` is not read.
    """
    assert isinstance(plan.metric, OrderMetric)
    influence_a = next(iter(plan.metric.influence(a.summary)))
    influence_b = next(iter(plan.metric.influence(b.summary)))
    return influence_variance(influence_a - influence_b, a.summary, plan.has_clusters)


def paired_delong(
    plan: PairedPlan, a: Sample, b: Sample, spread_of_pair: tuple[float, float]
) -> Outcome:
    """DeLong's test: variance of the difference from the influence of each row under both models.

    Student's t where a class has fewer than 10 rows, or rows come in clusters; the normal
    distribution otherwise. `a` and `b` are the models' rankings; `spread_of_pair` is what
    `compare_influences` gives of them; `plan` says the level.

    Source: DeLong, DeLong & Clarke-Pearson (1988), Biometrics 44:837-845; degrees of freedom:
    Brunner & Munzel (2000).
    """
    variance, freedom = spread_of_pair
    error = float(np.sqrt(variance))
    gap = plan.value_of(a) - plan.value_of(b)
    fewest = min(min(size) for size in a.summary.sizes)
    spread = error * float(np.sqrt(fewest))
    if not error:
        return Outcome(gap, gap, sign_test(gap, fewest), "paired delong", error, spread, fewest)
    if fewest >= 10 and not plan.has_clusters:
        half = plan.z * error
        p = 2 * NormalDist().cdf(-abs(gap) / error)
    else:
        from scipy.special import stdtr

        half = t_quantile((1 + plan.confidence) / 2, freedom) * error
        p = float(2 * stdtr(freedom, -abs(gap) / error))
    return Outcome(gap - half, gap + half, p, "paired delong", error, spread, fewest)


PROCEDURES: Mapping[str, Callable[..., Outcome]] = {
    "mcnemar": mcnemar,
    "t": paired_t,
    "delong": paired_delong,
    "joint": judge_resample,
    "buckets": judge_resample,
}
# What some of them judge two models by, at any level.
SPREADS: Mapping[str, Callable[..., Any]] = {
    "delong": compare_influences,
    "joint": resample_table,
    "buckets": resample_buckets,
}
