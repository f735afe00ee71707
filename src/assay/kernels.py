"""The hot loops in NumPy, blocked so that their buffers stay in cache: the reference, always there.

Those marked `with_twin` are replaced by compiled ones where the package was built with a compiler; `in_use` says which.

>>> import numpy as np
>>> count_pairs(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
[[1, 1], [0, 1]]
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial, wraps
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from assay._native import TWINS

__all__ = [
    "FEW_CLASSES", "bin_rows", "count_below", "count_labels", "count_leading", "count_pairs", "count_sets", "divide",
    "in_use", "join_moments", "label_ranks", "look_up", "moments", "rank_scores", "row_facts", "scan_curve",
    "select_places", "sum_by", "sum_errors", "sum_facts", "tie_counts",
]  # fmt: skip

Array = npt.NDArray[Any]
F = TypeVar("F", bound=Callable[..., Any])

BLOCK = 32_768
ROWS = 16_384  # numbers that are looked at several times
FEW_CLASSES = 64  # up to which rows of probabilities are read class by class


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
    if k == 2 and weight is None and cell is None and first.dtype == second.dtype == np.uint8 and len(first):
        return _pairs_of_two(first, second)
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


def _pairs_of_two(first: Array, second: Array) -> Array:
    if max(first.max(), second.max()) > 1:
        raise ValueError("a code is not below 2")
    one, other, both = (np.count_nonzero(codes) for codes in (first, second, first & second))
    return np.array([[len(first) - one - other + both, other - both], [one - both, both]])


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
    if none >= len(table) - 1 and np.array_equal(table[:-1], np.arange(len(table) - 1)):
        return _less(values, low, table.dtype)
    codes: Array = table[_less(values, low, np.dtype(np.intp))]
    return np.empty(0, table.dtype) if (codes == none).any() else codes


def _less(values: Array, low: int, dtype: np.dtype[Any]) -> Array:
    """values - low in the integers of `dtype`, which hold the difference where they may not hold either of the two."""
    bits = 8 * dtype.itemsize
    shift = np.array(low % (1 << bits), f"u{dtype.itemsize}").astype(dtype)
    less: Array = np.subtract(values, shift, dtype=dtype, casting="unsafe")
    return less


def moments(
    values: Array, weight: Array | None = None, cell: Array | None = None, cells: int = 1
) -> tuple[Array, Array, Array]:
    """Weight (cells,), mean and centred second moment (cells, d) of the rows of `values` (n, d), per cell.

    An infinite value has an infinite mean, and no second moment to speak of (nan).
    """

    def added(of_rows: Array) -> Array:
        return sum_by(cell, cells, of_rows if weight is None else of_rows * weight[:, None])

    total = sum_by(cell, cells, np.ones(len(values)) if weight is None else weight)
    mean = divide(added(values), total[:, None])
    centre = np.where(np.isfinite(mean), mean, 0.0)
    deviation = np.where(np.isfinite(values), values, np.nan) - (centre if cell is None else centre[cell])
    # The residual sum corrects the rounding of the mean (Higham, 2002, section 1.9).
    residual = added(deviation)
    m2 = added(deviation**2) - divide(residual**2, total[:, None])
    mean = np.where(np.isfinite(mean), mean + divide(residual, total[:, None]), mean)
    return total, mean, np.maximum(m2, 0)


def join_moments(weights: Array, means: Array, m2s: Array) -> tuple[Array, Array, Array]:
    """Weight (cells,), mean and second moment (cells, d) of parts (p, cells) and (p, cells, d): Chan et al. (1983)."""
    weight = weights.sum(axis=0)
    with np.errstate(invalid="ignore"):
        # From the first mean on, so that means that hardly differ keep their digits.
        start = means[np.argmax(weights > 0, axis=0), np.arange(len(weight))]
        gap = np.where(weights[..., None] > 0, means - start, 0.0)
        mean = start + divide((gap * weights[..., None]).sum(axis=0), weight[:, None])
        m2 = (m2s + weights[..., None] * (means - mean) ** 2 * (weights[..., None] > 0)).sum(axis=0)
    infinite = ~np.isfinite(means).all(axis=0)
    return weight, np.where(infinite, means.sum(axis=0), mean), m2


@with_twin
def sum_errors(truth: Array, value: Array) -> tuple[Array, Array]:
    """Means and centred second moments of what metrics of error are means of: (2, 6), and rows of truth 0: (1,).

    Of e = truth - value (n,): e above 0, -e above 0, e^2, |e|, the truth, and |e / truth| (0 where the truth is 0).
    """
    parts, zeros = [], np.zeros(1, np.int64)
    for start in range(0, len(truth), ROWS):
        y = np.asarray(truth[start : start + ROWS], np.float64)
        of = np.empty((6, len(y)))
        over, under, square, size, true, share = of
        true[:] = y
        error = np.subtract(y, value[start : start + ROWS], dtype=np.float64)
        np.maximum(error, 0.0, out=over)
        np.subtract(over, error, out=under)
        np.abs(error, out=size)
        np.multiply(error, error, out=square)
        none = len(y) - np.count_nonzero(y)
        zeros += none
        np.abs(np.divide(size, np.where(y == 0, np.inf, y) if none else y, out=share), out=share)
        mean = of.mean(axis=1)
        of -= mean[:, None]
        parts.append((len(y), mean, np.einsum("ij,ij->i", of, of)))
    weights, means, m2s = (np.array(part, np.float64)[:, None] for part in zip(*parts, strict=True))
    _, mean, m2 = join_moments(weights, means, m2s)
    return np.concatenate([mean, m2]), zeros


def count_below(ranked: Array, at: Array) -> tuple[Array, Array]:
    """How many of `ranked` (n,) lie below, and how many at or below, each of `at` (m,); both ascending: (m,) int64."""
    return np.searchsorted(ranked, at, "left"), np.searchsorted(ranked, at, "right")


@with_twin
def rank_scores(positive: Array, score: Array, threads: int = 1) -> tuple[Array, Array, Array, Array]:
    """The distinct scores of rows where `positive` (n,), descending, and how many rows reach them, each (m,), int64.

    Positive rows that score at least as much, negative ones that do, and negative ones that score more.
    """
    with ThreadPoolExecutor(threads) as pool:
        above, below = pool.map(lambda side: np.sort(score[(positive != 0) == side]), (True, False))
    first = np.ones(len(above), bool)
    np.not_equal(above[1:], above[:-1], out=first[1:])
    start = np.arange(len(above)) if first.all() else np.flatnonzero(first)
    found = above[start]
    less = np.searchsorted(below, found)
    upto = less.copy()
    inside = less[: np.searchsorted(less, len(below))]
    tied = np.flatnonzero(found[: len(inside)] == below[inside])
    upto[tied] = np.searchsorted(below, found[tied], "right")
    return found[::-1], len(above) - start[::-1], len(below) - less[::-1], len(below) - upto[::-1]


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
    sums = np.bincount(code, proba, bins).astype(np.float64)
    missed, hit = np.bincount(code + bins * (right != 0), minlength=2 * bins).reshape(2, bins).astype(np.float64)
    return missed + hit, sums, hit


def select_places(pieces: Sequence[Callable[[], Array]], places: Array, threads: int = 1) -> Array:
    """The numbers that stand at `places` (m,) of the sorted list of all of them: (m,), nan where one of them is none.

    pieces: each gives some of the numbers when it is called; all are called twice, and nothing of them is kept.
    """
    shares = [pieces[i::threads] for i in range(threads)]
    with ThreadPoolExecutor(threads) as pool:
        count = np.sum(list(pool.map(_count_cells, shares)), axis=0)
        if count[: CELL_OF[-np.inf]].any() or count[CELL_OF[np.inf] + 1 :].any():  # beyond the infinities
            return np.full(len(places), np.nan)
        upto = np.cumsum(count)
        cells = np.searchsorted(upto, places, "right")
        found = np.empty(len(places))
        for cell in dict.fromkeys(cells.tolist()):
            held = np.concatenate(list(pool.map(partial(_within_cell, cell), shares)))
            here = cells == cell
            own = places[here] - (upto[cell] - count[cell])
            found[here] = np.partition(held, own)[own]
    return found


def _count_cells(pieces: Sequence[Callable[[], Array]]) -> Array:
    count = np.zeros(CELLS, np.int64)
    for piece in pieces:
        count_leading(piece(), count)
    return count


def _within_cell(cell: int, pieces: Sequence[Callable[[], Array]]) -> Array:
    """The numbers whose leading bits are those of the cell."""
    ends = np.array([cell << 48, (cell << 48) | ((1 << 48) - 1)], np.uint64)
    ends = np.where(ends >> np.uint64(63) == 1, ends ^ np.uint64(1 << 63), ~ends).view(np.float64)
    low, high = np.where(np.isnan(ends), [-np.inf, np.inf], ends)
    held = [np.empty(0)]
    for piece in pieces:
        values = piece()
        held.append(values[(values >= low) & (values <= high)])
    return np.concatenate(held)


@with_twin
def count_leading(values: Array, count: Array) -> bool:
    """Adds to `count` (65536,) how many of the values (n,) have each pattern of leading bits; always true."""
    count += np.bincount(leading(values), minlength=CELLS)
    return True


def leading(values: Array) -> Array:
    """The sixteen leading bits (n,) of numbers, made to sort as the numbers do."""
    bits = (np.asarray(values, np.float64) + 0.0).view(np.int64) >> 48  # -0 and 0 are one number
    return np.where(bits < 0, ~bits, bits | 0x8000) & 0xFFFF


CELLS = 1 << 16
CELL_OF = {end: int(leading(np.array([end]))[0]) for end in (-np.inf, np.inf)}


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
    facts_of = _facts_of_two if k == 2 else _facts_of_few if k <= FEW_CLASSES else _facts_of_many
    for start, stop in _blocks(proba, truth):
        block = slice(start, stop)
        p, t = proba[block], truth[block].astype(np.intp)
        own[block], top[block], others[block], before[block] = facts_of(p, t)
        answer[block] = t
        wrong = np.flatnonzero((before[block] > 0) | np.isnan(own[block] + others[block]))
        answer[start + wrong] = p[wrong].argmax(axis=1)
    return own, top, others, before, answer


def _blocks(proba: Array, truth: Array) -> Iterator[tuple[int, int]]:
    """Where rows of probabilities that stay in cache begin and end."""
    n, k = proba.shape
    if truth.shape != (n,):
        raise ValueError(f"{n} rows of probabilities beside a truth of shape {truth.shape}")
    step = max(1, 16 * BLOCK // max(k, 1))
    return ((start, min(start + step, n)) for start in range(0, n, step))


def _facts_of_two(p: Array, t: Array) -> tuple[Array, Array, Array, Array]:
    """As row_facts but for the answer: all but the truth is one number."""
    if t.max(initial=0) > 1 or t.min(initial=0) < 0:
        raise IndexError("a code is not below 2")
    a, b, second = p[:, 0], p[:, 1], t != 0
    mine, rest = np.where(second, b, a), np.where(second, a, b)
    ahead = (rest > mine) | ((rest == mine) & second)
    return mine, np.maximum(a, b), rest.astype(np.float64) ** 2, ahead


def _facts_of_few(p: Array, t: Array) -> tuple[Array, Array, Array, Array]:
    """As row_facts but for the answer, class by class."""
    columns, classes = np.ascontiguousarray(p.T), np.arange(p.shape[1])[:, None]
    at = (t, np.arange(len(t)))
    mine = columns[at]
    top, ahead = columns.max(axis=0), (columns > mine).sum(axis=0, dtype=np.uint8)
    level = columns == mine
    if np.count_nonzero(level) > len(t):
        ahead += (level & (classes < t)).sum(axis=0, dtype=np.uint8)
    columns[at] = 0
    rest = columns.astype(np.float64)
    return mine, top, np.einsum("ij,ij->j", rest, rest), ahead


def _facts_of_many(p: Array, t: Array) -> tuple[Array, Array, Array, Array]:
    """As row_facts but for the answer, row by row."""
    mine = p[np.arange(len(t)), t]
    ahead = _count_rows(np.greater, p, mine)
    if np.count_nonzero(p == mine[:, None]) > len(t):
        ahead += np.count_nonzero((p == mine[:, None]) & (np.arange(p.shape[1]) < t[:, None]), axis=1)
    rest = p.astype(np.float64)
    rest[np.arange(len(t)), t] = 0.0
    return mine, p.max(axis=1), np.einsum("ij,ij->i", rest, rest), ahead


def _count_rows(compare: np.ufunc, p: Array, bar: Array) -> Array:
    """In how many columns of each row of `p` (n, k) the comparison with its `bar` (n,) holds, eight columns at once."""
    k = p.shape[1]
    held = np.zeros((len(p), -(-k // 8) * 8), bool)
    compare(p, bar[:, None], out=held[:, :k])
    words = held.view(np.uint64)
    counts = np.zeros(len(p), np.int64)
    for start in range(0, words.shape[1], 255):  # what a byte holds
        lanes = np.ascontiguousarray(words[:, start : start + 255].sum(axis=1))
        counts += lanes.view(np.uint8).reshape(-1, 8).sum(axis=1, dtype=np.int64)
    return counts


@with_twin
def sum_facts(
    proba: Array, truth: Array, edges: Array, floor: float, positive: int
) -> tuple[Array, Array, Array, Array | None]:
    """What is added up of rows of class probabilities (n, k), in one pass: sums (5,), ranks (k,), bins (3, b), table.

    Mean and centred second moment of the log loss (of probabilities under `floor`, that of it) and of the Brier score,
    and for how many rows the floor was used; for how many 0, 1, ... classes come before the true one; bins as of
    bin_rows, of the highest probability, or of that of the class `positive` where it is not -1; and for how many rows
    of each class each was the answer (k, k), of a few classes.
    """
    k = proba.shape[1]
    parts, ranks, bins = [], np.zeros(k, np.int64), np.zeros((3, len(edges) - 1))
    table = np.zeros((k, k), np.int64) if k <= FEW_CLASSES else None
    for start, stop in _blocks(proba, truth):
        p, t = proba[start:stop], truth[start:stop]
        own, top, others, before, answer = row_facts(p, t)
        ranks += np.bincount(before, minlength=k)
        stated = (top, before == 0) if positive < 0 else (p[:, positive], t == positive)
        bins += bin_rows(*stated, edges)
        if table is not None:
            table += count_pairs(t, answer, k)
        found = np.stack([-np.log(np.maximum(own, floor)), others + (1 - own) ** 2])
        mean = found.mean(axis=1)
        found -= mean[:, None]
        parts.append((len(t), mean, np.einsum("ij,ij->i", found, found), np.count_nonzero(own < floor)))
    weights, means, m2s, floored = (np.array(part, np.float64)[:, None] for part in zip(*parts, strict=True))
    _, mean, m2 = join_moments(weights, means, m2s)
    return np.array([mean[0, 0], m2[0, 0], mean[0, 1], m2[0, 1], floored.sum()]), ranks, bins, table


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
def count_sets(truth: Array, said: Array) -> tuple[Array, Array]:
    """As count_labels, but for how many rows have so many hits, true and predicted labels: (k + 1, k + 1, k + 1)."""
    by_label, by_row = count_labels(truth, said)
    shape = (truth.shape[1] + 1,) * 3
    code = np.ravel_multi_index(tuple(by_row.T), shape) if len(by_row) else np.zeros(0, np.int64)
    return by_label, np.bincount(code, minlength=int(np.prod(shape))).reshape(shape)


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
