"""KerasJson: Keras `History.history` as JSON, bare or under {"epoch", "history", "params"}."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assay.readers.history import History
from assay.readers.naming import is_curve
from assay.readers.values import ValueReader

__all__ = ["KerasJson"]


@dataclass(frozen=True)
class KerasJson(ValueReader):
    """Keras `History.history` as JSON or a pickle: {"loss": [...], "val_loss": [...]}.

    Shorter validation curves are placed as in History.from_keras.
    """

    name = "keras_json"

    def accepts(self, value: Any) -> bool:
        return isinstance(value, Mapping) and _holds_curves(value.get("history", value))

    def convert(self, value: Any, *, name: str, source: str | None) -> list[History]:
        return [History.from_keras(value, name=name, source=source)]


def _holds_curves(value: Any) -> bool:
    """True for {name: [number, ...]} with a curve among the names."""
    if not isinstance(value, Mapping) or not any(map(is_curve, value)):
        return False
    return all(
        isinstance(curve, list) and not any(isinstance(cell, list | Mapping) for cell in curve)
        for curve in value.values()
    )
