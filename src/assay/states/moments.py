"""Moments."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np

from assay.kernels import Array, divide, merge_moments, compute_moments, sum_by
from assay.states.base import RowWise, State
from assay.table.predictions import Rows
from assay.table.schema import Schema

__all__ = ["Moments", "Sums"]


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
        known = None if rows.weight is not None or cell is not None else _batch_moments(self.of, rows)
        if known is not None:
            count, total = np.array([len(rows.truth)]), np.array([float(len(rows.truth))])
            return Sums(known[0][None], known[1][None], count, total, total)
        values = np.asarray(self.of.compute_rows(rows), np.float64)
        values = values[:, None] if values.ndim == 1 else values
        count = np.array([len(values)]) if cell is None else np.bincount(cell, minlength=cells)
        found = compute_moments(values, rows.weight, cell, cells)
        total, mean, m2 = found[0], _pad_columns(found[1], self.width), _pad_columns(found[2], self.width)
        squares = total if rows.weight is None else sum_by(cell, cells, rows.weight**2)
        return Sums(mean, m2, count, total, squares)

    def merge(self, a: Sums, b: Sums) -> Sums:
        return self.join((a, b))

    def join(self, values: Sequence[Sums]) -> Sums:
        means, m2s, rows, weights, squares = (
            np.stack(parts) for parts in zip(*values, strict=True)
        )
        weight, mean, m2 = merge_moments(weights, means, m2s)
        return Sums(mean, m2, rows.sum(axis=0), weight, squares.sum(axis=0))

    def select(self, value: Sums, cells: slice) -> Sums:
        return Sums(*(array[cells] for array in value))

    def resample(self, value: Sums, times: Array) -> Sums:
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
            mean=np.where(empty[:, None], np.nan, value.mean),
            m2=np.where(empty[:, None], np.nan, value.m2),
        )


def _batch_moments(of: RowWise, rows: Rows) -> tuple[Array, Array] | None:
    read = getattr(of, "batch_moments", None)
    return None if read is None else cast("tuple[Array, Array] | None", read(rows))


def _pad_columns(values: Array, width: int) -> Array:
    """Columns that a batch leaves out, since they are 0 in all its rows, put in."""
    return (
        values
        if values.shape[1] == width
        else np.pad(values, ((0, 0), (0, width - values.shape[1])))
    )
