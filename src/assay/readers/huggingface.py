"""HuggingFace: `trainer_state.json`, training and evaluation in different records."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from assay.readers.base import list_folder
from assay.readers.cells import parse_number
from assay.readers.history import History, Pairs
from assay.readers.naming import parse_curve_name
from assay.readers.text import find_file
from assay.readers.values import ValueReader, load_value

__all__ = ["HuggingFace"]

STATE = "trainer_state.json"
TOKENS = ("num_input_tokens_seen", "num_tokens")  # of the Trainer, and of TRL
SET_LOSS = re.compile(r"eval_.+_loss")


@dataclass(frozen=True)
class HuggingFace(ValueReader):
    """Hugging Face Trainer: `trainer_state.json`, the checkpoint or run folder that holds it.

    Each `loss` is a mean since the record before, so those between two evaluations are averaged.

    The closing `train_loss` is a mean over the whole run and no point of the curve. The number of
    validation rows follows from the evaluation's time and speed. An evaluation at a step that was
    evaluated before does not replace it. Of the checkpoints of one run the
    last one holds the whole log, so it stands for the run. A list of records alone is read too.
    """

    name = "huggingface"

    def accepts(self, value: Any) -> bool:
        if isinstance(value, list):
            return _holds_records(value)
        return isinstance(value, Mapping) and isinstance(value.get("log_history"), list)

    def matches(self, place: Path) -> bool:
        file = find_file(place, STATE)
        return file is not None and super().matches(file)

    def places(self, path: Path) -> Iterator[Path]:
        checkpoints: dict[Path, Path] = {}
        for place in sorted(super().places(path), key=_checkpoint_step):
            checkpoints[place.parent if _checkpoint_step(place) >= 0 else place] = place
        yield from sorted(checkpoints.values())

    def list_copies(self, place: Path) -> list[Path]:
        return [_find_run(place) / "runs"]  # of TensorBoard

    def read(self, place: Path) -> list[History]:
        file = find_file(place, STATE) or place
        name = place.name if place.is_dir() else place.stem
        (history,) = self.convert(load_value(file), name=name, source=str(file))
        saved = _list_checkpoints(file.parent)
        if not saved:
            return [history]
        kept = tuple(pair for pair in history.checkpoints if pair[1] in saved)
        return [replace(history, checkpoints=kept)]

    def convert(self, value: Any, *, name: str, source: str | None) -> list[History]:
        state = value if isinstance(value, Mapping) else {"log_history": value}
        records = [
            _restore_nan(record)
            for record in state["log_history"]
            if isinstance(record, Mapping) and not _is_closing(record)
        ]
        records, notes = _choose_set(records)
        is_evaluated = any("eval_loss" in record for record in records)
        rows = _join_evaluations(records, source or name) if is_evaluated else records
        names = dict.fromkeys(key for row in rows for key in row if key not in ("step", "epoch"))
        history = History.from_columns(
            {key: [row.get(key) for row in rows] for key in names},
            epochs=[row.get("epoch", row.get("step")) for row in rows],
            name=name,
            format=self.name,
            source=source,
            train="window_mean",
        )
        return [
            replace(
                history,
                n_val=_count_validation_rows(records),
                monitor=_find_monitor(state, records),
                checkpoints=tuple((e, f"checkpoint-{step:g}") for e, step in _pair(rows, "step")),
                steps=_pair(rows, "step"),
                tokens=next(filter(None, (_pair(rows, key) for key in TOKENS)), ()),
                notes=history.notes + notes,
            )
        ]


def _is_closing(record: Mapping[str, Any]) -> bool:
    """Whether a record sums up the run; with token counts on, each loss has a run time, too."""
    return "train_runtime" in record and "loss" not in record


def _holds_records(value: list[Any]) -> bool:
    """Whether a list is the `log_history` of a Trainer."""
    if not value or not all(isinstance(record, Mapping) for record in value):
        return False
    return all("epoch" in record and "step" in record for record in value) and any(
        "eval_runtime" in record or {"loss", "learning_rate"} <= record.keys() for record in value
    )


def _list_checkpoints(folder: Path) -> set[str]:
    """Names of the checkpoints of the run whose state lies in `folder`."""
    run = _find_run(folder)
    return {path.name for path in list_folder(run).folders if _checkpoint_step(path) >= 0}


def _find_run(folder: Path) -> Path:
    """The folder of the run that a checkpoint belongs to."""
    return folder.parent if _checkpoint_step(folder) >= 0 else folder


def _pair(rows: Sequence[Mapping[str, Any]], key: str) -> Pairs:
    """The epoch of each row that has one, with the number under `key`."""
    return tuple(
        (float(row["epoch"]), float(row[key]))
        for row in rows
        if isinstance(row.get("epoch"), int | float) and isinstance(row.get(key), int | float)
    )


def _restore_nan(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """The Trainer logs a loss that is nan as 0.0; the norm of its gradient stays nan."""
    norm = record.get("grad_norm")
    if "loss" in record and isinstance(norm, float) and not math.isfinite(norm):
        return {**record, "loss": math.nan}
    return record


def _choose_set(
    records: Sequence[Mapping[str, Any]],
) -> tuple[list[Mapping[str, Any]], tuple[str, ...]]:
    """The records with the loss of the first of several evaluation sets as `eval_loss`, and a note.

    The Trainer names the metrics of several sets `eval_<set>_loss`, each in a record of its own.
    """
    losses = list(
        dict.fromkeys(key for record in records for key in record if SET_LOSS.fullmatch(key))
    )
    if not losses or any("eval_loss" in record for record in records):
        return list(records), ()
    first = losses[0].removesuffix("loss")
    renamed: list[Mapping[str, Any]] = [
        {key.replace(first, "eval_", 1): value for key, value in record.items()}
        for record in records
    ]
    sets = ", ".join(loss.removeprefix("eval_").removesuffix("_loss") for loss in losses)
    return renamed, (f"of the evaluation sets {sets} the loss of the first is judged",)


def _find_monitor(state: Mapping[str, Any], records: Sequence[Mapping[str, Any]]) -> str | None:
    """The metric whose value at the step of the best checkpoint is the best metric."""
    best = state.get("best_metric")
    if not isinstance(best, int | float):
        return None
    matching = [
        key.removeprefix("eval_")
        for record in records
        for key, value in record.items()
        if key.startswith("eval_") and value == best
        if state.get("best_global_step") in (None, record.get("step"))
    ]
    return parse_curve_name(f"eval_{matching[0]}")[1] if matching else None


def _checkpoint_step(place: Path) -> int:
    """Number of the step in `checkpoint-500`; -1 for any other name."""
    match = re.fullmatch(r"checkpoint-(\d+)", place.name)
    return int(match[1]) if match else -1


def _join_evaluations(records: Sequence[Mapping[str, Any]], where: str) -> list[dict[str, Any]]:
    """One row an evaluation, with the mean of the training losses logged since the one before."""
    rows: list[dict[str, Any]] = []
    window: list[float] = []
    rate = None
    for record in records:
        rate = record.get("learning_rate", rate)
        if "loss" in record:
            loss = parse_number(record["loss"], "loss", len(rows) + 1, where)
            window.append(math.nan if loss is None else loss)
        elif any(key.startswith("eval_") for key in record):
            last = rows[-1] if rows else {}
            if "step" in record and last.get("step") == record["step"]:
                # Further sets of one evaluation, or the best weights evaluated after training.
                rows[-1] = {**record, **last}
                continue
            loss = sum(window) / len(window) if window else None
            rows.append({"learning_rate": rate, **record, "loss": loss})
            window = []
    return rows


def _count_validation_rows(records: Sequence[Mapping[str, Any]]) -> int | None:
    for record in records:
        if "eval_runtime" in record and "eval_samples_per_second" in record:
            return round(record["eval_runtime"] * record["eval_samples_per_second"]) or None
    return None
