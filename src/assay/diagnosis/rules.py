"""Verdict: from the facts of a training curve to one status, its severity, its flags, and how sure that is.

The rules are tried in order and the first that holds gives the status; flags stand beside it.

>>> from assay.readers.history import History
>>> from assay.diagnosis.measurements import measure
>>> from assay.diagnosis.rules import decide
>>> train, val = [1.5, 1.0, 0.8, 0.6, 0.4, 0.3, 0.2, 0.1], [1.6, 1.2, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5]
>>> decide(measure(History.from_lists(train_loss=train, val_loss=val, baseline=2.3)))
'overfit'
"""

import math
from collections.abc import Callable, Sequence
from typing import Literal, get_args

import numpy as np

from assay.diagnosis.measurements import Facts, MetricFacts
from assay.diagnosis.trend import kendall_z, late

__all__ = [
    "STATUSES",
    "Confidence",
    "Severity",
    "Status",
    "decide",
    "explosion",
    "flags_of",
    "severity_of",
    "sureness",
]

Status = Literal[
    "good_fit",
    "overfit",
    "underfit",
    "still_improving",
    "unstable",
    "diverged",
    "collapsed",
    "not_learning",
    "memorising",
    "inconclusive",
]
Severity = Literal["mild", "moderate", "severe"]
Confidence = Literal["low", "medium", "high"]
STATUSES: tuple[Status, ...] = get_args(Status)

FEWEST = 5  # below five points no trend test has power
RISING, FALLING = 1.64, -1.64  # one-sided 5 %


def decide(f: Facts) -> Status:
    """The status of a run whose losses are finite."""
    return next((status for status, holds in RULES if holds(f)), "good_fit")


def explosion(f: Facts) -> float | None:
    """The epoch at which training loss left the scale of the task or, later, came back to the baseline; or None."""
    limit = (5 if f.known else 20) * f.baseline
    ruined = f.train_log > limit
    if not ruined.any() and len(f.train_log):
        lowest = int(np.argmin(f.train_log))
        ruined = (np.arange(len(f.train_log)) > lowest) & (f.train_log >= 0.95 * f.baseline)
    return float(f.train_epochs[int(np.argmax(ruined))]) if ruined.any() else None


def collapsed(f: Facts) -> bool:
    """Training exploded or unlearned, and ended where a model that knows nothing stands. Finite all along."""
    if not len(f.train_log) or not f.baseline > 0:
        return False
    exploded = bool(f.train_log.max() > (5 if f.known else 20) * f.baseline)
    at_baseline = late(f.train_log) >= 0.95 * f.baseline
    learned_once = len(f.train_log) >= FEWEST and f.train_log.min() < 0.85 * f.baseline
    return (exploded and (at_baseline or f.learned_val < 0.05)) or bool(
        at_baseline and learned_once
    )


def too_short(f: Facts) -> bool:
    """Fewer epochs than show a trend."""
    return len(f.val) < FEWEST


def not_learning(f: Facts) -> bool:
    """Neither training nor validation loss leaves the baseline."""
    return f.known and f.learned_val < 0.05 and not f.learned_train >= 0.15


def memorising(f: Facts) -> bool:
    """Training rows are learned, and nothing of it holds on validation rows, as with random labels."""
    return f.known and f.learned_val < 0.05 and f.learned_train >= 0.15


def unstable(f: Facts) -> bool:
    """Training loss goes up and down, or both losses end well above where they had been."""
    return (
        f.learned_train < 0.95 and f.train_rises >= 0.35 and (_jumpy(f) or _wandering(f))
    ) or _both_rose(f)


def _jumpy(f: Facts) -> bool:
    # What could be learned is underrated where the baseline is a guess.
    scale = 1.0 if f.known or f.lowest <= f.learnable else f.learnable / f.lowest
    return f.jitter * scale > 0.1


def _wandering(f: Facts) -> bool:
    end, lowest = late(f.train_log), float(f.train_log.min())
    early = float(np.median(f.train_log[1:4])) if len(f.train_log) > 1 else math.inf
    return end - lowest > 0.1 * abs(lowest) and end >= early


def _both_rose(f: Facts) -> bool:
    if f.train is None or not _ends_higher(f) or not f.z_train_after_best > 1.2:
        return False
    lost = late(f.train) - float(f.train.min())
    return lost > max(0.1 * abs(float(f.train.min())), 0.05 * f.learnable)


def overfit(f: Facts) -> bool:
    """Validation loss rises from its lowest value while training loss falls, or stands still at what it reached."""
    return _ends_higher(f) and not f.z_train_after_best > 1.2


def _ends_higher(f: Facts) -> bool:
    higher = f.generalisation_loss > 2 if f.lowest > 0 else f.given_back > 0.02
    return f.rise > f.tolerance and higher and f.z_val_after_best > RISING


def still_improving(f: Facts) -> bool:
    """Validation loss falls to the end: by trend, by more than noise, and with no sign of having levelled off."""
    recent = f.recent
    falling = kendall_z(recent) < FALLING and recent[0] - recent[-1] > f.tolerance
    moving = recent[len(recent) // 2] - recent[-1] > 0.0025 * f.learnable
    return bool(f.best >= len(f.val) - 2 and falling and moving)


def far_from_done(f: Facts) -> bool:
    """Still improving with less than half of the baseline learned: the run is too short or too slow."""
    return f.learned_train < 0.5 and (f.known or straight(f)) and still_improving(f)


def plateau_high(f: Facts) -> bool:
    """Level, with training loss above what another model reaches on validation rows; without one, hardly learned.

    Avoidable bias in the words of Ng, Machine learning yearning (2018).
    """
    if f.reference is None or f.clean is None:
        return f.known and f.learned_train < 0.35
    return late(f.clean) - f.reference > max(2 * f.noise, 0.05 * (f.baseline - f.reference))


def cannot_tell(f: Facts) -> bool:
    """The curves waver too much, or stay level and high."""
    return noisy(f) or level_but_high(f)


def noisy(f: Facts) -> bool:
    """Whether validation is too noisy to tell a good fit from a mild overfit."""
    error = max(f.noise, f.standard_error)
    return error > 0.035 * f.learnable and (f.known or error > 0.15 * abs(f.lowest))


def level_but_high(f: Facts) -> bool:
    """Whether the plateau may be the best the data allow or the most the model can do; a reference would tell."""
    if f.reference is not None and f.clean is not None:
        return False
    learned = f.learned_val if math.isnan(f.learned_train) else f.learned_train
    return learned < 0.65 if f.known else learned < 0.35 or f.learned_val < 0.05


def straight(f: Facts) -> bool:
    """Nearly a straight line down, as with too low a learning rate."""
    return f.slowing >= 0.6


RULES: tuple[tuple[Status, Callable[[Facts], bool]], ...] = (
    ("collapsed", collapsed),
    ("inconclusive", too_short),
    ("not_learning", not_learning),
    ("memorising", memorising),
    ("unstable", unstable),
    ("overfit", overfit),
    ("underfit", far_from_done),
    ("still_improving", still_improving),
    ("underfit", plateau_high),
    ("inconclusive", cannot_tell),
)


def severity_of(f: Facts) -> Severity:
    """How bad an overfit is: by Prechelt's generalisation loss and by the share of learning given back."""
    back = f.given_back if f.known else math.nan
    if f.generalisation_loss >= 20 or back > 0.15:
        return "severe"
    return "moderate" if f.generalisation_loss >= 5 or back > 0.05 else "mild"


def flags_of(status: Status, f: Facts, metrics: Sequence[MetricFacts]) -> tuple[str, ...]:
    """What else a reader of the curve should know, by name."""
    if status == "collapsed":
        return ()
    trained = status not in ("unstable", "not_learning", "memorising")
    found = {
        "gap_widening": trained and gap_widening(f),
        "wide_gap": trained and wide_gap(f),
        "noisy_validation": trained and noisy(f),
        "validation_easier": f.train is not None and float((f.val < f.train).mean()) >= 0.6,
        "too_good": too_good(f),
        "temporary_rise": f.bump is not None,
        "slow": straight(f) and still_improving(f),
        "metric_disagrees": any(disagrees(m, f) for m in metrics),
        "baseline_guessed": not f.known,
    }
    return tuple(name for name, holds in found.items() if holds)


def too_good(f: Facts) -> bool:
    """Validation as good as training at a loss near 0: a question, since curves cannot show a leak."""
    return f.clean is not None and f.learned_val > 0.95 and late(f.val) <= late(f.clean)


def wide_gap(f: Facts) -> bool:
    """More than 15 % of what was learned on training rows is not there on validation rows: variance, as Ng calls it."""
    return f.known and f.gap_share(-1) > 0.15


def disagrees(metric: MetricFacts, f: Facts) -> bool:
    """Whether a metric is best outside the good range of the loss, by more than its own tolerance."""
    if (
        metric.best is None
        or metric.best_epoch is None
        or metric.at_best_loss is None
        or metric.tolerance is None
    ):
        return False
    first, last = f.good_range
    return (
        not first <= metric.best_epoch <= last
        and abs(metric.best - metric.at_best_loss) > metric.tolerance
    )


def gap_widening(f: Facts) -> bool:
    """The gap between validation and training loss grows, surely and by more than a hundredth of what is learnable."""
    if len(f.gap) < FEWEST:
        return False
    return f.z_gap > RISING and f.gap[-1] - f.gap[len(f.gap) // 3] > 0.01 * f.learnable


def sureness(status: Status, f: Facts) -> Confidence:
    """How far the verdict can be trusted; less with a guessed baseline, noise, few points, or no training loss."""
    if status in ("diverged", "collapsed"):
        return "high"
    if status == "inconclusive":
        return "low"
    base = 2 if status in ("good_fit", "overfit", "not_learning", "memorising") else 1
    if status == "underfit" and not far_from_done(f):
        base = 0 if f.reference is None else 2 if f.reference_given else 1
    # Where nothing was learned, noise is large against what was: that is the finding, not a doubt.
    noise = noisy(f) and f.learned_val >= 0.05
    doubts = (noise, too_good(f), f.train is None, len(f.val) < 10, f.baseline_from == "chance")
    level = max(0, min(base, 2 - sum(doubts)) - (not f.known))
    levels: tuple[Confidence, ...] = ("low", "medium", "high")
    return levels[level]
