"""KerasCsv: Keras `CSVLogger`, bare names for training, `val_` for validation, epochs from 0."""

from dataclasses import dataclass
from pathlib import Path

from assay.readers.base import Reader
from assay.readers.columns import read_columns
from assay.readers.history import History
from assay.readers.text import load_table, peek_header

__all__ = ["KerasCsv"]


@dataclass(frozen=True)
class KerasCsv(Reader):
    """Keras `CSVLogger`: epoch,accuracy,loss,val_accuracy,val_loss, epochs counted from 0.

    Training values are means over the epoch while the weights changed. NA was not measured.

    Where the epoch goes back, a run was appended to the file: another one where the loss begins
    high again, a further fit of the same model where it goes on, whose epochs are numbered on.
    Where it goes back to a later epoch than the first, the newest values stand.
    """

    name = "keras_csv"
    suffixes = (".csv", ".tsv")

    def matches(self, place: Path) -> bool:
        header = peek_header(place)
        if "loss" not in header or header[0] != "epoch":
            return False
        return not any(column.startswith("train") for column in header)

    def read(self, place: Path) -> list[History]:
        _, columns = load_table(place)
        return read_columns(
            columns,
            name=place.stem,
            format=self.name,
            source=str(place),
            train="running_mean",
        )
