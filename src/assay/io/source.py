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
from typing import Any, Literal, TypeAlias, overload

from assay.errors import UnsupportedError
from assay.io.formats import detect_format, expand_paths
from assay.io.parquet import explain_mismatch
from assay.io.read_write import read
from assay.io.stream import Stream, read_footers, scan_files
from assay.table.predictions import Predictions
from assay.table.protocol import Table

__all__ = ["Source", "open_table"]

# What every verb takes: a table, or a path (of a file, a folder or a pattern), or several of them.
Source: TypeAlias = Predictions | Stream | str | os.PathLike[str] | Sequence[str | os.PathLike[str]]

# Parquet files whose decoded columns would take more bytes than this are streamed.
LARGE = 1 << 28
# Bytes of decoded columns up to which a stream is read into memory for a verb that needs all rows.
MEMORY = 1 << 32


@overload
def open_table(source: Source, *, in_memory: Literal[True], **reading: Any) -> Predictions: ...
@overload
def open_table(source: Source, *, in_memory: bool = False, **reading: Any) -> Table: ...
def open_table(source: Source, *, in_memory: bool = False, **reading: Any) -> Table:
    """The table that any source of predictions holds.

    Parameters:
        source: A table in memory, a `Stream`, or the path of a file, a folder, a glob pattern, or
            several.
        in_memory: Whether the verb needs all rows at hand. Paths are then read, and so is a stream
            of up to 4 GiB. By default Parquet files of more than 256 MiB are streamed.
        reading: How files are to be read, as of `read`: truth, task, classes, positive, models.

    Returns:
        `Predictions`, or, unless `in_memory`, a `Stream`.

    Raises:
        UnsupportedError: The source is no such thing, or a stream too large to be read into memory.
        ReadError: A file cannot be read.
        SchemaError: What the files hold cannot be used.
    """
    if isinstance(source, Stream) and in_memory:
        return _read_stream(source)
    if isinstance(source, Predictions | Stream):
        return source
    paths = _list_paths(source)
    stream = None if in_memory else _stream_large(paths, reading)
    return read(*paths, **reading) if stream is None else stream


def _list_paths(source: Any) -> list[Any]:
    if isinstance(source, str | os.PathLike):
        return [source]
    if not isinstance(source, Iterable) or isinstance(source, Mapping):
        raise UnsupportedError(
            f"expected predictions, or the path of a file or of several that hold them; got "
            f"{type(source).__name__}"
        )
    return list(source)


def _stream_large(paths: Sequence[Any], reading: Mapping[str, Any]) -> Stream | None:
    """The stream of large Parquet files; None where they are small, or cannot be streamed."""
    files = expand_paths(paths)
    # A packed table is seldom more than 64 times smaller than an unpacked one.
    if not all(detect_format(path) == "parquet" for path in files) or (
        sum(map(os.path.getsize, files)) <= LARGE >> 6
    ):
        return None
    footers = read_footers(files)
    if (
        _estimate_bytes(footers) <= LARGE
        or explain_mismatch(footers)
        or (reading.get("models") is not None)
    ):
        return None
    return scan_files(footers, **{key: reading[key] for key in reading if key != "models"})


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
    return read(
        *stream.paths,
        truth=options.truth,
        task=None if assumed else schema.task,
        classes=None if assumed else schema.classes or None,
        positive=schema.positive if schema.positive_declared else None,
    )
