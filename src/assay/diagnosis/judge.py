"""judge_run: the verdict on one run, from its curves alone.

>>> from assay.readers.history import History
>>> from assay.diagnosis.judge import judge_run
>>> run = judge_run(History.from_lists(val_loss=[0.9, 0.7, float("nan")], name="a"))
>>> run.status, run.best_epoch, run.onset
('diverged', 2, 3)
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from assay.core.types import Better
from assay.diagnosis.explanations import (
    REMEDIES,
    Case,
    Kept,
    explain_flags,
    explain_metric,
    explain_metric_curve,
    explain_status,
    format_value,
    suggest_by_metric,
    suggest_remedies,
)
from assay.diagnosis.measurements import (
    Measurements,
    MetricChange,
    find_divergence,
    judge_metrics,
    measure,
)
from assay.diagnosis.metric_curve import find_good_range, judge_metric_curve
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
from assay.readers.naming import is_perplexity, is_plain_loss

__all__ = ["Epoch", "RunDiagnosis", "judge_run"]

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
    metric: str | None = None,
) -> RunDiagnosis:
    """The diagnosis of one `history`.

    `reference` is a loss known to be possible on its validation rows, and `reference_given` says
    that a person gave it. `better` says "lower" or "higher" for metrics whose name does not.
    `metric` is the one by which the epoch to keep is chosen; default: that of the log, else the
    loss.
    """
    if find_divergence(history) is not None:
        return _describe_divergence(history, better)
    if history.loss is None or history.find(history.validation_split, history.loss) is None:
        return _describe_unvalidated(history, better, metric)
    run = measure(history, reference=reference, reference_given=reference_given)
    status = decide(run)
    metrics = judge_metrics(history, run.best_epoch, better=better)
    case = Case(
        run=run,
        unit=history.unit,
        status=status,
        severity=rate_severity(run) if status == "overfit" else None,
        onset=_find_onset(status, run),
        kept=_find_kept(history, run, metrics, metric),
    )
    flags = find_flags(status, run, metrics)
    remarks = [
        *_explain_kept(case),
        *_explain_metrics(metrics, case),
        *explain_flags(flags, case),
        *_describe_log(history),
        *history.notes,
    ]
    kept = case.kept
    return RunDiagnosis(
        name=history.name,
        status=status,
        best_epoch=_convert_to_epoch(run.best_epoch if kept is None else kept.best_epoch),
        good_range=_convert_to_range(*(run.good_range if kept is None else kept.good_range)),
        onset=_convert_to_epoch(case.onset),
        severity=case.severity,
        loss=_describe_loss(run, history),
        metrics=_convert_to_rows(metrics),
        evidence=_collect_evidence(explain_status(case), flags, remarks, run),
        remedies=_add_schedule(suggest_remedies(case, metrics), status, history),
        confidence=rate_confidence(status, run),
        history=history,
    )


def _find_kept(
    history: History,
    run: Measurements,
    metrics: Sequence[MetricChange],
    metric: str | None,
) -> Kept | None:
    """The epoch to keep by the metric asked for, or by the one the log chooses by."""
    wanted = metric or history.monitor
    change = next((m for m in metrics if m.metric == wanted and m.best_epoch is not None), None)
    curve = history.find(history.validation_split, wanted or "")
    if change is None or curve is None or change.best is None or change.best_epoch is None:
        return None
    directed = replace(curve, better=change.better)
    good_range = find_good_range(directed, history.n_val)
    return Kept(change.metric, change.best_epoch, change.best, good_range, run.best_epoch)


def _explain_kept(case: Case) -> list[str]:
    kept = case.kept
    if kept is None:
        return []
    return [
        f"the {case.unit} to keep is that of {kept.metric}, best at {case.unit} "
        f"{format_value(kept.best_epoch)} ({format_value(kept.best)}); validation loss is lowest "
        f"at {case.unit} {format_value(case.run.best_epoch)} ({format_value(case.run.lowest)})"
    ]


def _describe_log(history: History) -> list[str]:
    """What the log holds beside its curves: perplexity, more losses, a schedule, lost points."""
    remarks = []
    val = history.find(history.validation_split, history.loss or "")
    if val is not None and is_perplexity(val.metric):
        lowest = format_value(min(val.values))
        remarks.append(
            f"{val.metric} is judged by its logarithm, in nats: it is {lowest} at best and "
            f"{format_value(val.values[-1])} at the end"
        )
    losses = [name for name in history.metrics if is_plain_loss(name)]
    if losses and history.loss not in ("loss", None):
        remarks.append(
            f"the loss judged is {history.loss}; {', '.join(losses)} "
            f"{'was' if len(losses) == 1 else 'were'} logged too"
        )
    train = history.find("train", history.loss or "")
    lost = [] if train is None else np.flatnonzero(~np.isfinite(train.values)).tolist()
    if train is not None and lost:
        remarks.append(
            f"training loss was nan or inf at {len(lost)} of {len(train.values)} points, first at "
            f"{history.unit} {format_value(train.epochs[lost[0]])}, and recovered"
        )
    remarks += [
        f"{s.metric} was measured once on test rows ({format_value(s.values[0])}): no curve"
        for s in history.series
        if s.split == "test" and s.split != history.validation_split and len(s.values) == 1
    ]
    if _is_schedule_over(history):
        remarks.append("the learning rate ended near 0: the schedule is finished")
    return remarks


def _is_schedule_over(history: History) -> bool:
    """Whether the learning rate ended below 1 % of its highest value."""
    rates = history.schedule.values if history.schedule else ()
    return len(rates) >= 3 and 0 <= rates[-1] < 0.01 * max(rates)


def _add_schedule(remedies: tuple[str, ...], status: Status, history: History) -> tuple[str, ...]:
    """Training longer takes a new schedule where the learning rate ended at 0."""
    if status != "still_improving" or not _is_schedule_over(history):
        return remedies
    return ("train anew with a longer schedule: the learning rate ended near 0", *remedies[1:])


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
        best_epoch=_convert_to_epoch(best_epoch),
        good_range=None if best_epoch is None else _convert_to_range(best_epoch, best_epoch),
        onset=_convert_to_epoch(onset),
        severity=None,
        loss=_convert_to_loss(history, lowest, val.values[-1] if val else None, "non_finite"),
        metrics=_convert_to_rows(judge_metrics(history, best_epoch, better=better)),
        evidence=_convert_to_evidence(finding, (), history.notes),
        remedies=remedies,
        confidence="high",
        history=history,
    )


def _describe_unvalidated(
    history: History, better: Mapping[str, Better] | None, metric: str | None
) -> RunDiagnosis:
    """The diagnosis of a run without a validation loss: by a metric, or of training alone."""
    curve = judge_metric_curve(history, better=better, metric=metric)
    metrics = judge_metrics(history, None, better=better)
    if curve is None:
        finding = "the log holds no validation loss, so over- and underfitting cannot be told"
    else:
        finding = explain_metric_curve(curve, history.unit)
    finding += _describe_training(history)
    judged = None if curve is None else curve.metric
    others = [
        _explain_other_metric(m, history.unit)
        for m in metrics
        if m.best is not None and m.metric != judged
    ]
    remarks = [*others[:6], *_describe_log(history), *history.notes]
    return RunDiagnosis(
        name=history.name,
        status="inconclusive" if curve is None else curve.status,
        best_epoch=None if curve is None else _convert_to_epoch(curve.best_epoch),
        good_range=None if curve is None else _convert_to_range(*curve.good_range),
        onset=None if curve is None else _convert_to_epoch(curve.onset),
        severity=None if curve is None else curve.severity,
        loss=_convert_to_loss(history, None, None, "unknown"),
        metrics=_convert_to_rows(metrics),
        evidence=_convert_to_evidence(finding, (), remarks),
        remedies=suggest_by_metric(curve, history.unit),
        confidence="low" if curve is None or curve.points < 10 else "medium",
        history=history,
    )


def _describe_training(history: History) -> str:
    """Where training loss goes, in words; empty where it was not logged."""
    train = history.find("train", history.loss or "")
    if train is None:
        return ""
    parts = np.array_split(np.array(train.values), min(len(train.values), 30))
    means = np.array([float(part.mean()) for part in parts])
    recent = means[-max(5, len(means) // 3) :]
    trend = "still falls" if kendall_z(recent) < FALLING else "is level"
    return f"; training loss {trend} at {format_value(final_level(means))}"


def _explain_other_metric(metric: MetricChange, unit: str) -> str:
    return (
        f"{metric.metric} is best at {unit} {format_value(metric.best_epoch or 0.0)} "
        f"({format_value(metric.best or 0.0)})"
    )


def _describe_loss(run: Measurements, history: History) -> dict[str, Any]:
    """The loss at its best and at the end, and which way it went after the best epoch."""
    change = run.end - run.lowest if run.best < len(run.val) - 1 else 0.0
    recent_fall = float(run.recent[0] - run.recent[-1])
    verdict = "level"
    if change > run.tolerance:
        verdict = "rising"
    elif recent_fall > run.resolution and change <= 0:
        verdict = "falling"
    lowest, final = run.lowest, float(run.val[-1])
    if run.in_nats:
        lowest, final = math.exp(lowest), math.exp(final)
    return _convert_to_loss(history, lowest, final, verdict)


def _convert_to_loss(
    history: History, best: float | None, final: float | None, verdict: str
) -> dict[str, Any]:
    train = history.find("train", history.loss or "")
    return {
        "metric": history.loss,
        "best": _convert_to_finite(best),
        "final": _convert_to_finite(final),
        "train_final": _convert_to_finite(train.values[-1] if train else None),
        "verdict": verdict,
    }


def _convert_to_rows(metrics: Iterable[MetricChange]) -> tuple[dict[str, Any], ...]:
    names = [f.name for f in fields(MetricChange)]
    rows = ({name: getattr(metric, name) for name in names} for metric in metrics)
    return tuple(row | {"best_epoch": _convert_to_epoch(row["best_epoch"])} for row in rows)


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
        **_convert_to_evidence(finding, flags, remarks),
        "epochs": len(run.val),
        "baseline_from": run.baseline_from,
        **{name: _convert_to_finite(value) for name, value in numbers.items()},
    }


def _convert_to_evidence(
    finding: str, flags: Sequence[str], remarks: Sequence[str]
) -> dict[str, Any]:
    return {"finding": finding, "flags": list(flags), "remarks": list(remarks)}


def _convert_to_range(first: float, last: float) -> tuple[Epoch, Epoch]:
    return _convert_to_whole(first), _convert_to_whole(last)


def _convert_to_epoch(epoch: float | None) -> Epoch | None:
    return None if epoch is None else _convert_to_whole(epoch)


def _convert_to_whole(epoch: float) -> Epoch:
    """Epochs as the log writes them: 9, not 9.0."""
    return int(epoch) if float(epoch).is_integer() else epoch


def _convert_to_finite(value: float | None) -> float | None:
    """Undefined is None: JSON knows no nan."""
    return None if value is None or not math.isfinite(value) else float(value)
