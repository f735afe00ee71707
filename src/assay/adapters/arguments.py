"""Arguments: models, inputs and truth as people give them, checked before a model is asked.

>>> from sklearn.svm import SVC
>>> list(name_models([SVC(), SVC(C=10)]))
['svc-1', 'svc-2']
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from assay.errors import SchemaError, UnsupportedError
from assay.table.columns import name_by_position, normalise, require_one

__all__ = ["check_inputs", "check_truth", "name_models"]


def name_models(models: Any, expected: str = "scikit-learn estimator") -> dict[str, Any]:
    """The models by name.

    Parameters:
        models: Name to model; or a list of models, which are named as scikit-learn names the steps
            of a pipeline: by the class in small letters, with -1, -2, ... where it occurs again; or
            one model.
        expected: What each is to be, in a message.

    Raises:
        UnsupportedError: It is none of these, a name is not text, or no model is given.
    """
    if isinstance(models, Mapping):
        _refuse_names(models)
        named = dict(models)
    else:
        named = _name_list(models, expected)
    if not named:
        raise UnsupportedError(f"no model is given; expected a mapping of name to {expected}")
    for name, model in named.items():
        if isinstance(model, type) and hasattr(model, "predict"):
            raise UnsupportedError(
                f"model {name!r} is the class {model.__name__}; give an instance: "
                f"{model.__name__}()"
            )
    return named


def check_inputs(X: Any) -> None:
    """Refuse inputs `X` that have no rows that can be counted.

    Raises:
        UnsupportedError: They are text, a mapping, a generator, or no collection.
    """
    has_rows = bool(X.shape) if hasattr(X, "shape") else hasattr(X, "__len__")
    if not has_rows or isinstance(X, str | bytes | Mapping | set):
        raise UnsupportedError(
            f"the inputs are a {type(X).__name__}; expected one a row: an array, a list or a data "
            "frame"
        )


def check_truth(y: Any, n: int | None = None) -> None:
    """Refuse a truth that is not one value of one type for each row.

    Parameters:
        y: The truth, of any package.
        n: Number of rows of the inputs; default: not compared.

    Raises:
        SchemaError: Values are missing, of several types, or in rows of different lengths.
        UnsupportedError: The inputs have another number of rows.
    """
    column = normalise(y, "the truth")
    if isinstance(column, Mapping):
        return
    if isinstance(column, pa.Array):
        require_one(column, "the truth")
    row = _find_missing(column)
    if row is not None:
        raise SchemaError(
            f"the truth is empty at {name_by_position(row)}; a model can neither learn from such a "
            "row nor be judged by it: leave it out of the inputs and of the truth"
        )
    if n is not None and len(column) != n:
        raise UnsupportedError(f"X has {n} rows and y has {len(column)}; give one truth a row")


def _refuse_names(models: Mapping[Any, Any]) -> None:
    strange = next((name for name in models if not isinstance(name, str) or not name), None)
    if strange is not None:
        raise UnsupportedError(f"a model is named {strange!r}; name each by a text")


def _name_list(models: Any, expected: str) -> dict[str, Any]:
    """The models of a list, or one model, by their classes."""
    if _is_model(models):
        models = [models]
    if not isinstance(models, list | tuple):
        raise UnsupportedError(
            f"expected a mapping of name to {expected}, or a list; got {type(models).__name__}"
        )
    names = [type(_strip_grid(model)).__name__.lower() for model in models]
    counts = Counter(names)
    seen: Counter[str] = Counter()
    named = {}
    for name, model in zip(names, models, strict=True):
        seen[name] += 1
        named[f"{name}-{seen[name]}" if counts[name] > 1 else name] = model
    return named


def _is_model(value: Any) -> bool:
    """Whether a value is a model, or (estimator, grid)."""
    value = _strip_grid(value)
    return hasattr(value, "predict") or hasattr(value, "forward")


def _strip_grid(model: Any) -> Any:
    is_pair = isinstance(model, tuple) and len(model) == 2 and isinstance(model[1], Mapping | list)
    return model[0] if is_pair else model


def _find_missing(column: Any) -> int | None:
    """The first row without a value, nan among numbers included."""
    if isinstance(column, pa.Array):
        empty = np.asarray(column.is_null().to_numpy(zero_copy_only=False))
    elif column.dtype.kind == "f":
        empty = np.isnan(column) if column.ndim == 1 else np.isnan(column).any(axis=1)
    else:
        return None
    rows = np.flatnonzero(empty)
    return int(rows[0]) if len(rows) else None
