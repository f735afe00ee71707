"""replicates: what an interval is found from: one state of one model on one group of rows.

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

from assay.intervals.resampling import REPLICATES, add_prior_rows, draw_buckets, resample_counts
from assay.kernels import Array
from assay.states.base import State
from assay.states.confusion import ConfusionTable, Counts
from assay.table.buckets import BUCKETS
from assay.table.schema import Schema

__all__ = ["NONE", "Interval", "Sample"]

# Scores that all replicates of rows kept in memory may read together.
WORK = 1 << 28
# The fewest replicates, however many the rows.
FEWEST = 50


class Interval(NamedTuple):
    """Lower and upper end (values,), and the procedure that gave them ("" where there is none)."""

    low: Array
    high: Array
    method: str


NONE = Interval(np.array([np.nan]), np.array([np.nan]), "")


@dataclass(frozen=True, eq=False, repr=False)
class Sample:
    """One state of one model on one group of rows, and its replicates, drawn once.

    Parameters:
        state: What was kept of the rows.
        value: Its value, in each bucket of rows or in one stratum.
        schema: Of the table.
        bucketed: Whether `value` is by bucket.
        clustered: Whether the buckets hold whole clusters of rows.
        seed: Seed of the replicates.
    """

    state: State[Any]
    value: Any
    schema: Schema
    bucketed: bool
    clustered: bool
    seed: int

    @cached_property
    def whole(self) -> Any:
        """The value over all rows, in one stratum."""
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
    def effective(self) -> float:
        """Kish's effective number of the weighted rows; that of all where weights are not known."""
        if self.state.keeps:
            weights: list[Any] = [getattr(part, "weight", None) for part in self.whole]
            if any(weight is None for weight in weights) or self.is_sketched:
                return float(self.n)
            total = float(sum(weight.sum() for weight in weights))
            squares = float(sum((weight**2).sum() for weight in weights))
        else:
            if not all(hasattr(self.whole, name) for name in ("weight", "squares")):
                return float(self.n)
            total = float(np.sum(self.whole.weight))
            squares = float(np.sum(self.whole.squares))
        return total**2 / squares if squares > 0 else float(self.n)

    @cached_property
    def has_no_weight(self) -> bool:
        """Whether there are rows, and every one of them has weight 0."""
        parts = self.whole if self.state.keeps else [self.whole]
        weights = [getattr(part, "weight", None) for part in parts]
        return self.n > 0 and all(weight is not None and not np.any(weight) for weight in weights)

    @cached_property
    def is_sketched(self) -> bool:
        """Whether a sketch of the rows was kept, not the rows themselves."""
        return self.state.keeps and any(part.merged_rows for part in self.whole)

    @property
    def draws(self) -> int:
        """How many replicates: 1000, or fewer where each costs a pass over the rows kept."""
        if not self.state.keeps and not getattr(self.state, "costly", False):
            return REPLICATES
        return min(REPLICATES, max(FEWEST, WORK // max(self.n * max(self.schema.k, 1), 1)))

    @cached_property
    def replicates(self) -> Any:
        """The summary of bootstrap replicates, leading axis `draws`."""
        rng = np.random.default_rng(self.seed)
        if self.bucketed:
            drawn = self.state.resample(self.value, draw_buckets(self.value.rows, rng, self.draws))
            if isinstance(drawn, ConfusionTable):
                drawn = add_prior_rows(drawn, np.asarray(self.whole.table[0]), rng)
            summary = self.state.summary(drawn, self.schema)
            if isinstance(summary, Counts):
                return summary._replace(sample=self.summary)
            return summary
        return resample_counts(self.value, self.schema, rng)
