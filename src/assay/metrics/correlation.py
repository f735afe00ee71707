"""Metrics of how truth and prediction move together.

>>> Pearson()([1.0, 2.0, 3.0], [2.0, 4.0, 6.0])
1
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from assay.kernels import Array, find_rest, sum_by
from assay.metrics.base import REGRESSION, Metric, explain_no_spread, ratio
from assay.states.base import State, leave_out_empty
from assay.table.rows import Rows
from assay.table.schema import Schema

__all__ = ["CoMoments", "ConcordanceCorrelation", "PairMoments", "Pearson"]

ROUNDING = 8 * np.finfo(np.float64).eps
# Share of the means below which a spread is too small for the gap between them to be read.
FAR = 1e-12
# Columns whose spreads are so far from 1 that squares vanish or overflow are divided by a STEP.
STEP = 2.0**600
FARTHEST = 2.0**300


class PairMoments(NamedTuple):
    """Moments of truth y and prediction f in each stratum."""

    mean: Array  # weighted means of y and f (strata, 2)
    m2: Array  # centred second moments yy, ff and yf (strata, 3) of y and f divided by `scale`
    scale: Array  # powers of two that keep the squares of y and f from 0 and inf (strata, 2)
    rows: Array  # (strata,)
    weight: Array  # (strata,)
    squares: Array  # of the weights (strata,)
    rest: Array  # what rounding leaves out of the means (strata, 2)


@dataclass(frozen=True)
class CoMoments(State[PairMoments]):
    """Means, spreads and co-moment of truth and prediction, merged by Chan's formula (1983)."""

    def empty(self, schema: Schema, strata: int = 1) -> PairMoments:
        zero = np.zeros(strata)
        pair = np.zeros((strata, 2))
        count = np.zeros(strata, np.int64)
        return PairMoments(pair, np.zeros((strata, 3)), choose_scale(pair), count, zero, zero, pair)

    def observe(self, rows: Rows, stratum: Array | None = None, strata: int = 1) -> PairMoments:
        both = np.stack([np.asarray(x, np.float64) for x in (rows.truth, rows.value)], axis=1)
        w = np.ones(len(both)) if rows.weight is None else rows.weight
        total = sum_by(stratum, strata, w)
        mean = np.nan_to_num(ratio(sum_by(stratum, strata, both * w[:, None]), total[:, None]))
        residual = both - (mean if stratum is None else mean[stratum])
        left = sum_by(stratum, strata, residual * w[:, None])

        def sum_products(residual: Array) -> Array:
            return sum_by(stratum, strata, products(residual) * w[:, None])

        with np.errstate(over="ignore"):
            m2 = sum_products(residual)
        scale = choose_scale(
            np.sqrt(np.nan_to_num(ratio(m2[:, :2], total[:, None]), posinf=np.inf))
        )
        if (scale != 1).any():
            m2 = sum_products(residual / (scale if stratum is None else scale[stratum]))
        # The residual sum corrects the rounding of the mean (Higham, 2002, section 1.9).
        m2 = m2 - np.nan_to_num(ratio(products(left / scale), total[:, None]))
        count = np.array([len(both)]) if stratum is None else np.bincount(stratum, minlength=strata)
        apart = np.nan_to_num(ratio(left, total[:, None]))
        rest = find_rest(mean, apart, mean + apart)
        squares = sum_by(stratum, strata, w**2)
        return PairMoments(mean + apart, clip_spreads(m2), scale, count, total, squares, rest)

    def load(self, arrays: Mapping[str, Array], schema: Schema) -> PairMoments:
        # Version 2 of the format has no rest.
        return super().load({"rest": np.zeros_like(arrays["mean"]), **arrays}, schema)

    def merge(self, a: PairMoments, b: PairMoments) -> PairMoments:
        weight = a.weight + b.weight
        share = np.nan_to_num(ratio(b.weight, weight))[:, None]
        delta = b.mean - a.mean + (b.rest - a.rest)
        apart = a.weight[:, None] * share
        between = np.where(apart > 0, delta, 0.0)
        scale = np.maximum(np.maximum(a.scale, b.scale), choose_scale(np.abs(between)))
        m2 = rescale(a, scale) + rescale(b, scale) + products(between / scale) * apart
        # An empty stratum has no mean to start from.
        filled = a.weight[:, None] > 0
        start = np.where(filled, a.mean, b.mean)
        apart = np.where(filled, a.rest + delta * share, b.rest)
        mean = start + apart
        rest = find_rest(start, apart, mean)
        return PairMoments(mean, m2, scale, a.rows + b.rows, weight, a.squares + b.squares, rest)

    def select(self, value: PairMoments, strata: slice) -> PairMoments:
        return PairMoments(*(array[strata] for array in value))

    def resample(self, value: PairMoments, counts: Array) -> PairMoments:
        value, counts = leave_out_empty(value, counts)
        times = counts.astype(np.float64)
        weight = times @ value.weight
        each = value.weight[:, None]
        centre = np.nan_to_num(ratio(value.weight @ value.mean, value.weight.sum()))
        shifted = np.where(each > 0, value.mean - centre + value.rest, 0.0)
        scale = np.maximum(value.scale, choose_scale(np.abs(shifted))).max(axis=0)
        apart = np.nan_to_num(ratio(times @ (each * shifted), weight[:, None]))
        spread = rescale(value, scale) + each * products(shifted / scale)
        m2 = times @ spread - weight[:, None] * products(apart / scale)
        filled = weight[:, None] > 0
        mean = np.where(filled, apart + centre, 0.0)
        rest = np.where(filled, find_rest(centre, apart, mean), 0.0)
        scale = np.broadcast_to(scale, mean.shape)
        squares = times @ value.squares
        rows = counts @ value.rows
        return PairMoments(mean, clip_spreads(m2), scale, rows, weight, squares, rest)

    def summary(self, value: PairMoments, schema: Schema) -> PairMoments:
        return value


def drop_rounding(summary: PairMoments) -> Array:
    """The moments of a `summary` (..., 3), a spread no larger than the rounding of its mean 0."""
    with np.errstate(over="ignore"):
        rounding = summary.weight[..., None] * (ROUNDING * summary.mean / summary.scale) ** 2
    spread = np.where(summary.m2[..., :2] > rounding, summary.m2[..., :2], 0.0)
    return np.concatenate([spread, summary.m2[..., 2:]], axis=-1)


def explain_undefined(summary: PairMoments) -> str:
    """Why the correlation of a `summary` is undefined.

    Spreads 0, too large, or lost to rounding.
    """
    return explain_no_spread(summary.m2[0, :2], "zero_variance")


class Pearson(Metric):
    """Linear correlation of truth and prediction.

    In [-1, 1], 1 is perfect up to scale and offset, higher is better.
    sum (y - mean y)(f - mean f) / sqrt(sum (y - mean y)^2 sum (f - mean f)^2). Blind to predictions
    that are all too high, or all too large: concordance_correlation is not.
    Undefined (zero_variance) where truth or prediction is constant. Same value as numpy.corrcoef.
    Source: Pearson (1895), Proc. R. Soc. Lond. 58:240-242.

    >>> Pearson()([1.0, 2.0, 3.0], [1.0, 3.0, 2.0])
    0.5
    """

    name = "pearson"
    reads = "value"
    tasks = REGRESSION
    bounds = (-1.0, 1.0)
    needs = CoMoments()
    undefined = "zero_variance"
    oracle = "pearson(y, value)"

    def compute(self, summary: PairMoments) -> Array:
        return correlation(drop_rounding(summary))

    def find_reason(self, summary: PairMoments) -> str:
        return explain_undefined(summary)

    def split_ratio(self, value: PairMoments, summary: PairMoments) -> tuple[Array, Array]:
        """Squares of y - f and of both in each stratum of `value` (strata,), of unit spreads.

        About the means and spreads of the `summary`: where spreads are 1 the correlation is 1 less
        half of the mean square of y - f.
        """
        spreads = np.sqrt(summary.m2[:, :2])
        yy, ff, yf = centre_on(value, summary).T
        yy, ff, yf = (
            ratio(yy, spreads[:, 0] ** 2),
            ratio(ff, spreads[:, 1] ** 2),
            ratio(ratio(yf, spreads[:, 0]), spreads[:, 1]),
        )
        return np.maximum(yy + ff - 2 * yf, 0.0), yy + ff


class ConcordanceCorrelation(Metric):
    """Correlation that also counts offset and scale against the model.

    In [-1, 1], 1 is perfect, higher is better.
    2 cov(y, f) / (var y + var f + (mean y - mean f)^2), with the moments of the rows (divided by
    n): how far the points lie from the line y = f. Never above pearson in size.
    Undefined (zero_variance) where truth and prediction are constant and the same.
    Same value as the formula over numpy.cov (torchmetrics' concordance_corrcoef, which divides by n
    - 1, is near).
    Source: Lin (1989), Biometrics 45:255-268.

    >>> ConcordanceCorrelation()([1.0, 2.0, 3.0], [2.0, 3.0, 4.0])
    0.5714
    """

    name = "concordance_correlation"
    reads = "value"
    tasks = REGRESSION
    bounds = (-1.0, 1.0)
    needs = CoMoments()
    undefined = "zero_variance"
    oracle = "concordance(y, value)"

    def compute(self, summary: PairMoments) -> Array:
        gap = find_gap(summary)
        scale = np.maximum(summary.scale.max(axis=-1), choose_scale(np.abs(gap)))
        m2 = rescale(summary._replace(m2=drop_rounding(summary)), scale[..., None])
        yy, ff, yf = np.moveaxis(m2, -1, 0)
        value = ratio(2 * yf, yy + ff + summary.weight * (gap / scale) ** 2)
        # So far from 0 the means are known to fewer digits than their gap needs.
        unsure = summary.weight * (FAR * np.abs(summary.mean).max(axis=-1) / scale) ** 2
        spread = rescale(summary, scale[..., None])[..., :2].sum(axis=-1)
        return np.where((unsure > spread) & (spread > 0), np.nan, value)

    def find_reason(self, summary: PairMoments) -> str:
        return explain_undefined(summary)

    def split_ratio(self, value: PairMoments, summary: PairMoments) -> tuple[Array, Array]:
        """Squares of y - f and of both, with the gap of the means, in each stratum of `value`.

        About the means of the `summary`, each (strata,).
        """
        scale = summary.scale.max(axis=-1, keepdims=True)
        whole = summary._replace(scale=np.broadcast_to(scale, summary.scale.shape))
        yy, ff, yf = centre_on(value, whole).T
        gap = find_gap(whole._replace(mean=summary.mean / scale, rest=summary.rest / scale))[0]
        # The gap of each stratum, as far as it changes the square of that of all rows.
        moved = value.mean - summary.mean + (value.rest - summary.rest)
        drift = np.subtract(*(moved / scale).T)
        apart = value.weight * gap * (2 * drift + gap)
        return np.maximum(yy + ff - 2 * yf + apart, 0.0), yy + ff + apart


def find_gap(summary: PairMoments) -> Array:
    """How far the mean of the truth lies above that of the prediction (...,)."""
    rest = summary.rest[..., 0] - summary.rest[..., 1]
    return np.asarray(summary.mean[..., 0] - summary.mean[..., 1] + rest)


def centre_on(value: PairMoments, summary: PairMoments) -> Array:
    """The second moments (strata, 3) of `value` about the means of the `summary`, in its scale."""
    apart = (value.mean - summary.mean + (value.rest - summary.rest)) / summary.scale
    return np.asarray(rescale(value, summary.scale) + value.weight[:, None] * products(apart))


def products(pairs: Array) -> Array:
    """The squares and the product (n, 3) of `pairs` (n, 2).

    >>> products(np.array([[2.0, 3.0]])).tolist()
    [[4.0, 9.0, 6.0]]
    """
    return pairs[..., [0, 1, 0]] * pairs[..., [0, 1, 1]]


def choose_scale(sizes: Array) -> Array:
    """The power of two by which numbers of these `sizes` (...,) are divided before squaring.

    1 where their squares are neither too small nor too large for a double.

    >>> choose_scale(np.array([0.5, 1e-164])).tolist() == [1.0, 2.0**-600]
    True
    """
    small = np.where(sizes < 1 / FARTHEST, 1 / STEP, 1.0)
    return np.asarray(np.where(sizes > FARTHEST, STEP, small))


def rescale(moments: PairMoments, scale: Array) -> Array:
    """The second moments (..., 3) of `moments` with y and f divided by `scale` (..., 2)."""
    share = moments.scale / scale
    return np.asarray(moments.m2 * share[..., [0, 1, 0]] * share[..., [0, 1, 1]])


def correlation(m2: Array) -> Array:
    """Correlation (...,) from second moments `m2` = yy, ff, yf (..., 3).

    Nan where one of the two does not vary.

    >>> correlation(np.array([4.0, 1.0, 1.0])).tolist()
    0.5
    """
    yy, ff, yf = np.moveaxis(m2, -1, 0)
    # Two roots: the product of the two spreads may overflow, or vanish.
    return ratio(ratio(yf, np.sqrt(yy)), np.sqrt(ff))


def clip_spreads(m2: Array) -> Array:
    """Second moments `m2` (..., 3) whose squares are not below 0 for a rounding error."""
    return np.concatenate([np.maximum(m2[:, :2], 0), m2[:, 2:]], axis=1)
