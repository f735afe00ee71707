"""Columns of any framework as NumPy or Arrow: lists, arrays, pandas, polars, tensors.

None of the frameworks is imported.

>>> normalise([1, 2, None], "column 'y'").null_count
1
>>> convert_to_numbers([1, 2, 3], "weight").dtype
dtype('float64')
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from assay.errors import SchemaError
from assay.kernels import Array
from assay.table.times import convert_unit, gather_times

__all__ = [
    "Column",
    "RowNamer",
    "Unnamed",
    "arrow_to_numpy",
    "convert_to_arrow",
    "convert_to_numbers",
    "count_columns",
    "list_distinct",
    "name_by_position",
    "name_columns",
    "normalise",
    "numpy_to_arrow",
    "require_one",
]

Column: TypeAlias = Array | pa.Array
RowNamer: TypeAlias = Callable[[int], str]

FEW = 1000  # rows whose values are listed one by one
NAN = float("nan")
# A number whose comma may be the decimal mark, or group thousands.
GROUPED = re.compile(r"[+-]?\d{1,3},\d{3}")
EXACT = 2**53  # above this, neighbouring whole numbers are one and the same float64
MOST_DENSE = 1 << 31  # cells of a sparse matrix that are written out


class Unnamed(dict[str, Any]):
    """Columns of a data frame whose names are only their positions: 0, 1, ... or column_0, ..."""


def name_by_position(row: int) -> str:
    """How a message names a `row` where no id is known."""
    return f"row {row}"


def normalise(values: Any, where: str) -> Any:
    """`values` as NumPy of numbers (n,) or (n, k), as an Arrow array (n,), or as named columns.

    Named columns are {text: one of the former}. Missing values (None, NaN among objects, masks)
    become Arrow nulls. A (n, 1) array becomes (n,). A message names the column by `where`.
    """
    if isinstance(values, pa.ChunkedArray | pa.Array):
        return _standardise(_combine_chunks(values))
    if isinstance(values, np.ndarray):
        return _normalise_numpy(values, where)
    if isinstance(values, Mapping):
        kind: type[dict[str, Any]] = Unnamed if isinstance(values, Unnamed) else dict
        return _collect_named(values.items(), where, kind)
    if _is_frame(values):
        return _normalise_frame(values, where)
    if _is_tensor(values):
        return _normalise_tensor(values, where)
    if hasattr(values, "toarray") and hasattr(values, "nnz"):
        return _normalise_sparse(values, where)
    return _normalise_sequence(values, where)


def name_columns(values: Any, what: str) -> dict[str, Any]:
    """The columns of a mapping or a frame, by name.

    SchemaError, saying `what` was expected, where `values` are neither.

    >>> name_columns({"a": [1, 0]}, "models")
    {'a': [1, 0]}
    """
    if isinstance(values, pa.Table | pa.RecordBatch):
        return {name: values[name] for name in values.schema.names}
    named: dict[str, Any] = {}
    names = values if isinstance(values, Mapping) else values.columns if _is_frame(values) else None
    for name in () if names is None else names:
        if str(name) in named:
            raise SchemaError(f"two of the {what} are named {str(name)!r}; rename one")
        named[str(name)] = values[name]
    if names is not None:
        return named
    raise SchemaError(
        f"{what} must be a mapping of name to column, as {{'a': [...]}}; got "
        f"{type(values).__name__}"
    )


def _is_frame(values: Any) -> bool:
    if isinstance(values, pa.Table | pa.RecordBatch):
        return True
    return hasattr(values, "columns") and len(getattr(values, "shape", ())) == 2


def _is_tensor(values: Any) -> bool:
    series = hasattr(values, "__arrow_c_stream__") or hasattr(values, "iloc")
    return hasattr(values, "__array__") and not series


def convert_to_arrow(values: Any, where: str) -> pa.Array:
    """One column of `values` as an Arrow array; messages name it by `where`."""
    values = require_one(normalise(values, where), where)
    return numpy_to_arrow(values) if isinstance(values, np.ndarray) else values


def convert_to_numbers(values: Any, where: str, name_row: RowNamer = name_by_position) -> Array:
    """One column of numbers in `values` as NumPy (n,); text and gaps are refused.

    float32 and float64 are kept, all else becomes float64. Messages name the column by `where` and
    the row by `name_row`.
    """
    values = require_one(normalise(values, where), where)
    if isinstance(values, np.ndarray):
        _refuse_rounded(values, where, name_row)
        return _widen_floats(values)
    column = values.dictionary_decode() if pa.types.is_dictionary(values.type) else values
    if not (_is_number(column.type) or pa.types.is_null(column.type)):
        row, cell = _first_not_number(column)
        advice = "Correct the cell, or the column's name."
        if isinstance(cell, str) and GROUPED.fullmatch(cell.strip()):
            advice = (
                "Of a text file, say what the comma is: decimal=',' (--decimal ,) for the decimal "
                "mark, decimal='.' (--decimal .) where it groups thousands."
            )
        raise SchemaError(f"{where} must hold numbers; got {cell!r} at {name_row(row)}. {advice}")
    if column.null_count:
        row = find_first_null(column)
        raise SchemaError(
            f"{where} is empty at {name_row(row)} ({column.null_count} such rows); "
            "fill the value or drop the row."
        )
    numbers = arrow_to_numpy(column)
    _refuse_rounded(numbers, where, name_row)
    return _widen_floats(numbers)


def require_one(values: Any, where: str) -> Column:
    """The only column of normalised `values`; a frame of one column is that column.

    SchemaError, naming the column by `where`, if there are several.
    """
    if isinstance(values, Mapping):
        if len(values) == 1:
            return require_one(next(iter(values.values())), where)
        raise SchemaError(
            f"{where} has {len(values)} columns ({', '.join(list(values)[:5])}); expected one"
        )
    if isinstance(values, np.ndarray) and values.ndim != 1:
        raise SchemaError(f"{where} has shape {values.shape}; expected one column (n,)")
    if isinstance(values, pa.Array) and pa.types.is_nested(values.type):
        raise SchemaError(f"{where} holds a {values.type} in each row; expected one value")
    return values


def count_columns(values: Any) -> int | None:
    """How many columns normalised `values` have; None for a single column (n,).

    Several are named columns, a 2-D array, or lists.
    """
    if isinstance(values, Mapping):
        return len(values)
    if isinstance(values, np.ndarray):
        return None if values.ndim == 1 else values.shape[1]
    if pa.types.is_fixed_size_list(values.type):
        return int(values.type.list_size)
    if pa.types.is_struct(values.type):
        return 0
    if pa.types.is_nested(values.type):
        return len(values[0]) if len(values) and values[0].is_valid else 0
    return None


def arrow_to_numpy(column: pa.Array) -> Array:
    """The values of a `column` without nulls as NumPy, by a view.

    `pyarrow.Array.to_numpy` would import pandas where that is installed.
    """
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.uint8())
        return np.from_dlpack(column).astype(bool) if len(column) else np.zeros(0, bool)
    if pa.types.is_decimal(column.type) or pa.types.is_null(column.type):
        column = column.cast(pa.float64())
    if len(column) == 0:
        floats = {"halffloat": "f2", "float": "f4", "double": "f8"}
        return np.zeros(0, floats.get(str(column.type), str(column.type)))
    return np.from_dlpack(column)


def numpy_to_arrow(values: Array) -> pa.Array:
    """The numbers `values` (n,) as an Arrow array, by a view.

    `pyarrow.array` would import pandas where that is installed.
    """
    if values.dtype == bool:
        buffer = pa.py_buffer(np.packbits(values, bitorder="little"))
        return pa.Array.from_buffers(pa.bool_(), len(values), [None, buffer])
    values = np.ascontiguousarray(values, values.dtype.newbyteorder("="))
    return pa.Array.from_buffers(
        pa.from_numpy_dtype(values.dtype), len(values), [None, pa.py_buffer(values)]
    )


def find_first_null(column: pa.Array) -> int:
    """The first row of a `column` without a value."""
    return int(np.flatnonzero(arrow_to_numpy(column.is_null()))[0])


def _normalise_numpy(values: Array, where: str) -> Any:
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim not in (1, 2):
        remedy = (
            "; flatten it: .reshape(-1), and .reshape(-1, k) of class columns. Label maps of "
            "images go into assay.count_pixels(y, models), which keeps pixels of an image together"
        )
        raise SchemaError(
            f"{where} has shape {values.shape}; expected (n,) or (n, k)"
            f"{remedy if values.ndim > 2 else ''}"
        )
    if values.dtype.kind == "V" and "float" in values.dtype.name:
        values = values.astype(np.float32)  # narrow floats of other packages, as bfloat16
    if isinstance(values, np.ma.MaskedArray):
        if values.mask.any() and values.ndim == 1:
            return _normalise_sequence(values, where)
        if values.mask.any():
            return np.ma.filled(values.astype(np.float64), np.nan)
        values = values.data
    if values.dtype.kind in "biuf" and values.dtype.itemsize <= 8:
        return values if values.dtype.isnative else values.astype(values.dtype.newbyteorder("="))
    if values.dtype.kind == "f" or values.ndim == 2:
        return _convert_rows(values, where)
    return _normalise_sequence(values, where)


def _convert_rows(values: Any, where: str) -> Array:
    """Rows of several values as a 2-D array of numbers."""
    try:
        table = np.asarray(values)
        if table.dtype.kind in "biuf" and table.dtype.itemsize <= 8:
            return table
        return table.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise SchemaError(
            f"{where} is not a table of numbers with rows of one length ({_first_line(error)}). "
            "For multi-label data give 0/1 for each label: (n, labels)."
        ) from error


def _normalise_frame(values: Any, where: str) -> dict[str, Any]:
    is_arrow = isinstance(values, pa.Table | pa.RecordBatch)
    names = list(values.column_names if is_arrow else values.columns)
    texts = [str(name) for name in names]
    if len(set(texts)) < len(texts):
        duplicate = next(t for t in texts if texts.count(t) > 1)
        raise SchemaError(f"{where} has two columns named {duplicate!r}; name each class once")
    positions = {str(i) for i in range(len(names))}, {f"column_{i}" for i in range(len(names))}
    kind: type[dict[str, Any]] = Unnamed if set(texts) in positions else dict
    return _collect_named(((name, values[name]) for name in names), where, kind)


def _collect_named(
    items: Iterable[tuple[Any, Any]], where: str, kind: type[dict[str, Any]]
) -> dict[str, Any]:
    named = kind()
    for name, column in items:
        if str(name) in named:
            raise SchemaError(f"{where} has two columns named {str(name)!r}; name each class once")
        place = f"{where}, column {str(name)!r}"
        named[str(name)] = require_one(normalise(column, place), place)
    if not named:
        raise SchemaError(f"{where} has no columns")
    return named


def _normalise_tensor(values: Any, where: str) -> Any:
    try:
        array = _tensor_to_numpy(values)
    except (TypeError, RuntimeError, ValueError) as error:
        raise SchemaError(
            f"{where} cannot be read as an array ({_first_line(error)}); convert it to NumPy first"
        ) from error
    return _normalise_numpy(array, where)


def _normalise_sparse(values: Any, where: str) -> Any:
    """A sparse matrix of scipy as an array that holds the zeros, too."""
    if np.prod([float(size) for size in values.shape]) > MOST_DENSE:
        raise SchemaError(
            f"{where} is sparse, of shape {values.shape}: too large to be held with its zeros; "
            "evaluate fewer labels or rows at a time"
        )
    return _normalise_numpy(np.asarray(values.toarray()), where)


def _tensor_to_numpy(values: Any) -> Array:
    """A tensor of any framework as NumPy: off its device and its graph, of floats NumPy has."""
    if hasattr(values, "detach") and hasattr(values, "layout"):  # a tensor of torch
        if "strided" not in str(values.layout):
            values = values.to_dense()
        if "bfloat" in str(values.dtype) or "float8" in str(values.dtype):
            values = values.float()
        return np.asarray(values.numpy(force=True))
    return np.asarray(values)


def _stack_outputs(values: Sequence[Any], where: str) -> Array | None:
    """The lists of `predict_proba` of several labels, (n, 2) each, as (n, labels); None for others.

    In each the second column is the probability that the label is given.
    """
    if not all(isinstance(table, np.ndarray) and table.ndim == 2 for table in values):
        return None
    if len({len(table) for table in values}) > 1:
        raise SchemaError(
            f"{where} is a list of tables of different lengths; if they are batches, join them: "
            "np.concatenate(...)"
        )
    pairs = all(table.shape[1] == 2 and table.dtype.kind == "f" for table in values)
    if len(values) < 2 or not pairs:
        raise SchemaError(
            f"{where} is a list of tables of {values[0].shape[1]} columns; if each is an output of "
            "its own, evaluate one at a time; if they are batches, join them: np.concatenate(...)"
        )
    if any((np.abs(table.sum(axis=1) - 1) > 1e-3).any() for table in values):
        return None
    return np.stack([table[:, 1] for table in values], axis=1)


def _normalise_sequence(values: Any, where: str) -> Any:
    """A list, an array of objects, or a Series, by way of Arrow."""
    if isinstance(values, str | bytes | set | frozenset) or not isinstance(values, Iterable):
        raise SchemaError(
            f"{where} is a {type(values).__name__}, not a column; give one value a row"
        )
    if not hasattr(values, "__len__"):
        values = list(values)
    if isinstance(values, Sequence) and len(values) and isinstance(values[0], set | frozenset):
        raise SchemaError(
            f"{where} holds a set in each row. For several labels a row give 0 or 1 for each: "
            "(n, labels), or one column for each label, as scikit-learn's MultiLabelBinarizer does"
        )
    if isinstance(values, Sequence) and len(values) and _is_row(values[0]):
        table = _stack_outputs(values, where)
        if table is not None:
            return table
        return _normalise_numpy(_convert_rows(values, where), where)
    values = convert_unit(gather_times(values, where))
    try:
        stream = hasattr(values, "__arrow_c_stream__") and not hasattr(values, "iloc")
        return _standardise(
            _combine_chunks(
                pa.chunked_array(values) if stream else pa.array(values, from_pandas=True)
            )
        )
    except OverflowError as error:
        raise SchemaError(
            f"{where} holds a whole number beyond 64 bits; give such labels as text"
        ) from error
    except (pa.ArrowException, TypeError, ValueError) as error:
        kinds = sorted({type(v).__name__ for v, _ in zip(values, range(1000), strict=False)})
        raise SchemaError(
            f"{where} mixes types ({', '.join(kinds)}) or is not a column; "
            f"give one type ({_first_line(error)})"
        ) from error


def _is_row(value: Any) -> bool:
    """Whether a value of a list is itself a row of values."""
    if isinstance(value, str | bytes):
        return False
    return isinstance(value, Sequence) or np.ndim(value) > 0


def _combine_chunks(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    if isinstance(values, pa.Array):
        return values
    if values.num_chunks == 1:
        return values.chunk(0)
    try:
        return values.combine_chunks()
    except pa.ArrowInvalid:
        # More than 2 GiB of text does not fit the 32-bit offsets of one `string` array.
        return values.cast(pa.large_string()).combine_chunks()


def _standardise(values: pa.Array) -> pa.Array:
    """Extension, view and 64-bit text types as the common ones: every format gives one column."""
    if pa.types.is_primitive(values.type):
        return values
    if isinstance(values.type, pa.ExtensionType):
        values = values.storage
    if pa.types.is_dictionary(values.type):
        if _is_uncommon_text(values.type.value_type):
            return pa.DictionaryArray.from_arrays(values.indices, _standardise(values.dictionary))
        return values
    if pa.types.is_run_end_encoded(values.type):
        values = values.cast(values.type.value_type)
    if not _is_uncommon_text(values.type):
        return values
    try:
        return values.cast(pa.string())
    except pa.ArrowInvalid:
        return values.cast(pa.large_string())


def _is_uncommon_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_boolean(kind)
    )


def _widen_floats(values: Array) -> Array:
    """float32 and float64 as they are, anything narrower or integral as float64."""
    return values if values.dtype in (np.float32, np.float64) else values.astype(np.float64)


def _refuse_rounded(values: Array, where: str, name_row: RowNamer) -> None:
    """SchemaError for whole numbers that float64 cannot tell from their neighbours."""
    if values.dtype.kind not in "iu" or values.dtype.itemsize < 8 or where == "weight":
        return
    far = np.flatnonzero((values > EXACT) | (values < -EXACT))
    inexact = far[values[far].astype(np.float64).astype(values.dtype) != values[far]]
    if len(inexact):
        row = int(inexact[0])
        raise SchemaError(
            f"{where} is {int(values[row])} at {name_row(row)}, a whole number beyond 2**53, which "
            f"would be rounded; subtract a common whole number, such as the least, from the truth "
            f"and from what every model predicts"
        )


def _first_not_number(column: pa.Array) -> tuple[int, Any]:
    for row, cell in enumerate(column):
        value = cell.as_py()
        try:
            float(value)
        except (TypeError, ValueError):
            if value is not None:
                return row, value
    return 0, column[0].as_py() if len(column) else str(column.type)


def _first_line(error: BaseException) -> str:
    """The first line of an error of another library."""
    return str(error).strip().split("\n")[0][:160]


def list_distinct(column: pa.ChunkedArray) -> list[Any]:
    """The values that a `column` holds, each once.

    >>> list_distinct(pa.chunked_array([["no", "yes"], ["no", None]]))
    ['no', 'yes', None]
    """
    # Older releases of Arrow count no half precision; what counts is slow to import.
    if pa.types.is_float16(column.type) or len(column) <= FEW:
        return list(dict.fromkeys(NAN if cell != cell else cell for cell in column.to_pylist()))
    values = column.unique()
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    return list(values.to_pylist())
