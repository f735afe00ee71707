"""binning: which slice each row belongs to, by one column or by several crossed; numeric columns are cut at quartiles.

>>> from assay.predictions import Predictions
>>> age = [18.0 + 2 * i for i in range(24)]
>>> p = Predictions.from_arrays([0, 1] * 12, {"m": [0, 1] * 12}, groups={"age": age, "sex": ["f", "m"] * 12})
>>> [key[0] for key in grouping_of(p, ["age"]).keys]
['< 30', '[30, 42)', '[42, 54)', '>= 54']
>>> len(grouping_of(p, ["age", "sex"]).keys)
8
"""

from collections.abc import Sequence
from itertools import pairwise
from math import floor, log10
from typing import Any

import numpy as np
import pyarrow as pa

from assay.engine import Grouping
from assay.predictions import Predictions
from assay.table.labels import Array
from assay.table.schema import SPECIAL

__all__ = ["MOST_VALUES", "compact", "grouping_of", "levels"]

MOST_VALUES = {"integer": 50, "real": 12}  # a column of more is cut; whole numbers may be codes of sites or hours
QUARTILES = (0.25, 0.5, 0.75)


def grouping_of(table: Predictions, names: Sequence[str]) -> Grouping:
    """The slices that the levels of the columns form together, in their order; empty crosses are left out."""
    code = np.zeros(table.n, np.int64)
    keys: list[tuple[Any, ...]] = [()]
    for name in names:
        codes, values = levels(table, name)
        code, present = compact(code * len(values) + codes, len(keys) * len(values))
        keys = [(*keys[c // len(values)], values[c % len(values)]) for c in present.tolist()]
    return Grouping(code, tuple(keys))


def levels(table: Predictions, name: str) -> tuple[Array, list[Any]]:
    """Codes (n,) and names of the levels of a column, in order.

    A number column of more than 12 distinct values is cut at its quartiles over all rows, the cuts rounded to two
    digits of their spread: "< 30", "[30, 42)", "[42, 54)", ">= 54", and "(missing)". Every other column has its own
    values for levels, as have id, fold, split and cluster.
    """
    column = table.columns.get(name)
    if column is None or name in SPECIAL:
        return table.group(name)
    column = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
    kind = "integer" if pa.types.is_integer(column.type) else "real"
    if kind == "real" and not pa.types.is_floating(column.type):
        return table.group(name)
    if len(column.unique()) <= MOST_VALUES[kind]:
        return table.group(name)
    return _binned(np.asarray(column.to_numpy(zero_copy_only=False), np.float64))


def _binned(values: Array) -> tuple[Array, list[Any]]:
    """Codes and names of the bins of numbers; nan is missing."""
    missing = np.isnan(values)
    edges = _edges(values[~missing])
    names: list[Any] = [
        f"< {edges[0]:.12g}",
        *(f"[{a:.12g}, {b:.12g})" for a, b in pairwise(edges)),
        f">= {edges[-1]:.12g}",
    ]
    codes = np.searchsorted(edges, values, "right")
    codes[missing] = len(names)
    return codes.astype(np.int64), [*names, "(missing)"] if missing.any() else names


def _edges(values: Array) -> Array:
    """The quartiles, rounded; those that would cut nothing off are left out."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return np.array([0.0])
    least = finite.min()
    edges: Array = np.unique(np.quantile(finite, QUARTILES, method="higher"))
    edges = edges[edges > least]
    if not len(edges):  # three quarters of the rows have the least value: they are one bin, the others another
        above = finite[finite > least]
        return np.array([above.min() if len(above) else least])
    spread = float(edges[-1] - edges[0]) or abs(float(edges[0]))
    if not spread:
        return edges
    rounded: Array = np.unique(np.round(edges, 1 - floor(log10(spread))))
    return rounded if (rounded > least).all() else edges


def compact(code: Array, size: int) -> tuple[Array, Array]:
    """Codes (n,) below `size` renumbered to those that occur, in order, and which those are."""
    if size > 4 * len(code) + (1 << 16):
        present, renumbered = np.unique(code, return_inverse=True)
        return renumbered, present
    present = np.flatnonzero(np.bincount(code, minlength=size))
    rank = np.zeros(size, np.int64)
    rank[present] = np.arange(len(present))
    return rank[code], present
