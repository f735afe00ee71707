"""SWA: stochastic weight averaging of the last checkpoints of a run.

>>> Swa(last=2).weigh(4)
[0.0, 0.0, 0.5, 0.5]
"""

from dataclasses import dataclass

from assay.core.arguments import check_whole
from assay.errors import UnsupportedError
from assay.soups.base import LinearRecipe

__all__ = ["Swa"]


@dataclass(frozen=True)
class Swa(LinearRecipe):
    """Stochastic weight averaging: equal weights of the last checkpoints of a run.

    The order is that of the list, or of the numbers in the names of a folder's checkpoints.

    Parameters:
        last: How many checkpoints from the end are averaged; default 0: all.

    Source: Izmailov et al. (2018), Averaging weights leads to wider optima, UAI, arXiv 1803.05407.
    """

    name = "swa"
    last: int = 0

    def check(self, count: int) -> None:
        """Raise UnsupportedError where `last` is no number of checkpoints, of `count`."""
        super().check(count)
        check_whole("swa: last", self.last, 0)
        if self.last > count:
            raise UnsupportedError(
                f"swa(last={self.last}) averages the last {self.last} checkpoints, and there are "
                f"{count}; give a smaller number, or 0 for all"
            )

    def weigh(self, count: int) -> list[float]:
        """Equal weights of the last of `count` checkpoints."""
        taken = self.last or count
        return [0.0] * (count - taken) + [1 / taken] * taken
