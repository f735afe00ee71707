"""Cells: what stands in the rows of a log, as numbers, and which rows stand after a restart.

>>> from assay.readers.cells import drop_replaced, parse_number
>>> parse_number("0.5", "val_loss", row=1, where="log.csv")
0.5
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Literal

from assay.core.types import Better
from assay.errors import SchemaError

__all__ = [
    "LogCell",
    "Unit",
    "drop_replaced",
    "holds_text",
    "is_word",
    "list_names",
    "note_restarts",
    "parse_axis",
    "parse_number",
    "require_equal_length",
]

Unit = Literal["epoch", "round", "step"]
LogCell = float | int | str | None

NOT_MEASURED = {"", "na", "n/a", "null", "none", "-", "--"}


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


def holds_text(cells: Sequence[LogCell], better: Better | None) -> bool:
    """Whether `cells` are no numbers: yes/no marks, or words where no metric is known by `better`.

    A word in the column of a known metric is an error instead, which `parse_number` raises.
    """
    return any(isinstance(cell, bool) or (better is None and is_word(cell)) for cell in cells)


def require_equal_length(
    columns: Mapping[str, Sequence[LogCell]], epochs: Sequence[LogCell] | None, where: str
) -> int:
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


def parse_axis(epochs: Sequence[LogCell] | None, rows: int, where: str) -> list[float | None]:
    """The number of each of the `rows` of the log `where`; None for cells that hold none.

    Rows are counted from 1 without `epochs`.
    """
    if epochs is None:
        return [float(i) for i in range(1, rows + 1)]
    numbers = [parse_number(cell, "epoch", row, where) for row, cell in enumerate(epochs, start=1)]
    return [n if n is not None and math.isfinite(n) else None for n in numbers]


def drop_replaced(axis: Sequence[float | None]) -> tuple[list[int], tuple[float, ...]]:
    """Positions on the `axis` that stand after restarts, in order, and where restarts began.

    Where the axis goes back, earlier positions from there on were replaced.

    >>> drop_replaced([0, 1, 2, 1, 2])
    ([0, 3, 4], (1,))
    """
    placed = [(i, epoch) for i, epoch in enumerate(axis) if epoch is not None]
    if len(placed) > 2 and all(a[1] > b[1] for a, b in pairwise(placed)):
        return [i for i, _ in reversed(placed)], ()  # written newest first: no restart a row
    keep: list[int] = []
    restarts: list[float] = []
    limit = math.inf
    following = math.inf
    for i, epoch in reversed(placed):
        if epoch > following:
            limit = min(limit, following)
            restarts.append(following)
        if epoch < limit:
            keep.append(i)
        following = epoch
    return keep[::-1], tuple(sorted(set(restarts)))


def note_restarts(restarts: Iterable[float], unit: Unit) -> tuple[str, ...]:
    """A note on each of the `restarts`, which are numbers of the `unit`."""
    return tuple(
        f"{unit} goes back to {epoch:g}: the run was restarted and its newest values stand"
        for epoch in restarts
    )


def list_names(names: Iterable[str], what: str = "columns") -> str:
    """The first twelve `names` in quotes, after the word for `what` they are.

    >>> list_names(["id", "y"])
    "columns 'id', 'y'"
    """
    names = list(names)
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return f"{what} {', '.join(map(repr, names[:12]))}{more}" if names else f"no {what}"
