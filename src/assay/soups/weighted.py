"""Weighted: the mean of the checkpoints with weights that are given.

>>> Weighted.needs_weights
True
"""

from dataclasses import dataclass
from typing import ClassVar

from assay.soups.base import LinearRecipe

__all__ = ["Weighted"]


@dataclass(frozen=True)
class Weighted(LinearRecipe):
    """Weights that are given, as in `weights={"a": 0.7, "b": 0.3}`; they are divided by their sum.

    Source: Wortsman et al. (2022), Model soups, ICML, arXiv 2203.05482.
    """

    name = "weighted"
    aliases = ("weighted_average", "fixed")
    needs_weights: ClassVar[bool] = True
