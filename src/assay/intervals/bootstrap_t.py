"""bootstrap_t: the bootstrap-t interval of a ratio of sums over units, as a mean of losses is one.

A unit is a row, or a bucket of rows.

>>> losses = np.array([0.1, 0.2, 0.1, 0.3, 2.0, 0.1, 0.4, 0.2, 0.1, 0.5])
>>> low, high = bootstrap_ratio(losses, np.ones(10), 0.95)
>>> round(low, 2), round(high, 2)
(0.16, 6.4)
"""

from functools import lru_cache
from statistics import NormalDist

import numpy as np

from assay.intervals.resampling import REPLICATES
from assay.kernels import Array

__all__ = ["bootstrap_ratio"]

# The guarded end allows for one more unit, farther out than the farthest by the share
# REACH / units. The numbers of this module but the next are calibrated by bench/coverage.py.
REACH = 15.0
# Where nothing bounds the units, how many times as far out the next one beyond them all lies on
# average, if their tail is the heaviest without a variance: Pareto's of index 2.
HEAVY = 2.0
# Most of the error that the end without a guard may use, as a share of 1 - confidence.
LARGEST_SHARE = 0.9
# The same where nothing bounds the units, so that the guarded end errs as well.
SHARE_OF_HEAVY = 0.7
# The standard error of a replicate counts as at least this share of the sample's.
LEAST_ERROR = 0.1


def bootstrap_ratio(
    numerator: Array,
    denominator: Array,
    confidence: float,
    seed: int = 0,
    bounds: tuple[float, float] = (-np.inf, np.inf),
    margin: float = 0.0,
    even: bool = False,
) -> tuple[float, float]:
    """Interval of sum(numerator) / sum(denominator) over the units of a sample, by the bootstrap-t.

    Each replicate is judged by its own standard error, which Student's t takes to be the sample's.
    No replicate shows what no unit has shown. So on the side where a unit lies farthest, the end
    is that of the sample with one more unit: 1 + 15 / units times as far, and at least `margin`
    from the near end of its range. With neither a margin nor a range it is at least twice as far,
    for so the next of heavy tails lies; 2 + 15 / units times where both ends are `even`. That end
    errs less often than half of the time that is allowed, by the normal distribution of so many
    standard errors; the other end uses what is left, at most 0.9 of it, or 0.7 with neither a
    margin nor a range.

    Parameters:
        numerator: What each unit adds to the upper sum (units,); two units or more.
        denominator: What each unit adds to the lower sum (units,); the sum is above 0.
        confidence: Level of the interval, in (0, 1).
        seed: Seed of the replicates; default 0.
        bounds: Range of the value of a unit; default: unbounded.
        margin: Least distance of the further unit from the near bound; default 0.
        even: Whether both ends use half of the error; default False.

    Returns:
        The lower and the upper end.

    Source: Efron & Tibshirani (1993), An Introduction to the Bootstrap, section 12.5; the further
    unit after Hill (1968), JASA 63:677-691: the next of n alike lies beyond them all once in n + 1
    times.
    """
    error = 1 - confidence
    ratio = float(numerator.sum() / denominator.sum())
    residual = numerator - ratio * denominator
    side = 1.0 if residual[np.abs(residual).argmax()] > 0 else -1.0
    deviations, standard_error = _bootstrap_deviations(numerator, denominator, side, seed)
    farther = 1 + REACH / len(numerator)
    largest = LARGEST_SHARE
    if not np.isfinite(bounds).all() and not margin:
        largest = SHARE_OF_HEAVY
        farther = farther + HEAVY - 1 if even else max(farther, HEAVY)
    more = _add_far_unit(numerator, denominator, bounds, margin, farther)
    shift = side * (more[0].sum() / more[1].sum() - ratio)
    guarded = _bootstrap_deviations(*more, side, seed)[0] + shift
    near = max(np.quantile(deviations, 1 - error / 2), np.quantile(guarded, 1 - error / 2))
    # Near a confidence of 1 the guarded end, which no draw lies beyond, may use all that there is.
    unused = max(error - NormalDist().cdf(-float(near) / standard_error), 0.0)
    far = np.quantile(deviations, error / 2 if even else min(unused, largest * error))
    ends = ratio + side * float(far), ratio + side * float(near)
    return min(ends), max(ends)


def _add_far_unit(
    numerator: Array,
    denominator: Array,
    bounds: tuple[float, float],
    margin: float,
    farther: float,
) -> tuple[Array, Array]:
    """The units and one more, like the farthest of them but so many times `farther` out."""
    ratio = numerator.sum() / denominator.sum()
    residual = numerator - ratio * denominator
    far = int(np.abs(residual).argmax())
    size = denominator[far]
    value = ratio * size + residual[far] * farther
    low, high = bounds
    least = low * size if np.isfinite(low) else low
    most = high * size if np.isfinite(high) else high
    if residual[far] > 0:
        value = max(value, least + margin * size)
    else:
        value = min(value, most - margin * size)
    value = min(max(value, least), most)
    if (numerator >= 0).all():  # as sums of squares are
        value = max(value, 0.0)
    return np.append(numerator, value), np.append(denominator, size)


def _bootstrap_deviations(
    numerator: Array, denominator: Array, side: float, seed: int
) -> tuple[Array, float]:
    """How far the truth may lie to `side` of the ratio, by each replicate; the standard error."""
    units = len(numerator)
    ratio = float(numerator.sum() / denominator.sum())
    residual = numerator - ratio * denominator
    counts = _draw_counts(units, seed)
    total = counts @ denominator
    shift = np.divide(counts @ residual, total, out=np.zeros(len(total)), where=total > 0)
    squares = (
        counts @ residual**2
        - 2 * shift * (counts @ (residual * denominator))
        + shift**2 * (counts @ denominator**2)
    )
    scale = np.sqrt(units / (units - 1))
    error = scale * np.sqrt((residual**2).sum()) / denominator.sum()
    errors = scale * np.sqrt(np.maximum(squares, 0)) / np.where(total > 0, total, np.inf)
    return -side * error * shift / np.maximum(errors, LEAST_ERROR * error), float(error)


@lru_cache(maxsize=8)
def _draw_counts(units: int, seed: int) -> Array:
    """How often each unit enters each replicate (REPLICATES, units).

    Cached: every value that rests on as many units asks for the same draws.
    """
    draw = np.random.default_rng(seed).multinomial(
        units, np.full(units, 1 / units), size=REPLICATES
    )
    return draw.astype(np.float64)  # products of floats take the fast way
