"""Tracker: the base of the packages that keep runs, the registry of its members, and their runs.

>>> str(resolve_tracker("tensorboard(folder=logs)"))
'tensorboard(folder=logs)'
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from assay.core.extras import load_module
from assay.core.registry import Member, Registry
from assay.errors import UnsupportedError
from assay.io.runs import PREDICTIONS
from assay.readers.history import History
from assay.table.predictions import Predictions
from assay.tracking.record import Record

__all__ = [
    "TRACKERS",
    "TrackedRun",
    "Tracker",
    "resolve_tracker",
]

TRACKERS: "Registry[Tracker]" = Registry("trackers", "tracking")


class Tracker(Member):
    """Base of every tracker: a new one writes `write` and `read_history`.

    `module` is the package that it logs with, and `extra` what to install; one that `keeps_files`
    takes predictions, and has `read_predictions`.
    """

    registry: ClassVar[Registry[Any]] = TRACKERS
    module: ClassVar[str] = ""
    extra: ClassVar[str] = ""
    keeps_files: ClassVar[bool] = False

    @abstractmethod
    def write(self, record: Record, run: Any, step: int | None) -> str:
        """Log a record to a run.

        Parameters:
            record: What is known of a result.
            run: A run as the package knows it; None for the one under way, or else a new one.
            step: Number of the epoch or step that was judged; None of a run as a whole.

        Returns:
            The id of the run, by which it is read.
        """

    @abstractmethod
    def read_history(self, run: str) -> History:
        """The curves of a run.

        Parameters:
            run: Its id.

        Returns:
            One history; what `track` logged without a prefix of its own is no curve.

        Raises:
            ReadError: There is no such run.
            SchemaError: It has no curve.
        """

    def read_predictions(self, run: str, file: str = PREDICTIONS, **reading: Any) -> Predictions:
        """The predictions table among the files of a run.

        Parameters:
            run: Its id.
            file: Path of the file within the run; default: where `track` puts predictions.
            reading: How it is read, as of `assay.read`: truth, task, classes, ...

        Returns:
            The table.

        Raises:
            ReadError: There is no such run or file.
            UnsupportedError: The tracker keeps no files.
        """
        raise self.refuse_predictions()

    def refuse_predictions(self) -> UnsupportedError:
        """The error of a tracker that keeps no files."""
        return UnsupportedError(
            f"{self.name} keeps no files; track predictions to mlflow or wandb, or assay.write them"
        )

    def load_package(self) -> Any:
        """The package that this logs with; MissingDependencyError where it is not installed."""
        return load_module(self.module, self.extra)


@dataclass(frozen=True)
class TrackedRun:
    """A run of a tracker, by its id; what `track` returns, and takes as `run`.

    Parameters:
        tracker: Text such as "mlflow(uri=sqlite:///mlflow.db)", or a Tracker.
        id: Id of the run: of MLflow its run ID, of others the folder of the run.

    >>> str(TrackedRun("tensorboard", "runs/a").tracker)
    'tensorboard'
    """

    tracker: "str | Tracker"
    id: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "tracker", resolve_tracker(self.tracker))

    @property
    def _member(self) -> Tracker:
        return resolve_tracker(self.tracker)

    def read_history(self) -> History:
        """The curves of the run, which `diagnose` takes.

        Returns:
            A history.

        Raises:
            ReadError: There is no such run.
            SchemaError: It has no curve.
        """
        return self._member.read_history(self.id)

    def read_predictions(self, file: str = PREDICTIONS, **reading: Any) -> Predictions:
        """The predictions table among the files of the run, which every verb takes.

        Parameters:
            file: Path of the file within the run; default: where `track` puts predictions.
            reading: How it is read, as of `assay.read`: truth, task, classes, ...

        Returns:
            The table.

        Raises:
            ReadError: There is no such run or file.
            UnsupportedError: The tracker keeps no files.
        """
        return self._member.read_predictions(self.id, file, **reading)


def resolve_tracker(tracker: str | Tracker) -> Tracker:
    """The tracker that a text names, or the one that `tracker` is."""
    if not isinstance(tracker, str | Tracker):
        raise UnsupportedError(
            f"expected a tracker, as in 'mlflow', 'wandb' or 'tensorboard'; got {tracker!r}"
        )
    return TRACKERS.parse(tracker)
