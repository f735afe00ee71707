"""Class counts."""

from dataclasses import dataclass

import numpy as np

from assay.kernels import Array
from assay.states.base import State
from assay.table.predictions import Rows
from assay.table.schema import Schema

__all__ = ["ClassRows"]


@dataclass(frozen=True)
class ClassRows(State[Array]):
    """Number of rows of each class (cells, k), whatever their weight; of each label's rarer value, for multi-label."""

    def empty(self, schema: Schema, cells: int = 1) -> Array:
        return np.zeros((cells, schema.k, 2), np.int64)

    def observe(self, rows: Rows, cell: Array | None = None, cells: int = 1) -> Array:
        k, code = rows.schema.k, np.zeros(len(rows.truth), np.int64) if cell is None else cell
        there: Array
        if rows.schema.task == "multilabel":
            there = np.stack([np.bincount(code, column, cells) for column in rows.truth.T], axis=1)
        elif k:
            there = np.bincount(code * k + rows.truth, minlength=cells * k).reshape(cells, k)
        else:
            there = np.zeros((cells, 0), np.int64)
        return np.stack(
            [there, np.bincount(code, minlength=cells)[:, None] - there], axis=2
        ).astype(np.int64)

    def merge(self, a: Array, b: Array) -> Array:
        return np.asarray(a + b)

    def select(self, value: Array, cells: slice) -> Array:
        return value[cells]

    def resample(self, value: Array, times: Array) -> Array:
        return np.asarray(np.tensordot(times, value, axes=1))

    def summary(self, value: Array, schema: Schema) -> Array:
        return np.asarray(value.min(axis=2) if schema.task == "multilabel" else value[:, :, 0])
