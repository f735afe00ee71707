"""Outputs: what one model predicted, of each declared kind, typed and checked as whole columns.

>>> from assay.table.schema import Schema
>>> schema = Schema("binary", ("cat", "dog"), {})
>>> check_outputs("a", {"proba": [0.25, 1.0]}, schema, 2)["proba"].tolist()
[[0.75, 0.25], [0.0, 1.0]]
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from assay.errors import SchemaError
from assay.kernels import Array
from assay.table.columns import (
    RowNamer,
    Unnamed,
    arrow_to_numpy,
    convert_to_numbers,
    count_columns,
    find_first_null,
    name_by_position,
    normalise,
)
from assay.table.labels import encode_declared, list_spellings
from assay.table.schema import ENDS, KINDS, Kind, Schema, parse_column

__all__ = [
    "RawOutputs",
    "add_column",
    "align_classes",
    "check_outputs",
    "convert_to_indicators",
    "group_by_model",
    "is_fractional",
    "refuse_scores",
    "require_finite",
]

# A model's columns before they are typed: kind (None where none is declared) -> a normalised
# column, or one a class.
RawOutputs: TypeAlias = dict[Kind | None, Any]

# How far from 1 probabilities may sum: rounding of the type, or to three decimals in a text file.
SUM_TOLERANCE = {"float16": 5e-3}
SLACK = 1e-6


def group_by_model(models: Mapping[str, Any]) -> dict[str, RawOutputs]:
    """The columns in `models`, by model and kind.

    Their names are <model>, <model>.<kind> or <model>.<kind>.<class>.
    """
    outputs: dict[str, RawOutputs] = {}
    for name, values in models.items():
        model, kind, label = parse_column(str(name))
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
        single = kind is None and isinstance(column, Mapping) and len(column) == 1
        if single and not is_fractional(*column.values()):
            column = next(iter(column.values()))  # a frame of one column of labels
        kinds[kind] = column
        return
    columns = kinds.setdefault(kind, {})
    if not isinstance(columns, dict):
        raise SchemaError(f"{where} is given twice, once by class; keep one of the two forms")
    columns[label] = normalise(values, f"{where}, class {label!r}")


def check_outputs(
    model: str, kinds: RawOutputs, schema: Schema, n: int, name_row: RowNamer = name_by_position
) -> dict[Kind, Array]:
    """Every kind of one model's columns, checked; see `Predictions` for their types and shapes.

    `kinds` are the columns of `model`, to fit the `schema` of a table of `n` rows; messages name a
    row by `name_row`.
    """
    outputs: dict[Kind, Array] = {}
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
        array = _CHECKS[kind](normalise(values, where), schema, where, name_row)
        if len(array) != n:
            raise SchemaError(
                f"{where} has {len(array)} rows, the truth has {n}; "
                "give one prediction a row, or join by id"
            )
        outputs[kind] = array
    return outputs


def _infer_kind(model: str, values: Any, schema: Schema) -> Kind:
    """The kind of columns that declare none.

    Numbers in regression, probabilities where there are several columns, else labels.
    """
    if schema.task == "regression":
        return "value"
    many = count_columns(values) is not None
    if schema.task == "multilabel":
        if isinstance(values, Mapping):
            columns = list(values.values())
        else:
            columns = [_convert_to_matrix(values, f"model {model!r}").ravel()]
        return "proba" if any(is_fractional(c) for c in columns) else "label"
    if many:
        return "proba"
    refuse_scores(values, model)
    return "label"


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


def is_fractional(column: Any) -> bool:
    """Whether a normalised `column` holds numbers of which at least one is not whole."""
    if isinstance(column, pa.Array):
        if not pa.types.is_floating(column.type):
            return False
        column = arrow_to_numpy(column.drop_null())
    if not isinstance(column, np.ndarray) or column.dtype.kind != "f":
        return False
    return bool((np.isfinite(column) & (column != np.floor(column))).any())


def convert_to_indicators(values: Any, schema: Schema, where: str, name_row: RowNamer) -> Array:
    """The columns in `values` as 0/1 per label of the `schema` (n, labels), uint8.

    Messages name the column by `where` and a row by `name_row`.
    """
    table = align_classes(values, schema, where, name_row)
    bad = (table != 0) & (table != 1) if table.dtype != bool else np.zeros((0, 0), bool)
    if bad.any():
        row, column = map(int, np.argwhere(bad)[0])
        raise SchemaError(
            f"{where} has {table[row, column].item()!r} for label {schema.classes[column]!r} "
            f"at {name_row(row)}; expected 0 or 1. If these are probabilities, name the columns "
            "<model>.proba.<label>."
        )
    return table.astype(np.uint8, copy=False)


def align_classes(values: Any, schema: Schema, where: str, name_row: RowNamer) -> Array:
    """The class columns in `values` as (n, k), by name in the order of the classes of `schema`.

    A 2-D array is taken to be in that order. Messages name the column by `where` and a row by
    `name_row`.
    """
    if isinstance(values, Mapping):
        return _align_by_name(values, schema, where, name_row)
    table = _convert_to_matrix(values, where)
    if table.ndim == 1 and schema.k == 1:
        table = table[:, None]
    if table.ndim != 2 or table.shape[1] != schema.k:
        shown = ", ".join(repr(c) for c in schema.classes[:10]) + (", ..." if schema.k > 10 else "")
        raise SchemaError(
            f"{where} has shape {table.shape}; expected (n, {schema.k}), "
            f"one column for each of {shown}"
        )
    return table


def _align_by_name(
    values: Mapping[str, Any], schema: Schema, where: str, name_row: RowNamer
) -> Array:
    named = [
        next((text for text in list_spellings(label) if text in values), None)
        for label in schema.classes
    ]
    unknown = [text for text in values if text not in named]
    complete = None not in named and not unknown
    if not complete and isinstance(values, Unnamed) and len(values) == schema.k:
        # A frame without column names is in the declared order, as an array is.
        named = list(values)
    elif not complete:
        if None in named:
            wrong = f"no column for class {schema.classes[named.index(None)]!r}"
        else:
            wrong = f"a column for unknown class {unknown[0]!r}"
        classes = ", ".join(str(label) for label in schema.classes[:20])
        raise SchemaError(
            f"{where} has {wrong}; the classes are {classes}. Name one column for each class."
        )
    columns = [
        convert_to_numbers(values[text or ""], f"{where}, class {text!r}", name_row)
        for text in named
    ]
    if len({len(c) for c in columns}) > 1:
        sizes = ", ".join(f"{text!r}: {len(c)}" for text, c in zip(named, columns, strict=True))
        raise SchemaError(
            f"{where} has class columns of different lengths ({sizes}); give one value a row"
        )
    return np.stack(columns, axis=1)


def _convert_to_matrix(values: Any, where: str) -> Array:
    """Numbers (n, k) of an array or of an Arrow column of lists; (n,) stays as it is."""
    if not isinstance(values, pa.Array):
        return np.asarray(values)
    if not _is_nested(values):
        return convert_to_numbers(values, where)
    if values.null_count:
        raise SchemaError(
            f"{where} is empty at row {find_first_null(values)}; fill the value or drop the row"
        )
    if pa.types.is_fixed_size_list(values.type):
        size = values.type.list_size
    elif pa.types.is_list(values.type) or pa.types.is_large_list(values.type):
        sizes = np.unique(np.diff(arrow_to_numpy(values.offsets)))
        if len(sizes) > 1:
            raise SchemaError(
                f"{where} must be a list of one length in every row; "
                f"found lengths {sizes[:5].tolist()}"
            )
        size = int(sizes[0]) if len(sizes) else 0
    else:
        raise SchemaError(f"{where} holds a {values.type} in each row; expected a list of numbers")
    return convert_to_numbers(values.flatten(), where).reshape(len(values), size)


def _is_nested(values: Any) -> bool:
    return isinstance(values, pa.Array) and bool(pa.types.is_nested(values.type))


def _check_labels(values: Any, schema: Schema, where: str, name_row: RowNamer) -> Array:
    if schema.task == "multilabel":
        return convert_to_indicators(values, schema, where, name_row)
    if schema.task == "regression":
        raise SchemaError(f"{where}: a regression has no labels; name the column <model>.value")
    if (count_columns(values) or 1) > 1:
        raise SchemaError(
            f"{where} has several columns; the task is {schema.task}, which takes one label a row "
            "(n,). If each column is a label of its own, use task='multilabel'; if they are "
            "one-hot, give the label of the largest."
        )
    return encode_declared(values, schema.classes, where, name_row)


def _check_probabilities(values: Any, schema: Schema, where: str, name_row: RowNamer) -> Array:
    if schema.task == "regression":
        raise SchemaError(
            f"{where}: a regression has no class probabilities; name the column <model>.value"
        )
    column, code = _find_single(values, schema, where)
    if code is not None:
        p = _clip_to_unit(convert_to_numbers(column, where, name_row), where, name_row)
        return np.stack((1 - p, p) if code == 1 else (p, 1 - p), axis=1)
    tolerance = SUM_TOLERANCE.get(_name_precision(values), 1e-3)
    table = _clip_to_unit(
        _widen_floats(align_classes(values, schema, where, name_row)), where, name_row
    )
    if schema.task != "multilabel":
        total = table.sum(axis=1, dtype=np.float64)
        off = np.abs(total - 1) > tolerance
        if off.any():
            row = int(np.argmax(off))
            raise SchemaError(
                f"{where} sums to {total[row]:.4g} at {name_row(row)}, expected 1 "
                f"({int(off.sum())} such rows). If these are logits, name the column "
                "<model>.logit; if each label stands alone, use task='multilabel'."
            )
    return table


def _find_single(values: Any, schema: Schema, where: str) -> tuple[Any, int | None]:
    """The one column of a binary task and the code of the class it is for.

    The code is None where each class has a column.
    """
    if isinstance(values, Mapping):
        if schema.task == "binary" and len(values) == 1 and not isinstance(values, Unnamed):
            text, column = next(iter(values.items()))
            codes = [c for c, label in enumerate(schema.classes) if text in list_spellings(label)]
            return column, codes[0] if codes else None
        if len(values) > 1 or schema.k == 1 or not isinstance(values, Unnamed):
            return values, None
        values = next(iter(values.values()))
    if count_columns(values) is not None or schema.k == 1:
        return values, None
    if schema.task != "binary":
        raise SchemaError(
            f"{where} is one column; expected one for each of the {schema.k} classes: "
            "<model>.proba.<class>"
        )
    return values, schema.positive_code


def _check_logits(values: Any, schema: Schema, where: str, name_row: RowNamer) -> Array:
    if schema.task == "regression":
        raise SchemaError(
            f"{where}: a regression has no class logits; name the column <model>.value"
        )
    column, code = _find_single(values, schema, where)
    if code is None:
        return require_finite(
            _widen_floats(align_classes(values, schema, where, name_row)), where, name_row
        )
    z = require_finite(convert_to_numbers(column, where, name_row), where, name_row)
    return np.stack((np.zeros_like(z), z) if code == 1 else (z, np.zeros_like(z)), axis=1)


def _check_scores(values: Any, schema: Schema, where: str, name_row: RowNamer) -> Array:
    if schema.task != "binary":
        raise SchemaError(
            f"{where}: a rank score is for binary tasks; "
            "give <model>.proba.<class> or <model>.logit.<class>"
        )
    scores = convert_to_numbers(values, where, name_row)
    _refuse_rows(np.isnan(scores), "nan", where, name_row)
    return scores


def _check_values(values: Any, schema: Schema, where: str, name_row: RowNamer) -> Array:
    if schema.task != "regression":
        raise SchemaError(
            f"{where}: a predicted number needs task='regression'; this task is {schema.task}"
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
    matrix = _convert_to_matrix(_stack_columns(values), where)
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


def _stack_columns(values: Any) -> Any:
    """The columns of a frame without names, side by side."""
    if not isinstance(values, Mapping):
        return values
    return np.stack([convert_to_numbers(c, "column") for c in values.values()], axis=1)


_CHECKS = {
    "label": _check_labels,
    "proba": _check_probabilities,
    "logit": _check_logits,
    "score": _check_scores,
    "value": _check_values,
    "interval": _check_intervals,
}


def require_finite(values: Array, where: str, name_row: RowNamer) -> Array:
    """`values`, none of which is nan or infinite.

    Messages name the column by `where` and a row by `name_row`.
    """
    # The sum is finite where all values are, at a fraction of the cost of a mask; where it
    # overflows, the values are read once more.
    with np.errstate(over="ignore", invalid="ignore"):
        clean = np.isfinite(values.sum())
    if not clean:
        good = np.isfinite(values)
        if not good.all():
            _refuse_rows(~good, str(values.ravel()[int(np.argmin(good.ravel()))]), where, name_row)
    return values


def _refuse_rows(bad: Array, what: str, where: str, name_row: RowNamer) -> None:
    rows = bad if bad.ndim == 1 else bad.any(axis=1)
    if rows.any():
        row = int(np.argmax(rows))
        raise SchemaError(
            f"{where} is {what} at {name_row(row)} ({int(rows.sum())} such rows); expected finite "
            "numbers. Drop these rows, or find out why the model gave them."
        )


def _clip_to_unit(p: Array, where: str, name_row: RowNamer) -> Array:
    if p.size == 0 or (p.min() >= 0 and p.max() <= 1):
        return p
    require_finite(p, where, name_row)
    # A rounding error beyond the ends is no reason to refuse a table.
    bad = (p < -SLACK) | (p > 1 + SLACK)
    if bad.any():
        row = int(np.argmax(bad if bad.ndim == 1 else bad.any(axis=1)))
        value = float(p.ravel()[int(np.argmax(bad.ravel()))])
        raise SchemaError(
            f"{where} is {value:.6g} at {name_row(row)}; probabilities lie in [0, 1]. If these "
            "are logits, name the column <model>.logit; if rank scores, <model>.score."
        )
    return np.clip(p, 0, 1)


def _name_precision(values: Any) -> str:
    if isinstance(values, Mapping):
        return _name_precision(next(iter(values.values())))
    if isinstance(values, pa.Array):
        return "float16" if "halffloat" in str(values.type) else "float64"
    return str(values.dtype)


def _widen_floats(table: Array) -> Array:
    return table if table.dtype in (np.float32, np.float64) else table.astype(np.float64)
