"""Source: whatever holds predictions, opened by one function for all verbs.

>>> import tempfile, pathlib
>>> from assay.io.read_write import write
>>> p = Predictions.from_arrays([0, 1, 1], {"m": [0, 1, 0]})
>>> path = write(p, pathlib.Path(tempfile.mkdtemp()) / "p.parquet")
>>> open_table(path) == open_table([path]) == open_table(path.parent) == p
True
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias, overload

import pyarrow as pa

from assay.core.text import Headline
from assay.errors import UnsupportedError
from assay.io.formats import detect_format, expand_paths, have_keys
from assay.io.frames import is_frame
from assay.io.parquet import explain_mismatch
from assay.io.read_write import read
from assay.io.roles import ROLES, select_roles
from assay.io.runs import fetch_run
from assay.io.stream import Stream, read_footers, scan_files
from assay.table.judging import choose_rows, leave_out_training
from assay.table.predictions import Predictions
from assay.table.protocol import Table

__all__ = ["Source", "open_table"]

# What every verb takes: a table, or a path (of a file, a folder or a pattern), or several of them.
# Data frames of other packages are taken as well, though no type names them all.
Source: TypeAlias = (
    Predictions
    | Stream
    | str
    | os.PathLike[str]
    | Sequence[str | os.PathLike[str]]
    | pa.Table
    | pa.RecordBatch
    | Mapping[str, Any]
)

# Parquet files whose decoded columns would take more bytes than this are streamed.
LARGE = 1 << 28
# How a stream can be told to read its files; whoever asks for more has them read into memory.
STREAMED = {"truth", "task", "classes", "positive", *ROLES}
# Bytes of decoded columns up to which a stream is read into memory for a verb that needs all rows.
MEMORY = 1 << 32


@overload
def open_table(
    source: Source,
    *,
    in_memory: Literal[True],
    where: str | None = None,
    judging: bool = False,
    **reading: Any,
) -> Predictions: ...
@overload
def open_table(
    source: Source,
    *,
    in_memory: bool = False,
    where: str | None = None,
    judging: bool = False,
    **reading: Any,
) -> Table: ...
def open_table(
    source: Source,
    *,
    in_memory: bool = False,
    where: str | None = None,
    judging: bool = False,
    **reading: Any,
) -> Table:
    """The table that any source of predictions holds.

    Parameters:
        source: A table in memory, a `Stream`, a data frame or columns by name (see `assay.read`),
            or the path of a file, a folder, a glob pattern, or several.
        in_memory: Whether the verb needs all rows at hand. Paths are then read, and so is a stream
            of up to 4 GiB. By default Parquet files of more than 256 MiB are streamed.
        where: Which rows to take, as in 'split == "test"' (see `Predictions.where`); default: all.
        judging: Whether the rows are to judge models: those of a training split are then left out,
            unless `where` chose rows by the column that tells them.
        reading: How files are to be read, as of `read`: truth, task, classes, positive, models,
            normalise, percent, labels, class_names, ignore_label.

    Returns:
        `Predictions`, or, unless `in_memory`, a `Stream`.

    Raises:
        UnsupportedError: The source is no such thing, or a stream too large to be read into memory.
        ReadError: A file cannot be read.
        SchemaError: What the files hold cannot be used.
    """
    table: Table = _open_all_rows(source, in_memory, reading)
    if where is not None:
        table = choose_rows(table, where)
    return leave_out_training(table) if judging else table


def _open_all_rows(source: Source, in_memory: bool, reading: Mapping[str, Any]) -> Table:
    if isinstance(source, Stream) and in_memory:
        return _read_stream(source)
    if isinstance(source, Predictions | Stream):
        return source
    if is_frame(source):
        return read(source, **reading)
    paths = list(map(fetch_run, _list_paths(source)))
    stream = None if in_memory else _stream_large(paths, reading)
    return read(*paths, **reading) if stream is None else stream


def _list_paths(source: Any) -> list[Any]:
    if isinstance(source, str | os.PathLike):
        return [source]
    several = isinstance(source, Iterable) and not isinstance(source, Mapping | bytes | set)
    paths = list(source) if several and getattr(source, "ndim", 1) != 0 else [source]
    strange = [path for path in paths if not isinstance(path, str | os.PathLike)]
    if strange and not all(map(is_frame, strange)):
        got = f"{type(source).__name__} of {type(strange[0]).__name__}"
        raise UnsupportedError(
            "expected predictions: a table, the path of a file or of several, a data frame, or the "
            "truth with what models predict, as in evaluate(y, y_pred); got "
            f"{got if several else type(source).__name__}"
        )
    return paths


def _stream_large(paths: Sequence[Any], reading: Mapping[str, Any]) -> Stream | None:
    """The stream of large Parquet files; None where they are small, or cannot be streamed."""
    files = expand_paths(paths)
    if have_keys(paths):
        return None  # what only the names of folders say is read into memory
    # A packed table is seldom more than 64 times smaller than an unpacked one.
    if not all(detect_format(path) == "parquet" for path in files) or (
        sum(map(os.path.getsize, files)) <= LARGE >> 6
    ):
        return None
    footers = read_footers(files)
    asked = {key for key, value in reading.items() if value is not None and value is not False}
    asked |= set(select_roles(reading))
    if _estimate_bytes(footers) <= LARGE or explain_mismatch(footers) or asked - STREAMED:
        return None
    return scan_files(footers, **{key: reading[key] for key in asked})


def _estimate_bytes(footers: Mapping[str, Any]) -> int:
    """Bytes that all columns would take as numbers of 64 bits."""
    return 8 * sum(int(footer.num_rows * footer.num_columns) for footer in footers.values())


def _read_stream(stream: Stream) -> Predictions:
    """The rows of a stream, read into memory as `read` does."""
    size = _estimate_bytes(stream.reader.footers)
    if size > MEMORY:
        raise UnsupportedError(
            f"this needs all rows in memory, and the stream of {stream.n:,} rows would take about "
            f"{size / 2**30:.1f} GiB; streams of up to {MEMORY / 2**30:.0f} GiB are read. Evaluate "
            f"it, which reads it in parts, or write fewer rows or models to a file and give that"
        )
    options = stream.reader.options
    schema = stream.schema
    assumed = stream.classes_assumed
    roles: Mapping[str, Any] = stream.reader.roles
    table = read(
        *stream.paths,
        truth=options.truth,
        task=None if assumed else schema.task,
        classes=None if assumed else schema.classes or None,
        positive=schema.positive if schema.positive_declared else None,
        **roles,
    )
    if stream.condition:
        table = table.where(stream.condition)
    headlines = [note for note in stream.notes if isinstance(note, Headline)]
    return replace(table, notes=(*headlines, *table.notes), rows_chosen=stream.rows_chosen)
