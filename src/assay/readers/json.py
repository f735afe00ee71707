"""Records: a loop of one's own as JSON or JSON lines, one object an epoch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from assay.readers.base import GENERAL, Reader
from assay.readers.history import History
from assay.readers.naming import find_axis, is_curve
from assay.readers.text import load_json, peek_json

__all__ = ["Records"]

CONFIGURATIONS = ("cfg", "config", "args", "hparams")
COUNTS = {
    "n_val": ("n_val", "nv", "num_val"),
    "n_classes": ("n_classes", "num_classes", "num_labels"),
}

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Records(Reader):
    """A loop of one's own as JSON or JSON Lines: an object of losses and metrics for each epoch.

    [{"epoch": 1, "train_loss": ..., "val_loss": ...}, ...], bare or under any key, or one such
    object a line.

    Next to the list, a `cfg` or `config` object may state the number of validation rows (`n_val`,
    `nv`), of classes (`n_classes`, `num_classes`) and the `baseline` loss.
    """

    name = "json"
    rank = GENERAL
    suffixes = (".json", ".jsonl")

    def matches(self, place: Path) -> bool:
        return any(map(is_curve, _list_columns(_find_rows(peek_json(place)))))

    def read(self, place: Path) -> list[History]:
        value = load_json(place)
        rows = _find_rows(value)
        columns = {key: [row.get(key) for row in rows] for key in _list_columns(rows)}
        axis = find_axis(columns)
        history = History.from_columns(
            columns,
            epochs=columns[axis] if axis else None,
            name=place.stem,
            format=self.name,
            source=str(place),
            unit="step" if axis and "step" in axis.lower() else "epoch",
        )
        return [replace(history, **_read_configuration(value))]


def _find_rows(value: Any) -> list[Record]:
    """The list of objects in `value`, or the first under one of its keys; empty without any."""
    if isinstance(value, Mapping):
        lists = (_find_rows(inner) for inner in value.values() if isinstance(inner, list))
        return next((rows for rows in lists if rows), [])
    if not isinstance(value, list) or not all(isinstance(row, Mapping) for row in value):
        return []
    return [_flatten(row) for row in value]


def _flatten(row: Record) -> dict[str, Any]:
    """{"val": {"loss": 1}} as {"val_loss": 1}."""
    flat: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, Mapping):
            flat |= {f"{key}_{inner}": item for inner, item in value.items()}
        else:
            flat[key] = value
    return flat


def _list_columns(rows: Sequence[Record]) -> list[str]:
    """The keys of all rows that hold plain values alone."""
    names = dict.fromkeys(key for row in rows for key in row)
    return [
        key for key in names if not any(isinstance(row.get(key), list | Mapping) for row in rows)
    ]


def _read_configuration(value: Any) -> dict[str, Any]:
    """What the object next to the rows says about the data: n_val, n_classes and baseline."""
    if not isinstance(value, Mapping):
        return {}
    objects = (value[key] for key in CONFIGURATIONS if isinstance(value.get(key), Mapping))
    configuration: Record = next(objects, {})
    fields: dict[str, Any] = {}
    for field, keys in COUNTS.items():
        number = next((configuration[key] for key in keys if key in configuration), None)
        if isinstance(number, int) and number > 0:
            fields[field] = number
    if isinstance(configuration.get("baseline"), float):
        fields["baseline"] = configuration["baseline"]
    return fields
