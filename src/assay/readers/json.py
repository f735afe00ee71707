"""JSON and JSON lines of a hand-written loop: a list of one object an epoch, with or without a wrapping object."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from assay.errors import SchemaError
from assay.readers.base import Reader, axis_of, load_json
from assay.readers.history import History

__all__ = ["Records"]


@dataclass(frozen=True)
class Records(Reader):
    """A loop of one's own as JSON or JSON Lines: an object of losses and metrics for each epoch.

    [{"epoch": 1, "train_loss": ..., "val_loss": ...}, ...], bare or under any key, or one such object a line.

    Next to the list, a `cfg` or `config` object may state the number of validation rows (`n_val`, `nv`), of classes
    (`n_classes`, `num_classes`) and the `baseline` loss.
    """

    name = "json"
    general = True

    def matches(self, path: Path) -> bool:
        return path.is_file() and load_json(path) is not None

    def read(self, path: Path) -> list[History]:
        value = load_json(path)
        rows = _rows(value)
        if not rows:
            raise SchemaError(
                f'{path}: expected a list of one object an epoch, such as [{{"epoch": 1, "val_loss": 0.5}}], or curves '
                f'by name, such as {{"val_loss": [0.5]}}; found {_shape(value)}'
            )
        names = list(dict.fromkeys(key for row in rows for key in row))
        columns = {key: [row.get(key) for row in rows] for key in names if not _nested(rows, key)}
        axis = axis_of(names)
        history = History.from_columns(
            columns,
            epochs=columns[axis] if axis else None,
            name=path.stem,
            format=self.name,
            source=str(path),
            unit="step" if axis and "step" in axis.lower() else "epoch",
        )
        return [replace(history, **_about_data(value))]


def _rows(value: Any) -> list[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        return next(
            (
                rows
                for inner in value.values()
                if (rows := _rows(inner) if isinstance(inner, list) else [])
            ),
            [],
        )
    if not isinstance(value, list) or not all(isinstance(row, Mapping) for row in value):
        return []
    return [_flat(row) for row in value]


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """{"val": {"loss": 1}} as {"val_loss": 1}."""
    flat: dict[str, Any] = {}
    for key, value in row.items():
        flat |= (
            {f"{key}_{inner}": v for inner, v in value.items()}
            if isinstance(value, Mapping)
            else {key: value}
        )
    return flat


def _nested(rows: list[Mapping[str, Any]], key: str) -> bool:
    return any(isinstance(row.get(key), (list, Mapping)) for row in rows)


def _about_data(value: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if isinstance(value, Mapping):
        config = next(
            (
                c
                for k in ("cfg", "config", "args", "hparams")
                if isinstance(c := value.get(k), Mapping)
            ),
            {},
        )
        wanted = {
            "n_val": ("n_val", "nv", "num_val"),
            "n_classes": ("n_classes", "num_classes", "num_labels"),
        }
        for field, keys in wanted.items():
            number = next((config[k] for k in keys if k in config), None)
            if isinstance(number, int) and number > 0:
                found[field] = number
        if isinstance(config.get("baseline"), float):
            found["baseline"] = config["baseline"]
    return found


def _shape(value: Any) -> str:
    if isinstance(value, Mapping):
        return (
            f"an object with keys {', '.join(map(repr, list(value)[:12]))}"
            if value
            else "an empty object"
        )
    return f"a list of {len(value)} values" if isinstance(value, list) else type(value).__name__
