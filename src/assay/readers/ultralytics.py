"""Ultralytics: `results.csv` of YOLO trainings, with the fitness by which `best.pt` is chosen."""

from dataclasses import dataclass, replace
from pathlib import Path

from assay.readers.base import Reader
from assay.readers.cells import Numbers, parse_numbers
from assay.readers.columns import read_columns
from assay.readers.history import History
from assay.readers.text import find_file, load_table, peek_header

__all__ = ["Ultralytics"]

TABLE = "results.csv"
# Columns of mAP50 and mAP50-95 in the versions that were seen, and of boxes before masks.
PAIRS = (
    ("metrics/mAP50(B)", "metrics/mAP50-95(B)"),
    ("metrics/mAP_0.5", "metrics/mAP_0.5:0.95"),
)


@dataclass(frozen=True)
class Ultralytics(Reader):
    """`results.csv` of Ultralytics and YOLOv5, or its folder: losses, precision, recall, mAP.

    The loss is the sum of the losses. Fitness, 0.1 mAP50 + 0.9 mAP50-95, is added: the epoch to
    keep is chosen by it, as for `best.pt`.
    """

    name = "ultralytics"
    rank = 1
    suffixes = (".csv",)

    def matches(self, place: Path) -> bool:
        file = find_file(place, TABLE)
        header = peek_header(file) if file else ()
        return any(set(pair) <= set(header) for pair in PAIRS)

    def read(self, place: Path) -> list[History]:
        file = find_file(place, TABLE) or place
        header, columns = load_table(file)
        low, high = next(pair for pair in PAIRS if set(pair) <= set(header))
        map50 = parse_numbers(columns[low], low, str(place))
        map95 = parse_numbers(columns[high], high, str(place))
        fitness = Numbers(0.1 * map50.values + 0.9 * map95.values, map50.measured & map95.measured)
        histories = read_columns(
            {**columns, "val/fitness": fitness},
            name=place.name if place.is_dir() else place.stem,
            format=self.name,
            source=str(file),
            train="running_mean",
        )
        note = f"fitness is 0.1 {low} + 0.9 {high}, as for best.pt"
        return [
            replace(history, monitor="fitness", notes=(*history.notes, note))
            for history in histories
        ]
