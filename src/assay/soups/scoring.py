"""Scoring: the score of each checkpoint, of the soup, and of the midpoints between checkpoints.

>>> import torch
>>> from assay.soups.checkpoints import StateDict
>>> ends = [StateDict(str(i), {"w": torch.tensor([float(i)])}) for i in (-1, 1)]
>>> scorer = Scorer(lambda state: -float(state["w"]) ** 2, "higher")
>>> [scorer.rate(Blend((end,), Uniform(), (1.0,))) for end in ends]
[-1.0, -1.0]
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal, NamedTuple

from assay.errors import UnsupportedError
from assay.soups.base import Recipe
from assay.soups.blend import Blend
from assay.soups.checkpoints import Checkpoint
from assay.soups.uniform import Uniform

__all__ = ["Barrier", "Ratings", "Score", "Scorer", "measure_barriers", "rate_checkpoints"]

Score = Callable[[dict[str, Any]], float]


class Barrier(NamedTuple):
    """The score half-way between two checkpoints.

    Parameters:
        a: Name of the one.
        b: Name of the other.
        midpoint: Score of the mean of their weights.
        barrier: How much worse it is than the mean of their scores; below 0: better.
        is_high: Whether it is worse than both.
    """

    a: str
    b: str
    midpoint: float
    barrier: float
    is_high: bool


class Ratings(NamedTuple):
    """All scores that were taken.

    Parameters:
        checkpoints: Score of each checkpoint; default: none was scored.
        soup: Score of the soup; default nan.
        barriers: Midpoints between checkpoints; default: none.
        weights: Weights of the checkpoints that the scores choose; default: they choose none.
    """

    checkpoints: Sequence[float] = ()
    soup: float = math.nan
    barriers: tuple[Barrier, ...] = ()
    weights: Sequence[float] = ()


@dataclass(frozen=True)
class Scorer:
    """A function that scores weights, and whether more is better.

    Parameters:
        score: What is given the state dict, and gives a number.
        better: "higher" or "lower".
    """

    score: Score
    better: Literal["higher", "lower"]

    @property
    def sign(self) -> float:
        """What a score is multiplied by so that more is better."""
        return 1.0 if self.better == "higher" else -1.0

    def rate(self, blend: Blend) -> float:
        """The score of what `blend` gives.

        Raises:
            UnsupportedError: The function gives no finite number.
        """
        value = self.score(blend.build())
        try:
            number = float(value)
        except (TypeError, ValueError) as error:
            raise UnsupportedError(
                f"the score must be a number; the function gave {value!r:.80}"
            ) from error
        if not math.isfinite(number):
            raise UnsupportedError(
                f"the score must be a finite number; the function gave {number} for the weights of "
                f"{', '.join(checkpoint.name for checkpoint in blend.checkpoints)}"
            )
        return number


def rate_checkpoints(
    recipe: Recipe, checkpoints: Sequence[Checkpoint], scorer: Scorer, *, barrier: bool
) -> Ratings:
    """The scores of the checkpoints and, for a recipe that needs a score, the weights they choose.

    Parameters:
        recipe: The recipe.
        checkpoints: The checkpoints.
        scorer: What scores them.
        barrier: Whether the midpoint between each two is scored, too.
    """

    def rate(weights: Sequence[float]) -> float:
        return scorer.sign * scorer.rate(Blend(tuple(checkpoints), Uniform(), tuple(weights)))

    scores = [scorer.rate(Blend((one,), Uniform(), (1.0,))) for one in checkpoints]
    chosen = recipe.choose([scorer.sign * s for s in scores], rate) if recipe.needs_score else []
    barriers = measure_barriers(checkpoints, scores, scorer) if barrier else ()
    return Ratings(scores, barriers=barriers, weights=chosen)


def measure_barriers(
    checkpoints: Sequence[Checkpoint], scores: Sequence[float], scorer: Scorer
) -> tuple[Barrier, ...]:
    """The score half-way between each two of the `checkpoints`.

    Where it is no worse than theirs, the checkpoints lie in one basin, and averaging can help.

    Parameters:
        checkpoints: The checkpoints.
        scores: Their scores.
        scorer: What scores them.

    Source: Frankle et al. (2020), Linear mode connectivity and the lottery ticket hypothesis, ICML,
    arXiv 1912.05671.
    """
    barriers = []
    for i, j in combinations(range(len(checkpoints)), 2):
        pair = (checkpoints[i], checkpoints[j])
        midpoint = scorer.rate(Blend(pair, Uniform(), (0.5, 0.5)))
        ends = (scorer.sign * scores[i], scorer.sign * scores[j])
        height = sum(ends) / 2 - scorer.sign * midpoint
        is_high = scorer.sign * midpoint < min(ends)
        barriers.append(Barrier(pair[0].name, pair[1].name, midpoint, height, is_high))
    return tuple(barriers)
