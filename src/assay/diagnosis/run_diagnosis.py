"""RunDiagnosis: what one run's curves say, as people, JSON and tables read it.

>>> from assay.diagnosis.run_diagnosis import convert_to_epoch
>>> convert_to_epoch(9.0), convert_to_epoch(2.5)
(9, 2.5)
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from assay.diagnosis.metric_changes import MetricChange
from assay.diagnosis.places import describe_place
from assay.diagnosis.rules import Confidence, Severity, Status
from assay.readers.history import History

__all__ = [
    "Epoch",
    "RunDiagnosis",
    "convert_to_epoch",
    "convert_to_evidence",
    "convert_to_finite",
    "convert_to_loss",
    "convert_to_range",
    "convert_to_rows",
]


Epoch = int | float


@dataclass(frozen=True)
class RunDiagnosis:
    """What one run's curves say. Epochs are numbered as in the log.

    Attributes:
        name: Name of the run.
        status: The verdict, one of `STATUSES`.
        best_epoch: The epoch to keep: that of the lowest validation loss, or of the best value of
            the metric asked for, or that the log itself chooses by.
        good_range: First and last epoch about as good as the best.
        onset: Epoch at which overfitting, divergence or collapse begins.
        severity: How bad an overfit is: mild, moderate or severe.
        loss: The loss at its best and at the end, and which way it went after the best epoch.
        metrics: How each other validation metric fared meanwhile.
        evidence: The finding in words, the flags, the remarks, and the numbers behind them.
        remedies: What to do, the most promising first.
        confidence: How far the verdict can be trusted: low, medium or high.
        history: The curves, for charts; not part of the JSON.

    >>> from assay import History, diagnose
    >>> run = diagnose(History.from_lists(val_loss=[0.9, 0.7, 0.6], name="a")).runs[0]
    >>> run.status, run.best_epoch, run.confidence
    ('inconclusive', 3, 'low')
    """

    name: str
    status: Status
    best_epoch: Epoch | None
    good_range: tuple[Epoch, Epoch] | None
    onset: Epoch | None
    severity: Severity | None
    loss: Mapping[str, Any]
    metrics: tuple[Mapping[str, Any], ...]
    evidence: Mapping[str, Any]
    remedies: tuple[str, ...]
    confidence: Confidence
    history: History = field(repr=False, compare=False)

    @property
    def summary(self) -> str:
        """The verdict in one sentence."""
        return f"{self.name}: {self.status.replace('_', ' ')} - {self.evidence['finding']}"

    def __repr__(self) -> str:
        lines = [self.summary]
        if self.best_epoch is not None and self.good_range is not None:
            first, last = self.good_range
            zero = ", counting from 0 as the log does" if self.history.epochs[0] == 0 else ""
            place = describe_place(self.history, self.best_epoch)
            lines.append(
                f"best {self.history.unit} {self.best_epoch}{place}{zero}; "
                f"good range {first} to {last}; confidence {self.confidence}"
            )
        lines += [str(remark) for remark in self.evidence["remarks"]]
        lines += [f"{i}. {remedy}" for i, remedy in enumerate(self.remedies, start=1)]
        return "\n  ".join(lines)


def convert_to_loss(
    history: History, best: float | None, final: float | None, verdict: str
) -> dict[str, Any]:
    """The field `loss` of a diagnosis, with the last training loss of the run beside it.

    Parameters:
        history: The run, which names the loss.
        best: Lowest validation loss, in the unit of the log; None where there is none.
        final: Validation loss at the end, in the unit of the log; None where there is none.
        verdict: Which way it went: "rising", "level", "falling", "non_finite" or "unknown".
    """
    train = history.find("train", history.loss or "")
    return {
        "metric": history.loss,
        "best": convert_to_finite(best),
        "final": convert_to_finite(final),
        "train_final": convert_to_finite(train.values[-1] if train else None),
        "verdict": verdict,
    }


def convert_to_rows(metrics: Iterable[MetricChange]) -> tuple[dict[str, Any], ...]:
    """The fields of each of the `metrics` by name, with epochs as the log writes them."""
    names = [f.name for f in fields(MetricChange)]
    rows = ({name: getattr(metric, name) for name in names} for metric in metrics)
    return tuple(row | {"best_epoch": convert_to_epoch(row["best_epoch"])} for row in rows)


def convert_to_evidence(
    finding: str, flags: Sequence[str], remarks: Sequence[str]
) -> dict[str, Any]:
    """The field `evidence`: the `finding` in words, the names of `flags`, and the `remarks`."""
    return {"finding": finding, "flags": list(flags), "remarks": list(remarks)}


def convert_to_range(first: float, last: float) -> tuple[Epoch, Epoch]:
    """The `first` and the `last` epoch of a range as the log writes them: 9, not 9.0."""
    return _convert_to_whole(first), _convert_to_whole(last)


def convert_to_epoch(epoch: float | None) -> Epoch | None:
    """An `epoch` as the log writes it: 9, not 9.0; None stays None."""
    return None if epoch is None else _convert_to_whole(epoch)


def _convert_to_whole(epoch: float) -> Epoch:
    """Epochs as the log writes them: 9, not 9.0."""
    return int(epoch) if float(epoch).is_integer() else epoch


def convert_to_finite(value: float | None) -> float | None:
    """A `value` as a float; nan and inf are None, as JSON knows neither."""
    return None if value is None or not math.isfinite(value) else float(value)
