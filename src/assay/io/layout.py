"""Layout: which column of a file is what (truth, model, id, group), and several tables as one wide
table.

>>> classify_columns(["id", "y", "a.proba.cat", "age"], "y")["a.proba.cat"]
Key(role='model', name='a', kind='proba', label='cat')
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa

from assay.errors import SchemaError
from assay.io.formats import File, Metadata, is_text
from assay.kernels import Array
from assay.table.columns import arrow_to_numpy, convert_to_numbers, normalise, numpy_to_arrow
from assay.table.labels import Label, encode, list_spellings
from assay.table.schema import BY_PART, KINDS, SPECIAL, WRITTEN, Kind, Task, parse_column
from assay.table.validation import require_unique

__all__ = [
    "ColumnSet",
    "Key",
    "classify_columns",
    "detect_layout",
    "explain_omission",
    "join",
    "split_file",
    "stack",
]


class Key(NamedTuple):
    """What a column is.

    It is the truth (of one label), one kind of a model (of one class), or a further column by name.
    """

    role: Literal["truth", "model", "column"]
    name: str = ""
    kind: Kind | None = None
    label: str | None = None

    def column_name(self, truth: str = "y") -> str:
        """The name of the column in a wide table whose truth column is named `truth`."""
        if self.role == "column":
            return self.name
        name = truth if self.role == "truth" else self.name
        return ".".join(text for text in (name, self.kind, self.label) if text is not None)


ID = Key("column", "id")


class ColumnSet(NamedTuple):
    """Columns of one file, of one model in a long file, or of several of these put together."""

    where: str
    columns: Mapping[Key, pa.Array]
    notes: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(next(iter(self.columns.values())))

    @property
    def models(self) -> list[str]:
        """Names of the models in this part."""
        return list(dict.fromkeys(key.name for key in self.columns if key.role == "model"))

    @property
    def truth(self) -> dict[str | None, pa.Array]:
        """The truth by label; under None where it is one column."""
        return {key.label: column for key, column in self.columns.items() if key.role == "truth"}

    def take(self, rows: Array) -> "ColumnSet":
        """The rows at the positions `rows` (m,), by a view where they follow each other."""
        first = int(rows[0]) if len(rows) else 0
        if len(rows) and rows[-1] - first == len(rows) - 1 and (np.diff(rows) == 1).all():
            return self._replace(
                columns={key: c.slice(first, len(rows)) for key, c in self.columns.items()}
            )
        index = numpy_to_arrow(rows)
        return self._replace(
            columns={key: column.take(index) for key, column in self.columns.items()}
        )


def detect_layout(
    names: Sequence[str], truth: str, task: Task | None = None
) -> Literal["wide", "long", "single", "bare"]:
    """The layout of a table with columns `names`, one of them the `truth`, of a declared `task`.

    wide: <model>.<kind> columns; long: kinds beside a `model` column; single: kinds alone; bare:
    none of these.
    """
    others = [name for name in names if name != truth and name not in SPECIAL]
    if any(
        _declares_kind(name, task)
        for name in others
        if truth in names or not name.startswith(f"{truth}.")
    ):
        return "wide"
    if any(_is_kind(name, task) for name in others):
        return "long" if "model" in others else "single"
    return "bare"


def classify_columns(
    names: Sequence[str], truth: str, metadata: Metadata | None = None, model: str = ""
) -> dict[str, Key]:
    """The key of each of the columns `names`, by its name, where the truth column is `truth`.

    `metadata` is what the file declares; `model` names the one that kinds without a prefix belong
    to.
    """
    metadata = metadata or Metadata()
    task = metadata.task
    alone = detect_layout(names, truth, task) in ("long", "single")
    labels = (
        None
        if metadata.classes is None
        else {text for label in metadata.classes for text in list_spellings(label)}
    )
    keys = {}
    for name in names:
        label = name.removeprefix(f"{truth}.")
        if name == truth:
            keys[name] = Key("truth")
        elif truth not in names and label not in (name, "") and (labels is None or label in labels):
            keys[name] = Key("truth", label=label)
        elif name in SPECIAL:
            keys[name] = Key("column", name)
        elif metadata.models is not None:
            owner, _, kind = name.rpartition(".")
            known = owner in metadata.models and kind in KINDS
            keys[name] = (
                Key("model", owner, kind)  # type: ignore[arg-type]
                if known
                else _make_key(name, alone, model, task)
            )
        else:
            keys[name] = _make_key(name, alone, model, task)
    return keys


def _make_key(name: str, alone: bool, model: str, task: Task | None) -> Key:
    if alone and _is_kind(name, task):
        kind, _, label = name.partition(".")
        return Key("model", model, kind, label or None)  # type: ignore[arg-type]
    if not alone and _declares_kind(name, task):
        return Key("model", *parse_column(name, task))
    return Key("column", name)


def _declares_kind(name: str, task: Task | None) -> bool:
    model, kind, _ = parse_column(name, task)
    return kind is not None and model not in ("", *BY_PART)


def _is_kind(name: str, task: Task | None) -> bool:
    head, dot, label = name.partition(".")
    if name == "text":
        return task in WRITTEN
    return name in KINDS or (head in BY_PART and bool(dot and label))


def split_file(
    file: File, truth: str, model: str, classes: Sequence[Label] | None
) -> list[ColumnSet]:
    """The columns of one `file`: one set, or in a long file one for each model.

    `truth` is the name of the truth column, `model` that of the model of columns without a prefix,
    `classes` the order of the classes that is wanted.
    """
    notes = list(file.notes)
    names = []
    keys = classify_columns(file.table.column_names, truth, file.metadata, model)
    for field in file.table.schema:
        note = explain_omission(file.path, field, keys[field.name])
        if note:
            notes.append(note)
        else:
            names.append(field.name)
    columns = {keys[name]: normalise(file.table.column(name), f"column {name!r}") for name in names}
    if not columns:
        raise SchemaError(f"{file.path} has no columns that can be used")
    if (
        file.metadata.classes is not None
        and classes is not None
        and not _same_labels(file.metadata.classes, classes)
    ):
        columns = dict(
            pair
            for key, column in columns.items()
            for pair in _split_by_class(key, column, file.metadata.classes)
        )
    part = ColumnSet(file.path, columns, tuple(notes))
    layout = detect_layout(file.table.column_names, truth, file.metadata.task)
    return _split_by_model(part) if layout == "long" else [part]


def explain_omission(path: str | os.PathLike[str], field: pa.Field, key: Key) -> str:
    """Why a column of the file at `path` is not read; "" where it is.

    A further column (by its `key`) is left out where values of the type of its `field` cannot name
    a group.
    """
    unnamed = field.name in ("", "__index_level_0__")  # an index that a data frame wrote along
    unfit = unnamed or pa.types.is_nested(field.type) or pa.types.is_binary(field.type)
    if key.role != "column" or not unfit:
        return ""
    return f"column {field.name!r} of {path} ({field.type}) is left out: it is no group of rows"


def _same_labels(a: Sequence[Label], b: Sequence[Label]) -> bool:
    return [(type(x), x) for x in a] == [(type(x), x) for x in b]


def _split_by_class(
    key: Key, column: pa.Array, classes: Sequence[Label]
) -> Iterable[tuple[Key, pa.Array]]:
    """A list column as one column a class, where the file has the classes in another order."""
    if (
        not pa.types.is_fixed_size_list(column.type)
        or column.type.list_size != len(classes)
        or column.null_count
    ):
        return [(key, column)]
    table = arrow_to_numpy(column.flatten()).reshape(-1, len(classes))
    return [
        (key._replace(label=str(label)), numpy_to_arrow(table[:, i]))
        for i, label in enumerate(classes)
    ]


def _split_by_model(part: ColumnSet) -> list[ColumnSet]:
    """A long table as one set of columns a model, in order of first appearance.

    Kinds that a model leaves empty are dropped.
    """
    if not part.n:
        raise SchemaError(
            "the long table has columns but no rows, so that it names no model; leave the file "
            "out, or run the job that wrote it again"
        )
    if Key("column", "model") not in part.columns:
        raise SchemaError("column 'model' of a long table must hold names; it holds lists")
    codes, models = encode(part.columns[Key("column", "model")], "column 'model'")
    sets: list[ColumnSet] = []
    for code, model in sorted(enumerate(models), key=lambda pair: int(np.argmax(codes == pair[0]))):
        rows = part.take(np.flatnonzero(codes == code))
        columns = {
            key._replace(name=str(model)) if key.role == "model" else key: column
            for key, column in rows.columns.items()
            if key != Key("column", "model")
            and not (key.role == "model" and column.null_count == len(column))
        }
        sets.append(
            ColumnSet(
                f"{part.where}, model {str(model)!r}", columns, part.notes if not sets else ()
            )
        )
    return sets


def stack(shards: Sequence[ColumnSet]) -> ColumnSet:
    """The rows of several `shards` of the same columns under one another."""
    if len(shards) == 1:
        return shards[0]
    _refuse_same_truth(shards)
    columns = {
        key: _stack(key, [(s.where, s.columns[key]) for s in shards]) for key in shards[0].columns
    }
    if ID in columns:
        try:
            require_unique(columns[ID])
        except SchemaError as error:
            raise SchemaError(
                f"{shards[0].where} and {len(shards) - 1} more have the same columns and so are "
                f"read as pieces of one table, but {error} If each file is a model of its own, "
                f"name its columns label, proba.<class>, score or value."
            ) from error
    return ColumnSet(shards[0].where, columns, tuple(note for s in shards for note in s.notes))


def _refuse_same_truth(shards: Sequence[ColumnSet]) -> None:
    """Refuse files of the same truth without kinds and ids: they are more likely one a model."""
    first, second = shards[:2]
    if first.models or ID in first.columns or first.n != second.n or first.n < 2:
        return
    if all(
        _first_difference(column, second.truth[label]) is None
        for label, column in first.truth.items()
    ):
        raise SchemaError(
            f"{first.where} and {second.where} have the same columns and the same truth. If each "
            "file is a model, name its columns label, proba.<class>, score or value; if they are "
            "pieces of one table, add an id column."
        )


def _stack(key: Key, pieces: Sequence[tuple[str, pa.Array]]) -> pa.Array:
    columns = [column for _, column in pieces if not pa.types.is_null(column.type)] or [
        pieces[0][1]
    ]
    kinds = {column.type for column in columns}
    try:
        if len(kinds) > 1 and all(map(is_text, kinds)):
            to = pa.string()
        elif len(kinds) > 1 and all(
            pa.types.is_integer(k) or pa.types.is_floating(k) for k in kinds
        ):
            to = pa.int64() if all(map(pa.types.is_integer, kinds)) else pa.float64()
        else:
            to = columns[0].type
        cast = [_cast(column, to) for _, column in pieces]
        return normalise(pa.chunked_array(cast, to), "column")
    except (pa.ArrowException, ValueError) as error:
        shown = "; ".join(f"{column.type} in {where}" for where, column in pieces[:3])
        raise SchemaError(
            f"{_describe(key)} has different types: {shown}; write it as one type"
        ) from error


def _cast(column: pa.Array, to: pa.DataType) -> pa.Array:
    if column.type == to:
        return column
    return column.cast(to) if len(column) else pa.nulls(0, to)


def join(sets: Sequence[ColumnSet]) -> ColumnSet:
    """The `sets` of different models as one: by id, or row by row where the truths agree."""
    if len(sets) == 1:
        return sets[0]
    _refuse_shared_models(sets)
    with_id = [part for part in sets if ID in part.columns]
    if len(with_id) == len(sets):
        return _merge(*_match_by_id(sets))
    if with_id:
        lacking = next(part for part in sets if ID not in part.columns)
        raise SchemaError(
            f"{lacking.where} has no id column while {with_id[0].where} has one; give all files an "
            "id column"
        )
    _refuse_unmatched(sets)
    return _merge(
        sets, "without ids the rows cannot be matched otherwise: give all files an id column"
    )


def _refuse_shared_models(sets: Sequence[ColumnSet]) -> None:
    """Refuse a model that is in two of the sets."""
    owner: dict[str, str] = {}
    for part in sets:
        for model in part.models:
            if model in owner:
                raise SchemaError(
                    f"model {model!r} is in both {owner[model]} and {part.where}, with different "
                    "further columns; give pieces of one table the same columns, and different "
                    "models different names."
                )
            owner[model] = part.where


def _refuse_unmatched(sets: Sequence[ColumnSet]) -> None:
    """Refuse sets without ids that are of other rows than the first, or do not show it."""
    first = sets[0]
    for part in sets:
        if part.n != first.n:
            raise SchemaError(
                f"{first.where} has {first.n} rows, {part.where} has {part.n}; without ids rows "
                f"cannot be matched. Give all files an id column."
            )
        if not part.truth:
            raise SchemaError(
                f"{part.where} has neither truth nor ids, so its rows cannot be matched; give it "
                "an id column"
            )


def _match_by_id(sets: Sequence[ColumnSet]) -> tuple[list[ColumnSet], str, tuple[str, ...]]:
    """The rows whose ids are in all sets, in the order of the first.

    Also the remedy where they differ, and a note on what was left out.
    """
    import pyarrow.compute as compute

    ids = [_decode_ids(part) for part in sets]
    text = is_text(ids[0].type)
    for part, column in zip(sets, ids, strict=True):
        if is_text(column.type) != text and len(column):
            raise SchemaError(
                f"ids are {ids[0].type} in {sets[0].where} but {column.type} in {part.where}; "
                "write them as one type"
            )
        require_unique_in(column, part.where)
    places = [np.arange(sets[0].n)]
    for column in ids[1:]:
        values = column if column.type == ids[0].type else column.cast(ids[0].type)
        places.append(_fill_missing(compute.index_in(ids[0], value_set=values)))
    keep = np.logical_and.reduce([place >= 0 for place in places])
    kept = int(keep.sum())
    if not kept and any(part.n for part in sets):
        raise SchemaError(
            f"no id of {sets[0].where} is in all the other files; are these pieces of one table? "
            f"Then give them the same columns, named <model>.<kind>."
        )
    parts = [part.take(place[keep]) for part, place in zip(sets, places, strict=True)]
    counts = "; ".join(f"{', '.join(part.models) or part.where}: {part.n}" for part in sets)
    left_out = any(part.n != kept for part in sets)
    note = f"Rows were joined by id: {kept} are in every file and were kept (rows given: {counts})."
    return parts, "correct the files, or the ids", (note,) if left_out else ()


def _fill_missing(places: pa.Array) -> Array:
    """Positions, -1 where there is none.

    (`fill_null` would import pandas where that is installed.)
    """
    known = pa.Array.from_buffers(
        places.type, len(places), [None, places.buffers()[1]], offset=places.offset
    )
    return np.where(arrow_to_numpy(places.is_null()), -1, arrow_to_numpy(known)).astype(np.int64)


def _decode_ids(part: ColumnSet) -> pa.Array:
    return _decode(part.columns[ID])


def _decode(column: pa.Array) -> pa.Array:
    """A dictionary column as its values."""
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def require_unique_in(ids: pa.Array, where: str) -> None:
    """Refuse `ids` that are not unique, naming the file, `where`."""
    try:
        require_unique(ids)
    except SchemaError as error:
        raise SchemaError(f"in {where}: {error}") from error


def _merge(sets: Sequence[ColumnSet], remedy: str, notes: tuple[str, ...] = ()) -> ColumnSet:
    """Sets of the same rows beside one another; what several of them hold must agree."""
    columns = dict(sets[0].columns)
    origin = dict.fromkeys(columns, sets[0].where)
    differing: dict[str, None] = {}
    for part in sets[1:]:
        for key, column in part.columns.items():
            if key not in columns:
                columns[key] = column
                origin[key] = part.where
                continue
            row = _first_difference(columns[key], column)
            if row is None:
                continue
            if key.role == "column" and key.name not in SPECIAL:
                differing[key.name] = None
                continue
            at = f"row {row}" + (f" (id {columns[ID][row].as_py()!r})" if ID in columns else "")
            raise SchemaError(
                f"{_describe(key)} is {columns[key][row].as_py()!r} in {origin[key]} but "
                f"{column[row].as_py()!r} in {part.where} at {at}; {remedy}."
            )
    for name in differing:
        del columns[Key("column", name)]
        notes += (f"Column {name!r} is left out: it differs between the models' tables.",)
    return ColumnSet(
        sets[0].where, columns, tuple(note for part in sets for note in part.notes) + notes
    )


def _describe(key: Key) -> str:
    if key.role == "model":
        return f"{key.kind} of model {key.name!r}"
    label = f" of label {key.label!r}" if key.label else ""
    return f"the truth{label}" if key.role == "truth" else f"column {key.name!r}"


def _first_difference(a: pa.Array, b: pa.Array) -> int | None:
    """The first row where two columns differ; numbers may differ by the rounding of float32."""
    if a.equals(b):
        return None
    a = _decode(a)
    b = _decode(b)
    if (
        a.null_count
        or b.null_count
        or is_text(a.type) != is_text(b.type)
        or pa.types.is_nested(a.type)
    ):
        return next(
            (i for i, (x, y) in enumerate(zip(a, b, strict=True)) if x.as_py() != y.as_py()), None
        )
    if is_text(a.type):
        differ: Array = arrow_to_numpy(
            pa.chunked_array([a, b]).combine_chunks().dictionary_encode().indices
        )
        differ = differ[: len(a)] != differ[len(a) :]
    else:
        differ = ~np.isclose(_number(a), _number(b), rtol=1e-6, atol=0, equal_nan=True)
    return int(np.argmax(differ)) if differ.any() else None


def _number(column: pa.Array) -> Any:
    return convert_to_numbers(
        column.cast(pa.int64()) if pa.types.is_temporal(column.type) else column, "column"
    )
