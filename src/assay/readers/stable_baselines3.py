"""StableBaselines3: rewards of an agent, in `progress.csv`, `monitor.csv` or `evaluations.npz`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from assay.errors import SchemaError
from assay.readers.cells import Cells, parse_numbers
from assay.readers.history import History
from assay.readers.text import load_table, peek_header
from assay.readers.values import ValueReader, load_value, peek_value

__all__ = ["StableBaselines3"]

STEPS = "time/total_timesteps"
EVALUATION = "eval/mean_reward"
TRAINING = "rollout/ep_rew_mean"
NOTE = "rewards are judged; the losses of an agent do not say how well it acts"


@dataclass(frozen=True)
class StableBaselines3(ValueReader):
    """stable-baselines3: `progress.csv`, `monitor.csv`, or `evaluations.npz` of the EvalCallback.

    Rewards alone are read, by the number of steps taken in the environment: those of evaluation,
    else those of training. The losses of an agent do not say how well it acts.
    """

    name = "stable_baselines3"
    rank = 1
    suffixes = (".csv", ".npz")

    def accepts(self, value: Any) -> bool:
        return isinstance(value, Mapping) and {"timesteps", "results"} <= value.keys()

    def matches(self, place: Path) -> bool:
        header = peek_header(place)
        if header:
            return header == ("r", "l", "t") or (
                STEPS in header and bool({EVALUATION, TRAINING} & set(header))
            )
        return self.accepts(peek_value(place))

    def read(self, place: Path) -> list[History]:
        if not peek_header(place):
            return self.convert(load_value(place), name=place.stem, source=str(place))
        _, columns = load_table(place)
        rewards = _read_monitor(columns) if "r" in columns else _read_progress(columns)
        return [_make_history(*rewards, place.stem, str(place))]

    def convert(self, value: Any, *, name: str, source: str | None) -> list[History]:
        steps = value["timesteps"]
        means = [float(np.mean(rewards)) for rewards in value["results"]]
        return [_make_history(steps, {"val_mean_reward": means}, name, source)]


def _read_progress(columns: Mapping[str, Cells]) -> tuple[Cells, dict[str, Cells]]:
    names = {EVALUATION: "val_mean_reward", TRAINING: "train_mean_reward"}
    curves = {name: columns[column] for column, name in names.items() if column in columns}
    if "val_mean_reward" not in curves:
        curves = {"val_mean_reward": curves["train_mean_reward"]}
    return columns[STEPS], curves


def _read_monitor(columns: Mapping[str, Cells]) -> tuple[Cells, dict[str, Cells]]:
    """Rewards of the episodes by the steps taken until their ends."""
    lengths = parse_numbers(columns["l"], "l", "monitor.csv").values
    return np.cumsum(lengths).tolist(), {"val_mean_reward": columns["r"]}


def _make_history(
    steps: Cells, curves: Mapping[str, Cells], name: str, source: str | None
) -> History:
    if len(steps) == 0:
        raise SchemaError(f"{source or name}: no episode was logged")
    history = History.from_columns(
        curves,
        epochs=steps,
        name=name,
        format=StableBaselines3.name,
        source=source,
        unit="step",
    )
    return replace(history, notes=(*history.notes, NOTE))
