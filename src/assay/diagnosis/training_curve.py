"""training_curve: what the training loss alone says, where nothing was validated.

Of a single pass over the rows it is nearly a validation loss, as each row is new. Where it falls by
steps from one epoch to the next and hardly within, rows are recognised.

>>> from assay.diagnosis.training_curve import judge_training
>>> from assay.readers.history import History
>>> loss = [2.0, 2.01, 1.99, 2.0, 1.5, 1.51, 1.49, 1.5, 1.0, 1.01, 0.99, 1.0]
>>> epochs = [(i + 1) / 4 for i in range(12)]
>>> judge_training(History.from_lists(train_loss=loss, epochs=epochs)).status
'memorising'
"""

import math
from dataclasses import dataclass

import numpy as np

from assay.diagnosis.case import format_value
from assay.diagnosis.rules import FALLING, MIN_EPOCHS, Status
from assay.diagnosis.trend import final_level, kendall_z, measure_fall, noise
from assay.kernels import Array
from assay.readers.history import History

__all__ = ["TrainingCurve", "judge_training"]

UNKNOWN = "the log holds no validation loss, so over- and underfitting cannot be told"


@dataclass(frozen=True)
class TrainingCurve:
    """What a training loss alone says: a status, the finding in words, and what to do."""

    status: Status
    finding: str
    remedies: tuple[str, ...]
    onset: float | None = None


def judge_training(history: History) -> TrainingCurve:
    """The judgement on a `history` by its training loss alone."""
    train = history.find("train", history.loss or "")
    log = "log a validation loss at every epoch"
    if train is None or len(train.values) < 2:
        return TrainingCurve("inconclusive", UNKNOWN, (log,))
    finite = np.isfinite(train.values)
    epochs = np.array(train.epochs)[finite]
    values = np.array(train.values)[finite]
    if len(values) < 2:
        return TrainingCurve("inconclusive", UNKNOWN, (log,))
    is_within = history.unit == "epoch" and bool((epochs % 1 > 1e-6).any())
    if is_within and epochs[-1] <= 1.02:
        return _judge_single_pass(values)
    step = _find_step(epochs, values) if is_within else None
    if step is not None:
        drop, before = step
        return TrainingCurve(
            "memorising",
            f"training loss falls by steps where an epoch begins (by {format_value(drop)} from "
            f"{format_value(before)}) and hardly within one: rows that were seen before are "
            f"recognised; how new rows fare, only validation tells",
            (
                "hold rows out and validate on them: from the second epoch on training loss tells "
                "nothing of new rows",
                "train one epoch, or on more rows",
            ),
            float(math.floor(epochs[0]) + 1),
        )
    return TrainingCurve("inconclusive", f"{UNKNOWN}; {_describe(epochs, values)}", (log,))


def _judge_single_pass(values: Array) -> TrainingCurve:
    """Of one pass: training loss is of rows that the model had not seen."""
    means = _average(values, 20)
    once = "in a single epoch each row is new, so training loss is nearly a validation loss"
    end = format_value(final_level(means))
    least = max(2 * noise(means), 0.01 * abs(final_level(means)))
    recent = means[-max(MIN_EPOCHS, len(means) // 3) :]
    if len(means) < MIN_EPOCHS:
        return TrainingCurve("inconclusive", f"{once}, but it was logged too rarely", ())
    if kendall_z(recent) < FALLING and measure_fall(means) > least:
        return TrainingCurve(
            "still_improving",
            f"{once}: it still falls at the end ({format_value(float(recent[0]))} to {end})",
            ("train on more rows, or a second epoch with a validation set beside it",),
        )
    return TrainingCurve(
        "good_fit",
        f"{once}: it is level at {end}",
        ("hold rows out before a second epoch: from then on training loss flatters",),
    )


def _find_step(epochs: Array, values: Array) -> tuple[float, float] | None:
    """Typical fall of the loss from the end of an epoch to the next, and what it fell from.

    None where it is no more than three times what the loss falls within an epoch, or could be the
    scatter of its values.
    """
    drops: list[float] = []
    befores: list[float] = []
    falls: list[float] = []
    for boundary in range(1, math.ceil(epochs[-1] - 1e-9)):
        before = values[(epochs > boundary - 0.5) & (epochs <= boundary + 1e-9)]
        after = values[(epochs > boundary + 1e-9) & (epochs <= boundary + 0.5 + 1e-9)]
        later = values[(epochs > boundary + 0.5 + 1e-9) & (epochs <= boundary + 1 + 1e-9)]
        if min(len(before), len(after), len(later)) < 2:
            continue
        drops.append(float(before.mean() - after.mean()))
        befores.append(float(before.mean()))
        falls.append(float(after.mean() - later.mean()))
    if not drops:
        return None
    drop = float(np.median(drops))
    level = float(np.median(befores))
    error = noise(values) * math.sqrt(4 * float(epochs[-1]) / len(values))
    least = max([float(np.median(falls)), error, 0.01 * abs(level)])
    is_step = min(drops) > 0 and drop > 3 * least
    return (drop, level) if is_step else None


def _describe(epochs: Array, values: Array) -> str:
    """Where training loss goes, in words."""
    means = _average(values, 30)
    end = format_value(final_level(means))
    if len(means) < MIN_EPOCHS:
        return f"training loss ends at {end}"
    recent = means[-max(MIN_EPOCHS, len(means) // 3) :]
    trend = "still falls, to" if kendall_z(recent) < FALLING else "is level at"
    share = final_level(means) / float(means[0]) if means[0] > 0 else 1.0
    by_heart = ""
    if share < 0.02 and epochs[-1] >= 3:
        by_heart = f", {100 * share:.1g} % of its first value: the rows are learned by heart"
    return f"training loss {trend} {end}{by_heart}"


def _average(values: Array, count: int) -> Array:
    """Means of `count` equal stretches at most."""
    return np.array([part.mean() for part in np.array_split(values, min(len(values), count))])
