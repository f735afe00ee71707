"""Counts of right and wrong rows: the confusion table itself, and its four numbers for each class.

>>> FalsePositives()([0, 1, 1, 0], [1, 1, 0, 0])
1
"""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from assay.errors import UnsupportedError
from assay.kernels import Array
from assay.metrics.base import SINGLE_LABEL, Average, Granularity, Metric
from assay.states.confusion import Confusion, Counts
from assay.table.schema import Schema

__all__ = ["ConfusionMatrix", "FalseNegatives", "FalsePositives", "TrueNegatives", "TruePositives"]


class ConfusionMatrix(Metric):
    """How many rows (or what weight) of each class were predicted as each.

    (k, k): rows are truth, columns predictions.
    One value for each pair (truth, predicted); each is at least 0. Over the declared classes, seen
    or not.
    Multi-label tables have one 2 x 2 table a label: read tp, fp, fn, tn.
    Same value as scikit-learn's confusion_matrix.

    >>> ConfusionMatrix()(["a", "b", "b"], ["a", "a", "b"])
    array([[1, 0],
           [1, 1]])
    """

    better = "neither"
    rank_by = "accuracy or f1"
    name = "confusion_matrix"
    tasks = SINGLE_LABEL
    needs = Confusion()
    bounds = (0.0, float("inf"))
    oracle = "sklearn.metrics.confusion_matrix(y, label, labels=classes, sample_weight=w)"

    @property
    def granularity(self) -> Granularity:
        return "class_pair"

    def compute(self, summary: Counts) -> Array:
        return np.asarray(summary.table)


@dataclass(frozen=True)
class ClassCount(Metric):
    """A count of one class: of the positive class in binary tasks, else one a class.

    `average=micro` adds them.
    """

    needs = Confusion()
    bounds = (0.0, float("inf"))
    average: Average = "auto"
    count: ClassVar[str]

    @property
    def granularity(self) -> Granularity:
        return "class" if self.average == "none" else "table"

    def bind(self, schema: Schema) -> Self:
        super().bind(schema)
        average = self.average
        if average == "auto":
            average = "binary" if schema.task == "binary" else "none"
        allowed = ("none", "micro", "binary") if schema.task == "binary" else ("none", "micro")
        if average not in allowed:
            raise UnsupportedError(
                f"{self}: a count has average binary (binary tasks), micro or none"
            )
        return replace(self, average=average)

    def compute(self, summary: Any) -> Array:
        if self.average == "binary":
            summary = summary.select_class(summary.positive)
        elif self.average == "micro":
            summary = summary.sum_classes()
        return np.asarray(getattr(summary, self.count))


_CONFUSION_OF = (
    "sklearn.metrics.multilabel_confusion_matrix(y, label, labels=labels, sample_weight=w)"
)


class TruePositives(ClassCount):
    """Rows of a class predicted as it (weight of them, where rows are weighted): at least 0.

    >>> TruePositives()([0, 1, 1, 0], [1, 1, 0, 0])
    1
    """

    name = "tp"
    count = "tp"
    cases = ({"average": "none"}, {"average": "micro"})
    oracle = f"counted({_CONFUSION_OF}[:, 1, 1])"


class FalsePositives(ClassCount):
    """Rows of other classes predicted as a class (false alarms): at least 0; lower is better.

    >>> FalsePositives()([0, 1, 1, 0], [1, 1, 0, 0])
    1
    """

    name = "fp"
    count = "fp"
    better = "lower"
    cases = ({"average": "none"}, {"average": "micro"})
    oracle = f"counted({_CONFUSION_OF}[:, 0, 1])"


class FalseNegatives(ClassCount):
    """Rows of a class predicted as another (misses): at least 0; lower is better.

    >>> FalseNegatives()([0, 1, 1, 0], [1, 1, 0, 0])
    1
    """

    name = "fn"
    count = "fn"
    better = "lower"
    cases = ({"average": "none"}, {"average": "micro"})
    oracle = f"counted({_CONFUSION_OF}[:, 1, 0])"


class TrueNegatives(ClassCount):
    """Rows neither of a class nor predicted as it: at least 0.

    >>> TrueNegatives()([0, 1, 1, 0], [1, 1, 0, 0])
    1
    """

    name = "tn"
    count = "tn"
    cases = ({"average": "none"}, {"average": "micro"})
    oracle = f"counted({_CONFUSION_OF}[:, 0, 0])"
