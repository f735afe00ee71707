"""Paired differences: one figure of two models on the same rows, by the procedure that fits the metric.

>>> from assay.engines.local import Local
>>> from assay.metrics.base import METRICS
>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays([0, 1, 1, 0, 1], {"a": [0, 1, 1, 0, 1], "b": [0, 1, 0, 0, 1]})
>>> values, (d,) = paired_differences(p, METRICS.parse("accuracy").bind(p.schema), ["a", "b"], 0.95, Local(), 0)
>>> round(d.difference, 2), d.p, d.method
(0.2, 0.5, 'mcnemar mid-p')
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np

from assay.engines.base import Engine, Job
from assay.errors import UnsupportedError
from assay.intervals.delong import influence_variance
from assay.intervals.proportions import t_quantile
from assay.intervals.replicates import Sample
from assay.intervals.resampling import effective_rows, resample_buckets
from assay.kernels import Array
from assay.metrics.base import Metric
from assay.metrics.curve import OrderMetric
from assay.states.base import MOST_CLASSES, Pair
from assay.states.confusion import Confusion
from assay.states.moments import Moments, Sums
from assay.states.paired_confusion import PairedConfusion, PairedTable, compute_counts
from assay.table.predictions import Predictions

__all__ = ["RawDifference", "paired_differences"]

REPLICATES = 2000
# Scores and buckets from which a figure read off all rows is taken to be normal; replicates that give its spread, at
# most and at least, and rows that they weigh together.
LONG, FILLED, MANY, FEW, WEIGHED = 1 << 13, 512, 400, 100, 1 << 26


class RawDifference(NamedTuple):
    """Figure of `a` minus figure of `b`: interval, uncorrected p-value, procedure, and standard error."""

    a: str
    b: str
    difference: float
    low: float
    high: float
    p: float
    method: str
    error: float


class Outcome(NamedTuple):
    """What a procedure finds: interval, p-value, its name, standard error."""

    low: float
    high: float
    p: float
    method: str
    error: float


def paired_differences(
    table: Predictions,
    metric: Metric,
    models: Sequence[str],
    confidence: float,
    engine: Engine,
    seed: int,
) -> tuple[dict[str, float], list[RawDifference]]:
    """The figure of each model that has one, and the difference of every two of them.

    `metric` is settled for the table's schema. UnsupportedError where it is undefined for every model.
    """
    question = PairedPlan(table, metric, confidence, seed)
    values = dict(engine.fold(table, question.jobs(models)))
    samples = {m: question.sample(values[question.single(m)], question.single(m)) for m in models}
    figures = question.figures(samples)
    drawn = {m: question.drawn(samples[m]) for m in figures} if question.long(samples) else None
    found = []
    for a, b in combinations(figures, 2):
        if drawn is not None:
            outcome = resampled_t(question, samples[a], samples[b], drawn[a] - drawn[b])
        else:
            pair = values.get(question.pair(a, b))
            outcome = PROCEDURES[question.procedure](question, samples[a], samples[b], pair)
        gap = figures[a] - figures[b]
        low, high = min(outcome.low, gap), max(outcome.high, gap)
        found.append(RawDifference(a, b, gap, low, high, outcome.p, outcome.method, outcome.error))
    return figures, found


@dataclass(frozen=True)
class PerRow:
    """Per-row value of a metric under one model minus that under another (n,)."""

    metric: Any

    def compute_rows(self, pair: Pair) -> Array:
        """Difference of each row."""
        a, b = (np.asarray(self.metric.compute_rows(rows), np.float64) for rows in (pair.a, pair.b))
        return np.asarray((a if a.ndim == 1 else a[:, 0]) - (b if b.ndim == 1 else b[:, 0]))


@dataclass(frozen=True)
class PairedPlan:
    """A metric on a table: which states answer it, and by which procedure."""

    table: Predictions
    metric: Metric
    confidence: float
    seed: int

    @property
    def clustered(self) -> bool:
        return "cluster" in self.table.columns

    @property
    def procedure(self) -> str:
        schema, pairing = self.table.schema, self.metric.pairing(self.table.schema)
        if pairing == "delong":
            return pairing
        if self.clustered:
            return "buckets"
        if pairing == "mcnemar":
            return "mcnemar" if self.table.weight is None else "t"
        if pairing == "t":
            return pairing
        return (
            "joint"
            if isinstance(self.metric.state, Confusion) and schema.task != "multilabel"
            else "buckets"
        )

    @property
    def z(self) -> float:
        return NormalDist().inv_cdf((1 + self.confidence) / 2)

    def single(self, model: str) -> Job:
        return Job(self.metric.state, (model,), self.clustered or self.procedure == "buckets")

    def pair(self, a: str, b: str) -> Job:
        return Job(PairedConfusion() if self.procedure == "joint" else Moments(PerRow(self.metric)), (a, b))

    def jobs(self, models: Sequence[str]) -> list[Job]:
        singles = [self.single(m) for m in models]
        needed = self.procedure in ("joint", "t", "mcnemar")
        return singles + ([self.pair(a, b) for a, b in combinations(models, 2)] if needed else [])

    def long(self, samples: Mapping[str, Sample]) -> bool:
        """Whether rows are kept, and so many that drawing them thousands of times takes long and says no more."""
        kept = self.metric.state.keeps and self.procedure == "buckets" and self.scores > LONG
        return kept and int(np.count_nonzero(next(iter(samples.values())).value.rows)) >= FILLED

    @property
    def scores(self) -> int:
        """How many scores each model gives: one a row, or one a row and class."""
        schema = self.table.schema
        return self.table.n * (schema.k if schema.task in ("multiclass", "multilabel") else 1)

    def drawn(self, sample: Sample) -> Array:
        """The figure on few replicates (b,), the same for every model."""
        replicates = int(np.clip(WEIGHED // max(self.scores, 1), FEW, MANY))
        times = resample_buckets(sample.value, np.random.default_rng(self.seed), replicates)
        pooled = sample.state.resample(sample.value, times)
        return np.ravel(self.metric.compute(sample.state.summary(pooled, sample.schema)))

    def sample(self, value: Any, job: Job) -> Sample:
        return Sample(job.state, value, self.table.schema, job.bucketed, self.clustered, self.seed)

    def figures(self, samples: Mapping[str, Sample]) -> dict[str, float]:
        """The figure of each model that has one."""
        found = {m: float(self.metric.estimate(sample.summary)[0]) for m, sample in samples.items()}
        defined = {m: figure for m, figure in found.items() if not np.isnan(figure)}
        if not defined:
            raise UnsupportedError(
                f"{self.metric} of model {next(iter(found))!r} is undefined ({self.undefined})"
                f"{', as of every other' if len(found) > 1 else ''}: nothing to compare"
            )
        return defined

    @property
    def undefined(self) -> str:
        """Why a figure may be undefined."""
        return self.metric.undefined if self.table.n else "no_samples"


def mcnemar(q: PairedPlan, a: Sample, b: Sample, pair: Sums) -> Outcome:
    """McNemar's mid-p on the rows where one model is right and the other wrong; interval by Bonett & Price.

    Sources: Fagerland et al. (2013), BMC Med. Res. Methodol. 13:91; Bonett & Price (2012), JEBS 37:479-488.
    """
    from scipy.special import bdtr

    n = int(pair.rows[0])
    total = float(pair.mean[0, 0] * n)
    discordant = float(pair.m2[0, 0] + total * pair.mean[0, 0])
    only_a, only_b = round((discordant + total) / 2), round((discordant - total) / 2)
    fewer, both = min(only_a, only_b), only_a + only_b
    # Exact two-sided probability less half the chance of exactly this table.
    p = bdtr(fewer, both, 0.5) + (bdtr(fewer - 1, both, 0.5) if fewer else 0.0) if both else 1.0
    pa, pb = (only_a + 1) / (n + 2), (only_b + 1) / (n + 2)
    error = float(np.sqrt((pa + pb - (pa - pb) ** 2) / (n + 2)))
    return Outcome(
        pa - pb - q.z * error, pa - pb + q.z * error, min(float(p), 1.0), "mcnemar mid-p", error
    )


def paired_t(q: PairedPlan, a: Sample, b: Sample, pair: Sums) -> Outcome:
    """Student's t on the differences of the rows."""
    from scipy.special import stdtr

    mean, n = float(pair.mean[0, 0]), float(effective_rows(pair)[0])
    if n <= 1 or not np.isfinite(mean):
        return Outcome(-np.inf, np.inf, 1.0, "paired t", 0.0)
    error = float(np.sqrt(pair.m2[0, 0] / pair.weight[0] / (n - 1)))
    half = t_quantile((1 + q.confidence) / 2, n - 1) * error
    p = float(2 * stdtr(n - 1, -abs(mean) / error)) if error else _sign_test(mean, n)
    return Outcome(mean - half, mean + half, p, "paired t", error)


def paired_delong(q: PairedPlan, a: Sample, b: Sample, pair: Any) -> Outcome:
    """DeLong's test: variance of the difference from the influence of each row under both models.

    Student's t where a class has fewer than 10 rows, or rows come in clusters; the normal distribution otherwise.
    Source: DeLong, DeLong & Clarke-Pearson (1988), Biometrics 44:837-845; degrees of freedom: Brunner & Munzel (2000).
    """
    assert isinstance(q.metric, OrderMetric)
    of_a, of_b = (next(iter(q.metric.influence(sample.summary))) for sample in (a, b))
    variance, freedom = influence_variance(of_a - of_b, a.summary, q.clustered)
    error = float(np.sqrt(variance))
    gap = float(q.metric.estimate(a.summary)[0] - q.metric.estimate(b.summary)[0])
    fewest = min(min(size) for size in a.summary.sizes)
    if not error:
        return Outcome(gap, gap, _sign_test(gap, fewest), "paired delong", error)
    if fewest >= 10 and not q.clustered:
        p = 2 * NormalDist().cdf(-abs(gap) / error)
        return Outcome(gap - q.z * error, gap + q.z * error, p, "paired delong", error)
    from scipy.special import stdtr

    half = t_quantile((1 + q.confidence) / 2, freedom) * error
    return Outcome(
        gap - half, gap + half, float(2 * stdtr(freedom, -abs(gap) / error)), "paired delong", error
    )


def _sign_test(gap: float, units: float) -> float:
    """The p-value where units that differ all do by as much: no surer than the sign test on so many."""
    return min(1.0, 2.0 ** (1 - min(units, 1000))) if gap else 1.0


def joint_bootstrap(q: PairedPlan, a: Sample, b: Sample, pair: PairedTable) -> Outcome:
    """Test by exchange of the two models' predictions; interval by the bootstrap; both of their joint table.

    Under the null hypothesis the two predictions of a row may change places: so many of each cell's rows as a fair coin
    says. The interval has one row of disagreement added, so that what no row has shown is not taken for impossible.
    Sources: Yeh (2000), COLING, 947-953 (exchange); Rubin (1981), Annals of Statistics 9:130-134 (bootstrap).
    """
    rng, schema = np.random.default_rng(q.seed), q.table.schema
    k, total = schema.k, pair.weight.sum()
    margins = a.summary._replace(table=np.empty((1, 0, 0)))
    whole = k <= MOST_CLASSES or bool(np.isnan(q.metric.estimate(margins)[0]))
    shrink = total / pair.squares if pair.squares else 1.0
    cells = np.stack(
        [pair.code // (k * k), (pair.code // k) % k, pair.code % k]
    )  # truth, said by a, said by b
    apart = np.flatnonzero(cells[1] != cells[2])
    count = np.maximum(np.rint(pair.weight[apart] * shrink), 1).astype(np.int64)
    either = np.concatenate([cells, cells[[0, 2, 1]][:, apart]], axis=1)
    right, wrong = np.arange(k), (np.arange(k) + 1) % k
    known = np.concatenate([cells, [right, right, wrong], [right, wrong, right]], axis=1)
    shares = np.concatenate([pair.weight * shrink, np.full(2 * k, 0.5 / k)])

    def gap(weights: Array, of: Array) -> Array:
        first, second = (
            q.metric.compute(compute_counts(weights, of[0], said, schema, whole)) for said in of[1:]
        )
        return np.asarray(first - second)

    swapped, drawn = [], []
    step = max(1, (1 << 22) // max(len(shares) + len(apart) + (k * k if whole else 3 * k), 1))
    for start in range(0, REPLICATES, step):
        size = min(step, REPLICATES - start)
        flips = rng.binomial(count, 0.5, size=(size, len(apart))) / count * pair.weight[apart]
        kept = np.tile(pair.weight, (size, 1))
        kept[:, apart] -= flips
        swapped.append(gap(np.concatenate([kept, flips], axis=1), either))
        gamma = rng.standard_gamma(shares, size=(size, len(shares)))
        drawn.append(gap(gamma * (total / gamma.sum(axis=1, keepdims=True)), known))
    return _judge(q, a, b, np.concatenate(drawn), np.concatenate(swapped), float(count.sum()))


def bucket_bootstrap(q: PairedPlan, a: Sample, b: Sample, pair: Any) -> Outcome:
    """Test by exchange, interval by bootstrap, of buckets of rows (of clusters, where given); the same for both models.

    Source: Yeh (2000), COLING, 947-953 (exchange of what two models said of the same unit).
    """
    rng = np.random.default_rng(q.seed)
    filled = np.flatnonzero(a.value.rows)
    times = resample_buckets(a.value, rng, REPLICATES)
    keep = np.zeros((REPLICATES, len(a.value.rows)), np.int64)
    keep[:, filled] = rng.integers(0, 2, (REPLICATES, len(filled)))
    swap = np.zeros_like(keep)
    swap[:, filled] = 1 - keep[:, filled]

    def figure(value: Any) -> Array:
        return np.ravel(q.metric.compute(a.state.summary(value, a.schema)))

    pool, merge = a.state.resample, a.state.merge
    drawn = figure(pool(a.value, times)) - figure(pool(b.value, times))
    first = merge(pool(a.value, keep), pool(b.value, swap))
    second = merge(pool(b.value, keep), pool(a.value, swap))
    return _judge(q, a, b, drawn, figure(first) - figure(second), float(len(filled)))


def resampled_t(q: PairedPlan, a: Sample, b: Sample, drawn: Array) -> Outcome:
    """Student's t on the spread of the difference over resampled buckets of very many rows."""
    from scipy.special import stdtr

    drawn, units = drawn[~np.isnan(drawn)], float(np.count_nonzero(a.value.rows))
    gap = float(q.metric.estimate(a.summary)[0] - q.metric.estimate(b.summary)[0])
    error = float(drawn.std() * np.sqrt(units / (units - 1))) if len(drawn) else np.inf
    half = t_quantile((1 + q.confidence) / 2, units - 1) * error
    p = 2 * float(stdtr(units - 1, -abs(gap) / error)) if error else _sign_test(gap, units)
    kind = "paired cluster bootstrap" if q.clustered else "paired bootstrap"
    return Outcome(gap - half, gap + half, p, kind, error)


def _judge(
    q: PairedPlan, a: Sample, b: Sample, drawn: Array, swapped: Array, units: float
) -> Outcome:
    """p-value from the exchanged gaps, interval from the resampled ones, widened to hold 0 where the test does."""
    drawn, swapped = (np.ravel(x)[~np.isnan(np.ravel(x))] for x in (drawn, swapped))
    gap = float(q.metric.estimate(a.summary)[0] - q.metric.estimate(b.summary)[0])
    error = float(drawn.std()) if len(drawn) else 0.0
    extreme = np.count_nonzero(np.abs(swapped) >= abs(gap) - 1e-12)
    p = float((1 + extreme) / (1 + len(swapped)))
    if extreme < 10 and swapped.std() > 0:
        # So far out the draws are too few to count; their spread still says how far.
        p = min(p, 2 * NormalDist().cdf(-abs(gap) / float(swapped.std())))
    p = max(p, _sign_test(gap, units)) if gap else 1.0
    low, high = _interval(q, gap, drawn, error, units)
    if p >= 1 - q.confidence:
        low, high = min(low, 0.0), max(high, 0.0)
    kind = "paired cluster bootstrap" if q.clustered else "paired bootstrap"
    return Outcome(low, high, p, kind, error)


def _interval(
    q: PairedPlan, gap: float, drawn: Array, error: float, units: float
) -> tuple[float, float]:
    """Percentiles; for few clusters, whose draws are too narrow, Student's t on their spread."""
    tail = (1 - q.confidence) / 2
    if q.clustered and units > 1:
        half = t_quantile(1 - tail, units - 1) * error * float(np.sqrt(units / (units - 1)))
        return gap - half, gap + half
    if not len(drawn):
        return -np.inf, np.inf
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return float(low), float(high)


PROCEDURES: Mapping[str, Callable[..., Outcome]] = {
    "mcnemar": mcnemar,
    "t": paired_t,
    "delong": paired_delong,
    "joint": joint_bootstrap,
    "buckets": bucket_bootstrap,
}
