"""Reader: turns one kind of training log into histories. `read_history(path)` finds the reader that fits.

>>> from assay.readers.base import READERS
>>> "keras_csv" in READERS.names()
True
"""

import csv
import json
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

from assay.core.registry import Member, Registry
from assay.errors import ReadError
from assay.readers.history import Cell, History, Series
from assay.readers.naming import axis_rank, better_of, is_axis, loss_rank, split_and_metric

__all__ = [
    "READERS",
    "History",
    "Reader",
    "Series",
    "axis_of",
    "is_log",
    "load_json",
    "load_table",
    "named_file",
    "read_history",
]

READERS: "Registry[Reader]" = Registry("readers")


class Reader(Member):
    """One log format: `matches` tells it by shape, `read` returns its runs.

    A `general` reader takes what no other one claims, so it is asked last.
    """

    registry = READERS
    general: ClassVar[bool] = False

    def matches(self, path: Path) -> bool:
        """Whether `path` has this format, told by its first lines or keys."""
        raise NotImplementedError

    def read(self, path: Path) -> list[History]:
        """The runs in `path`."""
        raise NotImplementedError


def read_history(path: str | Path) -> tuple[History, ...]:
    """The runs that the log at `path` holds, whatever wrote it.

    Raises ReadError when the file is missing, empty, cut off or of no known format, and SchemaError when it has no
    loss or holds text where numbers belong.
    """
    path = Path(path)
    if not path.exists():
        raise ReadError(f"no such file: {path}. Give the log that the training run wrote.")
    READERS.load()
    readers = sorted(
        (READERS[name] for name in READERS.names()),
        key=lambda reader: (reader.general, reader.name),
    )
    for reader in readers:
        if reader().matches(path):
            return tuple(reader().read(path))
    kind = "folder" if path.is_dir() else "file"
    raise ReadError(
        f"{path} is a {kind} of no known log format; expected CSV, JSON or JSON lines with a loss for each epoch. "
        f"Run 'assay list readers' for the formats."
    )


def is_log(path: str | Path, truth: str = "y") -> bool:
    """Whether a file is a training log rather than a predictions table, whose truth column is named `truth`.

    JSON is a log; CSV is one if its header names a loss, or an epoch or step, and no truth.
    """
    path = Path(path)
    if path.is_dir():
        return any((path / name).is_file() for name in ("trainer_state.json", "metrics.csv"))
    if path.suffix.lower() in (".json", ".jsonl"):
        return True
    if path.suffix.lower() not in (".csv", ".tsv", ".txt") or not path.is_file():
        return False
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        header = [cell.strip().strip('"') for cell in re.split(r"[,;\t]", file.readline())]
    if any(name == truth or name.startswith(f"{truth}.") for name in header):
        return False
    return any(is_axis(name) or loss_rank(split_and_metric(name)[1]) is not None for name in header)


def named_file(path: Path, name: str) -> Path | None:
    """`path` if it is a file, the file `name` in it if it is a folder that has one, else None."""
    if path.is_dir():
        return path / name if (path / name).is_file() else None
    return path


def load_json(path: Path) -> Any:
    """The JSON value in `path`, or the list of values in JSON lines; None where the text is not JSON at all.

    Bare NaN and Infinity, which Python writes, are read as the numbers they are.
    """
    stat = path.stat()
    return _json(path, stat.st_mtime_ns, stat.st_size)


def load_table(path: Path) -> tuple[list[str], dict[str, list[Cell]]]:
    """(header, columns) of a delimited text file; the separator is the most frequent of , ; tab | in the header."""
    stat = path.stat()
    return _table(path, stat.st_mtime_ns, stat.st_size)


def axis_of(columns: Sequence[str]) -> str | None:
    """The column that numbers the rows: epoch before round and step; None where there is none."""
    ranked = [(rank, column) for column in columns if (rank := axis_rank(column)) is not None]
    return min(ranked)[1] if ranked else None


def _text(path: Path) -> str:
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
def _json(path: Path, _time: int, _size: int) -> Any:
    text = _text(path)
    if text.lstrip()[0] not in "{[":
        return None
    try:
        return json.loads(text)
    except RecursionError:
        raise ReadError(f"{path} is nested too deeply for a training log") from None
    except json.JSONDecodeError as error:
        first = text.lstrip().splitlines()[0]
        if not _complete(first):
            raise ReadError(
                f"{path} is not complete JSON: {error.msg} at line {error.lineno}, column {error.colno}. "
                f"It was cut off or edited, or is no log; write it again."
            ) from None
    return _json_lines(path, text)


def _json_lines(path: Path, text: str) -> list[Any]:
    values = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                values.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise ReadError(
                    f"{path} is not complete: line {number} is not JSON ({error.msg} at column {error.colno}). "
                    f"The file was cut off or edited; remove that line or write it again."
                ) from None
    return values


def _complete(line: str) -> bool:
    try:
        json.loads(line)
    except json.JSONDecodeError:
        return False
    return True


@lru_cache(maxsize=4)
def _table(path: Path, _time: int, _size: int) -> tuple[list[str], dict[str, list[Cell]]]:
    lines = [line for line in _text(path).splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        raise ReadError(f"{path} holds comments only; expected a header and rows")
    mark = max(",;\t|", key=lines[0].count)
    try:
        header, *rows = list(csv.reader(lines, delimiter=mark, skipinitialspace=True))
    except csv.Error as error:
        raise ReadError(f"{path} is not a table ({error}); expected a header and rows") from None
    header = [column.strip() for column in header]
    rows = [
        row for row in rows if [cell.strip() for cell in row] != header
    ]  # appended runs repeat it
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header) and not _is_header(header):
            raise ReadError(
                f"{path} is no training log: it begins with {lines[0][:50]!r}; expected a header with a loss"
            )
        if len(row) != len(header):
            raise ReadError(
                f"{path}: row {number} has {len(row)} cells, the header has {len(header)}. "
                f"The file was cut off, or a run with other columns was appended to it; correct or remove that row."
            )
    if not rows:
        raise ReadError(f"{path} has a header and no rows; expected one row an epoch")
    return header, {
        column: [_cell(row[i], mark) for row in rows] for i, column in enumerate(header)
    }


def _is_header(columns: Sequence[str]) -> bool:
    return any(
        axis_rank(c) is not None or better_of(split_and_metric(c)[1]) is not None for c in columns
    )


def _cell(text: str, mark: str) -> str:
    # Where ; separates columns, a comma is the decimal mark.
    return text.strip().replace(",", ".") if mark == ";" else text.strip()
