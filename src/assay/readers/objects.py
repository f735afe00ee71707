"""Objects: histories in memory, as frameworks return them, and data frames.

No framework is imported: an object is known by the attributes that hold its curves.

>>> from types import SimpleNamespace
>>> model = SimpleNamespace(loss_curve_=[0.9, 0.7], validation_scores_=[0.5, 0.6], classes_=[0, 1])
>>> find_value(model)
{'loss': [0.9, 0.7], 'val_accuracy': [0.5, 0.6]}
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from assay.readers.cells import Cells, Numbers
from assay.readers.large import convert_table

__all__ = ["convert_frame", "find_curves", "find_value", "is_frame"]

DEEPEST = 20  # containers within each other


def is_frame(log: Any) -> bool:
    """Whether `log` is a data frame: of pandas, polars, Arrow, or what else exchanges tables."""
    return hasattr(log, "__arrow_c_stream__") or (hasattr(log, "iloc") and hasattr(log, "columns"))


def convert_frame(frame: Any) -> dict[str, Cells]:
    """The columns of a data `frame` by name.

    pandas writes nan for a cell that is empty: nan counts as measured at the end of a column, in a
    stretch longer than any before, and as empty elsewhere.
    """
    import pyarrow as pa

    columns = convert_table(
        pa.table(frame) if hasattr(frame, "__arrow_c_stream__") else _take(frame)
    )
    if not hasattr(frame, "iloc"):
        return columns
    return {
        name: _restore_nan(cells) if isinstance(cells, Numbers) else cells
        for name, cells in columns.items()
    }


def _take(frame: Any) -> Any:
    """An Arrow table of a frame of an older pandas."""
    import pyarrow as pa

    return pa.Table.from_pandas(frame)


def _restore_nan(numbers: Numbers) -> Numbers:
    """The cells with nan at their end as measured, where it is no gap between measurements."""
    rows = np.flatnonzero(numbers.measured)
    if not len(rows):
        return numbers
    missing_at_end = len(numbers) - 1 - rows[-1]
    longest_gap = int(np.diff(rows, prepend=-1).max()) - 1
    if missing_at_end <= longest_gap:
        return numbers
    measured = numbers.measured.copy()
    measured[rows[-1] + 1 :] = True
    return Numbers(numbers.values, measured)


def find_value(log: Any) -> Any:
    """The curves of `log` as plain containers and numbers; the object itself without any."""
    value = find_curves(log)
    return _convert_plain(log, DEEPEST) if value is None else value


def find_curves(log: Any) -> Any:
    """The curves that an object of a framework, `log`, holds, in plain containers; None without."""
    for find in FINDERS:
        value = find(log)
        if value is not None:
            return _convert_plain(value, DEEPEST)
    return None


def _find_keras(log: Any) -> Any:
    """Of Keras: what `fit` returns, or the model that keeps it."""
    kept = getattr(log, "history", None)
    log = kept if hasattr(kept, "history") else log
    curves = getattr(log, "history", None)
    epochs = getattr(log, "epoch", None)
    if not isinstance(curves, Mapping):
        return None
    return {"history": curves, "epoch": epochs} if epochs else curves


def _find_trainer(log: Any) -> Any:
    """Of Transformers: a `TrainerState`, or the Trainer that has one."""
    state = log if hasattr(log, "log_history") else getattr(log, "state", None)
    records = getattr(state, "log_history", None)
    if not isinstance(records, list):
        return None
    names = ("best_metric", "best_global_step", "best_model_checkpoint")
    return {"log_history": records} | {name: getattr(state, name, None) for name in names}


def _find_skorch(log: Any) -> Any:
    """Of skorch: the history of a net."""
    history = getattr(log, "history", None)
    return list(history) if isinstance(history, list) else None


def _find_fastai(log: Any) -> Any:
    """Of fastai: the rows of the recorder of a learner."""
    recorder = getattr(log, "recorder", log)
    names = list(getattr(recorder, "metric_names", ()))
    rows = getattr(recorder, "values", None)
    if names[:1] != ["epoch"] or not isinstance(rows, list):
        return None
    curves = [name if name.endswith("_loss") else f"val_{name}" for name in names[1:]]
    return {
        name: [float(row[i]) for row in rows]
        for i, name in enumerate(curves)
        if name != "val_time" and all(i < len(row) for row in rows)
    }


def _find_boosting(log: Any) -> Any:
    """Of XGBoost, LightGBM and CatBoost: the results of a model by set and metric."""
    for name in ("evals_result_", "evals_result", "get_evals_result"):
        results = getattr(log, name, None)
        if isinstance(results, Mapping):
            return results
        if callable(results) and not isinstance(log, type):
            try:
                return results()
            except Exception:  # noqa: S112 - an unfitted model raises errors of its own
                continue
    return None


def _find_sklearn(log: Any) -> Any:
    """Of scikit-learn: losses and scores by iteration of a fitted estimator."""
    score = "val_accuracy" if hasattr(log, "classes_") else "val_r2"
    curves = {
        "loss": getattr(log, "loss_curve_", None),
        score: getattr(log, "validation_scores_", None),
    }
    if hasattr(log, "train_score_"):
        is_loss = getattr(log, "scoring", "loss") == "loss"
        sign = -1.0 if is_loss and hasattr(log, "validation_score_") else 1.0
        metric = "loss" if is_loss else "score"
        for split, name in (("train", "train_score_"), ("val", "validation_score_")):
            scores = np.asarray(getattr(log, name, ()), dtype=float)
            curves[f"{split}_{metric}"] = sign * scores if len(scores) else None
    found = {name: curve for name, curve in curves.items() if curve is not None}
    return found or None


FINDERS: tuple[Callable[[Any], Any], ...] = (
    _find_keras,
    _find_trainer,
    _find_skorch,
    _find_fastai,
    _find_boosting,
    _find_sklearn,
)


def _convert_plain(value: Any, depth: int) -> Any:
    """Arrays and tuples as lists, their numbers as those of Python."""
    if depth == 0:
        return None
    if isinstance(value, Mapping):
        return {str(key): _convert_plain(inner, depth - 1) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_convert_plain(inner, depth - 1) for inner in value]
    if hasattr(value, "tolist"):
        return value.tolist()
    return value
