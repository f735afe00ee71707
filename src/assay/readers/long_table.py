"""LongTable: a table with one value a row, and the name of its metric in another column."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from assay.errors import SchemaError
from assay.readers.base import GENERAL, Reader
from assay.readers.cells import Cells, Numbers, parse_numbers
from assay.readers.history import EXPECTED, History
from assay.readers.naming import is_curve
from assay.readers.points import Points, join_curves
from assay.readers.text import load_table, peek_header

__all__ = ["LongTable"]

METRIC = re.compile(r"(metric|scalar)[_. ]?(name|key)?|key|tag|name|variable")
VALUE = re.compile(r"(metric[_. ])?values?")
STEP = re.compile(r"_?(epoch|step|iteration|iter|global_step)")
RUN = re.compile(r"run([_. ]?(id|name|uuid|hash))?|experiment")
CONTEXT = re.compile(r"(metric[_. ])?context|subset|split|phase|dataset|variant")


@dataclass(frozen=True)
class LongTable(Reader):
    """A table with a value a row: columns `metric`, `step`, `value`, perhaps `run` and `context`.

    MLflow, Aim, tbparse and others export such tables.
    """

    name = "long_table"
    rank = GENERAL + 1
    suffixes = (".csv", ".tsv")

    def matches(self, place: Path) -> bool:
        header = peek_header(place)
        return all(_find(header, pattern) for pattern in (METRIC, VALUE, STEP))

    def read(self, place: Path) -> list[History]:
        header, columns = load_table(place)
        steps = parse_numbers(columns[_find(header, STEP)], "step", str(place))
        values = parse_numbers(columns[_find(header, VALUE)], "value", str(place))
        rows = np.flatnonzero(steps.measured & values.measured)
        metrics = _list_text(columns[_find(header, METRIC)])
        contexts = _list_text(columns.get(_find(header, CONTEXT), [""] * len(metrics)))
        runs = _list_text(columns.get(_find(header, RUN), [""] * len(metrics)))
        positions: dict[str, dict[str, list[int]]] = {}
        for row in rows.tolist():
            name = f"{contexts[row]}/{metrics[row]}" if contexts[row] else metrics[row]
            positions.setdefault(runs[row], {}).setdefault(name, []).append(row)
        points = Points(steps.values, values.values)
        histories = []
        for run, curves in positions.items():
            if any(map(is_curve, curves)) or len(positions) == 1:
                joined = join_curves(
                    {name: points.take(np.array(rows)) for name, rows in curves.items()},
                    name=f"{place.stem}/{run}" if len(positions) > 1 else place.stem,
                    format=self.name,
                    source=str(place),
                    unit="epoch" if _find(header, STEP).endswith("epoch") else "step",
                )
                histories.append(joined)
        if not histories:
            raise SchemaError(
                f"{place}: expected {EXPECTED} in the column {_find(header, METRIC)!r}"
            )
        return histories


def _find(header: Iterable[str], pattern: re.Pattern[str]) -> str:
    """The first column whose name has the `pattern`; "" without any."""
    return next((column for column in header if pattern.fullmatch(column.lower())), "")


def _list_text(cells: Cells) -> list[str]:
    if isinstance(cells, Numbers):
        return [f"{value:g}" for value in cells.values.tolist()]
    return [str(cell or "").strip() for cell in cells]
