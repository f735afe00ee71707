"""KerasJson: Keras `History.history` as JSON, bare or under {"epoch", "history", "params"}."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.readers.base import Reader
from assay.readers.history import History
from assay.readers.naming import is_curve
from assay.readers.text import load_json, peek_json

__all__ = ["KerasJson"]


@dataclass(frozen=True)
class KerasJson(Reader):
    """Keras `History.history` as JSON: {"loss": [...], "val_loss": [...]}.

    Shorter validation curves are placed as in History.from_keras.
    """

    name = "keras_json"
    suffixes = (".json",)

    def matches(self, place: Path) -> bool:
        value = peek_json(place)
        return isinstance(value, Mapping) and _holds_curves(value.get("history", value))

    def read(self, place: Path) -> list[History]:
        return [History.from_keras(load_json(place), name=place.stem, source=str(place))]


def _holds_curves(value: Any) -> bool:
    """True for {name: [number, ...]} with a curve among the names."""
    if not isinstance(value, Mapping) or not any(map(is_curve, value)):
        return False
    return all(
        isinstance(curve, list) and not any(isinstance(cell, list | Mapping) for cell in curve)
        for curve in value.values()
    )
