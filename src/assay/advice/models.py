"""Doubts: checks of whether the figures can be relied on - enough rows, sound splits, columns in their places.

>>> import numpy as np
>>> permutation(np.array([[1, 9], [8, 2]])).tolist()
[1, 0]
"""

import math

import numpy as np

from assay.advice.base import Advice, Seen
from assay.kernels import Array
from assay.kernels.totals import FLOOR
from assay.states.confusion import Counts
from assay.table.predictions import Rows

__all__ = ["below_mean", "permutation", "permuted_columns", "tied_classes"]
CELLS = 1 << 20  # probabilities that are looked at for ties
TIED = 0.01  # accuracy that hangs on the order of the classes alone and is worth a word
RISE = 0.1  # gain of accuracy that makes columns in another order worth a word


def below_mean(seen: Seen) -> list[Advice]:
    """A regression model whose squared error is no smaller than that of always saying the mean of the truth."""
    if seen.table.task != "regression" or not seen.sample.n:
        return []
    found = []
    for model, rows in seen.views("value"):
        truth = np.asarray(rows.truth, np.float64)
        flat = float(
            np.average((truth - np.average(truth, weights=rows.weight)) ** 2, weights=rows.weight)
        )
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
        if not isinstance(
            counts.table, np.ndarray
        ):  # of so many classes the best order is not to be had
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


def below_baseline(seen: Seen) -> list[Advice]:
    """A model is right no more often than the majority class, and finds classes no better than chance does."""
    if not len(seen.shares):
        return []
    majority = float(seen.shares.max())
    right = {model: float((c.right / c.total)[0]) for model, c in seen.counts.items() if c.total[0]}
    return [
        Advice(
            "A002",
            f"Model {model!r} does not beat the majority class.",
            f"Its accuracy is {accuracy:.4g}; always answering the majority has {majority:.4g}.",
            "Look at its recall of the other classes; if it does no better there, it has learned nothing of use (check "
            "labels, features and the threshold).",
        )
        for model, accuracy in right.items()
        if accuracy <= majority < 1 and not _finds_classes(seen.counts[model])
    ]


def _finds_classes(c: Counts) -> bool:
    """Whether the mean recall of the classes lies above chance by two standard errors."""
    there = c.support[0] > 0
    rows, recall = c.support[0][there], c.tp[0][there] / c.support[0][there]
    chance = 1 / len(rows)
    error = np.sqrt((np.maximum(recall * (1 - recall), chance * (1 - chance)) / rows).sum()) / len(
        rows
    )
    return float(recall.mean()) > chance + 2 * float(error)


def impossible_truth(seen: Seen) -> list[Advice]:
    """A model gave the truth a probability of 0."""
    if seen.table.task not in ("binary", "multiclass"):
        return []
    found = []
    for model, rows in seen.views("proba"):
        n = _impossible(rows)
        if n:
            found.append(
                Advice(
                    "A012",
                    f"Model {model!r} gave the truth a probability of 0.",
                    f"{n} of {seen.sample.n} rows ({n / seen.sample.n:.2g} of them) came out as it had ruled out; "
                    f"their log loss is infinite, and counted as that of {FLOOR:.2g}.",
                    "Read log_loss with care; give the logits, which do not round to 0, or smooth the probabilities.",
                )
            )
    return found


def _impossible(rows: Rows) -> int:
    """How many rows' truth has a given probability under FLOOR (logits never do)."""
    return 0 if rows.proba_totals is None else int(rows.proba_totals.sums[4])
