"""Pipes: rows that can be read only once are copied to a file, which every verb can read.

>>> import tempfile
>>> copy_pipe("predictions.csv", tempfile.gettempdir())
'predictions.csv'
"""

import os
import stat
import sys
from contextlib import nullcontext
from pathlib import Path

from assay.errors import ReadError
from assay.io.formats import detect_format

__all__ = ["copy_pipe"]

# How files of a format begin; what begins otherwise is text.
BEGINNINGS = {b"PAR1": ".parquet", b"ARROW1": ".arrow"}


def copy_pipe(path: str, folder: str | os.PathLike[str]) -> str:
    """The file to read in place of `path`: a copy in `folder` of what a pipe gives, else `path`.

    "-" is the standard input. Where the name does not tell the format, the content does.
    """
    if path != "-" and not _is_pipe(path):
        return path
    name = "stdin" if path in ("-", "/dev/stdin") else os.path.basename(path)
    place = Path(folder) / name
    number = 1
    while place.exists():
        number += 1
        place = Path(folder) / f"{number}_{name}"
    try:
        stream = nullcontext(sys.stdin.buffer) if path == "-" else open(path, "rb")  # noqa: SIM115
        with stream as source, place.open("wb") as copy:
            while block := source.read(1 << 20):
                copy.write(block)
    except OSError as error:
        raise ReadError(f"{path}: cannot be read ({error.strerror or error})") from error
    if not place.stat().st_size:
        raise ReadError(f"{path}: nothing came; write the table to it")
    if detect_format(place) is None:
        place = place.rename(place.with_name(place.name + _guess_suffix(place)))
    return os.fspath(place)


def _is_pipe(path: str) -> bool:
    """Whether `path` is a pipe, or a file that a shell has opened under a name of its own."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    redirected = path.startswith("/dev/") and stat.S_ISREG(mode)
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or redirected


def _guess_suffix(place: Path) -> str:
    with place.open("rb") as file:
        start = file.read(8)
    return next((suffix for begin, suffix in BEGINNINGS.items() if start.startswith(begin)), ".csv")
