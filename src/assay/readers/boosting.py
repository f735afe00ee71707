"""XGBoost, LightGBM and CatBoost evaluation results saved as JSON: {set: {metric: [one value a round]}}."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from assay.errors import SchemaError
from assay.readers.base import Reader, load_json
from assay.readers.history import History
from assay.readers.naming import better_of

__all__ = ["Boosting"]

TRAINING = ("train", "training", "learn", "dtrain")


@dataclass(frozen=True)
class Boosting(Reader):
    """XGBoost, LightGBM and CatBoost results as JSON ({set: {metric: [...]}}), rounds counted from 1.

    The last set is the validation.

    XGBoost's scikit-learn interface calls its sets validation_0, validation_1, ... even when the first is the
    training set: it is taken for that when it ends lower than the last.
    """

    name = "boosting"

    def matches(self, path: Path) -> bool:
        value = load_json(path) if path.is_file() else None
        return (
            isinstance(value, Mapping)
            and bool(value)
            and all(_is_curves(inner) for inner in value.values())
        )

    def read(self, path: Path) -> list[History]:
        sets: dict[str, dict[str, list[Any]]] = load_json(path)
        train, val = _training_set(sets), list(sets)[-1]
        columns = (
            {f"val_{metric}": curve for metric, curve in sets[val].items()} if val != train else {}
        )
        if train is not None:
            columns |= {f"train_{metric}": curve for metric, curve in sets[train].items()}
        history = History.from_columns(
            _padded(columns, path),
            name=path.stem,
            format=self.name,
            source=str(path),
            unit="round",
            train="point",
        )
        if all("loss" in curves for curves in sets.values()):
            history = replace(
                history, unit="epoch"
            )  # boosting libraries name their losses; a loop says just loss
        return [replace(history, notes=history.notes + _notes(list(sets), train, val))]


def _is_curves(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(isinstance(v, list) for v in value.values())
    )


def _training_set(sets: Mapping[str, Mapping[str, list[Any]]]) -> str | None:
    """The set named for training, else the first of several when all its lower-is-better metrics end lower."""
    named = next((name for name in sets if name.lower() in TRAINING), None)
    first, *_, last = [*sets, list(sets)[-1]]
    if named is not None or first == last:
        return named
    shared = [
        m
        for m in sets[first]
        if m in sets[last] and better_of(m) == "lower" and sets[first][m] and sets[last][m]
    ]
    return first if shared and all(sets[first][m][-1] < sets[last][m][-1] for m in shared) else None


def _padded(columns: Mapping[str, list[Any]], path: Path) -> dict[str, list[Any]]:
    """CatBoost leaves out the training curve of metrics that are slow to compute."""
    longest = max((len(curve) for curve in columns.values()), default=0)
    wrong = [name for name, curve in columns.items() if len(curve) not in (0, longest)]
    if wrong:
        raise SchemaError(
            f"{path}: {wrong[0]} has {len(columns[wrong[0]])} values and other curves {longest}; expected one a round"
        )
    return {name: curve for name, curve in columns.items() if curve}


def _notes(sets: list[str], train: str | None, val: str) -> tuple[str, ...]:
    notes = []
    if train is not None and train.lower() not in TRAINING:
        notes.append(
            f"{train} was taken for the training set: it comes first and ends lower than {val}"
        )
    if len(sets) > 2:
        notes.append(f"of the sets {', '.join(sets)} the last, {val}, was taken for validation")
    return tuple(notes)
