"""studentised: the bootstrap-t of a ratio of sums over units (rows, or buckets of rows), as a mean of losses is one.

>>> losses = np.array([0.1, 0.2, 0.1, 0.3, 2.0, 0.1, 0.4, 0.2, 0.1, 0.5])
>>> low, high = ratio_ends(losses, np.ones(10), 0.95)
>>> round(low, 2), round(high, 2)
(0.16, 6.4)
"""

from functools import lru_cache

import numpy as np

from assay.resampling import REPLICATES
from assay.table.columns import Array

__all__ = ["ratio_ends"]

# How far beyond the farthest unit the next may lie, and the share of the error left to the end that no further unit
# guards: calibrated by bench/coverage.py.
REACH, FAR = 15.0, 0.7
# The error of a replicate is kept from falling below this share of the sample's.
LEAST = 0.1


def ratio_ends(
    above: Array,
    below: Array,
    confidence: float,
    seed: int = 0,
    bounds: tuple[float, float] = (-np.inf, np.inf),
    margin: float = 0.0,
) -> tuple[float, float]:
    """Ends of the interval of sum(above) / sum(below), both (units,), of which the units are a sample.

    The bootstrap-t: each replicate is judged by its own standard error, which Student's t takes to be the sample's.
    What no unit has shown no replicate shows; so on the side where a unit lies farthest the end is that of the sample
    with one more unit, farther by a share 1 + 15 / units, and at least `margin` from the near end of its range.  That
    end then hardly errs; the other is that of 0.7 of the error, so that both together err as often as they may.
    Needs two units or more, and below > 0.

    Source: Efron & Tibshirani (1993), An Introduction to the Bootstrap, section 12.5; the further unit after Hill
    (1968), JASA 63:677-691: the next of n alike lies beyond them all once in n + 1 times.
    """
    ratio, tail = above.sum() / below.sum(), (1 - confidence) / 2
    apart = above - ratio * below
    up = apart[np.abs(apart).argmax()] > 0
    tails = (2 * FAR * tail, tail) if up else (tail, 2 * FAR * tail)
    low, high = _ends(above, below, tails, seed)
    wider = _ends(*_one_more(above, below, bounds, margin), tails, seed)
    return (low, max(high, wider[1])) if up else (min(low, wider[0]), high)


def _one_more(above: Array, below: Array, bounds: tuple[float, float], margin: float) -> tuple[Array, Array]:
    """The units and one like the farthest of them, farther."""
    ratio = above.sum() / below.sum()
    apart = above - ratio * below
    far = int(np.abs(apart).argmax())
    size = below[far]
    value = ratio * size + apart[far] * (1 + REACH / len(above))
    first, last = bounds
    value = max(value, (first + margin) * size) if apart[far] > 0 else min(value, (last - margin) * size)
    value = min(max(value, first * size), last * size)
    if (above >= 0).all():  # as sums of squares are
        value = max(value, 0.0)
    return np.append(above, value), np.append(below, size)


def _ends(above: Array, below: Array, tails: tuple[float, float], seed: int) -> tuple[float, float]:
    """Ends by the bootstrap-t alone, that err so often below and above."""
    units, ratio = len(above), float(above.sum() / below.sum())
    apart = above - ratio * below
    times = _times(units, seed)
    total = times @ below
    shift = np.divide(times @ apart, total, out=np.zeros(len(total)), where=total > 0)
    squares = times @ apart**2 - 2 * shift * (times @ (apart * below)) + shift**2 * (times @ below**2)
    scale = np.sqrt(units / (units - 1))
    error = scale * np.sqrt((apart**2).sum()) / below.sum()
    errors = scale * np.sqrt(np.maximum(squares, 0)) / np.where(total > 0, total, np.inf)
    ends = np.quantile(shift / np.maximum(errors, LEAST * error), [1 - tails[0], tails[1]])
    return float(ratio - ends[0] * error), float(ratio - ends[1] * error)


@lru_cache(maxsize=8)
def _times(units: int, seed: int) -> Array:
    """How often each unit enters each replicate (REPLICATES, units); kept, for every figure on as many asks for it."""
    draw = np.random.default_rng(seed).multinomial(units, np.full(units, 1 / units), size=REPLICATES)
    return draw.astype(np.float64)  # products of floats take the fast way
