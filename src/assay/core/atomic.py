"""Atomic writing: a file is written whole or not at all.

While a file is staged its writer holds a lock on it, so that what a killed writer left can be told
from what another is writing.

>>> import tempfile
>>> folder = Path(tempfile.mkdtemp())
>>> write_whole(folder / "a.txt", "text")
>>> [path.name for path in folder.iterdir()]
['a.txt']
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from assay.errors import ReadError

__all__ = ["remove_leftovers", "stage_file", "stage_folder", "write_whole"]


def write_whole(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write `content` to the file at `path`, as a whole or not at all; see `stage_file`."""
    with stage_file(path) as place:
        Path(place).write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def stage_file(path: str | os.PathLike[str]) -> Iterator[str]:
    """A name beside `path` to write to; it replaces `path` when all went well, else it is removed.

    The file is flushed before it is renamed: a reader sees the old file or the new one, never half
    of it. What a link points to is replaced, not the link; a file that is replaced keeps its mode;
    a device or a pipe is written to directly. ReadError where nothing can be written.
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
    locked = _lock(handle)
    try:
        if not locked:
            os.close(handle)
        yield place
        with open(place, "rb+") as file:
            os.fsync(file.fileno())
        os.chmod(place, _choose_mode(target))
        os.replace(place, target)
    except BaseException as error:
        Path(place).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise ReadError(f"{path}: cannot be written ({error.strerror or error})") from error
        raise
    finally:
        if locked:
            os.close(handle)


@contextmanager
def stage_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A folder beside `path` to write files to; it becomes `path` when all went well.

    The files are flushed before. ReadError where there is something at `path` already, but for an
    empty folder, or where nothing can be written.
    """
    import shutil
    import tempfile

    target = Path(os.path.realpath(path))
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise ReadError(f"{path}: there is something already; name a folder that is new or empty")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    except OSError as error:
        raise ReadError(f"{path}: cannot be written ({error.strerror or error})") from error
    try:
        yield place
        for file in place.iterdir():
            with open(file, "rb+") as opened:
                os.fsync(opened.fileno())
        os.chmod(place, _choose_mode(target) | 0o111)  # noqa: S103 - folders are entered
        os.replace(place, target)
    except BaseException as error:
        shutil.rmtree(place, ignore_errors=True)
        if isinstance(error, OSError):
            raise ReadError(f"{path}: cannot be written ({error.strerror or error})") from error
        raise


def remove_leftovers(path: str | os.PathLike[str]) -> None:
    """Remove what writers of `path` that were killed left beside it, and nothing of living ones."""
    folder, name = os.path.split(os.path.realpath(path))
    leftover = re.compile(rf"\.{re.escape(name)}\..{{8}}")
    try:
        names = os.listdir(folder or ".")
    except OSError:
        return
    for place in filter(leftover.fullmatch, names):
        # A file that is in use cannot be opened or removed on some systems, nor one of another
        # user.
        with suppress(OSError):
            _remove_unused(os.path.join(folder, place))


def _remove_unused(place: str) -> None:
    """Remove the file at `place` unless its writer still holds it."""
    handle = os.open(place, os.O_RDWR)
    try:
        if _lock(handle) or os.name == "nt":
            os.unlink(place)
    finally:
        os.close(handle)


def _lock(handle: int) -> bool:
    """Whether the open file `handle` could be locked: no other handle holds it."""
    try:
        import fcntl
    except ImportError:  # not on Windows, where an open file cannot be removed anyway
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _choose_mode(target: Path) -> int:
    """The mode of the file that is replaced, or of a new one."""
    with suppress(FileNotFoundError):
        return target.stat().st_mode & 0o777
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask
