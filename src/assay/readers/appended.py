"""appended: tables to which a further run, or a further fit of the same model, was appended.

>>> from assay.readers.appended import number_on, split_appended
>>> table = {"epoch": [0, 1, 0, 1, 0, 1], "loss": [9, 8, 7, 6, 9, 4]}
>>> [rows["loss"] for _, rows in split_appended(table)]
[[9, 8, 7, 6], [9, 4]]
>>> number_on({"epoch": [0, 1, 0, 1], "loss": [9, 8, 7, 6]})[0]["epoch"].values.tolist()
[0.0, 1.0, 2.0, 3.0]
"""

from collections.abc import Mapping

import numpy as np

from assay.readers.cells import Cells, Numbers, holds_text, parse_axis, parse_numbers, take_rows
from assay.readers.naming import find_axis, parse_curve_name

__all__ = ["number_on", "split_appended"]

Columns = Mapping[str, Cells]


def number_on(columns: Columns) -> tuple[Columns, tuple[str, ...]]:
    """The axis going on where it begins anew and the loss does not, and a note that says so."""
    axis, _, followed = _find_beginnings(columns)
    if axis is None or not followed:
        return columns, ()
    numbers = parse_axis(columns[axis], len(columns[axis]), axis)
    for row in followed:
        numbers[row:] += numbers[row - 1] + 1 - numbers[row]
    note = (
        f"{axis} begins anew while the loss goes on where it was: a further fit of the same model, "
        f"whose {axis} was numbered on"
    )
    return {**columns, axis: Numbers(numbers, np.isfinite(numbers))}, (note,)


def split_appended(columns: Columns) -> list[tuple[str, Columns]]:
    """Runs that were written one after the other: numbers begin anew, and so does the loss."""
    axis, starts, _ = _find_beginnings(columns)
    if axis is None or not starts:
        return [("", columns)]
    bounds = [0, *starts, len(columns[axis])]
    return [
        (f"run {i + 1}", take_rows(columns, np.arange(bounds[i], bounds[i + 1])))
        for i in range(len(bounds) - 1)
    ]


def _find_beginnings(columns: Columns) -> tuple[str | None, list[int], list[int]]:
    """The axis, and the rows at which it begins anew: where the loss does too, and where not."""
    axis = find_axis(columns)
    loss = next((c for c in columns if parse_curve_name(c) == ("train", "loss")), None)
    if axis is None or loss is None or holds_text(columns[axis], None):
        return None, [], []
    numbers = parse_axis(columns[axis], len(columns[axis]), axis)
    if not (np.diff(numbers) < 0).any():
        return axis, [], []
    losses = parse_numbers(columns[loss], loss, loss).values
    starts: list[int] = []
    followed: list[int] = []
    for row in (np.flatnonzero(np.diff(numbers) < 0) + 1).tolist():
        first, last = losses[max([0, *starts])], losses[row - 1]
        if numbers[row] == numbers[0] and first > last:
            (starts if losses[row] > (first + last) / 2 else followed).append(row)
    return axis, starts, followed
