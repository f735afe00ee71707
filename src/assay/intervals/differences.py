"""differences: differences and ratios of values of different rows, from the interval of each value.

>>> estimates = [Estimate(0.9, 0.85, 0.94), Estimate(0.8, 0.74, 0.85), Estimate(0.84, 0.8, 0.88)]
>>> [round(x, 3) for x in max_min_difference(estimates, 0.95)]
[0.1, 0.014, 0.188]
"""

from collections.abc import Sequence
from itertools import permutations
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

__all__ = [
    "Estimate",
    "max_min_difference",
    "mean_chance_gap",
    "min_max_ratio",
    "mover_difference",
    "mover_ratio",
]

DRAWS = 4000


class Estimate(NamedTuple):
    """A value and the ends of its interval."""

    value: float
    low: float
    high: float


UNKNOWN = Estimate(np.nan, np.nan, np.nan)


def mover_difference(a: Estimate, b: Estimate, scale: float = 1.0) -> Estimate:
    """`a` less `b`, of different rows, by the method of variance estimates recovery (MOVER).

    Each end lies `scale` times as far out as theirs say (default 1).
    Source: Zou & Donner (2008), Stat. Med. 27:1693-1702.

    >>> [round(x, 4) for x in mover_difference(Estimate(0.8, 0.7, 0.87), Estimate(0.5, 0.4, 0.6))]
    [0.3, 0.1586, 0.4221]
    """
    difference = a.value - b.value
    down = scale * float(np.hypot(a.value - a.low, b.high - b.value))
    up = scale * float(np.hypot(a.high - a.value, b.value - b.low))
    return Estimate(difference, difference - down, difference + up)


def mover_ratio(a: Estimate, b: Estimate, scale: float = 1.0) -> Estimate:
    """`a` over `b`, both at least 0 and of different rows: `mover_difference` of the logarithms.

    Each end lies `scale` times as far out, on the logarithm (default 1). Nan where `b` is 0.

    >>> [round(x, 4) for x in mover_ratio(Estimate(0.4, 0.3, 0.5), Estimate(0.8, 0.7, 0.9))]
    [0.5, 0.3664, 0.6485]
    """
    if not b.value > 0 or not a.value >= 0:
        return UNKNOWN
    if not a.value:
        return Estimate(0.0, 0.0, a.high / b.low if b.low > 0 else np.inf)
    log_ratio = mover_difference(_log(a), _log(b), scale)
    return Estimate(a.value / b.value, *np.exp(log_ratio[1:]).tolist())


def _log(estimate: Estimate) -> Estimate:
    with np.errstate(divide="ignore"):
        return Estimate(*np.log(np.maximum(estimate, 0.0)).tolist())


def _joint_scale(groups: int, confidence: float, families: int = 1) -> float:
    """How many times as far out the ends lie that are right for all pairs of groups at once.

    By Bonferroni's correction, over all `families` of such pairs.
    """
    normal = NormalDist()
    pairs = families * groups * (groups - 1) / 2
    tail = (1 - confidence) / 2
    return normal.inv_cdf(1 - tail / pairs) / normal.inv_cdf(1 - tail)


def max_min_difference(
    estimates: Sequence[Estimate],
    confidence: float,
    families: int = 1,
    most: float = float("inf"),
) -> Estimate:
    """Largest of the values less the smallest, with an interval of the true difference.

    Parameters:
        estimates: Values of different rows, two or more.
        confidence: Level of the interval and of theirs, in (0, 1).
        families: How many such differences are to hold together; default 1.
        most: Largest difference there can be; default: unbounded.

    Returns:
        The difference; its interval is nan where one of the values has none.
    """
    scale = _joint_scale(len(estimates), confidence, families)
    pairs = [mover_difference(a, b, scale) for a, b in permutations(estimates, 2)]
    values = [e.value for e in estimates]
    difference = max(values) - min(values)
    if any(np.isnan(pair.low) for pair in pairs):  # a group without an interval may lie anywhere
        return Estimate(difference, np.nan, np.nan)
    low = max(0.0, *(pair.low for pair in pairs))
    return Estimate(difference, low, min(most, max(pair.high for pair in pairs)))


def min_max_ratio(estimates: Sequence[Estimate], confidence: float, families: int = 1) -> Estimate:
    """Smallest of the values over the largest, with an interval of the true ratio.

    Parameters:
        estimates: Values of different rows, two or more.
        confidence: Level of the interval and of theirs, in (0, 1).
        families: How many such ratios are to hold together; default 1.

    Returns:
        The ratio; nan for values below 0. Its interval is nan where one of the values has none.
    """
    scale = _joint_scale(len(estimates), confidence, families)
    values = [e.value for e in estimates]
    if min(values) < 0 or max(values) <= 0:
        return UNKNOWN
    pairs = [mover_ratio(a, b, scale) for a, b in permutations(estimates, 2) if b.value > 0]
    ratio = min(values) / max(values)
    if any(np.isnan(pair.low) or np.isnan(pair.high) for pair in pairs):
        return Estimate(ratio, np.nan, np.nan)
    high = min(1.0, *(pair.high for pair in pairs))
    return Estimate(ratio, min(pair.low for pair in pairs), high)


def mean_chance_gap(estimates: Sequence[Estimate], confidence: float, seed: int) -> float:
    """Mean difference of the largest and the smallest value of groups that are in truth alike.

    By normal draws, from `seed`, with the standard errors of the `estimates`, whose intervals have
    the level `confidence`.
    """
    z = NormalDist().inv_cdf(1 - (1 - confidence) / 2)
    errors = np.array([(e.high - e.low) / (2 * z) for e in estimates])
    draws = np.random.default_rng(seed).normal(size=(DRAWS, len(errors))) * errors
    return float(np.ptp(draws, axis=1).mean())
