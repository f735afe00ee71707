"""Boosting: results of XGBoost, LightGBM and CatBoost saved as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from assay.readers.cells import is_word
from assay.readers.history import History
from assay.readers.naming import SPLITS, infer_direction, parse_curve_name
from assay.readers.values import ValueReader

__all__ = ["Boosting"]

TRAINING = ("train", "training", "learn", "dtrain")

Curves = Mapping[str, list[Any]]


@dataclass(frozen=True)
class Boosting(ValueReader):
    """XGBoost, LightGBM and CatBoost results as JSON: {set: {metric: [one value a round]}}.

    Rounds are counted from 1. Training is the set so named, else the one of the first and the last
    whose losses end lower, as XGBoost and LightGBM number their sets whatever they hold; the last
    of the others is the validation.
    """

    name = "boosting"

    def accepts(self, value: Any) -> bool:
        if not isinstance(value, Mapping) or not value:
            return False
        return all(_holds_curves(curves) for curves in value.values()) and not _holds_runs(value)

    def convert(self, value: Any, *, name: str, source: str | None) -> list[History]:
        sets: dict[str, Curves] = value
        train = _find_training_set(sets)
        val = next((other for other in reversed(sets) if other != train), train)
        columns: dict[str, list[Any]] = {}
        if val is not None and val != train:
            columns |= {f"val_{metric}": curve for metric, curve in sets[val].items()}
        if train is not None:
            columns |= {f"train_{metric}": curve for metric, curve in sets[train].items()}
        kept, notes = _fit_lengths(columns)
        history = History.from_columns(
            kept,
            name=name,
            format=self.name,
            source=source,
            unit="round",
            train="point",
        )
        # Boosting libraries name their losses; a loop of one's own says just loss.
        if all("loss" in curves for curves in sets.values()):
            history = replace(history, unit="epoch")
        if train == "learn":
            notes += (
                "CatBoost logs every metric_period-th round: where that is not 1, give the folder "
                "catboost_info, which numbers them",
            )
        said = _note_sets(list(sets), train, val or "")
        return [replace(history, notes=history.notes + said + notes)]


def _holds_curves(value: Any) -> bool:
    """True for {metric: [number, ...]}."""
    if not isinstance(value, Mapping) or not value:
        return False
    return all(isinstance(curve, list) and not any(map(is_word, curve)) for curve in value.values())


def _holds_runs(value: Mapping[str, Curves]) -> bool:
    """Whether the inner objects are runs with splits of their own, or curves by split."""
    columns = [column for curves in value.values() for column in curves]
    is_by_split = all(column.lower() in SPLITS for column in columns)
    has_splits = any(parse_curve_name(column)[0] == "val" for column in columns)
    return is_by_split or (has_splits and not any(name.lower() in SPLITS for name in value))


def _find_training_set(sets: Mapping[str, Curves]) -> str | None:
    """The set named for training, else the first or last of several whose losses end lower."""
    named = next((name for name in sets if name.lower() in TRAINING), None)
    first = next(iter(sets))
    last = list(sets)[-1]
    if named is not None or first == last:
        return named
    ends = [
        (sets[first][metric][-1], sets[last][metric][-1])
        for metric, curve in sets[first].items()
        if infer_direction(metric) == "lower" and curve and sets[last].get(metric)
    ]
    if ends and all(a < b for a, b in ends):
        return first
    return last if ends and all(a > b for a, b in ends) else None


def _fit_lengths(columns: Curves) -> tuple[dict[str, list[Any]], tuple[str, ...]]:
    """The curves of full length; CatBoost computes some metrics at every k-th round only."""
    longest = max((len(curve) for curve in columns.values()), default=0)
    kept = {name: curve for name, curve in columns.items() if len(curve) == longest}
    shorter = [name for name, curve in columns.items() if 0 < len(curve) < longest]
    if not shorter:
        return kept, ()
    return kept, (
        f"left out, as their rounds cannot be told: {', '.join(shorter)}, which have fewer values "
        f"than the {longest} rounds; give the folder catboost_info",
    )


def _note_sets(sets: list[str], train: str | None, val: str) -> tuple[str, ...]:
    notes = []
    if train is not None and train.lower() not in TRAINING:
        notes.append(
            f"{train} was taken for the training set: it ends lower than {val}, which was taken "
            f"for validation"
        )
    if len(sets) > 2:
        notes.append(f"of the sets {', '.join(sets)}, {val} was taken for validation")
    return tuple(notes)
