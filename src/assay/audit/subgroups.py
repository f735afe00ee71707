"""Subgroups: the values of columns and their crosses, as codes of rows, that enough rows share.

>>> from assay.table.predictions import Predictions
>>> groups = {"a": [1, 1, 1, 1, 1, 1, 2, 2], "b": [3, 4] * 4}
>>> p = Predictions.from_arrays([0, 1] * 4, {"m": [0, 1] * 4}, groups=groups)
>>> subgroups = Subgroups(p, ["a", "b"], depth=2, min_rows=3)
>>> [(names, keys) for names, codes, keys in subgroups.crosses()]
[(('a',), [(1,)]), (('b',), [(3,), (4,)]), (('a', 'b'), [(1, 3), (1, 4)])]
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any, TypeAlias

import numpy as np

from assay.kernels import Array
from assay.table.groups import compact_codes, find_levels
from assay.table.predictions import Predictions

__all__ = ["Subgroups"]

Key: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class Subgroups:
    """The subgroups to be tested: levels of columns and their crosses.

    Parameters:
        table: The rows.
        names: The columns to slice by.
        depth: Most columns to cross, at least 1.
        min_rows: Fewest rows of a subgroup.
    """

    table: Predictions
    names: Sequence[str]
    depth: int
    min_rows: int

    @cached_property
    def columns(self) -> dict[str, tuple[Array, list[Key]]]:
        """The codes (n,) of the levels of each column, and those levels.

        Rows of a level that too few rows share have the code after the last.
        """
        levels = {}
        for name in self.names:
            codes, values = find_levels(self.table, name)
            levels[name] = self._drop_small(codes, [(value,) for value in values], len(values))
        return levels

    def crosses(self) -> Iterator[tuple[tuple[str, ...], Array, list[Key]]]:
        """Columns, codes (n,) and values of each set of up to `depth` columns."""
        for size in range(1, self.depth + 1):
            for names in combinations(self.names, size):
                codes, keys = self.columns[names[0]]
                for name in names[1:]:
                    codes, keys = self._cross(codes, keys, *self.columns[name])
                if keys:
                    yield names, codes, keys

    def _cross(
        self, a: Array, keys: list[Key], b: Array, others: list[Key]
    ) -> tuple[Array, list[Key]]:
        """Every level of one with every level of the other."""
        wide = len(others) + 1
        codes, present = compact_codes(a * wide + b, (len(keys) + 1) * wide)
        first, second = np.divmod(present, wide)
        inside = (first < len(keys)) & (second < len(others))
        rank = np.where(inside, np.cumsum(inside) - 1, inside.sum())
        places = zip(first[inside], second[inside], strict=True)
        crossed = [(*keys[i], *others[j]) for i, j in places]
        return self._drop_small(rank[codes], crossed, len(crossed))

    def _drop_small(self, codes: Array, keys: list[Key], none: int) -> tuple[Array, list[Key]]:
        """Only subgroups of `min_rows` rows; all other rows have the code after the last.

        `none` is the code of rows that are in no subgroup yet.
        """
        size = np.bincount(codes, minlength=none + 1)[:none]
        large = np.append(size >= self.min_rows, False)
        rank = np.where(large, np.cumsum(large) - 1, large.sum())
        return rank[codes], [keys[i] for i in np.flatnonzero(large)]
