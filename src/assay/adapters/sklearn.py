"""scikit-learn: labels, probabilities or decision values of estimators, and values of regressors.

>>> from sklearn.svm import LinearSVC
>>> model = LinearSVC().fit([[0.0], [1.0]], [0, 1])
>>> sorted(Sklearn().predict(model, [[0.2]]))
['label', 'score']
"""

from dataclasses import dataclass
from typing import Any

from assay.adapters.estimators import Estimators

__all__ = ["Sklearn"]


@dataclass(frozen=True)
class Sklearn(Estimators):
    """Estimators with scikit-learn's interface, of scikit-learn and of others."""

    name = "sklearn"
    modules = ("sklearn", "xgboost", "lightgbm", "catboost")

    def accepts(self, model: Any) -> bool:
        """Whether `model` has predict, fit and get_params, if only once it is fitted."""
        # A stack has the `predict` of a final estimator that it makes when it is fitted.
        predicts = hasattr(model, "predict") or hasattr(type(model), "predict")
        return predicts and hasattr(model, "fit") and hasattr(model, "get_params")
