"""Sample: one state of one model on one group of rows, with its replicates - what an interval is found from.

>>> from assay.metrics.base import METRICS
>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays([0, 1, 1, 0], {"m": [0, 1, 0, 0]})
>>> state = METRICS.parse("f1").state
>>> Sample(state, state.observe(p.rows("m")), p.schema, False, False, 0).n
4
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from assay.intervals.resampling import REPLICATES, add_prior_rows, resample_buckets, resample_counts
from assay.kernels import Array
from assay.states.base import State
from assay.states.confusion import ConfusionTable, Counts
from assay.table.buckets import BUCKETS
from assay.table.schema import Schema

__all__ = ["FEW", "NONE", "Interval", "Sample"]

# Up to so many rows the skew of losses matters to the interval of their mean.
FEW = 5000
# Scores that all replicates of kept rows together may weigh, and the fewest replicates.
WORK, FEWEST = 1 << 28, 50


class Interval(NamedTuple):
    """Lower and upper end (figures,), and the procedure that gave them ("" where there is none)."""

    low: Array
    high: Array
    method: str


NONE = Interval(np.array([np.nan]), np.array([np.nan]), "")


@dataclass(frozen=True, eq=False, repr=False)
class Sample:
    """One state of one model on one group of rows: its value per bucket or whole, and its replicates, drawn once."""

    state: State[Any]
    value: Any
    schema: Schema
    bucketed: bool
    clustered: bool
    seed: int

    @cached_property
    def whole(self) -> Any:
        """The value over all rows, one cell."""
        if not self.bucketed:
            return self.value
        return self.state.resample(self.value, np.ones((1, BUCKETS), np.int64))

    @cached_property
    def summary(self) -> Any:
        """What formulas read, leading axis 1."""
        return self.state.summary(self.whole, self.schema)

    @cached_property
    def n(self) -> int:
        """Number of rows."""
        return int(np.sum(self.whole.rows))

    @cached_property
    def weightless(self) -> bool:
        """Whether there are rows, and every one of them has weight 0."""
        parts = self.whole if self.state.keeps else [self.whole]
        weights = [getattr(part, "weight", None) for part in parts]
        return self.n > 0 and all(weight is not None and not np.any(weight) for weight in weights)

    @cached_property
    def sketched(self) -> bool:
        """Whether not the rows themselves were kept, but a sketch of them."""
        return self.state.keeps and any(part.merged for part in self.whole)

    @property
    def draws(self) -> int:
        """How many replicates: REPLICATES, or as many as can be had where each costs a pass over kept rows."""
        if not self.state.keeps and not getattr(self.state, "costly", False):
            return REPLICATES
        return min(REPLICATES, max(FEWEST, WORK // max(self.n * max(self.schema.k, 1), 1)))

    @cached_property
    def replicates(self) -> Any:
        """The summary of bootstrap replicates, leading axis `draws`."""
        rng = np.random.default_rng(self.seed)
        if self.bucketed:
            drawn = self.state.resample(self.value, resample_buckets(self.value, rng, self.draws))
            if isinstance(drawn, ConfusionTable):
                drawn = add_prior_rows(drawn, np.asarray(self.whole.table[0]), rng)
            found = self.state.summary(drawn, self.schema)
            return found._replace(sample=self.summary) if isinstance(found, Counts) else found
        return resample_counts(self.value, self.schema, rng)
