"""Reader: the base of the log formats that are read, and the registry of its members.

>>> from assay.readers.base import READERS
>>> "keras_csv" in READERS.names()
True
"""

import os
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, NamedTuple

from assay.core.registry import Member, Registry
from assay.readers.history import History

__all__ = ["GENERAL", "READERS", "Folder", "Reader", "list_folder"]

READERS: "Registry[Reader]" = Registry("readers")

GENERAL = -100  # the rank of readers that take what no other one claims


class Folder(NamedTuple):
    """The children of a folder, sorted by name."""

    folders: list[Path]
    files: list[Path]


class Reader(Member):
    """One log format: where it lies, how it is recognised, and the histories it holds.

    A place is what holds a run: a file, or a folder of files that belong together. Readers are
    asked in the order of `rank`, the highest first, and by name among equals; the first that
    matches a place reads it. Below a folder, only files with one of the `suffixes` are asked, or
    all files where there are none.

    >>> from dataclasses import dataclass
    >>> from assay.core.registry import Registry
    >>> @dataclass(frozen=True)
    ... class OneLoss(Reader):
    ...     registry = Registry("readers")  # a reader of your own leaves this line out
    ...     name = "one_loss"
    ...     suffixes = (".losses",)
    ...     def matches(self, place):
    ...         return place.suffix == ".losses"
    ...     def read(self, place):
    ...         losses = [float(line) for line in place.read_text().split()]
    ...         return [History.from_lists(val_loss=losses, name=place.stem)]
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "run.losses").write_text("0.9 0.7 0.8")
    >>> [place.name for place in OneLoss().places(folder)]
    ['run.losses']
    >>> OneLoss().follow(folder / "run.losses", since=2).find("val", "loss").values
    (0.8,)
    """

    registry = READERS
    rank: ClassVar[int] = 0
    suffixes: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def matches(self, place: Path) -> bool:
        """Whether `place` has this format, told by its name, its first lines or its keys.

        It never raises: a binary file, a foreign one and one that cannot be opened do not match.

        Parameters:
            place: An existing file or folder.

        Returns:
            True where `read` can be asked for the histories.
        """

    @abstractmethod
    def read(self, place: Path) -> list[History]:
        """The runs that a matching place holds.

        Parameters:
            place: A file or folder that matches.

        Returns:
            One history a run, in the order of the log; most formats hold one.

        Raises:
            ReadError: The log is empty or cut off.
            SchemaError: The log has no curves, or text where numbers belong.
        """

    def places(self, path: Path) -> Iterator[Path]:
        """The places of this format at and below `path`, those of a folder by name, files first.

        Hidden files and links to folders are left out. What lies in a place belongs to it.

        Parameters:
            path: A file or folder.

        Returns:
            An iterator over the places: `path` itself alone where it matches.
        """
        if self.matches(path):
            yield path
            return
        folders, files = list_folder(path)
        for file in files:
            is_asked = not self.suffixes or file.suffix.lower() in self.suffixes
            if is_asked and self.matches(file):
                yield file
        for folder in folders:
            yield from self.places(folder)

    def list_copies(self, place: Path) -> list[Path]:
        """Folders in which the framework logs the run of a `place` once more, in another format.

        Logs below them are no runs of their own; default: none.
        """
        return []

    def follow(self, place: Path, since: float) -> History:
        """What is new in the newest run of a place, for a page that is drawn as the log grows.

        Parameters:
            place: A file or folder that matches.
            since: The last epoch that is known already, as the log numbers them.

        Returns:
            The history of later epochs alone; it has no series where nothing is new.

        Raises:
            ReadError: As in `read`.
            SchemaError: As in `read`.
        """
        return self.read(place)[-1].select_after(since)


def list_folder(path: Path) -> Folder:
    """The children of the folder `path`; none where it is no folder or cannot be opened.

    Hidden ones and links to folders, which may lead in a circle, are left out.
    """
    folders = []
    files = []
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(path / entry.name)
                elif entry.is_file():
                    files.append(path / entry.name)
    except OSError:
        return Folder([], [])
    return Folder(sorted(folders), sorted(files))
