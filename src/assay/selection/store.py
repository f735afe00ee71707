"""store: what each model said of each fold, kept on disk as it comes, so that an interrupted run can go on.

>>> import tempfile
>>> store = Store(tempfile.mkdtemp())
>>> store.put("ab12", Part("nb", 0, {"label": np.array([1, 0])}, 0.5, 0.1))
>>> store.get("ab12").outputs["label"].tolist(), store.get("cd34")
([1, 0], None)
"""

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from assay.core.atomic import write_whole
from assay.core.result import Result
from assay.core.text import format_number, text_table
from assay.errors import ReadError
from assay.kernels import Array

__all__ = ["Failure", "Part", "Store", "Timing", "Timings", "timings"]

VERSION = 1


@dataclass(frozen=True)
class Part:
    """What one model said of one fold's held-out rows, and how long fitting and predicting took (wall seconds).

    `chosen` holds the parameters that an inner search settled on, as JSON; "" where there was no search.
    """

    model: str
    fold: int
    outputs: Mapping[str, Array]
    fit_seconds: float
    predict_seconds: float
    chosen: str = ""

    @property
    def rows(self) -> int:
        """Number of rows predicted."""
        return len(next(iter(self.outputs.values())))


@dataclass(frozen=True)
class Failure:
    """A (model, fold) that gave an error, in a run that goes on."""

    model: str
    fold: int
    error: str


@dataclass(frozen=True)
class Store:
    """A folder of parts, one Parquet file each, named by the fingerprint of all that the part depends on.

    A part is there as a whole or not at all, and one whose fingerprint is no longer asked for is never read.
    """

    folder: str | os.PathLike[str]

    def path(self, key: str) -> Path:
        """The file of a part."""
        return Path(self.folder) / f"{key}.parquet"

    def get(self, key: str) -> Part | None:
        """The part of that fingerprint; None where there is none that can be read."""
        import pyarrow.parquet as pq

        try:
            table = pq.read_table(self.path(key))
            about = json.loads(table.schema.metadata[b"assay.part"])
        except (OSError, pa.ArrowException, KeyError, TypeError, ValueError):
            return None
        if about.pop("version") != VERSION or about.pop("key") != key:
            return None
        outputs = {
            name: _decoded(table.column(name).combine_chunks()) for name in table.column_names
        }
        return Part(outputs=outputs, **about)

    def put(self, key: str, part: Part) -> None:
        """Keep a part."""
        import pyarrow.parquet as pq

        about = {name: value for name, value in part.__dict__.items() if name != "outputs"}
        told = {"version": VERSION, "key": key, **about}
        table = pa.table({name: _encoded(values) for name, values in part.outputs.items()})
        file = pa.BufferOutputStream()
        pq.write_table(
            table.replace_schema_metadata({b"assay.part": json.dumps(told).encode()}), file
        )
        write_whole(self.path(key), file.getvalue().to_pybytes())

    def finish(self, times: "Timings") -> None:
        """Note the times of a whole run, and what failed, for `timings`."""
        times.to_json(Path(self.folder) / "timings.json")


def _encoded(values: Array) -> pa.Array:
    """One Arrow column of an array (n,) or (n, k)."""
    if values.ndim == 1:
        return pa.array(values)
    return pa.FixedSizeListArray.from_arrays(
        pa.array(np.ascontiguousarray(values).reshape(-1)), values.shape[1]
    )


def _decoded(column: pa.Array) -> Array:
    if pa.types.is_fixed_size_list(column.type):
        flat: Array = column.flatten().to_numpy(zero_copy_only=False)
        return flat.reshape(len(column), column.type.list_size)
    values: Array = column.to_numpy(zero_copy_only=False)
    return values


@dataclass(frozen=True)
class Timing:
    """Wall seconds of one model in one fold; `rows` is the number of rows predicted.

    Where it failed `error` says how, seconds are nan and rows 0.
    """

    model: str
    fold: int
    fit_seconds: float
    predict_seconds: float
    rows: int
    error: str = ""


@dataclass(frozen=True, repr=False)
class Timings(Result):
    """How long each model took to fit and to predict, in each fold of a finished run, and what failed.

    Times are as the clock on the wall showed them while other fits ran beside, if they did; a part that was kept from
    an earlier run has the times of that run.
    """

    schema_name: ClassVar[str] = "assay.timings/1"
    drawn_by: ClassVar[str] = "timings"

    rows: tuple[Timing, ...]

    @staticmethod
    def of(parts: Iterable[Part], failures: Iterable[Failure] = ()) -> "Timings":
        """The times of parts, and what failed."""
        ran = [Timing(p.model, p.fold, p.fit_seconds, p.predict_seconds, p.rows) for p in parts]
        return Timings(
            (*ran, *(Timing(f.model, f.fold, math.nan, math.nan, 0, f.error) for f in failures))
        )

    @property
    def failed(self) -> dict[str, str]:
        """The models that failed, with the error of their first failing fold, and in how many more."""
        errors: dict[str, list[str]] = {}
        for row in sorted((row for row in self.rows if row.error), key=lambda row: row.fold):
            errors.setdefault(row.model, []).append(row.error)
        return {model: _first_of(found) for model, found in errors.items()}

    @property
    def models(self) -> list[str]:
        """Names of the models that did not fail, in the order of the run."""
        return list(dict.fromkeys(row.model for row in self.rows if row.model not in self.failed))

    @property
    def fit(self) -> dict[str, float]:
        """Mean seconds to fit, of each model."""
        return {
            m: float(np.mean([r.fit_seconds for r in self.rows if r.model == m]))
            for m in self.models
        }

    @property
    def predict(self) -> dict[str, float]:
        """Seconds to predict a thousand rows, of each model."""
        of = {m: [r for r in self.rows if r.model == m] for m in self.models}
        return {
            m: 1000 * sum(r.predict_seconds for r in rows) / max(sum(r.rows for r in rows), 1)
            for m, rows in of.items()
        }

    @property
    def records(self) -> list[dict[str, Any]]:
        return [dict(row.__dict__) for row in self.rows]

    def to_dict(self) -> dict[str, Any]:
        return {"rows": self.records}

    def __repr__(self) -> str:
        body = [
            [m, format_number(self.fit[m]), format_number(self.predict[m])] for m in self.models
        ]
        body += [[m, "failed", error] for m, error in self.failed.items()]
        return text_table(["model", "seconds a fit", "seconds to predict 1,000 rows"], body)


def _first_of(errors: Sequence[str]) -> str:
    """The first error, and how many more there are."""
    more = (
        f" (and in {len(errors) - 1} more fold{'s'[: len(errors) != 2]})" if len(errors) > 1 else ""
    )
    return f"{errors[0]}{more}"


def _timing(told: dict[str, Any]) -> Timing:
    """A row as JSON told it, where nan is null."""
    row: dict[str, Any] = {
        name: math.nan if value is None else value for name, value in told.items()
    }
    return Timing(**row)


def timings(store: str | os.PathLike[str]) -> Timings:
    """The times of the last finished run of `cross_validate(..., store=...)` in that folder.

    Raises ReadError where no run was finished there.
    """
    path = Path(store) / "timings.json"
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
        return Timings(tuple(map(_timing, rows)))
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ReadError(
            f"{path}: no times of a finished run are here ({error}); run cross_validate(..., store={str(store)!r})"
        ) from error
