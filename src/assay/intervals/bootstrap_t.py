"""studentised: the bootstrap-t of a ratio of sums over units (rows, or buckets of rows), as a mean of losses is one.

>>> losses = np.array([0.1, 0.2, 0.1, 0.3, 2.0, 0.1, 0.4, 0.2, 0.1, 0.5])
>>> low, high = ratio_ends(losses, np.ones(10), 0.95)
>>> round(low, 2), round(high, 2)
(0.17, 6.4)
"""

from functools import lru_cache
from statistics import NormalDist

import numpy as np

from assay.intervals.resampling import REPLICATES
from assay.kernels import Array

__all__ = ["ratio_ends"]

# How far beyond the farthest unit the next may lie, and the most of the error that is left to the other end: calibrated
# by bench/coverage.py.
REACH, MOST = 15.0, 0.9
# The error of a replicate is kept from falling below this share of the sample's.
LEAST = 0.1


def ratio_ends(
    above: Array,
    below: Array,
    confidence: float,
    seed: int = 0,
    bounds: tuple[float, float] = (-np.inf, np.inf),
    margin: float = 0.0,
    even: bool = False,
) -> tuple[float, float]:
    """Ends of the interval of sum(above) / sum(below), both (units,), of which the units are a sample.

    The bootstrap-t: each replicate is judged by its own standard error, which Student's t takes to be the sample's.
    What no unit has shown no replicate shows; so on the side where a unit lies farthest the end is that of the sample
    with one more unit, farther by a share 1 + 15 / units, and at least `margin` from the near end of its range.  That
    end errs less often than its half of the error, by the normal distribution of so many standard errors; the other is
    left with the rest, 0.9 at most, or, where the error is to be `even`, with its half.
    Needs two units or more, and below > 0.

    Source: Efron & Tibshirani (1993), An Introduction to the Bootstrap, section 12.5; the further unit after Hill
    (1968), JASA 63:677-691: the next of n alike lies beyond them all once in n + 1 times.
    """
    error, ratio = 1 - confidence, float(above.sum() / below.sum())
    apart = above - ratio * below
    side = 1.0 if apart[np.abs(apart).argmax()] > 0 else -1.0
    own, spread = _deviations(above, below, side, seed)
    more = _one_more(above, below, bounds, margin)
    wider = _deviations(*more, side, seed)[0] + side * (more[0].sum() / more[1].sum() - ratio)
    near = max(np.quantile(own, 1 - error / 2), np.quantile(wider, 1 - error / 2))
    left = min(error - NormalDist().cdf(-float(near) / spread), MOST * error)
    far = np.quantile(own, error / 2 if even else left)
    ends = ratio + side * float(far), ratio + side * float(near)
    return min(ends), max(ends)


def _one_more(
    above: Array, below: Array, bounds: tuple[float, float], margin: float
) -> tuple[Array, Array]:
    """The units and one like the farthest of them, farther."""
    ratio = above.sum() / below.sum()
    apart = above - ratio * below
    far = int(np.abs(apart).argmax())
    size = below[far]
    value = ratio * size + apart[far] * (1 + REACH / len(above))
    least, most = (end * size if np.isfinite(end) else end for end in bounds)
    value = (
        max(value, least + margin * size) if apart[far] > 0 else min(value, most - margin * size)
    )
    value = min(max(value, least), most)
    if (above >= 0).all():  # as sums of squares are
        value = max(value, 0.0)
    return np.append(above, value), np.append(below, size)


def _deviations(above: Array, below: Array, side: float, seed: int) -> tuple[Array, float]:
    """By how much the truth may lie to that side of the ratio, by each replicate (REPLICATES,); its standard error."""
    units, ratio = len(above), float(above.sum() / below.sum())
    apart = above - ratio * below
    times = _times(units, seed)
    total = times @ below
    shift = np.divide(times @ apart, total, out=np.zeros(len(total)), where=total > 0)
    squares = (
        times @ apart**2 - 2 * shift * (times @ (apart * below)) + shift**2 * (times @ below**2)
    )
    scale = np.sqrt(units / (units - 1))
    error = scale * np.sqrt((apart**2).sum()) / below.sum()
    errors = scale * np.sqrt(np.maximum(squares, 0)) / np.where(total > 0, total, np.inf)
    return -side * error * shift / np.maximum(errors, LEAST * error), float(error)


@lru_cache(maxsize=8)
def _times(units: int, seed: int) -> Array:
    """How often each unit enters each replicate (REPLICATES, units); kept, for every figure on as many asks for it."""
    draw = np.random.default_rng(seed).multinomial(
        units, np.full(units, 1 / units), size=REPLICATES
    )
    return draw.astype(np.float64)  # products of floats take the fast way
