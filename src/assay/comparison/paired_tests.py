"""Paired tests: one metric of two models on the same rows, by the procedure that fits the metric.

>>> from assay.engines.local import Local
>>> from assay.metrics.base import METRICS
>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays([0, 1, 1, 0, 1], {"a": [0, 1, 1, 0, 1], "b": [0, 1, 0, 0, 1]})
>>> accuracy = METRICS.parse("accuracy").bind(p.schema)
>>> values, (d,) = paired_differences(p, accuracy, ["a", "b"], 0.95, Local(), 0)
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
from assay.intervals.resampling import draw_buckets, effective_rows
from assay.kernels import Array
from assay.metrics.base import Metric
from assay.metrics.curve import OrderMetric
from assay.states.base import MOST_CLASSES, Pair
from assay.states.confusion import Confusion
from assay.states.moments import Moments, Sums
from assay.states.paired_confusion import PairedConfusion, PairedTable, compute_counts
from assay.table.predictions import Predictions
from assay.table.schema import Schema

__all__ = ["METHODS", "RawDifference", "paired_differences"]

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

REPLICATES = 2000
# A value read off all rows is taken to be normal where there are more than `LONG` scores and at
# least `FILLED` buckets that hold rows.
LONG = 1 << 13
FILLED = 512
# Replicates that give the spread of such a value: so many that together they weigh `WEIGHED`
# scores, but at least `FEW` and at most `MANY`.
MANY = 400
FEW = 100
WEIGHED = 1 << 26


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
    """The value of each model that has one, and the difference of every two of them.

    Parameters:
        table: The rows that all models predict.
        metric: A metric with one value a table, bound to the table's schema.
        models: Names of the models to compare.
        confidence: Level of the intervals, in (0, 1).
        engine: What reads the rows.
        seed: Of the bootstrap.

    Raises:
        UnsupportedError: The metric is undefined for every model.
    """
    plan = PairedPlan(table, metric, confidence, seed)
    states = dict(engine.fold(table, plan.jobs(models)))
    samples = {m: plan.sample(states[plan.single_job(m)], plan.single_job(m)) for m in models}
    values = plan.estimate(samples)
    draws = {m: plan.resample(samples[m]) for m in values} if plan.is_long(samples) else None
    differences = []
    for a, b in combinations(values, 2):
        if draws is not None:
            outcome = resampled_t(plan, samples[a], samples[b], draws[a] - draws[b])
        else:
            pair = states.get(plan.pair_job(a, b))
            outcome = PROCEDURES[plan.procedure](plan, samples[a], samples[b], pair)
        gap = values[a] - values[b]
        low = min(outcome.low, gap)
        high = max(outcome.high, gap)
        differences.append(
            RawDifference(a, b, gap, low, high, outcome.p, outcome.method, outcome.error)
        )
    return values, differences


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

    def jobs(self, models: Sequence[str]) -> list[Job]:
        """All that is read of the `models`."""
        singles = [self.single_job(m) for m in models]
        if self.procedure not in ("joint", "t", "mcnemar"):
            return singles
        return singles + [self.pair_job(a, b) for a, b in combinations(models, 2)]

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
    return Outcome(pa - pb - half, pa - pb + half, min(float(p), 1.0), "mcnemar mid-p", error)


def paired_t(plan: PairedPlan, a: Sample, b: Sample, pair: Sums) -> Outcome:
    """Student's t on the differences of the rows, whose sums over rows `pair` holds.

    The models `a` and `b` are not read themselves; `plan` says the level.
    """
    from scipy.special import stdtr

    mean = float(pair.mean[0, 0])
    n = float(effective_rows(pair)[0])
    if n <= 1 or not np.isfinite(mean):
        return Outcome(-np.inf, np.inf, 1.0, "paired t", 0.0)
    error = float(np.sqrt(pair.m2[0, 0] / pair.weight[0] / (n - 1)))
    half = t_quantile((1 + plan.confidence) / 2, n - 1) * error
    p = float(2 * stdtr(n - 1, -abs(mean) / error)) if error else _sign_test(mean, n)
    return Outcome(mean - half, mean + half, p, "paired t", error)


def paired_delong(plan: PairedPlan, a: Sample, b: Sample, pair: Any) -> Outcome:
    """DeLong's test: variance of the difference from the influence of each row under both models.

    Student's t where a class has fewer than 10 rows, or rows come in clusters; the normal
    distribution otherwise. `a` and `b` are the models' rankings; `pair` is not read; `plan` says
    the metric and the level.

    Source: DeLong, DeLong & Clarke-Pearson (1988), Biometrics 44:837-845; degrees of freedom:
    Brunner & Munzel (2000).
    """
    assert isinstance(plan.metric, OrderMetric)
    influence_a = next(iter(plan.metric.influence(a.summary)))
    influence_b = next(iter(plan.metric.influence(b.summary)))
    variance, freedom = influence_variance(influence_a - influence_b, a.summary, plan.has_clusters)
    error = float(np.sqrt(variance))
    gap = plan.value_of(a) - plan.value_of(b)
    fewest = min(min(size) for size in a.summary.sizes)
    if not error:
        return Outcome(gap, gap, _sign_test(gap, fewest), "paired delong", error)
    if fewest >= 10 and not plan.has_clusters:
        half = plan.z * error
        p = 2 * NormalDist().cdf(-abs(gap) / error)
    else:
        from scipy.special import stdtr

        half = t_quantile((1 + plan.confidence) / 2, freedom) * error
        p = float(2 * stdtr(freedom, -abs(gap) / error))
    return Outcome(gap - half, gap + half, p, "paired delong", error)


def _sign_test(gap: float, units: float) -> float:
    """The p-value where all units that differ do so by as much: that of a sign test on so many."""
    return min(1.0, 2.0 ** (1 - min(units, 1000))) if gap else 1.0


def joint_bootstrap(plan: PairedPlan, a: Sample, b: Sample, pair: PairedTable) -> Outcome:
    """Test by exchange of the two models' predictions, interval by the bootstrap of their table.

    Under the null hypothesis the two predictions of a row may change places: as many of each cell's
    rows as a fair coin says. The interval has one row of disagreement added, so that what no row
    has shown is not taken for impossible. `pair` is the joint table of truth and both predictions;
    `a` and `b` are the models' own; `plan` says the metric, the level and the seed.

    Sources: Yeh (2000), COLING, 947-953 (exchange); Rubin (1981), Annals of Statistics 9:130-134
    (bootstrap).
    """
    rng = np.random.default_rng(plan.seed)
    cells = _Cells.from_table(pair, plan.table.schema)
    whole = True
    if plan.table.schema.k > MOST_CLASSES:
        # Most metrics need the margins alone, which leaves out the largest array.
        margins = a.summary._replace(table=np.empty((1, 0, 0)))
        whole = bool(np.isnan(plan.metric.estimate(margins)[0]))
    swapped = []
    drawn = []
    width = cells.width(whole)
    step = max(1, (1 << 22) // max(width, 1))
    for start in range(0, REPLICATES, step):
        size = min(step, REPLICATES - start)
        swapped.append(cells.gap(plan.metric, cells.swap(rng, size), cells.exchanged, whole))
        drawn.append(cells.gap(plan.metric, cells.draw(rng, size), cells.smoothed, whole))
    units = float(cells.count.sum())
    return _judge(plan, a, b, np.concatenate(drawn), np.concatenate(swapped), units)


@dataclass(frozen=True, eq=False)
class _Cells:
    """The joint table of truth and two predictions, cell by cell, ready to be resampled.

    `exchanged` and `smoothed` are the codes (3, cells) of truth, first and second prediction: of
    the cells followed by those of disagreement with the predictions exchanged, and of the cells
    followed by those of one more row of disagreement.
    """

    schema: Schema
    weight: Array  # (cells,)
    differ: Array  # places of the cells whose two predictions differ
    count: Array  # number of rows in those
    exchanged: Array
    smoothed: Array
    shares: Array  # parameters of the gamma distribution of each smoothed cell

    @classmethod
    def from_table(cls, pair: PairedTable, schema: Schema) -> "_Cells":
        k = schema.k
        total = pair.weight.sum()
        shrink = total / pair.squares if pair.squares else 1.0
        codes = np.stack([pair.code // (k * k), (pair.code // k) % k, pair.code % k])
        differ = np.flatnonzero(codes[1] != codes[2])
        right = np.arange(k)
        wrong = (np.arange(k) + 1) % k
        return cls(
            schema=schema,
            weight=pair.weight,
            differ=differ,
            count=np.maximum(np.rint(pair.weight[differ] * shrink), 1).astype(np.int64),
            exchanged=np.concatenate([codes, codes[[0, 2, 1]][:, differ]], axis=1),
            smoothed=np.concatenate([codes, [right, right, wrong], [right, wrong, right]], axis=1),
            shares=np.concatenate([pair.weight * shrink, np.full(2 * k, 0.5 / k)]),
        )

    def width(self, whole: bool) -> int:
        """Numbers that one replicate takes, with the whole table of each model or without."""
        k = self.schema.k
        return len(self.shares) + len(self.differ) + (k * k if whole else 3 * k)

    def swap(self, rng: np.random.Generator, size: int) -> Array:
        """Weights (size, exchanged) after a random half of the disagreements changed places."""
        shape = (size, len(self.differ))
        flips = rng.binomial(self.count, 0.5, size=shape) / self.count * self.weight[self.differ]
        stays = np.tile(self.weight, (size, 1))
        stays[:, self.differ] -= flips
        return np.concatenate([stays, flips], axis=1)

    def draw(self, rng: np.random.Generator, size: int) -> Array:
        """Weights (size, smoothed) of the Bayesian bootstrap."""
        gamma = rng.standard_gamma(self.shares, size=(size, len(self.shares)))
        return np.asarray(gamma * (self.weight.sum() / gamma.sum(axis=1, keepdims=True)))

    def gap(self, metric: Metric, weights: Array, codes: Array, whole: bool) -> Array:
        """The metric of the first prediction minus that of the second (size,)."""
        truth, first, second = codes
        value = metric.compute(compute_counts(weights, truth, first, self.schema, whole))
        other = metric.compute(compute_counts(weights, truth, second, self.schema, whole))
        return np.asarray(value - other)


def bucket_bootstrap(plan: PairedPlan, a: Sample, b: Sample, pair: Any) -> Outcome:
    """Test by exchange, interval by bootstrap, of buckets of rows (of clusters, where given).

    The draws are the same for both models `a` and `b`; `pair` is not read; `plan` says the metric,
    the level and the seed.

    Source: Yeh (2000), COLING, 947-953 (exchange of what two models predict for the same unit).
    """
    rng = np.random.default_rng(plan.seed)
    filled = np.flatnonzero(a.value.rows)
    counts = draw_buckets(a.value.rows, rng, REPLICATES)
    keep = np.zeros((REPLICATES, len(a.value.rows)), np.int64)
    keep[:, filled] = rng.integers(0, 2, (REPLICATES, len(filled)))
    swap = np.zeros_like(keep)
    swap[:, filled] = 1 - keep[:, filled]
    state = a.state

    def compute(value: Any) -> Array:
        return np.ravel(plan.metric.compute(state.summary(value, a.schema)))

    drawn_a = compute(state.resample(a.value, counts))
    drawn_b = compute(state.resample(b.value, counts))
    first = state.merge(state.resample(a.value, keep), state.resample(b.value, swap))
    second = state.merge(state.resample(b.value, keep), state.resample(a.value, swap))
    swapped = compute(first) - compute(second)
    return _judge(plan, a, b, drawn_a - drawn_b, swapped, float(len(filled)))


def resampled_t(plan: PairedPlan, a: Sample, b: Sample, draws: Array) -> Outcome:
    """Student's t on the spread of the difference over resampled buckets of very many rows.

    `draws` (b,) are the differences of `a` and `b` on the replicates; `plan` says the level.
    """
    from scipy.special import stdtr

    defined = draws[~np.isnan(draws)]
    units = float(np.count_nonzero(a.value.rows))
    gap = plan.value_of(a) - plan.value_of(b)
    error = float(defined.std() * np.sqrt(units / (units - 1))) if len(defined) else np.inf
    half = t_quantile((1 + plan.confidence) / 2, units - 1) * error
    p = 2 * float(stdtr(units - 1, -abs(gap) / error)) if error else _sign_test(gap, units)
    return Outcome(gap - half, gap + half, p, plan.bootstrap_name, error)


def _judge(
    plan: PairedPlan, a: Sample, b: Sample, drawn: Array, swapped: Array, units: float
) -> Outcome:
    """p-value from the exchanged gaps, interval from the resampled ones.

    The interval is widened to hold 0 where the test does not find a difference.
    """
    drawn = drawn[~np.isnan(drawn)]
    swapped = swapped[~np.isnan(swapped)]
    gap = plan.value_of(a) - plan.value_of(b)
    error = float(drawn.std()) if len(drawn) else 0.0
    extreme = np.count_nonzero(np.abs(swapped) >= abs(gap) - 1e-12)
    p = float((1 + extreme) / (1 + len(swapped)))
    if extreme < 10 and swapped.std() > 0:
        # The draws so far out are too few to count; their spread still says how far out they are.
        p = min(p, 2 * NormalDist().cdf(-abs(gap) / float(swapped.std())))
    p = max(p, _sign_test(gap, units)) if gap else 1.0
    low, high = _interval(plan, gap, drawn, error, units)
    if p >= 1 - plan.confidence:
        low = min(low, 0.0)
        high = max(high, 0.0)
    return Outcome(low, high, p, plan.bootstrap_name, error)


def _interval(
    plan: PairedPlan, gap: float, drawn: Array, error: float, units: float
) -> tuple[float, float]:
    """Percentiles; for few clusters, whose draws are too narrow, Student's t on their spread."""
    tail = (1 - plan.confidence) / 2
    if plan.has_clusters and units > 1:
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
