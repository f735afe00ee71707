"""Base of the adapters of estimators: models with scikit-learn's interface.

>>> from sklearn.svm import LinearSVC
>>> class OfTests(Estimators):
...     def accepts(self, model):
...         return False
>>> sorted(OfTests().predict(LinearSVC().fit([[0.0], [1.0]], [0, 1]), [[0.2]]))
['label', 'score']
"""

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from assay.adapters.base import Adapter, to_label
from assay.errors import UnsupportedError
from assay.kernels import Array
from assay.table.labels import Label
from assay.table.schema import Kind, Task

__all__ = ["Estimators", "divide_by_sums", "has_several", "is_regressor"]


class Estimators(Adapter):
    """Base of adapters of estimators: labels with probabilities or decision values, or numbers."""

    extra = "sklearn"

    def task(self, model: Any, y: Any) -> Task | None:
        """Regression where `model` is a regressor; of several where `y` has several columns."""
        several = has_several(y)
        if is_regressor(model):
            return "multioutput" if several else "regression"
        return "multilabel" if several else None

    def classes(self, model: Any) -> tuple[Label, ...] | None:
        """The `classes_` of `model`; None for several outputs, which have a list each."""
        known = getattr(model, "classes_", None)
        if known is None or isinstance(known, list) or np.ndim(known) != 1:
            return None
        return tuple(to_label(label) for label in known)

    def predict(
        self, model: Any, inputs: Any, *, device: str | None = None
    ) -> Mapping[Kind, Array]:
        """What `model` gives for `inputs`: label with proba or else score, or value of a regressor.

        Both label and probabilities are kept, for an estimator's own decision need not be the most
        probable class. `device` is not used.
        """
        label = _convert_to_dense(model.predict(inputs))
        if is_regressor(model):
            return {"value": label}
        outputs: dict[Kind, Array] = {"label": label}
        classes = self.classes(model)
        if hasattr(model, "predict_proba"):
            outputs["proba"] = _read_proba(model, inputs)
        elif hasattr(model, "decision_function") and len(classes or ()) == 2 and label.ndim == 1:
            # A decision above 0 speaks for the estimator's last class.
            outputs["score"] = np.asarray(model.decision_function(inputs), np.float64)
        return outputs


def has_several(y: Any) -> bool:
    """Whether the truth `y` has several columns."""
    return np.ndim(y) == 2 and np.shape(y)[1] > 1


def is_regressor(model: Any) -> bool:
    """Whether scikit-learn, or else the estimator `model` itself, says that it is a regressor."""
    if "sklearn" in sys.modules:
        from sklearn.base import is_regressor

        try:
            return bool(is_regressor(model))
        except AttributeError:  # estimators that follow the interface without its base class
            pass
    return getattr(model, "_estimator_type", None) == "regressor"


def _read_proba(model: Any, inputs: Any) -> Array:
    proba = model.predict_proba(inputs)
    if isinstance(proba, list):
        # Multi-label forests give one (n, 2) array a label; the column of the label's 1 counts.
        columns = [
            _select_present(each, known) for each, known in zip(proba, model.classes_, strict=True)
        ]
        return np.stack(columns, axis=1)
    proba = _convert_to_dense(proba)
    if proba.ndim == 1 and (np.nanmin(proba) < 0 or np.nanmax(proba) > 1):
        raise UnsupportedError(
            f"predict_proba of {type(model).__name__} has shape {proba.shape} and values outside "
            f"[0, 1], where one probability a class is expected; predict with it yourself and give "
            f"a score: Predictions.from_arrays(y, {{'name.score': scores}})"
        )
    return proba


def _convert_to_dense(values: Any) -> Array:
    return np.asarray(values.toarray() if hasattr(values, "toarray") else values)


def _select_present(proba: Array, known: Array) -> Array:
    """The probability (n,) of a label's 1, where the label was ever 1."""
    places = np.flatnonzero(np.asarray(known) == 1)
    return np.asarray(proba)[:, places[0]] if len(places) else np.zeros(len(proba))


def divide_by_sums(proba: Array) -> Array:
    """Rows of one-against-rest probabilities `proba` (n, k) divided by their sums, where not 0."""
    sums = proba.sum(axis=1, keepdims=True, dtype=np.float64)
    return np.where(sums > 0, proba / np.where(sums > 0, sums, 1), 1 / proba.shape[1])
