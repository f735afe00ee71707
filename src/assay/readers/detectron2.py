"""Detectron2: `metrics.json`, a row of training every 20 iterations, and rows of evaluations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.readers.cells import gather_columns
from assay.readers.columns import read_columns
from assay.readers.history import History
from assay.readers.text import find_file
from assay.readers.values import ValueReader, load_value

__all__ = ["Detectron2"]

METRICS = "metrics.json"
TRAINING = "data_time"  # in each row of training, and in no row of an evaluation alone


@dataclass(frozen=True)
class Detectron2(ValueReader):
    """Detectron2: `metrics.json`, or its folder; losses are medians over 20 iterations.

    An evaluation between two rows of training is written after the later one; it is put in its
    place. An average precision is nan where nothing was detected, or a class is not there.
    """

    name = "detectron2"
    rank = 1

    def matches(self, place: Path) -> bool:
        file = find_file(place, METRICS)
        return file is not None and super().matches(file)

    def read(self, place: Path) -> list[History]:
        file = find_file(place, METRICS) or place
        name = place.name if place.is_dir() else place.stem
        return self.convert(load_value(file), name=name, source=str(file))

    def accepts(self, value: Any) -> bool:
        if not isinstance(value, list) or not all(isinstance(row, Mapping) for row in value):
            return False
        is_numbered = all(isinstance(row.get("iteration"), int | float) for row in value)
        return is_numbered and any({TRAINING, "eta_seconds"} <= row.keys() for row in value)

    def convert(self, value: Any, *, name: str, source: str | None) -> list[History]:
        return read_columns(
            gather_columns(_order_rows(value)),
            name=name,
            format=self.name,
            source=source,
            train="window_mean",
        )


def _order_rows(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The rows with each evaluation before the rows of training that it was written after."""
    ordered: list[Mapping[str, Any]] = []
    for row in rows:
        position = len(ordered)
        if TRAINING not in row:
            while position and ordered[position - 1]["iteration"] > row["iteration"]:
                position -= 1
        ordered.insert(position, row)
    return ordered
