"""LightningCsv: Lightning `CSVLogger`, sparse rows, training and validation in different ones."""

from dataclasses import dataclass
from pathlib import Path

from assay.readers.base import Reader
from assay.readers.history import History
from assay.readers.text import find_file, load_table, peek_table

__all__ = ["LightningCsv"]


@dataclass(frozen=True)
class LightningCsv(Reader):
    """Lightning `CSVLogger`: `metrics.csv`, or its folder; rows of one epoch are joined.

    `<name>_epoch` is the mean over the epoch; `<name>_step` is used where nothing else holds that
    metric. Rows of a learning-rate monitor carry no epoch and belong to none.
    """

    name = "lightning"
    suffixes = (".csv",)

    def matches(self, place: Path) -> bool:
        file = find_file(place, "metrics.csv")
        columns = peek_table(file) if file else {}
        return {"epoch", "step"} <= set(columns) and any("" in cells for cells in columns.values())

    def read(self, place: Path) -> list[History]:
        file = find_file(place, "metrics.csv") or place
        _, columns = load_table(file)
        epochs = columns["epoch"]
        # Later columns replace earlier ones of the same plain name, so the best comes last.
        ranked = sorted(columns, key=_rank_column)
        curves = {
            _strip_suffix(column): columns[column]
            for column in ranked
            if column not in ("epoch", "step")
        }
        return [
            History.from_columns(
                curves,
                epochs=[cell or None for cell in epochs],
                name=place.name if place.is_dir() else place.stem,
                format=self.name,
                source=str(file),
                train="running_mean",
            )
        ]


def _rank_column(column: str) -> int:
    """0 for `_step`, 1 for a plain name, 2 for `_epoch`."""
    return 1 - column.endswith("_step") + column.endswith("_epoch")


def _strip_suffix(column: str) -> str:
    return column.removesuffix("_step").removesuffix("_epoch")
