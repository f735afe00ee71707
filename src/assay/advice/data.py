"""Data."""

import math

import numpy as np

from assay.advice.base import SURE, Advice, Seen, Z
from assay.kernels import Array

__all__ = ["too_few_rows"]

WIDE, WANTED = 0.05, 0.02  # half widths of an accuracy: too wide to decide by, and narrow enough
WIDE_LOSS, WANTED_LOSS = 0.25, 0.1  # the same of a mean squared error, relative to it


def too_few_rows(seen: Seen) -> list[Advice]:
    """The interval of the best model's main figure is too wide to decide by."""
    n = seen.effective
    if not seen.table.n:
        return []
    found = (
        _of_accuracy(seen, n)
        if seen.counts
        else _of_error(seen, n)
        if seen.table.task == "regression"
        else None
    )
    if found is None:
        return []
    evidence, rows, width = found
    unit = "clusters" if "cluster" in seen.table.columns else "rows"
    return [
        Advice(
            "A008",
            "The figures are too uncertain to decide by.",
            f"{evidence} on {seen.table.n} rows"
            + (f" in {n:.0f} clusters." if unit == "clusters" else "."),
            f"About {rows:,.0f} {unit} would give {width}; until then read the intervals, not the figures.",
        )
    ]


def _of_accuracy(seen: Seen, n: float) -> tuple[str, float, str] | None:
    right, model = max(
        (float((c.right / c.total)[0]), m) for m, c in seen.counts.items() if c.total[0]
    )
    # Agresti & Coull: two successes and two failures more, so that a perfect score has a width.
    p = (right * n + Z**2 / 2) / (n + Z**2)
    half = Z * math.sqrt(p * (1 - p) / (n + Z**2))
    if half <= WIDE:
        return None
    wanted = Z**2 * p * (1 - p) / WANTED**2
    return (
        f"The accuracy {right:.3g} of {model!r} is known to within {half:.2g}",
        wanted,
        f"{WANTED} to either side",
    )


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
    told = (
        f"The mean squared error {best[0]:.3g} of {best[2]!r} is known to within {half:.0%} of it"
    )
    return told, n * (half / WANTED_LOSS) ** 2, f"{WANTED_LOSS:.0%} to either side"


def imbalance(seen: Seen) -> list[Advice]:
    """One class holds 80 % of the rows or more, or some class, not by chance, less than a tenth of the largest."""
    share = seen.shares
    present = share[share > 0]
    uneven = (
        len(present) > 1
        and present.max() >= 10 * present.min()
        and _are_uneven(seen.rows[seen.rows > 0])
    )
    if len(present) < 2 or (share.max() < 0.8 and not uneven):
        return []
    top = int(np.argmax(share))
    return [
        Advice(
            "A001",
            "Classes are imbalanced: accuracy misleads.",
            f"{seen.table.classes[top]!r} is {share[top]:.1%} of {seen.table.n} rows: a model that always answers it "
            f"has accuracy {share[top]:.2g} and finds no row of any other class.",
            "Read balanced_accuracy, f1(average=macro) and the precision and recall of each class; where scores are "
            "given, the precision-recall curve rather than ROC.",
        )
    ]


def _are_uneven(rows: Array) -> bool:
    """Whether equal shares would hardly give a class of so few rows, by Chernoff's bound of Poisson's law."""
    mean = float(rows.mean())
    return len(rows) * float(np.exp(-((mean - rows.min()) ** 2) / (2 * mean))) < SURE


def assumed_positive(seen: Seen) -> list[Advice]:
    """The positive class of a binary task was not declared."""
    p = seen.table
    if p.task != "binary" or p.schema.positive_declared:
        return []
    return [
        Advice(
            "A003",
            f"The positive class is taken to be {p.schema.positive!r}.",
            "None was declared, so it is the last of the two in sorted order; precision, recall and F1 are its own.",
            "Declare it with positive=... (--positive on the command line) if the other one is meant.",
        )
    ]


def rare_class(seen: Seen) -> list[Advice]:
    """A class has so few rows that its figures are mostly chance."""
    p, counts = seen.table, seen.rows
    few = [f"{p.classes[i]!r} ({counts[i]})" for i in np.flatnonzero((counts > 0) & (counts < 10))]
    if not few:
        return []
    return [
        Advice(
            "A004",
            "Some classes have fewer than 10 rows.",
            f"Rows of the class: {', '.join(few[:5])}{', ...' if len(few) > 5 else ''}.",
            "Intervals of figures that rest on them are wide and rough; collect more rows of these classes.",
        )
    ]
