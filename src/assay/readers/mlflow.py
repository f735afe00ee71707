"""MLflow: runs of its SQLite store, or of its folder of files."""

import math
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from assay.errors import ReadError, SchemaError
from assay.readers.base import Reader, list_folder
from assay.readers.history import History
from assay.readers.naming import is_curve
from assay.readers.points import Points, join_curves
from assay.readers.sqlite import SUFFIXES, list_columns, query
from assay.readers.text import peek_text, read_text

__all__ = ["MLflow", "restore_inf"]

COLUMNS = {"key", "value", "step", "is_nan", "run_uuid", "timestamp"}
LINE = re.compile(r"\d{9,}\.?\d* \S+( -?\d+)?$")  # time, value, step
LARGEST = 1.7976931348623157e308  # stands for infinity in the SQLite store

Curves = dict[str, Points]


@dataclass(frozen=True)
class MLflow(Reader):
    """MLflow: `mlflow.db`, every run in it, or the folder of a run below `mlruns/`.

    In the SQLite store nan is 0 with a mark, and inf the largest number; both are read as what they
    were. Values stand in the order in which they were logged, by step. Runs that were deleted, and
    those without a curve, are left out.
    """

    name = "mlflow"
    suffixes = SUFFIXES

    def matches(self, place: Path) -> bool:
        if place.is_dir():
            return bool(_find_metrics(place))
        return list_columns(place).get("metrics", set()) >= COLUMNS

    def read(self, place: Path) -> list[History]:
        if place.is_dir():
            curves = {key: _load_points(file) for key, file in _find_metrics(place).items()}
            return [_join(curves, _find_name(place), place)]
        histories = [
            _join(curves, f"{place.stem}/{name}", place)
            for name, curves in _load_runs(place).items()
            if any(map(is_curve, curves))
        ]
        if not histories:
            raise SchemaError(f"{place}: no run in this MLflow store logged a loss or a metric")
        return histories


def _join(curves: Curves, name: str, place: Path) -> History:
    return join_curves(curves, name=name, format=MLflow.name, source=str(place))


def _find_metrics(place: Path) -> dict[str, Path]:
    """The files of metrics by key in the folder of a run, or in its folder `metrics`."""
    if os.path.isdir(place / "metrics"):
        files = dict(_list_files(place / "metrics", ""))
    else:
        files = {file.name: file for file in list_folder(place).files if not file.suffix}
    first = next(iter(files.values()), None)
    is_store = first is not None and LINE.match(peek_text(first).partition("\n")[0])
    return files if is_store else {}


def _list_files(folder: Path, prefix: str) -> Iterable[tuple[str, Path]]:
    """Files without a suffix of text, at and below a folder; a key may hold slashes."""
    children = list_folder(folder)
    for file in children.files:
        if file.suffix not in (".yaml", ".csv", ".json", ".tsv", ".txt", ".py"):
            yield f"{prefix}{file.name}", file
    for inner in children.folders:
        yield from _list_files(inner, f"{prefix}{inner.name}/")


def _load_points(file: Path) -> Points:
    pairs = []
    for number, line in enumerate(read_text(file).splitlines(), start=1):
        parts = line.split()
        try:
            pairs.append((float(parts[2]) if len(parts) > 2 else 0.0, float(parts[1])))
        except (IndexError, ValueError):
            raise ReadError(
                f"{file}: line {number} is {line[:50]!r}; expected time, value and step"
            ) from None
    return Points.from_pairs(pairs)


def _find_name(place: Path) -> str:
    """The name of the run of a folder, by its file `meta.yaml` or `tags/mlflow.runName`."""
    tag = peek_text(place / "tags" / "mlflow.runName").strip()
    match = re.search(r"^run_name: (.+)$", peek_text(place / "meta.yaml"), re.MULTILINE)
    return tag or (match[1].strip("'\" ") if match else place.name)


def _load_runs(place: Path) -> dict[str, Curves]:
    """The curves of each run in a SQLite store, by the name of the run."""
    names = _name_runs(place)
    pairs: dict[str, dict[str, list[tuple[float, float]]]] = {}
    statement = "SELECT run_uuid, key, step, value, is_nan FROM metrics ORDER BY rowid"
    for run, key, step, value, is_nan in query(place, statement):
        if run in names and isinstance(step, int | float):
            points = pairs.setdefault(names[run], {}).setdefault(str(key), [])
            points.append((step, math.nan if is_nan else restore_inf(value)))
    return {
        name: {key: Points.from_pairs(points) for key, points in curves.items()}
        for name, curves in pairs.items()
    }


def _name_runs(place: Path) -> dict[str, str]:
    """The name of each run that was not deleted, with a part of its key where names repeat."""
    rows = query(place, "SELECT run_uuid, name, lifecycle_stage FROM runs ORDER BY start_time")
    runs = [(str(run), str(name or run)) for run, name, stage in rows if stage != "deleted"]
    names = [name for _, name in runs]
    return {run: name if names.count(name) == 1 else f"{name} {run[:8]}" for run, name in runs}


def restore_inf(value: object) -> float:
    """The number that a `value` of the SQLite store stands for, inf where it is the largest."""
    number = float(value) if isinstance(value, int | float) else math.nan
    return math.copysign(math.inf, number) if abs(number) >= LARGEST else number
