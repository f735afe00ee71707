"""Skorch: `History.to_file`, a list of one object an epoch with a nested list of batches."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from assay.readers.history import History
from assay.readers.values import ValueReader

__all__ = ["Skorch"]


@dataclass(frozen=True)
class Skorch(ValueReader):
    """skorch `History.to_file`: an object for each epoch with its batches.

    Training values are running means.

    The batches state how many validation rows there were.
    """

    name = "skorch"

    def accepts(self, value: Any) -> bool:
        if not isinstance(value, list) or not value:
            return False
        return all(
            isinstance(epoch, Mapping) and isinstance(epoch.get("batches"), list) for epoch in value
        )

    def convert(self, value: Any, *, name: str, source: str | None) -> list[History]:
        rows = value
        names = [key for key in rows[0] if key not in ("batches", "epoch")]
        history = History.from_columns(
            {key: [row.get(key) for row in rows] for key in names},
            epochs=[row.get("epoch") for row in rows],
            name=name,
            format=self.name,
            source=source,
            train="running_mean",
        )
        sizes = [
            batch["valid_batch_size"]
            for batch in rows[0]["batches"]
            if isinstance(batch, Mapping) and isinstance(batch.get("valid_batch_size"), int)
        ]
        return [replace(history, n_val=sum(sizes) or None)]
