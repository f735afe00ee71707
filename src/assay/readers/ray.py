"""Ray Tune: the folder of a trial."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.readers.base import Reader
from assay.readers.cells import gather_columns
from assay.readers.columns import read_columns
from assay.readers.history import History
from assay.readers.naming import is_curve
from assay.readers.text import find_file, load_json, load_table, peek_header, peek_json

__all__ = ["RayTune"]

RESULTS = "result.json"
TABLE = "progress.csv"
KEYS = {"training_iteration", "trial_id", "time_this_iter_s"}


@dataclass(frozen=True)
class RayTune(Reader):
    """Ray Tune: the folder of a trial, its `result.json` or its `progress.csv`.

    Rows are numbered by `training_iteration`. What was reported late stands in `result.json` alone,
    so that is read where both are there.
    """

    name = "ray_tune"
    suffixes = (".json", ".csv")

    def matches(self, place: Path) -> bool:
        file = _find_log(place)
        if file is None:
            return False
        if file.suffix == ".csv":
            return set(peek_header(file)) >= KEYS
        rows = peek_json(file)
        return isinstance(rows, list) and bool(rows) and _is_result(rows[0])

    def read(self, place: Path) -> list[History]:
        file = _find_log(place) or place
        columns = load_table(file)[1] if file.suffix == ".csv" else _list_columns(load_json(file))
        kept = {
            name: cells
            for name, cells in columns.items()
            if name == "training_iteration" or is_curve(name)
        }
        return read_columns(
            kept or columns,
            name=place.name if place.is_dir() else place.stem,
            format=self.name,
            source=str(file),
            unit="iteration",
        )


def _find_log(place: Path) -> Path | None:
    """`result.json` or else `progress.csv` in a folder, or the file that `place` is."""
    files = (find_file(place, name) for name in (RESULTS, TABLE))
    return next((f for f in files if f is not None and f.suffix in RayTune.suffixes), None)


def _is_result(row: Any) -> bool:
    return isinstance(row, dict) and row.keys() >= KEYS


def _list_columns(rows: Any) -> dict[str, Any]:
    """The numbers of all results by name, inner names joined by a slash; settings are left out."""
    flat = [_flatten(row, "") for row in rows if isinstance(row, dict)]
    return gather_columns(flat)


def _flatten(row: dict[str, Any], prefix: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, dict) and key != "config":
            values |= _flatten(value, f"{prefix}{key}/")
        elif not isinstance(value, dict | list):
            values[f"{prefix}{key}"] = value
    return values
