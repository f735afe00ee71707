"""Checks of what models predict: below a baseline, columns permuted, scores reversed, and more.

>>> from assay.advice.base import CHECKS
>>> [CHECKS[code].name for code in ("A002", "A011")]
['A002', 'A011']
"""

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from assay.advice.base import Advice, Check, CheckContext
from assay.kernels import Array, count_ties
from assay.kernels.class_order import ClassOrder, find_class_order, holds_out_classes
from assay.kernels.totals import FLOOR
from assay.states.confusion import Counts
from assay.table.label_sets import Label
from assay.table.protocol import Table
from assay.table.rows import Rows
from assay.table.schema import Kind

__all__ = [
    "BelowBaseline",
    "BelowMean",
    "ImpossibleTruth",
    "PermutedColumns",
    "ReversedScores",
    "TiedClasses",
]

MOST_PROBABILITIES = 1 << 20  # that are looked at for ties
TIED = 0.01  # accuracy that depends on the order of the classes alone, and is worth an advice
FIRST_LOOK = 1 << 12  # rows by which most models are seen to rank well


class BelowBaseline(Check):
    """A model is right no more often than the majority class, and recalls no class above chance."""

    name = "A002"
    title = "Model {model!r} does not beat the majority class."

    def find(self, context: CheckContext) -> list[Advice]:
        if not len(context.shares):
            return []
        majority = float(context.shares.max())
        findings = []
        for model, counts in context.counts.items():
            accuracy = float((counts.right / counts.total)[0]) if counts.total[0] else math.inf
            if accuracy <= majority < 1 and not _recalls_above_chance(counts):
                findings.append(
                    self.report(
                        f"Its accuracy is {accuracy:.4g}; always answering the majority has "
                        f"{majority:.4g}.",
                        "Look at its recall of the other classes; if it does no better there, it "
                        "has learned nothing of use (check labels, features and the threshold).",
                        model=model,
                    )
                )
        return findings


class PermutedColumns(Check):
    """A model is right far more often if its class columns are read in another order."""

    name = "A011"
    title = "The class columns of model {model!r} seem to be in another order."

    def find(self, context: CheckContext) -> list[Advice]:
        findings: list[Advice] = []
        if _holds_out_classes(context.table):
            return findings  # a fold cannot answer a class that it has not seen
        k = context.table.schema.k
        for model, counts in context.counts.items():
            if not isinstance(counts.table, np.ndarray):  # with so many classes no table is kept
                continue
            table = np.asarray(counts.table[0], np.float64)
            if len(table) == k and context.effective_rows:
                found = find_class_order(table, context.effective_rows, context.level)
                if found is not None:
                    findings.append(self._report_order(model, found, context.table.classes))
        return findings

    def _report_order(self, model: str, found: ClassOrder, classes: Sequence[Label]) -> Advice:
        moved = [
            f"{classes[column]!r} read as {classes[row]!r}"
            for column, row in enumerate(found.order)
            if row != column
        ]
        more = ", ..." if len(moved) > 4 else ""
        return self.report(
            f"Its accuracy is {found.accuracy:.3g}; with {', '.join(moved[:4])}{more} it is "
            f"{found.reordered:.3g}.",
            "Give its outputs under the class names in the order the model was trained with (its "
            "own classes_ or label map).",
            model=model,
        )


class ImpossibleTruth(Check):
    """A model gave the truth a probability of 0."""

    name = "A012"
    title = "Model {model!r} gave the truth a probability of 0."

    def find(self, context: CheckContext) -> list[Advice]:
        if context.table.task not in ("binary", "multiclass"):
            return []
        n_sample = context.sample.n
        findings = []
        for model, rows in context.read_models("proba"):
            n = _count_impossible(rows)
            if n:
                findings.append(
                    self.report(
                        f"{n} of {n_sample} rows ({n / n_sample:.2g} of them) came out as it had "
                        f"ruled out; their log loss is infinite, and counted as that of "
                        f"{FLOOR:.2g}.",
                        "Read log_loss with care; give the logits, which do not round to 0, or "
                        "smooth the probabilities.",
                        model=model,
                    )
                )
        return findings


class BelowMean(Check):
    """A regression model's squared error is no smaller than that of always predicting the mean."""

    name = "A014"
    title = "Model {model!r} does not beat the mean."

    def find(self, context: CheckContext) -> list[Advice]:
        if context.table.task != "regression" or not context.sample.n:
            return []
        findings = []
        for model, rows in context.read_models("value"):
            truth = np.asarray(rows.truth, np.float64)
            residual = truth - np.average(truth, weights=rows.weight)
            variance = float(np.average(residual**2, weights=rows.weight))
            error = float(np.average(rows.residual**2, weights=rows.weight))
            if math.inf > error >= variance > 0:
                findings.append(
                    self.report(
                        f"Its mean squared error is {error:.4g}; always predicting the mean of the "
                        f"truth has {variance:.4g}.",
                        "It has learned nothing of use for these rows, or is off by a constant or "
                        "a scale: look at its residuals, at the units of the truth, and for a "
                        "change between training rows and these.",
                        model=model,
                    )
                )
        return findings


class TiedClasses(Check):
    """Classes share the highest probability so often that their order moves the accuracy."""

    name = "A015"
    title = "Model {model!r} gives several classes the same highest probability."

    def find(self, context: CheckContext) -> list[Advice]:
        if not context.counts:
            return []
        findings = [self._test(model, rows) for model, rows in context.read_models("label")]
        return [advice for advice in findings if advice is not None]

    def _test(self, model: str, rows: Rows) -> Advice | None:
        kind: Kind = "proba" if "proba" in rows.outputs else "logit"
        if kind not in rows.outputs or "label" in rows.outputs:
            return None
        columns = rows.outputs[kind]
        every = slice(None, None, max(1, columns.size // MOST_PROBABILITIES))
        columns = columns[every]
        if not len(columns):
            return None
        if columns.shape[1] == 2 and not (columns[:, 0] == columns[:, 1]).any():
            return None
        highest = columns == columns.max(axis=1, keepdims=True)
        tied = np.count_nonzero(highest, axis=1) > 1
        if not tied.any():
            return None
        truth = rows.truth[every, None].astype(np.intp)
        hit = np.take_along_axis(highest, truth, axis=1)[:, 0]
        worst = float((hit & ~tied).mean())
        best = float(hit.mean())
        if best - worst <= TIED:
            return None
        return self.report(
            f"It does in {tied.mean():.1%} of {len(tied)} rows, where the class declared first is "
            f"taken for its answer: by the order of the classes alone its accuracy could be "
            f"{worst:.3g} to {best:.3g}.",
            "Write probabilities with more digits, or read metrics of probabilities (log_loss, "
            "brier).",
            model=model,
        )


class ReversedScores(Check):
    """A model scores the rows of the positive class lower than the others, by more than chance."""

    name = "A016"
    title = "Model {model!r} ranks the two classes the other way round."

    def find(self, context: CheckContext) -> list[Advice]:
        if context.table.task != "binary":
            return []
        positive = context.table.schema.positive
        findings = []
        for model, rows in context.read_models("score"):
            area = _find_low_area(rows, context)
            if area is not None:
                findings.append(
                    self.report(
                        f"Its ROC AUC is {area:.3g}, below 0.5 by more than chance: rows of the "
                        f"positive class, {positive!r}, tend to score lower than the others.",
                        "See whether its scores speak for the other class (then say so: "
                        f"positive={_other_class(context)!r}), grow as a row becomes less likely "
                        "positive, as distances do (then turn their sign), or labels were swapped.",
                        model=model,
                    )
                )
        return findings


def _holds_out_classes(table: Table) -> bool:
    """Whether many rows are of classes that one fold of the table, of several, holds out."""
    if not table.is_in_memory or "fold" not in table.head.columns or table.head.truth.ndim > 1:
        return False
    return holds_out_classes(table.head.truth, table.head.group("fold")[0])


def _find_low_area(rows: Rows, context: CheckContext) -> float | None:
    """The area under the ROC curve, if below 0.5 by more than chance; by the rank-sum test."""
    positive = rows.truth == context.table.schema.positive_code
    score = rows.score
    p = int(np.count_nonzero(positive))
    q = len(positive) - p
    if not p or not q:
        return None
    # A part of the rows, evenly spread, shows of nearly every model that it ranks well.
    part = slice(None, None, max(1, len(score) // FIRST_LOOK))
    if _measure_area(positive[part], score[part]) >= 0.5:
        return None
    area = _measure_area(positive, score)
    independent = min(1.0, context.effective_rows / context.table.n)
    error = math.sqrt((p + q + 1) / (12 * p * q * independent))
    return area if area - 0.5 < NormalDist().inv_cdf(context.level) * error else None


def _measure_area(positive: Array, score: Array) -> float:
    """The area under the ROC curve; nan where rows (n,) are all of one class."""
    others = score[~positive]
    if not len(others) or len(others) == len(score):
        return math.nan
    return float(count_ties(score[positive], others).mean() / len(others))


def _other_class(context: CheckContext) -> Label:
    """The class that is not positive."""
    return context.table.classes[1 - context.table.schema.positive_code]


def _recalls_above_chance(counts: Counts) -> bool:
    """Whether the mean recall of the classes lies above chance by two standard errors."""
    present = counts.support[0] > 0
    rows = counts.support[0][present]
    recall = counts.tp[0][present] / rows
    chance = 1 / len(rows)
    variance = np.maximum(recall * (1 - recall), chance * (1 - chance)) / rows
    error = np.sqrt(variance.sum()) / len(rows)
    return float(recall.mean()) > chance + 2 * float(error)


def _count_impossible(rows: Rows) -> int:
    """How many rows' truth has a given probability under FLOOR (logits never do)."""
    return 0 if rows.proba_totals is None else int(rows.proba_totals.sums[4])
