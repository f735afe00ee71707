"""Training logs that are damaged at random: a reader reads them, or refuses with an AssayError.

`check(seed)` damages one of the logs of tests/histories and reads it.
"""

import contextlib
import json
import random
import shutil
import sqlite3
import tempfile
import warnings
from pathlib import Path
from typing import Any

from assay.errors import AssayError
from assay.readers.read_history import read_history

HISTORIES = Path(__file__).parents[1] / "histories"
SOURCES = ("", "2026-11", "loggers")
LARGEST = 60_000  # bytes of a log: larger ones take longer and show no more
STRANGE = (
    *(None, True, "", "nan", "text", [], {}, [1], {"a": 1}, [[1]], [{"loss": 1}], [None]),
    *(-1, 0, 1e308, -1e308, 10**400, float("nan"), float("inf"), "1,5", "\x00", "é"),
)


def list_logs() -> list[Path]:
    """Files and folders of logs, by name."""
    places = [place for source in SOURCES for place in sorted((HISTORIES / source).iterdir())]
    left_out = {"README.md", "make", "2026-11", "loggers"}
    return [place for place in places if place.name not in left_out and _measure(place) < LARGEST]


def _measure(place: Path) -> int:
    files = place.rglob("*") if place.is_dir() else [place]
    return sum(file.stat().st_size for file in files if file.is_file())


def check(seed: int) -> str | None:
    """What is wrong with how the log of a `seed` is read; None where nothing is."""
    rng = random.Random(seed)
    log = rng.choice(list_logs())
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / log.name
        (shutil.copytree if log.is_dir() else shutil.copyfile)(log, place)
        files = sorted(f for f in place.rglob("*") if f.is_file()) if log.is_dir() else [place]
        damaged = rng.choice(files)
        for _ in range(rng.randint(1, 3)):
            damaged.write_bytes(damage(damaged.read_bytes(), rng))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                read_history(place)
        except AssayError as error:
            return None if "\n" not in str(error) else f"{log.name}: {error!r} has several lines"
        except (Exception, RecursionError) as error:
            return f"{log.name}: {type(error).__name__}: {error}"
    return None


def damage(content: bytes, rng: random.Random) -> bytes:
    """The content with one thing changed, at random."""
    ways = [cut, flip, repeat, replace_number, replace_line, replace_node]
    return rng.choice(ways)(content, rng)


def cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randint(0, len(content))]


def flip(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.randint(1, 8)):
        if changed:
            changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def repeat(content: bytes, rng: random.Random) -> bytes:
    start, end = sorted((rng.randint(0, len(content)), rng.randint(0, len(content))))
    return content[:end] + content[start:]


def replace_number(content: bytes, rng: random.Random) -> bytes:
    digits = [i for i, byte in enumerate(content) if chr(byte).isdigit()]
    if not digits:
        return content
    at = rng.choice(digits)
    text = rng.choice([b"", b"nan", b"x", b"-", b'"', b"1e999", b"99999999999999999999", b"\n"])
    return content[:at] + text + content[at + 1 :]


def replace_line(content: bytes, rng: random.Random) -> bytes:
    lines = content.split(b"\n")
    lines[rng.randrange(len(lines))] = rng.choice([b"", b",,,", b"{}", b"[]", b"loss", b"\t\t"])
    return b"\n".join(lines)


def replace_node(content: bytes, rng: random.Random) -> bytes:
    """JSON with one of its values replaced by a strange one, or a key by another."""
    try:
        value = json.loads(content)
    except ValueError:
        return content
    holder: Any = value
    while isinstance(holder, dict | list) and holder:
        key = rng.choice(list(holder)) if isinstance(holder, dict) else rng.randrange(len(holder))
        if not isinstance(holder[key], dict | list) or rng.random() < 0.3:
            holder[key] = rng.choice(STRANGE)
            if isinstance(holder, dict) and rng.random() < 0.3:
                holder[str(rng.choice(STRANGE))] = holder.pop(key)
            break
        holder = holder[key]
    return json.dumps(value).encode()


def damage_store(path: Path, rng: random.Random) -> None:
    """A SQLite store with one of its cells replaced."""
    store = sqlite3.connect(path)
    tables = [
        name for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type='table'")
    ]
    table = rng.choice(tables)
    columns = [row[1] for row in store.execute(f"PRAGMA table_info({table})")]
    value = rng.choice([None, "text", b"\xff", -1, 1e308, 2**62, float("inf")])
    with contextlib.suppress(sqlite3.IntegrityError), store:
        store.execute(f"UPDATE OR IGNORE {table} SET {rng.choice(columns)} = ?", (value,))
    store.close()
