"""Groups of a table that is read in parts: their keys are found first, and each batch is then coded
by them.

>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays([0, 1, 1], {"m": [0, 1, 0]}, groups={"sex": ["f", "m", "f"]})
>>> group_table(p, ["sex"]).keys
(('f',), ('m',))
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa

from assay.errors import SchemaError, UnsupportedError
from assay.kernels import Array
from assay.table.groups import (
    QUARTILES,
    bin_numbers,
    cut_at_quartiles,
    find_max_values,
    group_rows,
    name_bins,
    read_numbers,
)
from assay.table.protocol import Batch, Grouping, Table
from assay.table.quantiles import find_landmarks

__all__ = ["CrossedGroups", "group_table"]

# Values that a column may have for a stream to be grouped by it.
MOST_GROUPS = 10_000


@dataclass(frozen=True, eq=False)
class CrossedGroups:
    """Every combination of the `levels` of the columns `names`, and the `cuts` of columns of
    numbers.
    """

    names: tuple[str, ...]
    levels: tuple[tuple[Any, ...], ...]
    cuts: Mapping[str, Array]

    @property
    def keys(self) -> tuple[tuple[Any, ...], ...]:
        """One key a group, whether or not a row has it."""
        return tuple(product(*self.levels))

    def encode_rows(self, batch: Batch) -> Array:
        """Positions (n,) in `keys` of the rows of a `batch`."""
        code = np.zeros(batch.n, np.int64)
        for name, levels in zip(self.names, self.levels, strict=True):
            place = {value: i for i, value in enumerate(levels)}
            if name in self.cuts:
                codes, values = bin_numbers(read_numbers(batch, name), self.cuts[name])
            else:
                codes, values = batch.group(name)
            code = (
                code * len(levels) + np.array([place[value] for value in values], np.int64)[codes]
            )
        return code


def group_table(table: Table, names: Sequence[str]) -> Grouping:
    """The groups of a `table` by the columns `names`; of one that is not in memory, empty crosses
    too.
    """
    if table.is_in_memory:
        return group_rows(table.head, names)
    levels = []
    cuts = {}
    for name in names:
        values, edges = _find_levels(table, name)
        levels.append(tuple(values))
        if edges is not None:
            cuts[name] = edges
    return CrossedGroups(tuple(names), tuple(levels), cuts)


def _find_levels(table: Table, name: str) -> tuple[list[Any], Array | None]:
    """The levels of a column, and where it is cut, if it is."""
    if name not in table.columns:
        columns = ", ".join(table.columns) or "none"
        raise SchemaError(
            f"no column is named {name!r} to group by; the table's further columns are: {columns}"
        )
    most = find_max_values(table.head, name)
    values = _list_values(table, name, MOST_GROUPS if most is None else most)
    if values is not None:
        return values, None
    if most is None:
        raise UnsupportedError(
            f"column {name!r} has more than {MOST_GROUPS} values, too many to group a stream by; "
            f"give a column of few"
        )
    edges = cut_at_quartiles(find_landmarks(partial(_read_numbers, table, name), QUARTILES))
    missing = any(np.isnan(numbers).any() for numbers in _read_numbers(table, name))
    return [*name_bins(edges), "(missing)"] if missing else name_bins(edges), edges


def _read_numbers(table: Table, name: str) -> Iterator[Array]:
    """A column of numbers, some rows at a time; missing ones are nan."""
    for chunk in table.column_chunks(name):
        chunk = chunk.dictionary_decode() if pa.types.is_dictionary(chunk.type) else chunk
        yield np.asarray(chunk.to_numpy(zero_copy_only=False), np.float64)


def _list_values(table: Table, name: str, most: int) -> list[Any] | None:
    """The distinct values of a column in order, the missing one last; None for more than `most`."""
    values: dict[Any, None] = {}
    for chunk in table.column_chunks(name):
        for value in chunk.unique().to_pylist() if len(chunk) else []:
            missing = value is None or value != value
            values["(missing)" if missing else value] = None
        if len(values) > most:
            return None
    return sorted(values, key=lambda value: (value == "(missing)", value))
