"""Base of every recipe of a soup, and the registry of all.

>>> SOUPS.parse("ties(density=0.3)")
Ties(density=0.3, scale=1.0)
"""

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from assay.core.registry import Member, Registry
from assay.errors import MissingDependencyError, UnsupportedError
from assay.kernels import mix

__all__ = ["SOUPS", "LinearRecipe", "Part", "Recipe", "Scan", "Tensor", "check_number", "get_torch"]

SOUPS: "Registry[Recipe]" = Registry("soups")

# Elements that are fused at a time: few enough that PyTorch starts no threads, which would wait for
# one another longer than the work takes.
PIECE = 1 << 14

Tensor = Any  # a torch.Tensor: PyTorch is not imported to name a type


class Part(NamedTuple):
    """Some elements of one tensor, of every checkpoint.

    Parameters:
        name: Name of the tensor.
        start: Position of the first of the elements in the flattened tensor.
        tensors: The elements (n,) of each checkpoint, in its own type; not to be written to.
        base: Those of the base, in double precision; None where there is none.
    """

    name: str
    start: int
    tensors: Sequence[Tensor]
    base: Tensor

    def split(self) -> Iterator["Part"]:
        """The same elements in pieces that stay in the cache of a core, one after the other."""
        for at in range(0, len(self.tensors[0]), PIECE):
            piece = slice(at, at + PIECE)
            base = None if self.base is None else self.base[piece]
            yield Part(self.name, self.start + at, [t[piece] for t in self.tensors], base)

    @property
    def deltas(self) -> list[Tensor]:
        """What each checkpoint changed in the base, in double precision: its task vector (n,)."""
        return [tensor - self.base for tensor in self.tensors]


Scan = Callable[[], Iterator[Part]]  # one pass over all that is fused


@dataclass(frozen=True)
class Recipe(Member):
    """Base of every recipe: how the tensors of several checkpoints become one.

    A subclass is a frozen dataclass that writes `combine`, and `survey` where it must know more of
    the tensors than the part at hand.

    Class attributes:
        linear: True where the soup is a weighted mean, the weights those of `weigh`.
        needs_base: True where the checkpoint is needed from which all were fine-tuned.
        needs_score: True where a score chooses the weights: see `choose`.
        needs_weights: True where the weights are given.
    """

    registry: ClassVar[Registry[Any]] = SOUPS
    linear: ClassVar[bool] = False
    needs_base: ClassVar[bool] = False
    needs_score: ClassVar[bool] = False
    needs_weights: ClassVar[bool] = False

    def check(self, count: int) -> None:
        """Raise UnsupportedError where `count` checkpoints cannot be fused so."""
        if count < 2:
            raise UnsupportedError(
                f"a soup needs at least 2 checkpoints; got {count}. Name more files, or a folder "
                f"that holds several."
            )

    def weigh(self, count: int) -> list[float]:
        """Weights of `count` checkpoints, summing to 1: by default all alike.

        Where the recipe is not linear they are those of the running statistics of batch norm.
        """
        return [1 / count] * count

    def choose(
        self, scores: Sequence[float], score_of: Callable[[Sequence[float]], float]
    ) -> list[float]:
        """Weights that a score chooses, for a recipe that needs one.

        Parameters:
            scores: Score of each checkpoint; higher is better.
            score_of: The score of the weighted mean with the weights that it is given.
        """
        return self.weigh(len(scores))

    def survey(self, scan: Scan, seed: int) -> Any:
        """What `combine` needs besides the part at hand; default: nothing, and nothing is read.

        Parameters:
            scan: Reads all that is fused, part by part; each call is one more pass over the files.
            seed: Seed of what is random.
        """
        return None

    @abstractmethod
    def combine(self, part: Part, survey: Any) -> Tensor:
        """The elements (n,) of the soup, in double precision.

        Parameters:
            part: The elements of each checkpoint.
            survey: What `survey` gave.
        """

    def write(self, part: Part, survey: Any, elements: Tensor) -> bool:
        """Put what `combine` gives into `elements`; whether all of it is finite there.

        Parameters:
            part: The elements of each checkpoint.
            survey: What `survey` gave.
            elements: Room for them (n,), in the type of the tensor.
        """
        finite = True
        for piece in part.split():
            at = piece.start - part.start
            fused = self.combine(piece, survey).to(elements.dtype)
            elements[at : at + len(fused)] = fused
            finite = finite and math.isfinite(float(fused.sum()))  # the usual case in one pass
        return finite


@dataclass(frozen=True)
class LinearRecipe(Recipe):
    """Base of recipes whose soup is a weighted mean of the checkpoints."""

    linear: ClassVar[bool] = True

    def combine(self, part: Part, survey: Any) -> Tensor:
        """The weighted mean of the `part`; `survey` are the weights."""
        first, *others = zip(part.tensors, survey, strict=True)
        total = first[0].double().mul(first[1])
        for tensor, weight in others:
            total.add_(tensor, alpha=weight)
        return total

    def write(self, part: Part, survey: Any, elements: Tensor) -> bool:
        """Put the weighted mean of the `part` into `elements`, in one pass; whether it is finite.

        `survey` are the weights. Types that NumPy has not, but for bfloat16, are left to `combine`.
        """
        out = _view_as_array(elements)
        if out is None:
            return super().write(part, survey, elements)
        return mix([_view_as_array(tensor) for tensor in part.tensors], np.array(survey), out)


def _view_as_array(tensor: Tensor) -> Any:
    """The memory of a `tensor` as NumPy, of bfloat16 its bits; None where it is of another type."""
    torch = get_torch()
    if tensor.dtype in (torch.float32, torch.float64, torch.float16):
        return tensor.numpy()
    if tensor.dtype is not torch.bfloat16:
        return None
    return tensor.view(torch.int16).numpy().view(np.uint16)


def check_number(recipe: str, name: str, value: float, low: float, high: float) -> None:
    """Raise UnsupportedError unless a parameter is above `low` and at most `high`.

    Parameters:
        recipe: Name of the recipe.
        name: Name of the parameter.
        value: Its value.
        low: What it must exceed.
        high: The most it may be.
    """
    if not low < value <= high:
        raise UnsupportedError(
            f"{recipe}: {name} must be above {low:g} and at most {high:g}; got {value!r}"
        )


def get_torch() -> Any:
    """The module of PyTorch, imported when first asked for."""
    try:
        import torch
    except ImportError as error:
        raise MissingDependencyError(
            "checkpoints are read with PyTorch; run 'pip install assay[torch]'"
        ) from error
    return torch
