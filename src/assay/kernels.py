"""The hot loops in NumPy, blocked so that their buffers stay in cache: the reference, always there.

Those marked `with_twin` are replaced by compiled ones where the package was built with a compiler; `in_use` says which.

>>> import numpy as np
>>> count_pairs(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
[[1, 1], [0, 1]]
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from assay._native import TWINS

__all__ = [
    "bin_rows", "count_below", "count_labels", "count_pairs", "divide", "in_use", "label_ranks", "look_up", "moments",
    "rank_scores", "row_facts", "scan_curve", "select_places", "sum_by", "tie_counts",
]  # fmt: skip

Array = npt.NDArray[Any]
F = TypeVar("F", bound=Callable[..., Any])

BLOCK = 32_768


def in_use() -> str:
    """Which kernels run: "compiled" or "numpy"."""
    return "compiled" if TWINS else "numpy"


def with_twin(reference: F) -> F:
    """The compiled twin of a kernel, with the kernel itself for inputs that the twin does not take."""
    twin = TWINS.get(reference.__name__)
    if twin is None:
        return reference

    @wraps(reference)
    def kernel(*args: Any, **options: Any) -> Any:
        found = twin(*args, **options)
        return reference(*args, **options) if found is None else found

    return cast(F, kernel)


@with_twin
def count_pairs(
    first: Array, second: Array, k: int, weight: Array | None = None, cell: Array | None = None, cells: int = 1
) -> Array:
    """How often (or with what weight) each pair of codes occurs: (k, k), or (cells, k, k) where `cell` is given.

    Codes lie in 0..k-1, cells in 0..cells-1. Counts are int64 and exact; weighted sums are float64.
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
        return np.bincount(cell, values, minlength=cells).astype(np.float64, copy=False)  # of no rows it is int64
    return np.stack([sum_by(cell, cells, column) for column in values.T], axis=1)


@with_twin
def look_up(values: Array, low: int, table: Array) -> Array:
    """The code (n,) that a table gives each integer from `low` on; empty where one has none.

    The last entry of the table stands for what it does not hold.
    """
    none = table[-1]
    if len(values) and (values.min() < low or int(values.max()) - low >= len(table) - 1):
        return np.empty(0, table.dtype)
    if np.array_equal(table[:-1], np.arange(len(table) - 1)):
        return _less(values, low, table.dtype)
    codes: Array = table[_less(values, low, np.dtype(np.intp))]
    return np.empty(0, table.dtype) if (codes == none).any() else codes


def _less(values: Array, low: int, dtype: np.dtype[Any]) -> Array:
    """values - low in the integers of `dtype`, which hold the difference where they may not hold either of the two."""
    bits = 8 * dtype.itemsize
    shift = np.array(low % (1 << bits), f"u{dtype.itemsize}").astype(dtype)
    less: Array = np.subtract(values, shift, dtype=dtype, casting="unsafe")
    return less


@with_twin
def moments(
    values: Array, weight: Array | None = None, cell: Array | None = None, cells: int = 1
) -> tuple[Array, Array, Array]:
    """Weight (cells,), mean and centred second moment (cells, d) of the rows of `values` (n, d), per cell.

    An infinite value has an infinite mean, and no second moment to speak of (nan).
    """
    weight = np.ones(len(values)) if weight is None else weight
    total = sum_by(cell, cells, weight)
    mean = divide(sum_by(cell, cells, values * weight[:, None]), total[:, None])
    centre = np.where(np.isfinite(mean), mean, 0.0)
    deviation = np.where(np.isfinite(values), values, np.nan) - (centre if cell is None else centre[cell])
    # The residual sum corrects the rounding of the mean (Higham, 2002, section 1.9).
    residual = sum_by(cell, cells, deviation * weight[:, None])
    m2 = sum_by(cell, cells, deviation**2 * weight[:, None]) - divide(residual**2, total[:, None])
    mean = np.where(np.isfinite(mean), mean + divide(residual, total[:, None]), mean)
    return total, mean, np.maximum(m2, 0)


def count_below(ranked: Array, at: Array) -> tuple[Array, Array]:
    """How many of `ranked` (n,) lie below, and how many at or below, each of `at` (m,); both ascending: (m,) int64."""
    return np.searchsorted(ranked, at, "left"), np.searchsorted(ranked, at, "right")


@with_twin
def rank_scores(positive: Array, score: Array, threads: int = 1) -> tuple[Array, Array, Array, Array]:
    """The distinct scores of rows where `positive` (n,), descending, and how many rows reach them, each (m,), int64.

    Positive rows that score at least as much, negative ones that do, and negative ones that score more.
    """
    sides = [score[rows] for rows in (positive != 0, positive == 0)]
    if threads == 1:
        above, below = map(np.sort, sides)
    else:
        with ThreadPoolExecutor(2) as pool:
            above, below = pool.map(np.sort, sides)
    first = np.ones(len(above), bool)
    np.not_equal(above[1:], above[:-1], out=first[1:])
    start = np.flatnonzero(first)[::-1]
    found = above[start]
    less, upto = (np.searchsorted(below, found[::-1], side)[::-1] for side in ("left", "right"))
    return found, len(above) - start, len(below) - less, len(below) - upto


@with_twin
def scan_curve(
    what: str, tp: Array, fp: Array, fp_above: Array, positives: Any, negatives: Any, beta: float = 1.0
) -> Array:
    """A sum or a maximum over the thresholds of a curve (..., m), from the highest down: (...,).

    area: of negatives below each positive row and at it, the former twice; precision: of the precision at each positive
    row; lead: the most that the true positive rate is above the false one; f_beta: the highest.
    """
    p, q = np.expand_dims(positives, -1), np.expand_dims(negatives, -1)
    if what == "lead":
        return np.asarray((divide(tp, p) - divide(fp, q)).max(axis=-1, initial=0.0))
    if what == "f_beta":
        return np.asarray(divide((1 + beta**2) * tp, beta**2 * p + tp + fp).max(axis=-1, initial=0.0))
    each = 2 * q - fp - fp_above if what == "area" else divide(tp, tp + fp)
    return np.asarray((np.diff(tp, prepend=0, axis=-1) * each).sum(axis=-1))


@with_twin
def bin_rows(proba: Array, right: Array, edges: Array) -> tuple[Array, Array, Array]:
    """Rows, the sum of their probabilities, and rows that were `right` (n,), per bin of equal width: (bins,), float64.

    An inner edge belongs to the bin above it.
    """
    proba, bins = np.asarray(proba, np.float64), len(edges) - 1
    code = np.minimum((proba * bins).astype(np.intp), bins - 1)
    # Put right where the product rounds across an edge.
    code -= proba < edges[code]
    code += (proba >= edges[code + 1]) & (code < bins - 1)
    mass, sums = np.bincount(code, minlength=bins), np.bincount(code, proba, bins)
    return mass.astype(np.float64), sums.astype(np.float64), np.bincount(code[right], minlength=bins).astype(np.float64)


@with_twin
def select_places(values: Array, places: Array) -> Array:
    """The values (n,) that stand at `places` (m,), ascending, of the sorted list: (m,), without sorting it all."""
    return np.asarray(np.partition(values, places)[places], np.float64)


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


@with_twin
def row_facts(proba: Array, truth: Array) -> tuple[Array, Array, Array, Array, Array]:
    """What rows of class probabilities (n, k) say, in one pass, each (n,).

    The probability of the true class, the highest one, the sum of the squares of all but the true one, how many classes
    come before the true one (more probable, or as probable and declared earlier), and the class of the highest.
    """
    n, k = proba.shape
    own, top, others = np.empty(n), np.empty(n), np.empty(n)
    before, answer = np.empty(n, np.int32), np.empty(n, np.int32)
    step = max(1, 8 * BLOCK // max(k, 1))
    columns = np.arange(k)
    for start in range(0, n, step):
        block = slice(start, start + step)
        if k == 2 and truth[block].max() < 2 and truth[block].min() >= 0 and not np.isnan(proba[block].sum()):
            own[block], top[block], others[block], before[block], answer[block] = _facts_of_two(
                proba[block], truth[block]
            )
            continue
        p, t = proba[block], truth[block].astype(np.intp)[:, None]
        mine = np.take_along_axis(p, t, axis=1)
        answer[block] = p.argmax(axis=1)
        own[block], top[block] = mine[:, 0], p.max(axis=1)
        before[block] = np.count_nonzero(p > mine, axis=1)
        level = p == mine
        if np.count_nonzero(level) > len(t):
            before[block] += np.count_nonzero(level & (columns < t), axis=1)
        rest = p.astype(np.float64)
        np.put_along_axis(rest, t, 0.0, axis=1)
        others[block] = np.einsum("ij,ij->i", rest, rest)
    return own, top, others, before, answer


def _facts_of_two(proba: Array, truth: Array) -> tuple[Array, Array, Array, Array, Array]:
    """As row_facts, of two classes: all but the truth is one number."""
    a, b, second = proba[:, 0], proba[:, 1], truth != 0
    mine, rest = np.where(second, b, a), np.where(second, a, b)
    before = (rest > mine) | ((rest == mine) & second)
    return mine, np.maximum(a, b), rest.astype(np.float64) ** 2, before, b > a


@with_twin
def count_labels(truth: Array, said: Array) -> tuple[Array, Array]:
    """Hits, true and predicted labels of 0/1 tables (n, k): per label (3, k) int64, and per row (n, 3) int32."""
    n, k = truth.shape
    by_label, by_row = np.zeros((3, k), np.int64), np.empty((n, 3), np.int32)
    for start in range(0, n, 255):
        block = slice(start, start + 255)
        t, p = truth[block], said[block]
        for i, table in enumerate((t & p, t, p)):
            by_label[i] += np.add.reduce(table, axis=0, dtype=np.uint8)
    for start in range(0, n, BLOCK):
        block = slice(start, start + BLOCK)
        for i, table in enumerate((truth[block] & said[block], truth[block], said[block])):
            by_row[block, i] = np.count_nonzero(table.view(bool), axis=1)
    return by_label, by_row


@with_twin
def label_ranks(truth: Array, score: Array) -> tuple[Array, Array, Array]:
    """How the labels of each row are ordered by score (n, k): average precision, ranking loss, coverage, each (n,).

    Average precision of the true labels (1 where there is none), share of pairs of a true and a false label with the
    false one scored at least as high (0 where there is no such pair), and how far down the list the last true label is.
    """
    n, k = truth.shape
    precision, loss, depth = np.ones(n), np.zeros(n), np.zeros(n, np.int32)
    step = max(1, BLOCK // max(k, 1))
    for start in range(0, n, step):
        block = slice(start, start + step)
        true = truth[block].astype(bool)
        row, at = np.nonzero(true)
        s = score[block]
        there = s[row] >= s[row, at][:, None]
        everything, hits = np.count_nonzero(there, axis=1), np.count_nonzero(there & true[row], axis=1)
        real = np.count_nonzero(true, axis=1)
        some = real > 0
        sums = np.bincount(row, hits / everything, minlength=len(true))
        precision[block][some] = sums[some] / real[some]
        pairs = real * (k - real)
        loss[block] = divide(np.bincount(row, everything - hits, minlength=len(true)), pairs)
        np.maximum.at(depth[block], row, everything.astype(np.int32))
    return precision, loss, depth


def divide(a: Array, b: Array) -> Array:
    """a / b, and 0 where b is 0 (an empty cell has no mean to move)."""
    return np.divide(a, b, out=np.zeros(np.broadcast_shapes(np.shape(a), np.shape(b))), where=np.asarray(b) != 0)
