"""Local."""

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from typing import Any, TypeVar

import numpy as np

from assay.engines.base import Engine, Groups, Job, Keep
from assay.io.stream import Stream
from assay.kernels import Array
from assay.states.base import Pair
from assay.table.buckets import BUCKETS, buckets
from assay.table.predictions import Predictions

__all__ = ["Local"]
# Bytes of a batch: few enough that what states make of its rows is still in cache when it is read again.
WITHIN = 1 << 23
# Batches whose values are joined at a time: many, since each join costs; of a stream few, since sketches are large.
AHEAD, FEW = 64, 4

T = TypeVar("T")


@dataclass(frozen=True)
class Local(Engine):
    """One process, one pass, in batches on as many threads as pay: the default, and the reference for other engines.

    batch: rows at a time; by default as many as keep what is read of them within the processor's cache. threads: by
    default one a core. progress: a bar on standard error with rows a second and the time left; by default for a stream,
    where that is a terminal. Batches are joined in the order of the rows: threads do not change the result.
    """

    name = "local"
    batch: int | None = None
    threads: int | None = None
    progress: bool | None = None

    def fold(
        self,
        predictions: Predictions | Stream,
        jobs: Sequence[Job],
        grouping: Groups | None = None,
        *,
        begun: tuple[int, Mapping[Job, Any]] | None = None,
        keep: Keep | None = None,
    ) -> Mapping[Job, Any]:
        groups = 1 if grouping is None else len(grouping.keys)
        values: Mapping[Job, Any] = {
            job: job.state.empty(predictions.schema, groups * (BUCKETS if job.bucketed else 1))
            for job in jobs
        }
        done, values = begun or (0, values)
        parts = islice(self._parts(predictions, jobs, grouping), done, None)
        together = FEW if isinstance(predictions, Stream) else AHEAD
        shown = (
            isinstance(predictions, Stream) and sys.stderr.isatty()
            if self.progress is None
            else self.progress
        )
        opened = closing(predictions) if isinstance(predictions, Stream) else nullcontext()
        with bar(predictions, shown) as tell, opened:
            for seen in batched(in_order(parts, self.threads or os.cpu_count() or 1), together):
                values = _joined(values, seen)
                done += len(seen)
                tell(done)
                if keep is not None:
                    keep(done, values, now=False)
        if keep is not None:
            keep(done, values, now=True)
        return values

    def _parts(
        self, table: Predictions | Stream, jobs: Sequence[Job], grouping: Groups | None
    ) -> Iterator[Callable[[], dict[Job, Any]]]:
        """What computes the states of each batch of the table."""
        if isinstance(table, Stream):
            for load in table.parts():
                yield partial(self._in_pieces, load, jobs, grouping)
            return
        size = self.batch or _fitting(table, jobs)
        for start in range(0, table.n, size):
            yield partial(
                lambda start: _observe(table.slice(start, start + size), jobs, grouping), start
            )

    def _in_pieces(
        self, load: Callable[[], Predictions], jobs: Sequence[Job], grouping: Groups | None
    ) -> dict[Job, Any]:
        """The states of a loaded batch, a few rows at a time, so that what they need on the way stays small."""
        batch = load()
        size = self.batch or _fitting(batch, jobs)
        if batch.n <= size:
            return _observe(batch, jobs, grouping)
        seen = [_observe(part, jobs, grouping) for part in batch.batches(size)]
        return {job: job.state.join([part[job] for part in seen]) for job in jobs}


def _joined(values: Mapping[Job, Any], seen: Sequence[Mapping[Job, Any]]) -> dict[Job, Any]:
    return {
        job: job.state.join([value, *(part[job] for part in seen)]) for job, value in values.items()
    }


@contextmanager
def bar(table: Predictions | Stream, shown: bool) -> Iterator[Callable[[int], None]]:
    """What is told how many parts of a stream have been read, and shows it on standard error."""
    if not shown or not isinstance(table, Stream):
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    start, parts = time.perf_counter(), table.steps
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[told]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        line = progress.add_task("evaluating", total=parts, told="")

        def tell(done: int) -> None:
            rows = table.n * min(done, parts) / parts
            speed = rows / max(time.perf_counter() - start, 1e-9)
            progress.update(
                line,
                completed=done,
                told=f"{rows:,.0f} of {table.n:,} rows, {speed / 1e6:,.1f} million/s",
            )

        yield tell


def batched(items: Iterator[T], size: int) -> Iterator[list[T]]:
    """Lists of up to `size` items, in their order.

    >>> list(batched(iter("abcde"), 2))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    while batch := list(islice(items, size)):
        yield batch


def in_order(parts: Iterable[Callable[[], T]], threads: int) -> Iterator[T]:
    """What the parts give, in their order, computed on `threads` threads and never more than two a thread ahead.

    The caller's thread is one of them: where it would wait, it takes a part that no other has begun.
    """
    rest = iter(parts)
    first = list(islice(rest, 2))
    if threads == 1 or len(first) < 2:
        yield from (part() for part in chain(first, rest))
        return
    waiting: deque[tuple[Future[T], Callable[[], T]]] = deque()
    with ThreadPoolExecutor(threads - 1) as pool:
        for part in chain(first, rest):
            waiting.append((pool.submit(part), part))
            if len(waiting) >= 2 * threads:
                yield _next_of(waiting)
        while waiting:
            yield _next_of(waiting)


def _next_of(waiting: deque[tuple[Future[T], Callable[[], T]]]) -> T:
    """What the first of the parts gives; until that is known, parts that wait are computed here."""
    while not waiting[0][0].done():
        at = next((i for i, (future, _) in enumerate(waiting) if future.cancel()), None)
        if at is None:
            break
        waiting[at] = (_computed(waiting[at][1]), waiting[at][1])
    return waiting.popleft()[0].result()


def _computed(part: Callable[[], T]) -> Future[T]:
    found: Future[T] = Future()
    try:
        found.set_result(part())
    except Exception as error:
        found.set_exception(error)
    return found


def _fitting(predictions: Predictions, jobs: Sequence[Job]) -> int:
    """How many rows to read at a time: a few megabytes of what the models gave."""
    row = predictions.row_bytes({model for job in jobs for model in job.models})
    return 1 << min(max((WITHIN // max(row, 1)).bit_length() - 1, 12), 20)


def _observe(batch: Predictions, jobs: Sequence[Job], grouping: Groups | None) -> dict[Job, Any]:
    """The value of each job's state over the rows of one batch."""
    group = None if grouping is None else grouping.of_batch(batch)
    groups = 1 if grouping is None else len(grouping.keys)
    bucket = buckets(batch) if any(job.bucketed for job in jobs) else None
    views = {names: _view(batch, names) for names in {job.models for job in jobs}}
    seen = {}
    # Numbers near the largest there is overflow to infinity, which the figures say; threads have a state of their own.
    with np.errstate(over="ignore", invalid="ignore"):
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
