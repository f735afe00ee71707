"""Checks of the data: rows, classes and what was declared of them.

>>> check_uneven(np.array([500, 500, 12]))
True
"""

import math
from typing import NamedTuple

import numpy as np

from assay.advice.base import FALSE_ALARM, Advice, Check, CheckContext, Z
from assay.kernels import Array

__all__ = ["AssumedPositive", "Imbalance", "RareClass", "TooFewRows"]

# Half widths of the interval of an accuracy: too wide to decide by, and what to aim for.
WIDE = 0.05
WANTED = 0.02
# The same of a mean squared error, relative to it.
WIDE_ERROR = 0.25
WANTED_ERROR = 0.1


class Imbalance(Check):
    """One class holds 80 % of the rows, or some class less than a tenth of the largest."""

    name = "A001"
    title = "Classes are imbalanced: accuracy misleads."

    def find(self, context: CheckContext) -> list[Advice]:
        share = context.shares
        present = share[share > 0]
        if len(present) < 2:
            return []
        uneven = present.max() >= 10 * present.min() and check_uneven(
            context.class_rows[context.class_rows > 0]
        )
        if share.max() < 0.8 and not uneven:
            return []
        top = int(np.argmax(share))
        weighted = "" if context.table.head.weight is None else "the weight of "
        return [
            self.report(
                f"{context.table.classes[top]!r} is {share[top]:.1%} of {weighted}"
                f"{context.table.n} rows: a model that always answers it has accuracy "
                f"{share[top]:.2g} and finds no row of any other class.",
                "Read balanced_accuracy, f1(average=macro) and the precision and recall of each "
                "class; where scores are given, the precision-recall curve rather than ROC.",
            )
        ]


class AssumedPositive(Check):
    """The positive class of a binary task was not declared."""

    name = "A003"
    title = "The positive class is taken to be {positive!r}."

    def find(self, context: CheckContext) -> list[Advice]:
        schema = context.table.schema
        if schema.task != "binary" or schema.positive_declared:
            return []
        return [
            self.report(
                "None was declared, so it is the last of the two in sorted order; precision, "
                "recall and F1 are its own.",
                "Declare it with positive=... (--positive on the command line) if the other one "
                "is meant.",
                positive=schema.positive,
            )
        ]


class RareClass(Check):
    """A class has fewer than 10 rows, so that its values are mostly chance.

    Of rows that come in clusters, such as the pixels of images, it counts the clusters.
    """

    name = "A004"
    title = "Some classes have fewer than {fewest} {units}."

    def find(self, context: CheckContext) -> list[Advice]:
        counts, units, fewest = context.class_rows, "rows", 10
        if context.knows_clusters and len(counts):
            counts, units = context.class_clusters, "clusters"
            # Where all clusters are few, a class that is in all of them is not rarer than others.
            fewest = min(fewest, int(context.effective_rows))
        rare = [
            f"{context.table.classes[code]!r} ({counts[code]})"
            for code in np.flatnonzero((counts > 0) & (counts < fewest))
        ]
        if not rare:
            return []
        more = ", ..." if len(rare) > 5 else ""
        return [
            self.report(
                f"{units.capitalize()} of the class: {', '.join(rare[:5])}{more}.",
                "Intervals of values that rest on them are wide and rough; collect more "
                f"{units} of these classes.",
                fewest=fewest,
                units=units,
            )
        ]


class Uncertainty(NamedTuple):
    """How precisely the best model is known: in words, the rows that would do, and for what."""

    evidence: str
    rows: float
    width: str


class TooFewRows(Check):
    """The interval of the best model's accuracy or squared error is too wide to decide by."""

    name = "A008"
    title = "The estimates are too uncertain to decide by."

    def find(self, context: CheckContext) -> list[Advice]:
        if not context.table.n:
            return []
        uncertainty: Uncertainty | None = None
        if context.counts:
            uncertainty = _measure_accuracy(context)
        elif context.table.task == "regression":
            uncertainty = _measure_error(context)
        if uncertainty is None:
            return []
        clustered = "cluster" in context.table.columns
        clusters = f" in {context.effective_rows:.0f} clusters" if clustered else ""
        unit = "clusters" if clustered else "rows"
        return [
            self.report(
                f"{uncertainty.evidence} on {context.table.n} rows{clusters}.",
                f"About {uncertainty.rows:,.0f} {unit} would give {uncertainty.width}; until "
                f"then read the intervals, not the estimates.",
            )
        ]


def check_uneven(rows: Array) -> bool:
    """Whether equal shares would hardly give a class as few rows as the rarest has.

    By Chernoff's bound of a Poisson count; `rows` (k,) are those of each class.
    """
    mean = float(rows.mean())
    return len(rows) * float(np.exp(-((mean - rows.min()) ** 2) / (2 * mean))) < FALSE_ALARM


def _measure_accuracy(context: CheckContext) -> Uncertainty | None:
    """How precisely the accuracy of the best model is known, if too roughly."""
    n = context.effective_rows
    right, model = max(
        (float((c.right / c.total)[0]), m) for m, c in context.counts.items() if c.total[0]
    )
    # Agresti & Coull: two successes and two failures more, so that a perfect score has a width.
    p = (right * n + Z**2 / 2) / (n + Z**2)
    half = Z * math.sqrt(p * (1 - p) / (n + Z**2))
    if half <= WIDE:
        return None
    return Uncertainty(
        f"The accuracy {right:.3g} of {model!r} is known to within {half:.2g}",
        Z**2 * p * (1 - p) / WANTED**2,
        f"{WANTED} to either side",
    )


def _measure_error(context: CheckContext) -> Uncertainty | None:
    """How precisely the mean squared error of the best model is known, if too roughly."""
    n = context.effective_rows
    best: tuple[float, float, str] | None = None
    for model, rows in context.read_models("value"):
        square = rows.residual**2
        mean = float(np.average(square, weights=rows.weight))
        if best is None or mean < best[0]:
            best = mean, float(np.average((square - mean) ** 2, weights=rows.weight)), model
    if best is None or not best[0] or n < 2:
        return None
    error, variance, model = best
    half = Z * math.sqrt(variance / (n - 1)) / error
    if half <= WIDE_ERROR or not math.isfinite(half):  # squares may overflow
        return None
    return Uncertainty(
        f"The mean squared error {error:.3g} of {model!r} is known to within {half:.0%} of it",
        n * (half / WANTED_ERROR) ** 2,
        f"{WANTED_ERROR:.0%} to either side",
    )
