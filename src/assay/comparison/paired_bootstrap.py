"""paired_bootstrap: two models on the same rows, by exchange of predictions and the bootstrap."""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np

from assay.comparison.equal_differences import sign_test
from assay.comparison.paired_plan import Outcome, PairedPlan
from assay.intervals.proportions import t_quantile
from assay.intervals.replicates import Sample
from assay.intervals.resampling import draw_buckets
from assay.kernels import Array
from assay.metrics.base import Metric
from assay.states.base import MOST_CLASSES
from assay.states.paired_confusion import PairedTable, compute_counts
from assay.table.schema import Schema

__all__ = [
    "Resample",
    "judge_resample",
    "resample_buckets",
    "resample_table",
    "resampled_t",
]

REPLICATES = 2000


class Resample(NamedTuple):
    """Differences of two models on what was resampled, from which any level is judged.

    `drawn` (b,) are those of the bootstrap, `swapped` (b,) those with predictions exchanged, of so
    many `units`.
    """

    drawn: Array
    swapped: Array
    units: float


def resample_table(plan: PairedPlan, a: Sample, b: Sample, pair: PairedTable) -> Resample:
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
    return Resample(np.concatenate(drawn), np.concatenate(swapped), units)


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


def resample_buckets(plan: PairedPlan, a: Sample, b: Sample, pair: Any) -> Resample:
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
    return Resample(drawn_a - drawn_b, swapped, float(len(filled)))


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
    p = 2 * float(stdtr(units - 1, -abs(gap) / error)) if error else sign_test(gap, units)
    spread = error * float(np.sqrt(units))
    return Outcome(gap - half, gap + half, p, plan.bootstrap_name, error, spread, units)


def judge_resample(plan: PairedPlan, a: Sample, b: Sample, resample: Resample) -> Outcome:
    """p-value from the exchanged gaps, interval from the resampled ones, of the models `a` and `b`.

    The interval is widened to hold 0 where the test does not find a difference. `plan` says the
    metric and the level.
    """
    drawn = resample.drawn[~np.isnan(resample.drawn)]
    swapped = resample.swapped[~np.isnan(resample.swapped)]
    units = resample.units
    gap = plan.value_of(a) - plan.value_of(b)
    error = float(drawn.std()) if len(drawn) else 0.0
    slack = 1e-12 * max(abs(plan.value_of(a)), abs(plan.value_of(b)))
    extreme = np.count_nonzero(np.abs(swapped) >= abs(gap) - slack)
    p = float((1 + extreme) / (1 + len(swapped)))
    if extreme < 10 and swapped.std() > 0:
        # The draws so far out are too few to count; their spread still says how far out they are.
        p = min(p, 2 * NormalDist().cdf(-abs(gap) / float(swapped.std())))
    p = max(p, sign_test(gap, units)) if gap else 1.0
    low, high = _interval(plan, gap, drawn, error, units)
    if p >= 1 - plan.confidence:
        low = min(low, 0.0)
        high = max(high, 0.0)
    spread = error * float(np.sqrt(units)) if len(drawn) else np.inf
    return Outcome(low, high, p, plan.bootstrap_name, error, spread, units)


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
