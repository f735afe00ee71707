"""States that keep rows: for figures that no sum gives, of order (AUC) or of quantiles (median error).

>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays([0, 1, 1], {"m.score": [0.1, 0.7, 0.4]})
>>> state = Ranked()
>>> state.summary(state.observe(p.rows("m")), p.schema).read(lambda curve: curve.tp[-1]).tolist()
[2.0]
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from assay.core.lazy import lazy_property
from assay.errors import UnsupportedError
from assay.kernels import Array
from assay.states.base import RowWise, State, is_beyond
from assay.states.ranking import Ranking
from assay.states.sketch import Grid, Sketch
from assay.table.predictions import Predictions, Rows
from assay.table.schema import Schema

__all__ = ["Chunk", "RowState", "Ranked", "ValueTable", "Values", "is_long"]

# Rows of a table in memory whose values are computed at a time.
READ = 1 << 17


@dataclass(frozen=True, eq=False)
class LazyValues:
    """What `of` gives for each row of a batch of a table in memory, computed when it is read, a few rows at a time."""

    of: RowWise
    batch: Predictions
    model: str

    def __len__(self) -> int:
        return self.batch.n

    @property
    def pieces(self) -> list[Callable[[], Array]]:
        """What computes the values, (m,) or (m, d), of consecutive rows."""
        return [partial(self._read_block, start) for start in range(0, len(self), READ)]

    def every(self, step: int) -> Array:
        """The values of one row in `step`."""
        return self._compute(self.batch.every(step))

    def _read_block(self, start: int) -> Array:
        return self._compute(self.batch.slice(start, start + READ))

    def _compute(self, batch: Predictions) -> Array:
        with np.errstate(over="ignore", invalid="ignore"):  # as where batches are observed
            return np.asarray(self.of.compute_rows(batch.rows(self.model)), np.float64)


class Chunk(NamedTuple):
    """What is kept of a batch: values (n,) or (n, d), truth, weight or None, and cell or None.

    `times` (b, cells), where given, makes them b replicates: how often each cell enters each of them.
    """

    values: Array | LazyValues
    truth: Array
    weight: Array | None
    cell: Array | None
    times: Array | None = None
    merged_rows: int = 0  # how many rows it stands for, where rows of all but equal values were made one

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.merged_rows or len(self.values)


class Chunks(tuple[Any, ...]):
    """Chunks (or one sketch), in the order of the rows."""

    __slots__ = ()

    @property
    def rows(self) -> Array:
        """Number of rows in each cell, up to the last filled one; (1,) where there are no cells."""
        cells = [part.cell for part in self if isinstance(part, Chunk) and part.cell is not None]
        if not cells:
            return np.array([sum(part.rows for part in self)])
        most = max((int(cell.max(initial=0)) for cell in cells), default=0) + 1
        return np.asarray(sum(np.bincount(cell, minlength=most) for cell in cells))


@dataclass(frozen=True)
class RowState(State[Chunks]):
    """Base of states that keep something of every row, as chunks in row order; in memory they are views.

    Of a stream of more than MOST values they keep what a bounded sketch can: see `Ranked` and `Values`.
    """

    keeps = True

    def empty(self, schema: Schema, cells: int = 1) -> Chunks:
        return Chunks()

    def merge(self, a: Chunks, b: Chunks) -> Chunks:
        return self.join((a, b))

    def join(self, values: Sequence[Chunks]) -> Chunks:
        return Chunks(chunk for value in values for chunk in value)

    def select(self, value: Chunks, cells: slice) -> Chunks:
        def within(c: Chunk) -> Chunk:
            if c.cell is None:
                return c
            keep = (c.cell >= cells.start) & (c.cell < cells.stop)
            weight = None if c.weight is None else c.weight[keep]
            return Chunk(_read(c.values)[keep], c.truth[keep], weight, c.cell[keep] - cells.start)

        return Chunks(within(c) for c in value)

    def resample(self, value: Chunks, times: Array) -> Chunks:
        if len(times) == 1 and (times == 1).all():
            return value
        return Chunks(c._replace(times=times) for c in value)

    def dump(self, value: Chunks) -> dict[str, Array]:
        if value and isinstance(value[0], Sketch):
            return value[0].dump()
        one = _join_chunks(value)
        named = {
            "values": _read(one.values),
            "truth": one.truth,
            "weight": one.weight,
            "cell": one.cell,
        }
        return {
            "merged": np.array(one.merged_rows),
            **{k: array for k, array in named.items() if array is not None},
        }

    def load(self, arrays: Mapping[str, Array], schema: Schema) -> Chunks:
        if "place" in arrays:
            return Chunks([Sketch.load(arrays)])
        weight, cell = arrays.get("weight"), arrays.get("cell")
        return Chunks(
            [Chunk(arrays["values"], arrays["truth"], weight, cell, None, int(arrays["merged"]))]
        )


class Ranked(RowState):
    """The scores themselves, for metrics of order: exact, and as large as the score columns; of a long stream a sketch.

    A sketch counts the rows in a million cells of score, and the figures read off it come with a bound of their error.
    """

    def observe(self, rows: Rows, cell: Array | None = None, cells: int = 1) -> Chunks:
        if is_long(rows):
            return Chunks([_sketch(rows, cell, cells)])
        score = np.ascontiguousarray(rows.score) if rows.predictions.streamed else rows.score
        return Chunks([Chunk(score, rows.truth, rows.weight, cell)])

    def unify(self, values: Sequence[Chunks], schema: Schema) -> list[Chunks]:
        """Values of separate jobs, all of them sketches where one is."""
        grid = next(
            (part.grid for value in values for part in value if isinstance(part, Sketch)), None
        )
        if grid is None:
            return list(values)
        return [Chunks(_condense(part, schema, grid) for part in value) for value in values]

    def join(self, values: Sequence[Chunks]) -> Chunks:
        parts = super().join(values)
        sketches = [part for part in parts if isinstance(part, Sketch)]
        return Chunks([Sketch.join(sketches)]) if sketches else parts

    def select(self, value: Chunks, cells: slice) -> Chunks:
        if value and isinstance(value[0], Sketch):
            return Chunks([value[0].select(cells.start, cells.stop)])
        return super().select(value, cells)

    def resample(self, value: Chunks, times: Array) -> Chunks:
        if value and isinstance(value[0], Sketch):
            return Chunks([value[0].resample(times)])
        return super().resample(value, times)

    def summary(self, value: Chunks, schema: Schema) -> Ranking:
        if value and isinstance(value[0], Sketch):
            return value[0].ranking(schema)
        empty = np.zeros((0,) if schema.task == "binary" else (0, schema.k))
        score = _join([_read(c.values) for c in value], empty)
        truth = _join(
            [c.truth for c in value],
            np.zeros(0, np.uint8) if schema.task != "multilabel" else empty,
        )
        return Ranking(score, truth, _concatenate([c.weight for c in value]), schema, *_join_draws(value))


@dataclass(frozen=True)
class Values(RowState):
    """What `of` gives for every row, (n,) or (n, width): for quantiles, extremes and ranks.

    Of a long stream single values are kept to 20 binary places (a relative error of 5e-7), with how many rows have
    them.
    """

    of: RowWise
    width: int = 1

    def is_bounded(self, cells: int = 1) -> bool:
        return self.width == 1 and cells == 1

    def observe(self, rows: Rows, cell: Array | None = None, cells: int = 1) -> Chunks:
        if not rows.predictions.streamed and cell is None:
            return Chunks(
                [
                    Chunk(
                        LazyValues(self.of, rows.predictions, rows.model), rows.truth, rows.weight, None
                    )
                ]
            )
        read = np.asarray(self.of.compute_rows(rows), np.float64)
        if not is_long(rows):
            return Chunks([Chunk(read, rows.truth, rows.weight, cell)])
        if not self.is_bounded(cells):
            raise UnsupportedError(
                "what is kept of every row has no bounded form over so many rows; ask for fewer"
            )
        values, count = _round_values(read, rows.weight)
        return Chunks([Chunk(values, values, count, None, None, len(read))])

    def join(self, values: Sequence[Chunks]) -> Chunks:
        parts = super().join(values)
        if not any(part.merged_rows for part in parts):
            return parts
        weights = [
            np.ones(len(part.values)) if part.weight is None else part.weight for part in parts
        ]
        found, count = _round_values(
            np.concatenate([_read(part.values) for part in parts]), np.concatenate(weights)
        )
        return Chunks([Chunk(found, found, count, None, None, sum(part.rows for part in parts))])

    def summary(self, value: Chunks, schema: Schema) -> "ValueTable":
        merged, weight = any(c.merged_rows for c in value), _concatenate([c.weight for c in value])
        return ValueTable([c.values for c in value], self.width, weight, *_join_draws(value), merged)


@dataclass(frozen=True, eq=False)
class ValueTable:
    """Values (n, width) and weights of all rows, in parts; with `times` (b, cells), b replicates of them."""

    parts: Sequence[Array | LazyValues]
    width: int
    weight: Array | None
    cell: Array | None = None
    times: Array | None = None
    rounded: bool = False

    @lazy_property
    def values(self) -> Array:
        """The values of all rows (n, width)."""
        return _join([piece() for piece in self.pieces], np.zeros(0)).reshape(-1, self.width)

    @property
    def pieces(self) -> list[Callable[[], Array]]:
        """What gives the values, (m,) or (m, width), of consecutive rows."""
        return [piece for part in self.parts for piece in _list_pieces(part)]

    def sample(self, enough: int) -> Array:
        """The values of about so many rows, evenly spread, or of all."""
        step = max(1, sum(map(len, self.parts)) // enough)
        sampled = [
            part.every(step) if isinstance(part, LazyValues) else part[::step] for part in self.parts
        ]
        return _join(sampled, np.zeros(0))

    def read(self, of_values: Callable[[Array, Array | None], float]) -> Array:
        """What `of_values(values, weight)` makes of the rows (1,), or of the rows of each replicate (b,)."""
        if self.times is None or self.cell is None:
            return np.array([of_values(self.values, self.weight)], np.float64)
        return np.array(
            [of_values(*self._draw(times[self.cell])) for times in self.times], np.float64
        )

    def _draw(self, times: Array) -> tuple[Array, Array]:
        there = times > 0
        weight = times[there] if self.weight is None else times[there] * self.weight[there]
        return self.values[there], weight.astype(np.float64)


def is_long(rows: Rows) -> bool:
    """Whether the rows are of a stream that is too long to keep what every row has."""
    return is_beyond(rows.predictions.streamed, rows.schema)


def _sketch(rows: Rows, cell: Array | None, cells: int) -> Sketch:
    unit = "score" not in rows.outputs and "logit" not in rows.outputs
    return Sketch.from_scores(
        *_problems(rows.score, rows.truth, rows.schema), rows.weight, cell, cells, unit
    )


def _problems(score: Array, truth: Array, schema: Schema) -> tuple[Array, Array]:
    """Scores (n, problems), and whether each row is positive there."""
    if schema.task == "binary":
        return np.ascontiguousarray(score)[:, None], (truth == schema.positive_code)[:, None]
    return np.ascontiguousarray(score), truth != 0 if schema.task == "multilabel" else truth[
        :, None
    ] == np.arange(schema.k)


def _condense(part: Chunk | Sketch, schema: Schema, grid: Grid) -> Sketch:
    if isinstance(part, Sketch):
        return part
    return Sketch.from_scores(
        *_problems(_read(part.values), part.truth, schema), part.weight, None, 1, grid.unit
    )


def _join_draws(value: Chunks) -> tuple[Array | None, Array | None]:
    """The cell of each row (n,), and how often each enters each replicate; cells that were drawn apart are apart."""
    drawn = {id(c.times): c.times for c in value if c.times is not None}
    if len(drawn) < 2:
        return _concatenate([c.cell for c in value]), next(iter(drawn.values()), None)
    ends = np.cumsum([0, *(times.shape[1] for times in drawn.values())])
    start = dict(zip(drawn, ends.tolist(), strict=False))
    cell = np.concatenate([c.cell + start[id(c.times)] for c in value if c.cell is not None])
    return cell, np.concatenate(list(drawn.values()), axis=1)


def _join_chunks(parts: Chunks) -> Chunk:
    """All chunks as one."""
    nothing = np.zeros(0)
    values = _join([_read(c.values) for c in parts], nothing)
    truth = _join([c.truth for c in parts], nothing)
    return Chunk(values, truth, _concatenate([c.weight for c in parts]), _concatenate([c.cell for c in parts]))


def _list_pieces(values: Array | LazyValues) -> list[Callable[[], Array]]:
    return values.pieces if isinstance(values, LazyValues) else [lambda: values]


def _read(values: Array | LazyValues) -> Array:
    return _join([piece() for piece in _list_pieces(values)], np.zeros(0))


def _round_values(values: Array, weight: Array | None) -> tuple[Array, Array]:
    """Distinct values to 20 binary places, ascending, and the weight of each."""
    bits = np.ascontiguousarray(values).view(np.int64)
    near = ((bits + (1 << 31)) >> 32 << 32).view(np.float64)
    found, place = np.unique(near, return_inverse=True)
    return found, np.bincount(place, weight, len(found)).astype(np.float64)


def _join(parts: Sequence[Array], empty: Array) -> Array:
    return parts[0] if len(parts) == 1 else np.concatenate(parts) if parts else empty


def _concatenate(parts: Sequence[Array | None]) -> Array | None:
    there = [part for part in parts if part is not None]
    return np.concatenate(there) if there else None
