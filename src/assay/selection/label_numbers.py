"""label_numbers: classifiers that want the numbers 0 to k - 1 for their labels.

XGBoost takes no others, also where a class is missing among the training rows.

>>> from sklearn.linear_model import LogisticRegression
>>> numbers = NumberedLabels(["no", "yes", "no"])
>>> numbers.codes
array([0, 1, 0])
>>> model = numbers.restore(LogisticRegression().fit([[0], [1], [0]], numbers.codes))
>>> model.predict([[5]]).tolist(), model.classes_
(['yes'], ('no', 'yes'))
"""

from typing import Any

import numpy as np

from assay.adapters.base import to_label
from assay.kernels import Array
from assay.table.labels import Label

__all__ = ["NumberedLabels", "RestoredLabels", "wants_numbers"]


def wants_numbers(model: Any) -> bool:
    """Whether `model`, or an estimator inside it, is a classifier of XGBoost."""
    parts = [model]
    if hasattr(model, "get_params"):
        parts += model.get_params(deep=True).values()
    return any(
        any(base.__module__.partition(".")[0] == "xgboost" for base in type(part).__mro__)
        and hasattr(part, "predict_proba")
        for part in parts
    )


class NumberedLabels:
    """The labels of training rows as numbers.

    `classes` are the sorted labels that occur, `codes` (n,) the place of each row's among them.
    """

    def __init__(self, y: Any) -> None:
        labels, codes = np.unique(np.asarray(y), return_inverse=True)
        self.labels: Array = labels
        self.codes: Array = codes.reshape(-1)

    @property
    def classes(self) -> tuple[Label, ...]:
        """The labels, sorted."""
        return tuple(map(to_label, self.labels))

    @property
    def are_numbers(self) -> bool:
        """Whether the labels are 0 to k - 1 already."""
        is_whole = self.labels.dtype.kind in "biu"
        return is_whole and bool((self.labels == np.arange(len(self.labels))).all())

    def restore(self, model: Any) -> "RestoredLabels":
        """The `model`, fitted on the codes, which predicts labels."""
        return RestoredLabels(model, self.labels)


class RestoredLabels:
    """A fitted classifier of codes that predicts the labels they stand for."""

    def __init__(self, model: Any, labels: Array) -> None:
        self.model = model
        self.labels = labels

    @property
    def classes_(self) -> tuple[Label, ...]:
        """The labels, in the order of the columns of probabilities."""
        return tuple(map(to_label, self.labels))

    def predict(self, inputs: Any) -> Array:
        """The label (n,) of each row of `inputs`."""
        predicted: Array = self.labels[np.asarray(self.model.predict(inputs)).astype(np.int64)]
        return predicted

    def __getattr__(self, name: str) -> Any:
        if name == "model":  # while it is unpickled
            raise AttributeError(name)
        return getattr(self.model, name)
