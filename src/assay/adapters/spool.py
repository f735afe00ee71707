"""Spool: columns that come batch by batch, kept in memory or in a file until all rows are there.

>>> import numpy as np
>>> spool = Spool()
>>> for part in ([0, 1, 2], [3, 4]):
...     spool.append({"y": np.array(part)})
>>> [chunk["y"].tolist() for chunk in spool.read(rows=2)]
[[0, 1], [2, 3], [4]]
"""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Self

import numpy as np

from assay.kernels import Array

__all__ = ["Spool", "convert_to_plain"]


class Spool:
    """Columns of equal length that are appended to, and then read from the start.

    Parameters:
        folder: Folder of the file that holds them, which has no name there and is gone when the
            process ends, however it does; default: they are kept in memory.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.n = 0
        self._names: list[str] = []
        self._batches: list[dict[str, Array]] = []
        self._file: IO[bytes] | None = None
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by `close`

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def append(self, columns: Mapping[str, Array]) -> None:
        """Put further rows behind those that are there; every batch has the same `columns`."""
        if not self._names:
            self._names = list(columns)
        self.n += len(next(iter(columns.values())))
        if self._file is None:
            self._batches.append(dict(columns))
            return
        for name in self._names:
            np.save(self._file, convert_to_plain(columns[name]), allow_pickle=False)

    def read(self, rows: int | None = None) -> Iterator[dict[str, Array]]:
        """The columns in chunks of so many `rows`, the last perhaps shorter; None: all at once."""
        held: list[dict[str, Array]] = []
        count = 0
        for batch in self._iterate():
            held.append(batch)
            count += len(batch[self._names[0]])
            while rows is not None and count >= rows:
                joined = _join(held)
                yield {name: values[:rows] for name, values in joined.items()}
                held = [{name: values[rows:] for name, values in joined.items()}]
                count -= rows
        if held and (count or rows is None):
            yield _join(held)

    def close(self) -> None:
        """Let go of the file or the memory."""
        self._batches.clear()
        if self._file is not None:
            self._file.close()

    def _iterate(self) -> Iterator[dict[str, Array]]:
        if self._file is None:
            yield from self._batches
            return
        end = self._file.tell()
        self._file.seek(0)
        place = 0
        while place < end:
            batch = {name: np.load(self._file, allow_pickle=False) for name in self._names}
            place = self._file.tell()
            yield batch
            self._file.seek(place)
        self._file.seek(end)


def convert_to_plain(values: Any) -> Array:
    """The array `values`, of objects as one of text or numbers; bytes are read as text in UTF-8."""
    array = np.asarray(values)
    if array.dtype.kind == "O":
        cells = [v.decode() if isinstance(v, bytes) else v for v in array.ravel().tolist()]
        array = np.array(cells).reshape(array.shape)
    elif array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8")
    return array


def _join(batches: list[dict[str, Array]]) -> dict[str, Array]:
    if len(batches) == 1:
        return batches[0]
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
