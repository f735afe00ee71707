"""Keras `History.history` saved as JSON: curves by name, bare or under {"epoch", "history", "params"}."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.readers.base import Reader, load_json
from assay.readers.history import History

__all__ = ["KerasJson"]


@dataclass(frozen=True)
class KerasJson(Reader):
    """Keras `History.history` as JSON: {"loss": [...], "val_loss": [...]}.

    Shorter validation curves are placed as in History.from_keras.
    """

    name = "keras_json"

    def matches(self, path: Path) -> bool:
        value = load_json(path) if path.is_file() else None
        return isinstance(value, Mapping) and _is_curves(value.get("history", value))

    def read(self, path: Path) -> list[History]:
        return [History.from_keras(load_json(path), name=path.stem, source=str(path))]


def _is_curves(value: Any) -> bool:
    """True for an object of lists that hold no objects: {name: [number, ...]}."""
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(
            isinstance(v, list) and not any(isinstance(x, (list, Mapping)) for x in v)
            for v in value.values()
        )
    )
