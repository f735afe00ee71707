"""Base of every fitted fusion: applied to new rows, saved to one file and read back.

>>> from assay.fusions.mean import Mean
>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays([0, 1], {"a.proba": [0.4, 0.8], "b.proba": [0.2, 0.4]})
>>> fitted = Mean().fit(p)
>>> fitted.apply(p)["proba"][:, 1].round(2).tolist(), fitted.importance()
([0.3, 0.6], {'a': 0.5, 'b': 0.5})
"""

import io
import json
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from assay.core.atomic import write_whole
from assay.core.result import to_plain
from assay.errors import ReadError, SchemaError
from assay.kernels import Array
from assay.table.predictions import Predictions
from assay.table.schema import Kind, Schema

__all__ = ["BATCH", "Fitted", "read_parts"]

BATCH = 1 << 16  # rows that are fused at a time
WRITES = "assay.fitted/2"
READS = ("assay.fitted/1", WRITES)
HEADER = "header"  # the array of a file that holds its JSON


@dataclass(frozen=True, kw_only=True)
class Fitted(ABC):
    """Base of every fitted fusion: which models it fuses, how, and what it gives for new rows.

    A subclass writes `combine` and, where it holds more than the fields below, `dump` and `load`.

    Parameters:
        how: Text of the fusion that was fitted, as in "weighted(shrink=1)".
        kind: Kind of output it gives: "proba", "value" or "label".
        schema: Schema of the table it was fitted on: task, classes in order, and the models with
            their kinds.
        notes: What a reader must know beside the numbers; default: nothing.
        gap: Bound on how far the fitted loss lies above its least possible value; default 0
            (nothing was minimised).
    """

    how: str
    kind: Kind
    schema: Schema
    notes: tuple[str, ...] = ()
    gap: float = 0.0

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models fused, in the order of the table the fusion was fitted on."""
        return tuple(self.schema.models)

    @property
    def required_models(self) -> tuple[str, ...]:
        """Names of the models whose columns `apply` reads."""
        return self.models

    @abstractmethod
    def combine(self, batch: Predictions) -> Array:
        """The fused column of one batch, row by row.

        Parameters:
            batch: Some rows of the required models; the classes may be in another order.

        Returns:
            Class probabilities (n, k) in the batch's order of classes, values (n,), or labels (n,).
        """

    def apply(self, predictions: Predictions) -> dict[Kind, Array]:
        """The fused column on the rows of a table; any split of the rows gives the same.

        Parameters:
            predictions: A table of the same task and classes that has the `required_models`.

        Returns:
            The kind with its array, ready for `Predictions.append(name, **fitted.apply(table))`.

        Raises:
            SchemaError: Task or classes differ from those fitted on, or a model is missing.
        """
        self._check(predictions.schema)
        used = predictions.select(self.required_models)
        parts = [self.combine(batch) for batch in used.batches(BATCH)] or [self.combine(used)]
        return {self.kind: parts[0] if len(parts) == 1 else np.concatenate(parts)}

    def importance(self) -> Mapping[str, float] | None:
        """Share of each model, >= 0 and summing to 1; None where there is no such share."""
        return None

    def dump(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """What `load` needs: a header that JSON can hold, and named arrays of numbers."""
        header = {
            "how": self.how,
            "kind": self.kind,
            "task": self.schema.task,
            "classes": list(self.schema.classes),
            "positive": self.schema.positive,
            "models": {name: list(kinds) for name, kinds in self.schema.models.items()},
            "gap": self.gap,
            "notes": list(self.notes),
        }
        return header, {}

    @classmethod
    @abstractmethod
    def load(cls, header: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:
        """The fitted fusion that `dump` described.

        Parameters:
            header: Header of `dump`, as read back from JSON.
            arrays: Arrays of `dump`.
        """

    def save(self, path: str | Path) -> None:
        """Write one file, whole or not at all: JSON, or an .npz archive where there are arrays.

        Parameters:
            path: File to write; `load_fitted` reads it back, whatever its name.
        """
        header, arrays = self.dump()
        text = json.dumps({"schema": WRITES, **to_plain(header)}, indent=2, allow_nan=False) + "\n"
        if not arrays:
            write_whole(path, text)
            return
        archive = io.BytesIO()
        parts: dict[str, Any] = {HEADER: np.frombuffer(text.encode(), np.uint8), **arrays}
        np.savez(archive, **parts)
        write_whole(path, archive.getvalue())

    def _check(self, schema: Schema) -> None:
        own = self.schema
        if schema.task != own.task or set(schema.classes) != set(own.classes):
            raise SchemaError(
                f"the fusion was fitted on a {own.task} table with classes "
                f"{list(own.classes)[:10]}; this one is {schema.task} with "
                f"{list(schema.classes)[:10]}. Apply it to the same classes, or fit it again."
            )
        missing = [name for name in self.required_models if name not in schema.models]
        if missing:
            raise SchemaError(
                f"the fusion needs model {missing[0]!r}, which the table lacks; it has "
                f"{', '.join(schema.models)}. Add that model's column, or fit the fusion again "
                f"without it."
            )


def header_fields(header: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `Fitted` that a `header` of `dump` holds, as arguments of a subclass."""
    kinds = {name: tuple(kinds) for name, kinds in header["models"].items()}
    schema = Schema(header["task"], tuple(header["classes"]), kinds, header["positive"])
    return {
        "how": header["how"],
        "kind": header["kind"],
        "schema": schema,
        "notes": tuple(header["notes"]),
        "gap": float(header["gap"]),
    }


def read_parts(path: str | Path) -> tuple[dict[str, Any], dict[str, Array]]:
    """Header and arrays of the file at `path` that `Fitted.save` wrote; else ReadError."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ReadError(f"{path}: cannot be read ({error.strerror or error})") from error
    try:
        arrays: dict[str, Array] = {}
        if content.startswith(b"PK"):
            with np.load(io.BytesIO(content), allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            content = arrays.pop(HEADER).tobytes()
        header = dict(json.loads(content))
        if header.pop("schema") not in READS:
            raise KeyError("schema")
    except (ValueError, KeyError, TypeError, OSError, zipfile.BadZipFile) as error:
        raise ReadError(
            f"{path}: this is no fitted fusion of schema {WRITES} ({error!r}); write one with "
            f"fuse(...).save(path) or fitted.save(path)"
        ) from error
    return header, arrays
