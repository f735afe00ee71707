"""Paired differences: one figure of two models on the same rows, by the procedure that fits the metric.

>>> from assay.engine import Local
>>> from assay.metric import METRICS
>>> from assay.predictions import Predictions
>>> p = Predictions.from_arrays([0, 1, 1, 0, 1], {"a": [0, 1, 1, 0, 1], "b": [0, 1, 0, 0, 1]})
>>> values, (d,) = paired_differences(p, METRICS.parse("accuracy").on(p.schema), ["a", "b"], 0.95, Local(), 0)
>>> round(d.difference, 2), d.p, d.method
(0.2, 0.5, 'mcnemar mid-p')
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np

from assay.engine import Engine, Job
from assay.errors import UnsupportedError
from assay.metric import Metric, OrderMetric
from assay.predictions import Predictions
from assay.resampling import effective, resample_buckets
from assay.state import Confusion, Counts, Moments, Pair, State, Sums
from assay.table.labels import Array
from assay.table.schema import Schema
from assay.uncertainty import Sample, t_quantile

__all__ = ["Joint", "RawDifference", "paired_differences"]

REPLICATES = 2000


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
    table: Predictions, metric: Metric, models: Sequence[str], confidence: float, engine: Engine, seed: int
) -> tuple[dict[str, float], list[RawDifference]]:
    """The figure of each model, and the difference of every two of them; `metric` is settled for the table's schema."""
    question = _Question(table, metric, confidence, seed)
    values = dict(engine.fold(table, question.jobs(models)))
    samples = {m: question.sample(values[question.single(m)], question.single(m)) for m in models}
    figures = {m: question.figure(m, sample) for m, sample in samples.items()}
    found = []
    for a, b in combinations(models, 2):
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

    def per_row(self, pair: Pair) -> Array:
        """Difference of each row."""
        a, b = (np.asarray(self.metric.per_row(rows), np.float64) for rows in (pair.a, pair.b))
        return a - b if a.ndim == 1 else a[:, 0] - b[:, 0]


class JointTable(NamedTuple):
    """Cells (truth, prediction of a, prediction of b) that occur, as one code each, with their weight."""

    code: Array
    weight: Array
    squares: float


@dataclass(frozen=True)
class Joint(State[JointTable]):
    """How often each truth met each pair of predictions: all that a paired comparison of count metrics needs."""

    def empty(self, schema: Schema, cells: int = 1) -> JointTable:
        return JointTable(np.zeros(0, np.int64), np.zeros(0), 0.0)

    def observe(self, rows: Any, cell: Array | None = None, cells: int = 1) -> JointTable:
        k, weight = rows.schema.k, rows.weight
        code = (rows.truth.astype(np.int64) * k + rows.a.label) * k + rows.b.label
        squares = float(len(code) if weight is None else (weight**2).sum())
        if k**3 <= 1 << 22:
            table = np.bincount(code, weight, minlength=1)
            occurring = np.flatnonzero(table)
            return JointTable(occurring, table[occurring].astype(np.float64), squares)
        occurring, back = np.unique(code, return_inverse=True)
        return JointTable(occurring, np.bincount(back, weight).astype(np.float64), squares)

    def merge(self, a: JointTable, b: JointTable) -> JointTable:
        code, back = np.unique(np.concatenate([a.code, b.code]), return_inverse=True)
        weight = np.bincount(back, np.concatenate([a.weight, b.weight]), minlength=len(code))
        return JointTable(code, weight, a.squares + b.squares)

    def take(self, value: JointTable, cells: slice) -> JointTable:
        return value

    def pool(self, value: JointTable, times: Array) -> JointTable:
        return value

    def summary(self, value: JointTable, schema: Schema) -> JointTable:
        return value


@dataclass(frozen=True)
class _Question:
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
        return "joint" if isinstance(self.metric.state, Confusion) and schema.task != "multilabel" else "buckets"

    @property
    def z(self) -> float:
        return NormalDist().inv_cdf((1 + self.confidence) / 2)

    def single(self, model: str) -> Job:
        return Job(self.metric.state, (model,), self.clustered or self.procedure == "buckets")

    def pair(self, a: str, b: str) -> Job:
        return Job(Joint() if self.procedure == "joint" else Moments(PerRow(self.metric)), (a, b))

    def jobs(self, models: Sequence[str]) -> list[Job]:
        singles = [self.single(m) for m in models]
        needed = self.procedure in ("joint", "t", "mcnemar")
        return singles + ([self.pair(a, b) for a, b in combinations(models, 2)] if needed else [])

    def sample(self, value: Any, job: Job) -> Sample:
        return Sample(job.state, value, self.table.schema, job.bucketed, self.clustered, self.seed)

    def figure(self, model: str, sample: Sample) -> float:
        figure = float(self.metric.figures(sample.summary)[0])
        if np.isnan(figure):
            reason = self.metric.undefined if self.table.n else "no_samples"
            raise UnsupportedError(f"{self.metric} of model {model!r} is undefined ({reason}): nothing to compare")
        return figure


def mcnemar(q: _Question, a: Sample, b: Sample, pair: Sums) -> Outcome:
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
    return Outcome(pa - pb - q.z * error, pa - pb + q.z * error, min(float(p), 1.0), "mcnemar mid-p", error)


def paired_t(q: _Question, a: Sample, b: Sample, pair: Sums) -> Outcome:
    """Student's t on the differences of the rows."""
    from scipy.special import stdtr

    mean, n = float(pair.mean[0, 0]), float(effective(pair)[0])
    if n <= 1:
        return Outcome(-np.inf, np.inf, 1.0, "paired t", 0.0)
    error = float(np.sqrt(pair.m2[0, 0] / pair.weight[0] / (n - 1)))
    half = t_quantile((1 + q.confidence) / 2, n - 1) * error
    p = 2 * stdtr(n - 1, -abs(mean) / error) if error else float(mean == 0)
    return Outcome(mean - half, mean + half, float(p), "paired t", error)


def paired_delong(q: _Question, a: Sample, b: Sample, pair: Any) -> Outcome:
    """DeLong's test: variance of the difference from the influence of each row under both models.

    Source: DeLong, DeLong & Clarke-Pearson (1988), Biometrics 44:837-845.
    """
    assert isinstance(q.metric, OrderMetric)
    of_a, of_b = (next(iter(q.metric.influence(sample.summary))) for sample in (a, b))
    apart = of_a - of_b
    if q.clustered:
        apart = np.bincount(a.summary.cell, apart)
    error = float(np.sqrt((apart**2).sum()))
    gap = float(q.metric.figures(a.summary)[0] - q.metric.figures(b.summary)[0])
    p = 2 * NormalDist().cdf(-abs(gap) / error) if error else float(gap == 0)
    return Outcome(gap - q.z * error, gap + q.z * error, p, "paired delong", error)


def joint_bootstrap(q: _Question, a: Sample, b: Sample, pair: JointTable) -> Outcome:
    """Bayesian bootstrap of the joint table of truth and both predictions; exact whatever the number of rows."""
    rng, schema = np.random.default_rng(q.seed), q.table.schema
    total = pair.weight.sum()
    shares = pair.weight * (total / pair.squares if pair.squares else 1.0)
    of_a, of_b = (_margins(pair.code, schema, first) for first in (True, False))
    gaps = []
    step = max(1, (1 << 22) // max(len(shares) + schema.k**2, 1))
    for start in range(0, REPLICATES, step):
        drawn = rng.standard_gamma(shares, size=(min(step, REPLICATES - start), len(shares)))
        drawn *= total / drawn.sum(axis=1, keepdims=True)
        gaps.append(q.metric.compute(of_a(drawn)) - q.metric.compute(of_b(drawn)))
    apart = float(shares[(pair.code // schema.k) % schema.k != pair.code % schema.k].sum())
    return _from_draws(q, np.concatenate(gaps), a, b, apart, "paired bootstrap")


def _margins(code: Array, schema: Schema, first: bool) -> Callable[[Array], Counts]:
    """How to turn weights of joint cells (b, c) into the counts of one of the two models."""
    k = schema.k
    truth, said = code // (k * k), (code // k) % k if first else code % k
    positive = schema.positive_code if schema.task == "binary" else None

    def counts(drawn: Array) -> Counts:
        flat = np.zeros((len(drawn), k * k))
        cell = truth * k + said
        order = np.argsort(cell, kind="stable")
        starts = np.flatnonzero(np.diff(cell[order], prepend=-1))
        flat[:, cell[order][starts]] = np.add.reduceat(drawn[:, order], starts, axis=1)
        tables = flat.reshape(-1, k, k)
        tp = np.diagonal(tables, axis1=1, axis2=2)
        margins = tp, tables.sum(axis=2), tables.sum(axis=1)
        return Counts(*margins, drawn.sum(axis=1), tp.sum(axis=1), tables, positive)

    return counts


def bucket_bootstrap(q: _Question, a: Sample, b: Sample, pair: Any) -> Outcome:
    """Bootstrap of buckets of rows (of clusters, where given), the same draw for both models."""
    times = resample_buckets(a.value, np.random.default_rng(q.seed), REPLICATES)
    of_a, of_b = (q.metric.compute(s.state.summary(s.state.pool(s.value, times), s.schema)) for s in (a, b))
    method = "paired cluster bootstrap" if q.clustered else "paired bootstrap"
    return _from_draws(q, of_a - of_b, a, b, float(np.count_nonzero(a.value.rows)), method)


def _from_draws(q: _Question, gaps: Array, a: Sample, b: Sample, units: float, method: str) -> Outcome:
    """Percentile interval; p-value from the draws shifted to no difference (Efron & Tibshirani, 1993, section 16.4)."""
    gaps = np.ravel(gaps)
    gaps = gaps[~np.isnan(gaps)]
    gap = float(q.metric.figures(a.summary)[0] - q.metric.figures(b.summary)[0])
    tail = (1 - q.confidence) / 2
    low, high = np.quantile(gaps, [tail, 1 - tail])
    # Draws that differ from the centre by rounding alone are no evidence of a difference.
    extreme = np.count_nonzero(np.abs(gaps - gaps.mean()) >= abs(gap) - 1e-12)
    p, error = float((1 + extreme) / (1 + len(gaps))), float(gaps.std())
    if extreme < 10 and error:
        # So far out the draws are too few to count; their spread still says how far.
        p = min(p, 2 * NormalDist().cdf(-abs(gap) / error))
    # Of n units that differ, no paired test can be surer than the sign test that finds all of them on one side.
    p = max(p, 2.0 ** (1 - min(units, 1000)))
    return Outcome(float(low), float(high), min(p, 1.0), method, error)


PROCEDURES: Mapping[str, Callable[..., Outcome]] = {
    "mcnemar": mcnemar,
    "t": paired_t,
    "delong": paired_delong,
    "joint": joint_bootstrap,
    "buckets": bucket_bootstrap,
}
