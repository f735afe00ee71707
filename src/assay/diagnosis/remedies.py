"""remedies: what to do about a run, the most promising first.

>>> from assay.diagnosis.remedies import REMEDIES
>>> REMEDIES["diverged"][0]
'lower the learning rate 3 to 10 times'
"""

from collections.abc import Sequence

from assay.diagnosis.case import Case, format_value
from assay.diagnosis.flags import has_wide_gap
from assay.diagnosis.metric_changes import MetricChange
from assay.diagnosis.places import restore, suggest_evaluations
from assay.diagnosis.rules import (
    Status,
    is_far_from_done,
    is_noisy,
    is_too_good,
    is_too_short,
    is_unsettled,
    is_within_sampling_error,
)
from assay.readers.naming import is_decision_metric

__all__ = ["REMEDIES", "suggest_remedies"]


def suggest_remedies(case: Case, metrics: Sequence[MetricChange]) -> tuple[str, ...]:
    """What to do about a `case` and its `metrics`, the most promising first."""
    run = case.run
    if case.status == "overfit":
        return _remedies_of_overfit(case, metrics)
    if case.status == "good_fit" and is_too_good(run):
        return ("check for rows that are in both the training and the validation set",)
    if case.status == "good_fit" and has_wide_gap(run):
        return ("more data, augmentation or regularisation", "fuse several models")
    if case.status == "underfit" and not is_far_from_done(run):
        return REMEDIES["underfit"][1:]
    if case.status == "inconclusive":
        return _remedies_of_doubt(case)
    if case.status == "good_fit":
        return (_advise_range(case),)
    return REMEDIES[case.status]


def _remedies_of_overfit(case: Case, metrics: Sequence[MetricChange]) -> tuple[str, ...]:
    first, last = case.run.good_range if case.kept is None else case.kept.good_range
    best = case.run.best_epoch if case.kept is None else case.kept.best_epoch
    patience = max(2, int(last - first) // 2)
    has_decisions = any(is_decision_metric(metric.metric) for metric in metrics)
    improved = [metric for metric in metrics if metric.verdict == "improved"]
    is_harmless = all(metric.verdict in ("unharmed", "improved") for metric in metrics)
    calibrate = "calibrate the probabilities (temperature scaling)"
    return (
        *([calibrate] if has_decisions and is_harmless else []),
        *(_advise_metric(metric, case) for metric in improved[:1] if case.kept is None),
        f"{restore(case.history, best)}{describe_range(first, last)}",
        f"stop early, with a patience of about {patience}",
        "add weight decay, dropout or augmentation, more data, or use a smaller model",
    )


def describe_range(first: float, last: float) -> str:
    """The end of a remedy: any epoch from `first` to `last` will do; empty where they are one."""
    if first == last:
        return ""
    return f", or any from {format_value(first)} to {format_value(last)}"


def _advise_metric(metric: MetricChange, case: Case) -> str:
    """What to keep where a metric went on to improve after the lowest loss."""
    epoch = format_value(metric.best_epoch or 0.0)
    return (
        f"keep {case.unit} {epoch} if {metric.metric} is what matters "
        f"({format_value(metric.best or 0.0)} at best); else"
    )


def _advise_range(case: Case) -> str:
    """Which epochs serve, and whether training on bought anything."""
    first, last = case.run.good_range if case.kept is None else case.kept.good_range
    best = case.run.best_epoch if case.kept is None else case.kept.best_epoch
    end = float(case.run.epochs[-1])
    if first == last:
        kept = f": {restore(case.history, best)}"
        if best == end:
            kept = f": the last {case.unit} is the best so far"
        return f"keep it{kept}"
    fine = f"keep it: any {case.unit} from {format_value(first)} to {format_value(last)} is fine"
    span = end - float(case.run.epochs[0])
    is_early = end - first >= 0.3 * span
    nothing = f"; training past {case.unit} {format_value(first)} buys nothing"
    return fine + (nothing if is_early else "")


def _remedies_of_doubt(case: Case) -> tuple[str, ...]:
    run = case.run
    if is_too_short(run):
        return (suggest_evaluations(case.history),)
    if is_within_sampling_error(run):
        return (
            "use more validation rows, or cross-validation",
            restore(case.history, run.best_epoch),
        )
    if is_noisy(run):
        return (
            "use more validation rows, or cross-validation",
            "average the weights or the losses of the last epochs",
        )
    compare = "compare with another model: give its loss on the same rows as reference"
    if is_unsettled(run):
        return ("train or evaluate a few times more, to see whether the rise lasts",)
    return (compare,) if run.is_baseline_known else (compare, "give n_classes or baseline")


REMEDIES: dict[Status, tuple[str, ...]] = {
    "diverged": (
        "lower the learning rate 3 to 10 times",
        "clip gradients",
        "check inputs for nan, for scale and for log(0); compute the loss from logits; check "
        "half-precision scaling",
    ),
    "collapsed": (
        "scale the inputs",
        "lower the learning rate, or warm it up",
        "start anew: units that died (ReLU at 0) do not come back",
    ),
    "not_learning": (
        "check that rows and labels belong together",
        "try learning rates 10 times lower and higher",
        "check that the model can overfit 10 rows",
    ),
    "memorising": (
        "check labels, and the join of features and labels",
        "check whether the features hold any signal with a simple model",
    ),
    "unstable": (
        "lower the learning rate 3 to 10 times",
        "use larger batches or a warm-up",
        "clip gradients",
    ),
    "still_improving": (
        "train longer, then judge",
        "raise the learning rate or change its schedule",
    ),
    "underfit": (
        "train longer or raise the learning rate if the loss still falls",
        "use a larger model or better features",
        "use less regularisation",
    ),
    "good_fit": ("keep it",),
    "inconclusive": ("log a validation loss at every epoch",),
}
