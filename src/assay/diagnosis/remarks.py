"""remarks: sentences on metrics and flags, beside the finding.

>>> from assay.diagnosis.remarks import FLAGS
>>> "gap_widening" in FLAGS
True
"""

from collections.abc import Callable, Sequence

from assay.diagnosis.case import Case, format_value
from assay.diagnosis.metric_changes import MetricChange
from assay.diagnosis.trend import final_level
from assay.readers.naming import is_decision_metric

__all__ = ["FLAGS", "explain_flags", "explain_metric"]


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
    if case.run.best == len(case.run.val) - 1:
        values = f"{format_value(metric.at_best_loss)} at the end"
    if case.status == "overfit":
        return _explain_metric_of_overfit(metric, values)
    if case.kept is not None and case.kept.metric == metric.metric:
        return None  # said already, as what is kept
    best = (
        f"{metric.metric} is best at {case.unit} {format_value(metric.best_epoch)} "
        f"({format_value(metric.best)})"
    )
    is_same = metric.best_epoch == case.run.best_epoch or metric.best == metric.at_best_loss
    return best if is_same else f"{best}; {values}"


def _explain_metric_of_overfit(metric: MetricChange, values: str) -> str:
    if metric.verdict == "worse":
        return f"{metric.metric} suffers too: {values}"
    is_decision = is_decision_metric(metric.metric)
    if metric.verdict == "improved":
        reason = ": the model grew over-confident, its decisions better" if is_decision else ""
        return f"{metric.metric} improved meanwhile ({values}){reason}"
    over_confident = ": the model grew over-confident, its decisions are no worse"
    return f"{metric.metric} is not harmed ({values}){over_confident if is_decision else ''}"


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
    count = f"{run.easier_evaluations} of {len(run.val)} {case.unit}s"
    fact = f"validation loss is below training loss in {count}"
    if not run.has_train_eval:
        mean = "" if run.is_lagged else f"a mean over the {case.unit}, or "
        return (
            f"{fact}: training loss may be {mean}measured with dropout or augmentation on, or "
            f"validation rows are easier or duplicated; log train_eval_loss to settle it"
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
