"""CatBoostConsole: what CatBoost prints while it trains."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

from assay.core.types import Better
from assay.readers.base import GENERAL, Reader
from assay.readers.cells import Cells
from assay.readers.columns import read_columns
from assay.readers.history import History
from assay.readers.text import peek_text, read_text

__all__ = ["CatBoostConsole"]

NUMBER = r"([-+]?(?:\d+\.?\d*(?:e[-+]?\d+)?|nan|inf))"
LINE = re.compile(
    rf"^(\d+):\s+learn: {NUMBER}(?:\s+test\d*: {NUMBER})*(?:\s+best: {NUMBER} \((\d+)\))?\s+total:",
    re.MULTILINE,
)


@dataclass(frozen=True)
class CatBoostConsole(Reader):
    """CatBoost's console output: lines such as `5: learn: 0.49 test: 0.59 best: 0.59 (5) total:`.

    The metric is not named: it is a loss unless the best value grows. Of several test sets the
    last one is the validation.
    """

    name = "catboost_console"
    rank = GENERAL
    suffixes = (".txt", ".log", ".out")

    def matches(self, place: Path) -> bool:
        return LINE.search(peek_text(place)) is not None

    def read(self, place: Path) -> list[History]:
        rows = LINE.findall(read_text(place))
        columns: dict[str, Cells] = {
            "iteration": [float(row[0]) for row in rows],
            "train_loss": [float(row[1]) for row in rows],
        }
        if any(row[2] for row in rows):
            columns["val_loss"] = [float(row[2]) if row[2] else None for row in rows]
        (history,) = read_columns(
            columns, name=place.stem, format=self.name, source=str(place), train="point"
        )
        bests = [float(row[3]) for row in rows if row[3]]
        if bests and bests[-1] > bests[0]:
            better: Better = "higher"
            series = tuple(replace(s, metric="score", better=better) for s in history.series)
            note = (
                "the metric is not named in the log; more of it is better, as its best value grows"
            )
            return [replace(history, series=series, notes=(*history.notes, note))]
        return [history]
