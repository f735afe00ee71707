"""What every adapter must keep: rows in order, batches that change nothing, a model left as it was.

>>> from sklearn.linear_model import LogisticRegression
>>> X = [[0.0], [1.0], [2.0], [3.0]]
>>> check_adapter(LogisticRegression().fit(X, [0, 0, 1, 1]), X, [0, 0, 1, 1])
"""

from typing import Any

import numpy as np

from assay.adapters.base import ADAPTERS, find_adapter
from assay.adapters.collect import collect
from assay.table.predictions import Predictions
from assay.testing.laws import require

__all__ = ["check_adapter"]

BATCH_SIZES = (1, 3, 1024)


def check_adapter(model: Any, data: Any, y: Any, *, task: Any = None, atol: float = 1e-6) -> None:
    """Hold the adapter that accepts a fitted model to the laws that every adapter must keep.

    The adapter names the modules it is for, and says no to models of others; rows keep their order;
    the size of batches changes nothing; data of one row and of none are taken; the same call gives
    the same again, so that the model was left as it was.

    Parameters:
        model: A fitted model of the adapter's framework.
        data: Inputs as an array or nested list (n, ...), of 4 rows or more, that the model knows.
        y: Truth (n,), or (n, labels) of a multi-label task.
        task: The task; default: as the adapter says.
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
    others = [other for other in ADAPTERS.names() if other != name]
    claimed = [
        o for o in others if ADAPTERS[o]().rank < adapter.rank and ADAPTERS[o]().accepts(model)
    ]
    require(claimed == [], name, f"no adapter of a lower rank accepts its model; {claimed}")
    inputs = np.asarray(data)
    truth = np.asarray(y)
    whole = collect({"m": model}, inputs, truth, task=task)
    for size in BATCH_SIZES:
        batched = collect({"m": model}, inputs, truth, task=task, batch_size=size)
        law = f"batches of {size} give what the whole gives"
        _require_same(whole, batched, name, law, atol)
    order = np.arange(len(inputs))[::-1]
    turned = collect({"m": model}, inputs[order], truth[order], task=task)
    _require_same(whole.take(order), turned, name, "rows keep their order", atol)
    again = collect({"m": model}, inputs, truth, task=task)
    _require_same(whole, again, name, "the same call gives the same again", 0.0)


def _require_same(a: Predictions, b: Predictions, name: str, law: str, atol: float) -> None:
    outputs, others = a.outputs["m"], b.outputs["m"]
    require(outputs.keys() == others.keys(), name, f"{law}; kinds {list(others)}")
    for kind, values in outputs.items():
        same = np.allclose(values, others[kind], rtol=0, atol=atol, equal_nan=True)
        require(same, name, f"{law}; {kind}")
