"""training_log: what `assay.TrainingLog` and the callbacks write while a run is under way."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from assay.errors import ReadError
from assay.readers.base import Reader
from assay.readers.cells import gather_columns
from assay.readers.history import History
from assay.readers.naming import parse_curve_name
from assay.readers.text import read_text

__all__ = ["FORMAT", "LoggedRun", "TrainingLogs", "load_runs"]

FORMAT = "assay.training_log/1"

Row = Mapping[str, Any]


@dataclass(frozen=True)
class LoggedRun:
    """One run of a log: its header line, and a row an epoch.

    The header states what is known of the data and how rows are numbered: `name`, `unit`, `train`
    (how training values were taken), `n_val`, `n_classes`, `baseline`, `metric`, `better`, and the
    `checkpoint` that belongs to a row, as in "checkpoint-{step}". `notes` say what was not read.
    """

    header: Row
    rows: Sequence[Row] = ()
    notes: tuple[str, ...] = ()

    @property
    def unit(self) -> Any:
        """What the rows are numbered by."""
        return self.header.get("unit", "epoch")

    def build_history(self, name: str, source: str | None = None) -> History:
        """The curves, under `name` and from the file `source`; SchemaError where there are none."""
        columns = gather_columns(self.rows)
        epochs = columns.pop(self.unit, [None] * len(self.rows))
        history = History.from_columns(
            columns,
            epochs=epochs,
            name=name,
            format=TrainingLogs.name,
            source=source,
            unit=self.unit,
            train=self.header.get("train", "unknown"),
        )
        facts: dict[str, Any] = {
            key: self.header.get(key) for key in ("n_val", "n_classes", "baseline")
        }
        metric = self.header.get("metric")
        monitor = None if metric is None else parse_curve_name(metric)[1]
        better = self.header.get("better")
        series = tuple(
            replace(s, better=better) if better and s.metric == monitor else s
            for s in history.series
        )
        return replace(
            history,
            **facts,
            monitor=monitor,
            series=series,
            checkpoints=self._name_checkpoints(),
            steps=tuple((float(row[self.unit]), float(row["step"])) for row in self._step_rows),
            notes=history.notes + self.notes,
        )

    @property
    def _step_rows(self) -> list[Row]:
        """The rows that are numbered by something else and name their step, too."""
        if self.unit == "step":
            return []
        return [row for row in self.rows if "step" in row and self.unit in row]

    def _name_checkpoints(self) -> tuple[tuple[float, str], ...]:
        pattern = self.header.get("checkpoint")
        if pattern is None:
            return ()
        return tuple((float(row[self.unit]), pattern.format(**row)) for row in self._step_rows)


@dataclass(frozen=True)
class TrainingLogs(Reader):
    """What `assay.TrainingLog` and the callbacks write: JSON lines, a header, then a row an epoch.

    A further header begins a further run in the same file. A line that was cut off, as by a
    machine that went down, is left out with a note.
    """

    name = "training_log"
    rank = 10
    suffixes = (".jsonl", ".json", ".log", ".txt")

    def matches(self, place: Path) -> bool:
        try:
            with place.open("rb") as file:
                return FORMAT.encode() in file.readline(1000)
        except OSError:
            return False

    def read(self, place: Path) -> list[History]:
        runs = [run for run in load_runs(place) if run.rows]
        if not runs:
            raise ReadError(f"{place}: the log has no epoch yet; wait for the first, or remove it")
        stems = [str(run.header.get("name") or place.stem) for run in runs]
        return [
            run.build_history(stem if len(runs) == 1 else f"{stem}/run {i}", str(place))
            for i, (stem, run) in enumerate(zip(stems, runs, strict=True), start=1)
        ]


def load_runs(place: Path) -> list[LoggedRun]:
    """The runs in the log at `place`, in the order of their headers."""
    return _group_lines(read_text(place).splitlines())


def _group_lines(lines: Iterable[str]) -> list[LoggedRun]:
    runs: list[LoggedRun] = []
    rows: list[Row] = []
    for number, line in enumerate(lines, start=1):
        value = _parse_line(line)
        if value is None and line.strip() and runs:
            note = f"line {number} was cut off and is left out"
            runs[-1] = replace(runs[-1], notes=(*runs[-1].notes, note))
        elif value is not None and value.get("assay") == FORMAT:
            rows = []
            runs.append(LoggedRun(value, rows))
        elif value is not None:
            rows.append(value)
    return runs


def _parse_line(line: str) -> Row | None:
    """The object in a `line`; None where it holds no whole one."""
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, Mapping) else None
