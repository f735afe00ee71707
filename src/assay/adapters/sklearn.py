"""scikit-learn: estimators with `predict` and, where there is one, `predict_proba` or `decision_function`.

>>> from sklearn.svm import LinearSVC
>>> sorted(Sklearn().outputs(LinearSVC().fit([[0.0], [1.0]], [0, 1]), [[0.2]], [0, 1]))
['label', 'score']
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.adapters.base import Adapter, aligned
from assay.kernels import Array
from assay.table.labels import Label
from assay.table.schema import Task

__all__ = ["Sklearn"]


@dataclass(frozen=True)
class Sklearn(Adapter):
    """Estimators and pipelines that follow scikit-learn's interface (scikit-learn, XGBoost, LightGBM, skorch ...)."""

    name = "sklearn"
    framework = "sklearn"
    description = "estimators with predict and predict_proba or decision_function"

    def accepts(self, model: Any) -> bool:
        return hasattr(model, "predict") and hasattr(model, "fit") and hasattr(model, "get_params")

    def task(self, model: Any, y: Any) -> Task | None:
        from sklearn.base import is_regressor

        if is_regressor(model):
            return "regression"
        return "multilabel" if np.ndim(y) == 2 and np.shape(y)[1] > 1 else None

    def outputs(self, model: Any, X: Any, classes: Sequence[Label]) -> dict[str, Array]:
        """`label` from predict, `proba` from predict_proba over `classes`, else `score`; in regression `value`.

        Both label and probabilities are kept, for an estimator's own decision need not be the most probable class.
        """
        said = np.asarray(model.predict(X))
        if not classes:
            return {"value": said.astype(np.float64).reshape(len(said))}
        found = {"label": said}
        if hasattr(model, "predict_proba"):
            found["proba"] = self._proba(model, X, classes)
        elif hasattr(model, "decision_function") and len(classes) == 2 and said.ndim == 1:
            # A decision above 0 speaks for the estimator's last class, which need not be the table's positive one.
            margin = np.asarray(model.decision_function(X), np.float64)
            found["score"] = margin if model.classes_[1] == max(classes) else -margin
        return found

    def _proba(self, model: Any, X: Any, classes: Sequence[Label]) -> Array:
        proba = model.predict_proba(X)
        if isinstance(proba, list):
            # Multi-label forests and trees give one (n, 2) array a label; the column of the label's 1 is what counts.
            return np.stack(
                [_of_one(p, known) for p, known in zip(proba, model.classes_, strict=True)], axis=1
            )
        proba = np.asarray(proba)
        own = getattr(model, "classes_", None)
        if own is None or isinstance(own, list) or proba.shape[1] != len(own):
            return proba
        return aligned(proba, [v.item() if isinstance(v, np.generic) else v for v in own], classes)


def _of_one(proba: Array, known: Array) -> Array:
    places = np.flatnonzero(np.asarray(known) == 1)
    return np.asarray(proba)[:, places[0]] if len(places) else np.zeros(len(proba))
