"""Intervals, from states: the procedure that fits each figure, never outside its range, never without its name.

>>> low, high = wilson(np.array(28.0), np.array(30.0), 0.95)
>>> round(float(low), 4), round(float(high), 4)
(0.7868, 0.9815)
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np

from assay.engine import BUCKETS
from assay.errors import UnsupportedError
from assay.metric import Metric, OrderMetric
from assay.order import Ranking
from assay.resampling import REPLICATES, effective, resample_buckets, resample_counts, smoothed
from assay.state import Confusion, ConfusionTable, Counts, State, Sums
from assay.table.columns import Array
from assay.table.schema import Schema

__all__ = ["FEW", "PROCEDURES", "Interval", "Sample", "interval", "t_quantile", "wilson"]


# Up to so many rows the skew of losses matters to the interval of their mean.
FEW = 5000


class Interval(NamedTuple):
    """Lower and upper end (figures,), and the procedure that gave them ("" where there is none)."""

    low: Array
    high: Array
    method: str


NONE = Interval(np.array([np.nan]), np.array([np.nan]), "")


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
        if isinstance(self.whole, tuple) and hasattr(self.whole, "rows"):
            return int(self.whole.rows[0])
        return sum(len(chunk.truth) for chunk in self.whole)

    @cached_property
    def replicates(self) -> Any:
        """The summary of bootstrap replicates, leading axis REPLICATES."""
        rng = np.random.default_rng(self.seed)
        if self.bucketed:
            drawn = self.state.pool(self.value, resample_buckets(self.value, rng))
            if isinstance(drawn, ConfusionTable):
                drawn = smoothed(drawn, np.asarray(self.whole.table[0]), rng)
            found = self.state.summary(drawn, self.schema)
            return replace(found, sample=self.summary) if isinstance(found, Counts) else found
        return resample_counts(self.value, self.schema, rng)


def interval(metric: Metric, sample: Sample, confidence: float = 0.95, method: str | None = None) -> Interval:
    """The interval of every figure of `metric` on `sample`, by `method` or by the procedure that suits it.

    wilson for proportions of independent rows (or jeffreys, clopper_pearson); bootstrap_t for means over few rows and t
    over many; delong for areas under the ROC curve; otherwise the bootstrap: of confusion counts (Dirichlet weights,
    exact in one draw whatever the number of rows), or of buckets of rows.  With a cluster column every procedure
    resamples or sums by cluster.  UnsupportedError where the method does not fit the metric.
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
        if suited == "t" and sample.bucketed and not sample.clustered and sample.n <= FEW:
            return "bootstrap_t"
        return "bootstrap" if sample.clustered and suited != "delong" else suited
    kin = next((kin for kin in KINDRED if suited in kin), (suited,))
    bootstrap = sample.bucketed or isinstance(sample.state, Confusion)
    if method not in kin and not (method == "bootstrap" and bootstrap):
        can = ", ".join([*kin, *(["bootstrap"] if bootstrap and "bootstrap" not in kin else [])])
        raise UnsupportedError(f"no interval of {metric} by {method!r}; it can be had by {can}")
    if sample.clustered and method not in ("bootstrap", "delong"):
        raise UnsupportedError(f"{method!r} takes rows as independent, but the table has clusters; use 'bootstrap'")
    return method


def wilson(successes: Array, trials: Array, confidence: float) -> tuple[Array, Array]:
    """Wilson's score interval of a proportion; nan without trials. Source: Wilson (1927), JASA 22:209-212."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    n = np.where(trials > 0, trials, np.nan)
    p = successes / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(np.maximum(p * (1 - p), 0) / n + z**2 / (4 * n**2))
    return centre - half, centre + half


def jeffreys(successes: Array, trials: Array, confidence: float) -> tuple[Array, Array]:
    """Equal-tailed posterior interval under Jeffreys' prior. Source: Brown, Cai & DasGupta (2001), section 3.1."""
    from scipy.special import betaincinv

    tail = (1 - confidence) / 2
    a, b = successes + 0.5, trials - successes + 0.5
    low = np.where(successes > 0, betaincinv(a, b, tail), 0.0)
    high = np.where(successes < trials, betaincinv(a, b, 1 - tail), 1.0)
    return np.where(trials > 0, low, np.nan), np.where(trials > 0, high, np.nan)


def clopper_pearson(successes: Array, trials: Array, confidence: float) -> tuple[Array, Array]:
    """Exact interval of a proportion, never under its level and usually above. Source: Clopper & Pearson (1934)."""
    from scipy.special import betaincinv

    tail = (1 - confidence) / 2
    wrong = trials - successes
    low = np.where(successes > 0, betaincinv(np.maximum(successes, 1e-9), wrong + 1, tail), 0.0)
    high = np.where(wrong > 0, betaincinv(successes + 1, np.maximum(wrong, 1e-9), 1 - tail), 1.0)
    return np.where(trials > 0, low, np.nan), np.where(trials > 0, high, np.nan)


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


def t_quantile(p: float, freedom: float) -> float:
    """Quantile of Student's t.

    From 200 degrees of freedom by the Cornish-Fisher series of Abramowitz & Stegun (1964), 26.7.5, exact to 1e-9, which
    spares the import of scipy where rows are many.
    """
    if freedom < 200:
        from scipy.special import stdtrit

        return float(stdtrit(freedom, p))
    z = NormalDist().inv_cdf(p)
    g1 = (z**3 + z) / 4
    g2 = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    g3 = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    g4 = (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160
    return z + g1 / freedom + g2 / freedom**2 + g3 / freedom**3 + g4 / freedom**4


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
    low, high = metric.bounds
    if not np.isfinite(metric.bounds).all():
        return Interval(summary.mean[:, 0], summary.mean[:, 0], "t")
    first, last = wilson((summary.mean[:, 0] - low) / (high - low) * n, np.array(n), confidence)
    return Interval(low + first * (high - low), low + last * (high - low), "wilson")


def studentised(metric: Metric, sample: Sample, confidence: float) -> Interval:
    """Bootstrap of the t statistic of a mean over buckets of rows: right where losses are skewed and rows few.

    Each replicate is judged by its own standard error, which Student's t assumes away; that error is kept from falling
    below a tenth of the sample's.  Source: Efron & Tibshirani (1993), An Introduction to the Bootstrap, section 12.5.
    """
    value = sample.value
    units = int(np.count_nonzero(value.rows))
    mean = float(sample.summary.mean[0, 0])
    if units <= 1 or not np.isfinite(mean):
        return NONE
    weight = value.weight
    apart = (value.mean[:, 0] - mean) * weight  # (buckets,)
    if not sample.summary.m2[0, 0] or not apart.any():
        return _alike(metric, sample.summary, float(effective(sample.whole)[0]), confidence)
    times = resample_buckets(value, np.random.default_rng(sample.seed)).astype(np.float64)
    total = times @ weight
    shift = np.divide(times @ apart, total, out=np.zeros(len(total)), where=total > 0)
    squares = times @ apart**2 - 2 * shift * (times @ (apart * weight)) + shift**2 * (times @ weight**2)
    scale = np.sqrt(units / (units - 1))
    error = scale * np.sqrt((apart**2).sum()) / weight.sum()
    errors = scale * np.sqrt(np.maximum(squares, 0)) / np.where(total > 0, total, np.inf)
    tail = (1 - confidence) / 2
    ends = np.quantile(shift / np.maximum(errors, error / 10), [1 - tail, tail])
    return Interval(np.array([mean - ends[0] * error]), np.array([mean - ends[1] * error]), "bootstrap-t")


def delong(metric: OrderMetric, sample: Sample, confidence: float) -> Interval:
    """Interval on the logit scale, with DeLong's variance from the influence of each row and Student's t.

    The degrees of freedom are Satterthwaite's over the classes, as of Brunner & Munzel: few rows of a class are few.
    Where the ranking is perfect the variance is 0 and says nothing: there Wilson's interval is taken on as many
    independent pairs as the smaller class has rows, which is valid and wide.
    Source: DeLong et al. (1988), Biometrics 44:837-845; logit: Pepe (2003), section 5.3; Brunner & Munzel (2000).
    """
    summary: Ranking = sample.summary
    figures = metric.figures(summary)
    spread_of = [spread(one, summary, sample.clustered) for one in metric.influence(summary)]
    # Without a spread there is nothing to multiply, nor a reason to import scipy for it.
    quantile = np.array([t_quantile((1 + confidence) / 2, freedom) if v else 0.0 for v, freedom in spread_of])
    with np.errstate(divide="ignore", invalid="ignore"):
        logit = np.log(figures / (1 - figures))
        half = quantile * np.sqrt([variance for variance, _ in spread_of]) / (figures * (1 - figures))
        low, high = 1 / (1 + np.exp(half - logit)), 1 / (1 + np.exp(-half - logit))
    if any(np.isinf(variance) for variance, _ in spread_of):
        return Interval(np.zeros_like(figures), np.ones_like(figures), "delong")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    for i in np.flatnonzero((figures <= 0) | (figures >= 1)):
        pairs = [min(size) for size in (summary.sizes if len(figures) < summary.count else summary.sizes[i : i + 1])]
        gap = float(np.mean([z**2 / (n + z**2) for n in pairs if n]))
        low[i], high[i] = (1 - gap, 1.0) if figures[i] >= 1 else (0.0, gap)
    return Interval(low, high, "delong")


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
    """Percentiles of the figure over replicates of the state; by cluster, Student's t on their spread."""
    if sample.clustered:
        return _by_cluster(metric, sample, confidence)
    draws = np.asarray(metric.compute(sample.replicates), np.float64).reshape(REPLICATES, -1)
    if not draws.size:
        return NONE
    tail = (1 - confidence) / 2
    defined = ~np.isnan(draws)
    if defined.all():
        low, high = np.quantile(draws, [tail, 1 - tail], axis=0)
    else:
        # A replicate without, say, a single positive row defines no recall: quantiles are over those that do.
        pairs = zip(draws.T, defined.T, strict=True)
        ends = [np.quantile(c[d], [tail, 1 - tail]) if d.any() else (np.nan, np.nan) for c, d in pairs]
        low, high = np.array(ends).T
    return Interval(low, high, "bootstrap")


def _by_cluster(metric: Metric, sample: Sample, confidence: float) -> Interval:
    """Percentiles are too narrow for few clusters; t with as many degrees of freedom, less one, is not."""
    clusters = int(np.count_nonzero(sample.value.rows))
    figures = metric.figures(sample.summary)
    if clusters < 2:
        nothing = np.full(len(figures), np.nan)
        return Interval(nothing, nothing, "")
    draws = np.asarray(metric.compute(sample.replicates), np.float64).reshape(REPLICATES, -1)
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
