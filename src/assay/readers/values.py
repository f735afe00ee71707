"""Values: logs that are one object or list, as JSON, a pickle or a file of NumPy holds it.

>>> import pathlib, pickle, tempfile
>>> path = pathlib.Path(tempfile.mkdtemp()) / "history.pkl"
>>> _ = path.write_bytes(pickle.dumps({"loss": [0.5, 0.25]}))
>>> load_value(path), peek_value(path.parent)
({'loss': [0.5, 0.25]}, None)
"""

import os
import zipfile
from abc import abstractmethod
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from assay.errors import ReadError
from assay.readers.base import Reader
from assay.readers.history import History
from assay.readers.pickled import begins_as_pickle, parse_pickle
from assay.readers.text import load_json, peek_json

__all__ = ["ValueReader", "load_value", "peek_value"]

NUMPY = b"\x93NUMPY"
ZIP = b"PK\x03\x04"
LARGEST = 1 << 26  # bytes of a pickle or of arrays that may be a log


class ValueReader(Reader):
    """A format that is known by one object or list, wherever that stands: in a file or in memory.

    Its members say of a value whether they take it, and what histories it holds.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".json", ".jsonl", ".pkl", ".pickle", ".npy", ".npz", "")

    @abstractmethod
    def accepts(self, value: Any) -> bool:
        """Whether `value`, of plain containers and numbers, has this format; it never raises."""

    @abstractmethod
    def convert(self, value: Any, *, name: str, source: str | None) -> list[History]:
        """The runs in a `value` that it accepts.

        Parameters:
            value: Plain containers and numbers.
            name: Name of the run, or of the first part of several ones.
            source: Path of the log, or None for one in memory.

        Returns:
            One history a run.

        Raises:
            SchemaError: It has no curves, or text where numbers belong.
        """

    def matches(self, place: Path) -> bool:
        value = peek_value(place)
        return value is not None and self.accepts(value)

    def read(self, place: Path) -> list[History]:
        return self.convert(load_value(place), name=place.stem, source=str(place))


def load_value(path: Path) -> Any:
    """The value in the JSON, pickle or NumPy file `path`; None where it is none of these.

    Raises ReadError where it is empty or cut off, or a pickle of more than plain values.
    """
    head = _peek_bytes(path)
    if not _is_binary(head):
        return load_json(path)
    stat = path.stat()
    return _load_binary(path, stat.st_mtime_ns, stat.st_size)


def peek_value(place: Path) -> Any:
    """The value in `place`; None where it holds none that can be read."""
    if not _is_binary(_peek_bytes(place)):
        return peek_json(place)
    try:
        return load_value(place)
    except (ReadError, OSError):
        return None


def _peek_bytes(place: Path) -> bytes:
    try:
        if not os.path.isfile(place):  # a pipe would block
            return b""
        with open(place, "rb") as file:
            return file.read(len(NUMPY))
    except OSError:
        return b""


def _is_binary(head: bytes) -> bool:
    return begins_as_pickle(head) or head.startswith((NUMPY, ZIP))


@lru_cache(maxsize=4)
def _load_binary(path: Path, _time: int, size: int) -> Any:
    if size > LARGEST:
        raise ReadError(f"{path} is too large for a pickled training log: {size} bytes")
    content = path.read_bytes()
    if content.startswith(ZIP):
        return _load_arrays(path)
    if content.startswith(NUMPY):
        return _load_array(content, path)
    return parse_pickle(content, str(path))


def _load_array(content: bytes, path: Path) -> Any:
    """The array of an .npy file as lists; one of objects is a pickle behind a header."""
    from io import BytesIO

    from numpy.lib import format as npy

    file = BytesIO(content)
    try:
        version = npy.read_magic(file)
        read_header = npy.read_array_header_1_0 if version < (2, 0) else npy.read_array_header_2_0
        shape, _, dtype = read_header(file)
        if not dtype.hasobject:
            file.seek(0)
            return {path.stem: npy.read_array(file, allow_pickle=False).tolist()}
    except (ValueError, EOFError, MemoryError) as error:
        raise ReadError(f"{path} cannot be read as an array ({error}); save it again") from None
    value = parse_pickle(content[file.tell() :], str(path))
    return value if shape or not isinstance(value, list) or not value else value[0]


def _load_arrays(path: Path) -> Any:
    """The arrays of an .npz file by name, as lists."""
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > LARGEST:
                raise ReadError(f"{path} is too large for a training log")
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name].tolist() for name in arrays.files}
    except (ValueError, EOFError, KeyError, AttributeError, MemoryError) as error:
        raise ReadError(f"{path} cannot be read as arrays ({error})") from None
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError) as error:
        raise ReadError(f"{path} cannot be read as arrays ({error})") from None
