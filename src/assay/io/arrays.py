"""Arrays: the truth and what models predict, as every verb takes them in place of a table.

>>> @accept_arrays
... def count(predictions, metrics=None):
...     return predictions.n, metrics
>>> count(["cat", "dog"], ["cat", "cat"], metrics="accuracy")
(2, 'accuracy')
"""

import inspect
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast, overload

import numpy as np
import pyarrow as pa

from assay.core.arguments import check_whole
from assay.core.registry import Member
from assay.errors import UnsupportedError
from assay.io.formats import detect_format
from assay.io.frames import collect_lazy, is_frame
from assay.io.read_write import read
from assay.io.source import Source, open_table
from assay.io.stream import Stream
from assay.table.columns import name_columns, normalise
from assay.table.predictions import Predictions
from assay.table.schema import WRITTEN
from assay.table.texts import refuse_token_lists

__all__ = ["Verb", "accept_arrays", "name_outputs"]

OF_PATHS = frozenset("*?[/")  # no label is taken for a path without one of these

P = ParamSpec("P")
R = TypeVar("R", covariant=True)

ARROW = (pa.Table, pa.RecordBatch)
NAME = "model"  # of the one model whose predictions have no name
OPTIONS_OF_FILES = frozenset(inspect.signature(read).parameters) - {"paths"}
OPTIONS_OF_ARRAYS = frozenset(inspect.signature(Predictions.from_arrays).parameters) - {
    "y",
    "models",
}


class Verb(Protocol[P, R]):
    """A verb that takes whatever holds predictions, or the truth and what models predict."""

    __name__: str

    @overload
    def __call__(self, predictions: Source, /, *args: P.args, **options: P.kwargs) -> R: ...
    @overload
    def __call__(self, y: Any, *args: Any, **options: Any) -> R: ...


def accept_arrays(verb: Callable[Concatenate[Source, P], R]) -> Verb[P, R]:
    """`verb`, which takes a source of predictions first, also with the truth and predictions.

    `verb(y, y_pred, ...)` is `verb` of the table of both, and the further arguments follow. Options
    of reading (`truth`, `task`, `classes`, `positive`, ... of `assay.read`; with arrays those of
    `Predictions.from_arrays`) may be given with the verb's own.

    Parameters:
        verb: A function whose first parameter is a `Source`.

    Returns:
        The function that takes all of these.
    """
    own = set(inspect.signature(verb).parameters)

    @wraps(verb)
    def call(*args: Any, **options: Any) -> Any:
        if "seed" in own:
            check_whole("seed", options.get("seed", 0), 0)
        if not args or (len(args) < 2 and "y_pred" not in options and not options):
            return verb(*args, **options)
        source, *others = args
        refuse_fitted((source, *others[:2], options.get("y_pred")))
        outputs = options.pop("y_pred", None)
        if outputs is None and others and _are_outputs(source, others[0]):
            outputs = others.pop(0)
        known = (OPTIONS_OF_FILES if outputs is None else OPTIONS_OF_ARRAYS) - own
        reading = {name: options.pop(name) for name in known & options.keys()}
        _refuse_misplaced(options.keys() - own, outputs is not None)
        if outputs is not None:
            source = _make_table(source, outputs, reading)
        elif reading:
            _refuse_reading_again(source, reading)
            source = open_table(source, **reading)
            if options.get("test") is not None:
                options["test"] = open_table(options["test"], **reading)
        return verb(source, *others, **options)

    return cast("Verb[P, R]", call)


def refuse_fitted(arguments: Iterable[Any]) -> None:
    """UnsupportedError where one of the `arguments`, or of those in a map or list, is a model.

    >>> class Fitted:
    ...     def predict(self, X): ...
    >>> refuse_fitted([[0, 1], {"m": Fitted()}])
    Traceback (most recent call last):
    assay.errors.UnsupportedError: a Fitted is a model, not what it predicts; predictions of ...
    """
    for argument in arguments:
        if argument is None or isinstance(argument, str | Predictions | Stream):
            continue
        parts = [argument]
        if isinstance(argument, Mapping):
            parts = list(argument.values())
        elif isinstance(argument, list | tuple):
            parts = list(argument[:1])
        for part in parts:
            fitted = any(callable(getattr(part, name, None)) for name in ("predict", "forward"))
            if fitted and not isinstance(part, type):
                raise UnsupportedError(
                    f"a {type(part).__name__} is a model, not what it predicts; predictions of "
                    "fitted models on rows X with the truth y are assay.collect({'name': model}, "
                    "X, y)"
                )


def name_outputs(y: Any, y_pred: Any) -> dict[str, Any]:
    """What models predict, by the name of each: `y_pred` as `Predictions.from_arrays` takes it.

    Parameters:
        y: The truth.
        y_pred: Columns by model, a list of arrays (models are then named model_1, model_2, ...), or
            what one model predicts, which is named after its series, or "model".

    >>> name_outputs([0, 1], [0, 0])
    {'model': [0, 0]}
    """
    if isinstance(y_pred, Predictions):
        raise UnsupportedError(
            "the second argument is a table of predictions, which holds the truth already; give it "
            "alone"
        )
    y_pred = collect_lazy(y_pred)
    if isinstance(y_pred, np.ndarray) and y_pred.dtype.names is not None:
        y_pred = {name: y_pred[name] for name in y_pred.dtype.names}
    if is_frame(y_pred) and not isinstance(y_pred, list | tuple):
        return {NAME: y_pred} if _holds_classes(y, y_pred) else name_columns(y_pred, "models")
    if isinstance(y_pred, list | tuple) and _are_models(y, y_pred):
        return {f"{NAME}_{i}": values for i, values in enumerate(y_pred, 1)}
    name = getattr(y_pred, "name", None)
    return {name if isinstance(name, str) and name else NAME: y_pred}


def _make_table(y: Any, outputs: Any, reading: Mapping[str, Any]) -> Predictions:
    if isinstance(y, Predictions | Stream):
        raise UnsupportedError(
            "y_pred goes with the truth, as in evaluate(y, y_pred); predictions hold both already"
        )
    if reading.get("task") in WRITTEN:
        refuse_token_lists(y, "truth")
    return Predictions.from_arrays(y, name_outputs(y, outputs), **reading)


def _refuse_misplaced(names: Collection[str], has_arrays: bool) -> None:
    """Refuse options of files among the `names` where arrays are given, and the other way round."""
    strange = sorted(set(names) & (OPTIONS_OF_FILES if has_arrays else OPTIONS_OF_ARRAYS))
    if not strange:
        return
    kind = "columns by name, in a file or a data frame" if has_arrays else "arrays (y, y_pred)"
    remedy = "give the arrays themselves" if has_arrays else "make it a column of the table"
    raise UnsupportedError(f"{strange[0]}= goes with {kind}; {remedy}")


def _refuse_reading_again(source: Any, reading: Mapping[str, Any]) -> None:
    """Refuse options of reading for a table that has been read."""
    names = [name for name in reading if name != "where"]
    if isinstance(source, Predictions | Stream) and names:
        raise UnsupportedError(
            f"{names[0]}= says how files, frames and arrays are read, and these predictions are "
            "read already; give it where they are read or made"
        )


def _are_outputs(source: Any, second: Any) -> bool:
    """Whether the `second` argument of a verb is what models predict, `source` being the truth."""
    if isinstance(source, Predictions | Stream | str | os.PathLike):
        return False
    if second is None or isinstance(second, str | bytes | os.PathLike | Member):
        return False
    if isinstance(second, Mapping) or _is_array(second):
        return True
    if not isinstance(second, list | tuple) or _are_paths(source):
        return False
    if not all(isinstance(item, str | Member) for item in second):
        return True
    # A list of texts names metrics or columns, unless it is as long as a truth in an array or list.
    return not is_frame(source) and hasattr(source, "__len__") and len(source) == len(second)


def _is_array(values: Any) -> bool:
    return any(
        hasattr(values, name) for name in ("__array__", "__arrow_c_stream__", "columns", "toarray")
    )


def _are_paths(source: Any) -> bool:
    """Whether a list of texts names files rather than labels."""
    if not isinstance(source, list | tuple | np.ndarray):
        return False
    return any(
        isinstance(item, os.PathLike)
        or (isinstance(item, str) and (detect_format(item) or not OF_PATHS.isdisjoint(item)))
        for item in source[:8]
    )


def _are_models(y: Any, values: Any) -> bool:
    """Whether a list holds an array for each model, not a value or a row for each row."""
    n = len(y) if hasattr(y, "__len__") else -1
    return len(values) not in (0, n) and all(_count_rows(each) == n for each in values)


def _count_rows(values: Any) -> int | None:
    """Number of rows of an array or a list; None for anything else."""
    is_column = isinstance(values, list | tuple) or _is_array(values)
    return len(values) if is_column and getattr(values, "shape", None) != () else None


def _holds_classes(y: Any, frame: Any) -> bool:
    """Whether the columns of a `frame` are those of the classes of one model, not of models."""
    if isinstance(frame, Mapping):
        names = list(frame)
    else:
        names = list(frame.schema.names if isinstance(frame, ARROW) else frame.columns)
    texts = {str(name) for name in names}
    positions = {str(i) for i in range(len(names))}, {f"column_{i}" for i in range(len(names))}
    if texts in positions and not isinstance(frame, Mapping):
        return True
    truth = normalise(y, "truth")
    if isinstance(truth, Mapping):
        return texts == set(truth)
    if isinstance(truth, np.ndarray):
        return truth.ndim == 1 and texts == {str(value) for value in np.unique(truth)}
    if pa.types.is_nested(truth.type):
        return False
    return texts == {str(value) for value in truth.unique().to_pylist()}
