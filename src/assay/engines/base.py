"""Engine: the only loop over rows.

It folds states over the parts of a table; what they mean is decided elsewhere.

>>> from assay.engines.local import Local
>>> from assay.states.confusion import Confusion
>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays(["a", "b", "b"], {"m": ["a", "a", "b"]})
>>> job = Job(Confusion(), ("m",))
>>> Local(batch=1).fold(p, [job])[job].table.tolist()
[[[1, 0], [1, 1]]]
"""

import time
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

import numpy as np

from assay.core.progress import show_progress
from assay.core.registry import Member, Registry
from assay.kernels import Array
from assay.states.base import Pair, State
from assay.table.buckets import BUCKETS, assign_buckets
from assay.table.protocol import Batch, Grouping, Part, Table

__all__ = ["ENGINES", "Engine", "Job", "ObserveTask", "OnBatch", "resolve_engine"]

ENGINES: "Registry[Engine]" = Registry("engines")

# Bytes of a batch: few enough that what states make of its rows is still in the processor's cache
# when it is read again.
BATCH_BYTES = 1 << 23
# Parts whose values are joined at a time: many, since each join costs; of a table that is not in
# memory few, since its sketches are large.
JOINED = 64
JOINED_OF_STREAM = 4

T = TypeVar("T")
V = TypeVar("V")


class Job(NamedTuple):
    """A state to fold over the rows of one model, or of two side by side.

    `bucketed` keeps it per bucket of rows, for resampling.
    """

    state: State[Any]
    models: tuple[str, ...]
    bucketed: bool = False


class OnBatch(Protocol):
    """Is called with the number of parts folded so far, and their values.

    `now` is true where the pass is complete.
    """

    def __call__(self, done: int, values: Mapping[Job, Any], *, now: bool) -> None: ...


@dataclass(frozen=True)
class Engine(Member):
    """Base of every engine: a new one writes `map` alone.

    Parameters:
        batch: Rows at a time; default: as many as keep what is read of them within the processor's
            cache.
        progress: Whether to show a bar on standard error, with rows a second and the time left;
            default: where that is a terminal and the work takes more than half a second.
    """

    registry: ClassVar[Registry[Any]] = ENGINES

    batch: int | None = field(default=None, kw_only=True)
    progress: bool | None = field(default=None, kw_only=True)

    @abstractmethod
    def map(self, task: Callable[[Part], V], parts: Iterable[Part]) -> Iterator[V]:
        """What a task gives for each part, in the order of the parts.

        Parameters:
            task: A function of one part; picklable.
            parts: Parts of a table; picklable. They are taken as they are needed: an engine looks a
                few parts ahead, never through all of them.

        Returns:
            The values, in the order of the parts.

        Raises:
            AssayError: What the task raises; its text names the file and the rows.
        """

    def fold(
        self,
        table: Table,
        jobs: Sequence[Job],
        grouping: Grouping | None = None,
        *,
        start: tuple[int, Mapping[Job, Any]] | None = None,
        on_batch: OnBatch | None = None,
    ) -> Mapping[Job, Any]:
        """The value of each job's state over all rows.

        Parameters:
            table: A table in memory or a stream.
            jobs: States to fold, each over the rows of one model or of two.
            grouping: Which group each row belongs to; the cells of values are then groups x
                buckets.
            start: How many parts an earlier call has folded, and their values; they are not read
                again.
            on_batch: Called with the same as the pass goes on, and once more when it is complete.

        Returns:
            The value of each job's state, by job.
        """
        groups = 1 if grouping is None else len(grouping.keys)
        rows = self.batch or count_fitting_rows(table.head, jobs)
        task = ObserveTask(tuple(jobs), grouping, self.batch)
        done, values = start or (0, _make_empty(table, jobs, groups))
        total = table.count_parts(rows)
        began = time.perf_counter()
        with show_progress("evaluating", total, self.progress, done=done) as update, closing(table):
            parts = islice(table.parts(rows), done, None)
            joined = JOINED if table.is_in_memory else JOINED_OF_STREAM
            for batch in take_batches(self.map(task, parts), joined):
                values = _join(jobs, values if done else {}, batch)
                done += len(batch)
                update(done, _describe_speed(table.n * done / total, table.n, began))
                if on_batch is not None:
                    on_batch(done, values, now=False)
        if on_batch is not None:
            on_batch(done, values, now=True)
        return values


def resolve_engine(engine: str | Engine | None) -> Engine:
    """The engine that a text such as "processes(workers=4)" names; `local` where `engine` is None.

    >>> resolve_engine("local(threads=1)")
    Local(batch=None, progress=None, threads=1)
    """
    return ENGINES.parse("local" if engine is None else engine)


@dataclass(frozen=True, eq=False)
class ObserveTask:
    """The task that an engine maps over parts: the value of each job's state over a part."""

    jobs: tuple[Job, ...]
    grouping: Grouping | None = None
    batch: int | None = None

    def __call__(self, part: Part) -> list[Any]:
        """The values of a `part`, in the order of the jobs.

        The rows are read a few at a time, so that what the states need on the way stays small.
        """
        batch = part.load()
        rows = self.batch or count_fitting_rows(batch, self.jobs)
        if batch.n <= rows:
            return self._observe(batch)
        values = [self._observe(few) for few in batch.batches(rows)]
        return [job.state.join(of_job) for job, *of_job in zip(self.jobs, *values, strict=True)]

    def _observe(self, batch: Batch) -> list[Any]:
        group = None if self.grouping is None else self.grouping.encode_rows(batch)
        groups = 1 if self.grouping is None else len(self.grouping.keys)
        bucket = assign_buckets(batch) if any(job.bucketed for job in self.jobs) else None
        views = {models: _view(batch, models) for models in {job.models for job in self.jobs}}
        values: dict[Job, Any] = {}
        # States that keep every row come first: others read a part of what is computed for them.
        # Numbers near the largest there is overflow to infinity, which the results say; each thread
        # has a NumPy error state of its own.
        with np.errstate(over="ignore", invalid="ignore"):
            for job in sorted(self.jobs, key=lambda job: not job.state.keeps):
                cell, cells = _cross(group, groups, bucket if job.bucketed else None)
                values[job] = job.state.observe(views[job.models], cell, cells)
        return [values[job] for job in self.jobs]


def _make_empty(table: Table, jobs: Sequence[Job], groups: int) -> dict[Job, Any]:
    """The neutral value of each job's state."""
    return {
        job: job.state.empty(table.schema, groups * (BUCKETS if job.bucketed else 1))
        for job in jobs
    }


def _join(
    jobs: Sequence[Job], values: Mapping[Job, Any], batch: Sequence[Sequence[Any]]
) -> dict[Job, Any]:
    """The values, if there are any, with those of further parts, in the order of the jobs."""
    if not values and len(batch) == 1:
        return dict(zip(jobs, batch[0], strict=True))  # most tables in memory are one part
    return {
        job: job.state.join([*([values[job]] if values else []), *(part[i] for part in batch)])
        for i, job in enumerate(jobs)
    }


def count_fitting_rows(batch: Batch, jobs: Sequence[Job]) -> int:
    """How many rows of a `batch` to read at a time: some megabytes of what the `jobs` read."""
    row = batch.row_bytes({model for job in jobs for model in job.models})
    return 1 << min(max((BATCH_BYTES // max(row, 1)).bit_length() - 1, 12), 20)


def take_batches(items: Iterator[T], size: int) -> Iterator[list[T]]:
    """Lists of up to `size` `items`, in their order.

    >>> list(take_batches(iter("abcde"), 2))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    while batch := list(islice(items, size)):
        yield batch


def _describe_speed(rows: float, n: int, began: float) -> str:
    speed = rows / max(time.perf_counter() - began, 1e-9)
    return f"{rows:,.0f} of {n:,} rows, {speed / 1e6:,.1f} million/s"


def _view(batch: Batch, models: tuple[str, ...]) -> Any:
    """What states of one model, or of two, observe."""
    rows = [batch.rows(name) for name in models]
    return rows[0] if len(rows) == 1 else Pair(*rows)


def _cross(group: Array | None, groups: int, bucket: Array | None) -> tuple[Array | None, int]:
    """The cell of each row, of groups x buckets, and the number of cells."""
    if bucket is None:
        return group, groups
    cell = bucket if group is None else group * BUCKETS + bucket
    return cell, groups * BUCKETS
