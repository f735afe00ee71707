"""Sparse tables: how often pairs of codes occur, of so many classes that a whole table of them would fill the memory.

>>> import numpy as np
>>> table = SparseTable(3000, 1, np.array([0, 7, 7]), np.array([0, 7, 8]))
>>> [side[0, [0, 7, 8]].tolist() for side in table.margins]
[[1, 1, 0], [1, 2, 0], [1, 1, 1]]
>>> table.shape, [side.tolist() for side in (table + table).pairs]
((1, 3000, 3000), [[0, 7, 7], [0, 7, 8], [2, 2, 2]])
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from assay.core.lazy import lazy_property
from assay.errors import UnsupportedError
from assay.kernels import Array
from assay.table.schema import DENSE

__all__ = ["SparseTable"]

MOST = 1 << 22  # pairs from which on those that are alike are joined


@dataclass(frozen=True, eq=False)
class SparseTable:
    """Pairs of codes below `k`, with the cell (of `cells`; None: the first) and the count (None: 1) of each.

    Pairs may recur. It reads as the whole table (cells, k, k) where one is asked for (`np.asarray`).
    """

    k: int
    cells: int
    first: Array
    second: Array
    cell: Array | None = None
    count: Array | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of the whole table."""
        return self.cells, self.k, self.k

    @lazy_property
    def margins(self) -> tuple[Array, Array, Array]:
        """How often both codes are the same, and each first and each second code: (cells, k)."""
        same = self.first == self.second
        return (
            self._sums(self.first, same),
            self._sums(self.first, None),
            self._sums(self.second, None),
        )

    @lazy_property
    def pairs(self) -> tuple[Array, Array, Array]:
        """First and second code of each pair that occurs in any cell, sorted, and how often it does: (c,)."""
        joined = replace(self, cells=1, cell=None)._compact()
        return joined.first, joined.second, joined._counts()

    def __add__(self, other: "SparseTable") -> "SparseTable":
        return self.join([self, other])

    @staticmethod
    def join(tables: Sequence["SparseTable"]) -> "SparseTable":
        """The counts of all tables together."""
        first, second = (
            np.concatenate([getattr(t, side) for t in tables]) for side in ("first", "second")
        )
        count = (
            None
            if all(t.count is None for t in tables)
            else np.concatenate([t._counts() for t in tables])
        )
        cell = (
            None
            if all(t.cell is None for t in tables)
            else np.concatenate([t._cells() for t in tables])
        )
        found = replace(tables[0], first=first, second=second, cell=cell, count=count)
        return found if len(first) <= MOST else found._compact()

    def __getitem__(self, cells: slice) -> "SparseTable":
        start, stop, _ = cells.indices(self.cells)
        if (start, stop) == (0, self.cells):
            return self
        keep = (self._cells() >= start) & (self._cells() < stop)
        count = None if self.count is None else self.count[keep]
        return SparseTable(
            self.k,
            stop - start,
            self.first[keep],
            self.second[keep],
            self._cells()[keep] - start,
            count,
        )

    def resample(self, times: Array) -> "SparseTable":
        """All cells as one; UnsupportedError where some are to count more than others."""
        if len(times) != 1 or not (times == 1).all():
            raise UnsupportedError(
                f"tables of {self.k} classes cannot be resampled by clusters (at most {DENSE} can); "
                "leave out intervals (intervals=False), or declare fewer classes"
            )
        return replace(self, cells=1, cell=None)

    def dump(self, name: str) -> dict[str, Array]:
        """The table as named arrays, for a file."""
        joined = self._compact()
        parts = {
            "first": joined.first,
            "second": joined.second,
            "cell": joined._cells(),
            "count": joined._counts(),
        }
        return {
            **{f"{name}_{part}": array for part, array in parts.items()},
            f"{name}_cells": np.array(self.cells),
        }

    @staticmethod
    def load(arrays: Mapping[str, Array], name: str, k: int) -> "SparseTable":
        """The table that `dump` gave."""
        first, second, cell, count, cells = (
            arrays[f"{name}_{part}"] for part in ("first", "second", "cell", "count", "cells")
        )
        return SparseTable(k, int(cells), first, second, cell if cells > 1 else None, count)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        whole = np.zeros(self.shape, np.int64 if self.count is None else self.count.dtype)
        np.add.at(whole, (self._cells(), self.first, self.second), self._counts())
        return whole if dtype is None else whole.astype(dtype)

    def _compact(self) -> "SparseTable":
        place = (self._cells() * self.k + self.first) * self.k + self.second
        found, back = np.unique(place, return_inverse=True)
        count = np.bincount(back, self.count, len(found))
        count = count if self.count is None else count.astype(self.count.dtype)
        row, second = np.divmod(found, self.k)
        cell, first = np.divmod(row, self.k)
        return replace(
            self,
            first=first,
            second=second,
            cell=cell if self.cell is not None else None,
            count=count,
        )

    def _sums(self, code: Array, keep: Array | None) -> Array:
        place = code if self.cell is None else self.cell * self.k + code
        count = self.count
        if keep is not None:
            place, count = place[keep], None if count is None else count[keep]
        sums = np.bincount(place, count, self.cells * self.k).reshape(self.cells, self.k)
        return sums if self.count is None else sums.astype(self.count.dtype)

    def _cells(self) -> Array:
        return np.zeros(len(self.first), np.int64) if self.cell is None else self.cell

    def _counts(self) -> Array:
        return np.ones(len(self.first), np.int64) if self.count is None else self.count
