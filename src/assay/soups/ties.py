"""TIES: the changes are trimmed, a sign is elected for each weight, and those that agree averaged.

>>> import torch
>>> from assay.soups.soup import soup
>>> tuned = [{"w": torch.tensor([4.0, 0.1])}, {"w": torch.tensor([-1.0, 0.2])}]
>>> soup(tuned, "ties(density=0.5)", base={"w": torch.zeros(2)}).state_dict()["w"]
tensor([4., 0.])
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from assay.kernels import Array
from assay.soups.base import Part, Recipe, Scan, Tensor, check_number, get_torch

__all__ = ["Ties"]

DIGIT = 16  # bits of a magnitude that are counted in one pass


@dataclass(frozen=True)
class Ties(Recipe):
    """Trim, elect sign and merge: of each checkpoint the largest changes, where signs agree.

    Of each task vector (checkpoint less base, over the whole model) the largest changes by
    magnitude are kept, equal ones together. The sign of each weight is that of the sum of what was
    kept; the mean of the changes of that sign, times a scale, is added to the base. Where the sum
    is zero, the base stays. Magnitudes are ranked in single precision.

    Parameters:
        density: Share of the changes that is kept, in (0, 1]; default 0.2.
        scale: What the mean is multiplied by, in (0, 10]; default 1.

    Source: Yadav et al. (2023), TIES-merging: resolving interference when merging models, NeurIPS,
    arXiv 2306.01708, algorithm 1.
    """

    name = "ties"
    needs_base: ClassVar[bool] = True
    density: float = 0.2
    scale: float = 1.0

    def check(self, count: int) -> None:
        """Raise UnsupportedError where `count` is below two, or a parameter out of range."""
        super().check(count)
        check_number(self.name, "density", self.density, 0, 1)
        check_number(self.name, "scale", self.scale, 0, 10)

    def survey(self, scan: Scan, seed: int) -> list[float]:
        """The least magnitude that is kept of each checkpoint, exact, in two passes of `scan`.

        The `seed` is not used.
        """
        counts = _count_digits(scan, None)
        kept = max(1, int(self.density * counts[0].sum() + 1e-9))
        high = [_find_digit(count, kept) for count in counts]
        counts = _count_digits(scan, [digit for digit, _ in high])
        low = [_find_digit(n, left)[0] for n, (_, left) in zip(counts, high, strict=True)]
        bits = [(a << DIGIT) | b for (a, _), b in zip(high, low, strict=True)]
        return [float(number) for number in np.array(bits, np.uint32).view(np.float32)]

    def combine(self, part: Part, survey: Any) -> Tensor:
        """The base of the `part` and the mean of its changes of the elected sign.

        `survey` has the least magnitude that is kept of each checkpoint.
        """
        torch = get_torch()
        kept = torch.stack(part.deltas)
        least = torch.tensor(survey, dtype=torch.float32)[:, None]
        kept *= kept.abs().float() >= least
        sign = kept.sum(0).sign()
        agreeing = (kept.sign() == sign) & (sign != 0)
        mean = (kept * agreeing).sum(0) / agreeing.sum(0).clamp(min=1)
        return mean.mul_(self.scale).add_(part.base)


def _count_digits(scan: Scan, prefixes: list[int] | None) -> list[Array]:
    """How many magnitudes of each checkpoint have each digit, in one pass of `scan`.

    The order of single-precision numbers that are not negative is that of their bits. Counted are
    the 16 high bits; given `prefixes` of these for each checkpoint, the 16 low bits that follow.
    """
    torch = get_torch()
    counts: list[Array] = []
    for part in scan():
        for i, tensor in enumerate(part.tensors):
            bits = (
                (tensor - part.base).abs().nan_to_num(0.0).float().view(torch.int32)
            )  # -inf in masks
            high = bits >> DIGIT
            digits = high if prefixes is None else bits[high == prefixes[i]] & ((1 << DIGIT) - 1)
            count = torch.bincount(digits, minlength=1 << DIGIT).numpy()
            if i < len(counts):
                counts[i] += count
            else:
                counts.append(count)
    return counts


def _find_digit(counts: Array, kept: int) -> tuple[int, int]:
    """The digit of the `kept`-th largest magnitude, and which it is among those of that digit."""
    above = counts[::-1].cumsum()[::-1]  # how many have this digit or a higher one
    digit = int(np.flatnonzero(above >= kept)[-1])
    return digit, kept - int(above[digit] - counts[digit])
