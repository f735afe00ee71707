"""ClearML: the metrics of an offline session, a list of events in each line."""

import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from assay.errors import ReadError
from assay.readers.base import Reader
from assay.readers.history import History
from assay.readers.points import Points, join_curves
from assay.readers.text import peek_text, read_text

__all__ = ["ClearML"]

METRICS = "metrics.jsonl"
SCALAR = "training_stats_scalar"
LARGEST = 1 << 30  # bytes of metrics in an archive


@dataclass(frozen=True)
class ClearML(Reader):
    """ClearML: `metrics.jsonl` of an offline session, its folder, or its archive.

    The library itself writes nan and inf as 0; nothing in the file tells them from a loss of 0, so
    a loss of exactly 0 is remarked on.
    """

    name = "clearml"
    rank = 1
    suffixes = (".jsonl", ".zip")

    def matches(self, place: Path) -> bool:
        first = _peek_lines(place).partition("\n")[0]
        return first.startswith("[{") and f'"{SCALAR}"' in first

    def read(self, place: Path) -> list[History]:
        file = place / METRICS if place.is_dir() else place
        pairs: dict[str, list[tuple[float, float]]] = {}
        text = _load_archive(file) if file.suffix == ".zip" else read_text(file)
        for number, line in enumerate(text.splitlines(), start=1):
            for event in _parse_events(line, f"{file}: line {number}"):
                name = f"{event.get('variant', '')}/{event.get('metric', '')}"
                pairs.setdefault(name, []).append((event["iter"], event["value"]))
        curves = {name: Points.from_pairs(points) for name, points in pairs.items()}
        name = place.name if place.is_dir() else place.stem
        history = join_curves(curves, name=name, format=self.name, source=str(file))
        zeros = [s.metric for s in history.series if s.better == "lower" and 0.0 in s.values]
        if not zeros:
            return [history]
        note = (
            f"{zeros[0]} is exactly 0 in places: ClearML writes nan and inf as 0, so the run may "
            f"have diverged"
        )
        return [replace(history, notes=(*history.notes, note))]


def _peek_lines(place: Path) -> str:
    if place.suffix == ".zip" and os.path.isfile(place):
        try:
            with zipfile.ZipFile(place) as archive, archive.open(METRICS) as file:
                return file.read(65536).decode("utf-8", "replace")
        except (OSError, KeyError, ValueError, zipfile.BadZipFile, NotImplementedError):
            return ""
    return peek_text(place / METRICS if place.is_dir() else place)


def _load_archive(file: Path) -> str:
    try:
        with zipfile.ZipFile(file) as archive, archive.open(METRICS) as content:
            return content.read(LARGEST).decode()
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError) as error:
        raise ReadError(f"{file} cannot be read as an archive of ClearML ({error})") from None


def _parse_events(line: str, where: str) -> list[Mapping[str, Any]]:
    """The scalar events in one line."""
    try:
        events = json.loads(line) if line.strip() else []
    except (ValueError, RecursionError) as error:
        raise ReadError(f"{where} is not JSON ({error}); the file was cut off") from None
    events = [event for event in events if isinstance(event, Mapping)]
    return [
        event
        for event in events
        if event.get("type") == SCALAR
        and isinstance(event.get("iter"), int | float)
        and isinstance(event.get("value"), int | float)
    ]
