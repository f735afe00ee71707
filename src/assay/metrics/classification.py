"""Metrics of predicted labels; all are formulas over one confusion table.

>>> Recall(average="none")(["a", "a", "b"], ["a", "b", "b"])
array([0.5, 1. ])
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from assay.errors import UnsupportedError
from assay.kernels import Array
from assay.metrics.base import (
    SINGLE_LABEL,
    Average,
    IntervalMethod,
    Metric,
    PairedMethod,
    Ratio,
    RowMetric,
    mean_of_defined,
    name_left_out,
    ratio,
)
from assay.states.confusion import Confusion, Counts
from assay.table.rows import Rows
from assay.table.schema import Schema

__all__ = [
    "F1",
    "Accuracy",
    "BalancedAccuracy",
    "FBeta",
    "HammingLoss",
    "Precision",
    "Recall",
    "SubsetAccuracy",
    "TopKAccuracy",
    "ZeroOneLoss",
]


class Accuracy(Metric):
    """Share of rows whose prediction is right: in [0, 1], 1 is perfect, higher is better.

    right / n; for multi-label a row is right when all its labels are (subset accuracy). Misleads
    when classes are imbalanced, and ignores how confident and how costly the errors are. Also
    called acc.
    Undefined (no_samples) without rows. Same value as scikit-learn's accuracy_score.

    >>> Accuracy()(["cat", "dog", "cat", "cat"], ["cat", "dog", "dog", "cat"])
    0.75
    """

    name = "accuracy"
    aliases: ClassVar[tuple[str, ...]] = ("pixel_accuracy",)
    instead: ClassVar[Mapping[str, str]] = {
        "normalize": "of one class a row, tp(average=micro) counts the rows that are right and "
        "fn(average=micro) those that are wrong"
    }
    needs = Confusion()
    oracle = "sklearn.metrics.accuracy_score(y, label, sample_weight=w)"

    def compute(self, summary: Counts) -> Array:
        return ratio(*self.trials(summary))

    def trials(self, c: Counts) -> tuple[Array, Array]:
        """Rows that are right, of all, by the counts `c`."""
        return c.right, c.total

    def compute_rows(self, rows: Rows) -> Array:
        right = rows.truth == rows.label
        return np.asarray(right.all(axis=1) if right.ndim == 2 else right)

    def interval(self, schema: Schema) -> IntervalMethod:
        return "wilson"

    def pairing(self, schema: Schema) -> PairedMethod:
        return "mcnemar"


class SubsetAccuracy(Accuracy):
    """Share of rows of which every label is right (exact match): in [0, 1], higher is better.

    Equal to accuracy where a row has one label.  Also called exact match.
    Undefined (no_samples) without rows. Same value as scikit-learn's accuracy_score.

    >>> SubsetAccuracy()([[1, 0], [1, 1]], [[1, 0], [1, 0]])
    0.5
    """

    name = "subset_accuracy"


class ZeroOneLoss(Accuracy):
    """Share of rows whose prediction is wrong: in [0, 1], 0 is perfect, lower is better.

    1 - accuracy; for multi-label a row is wrong unless all its labels are right. Also called error
    rate.
    Undefined (no_samples) without rows. Same value as scikit-learn's zero_one_loss.

    >>> ZeroOneLoss()(["cat", "dog", "cat", "cat"], ["cat", "dog", "dog", "cat"])
    0.25
    """

    name = "zero_one_loss"
    better = "lower"
    oracle = "sklearn.metrics.zero_one_loss(y, label, sample_weight=w)"

    def trials(self, c: Counts) -> tuple[Array, Array]:
        """Rows that are wrong, of all, by the counts `c`."""
        return c.total - c.right, c.total

    def compute_rows(self, rows: Rows) -> Array:
        return ~super().compute_rows(rows)


@dataclass(frozen=True)
class TopKAccuracy(RowMetric):
    """Share of rows whose true class is among the k most probable.

    In [0, 1], 1 is perfect, higher is better. Of classes that are equally probable the one declared
    earlier comes first, so that k=1 is accuracy.
    Undefined (no_samples) without rows.
    Same value as scikit-learn's top_k_accuracy_score where no two classes tie (there the last one
    comes first).

    >>> TopKAccuracy(k=2)(["a", "c"], [[0.2, 0.5, 0.3], [0.2, 0.5, 0.3]], classes=["a", "b", "c"])
    0.5
    """

    name = "top_k_accuracy"
    k: int = 2
    reads = "proba"
    tasks = frozenset({"multiclass"})
    cases = ({"k": 1}, {"k": 3})
    oracle = (
        "np.average((np.argsort(-proba, axis=1, kind='stable')[:, :m.k] "
        "== np.searchsorted(classes, y)[:, None]).any(axis=1), weights=w)"
    )

    def __post_init__(self) -> None:
        if self.k < 1:
            raise UnsupportedError(f"k of top_k_accuracy must be at least 1; got {self.k}")

    def compute_rows(self, rows: Rows) -> Array:
        return rows.proba_stats.before < self.k

    def batch_moments(self, rows: Rows) -> tuple[Array, Array] | None:
        if rows.proba_totals is None:
            return None
        n = rows.proba_totals.rows
        hits = int(rows.proba_totals.ranks[: self.k].sum())
        return np.array([hits / n]), np.array([hits * (1 - hits / n)])


class BalancedAccuracy(Metric):
    """Mean of the recalls of the classes that occur: in [0, 1], higher is better; 1/k is chance.

    mean over classes with true rows of tp / (tp + fn); does not reward always naming the majority.
    Undefined (no_samples) without rows. Same value as scikit-learn's balanced_accuracy_score.
    Source: Brodersen et al. (2010), ICPR, 3121-3124.

    >>> BalancedAccuracy()(["a", "a", "a", "b"], ["a", "a", "a", "a"])
    0.5
    """

    name = "balanced_accuracy"
    aliases = ("bacc",)
    tasks = SINGLE_LABEL
    needs = Confusion()
    oracle = "sklearn.metrics.balanced_accuracy_score(y, label, sample_weight=w)"

    def compute(self, summary: Counts) -> Array:
        recall = ratio(summary.tp, summary.support)
        return mean_of_defined(recall, np.ones_like(recall))

    def note(self, summary: Counts, schema: Schema) -> str:
        return name_left_out(summary.support[0] == 0, schema, "no_positive")


class Precision(Ratio):
    """Of the rows predicted as a class, the share that are of it: in [0, 1], higher is better.

    tp / (tp + fp). Undefined (no_predicted_positive) for a class never predicted. Read it when a
    false alarm is costly.
    Also called positive predictive value (PPV).
    Same value as scikit-learn's precision_score with zero_division=nan; average=samples keeps every
    row: one without predicted labels counts 0, and 1 where it has no true ones either.

    >>> Precision()([0, 1, 1, 0], [1, 1, 1, 0])
    0.6667
    """

    name = "precision"
    aliases = ("positive_predictive_value", "ppv")
    proportion = True
    undefined = "no_predicted_positive"
    cases = (
        {"average": "micro"},
        {"average": "weighted"},
        {"average": "none"},
        {"average": "macro"},
    )
    oracle = (
        "sklearn.metrics.precision_score("
        "y, label, average=average, zero_division=nan, sample_weight=w, **binary)"
    )

    def parts(self, c: Counts) -> tuple[Array, Array]:
        return c.tp, c.predicted


class Recall(Ratio):
    """Of the rows of a class, the share predicted as it (sensitivity): in [0, 1], higher is better.

    tp / (tp + fn). Undefined (no_positive) for a class without true rows. Read it when a miss is
    costly.
    Also called sensitivity, true positive rate (TPR) or hit rate.
    Same value as scikit-learn's recall_score with zero_division=nan; average=samples keeps every
    row: one without true labels counts 0, and 1 where it has no predicted ones either.

    >>> Recall()([0, 1, 1, 0], [1, 1, 0, 0])
    0.5
    """

    name = "recall"
    aliases = ("sensitivity", "true_positive_rate", "tpr")
    proportion = True
    undefined = "no_positive"
    cases = (
        {"average": "micro"},
        {"average": "weighted"},
        {"average": "none"},
        {"average": "macro"},
    )
    oracle = (
        "sklearn.metrics.recall_score("
        "y, label, average=average, zero_division=nan, sample_weight=w, **binary)"
    )

    def parts(self, c: Counts) -> tuple[Array, Array]:
        return c.tp, c.support


@dataclass(frozen=True)
class FBeta(Ratio):
    """Weighted harmonic mean of precision and recall, recall counting beta times as much.

    In [0, 1], higher is better.
    (1 + b^2) tp / ((1 + b^2) tp + b^2 fn + fp). Undefined (no_positive) only for a class neither
    true nor predicted anywhere; it is 0, and defined, where every true row is missed.
    Same value as scikit-learn's fbeta_score with zero_division=nan; average=samples that with
    zero_division=1: a row with neither true nor predicted labels counts 1.
    Source: van Rijsbergen (1979), Information Retrieval, chapter 7.

    >>> FBeta(beta=2)([0, 1, 1, 0], [1, 1, 0, 0])
    0.5
    """

    name = "f_beta"
    aliases = ("f2(beta=2)", "f05(beta=0.5)")
    beta: float = 1.0
    average: Average = field(default="auto", kw_only=True)
    undefined = "no_positive"
    cases = ({"beta": 0.5}, {"beta": 2.0, "average": "macro"}, {"beta": 2.0, "average": "weighted"})
    oracle = (
        "sklearn.metrics.fbeta_score("
        "y, label, beta=m.beta, average=average, zero_division=nan, sample_weight=w, **binary)"
    )

    def __post_init__(self) -> None:
        if not 0 < self.beta < 1e6:
            raise UnsupportedError(f"beta of f_beta must be above 0 and below 1e6; got {self.beta}")

    def parts(self, c: Counts) -> tuple[Array, Array]:
        square = self.beta**2
        return (1 + square) * c.tp, square * c.support + c.predicted


class F1(Ratio):
    """Harmonic mean of precision and recall: in [0, 1], higher is better.

    2 tp / (2 tp + fp + fn). Undefined (no_positive) only for a class neither true nor predicted
    anywhere.
    The macro average weighs every class alike, however rare.
    Also called F-score, F-measure or Dice (coefficient): of segmentations, the pixels being rows,
    as `assay.count_pixels` counts them.
    Same value as scikit-learn's f1_score with zero_division=nan; average=samples that with
    zero_division=1: a row with neither true nor predicted labels counts 1, as nothing was missed,
    and the note says how large their share is.

    >>> F1()([0, 1, 1, 0], [1, 1, 1, 0])
    0.8
    """

    name = "f1"
    aliases = ("dice", "mean_dice(average=macro)")
    undefined = "no_positive"
    cases = (
        {"average": "micro"},
        {"average": "weighted"},
        {"average": "none"},
        {"average": "macro"},
    )
    oracle = (
        "sklearn.metrics.f1_score("
        "y, label, average=average, zero_division=nan, sample_weight=w, **binary)"
    )

    def parts(self, c: Counts) -> tuple[Array, Array]:
        return 2 * c.tp, c.support + c.predicted


class HammingLoss(Metric):
    """Share of labels that are wrong: in [0, 1], 0 is perfect, lower is better.

    Multi-label: wrong labels / (rows x labels). One label a row: 1 - accuracy.
    Undefined (no_samples) without rows. Same value as scikit-learn's hamming_loss.

    >>> HammingLoss()([[1, 0], [1, 1]], [[1, 0], [1, 0]])
    0.25
    """

    name = "hamming_loss"
    better = "lower"
    needs = Confusion()
    oracle = "sklearn.metrics.hamming_loss(y, label, sample_weight=w)"

    def compute(self, summary: Counts) -> Array:
        if not summary.multilabel:
            return ratio(*self.trials(summary))
        wrong = (summary.fp + summary.fn).sum(axis=-1)
        return ratio(wrong, summary.total * summary.tp.shape[-1])

    def trials(self, c: Counts) -> tuple[Array, Array]:
        """Rows that are wrong, of all (one label a row), by the counts `c`."""
        return c.total - c.right, c.total

    def compute_rows(self, rows: Rows) -> Array:
        wrong = rows.truth != rows.label
        return np.asarray(wrong.mean(axis=1) if wrong.ndim == 2 else wrong)

    def interval(self, schema: Schema) -> IntervalMethod:
        return "bootstrap" if schema.task == "multilabel" else "wilson"

    def pairing(self, schema: Schema) -> PairedMethod:
        return "t" if schema.task == "multilabel" else "mcnemar"
