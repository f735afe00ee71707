"""Compiled kernels: the same functions on the same inputs; none where nothing could be compiled.

A compiled kernel returns None for inputs that it does not take (another dtype, lengths that
disagree, codes outside the table, a value that is not finite); NumPy then does the work, or says
what is wrong. ASSAY_KERNELS=numpy in the environment switches the compiled kernels off.

- kernels.c: the loops in C, built into `kernels` where there is a compiler

>>> from assay.kernels import get_backend
>>> get_backend() in ("compiled", "numpy")
True
"""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import import_module
from typing import Any, TypeAlias

import numpy as np

__all__ = ["COMPILED", "FEW_CLASSES", "Array"]

Array: TypeAlias = np.ndarray[tuple[Any, ...], np.dtype[Any]]

# Classes up to which rows of probabilities are read class by class, and answers are counted
# beside the truth.
FEW_CLASSES = 64
# The sums over a curve, in the order in which kernels.c numbers them.
SCANS = ("area", "precision", "lead", "f_beta")
# How the docstring of compiled kernels begins that fit the functions below.
ABI = "Compiled kernels 9;"
SAMPLE_SIZE = 4096  # scores by which a long list is cut into parts

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
    stratum: Array | None = None,
    strata: int = 1,
) -> Array | None:
    integers = first.dtype.kind in "iu" and k <= 1 << 8 * first.dtype.itemsize
    if first.dtype != second.dtype and integers:
        second = second.astype(first.dtype)
    shape = (k, k) if stratum is None else (strata, k, k)
    table = np.zeros(shape, np.int64 if weight is None else np.float64)
    arrays = _make_contiguous(first, second, stratum, weight)
    return table if extension.count_pairs(*arrays, table, k) else None


def map_codes(values: Array, low: int, table: Array, out: Array | None = None) -> Array | None:
    if not _spans(values, low, table):
        return None
    codes = np.empty(len(values), table.dtype) if out is None else out
    status = extension.look_up(*_make_contiguous(values, table), codes, low)
    if status < 0:
        return None
    return codes if status else codes[:0]


def pair_values(
    first: Array, second: Array, low: int, tables: tuple[Array, Array], k: int
) -> Array | None:
    if not _spans(first, low, tables[0]) or not _spans(second, low, tables[1]):
        return None
    counts = np.zeros((k, k), np.int64)
    status = extension.pair_values(*_make_contiguous(first, second, *tables), counts, low)
    if status < 0:
        return None
    return counts if status else counts[:0]


def _spans(values: Array, low: int, table: Array) -> bool:
    """Whether the integers of a table, from `low` on, fit the type of the values.

    The codes of the table must fit its own type, too.
    """
    signed = values.dtype.kind == "i"
    if values.dtype.kind not in "iu" or values.ndim > 1 or len(table) - 1 > 1 << 8 * table.itemsize:
        return False
    bits = 8 * values.itemsize - signed
    lowest = -(1 << bits) if signed else 0
    return lowest <= low <= low + len(table) < 1 << min(bits, 63)


def rank_scores(
    positive: Array, score: Array, threads: int = 1
) -> tuple[Array, Array, Array, Array] | None:
    fits = positive.dtype == bool and score.dtype.kind == "f"
    if not fits or score.ndim != 1 or positive.shape != score.shape:
        return None
    score = np.ascontiguousarray(score)
    positive = np.ascontiguousarray(positive)
    sample = np.sort(score[:: max(1, len(score) // SAMPLE_SIZE)])
    at = len(sample) * np.arange(1, threads) // threads
    cuts = np.unique(sample[at]) if len(sample) else sample
    # How many positive and negative rows lie above each part, from the highest part down.
    passed = [(0, 0)]
    passed += [_count_reaching(positive, score, cut) for cut in cuts[::-1]]
    passed.append(_count_all(positive))
    starts = np.array(passed)
    room = int(starts[-1, 0])
    ranked = (
        np.empty(room, score.dtype),
        np.empty(room, np.int64),
        np.empty(room, np.int64),
        np.empty(room, np.int64),
    )

    def rank(part: int) -> tuple[int, int]:
        """Rank one part, the parts from the highest down; where its thresholds start and end."""
        start, end = starts[part : part + 2, 0]
        views = (array[start:end] for array in ranked)
        spare = np.empty(2 * int((starts[part + 1] - starts[part]).sum()) + 2, score.dtype)
        size = extension.rank_scores(
            score, positive, cuts, starts[part], *views, spare, len(cuts) - part
        )
        return start, start + size

    parts = range(len(cuts) + 1)
    if len(parts) == 1:
        places = [rank(0)]
    else:
        with ThreadPoolExecutor(len(parts)) as pool:
            places = list(pool.map(rank, parts))
    if any(end < start for start, end in places):
        return None
    if sum(end - start for start, end in places) == room:
        return ranked
    score, tp, fp, above = [
        np.concatenate([array[start:end] for start, end in places]) for array in ranked
    ]
    return score, tp, fp, above


def _count_reaching(positive: Array, score: Array, cut: Any) -> tuple[int, int]:
    """Positive and negative rows that score at least `cut`."""
    reaching = score >= cut
    hits = int(np.count_nonzero(reaching & positive))
    return hits, int(np.count_nonzero(reaching)) - hits


def _count_all(positive: Array) -> tuple[int, int]:
    """Positive and negative rows."""
    hits = int(np.count_nonzero(positive))
    return hits, len(positive) - hits


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
    constants = np.array([positives, negatives, beta], np.float64)
    result = np.empty(1)
    arrays = _make_contiguous(tp, fp, fp_above)
    scanned = extension.scan_curve(*arrays, constants, result, SCANS.index(what))
    return result[0] if scanned else None


def keep_between(values: Array, low: float, high: float) -> tuple[Array, int] | None:
    if values.ndim != 1:
        return None
    kept = np.empty(values.shape)
    counts = extension.keep_between(*_make_contiguous(values), np.array([low, high]), kept)
    return None if counts is None else (kept[: counts[0]].copy(), counts[1])


def bin_rows(proba: Array, right: Array, edges: Array) -> tuple[Array, Array, Array] | None:
    if right.dtype != bool or proba.ndim != 1 or proba.shape != right.shape or len(edges) < 2:
        return None
    bins = np.zeros((3, len(edges) - 1))
    arrays = _make_contiguous(proba.astype(np.float64, copy=False), right, edges)
    return (bins[0], bins[1], bins[2]) if extension.bin_rows(*arrays, bins) else None


def sum_errors(truth: Array, value: Array) -> tuple[Array, Array] | None:
    if truth.dtype != value.dtype and {truth.dtype.kind, value.dtype.kind} <= set("fiu"):
        truth = truth.astype(np.float64)
        value = value.astype(np.float64)
    moments = np.empty((2, 6))
    zeros = np.zeros(1, np.int64)
    done = len(truth) and extension.sum_errors(*_make_contiguous(truth, value), moments, zeros)
    return (moments, zeros) if done else None


def sum_proba_stats(
    proba: Array, truth: Array, edges: Array, floor: float, positive: int
) -> tuple[Array, Array, Array, Array | None] | None:
    if not len(truth) or proba.shape[:-1] != truth.shape:
        return None
    k = proba.shape[1]
    sums = np.empty(5)
    ranks = np.zeros(k, np.int64)
    bins = np.zeros((3, len(edges) - 1))
    table = np.zeros((k, k), np.int64) if k <= FEW_CLASSES else None
    arrays = _make_contiguous(proba, truth, edges, np.array([floor]))
    done = extension.sum_facts(*arrays, sums, ranks, bins, table, positive)
    return (sums, ranks, bins, table) if done else None


def compute_proba_stats(
    proba: Array, truth: Array
) -> tuple[Array, Array, Array, Array, Array] | None:
    n = len(truth)
    if not n or proba.shape[:-1] != truth.shape:
        return None
    of_truth = np.empty(n)
    top = np.empty(n)
    others = np.empty(n)
    before = np.empty(n, np.int32)
    answer = np.empty(n, np.int32)
    arrays = _make_contiguous(proba, truth)
    done = extension.row_facts(*arrays, of_truth, top, others, before, answer)
    return (of_truth, top, others, before, answer) if done else None


def compute_logit_stats(logit: Array, odds: bool = False) -> tuple[Array, Array, Array] | None:
    n, k = logit.shape
    if not n or k < 2:
        return None
    top = np.empty(n)
    answer = np.empty(n, np.int32)
    log_odds = np.empty((n, k) if odds else (0, k))
    arrays = _make_contiguous(logit)
    done = extension.logit_facts(*arrays, top, answer, log_odds if odds else None)
    return (top, answer, log_odds) if done else None


def find_cells(score: Array, unit: bool, coarse: int) -> Array | None:
    if score.ndim != 1:
        return None
    cells = np.empty(len(score), np.int64)
    done = extension.find_cells(*_make_contiguous(score), cells, 2 * coarse + unit)
    return cells if done else None


def count_cells(score: Array, positive: Array, unit: bool, coarse: int, cells: int) -> Array | None:
    if score.shape != positive.shape or positive.dtype != bool:
        return None
    counts = np.zeros((score.shape[1], cells, 2), np.int32)
    arrays = _make_contiguous(score, positive)
    done = extension.count_cells(*arrays, counts, 2 * coarse + unit)
    return counts if done else None


def count_odds(
    logit: Array, truth: Array, coarse: int, cells: int
) -> tuple[Array, Array, Array] | None:
    n, k = logit.shape
    if not n or truth.shape != (n,):
        return None
    top = np.empty(n)
    answer = np.empty(n, np.int32)
    counts = np.zeros((k, cells, 2), np.int32)
    arrays = _make_contiguous(logit, truth)
    done = extension.count_odds(*arrays, top, answer, counts, 2 * coarse)
    return (top, answer, counts) if done else None


def list_filled(counts: Array) -> tuple[Array, Array] | None:
    places = np.empty(np.count_nonzero(counts), np.int64)
    filled = np.empty_like(places)
    done = extension.list_filled(*_make_contiguous(counts), places, filled)
    return (places, filled) if done else None


def scan_cells(counts: Array) -> tuple[Array, int] | None:
    if counts.ndim != 2 or counts.shape[1] != 2:
        return None
    found = np.empty((4, len(counts)), np.int64)
    totals = np.empty(2, np.int64)
    done = extension.scan_cells(*_make_contiguous(counts), found, totals)
    return (found[:, : totals[0]], int(totals[1])) if done else None


def count_labels(truth: Array, predicted: Array) -> tuple[Array, Array] | None:
    n, k = truth.shape
    if not n or truth.shape != predicted.shape:
        return None
    by_label = np.zeros((3, k), np.int64)
    by_row = np.empty((n, 3), np.int32)
    done = extension.count_labels(*_make_contiguous(truth, predicted), by_label, by_row)
    return (by_label, by_row) if done else None


def count_sets(truth: Array, predicted: Array) -> tuple[Array, Array] | None:
    n, k = truth.shape
    if not n or truth.shape != predicted.shape:
        return None
    by_label = np.zeros((3, k), np.int64)
    table = np.zeros((k + 1,) * 3, np.int64)
    done = extension.count_labels(*_make_contiguous(truth, predicted), by_label, table)
    return (by_label, table) if done else None


def rank_labels(truth: Array, score: Array) -> tuple[Array, Array, Array] | None:
    n = len(truth)
    if not n or truth.shape != score.shape:
        return None
    precision = np.empty(n)
    loss = np.empty(n)
    coverage = np.empty(n, np.int32)
    done = extension.label_ranks(*_make_contiguous(truth, score), precision, loss, coverage)
    return (precision, loss, coverage) if done else None


def mix(rows: Sequence[Array], weights: Array, out: Array) -> bool | None:
    status = extension.mix(np.ascontiguousarray(weights, np.float64), out, *rows)
    return None if status < 0 else bool(status)


def _make_contiguous(*arrays: Array | None) -> list[Array | None]:
    return [None if array is None else np.ascontiguousarray(array) for array in arrays]


KERNELS: tuple[Callable[..., Any], ...] = (
    bin_rows,
    compute_logit_stats,
    compute_proba_stats,
    count_cells,
    count_labels,
    count_odds,
    count_pairs,
    count_sets,
    find_cells,
    keep_between,
    list_filled,
    map_codes,
    mix,
    pair_values,
    rank_labels,
    rank_scores,
    scan_cells,
    scan_curve,
    sum_errors,
    sum_proba_stats,
)
# Kernels by name; empty where none are compiled.
COMPILED: Mapping[str, Callable[..., Any]] = (
    {} if extension is None else {kernel.__name__: kernel for kernel in KERNELS}
)
