"""Declarations: what the caller says that columns hold, as in `lgbm=proba:oof_lgbm`.

>>> import pyarrow as pa
>>> file = File("oof.csv", pa.table({"target": [0, 1], "oof_lgbm": [0.25, 0.75]}))
>>> files, models = declare_models([file], {"lgbm": "proba:oof_lgbm"})
>>> files[0].table.column_names, models
(['target', 'lgbm.proba'], ('lgbm',))
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from assay.errors import SchemaError, suggest
from assay.io.formats import File
from assay.table.outputs import refuse_other_task
from assay.table.schema import BY_PART, KINDS, Task

__all__ = ["Models", "declare_models", "find_task"]

# What `models=` takes: names, declarations as texts, or these by the name of the model.
Models: TypeAlias = Sequence[str] | Mapping[str, str | Sequence[str] | None]

DECLARATION = re.compile(
    rf"(?P<model>.+?)=(?P<kind>{'|'.join(KINDS)})(\.(?P<part>[^:]+))?(:(?P<column>.+))?", re.DOTALL
)
FORM = (
    f"NAME=KIND:COLUMN, NAME=KIND or NAME, where the kind is one of {', '.join(KINDS)}, as in "
    "lgbm=proba:oof_lgbm"
)


class Declaration(NamedTuple):
    """That `column` holds what `model` gives; `target` is the name of such a column."""

    model: str
    target: str
    column: str


def declare_models(
    files: Sequence[File], models: Models | None
) -> tuple[list[File], tuple[str, ...] | None]:
    """The `files` with their columns named as `models` declare, and the names of the models.

    Parameters:
        files: Tables, of which at least one must hold each column that is declared.
        models: Names of models or columns; or texts NAME=KIND:COLUMN, which say that a column holds
            the label, proba, logit, score, value or text of a model, and NAME=KIND, where the
            column bears its name; or a mapping of names to KIND:COLUMN or KIND. A kind may bear a
            class, as in proba.yes. None reads what the names of the columns show.

    Raises:
        SchemaError: A declaration cannot be understood, or no file has its column.
    """
    if models is None:
        return list(files), None
    known = {name for file in files for name in file.table.column_names}
    names: dict[str, None] = {}
    declared = []
    for text in _list_texts(models):
        declaration = None if text in known else _parse(text)
        names[declaration.model if declaration else text] = None
        declared += [declaration] if declaration else []
    _refuse_unknown(declared, known)
    return [_declare(file, declared) for file in files], tuple(names)


def find_task(models: Models | None, task: Task | None) -> Task | None:
    """The `task`; text where it is None and `models` say of a column that a model wrote its texts.

    >>> find_task(["asr=text:hypothesis"], None), find_task(["asr"], None)
    ('text', None)
    """
    for text in _list_texts(models or ()):
        match = DECLARATION.fullmatch(text)
        if match is not None and match["kind"] == "text":
            refuse_other_task("text", task or "text", f"model {match['model']!r}")
            return task or "text"
    return task


def _list_texts(models: Models) -> Iterable[str]:
    if isinstance(models, str):
        raise SchemaError(f"models must be a list of names; got the text {models!r}")
    if not isinstance(models, Iterable):
        raise SchemaError(f"models must be a list of names; got {models!r}")
    if not isinstance(models, Mapping):
        for text in models:
            yield str(text)
        return
    for name, kinds in models.items():
        for kind in [kinds] if kinds is None or isinstance(kinds, str) else kinds:
            yield str(name) if kind is None else f"{name}={kind}"


def _parse(text: str) -> Declaration | None:
    """What `text` declares; None where it is a name alone."""
    match = DECLARATION.fullmatch(text)
    if match is None:
        if "=" in text:
            raise SchemaError(f"the model {text!r} is not understood; expected {FORM}")
        return None
    model, kind, part = match["model"], match["kind"], match["part"]
    if part and kind not in BY_PART:
        raise SchemaError(f"the model {text!r} gives a {kind} of one class; leave out .{part}")
    target = ".".join(word for word in (model, kind, part) if word)
    return Declaration(model, target, match["column"] or model)


def _refuse_unknown(declared: Sequence[Declaration], known: set[str]) -> None:
    for declaration in declared:
        if declaration.column not in known | {declaration.target}:
            close = suggest(declaration.column, known)
            shown = ", ".join(map(repr, sorted(known)[:20]))
            hint = f"did you mean {close[0]!r}?" if close else f"columns are {shown}"
            raise SchemaError(
                f"no column is named {declaration.column!r}, which is to hold "
                f"{declaration.target}; {hint}"
            )


def _declare(file: File, declared: Sequence[Declaration]) -> File:
    names = file.table.column_names
    renamed: dict[str, str] = {}
    for declaration in declared:
        if declaration.column not in names:
            continue
        if declaration.column in renamed:
            raise SchemaError(
                f"column {declaration.column!r} is declared twice, as {declaration.target} and "
                f"{renamed[declaration.column]}; keep one"
            )
        if declaration.target in (*names, *renamed.values()):
            raise SchemaError(
                f"{declaration.target} is in {file.path} already, so column "
                f"{declaration.column!r} cannot be it; choose another name for the model"
            )
        renamed[declaration.column] = declaration.target
    return file.rename(renamed) if renamed else file
