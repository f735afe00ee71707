"""Undeclared columns: those that declare no kind, and whether they are models or groups.

>>> import pyarrow as pa
>>> truth, svm = pa.array(["cat", "dog"]), pa.array(["dog", "dog"])
>>> columns = {Key("truth"): truth, Key("column", "svm"): svm}
>>> table = ColumnSet("p.csv", columns)
>>> find_undeclared_models(table, ReadOptions()).models
['svm']
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from assay.errors import SchemaError, suggest
from assay.io.formats import is_text
from assay.io.layout import ColumnSet, Key
from assay.table.labels import Label, encode
from assay.table.outputs import is_fractional
from assay.table.schema import SPECIAL, Schema, Task

__all__ = ["ReadOptions", "find_undeclared_models", "list_distinct"]

NAMES_OF_TRUTH = (
    "y_true",
    "truth",
    "target",
    "label",
    "actual",
    "gold",
    "class",
    "Y",
    "labels",
    "true",
)


class ReadOptions(NamedTuple):
    """What the caller, or else the metadata of the files, says of the table.

    `like` is the schema of the table that this one is a part of, if it is one.
    """

    truth: str = "y"
    task: Task | None = None
    classes: tuple[Label, ...] | None = None
    positive: Label | None = None
    models: tuple[str, ...] | None = None
    like: Schema | None = None


def find_undeclared_models(table: ColumnSet, options: ReadOptions) -> ColumnSet:
    """The `table` with columns as models that declare no kind.

    They are those named in the `models` of the `options`, or those whose values show it.
    """
    _refuse_no_truth(table, options)
    if options.models is not None:
        return _select_models(table, options.models)
    if table.models:
        return table
    names = [key.name for key in table.columns if key.role == "column" and key.name not in SPECIAL]
    keys: dict[str, Key] = {}
    notes: list[str] = []
    if None in table.truth:
        keys, notes = _detect_models(table, names, options)
    if not keys:
        raise SchemaError(
            f"no column tells what a model predicted; columns are {_list_columns(table, options)}. "
            "Name them "
            "<model>.label, <model>.proba.<class>, <model>.score or <model>.value, or say which "
            "columns are models: models=[...]."
        )
    columns = {
        keys.get(key.name, key) if key.role == "column" else key: c
        for key, c in table.columns.items()
    }
    read_as = (
        f"Read as models for their values: {', '.join(keys)}. Name them <model>.<kind> to be sure."
    )
    return table._replace(columns=columns, notes=(*table.notes, read_as, *notes))


def _refuse_no_truth(table: ColumnSet, options: ReadOptions) -> None:
    if table.truth:
        return
    names = [key.name for key in table.columns if key.role == "column"] or [
        key.column_name() for key in table.columns
    ]
    close = suggest(options.truth, names) or [name for name in NAMES_OF_TRUTH if name in names]
    close = close or [
        name for name in names if set(re.split(r"[^a-z]+", name.lower())) & set(NAMES_OF_TRUTH)
    ]
    name = close[0] if close else "COLUMN"
    columns = _list_columns(table, options)
    hint = f" Is it {close[0]!r}? Then name" if close else " Name"
    raise SchemaError(
        f"no truth column {options.truth!r}; columns are {columns}.{hint} it: truth={name!r} "
        f"(--truth {name} on the command line)."
    )


def _list_columns(table: ColumnSet, options: ReadOptions) -> str:
    names = [key.column_name(options.truth) for key in table.columns]
    return ", ".join(names[:20]) + (f", ... {len(names)} in all" if len(names) > 20 else "")


def _select_models(table: ColumnSet, models: Sequence[str]) -> ColumnSet:
    columns = {key: column for key, column in table.columns.items() if key.role != "model"}
    for name in models:
        bare = Key("column", name)
        columns_of_model = {
            key: column
            for key, column in table.columns.items()
            if key.role == "model" and key.name == name
        }
        if not columns_of_model and (bare not in columns or name in SPECIAL):
            known = [
                *table.models,
                *(key.name for key in columns if key.role == "column" and key.name not in SPECIAL),
            ]
            close = suggest(name, known)
            hint = (
                f"did you mean {close[0]!r}?"
                if close
                else f"there are {', '.join(known) or 'none'}"
            )
            raise SchemaError(f"no model or column is named {name!r}; {hint}")
        columns |= columns_of_model or {Key("model", name): columns.pop(bare)}
    if not models:
        raise SchemaError("models is empty; name at least one model, or leave it out to read all")
    return table._replace(columns=columns)


def _detect_models(
    table: ColumnSet, names: Sequence[str], options: ReadOptions
) -> tuple[dict[str, Key], list[str]]:
    truth = table.truth[None]
    columns = {name: table.columns[Key("column", name)] for name in names}
    regression = {name: Key("model", name, "value") for name in names if _is_numeric(columns[name])}
    if options.task == "regression" or (options.task is None and is_fractional(truth)):
        for name, column in columns.items():
            _refuse_stray_text(name, column)
        return regression, []
    labels = _find_labels(truth) | set(options.classes or ())
    keys = {}
    notes = []
    for name, column in columns.items():
        values = _find_labels(column)
        if values and values <= labels:
            keys[name] = Key("model", name, "label")
        elif values & labels:
            odd = next(iter(values - labels))
            notes.append(
                f"Column {name!r} is read as a group, for {odd!r} is no label of the truth; if it "
                f"is a model, name it {name}.label."
            )
    if not keys and options.task is None and _is_numeric(truth) and len(labels) > 2:
        fractional = any(is_fractional(columns[name]) for name in regression)
        return (regression if fractional else {}), []
    return keys, notes


def _find_labels(column: pa.Array) -> set[Label]:
    try:
        return set(encode(column)[1])
    except SchemaError:
        return set()


def _is_numeric(column: pa.Array) -> bool:
    return bool(
        pa.types.is_integer(column.type)
        or pa.types.is_floating(column.type)
        or pa.types.is_decimal(column.type)
    )


def _refuse_stray_text(name: str, column: pa.Array) -> None:
    """A column of numbers with a stray text is no group: its model would go missing unnoticed."""
    if not is_text(column.type):
        return
    number = [_is_number_text(value) for value in list_distinct(pa.chunked_array([column]))]
    if sum(number) * 2 > len(number):
        row = next(i for i, cell in enumerate(column) if not _is_number_text(cell.as_py()))
        raise SchemaError(
            f"column {name!r} holds numbers, but {column[row].as_py()!r} at row {row}; correct the "
            f"cell, or, if this is a group, name the models: models=[...]."
        )


def _is_number_text(text: str | None) -> bool:
    try:
        float(text or "")
    except ValueError:
        return False
    return True


def list_distinct(column: pa.ChunkedArray) -> list[Any]:
    """The values that a `column` holds, each once."""
    values = column.unique()
    return list(
        (values.dictionary_decode() if pa.types.is_dictionary(values.type) else values).to_pylist()
    )
