"""WandB: the file of an offline run of Weights & Biases."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.errors import ReadError, SchemaError
from assay.readers.base import Reader
from assay.readers.cells import gather_columns, list_names
from assay.readers.columns import read_columns
from assay.readers.history import EXPECTED, History
from assay.readers.naming import is_curve
from assay.readers.protobuf import MessageError, find_all, find_first, read_float, walk_fields
from assay.readers.rocksdb import split_records

__all__ = ["WandB", "has_ended"]

MAGIC = b":W&B"
HEADER = 7  # bytes before the LevelDB log

# Fields by number, as in wandb/proto/wandb_internal.proto: record, history, item and run.
HISTORY = 2
RUN = 17
EXIT = 18
ITEM = 1
STEP = 2
KEY = 1
NESTED_KEY = 2
BOOLEAN = 4
INTEGER = 5
NUMBER = 6
JSON = 8
VALUE_JSON = 16
DISPLAY_NAME = 8


@dataclass(frozen=True)
class WandB(Reader):
    """Weights & Biases: `run-<id>.wandb` of an offline run, or the folder that holds it.

    All that was logged is in this one file. Runs on a server are read from what the web page or
    `run.history()` exports as CSV.
    """

    name = "wandb"
    suffixes = (".wandb",)

    def matches(self, place: Path) -> bool:
        return _find_file(place) is not None

    def read(self, place: Path) -> list[History]:
        file = _find_file(place) or place
        rows: list[dict[str, Any]] = []
        name = place.stem
        try:
            for record in split_records(file.read_bytes(), HEADER):
                for number, value, _ in walk_fields(record):
                    if number == HISTORY:
                        rows.append(_parse_row(value))
                    elif number == RUN:
                        name = find_first(value, DISPLAY_NAME, name.encode()).decode() or name
        except (MessageError, ValueError, TypeError, AttributeError) as error:
            raise ReadError(
                f"{file} cannot be read as a run of Weights & Biases ({error}); it is damaged"
            ) from None
        columns = gather_columns(rows)
        if not any(map(is_curve, columns)):
            raise SchemaError(f"{file}: expected {EXPECTED}; found {list_names(columns)}")
        return read_columns(columns, name=name, format=self.name, source=str(file))


def has_ended(place: Path) -> bool:
    """Whether the file of the run at `place` is complete: it ends with how the run ended."""
    file = _find_file(place)
    records = [] if file is None else split_records(file.read_bytes(), HEADER)
    return any(number == EXIT for record in records for number, _, _ in walk_fields(record))


def _find_file(place: Path) -> Path | None:
    """The file of the run that `place` is, or holds."""
    files = sorted(place.glob("run-*.wandb")) if place.is_dir() else [place]
    for file in files:
        try:
            if file.is_file():
                with file.open("rb") as content:
                    if content.read(len(MAGIC)) == MAGIC:
                        return file
        except OSError:
            continue
    return None


def _parse_row(history: bytes) -> dict[str, Any]:
    """The numbers of one call of `run.log` by name, inner names joined by a slash."""
    row: dict[str, Any] = {}
    step = find_first(history, STEP)
    if isinstance(step, bytes):
        row["_step"] = find_first(step, 1, 0)
    for item in find_all(history, ITEM):
        fields = {number: value for number, value, _ in walk_fields(item)}
        keys = find_all(item, NESTED_KEY) or [fields.get(KEY, b"")]
        value = _parse_value(fields)
        if isinstance(value, dict):
            inner = {f"{_join(keys)}/{key}": v for key, v in value.items()}
            row |= {key: v for key, v in inner.items() if isinstance(v, int | float)}
        elif isinstance(value, int | float):
            row[_join(keys)] = value
    return row


def _join(keys: list[bytes]) -> str:
    return "/".join(key.decode() for key in keys)


def _parse_value(fields: dict[int, Any]) -> Any:
    if NUMBER in fields:
        return read_float(fields[NUMBER])
    if INTEGER in fields:
        return fields[INTEGER]
    text = fields.get(VALUE_JSON, fields.get(JSON))
    if text is None or BOOLEAN in fields:
        return None
    value = json.loads(text)
    return {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}.get(str(value), value)
