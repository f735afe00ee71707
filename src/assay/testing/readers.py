"""What every reader of training logs must keep: it says no without raising, and reads without
crashing.

>>> import pathlib, tempfile
>>> log = pathlib.Path(tempfile.mkdtemp()) / "log.csv"
>>> _ = log.write_text("epoch,loss,val_loss\\n1,0.9,0.8\\n2,0.6,0.7\\n")
>>> check_reader("keras_csv", log)
"""

import math
import tempfile
from collections.abc import Iterator
from os import PathLike
from pathlib import Path

from assay.errors import AssayError
from assay.readers.base import READERS, Reader
from assay.readers.history import History
from assay.testing.laws import require

__all__ = ["check_reader"]

FOREIGN = {
    "empty.log": b"",
    "binary.log": bytes(range(256)) * 8,
    "text.log": b"once upon a time\n" * 20,
    "cut.json": b'{"epoch": [1, 2',
    "list.json": b"[1, 2, 3]",
    "predictions.csv": b"y,m.label\na,a\nb,a\n",
}


def check_reader(reader: str | Reader, log: str | PathLike[str]) -> None:
    """Hold a reader to the laws that every reader must keep, by a log that it is for.

    It finds the log and says that it matches; it says no, and never raises, to empty, binary and
    foreign files, to files that are not there, and to empty folders; epochs ascend; a log that is
    cut off at any place is read, or refused with an AssayError; what follows the last epoch is
    nothing.

    Parameters:
        reader: The reader, or its name.
        log: A file or folder of its format, as the framework wrote it, with one epoch or more.

    Raises:
        AssertionError: A law does not hold; the message names the reader and the law.

    >>> check_reader("keras_csv", "no/such/log.csv")
    Traceback (most recent call last):
    AssertionError: keras_csv: matches the log no/such/log.csv
    """
    member = READERS.parse(reader)
    place = Path(log)
    require(_matches(member, place), member, f"matches the log {place}")
    require(list(member.places(place)) != [], member, "finds the places of the log")
    histories = [history for found in member.places(place) for history in member.read(found)]
    require(histories != [], member, "reads one history or more")
    for history in histories:
        _check_history(member, history)
    last = max((s.epochs[-1] for h in histories for s in h.series if s.epochs), default=math.inf)
    found = next(member.places(place))
    require(not member.follow(found, last).series, member, "nothing follows the last epoch")
    with tempfile.TemporaryDirectory() as folder:
        _check_foreign(member, Path(folder))
        if place.is_file():
            _check_cut(member, place, Path(folder))


def _matches(reader: Reader, place: Path) -> bool:
    try:
        return reader.matches(place)
    except Exception as error:
        raise AssertionError(
            f"{reader}: matches() never raises; {place.name}: {error!r}"
        ) from error


def _check_history(reader: Reader, history: History) -> None:
    for series in history.series:
        ascends = all(a < b for a, b in zip(series.epochs, series.epochs[1:], strict=False))
        require(ascends, reader, f"epochs ascend; {series.split} {series.metric}")
        same = len(series.epochs) == len(series.values)
        require(same, reader, f"each epoch has a value; {series.split} {series.metric}")


def _check_foreign(reader: Reader, folder: Path) -> None:
    for name, content in FOREIGN.items():
        place = folder / name
        place.write_bytes(content)
        if _matches(reader, place):  # what a general reader takes it must read, or refuse in words
            _read(reader, place)
    require(not _matches(reader, folder / "missing"), reader, "does not match what is not there")
    empty = folder / "empty"
    empty.mkdir()
    require(not _matches(reader, empty), reader, "does not match an empty folder")
    require(list(reader.places(empty)) == [], reader, "an empty folder has no places")


def _check_cut(reader: Reader, log: Path, folder: Path) -> None:
    content = log.read_bytes()
    for place in _cut(content, folder / log.name):
        if _matches(reader, place):
            _read(reader, place)


def _cut(content: bytes, place: Path) -> Iterator[Path]:
    """The place with less and less of the content in it."""
    for tenth in range(9, 0, -1):
        place.write_bytes(content[: len(content) * tenth // 10])
        yield place


def _read(reader: Reader, place: Path) -> None:
    try:
        reader.read(place)
    except AssayError:
        return
    except Exception as error:
        law = "a log that is cut off or foreign is read, or refused with an AssayError"
        raise AssertionError(f"{reader}: {law}; {place.name}: {error!r}") from error
