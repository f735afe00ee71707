"""Collect."""

from collections.abc import Mapping
from typing import Any

from assay.adapters.base import adapter_for, class_list
from assay.errors import UnsupportedError
from assay.table.predictions import Predictions
from assay.table.schema import Task

__all__ = ["collect"]


def collect(
    models: Mapping[str, Any], X: Any, y: Any, *, task: Task | None = None, **columns: Any
) -> Predictions:
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
