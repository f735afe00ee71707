"""Adapter: models of a framework in, their outputs on given rows out; `collect` puts them into one table.

>>> from sklearn.linear_model import LogisticRegression
>>> X, y = [[0.0], [1.0], [2.0], [3.0]], ["low", "low", "high", "high"]
>>> collect({"lr": LogisticRegression().fit(X, y)}, X, y)
Predictions: 4 rows, binary (high, low; positive: low), 1 model: lr (label, proba)
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from assay.errors import UnsupportedError
from assay.predictions import Predictions
from assay.registry import Member, Registry
from assay.table.labels import Array, Label
from assay.table.schema import Task

__all__ = ["ADAPTERS", "Adapter", "adapter_for", "aligned", "collect"]

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


def collect(models: Mapping[str, Any], X: Any, y: Any, *, task: Task | None = None, **columns: Any) -> Predictions:
    """What each fitted model says of the rows `X`, beside their truth `y`, as one checked table.

    Further keywords (classes, positive, weight, id, split, groups, ...) are those of `Predictions.from_arrays`.
    Raises UnsupportedError for a model of no known framework.
    """
    if not models:
        raise UnsupportedError("no model is given; expected a mapping of name to fitted model")
    adapters = {name: adapter_for(model) for name, model in models.items()}
    task = task or next((t for name, a in adapters.items() if (t := a.task(models[name], y))), None)
    classes = columns.pop("classes", None) or class_list(y, task)
    given = {
        f"{name}.{kind}": values
        for name, adapter in adapters.items()
        for kind, values in adapter.outputs(models[name], X, classes).items()
    }
    return Predictions.from_arrays(y, given, classes=classes or None, task=task, **columns)


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
