"""Stream groups."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa

from assay.errors import ReadError, SchemaError, UnsupportedError
from assay.io.formats import is_text
from assay.io.stream import Stream
from assay.kernels import Array
from assay.table.groups import QUARTILES, _binned, _edges, _most_values, _names, _numbers
from assay.table.predictions import Predictions
from assay.table.quantiles import landmarks

__all__ = ["Crossed", "crossing_of", "distinct", "numbers"]

AT_ONCE = 1 << 20


def columns(stream: Stream, name: str) -> Iterator[pa.Array]:
    """A further column of a stream, a batch at a time; text by its dictionary."""
    import pyarrow.parquet as parquet

    for path, footer in stream.footers.items():
        coded = [name] if is_text(footer.schema.to_arrow_schema().field(name).type) else None
        try:
            with parquet.ParquetFile(path, metadata=footer, read_dictionary=coded) as file:
                yield from (batch.column(0) for batch in file.iter_batches(AT_ONCE, columns=[name]))
        except (pa.ArrowException, OSError) as error:
            raise ReadError(
                f"{path}: column {name!r} cannot be read ({error}); write it again"
            ) from error


def numbers(stream: Stream, name: str) -> Iterator[Array]:
    """A column of numbers of a stream, a batch at a time; missing ones are nan."""
    for column in columns(stream, name):
        column = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
        yield np.asarray(column.to_numpy(zero_copy_only=False), np.float64)


def distinct(stream: Stream, name: str, most: int) -> list[Any] | None:
    """The distinct values of a column in order, the missing one last; None as soon as there are more than `most`."""
    seen: dict[Any, None] = {}
    for column in columns(stream, name):
        found = column.unique().to_pylist() if len(column) else []
        seen.update(
            dict.fromkeys(
                "(missing)" if value is None or value != value else value for value in found
            )
        )
        if len(seen) > most:
            return None
    return sorted(seen, key=lambda value: (value == "(missing)", value))


MOST_GROUPS = 10_000  # values of a column of a stream


@dataclass(frozen=True, eq=False)
class Crossed:
    """Groups of a stream: every combination of the levels of its columns; and where each column of numbers was cut."""

    names: tuple[str, ...]
    levels: tuple[tuple[Any, ...], ...]
    cuts: Mapping[str, Array]

    @property
    def keys(self) -> tuple[tuple[Any, ...], ...]:
        """One key a group, whether or not a row has it."""
        return tuple(product(*self.levels))

    def of_batch(self, batch: Predictions) -> Array:
        """The codes (n,) of the rows of a batch."""
        code = np.zeros(batch.n, np.int64)
        for name, among in zip(self.names, self.levels, strict=True):
            place = {value: i for i, value in enumerate(among)}
            codes, values = (
                _binned(_numbers(batch, name), self.cuts[name])
                if name in self.cuts
                else batch.group(name)
            )
            code = code * len(among) + np.array([place[value] for value in values], np.int64)[codes]
        return code


def crossing_of(stream: Stream, names: Sequence[str]) -> Crossed:
    """The slices of a stream: those that `grouping_of` finds of the same rows in memory, and empty crosses."""
    found = {name: _levels_of(stream, name) for name in names}
    cuts = {name: edges for name, (_, edges) in found.items() if edges is not None}
    return Crossed(tuple(names), tuple(tuple(found[name][0]) for name in names), cuts)


def _levels_of(stream: Stream, name: str) -> tuple[list[Any], Array | None]:
    """The levels of a column of a stream, and where it is cut, if it is."""
    if name not in stream.columns:
        known = ", ".join(stream.columns) or "none"
        raise SchemaError(
            f"no column is named {name!r} to group by; the table's further columns are: {known}"
        )
    most = _most_values(stream.head, name)
    values = distinct(stream, name, MOST_GROUPS if most is None else most)
    if values is not None:
        return values, None
    if most is None:
        raise UnsupportedError(
            f"column {name!r} has more than {MOST_GROUPS} values, too many to group a stream by; give a column of few"
        )
    edges = _edges(landmarks(partial(numbers, stream, name), QUARTILES))
    missing = any(np.isnan(batch).any() for batch in numbers(stream, name))
    return [*_names(edges), "(missing)"] if missing else _names(edges), edges
