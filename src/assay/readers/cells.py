"""Cells: what stands in the rows of a log, as numbers, and which rows stand after a restart.

>>> from assay.readers.cells import drop_replaced, parse_number
>>> parse_number("0.5", "val_loss", row=1, where="log.csv")
0.5
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from assay.core.types import Better
from assay.errors import SchemaError

__all__ = [
    "Cells",
    "LogCell",
    "Numbers",
    "Unit",
    "drop_replaced",
    "gather_columns",
    "holds_text",
    "is_word",
    "list_names",
    "note_restarts",
    "parse_axis",
    "parse_number",
    "parse_numbers",
    "require_equal_length",
    "take_cells",
    "take_rows",
]

Unit = Literal["epoch", "round", "iteration", "step"]
LogCell = float | int | str | None

NOT_MEASURED = {"", "na", "n/a", "null", "none", "-", "--"}


@dataclass(frozen=True, eq=False)
class Numbers:
    """Cells that are numbers: `values` (n,), and which of them were `measured` (n,)."""

    values: NDArray[np.float64]
    measured: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.values)

    def take(self, positions: "NDArray[np.intp]") -> "Numbers":
        """The cells at the given `positions` (m,), counted from 0."""
        return Numbers(self.values[positions], self.measured[positions])


Cells = Sequence[LogCell] | Numbers


def take_cells(cells: Cells, positions: "NDArray[np.intp]") -> Cells:
    """The `cells` at the given `positions` (m,), counted from 0."""
    if isinstance(cells, Numbers):
        return cells.take(positions)
    return [cells[i] for i in positions.tolist()]


def take_rows(columns: Mapping[str, Cells], positions: "NDArray[np.intp]") -> dict[str, Cells]:
    """The rows of all `columns` at the given `positions` (m,), counted from 0."""
    return {column: take_cells(cells, positions) for column, cells in columns.items()}


def parse_numbers(cells: Cells, column: str, where: str) -> Numbers:
    """The numbers in `cells`, which belong to `column` of the log `where`.

    >>> numbers = parse_numbers(["0.5", "NA", "inf"], "val_loss", "log.csv")
    >>> numbers.values.tolist(), numbers.measured.tolist()
    ([0.5, nan, inf], [True, False, True])
    """
    if isinstance(cells, Numbers):
        return cells
    parsed = [parse_number(cell, column, row, where) for row, cell in enumerate(cells, start=1)]
    measured = np.array([value is not None for value in parsed], dtype=bool)
    return Numbers(np.array(parsed, dtype=np.float64), measured)


def parse_number(cell: object, column: str, row: int, where: str) -> float | None:
    """The number in one `cell`; None where nothing was measured.

    nan and inf are numbers that were measured. An error names `column`, `row` and the log, `where`.

    >>> parse_number("NA", "val_loss", 3, "log.csv"), parse_number("inf", "val_loss", 3, "log.csv")
    (None, inf)
    """
    if cell is None or (isinstance(cell, str) and cell.strip().lower() in NOT_MEASURED):
        return None
    try:
        return float(cell)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise SchemaError(
            f"{where}: column {column!r} holds {cell!r} at row {row}; expected a number, nan or "
            f"inf, or an empty cell where nothing was measured. Correct or remove that cell."
        ) from None


def is_word(cell: object) -> bool:
    """Whether `cell` is neither a number nor a mark for what was not measured."""
    try:
        parse_number(cell, "", 0, "")
    except SchemaError:
        return True
    return False


def holds_text(cells: Cells, better: Better | None) -> bool:
    """Whether `cells` are no numbers: yes/no marks, or words where no metric is known by `better`.

    A word in the column of a known metric is an error instead, which `parse_number` raises.
    """
    if isinstance(cells, Numbers):
        return False
    return any(isinstance(cell, bool) or (better is None and is_word(cell)) for cell in cells)


def require_equal_length(columns: Mapping[str, Cells], epochs: Cells | None, where: str) -> int:
    """The length of all `columns` and `epochs` of the log `where`; an error where they differ."""
    lengths = {column: len(values) for column, values in columns.items()}
    if epochs is not None:
        lengths["epoch"] = len(epochs)
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{column} {n}" for column, n in lengths.items())
        raise SchemaError(
            f"{where}: expected curves of one length, got {listed}. "
            f"Put None where nothing was measured."
        )
    return next(iter(lengths.values()), 0)


def parse_axis(epochs: Cells | None, rows: int, where: str) -> NDArray[np.float64]:
    """The number of each of the `rows` of the log `where`; nan for cells that hold none.

    Rows are counted from 1 without `epochs`.
    """
    if epochs is None:
        return np.arange(1.0, rows + 1)
    numbers = parse_numbers(epochs, "epoch", where).values
    is_placed = np.isfinite(numbers)
    return numbers if is_placed.all() else np.where(is_placed, numbers, np.nan)


def drop_replaced(
    axis: Sequence[float | None] | NDArray[np.float64],
) -> tuple[NDArray[np.intp], tuple[float, ...]]:
    """Positions on the `axis` that stand after restarts, in order, and where restarts began.

    Where the axis goes back, earlier positions from there on were replaced.

    >>> keep, restarts = drop_replaced([0, 1, 2, 1, 2])
    >>> keep.tolist(), restarts
    ([0, 3, 4], (1.0,))
    """
    numbers = np.asarray(axis, dtype=np.float64)
    if (numbers[1:] >= numbers[:-1]).all() and not np.isnan(numbers[:1]).any():
        return np.arange(len(numbers)), ()  # at once: long logs have many rows and no restart
    placed = np.flatnonzero(~np.isnan(numbers))
    epochs = numbers[placed]
    steps = np.diff(epochs)
    if len(placed) > 2 and (steps < 0).all():
        return placed[::-1], ()  # written newest first: no restart a row
    goes_back = np.append(steps < 0, False)
    following = np.append(epochs[1:], np.inf)
    limits = np.where(goes_back, following, np.inf)
    limit = np.minimum.accumulate(limits[::-1])[::-1] if len(limits) else limits
    restarts = tuple(np.unique(following[goes_back]).tolist())
    return placed[epochs < limit], restarts


def note_restarts(restarts: Iterable[float], unit: Unit) -> tuple[str, ...]:
    """A note on each of the `restarts`, which are numbers of the `unit`."""
    return tuple(
        f"{unit} goes back to {epoch:g}: the run was restarted and its newest values stand"
        for epoch in restarts
    )


def gather_columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The values of all `rows` by name, in the order of the names; None where a row has none.

    >>> gather_columns([{"epoch": 1, "loss": 0.9}, {"epoch": 2, "val_loss": 0.8}])
    {'epoch': [1, 2], 'loss': [0.9, None], 'val_loss': [None, 0.8]}
    """
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def list_names(names: Iterable[str], what: str = "columns") -> str:
    """The first twelve `names` in quotes, after the word for `what` they are.

    >>> list_names(["id", "y"])
    "columns 'id', 'y'"
    """
    names = list(names)
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return f"{what} {', '.join(map(repr, names[:12]))}{more}" if names else f"no {what}"
