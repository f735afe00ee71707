"""Checks of the table itself and of what its models say: each reads what is there and gives its findings.

>>> print(Advice("A000", "All is well.", "No figure is odd.", "Carry on."))
A000 All is well. No figure is odd. Carry on.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from assay.predictions import Predictions, Rows
from assay.state import Counts
from assay.stream import Stream
from assay.table.labels import Array
from assay.totals import FLOOR

__all__ = ["Advice", "Seen"]

SURE = 0.01  # chance that a check of the figures accuses any model of a sound table
Z = 1.959963984540054  # standard errors to either side that hold 95 % of a normal law


class Advice(NamedTuple):
    """One finding: its code, a title, the evidence in figures, and the remedy."""

    code: str
    title: str
    evidence: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.code} {self.title} {self.evidence} {self.remedy}"


# Rows that show whatever is worth an advice: as many as hold so many probabilities, within limits.
ENOUGH, FEWEST, VALUES = 1 << 16, 1 << 12, 1 << 17


@dataclass(frozen=True, eq=False, repr=False)
class Seen:
    """What the checks look at: the table, the rows and weight of each class (k,), and counts of models where known.

    `costs` is the matrix of costs, where given; `thorough` whether remedies are to be fitted, with `seed`.
    """

    table: Predictions | Stream
    rows: Array
    weight: Array
    counts: Mapping[str, Counts]
    costs: Array | None = None
    thorough: bool = False
    seed: int = 0
    _views: dict[str, Rows] = field(default_factory=dict)

    @property
    def shares(self) -> Array:
        """Share of the weight that each class has (k,)."""
        return np.asarray(self.weight / max(float(self.weight.sum()), 1e-300))

    @property
    def level(self) -> float:
        """The level of a test of each model, so that all together accuse a sound one with a chance of SURE at most."""
        return SURE / max(len(self.table.models), 1)

    @cached_property
    def effective(self) -> float:
        """How many independent rows there are: clusters where declared, else Kish's effective number."""
        if "cluster" in self.table.columns and not isinstance(self.table, Stream):
            return float(len(self.table.columns["cluster"].unique()))
        weight = None if isinstance(self.table, Stream) else self.table.weight
        return float(self.table.n) if weight is None else float(weight.sum() ** 2 / max((weight**2).sum(), 1e-300))

    @cached_property
    def sample(self) -> Predictions:
        """The table, or of a long one enough rows, evenly spread: what checks of single rows look at."""
        if isinstance(self.table, Stream):
            return self.table.head
        enough = min(ENOUGH, max(FEWEST, VALUES // max(self.table.schema.k, 1)))
        return self.table if self.table.n < 2 * enough else self.table.every(self.table.n // enough)

    def views(self, reads: str) -> Iterator[tuple[str, Rows]]:
        """What each model that gives it said of the rows of the sample, derived once."""
        for model in self.table.models:
            if self.table.schema.offers(model, reads):
                yield model, self._views.setdefault(model, self.sample.rows(model))


def imbalance(seen: Seen) -> list[Advice]:
    """One class holds 80 % of the rows or more, or some class, not by chance, less than a tenth of the largest."""
    share = seen.shares
    present = share[share > 0]
    uneven = len(present) > 1 and present.max() >= 10 * present.min() and _are_uneven(seen.rows[seen.rows > 0])
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
    error = np.sqrt((np.maximum(recall * (1 - recall), chance * (1 - chance)) / rows).sum()) / len(rows)
    return float(recall.mean()) > chance + 2 * float(error)


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


def training_rows(seen: Seen) -> list[Advice]:
    """Rows marked as training rows are among those evaluated."""
    p = seen.sample if isinstance(seen.table, Stream) else seen.table
    if "split" not in p.columns or not p.n:
        return []
    codes, names = p.group("split")
    if "train" not in names:
        return []
    n = int((codes == names.index("train")).sum())
    return [
        Advice(
            "A005",
            "Training rows are being evaluated.",
            f"{n} of {p.n} rows have split 'train': they flatter every model, and most the one that overfits.",
            "Keep the rows of one split: predictions.where(split='test'), or by='split' to see them apart.",
        )
    ]


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
