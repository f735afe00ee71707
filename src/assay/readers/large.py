"""Large logs: tables and JSON lines of millions of rows, parsed by Arrow; data frames as columns.

>>> import pyarrow as pa
>>> columns = convert_table(pa.table({"val_loss": [0.9, None], "note": ["a", None]}))
>>> columns["val_loss"].measured.tolist(), columns["note"]
([True, False], ['a', ''])
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import ReadError
from assay.readers.cells import Cells, Numbers, gather_columns

__all__ = ["convert_table", "load_large_lines", "load_large_table"]

NULLS = ["", "NA", "N/A", "n/a", "na", "null", "None", "none", "-", "--"]
BLOCK = 16 << 20  # bytes that are parsed at once

Columns = dict[str, Cells]


def load_large_table(path: Path, header: tuple[str, ...], separator: str) -> Columns | None:
    """The columns of the file `path` named in its `header`; None where Arrow's parser refuses it.

    Cells are divided by the `separator`.
    """
    import pyarrow as pa
    import pyarrow.csv as pacsv

    read = pacsv.ReadOptions(column_names=list(header), skip_rows=1, block_size=BLOCK // 4)
    parse = pacsv.ParseOptions(delimiter=separator)
    options = {"null_values": NULLS, "strings_can_be_null": True}
    try:
        with pacsv.open_csv(path, read, parse, pacsv.ConvertOptions(**options)) as reader:
            types = {field.name: field.type for field in reader.schema}
        # A column may begin with whole numbers, or empty, and hold any number later.
        numbers = {
            name: pa.float64()
            for name, kind in types.items()
            if pa.types.is_null(kind) or pa.types.is_integer(kind)
        }
        convert = pacsv.ConvertOptions(column_types=numbers, **options)
        with pacsv.open_csv(path, read, parse, convert) as reader:
            parts = [convert_table(pa.Table.from_batches([batch])) for batch in reader]
    except (pa.ArrowInvalid, OSError):
        return None
    return _join_parts(parts)


def load_large_lines(path: Path) -> Columns | None:
    """The columns of the JSON lines in `path` by key, an inner object as `key_inner`.

    None where the lines hold no objects. Bare NaN and Infinity are read as the numbers they are.
    """
    parts: list[Columns] = []
    row = 0
    for block in _split_blocks(path):
        columns = _parse_block(block, path, row)
        if columns is None:
            return None
        parts.append(columns)
        row += len(next(iter(columns.values()), ()))
    return _join_parts(parts)


def convert_table(table: Any) -> Columns:
    """The columns of an Arrow `table`: numbers as `Numbers`, text and truth values as lists."""
    import pyarrow as pa

    columns: Columns = {}
    for name in table.column_names:
        column = table.column(0)
        table = table.remove_column(0)  # its memory is free once the numbers are copied
        kind = column.type
        if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
            columns[str(name)] = _convert_numbers(column)
        elif pa.types.is_null(kind):
            columns[str(name)] = [""] * len(column)
        elif pa.types.is_boolean(kind):
            columns[str(name)] = column.to_pylist()
        elif not pa.types.is_nested(kind):
            columns[str(name)] = ["" if c is None else str(c) for c in column.to_pylist()]
    return columns


def _convert_numbers(column: Any) -> Numbers:
    """A chunked column as numbers, chunk by chunk; `to_numpy` would import pandas."""
    import pyarrow as pa

    values = np.empty(len(column), dtype=np.float64)
    measured = np.ones(len(column), dtype=bool)
    start = 0
    for chunk in column.chunks:
        end = start + len(chunk)
        if chunk.null_count:
            measured[start:end] = _view_array(chunk.is_valid().cast(pa.uint8()), "u1")
        filled = chunk.cast(pa.float64()).fill_null(float("nan"))
        values[start:end] = _view_array(filled, "f8")
        start = end
    return Numbers(values, measured)


def _view_array(chunk: Any, dtype: str) -> NDArray[Any]:
    """A chunk without nulls as an array."""
    if not len(chunk):
        return np.empty(0, dtype=dtype)
    return np.frombuffer(chunk.buffers()[1], dtype=dtype)[chunk.offset :][: len(chunk)]


def _split_blocks(path: Path) -> Iterator[bytes]:
    """Blocks of whole lines of a file."""
    with path.open("rb") as file:
        rest = b""
        while block := file.read(BLOCK):
            whole, newline, rest = (rest + block).rpartition(b"\n")
            if newline:
                yield whole
        if rest.strip():
            yield rest


def _parse_block(block: bytes, path: Path, rows_before: int) -> Columns | None:
    """The columns of lines of JSON; by Python's parser, line by line, where Arrow's refuses."""
    import pyarrow as pa
    import pyarrow.json as pajson

    try:
        options = pajson.ReadOptions(block_size=BLOCK // 4)
        table = pajson.read_json(pa.py_buffer(block), read_options=options)
    except pa.ArrowInvalid:
        return _parse_lines(block, path, rows_before)
    while any(pa.types.is_struct(field.type) for field in table.schema):
        table = table.flatten()
    return convert_table(table.rename_columns([n.replace(".", "_") for n in table.column_names]))


def _parse_lines(block: bytes, path: Path, rows_before: int) -> Columns | None:
    """Slower than Arrow, but takes NaN, and names the line that is wrong."""
    try:
        rows = json.loads(b"[" + b",".join(line for line in block.split(b"\n") if line) + b"]")
    except (ValueError, RecursionError) as error:
        raise ReadError(
            f"{path} is not complete: after line {rows_before} a line is not JSON ({error}). The "
            f"file was cut off or edited; remove that line or write it again."
        ) from None
    if not all(isinstance(row, dict) for row in rows):
        return None
    return gather_columns(rows)


def _join_parts(parts: list[Columns]) -> Columns:
    """The columns of all parts, one after the other; a part without a column did not measure it."""
    lengths = [len(next(iter(part.values()), ())) for part in parts]
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: _join_cells([part.pop(name, None) for part in parts], lengths) for name in names}


def _join_cells(parts: list[Cells | None], lengths: list[int]) -> Cells:
    if all(part is None or isinstance(part, Numbers) for part in parts):
        filled = [
            part if isinstance(part, Numbers) else _make_unmeasured(length)
            for part, length in zip(parts, lengths, strict=True)
        ]
        return Numbers(
            np.concatenate([part.values for part in filled]),
            np.concatenate([part.measured for part in filled]),
        )
    cells: list[Any] = []
    for part, length in zip(parts, lengths, strict=True):
        if isinstance(part, Numbers):
            numbers = zip(part.values.tolist(), part.measured.tolist(), strict=True)
            cells += [value if measured else None for value, measured in numbers]
        else:
            cells += [None] * length if part is None else list(part)
    return cells


def _make_unmeasured(length: int) -> Numbers:
    return Numbers(np.full(length, np.nan), np.zeros(length, dtype=bool))
