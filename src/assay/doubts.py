"""Doubts: checks of whether the figures can be relied on - enough rows, sound splits, columns in their places.

>>> import numpy as np
>>> permutation(np.array([[1, 9], [8, 2]])).tolist()
[1, 0]
"""

import math
from typing import Any

import numpy as np

from assay.checks import Advice, Seen, Z
from assay.predictions import Rows
from assay.table.labels import Array

__all__ = [
    "below_mean", "odd_fold", "permutation", "permuted_columns", "shared_across_splits", "tied_classes", "too_few_rows",
]  # fmt: skip

WIDE, WANTED = 0.05, 0.02  # half widths of an accuracy: too wide to decide by, and narrow enough
WIDE_LOSS, WANTED_LOSS = 0.25, 0.1  # the same of a mean squared error, relative to it
FAR = 3.5  # robust standard deviations
CELLS = 1 << 20  # probabilities that are looked at for ties
TIED = 0.01  # accuracy that hangs on the order of the classes alone and is worth a word
RISE = 0.1  # gain of accuracy that makes columns in another order worth a word


def too_few_rows(seen: Seen) -> list[Advice]:
    """The interval of the best model's main figure is too wide to decide by."""
    n = seen.effective
    if not seen.table.n:
        return []
    found = _of_accuracy(seen, n) if seen.counts else _of_error(seen, n) if seen.table.task == "regression" else None
    if found is None:
        return []
    evidence, rows, width = found
    unit = "clusters" if "cluster" in seen.table.columns else "rows"
    return [
        Advice(
            "A008",
            "The figures are too uncertain to decide by.",
            f"{evidence} on {seen.table.n} rows" + (f" in {n:.0f} clusters." if unit == "clusters" else "."),
            f"About {rows:,.0f} {unit} would give {width}; until then read the intervals, not the figures.",
        )
    ]


def _of_accuracy(seen: Seen, n: float) -> tuple[str, float, str] | None:
    right, model = max((float((c.right / c.total)[0]), m) for m, c in seen.counts.items() if c.total[0])
    # Agresti & Coull: two successes and two failures more, so that a perfect score has a width.
    p = (right * n + Z**2 / 2) / (n + Z**2)
    half = Z * math.sqrt(p * (1 - p) / (n + Z**2))
    if half <= WIDE:
        return None
    wanted = Z**2 * p * (1 - p) / WANTED**2
    return f"The accuracy {right:.3g} of {model!r} is known to within {half:.2g}", wanted, f"{WANTED} to either side"


def _of_error(seen: Seen, n: float) -> tuple[str, float, str] | None:
    best: tuple[float, float, str] | None = None
    for model, rows in seen.views("value"):
        square = rows.residual**2
        mean = float(np.average(square, weights=rows.weight))
        if best is None or mean < best[0]:
            best = mean, float(np.average((square - mean) ** 2, weights=rows.weight)), model
    if best is None or not best[0] or n < 2:
        return None
    half = Z * math.sqrt(best[1] / (n - 1)) / best[0]
    if half <= WIDE_LOSS or not math.isfinite(half):  # of squares that overflow nothing is known
        return None
    told = f"The mean squared error {best[0]:.3g} of {best[2]!r} is known to within {half:.0%} of it"
    return told, n * (half / WANTED_LOSS) ** 2, f"{WANTED_LOSS:.0%} to either side"


def below_mean(seen: Seen) -> list[Advice]:
    """A regression model whose squared error is no smaller than that of always saying the mean of the truth."""
    if seen.table.task != "regression" or not seen.sample.n:
        return []
    found = []
    for model, rows in seen.views("value"):
        truth = np.asarray(rows.truth, np.float64)
        flat = float(np.average((truth - np.average(truth, weights=rows.weight)) ** 2, weights=rows.weight))
        error = float(np.average(rows.residual**2, weights=rows.weight))
        if math.inf > error >= flat > 0:
            found.append(
                Advice(
                    "A014",
                    f"Model {model!r} does not beat the mean.",
                    f"Its mean squared error is {error:.4g}; always saying the mean of the truth has {flat:.4g}.",
                    "It has learned nothing of use for these rows, or is off by a constant or a scale: look at its "
                    "residuals, at the units of the truth, and for a change between training rows and these.",
                )
            )
    return found


def odd_fold(seen: Seen) -> list[Advice]:
    """The figure of one fold lies far outside those of the others, by more than rows and folds vary."""
    p = seen.sample
    if "fold" not in p.columns or not p.n:
        return []
    code, names = p.group("fold")
    # With few rows a fold (leave-one-out at the extreme) no figure of one means anything.
    if len(names) < 3 or len(names) > p.n / 10:
        return []
    from statistics import NormalDist

    bar = NormalDist().inv_cdf(1 - seen.level / len(names) / 2)
    found = []
    for model, rows in seen.views("value" if p.task == "regression" else "label"):
        mean, apart = fold_distances(_losses(rows), rows.weight, code, len(names))
        far = int(np.argmax(apart))
        if apart[far] > max(bar, FAR):
            of = "mean absolute error" if p.task == "regression" else "error rate"
            others = float(np.median(np.delete(mean, far)))
            found.append(
                Advice(
                    "A009",
                    f"Fold {names[far]!r} is unlike the others for model {model!r}.",
                    f"Its {of} there is {mean[far]:.3g}, in the other folds {others:.3g} by the median: "
                    f"{apart[far]:.1f} robust standard deviations away.",
                    "Look for a change of source, time or labels in that fold, a leak, or a fit that failed; a mean "
                    "over such folds describes none of them.",
                )
            )
    return found


def fold_distances(loss: Array, weight: Array | None, code: Array, folds: int) -> tuple[Array, Array]:
    """Mean loss of each fold, and how many robust standard deviations it lies from the median of the others (folds,).

    The deviation is the larger of what the rows' spread gives by chance and of what the other folds vary by (their
    median absolute deviation), so that folds that all differ are no news.
    """
    w = np.ones(len(loss)) if weight is None else weight
    mass = np.maximum(np.bincount(code, w, folds), 1e-300)
    mean = np.bincount(code, w * loss, folds) / mass
    n = mass**2 / np.maximum(np.bincount(code, w**2, folds), 1e-300)
    centre = np.average(loss, weights=w)
    variance = float(np.average((loss - centre) ** 2, weights=w))
    others = [np.delete(mean, f) for f in range(folds)]
    median = np.array([np.median(each) for each in others])
    spread = np.array([1.4826 * np.median(np.abs(each - m)) for each, m in zip(others, median, strict=True)])
    # The median of several folds varies pi / 2 times as much as their mean.
    chance = np.sqrt(variance / n + np.pi / 2 * variance / np.maximum(n.sum() - n, 1))
    # Whole rows are right or wrong: half a row is no distance.
    step = 0.5 / n if loss.dtype == bool else 0.0
    scale = np.maximum(chance, spread)
    return mean, np.divide(np.maximum(np.abs(mean - median) - step, 0), scale, out=np.zeros(folds), where=scale > 0)


def _losses(rows: Rows) -> Array:
    if rows.schema.task == "regression":
        return np.asarray(np.abs(rows.truth - np.asarray(rows.value, np.float64)))
    wrong = np.asarray(rows.truth != rows.label)
    return np.asarray(wrong.mean(axis=1)) if wrong.ndim == 2 else wrong


def shared_across_splits(seen: Seen) -> list[Advice]:
    """The same id, or rows of one cluster, are in several splits or folds."""
    found = []
    for unit in ("id", "cluster"):
        for apart in ("split", "fold"):
            shared = _shared(seen, unit, apart)
            if shared is not None:
                n, example, where = shared
                found.append(
                    Advice(
                        "A010",
                        f"Rows of the same {unit} are in several {apart}s.",
                        f"{n} {unit}s are, {example!r} for one, in {' and '.join(map(repr, where))}: what was seen "
                        f"in one gives away the other, and every figure is too good.",
                        f"Keep all rows of a {unit} in one {apart} (a grouped splitter does), and fit again.",
                    )
                )
    return found


def _shared(seen: Seen, unit: str, apart: str) -> tuple[int, Any, list[Any]] | None:
    """How many units are in more than one of the parts, one of them, and the parts it is in."""
    columns = seen.table.columns  # of a stream, those of its first rows
    if unit not in columns or apart not in columns:
        return None
    import pyarrow as pa
    import pyarrow.compute as pc

    units, parts = columns[unit], columns[apart]
    if unit == "id" and len(units.unique()) == len(units):
        return None
    pairs = pa.table({"unit": units, "part": parts}).group_by(["unit", "part"], use_threads=False).aggregate([])
    counted = pairs["unit"].value_counts()
    several = counted.filter(pc.greater(counted.field("counts"), 1))
    if not len(several):
        return None
    one = several[0]["values"]
    where = pairs["part"].filter(pc.equal(pairs["unit"], one)).to_pylist()
    return len(several), one.as_py(), sorted(where, key=str)


def tied_classes(seen: Seen) -> list[Advice]:
    """Several classes share the highest probability in so many rows that their order moves the accuracy."""
    found = []
    for model, rows in seen.views("label") if seen.counts else ():
        given = next((rows.given[kind] for kind in ("proba", "logit") if kind in rows.given), None)
        if given is None or "label" in rows.given or not len(given):
            continue
        every = slice(None, None, max(1, given.size // CELLS))
        given, truth = given[every], rows.truth[every]
        highest = given == given.max(axis=1, keepdims=True)
        tied = np.count_nonzero(highest, axis=1) > 1
        if not tied.any():
            continue
        hit = np.take_along_axis(highest, truth[:, None].astype(np.intp), axis=1)[:, 0]
        worst, best = float((hit & ~tied).mean()), float(hit.mean())
        if best - worst > TIED:
            found.append(
                Advice(
                    "A015",
                    f"Model {model!r} gives several classes the same highest probability.",
                    f"It does in {tied.mean():.1%} of {len(tied)} rows, where the class declared first is taken for "
                    f"its answer: by the order of the classes alone its accuracy could be {worst:.3g} to {best:.3g}.",
                    "Write probabilities with more digits, or read metrics of probabilities (log_loss, brier).",
                )
            )
    return found


def permuted_columns(seen: Seen) -> list[Advice]:
    """A model is right far more often if its classes are read in another order."""
    found = []
    classes = seen.table.classes
    for model, counts in seen.counts.items():
        if not isinstance(counts.table, np.ndarray):  # of so many classes the best order is not to be had
            continue
        table, total = np.asarray(counts.table[0], np.float64), float(counts.total[0])
        order = _suspected(table, total, seen)
        if order is None:
            continue
        moved = [f"{classes[j]!r} read as {classes[i]!r}" for j, i in enumerate(order) if i != j]
        now, then = np.trace(table) / total, table[order, np.arange(len(order))].sum() / total
        found.append(
            Advice(
                "A011",
                f"The class columns of model {model!r} seem to be in another order.",
                f"Its accuracy is {now:.3g}; with {', '.join(moved[:4])}{', ...' if len(moved) > 4 else ''} "
                f"it is {then:.3g}.",
                "Give its outputs under the class names in the order the model was trained with (its own classes_ or "
                "label map).",
            )
        )
    return found


def _suspected(table: Array, total: float, seen: Seen) -> Array | None:
    """The order of classes under which far more rows are right, if chance does not explain it."""
    k = len(table)
    if not total or k < 2 or k != seen.table.schema.k:
        return None
    now, most = np.trace(table) / total, table.max(axis=0).sum() / total
    if most - now <= _chance(2, k, most - now, seen):
        return None
    order = permutation(table)
    moved = (order != np.arange(k)) & (table.sum(axis=0) > 0)
    told = table[:, moved].sum() / total
    here, there = table[moved, moved].sum() / total, table[order[moved], moved].sum() / total
    gain = there - here
    # Few rows of many may be concerned: then it counts what becomes of them.
    if gain <= _chance(int(moved.sum()), k, here + there, seen) or gain <= min(RISE, told / 2):
        return None
    # A model that always names one class would gain as much by naming the largest; it is lazy, not permuted.
    return order if now + gain - float(seen.shares.max()) > RISE / 2 else None


def _chance(moved: int, k: int, share: float, seen: Seen) -> float:
    """What the best order that moves so many of k classes gains by chance, where it concerns that share of the rows.

    A union bound: over the numbers of classes moved, over which these are, and over what they are read as.
    """
    ways = 2 * math.lgamma(k + 1) - 2 * math.lgamma(k - moved + 1) - math.lgamma(moved + 1)
    return math.sqrt(2 * (ways + math.log(k) - math.log(seen.level)) * share / seen.effective)


def permutation(table: Array) -> Array:
    """For each predicted class (column) the true class (row) to read it as, so that most rows are right."""
    order = np.asarray(np.argmax(table, axis=0))
    if len(set(order.tolist())) < len(order):
        from scipy.optimize import linear_sum_assignment

        order = np.asarray(linear_sum_assignment(table.T, maximize=True)[1])
    return order
