"""Console: what a training loop printed: lines of `name: number`, `name=number`, `name number`.

>>> from assay.readers.console import parse_lines
>>> parse_lines(["step 250: train loss 0.9, val loss 1.0"])
[{'step': 250.0, 'train loss': 0.9, 'val loss': 1.0}]
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from assay.errors import SchemaError
from assay.readers.base import GENERAL, Reader
from assay.readers.cells import Cells, gather_columns
from assay.readers.columns import read_columns
from assay.readers.history import EXPECTED, History
from assay.readers.naming import is_axis, is_curve, is_learning_rate, parse_numbered_set
from assay.readers.text import peek_text, read_text

__all__ = ["Console", "parse_lines"]

NUMBER = r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|nan|inf|NaN|Inf)"
PAIR = re.compile(
    rf"(?P<name>[A-Za-z][A-Za-z0-9_'’/@.\- ]*?)(?:\]?\s*[:=]\s*|\s+|\s*\[)(?P<value>{NUMBER})"
    r"(?P<percent>\s?%)?(?=$|[\s,:;|/)\]}])"
)
ROUND = re.compile(r"^\s*\[?(\d+)\]?[:\t ]")  # boosting libraries begin a line with the round
LEADING = re.compile(r"^(\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S*\]?|\[?\d\d:\d\d:\d\d\S*)\s*")
ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
SHARED = re.compile(r"^(train|training|val|valid|validation|eval|test)\b[^A-Za-z0-9]*", re.I)
FEWEST = 2  # lines with a loss that make a log


@dataclass(frozen=True)
class Console(Reader):
    """Console output of a training loop: lines with a loss as `name: number` or `name=number`.

    Keras, PyTorch loops, nanoGPT, XGBoost, LightGBM and CatBoost print such lines. The epoch, step
    or round stands in the line, or in one above it; without any, lines are counted.
    """

    name = "console"
    rank = GENERAL - 100
    suffixes = (".txt", ".log", ".out")

    def matches(self, place: Path) -> bool:
        lines = peek_text(place).splitlines()
        rows = parse_lines(lines[:2000])
        return sum(any(map(_is_measured, row)) for row in rows) >= FEWEST

    def read(self, place: Path) -> list[History]:
        columns = load_lines(place)
        return read_columns(columns, name=place.stem, format=self.name, source=str(place))


def load_lines(place: Path) -> dict[str, Cells]:
    """The named numbers in the lines of `place` as columns."""
    rows = parse_lines(read_text(place).splitlines())
    columns = gather_columns(rows)
    if not any(map(_is_measured, columns)):
        raise SchemaError(f"{place}: expected {EXPECTED}, as in 'val_loss: 0.5' in each line")
    return columns


def parse_lines(lines: Iterable[str]) -> list[dict[str, float]]:
    """One row of named numbers for each of the `lines` that holds a curve, and its axis."""
    rows: list[dict[str, float]] = []
    axis: dict[str, float] = {}
    for line in lines:
        last_part = line.rpartition("\r")[2]  # a progress bar writes over itself
        text = LEADING.sub("", ESCAPES.sub("", last_part).strip())
        pairs = _find_pairs(text)
        numbers = {name: value for name, value in pairs.items() if is_axis(name)}
        if numbers:
            axis = numbers if "epoch" in map(str.lower, numbers) else axis | numbers
        curves = {
            name: value
            for name, value in pairs.items()
            if _is_measured(name) or is_learning_rate(name)
        }
        if any(map(_is_measured, curves)):
            start = ROUND.match(text)
            if start and not numbers:
                axis = {"round": float(start[1])}
            rows.append(axis | curves)
    return rows


def _find_pairs(line: str) -> dict[str, float]:
    """The named numbers in a line; a split that begins the line goes for all of its metrics."""
    pairs: dict[str, float] = {}
    shared = SHARED.match(line)
    for match in PAIR.finditer(line):
        name = match["name"].strip(" -'’.")
        words = name.split(" - ")[-1].split()
        name = " ".join(words[-3:])
        if words and is_axis(words[-1]):
            name = words[-1].lower()
        value = float(match["value"]) / (100 if match["percent"] else 1)
        if shared and not is_axis(name) and is_curve(name) and not _names_split(name):
            name = f"{shared[1].lower()} {name}"
        pairs.setdefault(name, value)
    return pairs


def _names_split(name: str) -> bool:
    return re.search(r"(?i)\b(train|training|val|valid|validation|eval|test)", name) is not None


def _is_measured(name: str) -> bool:
    return not is_axis(name) and (is_curve(name) or parse_numbered_set(name) is not None)
