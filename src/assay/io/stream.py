"""A predictions table larger than memory: Parquet pieces, of which only the columns needed are read, a group at a time.

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
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from assay.core.lazy import once
from assay.errors import AssayError, ReadError, SchemaError
from assay.io.formats import About, File, about_of, expand, kind_of, refuse_twice
from assay.io.layout import Key, Part, layout, left_out, roles
from assay.io.parquet import common_types, ends, footer_of, leaf, opened_file, unlike
from assay.io.read_write import Source, asked_of, checked, read
from assay.io.undeclared import Asked
from assay.kernels import Array
from assay.table.labels import Label, encode, pairs_of
from assay.table.predictions import Predictions, Rows
from assay.table.schema import SOURCES, Kind, Schema, Task

__all__ = ["Stream", "opened", "scan"]

# A table whose decoded columns would take more bytes than this is streamed without being asked to.
LARGE = 1 << 28
# Rows of a row group from which on it is read in slices, so that memory does not depend on how a file was written.
LONG = 1 << 22
SLICE = 1 << 20
# Rows that are read first: they show the classes, and are what checks of single rows look at.
HEAD = 1 << 16
MOST_READ = 256  # row groups that are read for them
OPEN = threading.local()


class Piece(NamedTuple):
    """One row group of one file: how many rows it holds, and how many lie before it in the file and in the whole."""

    path: str
    group: int
    rows: int
    start: int
    offset: int


@dataclass(frozen=True, eq=False, repr=False)
class Stream:
    """A checked view of Parquet files, one after another, that never holds more than a few row groups.

    It is what `evaluate` takes in place of a table in memory: the same figures, with memory that does not grow with the
    rows. `head` holds the first rows, all columns of them. Ids are checked to be unique within a row group, and by what
    the files say of the first and last id of each.
    """

    pieces: tuple[Piece, ...]
    footers: Mapping[str, Any]
    keys: Mapping[str, Key]  # by the name of the column
    asked: Asked
    head: Predictions
    assumed: bool  # whether the classes are those of the head, for want of a declaration
    types: Mapping[
        str, pa.DataType
    ]  # of columns that have another type, or no value, in some of the files
    notes: tuple[str, ...] = ()  # what a reader of the figures must know

    @property
    def schema(self) -> Schema:
        """Task, classes, and the kinds each model gives."""
        return self.head.schema

    @property
    def task(self) -> Task:
        """binary, multiclass, multilabel or regression."""
        return self.schema.task

    @property
    def classes(self) -> tuple[Label, ...]:
        """Class labels in their declared order."""
        return self.schema.classes

    @property
    def models(self) -> list[str]:
        """Names of the models, in the order of the table."""
        return list(self.schema.models)

    @once
    def n(self) -> int:
        """Number of rows."""
        return sum(piece.rows for piece in self.pieces)

    @property
    def columns(self) -> Mapping[str, Any]:
        """The further columns (of the first rows)."""
        return self.head.columns

    def __repr__(self) -> str:
        told = repr(self.head).removeprefix(f"Predictions: {self.head.n} rows")
        files = len(self.footers)
        return f"Stream: {self.n} rows in {files} file{'s'[: files != 1]}{told}"

    def narrowed(self, reads: Mapping[str, set[str]], columns: Sequence[str]) -> "Stream":
        """With only the columns that serve what is read of each model, the truth, the weight, and further columns."""
        return replace(
            self,
            keys={
                name: key for name, key in self.keys.items() if self._is_read(key, reads, columns)
            },
        )

    @once
    def steps(self) -> int:
        """Number of parts."""
        return sum(1 if piece.rows <= LONG else -(-piece.rows // SLICE) for piece in self.pieces)

    def parts(self) -> Iterator[Callable[[], Predictions]]:
        """What loads each row group, in the order of the rows."""
        for piece in self.pieces:
            if piece.rows <= LONG:
                yield partial(self._load, piece)
            else:
                yield from self._sliced(piece)

    def close(self) -> None:
        """Close the file that this thread has open; what is read later opens it again."""
        OPEN.__dict__.clear()

    def declared(self, classes: Sequence[Label] | None) -> "Stream":
        """With these classes in place of those of the first rows, if any are given."""
        if classes is None:
            return self
        # Two classes in the first rows make no binary table of one that has three.
        task = None if self.assumed else self.asked.task
        asked = self.asked._replace(classes=tuple(classes), task=task, like=None)
        head = _first(self.pieces, self.footers, self.keys, asked, self.types)
        return replace(self, asked=asked._replace(like=head.schema), head=head, assumed=False)

    def widened(self) -> "Stream":
        """With the classes of all rows, which are read once for them, in place of those of the first."""
        names = [
            name for name, key in self.keys.items() if key.role == "truth" or key.kind == "label"
        ]
        labels = dict.fromkeys(self.classes)
        for piece in self.pieces:
            with _named(piece):
                table = _alike(self._read(piece, names), self.types)
                for name in names:
                    labels.update(dict.fromkeys(encode(table.column(name), f"column {name!r}")[1]))
        return self.declared(tuple(sorted(labels)))

    def _is_read(self, key: Key, reads: Mapping[str, set[str]], columns: Sequence[str]) -> bool:
        if key.role == "truth" or key.name == "weight":
            return True
        if key.role == "column":
            return key.name in columns
        given = self.schema.models[key.name]
        serving = (
            next((k for k in SOURCES[read] if k in given), None) for read in reads.get(key.name, ())
        )
        return key.kind in set(serving)

    def _read(self, piece: Piece, names: Sequence[str]) -> pa.Table:
        return self._file_of(piece).read_row_group(
            piece.group, columns=list(names), use_threads=False
        )

    def _file_of(self, piece: Piece) -> Any:
        # A thread keeps the file it reads open: its next group is likely of the same.
        footer = self.footers[piece.path]
        if getattr(OPEN, "footer", None) is not footer:
            OPEN.footer, OPEN.file = footer, opened_file(piece.path, footer)
        return OPEN.file

    def _load(self, piece: Piece) -> Predictions:
        with _named(piece):
            table = self._read(piece, list(self.keys))
        return self._rows(piece, 0, table)

    def _sliced(self, piece: Piece) -> Iterator[Callable[[], Predictions]]:
        """What checks each slice of a long row group; they are read one after another, here."""
        start, names = 0, list(self.keys)
        with _named(piece), opened_file(piece.path, self.footers[piece.path]) as file:
            for batch in file.iter_batches(
                SLICE, row_groups=[piece.group], columns=names, use_threads=False
            ):
                yield partial(self._rows, piece, start, pa.Table.from_batches([batch]))
                start += batch.num_rows

    def _rows(self, piece: Piece, start: int, table: pa.Table) -> Predictions:
        """The rows of a piece from `start` on, which are checked now, or, of labels alone, when they are read."""
        return (
            Labels(self, piece, start, table)
            if self._labels_alone
            else self._checked(piece, start, table)
        )

    def _checked(self, piece: Piece, start: int, table: pa.Table) -> Predictions:
        with _named(piece, start):
            found = _table(_alike(table, self.types), self.keys, self.asked)
        return replace(found, offset=piece.offset + start, streamed=self.n)

    @once
    def _labels_alone(self) -> bool:
        """Whether nothing but labels is read, of columns that are of one type in all files."""
        labels = all(key.role == "truth" or key.kind == "label" for key in self.keys.values())
        return labels and self.task in ("binary", "multiclass") and not self.types

    @once
    def _schema_read(self) -> Schema:
        """The schema of the rows, where labels alone are read."""
        said: tuple[Kind, ...] = ("label",)
        models = {key.name: said for key in self.keys.values() if key.role == "model"}
        return replace(self.schema, models=models)


class Labels(Predictions):
    """A part of a stream of which labels alone are read: their pairs are counted as the columns come.

    Where anything else is asked of it, the rows are checked, and their labels made codes, as those of any table.
    """

    stream: Stream
    piece: Piece
    start: int
    table: pa.Table

    def __init__(self, stream: Stream, piece: Piece, start: int, table: pa.Table) -> None:
        self.__dict__.update(stream=stream, piece=piece, start=start, table=table)
        self.__dict__.update(schema=stream._schema_read, weight=None, columns={}, notes=())
        self.__dict__.update(offset=piece.offset + start, streamed=stream.n)

    @once
    def _whole(self) -> Predictions:
        return self.stream._checked(self.piece, self.start, self.table)

    @property
    def truth(self) -> Array:
        return self._whole.truth

    @property
    def outputs(self) -> Mapping[str, Mapping[Kind, Array]]:
        return self._whole.outputs

    @property
    def n(self) -> int:
        return int(self.table.num_rows)

    def slice(self, start: int, stop: int) -> Predictions:
        return Labels(
            self.stream, self.piece, self.start + start, self.table.slice(start, stop - start)
        )

    def pairs(self, rows: Rows) -> Array:
        keys = self.stream.keys
        truth = next(name for name, key in keys.items() if key.role == "truth")
        said = next(
            name for name, key in keys.items() if key.role == "model" and key.name == rows.model
        )
        found = pairs_of(
            _whole(self.table.column(truth)), _whole(self.table.column(said)), self.classes
        )
        return super().pairs(rows) if found is None else found

    def row_bytes(self, models: Collection[str]) -> int:
        return int(self.table.nbytes // max(self.n, 1))

    def _but(self, **parts: Any) -> Predictions:
        return replace(self._whole, **parts)


def opened(source: "Source | Stream", **reading: Any) -> "Predictions | Stream":
    """The table itself, or the one that paths hold: in memory where it fits there well, else as a stream.

    reading: how the files are to be read, as of `io.read`.
    """
    if isinstance(source, Stream | Predictions):
        return source
    paths = [source] if isinstance(source, str | os.PathLike) else list(source)
    files = expand(paths)
    # A packed table is seldom more than 64 times smaller than an unpacked one.
    if (
        all(kind_of(path) == "parquet" for path in files)
        and sum(map(os.path.getsize, files)) > LARGE >> 6
    ):
        footers = _footers(files)
        cells = sum(footer.num_rows * footer.num_columns for footer in footers.values())
        if cells * 8 > LARGE and not unlike(footers) and reading.get("models") is None:
            return _scanned(
                footers, **{name: value for name, value in reading.items() if name != "models"}
            )
    return read(*paths, **reading)


def scan(
    *paths: str | os.PathLike[str],
    truth: str = "y",
    task: Task | None = None,
    classes: Sequence[Label] | None = None,
    positive: Label | None = None,
) -> Stream:
    """Parquet files, folders or glob patterns as one table that is not read into memory; see `io.read`.

    The files must be of the wide layout and hold the same columns; their rows follow one another. Classes that are not
    declared (here, or by the files) are those of the first rows, and of all rows where it turns out that more occur.
    """
    return _scanned(_footers(expand(paths)), truth, task, classes, positive)


def _footers(files: Sequence[Path]) -> dict[str, Any]:
    footers = {os.fspath(path): footer_of(path) for path in files}
    known = list(map(os.path.realpath, files))
    if len(set(known)) < len(files):
        twice = next(path for path, own in zip(files, known, strict=True) if known.count(own) > 1)
        raise ReadError(
            f"{twice}: is named twice, and its rows would count twice; name each file once"
        )
    return footers


def _scanned(
    footers: Mapping[str, Any],
    truth: str = "y",
    task: Task | None = None,
    classes: Sequence[Label] | None = None,
    positive: Label | None = None,
) -> Stream:
    other = unlike(footers)
    if other:
        raise SchemaError(
            f"{other}; files that are streamed must hold the same columns. Evaluate models of different files in "
            f"memory, or join them into one table."
        )
    schema = next(iter(footers.values())).schema.to_arrow_schema()
    first = Path(next(iter(footers)))
    refuse_twice(first, schema.names)
    about = about_of(first, (schema.metadata or {}).get(b"assay"))
    empty = pa.Table.from_batches([], schema)
    asked = asked_of([File(os.fspath(first), empty, about)], truth, task, classes, positive, None)
    keys, notes = _keys(first, schema, asked, about)
    types = common_types(footers)
    pieces = _pieces(footers)
    if "id" in keys:
        _refuse_repeated(pieces, footers)
    head = _first(pieces, footers, keys, asked, types)
    assumed = asked.classes is None and head.task in ("binary", "multiclass")
    settled = asked._replace(task=head.task, classes=head.classes or None, like=head.schema)
    return Stream(tuple(pieces), footers, keys, settled, head, assumed, types, notes)


def _pieces(footers: Mapping[str, Any]) -> list[Piece]:
    """The row groups that have rows."""
    pieces, offset = [], 0
    for path, footer in footers.items():
        start = 0
        for group in range(footer.num_row_groups):
            rows = footer.row_group(group).num_rows
            pieces += [Piece(path, group, rows, start, offset + start)] if rows else []
            start += rows
        offset += start
    return pieces


def _keys(
    path: Path, schema: pa.Schema, asked: Asked, about: About
) -> tuple[dict[str, Key], tuple[str, ...]]:
    """What each column is, and a note on each that is left out, as in memory."""
    names = schema.names
    keys = roles(names, asked.truth, about)
    if layout(names, asked.truth) != "wide" or not any(
        key.role == "truth" for key in keys.values()
    ):
        raise SchemaError(
            f"{path}: only tables with a truth column {asked.truth!r} and columns <model>.<kind> can be streamed; "
            f"columns are {', '.join(names[:10])}"
        )
    out = {
        field.name: note for field in schema if (note := left_out(path, field, keys[field.name]))
    }
    return {name: key for name, key in keys.items() if name not in out}, tuple(out.values())


def _first(
    pieces: Sequence[Piece],
    footers: Mapping[str, Any],
    keys: Mapping[str, Key],
    asked: Asked,
    types: Mapping[str, pa.DataType],
) -> Predictions:
    """The first rows, all columns of them."""
    if not pieces:
        raise SchemaError(f"{next(iter(footers))}: the table has no rows")
    read: list[tuple[Piece, pa.Table]] = []
    for piece in pieces:
        rows = HEAD - piece.offset
        if rows <= 0 or len(read) == MOST_READ:
            break
        with _named(piece), opened_file(piece.path, footers[piece.path]) as file:
            batch = next(
                file.iter_batches(
                    rows, row_groups=[piece.group], columns=list(keys), use_threads=False
                )
            )
            table = _alike(pa.Table.from_batches([batch]), types)
        if read and table.schema.types != read[0][1].schema.types:
            break  # numbers of another width; what has been read will do
        read.append((piece, table))
    return _checked_head(read, keys, asked)


def _checked_head(
    read: Sequence[tuple[Piece, pa.Table]], keys: Mapping[str, Key], asked: Asked
) -> Predictions:
    try:
        return _table(pa.concat_tables([table for _, table in read]), keys, asked)
    except AssayError as error:
        for piece, table in read:
            with _named(piece):
                _table(table, keys, asked)
        raise type(error)(f"{read[0][0].path}: {error}") from error


@contextmanager
def _named(piece: Piece, start: int = 0) -> Iterator[None]:
    """Errors begin with the file, the row group, and the row of the file from which on rows are counted."""
    where = f"{piece.path}, row group {piece.group}, rows from {piece.start + start} on"
    try:
        yield
    except AssayError as error:
        raise type(error)(f"{where}: {error}") from error
    except (pa.ArrowException, OSError) as error:
        why = " ".join(str(error).split())
        raise ReadError(f"{where}: cannot be read ({why}); write it again") from error


def _refuse_repeated(pieces: Sequence[Piece], footers: Mapping[str, Any]) -> None:
    """Refuse row groups that have an id in common, so far as their footers show: a first or last one."""
    owner: dict[Any, Piece] = {}
    place = {path: leaf(footer, "id") for path, footer in footers.items()}
    for piece in pieces:
        for value in ends(footers[piece.path].row_group(piece.group).column(place[piece.path])):
            other = owner.setdefault(value, piece)
            if other is not piece:
                raise SchemaError(
                    f"id {value!r} is both in {other.path} (row group {other.group}) and in {piece.path} (row group "
                    f"{piece.group}); ids must be unique over all files. Give each row an id of its own, or leave the "
                    f"column out"
                )


def _table(table: pa.Table, keys: Mapping[str, Key], asked: Asked) -> Predictions:
    # A nested column `m` is read, too, where one is named `m.label`.
    columns = {
        keys[name]: _whole(table.column(name)) for name in table.column_names if name in keys
    }
    return checked(Part("", columns), asked)


def _alike(table: pa.Table, types: Mapping[str, pa.DataType]) -> pa.Table:
    """The table with columns of one type in all files."""
    if not types:
        return table
    for i, name in enumerate(table.column_names):
        if name in types and table.column(i).type != types[name]:
            table = table.set_column(i, name, table.column(i).cast(types[name]))
    return table


def _whole(column: pa.ChunkedArray) -> pa.Array:
    if column.num_chunks == 1:
        return column.chunk(0)
    return column.unify_dictionaries().combine_chunks()
