"""Keras `CSVLogger`: `epoch` counted from 0, bare names for training, `val_` for validation, NA where not measured."""

from dataclasses import dataclass
from pathlib import Path

from assay.readers.base import Reader, load_json, load_table
from assay.readers.history import History

__all__ = ["KerasCsv"]


@dataclass(frozen=True)
class KerasCsv(Reader):
    """Keras `CSVLogger`: epoch,accuracy,loss,val_accuracy,val_loss, epochs counted from 0.

    Training values are means over the epoch while the weights changed.

    Runs appended to one file are told by the epoch going back; the newest values stand.
    """

    name = "keras_csv"

    def matches(self, path: Path) -> bool:
        if not path.is_file() or load_json(path) is not None:
            return False
        header, _ = load_table(path)
        return (
            header[0] == "epoch"
            and "loss" in header
            and not any(c.startswith("train") for c in header)
        )

    def read(self, path: Path) -> list[History]:
        _, columns = load_table(path)
        return [
            History.from_columns(
                columns,
                epochs=columns["epoch"],
                name=path.stem,
                format=self.name,
                source=str(path),
                train="running_mean",
            )
        ]
