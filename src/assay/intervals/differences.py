"""gaps: differences and ratios of figures of different rows, from the interval of each figure.

>>> figures = [Estimate(0.9, 0.85, 0.94), Estimate(0.8, 0.74, 0.85), Estimate(0.84, 0.8, 0.88)]
>>> [round(x, 3) for x in max_min_difference(figures, 0.95)]
[0.1, 0.014, 0.188]
"""

from collections.abc import Sequence
from itertools import permutations
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

__all__ = ["Estimate", "mean_chance_gap", "mover_difference", "mover_ratio", "min_max_ratio", "max_min_difference"]

DRAWS = 4000


class Estimate(NamedTuple):
    """A figure and its interval."""

    value: float
    low: float
    high: float


def mover_difference(a: Estimate, b: Estimate, scale: float = 1.0) -> Estimate:
    """Difference of two independent figures from their intervals, each end `scale` times as far out.

    >>> [round(x, 4) for x in mover_difference(Estimate(0.8, 0.7, 0.87), Estimate(0.5, 0.4, 0.6))]
    [0.3, 0.1586, 0.4221]
    """
    gap = a.value - b.value
    down = scale * float(np.hypot(a.value - a.low, b.high - b.value))
    up = scale * float(np.hypot(a.high - a.value, b.value - b.low))
    return Estimate(gap, gap - down, gap + up)


def mover_ratio(a: Estimate, b: Estimate, scale: float = 1.0) -> Estimate:
    """Ratio of two independent figures of at least 0: `mover_difference` on the logarithm; nan where the divisor is 0.

    >>> [round(x, 4) for x in mover_ratio(Estimate(0.4, 0.3, 0.5), Estimate(0.8, 0.7, 0.9))]
    [0.5, 0.3664, 0.6485]
    """
    if not b.value > 0 or not a.value >= 0:
        return Estimate(np.nan, np.nan, np.nan)
    with np.errstate(divide="ignore"):
        logs = [Estimate(*np.log(np.maximum(x, 0.0)).tolist()) for x in (a, b)]
    if not a.value:
        return Estimate(0.0, 0.0, a.high / b.low if b.low > 0 else np.inf)
    found = mover_difference(logs[0], logs[1], scale)
    return Estimate(a.value / b.value, *np.exp(found[1:]).tolist())


def _scale(groups: int, confidence: float, families: int = 1) -> float:
    """How much further out the ends of one interval lie, for those of all pairs of groups to be right together."""
    normal, pairs = NormalDist(), families * groups * (groups - 1) / 2
    return normal.inv_cdf(1 - (1 - confidence) / 2 / pairs) / normal.inv_cdf(
        1 - (1 - confidence) / 2
    )


def max_min_difference(
    figures: Sequence[Estimate], confidence: float, families: int = 1, most: float = float("inf")
) -> Estimate:
    """Largest figure less the smallest, and the interval of the true gap, which is at most `most`."""
    scale = _scale(len(figures), confidence, families)
    pairs = [mover_difference(a, b, scale) for a, b in permutations(figures, 2)]
    values = [f.value for f in figures]
    known = [p for p in pairs if not np.isnan(p.low)]
    gap = max(values) - min(values)
    if len(known) < len(pairs):  # a group without an interval may lie anywhere
        return Estimate(gap, np.nan, np.nan)
    return Estimate(gap, max(0.0, *(p.low for p in known)), min(most, max(p.high for p in known)))


def min_max_ratio(figures: Sequence[Estimate], confidence: float, families: int = 1) -> Estimate:
    """Smallest figure over the largest, and the interval of the true ratio; nan for figures below 0."""
    scale = _scale(len(figures), confidence, families)
    values = [f.value for f in figures]
    if min(values) < 0 or max(values) <= 0:
        return Estimate(np.nan, np.nan, np.nan)
    pairs = [mover_ratio(a, b, scale) for a, b in permutations(figures, 2) if b.value > 0]
    ratio = min(values) / max(values)
    if any(np.isnan(p.low) or np.isnan(p.high) for p in pairs):
        return Estimate(ratio, np.nan, np.nan)
    return Estimate(ratio, min(p.low for p in pairs), min(1.0, *(p.high for p in pairs)))


def mean_chance_gap(figures: Sequence[Estimate], confidence: float, seed: int) -> float:
    """Mean gap of groups that are alike, by normal draws of their standard errors."""
    z = NormalDist().inv_cdf(1 - (1 - confidence) / 2)
    errors = np.array([(f.high - f.low) / (2 * z) for f in figures])
    draws = np.random.default_rng(seed).normal(size=(DRAWS, len(errors))) * errors
    return float(np.ptp(draws, axis=1).mean())
