"""Confusion: how often each class was predicted for each true class, which count metrics read.

>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays(["a", "b", "b"], {"m": ["a", "a", "b"]})
>>> counts = Confusion().summary(Confusion().observe(p.rows("m")), p.schema)
>>> counts.tp.tolist(), counts.support.tolist(), counts.predicted.tolist()
([[1, 1]], [[1, 2]], [[2, 1]])
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from assay.kernels import Array, count_pairs, sum_by
from assay.states.base import State, leave_out_empty
from assay.table.label_sets import Label
from assay.table.rows import Rows
from assay.table.schema import DENSE, Schema

if TYPE_CHECKING:
    from assay.states.sparse import SparseTable

__all__ = ["Confusion", "ConfusionTable", "Counts", "are_numbers"]


class ConfusionTable(NamedTuple):
    """Counts (or weights) of truth x prediction by stratum.

    The tables are (strata, k, k), or (strata, labels, 2, 2) for multi-label; sparse where classes
    are very many.
    """

    table: Any  # an array, or a SparseTable
    squared: Any  # like `table`, of squared weights: what a weighted proportion rests on
    right: Array  # (strata,) weight of the rows that are right in full
    rows: Array  # (strata,) number of rows, int64
    weight: Array  # (strata,) total weight
    squares: Array  # (strata,) total squared weight, for the effective sample size


# The fields of a ConfusionTable that have one number a stratum.
TOTALS = ("right", "rows", "weight", "squares")
# Classes up to which each kind of row is added up by itself.
MOST_APART = 64


@dataclass(frozen=True)
class Confusion(State[ConfusionTable]):
    """How often each class was predicted for each true class; of multi-label, 2 x 2 per label."""

    def empty(self, schema: Schema, strata: int = 1) -> ConfusionTable:
        zero = np.zeros(strata, np.int64)
        if _is_sparse(schema):
            nothing = np.zeros(0, np.int64)
            table: Any = _make_sparse(schema.k, strata, nothing, nothing)
        elif schema.task == "multilabel":
            table = np.zeros((strata, schema.k, 2, 2), np.int64)
        else:
            table = np.zeros((strata, schema.k, schema.k), np.int64)
        return ConfusionTable(table, table, zero, zero, zero, zero)

    def observe(self, rows: Rows, stratum: Array | None = None, strata: int = 1) -> ConfusionTable:
        weight = rows.weight
        table = _count(rows, weight, stratum, strata)
        right = _count_right(rows, table, stratum, strata)
        count = np.array([rows.n]) if stratum is None else np.bincount(stratum, minlength=strata)
        if weight is None:
            return ConfusionTable(table, table, right.astype(np.int64), count, count, count)
        squared = _count(rows, weight**2, stratum, strata)
        total = sum_by(stratum, strata, weight)
        squares = sum_by(stratum, strata, weight**2)
        return ConfusionTable(table, squared, right, count, total, squares)

    def merge(self, a: ConfusionTable, b: ConfusionTable) -> ConfusionTable:
        return self.join((a, b))

    def join(self, values: Sequence[ConfusionTable]) -> ConfusionTable:
        filled = [value for value in values if value.rows.any()] or list(values[:1])
        tables, squared, *totals = zip(*filled, strict=True)
        table = _add_tables(tables)
        same = all(value.squared is value.table for value in filled)
        return ConfusionTable(
            table, table if same else _add_tables(squared), *(reduce(np.add, t) for t in totals)
        )

    def select(self, value: ConfusionTable, strata: slice) -> ConfusionTable:
        return ConfusionTable(*(array[strata] for array in value))

    def resample(self, value: ConfusionTable, counts: Array) -> ConfusionTable:
        if isinstance(value.table, np.ndarray):
            value, counts = leave_out_empty(value, counts)
        # Integers are slow to multiply: only the whole, which must be exact, is kept in them.
        exact = len(counts) == 1
        return ConfusionTable(*(_join_strata(counts, array, exact) for array in value))

    def dump(self, value: ConfusionTable) -> dict[str, Array]:
        if isinstance(value.table, np.ndarray):
            return super().dump(value)
        totals = {name: getattr(value, name) for name in TOTALS}
        return {**totals, **value.table.dump("table"), **value.squared.dump("squared")}

    def load(self, arrays: Mapping[str, Array], schema: Schema) -> ConfusionTable:
        if not _is_sparse(schema):
            return super().load(arrays, schema)
        from assay.states.sparse import SparseTable

        table = SparseTable.load(arrays, "table", schema.k)
        squared = SparseTable.load(arrays, "squared", schema.k)
        return ConfusionTable(table, squared, *(arrays[name] for name in TOTALS))

    def summary(self, value: ConfusionTable, schema: Schema) -> "Counts":
        table = value.table
        positive = schema.positive_code if schema.task == "binary" else None
        multilabel = schema.task == "multilabel"
        if multilabel:
            margins = table[..., 1, 1], table[..., 1, :].sum(axis=-1), table[..., :, 1].sum(axis=-1)
        elif isinstance(table, np.ndarray):
            margins = np.diagonal(table, axis1=-2, axis2=-1), table.sum(axis=-1), table.sum(axis=-2)
        else:
            margins = table.margins
        counts = Counts(
            *margins, value.weight, value.right, table, positive, multilabel, schema.classes
        )
        return counts._replace(apart=_count_apart(table, multilabel))


def _count(
    rows: Rows, weight: Array | None, stratum: Array | None, strata: int
) -> "Array | SparseTable":
    """Counts of truth x prediction (strata, k, k), or (strata, labels, 2, 2) for multi-label."""
    k = rows.schema.k
    whole = weight is None and stratum is None
    if rows.schema.task == "multilabel":
        if whole:
            return _tabulate_labels(rows)
        tables = [
            count_pairs(true, predicted, 2, weight, stratum, strata).reshape(strata, 2, 2)
            for true, predicted in zip(rows.truth.T, rows.label.T, strict=True)
        ]
        return np.stack(tables, axis=1)
    if _is_sparse(rows.schema):
        return _make_sparse(k, strata, rows.truth, rows.label, stratum, weight)
    if whole:
        return rows.pairs[None]
    table = count_pairs(rows.truth, rows.label, k, weight, stratum, strata)
    return table.reshape(strata, k, k)


def _tabulate_labels(rows: Rows) -> Array:
    """The table of each label (1, labels, 2, 2), from totals that other metrics share."""
    sets = rows.label_set_counts
    hit, true, predicted = (rows.label_totals if sets is None else sets)[0]
    neither = len(rows.truth) - true - predicted + hit
    cells = np.stack([neither, predicted - hit, true - hit, hit], axis=1)
    return cells.reshape(1, rows.schema.k, 2, 2)


def _count_right(rows: Rows, table: Any, stratum: Array | None, strata: int) -> Array:
    """Weight of the rows that are right in full (strata,)."""
    if rows.schema.task != "multilabel":
        dense = isinstance(table, np.ndarray)
        hits = np.diagonal(table, axis1=1, axis2=2) if dense else table.margins[0]
        return np.asarray(hits.sum(axis=1))
    if rows.weight is None and stratum is None and rows.label_set_counts is not None:
        # Rows with as many hits as true and as predicted labels.
        return np.asarray(np.einsum("iii->", rows.label_set_counts[1])[None])
    hit, true, predicted = rows.label_totals[1].T
    exact = (hit == true) & (hit == predicted)
    return sum_by(stratum, strata, exact if rows.weight is None else exact * rows.weight)


def _make_sparse(*parts: Any) -> "SparseTable":
    from assay.states.sparse import SparseTable  # which few tables need

    return SparseTable(*parts)


def _is_sparse(schema: Schema) -> bool:
    return schema.task != "multilabel" and schema.k > DENSE


def _add_tables(tables: Sequence[Any]) -> Any:
    return reduce(np.add, tables) if isinstance(tables[0], np.ndarray) else tables[0].join(tables)


def _join_strata(counts: Array, values: Any, exact: bool) -> Any:
    if not isinstance(values, np.ndarray):
        return values.resample(counts)
    if not exact:
        counts = counts.astype(np.float64)
        values = values.astype(np.float64)
    return np.asarray(np.tensordot(counts, values, axes=1))


def are_numbers(classes: Sequence[Label]) -> bool:
    """Whether the `classes` are all numbers, so that their distances are known.

    >>> are_numbers([1, 2, 4]), are_numbers([False, True]), are_numbers(["1", "2"])
    (True, False, False)
    """
    return set(map(type, classes)) == {int}


class Counts(NamedTuple):
    """True positives, true rows and predicted rows per class, each (..., k), and totals (...,).

    `total` is the total weight and `right` that of the rows that are right in full. `table` is the
    whole confusion table (..., k, k), or (..., labels, 2, 2), a `SparseTable` of very many classes.
    `positive` is the code of the positive class (binary), `classes` the labels of all. Leading axes
    are free: groups, resampling units or bootstrap replicates.
    """

    tp: Array
    support: Array
    predicted: Array
    total: Array
    right: Array
    table: Any
    positive: int | None = None
    multilabel: bool = False
    classes: tuple[Label, ...] = ()
    sample: "Counts | None" = None  # what these counts were drawn from, where they are replicates
    # Weights of false positives, false negatives and true negatives, each added up by itself:
    # differences of sums lose those that are many orders smaller than the others.
    apart: tuple[Array, Array, Array] | None = None

    @property
    def fp(self) -> Array:
        """Predicted but not true (..., k).

        Sums of weights may differ by a rounding error, hence not below 0.
        """
        if self.apart is not None:
            return self.apart[0]
        return np.asarray(np.maximum(self.predicted - self.tp, 0))

    @property
    def fn(self) -> Array:
        """True but not predicted (..., k)."""
        if self.apart is not None:
            return self.apart[1]
        return np.asarray(np.maximum(self.support - self.tp, 0))

    @property
    def all(self) -> Array:
        """Total weight, shaped to stand beside per-class counts (..., k) or pooled ones (...,)."""
        return np.asarray(self.total[..., None] if self.tp.ndim > self.total.ndim else self.total)

    @property
    def tn(self) -> Array:
        """Neither true nor predicted (..., k)."""
        if self.apart is not None:
            return self.apart[2]
        return np.asarray(np.maximum(self.all - self.support - self.predicted + self.tp, 0))

    @property
    def negatives(self) -> Array:
        """Weight of the rows not of each class (..., k)."""
        if self.apart is not None:
            return self.fp + self.tn
        return self.drop_rounding(self.all - self.support)

    @property
    def never_predicted(self) -> Array:
        """Weight of the rows not predicted as each class (..., k)."""
        if self.apart is not None:
            return self.fn + self.tn
        return self.drop_rounding(self.all - self.predicted)

    def drop_rounding(self, difference: Array) -> Array:
        """A `difference` of sums, and 0 where it is no more than their rounding error."""
        if self.apart is not None:
            return np.asarray(difference, np.float64)
        return np.where(difference > 1e-12 * self.all, difference, 0).astype(np.float64)

    @property
    def grades(self) -> Array:
        """Where each class stands (k,): at its value if all are numbers, else at its place."""
        if are_numbers(self.classes):
            return np.array(self.classes, np.float64)
        return np.arange(self.tp.shape[-1], dtype=np.float64)

    def select_class(self, code: int) -> "Counts":
        """The counts of the class of a `code` alone, without the class axis."""
        return self._replace(
            tp=self.tp[..., code],
            support=self.support[..., code],
            predicted=self.predicted[..., code],
            apart=_map_apart(self.apart, lambda each: each[..., code]),
        )

    def select_classes(self, codes: Any) -> "Counts":
        """The counts of the classes of some `codes` alone."""
        at = list(codes)
        return self._replace(
            tp=self.tp[..., at],
            support=self.support[..., at],
            predicted=self.predicted[..., at],
            sample=None if self.sample is None else self.sample.select_classes(at),
            apart=_map_apart(self.apart, lambda each: each[..., at]),
        )

    def sum_classes(self) -> "Counts":
        """The counts of all classes together (micro-averaging), without the class axis."""
        return self._replace(
            tp=self.tp.sum(axis=-1),
            support=self.support.sum(axis=-1),
            predicted=self.predicted.sum(axis=-1),
            total=self.total * self.tp.shape[-1],
            apart=_map_apart(self.apart, lambda each: each.sum(axis=-1)),
        )


Apart: TypeAlias = tuple[Array, Array, Array]


def _map_apart(apart: Apart | None, change: Callable[[Array], Array]) -> Apart | None:
    if apart is None:
        return None
    first, second, third = map(change, apart)
    return first, second, third


def _count_apart(table: Any, multilabel: bool) -> Apart | None:
    """Weights of each kind of row but the true positives (1, k); None for counts, which are exact.

    Neither of replicates, nor of very many classes.
    """
    if not isinstance(table, np.ndarray) or table.dtype.kind != "f" or len(table) != 1:
        return None
    if multilabel:
        return table[..., 0, 1], table[..., 1, 0], table[..., 0, 0]
    k = table.shape[-1]
    if k > MOST_APART:
        return None
    others = 1.0 - np.eye(k)
    wrong = table * others
    return wrong.sum(axis=-2), wrong.sum(axis=-1), ((others @ table) * others).sum(axis=-1)
