"""SLERP: two checkpoints along the arc between them, tensor by tensor.

>>> import torch
>>> from assay.soups.soup import soup
>>> ends = [{"w": torch.tensor([1.0, 0.0])}, {"w": torch.tensor([0.0, 1.0])}]
>>> soup(ends, "slerp").state_dict()["w"]
tensor([0.7071, 0.7071])
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

from assay.errors import UnsupportedError
from assay.soups.base import Part, Recipe, Scan, Tensor, check_number

__all__ = ["Slerp"]

LEAST_SINE = 1e-6  # below it the arc is a straight line, or (of opposite tensors) no arc is nearest


class Products(NamedTuple):
    """Sums over the elements of one tensor: of squares, and of products of both checkpoints."""

    first: float
    second: float
    both: float


@dataclass(frozen=True)
class Slerp(Recipe):
    """Spherical linear interpolation of two checkpoints, each tensor flattened to one vector.

    sin((1 - t) a) / sin(a) w_1 + sin(t a) / sin(a) w_2, with a the angle between w_1 and w_2:
    unlike the mean it does not shorten them. Tensors that are parallel or opposite, as those of one
    element are, are interpolated linearly.

    Parameters:
        t: Share of the way from the first checkpoint to the second, in (0, 1]; default 0.5.

    Source: Shoemake (1985), Animating rotation with quaternion curves, SIGGRAPH 19:245-254.
    """

    name = "slerp"
    t: float = 0.5

    def check(self, count: int) -> None:
        """Raise UnsupportedError unless `count` is two and t a share."""
        if count != 2:
            raise UnsupportedError(
                f"slerp goes from one checkpoint to another; got {count} checkpoints. Give two, or "
                f"use how='uniform' for the mean of more."
            )
        check_number("slerp", "t", self.t, 0, 1)

    def weigh(self, count: int) -> list[float]:
        """The weights of linear interpolation; `count` is two."""
        return [1 - self.t, self.t]

    def survey(self, scan: Scan, seed: int) -> dict[str, Products]:
        """The lengths and the product of the two tensors of each name, in one `scan`.

        The `seed` is not used.
        """
        sums: dict[str, Products] = {}
        for part in scan():
            a, b = (tensor.double() for tensor in part.tensors)
            seen = sums.get(part.name, Products(0.0, 0.0, 0.0))
            sums[part.name] = Products(
                seen.first + float(a.dot(a)),
                seen.second + float(b.dot(b)),
                seen.both + float(a.dot(b)),
            )
        return sums

    def combine(self, part: Part, survey: Any) -> Tensor:
        """The point of the arc; `survey` has the products of each tensor of the `part`."""
        first, second = self._weigh_ends(survey[part.name])
        return part.tensors[0].double().mul(first).add_(part.tensors[1], alpha=second)

    def _weigh_ends(self, products: Products) -> tuple[float, float]:
        """What the two ends of an arc are multiplied by."""
        length = math.sqrt(products.first * products.second)
        cosine = products.both / length if length else 1.0
        angle = math.acos(max(-1.0, min(1.0, cosine)))
        if math.sin(angle) < LEAST_SINE:
            return 1 - self.t, self.t
        return (
            math.sin((1 - self.t) * angle) / math.sin(angle),
            math.sin(self.t * angle) / math.sin(angle),
        )
