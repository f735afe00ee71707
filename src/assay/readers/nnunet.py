"""NnUNet: the text logs of nnU-Net, a block of lines an epoch."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from assay.readers.base import Reader, list_folder
from assay.readers.cells import gather_columns
from assay.readers.columns import read_columns
from assay.readers.history import History
from assay.readers.text import peek_text, read_text

__all__ = ["NnUNet"]

LOG = re.compile(r"training_log_[\d_]+\.txt")
LINE = re.compile(
    r"^\S+ \S+: (?:Epoch (?P<epoch>\d+)|(?P<name>train_loss|val_loss|Pseudo dice) (?P<values>.+))$"
)
NUMBER = re.compile(r"(?<![\w.])-?\d+\.?\d*(?:e-?\d+)?|\bnan\b")


# How nnU-Net smooths the dice by which `checkpoint_best.pth` is chosen.
KEPT = 0.9


@dataclass(frozen=True)
class NnUNet(Reader):
    """nnU-Net: `training_log_<time>.txt`, or the folder of a fold with all of them.

    Epochs are counted from 0. The dice of an epoch is the mean of those of the classes, on the
    validation patches. Its moving average is added: the epoch to keep is chosen by it, as for
    `checkpoint_best.pth`. A run that was started again goes on in a further file.
    """

    name = "nnunet"
    suffixes = (".txt",)

    def matches(self, place: Path) -> bool:
        files = _list_logs(place)
        return bool(files) and any("val_loss" in row for row in _parse_lines(peek_text(files[0])))

    def read(self, place: Path) -> list[History]:
        rows = [row for file in _list_logs(place) for row in _parse_lines(read_text(file))]
        histories = read_columns(
            gather_columns(rows),
            name=place.name if place.is_dir() else place.stem,
            format=self.name,
            source=str(place),
            train="running_mean",
        )
        return [_smooth_dice(history) for history in histories]


def _list_logs(place: Path) -> list[Path]:
    """The logs of a fold, the oldest first; a file alone."""
    if not place.is_dir():
        return [place]
    files = [file for file in list_folder(place).files if LOG.fullmatch(file.name)]
    return sorted(files, key=lambda file: [int(number) for number in re.findall(r"\d+", file.name)])


def _smooth_dice(history: History) -> History:
    dice = history.find("val", "dice")
    if dice is None:
        return history
    smoothed: list[float] = []
    for value in dice.values:
        smoothed.append(KEPT * smoothed[-1] + (1 - KEPT) * value if smoothed else value)
    average = replace(dice, metric="ema_dice", values=tuple(smoothed))
    return replace(history, series=(*history.series, average), monitor="ema_dice")


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
            is_dice = match["name"] == "Pseudo dice"
            known = [n for n in numbers if not is_dice or not math.isnan(n)]
            name = "val_dice" if is_dice else match["name"]
            row[name] = sum(known) / len(known) if known else math.nan
    if len(row) > 1:
        yield row
