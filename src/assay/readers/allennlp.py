"""AllenNLP: the folder of a run, with `metrics_epoch_<k>.json` for each epoch."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from assay.readers.base import Reader, list_folder
from assay.readers.cells import gather_columns
from assay.readers.columns import read_columns
from assay.readers.history import History
from assay.readers.naming import parse_curve_name
from assay.readers.text import load_json, peek_json

__all__ = ["AllenNLP"]

EPOCH = re.compile(r"metrics_epoch_(\d+)\.json")
SPLITS = ("training_", "validation_")


@dataclass(frozen=True)
class AllenNLP(Reader):
    """AllenNLP: the serialization folder, with `metrics_epoch_<k>.json` for each epoch.

    The epoch to keep is chosen by `validation_metric`, as `best.th` is.
    """

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
        histories = read_columns(
            gather_columns(rows),
            name=place.name,
            format=self.name,
            source=str(place),
            train="running_mean",
        )
        on_disk = {path.name for path in list_folder(place).files}
        kept = tuple(
            (float(row["epoch"]), name)
            for row in rows
            for name in _list_weights(row["epoch"])
            if name in on_disk
        )
        monitor = _find_monitor(place)
        return [replace(history, checkpoints=kept, monitor=monitor) for history in histories]


def _list_weights(epoch: int) -> tuple[str, ...]:
    """What the weights after an `epoch` are called: since version 2 by that which comes next."""
    return f"model_state_e{epoch + 1}_b0.th", f"model_state_epoch_{epoch}.th"


def _find_monitor(place: Path) -> str | None:
    """The metric by which `best.th` is chosen; None where that is the loss."""
    value = peek_json(place / "config.json")
    trainer = value.get("trainer") if isinstance(value, Mapping) else None
    metric = trainer.get("validation_metric") if isinstance(trainer, Mapping) else None
    if not isinstance(metric, str) or metric.strip("+-") == "loss":
        return None
    return parse_curve_name(f"validation_{metric.strip('+-')}")[1]


def _list_epochs(place: Path) -> dict[int, Path]:
    """The files of metrics in a folder by the number of their epoch."""
    matches = {file: EPOCH.fullmatch(file.name) for file in list_folder(place).files}
    return {int(match[1]): file for file, match in matches.items() if match}
