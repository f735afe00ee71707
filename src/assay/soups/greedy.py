"""Greedy: checkpoints are added to the soup while they do not lower its score.

>>> gain = {(1.0, 0.0, 0.0): 0.8, (0.5, 0.5, 0.0): 0.9, (1 / 3, 1 / 3, 1 / 3): 0.7}
>>> Greedy().choose([0.8, 0.7, 0.6], lambda weights: gain[tuple(weights)])
[0.5, 0.5, 0.0]
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from assay.soups.base import LinearRecipe

__all__ = ["Greedy"]


@dataclass(frozen=True)
class Greedy(LinearRecipe):
    """The greedy soup: from the best checkpoint down, each is kept where the score does not fall.

    It scores at least as well as the best checkpoint, on the data that the score is taken on: that
    score is no honest one. Tied checkpoints are tried in the order in which they were given.

    Source: Wortsman et al. (2022), Model soups, ICML, arXiv 2203.05482, algorithm 1.
    """

    name = "greedy"
    aliases = ("greedy_soup",)
    needs_score: ClassVar[bool] = True

    def choose(
        self, scores: Sequence[float], score_of: Callable[[Sequence[float]], float]
    ) -> list[float]:
        """Equal weights of those kept, by their `scores` and the `score_of` their mean."""
        order = sorted(range(len(scores)), key=lambda i: -scores[i])
        kept = order[:1]
        best = scores[order[0]]
        for i in order[1:]:
            weights = _share({*kept, i}, len(scores))
            score = score_of(weights)
            if score >= best:
                kept.append(i)
                best = score
        return _share(set(kept), len(scores))


def _share(kept: set[int], count: int) -> list[float]:
    """Equal weights of the checkpoints in `kept`, of `count` in all."""
    return [1 / len(kept) if i in kept else 0.0 for i in range(count)]
