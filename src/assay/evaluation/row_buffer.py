"""Row buffer: columns of rows that come batch by batch, copied one after another.

>>> import numpy as np
>>> buffer = RowBuffer()
>>> for batch in (np.array([0, 1]), np.array([2])):
...     buffer.append({"target": batch})
>>> buffer.columns["target"].tolist(), buffer.n
([0, 1, 2], 3)
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from assay.adapters.tensors import is_on_accelerator, read_all_on_host
from assay.errors import UnsupportedError
from assay.kernels import Array

__all__ = ["RowBuffer"]

FIRST_ROWS = 1024  # rows that there is room for at first
GROWTH = 8  # room that is not filled takes no memory


class RowBuffer:
    """Columns of equally many rows, NumPy arrays or tensors on a device, that grow at their end."""

    def __init__(self) -> None:
        self.n = 0
        self._arrays: dict[str, Any] = {}

    @property
    def columns(self) -> dict[str, Array]:
        """The rows so far, by column, as NumPy; those on a device are copied from there."""
        return read_all_on_host({name: array[: self.n] for name, array in self._arrays.items()})

    @property
    def is_on_accelerator(self) -> bool:
        """Whether some columns lie in the memory of a device, to read which is to wait for it."""
        return any(map(is_on_accelerator, self._arrays.values()))

    def append(self, columns: Mapping[str, Any]) -> None:
        """Copy a batch of `columns` behind the rows that are there.

        UnsupportedError where it has other columns, or of another width, than the first.
        """
        if not self._arrays:
            self._arrays = {name: _make_room(values, 0) for name, values in columns.items()}
        if self._arrays.keys() != columns.keys():
            raise UnsupportedError(
                f"this batch has {', '.join(columns)}, and earlier ones {', '.join(self._arrays)}; "
                "give all batches the same"
            )
        rows = len(next(iter(columns.values())))
        for name, values in columns.items():
            self._arrays[name] = _fit(self._arrays[name], values, self.n, name)
            self._arrays[name][self.n : self.n + rows] = values
        self.n += rows


def _fit(array: Any, values: Any, n: int, name: str) -> Any:
    """The `array`, the first `n` rows of which are filled, with room for `values` behind these."""
    if array.shape[1:] != values.shape[1:]:
        raise UnsupportedError(
            f"{name} of this batch has {_count_columns(values)}, and that of earlier ones "
            f"{_count_columns(array)}; give all batches the same columns"
        )
    of_numpy = isinstance(array, np.ndarray)
    if of_numpy != isinstance(values, np.ndarray):
        raise UnsupportedError(
            f"{name} of this batch lies on another device than that of earlier ones; keep one "
            "Meter for each device, and merge them"
        )
    kind = np.promote_types(array.dtype, values.dtype) if of_numpy else array.dtype
    need = n + len(values)
    if need <= len(array) and kind == array.dtype:
        return array
    larger = _make_room(values, max(GROWTH * len(array), need, FIRST_ROWS), kind)
    larger[:n] = array[:n]
    return larger


def _make_room(values: Any, rows: int, kind: Any = None) -> Any:
    """Room for so many `rows` like those of `values`, or of another `kind` of numbers."""
    shape = (rows, *values.shape[1:])
    if isinstance(values, np.ndarray):
        return np.empty(shape, kind or values.dtype)
    return values.new_empty(shape, dtype=kind)


def _count_columns(values: Any) -> str:
    return f"{values.shape[1]} columns" if values.ndim == 2 else "one column"
