"""Hugging Face `Trainer`: `trainer_state.json`, whose log holds training and evaluation in different records."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from assay.readers.base import Reader, load_json, named_file
from assay.readers.history import History

__all__ = ["HuggingFace"]


@dataclass(frozen=True)
class HuggingFace(Reader):
    """Hugging Face Trainer: `trainer_state.json`, or the checkpoint folder that holds it.

    Each `loss` is a mean since the record before, so those between two evaluations are averaged.

    The closing `train_loss` is a mean over the whole run and no point of the curve. The number of validation rows
    follows from the evaluation's time and speed.
    """

    name = "huggingface"

    def matches(self, path: Path) -> bool:
        file = named_file(path, "trainer_state.json")
        value = load_json(file) if file else None
        return isinstance(value, Mapping) and isinstance(value.get("log_history"), list)

    def read(self, path: Path) -> list[History]:
        file = named_file(path, "trainer_state.json") or path
        records = [
            r
            for r in load_json(file)["log_history"]
            if isinstance(r, Mapping) and "train_runtime" not in r
        ]
        rows = _at_evaluations(records) if any("eval_loss" in r for r in records) else records
        names = list(
            dict.fromkeys(key for row in rows for key in row if key not in ("step", "epoch"))
        )
        columns = {key: [row.get(key) for row in rows] for key in names}
        history = History.from_columns(
            columns,
            epochs=[row.get("epoch", row.get("step")) for row in rows],
            name=path.name if path.is_dir() else path.stem,
            format=self.name,
            source=str(file),
            train="window_mean",
        )
        return [replace(history, n_val=_validation_rows(records))]


def _at_evaluations(records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
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


def _validation_rows(records: Sequence[Mapping[str, Any]]) -> int | None:
    for record in records:
        if "eval_runtime" in record and "eval_samples_per_second" in record:
            return round(record["eval_runtime"] * record["eval_samples_per_second"]) or None
    return None
