"""The compiled twins of the kernels: the same functions on the same inputs; absent where nothing could be compiled.

A twin returns None for inputs it does not take (another dtype, a value that is not finite), and NumPy does the work.
ASSAY_KERNELS=numpy in the environment leaves them aside.

>>> from assay.kernels import in_use
>>> in_use() in ("compiled", "numpy")
True
"""

import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["TWINS"]

Array = npt.NDArray[Any]

compiled: Any = None
if os.environ.get("ASSAY_KERNELS") != "numpy":
    try:
        from assay._native import kernels as compiled
    except ImportError:
        compiled = None


def count_pairs(
    first: Array, second: Array, k: int, weight: Array | None = None, cell: Array | None = None, cells: int = 1
) -> Array | None:
    if first.dtype != second.dtype and k <= 1 << 8 * first.dtype.itemsize:
        second = second.astype(first.dtype)
    table = np.zeros((k, k) if cell is None else (cells, k, k), np.int64 if weight is None else np.float64)
    given = _contiguous(first, second, cell, weight)
    return table if compiled.count_pairs(*given, table, k) else None


def moments(
    values: Array, weight: Array | None = None, cell: Array | None = None, cells: int = 1
) -> tuple[Array, Array, Array] | None:
    wide = values.shape[1]
    total, mean, m2 = np.zeros(cells), np.zeros((wide, cells)), np.zeros((wide, cells))
    rest = _contiguous(weight, cell)
    for column, of_column, squares in zip(values.T, mean, m2, strict=True):
        total[:] = 0
        if not compiled.moments(np.ascontiguousarray(column), *rest, total, of_column, squares):
            return None
    return total, mean.T, m2.T


def count_below(ranked: Array, at: Array) -> tuple[Array, Array] | None:
    if len(at) * 20 < len(ranked):  # a few places in a long list are found sooner by bisection
        return None
    less, upto = np.empty(len(at), np.int64), np.empty(len(at), np.int64)
    return (less, upto) if compiled.count_below(*_contiguous(ranked, at), less, upto) else None


def select_places(values: Array, places: Array) -> Array | None:
    found = np.empty(len(places))
    return found if compiled.select_places(*_contiguous(values, places.astype(np.int64)), found) else None


def row_facts(proba: Array, truth: Array) -> tuple[Array, Array, Array, Array, Array] | None:
    n = len(truth)
    own, top, others = np.empty(n), np.empty(n), np.empty(n)
    before, answer = np.empty(n, np.int32), np.empty(n, np.int32)
    if not n or not compiled.row_facts(*_contiguous(proba, truth), own, top, others, before, answer):
        return None
    return own, top, others, before, answer


def count_labels(truth: Array, said: Array) -> tuple[Array, Array] | None:
    n, k = truth.shape
    by_label, by_row = np.zeros((3, k), np.int64), np.empty((n, 3), np.int32)
    return (by_label, by_row) if n and compiled.count_labels(*_contiguous(truth, said), by_label, by_row) else None


def label_ranks(truth: Array, score: Array) -> tuple[Array, Array, Array] | None:
    n = len(truth)
    precision, loss, depth = np.empty(n), np.empty(n), np.empty(n, np.int32)
    found = n and compiled.label_ranks(*_contiguous(truth, score), precision, loss, depth)
    return (precision, loss, depth) if found else None


def _contiguous(*arrays: Array | None) -> list[Array | None]:
    return [None if array is None else np.ascontiguousarray(array) for array in arrays]


ALL = (count_pairs, moments, count_below, select_places, row_facts, count_labels, label_ranks)
TWINS: Mapping[str, Callable[..., Any]] = {} if compiled is None else {twin.__name__: twin for twin in ALL}
