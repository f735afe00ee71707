"""States: what one pass over the rows keeps. Associative, commutative, with a neutral element; metrics read them.

A `State` is a frozen recipe; equal recipes are one state, decided before a row is read. `observe` turns a batch into a
value, `merge` joins two values, so that any split of the rows gives the same answer. Values are arrays whose leading
axis is the *cell*: a group, or a bucket of rows for resampling. `summary` is what formulas read, the same on one
cell, on all groups, and on ten thousand bootstrap replicates.

>>> from assay.states.confusion import Confusion
>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays(["a", "b", "b"], {"m": ["a", "a", "b"]})
>>> state = Confusion()
>>> value = state.merge(state.empty(p.schema), state.observe(p.rows("m")))
>>> value.table.tolist()
[[[1, 0], [1, 1]]]
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar, cast

import numpy as np

from assay.errors import UnsupportedError
from assay.kernels import Array
from assay.table.predictions import Rows
from assay.table.schema import Schema

__all__ = ["Pair", "RowWise", "State", "is_beyond"]
MOST_CLASSES = 64  # of which whole tables are drawn

V = TypeVar("V")

# Values of a stream, over all classes, up to which they are kept as they are.
MOST = 1 << 22


class State(ABC, Generic[V]):
    """A recipe for what to keep of the rows. Subclasses are frozen dataclasses: equal parameters, one shared state."""

    keeps: ClassVar[bool] = False  # whether it keeps something of every row

    @abstractmethod
    def empty(self, schema: Schema, cells: int = 1) -> V:
        """The neutral value: merging it changes nothing."""

    @abstractmethod
    def observe(self, rows: Rows, cell: Array | None = None, cells: int = 1) -> V:
        """The value of a batch; `cell` (n,) says which of the `cells` each row belongs to."""

    @abstractmethod
    def merge(self, a: V, b: V) -> V:
        """The value of both batches together."""

    def join(self, values: Sequence[V]) -> V:
        """The value of all batches together, in their order; at least one."""
        return reduce(self.merge, values)

    @abstractmethod
    def select(self, value: V, cells: slice) -> V:
        """Only those cells."""

    @abstractmethod
    def resample(self, value: V, times: Array) -> V:
        """Cells joined into new ones: `times` (b, cells) says how often each cell enters each of the b new cells."""

    @abstractmethod
    def summary(self, value: V, schema: Schema) -> Any:
        """What formulas read: arrays with the cells as leading axis."""

    def is_bounded(self, cells: int = 1) -> bool:
        """Whether what is kept of a long stream, in so many cells, does not grow with its rows."""
        return True

    def dump(self, value: V) -> dict[str, Array]:
        """The value as named arrays, for a file."""
        if isinstance(value, np.ndarray):
            return {"value": value}
        named = value._asdict() if hasattr(value, "_asdict") else {}
        if not named or not all(isinstance(array, np.ndarray) for array in named.values()):
            raise UnsupportedError(
                f"the state {self} cannot be saved; leave out the metrics that read it"
            )
        return named

    def load(self, arrays: Mapping[str, Array], schema: Schema) -> V:
        """The value that `dump` gave."""
        empty = self.empty(schema)
        return cast(V, arrays["value"] if isinstance(empty, np.ndarray) else type(empty)(**arrays))


class Pair(NamedTuple):
    """The same rows as two models saw them: what paired states observe."""

    a: Rows
    b: Rows

    @property
    def schema(self) -> Schema:
        """The schema both share."""
        return self.a.schema

    @property
    def truth(self) -> Array:
        """The truth both share."""
        return self.a.truth

    @property
    def weight(self) -> Array | None:
        """The weights both share."""
        return self.a.weight


class RowWise(Protocol):
    """Whatever gives one value (n,), or several (n, d), for each row; last columns that are 0 may be left out.

    It may also have `batch_moments(rows)`: mean and centred second moment, each (d,), of rows that count alike, from a pass
    over them that other metrics share; or None.
    """

    def compute_rows(self, rows: Any) -> Array: ...


def is_beyond(rows: int, schema: Schema) -> bool:
    """Whether so many streamed rows are too many to keep what every row has."""
    return rows * max(schema.k, 1) > MOST
