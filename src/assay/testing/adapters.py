"""What every adapter must keep: rows in order, batches that change nothing, a model left as it was.

>>> from sklearn.linear_model import LogisticRegression
>>> X = [[0.0], [1.0], [2.0], [3.0]]
>>> check_adapter(LogisticRegression().fit(X, [0, 0, 1, 1]), X, [0, 0, 1, 1])
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from assay.adapters.base import ADAPTERS, Adapter, find_adapter
from assay.adapters.collect import collect
from assay.adapters.torch_modules import TorchModules
from assay.errors import AssayError
from assay.io.read_write import read
from assay.table.predictions import Predictions
from assay.testing.laws import require

__all__ = ["check_adapter"]

BATCH_SIZES = (1, 3, 1024)


def check_adapter(
    model: Any,
    data: Any,
    y: Any,
    *,
    task: Any = None,
    classes: Any = None,
    kinds: Any = None,
    atol: float = 1e-6,
) -> None:
    """Hold the adapter that accepts a fitted model to the laws that every adapter must keep.

    The adapter names the modules it is for, and says no to models of others; rows keep their order
    and their ids; the size of batches changes nothing, nor does writing to a file; one row is
    taken, and none is refused in a sentence; classes that the model never saw, and labels as text,
    are matched or refused; the same call gives the same again, and the model is left as it was: its
    modes, its device, and what of it requires or holds gradients.

    Parameters:
        model: A fitted model of the adapter's framework.
        data: Inputs that the model knows, of 4 rows or more: an array, a list, a data frame.
        y: Truth (n,), or (n, labels) of a multi-label task.
        task: The task; default: as the adapter says.
        classes: Labels in the order of the model's columns, where it does not know them.
        kinds: The kind of its outputs, where they do not show it.
        atol: Largest difference between sizes of batches; default 1e-6.

    Raises:
        AssertionError: A law does not hold; the message names the adapter and the law.

    >>> from sklearn.linear_model import LinearRegression
    >>> X, y = [[0.0], [1.0], [2.0], [3.0]], [0.1, 1.0, 2.2, 2.9]
    >>> check_adapter(LinearRegression().fit(X, y), X, y, task="regression")
    """
    adapter = find_adapter(model)
    name = adapter.name
    require(bool(adapter.modules), name, "says which modules it is for")
    require(not adapter.accepts(object()), name, "does not accept what is no model")
    _check_rank(adapter, model)
    truth = np.asarray(y)
    options: dict[str, Any] = {
        "task": task,
        "classes": classes,
        "kinds": None if kinds is None else {"m": kinds},
    }
    before = _describe_state(adapter, model)
    whole = collect({"m": model}, data, truth, **options)
    require(_describe_state(adapter, model) == before, name, "the model is left as it was")
    for size in BATCH_SIZES:
        batched = collect({"m": model}, data, truth, batch_size=size, **options)
        law = f"batches of {size} give what the whole gives"
        _require_same(whole, batched, name, law, atol)
    again = collect({"m": model}, data, truth, **options)
    _require_same(whole, again, name, "the same call gives the same again", 0.0)
    options["classes"] = list(whole.classes) or None
    options["task"] = whole.task
    _check_order(model, data, truth, options, whole, atol)
    _check_file(model, data, truth, options, whole, atol)
    _check_few(model, data, truth, options, whole, atol)
    _check_labels(adapter, model, data, truth, options, whole)
    require(_describe_state(adapter, model) == before, name, "the model is left as it was")


def _check_rank(adapter: Adapter, model: Any) -> None:
    """A model that two adapters accept is that of the higher rank."""
    others = [ADAPTERS[other]() for other in ADAPTERS.names() if other != adapter.name]
    asked = [other for other in others if other.rank == adapter.rank and other.is_in_use()]
    equal = [other.name for other in asked if other.accepts(model)]
    require(equal == [], adapter.name, f"no adapter of its rank accepts its model; {equal}")


def _check_order(
    model: Any, data: Any, truth: Any, options: Mapping[str, Any], whole: Predictions, atol: float
) -> None:
    name = find_adapter(model).name
    order = np.arange(len(truth))[::-1]
    ids = [f"row {i}" for i in order]
    turned = collect({"m": model}, _pick(data, order), truth[order], id=ids, **options)
    require(turned.columns["id"].to_pylist() == ids, name, "rows keep their ids")
    _require_same(whole.take(order), turned, name, "rows keep their order", atol)


def _check_file(
    model: Any, data: Any, truth: Any, options: Mapping[str, Any], whole: Predictions, atol: float
) -> None:
    name = find_adapter(model).name
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        collect({"m": model}, data, truth, out=path, batch_size=3, **options)
        _require_same(whole, read(path), name, "a file holds what memory holds", atol)


def _check_few(
    model: Any, data: Any, truth: Any, options: Mapping[str, Any], whole: Predictions, atol: float
) -> None:
    name = find_adapter(model).name
    one = collect({"m": model}, _pick(data, np.arange(1)), truth[:1], **options)
    _require_same(whole.take([0]), one, name, "a single row gives what it gives among others", atol)
    said = _find_refusal(model, _pick(data, np.arange(0)), truth[:0], options)
    require("no rows" in said, name, f"data without rows are refused in a sentence; {said!r}")


def _check_labels(
    adapter: Adapter,
    model: Any,
    data: Any,
    truth: Any,
    options: Mapping[str, Any],
    whole: Predictions,
) -> None:
    """Classes that a model never saw are given no probability; a model without names is asked."""
    if whole.task not in ("binary", "multiclass") or "score" in whole.outputs["m"]:
        return
    known = adapter.classes(model)
    name = adapter.name
    if known is None:
        texts = [f"class {label}" for label in whole.classes]
        renamed = [texts[whole.classes.index(label)] for label in truth.tolist()]
        given = {**options, "classes": texts}
        if "label" in whole.outputs["m"]:
            return
        table = collect({"m": model}, data, renamed, **given)
        for kind, values in whole.outputs["m"].items():
            same = np.array_equal(values, table.outputs["m"][kind])
            require(same, name, f"classes as text change nothing but their names; {kind}")
        return
    further = truth.astype(object)
    last = max(known)
    further[0] = f"{last} further" if isinstance(last, str) else int(last) + 1
    labels = sorted({*known, *further.tolist()})
    given = {**options, "classes": labels, "task": "multiclass"}
    table = collect({"m": model}, data, further.tolist(), **given)
    place = labels.index(further[0])
    if "proba" in table.outputs["m"]:
        share = float(table.outputs["m"]["proba"][:, place].max())
        require(share == 0, name, "a class that the model never saw has probability 0")


def _find_refusal(model: Any, data: Any, truth: Any, options: Mapping[str, Any]) -> str:
    """What collect says of rows that it does not take; empty where it takes them."""
    try:
        collect({"m": model}, data, truth, **options)
    except AssayError as error:
        return str(error)
    return ""


def _pick(data: Any, rows: Any) -> Any:
    """Some rows of an array, a list or a data frame."""
    if hasattr(data, "iloc"):
        return data.iloc[rows]
    if isinstance(data, Mapping):
        return {name: _pick(values, rows) for name, values in data.items()}
    if isinstance(data, list):
        return [data[row] for row in rows]
    return data[rows]


def _describe_state(adapter: Adapter, model: Any) -> Any:
    """Modes, devices, gradients and numbers of the module in a model; None where there is none."""
    if not isinstance(adapter, TorchModules):
        return None
    module = adapter.find_module(model)
    return (
        [part.training for part in module.modules()],
        [
            (str(p.device), p.requires_grad, p.grad is None, float(p.detach().double().sum()))
            for p in module.parameters()
        ],
        [(str(b.device), float(b.double().sum())) for b in module.buffers()],
    )


def _require_same(a: Predictions, b: Predictions, name: str, law: str, atol: float) -> None:
    outputs, others = a.outputs["m"], b.outputs["m"]
    require(outputs.keys() == others.keys(), name, f"{law}; kinds {list(others)}")
    require(a.classes == b.classes, name, f"{law}; classes {list(b.classes)}")
    require(np.array_equal(a.truth, b.truth), name, f"{law}; truth")
    for kind, values in outputs.items():
        same = np.allclose(values, others[kind], rtol=0, atol=atol, equal_nan=True)
        require(same, name, f"{law}; {kind}")
