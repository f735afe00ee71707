"""Trackio: the SQLite store of a project."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.errors import ReadError, SchemaError
from assay.readers.base import Reader
from assay.readers.cells import gather_columns
from assay.readers.columns import read_columns
from assay.readers.history import History
from assay.readers.naming import is_curve
from assay.readers.sqlite import SUFFIXES, list_columns, query

__all__ = ["Trackio"]

COLUMNS = {"run_name", "step", "metrics"}


@dataclass(frozen=True)
class Trackio(Reader):
    """Trackio: `<project>.db`, every run in it; nan is kept there as text and read as nan."""

    name = "trackio"
    suffixes = SUFFIXES

    def matches(self, place: Path) -> bool:
        return list_columns(place).get("metrics", set()) >= COLUMNS

    def read(self, place: Path) -> list[History]:
        runs: dict[str, list[dict[str, Any]]] = {}
        rows = query(place, "SELECT run_name, step, metrics FROM metrics ORDER BY rowid")
        for run, step, metrics in rows:
            values = _load_values(metrics, place)
            runs.setdefault(str(run), []).append({"step": step, **values})
        histories = [
            history
            for run, records in runs.items()
            if any(is_curve(name) for record in records for name in record)
            for history in read_columns(
                _list_columns(records),
                name=f"{place.stem}/{run}",
                format=self.name,
                source=str(place),
            )
        ]
        if not histories:
            raise SchemaError(f"{place}: no run in this Trackio store logged a loss or a metric")
        return histories


def _load_values(metrics: Any, place: Path) -> dict[str, Any]:
    try:
        values = json.loads(metrics)
    except (ValueError, TypeError, RecursionError) as error:
        raise ReadError(f"{place}: the metrics of a row are no JSON ({error})") from None
    return values if isinstance(values, dict) else {}


def _list_columns(records: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {
        name: cells
        for name, cells in gather_columns(records).items()
        if not any(isinstance(cell, dict | list) for cell in cells)
    }
