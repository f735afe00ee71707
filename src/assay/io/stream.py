"""Stream: a predictions table larger than memory, in Parquet files of which few row groups are read
at a time.

>>> import tempfile, pathlib
>>> from assay.io.read_write import write
>>> from assay.table.predictions import Predictions
>>> folder = pathlib.Path(tempfile.mkdtemp())
>>> for i in range(2):
...     _ = write(Predictions.from_arrays([0, 1, 1], {"m": [0, 1, i]}), folder / f"{i}.parquet")
>>> scan(folder)
Stream: 6 rows in 2 files, binary (0, 1; positive: 1), 1 model: m (label)
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from assay.core.lazy import lazy_property
from assay.core.text import Headline
from assay.errors import AssayError, ReadError, SchemaError
from assay.io.formats import (
    File,
    Metadata,
    expand_paths,
    have_keys,
    parse_metadata,
    refuse_repeated_names,
)
from assay.io.layout import ID, Key, classify_columns, detect_layout, explain_omission
from assay.io.parquet import (
    explain_mismatch,
    find_common_types,
    find_leaf_column,
    list_id_bounds,
    open_parquet,
    read_footer,
)
from assay.io.read_write import resolve_options
from assay.io.roles import refuse_unknown, rename_roles, select_roles
from assay.io.row_groups import (
    OPEN,
    RowGroup,
    RowGroupPart,
    RowGroupReader,
    locate_errors,
)
from assay.io.runs import fetch_run
from assay.io.undeclared import ReadOptions
from assay.table.columns import numpy_to_arrow
from assay.table.condition import Condition
from assay.table.labels import Label, encode
from assay.table.predictions import Predictions
from assay.table.schema import SOURCES, WRITTEN, Schema, Task
from assay.table.splits import tells_training

__all__ = ["Stream", "read_footers", "scan", "scan_files"]

# Rows that are read first: they show the classes, and are what checks of single rows look at.
HEAD = 1 << 16
# Row groups that are read for them at most.
MOST_READ = 256


@dataclass(frozen=True, eq=False, repr=False)
class Stream:
    """A checked view of Parquet files, one after another, that never holds more than a few row
    groups.

    Every verb takes it in place of a table in memory. `evaluate` reads it in one pass, with memory
    that does not grow with the rows; verbs that need all rows at hand read it into memory, where it
    is small enough. `head` holds the first rows with all their columns. Ids are checked to be
    unique within a row group, and by what the files say of the first and last id of each.
    """

    row_groups: tuple[RowGroup, ...]
    reader: RowGroupReader
    head: Predictions
    classes_assumed: bool
    notes: tuple[str, ...] = ()
    rows_chosen: bool = False

    @property
    def schema(self) -> Schema:
        """Task, classes, and the kinds each model gives."""
        return self.head.schema

    @property
    def task(self) -> Task:
        """binary, multiclass, multilabel, regression or text."""
        return self.schema.task

    @property
    def classes(self) -> tuple[Label, ...]:
        """Class labels in their declared order."""
        return self.schema.classes

    @property
    def models(self) -> list[str]:
        """Names of the models, in the order of the table."""
        return list(self.schema.models)

    @property
    def n(self) -> int:
        """Number of rows."""
        return self.reader.n

    def __len__(self) -> int:
        return self.n

    @property
    def columns(self) -> Mapping[str, pa.Array]:
        """The further columns of the first rows."""
        return self.head.columns

    @property
    def is_in_memory(self) -> bool:
        """False: `head` holds the first rows alone."""
        return False

    @property
    def paths(self) -> tuple[str, ...]:
        """The files, in the order of their rows."""
        return tuple(self.reader.footers)

    @property
    def condition(self) -> str:
        """The condition by which its rows were chosen from the files; empty where all are read."""
        return "" if self.reader.condition is None else self.reader.condition.text

    def __repr__(self) -> str:
        shown = repr(self.head).removeprefix(f"Predictions: {self.head.n} rows")
        files = len(self.paths)
        return f"Stream: {self.n} rows in {files} file{'s'[: files != 1]}{shown}"

    def parts(self, rows: int | None = None) -> Iterator[RowGroupPart]:
        """The row groups, in the order of the rows; long ones in slices.

        `rows` is of no effect: the files say how many rows a row group has.
        """
        for group in self.row_groups:
            yield from self.reader.list_parts(group)

    def count_parts(self, rows: int | None = None) -> int:
        """Number of parts, whatever `rows` is."""
        return self._part_count

    @lazy_property
    def _part_count(self) -> int:
        return sum(group.count_parts() for group in self.row_groups)

    def narrow(self, reads: Mapping[str, set[str]], columns: Sequence[str]) -> "Stream":
        """With only the truth, the weight, the further `columns`, and what serves the `reads` of
        each model.

        `reads` names label, proba, score, value or interval, by model.
        """
        tested = () if self.reader.condition is None else self.reader.condition.columns
        keys = {
            name: key
            for name, key in self.reader.keys.items()
            if self._is_read(key, reads, (*columns, *tested))
        }
        return replace(self, reader=replace(self.reader, keys=keys))

    def settle_classes(self, classes: Sequence[Label] | None = None) -> "Stream":
        """With these `classes` in place of those of the first rows; None: those of all rows.

        For the classes of all rows their labels are read once.
        """
        classes = self._read_classes() if classes is None else tuple(classes)
        # Two classes in the first rows make no binary table of one that has three.
        task = None if self.classes_assumed else self.reader.options.task
        options = self.reader.options._replace(classes=classes, task=task, like=None)
        stream = _settle(self.row_groups, replace(self.reader, options=options), self.notes)
        return replace(stream, rows_chosen=self.rows_chosen)

    def where(self, condition: str, /) -> "Stream":
        """The rows of which a condition is true; the columns that it names are read once to count
        them.

        Parameters:
            condition: A test of further columns, of `weight` and of the truth as `y`, as of
                `Predictions.where`.

        Raises:
            UnsupportedError: The condition cannot be read.
            SchemaError: No column has that name, or its values cannot be compared so.
        """
        test = Condition(condition)
        both = Condition(f"({self.condition}) and ({condition})") if self.condition else test
        reader = replace(self.reader, condition=both)
        groups = []
        n = 0
        for group in self.row_groups:
            kept = reader.count_kept(group)
            if kept:
                groups.append(group._replace(offset=n))
            n += kept
        reader = replace(reader, n=n)
        head = _read_head(groups, reader) if groups else self.head.slice(0, 0)
        chosen = self.rows_chosen or any(map(tells_training, test.columns))
        return replace(self, row_groups=tuple(groups), reader=reader, head=head, rows_chosen=chosen)

    def column_chunks(self, name: str) -> Iterator[pa.Array]:
        """The further column `name` of all rows, a million rows at a time."""
        return self.reader.read_column(name)

    def close(self) -> None:
        """Close the file that this thread has open; what is read later opens it again."""
        OPEN.__dict__.clear()

    def _read_classes(self) -> tuple[Label, ...]:
        keys = self.reader.keys
        names = [name for name, k in keys.items() if k.role == "truth" or k.kind == "label"]
        labels = dict.fromkeys(self.classes)
        for group in self.row_groups:
            with locate_errors(group):
                table = self.reader.unify_types(self.reader.read(group, names))
                for name in names:
                    codes_and_labels = encode(table.column(name), f"column {name!r}")
                    labels.update(dict.fromkeys(codes_and_labels[1]))
        return tuple(sorted(labels))

    def _is_read(self, key: Key, reads: Mapping[str, set[str]], columns: Sequence[str]) -> bool:
        if key.role == "truth" or key.name == "weight":
            return True
        if key.role == "column":
            return key.name in columns
        kinds = self.schema.models[key.name]
        sources = (
            next((kind for kind in SOURCES[read] if kind in kinds), None)
            for read in reads.get(key.name, ())
        )
        return key.kind in set(sources)


def scan(
    *paths: str | os.PathLike[str],
    truth: str = "y",
    task: Task | None = None,
    classes: Sequence[Label] | None = None,
    positive: Label | None = None,
    weight: str | None = "weight",
    id: str | None = "id",
    fold: str | None = "fold",
    cluster: str | None = "cluster",
) -> Stream:
    """Parquet files, folders or glob patterns as one table that is not read into memory.

    The files must be of the wide layout (see `read`) and hold the same columns; their rows follow
    one another. Classes that are not declared, here or by the files, are those of the first rows,
    and of all rows where it turns out that more occur.

    Parameters:
        paths: Files, folders or glob patterns; one or more.
        truth: Name of the column that holds the truth; default "y".
        task: binary, multiclass, multilabel, regression or text; default: what the files or the
            first rows say.
        classes: All classes, in their order; default: what the files or the rows say.
        positive: The positive class of a binary task; default: the last of the two in sorted order.

        weight: Column of the weights of rows, None for none; default "weight", if there is one.
        id: Column that names each row; default "id", None as of `weight`.
        fold: Column that tells folds; default "fold", None as of `weight`.
        cluster: Column whose values are resampled as a whole; default "cluster", None as of
            `weight`.

    Returns:
        A `Stream`, which verbs take in place of a table in memory.

    Raises:
        ReadError: A file cannot be read, or is named twice.
        SchemaError: The files differ in their columns, or the first rows cannot be used.

    >>> import tempfile, pathlib
    >>> from assay.io.read_write import write
    >>> p = Predictions.from_arrays([0, 1, 1], {"m": [0, 1, 0]})
    >>> scan(write(p, pathlib.Path(tempfile.mkdtemp()) / "p.parquet")).n
    3
    """
    roles = {"weight": weight, "id": id, "fold": fold, "cluster": cluster}
    if have_keys(paths):
        raise ReadError(
            f"{paths[0]}: the names of its folders hold keys, which a stream does not read; read "
            f"the folder with assay.read, or scan the files of one key"
        )
    paths = tuple(map(fetch_run, paths))
    return scan_files(read_footers(expand_paths(paths)), truth, task, classes, positive, **roles)


def read_footers(files: Sequence[Path]) -> dict[str, Any]:
    """The footers of `files` by their paths; ReadError where a file is named twice."""
    footers = {os.fspath(path): read_footer(path) for path in files}
    real = list(map(os.path.realpath, files))
    if len(set(real)) < len(files):
        twice = next(path for path, place in zip(files, real, strict=True) if real.count(place) > 1)
        raise ReadError(
            f"{twice}: is named twice, and its rows would count twice; name each file once"
        )
    return footers


def scan_files(
    footers: Mapping[str, Any],
    truth: str = "y",
    task: Task | None = None,
    classes: Sequence[Label] | None = None,
    positive: Label | None = None,
    **roles: str | None,
) -> Stream:
    """The stream of the files whose `footers` are given by path.

    `truth`, `task`, `classes`, `positive` and the `roles` are those of `scan`.
    """
    mismatch = explain_mismatch(footers)
    if mismatch:
        raise SchemaError(
            f"{mismatch}; files that are streamed must hold the same columns. Evaluate models of "
            f"different files in memory, or join them into one table."
        )
    schema = next(iter(footers.values())).schema.to_arrow_schema()
    first = Path(next(iter(footers)))
    refuse_repeated_names(first, schema.names)
    metadata = parse_metadata(first, (schema.metadata or {}).get(b"assay"))
    file = File(os.fspath(first), pa.Table.from_batches([], schema), metadata)
    options = resolve_options([file], truth, task, classes, positive, None)
    if options.task in WRITTEN:
        metadata = metadata._replace(task=options.task)
    roles = select_roles(roles)
    keys, notes = _classify(first, schema, options, metadata, roles)
    row_groups = _list_row_groups(footers)
    if not row_groups:
        raise SchemaError(f"{first}: the table has no rows")
    ids = [name for name, key in keys.items() if key == ID]
    if ids:
        _refuse_repeated_ids(row_groups, footers, ids[0])
    n = sum(group.rows for group in row_groups)
    reader = RowGroupReader(footers, keys, options, find_common_types(footers), n, roles=roles)
    return _settle(tuple(row_groups), reader, notes)


def _settle(
    row_groups: tuple[RowGroup, ...], reader: RowGroupReader, notes: tuple[str, ...]
) -> Stream:
    """The stream, with task and classes of the first rows where they are not declared."""
    head = _read_head(row_groups, reader)
    assumed = reader.options.classes is None and head.task in ("binary", "multiclass")
    options = reader.options._replace(
        task=head.task, classes=head.classes or None, like=head.schema
    )
    first = f"In the first {head.n} rows: " if head.n < reader.n else ""
    remarks = (f"{first}{note}" for note in head.notes)
    notes = tuple(dict.fromkeys((*notes, *remarks)))
    return Stream(row_groups, replace(reader, options=options), head, assumed, notes)


def _list_row_groups(footers: Mapping[str, Any]) -> list[RowGroup]:
    """The row groups that have rows."""
    groups = []
    offset = 0
    for path, footer in footers.items():
        start = 0
        for number in range(footer.num_row_groups):
            rows = footer.row_group(number).num_rows
            if rows:
                groups.append(RowGroup(path, number, rows, start, offset + start))
            start += rows
        offset += start
    return groups


def _classify(
    path: Path,
    schema: pa.Schema,
    options: ReadOptions,
    metadata: Metadata,
    roles: Mapping[str, str | None],
) -> tuple[dict[str, Key], tuple[str, ...]]:
    """What each column is, and notes on those left out or read for their names, as in memory."""
    names = schema.names
    keys = classify_columns(names, options.truth, metadata)
    refuse_unknown(names, roles)
    keys |= {name: Key("column", role) for name, role in rename_roles(names, roles).items()}
    wide = detect_layout(names, options.truth, options.task) == "wide"
    has_truth = any(key.role == "truth" for key in keys.values())
    # Scores of the rows themselves, as this house wrote them, have no truth.
    scores = metadata.models is not None and metadata.task == "regression"
    if not wide or not (has_truth or scores):
        raise SchemaError(
            f"{path}: only tables with a truth column {options.truth!r} and columns <model>.<kind> "
            f"can be streamed; columns are {', '.join(names[:10])}"
        )
    omitted = {
        field.name: note
        for field in schema
        if (note := explain_omission(path, field, keys[field.name]))
    }
    kept = {name: key for name, key in keys.items() if name not in omitted}
    return kept, (*_describe_weight(kept, metadata), *omitted.values())


def _describe_weight(keys: Mapping[str, Key], metadata: Metadata) -> list[str]:
    """That rows are weighted, in files that this house did not write."""
    if metadata.models is not None:
        return []
    return [
        Headline(
            f"Weighted by column {name!r}. Where it is no weight of rows: weight=None "
            f"(--no-weight)."
        )
        for name, key in keys.items()
        if key == Key("column", "weight")
    ]


def _read_head(row_groups: Sequence[RowGroup], reader: RowGroupReader) -> Predictions:
    """The first rows, all columns of them."""
    tables: list[tuple[RowGroup, pa.Table]] = []
    for group in row_groups[:MOST_READ]:
        rows = HEAD - group.offset
        if rows <= 0:
            break
        table = _read_first_rows(group, reader, rows)
        if tables and table.schema.types != tables[0][1].schema.types:
            break  # numbers of another width; what has been read will do
        tables.append((group, table))
    return _check_head(tables, reader)


def _read_first_rows(group: RowGroup, reader: RowGroupReader, rows: int) -> pa.Table:
    """The first `rows` rows of a row `group`, of those that the condition is true of."""
    names = list(reader.keys)
    footer = reader.footers[group.path]
    pieces: list[pa.Table] = []
    with locate_errors(group), open_parquet(group.path, footer) as file:
        for batch in file.iter_batches(
            rows, row_groups=[group.number], columns=names, use_threads=False
        ):
            table = pa.Table.from_batches([batch])
            if reader.condition is not None:
                table = table.filter(numpy_to_arrow(reader.mark_rows(table)))
            pieces.append(table)
            rows -= table.num_rows
            if rows <= 0 or reader.condition is None:
                break
        return reader.unify_types(pa.concat_tables(pieces).unify_dictionaries())


def _check_head(tables: Sequence[tuple[RowGroup, pa.Table]], reader: RowGroupReader) -> Predictions:
    """The tables as one, checked; an error names the row group that is at fault, if it is one
    alone.
    """
    try:
        return reader.check(pa.concat_tables([table for _, table in tables]))
    except AssayError as error:
        for group, table in tables:
            with locate_errors(group):
                reader.check(table)
        raise type(error)(f"{tables[0][0].path}: {error}") from error


def _refuse_repeated_ids(groups: Sequence[RowGroup], footers: Mapping[str, Any], name: str) -> None:
    """Refuse row groups that have an id in common, so far as their footers show: a first or last
    one.
    """
    owner: dict[Any, RowGroup] = {}
    place = {path: find_leaf_column(footer, name) for path, footer in footers.items()}
    for group in groups:
        column = footers[group.path].row_group(group.number).column(place[group.path])
        for value in list_id_bounds(column):
            other = owner.setdefault(value, group)
            if other is not group:
                raise SchemaError(
                    f"id {value!r} is both in {other.path} (row group {other.number}) and in "
                    f"{group.path} (row group {group.number}); ids must be unique over all files. "
                    f"Give each row an id of its own, leave the column out (id=None, --no-id), or "
                    f"give it as the cluster (--cluster)"
                )
