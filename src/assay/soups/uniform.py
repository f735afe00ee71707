"""Uniform: the plain mean of the checkpoints.

>>> Uniform().weigh(4)
[0.25, 0.25, 0.25, 0.25]
"""

from dataclasses import dataclass

from assay.soups.base import LinearRecipe

__all__ = ["Uniform"]


@dataclass(frozen=True)
class Uniform(LinearRecipe):
    """Equal weights: the uniform soup of models that were fine-tuned from one initialisation.

    Source: Wortsman et al. (2022), Model soups, ICML, arXiv 2203.05482.
    """

    name = "uniform"
    aliases = ("average", "mean", "linear", "uniform_soup")
