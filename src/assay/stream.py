"""A predictions table larger than memory: Parquet pieces, of which only the columns needed are read, a group at a time.

>>> import tempfile, pathlib
>>> from assay.io import write
>>> from assay.predictions import Predictions
>>> folder = pathlib.Path(tempfile.mkdtemp())
>>> for i in range(2):
...     _ = write(Predictions.from_arrays([0, 1, 1], {"m": [0, 1, i]}), folder / f"{i}.parquet")
>>> scan(folder)
Stream: 6 rows in 2 files, binary (0, 1; positive: 1), 1 model: m (label)
"""

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from assay.errors import AssayError, ReadError, SchemaError
from assay.io import Source, asked_of, checked, read
from assay.once import once
from assay.predictions import Predictions
from assay.table.bare import Asked
from assay.table.files import About, File, about_of, expand, is_text, kind_of
from assay.table.labels import Label, encode
from assay.table.layout import Key, Part, layout, roles
from assay.table.schema import SOURCES, Schema, Task

__all__ = ["Stream", "opened", "scan"]

# A table whose decoded columns would take more bytes than this is streamed without being asked to.
LARGE = 1 << 28
# Rows of a row group from which on it is read in slices, so that memory does not depend on how a file was written.
LONG = 1 << 22
SLICE = 1 << 20
# Rows that are read first: they show the classes, and are what checks of single rows look at.
HEAD = 1 << 16
OPEN = threading.local()


@dataclass(frozen=True)
class Piece:
    """One row group of one file: how many rows it holds, and how many lie before it in the whole."""

    path: str
    group: int
    rows: int
    offset: int


@dataclass(frozen=True, eq=False, repr=False)
class Stream:
    """A checked view of Parquet files, one after another, that never holds more than a few row groups.

    It is what `evaluate` takes in place of a table in memory: the same figures, with memory that does not grow with the
    rows. `head` holds the first rows, all columns of them. Ids are not checked to be unique over the whole.
    """

    pieces: tuple[Piece, ...]
    footers: Mapping[str, Any]
    keys: Mapping[str, Key]  # by the name of the column
    asked: Asked
    head: Predictions
    assumed: bool  # whether the classes are those of the head, for want of a declaration

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

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the figures must know."""
        return self.head.notes

    def __repr__(self) -> str:
        told = repr(self.head).removeprefix(f"Predictions: {self.head.n} rows")
        files = len(self.footers)
        return f"Stream: {self.n} rows in {files} file{'s'[: files != 1]}{told}"

    def narrowed(self, reads: Mapping[str, set[str]], columns: Sequence[str]) -> "Stream":
        """With only the columns that serve what is read of each model, the truth, the weight, and further columns."""
        return replace(self, keys={name: key for name, key in self.keys.items() if self._is_read(key, reads, columns)})

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
        asked = replace(self.asked, classes=tuple(classes), task=None if self.assumed else self.asked.task)
        return replace(self, asked=asked, head=_first(self.pieces, self.footers, self.keys, asked), assumed=False)

    def widened(self) -> "Stream":
        """With the classes of all rows, which are read once for them, in place of those of the first."""
        names = [name for name, key in self.keys.items() if key.role == "truth" or key.kind == "label"]
        labels = dict.fromkeys(self.classes)
        for piece in self.pieces:
            table = self._read(piece, names)
            for name in names:
                labels.update(dict.fromkeys(encode(table.column(name), f"column {name!r}")[1]))
        return self.declared(tuple(sorted(labels)))

    def _is_read(self, key: Key, reads: Mapping[str, set[str]], columns: Sequence[str]) -> bool:
        if key.role == "truth" or key.name == "weight":
            return True
        if key.role == "column":
            return key.name in columns
        given = self.schema.models[key.name]
        serving = (next((k for k in SOURCES[read] if k in given), None) for read in reads.get(key.name, ()))
        return key.kind in set(serving)

    def _read(self, piece: Piece, names: Sequence[str]) -> pa.Table:
        # A thread keeps the file it reads open: its next group is likely of the same.
        footer = self.footers[piece.path]
        if getattr(OPEN, "footer", None) is not footer:
            OPEN.footer, OPEN.file = footer, _file(piece.path, footer)
        return OPEN.file.read_row_group(piece.group, columns=list(names), use_threads=False)

    def _load(self, piece: Piece) -> Predictions:
        try:
            return self._checked(self._read(piece, list(self.keys)), piece.offset)
        except AssayError as error:
            raise type(error)(f"{piece.path}, row group {piece.group}: {error}") from error
        except (pa.ArrowException, OSError) as error:
            why = f"row group {piece.group} cannot be read ({error}); write it again"
            raise ReadError(f"{piece.path}: {why}") from error

    def _sliced(self, piece: Piece) -> Iterator[Callable[[], Predictions]]:
        offset = piece.offset
        with _file(piece.path, self.footers[piece.path]) as file:
            names = list(self.keys)
            for batch in file.iter_batches(SLICE, row_groups=[piece.group], columns=names, use_threads=False):
                yield partial(self._checked, pa.Table.from_batches([batch]), offset)
                offset += batch.num_rows

    def _checked(self, table: pa.Table, offset: int) -> Predictions:
        return replace(_table(table, self.keys, self.asked), offset=offset, streamed=self.n)


def opened(source: "Source | Stream", **reading: Any) -> "Predictions | Stream":
    """The table itself, or the one that paths hold: in memory where it fits there well, else as a stream.

    reading: how the files are to be read, as of `io.read`.
    """
    if isinstance(source, Stream | Predictions):
        return source
    paths = [source] if isinstance(source, str | os.PathLike) else list(source)
    files = expand(paths)
    # A packed table is seldom more than 64 times smaller than an unpacked one.
    if all(kind_of(path) == "parquet" for path in files) and sum(map(os.path.getsize, files)) > LARGE >> 6:
        footers = {os.fspath(path): _footer(path) for path in files}
        cells = sum(footer.num_rows * footer.num_columns for footer in footers.values())
        if cells * 8 > LARGE and not _unlike(footers) and reading.get("models") is None:
            return _scanned(footers, **{name: value for name, value in reading.items() if name != "models"})
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
    return _scanned({os.fspath(path): _footer(path) for path in expand(paths)}, truth, task, classes, positive)


def _scanned(
    footers: Mapping[str, Any],
    truth: str = "y",
    task: Task | None = None,
    classes: Sequence[Label] | None = None,
    positive: Label | None = None,
) -> Stream:
    other = _unlike(footers)
    if other:
        raise SchemaError(
            f"{other}; files that are streamed must hold the same columns. Evaluate models of different files in "
            f"memory, or join them into one table."
        )
    schema = next(iter(footers.values())).schema.to_arrow_schema()
    first = Path(next(iter(footers)))
    about = about_of(first, (schema.metadata or {}).get(b"assay"))
    empty = pa.Table.from_batches([], schema)
    asked = asked_of([File(os.fspath(first), empty, about)], truth, task, classes, positive, None)
    keys = _keys(first, schema.names, asked, about)
    pieces, offset = [], 0
    for path, footer in footers.items():
        for group in range(footer.num_row_groups):
            rows = footer.row_group(group).num_rows
            pieces.append(Piece(path, group, rows, offset))
            offset += rows
    head = _first(pieces, footers, keys, asked)
    assumed = asked.classes is None and head.task in ("binary", "multiclass")
    settled = replace(asked, task=head.task, classes=head.classes or None)
    return Stream(tuple(pieces), footers, keys, settled, head, assumed)


def _keys(path: Path, names: Sequence[str], asked: Asked, about: About) -> dict[str, Key]:
    keys = roles(names, asked.truth, about)
    if layout(names, asked.truth) != "wide" or not any(key.role == "truth" for key in keys.values()):
        raise SchemaError(
            f"{path}: only tables with a truth column {asked.truth!r} and columns <model>.<kind> can be streamed; "
            f"columns are {', '.join(names[:10])}"
        )
    return keys


def _first(pieces: Sequence[Piece], footers: Mapping[str, Any], keys: Mapping[str, Key], asked: Asked) -> Predictions:
    """The first rows, all columns of them."""
    filled = next((piece for piece in pieces if piece.rows), None)
    if filled is None:
        raise SchemaError(f"{next(iter(footers))}: the table has no rows")
    with _file(filled.path, footers[filled.path]) as file:
        batch = next(file.iter_batches(HEAD, row_groups=[filled.group], columns=list(keys), use_threads=False))
    try:
        return _table(pa.Table.from_batches([batch]), keys, asked)
    except AssayError as error:
        raise type(error)(f"{filled.path}: {error}") from error


def _table(table: pa.Table, keys: Mapping[str, Key], asked: Asked) -> Predictions:
    columns = {keys[name]: _whole(table.column(name)) for name in table.column_names}
    return checked(Part("", columns), asked)


def _whole(column: pa.ChunkedArray) -> pa.Array:
    if column.num_chunks == 1:
        return column.chunk(0)
    return column.unify_dictionaries().combine_chunks()


def _footer(path: str | os.PathLike[str]) -> Any:
    import pyarrow.parquet as parquet

    try:
        return parquet.read_metadata(path)
    except (pa.ArrowException, OSError) as error:
        raise ReadError(f"{path}: cannot be read as parquet ({error}); write it again") from error


def _file(path: str, footer: Any) -> Any:
    import pyarrow.parquet as parquet

    schema = footer.schema.to_arrow_schema()
    texts = [field.name for field in schema if is_text(field.type) and field.name != "id"]
    return parquet.ParquetFile(path, metadata=footer, read_dictionary=texts)


def _unlike(footers: Mapping[str, Any]) -> str:
    """How the columns of one file differ from those of the first, in what they are read as; "" where none does."""
    first: dict[str, str] = {}
    for path, footer in footers.items():
        schema = footer.schema.to_arrow_schema()
        own = {field.name: _family(field.type) for field in schema}
        first = first or own
        for name in sorted(first.keys() | own.keys()):
            if first.get(name) != own.get(name):
                said = [f"{what.get(name, 'no')} column {name!r}" for what in (own, first)]
                return f"{path} has {said[0]}, {next(iter(footers))} has {said[1]}"
    return ""


def _family(kind: pa.DataType) -> str:
    """What a column is read as, however wide its numbers are and whether or not its texts have a dictionary."""
    if is_text(kind):
        return "a text"
    if pa.types.is_integer(kind):
        return "an integer"
    if pa.types.is_floating(kind):
        return "a real"
    if pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind):
        return f"a list of {_family(kind.value_type)}"
    return f"a {kind}"
