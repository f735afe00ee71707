"""Engine: the only loop over rows. It folds states over batches; what they mean is decided elsewhere.

>>> from assay.engines.local import Local
>>> from assay.table.predictions import Predictions
>>> from assay.states.confusion import Confusion
>>> p = Predictions.from_arrays(["a", "b", "b"], {"m": ["a", "a", "b"]})
>>> job = Job(Confusion(), ("m",))
>>> Local(batch=1).fold(p, [job])[job].table.tolist()
[[[1, 0], [1, 1]]]
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol

from assay.core.registry import Member, Registry
from assay.io.stream import Stream
from assay.kernels import Array
from assay.states.base import State
from assay.table.predictions import Predictions

__all__ = ["ENGINES", "Engine", "Groups", "Job", "Keep"]

ENGINES: "Registry[Engine]" = Registry("engines")


class Job(NamedTuple):
    """A state to fold over the rows of one model, or of two side by side; `bucketed` keeps it per bucket of rows."""

    state: State[Any]
    models: tuple[str, ...]
    bucketed: bool = False


class Groups(Protocol):
    """What says which group each row of a table belongs to: one key a group, and the codes (n,) of a batch's rows."""

    @property
    def keys(self) -> tuple[tuple[Any, ...], ...]:
        """One key a group."""

    def of_batch(self, batch: Predictions) -> Array:
        """The codes (n,) of the rows of a batch."""


class Keep(Protocol):
    """What is told how many batches have been folded, and their values; `now` where the pass is complete."""

    def __call__(self, done: int, values: Mapping[Job, Any], *, now: bool) -> None: ...


@dataclass(frozen=True)
class Engine(Member):
    """Base of every engine: one method, that folds jobs over a table."""

    registry: ClassVar[Registry[Any]] = ENGINES

    @abstractmethod
    def fold(
        self,
        predictions: Predictions | Stream,
        jobs: Sequence[Job],
        grouping: Groups | None = None,
        *,
        begun: tuple[int, Mapping[Job, Any]] | None = None,
        keep: Keep | None = None,
    ) -> Mapping[Job, Any]:
        """The value of each job's state over all rows; its cells are groups x buckets.

        begun: how many batches an earlier call has folded, and their values. keep: called with the same as it goes on.
        """
