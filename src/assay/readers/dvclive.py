"""DVCLive: the folder of a run, one table of steps and values a metric."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from assay.readers.base import Reader, list_folder
from assay.readers.cells import parse_numbers
from assay.readers.history import History
from assay.readers.points import Points, join_curves
from assay.readers.text import load_table, peek_header

__all__ = ["DVCLive"]


@dataclass(frozen=True)
class DVCLive(Reader):
    """DVCLive: the folder `dvclive/`, with a file `plots/metrics/<name>.tsv` for each metric."""

    name = "dvclive"
    rank = 1

    def matches(self, place: Path) -> bool:
        return any(True for _ in _list_tables(place / "plots" / "metrics", ""))

    def read(self, place: Path) -> list[History]:
        curves = {
            name: _load_points(file) for name, file in _list_tables(place / "plots" / "metrics", "")
        }
        return [join_curves(curves, name=place.name, format=self.name, source=str(place))]


def _list_tables(folder: Path, prefix: str) -> Iterator[tuple[str, Path]]:
    """The tables of metrics below a folder; inner folders are parts of a name."""
    children = list_folder(folder)
    for file in children.files:
        if file.suffix == ".tsv" and peek_header(file)[:1] == ("step",):
            yield f"{prefix}{file.stem}", file
    for inner in children.folders:
        yield from _list_tables(inner, f"{prefix}{inner.name}/")


def _load_points(file: Path) -> Points:
    header, columns = load_table(file)
    steps = parse_numbers(columns[header[0]], header[0], str(file))
    values = parse_numbers(columns[header[-1]], header[-1], str(file))
    kept = np.flatnonzero(steps.measured & values.measured)
    return Points(steps.values, values.values).take(kept)
