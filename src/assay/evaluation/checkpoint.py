"""State files: folded states on disk, so that an interrupted evaluation goes on and separate jobs are joined.

A file is NumPy's archive of plain arrays (.npz, no pickle), the first of them a JSON header that says what was asked of
which table. It is written whole or not at all.

>>> import tempfile, pathlib
>>> from assay.evaluation.evaluate import evaluate
>>> from assay.table.predictions import Predictions
>>> folder = pathlib.Path(tempfile.mkdtemp())
>>> for i in range(2):
...     p = Predictions.from_arrays([0, 1, 1], {"m": [0, 1, i]})
...     _ = evaluate(p, "accuracy", checkpoint=folder / f"{i}.state")
>>> folded, question = merge_states([folder / "0.state", folder / "1.state"])
>>> folded.frame.n
6
"""

import glob
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import numpy as np

from assay.core.atomic import stage_file
from assay.engines.base import Job
from assay.errors import ReadError, UnsupportedError
from assay.evaluation.plan import FoldedStates, TableInfo, Plan, list_jobs
from assay.io.stream import Stream
from assay.kernels import Array
from assay.metrics.base import METRICS
from assay.states.row_values import Ranked
from assay.table.predictions import Predictions
from assay.table.schema import Schema

__all__ = ["Checkpoint", "read_classes", "merge_states", "save_states", "write_merged"]

VERSION = 1
SECONDS = 10.0  # between two saves while rows are read
# What a header holds, and what its parts do.
HEADER = {"of", "asked", "schema", "frame", "keys", "done"}
WITHIN = {
    "asked": {"metrics", "by", "intervals", "confidence", "seed"},
    "schema": {"task", "classes", "models", "positive", "positive_declared"},
    "frame": {"n", "clustered", "notes", "long", "weighted"},
}


@dataclass(eq=False)
class Checkpoint:
    """Where the states of an evaluation are kept while its rows are read."""

    path: str
    table: Predictions | Stream
    question: Plan
    passes: dict[str, tuple[int, Mapping[Job, Any]]] = field(
        default_factory=dict
    )  # by name: parts done, values
    keys: tuple[tuple[Any, ...], ...] = ()
    cuts: Mapping[str, list[float]] = field(default_factory=dict)
    saved_at: float = 0.0

    def __post_init__(self) -> None:
        self.saved_at = time.monotonic()
        _refuse_unsaved(
            list_jobs(TableInfo.of(self.table), self.question, 1), self.question, self.table.schema
        )
        _tidy(self.path)
        if not os.path.exists(self.path):
            return
        header, arrays = _read(self.path)
        frame = TableInfo.of(self.table)
        if (header["of"], header["asked"], header["schema"]) != (
            self._of(),
            _describe_plan(self.question),
            _describe_schema(frame),
        ):
            raise ReadError(
                f"{self.path}: holds the states of another table or other metrics; name another file, or remove it"
            )
        self.keys, self.cuts = tuple(map(tuple, header["keys"])), header.get("cuts", {})
        for name, done in header["done"].items():
            jobs = list_jobs(frame, self.question, max(len(self.keys), 1) if name == "grouped" else 1)
            self.passes[name] = done, _load_values(jobs, arrays, name, frame.schema)

    def load(self, name: str) -> tuple[int, Mapping[Job, Any]] | None:
        """How many parts the pass has done, and its values; None where it has not begun."""
        return self.passes.get(name)

    def keep(self, name: str, done: int, values: Mapping[Job, Any], *, now: bool) -> None:
        """Save where a pass stands, at once or if the last save is a while ago."""
        self.passes[name] = done, values
        if now or time.monotonic() - self.saved_at > SECONDS:
            save_states(
                self.path,
                TableInfo.of(self.table),
                self.question,
                self.passes,
                self.keys,
                self._of(),
                self.cuts,
            )
            self.saved_at = time.monotonic()

    def _of(self) -> list[Any]:
        """What tells the table from another."""
        if isinstance(self.table, Stream):
            return [[os.path.basename(path), *_mark(path)] for path in self.table.footers]
        outputs = [array for kinds in self.table.outputs.values() for array in kinds.values()]
        kept = [
            array for array in (self.table.truth, self.table.weight, *outputs) if array is not None
        ]
        return [["", self.table.n, [crc32(np.ascontiguousarray(array).data) for array in kept]]]


def _refuse_unsaved(jobs: Sequence[Job], question: Plan, schema: Schema) -> None:
    """Refuse metrics whose states cannot be saved, before a row is read."""
    for job in jobs:
        try:
            job.state.dump(job.state.empty(schema))
        except UnsupportedError as error:
            named = ", ".join(text for text, metric in question.asked if metric.state == job.state)
            raise UnsupportedError(
                f"the state of {named} cannot be saved, since a callable wants all rows; leave it out, or evaluate "
                f"without a checkpoint"
            ) from error


def _tidy(path: str) -> None:
    """Remove what a save that was killed left beside the file."""
    folder, name = os.path.split(os.path.realpath(path))
    for left in glob.glob(os.path.join(glob.escape(folder), f".{glob.escape(name)}.????????")):
        os.unlink(left)


def save_states(
    path: str | os.PathLike[str],
    frame: TableInfo,
    question: Plan,
    passes: Mapping[str, tuple[int, Mapping[Job, Any]]],
    keys: Sequence[tuple[Any, ...]] = (),
    of: Sequence[Any] = (),
    cuts: Mapping[str, list[float]] | None = None,
) -> None:
    """Write the states of each pass, and all that is needed to read figures off them."""
    about = {"n": frame.n, "clustered": frame.clustered, "notes": frame.notes, "long": frame.long}
    header = {
        "format": "assay.state",
        "version": VERSION,
        "of": of,
        "asked": _describe_plan(question),
        "schema": _describe_schema(frame),
        "frame": {**about, "weighted": frame.weighted},
        "keys": keys,
        "cuts": cuts or {},
        "done": {name: done for name, (done, _) in passes.items()},
    }
    arrays: dict[str, Array] = {
        "header": np.frombuffer(json.dumps(header, default=str).encode(), np.uint8)
    }
    for name, (_, values) in passes.items():
        for i, job in enumerate(sorted(values, key=repr)):
            for part, array in job.state.dump(values[job]).items():
                arrays[f"{name}/{i}/{part}"] = array
    with stage_file(path) as place, open(place, "wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def _describe_schema(frame: TableInfo) -> dict[str, Any]:
    """The schema, as JSON gives it back."""
    s = frame.schema
    models = {model: list(kinds) for model, kinds in s.models.items()}
    told = {"task": s.task, "classes": list(s.classes), "models": models, "positive": s.positive}
    return {**told, "positive_declared": s.positive_declared}


def _mark(path: str) -> list[int]:
    """What tells a Parquet file from another of its name: its size and its footer, which has facts of every column."""
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        file.seek(max(0, size - (1 << 20)))
        return [size, crc32(file.read())]


def write_merged(path: str | os.PathLike[str], folded: FoldedStates, question: Plan) -> None:
    """Write joined states as a file that can be merged again (groups are not kept)."""
    if folded.grouped is not None:
        raise UnsupportedError(
            "states by group cannot be written again once they are joined; merge all of them at once"
        )
    save_states(
        path, folded.frame, question, {"whole": (0, folded.whole)}, (), [["merged", folded.frame.n]]
    )


def read_classes(path: str | os.PathLike[str]) -> tuple[Any, ...] | None:
    """The classes that an existing state file has settled on."""
    if not os.path.exists(path):
        return None
    return tuple(_read(path)[0]["schema"]["classes"]) or None


def merge_states(paths: Sequence[str | os.PathLike[str]]) -> tuple[FoldedStates, Plan]:
    """The states of separate jobs as those of one, over the rows of all of them.

    The jobs must have been asked the same of tables with the same classes and models. ReadError where a file is none,
    UnsupportedError where they do not fit together.
    """
    if len({os.path.realpath(path) for path in paths}) < len(paths):
        raise UnsupportedError("a state file is named twice; its rows would count twice")
    loaded = [_load(path) for path in paths]
    folded, question, first = loaded[0]
    for path, (other, _, header) in zip(paths[1:], loaded[1:], strict=True):
        for part in ("asked", "schema"):
            if header[part] != first[part]:
                raise UnsupportedError(
                    f"{paths[0]} and {path} differ in what was asked or in their classes and models; evaluate the "
                    f"parts with the same metrics, groups and declared classes"
                )
        _refuse_other_cuts(paths[0], path, first.get("cuts", {}), header.get("cuts", {}))
        for part in ("weighted", "clustered"):
            if getattr(folded.frame, part) != getattr(other.frame, part):
                raise UnsupportedError(
                    f"of {paths[0]} and {path} one table is {part} and the other is not"
                )
        folded = _join(folded, other)
    return folded, question


def _refuse_other_cuts(
    a: Any, b: Any, of_a: Mapping[str, list[float]], of_b: Mapping[str, list[float]]
) -> None:
    """Slices of numbers join only if both jobs cut the column at the same places."""
    for name in {**of_a, **of_b}:
        if of_a.get(name) != of_b.get(name):
            places = (
                ", ".join(f"{x:.12g}" for x in of.get(name, [])) or "nowhere" for of in (of_a, of_b)
            )
            raise UnsupportedError(
                "{} and {} cut column {!r} at {} and at {}: each job cuts at the quartiles of its own rows. Write a "
                "column of ranges before, and group by that".format(a, b, name, *places)
            )


def _join(a: FoldedStates, b: FoldedStates) -> FoldedStates:
    schema = a.frame.schema
    long, notes = (
        a.frame.long or b.frame.long,
        tuple(dict.fromkeys((*a.frame.notes, *b.frame.notes))),
    )
    clustered, weighted = (
        a.frame.clustered or b.frame.clustered,
        a.frame.weighted or b.frame.weighted,
    )
    frame = TableInfo(schema, a.frame.n + b.frame.n, clustered, notes, long, weighted)
    if a.grouped is None or b.grouped is None:
        return FoldedStates(frame, _join_values(a.whole, b.whole, schema))
    of_a, of_b = (
        dict(zip(a.keys, a.grouped, strict=True)),
        dict(zip(b.keys, b.grouped, strict=True)),
    )
    keys = tuple(dict.fromkeys((*a.keys, *b.keys)))
    grouped = [
        _join_values(of_a[key], of_b[key], schema)
        if key in of_a and key in of_b
        else of_a.get(key, of_b.get(key, {}))
        for key in keys
    ]
    return FoldedStates(frame, _join_values(a.whole, b.whole, schema), keys, grouped)


def _join_values(a: Mapping[Job, Any], b: Mapping[Job, Any], schema: Schema) -> dict[Job, Any]:
    if a.keys() != b.keys():
        raise UnsupportedError(
            "the jobs kept different states of their rows; evaluate each with the same intervals"
        )
    found = {}
    for job, value in a.items():
        pair = [value, b[job]]
        found[job] = job.state.join(
            job.state.alike(pair, schema) if isinstance(job.state, Ranked) else pair
        )
    return found


def _load(path: str | os.PathLike[str]) -> tuple[FoldedStates, Plan, dict[str, Any]]:
    header, arrays = _read(path)
    told, about, asked = header["schema"], header["frame"], header["asked"]
    models = {model: tuple(kinds) for model, kinds in told["models"].items()}
    schema = Schema(
        told["task"], tuple(told["classes"]), models, told["positive"], told["positive_declared"]
    )
    frame = TableInfo(
        schema,
        about["n"],
        about["clustered"],
        tuple(about["notes"]),
        about["long"],
        about["weighted"],
    )
    metrics = tuple((text, METRICS.parse(text).bind(schema)) for text in asked["metrics"])
    question = Plan(
        metrics, tuple(asked["by"]), asked["intervals"], asked["confidence"], asked["seed"], True
    )
    whole = _load_values(list_jobs(frame, question, 1), arrays, "whole", schema)
    if not question.by:
        return FoldedStates(frame, whole), question, header
    keys = tuple(map(tuple, header["keys"]))
    grouped = _load_values(list_jobs(frame, question, len(keys)), arrays, "grouped", schema)
    return FoldedStates.by_group(frame, whole, keys, grouped), question, header


def _load_values(
    jobs: Sequence[Job], arrays: Mapping[str, Array], name: str, schema: Schema
) -> dict[Job, Any]:
    found = {}
    for i, job in enumerate(sorted(jobs, key=repr)):
        prefix = f"{name}/{i}/"
        parts = {
            key.removeprefix(prefix): array
            for key, array in arrays.items()
            if key.startswith(prefix)
        }
        found[job] = job.state.load(parts, schema) if parts else job.state.empty(schema)
    return found


def _describe_plan(question: Plan) -> dict[str, Any]:
    return {
        "metrics": [text for text, _ in question.asked],
        "by": list(question.by),
        "intervals": question.intervals,
        "confidence": question.confidence,
        "seed": question.seed,
    }


def _read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Array]]:
    import zipfile

    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = dict(archive)
        header = json.loads(arrays.pop("header").tobytes())
        version = int(header["version"])
        if not set(header) >= HEADER or any(
            not parts <= set(header[name]) for name, parts in WITHIN.items()
        ):
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
            f"{path}: written in version {version} of the format; this assay reads up to {VERSION}"
        )
    return header, arrays
