"""Adapter: models of a framework in, their outputs on given rows out; `collect` puts them into one table.

>>> from assay.adapters.collect import collect
>>> from sklearn.linear_model import LogisticRegression
>>> X, y = [[0.0], [1.0], [2.0], [3.0]], ["low", "low", "high", "high"]
>>> collect({"lr": LogisticRegression().fit(X, y)}, X, y)
Predictions: 4 rows, binary (high, low; positive: low), 1 model: lr (label, proba)
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from assay.core.registry import Member, Registry
from assay.errors import UnsupportedError
from assay.kernels import Array
from assay.table.labels import Label
from assay.table.schema import Task

__all__ = ["ADAPTERS", "Adapter", "adapter_for", "aligned"]

ADAPTERS: "Registry[Adapter]" = Registry("adapters")


class Adapter(Member):
    """Base of every adapter: one framework's way to say what a fitted model predicts. Imports the framework lazily."""

    registry: ClassVar[Registry[Any]] = ADAPTERS
    framework: ClassVar[str]  # the extra to install
    description: ClassVar[str] = ""

    @abstractmethod
    def accepts(self, model: Any) -> bool:
        """Whether `model` is of this framework; decided without importing it."""

    @abstractmethod
    def task(self, model: Any, y: Any) -> Task | None:
        """The task, where the model and the truth show it."""

    @abstractmethod
    def outputs(self, model: Any, X: Any, classes: Sequence[Label]) -> dict[str, Array]:
        """Kind -> array of what the fitted `model` says of `X`; probabilities over `classes`, in that order."""


def adapter_for(model: Any) -> Adapter:
    """The adapter that accepts `model`; an error says which there are."""
    for name in ADAPTERS.names():
        adapter: Adapter = ADAPTERS[name]()
        if adapter.accepts(model):
            return adapter
    raise UnsupportedError(
        f"no adapter knows a {type(model).__module__}.{type(model).__name__}; known: {', '.join(ADAPTERS.names())}. "
        f"Predict with it yourself and use Predictions.from_arrays(y, {{name: predictions}})."
    )


def class_list(y: Any, task: Task | None) -> list[Label]:
    """Sorted classes of a truth; labels 0, 1, ... for multi-label, none for regression."""
    if task == "regression":
        return []
    values = np.asarray(y)
    if values.ndim == 2:
        return list(getattr(y, "columns", range(values.shape[1])))
    return [v.item() if isinstance(v, np.generic) else v for v in sorted(set(values.tolist()))]


def aligned(proba: Array, own: Sequence[Any], classes: Sequence[Label]) -> Array:
    """Probabilities over a model's `own` classes as probabilities over `classes`: 0 for a class it was never shown."""
    place = {label: i for i, label in enumerate(classes)}
    unknown = [label for label in own if label not in place]
    if unknown:
        raise UnsupportedError(
            f"the model knows class {unknown[0]!r}, which is not among the classes {list(classes)[:10]}"
        )
    full = np.zeros((len(proba), len(classes)), proba.dtype)
    full[:, [place[label] for label in own]] = proba
    return full
