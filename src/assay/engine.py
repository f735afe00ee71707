"""Engine: the only loop over rows. It folds states over batches; what they mean is decided elsewhere.

>>> from assay.predictions import Predictions
>>> from assay.state import Confusion
>>> p = Predictions.from_arrays(["a", "b", "b"], {"m": ["a", "a", "b"]})
>>> job = Job(Confusion(), ("m",))
>>> Local(batch=1).fold(p, [job])[job].table.tolist()
[[[1, 0], [1, 1]]]
"""

import os
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from typing import Any, ClassVar, TypeVar
from zlib import crc32

import numpy as np

from assay.predictions import Predictions
from assay.registry import Member, Registry
from assay.state import Pair, State
from assay.table.labels import Array

__all__ = ["BUCKETS", "ENGINES", "Engine", "Grouping", "Job", "Local", "buckets"]

ENGINES: "Registry[Engine]" = Registry("engines")

BUCKETS = 1024
# Bytes of a batch: what stays in a core's cache while every state looks at it.
WITHIN = 1 << 21
# Batches whose values are joined at a time.
AHEAD = 64

T = TypeVar("T")


@dataclass(frozen=True)
class Job:
    """A state to fold over the rows of one model, or of two side by side; `bucketed` keeps it per bucket of rows."""

    state: State[Any]
    models: tuple[str, ...]
    bucketed: bool = False


@dataclass(frozen=True, eq=False)
class Grouping:
    """Which group each row of a table belongs to: `codes` (n,) into `keys`, one key a group."""

    codes: Array
    keys: tuple[tuple[Any, ...], ...]

    @staticmethod
    def of(predictions: Predictions, names: Sequence[str]) -> "Grouping":
        """The groups that the columns' values form together, in sorted order; empty crosses are left out."""
        code = np.zeros(predictions.n, np.int64)
        keys: list[tuple[Any, ...]] = [()]
        for name in names:
            codes, values = predictions.group(name)
            code = code * len(values) + codes
            keys = [(*key, value) for key in keys for value in values]
        present = np.flatnonzero(np.bincount(code, minlength=len(keys)))
        rank = np.zeros(len(keys), np.int64)
        rank[present] = np.arange(len(present))
        return Grouping(rank[code], tuple(keys[i] for i in present))


@dataclass(frozen=True)
class Engine(Member):
    """Base of every engine: one method, that folds jobs over a table."""

    registry: ClassVar[Registry[Any]] = ENGINES

    @abstractmethod
    def fold(
        self, predictions: Predictions, jobs: Sequence[Job], grouping: Grouping | None = None
    ) -> Mapping[Job, Any]:
        """The value of each job's state over all rows; its cells are groups x buckets."""


@dataclass(frozen=True)
class Local(Engine):
    """One process, one pass, in batches on as many threads as pay: the default, and the reference for other engines.

    batch: rows at a time; by default as many as keep what is read of them within the processor's cache. threads: by
    default one a core. Batches are merged in the order of the rows, so that the result does not depend on threads.
    """

    name = "local"
    batch: int | None = None
    threads: int | None = None

    def fold(
        self, predictions: Predictions, jobs: Sequence[Job], grouping: Grouping | None = None
    ) -> Mapping[Job, Any]:
        groups = 1 if grouping is None else len(grouping.keys)
        values = {job: job.state.empty(predictions.schema, groups * (BUCKETS if job.bucketed else 1)) for job in jobs}
        size = self.batch or _fitting(predictions, jobs)
        parts = [partial(_observe, predictions, start, size, jobs, grouping) for start in range(0, predictions.n, size)]
        waiting: list[dict[Job, Any]] = []
        for seen in in_order(parts, self.threads or os.cpu_count() or 1):
            waiting.append(seen)
            if len(waiting) == AHEAD:
                values = _joined(values, waiting)
                waiting = []
        return _joined(values, waiting) if waiting else values


def _joined(values: Mapping[Job, Any], seen: Sequence[Mapping[Job, Any]]) -> dict[Job, Any]:
    return {job: job.state.join([value, *(part[job] for part in seen)]) for job, value in values.items()}


def in_order(parts: Iterable[Callable[[], T]], threads: int) -> Iterator[T]:
    """What the parts give, in their order, computed on `threads` threads and never more than two a thread ahead."""
    waiting: deque[Future[T]] = deque()
    rest = iter(parts)
    first = list(islice(rest, 2))
    if threads == 1 or len(first) < 2:
        yield from (part() for part in chain(first, rest))
        return
    with ThreadPoolExecutor(threads) as pool:
        for part in chain(first, rest):
            waiting.append(pool.submit(part))
            if len(waiting) >= 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _fitting(predictions: Predictions, jobs: Sequence[Job]) -> int:
    """How many rows to read at a time: a few megabytes of what the models gave."""
    kinds = [array for name in {m for job in jobs for m in job.models} for array in predictions.outputs[name].values()]
    row = sum(array[:1].nbytes for array in [predictions.truth, *kinds])
    return 1 << int(np.clip(np.log2(WITHIN / max(row, 1)), 12, 20))


def _observe(
    predictions: Predictions, start: int, size: int, jobs: Sequence[Job], grouping: Grouping | None
) -> dict[Job, Any]:
    """The value of each job's state over the rows of one batch."""
    batch = predictions if size >= predictions.n else predictions.slice(start, start + size)
    group = None if grouping is None else grouping.codes[start : start + size]
    groups = 1 if grouping is None else len(grouping.keys)
    bucket = buckets(batch) if any(job.bucketed for job in jobs) else None
    views = {names: _view(batch, names) for names in {job.models for job in jobs}}
    seen = {}
    for job in jobs:
        cell, cells = _cells(group, groups, bucket if job.bucketed else None)
        seen[job] = job.state.observe(views[job.models], cell, cells)
    return seen


def _view(batch: Predictions, models: tuple[str, ...]) -> Any:
    rows = [batch.rows(name) for name in models]
    return rows[0] if len(rows) == 1 else Pair(*rows)


def _cells(group: Array | None, groups: int, bucket: Array | None) -> tuple[Array | None, int]:
    if bucket is None:
        return group, groups
    return (bucket if group is None else group * BUCKETS + bucket), groups * BUCKETS


def buckets(batch: Predictions) -> Array:
    """The bucket of each row (n,), by a hash of its cluster, else of its id, else of its number in the table.

    Rows of one cluster share a bucket, so resampling buckets resamples clusters; the same rows share a bucket in every
    model and every split of the table, so differences between models are paired.
    """
    if "cluster" in batch.columns:
        codes, names = batch.group("cluster")
        hashed = np.array([crc32(repr(name).encode()) for name in names], np.uint64)
        return _mix(hashed)[codes]
    if "id" in batch.columns:
        return _mix(_of_ids(batch.columns["id"]))
    return _mix(np.arange(batch.offset, batch.offset + batch.n, dtype=np.uint64))


def _of_ids(column: Any) -> Array:
    """A number for each id (n,), a function of the id alone; text by its checksum."""
    if str(column.type).startswith(("int", "uint")) and not column.null_count:
        return np.from_dlpack(column).astype(np.uint64)
    return np.array([crc32(repr(value).encode()) for value in column.to_pylist()], np.uint64)


def _mix(x: Array) -> Array:
    """SplitMix64 (Steele et al., 2014), folded to a bucket."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray((x ^ (x >> np.uint64(31))) % np.uint64(BUCKETS), np.int64)
