"""Read and write the predictions table: Parquet, Arrow and CSV; wide, long, or one file a model.

>>> import tempfile, pathlib
>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays(["cat", "dog"], {"a": ["cat", "cat"]}, classes=["cat", "dog"])
>>> read(write(p, pathlib.Path(tempfile.mkdtemp()) / "p.parquet")) == p
True
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from assay.errors import AssayError, SchemaError
from assay.io.boxes import holds_coco, read_coco
from assay.io.column_names import strip_names
from assay.io.conventions import adopt_conventions
from assay.io.declarations import Models, declare_models, find_task
from assay.io.delimited import TextOptions
from assay.io.fold_files import number_folds, strip_suffix
from assay.io.formats import (
    File,
    Metadata,
    add_keys,
    detect_format,
    expand_paths,
    is_text,
    read_table,
    write_table,
)
from assay.io.frames import is_frame, read_frame
from assay.io.layout import ColumnSet, Key, classify_columns, detect_layout, join, split_file, stack
from assay.io.leading_zeros import holds_codes
from assay.io.roles import (
    assign_roles,
    demote_ids,
    describe_roles,
    has_repeated_ids,
    select_roles,
)
from assay.io.runs import fetch_run
from assay.io.text_columns import read_texts
from assay.io.undeclared import (
    ReadOptions,
    find_undeclared_models,
    refuse_no_truth,
)
from assay.kernels import Array
from assay.table.columns import list_distinct, numpy_to_arrow
from assay.table.conversions import AS_GIVEN, Conversions, make_conversions, rename_label
from assay.table.labels import Label, check_classes
from assay.table.outputs import RawOutputs, add_column, is_fractional
from assay.table.predictions import Predictions, assemble, require_weight, restore_labels
from assay.table.schema import BY_PART, ENDS, SPECIAL, WRITTEN, Task, parse_column

__all__ = ["build_predictions", "make_table", "read", "resolve_options", "write"]

# Spellings of a missing value in text files. A class may bear such a name, but then it must be
# declared.
MISSING = frozenset({"", "nan", "NaN", "NAN", "NA", "<NA>", "N/A", "n/a", "null", "NULL"})


def read(  # noqa: PLR0913 - each option stands for itself
    *paths: str | os.PathLike[str] | Any,
    truth: str = "y",
    task: Task | None = None,
    classes: Sequence[Label] | None = None,
    positive: Label | None = None,
    models: Models | None = None,
    normalise: bool = False,
    percent: bool = False,
    labels: Mapping[Label, Label] | None = None,
    class_names: Sequence[str] | None = None,
    ignore_label: Label | None = None,
    header: bool = True,
    decimal: str | None = None,
    weight: str | None = "weight",
    id: str | None = "id",
    fold: str | None = "fold",
    cluster: str | None = "cluster",
) -> Predictions:
    """The predictions table in one or several files, folders or glob patterns.

    Layouts, told apart by the names of the columns:

    - wide: columns <model>.label, <model>.proba.<class>, <model>.score, <model>.value,
      <model>.interval.low and .high, ... for each model;
    - long: a column `model` beside label, proba.<class>, score, ...; the models' rows are matched
      by id or position;
    - one file a model: label, proba.<class>, score, ...; the file's name is the model's, rows are
      matched by id;
    - pieces: several files of the same wide or long columns are put under one another;
    - COCO: a JSON file of true objects, and one of results for each model, of the name of the file.

    Rows that are not in every file are left out, and `notes` says how many. Further columns are id,
    weight, fold, split, cluster, and groups. Columns that declare no kind are models when `models`
    names them, or when no column declares a kind and their values are labels of the truth (numbers,
    in a regression). Text files keep no types: what looks like whole numbers is read as numbers
    unless there are leading zeros or `classes` says text. What is given here overrides what the
    files' metadata says.

    Parameters:
        paths: Files (.parquet, .arrow, .csv, .csv.gz, .jsonl, .xlsx, ...), folders, glob patterns,
            or data frames and columns by name; one or more.
        truth: Name of the column that holds the truth; default "y".
        task: binary, multiclass, multilabel, regression, multioutput, text or detection; default:
            what the files or values say.
        classes: All classes, in their order; default: what the files or values say.
        positive: The positive class of a binary task; default: the last of the two in sorted order.
        models: Models to read, also of columns that declare no kind: names of models or columns,
            or what a column holds, as "lgbm=proba:oof_lgbm" or {"lgbm": "proba:oof_lgbm"}, of the
            kinds label, proba, logit, score, value and text; default: all.
        normalise: Whether to divide the probabilities of each row by their sum; default False.
        percent: Whether probabilities are percentages, in 0..100; default False.
        labels: Label that is meant for each label of the truth, of models and of class columns,
            as in {"LABEL_0": "no"}; others stay. Default: none is renamed.
        class_names: Names of the classes 0, 1, ..., in their order; default: none.
        ignore_label: Rows whose truth this is are left out, as -100; default: none.
        header: Whether the first line of text files names the columns; where not, they are named
            1, 2, ...; default True.
        decimal: Decimal mark of numbers in text files, "." or ","; default: what the cells show.
        weight: Column of the weights of rows; default "weight", if there is one. None: no column,
            and one of that name is a group.
        id: Column that names each row; default "id", None as of `weight`.
        fold: Column that tells folds; default "fold", None as of `weight`.
        cluster: Column whose values are resampled as a whole; default "cluster", None as of
            `weight`.

    Returns:
        The table in memory.

    Raises:
        ReadError: A file cannot be read.
        SchemaError: The table cannot be used. Both begin with the path.

    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "p.csv"
    >>> _ = path.write_text("y,svm\\ncat,cat\\ndog,cat\\n")
    >>> read(path)
    Predictions: 2 rows, binary (cat, dog; positive: dog), 1 model: svm (label)
    """
    if not isinstance(truth, str):
        raise SchemaError(f"truth must be the name of a column, as truth='target'; got {truth!r}")
    paths = tuple(map(fetch_run, paths))
    if task in (None, "detection") and any(map(holds_coco, paths)):
        given = {
            "models": models, "labels": labels, "class_names": class_names,
            "ignore_label": ignore_label, "positive": positive,
        }  # fmt: skip
        _refuse_options(given)
        return read_coco(paths, classes)
    files = _open_all(paths, _make_text_options(header, decimal))
    conversions = make_conversions(
        normalise=normalise,
        percent=percent,
        labels=labels,
        class_names=class_names,
        ignore_label=ignore_label,
        classes=classes,
    )
    try:
        roles = {"weight": weight, "id": id, "fold": fold, "cluster": cluster}
        files = assign_roles(files, select_roles(roles))
        task = find_task(models, task)
        files, names = _name_columns(files, truth, models, task)
        options = resolve_options(files, truth, task, classes, positive, names, conversions)
        files, options = _unify_labels(files, options)
        sets = [
            part
            for file, name in zip(files, _name_files(files), strict=True)
            for part in _split(file, name, options)
        ]
        shards: dict[frozenset[Key], list[ColumnSet]] = {}
        for part in sets:
            shards.setdefault(frozenset(part.columns), []).append(part)
        table = join([stack(pieces) for pieces in shards.values()])
        refuse_no_truth(table, files, options)
        table = find_undeclared_models(table, options)
        predictions = require_weight(_build(table, options, alone=len(sets) == 1))
        notes = (*describe_roles(predictions, files), *predictions.notes)
        return replace(predictions, notes=notes)
    except AssayError as error:
        if str(error).startswith(tuple(f"{file.path}: " for file in files)):
            raise
        more = f" and {len(files) - 2} more" if len(files) > 2 else ""
        raise type(error)(f"{', '.join(file.path for file in files[:2])}{more}: {error}") from error


def _refuse_options(given: Mapping[str, Any]) -> None:
    """Refuse the first of the options `given` that says something."""
    for name, value in given.items():
        if value is not None:
            raise SchemaError(
                f"{name}= does not go with a COCO file, which names its categories; leave it out"
            )


def _build(table: ColumnSet, options: ReadOptions, *, alone: bool) -> Predictions:
    """The checked table; repeated ids are a group where nothing is joined by them (`alone`)."""
    try:
        return build_predictions(table, options)
    except SchemaError:
        if not (alone and has_repeated_ids(table)):
            raise
    return build_predictions(demote_ids(table), options)


def _make_text_options(header: bool, decimal: str | None) -> TextOptions:
    if decimal not in (None, ".", ","):
        raise SchemaError(f"decimal must be '.' or ','; got {decimal!r}")
    return TextOptions(bool(header), decimal)


def _name_columns(
    files: Sequence[File], truth: str, models: Models | None, task: Task | None
) -> tuple[list[File], tuple[str, ...] | None]:
    """The files with columns named as in this house, and the names of the models to read."""
    declared, names = declare_models(files, models)
    if task in WRITTEN:
        return [file.declare_task(task) for file in declared], names
    adopted = [adopt_conventions(file, truth, names or ()) for file in declared]
    return number_folds(adopted, truth), names


def _open_all(paths: Sequence[Any], text: TextOptions) -> list[File]:
    """The tables of files, folders and patterns, and of data frames among them."""
    if not any(map(is_frame, paths)):
        return [
            strip_names(add_keys(read_table(file, text=text), path))
            for path in paths or expand_paths(paths)
            for file in expand_paths([path])
        ]
    return [
        file
        for path in paths
        for file in ([strip_names(read_frame(path))] if is_frame(path) else _open_all([path], text))
    ]


def write(predictions: Predictions, path: str | os.PathLike[str]) -> Path:
    """Write the table in wide form, in the format of the suffix, as a whole or not at all.

    Parquet and Arrow keep everything, with the probabilities of a model as one list column. CSV has
    a column for each class and keeps no types, no order of the classes and no declared positive
    class.

    Parameters:
        predictions: The table.
        path: The file; its suffix says the format: .parquet, .arrow, .csv, .csv.gz, ...

    Returns:
        The path.

    Raises:
        SchemaError: A column would not be read back as what it is.
        ReadError: The suffix does not tell the format.

    >>> import tempfile, pathlib
    >>> p = Predictions.from_arrays([0, 1], {"m": [0, 1]})
    >>> write(p, pathlib.Path(tempfile.mkdtemp()) / "p.csv").read_text().splitlines()[0]
    '"y","m.label"'
    """
    table = make_table(predictions, path)
    texts = [field.name for field in table.schema if is_text(field.type) and field.name != "id"]
    write_table(table, path, texts)
    return Path(path)


def make_table(predictions: Predictions, path: str | os.PathLike[str]) -> pa.Table:
    """The columns and the metadata of a table in wide form, as they are written to `path`.

    SchemaError where a column of `predictions` would not be read back as what it is.
    """
    by_class = detect_format(path) == "csv"
    columns = dict(_list_columns(predictions, by_class))
    names = [key.column_name() for key in columns]
    schema = predictions.schema
    positive = schema.positive if schema.positive_declared else None
    metadata = Metadata(schema.task, schema.classes, positive, tuple(predictions.models))
    read_as = classify_columns(names, "y", Metadata(schema.task) if by_class else metadata)
    for name, key in zip(names, columns, strict=True):
        if names.count(name) > 1 or read_as[name] != key:
            raise SchemaError(
                f"{path}: column {name!r} would not be read back as what it is; rename the model, "
                "class or group column"
            )
    table = pa.table(dict(zip(names, columns.values(), strict=True)))
    return table if by_class else table.replace_schema_metadata({b"assay": metadata.to_json()})


def resolve_options(
    files: Sequence[File],
    truth: str,
    task: Task | None,
    classes: Any,
    positive: Any,
    models: Sequence[str] | None,
    conversions: Conversions = AS_GIVEN,
) -> ReadOptions:
    """What the caller says of the `files`, and where that is nothing, what their metadata says.

    `truth`, `task`, `classes`, `positive` and `models` are those of `read`,
    and `conversions` holds its others.
    """
    metadata = next((f.metadata for f in files if f.metadata.task is not None), Metadata())
    labels = check_classes(classes) if classes is not None else metadata.classes or None
    # Other classes than the file's may make a binary table one of more classes.
    keeps_task = classes is None or metadata.task in (
        "multilabel",
        "regression",
        "multioutput",
        *WRITTEN,
    )
    task_of_file = metadata.task if keeps_task else None
    if task in ("regression", "text"):
        labels = None
    if (
        positive is None
        and metadata.positive is not None
        and labels
        and metadata.positive in labels
    ):
        positive = metadata.positive if task in (None, "binary") else None
        if positive is not None and classes is None:
            positive = rename_label(positive, conversions, "the metadata")
    if labels and classes is None:
        labels = tuple(rename_label(label, conversions, "the metadata") for label in labels)
    return ReadOptions(
        truth,
        task or task_of_file,
        labels,
        positive,
        None if models is None else tuple(models),
        conversions=conversions,
        scored=any(file.scored for file in files),
    )


def _name_files(files: Sequence[File]) -> list[str]:
    """The files' names without folder and suffix; with the folder where two are alike."""
    stems = [file.name or strip_suffix(file.path) for file in files]
    if len({(stem, file.fold) for stem, file in zip(stems, files, strict=True)}) == len(stems):
        return stems
    return [
        f"{Path(file.path).absolute().parent.name}/{stem}"
        for file, stem in zip(files, stems, strict=True)
    ]


def _split(file: File, name: str, options: ReadOptions) -> list[ColumnSet]:
    try:
        return split_file(file, options.truth, name, options.classes)
    except SchemaError as error:
        raise SchemaError(f"{file.path}: {error}") from error


def _unify_labels(files: Sequence[File], options: ReadOptions) -> tuple[list[File], ReadOptions]:
    """The files with labels of one type, and the options with labels of that type.

    Text files have no types: where any label is text, all are, also in a column that looks like
    numbers. Whole numbers with leading zeros are text.
    """
    if options.task in WRITTEN:
        return [read_texts(file, _list_text_columns(file, options)) for file in files], options
    if options.task in ("regression", "multilabel", "multioutput"):
        return list(files), options
    names = [_list_label_columns(file, options) for file in files]
    kinds = [
        file.table.schema.field(name).type
        for file, labels in zip(files, names, strict=True)
        for name in labels
    ]
    if (
        any(map(is_text, kinds))
        or (options.classes and isinstance(options.classes[0], str))
        or any(
            _may_be_codes(file, options) and holds_codes(file, labels)
            for file, labels in zip(files, names, strict=True)
        )
    ):
        options = options._replace(conversions=_spell_labels(files, options.conversions))
        files = [
            _reread_as_text(file, labels, options)
            for file, labels in zip(files, names, strict=True)
        ]
    for file, labels in zip(files, names, strict=True):
        if not file.typed:
            _refuse_missing(file, labels, options)
    return list(files), options


def _spell_labels(files: Sequence[File], conversions: Conversions) -> Conversions:
    """The conversions whose map of labels gives text, where the files keep no types."""
    if conversions.labels is None or any(file.typed for file in files):
        return conversions
    return conversions._replace(labels={key: str(v) for key, v in conversions.labels.items()})


def _may_be_codes(file: File, options: ReadOptions) -> bool:
    """Whether labels that look like whole numbers may be codes: no numbers are predicted."""
    columns = classify_columns(file.table.column_names, options.truth, file.metadata).values()
    return not options.classes and not any(key.kind in ("value", "interval") for key in columns)


def _list_label_columns(file: File, options: ReadOptions) -> list[str]:
    names = file.table.column_names
    columns = [options.truth] if options.truth in names else []
    for name, key in classify_columns(names, options.truth, file.metadata).items():
        bare = key.role == "column" and name in (options.models or ()) and name not in SPECIAL
        bare = bare and not is_fractional(file.table.column(name).combine_chunks())
        if bare or (key.role == "model" and key.kind == "label" and key.label is None):
            columns.append(name)
    return columns


def _list_text_columns(file: File, options: ReadOptions) -> list[str]:
    """The columns that hold texts: the truth, and what models wrote."""
    keys = classify_columns(file.table.column_names, options.truth, file.metadata)
    bare = set(options.models or ()) - set(SPECIAL)
    return [
        name
        for name, key in keys.items()
        if key.role == "truth" or key.kind == "text" or (key.role == "column" and name in bare)
    ]


def _reread_as_text(file: File, labels: list[str], options: ReadOptions) -> File:
    schema = file.table.schema
    names = file.table.column_names
    if file.typed:
        return file
    wrong = [name for name in labels if not is_text(schema.field(name).type)]
    bare = [
        name
        for name in names
        if detect_layout(names, options.truth) == "bare"
        and options.truth in names
        and name not in (options.truth, *SPECIAL)
        and not (is_text(schema.field(name).type) or pa.types.is_null(schema.field(name).type))
    ]
    if not wrong and not bare:
        return file
    again = file.reread([*wrong, *bare])
    known = set(list_distinct(again.column(options.truth))) if bare else set()
    kept = {name: again.column(name) for name in wrong}
    kept |= {
        name: again.column(name) for name in bare if set(list_distinct(again.column(name))) <= known
    }
    return file._replace(
        table=pa.table({name: kept.get(name, file.table.column(name)) for name in names})
    )


def _refuse_missing(file: File, labels: Sequence[str], options: ReadOptions) -> None:
    by_class = {parse_column(name)[2] or name.partition(".")[2] for name in file.table.column_names}
    known = {str(label) for label in options.classes or ()} | (by_class - {""})
    for name in labels:
        column = file.table.column(name)
        if not is_text(column.type):
            continue
        spellings = [t for t in list_distinct(column) if t in MISSING and t not in known]
        if spellings:
            row = next(i for i, cell in enumerate(column) if cell.as_py() == spellings[0])
            at = f"row {row}" + (
                f" (id {file.table['id'][row].as_py()!r})"
                if "id" in file.table.column_names
                else ""
            )
            raise SchemaError(
                f"{file.path}: column {name!r} has no label at {at}: it holds {spellings[0]!r}. "
                "Fill "
                f"it or drop the row; if this is a class, declare it: classes=[...]."
            )


def build_predictions(table: ColumnSet, options: ReadOptions) -> Predictions:
    """The checked table of the columns in `table`, read as the `options` say."""
    outputs: dict[str, RawOutputs] = {}
    columns = {}
    for key, column in table.columns.items():
        if key.role == "model":
            add_column(outputs, key.name, key.kind, key.label, column)
        elif key.role == "column":
            columns[key.name] = column
    weight = columns.pop("weight", None)
    y: Any = table.truth
    task = options.task
    if None in y:
        y = y[None]
    elif not y:
        # Scores of the rows themselves, with which no truth goes.
        y = np.zeros(table.n)
        task = "regression"
    elif task is None and len(y) == 1:
        task = "multilabel"
    predictions = assemble(
        y,
        outputs,
        columns,
        classes=options.classes,
        task=task,
        positive=options.positive,
        weight=weight,
        like=options.like,
        conversions=options.conversions,
    )
    schema = replace(predictions.schema, has_truth=bool(table.truth) and not options.scored)
    return replace(predictions, schema=schema, notes=(*table.notes, *predictions.notes))


def _list_columns(p: Predictions, by_class: bool) -> list[tuple[Key, pa.Array]]:
    """Every column of the table to write, with what it is."""
    columns = [(Key("column", name), column) for name, column in p.columns.items() if name == "id"]
    if p.task in ("multilabel", "multioutput"):
        columns += _split_columns(Key("truth"), p.truth, p.classes)
    elif p.schema.has_truth or p.task == "binary":
        columns.append((Key("truth"), restore_labels(p.schema, p.truth)))
    for model, kinds in p.outputs.items():
        for kind, values in kinds.items():
            key = Key("model", model, kind)
            if kind in BY_PART and values.ndim == 2:
                names = ENDS if kind == "interval" else p.classes
                columns += (
                    _split_columns(key, values, names)
                    if by_class
                    else [(key, _make_list_column(values))]
                )
            else:
                columns.append(
                    (
                        key,
                        restore_labels(p.schema, values)
                        if kind in ("label", "text")
                        else numpy_to_arrow(values),
                    )
                )
    if p.weight is not None:
        columns.append((Key("column", "weight"), numpy_to_arrow(p.weight)))
    return columns + [
        (Key("column", name), column) for name, column in p.columns.items() if name != "id"
    ]


def _split_columns(key: Key, values: Array, classes: Sequence[Label]) -> list[tuple[Key, pa.Array]]:
    return [
        (key._replace(label=str(label)), numpy_to_arrow(values[:, i]))
        for i, label in enumerate(classes)
    ]


def _make_list_column(values: Array) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(
        numpy_to_arrow(np.ascontiguousarray(values).ravel()), values.shape[1]
    )
