"""curves: the losses of a run as they are judged: on one axis, in nats, without what training lost.

>>> from assay.diagnosis.curves import find_divergence
>>> from assay.readers.history import History
>>> find_divergence(History.from_lists(val_loss=[0.9, 0.7, float("nan")]))
3.0
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from assay.kernels import Array
from assay.readers.history import History, Series

__all__ = [
    "average_batches",
    "drop_lost",
    "find_divergence",
    "find_factor",
    "interpolate",
    "is_recovered",
    "pair_points",
    "take_logarithm",
]


def find_divergence(history: History) -> float | None:
    """The epoch at which a loss of a `history` is first nan or inf, or None.

    A training loss that was so at less than one in twenty of its points, and is finite at the end,
    recovered.
    """
    epochs = []
    for series in history.series:
        if series.metric != history.loss:
            continue
        lost = np.flatnonzero(~np.isfinite(series.values))
        if len(lost) and not is_recovered(series, lost):
            epochs.append(series.epochs[int(lost[0])])
    return min(epochs, default=None)


def is_recovered(series: Series, lost: NDArray[np.intp]) -> bool:
    """Whether a training `series`, nan or inf at the points `lost` (m,), went on without harm."""
    is_rare = series.split == "train" and len(lost) < len(series.values) / 20
    return bool(is_rare and len(series.values) - 1 not in lost)


def pair_points(series: Series) -> Iterable[tuple[float, float]]:
    """The epoch and the value of each point of a `series`, in their order."""
    return zip(series.epochs, series.values, strict=True)


def drop_lost(series: Series | None) -> Series | None:
    """The curve `series` without points that are nan or inf, from which training recovered."""
    if series is None or np.isfinite(series.values).all():
        return series
    return series.take(np.flatnonzero(np.isfinite(series.values)).tolist())


def take_logarithm(series: Series) -> Series:
    """The `series` of a perplexity in nats."""
    return replace(series, values=tuple(np.log(np.maximum(series.values, 1e-300)).tolist()))


def average_batches(series: Series | None, epochs: Array) -> Series | None:
    """A training `series` of many points between evaluations at `epochs` (n,), as their means.

    A series of fewer than three points an evaluation stays as it is. The losses of single batches
    scatter far more than those of an evaluation. Points after the last evaluation are one more
    mean, where they are about as many.
    """
    if series is None or len(series.values) < 3 * len(epochs):
        return series
    windows = np.searchsorted(epochs, series.epochs)
    counts = np.bincount(windows, minlength=len(epochs) + 1)
    sums = np.bincount(windows, weights=series.values, minlength=len(epochs) + 1)
    ends = np.append(epochs, series.epochs[-1])
    kept = counts > 0
    kept[-1] = counts[-1] >= max(1.0, float(np.median(counts[:-1])) / 2)
    means = sums[kept] / counts[kept]
    return replace(
        series,
        epochs=tuple(ends[kept].tolist()),
        values=tuple(means.tolist()),
        aggregation="window_mean",
    )


def find_factor(train: Series | None, val: Series) -> float:
    """By what a loss `train` is too large that was summed over accumulated batches; else 1.

    It begins at a whole multiple of the validation loss `val`, and stays far above it throughout.
    """
    is_mean = train is not None and train.aggregation == "window_mean" and len(val.values) >= 3
    if train is None or not is_mean or min(val.values) <= 0:
        return 1.0
    ratios = np.interp(val.epochs, train.epochs, train.values) / np.array(val.values)
    factor = float(np.round(ratios[0]))
    is_whole = 2 <= factor <= 64 and abs(ratios[0] / factor - 1) < 0.1
    return factor if is_whole and ratios.min() > 0.6 * factor else 1.0


def interpolate(series: Series | None, epochs: Array) -> Array | None:
    """Values (n,) of a `series` at `epochs` (n,), on lines between its points; None for None."""
    return None if series is None else np.interp(epochs, series.epochs, series.values)
