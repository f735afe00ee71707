"""States: what one pass over the rows keeps. Associative, commutative, with a neutral element; metrics read them.

A `State` is a frozen recipe; equal recipes are one state, decided before a row is read. `observe` turns a batch into a
value, `merge` joins two values, so that any split of the rows gives the same answer. Values are arrays whose leading
axis is the *cell*: a group, or a bucket of rows for resampling. `summary` is what formulas read, the same on one
cell, on all groups, and on ten thousand bootstrap replicates.

>>> from assay.predictions import Predictions
>>> p = Predictions.from_arrays(["a", "b", "b"], {"m": ["a", "a", "b"]})
>>> state = Confusion()
>>> value = state.merge(state.empty(p.schema), state.observe(p.rows("m")))
>>> value.table.tolist()
[[[1, 0], [1, 1]]]
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar, cast

import numpy as np

from assay.errors import UnsupportedError
from assay.kernels import count_pairs, divide, join_moments, moments, sum_by
from assay.predictions import Rows
from assay.table.labels import Array
from assay.table.schema import DENSE, Schema

if TYPE_CHECKING:
    from assay.sparse import SparseTable

__all__ = ["Confusion", "ConfusionTable", "Counts", "Moments", "Pair", "RowWise", "State", "Sums", "is_beyond"]

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
    def take(self, value: V, cells: slice) -> V:
        """Only those cells."""

    @abstractmethod
    def pool(self, value: V, times: Array) -> V:
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
            raise UnsupportedError(f"the state {self} cannot be saved; leave out the metrics that read it")
        return named

    def load(self, arrays: Mapping[str, Array], schema: Schema) -> V:
        """The value that `dump` gave."""
        empty = self.empty(schema)
        return cast(V, arrays["value"] if isinstance(empty, np.ndarray) else type(empty)(**arrays))


class ConfusionTable(NamedTuple):
    """Counts (or weights) of truth x prediction per cell: (cells, k, k), or (cells, labels, 2, 2) for multi-label.

    Of very many classes the tables are sparse.
    """

    table: Any  # an array, or a SparseTable
    squared: Any  # like `table`, of squared weights: what a weighted proportion rests on
    right: Array  # (cells,) weight of the rows that are right in full
    rows: Array  # (cells,) number of rows, int64
    weight: Array  # (cells,) total weight
    squares: Array  # (cells,) total squared weight, for the effective sample size


@dataclass(frozen=True)
class Confusion(State[ConfusionTable]):
    """How often each class was predicted for each true class; for multi-label, a 2 x 2 table per label."""

    def empty(self, schema: Schema, cells: int = 1) -> ConfusionTable:
        shape = (cells, schema.k, 2, 2) if schema.task == "multilabel" else (cells, schema.k, schema.k)
        zero, none = np.zeros(cells, np.int64), np.zeros(0, np.int64)
        table = _sparse(schema.k, cells, none, none) if _is_sparse(schema) else np.zeros(shape, np.int64)
        return ConfusionTable(table, table, zero, zero, zero, zero)

    def observe(self, rows: Rows, cell: Array | None = None, cells: int = 1) -> ConfusionTable:
        weight = rows.weight
        count = np.bincount(cell, minlength=cells) if cell is not None else np.array([rows.n])
        table = _pairs(rows, weight, cell, cells)
        if rows.schema.task == "multilabel" and weight is None and cell is None and rows.label_sets is not None:
            right = np.einsum("iii->", rows.label_sets[1])[None]
        elif rows.schema.task == "multilabel":
            hit, true, said = rows.label_counts[1].T
            exact = (hit == true) & (hit == said)
            right = sum_by(cell, cells, exact if weight is None else exact * weight)
        else:
            hits = np.diagonal(table, axis1=1, axis2=2) if isinstance(table, np.ndarray) else table.margins[0]
            right = hits.sum(axis=1)
        if weight is None:
            return ConfusionTable(table, table, right.astype(np.int64), count, count, count)
        squared = _pairs(rows, weight**2, cell, cells)
        total, squares = sum_by(cell, cells, weight), sum_by(cell, cells, weight**2)
        return ConfusionTable(table, squared, right, count, total, squares)

    def merge(self, a: ConfusionTable, b: ConfusionTable) -> ConfusionTable:
        return self.join((a, b))

    def join(self, values: Sequence[ConfusionTable]) -> ConfusionTable:
        filled = [value for value in values if value.rows.any()] or list(values[:1])
        tables, squared, *rest = zip(*filled, strict=True)
        table = _together(tables)
        same = all(value.squared is value.table for value in filled)
        return ConfusionTable(table, table if same else _together(squared), *(reduce(np.add, part) for part in rest))

    def take(self, value: ConfusionTable, cells: slice) -> ConfusionTable:
        return ConfusionTable(*(array[cells] for array in value))

    def pool(self, value: ConfusionTable, times: Array) -> ConfusionTable:
        exact = len(times) == 1  # integers are slow to multiply: only the whole, which must be exact, is
        return ConfusionTable(*(_join_cells(times, array, exact) for array in value))

    def dump(self, value: ConfusionTable) -> dict[str, Array]:
        if isinstance(value.table, np.ndarray):
            return super().dump(value)
        rest = {name: getattr(value, name) for name in ("right", "rows", "weight", "squares")}
        return {**rest, **value.table.dump("table"), **value.squared.dump("squared")}

    def load(self, arrays: Mapping[str, Array], schema: Schema) -> ConfusionTable:
        if not _is_sparse(schema):
            return super().load(arrays, schema)
        from assay.sparse import SparseTable

        table, squared = (SparseTable.load(arrays, name, schema.k) for name in ("table", "squared"))
        return ConfusionTable(table, squared, *(arrays[name] for name in ("right", "rows", "weight", "squares")))

    def summary(self, value: ConfusionTable, schema: Schema) -> "Counts":
        table = value.table
        positive = schema.positive_code if schema.task == "binary" else None
        if schema.task == "multilabel":
            margins = table[..., 1, 1], table[..., 1, :].sum(axis=-1), table[..., :, 1].sum(axis=-1)
        elif isinstance(table, np.ndarray):
            margins = np.diagonal(table, axis1=-2, axis2=-1), table.sum(axis=-1), table.sum(axis=-2)
        else:
            margins = table.margins
        return Counts(*margins, value.weight, value.right, table, positive, schema.task == "multilabel")


def _pairs(rows: Rows, weight: Array | None, cell: Array | None, cells: int) -> "Array | SparseTable":
    """Counts of truth x prediction (cells, k, k), or (cells, labels, 2, 2) for multi-label."""
    k = rows.schema.k
    if rows.schema.task != "multilabel":
        if _is_sparse(rows.schema):
            return _sparse(k, cells, rows.truth, rows.label, cell, weight)
        if weight is None and cell is None:
            return rows.pairs[None]
        return count_pairs(rows.truth, rows.label, k, weight, cell, cells).reshape(cells, k, k)
    if weight is None and cell is None:
        hit, true, said = rows.label_counts[0] if rows.label_sets is None else rows.label_sets[0]
        whole = len(rows.truth)
        return np.stack([whole - true - said + hit, said - hit, true - hit, hit], axis=1).reshape(1, k, 2, 2)
    of_label = (count_pairs(t, p, 2, weight, cell, cells) for t, p in zip(rows.truth.T, rows.label.T, strict=True))
    return np.stack([table.reshape(cells, 2, 2) for table in of_label], axis=1)


def _sparse(*given: Any) -> "SparseTable":
    from assay.sparse import SparseTable  # which few tables need

    return SparseTable(*given)


def _is_sparse(schema: Schema) -> bool:
    return schema.task != "multilabel" and schema.k > DENSE


def _together(tables: Sequence[Any]) -> Any:
    return reduce(np.add, tables) if isinstance(tables[0], np.ndarray) else tables[0].joined(tables)


def _join_cells(times: Array, values: Any, exact: bool) -> Any:
    if not isinstance(values, np.ndarray):
        return values.pooled(times)
    if not exact:
        times, values = times.astype(np.float64), values.astype(np.float64)
    return np.asarray(np.tensordot(times, values, axes=1))


class Counts(NamedTuple):
    """Per class: true positives, true rows, predicted rows, each (..., k); and over all: total and fully right (...,).
    `table` is the whole confusion table (..., k, k), or (..., labels, 2, 2), of very many classes a `SparseTable`.

    Free leading axes: groups, buckets or bootstrap replicates. `positive` is the code of the positive class (binary).
    """

    tp: Array
    support: Array
    predicted: Array
    total: Array
    right: Array
    table: Any
    positive: int | None = None
    multilabel: bool = False
    sample: "Counts | None" = None  # what these counts were drawn from, where they are replicates

    @property
    def fp(self) -> Array:
        """Predicted but not true (..., k). Sums of weights may differ by a rounding error, hence not below 0."""
        return np.asarray(np.maximum(self.predicted - self.tp, 0))

    @property
    def fn(self) -> Array:
        """True but not predicted (..., k)."""
        return np.asarray(np.maximum(self.support - self.tp, 0))

    @property
    def all(self) -> Array:
        """Total weight, shaped to stand beside the per-class counts (..., k) or the pooled ones (...,)."""
        return np.asarray(self.total[..., None] if self.tp.ndim > self.total.ndim else self.total)

    @property
    def tn(self) -> Array:
        """Neither true nor predicted (..., k)."""
        return np.asarray(np.maximum(self.all - self.support - self.predicted + self.tp, 0))

    def of(self, code: int) -> "Counts":
        """The counts of one class alone, without the class axis."""
        return self._replace(
            tp=self.tp[..., code], support=self.support[..., code], predicted=self.predicted[..., code]
        )

    def among(self, codes: Any) -> "Counts":
        """The counts of some classes alone."""
        at = list(codes)
        sample = None if self.sample is None else self.sample.among(at)
        tp, support, predicted = self.tp[..., at], self.support[..., at], self.predicted[..., at]
        return self._replace(tp=tp, support=support, predicted=predicted, sample=sample)

    def summed(self) -> "Counts":
        """The counts of all classes together (micro-averaging), without the class axis."""
        k = self.tp.shape[-1]
        tp, support, predicted = (x.sum(axis=-1) for x in (self.tp, self.support, self.predicted))
        return self._replace(tp=tp, support=support, predicted=predicted, total=self.total * k)


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

    It may also have `over_all(rows)`: mean and centred second moment, each (d,), of rows that count alike, from a pass
    over them that other metrics share; or None.
    """

    def per_row(self, rows: Any) -> Array: ...


class Sums(NamedTuple):
    """Weighted mean and centred second moment per cell: (cells, d); rows, weight and squared weight: (cells,)."""

    mean: Array
    m2: Array
    rows: Array
    weight: Array
    squares: Array


@dataclass(frozen=True)
class Moments(State[Sums]):
    """Mean and spread of per-row values, centred in each cell and merged by Chan's formula (Chan et al., 1983)."""

    of: RowWise
    width: int = 1  # values a row

    def empty(self, schema: Schema, cells: int = 1) -> Sums:
        zero, wide = np.zeros(cells), np.zeros((cells, self.width))
        return Sums(wide, wide, np.zeros(cells, np.int64), zero, zero)

    def observe(self, rows: Rows, cell: Array | None = None, cells: int = 1) -> Sums:
        known = None if rows.weight is not None or cell is not None else _over_all(self.of, rows)
        if known is not None:
            count, total = np.array([len(rows.truth)]), np.array([float(len(rows.truth))])
            return Sums(known[0][None], known[1][None], count, total, total)
        values = np.asarray(self.of.per_row(rows), np.float64)
        values = values[:, None] if values.ndim == 1 else values
        count = np.array([len(values)]) if cell is None else np.bincount(cell, minlength=cells)
        found = moments(values, rows.weight, cell, cells)
        total, mean, m2 = found[0], _widened(found[1], self.width), _widened(found[2], self.width)
        squares = total if rows.weight is None else sum_by(cell, cells, rows.weight**2)
        return Sums(mean, m2, count, total, squares)

    def merge(self, a: Sums, b: Sums) -> Sums:
        return self.join((a, b))

    def join(self, values: Sequence[Sums]) -> Sums:
        means, m2s, rows, weights, squares = (np.stack(parts) for parts in zip(*values, strict=True))
        weight, mean, m2 = join_moments(weights, means, m2s)
        return Sums(mean, m2, rows.sum(axis=0), weight, squares.sum(axis=0))

    def take(self, value: Sums, cells: slice) -> Sums:
        return Sums(*(array[cells] for array in value))

    def pool(self, value: Sums, times: Array) -> Sums:
        weight = times @ value.weight
        infinite = ~np.isfinite(value.mean)
        finite = np.where(infinite, 0.0, value.mean)
        centre = divide(value.weight @ finite, value.weight.sum())
        shifted = finite - centre
        mean = divide(times @ (value.weight[:, None] * shifted), weight[:, None])
        m2 = times @ (value.m2 + value.weight[:, None] * shifted**2) - weight[:, None] * mean**2
        mean = np.where(times @ (infinite * value.weight[:, None]) > 0, np.inf, mean + centre)
        return Sums(
            np.where(weight[:, None] > 0, mean, 0.0),
            np.maximum(m2, 0),
            times @ value.rows,
            weight,
            times @ value.squares,
        )

    def summary(self, value: Sums, schema: Schema) -> Sums:
        empty = value.weight == 0
        return value._replace(
            mean=np.where(empty[:, None], np.nan, value.mean), m2=np.where(empty[:, None], np.nan, value.m2)
        )


def _over_all(of: RowWise, rows: Rows) -> tuple[Array, Array] | None:
    read = getattr(of, "over_all", None)
    return None if read is None else cast("tuple[Array, Array] | None", read(rows))


def _widened(values: Array, width: int) -> Array:
    """Columns that a batch leaves out, since they are 0 in all its rows, put in."""
    return values if values.shape[1] == width else np.pad(values, ((0, 0), (0, width - values.shape[1])))


def is_beyond(rows: int, schema: Schema) -> bool:
    """Whether so many streamed rows are too many to keep what every row has."""
    return rows * max(schema.k, 1) > MOST
