"""joint: how often each truth met each pair of predictions, and what either model's counts are in any reweighing of it.

>>> import numpy as np
>>> from assay.table.schema import Schema
>>> truth, said = np.array([0, 0, 1]), np.array([0, 1, 1])
>>> schema = Schema("multiclass", (0, 1), {"m": ("label",)})
>>> compute_counts(np.array([[5.0, 1.0, 4.0]]), truth, said, schema, whole=True).tp.tolist()
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
    """Cells (truth, prediction of a, prediction of b) that occur, as one code each, with their weight."""

    code: Array
    weight: Array
    squares: float


@dataclass(frozen=True)
class PairedConfusion(State[PairedTable]):
    """How often each truth met each pair of predictions: all that a paired comparison of count metrics needs."""

    def empty(self, schema: Schema, cells: int = 1) -> PairedTable:
        return PairedTable(np.zeros(0, np.int64), np.zeros(0), 0.0)

    def observe(self, rows: Any, cell: Array | None = None, cells: int = 1) -> PairedTable:
        k, weight = rows.schema.k, rows.weight
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

    def select(self, value: PairedTable, cells: slice) -> PairedTable:
        return value

    def resample(self, value: PairedTable, times: Array) -> PairedTable:
        return value

    def summary(self, value: PairedTable, schema: Schema) -> PairedTable:
        return value


def compute_counts(shares: Array, truth: Array, said: Array, schema: Schema, whole: bool) -> Counts:
    """Counts of one model, from weights (b, c) of cells with their truth and its prediction; `whole`: with the table.

    Of very many classes most metrics need the margins alone, and tables of all replicates would fill the memory.
    """
    k = schema.k
    right = truth == said
    tp, support, predicted = (
        _sums(shares[:, of], code[of], k)
        for of, code in ((right, truth), (..., truth), (..., said))
    )
    tables = (
        _sums(shares, truth * k + said, k * k).reshape(-1, k, k)
        if whole
        else np.empty((len(shares), 0, 0))
    )
    positive = schema.positive_code if schema.task == "binary" else None
    return Counts(tp, support, predicted, shares.sum(axis=1), tp.sum(axis=1), tables, positive)


def _sums(weight: Array, code: Array, k: int) -> Array:
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
