"""Fastai: the file of its `CSVLogger`, where metrics without a split are those of validation."""

from dataclasses import dataclass
from pathlib import Path

from assay.readers.base import Reader
from assay.readers.columns import read_columns
from assay.readers.history import History
from assay.readers.text import load_table, peek_header

__all__ = ["Fastai"]

FIRST = ("epoch", "train_loss", "valid_loss")


@dataclass(frozen=True)
class Fastai(Reader):
    """fastai `CSVLogger`: epoch,train_loss,valid_loss,<metrics>,time; epochs are counted from 0.

    All metrics are of the validation rows. The training loss is a smoothed one.
    """

    name = "fastai"
    suffixes = (".csv",)

    def matches(self, place: Path) -> bool:
        header = peek_header(place)
        return header[: len(FIRST)] == FIRST and header[-1] == "time"

    def read(self, place: Path) -> list[History]:
        header, columns = load_table(place)
        named = {
            name if name in FIRST else f"val_{name}": columns[name]
            for name in header
            if name != "time"
        }
        return read_columns(
            named, name=place.stem, format=self.name, source=str(place), train="running_mean"
        )
