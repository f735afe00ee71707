"""MMEngine: `scalars.json`, rows of training, and of validation by epoch or iteration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.readers.cells import gather_columns
from assay.readers.columns import read_columns
from assay.readers.history import History
from assay.readers.naming import is_ignored
from assay.readers.text import find_file
from assay.readers.values import ValueReader, load_value

__all__ = ["MMEngine"]

SCALARS = "scalars.json"


@dataclass(frozen=True)
class MMEngine(ValueReader):
    """MMEngine (MMDetection and its family): `vis_data/scalars.json`, or the folder `vis_data`.

    A validation row has no epoch: its step is the number of the epoch where training counts epochs,
    else that of the iteration. Its metrics are those of validation.
    """

    name = "mmengine"
    rank = 1

    def matches(self, place: Path) -> bool:
        file = find_file(place, SCALARS)
        return file is not None and super().matches(file)

    def read(self, place: Path) -> list[History]:
        file = find_file(place, SCALARS) or place
        name = place.parent.name if place.name == "vis_data" else place.stem
        return self.convert(load_value(file), name=name, source=str(file))

    def accepts(self, value: Any) -> bool:
        if not isinstance(value, list) or not all(isinstance(row, Mapping) for row in value):
            return False
        rows = [row for row in value if {"step", "data_time", "time"} <= row.keys()]
        return any("iter" in row for row in rows) and len(rows) == len(value)

    def convert(self, value: Any, *, name: str, source: str | None) -> list[History]:
        training = [row for row in value if "iter" in row]
        validation = [row for row in value if "iter" not in row]
        axis = "epoch" if _counts_epochs(training, validation) else "iter"
        rows = [
            {"split": "val" if "iter" not in row else "train", axis: row.get(axis, row["step"])}
            | {key: row[key] for key in row if key not in ("epoch", "iter", "step")}
            for row in value
        ]
        columns = {
            key: cells
            for key, cells in gather_columns(rows).items()
            if key == "split" or not is_ignored(key)
        }
        return read_columns(
            {_name_metric(key): cells for key, cells in columns.items()},
            name=name,
            format=self.name,
            source=source,
            train="window_mean",
        )


def _counts_epochs(
    training: Sequence[Mapping[str, Any]], validation: Sequence[Mapping[str, Any]]
) -> bool:
    """Whether the steps of validation are epochs."""
    epochs = [row["epoch"] for row in training if isinstance(row.get("epoch"), int | float)]
    if len(epochs) < len(training):
        return False
    steps = [row["step"] for row in validation if isinstance(row["step"], int | float)]
    return bool(max(steps, default=0) <= max(epochs))


def _name_metric(key: str) -> str:
    """`accuracy/top1` as `top1`; the folder of a metric only says what evaluated it."""
    folder, _, metric = key.rpartition("/")
    return metric if folder == "accuracy" else key
