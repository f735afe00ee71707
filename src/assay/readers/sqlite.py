"""SQLite stores of trackers, opened to be read alone.

>>> import tempfile
>>> path = Path(tempfile.mkdtemp()) / "store.db"
>>> with sqlite3.connect(path) as store:
...     _ = store.execute("CREATE TABLE metrics (key TEXT, value REAL)")
...     _ = store.execute("INSERT INTO metrics VALUES ('val_loss', 0.5)")
>>> store.close()
>>> query(path, "SELECT key, value FROM metrics")
[('val_loss', 0.5)]
>>> sorted(list_columns(path)["metrics"])
['key', 'value']
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from assay.errors import ReadError

__all__ = ["SUFFIXES", "list_columns", "query"]

SUFFIXES = (".db", ".sqlite", ".sqlite3")
MAGIC = b"SQLite format 3\0"


def list_columns(place: Path) -> dict[str, set[str]]:
    """The columns of each table of the store `place`; empty where it is none that can be read."""
    try:
        if not os.path.isfile(place):
            return {}
        with open(place, "rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                return {}
        with _open_store(place) as store:
            tables = store.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            return {
                name: {
                    row[1] for row in store.execute("SELECT * FROM pragma_table_info(?)", (name,))
                }
                for (name,) in tables
            }
    except (OSError, sqlite3.Error, UnicodeDecodeError):
        return {}


def query(path: Path, statement: str) -> list[tuple[Any, ...]]:
    """The rows that `statement` selects in the store `path`; ReadError where it cannot be read."""
    try:
        with _open_store(path) as store:
            return store.execute(statement).fetchall()
    except (sqlite3.Error, OverflowError, UnicodeDecodeError) as error:
        raise ReadError(
            f"{path} cannot be read as a SQLite store ({error}); copy it again from where the run "
            f"wrote it, when nothing writes to it"
        ) from None


@contextmanager
def _open_store(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that writes nothing, also where the journal beside the file cannot be opened."""
    address = f"file:{quote(str(path.absolute()))}?mode=ro"
    has_journal = path.with_name(f"{path.name}-wal").exists()
    store = sqlite3.connect(address if has_journal else f"{address}&immutable=1", uri=True)
    try:
        store.execute("PRAGMA trusted_schema = OFF")
        yield store
    finally:
        store.close()
