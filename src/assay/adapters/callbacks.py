"""Base of the callbacks: a class of a framework that is imported when the first is made.

>>> from assay.adapters.callbacks import FrameworkCallback
>>> class Collected(FrameworkCallback):
...     places = (("collections", "UserList"),)
...     extra = "none"
>>> from collections import UserList
>>> made = Collected("run.jsonl", stop_when="overfit")
>>> isinstance(made, UserList), isinstance(made, Collected), made.training_log.stop_when
(True, True, ('overfit',))
"""

from collections.abc import Collection, Mapping
from os import PathLike
from typing import Any, ClassVar

from assay.adapters.framework_object import FrameworkObject
from assay.diagnosis.training_log import TrainingLog
from assay.readers.history import Aggregation

__all__ = ["FrameworkCallback"]


class FrameworkCallback(FrameworkObject):
    """A callback that writes a `TrainingLog`, and is an instance of its framework's own class, too.

    `places` and `extra` are as of `FrameworkObject`; `train` says how the framework takes training
    values, and `facts` are what else the log says of it.

    Parameters:
        path: File to write to, as in "run.jsonl".
        stop_when: "overfit", "diverged", or both in a list: when the training is ended; default:
            never.
        options: What else `TrainingLog` takes.

    Attributes:
        training_log: The `TrainingLog`.

    Raises:
        MissingDependencyError: The framework is not installed.
    """

    train: ClassVar[Aggregation] = "running_mean"
    facts: ClassVar[Mapping[str, str]] = {}

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        stop_when: str | Collection[str] | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        self.training_log = TrainingLog(path, stop_when=stop_when, train=self.train, **options)
        self.training_log.header |= self.facts
