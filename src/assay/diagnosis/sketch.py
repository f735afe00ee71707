"""sketch: the losses of a run as lines of plain text, for a terminal.

>>> from assay.diagnosis.judge import judge_run
>>> from assay.readers.history import History
>>> log = History.from_lists(train_loss=[0.9, 0.5, 0.3, 0.1], val_loss=[1.0, 0.7, 0.6, 0.8])
>>> print(sketch_losses(judge_run(log), width=60, height=5))
         1 |*
           |                v                              v
           |                t              v
           |                               t
       0.1 |                                               t
           +-------------------------------^---------------!
            epochs 1 to 4; ^ best 3; ! overfit from 4
            t training, v validation
"""

import math
import textwrap
from collections.abc import Mapping

import numpy as np

from assay.diagnosis.run_diagnosis import RunDiagnosis
from assay.kernels import Array
from assay.readers.history import Series

__all__ = ["sketch_losses"]

LETTERS = {"train": "t", "val": "v", "test": "v"}
BOTH = "*"
RATIO = 50  # losses that span more than this are drawn on a logarithmic scale
MARGIN = 12  # characters before the curves, for numbers such as -1.23e-308
NARROWEST = 12  # columns of curves


def sketch_losses(run: RunDiagnosis, *, width: int = 80, height: int = 9) -> str:
    """The training and validation loss of a run over its epochs, as text.

    Parameters:
        run: A diagnosed run.
        width: Characters of a line, at least 24; default 80.
        height: Lines of the curves, at least 2; default 9.

    Returns:
        Lines of at most `width` characters: t is training, v validation, * both; below, ^ marks the
        best epoch and ! where overfitting, divergence or collapse begins. Of many epochs a column
        shows the median. Empty where no loss was logged.
    """
    history = run.history
    curves = {
        LETTERS[split]: series
        for split in ("train", history.validation_split)
        if (series := history.find(split, history.loss or "")) is not None
    }
    epochs = _find_ends(curves)
    if epochs is None:
        return ""
    columns = max(width - MARGIN, NARROWEST)
    medians = {letter: _bin(series, epochs, columns) for letter, series in curves.items()}
    finite = np.concatenate([values[np.isfinite(values)] for values in medians.values()])
    if not len(finite):
        return ""
    labels = [f"{value:.3g}" for value in (finite.max(), finite.min())]
    rows, is_logarithmic = _draw_rows(medians, height)
    starts = [labels[0], *[""] * (height - 2), labels[1]]
    lines = [
        f"{start:>{MARGIN - 2}} |{row}".rstrip() for start, row in zip(starts, rows, strict=True)
    ]
    lines.append(f"{'':>{MARGIN - 2}} +{_draw_axis(run, epochs, columns)}")
    words = textwrap.wrap(_explain(run, epochs, is_logarithmic), columns)
    drawn = [name for name in ("t training", "v validation") if name[0] in curves]
    words += textwrap.wrap(", ".join(drawn), columns)
    return "\n".join([*lines, *(" " * MARGIN + line for line in words)])


def _draw_rows(medians: Mapping[str, Array], height: int) -> tuple[list[str], bool]:
    """The curves by letter on so many rows, and whether their scale is logarithmic."""
    finite = np.concatenate([values[np.isfinite(values)] for values in medians.values()])
    low, high = float(finite.min()), float(finite.max())
    is_logarithmic = low > 0 and high / low > RATIO
    columns = len(next(iter(medians.values())))
    grid = [[" "] * columns for _ in range(height)]
    for letter, values in medians.items():
        for column in np.flatnonzero(np.isfinite(values)).tolist():
            row = _place(float(values[column]), low, high, height, is_logarithmic)
            grid[row][column] = BOTH if grid[row][column] not in (" ", letter) else letter
    return ["".join(row) for row in grid], is_logarithmic


def _find_ends(curves: Mapping[str, Series]) -> tuple[float, float] | None:
    """The first and the last epoch; None without any."""
    ends = [epoch for s in curves.values() for epoch in (*s.epochs[:1], *s.epochs[-1:])]
    return (min(ends), max(ends)) if ends else None


def _find_column(epoch: float, epochs: tuple[float, float], columns: int) -> int:
    first, last = epochs
    share = (epoch - first) / (last - first) if last > first else 0.0
    return min(max(int(share * (columns - 1) + 0.5), 0), columns - 1)


def _bin(series: Series, epochs: tuple[float, float], columns: int) -> Array:
    """The median of the values that fall on each column; nan where none does."""
    first, last = epochs
    values = np.asarray(series.values, dtype=np.float64)
    span = max(last - first, 1e-300)
    shares = (np.asarray(series.epochs, dtype=np.float64) - first) / span
    places = np.clip((shares * (columns - 1) + 0.5).astype(np.intp), 0, columns - 1)
    kept = np.isfinite(values)
    medians = np.full(columns, np.nan)
    places, values = places[kept], values[kept]
    if len(places):
        starts = np.flatnonzero(np.append(True, np.diff(places) != 0))
        for part, start in zip(np.split(values, starts[1:]), starts, strict=True):
            medians[places[start]] = np.median(part)
    return medians


def _place(value: float, low: float, high: float, height: int, is_logarithmic: bool) -> int:
    """The line, counted from the top, that a value stands on."""
    if is_logarithmic:
        value, low, high = math.log(value), math.log(low), math.log(high)
    share = (value - low) / (high - low) if high > low else 0.0
    return height - 1 - int(share * (height - 1) + 0.5)


def _draw_axis(run: RunDiagnosis, epochs: tuple[float, float], columns: int) -> str:
    axis = ["-"] * columns
    for mark, epoch in (("^", run.best_epoch), ("!", run.onset)):
        if epoch is not None:
            axis[_find_column(epoch, epochs, columns)] = mark
    return "".join(axis)


def _explain(run: RunDiagnosis, epochs: tuple[float, float], is_logarithmic: bool) -> str:
    unit = run.history.unit
    parts = [f"{unit}s {epochs[0]:g} to {epochs[1]:g}"]
    if run.best_epoch is not None:
        parts.append(f"^ best {run.best_epoch:g}")
    if run.onset is not None:
        parts.append(f"! {run.status.replace('_', ' ')} from {run.onset:g}")
    if is_logarithmic:
        parts.append("logarithmic scale")
    return "; ".join(parts)
