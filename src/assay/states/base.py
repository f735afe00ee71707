"""Base: the recipe that all states follow.

A `State` is a frozen recipe; equal recipes are one state, decided before a row is read. `observe`
turns a batch into a value and `merge` joins two values, so that any split of the rows gives the
same answer. Values are arrays whose leading axis is the *stratum*: a group of rows, or a resampling
unit within a group. `summary` is what formulas read, the same of one stratum, of all groups, and of
ten thousand bootstrap replicates.

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
from assay.table.rows import Rows
from assay.table.schema import Schema

__all__ = ["MOST_CLASSES", "Pair", "RowWise", "State", "is_beyond", "leave_out_empty"]

V = TypeVar("V")

# Classes up to which whole confusion tables are drawn in resampling.
MOST_CLASSES = 64
# Values of a stream, over all classes, up to which every one is kept.
MAX_KEPT_VALUES = 1 << 22


class State(ABC, Generic[V]):
    """A recipe for what to keep of the rows.

    Subclasses are frozen dataclasses: states with equal parameters are one shared state. Merging is
    associative and commutative, and `empty` is its neutral element.

    >>> from assay.states.class_counts import ClassRows
    >>> from assay.table.predictions import Predictions
    >>> p = Predictions.from_arrays(["a", "b", "b"], {"m": ["a", "a", "b"]})
    >>> ClassRows().summary(ClassRows().observe(p.rows("m")), p.schema).tolist()
    [[1, 2]]
    """

    keeps: ClassVar[bool] = False  # whether it keeps something of every row

    @abstractmethod
    def empty(self, schema: Schema, strata: int = 1) -> V:
        """The neutral value: merging it changes nothing.

        Parameters:
            schema: Task and classes of the table.
            strata: Number of strata, 1 or more; default 1.
        """

    @abstractmethod
    def observe(self, rows: Rows, stratum: Array | None = None, strata: int = 1) -> V:
        """The value of a batch.

        Parameters:
            rows: One model's rows of the batch; a state of two models takes a `Pair`.
            stratum: Codes (n,) in 0..strata-1 of the stratum of each row; default: all in one.
            strata: Number of strata, 1 or more; default 1.
        """

    @abstractmethod
    def merge(self, a: V, b: V) -> V:
        """The value of two batches together.

        Parameters:
            a: The value of the batch that comes first.
            b: The value of the batch that comes next, of the same strata.
        """

    def join(self, values: Sequence[V]) -> V:
        """The value of all batches together.

        Parameters:
            values: The values of the batches in the order of their rows, at least one.
        """
        return reduce(self.merge, values)

    @abstractmethod
    def select(self, value: V, strata: slice) -> V:
        """The value of some strata alone.

        Parameters:
            value: A value of all strata.
            strata: Which of them to take, as consecutive numbers.
        """

    @abstractmethod
    def resample(self, value: V, counts: Array) -> V:
        """The value of replicates, each of which joins the strata, some of them several times.

        Parameters:
            value: A value of all strata.
            counts: How often each stratum enters each of b replicates (b, strata).
        """

    def pool(self, value: V, strata: int) -> V:
        """The value of all strata together, as one.

        Parameters:
            value: A value of all strata.
            strata: Number of strata, 1 or more.
        """
        return self.resample(value, np.ones((1, strata), np.int64))

    @abstractmethod
    def summary(self, value: V, schema: Schema) -> Any:
        """What formulas read: arrays whose leading axis are the strata.

        Parameters:
            value: The value to read.
            schema: Task and classes of the table.
        """

    def is_bounded(self, strata: int = 1) -> bool:
        """Whether the value of a long stream stays the same size however many rows it has.

        Parameters:
            strata: Number of strata, 1 or more; default 1.
        """
        return True

    def dump(self, value: V) -> dict[str, Array]:
        """A value as named arrays, for a file.

        Parameters:
            value: The value to write.

        Raises:
            UnsupportedError: The value is no array and no named tuple of arrays.
        """
        if isinstance(value, np.ndarray):
            return {"value": value}
        named = value._asdict() if hasattr(value, "_asdict") else {}
        if not named or not all(isinstance(array, np.ndarray) for array in named.values()):
            raise UnsupportedError(
                f"the state {self} cannot be saved; leave out the metrics that read it"
            )
        return named

    def load(self, arrays: Mapping[str, Array], schema: Schema) -> V:
        """The value that `dump` wrote.

        Parameters:
            arrays: The named arrays.
            schema: Task and classes of the table.
        """
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
    """Whatever gives one value (n,), or several (n, d), for each row.

    It may also have `batch_moments(rows)`: mean and centred second moment, each (d,), of rows that
    count alike, from a pass over them that other metrics share; or None.
    """

    def compute_rows(self, rows: Any) -> Array:
        """The values (n,) or (n, d) of `rows`; trailing columns that are 0 may be left out."""


def is_beyond(rows: int, schema: Schema) -> bool:
    """Whether a stream of so many `rows` of a `schema` is too long to keep every value."""
    return rows * max(schema.k, 1) > MAX_KEPT_VALUES


def leave_out_empty(value: Any, counts: Array) -> tuple[Any, Array]:
    """The strata of `value` that hold rows, and the columns of `counts` (b, strata) for them.

    `value` is a named tuple of arrays, one of them `rows`. A table of 30 rows fills 30 buckets of
    1,024, so products over all of them would mostly add zeros.
    """
    filled = np.flatnonzero(value.rows)
    if len(filled) in (0, len(value.rows)):
        return value, counts
    return value._make(array[filled] for array in value), counts[:, filled]
