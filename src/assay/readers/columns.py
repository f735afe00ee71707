"""columns: the runs that a table of named columns holds, whatever format the table came from.

A column of folds or of runs, and names such as `run - val_loss`, hold several runs; a column of
splits tells the rows of training and validation apart; numbered evaluation sets are told apart by
where their losses end. Where an epoch holds several validations, steps number the axis.

>>> from assay.readers.columns import read_columns
>>> table = {"fold": ["1", "1", "2", "2"], "epoch": [1, 2, 1, 2], "val_loss": [3, 2, 5, 4]}
>>> [(run.name, run.find("val", "loss").values) for run in read_columns(table, name="cv")]
[('cv/fold 1', (3.0, 2.0)), ('cv/fold 2', (5.0, 4.0))]
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import SchemaError
from assay.readers.appended import number_on, split_appended
from assay.readers.cells import (
    Cells,
    Numbers,
    Unit,
    holds_text,
    is_word,
    list_names,
    parse_axis,
    parse_numbers,
    take_rows,
)
from assay.readers.history import Aggregation, History, Pairs
from assay.readers.naming import (
    SPLITS,
    find_axis,
    infer_direction,
    is_axis,
    is_curve,
    is_plain_loss,
    parse_curve_name,
)
from assay.readers.numbered_sets import name_sets

__all__ = ["Choice", "name_columns", "name_unit", "read_columns"]

Columns = Mapping[str, Cells]
Positions = NDArray[np.intp]

RUN_COLUMN = re.compile(
    r"(k_?|cv_?)?fold(_?(id|idx|index|no))?|run(_?(id|name|no))?|trial(_?(id|name|no))?"
    r"|seed|experiment(_?(id|name))?|model(_?name)?|split_?(id|idx)|cv"
)
SPLIT_COLUMN = re.compile(r"phase|split|set|stage|mode|subset|dataset|partition")
NAMED_RUN = re.compile(r"^(.+) - (.+)$")  # as the charts of Weights & Biases export them
MOST_RUNS = 1000
MOST_STEPS = 100_000  # that are kept beside epochs


@dataclass(frozen=True)
class Choice:
    """Columns that a person names: of the training loss, the validation loss and the axis."""

    train: str | None = None
    val: str | None = None
    x: str | None = None

    def __bool__(self) -> bool:
        return any((self.train, self.val, self.x))


def read_columns(
    columns: Columns,
    *,
    name: str,
    format: str = "lists",
    source: str | None = None,
    unit: Unit | None = None,
    train: Aggregation = "unknown",
) -> list[History]:
    """The runs in named `columns` of equal length, one history each.

    `format` and `source` are those of the histories; `unit` is what the axis counts, by default as
    its name says; `train` says how training values were taken. The runs of several are named after
    `name` and what tells them apart.
    """
    about: dict[str, Any] = {"format": format, "source": source, "train": train}
    named = {column: cells for column, cells in columns.items() if column.strip()}
    histories = []
    for part, table in _split_runs(named):
        full_name = f"{name}/{part}" if part else name
        rows, notes = number_on(table)
        history = _read_run(rows, full_name, unit, about)
        histories.append(replace(history, notes=history.notes + notes))
    return histories


def name_columns(columns: Columns, choice: Choice, where: str) -> dict[str, Cells]:
    """Those of `columns` that a `choice` names, as train_loss, val_loss and epoch or step.

    Other curves stay, but for other losses and axes. An error lists the columns of the log `where`.
    """
    wanted = {choice.train: "train_loss", choice.val: "val_loss", choice.x: _name_axis(choice.x)}
    for column in wanted:
        if column is not None and column not in columns:
            raise SchemaError(f"{where} has no column {column!r}; found {list_names(columns)}")
    named: dict[str, Cells] = {}
    for column, cells in columns.items():
        if column in wanted:
            named[wanted[column]] = cells
        elif not _is_replaced(column, choice):
            named[column] = cells
    return named


def _name_axis(column: str | None) -> str:
    return column if column and is_axis(column) else "step"


def _is_replaced(column: str, choice: Choice) -> bool:
    """Whether a column that was not chosen would be taken instead of one that was."""
    split, metric = parse_curve_name(column)
    is_loss = is_plain_loss(metric)
    is_other_axis = choice.x is not None and is_axis(column)
    is_other_train = choice.train is not None and split == "train" and is_loss
    is_other_val = choice.val is not None and split in ("val", "test") and is_loss
    return is_other_axis or is_other_train or is_other_val


def name_unit(axis: str | None) -> Unit:
    """What an `axis` column counts, by its name."""
    name = (axis or "epoch").lower()
    if "step" in name:
        return "step"
    return "iteration" if name.startswith("it") else "epoch"


def _split_runs(columns: Columns) -> list[tuple[str, Columns]]:
    """Each run with what tells it apart; one without a name where there is one run."""
    columns = _spread_splits(columns)
    by_prefix = _group_named_runs(columns)
    if by_prefix:
        return by_prefix
    for column, cells in columns.items():
        if RUN_COLUMN.fullmatch(re.sub(r"[^a-z]+", "_", column.lower()).strip("_")):
            groups = _group_rows(cells)
            if 1 < len(groups) <= MOST_RUNS:
                others = {other: cells for other, cells in columns.items() if other != column}
                return [
                    (f"{column} {value}", _drop_unmeasured(take_rows(others, rows)))
                    for value, rows in groups.items()
                ]
    return split_appended(columns)


def _spread_splits(columns: Columns) -> Columns:
    """Rows told apart by a column of splits, as columns named by split and metric."""
    for column, cells in columns.items():
        if not SPLIT_COLUMN.fullmatch(column.lower()) or isinstance(cells, Numbers):
            continue
        groups = _group_rows(cells)
        if groups and all(value.lower() in SPLITS for value in groups):
            return _name_by_split(columns, column, groups)
    return columns


def _name_by_split(
    columns: Columns, split_column: str, groups: Mapping[str, Positions]
) -> dict[str, Cells]:
    rows = len(columns[split_column])
    spread: dict[str, Cells] = {}
    for column, cells in columns.items():
        if column == split_column:
            continue
        if is_axis(column) or not is_curve(f"val_{column}") or holds_text(cells, None):
            spread[column] = cells
            continue
        for value, positions in groups.items():
            kept = np.zeros(rows, dtype=bool)
            kept[positions] = True
            numbers = parse_numbers(cells, column, column)
            spread[f"{value.lower()}_{column}"] = Numbers(numbers.values, numbers.measured & kept)
    return spread


def _group_named_runs(columns: Columns) -> list[tuple[str, Columns]]:
    """Runs of columns named `run - metric`; a prefix alone stands for the only run."""
    runs: dict[str, dict[str, Cells]] = {}
    shared = {column: cells for column, cells in columns.items() if is_axis(column)}
    for column, cells in columns.items():
        match = NAMED_RUN.match(column)
        if match and not column.endswith(("__MIN", "__MAX")) and is_curve(match[2]):
            runs.setdefault(match[1], dict(shared))[match[2]] = cells
    if len(runs) < 2:
        return [("", next(iter(runs.values())))] if runs else []
    return [(name, _drop_unmeasured(table)) for name, table in runs.items()]


def _group_rows(cells: Cells) -> dict[str, Positions]:
    """Positions of each value of a column, in the order of the log."""
    if isinstance(cells, Numbers):
        values = [f"{value:g}" for value in cells.values.tolist()]
    else:
        values = ["" if cell is None else str(cell) for cell in cells]
    groups: dict[str, list[int]] = {}
    for row, value in enumerate(values):
        groups.setdefault(value, []).append(row)
    return {value: np.array(rows, dtype=np.intp) for value, rows in groups.items() if value}


def _drop_unmeasured(columns: Columns) -> dict[str, Cells]:
    """The columns that hold anything, which those of another run may not."""
    return {
        column: cells
        for column, cells in columns.items()
        if (cells.measured.any() if isinstance(cells, Numbers) else any(c != "" for c in cells))
    }


def _read_run(columns: Columns, name: str, unit: Unit | None, about: dict[str, Any]) -> History:
    columns, notes = name_sets(columns)
    axis = _choose_axis(columns)
    if axis is None:
        history = History.from_columns(columns, name=name, unit=unit or "epoch", **about)
        return replace(history, notes=history.notes + notes)
    curves: dict[str, Cells] = {c: cells for c, cells in columns.items() if c != axis}
    epochs = columns[axis]
    step = next((c for c in curves if "step" in c.lower() and is_axis(c)), None)
    if step is not None:
        curves = {c: _drop_repeated(cells, curves[step], c) for c, cells in curves.items()}
    epochs, curves = _place_rows(epochs, curves, axis)
    named_unit = unit if unit and unit != "epoch" else name_unit(axis)
    if axis == "round":
        named_unit = "round"
    history = History.from_columns(curves, epochs=epochs, name=name, unit=named_unit, **about)
    steps = _pair_steps(epochs, columns[step]) if step and named_unit == "epoch" else ()
    return replace(history, notes=history.notes + notes, steps=steps)


def _pair_steps(epochs: Cells, steps: Cells) -> Pairs:
    """Each epoch with the last step that the log has of it."""
    if holds_text(epochs, None) or holds_text(steps, None):
        return ()
    axis = parse_axis(epochs, len(epochs), "epoch")
    numbers = parse_axis(steps, len(steps), "step")
    known = np.isfinite(axis) & np.isfinite(numbers)
    if np.count_nonzero(known) > MOST_STEPS:
        return ()
    return tuple(
        sorted(dict(zip(axis[known].tolist(), numbers[known].tolist(), strict=True)).items())
    )


def _choose_axis(columns: Columns) -> str | None:
    """The column that numbers the rows: steps where an epoch holds several validations."""
    axis = find_axis(columns)
    if axis is None:
        return None
    others = [c for c in columns if c != axis and is_axis(c)]
    if not others or "step" in axis.lower():
        return axis
    epochs = parse_axis(columns[axis], len(columns[axis]), axis)
    for other in others:
        if holds_text(columns[other], None):
            continue
        steps = parse_axis(columns[other], len(epochs), other)
        if any(_repeats_within(columns[c], c, epochs, steps) for c in _list_validation(columns)):
            return other
    return axis


def _list_validation(columns: Columns) -> list[str]:
    return [
        column
        for column, cells in columns.items()
        if is_curve(column)
        and parse_curve_name(column)[0] in ("val", "test")
        and not holds_text(cells, infer_direction(parse_curve_name(column)[1]))
    ]


def _repeats_within(
    cells: Cells, column: str, epochs: NDArray[np.float64], steps: NDArray[np.float64]
) -> bool:
    """Whether a curve was measured at several steps of one epoch, throughout."""
    measured = parse_numbers(cells, column, column).measured
    rows = np.flatnonzero(measured & np.isfinite(epochs) & np.isfinite(steps))
    inner = np.diff(epochs[rows]) == 0
    forward = np.diff(steps[rows]) > 0
    return bool(inner.sum() >= 2 and (forward[inner]).all() and inner.mean() >= 0.5)


def _drop_repeated(cells: Cells, steps: Cells, column: str) -> Cells:
    """A validation that was measured again at the same step stands as it was first measured."""
    split, metric = parse_curve_name(column)
    if split == "train" or not is_curve(column) or holds_text(cells, infer_direction(metric)):
        return cells
    if holds_text(steps, None):
        return cells
    numbers = parse_numbers(cells, column, column)
    at = parse_axis(steps, len(numbers), "step")
    rows = np.flatnonzero(numbers.measured & np.isfinite(at))
    again = rows[1:][np.diff(at[rows]) == 0]
    measured = numbers.measured.copy()
    measured[again] = False
    return Numbers(np.where(measured, numbers.values, np.nan), measured)


def _place_rows(
    epochs: Cells, curves: dict[str, Cells], axis: str
) -> tuple[Cells, dict[str, Cells]]:
    """Validation rows without a number belong after the training rows above them, as their mean."""
    if not isinstance(epochs, Numbers) and any(map(is_word, epochs)):
        return epochs, curves  # the error that names the cell is raised where numbers are read
    numbers = parse_axis(epochs, len(epochs), axis)
    is_open = np.isnan(numbers)
    if not is_open.any() or is_open.all():
        return epochs, curves
    last = np.maximum.accumulate(np.where(is_open, -1, np.arange(len(numbers))))
    placed = np.where(last >= 0, numbers[np.maximum(last, 0)], np.nan)
    joined: dict[str, Cells] = {}
    for column, cells in curves.items():
        parsed = parse_curve_name(column)
        is_text = holds_text(cells, infer_direction(parsed[1]))
        if parsed[0] == "train" or not is_curve(column) or is_text:
            joined[column] = cells if is_text else _hide(cells, is_open, column)
        else:
            joined[column] = _average_open(parse_numbers(cells, column, axis), is_open)
    return Numbers(placed, np.isfinite(placed)), joined


def _hide(cells: Cells, rows: NDArray[np.bool_], column: str) -> Cells:
    if not is_curve(column):
        return cells
    numbers = parse_numbers(cells, column, column)
    return Numbers(numbers.values, numbers.measured & ~rows)


def _average_open(numbers: Numbers, is_open: NDArray[np.bool_]) -> Numbers:
    """Each stretch of rows without a number as one value, in its last row."""
    rows = np.flatnonzero(numbers.measured & is_open)
    if not len(rows):
        return numbers
    block = np.cumsum(~is_open)[rows]  # equal within a stretch
    starts = np.flatnonzero(np.append(True, np.diff(block) != 0))
    means = np.add.reduceat(numbers.values[rows], starts) / np.diff(np.append(starts, len(rows)))
    lasts = rows[np.append(starts[1:], len(rows)) - 1]
    values = numbers.values.copy()
    measured = numbers.measured & ~is_open
    values[lasts] = means
    measured[lasts] = True
    return Numbers(values, measured)
