"""Bare columns: further columns that declare no kind, and whether they are models or groups.

>>> import pyarrow as pa
>>> table = ColumnSet("p.csv", {Key("truth"): pa.array(["cat", "dog"]), Key("column", "svm"): pa.array(["dog", "dog"])})
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

__all__ = ["ReadOptions", "list_distinct", "find_undeclared_models"]

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
    """What the caller, or else the metadata of the files, says of the table."""

    truth: str = "y"
    task: Task | None = None
    classes: tuple[Label, ...] | None = None
    positive: Label | None = None
    models: tuple[str, ...] | None = None
    like: Schema | None = None  # the schema of the table that this is a part of


def find_undeclared_models(table: ColumnSet, asked: ReadOptions) -> ColumnSet:
    """Further columns that are models after all: those named in `models`, or those whose values show it."""
    _refuse_no_truth(table, asked)
    if asked.models is not None:
        return _chosen(table, asked.models)
    if table.models:
        return table
    names = [key.name for key in table.columns if key.role == "column" and key.name not in SPECIAL]
    found, notes = _bare(table, names, asked) if None in table.truth else ({}, [])
    if not found:
        raise SchemaError(
            f"no column tells what a model said; columns are {_listed(table, asked)}. Name them <model>.label, "
            f"<model>.proba.<class>, <model>.score or <model>.value, or say which columns are models: models=[...]."
        )
    columns = {
        found.get(key.name, key) if key.role == "column" else key: c
        for key, c in table.columns.items()
    }
    read_as = (
        f"Read as models for their values: {', '.join(found)}. Name them <model>.<kind> to be sure."
    )
    return table._replace(columns=columns, notes=(*table.notes, read_as, *notes))


def _refuse_no_truth(table: ColumnSet, asked: ReadOptions) -> None:
    if table.truth:
        return
    names = [key.name for key in table.columns if key.role == "column"] or [
        key.column_name() for key in table.columns
    ]
    close = suggest(asked.truth, names) or [name for name in NAMES_OF_TRUTH if name in names]
    close = close or [
        name for name in names if set(re.split(r"[^a-z]+", name.lower())) & set(NAMES_OF_TRUTH)
    ]
    name, columns = close[0] if close else "COLUMN", _listed(table, asked)
    hint = f" Is it {close[0]!r}? Then name" if close else " Name"
    raise SchemaError(
        f"no truth column {asked.truth!r}; columns are {columns}.{hint} it: truth={name!r} (--truth {name} on the "
        f"command line)."
    )


def _listed(table: ColumnSet, asked: ReadOptions) -> str:
    names = [key.column_name(asked.truth) for key in table.columns]
    return ", ".join(names[:20]) + (f", ... {len(names)} in all" if len(names) > 20 else "")


def _chosen(table: ColumnSet, models: Sequence[str]) -> ColumnSet:
    columns = {key: column for key, column in table.columns.items() if key.role != "model"}
    for name in models:
        bare = Key("column", name)
        of_model = {
            key: column
            for key, column in table.columns.items()
            if key.role == "model" and key.name == name
        }
        if not of_model and (bare not in columns or name in SPECIAL):
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
        columns |= of_model or {Key("model", name): columns.pop(bare)}
    if not models:
        raise SchemaError("models is empty; name at least one model, or leave it out to read all")
    return table._replace(columns=columns)


def _bare(
    table: ColumnSet, names: Sequence[str], asked: ReadOptions
) -> tuple[dict[str, Key], list[str]]:
    truth = table.truth[None]
    columns = {name: table.columns[Key("column", name)] for name in names}
    regression = {name: Key("model", name, "value") for name in names if _is_numeric(columns[name])}
    if asked.task == "regression" or (asked.task is None and is_fractional(truth)):
        for name, column in columns.items():
            _refuse_spoilt_numbers(name, column)
        return regression, []
    labels = _labels(truth) | set(asked.classes or ())
    found, notes = {}, []
    for name, column in columns.items():
        seen = _labels(column)
        if seen and seen <= labels:
            found[name] = Key("model", name, "label")
        elif seen & labels:
            odd = next(iter(seen - labels))
            notes.append(
                f"Column {name!r} is read as a group, for {odd!r} is no label of the truth; if it is a model, name it "
                f"{name}.label."
            )
    if not found and asked.task is None and _is_numeric(truth) and len(labels) > 2:
        return (regression if any(is_fractional(columns[name]) for name in regression) else {}), []
    return found, notes


def _labels(column: pa.Array) -> set[Label]:
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


def _refuse_spoilt_numbers(name: str, column: pa.Array) -> None:
    """A column of numbers with a stray text is no group: its model would go missing unnoticed."""
    if not is_text(column.type):
        return
    number = [_is_number_text(value) for value in list_distinct(pa.chunked_array([column]))]
    if sum(number) * 2 > len(number):
        row = next(i for i, cell in enumerate(column) if not _is_number_text(cell.as_py()))
        raise SchemaError(
            f"column {name!r} holds numbers, but {column[row].as_py()!r} at row {row}; correct the cell, or, if this "
            f"is a group, name the models: models=[...]."
        )


def _is_number_text(text: str | None) -> bool:
    try:
        float(text or "")
    except ValueError:
        return False
    return True


def list_distinct(column: pa.ChunkedArray) -> list[Any]:
    """The values that a column holds, each once."""
    values = column.unique()
    return list(
        (values.dictionary_decode() if pa.types.is_dictionary(values.type) else values).to_pylist()
    )
