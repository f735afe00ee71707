"""Collect: fitted models of any framework and the rows to predict, made into one checked table.

>>> from sklearn.linear_model import LogisticRegression
>>> X, y = [[0.0], [1.0], [2.0], [3.0]], ["low", "low", "high", "high"]
>>> collect({"lr": LogisticRegression().fit(X, y)}, X, y)
Predictions: 4 rows, binary (high, low; positive: low), 1 model: lr (label, proba)
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np

from assay.adapters.arguments import check_truth, name_models
from assay.adapters.base import (
    Adapter,
    align_outputs,
    find_adapter,
    list_classes,
    to_label,
)
from assay.errors import AssayError, UnsupportedError
from assay.kernels import Array
from assay.table.labels import Label
from assay.table.predictions import Predictions
from assay.table.schema import Kind, Task

__all__ = ["collect"]


def collect(
    models: Mapping[str, Any] | Sequence[Any],
    data: Any,
    y: Any = None,
    *,
    batch_size: int | None = None,
    device: str | None = None,
    task: Task | None = None,
    kinds: Mapping[str, Kind] | None = None,
    **columns: Any,
) -> Predictions:
    """What each fitted model predicts for the same rows, beside their truth, as one checked table.

    Parameters:
        models: Name -> fitted model, of any framework that `assay list adapters` shows; or a list
            of models, named by their classes (`svc`, or `svc-1` and `svc-2`).
        data: The rows in order: what the models take (arrays, data frames), or a PyTorch Dataset or
            DataLoader of (inputs, truth) that does not shuffle.
        y: Truth of the rows (n,), or 0/1 (n, labels) for multi-label; default: that of the data.
        batch_size: Rows predicted at a time; default: all for scikit-learn, 1024 for PyTorch, the
            DataLoader's own.
        device: Device to predict on, as in "cuda"; the model is moved back afterwards; default:
            where each model is.
        task: Task, where it is not plain from models and truth.
        kinds: Kind of a model's output, as in {"net": "proba"}, where it cannot be told from the
            numbers: single outputs in [0, 1] may be logits or probabilities.
        **columns: Further keywords of `Predictions.from_arrays`: classes (in the order of output
            columns, where the models do not know theirs), positive, weight, id, split, groups, ...

    Returns:
        One table: labels and probabilities of scikit-learn's models, logits of PyTorch's.

    Raises:
        UnsupportedError: A model of no known framework, data in shuffled order, no truth, or
            output columns that cannot be matched to the classes.
        MissingDependencyError: A framework is not installed; the message names the extra.

    >>> from sklearn.tree import DecisionTreeRegressor
    >>> X, y = [[0.0], [1.0], [2.0]], [0.5, 1.5, 2.5]
    >>> collect({"tree": DecisionTreeRegressor().fit(X, y)}, X, y, id=["a", "b", "c"])
    Predictions: 3 rows, regression, 1 model: tree (value)
    """
    models = name_models(models, "fitted model")
    if batch_size is not None and batch_size < 1:
        raise UnsupportedError(f"batch_size must be 1 or more; got {batch_size}")
    adapters = {name: find_adapter(model) for name, model in models.items()}
    outputs, loaded = _predict_all(models, adapters, data, batch_size, device)
    truth = _choose_truth(y, loaded)
    check_truth(truth)
    task = task or _find_task(models, adapters, truth)
    outputs = {
        name: adapters[name].settle(models[name], outputs[name], task, (kinds or {}).get(name))
        for name in models
    }
    own = {name: adapters[name].classes(models[name]) for name in models}
    classes = columns.pop("classes", None) or _find_classes(truth, task, own, outputs)
    _check_widths(outputs, own, classes)
    positive = columns.get("positive")
    named = {
        f"{name}.{kind}": values
        for name in models
        for kind, values in align_outputs(outputs[name], own[name], classes, positive).items()
    }
    return Predictions.from_arrays(truth, named, classes=classes or None, task=task, **columns)


def _predict_all(
    models: Mapping[str, Any],
    adapters: Mapping[str, Adapter],
    data: Any,
    batch_size: int | None,
    device: str | None,
) -> tuple[dict[str, Mapping[Kind, Array]], Array | None]:
    """Outputs of every model and the truth in the data, in one pass for each adapter."""
    outputs: dict[str, Mapping[Kind, Array]] = {}
    truth: Array | None = None
    for adapter in {adapter.name: adapter for adapter in adapters.values()}.values():
        members = {n: m for n, m in models.items() if adapters[n].name == adapter.name}
        predicted, loaded = _predict_group(adapter, members, data, batch_size, device)
        outputs |= predicted
        truth = loaded if truth is None else truth
    return outputs, truth


def _predict_group(
    adapter: Adapter,
    models: Mapping[str, Any],
    data: Any,
    batch_size: int | None,
    device: str | None,
) -> tuple[dict[str, Mapping[Kind, Array]], Array | None]:
    parts: dict[str, list[Mapping[Kind, Array]]] = {name: [] for name in models}
    truths: list[Array] = []
    with ExitStack() as stack:
        for model in models.values():
            stack.enter_context(adapter.prepare(model, device))
        for inputs, truth in adapter.batches(data, batch_size or adapter.batch_size):
            if truth is not None:
                truths.append(_convert_to_numpy(truth))
            for name, model in models.items():
                parts[name].append(_predict(name, adapter, model, inputs, device))
    outputs = {name: _concatenate(batches) for name, batches in parts.items()}
    return outputs, np.concatenate(truths) if truths else None


def _predict(
    name: str, adapter: Adapter, model: Any, inputs: Any, device: str | None
) -> Mapping[Kind, Array]:
    """What one model gives for one batch; what it raises names it."""
    try:
        return adapter.predict(model, inputs, device=device)
    except AssayError:
        raise
    except Exception as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UnsupportedError(
            f"model {name!r} cannot predict these inputs ({type(error).__name__}: {first})"
        ) from error


def _concatenate(batches: Sequence[Mapping[Kind, Array]]) -> Mapping[Kind, Array]:
    if not batches:
        raise UnsupportedError("the data has no rows to predict")
    if len(batches) == 1:
        return batches[0]
    return {kind: np.concatenate([batch[kind] for batch in batches]) for kind in batches[0]}


def _convert_to_numpy(values: Any) -> Array:
    """A tensor or array as NumPy, a column (n, 1) as (n,)."""
    array = np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def _choose_truth(y: Any, loaded: Array | None) -> Any:
    """The truth given, or else that of the data; where both are there, they must agree."""
    if y is None and loaded is None:
        raise UnsupportedError(
            "the truth of the rows is not given and the data holds none; give y, or a DataLoader "
            "of (inputs, truth)"
        )
    if y is None:
        return loaded
    truth = _convert_to_numpy(y) if hasattr(y, "detach") else y
    if loaded is None:
        return truth
    values = np.asarray(truth)
    if len(values) == len(loaded) and values.dtype.kind in "biuf" and loaded.dtype.kind in "biuf":
        differs = (values.reshape(loaded.shape) != loaded).reshape(len(loaded), -1).any(axis=1)
        if differs.any():
            row = int(np.flatnonzero(differs)[0])
            raise UnsupportedError(
                f"y is {values[row]} at row {row}, where the data holds the truth {loaded[row]}: "
                f"their orders differ. Leave y out, or give both in the same order."
            )
    return truth


def _find_task(models: Mapping[str, Any], adapters: Mapping[str, Adapter], y: Any) -> Task | None:
    tasks = (adapter.task(models[name], y) for name, adapter in adapters.items())
    return next((task for task in tasks if task is not None), None)


def _find_classes(
    truth: Any,
    task: Task | None,
    own: Mapping[str, tuple[Label, ...] | None],
    outputs: Mapping[str, Mapping[Kind, Array]],
) -> list[Label]:
    """The classes of the table: those of the truth, or of a model that knows these and more."""
    classes = list_classes(truth, task)
    if not classes or task == "multilabel" or np.ndim(truth) == 2:
        return classes
    for known in own.values():
        if known is not None and set(classes) < set(known):
            return list(known)
    for name, kinds in outputs.items():
        if own[name] is None and not kinds.keys().isdisjoint(("proba", "logit")):
            return _number_classes(name, kinds, np.asarray(truth))
    return classes


def _number_classes(name: str, kinds: Mapping[Kind, Array], truth: Array) -> list[Label]:
    """The classes 0 to k - 1 of a model with k output columns that knows no classes."""
    columns = kinds["logit"] if "logit" in kinds else kinds["proba"]
    k = max(2, columns.shape[1] if columns.ndim == 2 else 1)
    numbers = np.arange(k)
    if truth.dtype.kind in "biuf" and np.isin(truth, numbers).all():
        return [to_label(label) for label in numbers.astype(truth.dtype)]
    labels = [to_label(label) for label in np.unique(truth)[:5]]
    raise UnsupportedError(
        f"model {name!r} has {k} output columns and does not say of which classes, and the truth "
        f"holds {', '.join(map(repr, labels))}, which are not their numbers 0 to {k - 1}. Give "
        f"classes=[...] in the order of the columns; for numbers to predict, task='regression'."
    )


def _check_widths(
    outputs: Mapping[str, Mapping[Kind, Array]],
    own: Mapping[str, tuple[Label, ...] | None],
    classes: Sequence[Label],
) -> None:
    """UnsupportedError where a model that knows no classes has not one output column for each."""
    for name, kinds in outputs.items():
        for kind in ("proba", "logit"):
            columns = kinds.get(kind)
            if own[name] is not None or columns is None or not classes:
                continue
            width = columns.shape[1] if columns.ndim == 2 else 1
            if width != len(classes) and not (width == 1 and len(classes) == 2):
                shown = ", ".join(map(repr, list(classes)[:5]))
                raise UnsupportedError(
                    f"model {name!r} has {width} output columns, there are {len(classes)} classes "
                    f"({shown}, ...); give classes=[...] in the order of the columns"
                )
