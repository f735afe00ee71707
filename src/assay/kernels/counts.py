"""Counts: how often codes, pairs of codes and sets of labels occur.

>>> import numpy as np
>>> count_pairs(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
[[1, 1], [0, 1]]
"""

from typing import Any

import numpy as np

from assay._native import Array
from assay.kernels.dispatch import BLOCK, compiled_or_numpy

__all__ = ["count_labels", "count_pairs", "count_sets", "map_codes", "pair_values"]

MANY = (
    16 * BLOCK
)  # rows whose codes are counted at once: enough to pay for the table of pairs of pairs


@compiled_or_numpy
def count_pairs(
    first: Array,
    second: Array,
    k: int,
    weight: Array | None = None,
    cell: Array | None = None,
    cells: int = 1,
) -> Array:
    """How often (or with what weight) each pair of codes occurs: (k, k), or (cells, k, k) where `cell` is given.

    Codes lie in 0..k-1, cells in 0..cells-1. Counts are int64 and exact; weighted sums are float64.
    """
    if len(first) and max(first.max(), second.max()) >= k:
        raise ValueError(f"a code is not below {k}")
    if weight is None and cell is None and first.dtype == second.dtype == np.uint8 and len(first):
        if k == 2:
            return _pairs_of_two(first, second)
        if k <= 16 and len(first) > 1 << 16:
            return _pairs_of_few(first, second, k)
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


def _pairs_of_few(first: Array, second: Array, k: int) -> Array:
    """A byte holds a pair of few classes, and the pairs of two rows are counted as one."""
    twice = np.zeros(1 << 16, np.int64)
    for start in range(0, len(first), 32 * BLOCK):
        block = slice(start, start + 32 * BLOCK)
        pair = first[block] * np.uint8(k)
        pair += second[block]
        twice += np.bincount(pair[: len(pair) // 2 * 2].view(np.uint16), minlength=len(twice))
    both = twice.reshape(256, 256)[: k * k, : k * k]
    found: Array = both.sum(axis=0) + both.sum(axis=1)
    if len(first) % 2:
        found[int(first[-1]) * k + int(second[-1])] += 1
    return found.reshape(k, k)


def _pairs_of_two(first: Array, second: Array) -> Array:
    one, other, both = (np.count_nonzero(codes) for codes in (first, second, first & second))
    return np.array([[len(first) - one - other + both, other - both], [one - both, both]])


@compiled_or_numpy
def map_codes(values: Array, low: int, table: Array, out: Array | None = None) -> Array:
    """The code (n,) that a table gives each integer from `low` on; empty where one has none.

    The last entry of the table stands for what it does not hold. out: (n,) where to put the codes, if given.
    """
    none = table[-1]
    if len(values) and (values.min() < low or int(values.max()) - low >= len(table) - 1):
        return np.empty(0, table.dtype)
    if none >= len(table) - 1 and np.array_equal(table[:-1], np.arange(len(table) - 1)):
        return _less(values, low, table.dtype, out)
    codes: Array = np.take(table, _less(values, low, np.dtype(np.intp)), out=out, mode="clip")
    return np.empty(0, table.dtype) if (codes == none).any() else codes


def _less(values: Array, low: int, dtype: np.dtype[Any], out: Array | None = None) -> Array:
    """values - low in the integers of `dtype`, which hold the difference where they may not hold either of the two."""
    bits = 8 * dtype.itemsize
    shift = np.array(low % (1 << bits), f"u{dtype.itemsize}").astype(dtype)
    less: Array = np.subtract(values, shift, out=out, dtype=dtype, casting="unsafe")
    return less


@compiled_or_numpy
def pair_values(
    first: Array, second: Array, low: int, tables: tuple[Array, Array], k: int
) -> Array:
    """How often each pair of codes occurs (k, k), of integers that have theirs in a table each; see `map_codes`.

    Empty where one has none. No code is kept: those of a few rows, still in cache, are counted at once.
    """
    found = np.zeros((k, k), np.int64)
    rooms = [np.empty(min(MANY, len(first)), table.dtype) for table in tables]
    for start in range(0, max(len(first), len(second)), MANY):
        parts = [values[start : start + MANY] for values in (first, second)]
        given = zip(parts, tables, rooms, strict=True)
        codes = [map_codes(part, low, table, room[: len(part)]) for part, table, room in given]
        if any(len(code) < len(part) for code, part in zip(codes, parts, strict=True)):
            return found[:0]
        found += count_pairs(codes[0], codes[1], k)
    return found


@compiled_or_numpy
def count_labels(truth: Array, said: Array) -> tuple[Array, Array]:
    """Hits, true and predicted labels of 0/1 tables (n, k): per label (3, k) int64, and per row (n, 3) int32."""
    n, k = truth.shape
    by_label, by_row = np.zeros((3, k), np.int64), np.empty((n, 3), np.int32)
    for start in range(0, n, BLOCK):
        block = slice(start, start + BLOCK)
        for i, table in enumerate((truth[block] & said[block], truth[block], said[block])):
            by_label[i] += _sums_of_bits(table)
            by_row[block, i] = np.count_nonzero(table.view(bool), axis=1)
    return by_label, by_row


def _sums_of_bits(table: Array) -> Array:
    """Sums of columns of 0 and 1 (n, k), int64: 255 rows at a time fit a byte, and bytes are added many at a time."""
    n, k = table.shape
    wide = n // 255
    many = np.add.reduce(table[: 255 * wide].reshape(255, wide * k), axis=0, dtype=np.uint8)
    return np.asarray(
        many.reshape(wide, k).sum(axis=0, dtype=np.int64)
        + table[255 * wide :].sum(axis=0, dtype=np.int64)
    )


@compiled_or_numpy
def count_sets(truth: Array, said: Array) -> tuple[Array, Array]:
    """As count_labels, but for how many rows have so many hits, true and predicted labels: (k + 1, k + 1, k + 1)."""
    by_label, by_row = count_labels(truth, said)
    shape = (truth.shape[1] + 1,) * 3
    code = np.ravel_multi_index(tuple(by_row.T), shape) if len(by_row) else np.zeros(0, np.int64)
    return by_label, np.bincount(code, minlength=int(np.prod(shape))).reshape(shape)
