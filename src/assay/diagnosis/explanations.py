"""Remarks: what is said about a training curve, in words made from its numbers, and what to do about it.

>>> from assay.diagnosis.explanations import number
>>> number(0.34348), number(12.0)
('0.3435', '12')
"""

from collections.abc import Sequence

from assay.diagnosis.measurements import Facts, MetricFacts
from assay.diagnosis.rules import (
    Severity,
    Status,
    far_from_done,
    level_but_high,
    noisy,
    too_good,
    too_short,
    wide_gap,
)
from assay.diagnosis.trend import late
from assay.readers.history import History
from assay.readers.naming import is_regression

__all__ = ["explain_flags", "explain_metric", "headline", "number", "remedies_for"]


def number(value: float) -> str:
    """A number as people read it: four significant places."""
    return f"{value:.4g}"


def headline(
    status: Status, f: Facts, history: History, severity: Severity | None, onset: float | None
) -> str:
    """The finding in one sentence."""
    unit, best, low = history.unit, number(f.best_epoch), number(f.lowest)
    lowest = f"validation loss is lowest at {unit} {best} ({low})"
    if status == "collapsed":
        at = "?" if onset is None else number(onset)
        return (
            f"training broke down at {unit} {at} (training loss up to {number(float(f.train_log.max()))}) and ends at "
            f"{number(late(f.train_log))}, no better than a model that knows nothing ({_baseline(f)})"
        )
    if status == "not_learning":
        return f"neither training nor validation loss leaves the baseline ({_baseline(f)}; best validation {low})"
    if status == "memorising":
        return (
            f"training loss fell to {number(f.train_log.min())}, validation loss never left the baseline "
            f"({_baseline(f)}; best {low}): the training rows are learned by heart"
        )
    if status == "unstable":
        return (
            f"training loss rises in {100 * f.train_rises:.0f} % of {unit}s and ends at {number(late(f.train_log))} "
            f"after {number(f.train_log.min())}; {lowest}"
        )
    if status == "overfit":
        return _overfit(f, unit, severity, onset)
    if status == "still_improving":
        return f"validation loss still falls at the end of the run ({number(f.recent[0])} to {number(f.recent[-1])})"
    if status == "underfit":
        return _underfit(f)
    if status == "inconclusive":
        return f"{lowest}, but {_why_inconclusive(f, unit)}"
    return _good_fit(f, unit)


def _baseline(f: Facts) -> str:
    """The baseline loss with where it comes from."""
    sources = {
        "given": "given",
        "n_classes": "log of the number of classes",
        "chance": "chance, as the accuracy tells",
    }
    return f"baseline {number(f.baseline)}, {sources.get(f.baseline_from, 'guessed from the first epoch')}"


def _overfit(f: Facts, unit: str, severity: Severity | None, onset: float | None) -> str:
    percent = f" (+{f.generalisation_loss:.0f} %)" if f.lowest > 0 else ""
    since = f" since {unit} {number(onset)}" if onset is not None else ""
    while_train = (
        "while training loss kept falling"
        if f.train is not None
        else "(training loss was not logged)"
    )
    return (
        f"{severity}{since}: validation loss rose from {number(f.lowest)} at {unit} {number(f.best_epoch)} to "
        f"{number(f.end)} at the end{percent} {while_train}"
    )


def _underfit(f: Facts) -> str:
    if f.reference is not None and f.clean is not None and late(f.clean) > f.reference:
        whose = "the target" if f.reference_given else "the best other run, on validation rows,"
        return f"training loss levels off at {number(late(f.clean))}; {whose} reaches {number(f.reference)}"
    learned = f"only {100 * f.learned_train:.0f} % of the baseline loss was learned on the training rows ({_baseline(f)})"
    return f"{learned}, and validation loss {'is still falling' if f.best >= len(f.val) - 2 else 'is level'}"


def _good_fit(f: Facts, unit: str) -> str:
    first, last = f.good_range
    lasts = last == float(f.epochs[-1])
    level = f"level from {unit} {number(first)} {'to the end' if lasts else f'to {number(last)}'}"
    end = "; the run does not show where overfitting starts" if f.best == len(f.val) - 1 else ""
    return f"validation loss is lowest at {unit} {number(f.best_epoch)} ({number(f.lowest)}) and {level}{end}"


def _why_inconclusive(f: Facts, unit: str) -> str:
    if too_short(f):
        return (
            f"{len(f.val)} {unit}s with a validation loss are too few to tell a trend; 5 are needed"
        )
    if noisy(f):
        error = max(f.noise, f.standard_error)
        return (
            f"validation is too noisy (one value is uncertain by {number(error)}) to tell a good fit from a mild "
            f"overfit, or the best {unit} from its neighbours"
        )
    if level_but_high(f):
        return "it is level, and nothing tells whether the data allow better: the loss of another model would"
    return "the curves fit no verdict"


def explain_metric(metric: MetricFacts, status: Status, f: Facts, unit: str) -> str | None:
    """What became of a metric after the epoch of lowest loss; None where nothing can be said."""
    if (
        metric.at_best_loss is None
        or metric.final is None
        or metric.best is None
        or metric.best_epoch is None
    ):
        return None
    values = f"{number(metric.at_best_loss)} at {unit} {number(f.best_epoch)}, {number(metric.final)} at the end"
    if status == "overfit":
        if metric.verdict == "worse":
            return f"{metric.metric} suffers too: {values}"
        confident = (
            ""
            if is_regression(metric.metric)
            else ": the model grew over-confident, its decisions are no worse"
        )
        return f"{metric.metric} is not harmed ({values}){confident}"
    best = f"{metric.metric} is best at {unit} {number(metric.best_epoch)} ({number(metric.best)})"
    return best if metric.best_epoch == f.best_epoch else f"{best}; {values}"


def explain_flags(flags: Sequence[str], f: Facts, history: History) -> list[str]:
    """One sentence a flag."""
    return [sentence for flag in flags if (sentence := _explain(flag, f, history.unit))]


def _explain(flag: str, f: Facts, unit: str) -> str:
    if flag == "gap_widening":
        return f"the gap between training and validation loss widens ({number(float(f.gap[-1]))} at the end)"
    if flag == "wide_gap":
        return (
            f"validation loss stands {100 * f.gap_share(-1):.0f} % of what was learned above training loss: "
            f"more data, regularisation or fusing several models would narrow that"
        )
    if flag == "noisy_validation":
        return f"validation is noisy: differences below {number(max(f.noise, f.standard_error))} mean nothing"
    if flag == "validation_easier":
        return _easier(f, unit)
    if flag == "too_good":
        return "validation is as good as training at a loss near 0: are validation rows also in the training set?"
    if flag == "temporary_rise" and f.bump is not None:
        start, height, length = f.bump
        return (
            f"validation loss rose by {number(height)} after {unit} {number(start)} and fell below again: "
            f"early stopping with a patience under {length} would have missed it"
        )
    if flag == "slow":
        return "the curve is nearly a straight line: the learning rate is probably too low"
    if flag == "metric_disagrees":
        return "a metric is best outside the good range of the loss: choose by the one that matters"
    if flag == "baseline_guessed":
        return "the baseline was guessed from the first epoch; give n_classes or baseline for a firmer verdict"
    return ""


def _easier(f: Facts, unit: str) -> str:
    if f.train is None or f.clean is None:
        return ""
    below = int((f.val < f.train).sum())
    said = f"validation loss is below training loss in {below} of {len(f.val)} {unit}s"
    if f.evaluated and late(f.clean) >= late(f.val):
        return (
            f"{said}, measured with the same weights too: validation rows are easier or duplicated"
        )
    if f.evaluated:
        return f"{said}; measured with the same weights, training loss is lower ({number(late(f.clean))}): no fault"
    return (
        f"{said}: training loss is a mean over the {unit} and with dropout or augmentation on, or validation rows are "
        f"easier or duplicated; log train_eval_loss to settle it"
    )


def remedies_for(
    status: Status, f: Facts | None, metrics: Sequence[MetricFacts], unit: str
) -> tuple[str, ...]:
    """What to do, the most promising first."""
    if status == "overfit" and f is not None:
        first, last = f.good_range
        wide = max(2, int(last - first) // 2)
        decisions = [m for m in metrics if not is_regression(m.metric)]
        harmless = bool(decisions) and all(m.verdict in ("unharmed", "improved") for m in metrics)
        calibrate = ("calibrate the probabilities (temperature scaling)",) if harmless else ()
        back = "use the model of round" if unit == "round" else f"restore the weights of {unit}"
        return (
            *calibrate,
            f"{back} {number(f.best_epoch)}, or any from {number(first)} to {number(last)}",
            f"stop early, with a patience of about {wide}",
            "add weight decay, dropout or augmentation, more data, or use a smaller model",
        )
    if status == "good_fit" and f is not None and too_good(f):
        return ("check for rows that are in both the training and the validation set",)
    if status == "underfit" and f is not None and not far_from_done(f):
        return REMEDIES["underfit"][1:]
    if status == "good_fit" and f is not None and wide_gap(f):
        return ("more data, augmentation or regularisation", "fuse several models")
    if status == "inconclusive":
        return _remedies_inconclusive(f)
    return REMEDIES.get(status, ())


def _remedies_inconclusive(f: Facts | None) -> tuple[str, ...]:
    if f is None:
        return ("log a validation loss at every epoch",)
    if too_short(f):
        return ("train or log at least 5 epochs",)
    if noisy(f):
        return (
            "use more validation rows, or cross-validation",
            "average the weights or the losses of the last epochs",
        )
    known = () if f.known else ("give n_classes or baseline",)
    return ("compare with another model: give its loss on the same rows as reference", *known)


REMEDIES: dict[Status, tuple[str, ...]] = {
    "diverged": (
        "lower the learning rate 3 to 10 times",
        "clip gradients",
        "check inputs for nan, for scale and for log(0); compute the loss from logits; check half-precision scaling",
    ),
    "collapsed": (
        "scale the inputs",
        "lower the learning rate, or warm it up",
        "start anew: units that died (ReLU at 0) do not come back",
    ),
    "not_learning": (
        "check that rows and labels belong together",
        "try learning rates 10 times lower and higher",
        "check that the model can learn 10 rows by heart",
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
}
