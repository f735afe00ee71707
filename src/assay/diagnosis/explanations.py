"""Explanations: findings, remarks and remedies, in words made from the numbers of a run.

>>> from assay.diagnosis.explanations import format_value
>>> format_value(0.34348), format_value(12.0)
('0.3435', '12')
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from assay.diagnosis.measurements import Measurements, MetricChange
from assay.diagnosis.metric_curve import MetricCurve
from assay.diagnosis.rules import (
    Severity,
    Status,
    has_wide_gap,
    is_far_from_done,
    is_level_but_high,
    is_noisy,
    is_too_good,
    is_too_short,
    is_unsettled,
)
from assay.diagnosis.trend import final_level
from assay.readers.cells import Unit
from assay.readers.naming import is_decision_metric

__all__ = [
    "Case",
    "Kept",
    "explain_flags",
    "explain_metric",
    "explain_metric_curve",
    "explain_status",
    "format_value",
    "suggest_by_metric",
    "suggest_remedies",
]


class Case(NamedTuple):
    """A judged run: its measurements, the unit of its axis, and what the rules say."""

    run: Measurements
    unit: Unit
    status: Status
    severity: Severity | None = None
    onset: float | None = None
    kept: "Kept | None" = None


class Kept(NamedTuple):
    """The epoch to keep by a metric, and that of the lowest loss."""

    metric: str
    best_epoch: float
    best: float
    good_range: tuple[float, float]
    lowest_epoch: float


def format_value(value: float) -> str:
    """A `value` as people read it: four significant digits."""
    return f"{value:.4g}"


def explain_status(case: Case) -> str:
    """The finding of a `case` in one sentence."""
    return FINDINGS[case.status](case)


def _explain_collapsed(case: Case) -> str:
    run = case.run
    epoch = "?" if case.onset is None else format_value(case.onset)
    return (
        f"training broke down at {case.unit} {epoch} (training loss up to "
        f"{format_value(float(run.train_log.max()))}) and ends at "
        f"{format_value(final_level(run.train_log))}, no better than a model that knows nothing "
        f"({_describe_baseline(run)})"
    )


def _explain_not_learning(case: Case) -> str:
    return (
        f"neither training nor validation loss leaves the baseline "
        f"({_describe_baseline(case.run)}; best validation {format_value(case.run.lowest)})"
    )


def _explain_memorising(case: Case) -> str:
    run = case.run
    return (
        f"training loss fell to {format_value(run.train_log.min())}, validation loss never left "
        f"the baseline ({_describe_baseline(run)}; best {format_value(run.lowest)}): the "
        f"training rows were memorised"
    )


def _explain_unstable(case: Case) -> str:
    run = case.run
    return (
        f"training loss rises in {100 * run.train_rises:.0f} % of {case.unit}s and ends at "
        f"{format_value(final_level(run.train_log))} after {format_value(run.train_log.min())}; "
        f"{_describe_lowest(case)}"
    )


def _explain_overfit(case: Case) -> str:
    run = case.run
    percent = f" (+{run.generalisation_loss:.0f} %)" if run.lowest > 0 else ""
    since = f" since {case.unit} {format_value(case.onset)}" if case.onset is not None else ""
    training = "while training loss kept falling"
    if run.train is None:
        is_boosted = case.unit in ("round", "iteration")
        training = "(of training nothing was logged)"
        if not is_boosted:
            training = "(training loss was not logged)"
    end = float(run.val[-1]) if is_too_short(run) else run.end
    if is_too_short(run):
        percent = f" (+{100 * (end / run.lowest - 1):.0f} %)" if run.lowest > 0 else ""
    return (
        f"{case.severity}{since}: validation loss rose from {format_value(run.lowest)} at "
        f"{case.unit} {format_value(run.best_epoch)} to {format_value(end)} at the "
        f"end{percent} {training}"
    )


def _explain_still_improving(case: Case) -> str:
    recent = case.run.recent
    return (
        f"validation loss still falls at the end of the run "
        f"({format_value(recent[0])} to {format_value(recent[-1])})"
    )


def _explain_underfit(case: Case) -> str:
    run = case.run
    if run.reference is not None and run.train_eval is not None:
        end = final_level(run.train_eval)
        if end > run.reference:
            other = "the best other run, on validation rows,"
            return (
                f"training loss levels off at {format_value(end)}; "
                f"{'the target' if run.reference_given else other} reaches "
                f"{format_value(run.reference)}"
            )
    trend = "is still falling" if run.best >= len(run.val) - 2 else "is level"
    return (
        f"only {100 * run.learned_train:.0f} % of the baseline loss was learned on the training "
        f"rows ({_describe_baseline(run)}), and validation loss {trend}"
    )


def _explain_inconclusive(case: Case) -> str:
    return f"{_describe_lowest(case)}, but {_explain_doubt(case)}"


def _explain_doubt(case: Case) -> str:
    """Why nothing can be concluded."""
    run = case.run
    if is_too_short(run):
        return (
            f"{len(run.val)} {case.unit}{'s' if len(run.val) > 1 else ''} with a validation loss "
            f"are too few to tell a trend; 5 are needed, unless the change is far beyond noise"
        )
    if is_noisy(run):
        return (
            f"validation is too noisy (one value is uncertain by {format_value(run.error)}) to "
            f"tell a good fit from a mild overfit, or the best {case.unit} from its neighbours"
        )
    if is_level_but_high(run):
        return (
            "it is level, and nothing tells whether the data allow better: the loss of another "
            "model would"
        )
    if is_unsettled(run):
        peak = float(run.val[run.best :].max())
        return (
            f"it rose to {format_value(peak)} after that and ends at "
            f"{format_value(float(run.val[-1]))}, without a steady trend"
        )
    return "the curves fit no verdict"


def _explain_good_fit(case: Case) -> str:
    run = case.run
    first, last = run.good_range
    until = "to the end" if last == float(run.epochs[-1]) else f"to {format_value(last)}"
    is_last = run.best == len(run.val) - 1
    end = "; the run does not show where overfitting starts" if is_last else ""
    if first == last and not is_last:
        return f"{_describe_lowest(case)} and ends at {format_value(float(run.val[-1]))}"
    if is_last and first == last:
        return f"{_describe_lowest(case)}, the last{end}"
    return f"{_describe_lowest(case)} and level from {case.unit} {format_value(first)} {until}{end}"


FINDINGS: dict[Status, Callable[[Case], str]] = {
    "collapsed": _explain_collapsed,
    "not_learning": _explain_not_learning,
    "memorising": _explain_memorising,
    "unstable": _explain_unstable,
    "overfit": _explain_overfit,
    "still_improving": _explain_still_improving,
    "underfit": _explain_underfit,
    "inconclusive": _explain_inconclusive,
    "good_fit": _explain_good_fit,
}


def _describe_lowest(case: Case) -> str:
    epoch = format_value(case.run.best_epoch)
    return f"validation loss is lowest at {case.unit} {epoch} ({format_value(case.run.lowest)})"


def _describe_baseline(run: Measurements) -> str:
    """The baseline loss with where it comes from."""
    sources = {
        "given": "given",
        "n_classes": "log of the number of classes",
        "chance": "chance, as the accuracy tells",
        "first epoch": "guessed from the first epoch",
    }
    return f"baseline {format_value(run.baseline)}, {sources[run.baseline_from]}"


def explain_metric(metric: MetricChange, case: Case) -> str | None:
    """What became of a `metric` after the epoch of lowest loss of a `case`; None where unknown."""
    if metric.best is None or metric.best_epoch is None:
        return None
    if metric.at_best_loss is None or metric.final is None:
        return None
    values = (
        f"{format_value(metric.at_best_loss)} at {case.unit} {format_value(case.run.best_epoch)}, "
        f"{format_value(metric.final)} at the end"
    )
    if case.status == "overfit":
        return _explain_metric_of_overfit(metric, values)
    best = (
        f"{metric.metric} is best at {case.unit} {format_value(metric.best_epoch)} "
        f"({format_value(metric.best)})"
    )
    return best if metric.best_epoch == case.run.best_epoch else f"{best}; {values}"


def _explain_metric_of_overfit(metric: MetricChange, values: str) -> str:
    if metric.verdict == "worse":
        return f"{metric.metric} suffers too: {values}"
    is_decision = is_decision_metric(metric.metric)
    if metric.verdict == "improved":
        reason = ": the model grew over-confident, its decisions better" if is_decision else ""
        return f"{metric.metric} improved meanwhile ({values}){reason}"
    over_confident = ": the model grew over-confident, its decisions are no worse"
    return f"{metric.metric} is not harmed ({values}){over_confident if is_decision else ''}"


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
        return (f"{keep}{_describe_range(*curve.good_range)}", stop, log)
    if curve.status == "still_improving":
        return ("train longer, then judge", log)
    if curve.status == "good_fit":
        return (f"keep it: any {unit} from {first} to {last}", log)
    return ("evaluate more often, so that 5 evaluations show a trend", log)


def explain_flags(flags: Sequence[str], case: Case) -> list[str]:
    """One sentence for each of the `flags` of a `case` that has something to say."""
    sentences = (FLAGS[flag](case) for flag in flags)
    return [sentence for sentence in sentences if sentence]


def _explain_gap_widening(case: Case) -> str:
    gap = format_value(float(case.run.gap[-1]))
    return f"the gap between training and validation loss widens ({gap} at the end)"


def _explain_wide_gap(case: Case) -> str:
    return (
        f"validation loss stands {100 * case.run.gap_share(-1):.0f} % of what was learned above "
        f"training loss: more data, regularisation or fusing several models would narrow that"
    )


def _explain_noise(case: Case) -> str:
    error = format_value(case.run.error)
    return f"validation is noisy: differences below {error} mean nothing"


def _explain_easier_validation(case: Case) -> str:
    run = case.run
    if run.train is None or run.train_eval is None:
        return ""
    below = int((run.val < run.train).sum())
    fact = f"validation loss is below training loss in {below} of {len(run.val)} {case.unit}s"
    if not run.has_train_eval:
        return (
            f"{fact}: training loss is a mean over the {case.unit} and with dropout or "
            f"augmentation on, or validation rows are easier or duplicated; log "
            f"train_eval_loss to settle it"
        )
    end = final_level(run.train_eval)
    if end >= final_level(run.val):
        return (
            f"{fact}, measured with the same weights too: validation rows are easier or duplicated"
        )
    return (
        f"{fact}; measured with the same weights, training loss is lower ({format_value(end)}): "
        f"no fault"
    )


def _explain_temporary_rise(case: Case) -> str:
    if case.run.bump is None:
        return ""
    start, height, length = case.run.bump
    return (
        f"validation loss rose by {format_value(height)} after {case.unit} {format_value(start)} "
        f"and fell below again: early stopping with a patience under {length} would have missed it"
    )


def _explain_other_scale(case: Case) -> str:
    factor = case.run.train_factor
    if factor > 1:
        return (
            f"training loss was logged about {factor:g} times too large, as a sum over accumulated "
            f"batches or processes is; it was divided by {factor:g}"
        )
    return (
        "training loss is far above the baseline: it is on another scale (a sum, a weight, a "
        "penalty), so its height was not judged"
    )


FLAGS: dict[str, Callable[[Case], str]] = {
    "gap_widening": _explain_gap_widening,
    "wide_gap": _explain_wide_gap,
    "noisy_validation": _explain_noise,
    "validation_easier": _explain_easier_validation,
    "too_good": lambda _: (
        "validation is as good as training at a loss near 0: are validation rows also in the "
        "training set?"
    ),
    "temporary_rise": _explain_temporary_rise,
    "slow": lambda _: "the curve is nearly a straight line: the learning rate is probably too low",
    "metric_disagrees": lambda _: (
        "a metric is best outside the good range of the loss: choose by the one that matters"
    ),
    "baseline_guessed": lambda _: (
        "the baseline was guessed from the first epoch; give n_classes or baseline for a firmer "
        "verdict"
    ),
    "other_scale": _explain_other_scale,
}


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
        return _remedies_of_doubt(run)
    return REMEDIES[case.status]


def _remedies_of_overfit(case: Case, metrics: Sequence[MetricChange]) -> tuple[str, ...]:
    first, last = case.run.good_range if case.kept is None else case.kept.good_range
    best = case.run.best_epoch if case.kept is None else case.kept.best_epoch
    patience = max(2, int(last - first) // 2)
    has_decisions = any(is_decision_metric(metric.metric) for metric in metrics)
    improved = [metric for metric in metrics if metric.verdict == "improved"]
    is_harmless = all(metric.verdict in ("unharmed", "improved") for metric in metrics)
    calibrate = "calibrate the probabilities (temperature scaling)"
    restore = f"restore the weights of {case.unit}"
    if case.unit == "round":
        restore = "use the model of round"
    return (
        *([calibrate] if has_decisions and is_harmless else []),
        *(_advise_metric(metric, case) for metric in improved[:1] if case.kept is None),
        f"{restore} {format_value(best)}{_describe_range(first, last)}",
        f"stop early, with a patience of about {patience}",
        "add weight decay, dropout or augmentation, more data, or use a smaller model",
    )


def _describe_range(first: float, last: float) -> str:
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


def _remedies_of_doubt(run: Measurements) -> tuple[str, ...]:
    if is_too_short(run):
        return ("evaluate more often, every so many steps, so that 5 evaluations show a trend",)
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
    "good_fit": ("keep it: stop anywhere in the good range",),
    "inconclusive": ("log a validation loss at every epoch",),
}
