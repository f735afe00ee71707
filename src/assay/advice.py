"""Advice that reads the data: numbered checks, each with the evidence in figures and what to read or do instead.

>>> from assay.predictions import Predictions
>>> p = Predictions.from_arrays(["no"] * 95 + ["yes"] * 5, {"lazy": ["no"] * 100})
>>> print(advise(p)[0])
A001 Classes are imbalanced: accuracy misleads. 'no' is 95.0% of 100 rows: a model that always answers it has accuracy
0.95 and finds no row of any other class. Read balanced_accuracy, f1(average=macro) and the precision and recall of each
class; where scores are given, the precision-recall curve rather than ROC.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from assay.engine import Job, Local
from assay.predictions import Predictions
from assay.state import Confusion, Counts
from assay.table.labels import Array

__all__ = ["Advice", "advise", "majority_baseline"]


@dataclass(frozen=True)
class Advice:
    """One finding: its code, a title, the evidence in figures, and the remedy."""

    code: str
    title: str
    evidence: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.code} {self.title} {self.evidence} {self.remedy}"


@dataclass(frozen=True, eq=False)
class Seen:
    """What the checks look at: the table, the rows and weight of each class (k,), and counts of models where known."""

    table: Predictions
    rows: Array
    weight: Array
    counts: Mapping[str, Counts]

    @property
    def shares(self) -> Array:
        """Share of the weight that each class has (k,)."""
        return np.asarray(self.weight / max(float(self.weight.sum()), 1e-300))


def advise(
    predictions: Predictions, counts: Mapping[str, Counts] | None = None, ignore: Iterable[str] = ()
) -> tuple[Advice, ...]:
    """Every finding of every check on the table, but for the codes to `ignore`.

    counts: the confusion counts of models, where an evaluation has them already; they are counted here if None.
    """
    skip = set(ignore)
    seen = look(predictions, counts)
    found = (advice for check in CHECKS for advice in check(seen))
    return tuple(advice for advice in found if advice.code not in skip)


def look(predictions: Predictions, counts: Mapping[str, Counts] | None = None) -> Seen:
    """Gather what the checks look at, in one pass or none."""
    schema = predictions.schema
    if schema.task in ("regression", "multilabel"):
        return Seen(predictions, np.zeros(0), np.zeros(0), {})
    if counts is None:
        able = [m for m in schema.models if schema.offers(m, "label")]
        jobs = [Job(Confusion(), (m,)) for m in able]
        folded = Local().fold(predictions, jobs)
        counts = {job.models[0]: Confusion().summary(folded[job], schema) for job in jobs}
    if counts and predictions.weight is None:
        rows = next(iter(counts.values())).support[0]
    else:
        rows = np.bincount(predictions.truth, minlength=schema.k)
    weight = rows if predictions.weight is None else np.bincount(predictions.truth, predictions.weight, schema.k)
    return Seen(predictions, rows, weight, counts)


def majority_baseline(predictions: Predictions, name: str = "baseline") -> Predictions:
    """The table with one more model that ignores the rows: the majority class with the class shares as probabilities.

    In regression it says the mean of the truth; in multi-label the majority of each label. It is fitted on the rows it
    is scored on, which flatters it: a model that does not clearly beat it has learned nothing.
    """
    n, task = predictions.n, predictions.task
    if task == "regression":
        mean = np.average(predictions.truth, weights=predictions.weight) if n else 0.0
        return predictions.append(name, value=np.full(n, mean))
    if task == "multilabel":
        share = np.average(predictions.truth, axis=0, weights=predictions.weight)
        return predictions.append(name, proba=np.tile(share, (n, 1)))
    return predictions.append(name, proba=np.tile(look(predictions, {}).shares, (n, 1)))


def imbalance(seen: Seen) -> list[Advice]:
    """One class holds 80 % of the rows or more, or some class less than a tenth of the largest."""
    share = seen.shares
    present = share[share > 0]
    if len(present) < 2 or (share.max() < 0.8 and present.max() < 10 * present.min()):
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


def below_baseline(seen: Seen) -> list[Advice]:
    """A model is right no more often than the majority class."""
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
        if accuracy <= majority < 1
    ]


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
    p = seen.table
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


CHECKS: tuple[Callable[[Seen], list[Advice]], ...] = (
    imbalance,
    below_baseline,
    assumed_positive,
    rare_class,
    training_rows,
)
