"""Confusion."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from assay.kernels import Array, count_pairs, sum_by
from assay.states.base import State
from assay.table.predictions import Rows
from assay.table.schema import DENSE, Schema

if TYPE_CHECKING:
    from assay.states.sparse import SparseTable

__all__ = ["Confusion", "ConfusionTable", "Counts"]


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
        shape = (
            (cells, schema.k, 2, 2) if schema.task == "multilabel" else (cells, schema.k, schema.k)
        )
        zero, none = np.zeros(cells, np.int64), np.zeros(0, np.int64)
        table = (
            _sparse(schema.k, cells, none, none)
            if _is_sparse(schema)
            else np.zeros(shape, np.int64)
        )
        return ConfusionTable(table, table, zero, zero, zero, zero)

    def observe(self, rows: Rows, cell: Array | None = None, cells: int = 1) -> ConfusionTable:
        weight = rows.weight
        count = np.bincount(cell, minlength=cells) if cell is not None else np.array([rows.n])
        table = _pairs(rows, weight, cell, cells)
        if (
            rows.schema.task == "multilabel"
            and weight is None
            and cell is None
            and rows.label_set_counts is not None
        ):
            right = np.einsum("iii->", rows.label_set_counts[1])[None]
        elif rows.schema.task == "multilabel":
            hit, true, said = rows.label_totals[1].T
            exact = (hit == true) & (hit == said)
            right = sum_by(cell, cells, exact if weight is None else exact * weight)
        else:
            hits = (
                np.diagonal(table, axis1=1, axis2=2)
                if isinstance(table, np.ndarray)
                else table.margins[0]
            )
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
        return ConfusionTable(
            table, table if same else _together(squared), *(reduce(np.add, part) for part in rest)
        )

    def select(self, value: ConfusionTable, cells: slice) -> ConfusionTable:
        return ConfusionTable(*(array[cells] for array in value))

    def resample(self, value: ConfusionTable, times: Array) -> ConfusionTable:
        exact = (
            len(times) == 1
        )  # integers are slow to multiply: only the whole, which must be exact, is
        return ConfusionTable(*(_join_cells(times, array, exact) for array in value))

    def dump(self, value: ConfusionTable) -> dict[str, Array]:
        if isinstance(value.table, np.ndarray):
            return super().dump(value)
        rest = {name: getattr(value, name) for name in ("right", "rows", "weight", "squares")}
        return {**rest, **value.table.dump("table"), **value.squared.dump("squared")}

    def load(self, arrays: Mapping[str, Array], schema: Schema) -> ConfusionTable:
        if not _is_sparse(schema):
            return super().load(arrays, schema)
        from assay.states.sparse import SparseTable

        table, squared = (SparseTable.load(arrays, name, schema.k) for name in ("table", "squared"))
        return ConfusionTable(
            table, squared, *(arrays[name] for name in ("right", "rows", "weight", "squares"))
        )

    def summary(self, value: ConfusionTable, schema: Schema) -> "Counts":
        table = value.table
        positive = schema.positive_code if schema.task == "binary" else None
        if schema.task == "multilabel":
            margins = table[..., 1, 1], table[..., 1, :].sum(axis=-1), table[..., :, 1].sum(axis=-1)
        elif isinstance(table, np.ndarray):
            margins = np.diagonal(table, axis1=-2, axis2=-1), table.sum(axis=-1), table.sum(axis=-2)
        else:
            margins = table.margins
        return Counts(
            *margins, value.weight, value.right, table, positive, schema.task == "multilabel"
        )


def _pairs(
    rows: Rows, weight: Array | None, cell: Array | None, cells: int
) -> "Array | SparseTable":
    """Counts of truth x prediction (cells, k, k), or (cells, labels, 2, 2) for multi-label."""
    k = rows.schema.k
    if rows.schema.task != "multilabel":
        if _is_sparse(rows.schema):
            return _sparse(k, cells, rows.truth, rows.label, cell, weight)
        if weight is None and cell is None:
            return rows.pairs[None]
        return count_pairs(rows.truth, rows.label, k, weight, cell, cells).reshape(cells, k, k)
    if weight is None and cell is None:
        hit, true, said = rows.label_totals[0] if rows.label_set_counts is None else rows.label_set_counts[0]
        whole = len(rows.truth)
        return np.stack([whole - true - said + hit, said - hit, true - hit, hit], axis=1).reshape(
            1, k, 2, 2
        )
    of_label = (
        count_pairs(t, p, 2, weight, cell, cells)
        for t, p in zip(rows.truth.T, rows.label.T, strict=True)
    )
    return np.stack([table.reshape(cells, 2, 2) for table in of_label], axis=1)


def _sparse(*given: Any) -> "SparseTable":
    from assay.states.sparse import SparseTable  # which few tables need

    return SparseTable(*given)


def _is_sparse(schema: Schema) -> bool:
    return schema.task != "multilabel" and schema.k > DENSE


def _together(tables: Sequence[Any]) -> Any:
    return reduce(np.add, tables) if isinstance(tables[0], np.ndarray) else tables[0].join(tables)


def _join_cells(times: Array, values: Any, exact: bool) -> Any:
    if not isinstance(values, np.ndarray):
        return values.resample(times)
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

    def select_class(self, code: int) -> "Counts":
        """The counts of one class alone, without the class axis."""
        return self._replace(
            tp=self.tp[..., code],
            support=self.support[..., code],
            predicted=self.predicted[..., code],
        )

    def select_classes(self, codes: Any) -> "Counts":
        """The counts of some classes alone."""
        at = list(codes)
        sample = None if self.sample is None else self.sample.select_classes(at)
        tp, support, predicted = self.tp[..., at], self.support[..., at], self.predicted[..., at]
        return self._replace(tp=tp, support=support, predicted=predicted, sample=sample)

    def sum_classes(self) -> "Counts":
        """The counts of all classes together (micro-averaging), without the class axis."""
        k = self.tp.shape[-1]
        tp, support, predicted = (x.sum(axis=-1) for x in (self.tp, self.support, self.predicted))
        return self._replace(tp=tp, support=support, predicted=predicted, total=self.total * k)
