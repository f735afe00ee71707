"""Boosting: results of XGBoost, LightGBM and CatBoost saved as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from assay.errors import SchemaError
from assay.readers.base import Reader
from assay.readers.cells import is_word
from assay.readers.history import History
from assay.readers.naming import infer_direction
from assay.readers.text import load_json, peek_json

__all__ = ["Boosting"]

TRAINING = ("train", "training", "learn", "dtrain")

Curves = Mapping[str, list[Any]]


@dataclass(frozen=True)
class Boosting(Reader):
    """XGBoost, LightGBM and CatBoost results as JSON: {set: {metric: [one value a round]}}.

    Rounds are counted from 1. The last set is the validation.

    XGBoost's scikit-learn interface calls its sets validation_0, validation_1, ... even when the
    first is the training set: it is taken for that when it ends lower than the last.
    """

    name = "boosting"
    suffixes = (".json",)

    def matches(self, place: Path) -> bool:
        value = peek_json(place)
        if not isinstance(value, Mapping) or not value:
            return False
        return all(_holds_curves(curves) for curves in value.values())

    def read(self, place: Path) -> list[History]:
        sets: dict[str, Curves] = load_json(place)
        train = _find_training_set(sets)
        val = list(sets)[-1]
        columns: dict[str, list[Any]] = {}
        if val != train:
            columns |= {f"val_{metric}": curve for metric, curve in sets[val].items()}
        if train is not None:
            columns |= {f"train_{metric}": curve for metric, curve in sets[train].items()}
        history = History.from_columns(
            _drop_empty(columns, place),
            name=place.stem,
            format=self.name,
            source=str(place),
            unit="round",
            train="point",
        )
        # Boosting libraries name their losses; a loop of one's own says just loss.
        if all("loss" in curves for curves in sets.values()):
            history = replace(history, unit="epoch")
        return [replace(history, notes=history.notes + _note_sets(list(sets), train, val))]


def _holds_curves(value: Any) -> bool:
    """True for {metric: [number, ...]}."""
    if not isinstance(value, Mapping) or not value:
        return False
    return all(isinstance(curve, list) and not any(map(is_word, curve)) for curve in value.values())


def _find_training_set(sets: Mapping[str, Curves]) -> str | None:
    """The set named for training, else the first of several whose losses all end lower there."""
    named = next((name for name in sets if name.lower() in TRAINING), None)
    first = next(iter(sets))
    last = list(sets)[-1]
    if named is not None or first == last:
        return named
    losses = [
        metric
        for metric, curve in sets[first].items()
        if infer_direction(metric) == "lower" and curve and sets[last].get(metric)
    ]
    ends_lower = all(sets[first][loss][-1] < sets[last][loss][-1] for loss in losses)
    return first if losses and ends_lower else None


def _drop_empty(columns: Curves, place: Path) -> dict[str, list[Any]]:
    """The curves that hold values; CatBoost leaves out those that are slow to compute."""
    longest = max((len(curve) for curve in columns.values()), default=0)
    uneven = [name for name, curve in columns.items() if len(curve) not in (0, longest)]
    if uneven:
        raise SchemaError(
            f"{place}: {uneven[0]} has {len(columns[uneven[0]])} values and other curves "
            f"{longest}; expected one a round"
        )
    return {name: curve for name, curve in columns.items() if curve}


def _note_sets(sets: list[str], train: str | None, val: str) -> tuple[str, ...]:
    notes = []
    if train is not None and train.lower() not in TRAINING:
        notes.append(
            f"{train} was taken for the training set: it comes first and ends lower than {val}"
        )
    if len(sets) > 2:
        notes.append(f"of the sets {', '.join(sets)} the last, {val}, was taken for validation")
    return tuple(notes)
