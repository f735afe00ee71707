"""flags: what else to know of a judged run: how bad, what stands beside it, how sure.

>>> from assay.diagnosis.flags import rate_severity
>>> from assay.diagnosis.measurements import measure
>>> from assay.readers.history import History
>>> rate_severity(measure(History.from_lists(val_loss=[1.0, 0.5, 0.53, 0.55, 0.56])))
'moderate'
"""

import math
from collections.abc import Sequence

from assay.diagnosis.measurements import Measurements
from assay.diagnosis.metric_changes import MetricChange
from assay.diagnosis.rules import (
    LEVELS,
    MIN_EPOCHS,
    RISING,
    Confidence,
    Severity,
    Status,
    is_far_from_done,
    is_noisy,
    is_slow,
    is_too_good,
    is_too_short,
)

__all__ = ["find_flags", "has_wide_gap", "rate_confidence", "rate_severity"]


def rate_severity(run: Measurements) -> Severity:
    """How bad the overfit of a `run` is: by its generalisation loss and by what it gave back."""
    given_back = run.share_given_back if run.is_baseline_known else math.nan
    if run.generalisation_loss >= 20 or given_back > 0.15:
        return "severe"
    return "moderate" if run.generalisation_loss >= 5 or given_back > 0.05 else "mild"


def find_flags(
    status: Status, run: Measurements, metrics: Sequence[MetricChange]
) -> tuple[str, ...]:
    """What else to know about a `run` of that `status` and its `metrics`, by name."""
    if status == "collapsed":
        return ()
    is_trained = status not in ("unstable", "not_learning", "memorising")
    is_judged = status != "inconclusive" or not is_too_short(run)
    is_below = run.easier_evaluations >= 0.6 * len(run.val)
    flags = {
        "gap_widening": is_trained and _is_gap_widening(run),
        "wide_gap": is_trained and has_wide_gap(run),
        "noisy_validation": is_trained and is_noisy(run),
        "validation_easier": is_judged and is_below,
        "too_good": is_too_good(run),
        "temporary_rise": run.bump is not None,
        "slow": is_judged and is_slow(run),
        "metric_disagrees": any(_disagrees(metric, run) for metric in metrics),
        "baseline_guessed": is_judged and not run.is_baseline_known,
        "other_scale": run.train_factor > 1 or _is_other_scale(run),
    }
    return tuple(name for name, holds in flags.items() if holds)


def has_wide_gap(run: Measurements) -> bool:
    """Whether over 15 % of what the `run` learned on training rows is not there on validation rows.

    Ng calls it variance.
    """
    has_learned = run.is_baseline_known and run.learned_train > 0.1
    return has_learned and run.gap_share(-1) > 0.15


def _is_other_scale(run: Measurements) -> bool:
    """Whether training loss lies so far above the baseline that it measures something else."""
    return run.train is not None and run.baseline > 0 and math.isnan(run.learned_train)


def _disagrees(metric: MetricChange, run: Measurements) -> bool:
    """Whether a metric is best outside the good range of the loss, by more than its tolerance."""
    if metric.best is None or metric.best_epoch is None:
        return False
    if metric.at_best_loss is None or metric.tolerance is None:
        return False
    first, last = run.good_range
    difference = abs(metric.best - metric.at_best_loss)
    return not first <= metric.best_epoch <= last and difference > metric.tolerance


def _is_gap_widening(run: Measurements) -> bool:
    """The gap between the losses grows, surely and by more than 1 % of the learnable."""
    if len(run.gap) < MIN_EPOCHS:
        return False
    growth = run.gap[-1] - run.gap[len(run.gap) // 3]
    return bool(run.gap[-1] > 0 and run.z_gap > RISING and growth > 0.01 * run.learnable)


def rate_confidence(status: Status, run: Measurements) -> Confidence:
    """How far the `status` of a `run` can be trusted.

    Less with a guessed baseline, noise, few points, or no training loss.
    """
    if status == "diverged":
        return "high"
    if status == "collapsed":
        return "high" if run.is_baseline_known else "medium"
    if status == "inconclusive":
        return "low"
    # Where nothing was learned, noise is large against what was: that is the finding, not a doubt.
    doubts = (
        status == "overfit" and run.level_rise <= run.standard_error,
        status == "good_fit" and run.good_range[1] < float(run.epochs[-1]),
        is_noisy(run) and run.learned_val >= 0.05,
        is_too_good(run),
        run.train is None,
        len(run.val) < 10,
        run.baseline_from == "chance",
    )
    level = min(_highest_level(status, run), 2 - sum(doubts))
    return LEVELS[max(0, level - (not run.is_baseline_known))]


def _highest_level(status: Status, run: Measurements) -> int:
    """The position in LEVELS that a status can reach at best."""
    if status == "underfit" and not is_far_from_done(run):
        if run.reference is None:
            return 0
        return 2 if run.reference_given else 1
    return 2 if status in ("good_fit", "overfit", "not_learning", "memorising") else 1
