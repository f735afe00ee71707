"""HuggingFace: `trainer_state.json`, training and evaluation in different records."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from assay.readers.base import Reader
from assay.readers.history import History
from assay.readers.text import find_file, load_json, peek_json

__all__ = ["HuggingFace"]

STATE = "trainer_state.json"


@dataclass(frozen=True)
class HuggingFace(Reader):
    """Hugging Face Trainer: `trainer_state.json`, or the checkpoint folder that holds it.

    Each `loss` is a mean since the record before, so those between two evaluations are averaged.

    The closing `train_loss` is a mean over the whole run and no point of the curve. The number of
    validation rows follows from the evaluation's time and speed. Of the checkpoints of one run the
    last one holds the whole log, so it stands for the run.
    """

    name = "huggingface"
    suffixes = (".json",)

    def matches(self, place: Path) -> bool:
        file = find_file(place, STATE)
        value = peek_json(file) if file else None
        return isinstance(value, Mapping) and isinstance(value.get("log_history"), list)

    def places(self, path: Path) -> Iterator[Path]:
        checkpoints: dict[Path, Path] = {}
        for place in sorted(super().places(path), key=_checkpoint_step):
            checkpoints[place.parent if _checkpoint_step(place) >= 0 else place] = place
        yield from sorted(checkpoints.values())

    def read(self, place: Path) -> list[History]:
        file = find_file(place, STATE) or place
        records = [
            record
            for record in load_json(file)["log_history"]
            if isinstance(record, Mapping) and "train_runtime" not in record
        ]
        is_evaluated = any("eval_loss" in record for record in records)
        rows = _join_evaluations(records) if is_evaluated else records
        names = dict.fromkeys(key for row in rows for key in row if key not in ("step", "epoch"))
        history = History.from_columns(
            {key: [row.get(key) for row in rows] for key in names},
            epochs=[row.get("epoch", row.get("step")) for row in rows],
            name=place.name if place.is_dir() else place.stem,
            format=self.name,
            source=str(file),
            train="window_mean",
        )
        return [replace(history, n_val=_count_validation_rows(records))]


def _checkpoint_step(place: Path) -> int:
    """Number of the step in `checkpoint-500`; -1 for any other name."""
    match = re.fullmatch(r"checkpoint-(\d+)", place.name)
    return int(match[1]) if match else -1


def _join_evaluations(records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row an evaluation, with the mean of the training losses logged since the one before."""
    rows: list[dict[str, Any]] = []
    window: list[float] = []
    for record in records:
        if "loss" in record:
            window.append(float(record["loss"]))
        elif any(key.startswith("eval_") for key in record):
            rows.append({**record, "loss": sum(window) / len(window) if window else None})
            window = []
    return rows


def _count_validation_rows(records: Sequence[Mapping[str, Any]]) -> int | None:
    for record in records:
        if "eval_runtime" in record and "eval_samples_per_second" in record:
            return round(record["eval_runtime"] * record["eval_samples_per_second"]) or None
    return None
