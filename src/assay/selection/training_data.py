"""training_data: rows to train and test models on, with all that comes with them.

>>> data = TrainingData(np.arange(8).reshape(4, 2), ["a", "b", "b", "a"], id=[10, 11, 12, 13])
>>> data.take(np.array([2, 0])).y, data.take(np.array([2, 0])).id
(['b', 'a'], [12, 10])
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np

from assay.adapters.arguments import check_inputs, check_truth
from assay.adapters.base import count_rows
from assay.errors import UnsupportedError
from assay.kernels import Array
from assay.table.labels import Label
from assay.table.schema import Task

__all__ = ["TrainingData", "take_rows"]


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Inputs and truth, one a row, and what else is known of the rows.

    `X` is anything scikit-learn can index, `y` (n,) the truth. `groups` (n,) holds the group of
    each row (groups are held out as a whole), `weight` (n,) its weight, `id` (n,) its name. `task`
    and `positive` declare the task and its positive class, where `y` does not show them.
    """

    X: Any
    y: Any
    groups: Any = None
    weight: Any = None
    id: Any = None
    task: Task | None = None
    positive: Label | None = None

    @classmethod
    def from_options(
        cls, X: Any, y: Any, options: Mapping[str, Any]
    ) -> tuple["TrainingData", dict[str, Any]]:
        """The data of `X` and `y` with those of the `options` that describe it, and the others."""
        names = {f.name for f in fields(cls)}
        about = {name: value for name, value in options.items() if name in names}
        others = {name: value for name, value in options.items() if name not in names}
        return cls(X, y, **about), others

    @property
    def n(self) -> int:
        """Number of rows."""
        return count_rows(self.X)

    def check(self) -> None:
        """Refuse inputs, truth or further columns that are not one a row.

        Raises:
            SchemaError: The truth is missing in a row, or has values of several types.
            UnsupportedError: Something is no column, or has another number of rows.
        """
        check_inputs(self.X)
        check_truth(self.y, self.n)
        for name in ("groups", "weight", "id"):
            values = getattr(self, name)
            if values is not None and np.shape(values)[:1] != (self.n,):
                raise UnsupportedError(
                    f"{name} must have one value for each of the {self.n} rows; got "
                    f"{type(values).__name__} of shape {np.shape(values)}"
                )

    def take(self, rows: Array) -> Self:
        """The rows at positions `rows` (m,), in that order."""
        return replace(
            self,
            X=take_rows(self.X, rows),
            y=take_rows(self.y, rows),
            groups=take_values(self.groups, rows),
            weight=take_values(self.weight, rows),
            id=None if self.id is None else take_rows(self.id, rows),
        )


def take_rows(values: Any, rows: Array) -> Any:
    """The rows at positions `rows` of `values`, which is anything scikit-learn can index."""
    if type(values) is np.ndarray:
        return values[rows]
    from sklearn.utils import _safe_indexing

    return _safe_indexing(values, rows)


def take_values(values: Any, rows: Array) -> Array | None:
    """The `values` (n,) at positions `rows` as an array; None of None."""
    return None if values is None else np.asarray(values)[rows]
