"""Undeclared columns: those that declare no kind, and whether they are models or groups.

>>> import pyarrow as pa
>>> truth, svm = pa.array(["cat", "dog"]), pa.array(["dog", "dog"])
>>> columns = {Key("truth"): truth, Key("column", "svm"): svm}
>>> table = ColumnSet("p.csv", columns)
>>> find_undeclared_models(table, ReadOptions()).models
['svm']
"""

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from assay.errors import SchemaError, suggest
from assay.io.conventions import is_prediction_name, list_values
from assay.io.formats import File, is_text
from assay.io.layout import ColumnSet, Key
from assay.io.truth_names import explain_no_truth, propose_truth
from assay.table.columns import list_distinct
from assay.table.conversions import AS_GIVEN, Conversions
from assay.table.labels import Label, encode
from assay.table.outputs import is_fractional
from assay.table.schema import KINDS, SPECIAL, WRITTEN, Kind, Schema, Task
from assay.table.splits import tells_training
from assay.table.validation import refuse_amounts

__all__ = ["ReadOptions", "find_undeclared_models", "refuse_no_truth"]

PROPOSE_TEXT = (
    "Columns named <model>.text hold what models wrote where the task is said to be text: "
    "--task text (task='text')."
)
NUMBER = r"(?i:[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?(nan|inf(inity)?))"


class ReadOptions(NamedTuple):
    """What the caller, or else the metadata of the files, says of the table.

    `like` is the schema of the table that this one is a part of, if it is one; `conversions` says
    what is done to the columns before they are checked. Labels of a `scored` table say whether a
    model was right.
    """

    truth: str = "y"
    task: Task | None = None
    classes: tuple[Label, ...] | None = None
    positive: Label | None = None
    models: tuple[str, ...] | None = None
    like: Schema | None = None
    conversions: Conversions = AS_GIVEN
    scored: bool = False


def find_undeclared_models(table: ColumnSet, options: ReadOptions) -> ColumnSet:
    """The `table` with columns as models that declare no kind.

    They are those named in the `models` of the `options`, or those whose values show it.
    """
    if options.models is not None:
        return _select_models(table, options)
    names = [
        key.name
        for key in table.columns
        if key.role == "column" and key.name not in SPECIAL and not tells_training(key.name)
    ]
    if table.models:
        return table._replace(notes=(*table.notes, *_note_passed_over(table, names, options)))
    keys: dict[str, Key] = {}
    notes: list[str] = []
    if None in table.truth and options.task not in WRITTEN:
        keys, notes = _detect_models(table, names, options)
    if not keys:
        raise SchemaError(
            f"no column tells what a model predicted; columns are {_list_columns(table, options)}. "
            f"{_propose_models(table, names, options)}"
        )
    columns = {
        keys.get(key.name, key) if key.role == "column" else key: c
        for key, c in table.columns.items()
    }
    read_as = (
        f"Read as models for their values: {', '.join(keys)}. Name them <model>.<kind> to be sure."
    )
    if _list_written(keys):
        read_as += f" {PROPOSE_TEXT}"
    rest = [name for name in names if name not in keys and not any(repr(name) in n for n in notes)]
    notes += _note_passed_over(table, rest, options)
    return table._replace(columns=columns, notes=(*table.notes, read_as, *notes))


def refuse_no_truth(table: ColumnSet, files: Sequence[File], options: ReadOptions) -> None:
    """Refuse a `table` without a truth, proposing a column of the `files` by the name it has there.

    Scores of items, where all that models give are values, need none. `options` name the truth and
    the task that the caller gave.
    """
    scores = _holds_scores(table) and options.task in (None, "regression")
    if table.truth or (scores and not _propose(files, options)):
        return
    raise SchemaError(explain_no_truth(_list_samples(files), options.truth))


def _propose(files: Sequence[File], options: ReadOptions) -> list[str]:
    return propose_truth(_list_samples(files), options.truth)


def _list_samples(files: Sequence[File]) -> dict[str, list[Any]]:
    """Some values of each column, by its name in the file; none of a column of lists."""
    return {
        file.origins.get(field.name, field.name): (
            [] if pa.types.is_nested(field.type) else list_values(file.table[field.name])
        )
        for file in files
        for field in file.table.schema
        if not (field.name == "fold" and file.fold is not None)
    }


def _holds_scores(table: ColumnSet) -> bool:
    kinds = {key.kind for key in table.columns if key.role == "model"}
    return kinds == {"value"}


def _list_columns(table: ColumnSet, options: ReadOptions) -> str:
    names = [key.column_name(options.truth) for key in table.columns]
    return ", ".join(map(repr, names[:20])) + (
        f", ... {len(names)} in all" if len(names) > 20 else ""
    )


def _propose_models(table: ColumnSet, names: Sequence[str], options: ReadOptions) -> str:
    """How to say what the columns `names` hold, of a table that declares no model."""
    if options.task in WRITTEN:
        return (
            "Name what each model wrote <model>.text, or say which column holds it: "
            "--model NAME=text:COLUMN (models={'NAME': 'text:COLUMN'})."
        )
    if _list_written(names):
        return PROPOSE_TEXT
    likely = _find_likely_models(table, names, options)
    if not likely:
        return (
            "Name them <model>.label, <model>.proba.<class>, <model>.score or <model>.value, or "
            "say what a column holds: --model NAME=KIND:COLUMN (models={'NAME': 'KIND:COLUMN'})."
        )
    options_text = " ".join(f"--model {shlex.quote(f'{name}={k}')}" for name, k in likely.items())
    return (
        f"{_describe_likely(likely)}; if models gave them, say so: {options_text} "
        f"(models={dict(likely)}); the other kinds are {', '.join(KINDS)}."
    )


def _list_written(names: Iterable[str]) -> list[str]:
    """Those of the `names` that declare what a model wrote, where the task is text."""
    return [name for name in names if name.endswith(".text") and name != ".text"]


def _describe_likely(likely: Mapping[str, str]) -> str:
    by_kind: dict[str, list[str]] = {}
    for name, kind in likely.items():
        by_kind.setdefault(kind, []).append(repr(name))
    texts = {"proba": "numbers in [0, 1]", "label": "labels of the truth", "value": "numbers"}
    return "; ".join(
        f"{'column' if len(names) == 1 else 'columns'} {', '.join(names)} "
        f"{'holds' if len(names) == 1 else 'hold'} {texts[kind]}"
        for kind, names in by_kind.items()
    )


def _note_passed_over(table: ColumnSet, names: Sequence[str], options: ReadOptions) -> list[str]:
    """A note on columns that may be models but are read as groups, beside models that are sure."""
    likely = _find_likely_models(table, names, options)
    if not likely or options.task in WRITTEN:
        return []
    name, kind = next(iter(likely.items()))
    described = _describe_likely(likely)
    return [
        f"No model: {described}, and no kind is declared, so it is a group; if it is a model, say "
        f"--model {shlex.quote(f'{name}={kind}')} beside the others."
        if len(likely) == 1
        else f"No models: {described}, and no kind is declared, so they are groups; if one is a "
        f"model, say --model {shlex.quote(f'{name}={kind}')} beside the others."
    ]


def _find_likely_models(
    table: ColumnSet, names: Sequence[str], options: ReadOptions
) -> dict[str, str]:
    """The kinds of columns among `names` that may be models, by some of their values."""
    truth = table.truth.get(None)
    if truth is None:
        return {}
    known = set(list_values(pa.chunked_array([truth])))
    regression = options.task == "regression" or any(isinstance(v, float) for v in known)
    likely = {}
    for name in names:
        column = pa.chunked_array([table.columns[Key("column", name)]])
        values = [] if pa.types.is_nested(column.type) else list_values(column)
        numeric = bool(values) and all(isinstance(value, int | float) for value in values)
        if regression or not values:
            if numeric and is_prediction_name(name):
                likely[name] = "value"
        elif numeric and _is_share(values):
            likely[name] = "proba"
        elif _are_labels(values, known) or _is_one_class(values, known):
            likely[name] = "label"
    return likely


def _is_share(values: Sequence[float]) -> bool:
    """Whether `values` are in [0, 1], and some within."""
    return all(0 <= value <= 1 for value in values) and any(0 < value < 1 for value in values)


def _are_labels(values: Sequence[Any], known: set[Any]) -> bool:
    kinds = {type(value) for value in known} == {type(value) for value in values}
    return kinds and len(set(values)) > 1 and set(values) <= known


def _is_one_class(values: Sequence[Any], known: set[Any]) -> bool:
    """Whether `values` are one text that is a class: a model that never predicts another one."""
    return len(set(values)) == 1 and isinstance(values[0], str) and values[0] in known


def _select_models(table: ColumnSet, options: ReadOptions) -> ColumnSet:
    models = options.models or ()
    columns = {key: column for key, column in table.columns.items() if key.role != "model"}
    notes = []
    for name in models:
        bare = Key("column", name)
        columns_of_model = {
            key: column
            for key, column in table.columns.items()
            if key.role == "model" and key.name == name
        }
        if not columns_of_model and (bare not in columns or name in SPECIAL):
            _refuse_unknown_model(name, table)
        if columns_of_model:
            columns |= columns_of_model
            continue
        kind: Kind | None = "proba" if _is_probability(table, bare, options) else None
        if kind:
            notes.append(
                f"Column {name!r} holds numbers in [0, 1] and is read as the probability of the "
                f"positive class; if it is something else, say so: --model {name}=score."
            )
        columns[Key("model", name, kind)] = columns.pop(bare)
    if not models:
        raise SchemaError("models is empty; name at least one model, or leave it out to read all")
    return table._replace(columns=columns, notes=(*table.notes, *notes))


def _refuse_unknown_model(name: str, table: ColumnSet) -> None:
    further = [key.name for key in table.columns if key.role == "column"]
    known = [*table.models, *(name for name in further if name not in SPECIAL)]
    close = suggest(name, known)
    shown = ", ".join(map(repr, known)) or "none"
    hint = f"did you mean {close[0]!r}?" if close else f"there are {shown}"
    raise SchemaError(f"no model or column is named {name!r}; {hint}")


def _is_probability(table: ColumnSet, key: Key, options: ReadOptions) -> bool:
    """Whether a bare column of a binary task holds numbers in [0, 1], and not only its ends."""
    truth = table.truth.get(None)
    column = table.columns[key]
    if truth is None or options.task not in (None, "binary") or not is_fractional(column):
        return False
    import pyarrow.compute as compute

    ends = compute.min_max(column).as_py()
    if ends["min"] < 0 or ends["max"] > 1 or is_fractional(truth):
        return False
    return len(options.classes or _find_labels(truth)) == 2


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
    if options.task is None and options.classes is None:
        for name in regression:
            refuse_amounts(truth, columns[name], f"column {name!r}")
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
    return re.fullmatch(NUMBER, (text or "").strip()) is not None
