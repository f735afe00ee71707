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

# Rows whose codes are counted at once: enough to pay for the table of pairs of pairs.
LONG_BLOCK = 16 * BLOCK


@compiled_or_numpy
def count_pairs(
    first: Array,
    second: Array,
    k: int,
    weight: Array | None = None,
    stratum: Array | None = None,
    strata: int = 1,
) -> Array:
    """How often each pair of codes occurs: (k, k), or (strata, k, k) where `stratum` (n,) is given.

    The codes `first` and `second` (n,) are whole numbers from 0 to below `k`, those of `stratum`
    from 0 to below `strata`. Counts are int64 and exact; where `weight` (n,) is given, weights are
    summed instead, in float64.
    """
    if len(first) and max(first.max(), second.max()) >= k:
        raise ValueError(f"a code is not below {k}")
    bytes_alone = first.dtype == second.dtype == np.uint8
    if weight is None and stratum is None and bytes_alone and len(first):
        if k == 2:
            return _count_pairs_of_two(first, second)
        if k <= 16 and len(first) > 1 << 16:
            return _count_pairs_of_few(first, second, k)
    size = strata * k * k
    table = np.zeros(size, np.int64 if weight is None else np.float64)
    buffer = np.empty(min(BLOCK, len(first)), np.intp)
    for start in range(0, len(first), BLOCK):
        block = slice(start, start + BLOCK)
        code = buffer[: len(first[block])]
        np.multiply(first[block], k, out=code, dtype=np.intp, casting="unsafe")
        code += second[block]
        if stratum is not None:
            code += np.multiply(stratum[block], k * k, dtype=np.intp, casting="unsafe")
        table += np.bincount(code, None if weight is None else weight[block], minlength=size)
    return table.reshape((k, k) if stratum is None else (strata, k, k))


def _count_pairs_of_few(first: Array, second: Array, k: int) -> Array:
    """A byte holds a pair of at most 16 classes, and the pairs of two rows are counted as one."""
    twice = np.zeros(1 << 16, np.int64)
    for start in range(0, len(first), 32 * BLOCK):
        block = slice(start, start + 32 * BLOCK)
        pair = first[block] * np.uint8(k)
        pair += second[block]
        twice += np.bincount(pair[: len(pair) // 2 * 2].view(np.uint16), minlength=len(twice))
    both = twice.reshape(256, 256)[: k * k, : k * k]
    table: Array = both.sum(axis=0) + both.sum(axis=1)
    if len(first) % 2:
        table[int(first[-1]) * k + int(second[-1])] += 1
    return table.reshape(k, k)


def _count_pairs_of_two(first: Array, second: Array) -> Array:
    ones = np.count_nonzero(first)
    predicted = np.count_nonzero(second)
    both = np.count_nonzero(first & second)
    neither = len(first) - ones - predicted + both
    return np.array([[neither, predicted - both], [ones - both, both]])


@compiled_or_numpy
def map_codes(values: Array, low: int, table: Array, out: Array | None = None) -> Array:
    """The code (n,) that `table` gives each integer of `values` (n,); empty where one has none.

    The first entry of the table is the code of the integer `low`; its last entry stands for
    integers without a code. The codes are written to `out` (n,) if that is given.
    """
    none = table[-1]
    if len(values) and (values.min() < low or int(values.max()) - low >= len(table) - 1):
        return np.empty(0, table.dtype)
    if none >= len(table) - 1 and np.array_equal(table[:-1], np.arange(len(table) - 1)):
        return _subtract(values, low, table.dtype, out)
    places = _subtract(values, low, np.dtype(np.intp))
    codes: Array = np.take(table, places, out=out, mode="clip")
    return np.empty(0, table.dtype) if (codes == none).any() else codes


def _subtract(values: Array, low: int, dtype: np.dtype[Any], out: Array | None = None) -> Array:
    """values - low in integers of `dtype`, which hold the difference if perhaps neither operand."""
    bits = 8 * dtype.itemsize
    shift = np.array(low % (1 << bits), f"u{dtype.itemsize}").astype(dtype)
    difference: Array = np.subtract(values, shift, out=out, dtype=dtype, casting="unsafe")
    return difference


@compiled_or_numpy
def pair_values(
    first: Array, second: Array, low: int, tables: tuple[Array, Array], k: int
) -> Array:
    """How often each pair of codes below `k` occurs (k, k), without keeping the codes.

    The integers `first` and `second` (n,) are mapped by one of the `tables` each, from `low` on;
    see `map_codes`. Empty where an integer has no code. Codes are counted while they are in cache.
    """
    table = np.zeros((k, k), np.int64)
    buffers = [np.empty(min(LONG_BLOCK, len(first)), each.dtype) for each in tables]
    for start in range(0, max(len(first), len(second)), LONG_BLOCK):
        codes = []
        for values, mapping, buffer in zip((first, second), tables, buffers, strict=True):
            part = values[start : start + LONG_BLOCK]
            code = map_codes(part, low, mapping, buffer[: len(part)])
            if len(code) < len(part):
                return table[:0]
            codes.append(code)
        table += count_pairs(codes[0], codes[1], k)
    return table


@compiled_or_numpy
def count_labels(truth: Array, predicted: Array) -> tuple[Array, Array]:
    """Hits, true and predicted labels: per label (3, k) int64, and per row (n, 3) int32.

    `truth` and `predicted` are tables of 0 and 1 (n, k).
    """
    n, k = truth.shape
    by_label = np.zeros((3, k), np.int64)
    by_row = np.empty((n, 3), np.int32)
    for start in range(0, n, BLOCK):
        block = slice(start, start + BLOCK)
        tables = truth[block] & predicted[block], truth[block], predicted[block]
        for i, table in enumerate(tables):
            by_label[i] += _sum_bits(table)
            by_row[block, i] = np.count_nonzero(table.view(bool), axis=1)
    return by_label, by_row


def _sum_bits(table: Array) -> Array:
    """Sums of columns of 0 and 1 (n, k), int64.

    The sums of 255 rows fit a byte, and bytes are added many at a time.
    """
    n, k = table.shape
    groups = n // 255
    head = table[: 255 * groups].reshape(255, groups * k)
    sums = np.add.reduce(head, axis=0, dtype=np.uint8).reshape(groups, k)
    return np.asarray(
        sums.sum(axis=0, dtype=np.int64) + table[255 * groups :].sum(axis=0, dtype=np.int64)
    )


@compiled_or_numpy
def count_sets(truth: Array, predicted: Array) -> tuple[Array, Array]:
    """As `count_labels` of `truth` and `predicted` (n, k), but with a table in place of the rows.

    The table (k + 1, k + 1, k + 1) holds how many rows have so many hits, true and predicted
    labels.
    """
    by_label, by_row = count_labels(truth, predicted)
    shape = (truth.shape[1] + 1,) * 3
    code = np.ravel_multi_index(tuple(by_row.T), shape) if len(by_row) else np.zeros(0, np.int64)
    return by_label, np.bincount(code, minlength=int(np.prod(shape))).reshape(shape)
