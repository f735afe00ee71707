"""Checkpoints: the states of an evaluation are kept while its rows are read, so that it goes on
after an interruption.

>>> import tempfile, pathlib
>>> from assay.evaluation.evaluate import evaluate
>>> from assay.table.predictions import Predictions
>>> path = pathlib.Path(tempfile.mkdtemp()) / "a.state"
>>> p = Predictions.from_arrays([0, 1, 1], {"m": [0, 1, 0]})
>>> _ = evaluate(p, "accuracy", checkpoint=path)
>>> read_classes(path)
(0, 1)
"""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from assay.core.atomic import remove_leftovers
from assay.engines.base import Job
from assay.errors import ReadError, UnsupportedError
from assay.evaluation.fingerprint import identify_table
from assay.evaluation.kept_rows import keep_rows
from assay.evaluation.plan import Plan, TableInfo, describe_table, list_jobs
from assay.evaluation.state_file import StateFile, describe_plan, describe_schema, write_states
from assay.table.judging import find_training
from assay.table.predictions import Predictions
from assay.table.protocol import Table
from assay.table.schema import Schema

__all__ = ["Checkpoint", "read_classes"]

# Seconds between two saves while rows are read.
SECONDS = 10.0


@dataclass(eq=False)
class Checkpoint:
    """Where the states of an evaluation are kept while its rows are read.

    `grouped` is the table whose groups are asked for: `table`, or one with its training rows too.
    `passes` has the number of parts done and the values, by the name of the pass; `rows` are the
    rows themselves, once all are read, where they are few.
    """

    path: str
    table: Table
    plan: Plan
    grouped: Table
    passes: dict[str, tuple[int, Mapping[Job, Any]]] = field(default_factory=dict)
    keys: tuple[tuple[Any, ...], ...] = ()
    cuts: Mapping[str, list[float]] = field(default_factory=dict)
    rows: Predictions | None = None
    source: Sequence[Any] = ()
    saved_at: float = 0.0

    def __post_init__(self) -> None:
        self.saved_at = time.monotonic()
        info = self._info
        _refuse_unsaved(list_jobs(info, self.plan, 1), self.plan, info.schema)
        remove_leftovers(self.path)
        self.source = identify_table(self.grouped)
        if os.path.exists(self.path):
            self._resume(StateFile.read(self.path), info)

    def load(self, name: str) -> tuple[int, Mapping[Job, Any]] | None:
        """How many parts the pass `name` has done, and its values; None where it has not begun."""
        return self.passes.get(name)

    def keep(self, name: str, done: int, values: Mapping[Job, Any], *, now: bool) -> None:
        """Save that the pass `name` has `done` so many parts, and its `values`.

        At once if `now`, else where the last save is 10 s ago.
        """
        self.passes[name] = done, values
        if now and self.rows is None and not self._info.long:
            columns = {*self.plan.by, "cluster", "id", *find_training(self.grouped).columns}
            self.rows = keep_rows(self.grouped, columns)
        if now or time.monotonic() - self.saved_at > SECONDS:
            write_states(
                self.path,
                self._info,
                self.plan,
                self.passes,
                source=self.source,
                keys=self.keys,
                cuts=self.cuts,
                rows=self.rows,
                complete=now and (name == "grouped" or not self.plan.by),
            )
            self.saved_at = time.monotonic()

    @property
    def _info(self) -> TableInfo:
        return describe_table(self.table, self.grouped)

    def _resume(self, file: StateFile, info: TableInfo) -> None:
        """Go on from where an earlier evaluation was interrupted."""
        kept = (file.header["of"], file.header["asked"], file.header["schema"])
        if kept != (self.source, describe_plan(self.plan), describe_schema(info.schema)):
            raise ReadError(
                f"{self.path}: holds the states of another table or other metrics; name another "
                f"file, or remove it"
            )
        self.keys = file.keys
        self.cuts = file.cuts
        self.rows = file.rows
        for name, done in file.header["done"].items():
            groups = max(len(self.keys), 1) if name == "grouped" else 1
            self.passes[name] = done, file.load_pass(name, list_jobs(info, self.plan, groups))


def read_classes(path: str | os.PathLike[str]) -> tuple[Any, ...] | None:
    """The classes that the state file at `path` has settled on; None where there is no file, or no
    class.
    """
    if not os.path.exists(path):
        return None
    return StateFile.read(path).schema.classes or None


def _refuse_unsaved(jobs: Sequence[Job], plan: Plan, schema: Schema) -> None:
    """Refuse metrics whose states cannot be saved, before a row is read."""
    for job in jobs:
        try:
            job.state.dump(job.state.empty(schema))
        except UnsupportedError as error:
            names = ", ".join(text for text, metric in plan.metrics if metric.state == job.state)
            raise UnsupportedError(
                f"the state of {names} cannot be saved, since a callable wants all rows; leave it "
                f"out, or evaluate without a checkpoint"
            ) from error
