"""judge_run: the verdict on one run, from its curves alone.

>>> from assay.readers.history import History
>>> from assay.diagnosis.judge import judge_run
>>> run = judge_run(History.from_lists(val_loss=[0.9, 0.7, float("nan")], name="a"))
>>> run.status, run.best_epoch, run.onset
('diverged', 2, 3)
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from assay.core.types import Better
from assay.diagnosis.case import Case, Kept, format_value
from assay.diagnosis.curves import find_divergence
from assay.diagnosis.findings import explain_status
from assay.diagnosis.flags import find_flags, rate_confidence, rate_severity
from assay.diagnosis.log_remarks import describe_log, is_schedule_over
from assay.diagnosis.measurements import Measurements, measure
from assay.diagnosis.metric_changes import MetricChange, judge_metrics
from assay.diagnosis.metric_curve import find_good_range, find_metric
from assay.diagnosis.objective import find_objective, find_objective_metric
from assay.diagnosis.places import name_checkpoint, restore
from assay.diagnosis.remarks import explain_flags, explain_metric
from assay.diagnosis.remedies import REMEDIES, suggest_remedies
from assay.diagnosis.rules import MIN_EPOCHS, Status, decide, find_explosion
from assay.diagnosis.run_diagnosis import (
    RunDiagnosis,
    convert_to_epoch,
    convert_to_evidence,
    convert_to_finite,
    convert_to_loss,
    convert_to_range,
    convert_to_rows,
)
from assay.diagnosis.unvalidated import judge_unvalidated
from assay.readers.history import History

__all__ = ["RunDiagnosis", "judge_run"]


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
    if not _is_judged_by_loss(history, metric):
        return judge_unvalidated(history, better=better, metric=metric)
    run = measure(history, reference=reference, reference_given=reference_given)
    status = decide(run)
    metrics = judge_metrics(history, run.best_epoch, better=better)
    case = Case(
        run=run,
        history=history,
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
        *describe_log(history),
        *history.notes,
    ]
    kept = case.kept
    saved = name_checkpoint(history, run.best_epoch if kept is None else kept.best_epoch)
    checkpoint = {} if saved is None else {"checkpoint": saved}
    return RunDiagnosis(
        name=history.name,
        status=status,
        best_epoch=convert_to_epoch(run.best_epoch if kept is None else kept.best_epoch),
        good_range=convert_to_range(*(run.good_range if kept is None else kept.good_range)),
        onset=convert_to_epoch(case.onset),
        severity=case.severity,
        loss=_describe_loss(run, history, status),
        metrics=convert_to_rows(metrics),
        evidence=_collect_evidence(explain_status(case), flags, remarks, run) | checkpoint,
        remedies=_add_schedule(suggest_remedies(case, metrics), status, history),
        confidence=rate_confidence(status, run),
        history=history,
    )


def _is_judged_by_loss(history: History, metric: str | None) -> bool:
    """Whether the validation loss of a `history` says how good it is.

    Not that of a policy or of a contest; nor one that was measured too rarely, where a metric was
    not.
    """
    val = history.find(history.validation_split, history.loss or "")
    if val is None or find_objective(history) in ("reward", "contest"):
        return False
    wanted = find_metric(history, metric=metric)
    is_few = len(val.values) < MIN_EPOCHS
    return not (is_few and wanted is not None and len(wanted.values) >= 2 * MIN_EPOCHS)


def _find_kept(
    history: History,
    run: Measurements,
    metrics: Sequence[MetricChange],
    metric: str | None,
) -> Kept | None:
    """The epoch to keep by the metric asked for, or by the one the log chooses by."""
    objective = find_objective(history)
    preferred = find_objective_metric(history, objective) if objective else None
    wanted = metric or history.monitor or preferred
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


def _add_schedule(remedies: tuple[str, ...], status: Status, history: History) -> tuple[str, ...]:
    """Training longer takes a new schedule where the learning rate ended at 0."""
    if status != "still_improving" or not is_schedule_over(history):
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
        remedies = (*remedies, restore(history, best_epoch))
    finding = f"the loss is first nan or inf at {history.unit} {format_value(onset or 0.0)}"
    return RunDiagnosis(
        name=history.name,
        status="diverged",
        best_epoch=convert_to_epoch(best_epoch),
        good_range=None if best_epoch is None else convert_to_range(best_epoch, best_epoch),
        onset=convert_to_epoch(onset),
        severity=None,
        loss=convert_to_loss(history, lowest, val.values[-1] if val else None, "non_finite"),
        metrics=convert_to_rows(judge_metrics(history, best_epoch, better=better)),
        evidence=convert_to_evidence(finding, (), history.notes),
        remedies=remedies,
        confidence="high",
        history=history,
    )


def _describe_loss(run: Measurements, history: History, status: Status) -> dict[str, Any]:
    """The loss at its best and at the end, and which way it went after the best epoch."""
    change = run.last_level - run.lowest_level if run.best < len(run.val) - 1 else 0.0
    verdict = "level"
    if status == "overfit" or change > run.tolerance:
        verdict = "rising"
    elif status == "still_improving" or (run.fall > run.resolution and change <= 0):
        verdict = "falling"
    lowest, final = run.lowest, float(run.val[-1])
    if run.in_nats:
        lowest, final = math.exp(lowest), math.exp(final)
    return convert_to_loss(history, lowest, final, verdict)


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
        **convert_to_evidence(finding, flags, remarks),
        "epochs": len(run.val),
        "baseline_from": run.baseline_from,
        **{name: convert_to_finite(value) for name, value in numbers.items()},
    }
