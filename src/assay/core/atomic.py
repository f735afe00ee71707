"""Atomic writing: a file is written whole or not at all.

>>> import tempfile
>>> folder = Path(tempfile.mkdtemp())
>>> write_whole(folder / "a.txt", "text")
>>> [path.name for path in folder.iterdir()]
['a.txt']
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assay.errors import ReadError

__all__ = ["stage_file", "write_whole"]


def write_whole(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write `content` to the file at `path`, as a whole or not at all; see `stage_file`."""
    with stage_file(path) as place:
        Path(place).write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def stage_file(path: str | os.PathLike[str]) -> Iterator[str]:
    """A name beside `path` to write to; it replaces `path` when all went well, else it is removed.

    The file is flushed before it is renamed: a reader sees the old file or the new one, never half
    of it. What a link points to is replaced, not the link; a device or a pipe is written to
    directly. ReadError where nothing can be written.
    """
    import tempfile

    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        if target.is_dir():
            raise ReadError(f"{path}: cannot be written, it is a folder; name a file in it")
        yield os.fspath(target)
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, place = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    except OSError as error:
        raise ReadError(f"{path}: cannot be written ({error.strerror or error})") from error
    try:
        os.close(handle)
        yield place
        with open(place, "rb+") as file:
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(place, 0o666 & ~umask)
        os.replace(place, target)
    except BaseException as error:
        Path(place).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise ReadError(f"{path}: cannot be written ({error.strerror or error})") from error
        raise
