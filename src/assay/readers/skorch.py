"""skorch `History.to_file`: a list of one object an epoch, with a nested list of batches."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from assay.readers.base import Reader, load_json
from assay.readers.history import History

__all__ = ["Skorch"]


@dataclass(frozen=True)
class Skorch(Reader):
    """skorch `History.to_file`: an object for each epoch with its batches.

    Training values are running means.

    The batches state how many validation rows there were.
    """

    name = "skorch"

    def matches(self, path: Path) -> bool:
        value = load_json(path) if path.is_file() else None
        return (
            isinstance(value, list)
            and bool(value)
            and all(isinstance(e, Mapping) and "batches" in e for e in value)
        )

    def read(self, path: Path) -> list[History]:
        rows = load_json(path)
        names = [key for key in rows[0] if key not in ("batches", "epoch")]
        history = History.from_columns(
            {key: [row.get(key) for row in rows] for key in names},
            epochs=[row.get("epoch") for row in rows],
            name=path.stem,
            format=self.name,
            source=str(path),
            train="running_mean",
        )
        sizes = [
            batch.get("valid_batch_size", 0)
            for batch in rows[0]["batches"]
            if isinstance(batch, Mapping)
        ]
        return [replace(history, n_val=sum(sizes) or None)]
