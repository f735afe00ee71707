"""Intervals, from states: the procedure that fits each figure, never outside its range, never without its name.

>>> low, high = wilson(np.array(28.0), np.array(30.0), 0.95)
>>> round(float(low), 4), round(float(high), 4)
(0.7868, 0.9815)
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import NormalDist
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from assay.engine import BUCKETS
from assay.errors import UnsupportedError
from assay.kept import Parts
from assay.metric import CurveMetric, Metric, OrderMetric
from assay.order import Ranking, drawn_curves
from assay.proportions import clopper_pearson, jeffreys, t_quantile, wilson
from assay.resampling import REPLICATES, averaged, effective, resample_buckets, resample_counts, smoothed
from assay.sketch import Sketch
from assay.state import Confusion, ConfusionTable, Counts, State, Sums
from assay.studentised import ratio_ends
from assay.table.columns import Array
from assay.table.schema import Schema

__all__ = ["FEW", "PROCEDURES", "Interval", "Sample", "interval", "t_quantile", "wilson"]


# Up to so many rows the skew of losses matters to the interval of their mean.
FEW = 5000
# Share of the variance of an area under a curve from which on one row bears too much of it.
LARGE = 0.1


class Interval(NamedTuple):
    """Lower and upper end (figures,), and the procedure that gave them ("" where there is none)."""

    low: Array
    high: Array
    method: str


# Rows of a class of which no single one matters to the variance of an area.
MANY = 1000
# Scores that all replicates of kept rows together may weigh, and the fewest replicates.
WORK, FEWEST = 1 << 28, 50
BLOCK_DRAWS = 400

NONE = Interval(np.array([np.nan]), np.array([np.nan]), "")


@runtime_checkable
class OfSums(Protocol):
    """A metric of moments that grows or falls with the ratio of the sum of the first column to another sum."""

    def divisor(self, value: Sums, summary: Sums) -> Array:
        """The other sum in each cell of `value` (cells,); `summary` is that of all rows."""


@dataclass(frozen=True, eq=False)
class Sample:
    """One state of one model on one group of rows: its value per bucket or whole, and its replicates, drawn once."""

    state: State[Any]
    value: Any
    schema: Schema
    bucketed: bool
    clustered: bool
    seed: int

    @cached_property
    def whole(self) -> Any:
        """The value over all rows, one cell."""
        if not self.bucketed:
            return self.value
        return self.state.pool(self.value, np.ones((1, BUCKETS), np.int64))

    @cached_property
    def summary(self) -> Any:
        """What formulas read, leading axis 1."""
        return self.state.summary(self.whole, self.schema)

    @property
    def n(self) -> int:
        """Number of rows."""
        return int(np.sum(self.whole.rows))

    @property
    def sketched(self) -> bool:
        """Whether not the rows themselves were kept, but a sketch of them."""
        return isinstance(self.whole, Parts) and any(isinstance(part, Sketch) or part.merged for part in self.whole)

    @property
    def draws(self) -> int:
        """How many replicates: REPLICATES, or as many as can be had where each costs a pass over kept rows."""
        if not isinstance(self.value, Parts):
            return REPLICATES
        return min(REPLICATES, max(FEWEST, WORK // max(self.n * max(self.schema.k, 1), 1)))

    @cached_property
    def replicates(self) -> Any:
        """The summary of bootstrap replicates, leading axis `draws`."""
        rng = np.random.default_rng(self.seed)
        if self.bucketed:
            drawn = self.state.pool(self.value, resample_buckets(self.value, rng, self.draws))
            if isinstance(drawn, ConfusionTable):
                drawn = smoothed(drawn, np.asarray(self.whole.table[0]), rng)
            found = self.state.summary(drawn, self.schema)
            return replace(found, sample=self.summary) if isinstance(found, Counts) else found
        return resample_counts(self.value, self.schema, rng)


def interval(metric: Metric, sample: Sample, confidence: float = 0.95, method: str | None = None) -> Interval:
    """The interval of every figure of `metric` on `sample`, by `method` or by the procedure that suits it.

    wilson for proportions of independent rows (or jeffreys, clopper_pearson); bootstrap_t for means over few rows and t
    over many; bootstrap_t for ratios of sums, as r2 is one; delong for areas under the ROC curve; otherwise the
    bootstrap: of confusion counts (Dirichlet weights, exact in one draw whatever the number of rows), or of buckets of
    rows.  With a cluster column every procedure resamples or sums by cluster.  UnsupportedError where the method does
    not fit the metric.
    """
    method = chosen(metric, sample, method)
    figures = metric.figures(sample.summary)
    found = PROCEDURES[method](metric, sample, confidence)
    low, high = (np.clip(np.ravel(end), *metric.bounds) for end in found[:2])
    # The point belongs to its interval; a posterior quantile may just miss a figure at the end of its range.
    low, high = np.fmin(low, figures), np.fmax(high, figures)
    undefined = np.isnan(figures) | np.isnan(np.ravel(found.low)) | np.isnan(np.ravel(found.high))
    return Interval(np.where(undefined, np.nan, low), np.where(undefined, np.nan, high), found.method)


def chosen(metric: Metric, sample: Sample, method: str | None) -> str:
    """The procedure asked for, if it fits; else the one that suits the metric and the rows."""
    suited: str = metric.interval(sample.schema)
    if method is None:
        if sample.clustered:
            return suited if suited == "delong" else "bootstrap"
        few = suited == "t" and sample.n <= FEW
        return "bootstrap_t" if sample.bucketed and (few or isinstance(metric, OfSums)) else suited
    kin = next((kin for kin in KINDRED if suited in kin), (suited,))
    bootstrap = sample.bucketed or isinstance(sample.state, Confusion)
    if method not in kin and not (method == "bootstrap" and bootstrap):
        can = ", ".join([*kin, *(["bootstrap"] if bootstrap and "bootstrap" not in kin else [])])
        raise UnsupportedError(f"no interval of {metric} by {method!r}; it can be had by {can}")
    if sample.clustered and method not in ("bootstrap", "delong"):
        raise UnsupportedError(f"{method!r} takes rows as independent, but the table has clusters; use 'bootstrap'")
    return method


def _proportion(of: Callable[..., tuple[Array, Array]], name: str) -> Callable[[Any, Sample, float], Interval]:
    """A procedure for metrics that are shares of rows."""

    def procedure(metric: Any, sample: Sample, confidence: float) -> Interval:
        successes, trials = (np.asarray(part, np.float64) for part in metric.trials(sample.summary))
        # Weighted rows carry the information of fewer: Kish's effective number of those that the figure rests on.
        whole = sample.whole
        squared = sample.state.summary(whole._replace(table=whole.squared, weight=whole.squares), sample.schema)
        squares = np.asarray(metric.trials(squared)[1], np.float64)
        shrink = np.divide(trials, squares, out=np.zeros_like(trials), where=squares > 0)
        return Interval(*of(successes * shrink, trials * shrink, confidence), name)

    return procedure


def student(metric: Metric, sample: Sample, confidence: float) -> Interval:
    """Mean of the rows +- t standard errors."""
    summary: Sums = sample.summary
    n = effective(summary)
    if n[0] <= 1:
        return NONE
    if not summary.m2[0, 0]:
        return _alike(metric, summary, float(n[0]), confidence)
    error = np.sqrt(summary.m2[:, 0] / summary.weight / (n - 1))
    half = t_quantile((1 + confidence) / 2, float(n[0]) - 1) * error
    return Interval(summary.mean[:, 0] - half, summary.mean[:, 0] + half, "t")


def _alike(metric: Metric, summary: Sums, n: float, confidence: float) -> Interval:
    """Rows that are all alike have no spread to go by: Wilson's interval, where the metric has a range."""
    if not np.isfinite(metric.bounds).all():
        figures = metric.figures(summary)
        return Interval(figures, figures, "t")
    return Interval(*_in_range(metric, summary, n, confidence), "wilson")


def _in_range(metric: Metric, summary: Sums, n: float, confidence: float) -> tuple[Array, Array]:
    """Wilson's interval of a mean in a range: right for values at its ends alone, wide for all others."""
    low, high = metric.bounds
    first, last = wilson((summary.mean[:, 0] - low) / (high - low) * n, np.array(n), confidence)
    return low + first * (high - low), low + last * (high - low)


def studentised(metric: Metric, sample: Sample, confidence: float) -> Interval:
    """Bootstrap of the t statistic over buckets of rows: right where losses are skewed and rows few.

    For means, and for what divides a sum by another (`OfSums`); a mean in a range never leaves Wilson's interval, which
    is that of the most that values in a range can vary.  See `ratio_ends`.
    """
    value, summary = sample.value, sample.summary
    filled = value.rows > 0
    above = (value.mean[:, 0] * value.weight)[filled]
    below = (metric.divisor(value, summary) if isinstance(metric, OfSums) else value.weight)[filled]
    if len(above) <= 1 or not np.isfinite(above).all() or not below.sum() > 0:
        return NONE
    if not summary.m2[0, 0] or not (above * below.sum() - above.sum() * below).any():
        return _alike(metric, summary, float(effective(summary)[0]), confidence)
    low, high = ratio_ends(above, below, confidence, sample.seed, metric.bounds)
    if np.isfinite(metric.bounds).all():
        most = _in_range(metric, summary, float(effective(summary)[0]), confidence)
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


def _delong_of_curves(metric: OrderMetric, summary: Ranking, figures: Array, confidence: float) -> Interval:
    """The same for many rows of each class, of which no single one matters, off the sorted scores."""
    spread_of = summary.each(lambda order: metric.variance_of(order.curve))
    quantile = np.array([t_quantile((1 + confidence) / 2, freedom) for _, freedom in spread_of])
    low, high = _logit_ends(figures, np.array([v for v, _ in spread_of]), quantile)
    perfect = (figures <= 0) | (figures >= 1)
    if perfect.any():
        z = NormalDist().inv_cdf((1 + confidence) / 2)
        gap = np.array([z**2 / (min(size) + z**2) for size in summary.sizes])
        low, high = (
            np.where(perfect, np.clip(figures - gap, 0, 1), low),
            np.where(perfect, np.clip(figures + gap, 0, 1), high),
        )
    return Interval(low, high, "delong")


def delong(metric: OrderMetric, sample: Sample, confidence: float) -> Interval:
    """Interval on the logit scale, with DeLong's variance from the influence of each row and Student's t.

    The degrees of freedom are Satterthwaite's over the classes, as of Brunner & Munzel: few rows of a class are few.
    Where one row bears a tenth of the variance or more (of few rows: ten times its share), another may be farther out:
    the end on its side is that of the sample with one more such row, as in `ratio_ends`.  Where the ranking is perfect
    the variance is 0 and says nothing: there Wilson's interval is taken on as many independent pairs as the smaller
    class has rows, which is valid and wide.
    Source: DeLong et al. (1988), Biometrics 44:837-845; logit: Pepe (2003), section 5.3; Brunner & Munzel (2000).
    """
    summary: Ranking = sample.summary
    figures = metric.figures(summary)
    alike = not sample.clustered and summary.weight is None and len(figures) == summary.count
    if sample.sketched or (alike and min(map(min, summary.sizes)) >= MANY):
        return _delong_of_curves(metric, summary, figures, confidence) if alike else NONE
    influences = list(metric.influence(summary))
    spread_of = [spread(one, summary, sample.clustered) for one in influences]
    # Without a spread there is nothing to multiply, nor a reason to import scipy for it.
    quantile = np.array([t_quantile((1 + confidence) / 2, freedom) if v else 0.0 for v, freedom in spread_of])
    variance = np.array([v for v, _ in spread_of])
    low, high = _logit_ends(figures, variance, quantile)
    if not sample.clustered:
        steps = [_one_more(one, v, summary) for one, v in zip(influences, variance, strict=True)]
        moved, added = (np.array(column) for column in zip(*steps, strict=True))
        farther = _logit_ends(np.clip(figures + moved, 1e-9, 1 - 1e-9), variance + added, quantile)
        low = np.where(moved < 0, np.fmin(low, farther[0]), low)
        high = np.where(moved > 0, np.fmax(high, farther[1]), high)
    if np.isinf(variance).any():
        return Interval(np.zeros_like(figures), np.ones_like(figures), "delong")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    for i in np.flatnonzero((figures <= 0) | (figures >= 1)):
        pairs = [min(size) for size in (summary.sizes if len(figures) < summary.count else summary.sizes[i : i + 1])]
        gap = float(np.mean([z**2 / (n + z**2) for n in pairs if n]))
        low[i], high[i] = (1 - gap, 1.0) if figures[i] >= 1 else (0.0, gap)
    return Interval(low, high, "delong")


def _logit_ends(figures: Array, variance: Array, quantile: Array) -> tuple[Array, Array]:
    """figures -+ quantile standard errors on the logit scale."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        logit = np.log(figures / (1 - figures))
        half = quantile * np.sqrt(variance) / (figures * (1 - figures))
        return np.asarray(1 / (1 + np.exp(half - logit))), np.asarray(1 / (1 + np.exp(-half - logit)))


def _one_more(influence: Array, variance: float, summary: Ranking) -> tuple[float, float]:
    """How far one more row like the farthest would move a figure, and what it would add to its variance."""
    if not 0 < variance < np.inf:
        return 0.0, 0.0
    far, alike = int(np.abs(influence).argmax()), len(influence)
    if summary.truth.ndim == 1:
        alike = int(np.count_nonzero(summary.truth == summary.truth[far]))
    # Of few rows each bears much; there Student's t is wide enough.
    if influence[far] ** 2 < max(LARGE, 10 / alike) * variance:
        return 0.0, 0.0
    reach = float(influence[far]) * (1 + 15 / alike)
    return reach * alike / (alike + 1), reach**2


def spread(influence: Array, summary: Ranking, clustered: bool) -> tuple[float, float]:
    """Variance of a figure, from the influence of rows (or clusters), and its degrees of freedom.

    Infinite where a class has a single row or the table a single cluster: nothing then shows how much they vary.
    """
    if np.isnan(influence).any():
        return float("nan"), 1.0
    if clustered and summary.cell is not None:
        units = len(np.unique(summary.cell))
        of_cluster = np.bincount(summary.cell, influence)
        scale = units / (units - 1) if units > 1 else np.inf
        return float((of_cluster**2).sum() * scale) if units > 1 else np.inf, max(units - 1.0, 1.0)
    squares = influence**2
    if summary.truth.ndim == 2:
        return float(squares.sum()), max(len(influence) - 1.0, 1.0)
    size = np.bincount(summary.truth)
    if (size == 1).any():
        return np.inf, 1.0
    of_class = np.bincount(summary.truth, squares)
    lost = (of_class**2 / np.maximum(size - 1, 1)).sum()
    return float(of_class.sum()), float(of_class.sum() ** 2 / lost) if lost > 0 else 1.0


def bootstrap(metric: Metric, sample: Sample, confidence: float) -> Interval:
    """Percentiles of the figure over replicates of the state; by cluster, Student's t on their spread.

    Replicates of counts lie to one side of the figure of their mean, where the formula is curved, and so does the
    sample lie to that side of the truth: the ends are moved back by twice as much.
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
        figures = metric.figures(sample.summary)
        return Interval(figures - half, figures + half, "bootstrap")
    tail = (1 - confidence) / 2
    defined = ~np.isnan(draws)
    if defined.all():
        low, high = np.quantile(draws, [tail, 1 - tail], axis=0)
    else:
        # A replicate without, say, a single positive row defines no recall: quantiles are over those that do.
        pairs = zip(draws.T, defined.T, strict=True)
        ends = [np.quantile(c[d], [tail, 1 - tail]) if d.any() else (np.nan, np.nan) for c, d in pairs]
        low, high = np.array(ends).T
    if isinstance(sample.replicates, Counts):
        moved = 2 * _curvature(metric, sample.replicates, draws)
    else:
        moved = 2 * _off_centre(draws, metric.figures(sample.summary))
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
    figures = metric.figures(sample.summary)
    rng = np.random.default_rng(sample.seed)
    drawn = sample.summary.each(lambda order: metric.of_curve(drawn_curves(order.curve, rng, BLOCK_DRAWS)))
    half = t_quantile((1 + confidence) / 2, BLOCK_DRAWS - 1) * np.array([np.nanstd(d, ddof=1) for d in drawn])
    return Interval(figures - half, figures + half, "bootstrap")


def _curvature(metric: Metric, replicates: Counts, draws: Array) -> Array:
    """Mean of the figures of the replicates (REPLICATES, figures), less the figures of their mean (figures,)."""
    return _off_centre(draws, np.ravel(metric.compute(averaged(replicates))))


def _by_cluster(metric: Metric, sample: Sample, confidence: float) -> Interval:
    """Percentiles are too narrow for few clusters; t with as many degrees of freedom, less one, is not."""
    clusters = int(np.count_nonzero(sample.value.rows))
    figures = metric.figures(sample.summary)
    if clusters < 2:
        nothing = np.full(len(figures), np.nan)
        return Interval(nothing, nothing, "")
    draws = np.asarray(metric.compute(sample.replicates), np.float64).reshape(sample.draws, -1)
    # Draws that do not define a figure say nothing of its spread; where none does, nothing is known of it.
    there = ~np.isnan(draws)
    spread_of = np.array([c[t].var() if t.any() else np.nan for c, t in zip(draws.T, there.T, strict=True)])
    error = np.sqrt(spread_of * clusters / (clusters - 1))
    half = t_quantile((1 + confidence) / 2, clusters - 1) * error
    return Interval(figures - half, figures + half, "cluster bootstrap")


PROCEDURES: Mapping[str, Callable[[Any, Sample, float], Interval]] = {
    "wilson": _proportion(wilson, "wilson"),
    "jeffreys": _proportion(jeffreys, "jeffreys"),
    "clopper_pearson": _proportion(clopper_pearson, "clopper-pearson"),
    "t": student,
    "bootstrap_t": studentised,
    "delong": delong,
    "bootstrap": bootstrap,
}

# Procedures that answer the same kind of metric.
KINDRED = (("wilson", "jeffreys", "clopper_pearson"), ("t", "bootstrap_t"), ("delong",), ("bootstrap",))
