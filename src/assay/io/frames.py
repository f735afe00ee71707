"""Frames: data frames of any package, and columns by name, read as a file of these columns is.

None of the packages is imported.

>>> is_frame({"y": [0, 1], "m.label": [0, 0]}), is_frame([0, 1])
(True, False)
>>> read_frame({"y": [0, 1], "m.label": [0, 0]}).table.column_names
['y', 'm.label']
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from assay.errors import SchemaError, UnsupportedError
from assay.io.formats import File, parse_metadata, refuse_repeated_names
from assay.kernels import Array
from assay.table.columns import name_columns, normalise, numpy_to_arrow

__all__ = ["collect_lazy", "is_frame", "read_frame"]


def is_frame(source: Any) -> bool:
    """Whether `source` holds columns by name: a data frame, an Arrow table, a mapping, records."""
    if isinstance(source, Mapping | pa.Table | pa.RecordBatch | pa.RecordBatchReader):
        return True
    if isinstance(source, np.ndarray):
        return source.dtype.names is not None
    if isinstance(source, list | tuple):
        return bool(source) and all(isinstance(row, Mapping) for row in source)
    return _is_lazy(source) or (
        hasattr(source, "columns") and len(getattr(source, "shape", ())) == 2
    )


def read_frame(frame: Any) -> File:
    """The columns of a `frame` as those of a file, of which a message speaks as the data frame.

    Parameters:
        frame: What `is_frame` is true of. Named levels of an index of pandas are columns, too.

    Raises:
        SchemaError: Two columns have one name, or are not of the same length, or a column holds
            values that no column of a table can hold.
        UnsupportedError: A lazy frame cannot be collected.
    """
    where = "the columns" if _is_plain(frame) else "the data frame"
    frame = collect_lazy(frame)
    metadata = getattr(getattr(frame, "schema", None), "metadata", None) or {}
    columns = {
        name: _convert_to_arrow(values, f"{where}: column {name!r}")
        for name, values in _list_columns(frame, where)
    }
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        first, other = _find_two_lengths(lengths)
        raise SchemaError(
            f"{where}: column {first!r} has {lengths[first]} rows and column {other!r} has "
            f"{lengths[other]}; give each row a value in every column"
        )
    declared = parse_metadata(where, metadata.get(b"assay"))
    return File(where, pa.table(columns), declared, name="model")


def _is_plain(frame: Any) -> bool:
    return isinstance(frame, Mapping | list | tuple | np.ndarray)


def _is_lazy(frame: Any) -> bool:
    """Whether a frame has to be collected first, as a LazyFrame of polars."""
    return hasattr(frame, "collect") and hasattr(frame, "collect_schema")


def _list_columns(source: Any, where: str) -> Sequence[tuple[str, Any]]:
    """The columns of a frame, the `source`, with their names."""
    frame: Any = source
    if isinstance(frame, list | tuple):
        keys = dict.fromkeys(name for row in frame for name in row)
        frame = {name: [row.get(name) for row in frame] for name in keys}
    if isinstance(frame, np.ndarray):
        frame = {name: frame[name] for name in frame.dtype.names or ()}
    if hasattr(frame, "iloc"):
        frame = _keep_named_levels(frame)
    names: Any = frame if isinstance(frame, Mapping) else frame.columns
    if isinstance(frame, pa.Table | pa.RecordBatch):
        names = frame.schema.names
    refuse_repeated_names(where, [str(name) for name in names])
    return list(name_columns(frame, where).items())


def collect_lazy(frame: Any) -> Any:
    """The rows of a lazy `frame`, or of a reader of batches; any other frame as it is.

    Raises:
        UnsupportedError: It cannot be collected.
    """
    if isinstance(frame, pa.RecordBatchReader):
        return frame.read_all()
    if not _is_lazy(frame):
        return frame
    try:
        return frame.collect()
    except Exception as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UnsupportedError(
            f"the lazy data frame cannot be collected ({type(error).__name__}: {first}); collect "
            "it first"
        ) from error


def _keep_named_levels(frame: Any) -> Any:
    """A frame of pandas whose index has become columns, where its levels have names."""
    names = [name for name in frame.index.names if name is not None]
    if not names or len(names) < len(frame.index.names) or set(names) & set(frame.columns):
        return frame
    return frame.reset_index()


def _convert_to_arrow(values: Any, where: str) -> Any:
    """One column as Arrow: class columns (n, k) as lists of k numbers."""
    column = normalise(values, where)
    if isinstance(column, Mapping):
        raise SchemaError(f"{where} holds several columns; name each of them")
    if not isinstance(column, np.ndarray):
        return column
    if column.ndim == 2 and not column.shape[1]:
        raise SchemaError(f"{where} has shape {column.shape}; give at least one value a row")
    return numpy_to_arrow(column) if column.ndim == 1 else _convert_to_lists(column)


def _convert_to_lists(table: Array) -> pa.Array:
    cells = numpy_to_arrow(np.ascontiguousarray(table).ravel())
    return pa.FixedSizeListArray.from_arrays(cells, table.shape[1])


def _find_two_lengths(lengths: Mapping[str, int]) -> tuple[str, str]:
    first = next(iter(lengths))
    return first, next(name for name in lengths if lengths[name] != lengths[first])
