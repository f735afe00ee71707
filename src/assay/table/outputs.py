"""Outputs: what one model predicted, of each declared kind, typed and checked as whole columns.

>>> from assay.table.schema import Schema
>>> schema = Schema("binary", ("cat", "dog"), {})
>>> check_outputs("a", {"proba": [0.25, 1.0]}, schema, 2)[0]["proba"].tolist()
[[0.75, 0.25], [0.0, 1.0]]
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from assay.errors import SchemaError
from assay.kernels import Array
from assay.table.boxes import convert_to_boxes
from assay.table.class_columns import (
    align_classes,
    align_numbers,
    convert_to_indicators,
    convert_to_matrix,
    find_single,
    refuse_rows,
    require_finite,
    widen_floats,
)
from assay.table.columns import (
    RowNamer,
    Unnamed,
    arrow_to_numpy,
    convert_to_numbers,
    count_columns,
    name_by_position,
    normalise,
)
from assay.table.conversions import AS_GIVEN, Conversions
from assay.table.labels import encode_declared
from assay.table.probabilities import check_probabilities
from assay.table.schema import ENDS, KINDS, WRITTEN, Kind, Schema, Task, parse_column
from assay.table.text_lists import parse_number_lists
from assay.table.texts import convert_to_texts

__all__ = [
    "RawOutputs",
    "add_column",
    "check_outputs",
    "group_by_model",
    "holds_numbers",
    "is_fractional",
    "refuse_other_task",
    "refuse_scores",
]

# A model's columns before they are typed: kind (None where none is declared) -> a normalised
# column, or one a class.
RawOutputs: TypeAlias = dict[Kind | None, Any]


def group_by_model(models: Mapping[str, Any], task: Task | None = None) -> dict[str, RawOutputs]:
    """The columns in `models`, by model and kind, for a `task` if it is declared.

    Their names are <model>, <model>.<kind> or <model>.<kind>.<class>.
    """
    outputs: dict[str, RawOutputs] = {}
    for name, values in models.items():
        model, kind, label = parse_column(str(name), task)
        if not model:
            raise SchemaError(f"column {name!r} names no model; expected <model>.{kind}")
        add_column(outputs, model, kind, label, values)
    return outputs


def add_column(
    outputs: dict[str, RawOutputs], model: str, kind: Kind | None, label: str | None, values: Any
) -> None:
    """Put the column `values` where it belongs in `outputs`; a kind given twice is refused.

    It is of a `kind` of a `model`; `label` is the class (or end) that it is for, if for one alone.
    """
    kinds = outputs.setdefault(model, {})
    where = f"{kind or 'predictions'} of model {model!r}"
    if label is None:
        if kind in kinds:
            raise SchemaError(f"{where} is given twice, once by class; keep one of the two forms")
        column = normalise(values, where)
        _refuse_records(column, where)
        if kind in (None, "proba", "logit"):
            column = parse_number_lists(column, where)
        single = kind is None and isinstance(column, Mapping) and len(column) == 1
        if single and not is_fractional(*column.values()):
            column = next(iter(column.values()))  # a frame of one column of labels
        kinds[kind] = column
        return
    columns = kinds.setdefault(kind, {})
    if not isinstance(columns, dict):
        raise SchemaError(f"{where} is given twice, once by class; keep one of the two forms")
    columns[label] = normalise(values, f"{where}, class {label!r}")


def _refuse_records(column: Any, where: str) -> None:
    """Refuse a column that holds a dictionary in each row."""
    if isinstance(column, pa.Array) and pa.types.is_struct(column.type):
        names = ", ".join(repr(field.name) for field in column.type)
        raise SchemaError(
            f"{where} holds a dictionary in each row ({names}); give the labels alone as a column, "
            "or the probabilities as a column for each class"
        )


def check_outputs(
    model: str,
    kinds: RawOutputs,
    schema: Schema,
    n: int,
    name_row: RowNamer = name_by_position,
    conversions: Conversions = AS_GIVEN,
) -> tuple[dict[Kind, Array], list[str]]:
    """Every kind of one model's columns, checked, and notes on what was done to them.

    `kinds` are the columns of `model`, to fit the `schema` of a table of `n` rows (see
    `Predictions` for their types and shapes); `conversions` says what to do to them. Messages name
    a row by `name_row`.
    """
    outputs: dict[Kind, Array] = {}
    notes = []
    for named, values in kinds.items():
        kind = named or _infer_kind(model, values, schema)
        where = f"{kind} of model {model!r}"
        if kind not in KINDS:
            raise SchemaError(
                f"model {model!r} gives {kind!r}, which is no kind; "
                f"the kinds are {', '.join(KINDS)}"
            )
        if kind in outputs:
            raise SchemaError(
                f"{where} is given twice: as {model!r} and as '{model}.{kind}'; keep one of the two"
            )
        refuse_other_task(kind, schema.task, where)
        column = normalise(values, where)
        if kind == "proba":
            array, note = check_probabilities(column, schema, where, name_row, conversions)
            notes += [note] if note else []
        else:
            array = _CHECKS[kind](column, schema, where, name_row)
        if len(array) != n:
            raise SchemaError(
                f"{where} has {len(array)} rows, the truth has {n}; "
                "give one prediction a row, or join by id"
            )
        outputs[kind] = array
    return outputs, notes


def _infer_kind(model: str, values: Any, schema: Schema) -> Kind:
    """The kind of columns that declare none.

    Numbers in regression, probabilities where there are several columns, else labels.
    """
    if schema.task in WRITTEN:
        return "text"
    if schema.task in ("regression", "multioutput"):
        return "value"
    many = count_columns(values) is not None
    if schema.task == "multilabel":
        if isinstance(values, Mapping):
            columns = list(values.values())
        else:
            columns = [convert_to_matrix(values, f"model {model!r}").ravel()]
        return "proba" if any(is_fractional(c) for c in columns) else "label"
    if many:
        return "proba"
    refuse_scores(values, model)
    return "label"


def refuse_other_task(kind: Kind, task: Task, where: str) -> None:
    """Refuse texts where the `task` is another, and any other `kind` where it is text.

    The message names the column by `where`.
    """
    if (kind == "text") == (task in WRITTEN):
        return
    if kind == "text":
        raise SchemaError(
            f"{where}: a text that a model wrote needs task='text' (--task text); this task is "
            f"{task}"
        )
    raise SchemaError(
        f"{where}: the task is {task}, in which models give texts; name the column <model>.text, "
        f"or leave out task={task!r}"
    )


def refuse_scores(values: Any, model: str) -> None:
    """Refuse fractional numbers where labels were expected: the name must say what they are.

    `values` is the column of a `model`.
    """
    if is_fractional(values):
        raise SchemaError(
            f"model {model!r} gives fractional numbers where labels were expected; say what they "
            f"are in the name: {model}.proba (probability of the positive class), {model}.logit, "
            f"{model}.score (a rank score), or use task='regression'."
        )


def holds_numbers(values: Any) -> bool:
    """Whether several columns in `values` are numbers to predict, and cannot be labels.

    Some are fractional and some lie outside [0, 1], as no label, no share and no probability does.

    >>> holds_numbers(np.array([[0.5, 7.0]])), holds_numbers(np.array([[0.5, 1.0]]))
    (True, False)
    """
    columns = list(values.values()) if isinstance(values, Mapping) else [np.ravel(values)]
    if not any(map(is_fractional, columns)):
        return False
    numbers = [arrow_to_numpy(c.drop_null()) if isinstance(c, pa.Array) else c for c in columns]
    return any(bool(((n < 0) | (n > 1)).any()) for n in numbers if n.dtype.kind in "biuf")


def is_fractional(column: Any) -> bool:
    """Whether a normalised `column` holds numbers of which at least one is not whole."""
    if isinstance(column, pa.Array):
        if not pa.types.is_floating(column.type):
            return False
        column = arrow_to_numpy(column.drop_null())
    if not isinstance(column, np.ndarray) or column.dtype.kind != "f":
        return False
    return bool((np.isfinite(column) & (column != np.floor(column))).any())


def _check_labels(values: Any, schema: Schema, where: str, name_row: RowNamer) -> Array:
    if schema.task == "multilabel":
        return convert_to_indicators(values, schema, where, name_row)
    if schema.task == "multioutput":
        raise SchemaError(
            f"{where}: numbers have no labels; name the columns <model>.value.<output>"
        )
    if schema.task == "regression":
        raise SchemaError(f"{where}: a regression has no labels; name the column <model>.value")
    if (count_columns(values) or 1) > 1:
        raise SchemaError(
            f"{where} has several columns; the task is {schema.task}, which takes one label a row "
            "(n,). If each column is a label of its own, use task='multilabel'; if they are "
            "one-hot, give the label of the largest."
        )
    return encode_declared(values, schema.classes, where, name_row)


def _check_logits(values: Any, schema: Schema, where: str, name_row: RowNamer) -> Array:
    if schema.task in ("regression", "multioutput"):
        raise SchemaError(
            f"{where}: a regression has no class logits; name the column <model>.value"
        )
    column, code = find_single(values, schema, where)
    if code is None:
        return require_finite(
            widen_floats(align_classes(values, schema, where, name_row)), where, name_row
        )
    z = require_finite(convert_to_numbers(column, where, name_row), where, name_row)
    return np.stack((np.zeros_like(z), z) if code == 1 else (z, np.zeros_like(z)), axis=1)


def _check_scores(values: Any, schema: Schema, where: str, name_row: RowNamer) -> Array:
    if schema.task == "multilabel":
        scores = widen_floats(align_classes(values, schema, where, name_row))
        return require_finite(scores, where, name_row)
    if schema.task != "binary" or isinstance(values, Mapping):
        raise SchemaError(
            f"{where}: a rank score is one column, for binary tasks, or one a label, for "
            "multi-label ones; give <model>.proba.<class> or <model>.logit.<class>"
        )
    scores = convert_to_numbers(values, where, name_row)
    refuse_rows(np.isnan(scores), "nan", where, name_row)
    return scores


def _check_values(values: Any, schema: Schema, where: str, name_row: RowNamer) -> Array:
    if schema.task == "multioutput":
        return align_numbers(values, schema, where, name_row)
    if schema.task != "regression":
        raise SchemaError(
            f"{where}: a predicted number needs task='regression'; this task is {schema.task}"
        )
    if isinstance(values, Mapping) and not isinstance(values, Unnamed):
        names = ", ".join(f".{name}" for name in values)
        raise SchemaError(
            f"{where} has a column for each output ({names}), and the truth is one number; leave "
            f"out {names} to give one column, <model>.value, or give a truth of several outputs, "
            f"y.<output>"
        )
    return require_finite(convert_to_numbers(values, where, name_row), where, name_row)


def _check_intervals(values: Any, schema: Schema, where: str, name_row: RowNamer) -> Array:
    """Low and high end (n, 2)."""
    if schema.task != "regression":
        raise SchemaError(
            f"{where}: a predicted interval needs task='regression'; this task is {schema.task}"
        )
    if isinstance(values, Mapping) and not isinstance(values, Unnamed):
        if set(values) != set(ENDS):
            shown = ", ".join(map(str, values))
            raise SchemaError(
                f"{where} has {shown}; "
                "name its two columns <model>.interval.low and <model>.interval.high"
            )
        ends = [convert_to_numbers(values[end], f"{where}, {end} end", name_row) for end in ENDS]
        values = np.stack(ends, axis=1)
    matrix = convert_to_matrix(_stack_columns(values), where)
    table = require_finite(np.asarray(matrix, np.float64), where, name_row)
    if table.ndim != 2 or table.shape[1] != 2:
        raise SchemaError(
            f"{where} has shape {table.shape}; "
            "expected (n, 2), the low and the high end of each row"
        )
    crossed = table[:, 0] > table[:, 1]
    if crossed.any():
        row = int(np.argmax(crossed))
        raise SchemaError(
            f"{where} is from {table[row, 0]:.6g} to {table[row, 1]:.6g} at {name_row(row)} "
            f"({int(crossed.sum())} such rows); the low end comes first and is at most the high "
            "end. Sort the two where quantiles cross."
        )
    return table


def _check_texts(values: Any, schema: Schema, where: str, name_row: RowNamer) -> Array:
    if schema.task == "detection":
        return convert_to_boxes(values, where, name_row, scored=True, classes=schema.classes)
    return convert_to_texts(values, where, name_row)


def _stack_columns(values: Any) -> Any:
    """The columns of a frame without names, side by side."""
    if not isinstance(values, Mapping):
        return values
    return np.stack([convert_to_numbers(c, "column") for c in values.values()], axis=1)


_CHECKS = {
    "label": _check_labels,
    "logit": _check_logits,
    "score": _check_scores,
    "value": _check_values,
    "interval": _check_intervals,
    "text": _check_texts,
}
