"""Sparse: how often pairs of codes occur, where a whole table of the classes would fill the memory.

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

MAX_PAIRS = 1 << 22  # pairs beyond which those that recur are joined


@dataclass(frozen=True, eq=False)
class SparseTable:
    """Pairs of codes below `k`, with the stratum and the count of each.

    The stratum, below `strata`, is the first one where `stratum` is None; the count is 1 where
    `count` is None. Pairs may recur. `np.asarray` gives the whole table (strata, k, k).
    """

    k: int
    strata: int
    first: Array
    second: Array
    stratum: Array | None = None
    count: Array | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of the whole table."""
        return self.strata, self.k, self.k

    @lazy_property
    def margins(self) -> tuple[Array, Array, Array]:
        """How often both codes are the same, and each first and each second code: (strata, k)."""
        same = self.first == self.second
        return (
            self._sum_codes(self.first, same),
            self._sum_codes(self.first, None),
            self._sum_codes(self.second, None),
        )

    @lazy_property
    def pairs(self) -> tuple[Array, Array, Array]:
        """First and second code of each pair that occurs, sorted, and how often it does: (c,)."""
        table = replace(self, strata=1, stratum=None)._compact()
        return table.first, table.second, table._fill_counts()

    def __add__(self, other: "SparseTable") -> "SparseTable":
        return self.join([self, other])

    @staticmethod
    def join(tables: Sequence["SparseTable"]) -> "SparseTable":
        """The counts of all `tables` together."""
        stratum = count = None
        if any(t.stratum is not None for t in tables):
            stratum = np.concatenate([t._fill_strata() for t in tables])
        if any(t.count is not None for t in tables):
            count = np.concatenate([t._fill_counts() for t in tables])
        table = replace(
            tables[0],
            first=np.concatenate([t.first for t in tables]),
            second=np.concatenate([t.second for t in tables]),
            stratum=stratum,
            count=count,
        )
        return table if len(table.first) <= MAX_PAIRS else table._compact()

    def __getitem__(self, strata: slice) -> "SparseTable":
        start, stop, _ = strata.indices(self.strata)
        if (start, stop) == (0, self.strata):
            return self
        stratum = self._fill_strata()
        keep = (stratum >= start) & (stratum < stop)
        count = None if self.count is None else self.count[keep]
        return SparseTable(
            self.k,
            stop - start,
            self.first[keep],
            self.second[keep],
            stratum[keep] - start,
            count,
        )

    def resample(self, counts: Array) -> "SparseTable":
        """All strata as one, where all `counts` (1, strata) are 1; UnsupportedError elsewhere."""
        if len(counts) != 1 or not (counts == 1).all():
            raise UnsupportedError(
                f"tables of {self.k} classes cannot be resampled by clusters (at most {DENSE} "
                "can); leave out intervals (intervals=False), or declare fewer classes"
            )
        return replace(self, strata=1, stratum=None)

    def dump(self, name: str) -> dict[str, Array]:
        """The table as named arrays, for a file; each begins with `name`."""
        table = self._compact()
        return {
            f"{name}_first": table.first,
            f"{name}_second": table.second,
            f"{name}_cell": table._fill_strata(),
            f"{name}_count": table._fill_counts(),
            f"{name}_cells": np.array(self.strata),
        }

    @staticmethod
    def load(arrays: Mapping[str, Array], name: str, k: int) -> "SparseTable":
        """The table of `k` classes that `dump` wrote as `arrays` under this `name`."""
        strata = int(arrays[f"{name}_cells"])
        return SparseTable(
            k,
            strata,
            arrays[f"{name}_first"],
            arrays[f"{name}_second"],
            arrays[f"{name}_cell"] if strata > 1 else None,
            arrays[f"{name}_count"],
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        whole = np.zeros(self.shape, np.int64 if self.count is None else self.count.dtype)
        np.add.at(whole, (self._fill_strata(), self.first, self.second), self._fill_counts())
        return whole if dtype is None else whole.astype(dtype)

    def _compact(self) -> "SparseTable":
        """The table with each pair once."""
        place = (self._fill_strata() * self.k + self.first) * self.k + self.second
        occurring, back = np.unique(place, return_inverse=True)
        count = np.bincount(back, self.count, len(occurring))
        if self.count is not None:
            count = count.astype(self.count.dtype)
        row, second = np.divmod(occurring, self.k)
        stratum, first = np.divmod(row, self.k)
        table = replace(self, first=first, second=second, count=count)
        return table if self.stratum is None else replace(table, stratum=stratum)

    def _sum_codes(self, code: Array, keep: Array | None) -> Array:
        """How often each code occurs (strata, k), of the pairs to `keep`."""
        place = code if self.stratum is None else self.stratum * self.k + code
        count = self.count
        if keep is not None:
            place = place[keep]
            count = None if count is None else count[keep]
        sums = np.bincount(place, count, self.strata * self.k).reshape(self.strata, self.k)
        return sums if self.count is None else sums.astype(self.count.dtype)

    def _fill_strata(self) -> Array:
        return np.zeros(len(self.first), np.int64) if self.stratum is None else self.stratum

    def _fill_counts(self) -> Array:
        return np.ones(len(self.first), np.int64) if self.count is None else self.count
