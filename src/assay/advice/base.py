"""Checks of the table itself and of what its models say: each reads what is there and gives its findings.

>>> print(Advice("A000", "All is well.", "No figure is odd.", "Carry on."))
A000 All is well. No figure is odd. Carry on.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from assay.io.stream import Stream
from assay.kernels import Array
from assay.states.confusion import Counts
from assay.table.predictions import Predictions, Rows

__all__ = ["Advice", "Seen"]

SURE = 0.01  # chance that a check of the figures accuses any model of a sound table
Z = 1.959963984540054  # standard errors to either side that hold 95 % of a normal law


class Advice(NamedTuple):
    """One finding: its code, a title, the evidence in figures, and the remedy."""

    code: str
    title: str
    evidence: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.code} {self.title} {self.evidence} {self.remedy}"


# Rows that show whatever is worth an advice: as many as hold so many probabilities, within limits.
ENOUGH, FEWEST, VALUES = 1 << 16, 1 << 12, 1 << 17


@dataclass(frozen=True, eq=False, repr=False)
class Seen:
    """What the checks look at: the table, the rows and weight of each class (k,), and counts of models where known.

    `costs` is the matrix of costs, where given; `thorough` whether remedies are to be fitted, with `seed`.
    """

    table: Predictions | Stream
    rows: Array
    weight: Array
    counts: Mapping[str, Counts]
    costs: Array | None = None
    thorough: bool = False
    seed: int = 0
    _views: dict[str, Rows] = field(default_factory=dict)

    @property
    def shares(self) -> Array:
        """Share of the weight that each class has (k,)."""
        return np.asarray(self.weight / max(float(self.weight.sum()), 1e-300))

    @property
    def level(self) -> float:
        """The level of a test of each model, so that all together accuse a sound one with a chance of SURE at most."""
        return SURE / max(len(self.table.models), 1)

    @cached_property
    def effective(self) -> float:
        """How many independent rows there are: clusters where declared, else Kish's effective number."""
        if "cluster" in self.table.columns and not isinstance(self.table, Stream):
            return float(len(self.table.columns["cluster"].unique()))
        weight = None if isinstance(self.table, Stream) else self.table.weight
        return (
            float(self.table.n)
            if weight is None
            else float(weight.sum() ** 2 / max((weight**2).sum(), 1e-300))
        )

    @cached_property
    def sample(self) -> Predictions:
        """The table, or of a long one enough rows, evenly spread: what checks of single rows look at."""
        if isinstance(self.table, Stream):
            return self.table.head
        enough = min(ENOUGH, max(FEWEST, VALUES // max(self.table.schema.k, 1)))
        return self.table if self.table.n < 2 * enough else self.table.every(self.table.n // enough)

    def views(self, reads: str) -> Iterator[tuple[str, Rows]]:
        """What each model that gives it said of the rows of the sample, derived once."""
        for model in self.table.models:
            if self.table.schema.offers(model, reads):
                yield model, self._views.setdefault(model, self.sample.rows(model))
