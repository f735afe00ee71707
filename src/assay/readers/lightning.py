"""Lightning `CSVLogger`: `metrics.csv`, sparse rows, validation and training of one epoch in different rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from assay.readers.base import Reader, load_json, load_table, named_file
from assay.readers.history import Cell, History

__all__ = ["LightningCsv"]


@dataclass(frozen=True)
class LightningCsv(Reader):
    """Lightning `CSVLogger`: `metrics.csv`, or the folder that holds it; rows of one epoch are joined.

    `<name>_epoch` is the mean over the epoch; `<name>_step` is used where nothing else holds that metric.
    """

    name = "lightning"

    def matches(self, path: Path) -> bool:
        file = named_file(path, "metrics.csv")
        if file is None or load_json(file) is not None:
            return False
        header, columns = load_table(file)
        return {"epoch", "step"} <= set(header) and any("" in columns[c] for c in header)

    def read(self, path: Path) -> list[History]:
        file = named_file(path, "metrics.csv") or path
        header, columns = load_table(file)
        measured = {
            _plain(column): columns[column]
            for column in sorted(header, key=_preference)
            if column != "step"
        }
        epochs = measured.pop("epoch")
        name = path.name if path.is_dir() else path.stem
        return [
            History.from_columns(
                measured,
                epochs=_filled(epochs),
                name=name,
                format=self.name,
                source=str(file),
                train="running_mean",
            )
        ]


def _preference(column: str) -> int:
    """Later columns replace earlier ones of the same plain name, so the best comes last."""
    return 0 if column.endswith("_step") else 2 if column.endswith("_epoch") else 1


def _plain(column: str) -> str:
    return column if column == "epoch" else column.removesuffix("_step").removesuffix("_epoch")


def _filled(epochs: Sequence[Cell]) -> list[Cell]:
    """Rows of a learning-rate monitor carry no epoch: they belong to none."""
    return [cell or None for cell in epochs]
