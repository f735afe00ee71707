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

import glob
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import numpy as np

from assay.engines.base import Job
from assay.errors import ReadError, UnsupportedError
from assay.evaluation.plan import Plan, TableInfo, describe_table, list_jobs
from assay.evaluation.state_file import StateFile, describe_plan, describe_schema, write_states
from assay.table.protocol import Table
from assay.table.schema import Schema

__all__ = ["Checkpoint", "read_classes"]

# Seconds between two saves while rows are read.
SECONDS = 10.0
# Bytes at the end of a Parquet file that tell it from others: its footer, with facts of every
# column.
FOOTER_BYTES = 1 << 20


@dataclass(eq=False)
class Checkpoint:
    """Where the states of an evaluation are kept while its rows are read.

    `passes` has the number of parts done and the values, by the name of the pass.
    """

    path: str
    table: Table
    plan: Plan
    passes: dict[str, tuple[int, Mapping[Job, Any]]] = field(default_factory=dict)
    keys: tuple[tuple[Any, ...], ...] = ()
    cuts: Mapping[str, list[float]] = field(default_factory=dict)
    saved_at: float = 0.0

    def __post_init__(self) -> None:
        self.saved_at = time.monotonic()
        info = self._info
        _refuse_unsaved(list_jobs(info, self.plan, 1), self.plan, info.schema)
        _remove_leftovers(self.path)
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
        if now or time.monotonic() - self.saved_at > SECONDS:
            write_states(
                self.path,
                self._info,
                self.plan,
                self.passes,
                source=_identify(self.table),
                keys=self.keys,
                cuts=self.cuts,
            )
            self.saved_at = time.monotonic()

    @property
    def _info(self) -> TableInfo:
        return describe_table(self.table)

    def _resume(self, file: StateFile, info: TableInfo) -> None:
        """Go on from where an earlier evaluation was interrupted."""
        kept = (file.header["of"], file.header["asked"], file.header["schema"])
        if kept != (_identify(self.table), describe_plan(self.plan), describe_schema(info.schema)):
            raise ReadError(
                f"{self.path}: holds the states of another table or other metrics; name another "
                f"file, or remove it"
            )
        self.keys = file.keys
        self.cuts = file.cuts
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


def _identify(table: Table) -> list[Any]:
    """What tells a table from another: names and marks of its files, or checksums of its arrays."""
    if table.paths:
        return [[os.path.basename(path), *_mark(path)] for path in table.paths]
    head = table.head
    outputs = [array for kinds in head.outputs.values() for array in kinds.values()]
    arrays = [array for array in (head.truth, head.weight, *outputs) if array is not None]
    return [["", head.n, [crc32(np.ascontiguousarray(array).data) for array in arrays]]]


def _mark(path: str) -> list[int]:
    """Size of a Parquet file and checksum of its footer, which tell it from others of its name."""
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        file.seek(max(0, size - FOOTER_BYTES))
        return [size, crc32(file.read())]


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


def _remove_leftovers(path: str) -> None:
    """Remove what a save that was killed left beside the file."""
    folder, name = os.path.split(os.path.realpath(path))
    for leftover in glob.glob(os.path.join(glob.escape(folder), f".{glob.escape(name)}.????????")):
        os.unlink(leftover)
