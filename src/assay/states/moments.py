"""Moments: mean and spread of a value of each row, from which means over rows are read.

>>> from assay.metrics.regression import MSE
>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays([1.0, 2.0], {"m": [1.0, 4.0]}, task="regression")
>>> Moments(MSE()).observe(p.rows("m")).mean.tolist()
[[2.0]]
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np

from assay.kernels import Array, compute_moments, divide, find_rest, merge_moments, sum_by
from assay.states.base import RowWise, State, leave_out_empty
from assay.table.rows import Rows
from assay.table.schema import Schema

__all__ = ["Moments", "Sums"]

# Share of the mean below which a spread is read with the rest of the mean.
NEAR = 1e-5


class Sums(NamedTuple):
    """Weighted mean and centred second moment per stratum (strata, d), and totals (strata,)."""

    mean: Array
    m2: Array
    rows: Array  # number of rows, int64
    weight: Array  # total weight
    squares: Array  # total squared weight
    rest: Array  # what rounding leaves out of the mean (strata, d)


@dataclass(frozen=True)
class Moments(State[Sums]):
    """Mean and spread of a value of each row, centred in each stratum.

    Merged by the formula of Chan et al. (1983).
    """

    of: RowWise
    width: int = 1  # values a row

    def empty(self, schema: Schema, strata: int = 1) -> Sums:
        zero = np.zeros(strata)
        wide = np.zeros((strata, self.width))
        return Sums(wide, wide, np.zeros(strata, np.int64), zero, zero, wide)

    def observe(self, rows: Rows, stratum: Array | None = None, strata: int = 1) -> Sums:
        if rows.weight is None and stratum is None:
            shared = _read_batch_moments(self.of, rows)
            if shared is not None and not _is_far(*shared, len(rows.truth)):
                mean, m2 = shared
                count = np.array([len(rows.truth)])
                total = count.astype(np.float64)
                rest = np.zeros_like(mean[None])
                return Sums(mean[None], m2[None], count, total, total, rest)
        values = np.asarray(self.of.compute_rows(rows), np.float64)
        values = values[:, None] if values.ndim == 1 else values
        if stratum is None:
            count = np.array([len(values)])
        else:
            count = np.bincount(stratum, minlength=strata)
        total, *moments = compute_moments(values, rows.weight, stratum, strata)
        squares = total if rows.weight is None else sum_by(stratum, strata, rows.weight**2)
        mean, m2, rest = (_pad_columns(array, self.width) for array in moments)
        return Sums(mean, m2, count, total, squares, rest)

    def merge(self, a: Sums, b: Sums) -> Sums:
        return self.join((a, b))

    def join(self, values: Sequence[Sums]) -> Sums:
        parts = Sums(*map(np.stack, zip(*values, strict=True)))
        weight, mean, m2, rest = merge_moments(parts.weight, parts.mean, parts.m2, parts.rest)
        return Sums(mean, m2, parts.rows.sum(axis=0), weight, parts.squares.sum(axis=0), rest)

    def load(self, arrays: Mapping[str, Array], schema: Schema) -> Sums:
        # Version 2 of the format has no rest.
        return super().load({"rest": np.zeros_like(arrays["mean"]), **arrays}, schema)

    def select(self, value: Sums, strata: slice) -> Sums:
        return Sums(*(array[strata] for array in value))

    def resample(self, value: Sums, counts: Array) -> Sums:
        value, counts = leave_out_empty(value, counts)
        drawn = counts.astype(np.float64)  # once, not in every product
        weight = drawn @ value.weight
        infinite = ~np.isfinite(value.mean)
        finite = np.where(infinite, 0.0, value.mean)
        centre = divide(value.weight @ finite, value.weight.sum())
        shifted = finite - centre + np.where(infinite, 0.0, value.rest)
        apart = divide(drawn @ (value.weight[:, None] * shifted), weight[:, None])
        m2 = drawn @ (value.m2 + value.weight[:, None] * shifted**2) - weight[:, None] * apart**2
        mean = apart + centre
        rest = find_rest(centre, apart, mean)
        if infinite.any():
            mean = np.where(drawn @ (infinite * value.weight[:, None]) > 0, np.inf, mean)
        return Sums(
            np.where(weight[:, None] > 0, mean, 0.0),
            np.maximum(m2, 0),
            counts @ value.rows,
            weight,
            drawn @ value.squares,
            np.where(weight[:, None] > 0, rest, 0.0),
        )

    def summary(self, value: Sums, schema: Schema) -> Sums:
        empty = value.weight == 0
        return value._replace(
            mean=np.where(empty[:, None], np.nan, value.mean),
            m2=np.where(empty[:, None], np.nan, value.m2),
        )


def _is_far(mean: Array, m2: Array, n: int) -> bool:
    """Whether a column lies so far from 0 that the rounding of its mean shows in its spread."""
    return bool((m2 < n * (NEAR * mean) ** 2).any())


def _read_batch_moments(of: RowWise, rows: Rows) -> tuple[Array, Array] | None:
    read = getattr(of, "batch_moments", None)
    return None if read is None else cast("tuple[Array, Array] | None", read(rows))


def _pad_columns(values: Array, width: int) -> Array:
    """Put in the trailing columns that a batch leaves out, since they are 0 in all its rows."""
    if values.shape[1] == width:
        return values
    return np.pad(values, ((0, 0), (0, width - values.shape[1])))
