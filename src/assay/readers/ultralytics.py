"""Ultralytics: `results.csv` of YOLO trainings, with the fitness by which `best.pt` is chosen."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from assay.readers.base import Reader
from assay.readers.cells import Numbers, parse_numbers
from assay.readers.columns import read_columns
from assay.readers.history import History
from assay.readers.text import find_file, load_table, peek_header

__all__ = ["Ultralytics"]

TABLE = "results.csv"
# Columns whose weighted sum is the fitness, the first set that the table has. Ultralytics 8.3.200
# and newer choose `best.pt` by mAP50-95 alone, as 8.3.193 did not; YOLOv5 keeps the old weights.
FITNESS: tuple[dict[str, float], ...] = (
    {"metrics/mAP50-95(B)": 1.0, "metrics/mAP50-95(M)": 1.0},
    {"metrics/mAP50-95(B)": 1.0, "metrics/mAP50-95(P)": 1.0},
    {"metrics/mAP50-95(B)": 1.0},
    {"metrics/mAP_0.5": 0.1, "metrics/mAP_0.5:0.95": 0.9},
    {"metrics/accuracy_top1": 0.5, "metrics/accuracy_top5": 0.5},
)
OLD = "; before 8.3.200 it was 0.1 mAP50 + 0.9 mAP50-95"


@dataclass(frozen=True)
class Ultralytics(Reader):
    """`results.csv` of Ultralytics and YOLOv5, or its folder: losses, precision, recall, mAP.

    The loss is the sum of the losses. Fitness is added, by which `best.pt` is chosen: mAP50-95,
    of boxes and of masks or poses together; of YOLOv5 0.1 mAP50 + 0.9 mAP50-95; of a
    classification the mean of top-1 and top-5 accuracy.
    """

    name = "ultralytics"
    rank = 1
    suffixes = (".csv",)

    def matches(self, place: Path) -> bool:
        file = find_file(place, TABLE)
        return file is not None and _find_weights(peek_header(file)) is not None

    def read(self, place: Path) -> list[History]:
        file = find_file(place, TABLE) or place
        header, columns = load_table(file)
        weights = _find_weights(header) or {}
        parts = [parse_numbers(columns[name], name, str(place)) for name in weights]
        fitness = Numbers(
            np.sum(
                [w * part.values for w, part in zip(weights.values(), parts, strict=True)], axis=0
            ),
            np.logical_and.reduce([part.measured for part in parts]),
        )
        histories = read_columns(
            {**columns, "val/fitness": fitness},
            name=place.name if place.is_dir() else place.stem,
            format=self.name,
            source=str(file),
            train="running_mean",
        )
        said = " + ".join(name if w == 1 else f"{w:g} {name}" for name, w in weights.items())
        old = OLD if "metrics/mAP50-95(B)" in weights else ""
        note = f"fitness is {said}, as for best.pt{old}"
        return [
            replace(history, monitor="fitness", notes=(*history.notes, note))
            for history in histories
        ]


def _find_weights(header: Sequence[str]) -> dict[str, float] | None:
    """The columns of the fitness with their weights; None where the table has none."""
    return next((weights for weights in FITNESS if set(weights) <= set(header)), None)
