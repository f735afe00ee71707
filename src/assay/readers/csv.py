"""Plain tables: CSV, TSV or semicolon-separated, one row an epoch, columns named after what they hold."""

from dataclasses import dataclass
from pathlib import Path

from assay.readers.base import Reader, axis_of, load_json, load_table
from assay.readers.history import History

__all__ = ["Delimited"]


@dataclass(frozen=True)
class Delimited(Reader):
    """A loop of one's own as CSV: any of loss, train_loss, val_loss, valid_loss, ... and rows of numbers.

    An empty cell, NA or null was not measured; nan and inf were. fastai's `history.csv` is read too.
    """

    name = "csv"
    general = True

    def matches(self, path: Path) -> bool:
        return path.is_file() and load_json(path) is None

    def read(self, path: Path) -> list[History]:
        header, columns = load_table(path)
        axis = axis_of(header)
        unit = "step" if axis and "step" in axis.lower() else "epoch"
        return [
            History.from_columns(
                columns,
                epochs=columns[axis] if axis else None,
                name=path.stem,
                format=self.name,
                source=str(path),
                unit="step" if unit == "step" else "epoch",
            )
        ]
