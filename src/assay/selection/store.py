"""store: the output of each model in each fold on disk, so that an interrupted run can go on.

>>> import tempfile
>>> store = Store(tempfile.mkdtemp())
>>> store.put("ab12", FoldOutput("nb", 0, {"label": np.array([1, 0])}, 0.5, 0.1))
>>> store.get("ab12").outputs["label"].tolist(), store.get("cd34")
([1, 0], None)
"""

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import pyarrow as pa

from assay.core.atomic import write_whole
from assay.core.result import Result
from assay.core.text import TextTable, format_number
from assay.errors import ReadError
from assay.kernels import Array
from assay.readers.history import History
from assay.readers.series import Series

__all__ = ["Failure", "FoldOutput", "Store", "Timing", "Timings", "histories", "timings"]

VERSION = 2


@dataclass(frozen=True)
class FoldOutput:
    """What one model predicts for one fold's held-out rows, and how long that took (wall seconds).

    `outputs` holds arrays by kind, `training` those of the rows that it was fitted on, where they
    were asked for; `parameters` those that an inner search settled on, as JSON, ""
    where there was no search; `history` that of its training, None where the model kept none.
    """

    model: str
    fold: int
    outputs: Mapping[str, Array]
    fit_seconds: float
    predict_seconds: float
    parameters: str = ""
    training: Mapping[str, Array] = field(default_factory=dict)
    history: History | None = None

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
    """A folder of outputs, one Parquet file each, named by a fingerprint of what they depend on.

    An output is there as a whole or not at all. One whose fingerprint is no longer asked for is
    never read.
    """

    folder: str | os.PathLike[str]

    def path(self, key: str) -> Path:
        """The file of the output with the fingerprint `key`."""
        return Path(self.folder) / f"{key}.parquet"

    def get(self, key: str) -> FoldOutput | None:
        """The output with the fingerprint `key`; None where there is none that can be read."""
        import pyarrow.parquet as pq

        try:
            table = pq.read_table(self.path(key))
            about = json.loads(table.schema.metadata[b"assay.part"])
        except (OSError, pa.ArrowException, KeyError, TypeError, ValueError):
            return None
        if about.pop("version") != VERSION or about.pop("key") != key:
            return None
        history = _load_history(about.pop("history", None))
        outputs = {
            name: _decode(table.column(name).combine_chunks()) for name in table.column_names
        }
        return FoldOutput(outputs=outputs, history=history, **about)

    def put(self, key: str, output: FoldOutput) -> None:
        """Keep `output` under the fingerprint `key`."""
        import pyarrow.parquet as pq

        if output.training:
            inner = replace(output, outputs=output.training, training={}, history=None)
            self.put(f"{key}-training", inner)
        apart = ("outputs", "training", "history")
        about = {name: value for name, value in output.__dict__.items() if name not in apart}
        about["history"] = _dump_history(output.history)
        header = json.dumps({"version": VERSION, "key": key, **about})
        table = pa.table({name: _encode(values) for name, values in output.outputs.items()})
        file = pa.BufferOutputStream()
        pq.write_table(table.replace_schema_metadata({b"assay.part": header.encode()}), file)
        write_whole(self.path(key), file.getvalue().to_pybytes())

    def finish(self, times: "Timings", outputs: Iterable[FoldOutput] = ()) -> None:
        """Keep the `times` of a whole run and what failed, and the histories of its `outputs`, for
        `timings` and `histories`.
        """
        runs = [
            {"model": output.model, "fold": output.fold, "history": _dump_history(output.history)}
            for output in outputs
            if output.history is not None
        ]
        write_whole(Path(self.folder) / "histories.json", json.dumps({"rows": runs}).encode())
        times.to_json(Path(self.folder) / "timings.json")


def _dump_history(history: History | None) -> dict[str, Any] | None:
    """The fields of a `history`, for JSON."""
    return None if history is None else asdict(history)


def _load_history(fields: Mapping[str, Any] | None) -> History | None:
    """The history of what `_dump_history` gave, read from JSON, where tuples are lists."""
    if fields is None:
        return None
    values = {name: _freeze(value) for name, value in fields.items()}
    values["series"] = tuple(_load_series(series) for series in fields["series"])
    schedule = fields["schedule"]
    values["schedule"] = None if schedule is None else _load_series(schedule)
    return History(**values)


def _load_series(fields: Mapping[str, Any]) -> Series:
    return Series(**{name: _freeze(value) for name, value in fields.items()})


def _freeze(value: Any) -> Any:
    """Lists, and those in them, as tuples."""
    return tuple(map(_freeze, value)) if isinstance(value, list) else value


def _encode(values: Array) -> pa.Array:
    """One Arrow column of an array (n,) or (n, k)."""
    if values.ndim == 1:
        return pa.array(values)
    return pa.FixedSizeListArray.from_arrays(
        pa.array(np.ascontiguousarray(values).reshape(-1)), values.shape[1]
    )


def _decode(column: pa.Array) -> Array:
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
    """How long each model took to fit and to predict in each fold of a run, and what failed.

    Times are wall seconds while other fits ran beside, if they did. An output that was kept from an
    earlier run has the times of that run.

    >>> Timings((Timing("nb", 0, 0.5, 0.1, 50), Timing("nb", 1, 0.7, 0.1, 50))).fit
    {'nb': 0.6}
    """

    schema_name: ClassVar[str] = "assay.timings/1"
    json_keys: ClassVar[tuple[str, ...]] = ("rows",)

    rows: tuple[Timing, ...]
    notes: tuple[str, ...] = ()

    @classmethod
    def from_outputs(
        cls, outputs: Iterable[FoldOutput], failures: Iterable[Failure] = ()
    ) -> "Timings":
        """The times of `outputs`, followed by the `failures`."""
        rows = [Timing(o.model, o.fold, o.fit_seconds, o.predict_seconds, o.rows) for o in outputs]
        rows += [Timing(f.model, f.fold, math.nan, math.nan, 0, f.error) for f in failures]
        return cls(tuple(rows))

    @property
    def failures(self) -> dict[str, str]:
        """The models that failed: the error of the first such fold, and how many more there are."""
        errors: dict[str, list[str]] = {}
        for row in sorted((row for row in self.rows if row.error), key=lambda row: row.fold):
            errors.setdefault(row.model, []).append(row.error)
        return {model: _summarise(messages) for model, messages in errors.items()}

    @property
    def models(self) -> list[str]:
        """Names of the models that did not fail, in the order of the run."""
        return list(dict.fromkeys(row.model for row in self.rows if row.model not in self.failures))

    @property
    def fit(self) -> dict[str, float]:
        """Mean seconds to fit, of each model."""
        return {
            m: float(np.mean([row.fit_seconds for row in rows]))
            for m, rows in self._rows_by_model().items()
        }

    @property
    def predict(self) -> dict[str, float]:
        """Seconds to predict a thousand rows, of each model."""
        return {
            m: 1000 * sum(row.predict_seconds for row in rows) / max(sum(r.rows for r in rows), 1)
            for m, rows in self._rows_by_model().items()
        }

    def _rows_by_model(self) -> dict[str, list[Timing]]:
        return {m: [row for row in self.rows if row.model == m] for m in self.models}

    @property
    def verdict(self) -> str:
        """Which model is the quickest to fit, and how many failed."""
        if not self.models:
            return "Every model failed."
        quickest = min(self.models, key=lambda model: self.fit[model])
        failures = f" Failed: {', '.join(self.failures)}." if self.failures else ""
        seconds = format_number(self.fit[quickest])
        return f"{quickest} is the quickest to fit, in {seconds} seconds.{failures}"

    @property
    def tables(self) -> list[TextTable]:
        """The mean seconds of each model."""
        body = [
            [m, format_number(self.fit[m]), format_number(self.predict[m])] for m in self.models
        ]
        body += [[m, "failed", error] for m, error in self.failures.items()]
        return [TextTable(["model", "seconds a fit", "seconds to predict 1,000 rows"], body)]


def _summarise(errors: Sequence[str]) -> str:
    """The first error, and how many more there are."""
    more = len(errors) - 1
    if not more:
        return errors[0]
    return f"{errors[0]} (and in {more} more fold{'s'[: more != 1]})"


def _parse_timing(row: Mapping[str, Any]) -> Timing:
    """A row of the JSON, where nan is null."""
    values: dict[str, Any] = {
        name: math.nan if value is None else value for name, value in row.items()
    }
    return Timing(**values)


def timings(store: str | os.PathLike[str]) -> Timings:
    """The times of the last finished run of `cross_validate(..., store=...)`.

    Parameters:
        store: The folder that was given to `cross_validate`.

    Returns:
        Seconds to fit and to predict, by model and fold, and the errors of models that failed.

    Raises:
        ReadError: No run was finished in that folder.

    >>> import tempfile
    >>> timings(tempfile.mkdtemp())
    Traceback (most recent call last):
    assay.errors.ReadError: ...: no times of a finished run are here ...
    """
    path = Path(store) / "timings.json"
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
        return Timings(tuple(map(_parse_timing, rows)))
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ReadError(
            f"{path}: no times of a finished run are here ({error}); run "
            f"cross_validate(..., store={str(store)!r})"
        ) from error


def histories(store: str | os.PathLike[str]) -> dict[str, History]:
    """The training histories of the last finished run of `cross_validate(..., store=...)`.

    Parameters:
        store: The folder that was given to `cross_validate`.

    Returns:
        The history of each model in each fold, under its name, as in "net, fold 0"; of models that
        keep one, or whose training function gave one. `assay.diagnose(list(found.values()))` judges
        them.

    Raises:
        ReadError: No run was finished in that folder.

    >>> import tempfile
    >>> histories(tempfile.mkdtemp())
    Traceback (most recent call last):
    assay.errors.ReadError: ...: no histories of a finished run are here ...
    """
    path = Path(store) / "histories.json"
    found: dict[str, History] = {}
    try:
        for row in json.loads(path.read_text(encoding="utf-8"))["rows"]:
            name = f"{row['model']}, fold {row['fold']}"
            found[name] = replace(cast("History", _load_history(row["history"])), name=name)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ReadError(
            f"{path}: no histories of a finished run are here ({error}); run "
            f"cross_validate(..., store={str(store)!r})"
        ) from error
    return found
