"""NnUNet: the text log of nnU-Net, a block of lines an epoch."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from assay.readers.base import Reader
from assay.readers.cells import Cells
from assay.readers.columns import read_columns
from assay.readers.history import History
from assay.readers.text import peek_text, read_text

__all__ = ["NnUNet"]

LINE = re.compile(
    r"^\S+ \S+: (?:Epoch (?P<epoch>\d+)|(?P<name>train_loss|val_loss|Pseudo dice) (?P<values>.+))$"
)
NUMBER = re.compile(r"(?<![\w.])-?\d+\.?\d*(?:e-?\d+)?|\bnan\b")


@dataclass(frozen=True)
class NnUNet(Reader):
    """nnU-Net: `training_log_<time>.txt`; epochs are counted from 0.

    The dice of an epoch is the mean of those of the classes, on the validation patches.
    """

    name = "nnunet"
    suffixes = (".txt",)

    def matches(self, place: Path) -> bool:
        return any("val_loss" in row for row in _parse_lines(peek_text(place)))

    def read(self, place: Path) -> list[History]:
        rows = list(_parse_lines(read_text(place)))
        names = dict.fromkeys(name for row in rows for name in row)
        columns: dict[str, Cells] = {name: [row.get(name) for row in rows] for name in names}
        return read_columns(
            columns, name=place.stem, format=self.name, source=str(place), train="running_mean"
        )


def _parse_lines(text: str) -> Iterator[dict[str, float]]:
    """The numbers of each epoch."""
    row: dict[str, float] = {}
    for line in text.splitlines():
        match = LINE.match(line.rstrip())
        if match is None:
            continue
        if match["epoch"]:
            if len(row) > 1:
                yield row
            row = {"epoch": float(match["epoch"])}
            continue
        numbers = [float(number) for number in NUMBER.findall(match["values"])]
        if numbers and "epoch" in row:
            name = "val_dice" if match["name"] == "Pseudo dice" else match["name"]
            row[name] = sum(numbers) / len(numbers)
    if len(row) > 1:
        yield row
