"""Task arithmetic: the sum of what each checkpoint changed in the base.

>>> import torch
>>> from assay.soups.soup import soup
>>> tuned = [{"w": torch.tensor([2.0])}, {"w": torch.tensor([4.0])}]
>>> soup(tuned, "task_arithmetic(scale=0.5)", base={"w": torch.tensor([1.0])}).state_dict()["w"]
tensor([3.])
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from assay.soups.base import Part, Recipe, Tensor, check_number

__all__ = ["TaskArithmetic"]


@dataclass(frozen=True)
class TaskArithmetic(Recipe):
    """The base, plus the sum of the task vectors (checkpoint less base), times a scale.

    w_0 + scale sum_i (w_i - w_0). A scale of 1 / (number of checkpoints) gives the uniform soup.

    Parameters:
        scale: What the sum is multiplied by, in (0, 10]; default 0.4, that of the source where no
            validation data choose it.

    Source: Ilharco et al. (2023), Editing models with task arithmetic, ICLR, arXiv 2212.04089.
    """

    name = "task_arithmetic"
    needs_base: ClassVar[bool] = True
    scale: float = 0.4

    def check(self, count: int) -> None:
        """Raise UnsupportedError where `count` is below two, or the scale none."""
        super().check(count)
        check_number(self.name, "scale", self.scale, 0, 10)

    def combine(self, part: Part, survey: Any) -> Tensor:
        """The base of the `part` and the scaled sum of its changes; `survey` is not used."""
        total = part.base.clone()
        for delta in part.deltas:
            total.add_(delta, alpha=self.scale)
        return total
