"""EMA: the exponential moving average over the checkpoints of a run.

>>> Ema(decay=0.5).weigh(3)
[0.25, 0.25, 0.5]
"""

from dataclasses import dataclass

from assay.core.arguments import check_share
from assay.soups.base import LinearRecipe

__all__ = ["Ema"]


@dataclass(frozen=True)
class Ema(LinearRecipe):
    """Exponential moving average over a run's checkpoints, in order: the later, the more weight.

    m_1 = w_1, m_i = decay m_(i-1) + (1 - decay) w_i. The order is that of the list, or of the
    numbers in the names of a folder's checkpoints.

    Parameters:
        decay: Weight of what was averaged before, in (0, 1); default 0.8. It counts checkpoints,
            not steps: a decay of steps is d ** (steps between two checkpoints) here.

    Source: Polyak and Juditsky (1992), SIAM J. Control Optim. 30:838-855; Morales-Brotons et al.
    (2024), Exponential moving average of weights in deep learning, TMLR, arXiv 2411.18704.
    """

    name = "ema"
    decay: float = 0.8

    def check(self, count: int) -> None:
        """Raise UnsupportedError where `count` is below two, or the decay no share."""
        super().check(count)
        check_share("ema: decay", self.decay)

    def weigh(self, count: int) -> list[float]:
        """The weight of each of `count` checkpoints, the first being where the average begins."""
        later = [(1 - self.decay) * self.decay ** (count - 1 - i) for i in range(1, count)]
        return [self.decay ** (count - 1), *later]
