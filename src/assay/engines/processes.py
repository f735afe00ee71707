"""processes: worker processes of this machine, for work that threads cannot do side by side.

A script that uses it guards its own start with `if __name__ == "__main__":`, as for every use of
Python's multiprocessing: workers import the script again.

>>> from assay.engines.base import resolve_engine
>>> resolve_engine("processes(workers=4)").workers
4
"""

import multiprocessing
import os
import pickle
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, TypeVar

from assay.engines.base import Engine
from assay.errors import AssayError, EngineError, UnsupportedError
from assay.table.protocol import Part

__all__ = ["Processes"]

V = TypeVar("V")

# Parts that are handed out for each worker before the first of them is done.
AHEAD = 2


@dataclass(frozen=True)
class Processes(Engine):
    """Worker processes of this machine.

    The parts of a stream are read by the workers; rows in memory are sent to them.

    The results are those of `local`: values come in the order of the rows, and are joined in that
    order.

    Parameters:
        workers: Number of processes; default: one a core.
        batch: Rows at a time; default: as many as keep what is read of them within the processor's
            cache.
        progress: Whether to show a bar on standard error; default: where that is a terminal.
    """

    name = "processes"
    workers: int | None = None

    def map(self, task: Callable[[Part], V], parts: Iterable[Part]) -> Iterator[V]:
        workers = self.workers or os.cpu_count() or 1
        # Spawned workers share nothing with this process: no locks, open files or threads.
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(workers, context, _start_worker, (_dump(task),))
        waiting: deque[tuple[Part, Future[V]]] = deque()
        try:
            for part in parts:
                waiting.append((part, pool.submit(_run_part, part)))
                if len(waiting) >= AHEAD * workers:
                    yield _take_first(waiting)
            while waiting:
                yield _take_first(waiting)
        finally:
            # After an error or an interruption workers end with the part that they are at.
            pool.shutdown(wait=True, cancel_futures=True)


def _dump(task: Any) -> bytes:
    """The task as bytes; it is sent to each worker once."""
    try:
        return pickle.dumps(task)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise UnsupportedError(
            f"what is to be computed cannot be sent to other processes ({error}); define functions "
            f"of your own in a module, or use engine='local'"
        ) from error


def _take_first(waiting: deque[tuple[Part, Future[V]]]) -> V:
    """What the first part gives; an error that is not of `assay` names the part."""
    part, future = waiting.popleft()
    try:
        return future.result()
    except AssayError:
        raise
    except BrokenProcessPool as error:
        raise EngineError(
            f"{part}: a worker process ended before it was done (out of memory? a script without "
            f'`if __name__ == "__main__":`? metrics that it cannot import?); '
            f"use fewer workers, or engine='local'"
        ) from error
    except Exception as error:
        error.add_note(f"This happened at {part}.")
        raise


# The task of this worker process.
_task: Callable[[Part], Any]


def _start_worker(task: bytes) -> None:
    """Take the task; an interruption from the keyboard is for the process that started this one."""
    global _task
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _task = pickle.loads(task)  # noqa: S301 - bytes of the process that started this one


def _run_part(part: Part) -> Any:
    return _task(part)
