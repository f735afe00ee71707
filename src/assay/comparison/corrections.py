"""Corrections of p-values for looking at many of them.

>>> CORRECTIONS["holm"]([0.01, 0.04, 0.03])
[0.03, 0.06, 0.06]
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

__all__ = ["CORRECTIONS", "NAMES", "Correction", "adjust_level", "benjamini_hochberg", "holm"]

Correction: TypeAlias = Callable[[Sequence[float]], list[float]]


def holm(p: Sequence[float]) -> list[float]:
    """p-values `p` corrected so that any of the verdicts is false in at most alpha of tables.

    Source: Holm (1979), Scand. J. Statistics 6:65-70.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p)
    factors = np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(np.asarray(p)[order] * factors), 1)
    return [float(v) for v in adjusted]


def benjamini_hochberg(p: Sequence[float]) -> list[float]:
    """p-values `p` corrected so that at most a share alpha of the verdicts is false.

    Source: Benjamini & Hochberg (1995), JRSS B 57:289-300.

    >>> benjamini_hochberg([0.01, 0.04, 0.03])
    [0.03, 0.04, 0.04]
    """
    order = np.argsort(p)[::-1]
    factors = len(p) / np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.minimum.accumulate(np.asarray(p)[order] * factors), 1)
    return [float(v) for v in adjusted]


def adjust_level(correction: str, adjusted: Sequence[float], alpha: float) -> float:
    """The alpha of one interval, for intervals that agree with verdicts on corrected p-values.

    Where the `correction` is "holm", that of its last step, alpha / (number of hypotheses not
    rejected); where it is "benjamini_hochberg", alpha * rejected / all, so that at most a share
    alpha of the intervals of rejected hypotheses is expected to miss. An interval leaves out 0
    where p < the level, which is where the `adjusted` p-value is below `alpha`.

    Source: Benjamini & Yekutieli (2005), JASA 100:71-81.

    >>> adjust_level("holm", [0.03, 0.3, 0.3], 0.05), adjust_level("holm", [0.2], 0.05)
    (0.025, 0.05)
    """
    rejected = sum(p < alpha for p in adjusted)
    if correction == "holm":
        return alpha / max(len(adjusted) - rejected, 1)
    return alpha * max(rejected, 1) / max(len(adjusted), 1)


CORRECTIONS: Mapping[str, Correction] = {"holm": holm, "benjamini_hochberg": benjamini_hochberg}
NAMES: Mapping[str, str] = {"holm": "Holm", "benjamini_hochberg": "Benjamini-Hochberg"}
