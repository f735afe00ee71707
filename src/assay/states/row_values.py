"""Row values: states that keep something of every row, for metrics that no sum gives.

Such metrics are read off the order of the rows (AUC) or off quantiles (median error).

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
from assay.states.sketch import SPARSE, Grid, Sketch, choose_grid
from assay.table.predictions import Predictions
from assay.table.rows import Rows
from assay.table.schema import Schema

__all__ = ["Chunk", "Chunks", "Ranked", "RowState", "ValueTable", "Values", "is_long"]

# Rows of a table in memory whose values are computed at a time.
READ_ROWS = 1 << 17


@dataclass(frozen=True, eq=False)
class LazyValues:
    """What `of` gives for each row of a batch in memory, computed some rows at a time when read."""

    of: RowWise
    batch: Predictions
    model: str

    def __len__(self) -> int:
        return self.batch.n

    @property
    def pieces(self) -> list[Callable[[], Array]]:
        """What computes the values, (m,) or (m, d), of consecutive rows."""
        return [partial(self._read_block, start) for start in range(0, len(self), READ_ROWS)]

    def every(self, step: int) -> Array:
        """The values of one row in `step`."""
        return self._compute(self.batch.every(step))

    def _read_block(self, start: int) -> Array:
        return self._compute(self.batch.slice(start, start + READ_ROWS))

    def _compute(self, batch: Predictions) -> Array:
        with np.errstate(over="ignore", invalid="ignore"):  # as where batches are observed
            return np.asarray(self.of.compute_rows(batch.rows(self.model)), np.float64)


class Chunk(NamedTuple):
    """What is kept of a batch: values (n,) or (n, d), truth, weight or None, and stratum or None.

    `counts` (b, strata), if not None, makes them b replicates: how often each stratum enters each.
    """

    values: Array | LazyValues
    truth: Array
    weight: Array | None
    stratum: Array | None
    counts: Array | None = None
    merged_rows: int = 0  # rows it stands for, where rows of nearly equal values were made one

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.merged_rows or len(self.values)


class Chunks(tuple[Any, ...]):
    """Chunks (or one sketch), in the order of the rows."""

    __slots__ = ()

    @property
    def rows(self) -> Array:
        """Number of rows in each stratum, up to the last filled one; (1,) without strata."""
        chunks = [part for part in self if isinstance(part, Chunk)]
        strata = [chunk.stratum for chunk in chunks if chunk.stratum is not None]
        if not strata:
            return np.array([sum(part.rows for part in self)])
        size = max(int(stratum.max(initial=0)) for stratum in strata) + 1
        return np.asarray(sum(np.bincount(stratum, minlength=size) for stratum in strata))


@dataclass(frozen=True)
class RowState(State[Chunks]):
    """Base of states that keep something of every row, as chunks in row order: views, in memory.

    Of a stream of very many values they keep what a bounded sketch can: see `Ranked` and `Values`.
    """

    keeps = True

    def empty(self, schema: Schema, strata: int = 1) -> Chunks:
        return Chunks()

    def merge(self, a: Chunks, b: Chunks) -> Chunks:
        return self.join((a, b))

    def join(self, values: Sequence[Chunks]) -> Chunks:
        return Chunks(chunk for value in values for chunk in value)

    def select(self, value: Chunks, strata: slice) -> Chunks:
        return Chunks(_select_strata(chunk, strata) for chunk in value)

    def resample(self, value: Chunks, counts: Array) -> Chunks:
        if len(counts) == 1 and (counts == 1).all():
            return value
        return Chunks(chunk._replace(counts=counts) for chunk in value)

    def pool(self, value: Chunks, strata: int) -> Chunks:
        if value and isinstance(value[0], Sketch):
            return self.resample(value, np.ones((1, strata), np.int64))
        return Chunks(chunk._replace(stratum=None) for chunk in value)

    def dump(self, value: Chunks) -> dict[str, Array]:
        if value and isinstance(value[0], Sketch):
            return value[0].dump()
        whole = _join_chunks(value)
        arrays = {
            "merged": np.array(whole.merged_rows),
            "values": _read(whole.values),
            "truth": whole.truth,
        }
        if whole.weight is not None:
            arrays["weight"] = whole.weight
        if whole.stratum is not None:
            arrays["cell"] = whole.stratum
        return arrays

    def load(self, arrays: Mapping[str, Array], schema: Schema) -> Chunks:
        if "place" in arrays:
            return Chunks([Sketch.load(arrays)])
        chunk = Chunk(
            arrays["values"],
            arrays["truth"],
            arrays.get("weight"),
            arrays.get("cell"),
            merged_rows=int(arrays["merged"]),
        )
        return Chunks([chunk])


class Ranked(RowState):
    """The scores themselves, for ranking metrics: exact, and as large as the score columns.

    Of a long stream it is a sketch, which counts the rows in a million cells of score; metrics read
    off it come with a bound of their error.
    """

    def observe(self, rows: Rows, stratum: Array | None = None, strata: int = 1) -> Chunks:
        if is_long(rows):
            return Chunks([_sketch(rows, stratum, strata)])
        score = np.ascontiguousarray(rows.score) if rows.predictions.streamed else rows.score
        return Chunks([Chunk(score, rows.truth, rows.weight, stratum)])

    def unify(self, values: Sequence[Chunks], schema: Schema) -> list[Chunks]:
        """The `values` of separate jobs on tables of this `schema`: all sketches where one is."""
        parts = (part for value in values for part in value)
        grid = next((part.grid for part in parts if isinstance(part, Sketch)), None)
        if grid is None:
            return list(values)
        return [Chunks(_condense(part, schema, grid) for part in value) for value in values]

    def join(self, values: Sequence[Chunks]) -> Chunks:
        parts = super().join(values)
        sketches = [part for part in parts if isinstance(part, Sketch)]
        return Chunks([Sketch.join(sketches)]) if sketches else parts

    def select(self, value: Chunks, strata: slice) -> Chunks:
        if value and isinstance(value[0], Sketch):
            return Chunks([value[0].select(strata.start, strata.stop)])
        return super().select(value, strata)

    def resample(self, value: Chunks, counts: Array) -> Chunks:
        if value and isinstance(value[0], Sketch):
            return Chunks([value[0].resample(counts)])
        return super().resample(value, counts)

    def summary(self, value: Chunks, schema: Schema) -> Ranking:
        if value and isinstance(value[0], Sketch):
            return value[0].ranking(schema)
        empty = np.zeros((0,) if schema.task == "binary" else (0, schema.k))
        score = _join([_read(chunk.values) for chunk in value], empty)
        no_truth = empty if schema.task == "multilabel" else np.zeros(0, np.uint8)
        truth = _join([chunk.truth for chunk in value], no_truth)
        weight = _concatenate([chunk.weight for chunk in value])
        return Ranking(score, truth, weight, schema, *_join_draws(value))


@dataclass(frozen=True)
class Values(RowState):
    """What `of` gives for every row, (n,) or (n, width): for quantiles, extremes and ranks.

    Of a long stream single values are kept to 20 binary places (a relative error of 5e-7), with how
    many rows have them.
    """

    of: RowWise
    width: int = 1

    def is_bounded(self, strata: int = 1) -> bool:
        return self.width == 1 and strata == 1

    def observe(self, rows: Rows, stratum: Array | None = None, strata: int = 1) -> Chunks:
        if not rows.predictions.streamed and stratum is None:
            lazy = LazyValues(self.of, rows.predictions, rows.model)
            return Chunks([Chunk(lazy, rows.truth, rows.weight, None)])
        values = np.asarray(self.of.compute_rows(rows), np.float64)
        if not is_long(rows):
            return Chunks([Chunk(values, rows.truth, rows.weight, stratum)])
        if not self.is_bounded(strata):
            raise UnsupportedError(
                "what is kept of every row has no bounded form over so many rows; ask for fewer"
            )
        return _round_chunk(values, rows.weight, len(values))

    def join(self, values: Sequence[Chunks]) -> Chunks:
        parts = super().join(values)
        if not any(part.merged_rows for part in parts):
            return parts
        weights = [
            np.ones(len(part.values)) if part.weight is None else part.weight for part in parts
        ]
        return _round_chunk(
            np.concatenate([_read(part.values) for part in parts]),
            np.concatenate(weights),
            sum(part.rows for part in parts),
        )

    def summary(self, value: Chunks, schema: Schema) -> "ValueTable":
        weight = _concatenate([chunk.weight for chunk in value])
        rounded = any(chunk.merged_rows for chunk in value)
        parts = [chunk.values for chunk in value]
        return ValueTable(parts, self.width, weight, *_join_draws(value), rounded)


@dataclass(frozen=True, eq=False)
class ValueTable:
    """Values (n, width) and weights of all rows, in parts.

    `counts` (b, strata), if not None, makes them b replicates: how often each stratum enters each.
    """

    parts: Sequence[Array | LazyValues]
    width: int
    weight: Array | None
    stratum: Array | None = None
    counts: Array | None = None
    rounded: bool = False

    @lazy_property
    def values(self) -> Array:
        """The values of all rows (n, width)."""
        return _join([piece() for piece in self.pieces], np.zeros(0)).reshape(-1, self.width)

    @property
    def pieces(self) -> list[Callable[[], Array]]:
        """What gives the values, (m,) or (m, width), of consecutive rows."""
        return [piece for part in self.parts for piece in _list_pieces(part)]

    def sample(self, size: int) -> Array:
        """The values of about `size` rows, evenly spread, or of all."""
        step = max(1, sum(map(len, self.parts)) // size)
        sampled = [
            part.every(step) if isinstance(part, LazyValues) else part[::step]
            for part in self.parts
        ]
        return _join(sampled, np.zeros(0))

    def read(self, compute: Callable[[Array, Array | None], float]) -> Array:
        """What `compute`, given values and weights, makes of the rows (1,) or replicates (b,)."""
        if self.counts is None or self.stratum is None:
            return np.array([compute(self.values, self.weight)], np.float64)
        replicates = [compute(*self._draw(counts[self.stratum])) for counts in self.counts]
        return np.array(replicates, np.float64)

    def _draw(self, counts: Array) -> tuple[Array, Array]:
        """The values and weights of rows of which each enters as often as it `counts` (n,)."""
        drawn = counts > 0
        weight = counts[drawn] if self.weight is None else counts[drawn] * self.weight[drawn]
        return self.values[drawn], weight.astype(np.float64)


def is_long(rows: Rows) -> bool:
    """Whether the `rows` are of a stream that is too long to keep what every row has."""
    return is_beyond(rows.predictions.streamed, rows.schema)


def _sketch(rows: Rows, stratum: Array | None, strata: int) -> Sketch:
    if rows.weight is None and stratum is None and rows.ranks_odds:
        grid = choose_grid(False, rows.schema.k)
        if rows.n * SPARSE > grid.size:
            return Sketch.from_counts(grid, rows.count_odds(grid.coarse, grid.size), rows.n)
    unit = "score" not in rows.outputs and "logit" not in rows.outputs
    problems = _split_problems(rows.score, rows.truth, rows.schema)
    return Sketch.from_scores(*problems, rows.weight, stratum, strata, unit)


def _condense(part: Chunk | Sketch, schema: Schema, grid: Grid) -> Sketch:
    if isinstance(part, Sketch):
        return part
    problems = _split_problems(_read(part.values), part.truth, schema)
    return Sketch.from_scores(*problems, part.weight, None, 1, grid.unit)


def _split_problems(score: Array, truth: Array, schema: Schema) -> tuple[Array, Array]:
    """Scores (n, problems), and whether each row is positive there."""
    score = np.ascontiguousarray(score)
    if schema.task == "binary":
        return score[:, None], (truth == schema.positive_code)[:, None]
    if schema.task == "multilabel":
        return score, truth != 0
    return score, truth[:, None] == np.arange(schema.k)


def _select_strata(chunk: Chunk, strata: slice) -> Chunk:
    stratum = chunk.stratum
    if stratum is None:
        return chunk
    keep = (stratum >= strata.start) & (stratum < strata.stop)
    weight = None if chunk.weight is None else chunk.weight[keep]
    values = _read(chunk.values)[keep]
    return Chunk(values, chunk.truth[keep], weight, stratum[keep] - strata.start)


def _join_draws(value: Chunks) -> tuple[Array | None, Array | None]:
    """The stratum of each row (n,), and how often each enters each replicate.

    Chunks that were resampled by different counts have different strata.
    """
    draws = {id(c.counts): c.counts for c in value if c.counts is not None}
    if len(draws) < 2:
        return _concatenate([c.stratum for c in value]), next(iter(draws.values()), None)
    ends = np.cumsum([0, *(counts.shape[1] for counts in draws.values())])
    start = dict(zip(draws, ends.tolist(), strict=False))
    strata = [c.stratum + start[id(c.counts)] for c in value if c.stratum is not None]
    return np.concatenate(strata), np.concatenate(list(draws.values()), axis=1)


def _join_chunks(chunks: Chunks) -> Chunk:
    """All chunks as one."""
    nothing = np.zeros(0)
    return Chunk(
        values=_join([_read(c.values) for c in chunks], nothing),
        truth=_join([c.truth for c in chunks], nothing),
        weight=_concatenate([c.weight for c in chunks]),
        stratum=_concatenate([c.stratum for c in chunks]),
    )


def _list_pieces(values: Array | LazyValues) -> list[Callable[[], Array]]:
    return values.pieces if isinstance(values, LazyValues) else [lambda: values]


def _read(values: Array | LazyValues) -> Array:
    return _join([piece() for piece in _list_pieces(values)], np.zeros(0))


def _round_chunk(values: Array, weight: Array | None, rows: int) -> Chunks:
    """The values of so many `rows` as one chunk: distinct ones to 20 binary places, and weights."""
    bits = np.ascontiguousarray(values).view(np.int64)
    near = ((bits + (1 << 31)) >> 32 << 32).view(np.float64)
    distinct, place = np.unique(near, return_inverse=True)
    count = np.bincount(place, weight, len(distinct)).astype(np.float64)
    return Chunks([Chunk(distinct, distinct, count, None, None, rows)])


def _join(parts: Sequence[Array], empty: Array) -> Array:
    if not parts:
        return empty
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _concatenate(parts: Sequence[Array | None]) -> Array | None:
    arrays = [part for part in parts if part is not None]
    return np.concatenate(arrays) if arrays else None
