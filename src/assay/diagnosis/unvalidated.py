"""unvalidated: the diagnosis of a run without a validation loss, by a metric or training alone.

>>> from assay.diagnosis.unvalidated import judge_unvalidated
>>> from assay.readers.history import History
>>> history = History.from_lists(val_accuracy=[0.5, 0.62, 0.7, 0.74, 0.76, 0.74, 0.72, 0.7, 0.69])
>>> judge_unvalidated(history).status
'overfit'
"""

from collections.abc import Mapping

import numpy as np

from assay.core.types import Better
from assay.diagnosis.case import format_value
from assay.diagnosis.log_remarks import describe_log
from assay.diagnosis.metric_changes import MetricChange, judge_metrics
from assay.diagnosis.metric_curve import MetricCurve, judge_metric_curve
from assay.diagnosis.remedies import REMEDIES, describe_range
from assay.diagnosis.rules import FALLING
from assay.diagnosis.run_diagnosis import (
    RunDiagnosis,
    convert_to_epoch,
    convert_to_evidence,
    convert_to_loss,
    convert_to_range,
    convert_to_rows,
)
from assay.diagnosis.trend import final_level, kendall_z
from assay.readers.cells import Unit
from assay.readers.history import History

__all__ = ["judge_unvalidated"]


def judge_unvalidated(
    history: History,
    *,
    better: Mapping[str, Better] | None = None,
    metric: str | None = None,
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
    remarks = [*others[:6], *describe_log(history), *history.notes]
    return RunDiagnosis(
        name=history.name,
        status="inconclusive" if curve is None else curve.status,
        best_epoch=None if curve is None else convert_to_epoch(curve.best_epoch),
        good_range=None if curve is None else convert_to_range(*curve.good_range),
        onset=None if curve is None else convert_to_epoch(curve.onset),
        severity=None if curve is None else curve.severity,
        loss=convert_to_loss(history, None, None, "unknown"),
        metrics=convert_to_rows(metrics),
        evidence=convert_to_evidence(finding, (), remarks),
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


def explain_metric_curve(curve: MetricCurve, unit: Unit) -> str:
    """The finding of a run that was judged by the `curve` of a metric, in one sentence."""
    best = format_value(curve.best)
    first, last = map(format_value, curve.good_range)
    finding = f"{curve.metric} is best at {unit} {format_value(curve.best_epoch)} ({best})"
    if curve.status == "overfit":
        return f"{curve.severity}: {finding} and fell to {format_value(curve.final)} at the end"
    if curve.status == "still_improving":
        return f"{finding} and still improves at the end of the run"
    if curve.status == "good_fit":
        level = f" and level from {first} to {last}" if first != last else ""
        return f"{finding}{level}, {format_value(curve.final)} at the end"
    if curve.points < 5:
        return f"{finding}, but {curve.points} evaluations are too few to tell a trend"
    return f"{finding}, {format_value(curve.final)} at the end without a steady trend"


def suggest_by_metric(curve: MetricCurve | None, unit: Unit) -> tuple[str, ...]:
    """What to do about a run without a validation loss."""
    if curve is None:
        return REMEDIES["inconclusive"]
    first, last = map(format_value, curve.good_range)
    keep = f"restore the weights of {unit} {format_value(curve.best_epoch)}"
    log = f"log a validation loss as well: it shows over-confidence before {curve.metric} does"
    if curve.status == "overfit":
        stop = "stop early, or add regularisation, augmentation or more data"
        return (f"{keep}{describe_range(*curve.good_range)}", stop, log)
    if curve.status == "still_improving":
        return ("train longer, then judge", log)
    if curve.status == "good_fit":
        return (f"keep it: any {unit} from {first} to {last}", log)
    return ("evaluate more often, so that 5 evaluations show a trend", log)
