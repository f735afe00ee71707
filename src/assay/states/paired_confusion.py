"""Paired confusion: how often each truth met each pair of predictions of two models.

From it follow the counts of either model under any reweighing of the rows.

>>> import numpy as np
>>> from assay.table.schema import Schema
>>> truth, predicted = np.array([0, 0, 1]), np.array([0, 1, 1])
>>> schema = Schema("multiclass", (0, 1), {"m": ("label",)})
>>> weights = np.array([[5.0, 1.0, 4.0]])
>>> compute_counts(weights, truth, predicted, schema, whole=True).tp.tolist()
[[5.0, 4.0]]
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from assay.kernels import Array
from assay.states.base import MOST_CLASSES, State
from assay.states.confusion import Counts
from assay.table.schema import Schema

__all__ = ["PairedConfusion", "PairedTable", "compute_counts"]


class PairedTable(NamedTuple):
    """Cells (truth, prediction of a, prediction of b) that occur: a code each, and its weight."""

    code: Array
    weight: Array
    squares: float  # total squared weight of the rows


@dataclass(frozen=True)
class PairedConfusion(State[PairedTable]):
    """How often each truth met each pair of predictions: all that pairs of count metrics need."""

    def empty(self, schema: Schema, strata: int = 1) -> PairedTable:
        return PairedTable(np.zeros(0, np.int64), np.zeros(0), 0.0)

    def observe(self, rows: Any, stratum: Array | None = None, strata: int = 1) -> PairedTable:
        k = rows.schema.k
        weight = rows.weight
        code = (rows.truth.astype(np.int64) * k + rows.a.label) * k + rows.b.label
        squares = float(len(code) if weight is None else (weight**2).sum())
        if k**3 <= 1 << 22:
            table = np.bincount(code, weight, minlength=1)
            occurring = np.flatnonzero(table)
            return PairedTable(occurring, table[occurring].astype(np.float64), squares)
        occurring, back = np.unique(code, return_inverse=True)
        return PairedTable(occurring, np.bincount(back, weight).astype(np.float64), squares)

    def merge(self, a: PairedTable, b: PairedTable) -> PairedTable:
        code, back = np.unique(np.concatenate([a.code, b.code]), return_inverse=True)
        weight = np.bincount(back, np.concatenate([a.weight, b.weight]), minlength=len(code))
        return PairedTable(code, weight, a.squares + b.squares)

    def select(self, value: PairedTable, strata: slice) -> PairedTable:
        return value

    def resample(self, value: PairedTable, counts: Array) -> PairedTable:
        return value

    def summary(self, value: PairedTable, schema: Schema) -> PairedTable:
        return value


def compute_counts(
    weights: Array, truth: Array, predicted: Array, schema: Schema, whole: bool
) -> Counts:
    """Counts of one model in each of b reweighings of the cells.

    `weights` (b, c) are those of the cells, `truth` and `predicted` (c,) their codes by `schema`.
    The `whole` confusion table comes only if asked for: of very many classes most metrics need the
    margins alone, and tables of all replicates would fill the memory.
    """
    k = schema.k
    right = truth == predicted
    tp = _sum_by_code(weights[:, right], truth[right], k)
    support = _sum_by_code(weights, truth, k)
    marginal = _sum_by_code(weights, predicted, k)
    if whole:
        tables = _sum_by_code(weights, truth * k + predicted, k * k).reshape(-1, k, k)
    else:
        tables = np.empty((len(weights), 0, 0))
    positive = schema.positive_code if schema.task == "binary" else None
    total = weights.sum(axis=1)
    right = tp.sum(axis=1)
    return Counts(tp, support, marginal, total, right, tables, positive, classes=schema.classes)


def _sum_by_code(weight: Array, code: Array, k: int) -> Array:
    """Sums of the columns of `weight` (b, c) that share a code (b, k)."""
    if MOST_CLASSES < k <= len(code):
        from scipy.sparse import csr_array

        into = csr_array((np.ones(len(code)), (code, np.arange(len(code)))), shape=(k, len(code)))
        return np.asarray((into @ weight.T).T)
    sums = np.zeros((len(weight), k))
    order = np.argsort(code, kind="stable")
    starts = np.flatnonzero(np.diff(code[order], prepend=-1))
    if len(starts):
        sums[:, code[order][starts]] = np.add.reduceat(weight[:, order], starts, axis=1)
    return sums
