"""Trend: noise, slope and smoothing of short curves, robust to outliers, by NumPy alone.

>>> from assay.diagnosis.trend import kendall_z, noise, theil_sen
>>> round(theil_sen([1.0, 0.9, 0.8, 5.0, 0.6]), 2)
-0.1
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "count_neighbours",
    "final_level",
    "find_level_error",
    "kendall_z",
    "measure_fall",
    "measure_swing",
    "noise",
    "running_median",
    "theil_sen",
]

Values = Sequence[float] | NDArray[np.float64]

# Pairs are counted all against all: (2000, 2000) takes 32 MB.
MOST_POINTS = 2000


def running_median(values: Values, half: int = 1) -> NDArray[np.float64]:
    """Median of each of the `values` (n,) and of `half` neighbours on either side of it.

    Near the ends there are fewer on both sides, so that a trend is kept; the ends stay as they are.

    >>> running_median([1.0, 9.0, 2.0, 3.0]).tolist()
    [1.0, 2.0, 3.0, 3.0]
    """
    x = np.asarray(values, dtype=float)
    smooth = x.copy()
    for width in range(1, min(half, (len(x) - 1) // 2) + 1):
        windows = np.lib.stride_tricks.sliding_window_view(x, 2 * width + 1)
        inner = slice(width, len(x) - width)
        if width < half:
            smooth[width] = np.median(windows[0])
            smooth[-width - 1] = np.median(windows[-1])
        else:
            smooth[inner] = np.median(windows, axis=1)
    return smooth


def count_neighbours(count: int) -> int:
    """Neighbours on either side that the level of a curve of `count` points is the median of.

    0 below 30 points: there each stands for itself.

    >>> [count_neighbours(count) for count in (20, 40, 200)]
    [0, 1, 12]
    """
    return count // 30 if count < 60 else count // 16


def find_level_error(scatter: float, half: int) -> float:
    """What two levels may differ by where nothing changed, from the `scatter` of one point.

    Three standard errors of the difference of two medians, of points with `half` neighbours on
    either side; twice the scatter of single points, where `half` is 0.

    >>> find_level_error(0.1, 0), round(find_level_error(0.1, 12), 3)
    (0.2, 0.106)
    """
    return scatter * (3 * 1.25 * math.sqrt(2 / (2 * half + 1)) if half else 2.0)


def measure_fall(values: Values) -> float:
    """How far the level of the `values` (n,) fell over the last 30 %, or two of them.

    >>> measure_fall([5.0, 3.0, 2.0, 1.5])
    0.5
    """
    x = np.asarray(values, dtype=float)
    half = count_neighbours(len(x))
    start = max(len(x) - max(2, math.ceil(0.3 * len(x))), 0)
    if not half:
        return float(x[start] - x[-1])
    width = 2 * half + 1
    return float(np.median(x[start : start + width]) - np.median(x[-width:]))


def measure_swing(first: Values, second: Values, jumps: int = 1) -> float:
    """How far curves `first` and `second` (n,) go up and down together, in their unit.

    The smaller of both mean steps from point to point, after the first quarter and without as many
    of the largest as `jumps`; 0 where they do not go together, by the ranks of their steps, or
    below six points.

    >>> wave = [0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0]
    >>> measure_swing(wave, wave), measure_swing(wave, [0.0] * 8)
    (0.5, 0.0)
    """
    curves = np.array([first, second], dtype=float)
    if curves.shape[1] < 6:
        return 0.0
    steps: NDArray[np.float64] = np.diff(curves[:, curves.shape[1] // 4 :], axis=1)
    rising = (steps > 0).mean(axis=1)
    # Ranks: one jump of both, as where the learning rate drops, is no swing.
    together = np.asarray(np.corrcoef(steps.argsort(axis=1).argsort(axis=1)))[0, 1]
    if np.minimum(rising, 1 - rising).min() < 0.19 or together < 0.3:
        return 0.0
    middle: NDArray[np.float64] = np.median(steps, axis=1, keepdims=True)
    sizes: NDArray[np.float64] = np.sort(np.abs(steps - middle), axis=1)
    return float(sizes[:, :-jumps].mean(axis=1).min())


def noise(values: Values, spacing: int = 1) -> float:
    """Standard deviation of the epoch-to-epoch noise, in the unit of `values`.

    The median absolute second difference, as a standard deviation, over sqrt(6): second differences
    of independent noise have 6 times its variance, and a straight trend leaves no trace in them.
    The first quarter, where a curve bends most, is left out; where fewer than four values are left,
    the noise is 0. Below twelve values a bend reaches further: the second half has a say, too, and
    the smaller counts.

    Of values `spacing` epochs apart, of which two more than twice that must be left: noise that
    hangs together from one epoch to the next is larger in them, independent noise as large.

    >>> round(noise([1.0, 0.8, 0.6, 0.4, 0.2, 0.0]), 6)
    0.0
    >>> wandering = [0.0, 1.0, 2.0, 3.0, 2.0, 1.0] * 8
    >>> round(noise(wandering), 2), round(noise(wandering, spacing=3), 2)
    (0.0, 1.21)
    """
    x = np.asarray(values, dtype=float)
    if len(x) - len(x) // 4 < 2 * spacing + 2:
        return 0.0
    starts = (len(x) // 4, (len(x) - 1) // 2) if len(x) < 12 else (len(x) // 4,)
    parts = [x[start:] for start in starts if len(x) - start > 2 * spacing]
    bends = [y[2 * spacing :] - 2 * y[spacing:-spacing] + y[: -2 * spacing] for y in parts]
    scatter = min(float(np.median(np.abs(bend))) for bend in bends)
    return 1.4826 * scatter / math.sqrt(6)


def kendall_z(values: Values) -> float:
    """Mann-Kendall trend statistic of the `values`: above 1.64 rising, below -1.64 falling.

    Both are one-sided at 5 %. Corrected for ties and continuity; depends on the order of the values
    alone; 0 below three values.
    Source: Mann (1945), Econometrica 13:245-259; Kendall (1975), Rank correlation methods.

    >>> round(kendall_z([4.0, 3.0, 2.0, 1.0]), 2)
    -1.7
    """
    x = _thin(values)
    n = len(x)
    if n < 3:
        return 0.0
    s = int(np.triu(np.sign(x[None, :] - x[:, None]), k=1).sum())
    ties = np.unique(x, return_counts=True)[1].astype(float)
    variance = (n * (n - 1) * (2 * n + 5) - float((ties * (ties - 1) * (2 * ties + 5)).sum())) / 18
    return 0.0 if s == 0 or variance <= 0 else (s - math.copysign(1, s)) / math.sqrt(variance)


def theil_sen(values: Values) -> float:
    """Median slope over all pairs of equally spaced `values`, per step; 0 below two values.

    Source: Sen (1968), Journal of the American Statistical Association 63:1379-1389.

    >>> theil_sen([0.0, 1.0, 2.0, 3.0, 100.0])
    1.0
    """
    x = _thin(values)
    if len(x) < 2:
        return 0.0
    i, j = np.triu_indices(len(x), k=1)
    step = (len(values) - 1) / (len(x) - 1)  # thinned curves have wider steps
    return float(np.median((x[j] - x[i]) / (j - i))) / step


def final_level(values: Values) -> float:
    """Where a curve ends: the median of the last three `values`.

    >>> final_level([9.0, 1.0, 7.0, 2.0])
    2.0
    """
    return float(np.median(np.asarray(values, dtype=float)[-3:]))


def _thin(values: Values) -> NDArray[np.float64]:
    x = np.asarray(values, dtype=float)
    if len(x) <= MOST_POINTS:
        return x
    thinned: NDArray[np.float64] = x[np.linspace(0, len(x) - 1, MOST_POINTS).round().astype(int)]
    return thinned
