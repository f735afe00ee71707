"""DARE: most changes are dropped at random, the rest enlarged.

>>> import torch
>>> from assay.soups.soup import soup
>>> tuned = [{"w": torch.ones(4)}, {"w": torch.ones(4)}]
>>> fused = soup(tuned, "dare(drop=0.5, scale=0.5)", base={"w": torch.zeros(4)}, seed=3)
>>> sorted(set(fused.state_dict()["w"].tolist())) in ([0.0, 1.0, 2.0], [0.0, 1.0], [1.0, 2.0])
True
"""

import zlib
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from assay.core.arguments import check_share
from assay.soups.base import Part, Recipe, Scan, Tensor, check_number, get_torch

__all__ = ["Dare"]


@dataclass(frozen=True)
class Dare(Recipe):
    """Drop and rescale: each change is dropped with a probability, those kept divided by the rest.

    w_0 + scale sum_i m_i (w_i - w_0) / (1 - drop), where m_i is 1 with probability 1 - drop: the
    changes keep their expectation and seldom collide. The same seed drops the same.

    Parameters:
        drop: Probability with which a change is dropped, in (0, 1); default 0.9.
        scale: What the sum is multiplied by, in (0, 10]; default 0.4, as in task arithmetic.

    Source: Yu et al. (2024), Language models are super mario, ICML, arXiv 2311.03099.
    """

    name = "dare"
    aliases = ("dare_linear",)
    needs_base: ClassVar[bool] = True
    drop: float = 0.9
    scale: float = 0.4

    def check(self, count: int) -> None:
        """Raise UnsupportedError where `count` is below two, or a parameter out of range."""
        super().check(count)
        check_share("dare: drop", self.drop)
        check_number(self.name, "scale", self.scale, 0, 10)

    def survey(self, scan: Scan, seed: int) -> int:
        """The `seed`; `scan` is not used, nothing is read."""
        return seed

    def combine(self, part: Part, survey: Any) -> Tensor:
        """The base of the `part` and what is kept of its changes; `survey` is the seed."""
        factor = self.scale / (1 - self.drop)
        total = part.base.clone()
        for i, delta in enumerate(part.deltas):
            draws = draw_uniform(survey, part.name, i, part.start, len(delta))
            total.add_(delta.mul_(get_torch().from_numpy(draws >= self.drop)), alpha=factor)
        return total


def draw_uniform(seed: int, name: str, checkpoint: int, start: int, count: int) -> Any:
    """`count` numbers in [0, 1), the same whether a tensor is read at once or in parts.

    Parameters:
        seed: Seed of the recipe.
        name: Name of the tensor.
        checkpoint: Position of the checkpoint.
        start: Position of the first element in the flattened tensor.
        count: How many elements there are.
    """
    bits = np.random.PCG64([seed, zlib.crc32(name.encode()), checkpoint])
    return np.random.Generator(bits.advance(start)).random(count)
