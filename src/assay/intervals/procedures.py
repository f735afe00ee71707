"""procedures: the interval of a metric from a sample, by the procedure that suits it.

An interval never leaves the range of its metric, holds the value, and names its procedure.

>>> low, high = wilson(np.array(28.0), np.array(30.0), 0.95)
>>> round(float(low), 4), round(float(high), 4)
(0.7868, 0.9815)
>>> describe_method("wilson")
"Wilson's score interval of a proportion of rows"
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from assay.errors import UnsupportedError
from assay.intervals.bootstrap_t import bootstrap_ratio
from assay.intervals.calibration_gaps import bootstrap_gaps
from assay.intervals.delong import delong_interval
from assay.intervals.largest_lead import LargestLead, bootstrap_lead
from assay.intervals.logit_spread import FallsByOneRow, bootstrap_logit
from assay.intervals.proportions import clopper_pearson, jeffreys, t_quantile, wilson
from assay.intervals.replicates import NONE, Interval, Sample
from assay.intervals.resampling import REPLICATES, average_replicates, effective_rows
from assay.intervals.small_samples import UNEVEN, MeasuresGaps
from assay.kernels import Array
from assay.metrics.base import Metric
from assay.metrics.curve import CurveMetric
from assay.states.confusion import Confusion, Counts
from assay.states.moments import Sums
from assay.states.ranking import Curve, draw_curves
from assay.table.schema import Schema

__all__ = [
    "PROCEDURES",
    "Procedure",
    "compute_interval",
    "count_skewed",
    "describe_method",
    "effective_trials",
]

BLOCK_DRAWS = 400
# Rows up to which the skew of losses matters to the interval of their mean; of losses that nothing
# bounds.
FEW = 5000
MANY = 1 << 16


@dataclass(frozen=True)
class Procedure:
    """One way to find an interval.

    Parameters:
        compute: Takes a metric, a sample and the level; gives the interval of every value.
        family: Procedures of one family fit the same metrics.
        sentences: What the report says of it, by the `method` of the intervals that it gives.
    """

    compute: Callable[[Any, Sample, float], Interval]
    family: str
    sentences: Mapping[str, str]


@runtime_checkable
class RatioOfSums(Protocol):
    """A metric of moments that is monotone in the sum of their first column over another sum."""

    def divisor(self, value: Sums, summary: Sums) -> Array:
        """The other sum in each stratum of `value` (strata,); `summary` is that of all rows."""


@runtime_checkable
class OneLessRatio(Protocol):
    """A metric that is 1 less the ratio of two sums over rows."""

    def split_ratio(self, value: Any, summary: Any) -> tuple[Array, Array]:
        """Both sums in each stratum of `value` (strata,), upper and lower.

        Where the formula is no such ratio, it is one to first order about the `summary` of all
        rows, and the same for all of them.
        """


@runtime_checkable
class OpenEnded(Protocol):
    """A metric without a range that still knows how far a row unlike the sample's may lie."""

    def tail_margin(self, schema: Schema) -> float:
        """Least distance from the bound of a further row, for a table of `schema`."""

    def value_of_other_row(self, value: float, schema: Schema) -> float:
        """Value of a row unlike rows of `schema` that all have `value`; nan if unknown."""


def compute_interval(
    metric: Metric, sample: Sample, confidence: float = 0.95, method: str | None = None
) -> Interval:
    """The interval of every value of a metric on a sample.

    By default: wilson for proportions of independent rows; bootstrap_t for means over up to 5,000
    rows, or 65,536 where nothing bounds their values, and t over more; bootstrap_t for ratios of
    sums, as r2 and pearson are; delong for areas under the ROC curve; otherwise the bootstrap, of
    confusion counts (Dirichlet weights, exact in one draw whatever the number of rows) or of
    buckets of rows. With a cluster column every procedure resamples or sums by cluster.

    Parameters:
        metric: Bound to the schema of the sample.
        sample: State of one model on one group of rows.
        confidence: Level of the interval, in (0, 1); default 0.95.
        method: Key of `PROCEDURES`; default: the one that suits the metric and the rows.

    Returns:
        Lower and upper ends (values,), nan where undefined, and the procedure's name.

    Raises:
        UnsupportedError: The method does not fit the metric, or takes clustered rows as
            independent.
    """
    values = metric.estimate(sample.summary)
    procedure = PROCEDURES[choose_procedure(metric, sample, method)]
    ends = procedure.compute(metric, sample, confidence)
    low = np.clip(np.ravel(ends.low), *metric.bounds)
    high = np.clip(np.ravel(ends.high), *metric.bounds)
    low, high = _widen_flat(metric, sample, values, (low, high), confidence)
    undefined = np.isnan(values) | np.isnan(low) | np.isnan(high)
    # A posterior quantile may just miss a value at the end of its range.
    low = np.where(undefined, np.nan, np.fmin(low, values))
    high = np.where(undefined, np.nan, np.fmax(high, values))
    return Interval(low, high, ends.method)


def describe_method(method: str) -> str:
    """The report's sentence on the `method` of an interval; the method itself if it is not known.

    >>> describe_method("bootstrap-t")
    'bootstrap of the t statistic over rows, or over buckets of rows'
    """
    for procedure in PROCEDURES.values():
        if method in procedure.sentences:
            return procedure.sentences[method]
    return method


def choose_procedure(metric: Metric, sample: Sample, method: str | None) -> str:
    """Key in `PROCEDURES`: `method` if it fits; if None, what suits `metric` and `sample`."""
    if method is not None:
        _check_method(metric, sample, method)
        return method
    suited = metric.interval(sample.schema)
    if sample.clustered:
        return suited if suited == "delong" else "bootstrap"
    skewed = suited == "t" and sample.n <= count_skewed(metric, sample.schema)
    if sample.bucketed and (skewed or isinstance(metric, RatioOfSums | OneLessRatio)):
        return "bootstrap_t"
    return suited


def _check_method(metric: Metric, sample: Sample, method: str) -> None:
    """UnsupportedError unless the procedure `method` fits the metric and the sample."""
    family = PROCEDURES[metric.interval(sample.schema)].family
    fitting = [name for name, procedure in PROCEDURES.items() if procedure.family == family]
    resamplable = sample.bucketed or isinstance(sample.state, Confusion)
    if resamplable and "bootstrap" not in fitting:
        fitting.append("bootstrap")
    if method not in fitting:
        raise UnsupportedError(
            f"no interval of {metric} by {method!r}; it can be had by {', '.join(fitting)}"
        )
    if sample.clustered and method not in ("bootstrap", "delong"):
        raise UnsupportedError(
            f"{method!r} takes rows as independent, but the table has clusters; use 'bootstrap'"
        )


def _widen_flat(
    metric: Metric,
    sample: Sample,
    values: Array,
    ends: tuple[Array, Array],
    confidence: float,
) -> tuple[Array, Array]:
    """The ends, where no replicate varies those of Wilson's interval on as many rows.

    Of a ranking these are the rows of the smaller class; of clusters, as many as there are
    clusters. Without a range the metric has no such interval: nan.
    """
    low, high = ends
    # Replicates of one value differ in the last digits.
    flat = high - low <= 1e-12 * np.maximum(np.abs(low), np.abs(high))
    if not flat.any():
        return low, high
    least, most = metric.bounds
    if not np.isfinite(metric.bounds).all():
        return np.where(flat, np.nan, low), np.where(flat, np.nan, high)
    rows = _count_independent(metric, sample)
    share = (values - least) / (most - least)
    first, last = wilson(share * rows, np.array(float(rows)), confidence)
    first = np.clip(least + first * (most - least), least, most)
    last = np.clip(least + last * (most - least), least, most)
    low = np.where(flat, np.minimum(first, values), low)
    return low, np.where(flat, np.maximum(last, values), high)


def _count_independent(metric: Metric, sample: Sample) -> int:
    """Rows that bear on the value independently, at most."""
    smaller = []
    if isinstance(metric, CurveMetric):
        smaller = [min(size) for size in sample.summary.sizes if min(size)]
    rows = min(smaller, default=sample.n)
    if sample.clustered and sample.bucketed:
        return min(rows, int(np.count_nonzero(sample.value.rows)))
    return rows


def effective_trials(metric: Any, sample: Sample) -> tuple[Array, Array]:
    """Successes and trials (values,) of a `metric` that is a share of the rows of a `sample`.

    Weighted rows carry the information of fewer: Kish's effective number of those that the value
    rests on.
    """
    successes, trials = metric.trials(sample.summary)
    whole = sample.whole
    squared = sample.state.summary(
        whole._replace(table=whole.squared, weight=whole.squares), sample.schema
    )
    trials = np.asarray(trials, np.float64)
    squares = np.asarray(metric.trials(squared)[1], np.float64)
    shrink = np.divide(trials, squares, out=np.zeros_like(trials), where=squares > 0)
    return np.asarray(successes, np.float64) * shrink, trials * shrink


def _apply_to_trials(
    proportion: Callable[..., tuple[Array, Array]], name: str
) -> Callable[[Any, Sample, float], Interval]:
    """A procedure for metrics that are shares of rows, by an interval of a proportion."""

    def compute(metric: Any, sample: Sample, confidence: float) -> Interval:
        return Interval(*proportion(*effective_trials(metric, sample), confidence), name)

    return compute


def student_t(metric: Metric, sample: Sample, confidence: float) -> Interval:
    """Mean of the rows of `sample` +- t standard errors, at the level `confidence`.

    Where all rows have one value, see `_equal_rows`, with the same `metric`.
    """
    summary: Sums = sample.summary
    n = effective_rows(summary)
    if n[0] <= 1:
        return NONE
    if not _varies(summary):
        return _equal_rows(metric, sample, float(n[0]), confidence)
    error = np.sqrt(summary.m2[:, 0] / summary.weight / (n - 1))
    half = t_quantile((1 + confidence) / 2, float(n[0]) - 1) * error
    return Interval(summary.mean[:, 0] - half, summary.mean[:, 0] + half, "t")


def _equal_rows(metric: Metric, sample: Sample, n: float, confidence: float) -> Interval:
    """Wilson's interval of the share of rows that may be otherwise, where `n` rows are all equal.

    None where the metric has no range, nor knows what another row would be.
    """
    if np.isfinite(metric.bounds).all():
        return Interval(*_scaled_wilson(metric, sample.summary, n, confidence), "wilson")
    if not isinstance(metric, OpenEnded):
        return NONE
    value = metric.estimate(sample.summary)
    other = metric.value_of_other_row(float(value[0]), sample.schema)
    if not np.isfinite(other):
        return NONE
    most = wilson(np.array(0.0), np.array(n), confidence)[1] * (other - value)
    return Interval(value + np.minimum(most, 0), value + np.maximum(most, 0), "wilson")


def _has_uneven_weights(summary: Sums) -> bool:
    """Whether the rows count so unequally that they are worth clearly fewer."""
    return bool(effective_rows(summary)[0] < UNEVEN * summary.rows[0])


def _varies(summary: Sums) -> bool:
    """Whether the rows differ by more than rounding makes them."""
    return bool(summary.m2[0, 0] > summary.weight[0] * (1e-12 * summary.mean[0, 0]) ** 2)


def _scaled_wilson(
    metric: Metric, summary: Sums, n: float, confidence: float
) -> tuple[Array, Array]:
    """Wilson's interval of a mean of values in the metric's range.

    Right where all values lie at the ends of the range, and wide otherwise.
    """
    low, high = metric.bounds
    first, last = wilson((summary.mean[:, 0] - low) / (high - low) * n, np.array(n), confidence)
    return low + first * (high - low), low + last * (high - low)


def _tail_margin(metric: Metric, schema: Schema) -> float:
    """Least distance from the near bound of a further row: by default a quarter of the range."""
    if isinstance(metric, OpenEnded):
        return metric.tail_margin(schema)
    low, high = metric.bounds
    return (high - low) / 4 if np.isfinite(metric.bounds).all() else 0.0


def count_skewed(metric: Metric, schema: Schema) -> int:
    """Up to how many rows the skew of their values matters to the interval of their mean.

    Of a `metric` for tables of `schema`. Where nothing bounds the values, few of very many rows may
    make the mean.
    """
    bounded = np.isfinite(metric.bounds).all() or _tail_margin(metric, schema)
    return FEW if bounded else MANY


def bootstrap_t(metric: Metric, sample: Sample, confidence: float) -> Interval:
    """Bootstrap of the t statistic over the buckets of `sample`: right for few and skewed losses.

    For means, and for a `metric` that divides a sum by another (`RatioOfSums`, `OneLessRatio`). A
    mean in a range never leaves Wilson's interval at the level `confidence`, which is that of
    values that vary most. See `bootstrap_ratio`.
    """
    if isinstance(metric, OneLessRatio):
        return _bootstrap_rest(metric, sample, confidence)
    value = sample.value
    summary = sample.summary
    filled = value.rows > 0
    divided = isinstance(metric, RatioOfSums)
    numerator = (value.mean[:, 0] * value.weight)[filled]
    divisor = metric.divisor(value, summary) if isinstance(metric, RatioOfSums) else value.weight
    denominator = divisor[filled]
    total = denominator.sum()
    if len(numerator) <= 1 or not np.isfinite(numerator).all() or not total > 0:
        return NONE
    if not _varies(summary) or not (numerator * total - numerator.sum() * denominator).any():
        return _equal_rows(metric, sample, float(effective_rows(summary)[0]), confidence)
    low, high = bootstrap_ratio(
        numerator,
        denominator,
        confidence,
        sample.seed,
        bounds=(-np.inf, np.inf) if divided else metric.bounds,
        margin=_tail_margin(metric, sample.schema),
        # A divisor that varies from row to row, as weights do, makes the guarded end err as well.
        even=_has_uneven_weights(summary) or not np.array_equal(denominator, value.weight[filled]),
    )
    if np.isfinite(metric.bounds).all():
        widest = _scaled_wilson(metric, summary, float(effective_rows(summary)[0]), confidence)
        low = max(low, float(widest[0][0]))
        high = min(high, float(widest[1][0]))
    if (numerator >= 0).all():  # a sum of squares is not below 0
        low = max(low, 0.0)
    share = total / summary.weight[0]
    ends = np.sort([_value_at(metric, summary, end * share) for end in (low, high)], axis=0)
    return Interval(ends[0], ends[1], "bootstrap-t")


def _bootstrap_rest(metric: OneLessRatio, sample: Sample, confidence: float) -> Interval:
    """The bootstrap-t interval of the ratio that the value falls short of 1 by."""
    filled = sample.value.rows > 0
    upper, lower = (part[filled] for part in metric.split_ratio(sample.value, sample.summary))
    if len(upper) <= 1 or not np.isfinite([upper, lower]).all() or not lower.sum() > 0:
        return NONE
    short = upper.sum() / lower.sum()
    if (np.abs(upper - short * lower) <= 1e-12 * lower.sum()).all():  # rows differ by rounding
        return Interval(np.array([1 - short]), np.array([1 - short]), "bootstrap-t")
    # Both sums vary from row to row, so both ends use half of the error.
    low, high = bootstrap_ratio(upper, lower, confidence, sample.seed, even=True)
    return Interval(np.array([1 - high]), np.array([1 - low]), "bootstrap-t")


def _value_at(metric: Metric, summary: Sums, mean: float) -> Array:
    """The values of the metric, were the mean of the first column this one."""
    means = summary.mean.copy()
    means[:, 0] = mean
    return np.ravel(metric.compute(summary._replace(mean=means)))


def bootstrap(metric: Metric, sample: Sample, confidence: float) -> Interval:
    """Percentiles of `metric` over replicates of `sample`; by cluster, Student's t on their spread.

    Replicates of counts lie to one side of the value of their mean, where the formula is curved,
    and so does the sample lie to that side of the truth: the ends, at the level `confidence`, are
    moved back by twice as much, times 1 - 2 / k for k classes. A mean over many classes has a bias
    that is large beside its spread; for two classes the percentiles are right.
    """
    if sample.clustered:
        return _bootstrap_clusters(metric, sample, confidence)
    if not sample.bucketed and isinstance(metric, CurveMetric):
        return _bootstrap_blocks(metric, sample, confidence)
    if isinstance(metric, MeasuresGaps):
        return bootstrap_gaps(metric, sample, confidence)
    if isinstance(metric, LargestLead) and metric.average in ("binary", "none"):
        return bootstrap_lead(metric, sample, confidence)
    if isinstance(metric, FallsByOneRow):
        return bootstrap_logit(metric, sample, confidence)
    draws = _replicate(metric, sample)
    if not draws.size:
        return NONE
    if sample.draws < REPLICATES:  # too few for percentiles
        half = t_quantile((1 + confidence) / 2, sample.draws - 1) * np.nanstd(draws, axis=0, ddof=1)
        values = metric.estimate(sample.summary)
        return Interval(values - half, values + half, "bootstrap")
    low, high = _percentiles(draws, (1 - confidence) / 2)
    bias = _bias(metric, sample, draws)
    return Interval(low - bias, high - bias, "bootstrap")


def _replicate(metric: Metric, sample: Sample) -> Array:
    """The values of the metric on the replicates of the sample (draws, values)."""
    return np.asarray(metric.compute(sample.replicates), np.float64).reshape(sample.draws, -1)


def _percentiles(draws: Array, tail: float) -> tuple[Array, Array]:
    """Quantiles `tail` and 1 - `tail` (values,) of the draws (draws, values) that are defined.

    A replicate without, say, a single positive row defines no recall.
    """
    defined = ~np.isnan(draws)
    if defined.all():
        low, high = np.quantile(draws, [tail, 1 - tail], axis=0)
        return low, high
    ends = [
        np.quantile(column[known], [tail, 1 - tail]) if known.any() else (np.nan, np.nan)
        for column, known in zip(draws.T, defined.T, strict=True)
    ]
    low, high = np.array(ends).T
    return low, high


def _bias(metric: Metric, sample: Sample, draws: Array) -> Array:
    """By how much the ends of the percentiles are moved back (values,)."""
    if not isinstance(sample.replicates, Counts):
        return 2 * _mean_offset(draws, metric.estimate(sample.summary))
    k = sample.replicates.tp.shape[-1]
    mean = np.ravel(metric.compute(average_replicates(sample.replicates)))
    return np.asarray(2 * max(1 - 2 / k, 0) * _mean_offset(draws, mean))


def _mean_offset(draws: Array, values: Array) -> Array:
    """Mean of the defined draws (draws, values) less the values (values,); 0 where none is."""
    defined = ~np.isnan(draws)
    mean = np.where(defined, draws, 0.0).sum(axis=0) / np.maximum(defined.sum(axis=0), 1)
    return np.asarray(np.where(defined.any(axis=0), np.nan_to_num(mean - values), 0.0))


def _bootstrap_blocks(metric: CurveMetric, sample: Sample, confidence: float) -> Interval:
    """Student's t on the spread over Poisson draws of the rows of either kind in each block.

    Blocks are runs of rows by score, too fine to matter for the spread of a value of many rows.
    """
    values = metric.estimate(sample.summary)
    spread = np.ravel(
        sample.summary.map_problems(lambda order: _spread(metric, order.curve, sample.seed))
    )
    half = t_quantile((1 + confidence) / 2, BLOCK_DRAWS - 1) * spread
    return Interval(values - half, values + half, "bootstrap")


def _spread(metric: CurveMetric, curve: Curve, seed: int) -> float:
    """Standard deviation of the value over drawn curves; nan where they define none.

    Without positive rows, say. Problems are read on several threads, so each has random numbers
    of its own.
    """
    drawn = metric.compute_curve(draw_curves(curve, np.random.default_rng(seed), BLOCK_DRAWS))
    defined = drawn[~np.isnan(drawn)]
    return float(defined.std(ddof=1)) if len(defined) > 1 else float("nan")


def _bootstrap_clusters(metric: Metric, sample: Sample, confidence: float) -> Interval:
    """Student's t on the spread over replicates, with clusters less one as degrees of freedom.

    Percentiles are too narrow for few clusters. The ends are moved back by the bias of the
    replicates, as those of rows are.
    """
    clusters = int(np.count_nonzero(sample.value.rows))
    values = metric.estimate(sample.summary)
    if clusters < 2:
        unknown = np.full(len(values), np.nan)
        return Interval(unknown, unknown, "")
    # Draws without a value say nothing of its spread; where none has one, nothing is known of it.
    draws = _replicate(metric, sample)
    columns = [column[~np.isnan(column)] for column in draws.T]
    variance = np.array([column.var() if len(column) else np.nan for column in columns])
    error = np.sqrt(variance * clusters / (clusters - 1))
    half = t_quantile((1 + confidence) / 2, clusters - 1) * error
    centre = values - _bias(metric, sample, draws)
    return Interval(centre - half, centre + half, "cluster bootstrap")


PROCEDURES: Mapping[str, Procedure] = {
    "wilson": Procedure(
        _apply_to_trials(wilson, "wilson"),
        "proportion",
        {"wilson": "Wilson's score interval of a proportion of rows"},
    ),
    "jeffreys": Procedure(
        _apply_to_trials(jeffreys, "jeffreys"),
        "proportion",
        {"jeffreys": "posterior interval of a proportion of rows under Jeffreys' prior"},
    ),
    "clopper_pearson": Procedure(
        _apply_to_trials(clopper_pearson, "clopper-pearson"),
        "proportion",
        {"clopper-pearson": "Clopper and Pearson's exact interval of a proportion of rows"},
    ),
    "t": Procedure(student_t, "mean", {"t": "Student's t on the values of the rows"}),
    "bootstrap_t": Procedure(
        bootstrap_t,
        "mean",
        {"bootstrap-t": "bootstrap of the t statistic over rows, or over buckets of rows"},
    ),
    "delong": Procedure(
        delong_interval, "area", {"delong": "DeLong's variance of the area, on the logit scale"}
    ),
    "bootstrap": Procedure(
        bootstrap,
        "any",
        {
            "bootstrap": "bootstrap of the rows, by their counts or in buckets",
            "cluster bootstrap": "bootstrap of whole clusters of rows",
            "logit bootstrap": "Student's t, as log-odds, on the spread over resampled rows",
            "normal less bias": "normal interval of the rates at the threshold, less the bias of "
            "resampled leads",
            "parametric bootstrap": "models whose bins are off by more or less than those of the "
            "rows, drawn until they score as these do",
        },
    ),
}
