"""delong: the interval of the area under a ROC curve, by DeLong's variance on the logit scale.

>>> low, high = _logit_ends(np.array([0.9]), np.array([0.0004]), np.array([1.96]))
>>> low.round(3).tolist(), high.round(3).tolist()
([0.853], [0.933])
"""

from statistics import NormalDist

import numpy as np

from assay.intervals.proportions import t_quantile
from assay.intervals.replicates import NONE, Interval, Sample
from assay.kernels import Array
from assay.metrics.curve import OrderMetric
from assay.states.ranking import Ranking

__all__ = ["delong_interval", "influence_variance"]

# The next three are calibrated by bench/coverage.py.
# One more row is allowed for where it would have this share of the variance, or more.
LARGE = 0.02
# A further row lies at least so far from the area.
MARGIN = 1 / 3
# The end that no further row guards uses this share of 1 - confidence.
FAR = 0.7
# Student's t is taken where a class has fewer rows.
FEW = 10
# From so many rows of each class on, no single one matters to the variance.
MANY = 1000


def delong_interval(metric: OrderMetric, sample: Sample, confidence: float) -> Interval:
    """Interval of `metric` on the logit scale, with DeLong's variance from the influence of rows.

    Student's t where a class of the `sample` has fewer than 10 rows, or rows come in clusters; the
    normal distribution otherwise.
    Where it matters, the end on the side of the farthest row is that of the sample with one more
    row, as in `bootstrap_ratio`: farther than the farthest, and at least a third away from the
    area. The other end then errs alone, and is that of 0.7 of 1 - `confidence`.
    Where the ranking is perfect the variance is 0 and says nothing: there Wilson's interval is
    taken on as many independent pairs as the smaller class has rows, which is valid and wide.
    Source: DeLong et al. (1988), Biometrics 44:837-845; logit: Pepe (2003), section 5.3; degrees of
    freedom: Brunner & Munzel (2000).
    """
    summary: Ranking = sample.summary
    values = metric.estimate(summary)
    # Rows that count alike, and a value of each ranking problem: the sorted scores tell it all.
    alike = not sample.clustered and summary.weight is None and len(values) == summary.count
    if sample.is_sketched or (alike and min(map(min, summary.sizes)) >= MANY):
        return _read_curves(metric, summary, values, confidence) if alike else NONE
    influences = list(metric.influence(summary))
    spreads = [influence_variance(rows, summary, sample.clustered) for rows in influences]
    variance = np.array([value for value, _ in spreads])
    if np.isinf(variance).any():
        return Interval(np.zeros_like(values), np.ones_like(values), "delong")
    fewest = [_smaller_classes(summary, i, len(values)) for i in range(len(values))]
    few = [sample.clustered or min(sizes, default=0) < FEW for sizes in fewest]
    tail = (1 - confidence) / 2
    low, high = _logit_ends(values, variance, _quantiles(1 - tail, spreads, few))
    if not sample.clustered:
        steps = [
            _add_far_row(*each, summary) for each in zip(influences, variance, fewest, strict=True)
        ]
        shift = np.array([step[0] for step in steps])
        added = np.array([step[1] for step in steps])
        moved = np.clip(values + shift, 1e-9, 1 - 1e-9)
        near = _logit_ends(moved, variance + added, _quantiles(1 - tail, spreads, few))
        far = _logit_ends(values, variance, _quantiles(1 - 2 * FAR * tail, spreads, few))
        low = np.select([shift < 0, shift > 0], [np.fmin(low, near[0]), far[0]], low)
        high = np.select([shift > 0, shift < 0], [np.fmax(high, near[1]), far[1]], high)
    for i in np.flatnonzero((values <= 0) | (values >= 1)):
        low[i], high[i] = _perfect_ends(float(values[i]), fewest[i], confidence)
    return Interval(low, high, "delong")


def _read_curves(
    metric: OrderMetric, summary: Ranking, values: Array, confidence: float
) -> Interval:
    """The interval off the curves, for many rows of each class, of which no single one matters."""
    p = (1 + confidence) / 2
    spreads = summary.map_problems(lambda problem: metric.compute_variance(problem.curve))
    quantile = np.array([t_quantile(p, freedom) for _, freedom in spreads])
    low, high = _logit_ends(values, np.array([value for value, _ in spreads]), quantile)
    perfect = (values <= 0) | (values >= 1)
    if perfect.any():
        z = NormalDist().inv_cdf(p)
        gap = np.array([z**2 / (min(size) + z**2) for size in summary.sizes])
        low = np.where(perfect, np.clip(values - gap, 0, 1), low)
        high = np.where(perfect, np.clip(values + gap, 0, 1), high)
    return Interval(low, high, "delong")


def _perfect_ends(value: float, sizes: list[int], confidence: float) -> tuple[float, float]:
    """Wilson's interval of a perfect (1) or reversed (0) ranking, on the smaller classes' rows."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    gap = float(np.mean([z**2 / (n + z**2) for n in sizes if n]))
    return (1 - gap, 1.0) if value >= 1 else (0.0, gap)


def _smaller_classes(summary: Ranking, index: int, values: int) -> list[int]:
    """Rows of the smaller class of each ranking problem that bears on the value `index`."""
    sizes = summary.sizes if values < summary.count else summary.sizes[index : index + 1]
    return [min(size) for size in sizes]


def _quantiles(p: float, spreads: list[tuple[float, float]], few: list[bool]) -> Array:
    """Quantile for each value: Student's t where rows are `few`, else the normal distribution's.

    0 where the variance is 0: there is nothing to multiply, and no reason to import scipy.
    """
    quantiles = np.full(len(spreads), NormalDist().inv_cdf(p))
    for i, (variance, freedom) in enumerate(spreads):
        if not variance:
            quantiles[i] = 0.0
        elif few[i]:
            quantiles[i] = t_quantile(p, freedom)
    return quantiles


def _logit_ends(values: Array, variance: Array, quantile: Array) -> tuple[Array, Array]:
    """values -+ quantile standard errors on the logit scale."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        logit = np.log(values / (1 - values))
        half = quantile * np.sqrt(variance) / (values * (1 - values))
        low = 1 / (1 + np.exp(half - logit))
        high = 1 / (1 + np.exp(-half - logit))
    return np.asarray(low), np.asarray(high)


def _add_far_row(
    influence: Array, variance: float, sizes: list[int], summary: Ranking
) -> tuple[float, float]:
    """How far one more row moves a value towards its farthest row, and what variance it adds."""
    if not 0 < variance < np.inf:
        return 0.0, 0.0
    far = int(np.abs(influence).argmax())
    alike = len(influence)
    if summary.truth.ndim == 1:
        alike = int(np.count_nonzero(summary.truth == summary.truth[far]))
    side = float(np.sign(influence[far]))
    # Of few rows each has a large share: there a row farther than the farthest would be too wide.
    large = influence[far] ** 2 >= max(LARGE, 10 / alike) * variance
    reach = abs(float(influence[far])) * (1 + 15 / alike) if large else 0.0
    fewest = min((n for n in sizes if n), default=alike)
    least = MARGIN / fewest / len(sizes)
    if least > reach and least**2 >= LARGE * variance:
        reach = least
        alike = fewest
    return side * reach * alike / (alike + 1), reach**2


def influence_variance(influence: Array, summary: Ranking, clustered: bool) -> tuple[float, float]:
    """Variance of a value and its degrees of freedom, from the `influence` of each row (n,).

    Infinite where a class of the `summary` has a single row, or where rows are `clustered` and
    there is a single cluster: nothing then shows how much they vary.
    """
    if np.isnan(influence).any():
        return float("nan"), 1.0
    if clustered and summary.stratum is not None:
        return _cluster_variance(np.bincount(summary.stratum, influence), summary.stratum)
    squares = influence**2
    if summary.truth.ndim == 2:
        return float(squares.sum()), max(len(influence) - 1.0, 1.0)
    size = np.bincount(summary.truth)
    if (size == 1).any():
        return np.inf, 1.0
    per_class = np.bincount(summary.truth, squares)
    total = float(per_class.sum())
    lost = (per_class**2 / np.maximum(size - 1, 1)).sum()
    return total, float(total**2 / lost) if lost > 0 else 1.0


def _cluster_variance(influence: Array, cluster: Array) -> tuple[float, float]:
    """The same from the influence of each cluster, and the cluster of each row (n,)."""
    units = len(np.unique(cluster))
    if units < 2:
        return np.inf, 1.0
    scale = units / (units - 1)
    return float((influence**2).sum() * scale), units - 1.0
