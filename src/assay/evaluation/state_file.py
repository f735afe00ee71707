"""State files: the folded states of an evaluation on disk, and what was asked of which table.

A file is NumPy's archive of plain arrays (.npz, no pickle), the first of them a JSON header, and
ends with a digest of all that is before. It is written whole or not at all.

>>> import tempfile, pathlib
>>> from assay.evaluation.evaluate import evaluate
>>> from assay.table.predictions import Predictions
>>> path = pathlib.Path(tempfile.mkdtemp()) / "a.state"
>>> p = Predictions.from_arrays([0, 1, 1], {"m": [0, 1, 0]})
>>> _ = evaluate(p, "accuracy", checkpoint=path)
>>> StateFile.read(path).states.info.n
3
"""

import hashlib
import json
import os
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from assay.core.atomic import stage_file
from assay.core.text import Headline
from assay.engines.base import Job
from assay.errors import ReadError
from assay.evaluation.kept_rows import dump_rows, load_rows
from assay.evaluation.plan import FoldedStates, Plan, TableInfo, list_jobs, split_groups
from assay.kernels import Array
from assay.metrics.base import METRICS
from assay.table.predictions import Predictions
from assay.table.schema import Schema

__all__ = ["StateFile", "describe_plan", "describe_schema", "save_states", "write_states"]

VERSION = 3
# Versions that are read: 2 knows the means of buckets to one double only.
READ = (2, VERSION)
# The end of a file, as the comment of the archive: the version of the format and the digest.
SEAL = re.compile(rb"assay\.state/(\d+) ([0-9a-f]{32})")
DIGEST_BYTES = 16
# What a header holds, and what its parts do.
HEADER = {"of", "asked", "schema", "frame", "keys", "done", "jobs", "complete"}
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
        try:
            with open(path, "rb") as file:
                return cls.parse(file, path)
        except FileNotFoundError as error:
            raise ReadError(f"{path}: no such file; check the path") from error
        except OSError as error:
            raise _report_damage(path) from error

    @classmethod
    def parse(cls, file: IO[bytes], path: str | os.PathLike[str]) -> "StateFile":
        """What an open `file` holds; messages name it by its `path`."""
        try:
            _check_seal(path, file)
            file.seek(0)
            with np.load(file, allow_pickle=False) as archive:
                arrays = dict(archive)
            header = json.loads(arrays.pop("header").tobytes())
            whole = all(parts <= set(header[name]) for name, parts in HEADER_PARTS.items())
            if not whole or not set(header) >= HEADER:
                raise ValueError("an incomplete header")
        except ReadError:
            raise
        except (
            OSError,
            ValueError,
            KeyError,
            EOFError,
            TypeError,
            zipfile.BadZipFile,
            AttributeError,
        ) as error:
            raise _report_damage(path) from error
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
            notes=tuple(
                Headline(note) if note in about.get("headlines", ()) else note
                for note in about["notes"]
            ),
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
        about = {"rows": self.rows, "source": self.header["of"]}
        whole = self.load_pass("whole", list_jobs(info, plan, 1))
        if not plan.by:
            return FoldedStates(info, whole, **about)
        values = self.load_pass("grouped", list_jobs(info, plan, len(self.keys)))
        grouped = split_groups(values, len(self.keys))
        return FoldedStates(info, whole, self.keys, grouped, **about)

    @property
    def rows(self) -> Predictions | None:
        """The rows themselves, where they are few and all of them have been read."""
        arrays = self._select_arrays("rows/")
        return load_rows(arrays, self.schema) if arrays else None

    def load_pass(self, name: str, jobs: Sequence[Job]) -> dict[Job, Any]:
        """The values of the `jobs` in the pass `name`, "whole" or "grouped".

        ReadError where the file has the states of other jobs.
        """
        schema = self.schema
        ordered = sorted(jobs, key=repr)
        if self.header["jobs"].get(name, []) != list(map(_describe_job, ordered)):
            raise ReadError(
                "a state file keeps other states than this assay needs for what was asked; "
                "evaluate again"
            )
        values = {}
        for i, job in enumerate(ordered):
            parts = self._select_arrays(f"{name}/{i}/")
            values[job] = job.state.load(parts, schema) if parts else job.state.empty(schema)
        return values

    def _select_arrays(self, prefix: str) -> dict[str, Array]:
        """The arrays whose names begin with `prefix`, by the rest of their names."""
        return {
            key.removeprefix(prefix): array
            for key, array in self.arrays.items()
            if key.startswith(prefix)
        }


def write_states(
    path: str | os.PathLike[str],
    info: TableInfo,
    plan: Plan,
    passes: Mapping[str, tuple[int, Mapping[Job, Any]]],
    **further: Any,
) -> None:
    """Write the states of an evaluation to `path`, whole or not at all.

    `info`, `plan`, `passes` and what is `further` given are as of `save_states`.
    """
    with stage_file(path) as place, open(place, "w+b") as file:
        save_states(file, info, plan, passes, **further)


def save_states(  # noqa: PLR0913 - what a file holds
    file: IO[bytes],
    info: TableInfo,
    plan: Plan,
    passes: Mapping[str, tuple[int, Mapping[Job, Any]]],
    *,
    source: Sequence[Any],
    keys: Sequence[tuple[Any, ...]] = (),
    cuts: Mapping[str, list[float]] | None = None,
    rows: Predictions | None = None,
    complete: bool = True,
    ignored: int = 0,
) -> None:
    """Write the states of an evaluation to an empty `file`, open to be written and read.

    `info` and `plan` say of which table and what was asked; `passes` has the number of parts done
    and the values, by the name of the pass; `source` tells the table from others; `keys` and `cuts`
    are those of its groups, and `rows` the rows themselves, where they are few; `complete` says
    whether all rows have been read, and `ignored` how many of them were left out.
    """
    header = {
        "format": "assay.state",
        "version": VERSION,
        "of": source,
        "asked": describe_plan(plan),
        "schema": describe_schema(info.schema),
        "frame": {
            **{name: value for name, value in info._asdict().items() if name != "schema"},
            "headlines": [note for note in info.notes if isinstance(note, Headline)],
        },
        "keys": keys,
        "cuts": cuts or {},
        "complete": complete,
        "ignored": ignored,
        "done": {name: done for name, (done, _) in passes.items()},
        "jobs": {
            name: list(map(_describe_job, sorted(values, key=repr)))
            for name, (_, values) in passes.items()
        },
    }
    text = json.dumps(header, default=str).encode()
    arrays: dict[str, Array] = {"header": np.frombuffer(text, np.uint8)}
    for name, (_, values) in passes.items():
        for i, job in enumerate(sorted(values, key=repr)):
            for part, array in job.state.dump(values[job]).items():
                arrays[f"{name}/{i}/{part}"] = array
    if rows is not None:
        arrays |= {f"rows/{name}": array for name, array in dump_rows(rows).items()}
    np.savez(file, allow_pickle=False, **arrays)
    _seal(file)


def _seal(file: IO[bytes]) -> None:
    """End an archive with the digest of all that is before."""
    seal = f"assay.state/{VERSION} ".encode()
    with zipfile.ZipFile(file, "a") as archive:
        archive.comment = seal + b"0" * 2 * DIGEST_BYTES
    size = file.seek(-2 * DIGEST_BYTES, os.SEEK_END)
    digest = _digest(file, size)
    file.seek(size)
    file.write(digest)


def _check_seal(path: str | os.PathLike[str], file: IO[bytes]) -> None:
    """ReadError unless an archive ends with its digest, in this version of the format."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 100))
    match = SEAL.search(file.read())
    if match is None or match.end() < min(size, 100):
        raise _report_damage(path)
    if int(match[1]) not in READ:
        raise ReadError(
            f"{path}: written in version {int(match[1])} of the format; this assay reads versions "
            f"{' and '.join(map(str, READ))}. Evaluate again"
        )
    if _digest(file, size - 2 * DIGEST_BYTES) != match[2]:
        raise _report_damage(path)


def _digest(file: IO[bytes], size: int) -> bytes:
    """The digest of the first `size` bytes of a file, in hexadecimal digits."""
    whole = hashlib.blake2b(digest_size=DIGEST_BYTES)
    file.seek(0)
    while size:
        block = file.read(min(size, 1 << 20))
        if not block:
            break
        whole.update(block)
        size -= len(block)
    return whole.hexdigest().encode()


def _report_damage(path: str | os.PathLike[str]) -> ReadError:
    return ReadError(
        f"{path}: is no state file of assay, a damaged one, or one of an earlier version; "
        f"evaluate again"
    )


def _describe_job(job: Job) -> list[Any]:
    """The `job` as JSON gives it back."""
    return [type(job.state).__name__, list(job.models), job.bucketed]


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
