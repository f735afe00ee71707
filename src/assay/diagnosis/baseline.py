"""baseline: the loss of a model that knows only how frequent each outcome is, and where it is from.

>>> from assay.diagnosis.baseline import find_baseline
>>> from assay.readers.history import History
>>> history = History.from_lists(val_loss=[2.1, 1.4], n_classes=10)
>>> find_baseline(history, history.find("val", "loss"), None)
(2.302585092994046, 'n_classes')
"""

import math
from statistics import median
from typing import Literal

from assay.diagnosis.curves import pair_points
from assay.readers.history import History, Series
from assay.readers.naming import SplitName, is_perplexity, is_regression, rank_loss

__all__ = ["BaselineFrom", "find_baseline", "find_standard_error"]


BaselineFrom = Literal["given", "n_classes", "chance", "first epoch"]


def _is_regression(history: History) -> bool:
    # A bare "loss" says nothing; the metrics next to it do.
    return any(is_regression(name) for name in (history.loss or "", *history.metrics))


def find_standard_error(history: History, mean: float) -> float:
    """Standard error of a loss that is `mean` over the validation rows of a `history`.

    Log losses of rows scatter by about 1, near 0 less: by about four times their mean. Other losses
    scatter by about twice their mean; a loss above 20 is no log loss. 0 where the number of rows is
    unknown.
    """
    if not history.n_val:
        return 0.0
    is_log_loss = not _is_regression(history) and abs(mean) < 20
    spread = min(1.0, 4 * abs(mean)) if is_log_loss else 2 * abs(mean)
    return spread / math.sqrt(history.n_val)


def find_baseline(
    history: History, val: Series, train: Series | None
) -> tuple[float, BaselineFrom]:
    """The loss of a model that knows only how frequent each outcome is, and where it comes from.

    Parameters:
        history: The run; a baseline or a number of classes that it gives goes first.
        val: Validation curve of the loss.
        train: Training curve of the loss; None where it was not logged.
    """
    if history.baseline is not None:
        return history.baseline, "given"
    if not _is_regression(history):
        if history.n_classes:
            return math.log(history.n_classes) * _find_units(history, val), "n_classes"
        if k := _find_chance_level(history, val.metric):
            return math.log(k), "chance"
    first = _find_settled(val)
    # The mean over the first epoch is nearer to the untrained model, unless that epoch exploded.
    if train is not None and first < train.values[0] < 3 * first:
        first = train.values[0]
    return first, "first epoch"


def _find_units(history: History, val: Series) -> float:
    """How many units of the loss are one nat: 1.44 where the perplexity says that it is in bits."""
    logarithms = {
        epoch: math.log(value)
        for series in history.series
        if series.split == val.split and is_perplexity(series.metric)
        for epoch, value in pair_points(series)
        if value > 1
    }
    for series in history.series:
        if series.split != val.split or rank_loss(series.metric) is None:
            continue
        ratios = [v / logarithms[e] for e, v in pair_points(series) if e in logarithms]
        if ratios and abs(median(ratios) * math.log(2) - 1) < 0.01:
            return 1 / math.log(2)
    return 1.0


def _find_settled(val: Series) -> float:
    """The first validation loss, or one of the next two where losses before are many times that.

    The first epoch of an unscaled regression, or of batch normalisation, is no baseline.
    """
    early = val.values[:3]
    position = 0
    while position + 1 < len(early) and early[position] > 5 * early[position + 1] > 0:
        position += 1
    return early[position]


def _find_chance_level(history: History, loss: str) -> int | None:
    """k where some epoch guesses among k classes.

    Its accuracy is 1 / k and its loss log(k), which a model that learned does not show together.
    """
    splits: tuple[SplitName, ...] = ("train", history.validation_split)
    for split in splits:
        losses = history.find(split, loss)
        accuracies = history.find(split, "accuracy")
        if losses is None or accuracies is None:
            continue
        by_epoch = dict(pair_points(accuracies))
        for epoch, value in pair_points(losses):
            share = by_epoch.get(epoch, math.nan)
            k = round(1 / share) if 1e-4 < share < 0.6 else 0
            if k and _is_guessing(share, value, k):
                return k
    return None


def _is_guessing(accuracy: float, loss: float, k: int) -> bool:
    return abs(1 / accuracy - k) < 0.1 * k and abs(loss - math.log(k)) < 0.03 * math.log(k)
