"""Class columns: one column for each class, aligned by name, and numbers that must be finite.

>>> from assay.table.columns import name_by_position
>>> schema = Schema("multiclass", ("ant", "bee"), {})
>>> columns = {"bee": np.array([0.3]), "ant": np.array([0.7])}
>>> align_classes(columns, schema, "proba of model 'a'", name_by_position).tolist()
[[0.7, 0.3]]
"""

from collections.abc import Mapping
from typing import Any

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
)
from assay.table.labels import list_spellings
from assay.table.schema import Schema
from assay.table.text_lists import is_text_column

__all__ = [
    "align_classes",
    "convert_to_grades",
    "convert_to_indicators",
    "convert_to_matrix",
    "find_single",
    "refuse_rows",
    "require_finite",
    "widen_floats",
]


PROBABILITIES = "If these are probabilities, name the columns <model>.proba.<label>."


def convert_to_indicators(
    values: Any, schema: Schema, where: str, name_row: RowNamer, remedy: str = PROBABILITIES
) -> Array:
    """The columns in `values` as 0/1 per label of the `schema` (n, labels), uint8.

    Messages name the column by `where` and a row by `name_row`, and end with the `remedy`.
    """
    table = align_classes(values, schema, where, name_row)
    bad = (table != 0) & (table != 1) if table.dtype != bool else np.zeros((0, 0), bool)
    if bad.any():
        row, column = map(int, np.argwhere(bad)[0])
        raise SchemaError(
            f"{where} has {table[row, column].item()!r} for label {schema.classes[column]!r} "
            f"at {name_row(row)}; expected 0 or 1. {remedy}"
        )
    return table.astype(np.uint8, copy=False)


def convert_to_grades(values: Any, schema: Schema, where: str, name_row: RowNamer) -> Array:
    """The columns in `values` as grades of relevance (n, labels) of the labels of the `schema`.

    Numbers of 0 or more; messages name the column by `where` and a row by `name_row`.
    """
    table = align_classes(values, schema, where, name_row).astype(np.float64)
    require_finite(table, where, name_row)
    if (table < 0).any():
        row, column = map(int, np.argwhere(table < 0)[0])
        raise SchemaError(
            f"{where} has {table[row, column].item():.6g} for label {schema.classes[column]!r} at "
            f"{name_row(row)}; expected grades of relevance, 0 or more"
        )
    return table


def align_numbers(values: Any, schema: Schema, where: str, name_row: RowNamer) -> Array:
    """The columns in `values` as numbers (n, outputs) of the outputs of the `schema`, all finite.

    Messages name the column by `where` and a row by `name_row`.
    """
    table = align_classes(values, schema, where, name_row)
    if table.dtype.kind not in "biuf":
        raise SchemaError(f"{where} holds {table.dtype} values; give numbers for each output")
    return require_finite(table.astype(np.float64), where, name_row)


def align_classes(values: Any, schema: Schema, where: str, name_row: RowNamer) -> Array:
    """The class columns in `values` as (n, k), by name in the order of the classes of `schema`.

    A 2-D array is taken to be in that order. Messages name the column by `where` and a row by
    `name_row`.
    """
    if isinstance(values, Mapping):
        return _align_by_name(values, schema, where, name_row)
    table = convert_to_matrix(values, where)
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


def convert_to_matrix(values: Any, where: str) -> Array:
    """Numbers (n, k) of `values`: an array, or an Arrow column of lists; (n,) stays as it is.

    SchemaError, naming the column by `where`, for empty rows, names, and lists of several lengths.
    """
    if not isinstance(values, pa.Array):
        return np.asarray(values)
    if not _is_nested(values):
        return convert_to_numbers(values, where)
    if values.null_count:
        raise SchemaError(
            f"{where} is empty at row {find_first_null(values)}; fill the value or drop the row"
        )
    if _holds_names(values):
        raise SchemaError(
            f"{where} holds lists of names, as {values[0].as_py()!r}; for several labels a row "
            "give 0 or 1 for each: (n, labels), or one column for each label"
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


def _holds_names(values: pa.Array) -> bool:
    """Whether each row of a nested column is a list of texts."""
    kind = values.type
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    return bool((is_list or pa.types.is_fixed_size_list(kind)) and is_text_column(values.flatten()))


def _is_nested(values: Any) -> bool:
    return isinstance(values, pa.Array) and bool(pa.types.is_nested(values.type))


def find_single(values: Any, schema: Schema, where: str) -> tuple[Any, int | None]:
    """The one column of a binary task and the code of the class it is for.

    The code is None where each class has a column.

    Parameters:
        values: One column (n,), columns (n, k), or columns (n,) by class.
        schema: The task and the classes.
        where: Name of the column in messages.

    Raises:
        SchemaError: `values` are one column, of a task that is not binary and has several classes.
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
            refuse_rows(~good, str(values.ravel()[int(np.argmin(good.ravel()))]), where, name_row)
    return values


def refuse_rows(bad: Array, what: str, where: str, name_row: RowNamer) -> None:
    """Refuse a column with rows that are marked, naming the first of them.

    Parameters:
        bad: Mask (n,), or (n, k), where any of the k marks a row.
        what: What the values of these rows are, as in "nan".
        where: Name of the column in messages.
        name_row: Name of a row in messages, by its position.

    Raises:
        SchemaError: A row is marked.
    """
    rows = bad if bad.ndim == 1 else bad.any(axis=1)
    if rows.any():
        row = int(np.argmax(rows))
        raise SchemaError(
            f"{where} is {what} at {name_row(row)} ({int(rows.sum())} such rows); expected finite "
            "numbers. Drop these rows, or find out why the model gave them."
        )


def widen_floats(table: Array) -> Array:
    """The numbers of a `table` as float64; float32 stays as it is."""
    return table if table.dtype in (np.float32, np.float64) else table.astype(np.float64)
