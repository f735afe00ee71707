"""Text logs: JSON, JSON lines and delimited tables, read whole or looked into.

`load_*` reads a file and raises `ReadError` where it is empty, cut off or no text. `peek_*` looks
into a place that may hold anything, and returns nothing instead of raising: readers match with it.

>>> import tempfile
>>> path = Path(tempfile.mkdtemp()) / "log.csv"
>>> _ = path.write_text("epoch,val_loss\\n1,0.9\\n2,0.8\\n")
>>> peek_header(path), load_table(path)[1]["val_loss"], peek_json(path)
(('epoch', 'val_loss'), ['0.9', '0.8'], None)
"""

import codecs
import csv
import json
import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from assay.errors import ReadError
from assay.readers.cells import Cells, Numbers
from assay.readers.large import load_large_lines, load_large_table
from assay.readers.naming import infer_direction, is_axis, parse_curve_name

__all__ = [
    "find_file",
    "load_json",
    "load_lines",
    "load_table",
    "peek_header",
    "peek_json",
    "peek_rows",
    "peek_text",
    "read_text",
]

HEAD_BYTES = 65536  # that are looked into; wider headers are rare

FAST_BYTES = 1 << 20  # files above are parsed by pyarrow

Columns = dict[str, Cells]


def find_file(place: Path, name: str) -> Path | None:
    """`place` if it is a file, the file `name` in it if it is a folder that has one, else None."""
    file = place / name if os.path.isdir(place) else place
    return file if os.path.isfile(file) else None


def load_json(path: Path) -> Any:
    """The JSON value in the file `path`, or the list of values in JSON lines.

    None where the text does not begin as JSON does. Bare NaN and Infinity, which Python writes, are
    read as the numbers they are. Raises ReadError where the file is empty, cut off or no text.
    """
    stat = path.stat()
    return _load_json(path, stat.st_mtime_ns, stat.st_size)


def load_lines(path: Path) -> Columns | None:
    """The columns of JSON lines in a large file `path`; None where it is small or has no lines."""
    if not is_large(path) or not begins_as_lines(peek_text(path)):
        return None
    return load_large_lines(path)


def peek_json(place: Path) -> Any:
    """The JSON value in `place`; None where it is no file that holds complete JSON.

    Of JSON lines in a large file, the first ones.
    """
    text = peek_text(place)
    if not _begins_as_json(text):
        return None
    try:
        if is_large(place) and begins_as_lines(text):
            return _load_json_lines(place, text[: text.rindex("\n")])
        return load_json(place)
    except (ReadError, OSError):
        return None


def peek_header(place: Path) -> tuple[str, ...]:
    """Names of the columns of `place`; empty where it is no delimited text file."""
    text = peek_text(place)
    lines = [] if _begins_as_json(text) else _data_lines(text)
    if not lines:
        return ()
    try:
        return tuple(_split_cells(lines[:1], _separator(lines[0]))[0])
    except csv.Error:
        return ()


def peek_rows(place: Path) -> list[list[str]]:
    """The first rows of `place`, header left out; empty where it is no delimited text file."""
    if not peek_header(place):
        return []
    lines = _data_lines(peek_text(place))
    try:
        return _split_cells(lines[1:-1] or lines[1:], _separator(lines[0]))
    except csv.Error:
        return []


def peek_text(place: Path) -> str:
    """The beginning of a text file; empty where `place` is a folder, binary or not to be read."""
    try:
        if not os.path.isfile(place):  # a pipe would block
            return ""
        with open(place, "rb") as file:
            head = file.read(HEAD_BYTES)
        # An incremental decoder lets pass a character that the end of the head cuts in two.
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except (OSError, UnicodeDecodeError):
        return ""
    return "" if "\0" in text else text


def is_large(place: Path) -> bool:
    """Whether the file `place` is so large that Arrow parses it."""
    return place.stat().st_size >= FAST_BYTES


def begins_as_lines(text: str) -> bool:
    """Whether `text` begins with an object in a line of its own, and another one."""
    lines = text.lstrip().split("\n", 2)
    return len(lines) == 3 and all(line[:1] == "{" and _is_json(line) for line in lines[:2])


def _begins_as_json(text: str) -> bool:
    return text.lstrip()[:1] in ("{", "[")


def read_text(path: Path) -> str:
    """The text of the file at `path`; ReadError where it is blank or cannot be read as UTF-8."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (UnicodeDecodeError, OSError) as error:
        raise ReadError(
            f"{path} cannot be read as text ({error}); expected a CSV or JSON log"
        ) from None
    if not text.strip():
        raise ReadError(f"{path} is empty; expected a CSV or JSON log with a loss for each epoch")
    return text


# The key holds time and size of the file: a log that is still being written is read anew.
@lru_cache(maxsize=4)
def _load_json(path: Path, _time: int, _size: int) -> Any:
    text = read_text(path)
    if not _begins_as_json(text):
        return None
    try:
        return json.loads(text)
    except RecursionError:
        raise ReadError(f"{path} is nested too deeply for a training log") from None
    except json.JSONDecodeError as error:
        if not _is_json(text.lstrip().splitlines()[0]):
            raise ReadError(
                f"{path} is not complete JSON: {error.msg} at line {error.lineno}, "
                f"column {error.colno}. It was cut off or edited, or is no log; write it again."
            ) from None
    return _load_json_lines(path, text)


def _load_json_lines(path: Path, text: str) -> list[Any]:
    values = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                values.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise ReadError(
                    f"{path} is not complete: line {number} is not JSON ({error.msg} at column "
                    f"{error.colno}). The file was cut off or edited; remove that line or write "
                    f"it again."
                ) from None
    return values


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except json.JSONDecodeError:
        return False
    return True


def load_table(path: Path) -> tuple[list[str], Columns]:
    """Header and columns of the delimited text file `path`.

    The separator is the most frequent of comma, semicolon, tab and bar in the header; lines that
    begin with # are comments, and a header that is repeated is skipped.
    """
    fast = _load_large(path) if is_large(path) else None
    if fast is not None:
        return fast
    lines = _data_lines(read_text(path))
    if not lines:
        raise ReadError(f"{path} holds comments only; expected a header and rows")
    separator = _separator(lines[0])
    try:
        header, *rows = _split_cells(lines, separator)
    except csv.Error as error:
        raise ReadError(f"{path} is not a table ({error}); expected a header and rows") from None
    rows = [row for row in rows if row != header]  # a run that was appended repeats it
    for number, row in enumerate(rows, start=1):
        if len(row) == len(header):
            continue
        if not _names_log(header):
            raise ReadError(
                f"{path} is no training log: it begins with {lines[0][:50]!r}; "
                f"expected a header with a loss"
            )
        raise ReadError(
            f"{path}: row {number} has {len(row)} cells, the header has {len(header)}. The file "
            f"was cut off, or a run with other columns was appended; correct or remove that row."
        )
    if not rows:
        raise ReadError(f"{path} has a header and no rows; expected one row an epoch")
    # Where ; separates columns, a comma is the decimal mark.
    if separator == ";":
        rows = [[cell.replace(",", ".") for cell in row] for row in rows]
    return header, {column: [row[i] for row in rows] for i, column in enumerate(header)}


def _load_large(path: Path) -> tuple[list[str], Columns] | None:
    """Header and columns by a parser that is fast and strict; None where it does not succeed."""
    header = peek_header(path)
    lines = _data_lines(peek_text(path))
    separator = _separator(lines[0]) if lines else ","
    if not header or separator == ";" or len(set(header)) < len(header):
        return None
    columns = load_large_table(path, header, separator)
    # A word among the numbers of a metric: the slow parser names its row.
    if columns is None or any(
        not isinstance(cells, Numbers) and any(cells) and infer_direction(parse_curve_name(name)[1])
        for name, cells in columns.items()
    ):
        return None
    return list(header), columns


def _data_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def _separator(header: str) -> str:
    return max(",;\t|", key=header.count)


def _split_cells(lines: Sequence[str], separator: str) -> list[list[str]]:
    rows = csv.reader(lines, delimiter=separator, skipinitialspace=True)
    return [[cell.strip() for cell in row] for row in rows]


def _names_log(columns: Sequence[str]) -> bool:
    return any(
        is_axis(column) or infer_direction(parse_curve_name(column)[1]) is not None
        for column in columns
    )
