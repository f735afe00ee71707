"""diagnose: is a run over- or under-fitting, where was it best, and what to do - from the curves it logged.

>>> from assay.readers.history import History

>>> from assay.diagnosis.diagnose import diagnose
>>> train = [1.2, 0.9, 0.7, 0.55, 0.45, 0.35, 0.3, 0.24, 0.2, 0.16, 0.13, 0.1]
>>> val = [1.3, 1.0, 0.85, 0.8, 0.79, 0.82, 0.86, 0.9, 0.95, 1.0, 1.06, 1.1]
>>> run = diagnose(History.from_lists(train_loss=train, val_loss=val), n_classes=10).runs[0]
>>> run.status, run.severity, run.best_epoch, run.good_range
('overfit', 'severe', 5, (4, 5))
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from assay.core.result import Result
from assay.diagnosis.explanations import (
    explain_flags,
    explain_metric,
    headline,
    number,
    remedies_for,
)
from assay.diagnosis.measurements import (
    Facts,
    MetricFacts,
    first_non_finite,
    judge_metrics,
    measure,
)
from assay.diagnosis.rules import (
    STATUSES,
    Confidence,
    Severity,
    Status,
    decide,
    explosion,
    flags_of,
    memorising,
    severity_of,
    sureness,
)
from assay.diagnosis.trend import kendall_z, late
from assay.errors import SchemaError
from assay.readers.base import read_history
from assay.readers.history import History, Series
from assay.readers.naming import Better

__all__ = ["STATUSES", "Diagnosis", "History", "RunDiagnosis", "diagnose"]

Epoch = int | float
Source = History | str | Path


@dataclass(frozen=True)
class RunDiagnosis:
    """What one run's curves say. Epochs are numbered as in the log.

    `good_range` holds the first and last epoch as good as the best; `onset` is where overfitting, divergence or
    collapse begins. `loss` and `metrics` are judged apart. `evidence` holds the numbers, the flags and the remarks.
    `history` holds the curves, for charts; it is not part of the JSON.
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
        unit = self.history.unit
        lines = [self.summary]
        if self.best_epoch is not None and self.good_range is not None:
            first, last = self.good_range
            zero = ", counting from 0 as the log does" if self.history.epochs[0] == 0 else ""
            lines.append(
                f"best {unit} {self.best_epoch}{zero}; good range {first} to {last}; confidence {self.confidence}"
            )
        lines += [str(remark) for remark in self.evidence["remarks"]]
        lines += [f"{i}. {remedy}" for i, remedy in enumerate(self.remedies, start=1)]
        return "\n  ".join(lines)


@dataclass(frozen=True, repr=False)
class Diagnosis(Result):
    """The verdict on each run, in the order given."""

    runs: tuple[RunDiagnosis, ...]

    schema_name: ClassVar[str] = "assay.diagnosis/1"
    drawn_by: ClassVar[str] = "training_curves"

    @property
    def rows(self) -> tuple[RunDiagnosis, ...]:
        """The runs: one tidy row each."""
        return self.runs

    def __repr__(self) -> str:
        return "\n\n".join(repr(run) for run in self.runs)

    def to_dict(self) -> dict[str, Any]:
        names = [f.name for f in fields(RunDiagnosis) if f.name != "history"]
        return {"runs": [{name: getattr(run, name) for name in names} for run in self.runs]}

    @property
    def records(self) -> list[dict[str, Any]]:
        return [_record(run) for run in self.runs]


def diagnose(
    histories: Source | Iterable[Source],
    *,
    reference: float | None = None,
    n_val: int | None = None,
    n_classes: int | None = None,
    baseline: float | None = None,
    better: Mapping[str, Better] | None = None,
) -> Diagnosis:
    """Judge training runs from what they logged: histories, or paths of logs in any format that is read.

    `reference` is the loss known to be possible on the validation rows; where several runs of the same loss and metrics
    are given, the best of the others stands in. `n_val` is the number of validation rows: with it, noise is told from
    signal. The `baseline`, the loss of a model that knows only how frequent each outcome is, follows from `n_classes`
    (assumed equally frequent); without either it is guessed from the first epoch and the confidence is lower.
    `better` says "lower" or "higher" for metrics whose name does not.

    Raises ReadError or SchemaError for a log that cannot be used.
    """
    _check(reference=reference, n_val=n_val, n_classes=n_classes, baseline=baseline)
    runs = _named_apart(_gather(histories))
    stated = [_stated(h, n_val, n_classes, baseline) for h in runs]
    # Losses may be huge: overflow to inf compares as it should.
    with np.errstate(all="ignore"):
        judged = (
            _judge(h, reference, _best_of_others(h, stated), better)
            for h in map(_without_empty, stated)
        )
        return Diagnosis(tuple(judged))


def _stated(
    history: History, n_val: int | None, n_classes: int | None, baseline: float | None
) -> History:
    """What the caller says about the data goes before what the log says."""
    return replace(
        history,
        n_val=history.n_val if n_val is None else n_val,
        n_classes=history.n_classes if n_classes is None else n_classes,
        baseline=history.baseline if baseline is None else baseline,
    )


def _check(**given: float | None) -> None:
    for name, value in given.items():
        fewest = {"n_val": 1, "n_classes": 2}.get(name, -math.inf)
        if value is not None and not (math.isfinite(value) and value >= fewest):
            needs = (
                "a finite number" if math.isinf(fewest) else f"a whole number of at least {fewest}"
            )
            raise SchemaError(f"{name} must be {needs}; got {value}")


def _gather(histories: Source | Iterable[Source]) -> list[History]:
    sources = [histories] if isinstance(histories, (History, str, Path)) else list(histories)
    runs = [h for s in sources for h in ([s] if isinstance(s, History) else read_history(s))]
    if not runs:
        raise SchemaError("no training log was given; expected histories or paths of logs")
    return runs


def _named_apart(runs: list[History]) -> list[History]:
    """Logs often share a file name: then the folder tells them apart, or else a count."""
    names = [h.name for h in runs]
    runs = [_with_folder(h) if names.count(h.name) > 1 else h for h in runs]
    seen: dict[str, int] = {}
    apart = []
    for h in runs:
        seen[h.name] = seen.get(h.name, 0) + 1
        apart.append(h if seen[h.name] == 1 else replace(h, name=f"{h.name} ({seen[h.name]})"))
    return apart


def _with_folder(history: History) -> History:
    return (
        history
        if history.source is None
        else replace(history, name=f"{Path(history.source).parent.name}/{history.name}")
    )


def _without_empty(history: History) -> History:
    """A history without validation curves that are nan throughout, or at regular gaps, while training is finite.

    Some loggers write nan where no validation was run; a run that diverged has nan in training too, to the end.
    """
    train = history.find("train", history.loss or "")
    if train is None or not all(map(math.isfinite, train.values)):
        return history
    kept = tuple(
        made for s in history.series if (made := s if s.split == "train" else _measured(s)).values
    )
    if kept == history.series:
        return history
    note = "nan in validation was read as not measured: training is finite, and it is nan throughout or at regular gaps"
    return replace(history, series=kept, notes=(*history.notes, note))


def _measured(series: Series) -> Series:
    at = [i for i, value in enumerate(series.values) if not math.isnan(value)]
    steps = set(np.diff(at).tolist())
    regular = (
        len(at) >= 2
        and len(steps) == 1
        and min(steps) >= 2
        and len(series.values) - at[-1] <= min(steps)
    )
    if at and not regular:
        return series
    return replace(
        series,
        epochs=tuple(series.epochs[i] for i in at),
        values=tuple(series.values[i] for i in at),
    )


def _best_of_others(history: History, runs: Iterable[History]) -> float | None:
    """The lowest validation loss of the other runs that measured the same things."""
    alike = (
        h
        for h in runs
        if h.name != history.name
        and (h.loss, set(h.metrics)) == (history.loss, set(history.metrics))
    )
    return min((low for h in alike if (low := _credible(h)) is not None), default=None)


def _credible(history: History) -> float | None:
    val = history.find(history.validation_split, history.loss or "")
    if val is None or first_non_finite(history) is not None:
        return None
    facts = measure(history)
    suspicious = "too_good" in flags_of("good_fit", facts, ()) or memorising(facts)
    return None if suspicious else facts.lowest


def _judge(
    history: History, given: float | None, others: float | None, better: Mapping[str, Better] | None
) -> RunDiagnosis:
    if first_non_finite(history) is not None:
        return _diverged(history, better)
    if history.loss is None or history.find(history.validation_split, history.loss) is None:
        return _unvalidated(history, better)
    f = measure(
        history, reference=given if given is not None else others, reference_given=given is not None
    )
    status = decide(f)
    metrics = judge_metrics(history, f.best_epoch, better=better)
    severity = severity_of(f) if status == "overfit" else None
    onset = f.onset if status == "overfit" else explosion(f) if status == "collapsed" else None
    flags = flags_of(status, f, metrics)
    told = (
        explain_metric(m, status, f, history.unit)
        for m in metrics
        if status not in ("collapsed", "not_learning")
    )
    remarks = [t for t in told if t] + explain_flags(flags, f, history) + list(history.notes)
    return RunDiagnosis(
        name=history.name,
        status=status,
        best_epoch=_epoch(f.best_epoch),
        good_range=(_whole(f.good_range[0]), _whole(f.good_range[1])),
        onset=_epoch(onset),
        severity=severity,
        loss=_loss(f, history),
        metrics=_metric_rows(metrics),
        evidence=_evidence(headline(status, f, history, severity, onset), flags, remarks, f),
        remedies=remedies_for(status, f, metrics, history.unit),
        confidence=sureness(status, f),
        history=history,
    )


def _diverged(history: History, better: Mapping[str, Better] | None) -> RunDiagnosis:
    at = first_non_finite(history)
    val = history.find(history.validation_split, history.loss or "")
    finite = (
        []
        if val is None
        else [(v, e) for e, v in zip(val.epochs, val.values, strict=True) if math.isfinite(v)]
    )
    best = min(finite, default=None)
    metrics = judge_metrics(history, best[1] if best else None, better=better)
    finding = f"the loss is first nan or inf at {history.unit} {number(at or 0.0)}"
    keep = (f"restore the weights of {history.unit} {number(best[1])}",) if best else ()
    return _bare(
        history,
        "diverged",
        finding,
        best_epoch=_epoch(best[1]) if best else None,
        good_range=(_whole(best[1]), _whole(best[1])) if best else None,
        onset=_epoch(at),
        loss=_plain_loss(
            history, best[0] if best else None, val.values[-1] if val else None, "non_finite"
        ),
        metrics=_metric_rows(metrics),
        remedies=(*remedies_for("diverged", None, metrics, history.unit), *keep),
        confidence="high",
    )


def _unvalidated(history: History, better: Mapping[str, Better] | None) -> RunDiagnosis:
    """No validation loss: only the training loss, or only metrics, can be described."""
    metrics = judge_metrics(history, None, better=better)
    train = history.find("train", history.loss or "")
    best = (
        next((m.best_epoch for m in metrics if m.best_epoch is not None), None)
        if train is None
        else None
    )
    finding = "the log holds no validation loss, so over- and underfitting cannot be told"
    if train is not None:
        falling = kendall_z(train.values[-max(5, len(train.values) // 3) :]) < -1.64
        finding += f"; training loss {'still falls' if falling else 'is level'} at {number(late(train.values))}"
    return _bare(
        history,
        "inconclusive",
        finding,
        best_epoch=_epoch(best),
        loss=_plain_loss(history, None, None, "unknown"),
        metrics=_metric_rows(metrics),
        remedies=remedies_for("inconclusive", None, metrics, history.unit),
        confidence="low",
    )


def _bare(history: History, status: Status, finding: str, **given: Any) -> RunDiagnosis:
    empty = {"best_epoch": None, "good_range": None, "onset": None, "severity": None}
    evidence = {"finding": finding, "flags": [], "remarks": list(history.notes)}
    return RunDiagnosis(
        name=history.name, status=status, evidence=evidence, history=history, **{**empty, **given}
    )


def _loss(f: Facts, history: History) -> dict[str, Any]:
    """The loss at its best and at the end, and which way it went after the best epoch."""
    change = f.end - f.lowest if f.best < len(f.val) - 1 else 0.0
    recent = float(f.recent[0] - f.recent[-1])
    verdict = (
        "rising"
        if change > f.tolerance
        else "falling"
        if recent > f.tolerance and change <= 0
        else "level"
    )
    return _plain_loss(history, f.lowest, float(f.val[-1]), verdict)


def _plain_loss(
    history: History, best: float | None, final: float | None, verdict: str
) -> dict[str, Any]:
    train = history.find("train", history.loss or "")
    return {
        "metric": history.loss,
        "best": _number(best),
        "final": _number(final),
        "train_final": _number(train.values[-1] if train else None),
        "verdict": verdict,
    }


def _metric_rows(metrics: Iterable[MetricFacts]) -> tuple[dict[str, Any], ...]:
    return tuple(
        {f.name: getattr(m, f.name) for f in fields(m)} | {"best_epoch": _epoch(m.best_epoch)}
        for m in metrics
    )


def _evidence(finding: str, flags: Iterable[str], remarks: list[str], f: Facts) -> dict[str, Any]:
    numbers = {
        "epochs": len(f.val),
        "baseline": f.baseline,
        "baseline_from": f.baseline_from,
        "reference": f.reference,
        "noise": f.noise,
        "standard_error": f.standard_error,
        "rise": f.rise,
        "generalisation_loss": f.generalisation_loss,
        "given_back": f.given_back,
        "learned_val": f.learned_val,
        "learned_train": f.learned_train,
        "gap": float(f.gap[-1]) if len(f.gap) else None,
        "gap_share": f.gap_share(-1),
        "train_rises": f.train_rises,
        "jitter": f.jitter,
        "trend_after_best": f.z_val_after_best,
    }
    plain = {
        name: _number(value) if isinstance(value, float) else value
        for name, value in numbers.items()
    }
    return {"finding": finding, "flags": list(flags), "remarks": remarks, **plain}


def _record(run: RunDiagnosis) -> dict[str, Any]:
    first, last = run.good_range or (None, None)
    shown = {name: getattr(run, name) for name in ("name", "status", "severity", "best_epoch")}
    rest = {"onset": run.onset, "confidence": run.confidence, "finding": run.evidence["finding"]}
    return {**shown, "good_from": first, "good_to": last, **_of_loss(run), **rest}


def _of_loss(run: RunDiagnosis) -> dict[str, Any]:
    return {
        "loss": run.loss["metric"],
        "loss_best": run.loss["best"],
        "loss_final": run.loss["final"],
    }


def _whole(epoch: float) -> Epoch:
    return int(epoch) if float(epoch).is_integer() else epoch


def _epoch(epoch: float | None) -> Epoch | None:
    """Epochs as the log writes them: 9, not 9.0."""
    return None if epoch is None else _whole(epoch)


def _number(value: float | None) -> float | None:
    """Undefined is None: JSON knows no nan."""
    return None if value is None or not math.isfinite(value) else float(value)
