"""lattice: the values of columns and their crosses, as codes of rows; only those that enough rows share.

>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays([0, 1] * 4, {"m": [0, 1] * 4}, groups={"a": [1, 1, 1, 1, 1, 1, 2, 2], "b": [3, 4] * 4})
>>> [(names, keys) for names, codes, keys in Lattice(p, ["a", "b"], depth=2, min_rows=3).crosses()]
[(('a',), [(1,)]), (('b',), [(3,), (4,)]), (('a', 'b'), [(1, 3), (1, 4)])]
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np

from assay.kernels import Array
from assay.table.groups import compact_codes, find_levels
from assay.table.predictions import Predictions

__all__ = ["Lattice"]


@dataclass(frozen=True, eq=False)
class Lattice:
    """The slices to be tested: levels of columns and their crosses, of enough rows."""

    table: Predictions
    names: Sequence[str]
    depth: int
    min_rows: int

    @cached_property
    def columns(self) -> dict[str, tuple[Array, list[tuple[Any, ...]]]]:
        """Of each column the codes (n,) of its levels that have enough rows, the rest beyond, and their names."""
        found = {}
        for name in self.names:
            codes, values = find_levels(self.table, name)
            found[name] = self._enough(codes, [(value,) for value in values], len(values))
        return found

    def crosses(self) -> Iterator[tuple[tuple[str, ...], Array, list[tuple[Any, ...]]]]:
        """Columns, codes (n,) and values of each set of up to `depth` columns."""
        for size in range(1, self.depth + 1):
            for names in combinations(self.names, size):
                codes, keys = self.columns[names[0]]
                for name in names[1:]:
                    codes, keys = self._cross(codes, keys, *self.columns[name])
                if keys:
                    yield names, codes, keys

    def _cross(
        self, a: Array, keys: list[tuple[Any, ...]], b: Array, others: list[tuple[Any, ...]]
    ) -> tuple[Array, list[tuple[Any, ...]]]:
        """Every level of one with every level of the other."""
        wide = len(others) + 1
        codes, present = compact_codes(a * wide + b, (len(keys) + 1) * wide)
        first, second = np.divmod(present, wide)
        inside = (first < len(keys)) & (second < len(others))
        rank = np.where(inside, np.cumsum(inside) - 1, inside.sum())
        joined = [
            (*keys[i], *others[j]) for i, j in zip(first[inside], second[inside], strict=True)
        ]
        return self._enough(rank[codes], joined, len(joined))

    def _enough(
        self, codes: Array, keys: list[tuple[Any, ...]], none: int
    ) -> tuple[Array, list[tuple[Any, ...]]]:
        """Only cells of `min_rows` rows; all other rows are in none, the code after the last."""
        size = np.bincount(codes, minlength=none + 1)[:none]
        kept = np.append(size >= self.min_rows, False)
        rank = np.where(kept, np.cumsum(kept) - 1, kept.sum())
        return rank[codes], [keys[i] for i in np.flatnonzero(kept)]
