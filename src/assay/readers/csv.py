"""Delimited: a loop of one's own as a table, one row an epoch, columns named by content."""

from dataclasses import dataclass
from pathlib import Path

from assay.readers.base import GENERAL, Reader
from assay.readers.history import History
from assay.readers.naming import find_axis, is_curve
from assay.readers.text import load_table, peek_header

__all__ = ["Delimited"]


@dataclass(frozen=True)
class Delimited(Reader):
    """A loop of one's own as CSV: any of loss, train_loss, val_loss, valid_loss, ... by rows.

    Commas, semicolons or tabs separate. An empty cell, NA or null was not measured; nan and inf
    were. fastai's `history.csv` is read too. A table with a truth column `y` is no log.
    """

    name = "csv"
    rank = GENERAL
    suffixes = (".csv", ".tsv")

    def matches(self, place: Path) -> bool:
        header = peek_header(place)
        has_truth = any(column == "y" or column.startswith("y.") for column in header)
        return any(map(is_curve, header)) and not has_truth

    def read(self, place: Path) -> list[History]:
        header, columns = load_table(place)
        axis = find_axis(header)
        return [
            History.from_columns(
                columns,
                epochs=columns[axis] if axis else None,
                name=place.stem,
                format=self.name,
                source=str(place),
                unit="step" if axis and "step" in axis.lower() else "epoch",
            )
        ]
