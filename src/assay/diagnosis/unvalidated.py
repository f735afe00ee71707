"""unvalidated: the diagnosis of a run without a validation loss, by a metric or training alone.

>>> from assay.diagnosis.unvalidated import judge_unvalidated
>>> from assay.readers.history import History
>>> history = History.from_lists(val_accuracy=[0.5, 0.62, 0.7, 0.74, 0.76, 0.74, 0.72, 0.7, 0.69])
>>> judge_unvalidated(history).status
'overfit'
"""

from collections.abc import Mapping

from assay.core.types import Better
from assay.diagnosis.case import count_evaluations, format_value
from assay.diagnosis.log_remarks import describe_log
from assay.diagnosis.metric_changes import MetricChange, judge_metrics
from assay.diagnosis.metric_curve import MetricCurve, judge_metric_curve
from assay.diagnosis.objective import (
    Objective,
    explain_objective,
    find_objective,
    find_objective_metric,
)
from assay.diagnosis.places import restore, suggest_evaluations
from assay.diagnosis.remedies import describe_range
from assay.diagnosis.rules import MIN_EPOCHS, Status
from assay.diagnosis.run_diagnosis import (
    RunDiagnosis,
    convert_to_epoch,
    convert_to_evidence,
    convert_to_loss,
    convert_to_range,
    convert_to_rows,
)
from assay.diagnosis.training_curve import TrainingCurve, judge_training
from assay.readers.history import History

__all__ = ["judge_unvalidated"]


def judge_unvalidated(
    history: History,
    *,
    better: Mapping[str, Better] | None = None,
    metric: str | None = None,
) -> RunDiagnosis:
    """The diagnosis of a run without a validation loss: by a metric, or of training alone.

    Parameters:
        history: The run.
        better: "lower" or "higher" by metric, for metrics whose name does not say; default: none.
        metric: The metric to judge by; default: the one that suits the objective of the run, if
            that shows, or else the choice of `find_metric`.
    """
    objective = find_objective(history)
    wanted = metric
    if wanted is None and objective is not None:
        wanted = find_objective_metric(history, objective)
    curve = judge_metric_curve(history, better=better, metric=wanted)
    metrics = judge_metrics(history, None, better=better)
    training = judge_training(history)
    verdict = _explain(history, curve, training, objective)
    judged = None if curve is None else curve.metric
    others = [
        _explain_other_metric(m, history.unit)
        for m in metrics
        if m.best is not None and m.metric != judged
    ]
    remarks = [*others[:6], *describe_log(history), *history.notes]
    onset = verdict.onset if curve is None else curve.onset
    return RunDiagnosis(
        name=history.name,
        status=verdict.status,
        best_epoch=None if curve is None else convert_to_epoch(curve.best_epoch),
        good_range=None if curve is None else convert_to_range(*curve.good_range),
        onset=convert_to_epoch(onset),
        severity=curve.severity if curve is not None and verdict.status == "overfit" else None,
        loss=convert_to_loss(history, None, None, "unknown"),
        metrics=convert_to_rows(metrics),
        evidence=convert_to_evidence(verdict.finding, (), remarks),
        remedies=verdict.remedies,
        confidence="low" if curve is None or curve.points < 10 else "medium",
        history=history,
    )


def _explain(
    history: History,
    curve: MetricCurve | None,
    training: TrainingCurve,
    objective: Objective | None,
) -> TrainingCurve:
    """Status, finding and remedies: by a metric, or by the training loss, or by neither."""
    if curve is not None:
        finding = explain_metric_curve(curve, history)
        told = training.finding.rpartition("; ")[2]
        aside = f"; {told}" if told.startswith("training loss") else ""
        if objective is not None:
            aside = f"; {explain_objective(objective)}"
        return TrainingCurve(
            _find_status(curve, history), finding + aside, suggest_by_metric(curve, history)
        )
    if objective is None:
        return training
    log = {
        "contest": "log a measure of the samples, as FID is, and look at them",
        "reward": "log the reward of whole episodes",
        "preference": "log the preference accuracy on rows that were held out",
    }
    return TrainingCurve("inconclusive", explain_objective(objective), (log[objective],))


def _find_status(curve: MetricCurve, history: History) -> Status:
    """The status by a metric; a reward that falls while it is trained for is no overfit."""
    if curve.status == "overfit" and find_objective(history) == "reward":
        return "unstable"
    return curve.status


def _explain_other_metric(metric: MetricChange, unit: str) -> str:
    return (
        f"{metric.metric} is best at {unit} {format_value(metric.best_epoch or 0.0)} "
        f"({format_value(metric.best or 0.0)})"
    )


def explain_metric_curve(curve: MetricCurve, history: History) -> str:
    """The finding of a run `history`, judged by the `curve` of a metric, in one sentence."""
    unit = history.unit
    first, last = map(format_value, curve.good_range)
    is_reward = find_objective(history) == "reward"
    rows = "" if curve.split != "train" or is_reward else " on training rows"
    finding = (
        f"{curve.metric}{rows} is best at {unit} {format_value(curve.best_epoch)} "
        f"({format_value(curve.best)})"
    )
    final = format_value(curve.final)
    if curve.status == "overfit":
        went = "fell" if curve.final < curve.best else "rose"
        since = "" if curve.onset is None else f" since {unit} {format_value(curve.onset)}"
        severity = "" if is_reward else f"{curve.severity}{since}: "
        return f"{severity}{finding} and {went} to {final} at the end"
    if curve.status == "still_improving":
        return f"{finding} and still improves at the end of the run"
    if curve.status == "good_fit":
        level = f" and level from {first} to {last}" if first != last else ""
        return f"{finding}{level}, {final} at the end"
    if curve.points < MIN_EPOCHS:
        return f"{finding}, but {count_evaluations(curve.points)} too few to tell a trend"
    return f"{finding}, {final} at the end without a steady trend"


def suggest_by_metric(curve: MetricCurve, history: History) -> tuple[str, ...]:
    """What to do about a run `history` that was judged by the `curve` of a metric."""
    unit = history.unit
    first, last = map(format_value, curve.good_range)
    keep = restore(history, curve.best_epoch)
    log = f"log a validation loss as well: it shows over-confidence before {curve.metric} does"
    if curve.split == "train" or find_objective(history) is not None:
        log = "validate on rows, prompts or seeds that were held out"
    if curve.status == "overfit":
        stop = "stop early, or add regularisation, augmentation or more data"
        if find_objective(history) == "reward":
            stop = "lower the learning rate, or hold the policy nearer to where it started"
        return (f"{keep}{describe_range(*curve.good_range)}", stop, log)
    if curve.status == "still_improving":
        return ("train longer, then judge", log)
    if curve.status == "good_fit":
        kept = f"any {unit} from {first} to {last} is fine" if first != last else keep
        return (f"keep it: {kept}", log)
    return (suggest_evaluations(history), log)
