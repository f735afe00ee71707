"""training_log: a log of a run that is under way, with its verdict, in three lines of a loop.

>>> import tempfile
>>> from assay.diagnosis.training_log import TrainingLog
>>> log = TrainingLog(Path(tempfile.mkdtemp()) / "run.jsonl", stop_when="overfit", progress=False)
>>> for epoch, val_loss in enumerate([0.9, 0.7, 0.6, 0.55, 0.6, 0.67, 0.75, 0.84, 0.95], start=1):
...     log.add(epoch, train_loss=1 / epoch, val_loss=val_loss)
...     if log.stop:
...         break
>>> log.stop, log.diagnosis.best_epoch
(True, 4)
"""

import json
import math
import os
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from assay.diagnosis.diagnose import diagnose
from assay.diagnosis.run_diagnosis import RunDiagnosis, convert_to_epoch
from assay.diagnosis.stopping import STOPS, find_stop
from assay.errors import ReadError, SchemaError
from assay.readers.cells import Unit
from assay.readers.history import Aggregation, History
from assay.readers.naming import is_curve, parse_curve_name
from assay.readers.training_log import FORMAT, LoggedRun, load_runs

__all__ = ["TrainingLog"]

# A long run is judged a hundred times or so between one tenth of it and its end.
JUDGED = 100


class TrainingLog:
    """A log of one run: a line of JSON an epoch, its verdict as it changes, and when to stop.

    Each epoch is on disk before `add` returns: what a run that is killed loses is the epoch under
    way. A log that is there already is not replaced; the new run is written below, as a further
    run of the same file, or goes on with the last one.

    Parameters:
        path: File to write to, as in "run.jsonl"; `assay diagnose` reads it. Folders are made.
        stop_when: "overfit", "diverged", or both in a list: what sets `stop`; default: nothing.
        metric: Metric by which the epoch to keep is chosen, as in "accuracy" or "foo:higher";
            default: the loss.
        n_val: Number of validation rows, at least 1; default: unknown.
        n_classes: Number of classes, at least 2; default: unknown.
        baseline: Loss of a model that knows only how frequent each outcome is; default: unknown.
        name: Name of the run; default: that of the file.
        unit: What rows are numbered by: "epoch" (default), "step", "iteration" or "round".
        train: How training values are taken: "point" for those of the final weights of an epoch,
            "running_mean" or "window_mean" for a mean while they change; default "unknown".
        resume: Whether to go on with the last run of the file; default False.
        progress: Whether the verdict is printed to standard error when it changes; default True.

    Raises:
        ReadError: The file cannot be written.
        SchemaError: `stop_when` or a number is none of those allowed.

    >>> import tempfile
    >>> log = TrainingLog(Path(tempfile.mkdtemp()) / "run.jsonl", progress=False)
    >>> log.add(1, train_loss=0.9, val_loss=1.0)
    >>> log.history.find("val", "loss").values, log.stop
    ((1.0,), False)
    """

    def __init__(  # noqa: PLR0913
        self,
        path: str | os.PathLike[str],
        *,
        stop_when: str | Collection[str] | None = None,
        metric: str | None = None,
        n_val: int | None = None,
        n_classes: int | None = None,
        baseline: float | None = None,
        name: str | None = None,
        unit: Unit = "epoch",
        train: Aggregation = "unknown",
        resume: bool = False,
        progress: bool = True,
    ) -> None:
        self.path = Path(path)
        self.stop_when = _check_reasons(stop_when)
        self.progress = progress
        self.stop = False
        metric, _, better = (metric or "").partition(":")
        _check_facts(n_val=n_val, n_classes=n_classes, better=better)
        facts = {
            "name": name,
            "n_val": n_val,
            "n_classes": n_classes,
            "baseline": baseline,
            "metric": metric or None,
            "better": better or None,
        }
        about = {key: value for key, value in facts.items() if value is not None}
        self.header: dict[str, Any] = {"assay": FORMAT, "unit": unit, "train": train, **about}
        self.rows: list[Mapping[str, Any]] = []
        self.is_written = True  # not by the workers of a distributed training but the first
        self._judged = 0
        self._statuses: list[str] = []
        self._announced: str | None = None
        _check_place(self.path)
        if resume:
            self._take_last_run(about)

    @property
    def unit(self) -> Any:
        """What the rows are numbered by."""
        return self.header["unit"]

    @property
    def history(self) -> History:
        """The curves so far; SchemaError where nothing that is known by its name was logged."""
        name = str(self.header.get("name") or self.path.stem)
        return LoggedRun(self.header, self.rows).build_history(name, str(self.path))

    @property
    def diagnosis(self) -> RunDiagnosis:
        """What the curves so far say."""
        return diagnose(self.history).runs[0]

    def begin(self) -> None:
        """Begin a further run in the same file, where this one has rows already."""
        if self.rows:
            self.rows = []
            self.stop = False
            self._judged = 0
            self._statuses = []
            self._announced = None

    def add(self, epoch: float | None = None, **values: Any) -> None:
        """Write what an epoch measured, judge the run, and set `stop`.

        Parameters:
            epoch: Number of the epoch, or of what the rows are numbered by; default: one more than
                the last.
            values: Numbers by split and metric, as in `train_loss`, `val_loss`, `val_accuracy`;
                tensors of one number serve, None was not measured.

        Raises:
            SchemaError: A value is no single number.
            ReadError: The file cannot be written.

        >>> import tempfile
        >>> log = TrainingLog(Path(tempfile.mkdtemp()) / "run.jsonl", progress=False)
        >>> log.add(1, val_loss=0.9)
        >>> log.add(val_loss=0.7)
        >>> log.history.epochs
        (1.0, 2.0)
        """
        number = values.pop(self.unit, epoch)
        if number is None:
            number = self.rows[-1][self.unit] + 1 if self.rows else 1
        where = f"{self.unit} {number}"
        measured = {key: value for key, value in values.items() if value is not None}
        numbers = {key: _convert_to_number(value, key, where) for key, value in measured.items()}
        row = {self.unit: convert_to_epoch(_convert_to_number(number, self.unit, where)), **numbers}
        self._write(row)
        self.rows.append(row)
        if any(is_curve(key) and parse_curve_name(key)[0] != "train" for key in numbers):
            self._judge(row[self.unit])

    def _write(self, row: Mapping[str, Any]) -> None:
        """One line at the end of the file, the header before the first."""
        if not self.is_written:
            return
        lines = [row] if self.rows else [self.header, row]
        text = "".join(f"{json.dumps(_convert_to_json(line))}\n" for line in lines)
        try:
            with self.path.open("ab+") as file:
                if file.tell():
                    file.seek(-1, os.SEEK_END)
                    # A line that was cut off must not swallow the next one.
                    text = text if file.read(1) == b"\n" else f"\n{text}"
                file.write(text.encode())
        except OSError as error:
            raise _explain_refusal(self.path, error) from error

    def _take_last_run(self, about: Mapping[str, Any]) -> None:
        """Go on with the last run of the file; what the caller says goes before its header."""
        if not self.path.exists() or not self.path.stat().st_size:
            return
        runs = load_runs(self.path)
        if not runs:
            raise SchemaError(
                f"{self.path} holds no log of assay to go on with; name another file, or leave out "
                f"resume=True"
            )
        self.header |= {**runs[-1].header, **about}
        self.rows = list(runs[-1].rows)

    def _judge(self, number: Any) -> None:
        self._judged += 1
        if self._judged % (1 + self._judged // JUDGED):
            return
        try:
            run = self.diagnosis
        except Exception as error:
            # Whatever is wrong with a log, it must not end a training that goes well.
            self._announce(f"not judged: {error}", str(error))
            return
        reason = find_stop(run, self.stop_when)
        self._statuses = [*self._statuses[-1:], run.status]
        finding = f"{run.status.replace('_', ' ')} - {run.evidence['finding']}"
        kept = "" if run.best_epoch is None else f"; best {self.unit} {run.best_epoch}"
        if reason is not None and not self.stop:
            self.stop = True
            self._announce(f"{self.unit} {number}: stop, more cannot pay: {finding}{kept}", "stop")
        elif not self.stop and self._is_settled(run.status):
            self._announce(f"{self.unit} {number}: {finding}{kept}", run.status)

    def _is_settled(self, status: str) -> bool:
        """Whether a status holds for the second time; the first few evaluations say nothing."""
        if status == "diverged":
            return True
        is_first_doubt = status == "inconclusive" and self._announced is None
        return self._statuses == [status, status] and not is_first_doubt

    def _announce(self, line: str, key: str) -> None:
        """Print a line where it says something new."""
        if key != self._announced and self.progress and self.is_written:
            sys.stderr.write(f"{self.header.get('name') or self.path.stem}, {line}\n")
            sys.stderr.flush()
        self._announced = key


def _check_reasons(stop_when: str | Collection[str] | None) -> tuple[str, ...]:
    reasons = (stop_when,) if isinstance(stop_when, str) else tuple(stop_when or ())
    if not set(reasons) <= set(STOPS):
        raise SchemaError(
            f"stop_when must be {' or '.join(map(repr, STOPS))}, or a list of them; "
            f"got {stop_when!r}"
        )
    return reasons


def _check_facts(n_val: int | None, n_classes: int | None, better: str) -> None:
    for name, value, lowest in (("n_val", n_val, 1), ("n_classes", n_classes, 2)):
        if value is not None and value < lowest:
            raise SchemaError(f"{name} must be a whole number of at least {lowest}; got {value}")
    if better not in ("", "lower", "higher"):
        raise SchemaError(
            f"metric must be a name, or a name with its better direction as in 'foo:higher'; "
            f"got the direction {better!r}"
        )


def _check_place(path: Path) -> None:
    """An error now, rather than after the first epoch, where the file cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _explain_refusal(path, error) from error
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        reason = OSError(0, "it is a folder" if path.is_dir() else "no permission")
        raise _explain_refusal(path, reason)


def _explain_refusal(path: Path, error: OSError) -> ReadError:
    return ReadError(f"{path}: cannot be written ({error.strerror or error}); name another file")


def _convert_to_number(value: Any, name: str, where: str) -> float:
    """The number in a `value`, which may be a tensor of one."""
    try:
        # A tensor with a gradient warns where it is made a float by itself.
        plain = value.item() if hasattr(value, "item") else value
        return plain if type(plain) is int else float(plain)
    except (TypeError, ValueError, RuntimeError):
        raise SchemaError(
            f"{name} of {where} is {str(value)[:60]!r}; expected one number, such as the mean over "
            f"the epoch, or None where nothing was measured"
        ) from None


def _convert_to_json(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row as strict JSON, in which nan and inf are text."""
    return {
        key: str(value) if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in row.items()
    }
