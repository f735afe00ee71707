"""findings: the verdict on a run in one sentence, made from its numbers.

>>> from assay.diagnosis.findings import FINDINGS
>>> "good_fit" in FINDINGS
True
"""

from collections.abc import Callable

from assay.diagnosis.case import Case, count_evaluations, format_value
from assay.diagnosis.measurements import Measurements
from assay.diagnosis.rules import (
    FALLING,
    SWINGING,
    Status,
    both_rose,
    is_level_but_high,
    is_noisy,
    is_too_short,
    is_unsettled,
    is_within_sampling_error,
)
from assay.diagnosis.trend import final_level

__all__ = ["FINDINGS", "explain_status"]


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
    if run.swing > SWINGING:
        return (
            f"both losses go up and down by about {100 * run.swing:.0f} % from one {case.unit} to "
            f"the next; {_describe_lowest(case)}"
        )
    ends = (
        f"from {format_value(float(run.train_log.min()))} to "
        f"{format_value(final_level(run.train_log))}"
    )
    if both_rose(run):
        return (
            f"both losses rose: training loss {ends} at the end, validation loss from "
            f"{format_value(run.lowest)} at {case.unit} {format_value(run.best_epoch)} to "
            f"{format_value(run.end)}"
        )
    return (
        f"training loss rises in {100 * run.train_rises:.0f} % of {case.unit}s, {ends} at the end; "
        f"{_describe_lowest(case)}"
    )


def _explain_overfit(case: Case) -> str:
    run = case.run
    percent = f" (+{run.generalisation_loss:.0f} %)" if run.lowest > 0 else ""
    since = f" since {case.unit} {format_value(case.onset)}" if case.onset is not None else ""
    training = "while training loss kept falling"
    if not run.z_train_after_best < FALLING and not is_too_short(run):
        training = "while training loss did not"
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
        f"only {max(0.0, 100 * run.learned_train):.0f} % of the baseline loss was learned on the "
        f"training rows ({_describe_baseline(run)}), and validation loss {trend}"
    )


def _explain_inconclusive(case: Case) -> str:
    return f"{_describe_lowest(case)}, but {_explain_doubt(case)}"


def _explain_doubt(case: Case) -> str:
    """Why nothing can be concluded."""
    run = case.run
    if is_too_short(run):
        return (
            f"{count_evaluations(len(run.val))} too few to tell a trend; 5 are needed, unless the "
            f"change is far beyond noise"
        )
    if is_within_sampling_error(run):
        return (
            f"its rise of {format_value(run.level_rise)} since is within the sampling error of the "
            f"validation rows ({format_value(run.standard_error)})"
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
    if last < float(run.epochs[-1]):
        until += f"; it ends at {format_value(float(run.val[-1]))}"
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
