"""Intervals, from states: the procedure that fits each figure, never outside its range, never without its name.

>>> low, high = wilson(np.array(28.0), np.array(30.0), 0.95)
>>> round(float(low), 4), round(float(high), 4)
(0.7868, 0.9815)
"""

from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np

from assay.engine import BUCKETS
from assay.metric import Metric, OrderMetric
from assay.state import Confusion, ConfusionTable, Counts, Ranking, State, Sums
from assay.table.labels import Array
from assay.table.schema import Schema

__all__ = ["Interval", "Sample", "delong", "interval", "resample_counts", "t_quantile", "wilson"]

REPLICATES = 1000


class Interval(NamedTuple):
    """Lower and upper end (figures,), and the procedure that gave them ("" where there is none)."""

    low: Array
    high: Array
    method: str


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
                drawn = smoothed(drawn, rng)
            return self.state.summary(drawn, self.schema)
        return resample_counts(self.value, self.schema, rng)


def interval(metric: Metric, sample: Sample, confidence: float = 0.95) -> Interval:
    """The interval of every figure of `metric` on `sample`, by the procedure that suits it.

    wilson for proportions of independent rows; t on per-row values; DeLong's variance on the logit scale for areas
    under the ROC curve; otherwise the bootstrap: of confusion counts (Dirichlet weights, exact in one draw whatever the
    number of rows), or of buckets of rows.  With a cluster column every procedure resamples or sums by cluster.
    """
    method = metric.interval(sample.schema)
    figures = metric.figures(sample.summary)
    if method == "delong" and isinstance(metric, OrderMetric):
        found = delong(metric, sample, figures, confidence)
    elif sample.clustered:
        found = bootstrap(metric, sample, confidence)._replace(method="cluster bootstrap")
    elif method == "wilson":
        found = _wilson(metric, sample, confidence)
    elif method == "t":
        found = _t(sample.summary, metric.bounds, confidence)
    else:
        found = bootstrap(metric, sample, confidence)
    low, high = (np.clip(np.ravel(end), *metric.bounds) for end in found[:2])
    # The point belongs to its interval; a posterior quantile may just miss a figure at the end of its range.
    low, high = np.fmin(low, figures), np.fmax(high, figures)
    undefined = np.isnan(figures) | np.isnan(np.ravel(found.low)) | np.isnan(np.ravel(found.high))
    return Interval(np.where(undefined, np.nan, low), np.where(undefined, np.nan, high), found.method)


def wilson(successes: Array, trials: Array, confidence: float) -> tuple[Array, Array]:
    """Wilson's score interval of a proportion; nan without trials. Source: Wilson (1927), JASA 22:209-212."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    n = np.where(trials > 0, trials, np.nan)
    p = successes / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(np.maximum(p * (1 - p), 0) / n + z**2 / (4 * n**2))
    return centre - half, centre + half


def _wilson(metric: Any, sample: Sample, confidence: float) -> Interval:
    successes, trials = (np.asarray(part, np.float64) for part in metric.trials(sample.summary))
    # Weighted rows carry the information of fewer: Kish's effective sample size.
    shrink = effective(sample.whole) / np.where(sample.whole.weight > 0, sample.whole.weight, np.nan)
    shrink = shrink[(...,) + (None,) * (successes.ndim - shrink.ndim)]
    return Interval(*wilson(successes * shrink, trials * shrink, confidence), "wilson")


def effective(value: Any) -> Array:
    """Effective number of rows (cells,): (sum w)^2 / sum w^2. Source: Kish (1965), Survey Sampling."""
    squares = np.asarray(value.squares, np.float64)
    return np.divide(np.asarray(value.weight, np.float64) ** 2, squares, out=np.zeros_like(squares), where=squares > 0)


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


def _t(summary: Sums, bounds: tuple[float, float], confidence: float) -> Interval:
    """Mean of the rows +- t standard errors; Wilson's for rows that are all alike, which have no spread to go by."""
    n = effective(summary)
    if n[0] <= 1:
        return Interval(np.array([np.nan]), np.array([np.nan]), "")
    if not summary.m2[0, 0] and np.isfinite(bounds).all():
        low, high = bounds
        ends = wilson((summary.mean[:, 0] - low) / (high - low) * n, n, confidence)
        return Interval(*(low + end * (high - low) for end in ends), "wilson")
    error = np.sqrt(summary.m2[:, 0] / summary.weight / (n - 1))
    half = t_quantile((1 + confidence) / 2, float(n[0]) - 1) * error
    return Interval(summary.mean[:, 0] - half, summary.mean[:, 0] + half, "t")


def delong(metric: OrderMetric, sample: Sample, figures: Array, confidence: float) -> Interval:
    """Normal interval on the logit scale, with DeLong's variance from the influence of each row.

    Where the ranking is perfect that variance is 0 and says nothing: there Wilson's interval is taken on as many
    independent pairs as the smaller class has rows, which is valid and wide.
    Source: DeLong et al. (1988), Biometrics 44:837-845; logit: Pepe (2003), section 5.3.
    """
    summary: Ranking = sample.summary
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    variance = np.array([_squares(one, summary, sample.clustered) for one in metric.influence(summary)])
    with np.errstate(divide="ignore", invalid="ignore"):
        logit = np.log(figures / (1 - figures))
        half = z * np.sqrt(variance) / (figures * (1 - figures))
        low, high = 1 / (1 + np.exp(half - logit)), 1 / (1 + np.exp(-half - logit))
    for i in np.flatnonzero((figures <= 0) | (figures >= 1)):
        problems = summary.problems if len(figures) < len(summary.problems) else summary.problems[i : i + 1]
        pairs = [min(int(y.sum()), int((~y).sum())) for y, _ in problems]
        gap = float(np.mean([z**2 / (n + z**2) for n in pairs if n]))
        low[i], high[i] = (1 - gap, 1.0) if figures[i] >= 1 else (0.0, gap)
    return Interval(low, high, "delong")


def _squares(influence: Array, summary: Ranking, clustered: bool) -> float:
    """Variance of a figure: squared influences summed over rows, or over clusters."""
    if clustered and summary.cell is not None:
        influence = np.bincount(summary.cell, influence)
    return float((influence**2).sum())


def bootstrap(metric: Metric, sample: Sample, confidence: float) -> Interval:
    """Percentiles of the figure over replicates of the state."""
    draws = np.asarray(metric.compute(sample.replicates), np.float64).reshape(REPLICATES, -1)
    if not draws.size:
        return Interval(np.array([np.nan]), np.array([np.nan]), "")
    tail = (1 - confidence) / 2
    defined = ~np.isnan(draws)
    if defined.all():
        low, high = np.quantile(draws, [tail, 1 - tail], axis=0)
    else:
        # A replicate without, say, a single positive row defines no recall: quantiles are over those that do.
        ends = [
            np.quantile(c[d], [tail, 1 - tail]) if d.any() else (np.nan, np.nan)
            for c, d in zip(draws.T, defined.T, strict=True)
        ]
        low, high = np.array(ends).T
    return Interval(low, high, "bootstrap")


def resample_buckets(value: Any, rng: np.random.Generator, replicates: int = REPLICATES) -> Array:
    """How often each bucket enters each replicate (replicates, buckets): as many draws as there are filled buckets."""
    filled = np.flatnonzero(value.rows)
    times = np.zeros((replicates, len(value.rows)), np.int64)
    if len(filled):
        times[:, filled] = rng.multinomial(len(filled), np.full(len(filled), 1 / len(filled)), size=replicates)
    return times


def resample_counts(
    value: ConfusionTable, schema: Schema, rng: np.random.Generator, replicates: int = REPLICATES
) -> Counts:
    """Replicates of the counts of a confusion table, leading axis `replicates`, at a cost free of the number of rows.

    The shares of its cells are drawn from their Dirichlet posterior (the Bayesian bootstrap). The prior is one row in
    all, half on the diagonal, so that no small sample gives an interval of no width; it is left out beyond 64 classes,
    where only the cells that occur are drawn and only the margins kept.  Source: Rubin (1981), Ann. Stat. 9:130-134.
    """
    table, total = np.asarray(value.table[0], np.float64), float(value.weight[0])
    k = len(table)
    counts = table * (effective(value)[0] / total if total else 0.0)
    if 1 < k <= 64:
        counts = counts + prior(k)
    cells = np.flatnonzero(counts)
    truth, predicted = np.divmod(cells, k)
    column = np.argsort(predicted, kind="stable")
    tp, support, named = (np.zeros((replicates, k)) for _ in range(3))
    tables = np.zeros((replicates, k * k)) if k <= 64 else None
    step = max(1, (1 << 22) // max(len(cells), 1))
    for start in range(0, replicates if len(cells) else 0, step):
        block = slice(start, min(start + step, replicates))
        drawn = rng.standard_gamma(counts.ravel()[cells], size=(block.stop - start, len(cells)))
        drawn *= total / np.maximum(drawn.sum(axis=1, keepdims=True), np.finfo(float).tiny)
        tp[block, truth[truth == predicted]] = drawn[:, truth == predicted]
        _add_runs(support[block], truth, drawn)
        _add_runs(named[block], predicted[column], drawn[:, column])
        if tables is not None:
            tables[block, cells] = drawn
    positive = schema.positive_code if schema.task == "binary" else None
    whole = np.empty((replicates, 0, 0)) if tables is None else tables.reshape(replicates, k, k)
    return Counts(tp, support, named, np.full(replicates, total), tp.sum(axis=1), whole, positive)


def _add_runs(into: Array, code: Array, values: Array) -> None:
    """Sums of the columns of `values` (b, c) over runs of equal `code` (c,), sorted, into the columns of `into`."""
    starts = np.flatnonzero(np.diff(code, prepend=-1))
    into[:, code[starts]] = np.add.reduceat(values, starts, axis=1)


def smoothed(drawn: ConfusionTable, rng: np.random.Generator) -> ConfusionTable:
    """Resampled tables with the prior's one row added to each: a perfect sample has an interval with a width."""
    k = drawn.table.shape[-1]
    if not 1 < k <= 64:
        return drawn
    extra = rng.standard_gamma(np.broadcast_to(prior(k), drawn.table.shape))
    right = rng.standard_gamma(0.5, size=drawn.right.shape)
    return drawn._replace(
        table=drawn.table + extra,
        right=drawn.right + right,
        weight=drawn.weight + (right + rng.standard_gamma(0.5, size=right.shape)),
    )


def prior(k: int) -> Array:
    """One row spread over a k x k table: half along the diagonal, half off it."""
    spread = np.full((k, k), 0.5 / (k * (k - 1)))
    np.fill_diagonal(spread, 0.5 / k)
    return spread


def is_resampled_by_cell(state: State[Any], schema: Schema) -> bool:
    """Whether the state's own counts can be resampled, so that no buckets of rows are needed."""
    return isinstance(state, Confusion) and schema.task != "multilabel"
