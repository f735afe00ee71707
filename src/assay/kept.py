"""States that keep rows: for figures that no sum gives, of order (AUC) or of quantiles (median error).

>>> from assay.predictions import Predictions
>>> p = Predictions.from_arrays([0, 1, 1], {"m.score": [0.1, 0.7, 0.4]})
>>> state = Ranked()
>>> state.summary(state.observe(p.rows("m")), p.schema).read(lambda curve: curve.tp[-1]).tolist()
[2.0]
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from assay.order import Ranking
from assay.predictions import Rows
from assay.state import RowWise, State
from assay.table.labels import Array
from assay.table.schema import Schema

__all__ = ["Chunk", "Kept", "Ranked", "Table", "Values"]


class Chunk(NamedTuple):
    """What is kept of a batch: values (n,) or (n, d), truth, weight or None, and cell or None.

    `times` (b, cells), where given, makes them b replicates: how often each cell enters each of them.
    """

    values: Array
    truth: Array
    weight: Array | None
    cell: Array | None
    times: Array | None = None


@dataclass(frozen=True)
class Kept(State[tuple[Chunk, ...]]):
    """Base of states that keep something of every row, as chunks in row order; in memory they are views."""

    def empty(self, schema: Schema, cells: int = 1) -> tuple[Chunk, ...]:
        return ()

    def merge(self, a: tuple[Chunk, ...], b: tuple[Chunk, ...]) -> tuple[Chunk, ...]:
        return a + b

    def take(self, value: tuple[Chunk, ...], cells: slice) -> tuple[Chunk, ...]:
        def within(c: Chunk) -> Chunk:
            if c.cell is None:
                return c
            keep = (c.cell >= cells.start) & (c.cell < cells.stop)
            weight = None if c.weight is None else c.weight[keep]
            return Chunk(c.values[keep], c.truth[keep], weight, c.cell[keep] - cells.start)

        return tuple(within(c) for c in value)

    def pool(self, value: tuple[Chunk, ...], times: Array) -> tuple[Chunk, ...]:
        if len(times) == 1 and (times == 1).all():
            return value
        return tuple(c._replace(times=times) for c in value)


@dataclass(frozen=True)
class Ranked(Kept):
    """The scores themselves, for metrics of order; exact, and as large as the score columns."""

    def observe(self, rows: Rows, cell: Array | None = None, cells: int = 1) -> tuple[Chunk, ...]:
        return (Chunk(rows.score, rows.truth, rows.weight, cell),)

    def summary(self, value: tuple[Chunk, ...], schema: Schema) -> Ranking:
        empty = np.zeros((0,) if schema.task == "binary" else (0, schema.k))
        score = _join([c.values for c in value], empty)
        truth = _join([c.truth for c in value], np.zeros(0, np.uint8) if schema.task != "multilabel" else empty)
        weight, cell = _whole([c.weight for c in value]), _whole([c.cell for c in value])
        return Ranking(score, truth, weight, schema, cell, value[0].times if value else None)


@dataclass(frozen=True)
class Values(Kept):
    """What `of` gives for every row, (n,) or (n, width): for quantiles, extremes and ranks."""

    of: RowWise
    width: int = 1

    def observe(self, rows: Rows, cell: Array | None = None, cells: int = 1) -> tuple[Chunk, ...]:
        return (Chunk(np.asarray(self.of.per_row(rows), np.float64), rows.truth, rows.weight, cell),)

    def summary(self, value: tuple[Chunk, ...], schema: Schema) -> "Table":
        values = _join([c.values for c in value], np.zeros((0,) if self.width == 1 else (0, self.width)))
        weight, cell = _whole([c.weight for c in value]), _whole([c.cell for c in value])
        return Table(values.reshape(len(values), self.width), weight, cell, value[0].times if value else None)


@dataclass(frozen=True, eq=False)
class Table:
    """Values (n, width) and weights of all rows; with `times` (b, cells), b replicates of them."""

    values: Array
    weight: Array | None
    cell: Array | None = None
    times: Array | None = None

    def read(self, of_values: Callable[[Array, Array | None], float]) -> Array:
        """What `of_values(values, weight)` makes of the rows (1,), or of the rows of each replicate (b,)."""
        if self.times is None or self.cell is None:
            return np.array([of_values(self.values, self.weight)], np.float64)
        return np.array([of_values(*self._drawn(times[self.cell])) for times in self.times], np.float64)

    def _drawn(self, times: Array) -> tuple[Array, Array]:
        there = times > 0
        weight = times[there] if self.weight is None else times[there] * self.weight[there]
        return self.values[there], weight.astype(np.float64)


def _join(parts: Sequence[Array], empty: Array) -> Array:
    return parts[0] if len(parts) == 1 else np.concatenate(parts) if parts else empty


def _whole(parts: Sequence[Array | None]) -> Array | None:
    there = [part for part in parts if part is not None]
    return np.concatenate(there) if there else None
