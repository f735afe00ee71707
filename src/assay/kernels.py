"""The hot loops, blocked so that their buffers stay in cache: the reference, always there.

>>> import numpy as np
>>> count_pairs(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
[[1, 1], [0, 1]]
"""

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["count_below", "count_pairs", "sum_by", "tie_counts"]

Array = npt.NDArray[Any]

BLOCK = 32_768


def count_pairs(
    first: Array, second: Array, k: int, weight: Array | None = None, cell: Array | None = None, cells: int = 1
) -> Array:
    """How often (or with what weight) each pair of codes occurs: (k, k), or (cells, k, k) where `cell` is given.

    Counts are int64 and exact; weighted sums are float64.
    """
    size = cells * k * k
    table = np.zeros(size, np.int64 if weight is None else np.float64)
    buffer = np.empty(min(BLOCK, len(first)), np.intp)
    for start in range(0, len(first), BLOCK):
        block = slice(start, start + BLOCK)
        code = buffer[: len(first[block])]
        np.multiply(first[block], k, out=code, dtype=np.intp, casting="unsafe")
        code += second[block]
        if cell is not None:
            code += np.multiply(cell[block], k * k, dtype=np.intp, casting="unsafe")
        table += np.bincount(code, None if weight is None else weight[block], minlength=size)
    return table.reshape((k, k) if cell is None else (cells, k, k))


def sum_by(cell: Array | None, cells: int, values: Array) -> Array:
    """Sums of the rows of `values` (n,) or (n, d) per cell: (cells,) or (cells, d), float64."""
    values = np.asarray(values, np.float64)
    if cell is None:
        return np.asarray(values.sum(axis=0, keepdims=True))
    if values.ndim == 1:
        return np.bincount(cell, values, minlength=cells)
    return np.stack([np.bincount(cell, column, minlength=cells) for column in values.T], axis=1)


def count_below(ranked: Array, at: Array) -> tuple[Array, Array]:
    """How many of `ranked` (n,) lie below, and how many at or below, each of `at` (m,); both ascending: (m,) int64."""
    return np.searchsorted(ranked, at, "left"), np.searchsorted(ranked, at, "right")


def tie_counts(positive: Array, negative: Array, weight: Array | None = None) -> Array:
    """For each of `positive` (m,): the weight of `negative` (n,) below it plus half of that at its score: (m,).

    Divided by the total weight of `negative` this is the placement of DeLong (1988).
    """
    if weight is None:
        ranked = np.sort(negative)
    else:
        order = np.argsort(negative, kind="stable")
        ranked = negative[order]
    below = np.searchsorted(ranked, positive, "left")
    upto = np.searchsorted(ranked, positive, "right")
    if weight is None:
        return np.asarray(below + upto, np.float64) * 0.5
    mass = np.concatenate([[0.0], np.cumsum(weight[order])])
    return np.asarray(mass[below] + mass[upto]) * 0.5
