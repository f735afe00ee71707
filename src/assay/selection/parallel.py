"""parallel: every (model, fold) of an experiment, several at a time, as they finish.

>>> sorted(run_pairs(lambda name, fold: (fold, name), [("a", 0), ("b", 1)], n_jobs=1))
[(0, 'a'), (1, 'b')]
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

__all__ = ["Pair", "run_pairs"]

Pair = tuple[str, int]

R = TypeVar("R")


def run_pairs(
    one: Callable[[str, int], R], pairs: Sequence[Pair], n_jobs: int | None = -1
) -> Iterator[R]:
    """What `one` gives for each of the (model, fold) `pairs`, as they finish.

    Small fits are slowed several times over by nested BLAS threads, so each gets one.

    Parameters:
        one: A function of the name of a model and the number of a fold.
        pairs: Which to run.
        n_jobs: How many at a time; -1, the default: as many as there are cores.
    """
    from joblib import Parallel, delayed
    from joblib.parallel import get_active_backend
    from threadpoolctl import threadpool_limits

    if not pairs:
        return
    backend, wanted = get_active_backend(prefer="threads")
    if backend.supports_return_generator:
        batches = [pairs]
        how = "generator_unordered"
    else:
        # Such a backend (joblib's multiprocessing, Ray's) returns nothing before all is done: it
        # gets no more at a time than may be lost.
        size = backend.effective_n_jobs(wanted if n_jobs is None else n_jobs)
        batches = [pairs[start : start + size] for start in range(0, len(pairs), size)]
        how = "list"
    with threadpool_limits(limits=1):
        for batch in batches:
            yield from Parallel(n_jobs=n_jobs, prefer="threads", return_as=how)(
                delayed(one)(name, fold) for name, fold in batch
            )
