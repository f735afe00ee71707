"""AllenNLP: the folder of a run, with `metrics_epoch_<k>.json` for each epoch."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from assay.readers.base import Reader, list_folder
from assay.readers.columns import read_columns
from assay.readers.history import History
from assay.readers.text import load_json, peek_json

__all__ = ["AllenNLP"]

EPOCH = re.compile(r"metrics_epoch_(\d+)\.json")
SPLITS = ("training_", "validation_")


@dataclass(frozen=True)
class AllenNLP(Reader):
    """AllenNLP: the serialization folder, with `metrics_epoch_<k>.json` for each epoch."""

    name = "allennlp"

    def matches(self, place: Path) -> bool:
        files = _list_epochs(place)
        value = peek_json(files[min(files)]) if files else None
        return isinstance(value, Mapping) and any(str(key).startswith(SPLITS) for key in value)

    def read(self, place: Path) -> list[History]:
        rows: list[dict[str, Any]] = []
        for epoch, file in sorted(_list_epochs(place).items()):
            value = load_json(file)
            values = value if isinstance(value, Mapping) else {}
            numbers = {k: v for k, v in values.items() if isinstance(v, int | float)}
            rows.append({"epoch": epoch} | {k: numbers[k] for k in numbers if k.startswith(SPLITS)})
        names = dict.fromkeys(name for row in rows for name in row)
        histories = read_columns(
            {name: [row.get(name) for row in rows] for name in names},
            name=place.name,
            format=self.name,
            source=str(place),
            train="running_mean",
        )
        saved = tuple((float(row["epoch"]), f"model_state_epoch_{row['epoch']}.th") for row in rows)
        on_disk = {path.name for path in list_folder(place).files}
        kept = tuple(pair for pair in saved if pair[1] in on_disk)
        return [replace(history, checkpoints=kept) for history in histories]


def _list_epochs(place: Path) -> dict[int, Path]:
    """The files of metrics in a folder by the number of their epoch."""
    matches = {file: EPOCH.fullmatch(file.name) for file in list_folder(place).files}
    return {int(match[1]): file for file, match in matches.items() if match}
