"""local: one process, on threads; the default engine, and the reference for others.

>>> list(run_in_order([lambda: 1, lambda: 2, lambda: 3], threads=2))
[1, 2, 3]
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from typing import TypeVar

from assay.engines.base import Engine
from assay.table.protocol import Part

__all__ = ["Local"]

V = TypeVar("V")


@dataclass(frozen=True)
class Local(Engine):
    """One process, one pass, in batches on threads.

    Threads do not change the result: values come in the order of rows.

    Parameters:
        threads: Number of threads; default: one a core.
        batch: Rows at a time; default: as many as keep what is read of them within the processor's
            cache.
        progress: Whether to show a bar on standard error; default: where that is a terminal.
    """

    name = "local"
    threads: int | None = None

    def map(self, task: Callable[[Part], V], parts: Iterable[Part]) -> Iterator[V]:
        calls = (partial(task, part) for part in parts)
        return run_in_order(calls, self.threads or os.cpu_count() or 1)


def run_in_order(calls: Iterable[Callable[[], V]], threads: int) -> Iterator[V]:
    """What the `calls` return, in their order, computed on `threads` threads and never more than
    two a thread ahead.

    The caller's thread is one of them: where it would wait, it runs a call that no other has begun.
    """
    iterator = iter(calls)
    first = list(islice(iterator, 2))
    if threads == 1 or len(first) < 2:
        yield from (call() for call in chain(first, iterator))
        return
    waiting: deque[tuple[Future[V], Callable[[], V]]] = deque()
    with ThreadPoolExecutor(threads - 1) as pool:
        for call in chain(first, iterator):
            waiting.append((pool.submit(call), call))
            if len(waiting) >= 2 * threads:
                yield _take_first(waiting)
        while waiting:
            yield _take_first(waiting)


def _take_first(waiting: deque[tuple[Future[V], Callable[[], V]]]) -> V:
    """What the first call returns; until that is known, calls that wait are run here."""
    while not waiting[0][0].done():
        free = next((i for i, (future, _) in enumerate(waiting) if future.cancel()), None)
        if free is None:
            break
        call = waiting[free][1]
        waiting[free] = (_run(call), call)
    return waiting.popleft()[0].result()


def _run(call: Callable[[], V]) -> Future[V]:
    """A future that is done: with what the call returns, or with the error that it raises."""
    future: Future[V] = Future()
    try:
        future.set_result(call())
    except Exception as error:
        future.set_exception(error)
    return future
