"""Aim: the repository `.aim`, every run in it."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.errors import ReadError, SchemaError
from assay.readers.base import Reader, list_folder
from assay.readers.history import History
from assay.readers.naming import is_curve
from assay.readers.points import Points, join_curves
from assay.readers.rocksdb import load_entries
from assay.readers.sqlite import list_columns, query

__all__ = ["Aim"]

FOLDER = ".aim"
STORE = "run_metadata.sqlite"
END = 0xFE  # after each part of a key, and before one that is a number
WIDTH = 8  # bytes of a number in a key
# The first byte of a value says what it is.
BOOLEAN = 1
INTEGER = 2
NUMBER = 3
TEXT = 4

Path_ = tuple[str | int, ...]


@dataclass(frozen=True)
class Aim(Reader):
    """Aim: the repository `.aim`, or the folder that holds it; nan and inf are kept.

    A run that was killed is read as far as it was written.
    """

    name = "aim"
    rank = 1

    def matches(self, place: Path) -> bool:
        is_repository = bool(list_folder(place / "seqs" / "chunks").folders)
        return is_repository and "hash" in list_columns(place / STORE).get("run", set())

    def places(self, path: Path) -> Iterator[Path]:
        """The repositories at and below `path`, though their folders are hidden ones.

        Parameters:
            path: A file or folder.

        Returns:
            An iterator over the places: `path` itself alone where it matches.
        """
        yield from super().places(path)
        if not self.matches(path):
            yield from (path / FOLDER,) * self.matches(path / FOLDER)

    def read(self, place: Path) -> list[History]:
        names = {str(h): str(n or h) for h, n in query(place / STORE, "SELECT hash, name FROM run")}
        prefix = place.absolute().parent.name if place.name == FOLDER else place.name
        histories = []
        for folder in list_folder(place / "seqs" / "chunks").folders:
            curves = _load_curves(place, folder.name)
            if any(map(is_curve, curves)):
                name = f"{prefix}/{names.get(folder.name, folder.name)}"
                history = join_curves(curves, name=name, format=self.name, source=str(folder))
                histories.append(history)
        if not histories:
            raise SchemaError(f"{place}: no run in this Aim repository logged a loss or a metric")
        return histories


def _load_curves(place: Path, run: str) -> dict[str, Points]:
    """The curves of a run, each named by its context and its metric."""
    contexts: dict[int, dict[str, Any]] = {}
    for path, value in _load_values(place / "meta" / "chunks" / run):
        if len(path) > 5 and path[:2] == ("meta", "chunks") and path[3] == "contexts":
            contexts.setdefault(int(path[4]), {})["/".join(map(str, path[5:]))] = value
    tables: dict[str, dict[str, dict[Any, float]]] = {}
    for path, value in _load_values(place / "seqs" / "chunks" / run):
        if path[:3] != ("seqs", "v2", "chunks") or len(path) != 8 or isinstance(value, str):
            continue
        _, _, _, _, context, metric, column, row = path
        said = [str(part) for part in contexts.get(int(context), {}).values()]
        table = tables.setdefault("/".join([*said, str(metric)]), {})
        table.setdefault(str(column), {})[row] = value
    curves = {}
    epochs: dict[float, float] = {}
    for name, table in tables.items():
        steps, values = table.get("step", {}), table.get("val", {})
        rows = sorted(steps.keys() & values.keys(), key=steps.__getitem__)
        curves[name] = Points.from_pairs((steps[row], values[row]) for row in rows)
        of_rows = table.get("epoch", {})
        epochs |= {steps[row]: of_rows[row] for row in rows if row in of_rows}
    return curves | ({"epoch": Points.from_pairs(sorted(epochs.items()))} if epochs else {})


def _load_values(folder: Path) -> Iterator[tuple[Path_, Any]]:
    """Paths and values of the database in `folder`, those that hold numbers or text."""
    for key, entry in load_entries(folder).items():
        value = _parse_value(entry)
        if value is not None:
            try:
                yield _split_key(key), value
            except (UnicodeDecodeError, ValueError) as error:
                raise ReadError(f"{folder}: a key is none of Aim's ({error})") from None


def _split_key(key: bytes) -> Path_:
    """The parts of a key: words, and numbers of eight bytes behind a mark."""
    parts: list[str | int] = []
    position = 0
    while position < len(key):
        if key[position] == END:
            end = position + 1 + WIDTH
            parts.append(int.from_bytes(key[position + 1 : end], "big", signed=True))
        else:
            end = key.index(END, position)
            parts.append(key[position:end].decode())
        position = end + 1
    return tuple(parts)


def _parse_value(entry: bytes) -> Any:
    """The number or text of an entry; None of others."""
    kind, content = entry[:1], entry[1:]
    if kind == bytes([TEXT]):
        return content.decode("utf-8", "replace")
    if kind in (bytes([INTEGER]), bytes([NUMBER])) and len(content) == WIDTH:
        return struct.unpack("<q" if kind == bytes([INTEGER]) else "<d", content)[0]
    return content != b"\0" if kind == bytes([BOOLEAN]) else None
