"""Areas: how sure the area under a ROC curve is, by DeLong's variance on the logit scale.

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

# Share of the variance of an area under a curve from which on one row more matters to it; how far from the area it lies
# at least; and the share of the error left to the other end, which that row does not guard: by bench/coverage.py.
LARGE, MARGIN, FAR = 0.02, 1 / 3, 0.7
# Rows of a class fewer than which Student's t is wanted.
FEW = 10
# Rows of a class of which no single one matters to the variance of an area.
MANY = 1000


def _delong_of_curves(
    metric: OrderMetric, summary: Ranking, figures: Array, confidence: float
) -> Interval:
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


def delong_interval(metric: OrderMetric, sample: Sample, confidence: float) -> Interval:
    """Interval on the logit scale, with DeLong's variance from the influence of each row.

    Student's t where a class has fewer than 10 rows, or rows come in clusters; the normal distribution otherwise.
    Where it matters, the end on the side of the farthest row is that of the sample with one more row, as in
    `ratio_ends`: farther than the farthest, and at least a third away from the area; the other end, which errs alone
    then, is that of 0.7 of the error.  Where the ranking is perfect the variance is 0 and says nothing: there Wilson's
    interval is taken on as many independent pairs as the smaller class has rows, which is valid and wide.
    Source: DeLong et al. (1988), Biometrics 44:837-845; logit: Pepe (2003), section 5.3; degrees of freedom: Brunner &
    Munzel (2000).
    """
    summary: Ranking = sample.summary
    figures = metric.estimate(summary)
    alike = not sample.clustered and summary.weight is None and len(figures) == summary.count
    if sample.sketched or (alike and min(map(min, summary.sizes)) >= MANY):
        return _delong_of_curves(metric, summary, figures, confidence) if alike else NONE
    influences = list(metric.influence(summary))
    spread_of = [influence_variance(one, summary, sample.clustered) for one in influences]
    variance = np.array([v for v, _ in spread_of])
    pairs = [_fewest(summary, i, len(figures)) for i in range(len(figures))]
    tail = (1 - confidence) / 2

    def ends(area: Array, variance: Array, tail: float) -> tuple[Array, Array]:
        surely = [sample.clustered or min(fewest, default=0) < FEW for fewest in pairs]
        return _logit_ends(area, variance, _quantiles(1 - tail, spread_of, surely))

    low, high = ends(figures, variance, tail)
    if not sample.clustered:
        steps = [_one_more(*one, summary) for one in zip(influences, variance, pairs, strict=True)]
        moved, added = (np.array(column) for column in zip(*steps, strict=True))
        near = ends(np.clip(figures + moved, 1e-9, 1 - 1e-9), variance + added, tail)
        far = ends(figures, variance, 2 * FAR * tail)
        low = np.where(moved < 0, np.fmin(low, near[0]), np.where(moved > 0, far[0], low))
        high = np.where(moved > 0, np.fmax(high, near[1]), np.where(moved < 0, far[1], high))
    if np.isinf(variance).any():
        return Interval(np.zeros_like(figures), np.ones_like(figures), "delong")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    for i in np.flatnonzero((figures <= 0) | (figures >= 1)):
        gap = float(np.mean([z**2 / (n + z**2) for n in pairs[i] if n]))
        low[i], high[i] = (1 - gap, 1.0) if figures[i] >= 1 else (0.0, gap)
    return Interval(low, high, "delong")


def _fewest(summary: Ranking, figure: int, figures: int) -> list[int]:
    """Rows of the smaller side of each ranking problem that has a say in a figure."""
    sizes = summary.sizes if figures < summary.count else summary.sizes[figure : figure + 1]
    return [min(size) for size in sizes]


def _quantiles(p: float, spread_of: list[tuple[float, float]], surely: list[bool]) -> Array:
    """Quantile of each figure: Student's t where that is wanted, else of the normal distribution.

    Without a spread there is nothing to multiply, nor a reason to import scipy for it.
    """
    z = NormalDist().inv_cdf(p)
    each = zip(spread_of, surely, strict=True)
    return np.array(
        [0.0 if not v else t_quantile(p, freedom) if t else z for (v, freedom), t in each]
    )


def _logit_ends(figures: Array, variance: Array, quantile: Array) -> tuple[Array, Array]:
    """figures -+ quantile standard errors on the logit scale."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        logit = np.log(figures / (1 - figures))
        half = quantile * np.sqrt(variance) / (figures * (1 - figures))
        return np.asarray(1 / (1 + np.exp(half - logit))), np.asarray(
            1 / (1 + np.exp(-half - logit))
        )


def _one_more(
    influence: Array, variance: float, pairs: list[int], summary: Ranking
) -> tuple[float, float]:
    """How far one more row would move a figure towards its farthest row, and what it would add to its variance."""
    if not 0 < variance < np.inf:
        return 0.0, 0.0
    far, alike = int(np.abs(influence).argmax()), len(influence)
    if summary.truth.ndim == 1:
        alike = int(np.count_nonzero(summary.truth == summary.truth[far]))
    side = float(np.sign(influence[far]))
    # Of few rows each bears much; there one farther than the farthest would say too much.
    much = influence[far] ** 2 >= max(LARGE, 10 / alike) * variance
    reach = abs(float(influence[far])) * (1 + 15 / alike) if much else 0.0
    fewest = min((n for n in pairs if n), default=alike)
    least = MARGIN / fewest / len(pairs)
    if least > reach and least**2 >= LARGE * variance:
        reach, alike = least, fewest
    return side * reach * alike / (alike + 1), reach**2


def influence_variance(influence: Array, summary: Ranking, clustered: bool) -> tuple[float, float]:
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
