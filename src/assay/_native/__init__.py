"""The compiled twins of the kernels: the same functions on the same inputs; absent where nothing could be compiled.

A twin returns None for inputs it does not take (another dtype, lengths that disagree, codes outside the table, a value
that is not finite), and NumPy does the work or says what is wrong.
ASSAY_KERNELS=numpy in the environment leaves them aside.

>>> from assay.kernels import get_backend
>>> get_backend() in ("compiled", "numpy")
True
"""

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import import_module
from typing import Any, TypeAlias

import numpy as np

__all__ = ["FEW_CLASSES", "COMPILED", "Array"]

Array: TypeAlias = np.ndarray[tuple[Any, ...], np.dtype[Any]]

SCANS = ("area", "precision", "lead", "f_beta")
FEW_CLASSES = 64  # up to which rows of probabilities are read class by class, and answers counted beside the truth
ABI = "Compiled kernels 6;"  # what those that fit these functions say of themselves
SAMPLE = 4096  # scores that the parts of a long list are read off

extension: Any = None
if os.environ.get("ASSAY_KERNELS") != "numpy":
    with suppress(ImportError):
        extension = import_module("assay._native.kernels")
        if not (extension.__doc__ or "").startswith(ABI):  # built from an older source
            extension = None


def count_pairs(
    first: Array,
    second: Array,
    k: int,
    weight: Array | None = None,
    cell: Array | None = None,
    cells: int = 1,
) -> Array | None:
    if (
        first.dtype != second.dtype
        and first.dtype.kind in "iu"
        and k <= 1 << 8 * first.dtype.itemsize
    ):
        second = second.astype(first.dtype)
    table = np.zeros(
        (k, k) if cell is None else (cells, k, k), np.int64 if weight is None else np.float64
    )
    given = _contiguous(first, second, cell, weight)
    return table if extension.count_pairs(*given, table, k) else None


def map_codes(values: Array, low: int, table: Array, out: Array | None = None) -> Array | None:
    if not _spans(values, low, table):
        return None
    codes = np.empty(len(values), table.dtype) if out is None else out
    found = extension.look_up(*_contiguous(values, table), codes, low)
    return None if found < 0 else codes if found else codes[:0]


def pair_values(
    first: Array, second: Array, low: int, tables: tuple[Array, Array], k: int
) -> Array | None:
    if not _spans(first, low, tables[0]) or not _spans(second, low, tables[1]):
        return None
    found = np.zeros((k, k), np.int64)
    counted = extension.pair_values(*_contiguous(first, second, *tables), found, low)
    return None if counted < 0 else found if counted else found[:0]


def _spans(values: Array, low: int, table: Array) -> bool:
    """Whether the integers that a table is for, from `low` on, are of the values' type, and its places of its own."""
    signed = values.dtype.kind == "i"
    if values.dtype.kind not in "iu" or values.ndim > 1 or len(table) - 1 > 1 << 8 * table.itemsize:
        return False
    bits = 8 * values.itemsize - signed
    return (-(1 << bits) if signed else 0) <= low <= low + len(table) < 1 << min(bits, 63)


def rank_scores(
    positive: Array, score: Array, threads: int = 1
) -> tuple[Array, Array, Array, Array] | None:
    if (
        positive.dtype != bool
        or score.ndim != 1
        or positive.shape != score.shape
        or score.dtype.kind != "f"
    ):
        return None
    score, positive = np.ascontiguousarray(score), np.ascontiguousarray(positive)
    few = np.sort(score[:: max(1, len(score) // SAMPLE)])
    cuts = np.unique(few[len(few) * np.arange(1, threads) // threads]) if len(few) else few
    # How many positive and negative rows lie above each part, from the highest part down.
    most = np.array(
        [
            (0, 0),
            *(_count_reaching(positive, score, cut) for cut in cuts[::-1]),
            _count_reaching(positive, score, None),
        ]
    )
    room = int(most[-1, 0])
    found = (
        np.empty(room, score.dtype),
        np.empty(room, np.int64),
        np.empty(room, np.int64),
        np.empty(room, np.int64),
    )

    def rank(part: int) -> tuple[int, int]:
        """Where the thresholds of one part are, the parts from the highest down."""
        start, end = most[part, 0], most[part + 1, 0]
        own = (array[start:end] for array in found)
        spare = np.empty(2 * int((most[part + 1] - most[part]).sum()) + 2, score.dtype)
        return start, start + extension.rank_scores(
            score, positive, cuts, most[part], *own, spare, len(cuts) - part
        )

    parts = range(len(cuts) + 1)
    if len(parts) == 1:
        places = [rank(0)]
    else:
        with ThreadPoolExecutor(len(parts)) as pool:
            places = list(pool.map(rank, parts))
    if any(end < start for start, end in places):
        return None
    if sum(end - start for start, end in places) == room:
        return found
    score, tp, fp, above = (
        np.concatenate([array[start:end] for start, end in places]) for array in found
    )
    return score, tp, fp, above


def _count_reaching(positive: Array, score: Array, cut: Any) -> tuple[int, int]:
    """Positive and negative rows that score at least as much."""
    if cut is None:
        hits, rows = int(np.count_nonzero(positive)), len(score)
    else:
        there = score >= cut
        hits, rows = int(np.count_nonzero(there & positive)), int(np.count_nonzero(there))
    return hits, rows - hits


def scan_curve(
    what: str,
    tp: Array,
    fp: Array,
    fp_above: Array,
    positives: Any,
    negatives: Any,
    beta: float = 1.0,
) -> Array | None:
    if tp.ndim != 1 or tp.dtype != np.int64 or not positives or not negatives:
        return None
    given, found = np.array([positives, negatives, beta], np.float64), np.empty(1)
    scanned = extension.scan_curve(*_contiguous(tp, fp, fp_above), given, found, SCANS.index(what))
    return found[0] if scanned else None


def keep_between(values: Array, low: float, high: float) -> tuple[Array, int] | None:
    kept = np.empty(values.shape)
    found = (
        extension.keep_between(*_contiguous(values), np.array([low, high]), kept)
        if values.ndim == 1
        else None
    )
    return None if found is None else (kept[: found[0]].copy(), found[1])


def bin_rows(proba: Array, right: Array, edges: Array) -> tuple[Array, Array, Array] | None:
    if right.dtype != bool or proba.ndim != 1 or proba.shape != right.shape or len(edges) < 2:
        return None
    found = np.zeros((3, len(edges) - 1))
    binned = extension.bin_rows(
        *_contiguous(proba.astype(np.float64, copy=False), right, edges), found
    )
    return (found[0], found[1], found[2]) if binned else None


def sum_errors(truth: Array, value: Array) -> tuple[Array, Array] | None:
    if truth.dtype != value.dtype and {truth.dtype.kind, value.dtype.kind} <= set("fiu"):
        truth, value = truth.astype(np.float64), value.astype(np.float64)
    found, zeros = np.empty((2, 6)), np.zeros(1, np.int64)
    known = len(truth) and extension.sum_errors(*_contiguous(truth, value), found, zeros)
    return (found, zeros) if known else None


def sum_proba_stats(
    proba: Array, truth: Array, edges: Array, floor: float, positive: int
) -> tuple[Array, Array, Array, Array | None] | None:
    k = proba.shape[1]
    sums, ranks, bins = np.empty(5), np.zeros(k, np.int64), np.zeros((3, len(edges) - 1))
    table = np.zeros((k, k), np.int64) if k <= FEW_CLASSES else None
    known = len(truth) and proba.shape[:-1] == truth.shape
    given = _contiguous(proba, truth, edges, np.array([floor]))
    known = known and extension.sum_facts(*given, sums, ranks, bins, table, positive)
    return (sums, ranks, bins, table) if known else None


def proba_stats(proba: Array, truth: Array) -> tuple[Array, Array, Array, Array, Array] | None:
    n = len(truth)
    own, top, others = np.empty(n), np.empty(n), np.empty(n)
    before, answer = np.empty(n, np.int32), np.empty(n, np.int32)
    found = n and proba.shape[:-1] == truth.shape
    found = found and extension.row_facts(
        *_contiguous(proba, truth), own, top, others, before, answer
    )
    return (own, top, others, before, answer) if found else None


def count_labels(truth: Array, said: Array) -> tuple[Array, Array] | None:
    n, k = truth.shape
    by_label, by_row = np.zeros((3, k), np.int64), np.empty((n, 3), np.int32)
    found = n and truth.shape == said.shape
    found = found and extension.count_labels(*_contiguous(truth, said), by_label, by_row)
    return (by_label, by_row) if found else None


def count_sets(truth: Array, said: Array) -> tuple[Array, Array] | None:
    n, k = truth.shape
    by_label, table = np.zeros((3, k), np.int64), np.zeros((k + 1,) * 3, np.int64)
    found = n and truth.shape == said.shape
    found = found and extension.count_labels(*_contiguous(truth, said), by_label, table)
    return (by_label, table) if found else None


def rank_labels(truth: Array, score: Array) -> tuple[Array, Array, Array] | None:
    n = len(truth)
    precision, loss, depth = np.empty(n), np.empty(n), np.empty(n, np.int32)
    found = n and truth.shape == score.shape
    found = found and extension.label_ranks(*_contiguous(truth, score), precision, loss, depth)
    return (precision, loss, depth) if found else None


def _contiguous(*arrays: Array | None) -> list[Array | None]:
    return [None if array is None else np.ascontiguousarray(array) for array in arrays]


ALL = (
    count_pairs, map_codes, pair_values, sum_errors, proba_stats, sum_proba_stats, count_labels, count_sets, rank_labels,
    rank_scores, scan_curve, keep_between, bin_rows,
)  # fmt: skip
COMPILED: Mapping[str, Callable[..., Any]] = (
    {} if extension is None else {twin.__name__: twin for twin in ALL}
)
