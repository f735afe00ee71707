"""Learners: what fusions take from scikit-learn, imported where it is used alone.

>>> type(make_learner("boosting", is_classifier=True)).__name__
'HistGradientBoostingClassifier'
"""

import importlib
from typing import Any

import numpy as np

from assay.errors import UnsupportedError
from assay.kernels import Array

__all__ = ["LEARNERS", "find_nearest", "make_learner"]

# What a name stands for: of classes, and of values.
LEARNERS: dict[str, tuple[str, str]] = {
    "boosting": (
        "sklearn.ensemble.HistGradientBoostingClassifier",
        "sklearn.ensemble.HistGradientBoostingRegressor",
    ),
    "forest": (
        "sklearn.ensemble.RandomForestClassifier",
        "sklearn.ensemble.RandomForestRegressor",
    ),
    "linear": ("sklearn.linear_model.LogisticRegression", "sklearn.linear_model.RidgeCV"),
    "mlp": ("sklearn.neural_network.MLPClassifier", "sklearn.neural_network.MLPRegressor"),
}
SCALED = ("linear", "mlp")  # whose inputs are standardised first
OPTIONS: dict[str, dict[str, Any]] = {
    "boosting": {"max_iter": 50, "max_leaf_nodes": 8, "learning_rate": 0.1},
    "forest": {"n_estimators": 200, "min_samples_leaf": 10},
    "mlp": {"hidden_layer_sizes": (32,), "alpha": 1.0, "max_iter": 1000},
}


def make_learner(estimator: Any, is_classifier: bool, seed: int = 0) -> Any:
    """A fresh copy of an estimator, or the one that a name stands for.

    Parameters:
        estimator: An estimator of scikit-learn, one of the names above, or the dotted name of a
            class, as in "sklearn.svm.SVC".
        is_classifier: Whether it is to tell classes; else values.
        seed: Its random_state, where it has one that is not set; default 0.

    Raises:
        UnsupportedError: No such estimator, or one that does not give what is needed.
    """
    from sklearn.base import clone

    if isinstance(estimator, str):
        made = _make_named(estimator, is_classifier)
    elif hasattr(estimator, "fit") and hasattr(estimator, "get_params"):
        made = clone(estimator)
    else:
        raise UnsupportedError(
            f"estimator must be an estimator of scikit-learn or the name of one; got {estimator!r}"
        )
    needed = "predict_proba" if is_classifier else "predict"
    if not hasattr(made, needed):
        raise UnsupportedError(
            f"estimator {type(made).__name__} has no {needed}; choose one that gives "
            f"{'probabilities' if is_classifier else 'values'}, as estimator='boosting'"
        )
    seeds = {
        name: seed
        for name, value in made.get_params().items()
        if name.rpartition("__")[2] == "random_state" and value is None
    }
    return made.set_params(**seeds)


def _make_named(name: str, is_classifier: bool) -> Any:
    path = LEARNERS.get(name, (name, name))[0 if is_classifier else 1]
    module, dot, attribute = path.rpartition(".")
    try:
        cls = getattr(importlib.import_module(module), attribute) if dot else None
    except (ImportError, AttributeError):
        cls = None
    if cls is None or not hasattr(cls, "fit"):
        raise UnsupportedError(
            f"no estimator is named {name!r}; give {', '.join(LEARNERS)}, or the dotted name of a "
            f"class, as in sklearn.ensemble.ExtraTreesClassifier"
        )
    made = cls(**OPTIONS.get(name, {}))
    if name not in SCALED:
        return made
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), made)


def find_nearest(known: Array, inputs: Array, count: int) -> Array:
    """Positions (n, `count`) of the rows of `known` (k, d) nearest to each of `inputs` (n, d)."""
    from sklearn.neighbors import NearestNeighbors

    found = NearestNeighbors(n_neighbors=min(count, len(known))).fit(known)
    if not len(inputs):
        return np.zeros((0, min(count, len(known))), np.intp)
    return np.asarray(found.kneighbors(inputs, return_distance=False))
