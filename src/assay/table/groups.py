"""Groups: which slice each row belongs to, by one column or by several crossed.

Columns of numbers are cut at their quartiles.

>>> from assay.table.predictions import Predictions
>>> age = [18.0 + 2 * i for i in range(24)]
>>> groups = {"age": age, "sex": ["f", "m"] * 12}
>>> p = Predictions.from_arrays([0, 1] * 12, {"m": [0, 1] * 12}, groups=groups)
>>> [key[0] for key in group_rows(p, ["age"]).keys]
['< 30', '[30, 42)', '[42, 54)', '>= 54']
>>> len(group_rows(p, ["age", "sex"]).keys)
8
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import floor, log10
from typing import Any

import numpy as np
import pyarrow as pa

from assay.kernels import Array
from assay.table.predictions import Predictions
from assay.table.protocol import Batch
from assay.table.quantiles import Landmarks, find_landmarks
from assay.table.schema import SPECIAL

__all__ = ["MOST_VALUES", "Slices", "compact_codes", "find_levels", "group_rows"]

# Distinct values up to which a column is not cut; whole numbers may be codes of sites or hours.
MOST_VALUES = {"integer": 50, "real": 12}
QUARTILES = (0.25, 0.5, 0.75)


@dataclass(frozen=True, eq=False)
class Slices:
    """Groups of a table in memory: codes (n,) into `keys`, one key a group.

    `cuts` says where each column of numbers was cut.
    """

    codes: Array
    keys: tuple[tuple[Any, ...], ...]
    cuts: Mapping[str, Array]
    offset: int = 0  # of the first row, where the table is itself a slice

    def encode_rows(self, batch: Batch) -> Array:
        """The codes (n,) of the rows of a `batch` of the table."""
        start = batch.offset - self.offset
        return self.codes[start : start + batch.n]


def group_rows(table: Predictions, names: Sequence[str]) -> Slices:
    """The slices of a `table` that the levels of the columns `names` form together, in their order.

    Combinations that no row has are left out.
    """
    code = np.zeros(table.n, np.int64)
    cuts = {name: edges for name in names if (edges := _find_cuts(table, name)) is not None}
    keys: list[tuple[Any, ...]] = [()]
    for name in names:
        codes, values = find_levels(table, name)
        code, present = compact_codes(code * len(values) + codes, len(keys) * len(values))
        keys = [(*keys[c // len(values)], values[c % len(values)]) for c in present.tolist()]
    return Slices(code, tuple(keys), cuts, table.offset)


def find_levels(table: Predictions, name: str) -> tuple[Array, list[Any]]:
    """Codes (n,) and names of the levels of the column `name` of a `table`, in order.

    A number column of more than 12 distinct values is cut at its quartiles over all rows, the cuts
    rounded to two digits of their spread: "< 30", "[30, 42)", "[42, 54)", ">= 54", and "(missing)".
    Every other column has its own values for levels, as have id, fold, split and cluster.
    """
    edges = _find_cuts(table, name)
    return table.group(name) if edges is None else bin_numbers(read_numbers(table, name), edges)


def _find_cuts(table: Predictions, name: str) -> Array | None:
    """Where a column is cut; None for one that keeps its values."""
    most = find_max_values(table, name)
    if most is None or len(decode_column(table, name).unique()) <= most:
        return None
    values = read_numbers(table, name)
    return cut_at_quartiles(find_landmarks(lambda: iter([values]), QUARTILES))


def find_max_values(table: Predictions, name: str) -> int | None:
    """Distinct values up to which the column `name` of a `table` is not cut; None: never cut."""
    if name not in table.columns or name in SPECIAL:
        return None
    kind = decode_column(table, name).type
    if pa.types.is_integer(kind):
        return MOST_VALUES["integer"]
    return MOST_VALUES["real"] if pa.types.is_floating(kind) else None


def decode_column(table: Batch, name: str) -> pa.Array:
    """The column `name` of a `table` as its values, not as codes of a dictionary."""
    column = table.columns[name]
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def read_numbers(table: Batch, name: str) -> Array:
    """The column `name` of a `table` as numbers (n,), nan where missing."""
    return np.asarray(decode_column(table, name).to_numpy(zero_copy_only=False), np.float64)


def bin_numbers(values: Array, edges: Array) -> tuple[Array, list[Any]]:
    """Codes (n,) and names of the bins of `values` (n,) between `edges`; nan is missing."""
    missing = np.isnan(values)
    names = name_bins(edges)
    codes = np.searchsorted(edges, values, "right")
    codes[missing] = len(names)
    return codes.astype(np.int64), [*names, "(missing)"] if missing.any() else names


def name_bins(edges: Array) -> list[Any]:
    """The names of the bins between `edges`: "< 30", "[30, 42)", ">= 42"."""
    short = [f"{x:.12g}" for x in edges]
    texts = short if len(set(short)) == len(edges) else [f"{x:.17g}" for x in edges]
    between = (f"[{a}, {b})" for a, b in pairwise(texts))
    return [f"< {texts[0]}", *between, f">= {texts[-1]}"]


def cut_at_quartiles(quartiles: Landmarks | None) -> Array:
    """The `quartiles`, rounded; those that would cut nothing off are left out."""
    if quartiles is None:
        return np.array([0.0])
    least = quartiles.least
    edges: Array = np.unique(quartiles.quantiles)
    edges = edges[edges > least]
    if not len(edges):
        # Three quarters of the rows have the least value: they are one bin, the others another.
        return np.array([quartiles.next_to_least])
    spread = float(edges[-1] - edges[0]) or abs(float(edges[0]))
    if not spread:
        return edges
    rounded: Array = np.unique(np.round(edges, 1 - floor(log10(spread))) + 0.0)  # -0.0 is 0.0
    return rounded if (rounded > least).all() else edges


def compact_codes(code: Array, size: int) -> tuple[Array, Array]:
    """The codes `code` (n,) below `size`, renumbered to those that occur; and which those are."""
    if size > 4 * len(code) + (1 << 16):
        present, renumbered = np.unique(code, return_inverse=True)
        return renumbered, present
    present = np.flatnonzero(np.bincount(code, minlength=size))
    rank = np.zeros(size, np.int64)
    rank[present] = np.arange(len(present))
    return rank[code], present
