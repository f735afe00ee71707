"""Series: one curve of a run, and how the rows of a log become its points.

>>> Series("val", "loss", (1.0, 2.0), (0.9, 0.8)).take([1]).values
(0.8,)
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from assay.core.types import Better
from assay.readers.cells import Numbers, Unit
from assay.readers.naming import SplitName

__all__ = ["Aggregation", "Pairs", "Series", "join_points", "note_windows"]

Aggregation = Literal["point", "running_mean", "window_mean", "unknown"]
Pairs = tuple[tuple[float, float], ...]

MOST_POINTS = 10_000  # of a curve; beyond, no chart shows and no verdict needs each


@dataclass(frozen=True)
class Series:
    """One curve: `values` (n,) of `metric` on `split`, at `epochs` (n,) as the log numbers them.

    A value may be nan or inf: that was measured. What was not measured is not here. `aggregation`
    says whether a training value is the loss of the final weights (point) or a mean while they
    changed. A curve of very many points is thinned: each is then the mean over a `window` of them.
    """

    split: SplitName
    metric: str
    epochs: tuple[float, ...]
    values: tuple[float, ...]
    better: Better | None = None
    aggregation: Aggregation = "unknown"
    window: int = 1

    def take(self, positions: Sequence[int]) -> "Series":
        """The points at the given `positions` (m,), counted from 0."""
        return replace(
            self,
            epochs=tuple(self.epochs[i] for i in positions),
            values=tuple(self.values[i] for i in positions),
        )


def join_points(
    series: Series, axis: NDArray[np.float64], numbers: Numbers, rows: NDArray[np.intp]
) -> Series:
    """A `series` with one value an epoch: the mean of repeated training values, the last of others.

    The `numbers` (n,) stand at the epochs of the `axis` (n,); `rows` are those that count.

    Of more than MOST_POINTS epochs, the means of windows of equally many.
    """
    is_in_order = len(rows) == len(axis) and bool((rows[:1] == 0).all())
    is_whole = is_in_order and bool(numbers.measured.all())
    rows = rows if is_whole else rows[numbers.measured[rows]]
    epochs = axis if is_whole else axis[rows]
    values = numbers.values if is_whole else numbers.values[rows]
    is_new = np.append(np.ones(len(rows[:1]), dtype=bool), epochs[1:] != epochs[:-1])
    points = int(np.count_nonzero(is_new))
    window = max(1, -(-points // MOST_POINTS))
    is_averaged = window > 1 or (points < len(rows) and series.split == "train")
    starts = np.flatnonzero(is_new)[::window]
    counts = np.diff(np.append(starts, len(rows)))
    lasts = starts + counts - 1
    if is_averaged:
        with np.errstate(all="ignore"):
            values = np.add.reduceat(values, starts) / counts
        series = replace(series, aggregation="window_mean", window=window)
    else:
        values = values[lasts]
    return replace(series, epochs=tuple(epochs[lasts].tolist()), values=tuple(values.tolist()))


def note_windows(series: Iterable[Series], unit: Unit) -> tuple[str, ...]:
    """A note where `series` are so long that their points, by `unit`, were averaged in windows."""
    widest = max((s.window for s in series), default=1)
    if widest == 1:
        return ()
    return (
        f"the log is long: the curves are means over windows of {widest} {unit}s, each placed at "
        f"the last one",
    )
