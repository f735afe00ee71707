"""Intervals, from states: the procedure that fits each figure, never outside its range, never without its name.

>>> low, high = wilson(np.array(28.0), np.array(30.0), 0.95)
>>> round(float(low), 4), round(float(high), 4)
(0.7868, 0.9815)
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np

from assay.errors import UnsupportedError
from assay.intervals.bootstrap_t import ratio_ends
from assay.intervals.delong import delong_interval
from assay.intervals.proportions import clopper_pearson, jeffreys, t_quantile, wilson
from assay.intervals.replicates import FEW, NONE, Interval, Sample
from assay.intervals.resampling import REPLICATES, average_replicates, effective_rows
from assay.kernels import Array
from assay.metrics.base import Metric
from assay.metrics.curve import CurveMetric
from assay.states.confusion import Confusion, Counts
from assay.states.moments import Sums
from assay.states.ranking import Curve, draw_curves

__all__ = ["PROCEDURES", "effective_trials", "interval"]

BLOCK_DRAWS = 400


@runtime_checkable
class RatioOfSums(Protocol):
    """A metric of moments that grows or falls with the ratio of the sum of the first column to another sum."""

    def divisor(self, value: Sums, summary: Sums) -> Array:
        """The other sum in each cell of `value` (cells,); `summary` is that of all rows."""


def interval(
    metric: Metric, sample: Sample, confidence: float = 0.95, method: str | None = None
) -> Interval:
    """The interval of every figure of `metric` on `sample`, by `method` or by the procedure that suits it.

    wilson for proportions of independent rows (or jeffreys, clopper_pearson); bootstrap_t for means over few rows and t
    over many; bootstrap_t for ratios of sums, as r2 is one; delong for areas under the ROC curve; otherwise the
    bootstrap: of confusion counts (Dirichlet weights, exact in one draw whatever the number of rows), or of buckets of
    rows.  With a cluster column every procedure resamples or sums by cluster.  UnsupportedError where the method does
    not fit the metric.
    """
    method = choose_procedure(metric, sample, method)
    figures = metric.estimate(sample.summary)
    found = PROCEDURES[method](metric, sample, confidence)
    low, high = (np.clip(np.ravel(end), *metric.bounds) for end in found[:2])
    low, high = _with_a_width(metric, sample, figures, low, high, confidence)
    undefined = np.isnan(figures) | np.isnan(low) | np.isnan(high)
    # The point belongs to its interval; a posterior quantile may just miss a figure at the end of its range.
    low, high = np.fmin(low, figures), np.fmax(high, figures)
    return Interval(
        np.where(undefined, np.nan, low), np.where(undefined, np.nan, high), found.method
    )


def _with_a_width(
    metric: Metric, sample: Sample, figures: Array, low: Array, high: Array, confidence: float
) -> tuple[Array, Array]:
    """Where no replicate varies: Wilson's interval on as many rows as there are (of a ranking, in the smaller class; of
    clusters, as many as those), and none where the metric has no range."""
    flat = low == high
    if not flat.any():
        return low, high
    least, most = metric.bounds
    if not np.isfinite(metric.bounds).all():
        return np.where(flat, np.nan, low), np.where(flat, np.nan, high)
    sizes = sample.summary.sizes if isinstance(metric, CurveMetric) else []
    rows = [min((min(size) for size in sizes if min(size)), default=sample.n)]
    rows += (
        [int(np.count_nonzero(sample.value.rows))] if sample.clustered and sample.bucketed else []
    )
    ends = wilson(
        (figures - least) / (most - least) * min(rows), np.array(float(min(rows))), confidence
    )
    first, last = (np.clip(least + end * (most - least), least, most) for end in ends)
    return np.where(flat, np.minimum(first, figures), low), np.where(
        flat, np.maximum(last, figures), high
    )


def choose_procedure(metric: Metric, sample: Sample, method: str | None) -> str:
    """The procedure asked for, if it fits; else the one that suits the metric and the rows."""
    suited: str = metric.interval(sample.schema)
    if method is None:
        if sample.clustered:
            return suited if suited == "delong" else "bootstrap"
        few = suited == "t" and sample.n <= FEW
        return "bootstrap_t" if sample.bucketed and (few or isinstance(metric, RatioOfSums)) else suited
    kin = next((kin for kin in KINDRED if suited in kin), (suited,))
    bootstrap = sample.bucketed or isinstance(sample.state, Confusion)
    if method not in kin and not (method == "bootstrap" and bootstrap):
        can = ", ".join([*kin, *(["bootstrap"] if bootstrap and "bootstrap" not in kin else [])])
        raise UnsupportedError(f"no interval of {metric} by {method!r}; it can be had by {can}")
    if sample.clustered and method not in ("bootstrap", "delong"):
        raise UnsupportedError(
            f"{method!r} takes rows as independent, but the table has clusters; use 'bootstrap'"
        )
    return method


def effective_trials(metric: Any, sample: Sample) -> tuple[Array, Array]:
    """Successes and trials (figures,) of a metric that is a share of rows, of as many rows as the weighted are worth.

    Weighted rows carry the information of fewer: Kish's effective number of those that the figure rests on.
    """
    successes, trials = (np.asarray(part, np.float64) for part in metric.trials(sample.summary))
    whole = sample.whole
    squared = sample.state.summary(
        whole._replace(table=whole.squared, weight=whole.squares), sample.schema
    )
    squares = np.asarray(metric.trials(squared)[1], np.float64)
    shrink = np.divide(trials, squares, out=np.zeros_like(trials), where=squares > 0)
    return successes * shrink, trials * shrink


def _proportion(
    of: Callable[..., tuple[Array, Array]], name: str
) -> Callable[[Any, Sample, float], Interval]:
    """A procedure for metrics that are shares of rows."""

    def procedure(metric: Any, sample: Sample, confidence: float) -> Interval:
        return Interval(*of(*effective_trials(metric, sample), confidence), name)

    return procedure


def student_t(metric: Metric, sample: Sample, confidence: float) -> Interval:
    """Mean of the rows +- t standard errors."""
    summary: Sums = sample.summary
    n = effective_rows(summary)
    if n[0] <= 1:
        return NONE
    if not _spreads(summary):
        return _alike(metric, sample, float(n[0]), confidence)
    error = np.sqrt(summary.m2[:, 0] / summary.weight / (n - 1))
    half = t_quantile((1 + confidence) / 2, float(n[0]) - 1) * error
    return Interval(summary.mean[:, 0] - half, summary.mean[:, 0] + half, "t")


def _alike(metric: Metric, sample: Sample, n: float, confidence: float) -> Interval:
    """Rows that are all alike have no spread to go by: Wilson's interval of how many may be otherwise.

    None where the metric has no range, nor knows what another row would be.
    """
    if np.isfinite(metric.bounds).all():
        return Interval(*_in_range(metric, sample.summary, n, confidence), "wilson")
    value = metric.estimate(sample.summary)
    other = metric.otherwise(float(value[0]), sample.schema)
    if not np.isfinite(other):
        return NONE
    most = wilson(np.array(0.0), np.array(n), confidence)[1] * (other - value)
    return Interval(value + np.minimum(most, 0), value + np.maximum(most, 0), "wilson")


def _spreads(summary: Sums) -> bool:
    """Whether the rows differ by more than rounding makes them."""
    return bool(summary.m2[0, 0] > summary.weight[0] * (1e-12 * summary.mean[0, 0]) ** 2)


def _in_range(metric: Metric, summary: Sums, n: float, confidence: float) -> tuple[Array, Array]:
    """Wilson's interval of a mean in a range: right for values at its ends alone, wide for all others."""
    low, high = metric.bounds
    first, last = wilson((summary.mean[:, 0] - low) / (high - low) * n, np.array(n), confidence)
    return low + first * (high - low), low + last * (high - low)


def bootstrap_t(metric: Metric, sample: Sample, confidence: float) -> Interval:
    """Bootstrap of the t statistic over buckets of rows: right where losses are skewed and rows few.

    For means, and for what divides a sum by another (`RatioOfSums`); a mean in a range never leaves Wilson's interval, which
    is that of the most that values in a range can vary.  See `ratio_ends`.
    """
    value, summary = sample.value, sample.summary
    filled = value.rows > 0
    above = (value.mean[:, 0] * value.weight)[filled]
    below = (metric.divisor(value, summary) if isinstance(metric, RatioOfSums) else value.weight)[filled]
    if len(above) <= 1 or not np.isfinite(above).all() or not below.sum() > 0:
        return NONE
    if not _spreads(summary) or not (above * below.sum() - above.sum() * below).any():
        return _alike(metric, sample, float(effective_rows(summary)[0]), confidence)
    bounds = (-np.inf, np.inf) if isinstance(metric, RatioOfSums) else metric.bounds
    # A divisor that varies from row to row makes the guarded end err as well.
    even = not np.array_equal(below, value.weight[filled])
    low, high = ratio_ends(
        above, below, confidence, sample.seed, bounds, metric.margin(sample.schema), even
    )
    if np.isfinite(metric.bounds).all():
        most = _in_range(metric, summary, float(effective_rows(summary)[0]), confidence)
        low, high = max(low, float(most[0][0])), min(high, float(most[1][0]))
    # A sum of squares is not below 0.
    low = max(low, 0.0) if (above >= 0).all() else low
    share = below.sum() / summary.weight[0]
    ends = np.sort([_figure_at(metric, summary, end * share) for end in (low, high)], axis=0)
    return Interval(ends[0], ends[1], "bootstrap-t")


def _figure_at(metric: Metric, summary: Sums, mean: float) -> Array:
    """The figures, were the mean of the first column this one."""
    means = summary.mean.copy()
    means[:, 0] = mean
    return np.ravel(metric.compute(summary._replace(mean=means)))


def bootstrap(metric: Metric, sample: Sample, confidence: float) -> Interval:
    """Percentiles of the figure over replicates of the state; by cluster, Student's t on their spread.

    Replicates of counts lie to one side of the figure of their mean, where the formula is curved, and so does the
    sample lie to that side of the truth: the ends are moved back by twice as much, times 1 - 2 / k for k classes.  A
    mean over many classes has a bias that is large beside its spread; for two classes the percentiles are right.
    """
    if sample.clustered:
        return _by_cluster(metric, sample, confidence)
    if not sample.bucketed and isinstance(metric, CurveMetric):
        return _by_blocks(metric, sample, confidence)
    draws = np.asarray(metric.compute(sample.replicates), np.float64).reshape(sample.draws, -1)
    if not draws.size:
        return NONE
    if sample.draws < REPLICATES:  # too few for percentiles
        half = t_quantile((1 + confidence) / 2, sample.draws - 1) * np.nanstd(draws, axis=0, ddof=1)
        figures = metric.estimate(sample.summary)
        return Interval(figures - half, figures + half, "bootstrap")
    tail = (1 - confidence) / 2
    defined = ~np.isnan(draws)
    if defined.all():
        low, high = np.quantile(draws, [tail, 1 - tail], axis=0)
    else:
        # A replicate without, say, a single positive row defines no recall: quantiles are over those that do.
        pairs = zip(draws.T, defined.T, strict=True)
        ends = [
            np.quantile(c[d], [tail, 1 - tail]) if d.any() else (np.nan, np.nan) for c, d in pairs
        ]
        low, high = np.array(ends).T
    if isinstance(sample.replicates, Counts):
        moved = (
            2
            * max(1 - 2 / sample.replicates.tp.shape[-1], 0)
            * _curvature(metric, sample.replicates, draws)
        )
    else:
        moved = 2 * _off_centre(draws, metric.estimate(sample.summary))
    return Interval(low - moved, high - moved, "bootstrap")


def _off_centre(draws: Array, figures: Array) -> Array:
    """Mean of the draws (draws, figures) that define a figure, less the figure (figures,); 0 where none does."""
    defined = ~np.isnan(draws)
    mean = np.where(defined, draws, 0.0).sum(axis=0) / np.maximum(defined.sum(axis=0), 1)
    return np.asarray(np.where(defined.any(axis=0), np.nan_to_num(mean - figures), 0.0))


def _by_blocks(metric: CurveMetric, sample: Sample, confidence: float) -> Interval:
    """Student's t on the spread of the figure over Poisson draws of how many rows of either kind each block holds.

    Blocks are runs of rows by score, too fine to matter for the spread of a figure of many rows.
    """
    figures = metric.estimate(sample.summary)
    spread = np.ravel(sample.summary.each(lambda order: _spread(metric, order.curve, sample.seed)))
    half = t_quantile((1 + confidence) / 2, BLOCK_DRAWS - 1) * spread
    return Interval(figures - half, figures + half, "bootstrap")


def _spread(metric: CurveMetric, curve: Curve, seed: int) -> float:
    """Standard deviation of the figure over drawn curves; nan where they define none, as without positive rows.

    Problems are read on several threads, so each has random numbers of its own.
    """
    drawn = metric.compute_curve(draw_curves(curve, np.random.default_rng(seed), BLOCK_DRAWS))
    defined = drawn[~np.isnan(drawn)]
    return float(defined.std(ddof=1)) if len(defined) > 1 else float("nan")


def _curvature(metric: Metric, replicates: Counts, draws: Array) -> Array:
    """Mean of the figures of the replicates (REPLICATES, figures), less the figures of their mean (figures,)."""
    return _off_centre(draws, np.ravel(metric.compute(average_replicates(replicates))))


def _by_cluster(metric: Metric, sample: Sample, confidence: float) -> Interval:
    """Percentiles are too narrow for few clusters; t with as many degrees of freedom, less one, is not."""
    clusters = int(np.count_nonzero(sample.value.rows))
    figures = metric.estimate(sample.summary)
    if clusters < 2:
        nothing = np.full(len(figures), np.nan)
        return Interval(nothing, nothing, "")
    draws = np.asarray(metric.compute(sample.replicates), np.float64).reshape(sample.draws, -1)
    # Draws that do not define a figure say nothing of its spread; where none does, nothing is known of it.
    there = ~np.isnan(draws)
    spread_of = np.array(
        [c[t].var() if t.any() else np.nan for c, t in zip(draws.T, there.T, strict=True)]
    )
    error = np.sqrt(spread_of * clusters / (clusters - 1))
    half = t_quantile((1 + confidence) / 2, clusters - 1) * error
    return Interval(figures - half, figures + half, "cluster bootstrap")


PROCEDURES: Mapping[str, Callable[[Any, Sample, float], Interval]] = {
    "wilson": _proportion(wilson, "wilson"),
    "jeffreys": _proportion(jeffreys, "jeffreys"),
    "clopper_pearson": _proportion(clopper_pearson, "clopper-pearson"),
    "t": student_t,
    "bootstrap_t": bootstrap_t,
    "delong": delong_interval,
    "bootstrap": bootstrap,
}

# Procedures that answer the same kind of metric.
KINDRED = (
    ("wilson", "jeffreys", "clopper_pearson"),
    ("t", "bootstrap_t"),
    ("delong",),
    ("bootstrap",),
)
