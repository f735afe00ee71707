"""Rules: from the measurements of a training curve to its status, severity, flags and confidence.

The rules are tried in order and the first that holds gives the status; flags stand beside it.

>>> from assay.readers.history import History
>>> from assay.diagnosis.measurements import measure
>>> from assay.diagnosis.rules import decide
>>> train = [1.5, 1.0, 0.8, 0.6, 0.4, 0.3, 0.2, 0.1]
>>> val = [1.6, 1.2, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5]
>>> decide(measure(History.from_lists(train_loss=train, val_loss=val, baseline=2.3)))
'overfit'
"""

import math
from collections.abc import Callable
from typing import Literal, get_args

import numpy as np

from assay.diagnosis.measurements import Measurements
from assay.diagnosis.trend import final_level, kendall_z, noise, running_median

__all__ = [
    "STATUSES",
    "Confidence",
    "Severity",
    "Status",
    "both_rose",
    "decide",
    "find_explosion",
    "is_far_from_done",
    "is_level_but_high",
    "is_memorising",
    "is_noisy",
    "is_slow",
    "is_too_good",
    "is_too_short",
    "is_unsettled",
    "is_within_sampling_error",
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
LEVELS: tuple[Confidence, ...] = get_args(Confidence)

MIN_EPOCHS = 5  # below five points no trend test has power
RISING = 1.64  # standard deviations, one-sided 5 %
FALLING = -1.64
SWINGING = 0.08  # share of a loss that both losses go up and down by


def decide(run: Measurements) -> Status:
    """The status of a `run` whose losses are finite."""
    return next((status for status, holds in RULES if holds(run)), "good_fit")


def find_explosion(run: Measurements) -> float | None:
    """The epoch at which the training loss of a `run` broke down, or None.

    There it left the scale of the task or, later, came back to where it ends.
    """
    ruined = run.train_log > _explosion_limit(run)
    if not ruined.any() and len(run.train_log):
        lowest = int(np.argmin(run.train_log))
        is_later = np.arange(len(run.train_log)) > lowest
        back = min(0.95 * run.baseline, 0.9 * final_level(run.train_log))
        ruined = is_later & (run.train_log >= back)
    return float(run.train_epochs[int(np.argmax(ruined))]) if ruined.any() else None


def _explosion_limit(run: Measurements) -> float:
    return (5 if run.is_baseline_known else 20) * run.baseline


def _is_collapsed(run: Measurements) -> bool:
    """Training exploded or unlearned, and ended where a model that knows nothing stands."""
    if not len(run.train_log) or not run.baseline > 0 or run.swing > SWINGING:
        return False
    exploded = bool(run.train_log.max() > _explosion_limit(run))
    # The mean of few batches scatters: what validation shows counts more.
    least = 0.85 if final_level(run.val) >= 0.95 * run.baseline else 0.95
    at_baseline = final_level(run.train_log) >= least * run.baseline and _is_stuck(run)
    is_flat = run.is_baseline_known or run.val.max() < 1.2 * run.lowest
    if exploded and run.learned_val < 0.05 and is_flat:
        return True
    return at_baseline and (exploded or _is_unlearned(run))


def _is_stuck(run: Measurements) -> bool:
    """Whether training stands still at its end; where the baseline is known, that is not asked."""
    last = run.train_log[-3:]
    if run.is_baseline_known:
        return True
    return len(last) == 3 and bool(np.median(last) < 1.2 * last.min())


def _is_unlearned(run: Measurements) -> bool:
    """Whether both losses had been far below their end, and end no better than without training."""
    if len(run.train_log) < MIN_EPOCHS or len(run.val) < MIN_EPOCHS:
        return False
    # A guess of the baseline is off by more than a healthy run may waver.
    share = 0.85 if run.is_baseline_known else 0.67
    ends = final_level(run.train_log), final_level(run.val)
    lowest = float(np.sort(run.train_log)[1]), run.lowest
    has_learned = all(low < share * end for low, end in zip(lowest, ends, strict=True))
    return has_learned and ends[1] >= 0.9 * run.baseline


def is_too_short(run: Measurements) -> bool:
    """Whether the `run` has fewer evaluations than show a trend."""
    return len(run.val) < MIN_EPOCHS


def _is_overfit_at_once(run: Measurements) -> bool:
    """Few evaluations from the lowest on, which end far above it while training falls.

    Far is 6 standard errors where the number of validation rows is known, and 20 % anyway; with
    three evaluations that each rise, 5 % and three times the noise.
    """
    after = len(run.val) - 1 - run.best
    if not 1 <= after < MIN_EPOCHS - 1 or run.train is None or run.half:
        return False
    rise = float(run.val[-1]) - run.lowest
    is_falling = float(run.train[-1]) < float(run.train[run.best])
    if not is_falling or not (np.diff(run.val[run.best :]) > 0).all():
        return False
    if _is_far(run, rise) or is_too_short(run) or after == 1:
        return _is_far(run, rise)
    return rise > max(0.05 * _scale(run), 4 * run.noise, run.standard_error)


def _is_falling_throughout(run: Measurements) -> bool:
    """Few evaluations, and validation falls at each of them; four at least, or far."""
    if not is_too_short(run) or len(run.val) < 2 or not (np.diff(run.val) < 0).all():
        return False
    if run.is_baseline_known and run.learned_val < 0.05:
        return False
    last_fall = float(run.val[-2] - run.val[-1])
    learned = max(run.baseline, float(run.val[0])) - run.lowest
    if not last_fall > min(0.04 * learned, 0.08 * _scale(run)):
        return False
    if run.standard_error:
        return last_fall > 2 * run.standard_error
    return len(run.val) >= MIN_EPOCHS - 1


def _is_far(run: Measurements, rise: float) -> bool:
    if run.standard_error and rise > 6 * run.standard_error and rise > 0.02 * abs(run.lowest):
        return True
    return len(run.val) >= 3 and rise > max(0.2 * _scale(run), 3 * run.standard_error)


def _scale(run: Measurements) -> float:
    """What shares of the loss are taken of."""
    return 1.0 if run.in_nats else abs(run.lowest)


def _is_not_learning(run: Measurements) -> bool:
    """Neither training nor validation loss leaves the baseline."""
    # Training rows are many: what they show beyond 8 % is no error of sampling.
    is_near = run.learned_val < 0.05 or not run.learned_train > 0.08
    return _is_at_baseline(run) and is_near and not _has_learned_rows(run)


def is_memorising(run: Measurements) -> bool:
    """Whether the `run` learned training rows alone, as with random labels."""
    return _is_at_baseline(run) and _has_learned_rows(run)


def _is_at_baseline(run: Measurements) -> bool:
    """Whether validation loss never left a known baseline, by more than 5 % and its error."""
    if not run.is_baseline_known or not run.baseline > 0 or _is_leaving(run):
        return False
    return run.learned_val < 0.05 + (run.standard_error + run.noise) / run.baseline


def _has_learned_rows(run: Measurements) -> bool:
    """Whether training took 15 % off the baseline on its own rows, and kept most of that."""
    if run.train is None or not run.learned_train >= 0.15:
        return False
    is_falling = len(run.train) < MIN_EPOCHS or kendall_z(run.train) < FALLING
    return is_falling and final_level(run.train) < 0.9 * run.baseline


def _is_leaving(run: Measurements) -> bool:
    """Whether validation loss falls slowly but surely, by far more than its noise."""
    fall = float(run.val[0] - run.val[-1])
    return kendall_z(run.val) < -3 and fall > max(5 * run.noise, 0.01 * run.baseline)


def _is_unstable(run: Measurements) -> bool:
    """Losses go up and down together, or training loss, or both end well above where they were."""
    is_learning = not run.learned_train >= 0.95
    is_restless = is_learning and run.train_rises >= 0.35
    is_swinging = is_learning and run.swing > SWINGING
    return is_swinging or (is_restless and _is_wandering(run)) or both_rose(run)


def _is_wandering(run: Measurements) -> bool:
    end = final_level(run.train_log)
    lowest = float(run.train_log.min())
    early = float(np.median(run.train_log[1:4])) if len(run.train_log) > 1 else math.inf
    is_apart = end - lowest > max(0.1 * abs(lowest), 5 * noise(run.train_log))
    return is_apart and end >= early


def both_rose(run: Measurements) -> bool:
    """Both losses of a `run` end well above their lowest values, and rose since by a trend."""
    if run.train is None or not _ends_higher(run):
        return False
    lowest = int(np.argmin(run.train))
    rise = final_level(run.train) - float(run.train[lowest])
    least = max(0.1 * abs(float(run.train[lowest])), 0.05 * run.learnable, 4 * noise(run.train))
    return rise > least and kendall_z(run.train[lowest:]) > 1.2


def _is_overfit(run: Measurements) -> bool:
    """Validation loss rises from its lowest value while training loss falls, or stands still."""
    return _ends_higher(run) and not _is_training_worse(run)


def _is_training_worse(run: Measurements) -> bool:
    """Whether training loss rises after the best epoch, by more than its scatter at the floor."""
    if run.train is None or not run.z_train_after_best > 1.2:
        return False
    return final_level(run.train) - float(run.train[run.best]) > 0.1 * run.rise


def _ends_higher(run: Measurements) -> bool:
    is_higher = run.share_given_back > 0.02
    if run.lowest > 0:
        is_higher = run.level_rise > 0.02 * (1.0 if run.in_nats else run.lowest_level)
    is_sure = run.level_rise > run.tolerance and not is_within_sampling_error(run)
    return is_sure and is_higher and run.z_val_after_best > RISING


def is_within_sampling_error(run: Measurements) -> bool:
    """Whether validation of the `run` rises by less than its rows, as a sample, can show.

    The same rows are judged at each evaluation, so that half the standard error of one loss is
    taken.
    """
    is_rising = run.level_rise > run.tolerance and run.z_val_after_best > RISING
    return is_rising and run.level_rise <= 0.5 * run.standard_error


def _is_still_improving(run: Measurements) -> bool:
    """Validation loss falls to the end: by trend, by more than noise, and has not levelled off."""
    # That validation rows which are as easy as training rows are learned is no progress.
    if is_too_good(run) or not kendall_z(run.recent) < FALLING:
        return False
    if run.half:
        is_last = run.bottom >= len(run.val) - 1 - 2 * run.half
        is_low = run.last_level <= run.lowest_level + max(run.tolerance, run.noise)
        return (is_last or is_low) and run.fall > run.resolution
    recent = run.recent
    is_moving = recent[len(recent) // 2] - recent[-1] > run.visible_fall / 4
    is_sure = max(run.fall, recent[-3] - recent[-1]) > run.resolution
    is_steady = bool((np.diff(recent) < 0).all())
    is_last = run.best >= len(run.val) - 2
    return bool(is_last and is_moving and run.fall > run.visible_fall and (is_sure or is_steady))


def is_far_from_done(run: Measurements) -> bool:
    """Whether the `run` still improves with less than half of the baseline learned.

    It is too short or too slow.
    """
    is_little = run.is_baseline_known and run.learned_train < 0.5
    return is_little and _is_still_improving(run)


def _is_plateau_high(run: Measurements) -> bool:
    """Level, with training loss above what another model reaches on validation rows.

    Without another model: hardly learned. Avoidable bias in the words of Ng, Machine learning
    yearning (2018).
    """
    if run.reference is None or run.train_eval is None:
        return run.is_baseline_known and run.learned_train < 0.35
    excess = final_level(run.train_eval) - run.reference
    return excess > max(2 * run.noise, 0.05 * (run.baseline - run.reference))


def _is_unclear(run: Measurements) -> bool:
    """The curves waver too much, stay level and high, or end higher without a trend."""
    is_shaky = is_noisy(run) or is_unsettled(run) or is_within_sampling_error(run)
    return is_shaky or is_level_but_high(run)


def is_unsettled(run: Measurements) -> bool:
    """Whether validation of the `run` ends well above its lowest value, but not by a trend.

    Or its last values alone came back from well above.
    """
    if run.best == len(run.val) - 1:
        return False
    percent = run.generalisation_loss if run.lowest > 0 else 100 * run.share_given_back
    # The lowest of many values that scatter lies below their level.
    lowest = run.lowest_level if run.half else float(running_median(run.val).min())
    return run.last_level - lowest > max(run.tolerance, 1.5 * run.level_error) and percent > 2


def is_noisy(run: Measurements) -> bool:
    """Whether validation of the `run` is too noisy to tell a good fit from a mild overfit."""
    error = max(run.level_error / 2, run.standard_error)
    is_large = run.is_baseline_known or error > 0.15 * abs(run.lowest)
    return error > 0.035 * run.learnable and is_large


def is_level_but_high(run: Measurements) -> bool:
    """Whether the plateau of the `run` may be the best that the data allow, or may be underfit.

    A reference would tell.
    """
    if run.reference is not None and run.train_eval is not None:
        return False
    learned = run.learned_val if math.isnan(run.learned_train) else run.learned_train
    if run.is_baseline_known:
        return learned < 0.65
    # Where training learns, validation that never left its first value is no fit.
    is_stuck = float(run.val[0]) - run.lowest_level < 0.05 * abs(run.val[0]) + run.noise
    return learned < 0.35 or run.learned_val < 0.05 or (run.learned_train > 0.4 and is_stuck)


def is_slow(run: Measurements) -> bool:
    """Whether the `run` still improves by nearly a straight line."""
    return _is_straight(run) and _is_still_improving(run)


def _is_straight(run: Measurements) -> bool:
    """Nearly a straight line down, as with too low a learning rate."""
    return run.slowing >= 0.6


RULES: tuple[tuple[Status, Callable[[Measurements], bool]], ...] = (
    ("collapsed", _is_collapsed),
    ("overfit", lambda run: is_too_short(run) and _is_overfit_at_once(run)),
    ("still_improving", _is_falling_throughout),
    ("inconclusive", is_too_short),
    ("not_learning", _is_not_learning),
    ("memorising", is_memorising),
    ("unstable", _is_unstable),
    ("overfit", _is_overfit),
    ("overfit", _is_overfit_at_once),
    ("underfit", is_far_from_done),
    ("still_improving", _is_still_improving),
    ("underfit", _is_plateau_high),
    ("inconclusive", _is_unclear),
)


def is_too_good(run: Measurements) -> bool:
    """Whether validation of the `run` is as good as training, at a loss near 0.

    That raises a question only: curves cannot show a leak.
    """
    if run.train_eval is None:
        return False
    return run.learned_val > 0.95 and final_level(run.val) <= final_level(run.train_eval)
