"""State files: the folded states of an evaluation on disk, and what was asked of which table.

A file is NumPy's archive of plain arrays (.npz, no pickle), the first of them a JSON header. It is
written whole or not at all.

>>> import tempfile, pathlib
>>> from assay.evaluation.evaluate import evaluate
>>> from assay.table.predictions import Predictions
>>> path = pathlib.Path(tempfile.mkdtemp()) / "a.state"
>>> p = Predictions.from_arrays([0, 1, 1], {"m": [0, 1, 0]})
>>> _ = evaluate(p, "accuracy", checkpoint=path)
>>> StateFile.read(path).states.info.n
3
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.core.atomic import stage_file
from assay.engines.base import Job
from assay.errors import ReadError
from assay.evaluation.plan import FoldedStates, Plan, TableInfo, list_jobs, split_groups
from assay.kernels import Array
from assay.metrics.base import METRICS
from assay.table.schema import Schema

__all__ = ["StateFile", "describe_plan", "describe_schema", "write_states"]

VERSION = 1
# What a header holds, and what its parts do.
HEADER = {"of", "asked", "schema", "frame", "keys", "done"}
HEADER_PARTS = {
    "asked": {"metrics", "by", "intervals", "confidence", "seed"},
    "schema": {"task", "classes", "models", "positive", "positive_declared"},
    "frame": {"n", "clustered", "notes", "long", "weighted"},
}


@dataclass(frozen=True, eq=False)
class StateFile:
    """A state file as it was read: its header, and its arrays by name."""

    header: Mapping[str, Any]
    arrays: Mapping[str, Array]

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> "StateFile":
        """The file at `path`; ReadError where it is no state file, or a damaged one."""
        import zipfile

        try:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
                arrays = dict(archive)
            header = json.loads(arrays.pop("header").tobytes())
            version = int(header["version"])
            whole = all(parts <= set(header[name]) for name, parts in HEADER_PARTS.items())
            if not whole or not set(header) >= HEADER:
                raise ValueError("an incomplete header")
        except FileNotFoundError as error:
            raise ReadError(f"{path}: no such file; check the path") from error
        except (
            OSError,
            ValueError,
            KeyError,
            EOFError,
            TypeError,
            zipfile.BadZipFile,
            AttributeError,
        ) as error:
            raise ReadError(
                f"{path}: is no state file of assay, or a damaged one; evaluate again"
            ) from error
        if version > VERSION:
            raise ReadError(
                f"{path}: written in version {version} of the format; this assay reads up to "
                f"{VERSION}"
            )
        return cls(header, arrays)

    @property
    def schema(self) -> Schema:
        """The schema of the table."""
        about = self.header["schema"]
        models = {model: tuple(kinds) for model, kinds in about["models"].items()}
        return Schema(
            about["task"],
            tuple(about["classes"]),
            models,
            positive=about["positive"],
            positive_declared=about["positive_declared"],
        )

    @property
    def info(self) -> TableInfo:
        """What was known of the table besides its rows."""
        about = self.header["frame"]
        return TableInfo(
            self.schema,
            about["n"],
            clustered=about["clustered"],
            notes=tuple(about["notes"]),
            long=about["long"],
            weighted=about["weighted"],
        )

    @property
    def plan(self) -> Plan:
        """What was asked of the table."""
        about = self.header["asked"]
        schema = self.schema
        return Plan(
            metrics=tuple((text, METRICS.parse(text).bind(schema)) for text in about["metrics"]),
            by=tuple(about["by"]),
            intervals=about["intervals"],
            confidence=about["confidence"],
            seed=about["seed"],
            mergeable=True,
        )

    @property
    def keys(self) -> tuple[tuple[Any, ...], ...]:
        """The key of each group."""
        return tuple(map(tuple, self.header["keys"]))

    @property
    def cuts(self) -> Mapping[str, list[float]]:
        """Where columns of numbers were cut."""
        return self.header.get("cuts") or {}

    @property
    def states(self) -> FoldedStates:
        """The states that the file holds."""
        info = self.info
        plan = self.plan
        whole = self.load_pass("whole", list_jobs(info, plan, 1))
        if not plan.by:
            return FoldedStates(info, whole)
        values = self.load_pass("grouped", list_jobs(info, plan, len(self.keys)))
        return FoldedStates(info, whole, self.keys, split_groups(values, len(self.keys)))

    def load_pass(self, name: str, jobs: Sequence[Job]) -> dict[Job, Any]:
        """The values of the `jobs` in the pass `name`, "whole" or "grouped"."""
        schema = self.schema
        values = {}
        for i, job in enumerate(sorted(jobs, key=repr)):
            prefix = f"{name}/{i}/"
            parts = {
                key.removeprefix(prefix): array
                for key, array in self.arrays.items()
                if key.startswith(prefix)
            }
            values[job] = job.state.load(parts, schema) if parts else job.state.empty(schema)
        return values


def write_states(
    path: str | os.PathLike[str],
    info: TableInfo,
    plan: Plan,
    passes: Mapping[str, tuple[int, Mapping[Job, Any]]],
    *,
    source: Sequence[Any],
    keys: Sequence[tuple[Any, ...]] = (),
    cuts: Mapping[str, list[float]] | None = None,
) -> None:
    """Write the states of an evaluation to `path`, whole or not at all.

    `info` and `plan` say of which table and what was asked; `passes` has the number of parts done
    and the values, by the name of the pass; `source` tells the table from others; `keys` and `cuts`
    are those of its groups.
    """
    header = {
        "format": "assay.state",
        "version": VERSION,
        "of": source,
        "asked": describe_plan(plan),
        "schema": describe_schema(info.schema),
        "frame": {name: value for name, value in info._asdict().items() if name != "schema"},
        "keys": keys,
        "cuts": cuts or {},
        "done": {name: done for name, (done, _) in passes.items()},
    }
    text = json.dumps(header, default=str).encode()
    arrays: dict[str, Array] = {"header": np.frombuffer(text, np.uint8)}
    for name, (_, values) in passes.items():
        for i, job in enumerate(sorted(values, key=repr)):
            for part, array in job.state.dump(values[job]).items():
                arrays[f"{name}/{i}/{part}"] = array
    with stage_file(path) as place, open(place, "wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def describe_schema(schema: Schema) -> dict[str, Any]:
    """The `schema` as JSON gives it back."""
    return {
        "task": schema.task,
        "classes": list(schema.classes),
        "models": {model: list(kinds) for model, kinds in schema.models.items()},
        "positive": schema.positive,
        "positive_declared": schema.positive_declared,
    }


def describe_plan(plan: Plan) -> dict[str, Any]:
    """The `plan` as JSON gives it back."""
    return {
        "metrics": [text for text, _ in plan.metrics],
        "by": list(plan.by),
        "intervals": plan.intervals,
        "confidence": plan.confidence,
        "seed": plan.seed,
    }
