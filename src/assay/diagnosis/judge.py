"""judge_run: the verdict on one run, from its curves alone.

>>> from assay.readers.history import History
>>> from assay.diagnosis.judge import judge_run
>>> run = judge_run(History.from_lists(val_loss=[0.9, 0.7, float("nan")], name="a"))
>>> run.status, run.best_epoch, run.onset
('diverged', 2, 3)
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from assay.core.types import Better
from assay.diagnosis.explanations import (
    REMEDIES,
    Case,
    explain_flags,
    explain_metric,
    explain_status,
    format_value,
    suggest_remedies,
)
from assay.diagnosis.measurements import (
    Measurements,
    MetricChange,
    find_divergence,
    judge_metrics,
    measure,
)
from assay.diagnosis.rules import (
    FALLING,
    Confidence,
    Severity,
    Status,
    decide,
    find_explosion,
    find_flags,
    rate_confidence,
    rate_severity,
)
from assay.diagnosis.trend import final_level, kendall_z
from assay.readers.history import History

__all__ = ["Epoch", "RunDiagnosis", "judge_run"]

Epoch = int | float


@dataclass(frozen=True)
class RunDiagnosis:
    """What one run's curves say. Epochs are numbered as in the log.

    Attributes:
        name: Name of the run.
        status: The verdict, one of `STATUSES`.
        best_epoch: Epoch of the lowest validation loss.
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
    >>> run.status, run.best_epoch, run.remedies
    ('inconclusive', 3, ('train or log at least 5 epochs',))
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
            lines.append(
                f"best {self.history.unit} {self.best_epoch}{zero}; "
                f"good range {first} to {last}; confidence {self.confidence}"
            )
        lines += [str(remark) for remark in self.evidence["remarks"]]
        lines += [f"{i}. {remedy}" for i, remedy in enumerate(self.remedies, start=1)]
        return "\n  ".join(lines)


def judge_run(
    history: History,
    *,
    reference: float | None = None,
    reference_given: bool = False,
    better: Mapping[str, Better] | None = None,
) -> RunDiagnosis:
    """The diagnosis of one `history`.

    `reference` is a loss known to be possible on its validation rows, and `reference_given` says
    that a person gave it. `better` says "lower" or "higher" for metrics whose name does not.
    """
    if find_divergence(history) is not None:
        return _describe_divergence(history, better)
    if history.loss is None or history.find(history.validation_split, history.loss) is None:
        return _describe_unvalidated(history, better)
    run = measure(history, reference=reference, reference_given=reference_given)
    status = decide(run)
    metrics = judge_metrics(history, run.best_epoch, better=better)
    case = Case(
        run=run,
        unit=history.unit,
        status=status,
        severity=rate_severity(run) if status == "overfit" else None,
        onset=_find_onset(status, run),
    )
    flags = find_flags(status, run, metrics)
    remarks = [*_explain_metrics(metrics, case), *explain_flags(flags, case), *history.notes]
    return RunDiagnosis(
        name=history.name,
        status=status,
        best_epoch=_to_epoch(run.best_epoch),
        good_range=_to_range(*run.good_range),
        onset=_to_epoch(case.onset),
        severity=case.severity,
        loss=_describe_loss(run, history),
        metrics=_to_rows(metrics),
        evidence=_collect_evidence(explain_status(case), flags, remarks, run),
        remedies=suggest_remedies(case, metrics),
        confidence=rate_confidence(status, run),
        history=history,
    )


def _find_onset(status: Status, run: Measurements) -> float | None:
    if status == "collapsed":
        return find_explosion(run)
    return run.onset if status == "overfit" else None


def _explain_metrics(metrics: Iterable[MetricChange], case: Case) -> list[str]:
    if case.status in ("collapsed", "not_learning"):
        return []
    sentences = (explain_metric(metric, case) for metric in metrics)
    return [sentence for sentence in sentences if sentence]


def _describe_divergence(history: History, better: Mapping[str, Better] | None) -> RunDiagnosis:
    """The diagnosis of a run whose loss became nan or inf."""
    onset = find_divergence(history)
    val = history.find(history.validation_split, history.loss or "")
    points = zip(val.values, val.epochs, strict=True) if val else ()
    finite = [point for point in points if math.isfinite(point[0])]
    lowest, best_epoch = min(finite, default=(None, None))
    remedies = REMEDIES["diverged"]
    if best_epoch is not None:
        best = format_value(best_epoch)
        remedies = (*remedies, f"restore the weights of {history.unit} {best}")
    finding = f"the loss is first nan or inf at {history.unit} {format_value(onset or 0.0)}"
    return RunDiagnosis(
        name=history.name,
        status="diverged",
        best_epoch=_to_epoch(best_epoch),
        good_range=None if best_epoch is None else _to_range(best_epoch, best_epoch),
        onset=_to_epoch(onset),
        severity=None,
        loss=_to_loss(history, lowest, val.values[-1] if val else None, "non_finite"),
        metrics=_to_rows(judge_metrics(history, best_epoch, better=better)),
        evidence=_to_evidence(finding, (), history.notes),
        remedies=remedies,
        confidence="high",
        history=history,
    )


def _describe_unvalidated(history: History, better: Mapping[str, Better] | None) -> RunDiagnosis:
    """The diagnosis of a run without a validation loss: training, or only metrics, is described."""
    metrics = judge_metrics(history, None, better=better)
    train = history.find("train", history.loss or "")
    best_epoch = None
    finding = "the log holds no validation loss, so over- and underfitting cannot be told"
    if train is None:
        best_epochs = (metric.best_epoch for metric in metrics)
        best_epoch = next((epoch for epoch in best_epochs if epoch is not None), None)
    else:
        recent = train.values[-max(5, len(train.values) // 3) :]
        trend = "still falls" if kendall_z(recent) < FALLING else "is level"
        finding += f"; training loss {trend} at {format_value(final_level(train.values))}"
    return RunDiagnosis(
        name=history.name,
        status="inconclusive",
        best_epoch=_to_epoch(best_epoch),
        good_range=None,
        onset=None,
        severity=None,
        loss=_to_loss(history, None, None, "unknown"),
        metrics=_to_rows(metrics),
        evidence=_to_evidence(finding, (), history.notes),
        remedies=REMEDIES["inconclusive"],
        confidence="low",
        history=history,
    )


def _describe_loss(run: Measurements, history: History) -> dict[str, Any]:
    """The loss at its best and at the end, and which way it went after the best epoch."""
    change = run.end - run.lowest if run.best < len(run.val) - 1 else 0.0
    recent_fall = float(run.recent[0] - run.recent[-1])
    verdict = "level"
    if change > run.tolerance:
        verdict = "rising"
    elif recent_fall > run.tolerance and change <= 0:
        verdict = "falling"
    return _to_loss(history, run.lowest, float(run.val[-1]), verdict)


def _to_loss(
    history: History, best: float | None, final: float | None, verdict: str
) -> dict[str, Any]:
    train = history.find("train", history.loss or "")
    return {
        "metric": history.loss,
        "best": _to_finite(best),
        "final": _to_finite(final),
        "train_final": _to_finite(train.values[-1] if train else None),
        "verdict": verdict,
    }


def _to_rows(metrics: Iterable[MetricChange]) -> tuple[dict[str, Any], ...]:
    names = [f.name for f in fields(MetricChange)]
    rows = ({name: getattr(metric, name) for name in names} for metric in metrics)
    return tuple(row | {"best_epoch": _to_epoch(row["best_epoch"])} for row in rows)


def _collect_evidence(
    finding: str, flags: Sequence[str], remarks: Sequence[str], run: Measurements
) -> dict[str, Any]:
    numbers = {
        "baseline": run.baseline,
        "reference": run.reference,
        "noise": run.noise,
        "standard_error": run.standard_error,
        "rise": run.rise,
        "generalisation_loss": run.generalisation_loss,
        "given_back": run.share_given_back,
        "learned_val": run.learned_val,
        "learned_train": run.learned_train,
        "gap": float(run.gap[-1]) if len(run.gap) else None,
        "gap_share": run.gap_share(-1),
        "train_rises": run.train_rises,
        "jitter": run.jitter,
        "trend_after_best": run.z_val_after_best,
    }
    return {
        **_to_evidence(finding, flags, remarks),
        "epochs": len(run.val),
        "baseline_from": run.baseline_from,
        **{name: _to_finite(value) for name, value in numbers.items()},
    }


def _to_evidence(finding: str, flags: Sequence[str], remarks: Sequence[str]) -> dict[str, Any]:
    return {"finding": finding, "flags": list(flags), "remarks": list(remarks)}


def _to_range(first: float, last: float) -> tuple[Epoch, Epoch]:
    return _to_whole(first), _to_whole(last)


def _to_epoch(epoch: float | None) -> Epoch | None:
    return None if epoch is None else _to_whole(epoch)


def _to_whole(epoch: float) -> Epoch:
    """Epochs as the log writes them: 9, not 9.0."""
    return int(epoch) if float(epoch).is_integer() else epoch


def _to_finite(value: float | None) -> float | None:
    """Undefined is None: JSON knows no nan."""
    return None if value is None or not math.isfinite(value) else float(value)
