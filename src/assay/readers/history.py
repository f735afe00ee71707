"""History: what one training run logged, in one shape whatever wrote the log.

>>> from assay.readers.history import History
>>> history = History.from_lists(train_loss=[0.9, 0.6, 0.5], val_loss=[1.0, 0.8, 0.9], val_accuracy=[0.5, 0.6, 0.6])
>>> history.find("val", "accuracy").values
(0.5, 0.6, 0.6)
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal

from assay.errors import SchemaError
from assay.readers.naming import (
    Better,
    Split,
    better_of,
    is_axis,
    is_ignored,
    loss_rank,
    split_and_metric,
)

__all__ = ["Aggregation", "Better", "Cell", "History", "Series", "Split", "parse_number"]

Aggregation = Literal["point", "running_mean", "window_mean", "unknown"]
Cell = float | int | str | None

NOT_MEASURED = {"", "na", "n/a", "null", "none", "-", "--"}
EXPECTED = "a loss column such as loss, train_loss, val_loss, valid_loss or eval_loss"


@dataclass(frozen=True)
class Series:
    """One curve: `values` (n,) of `metric` on `split`, measured at `epochs` (n,), as the log numbers them.

    A value may be nan or inf: that was measured. What was not measured is not here. `aggregation` says whether a
    training value is the loss of the final weights (point) or a mean while they changed.
    """

    split: Split
    metric: str
    epochs: tuple[float, ...]
    values: tuple[float, ...]
    better: Better | None = None
    aggregation: Aggregation = "unknown"


@dataclass(frozen=True)
class History:
    """The curves of one run, with what the log says about the data they were measured on.

    `unit` is what the horizontal axis counts; `counted` is True where the log carries no numbers and the curves were
    counted from 1. `restarts` are the epochs at which a resumed run began again; its newest values stand.
    `n_val` is the number of validation rows, `n_classes` that of classes, `baseline` the loss of a model that knows
    only how frequent each outcome is.
    """

    name: str
    series: tuple[Series, ...]
    format: str = "lists"
    source: str | None = None
    unit: Literal["epoch", "round", "step"] = "epoch"
    counted: bool = False
    restarts: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()
    n_val: int | None = None
    n_classes: int | None = None
    baseline: float | None = None

    @classmethod
    def from_lists(
        cls,
        *,
        train_loss: Sequence[Cell] | None = None,
        val_loss: Sequence[Cell] | None = None,
        epochs: Sequence[Cell] | None = None,
        name: str = "run",
        n_val: int | None = None,
        n_classes: int | None = None,
        baseline: float | None = None,
        **metrics: Sequence[Cell],
    ) -> "History":
        """A history from lists of equal length, one value an epoch; None where nothing was measured.

        Further curves are named by split and metric, as in `val_accuracy=[...]` or `train_eval_loss=[...]`.

        >>> History.from_lists(val_loss=[0.7, None, 0.6], epochs=[10, 20, 30]).find("val", "loss").epochs
        (10.0, 30.0)
        """
        given = {"train_loss": train_loss, "val_loss": val_loss, **metrics}
        columns = {column: list(values) for column, values in given.items() if values is not None}
        history = cls.from_columns(
            columns, epochs=None if epochs is None else list(epochs), name=name
        )
        return replace(history, n_val=n_val, n_classes=n_classes, baseline=baseline)

    @classmethod
    def from_keras(
        cls, history: Any, *, name: str = "keras", source: str | None = None
    ) -> "History":
        """A history from what Keras `fit` returns, its `.history` dictionary, or {"epoch", "history"} of both.

        With `validation_freq=k` the validation curve is shorter; it is placed at every k-th epoch where its length
        allows one k only. Keras counts epochs from 0; a bare dictionary carries no numbers and is counted from 1.

        >>> log = {"loss": [3.0, 2.0, 1.0, 0.5], "val_loss": [2.5, 1.5]}
        >>> History.from_keras(log).find("val", "loss").epochs
        (2.0, 4.0)
        """
        logs, epochs = _keras_parts(history)
        length = (
            len(epochs) if epochs is not None else max((len(v) for v in logs.values()), default=0)
        )
        notes: list[str] = []
        columns = {
            column: _spread(f"{source or name}: {column}", list(values), length, notes)
            for column, values in logs.items()
        }
        train: Aggregation = "running_mean" if "loss" in logs else "unknown"
        made = cls.from_columns(
            columns, epochs=epochs, name=name, format="keras_json", source=source, train=train
        )
        return replace(made, notes=made.notes + tuple(dict.fromkeys(notes)))

    @classmethod
    def from_columns(
        cls,
        columns: Mapping[str, Sequence[Cell]],
        *,
        epochs: Sequence[Cell] | None = None,
        name: str = "run",
        format: str = "lists",
        source: str | None = None,
        unit: Literal["epoch", "round", "step"] = "epoch",
        train: Aggregation = "unknown",
    ) -> "History":
        """A history from named columns of equal length (n,); every reader ends here.

        Columns are recognised by name; rows of one epoch are joined (training values by their mean, others by the
        last); where the epoch goes back the run was restarted and its newest rows stand.
        """
        where = source or name
        rows = _equal_length(columns, epochs, where)
        axis = _axis(epochs, rows, where)
        keep, restarts = _newest(axis)
        series = []
        for column, cells in columns.items():
            split, metric = split_and_metric(column)
            better = better_of(metric)
            if (
                is_axis(column)
                or is_ignored(metric)
                or (better is None and split != "val")
                or _is_text(cells, better)
            ):
                continue
            values = [
                parse_number(cell, column, row, where) for row, cell in enumerate(cells, start=1)
            ]
            points = [
                (axis[i], v) for i in keep if (v := values[i]) is not None and axis[i] is not None
            ]
            if points:
                aggregation: Aggregation = "point" if split != "train" else train
                series.append(_series(split, metric, points, better, aggregation))
        if not series:
            raise SchemaError(
                f"{where}: expected {EXPECTED}; found {_listed(columns)}. Rename one, or read it yourself "
                f"and pass History.from_lists(train_loss=[...], val_loss=[...])"
            )
        notes = tuple(
            f"{unit} goes back to {at:g}: the run was restarted and its newest values stand"
            for at in restarts
        )
        return cls(name, tuple(series), format, source, unit, epochs is None, restarts, notes)

    def find(self, split: Split, metric: str) -> Series | None:
        """The curve of `metric` on `split`, or None where the log has none."""
        return next((s for s in self.series if s.split == split and s.metric == metric), None)

    @property
    def validation_split(self) -> Split:
        """The split that stands for unseen data: `val`, or `test` where only that was logged."""
        return (
            "val" if any(s.split == "val" for s in self.series) or not self._has("test") else "test"
        )

    @property
    def loss(self) -> str | None:
        """Name of the loss that is judged: `loss` itself, else the most loss-like lower-is-better metric, else None."""
        seen = [s for s in self.series if s.split == self.validation_split] or list(self.series)
        ranked = [
            (rank, i, s.metric)
            for i, s in enumerate(seen)
            if (rank := loss_rank(s.metric)) is not None
        ]
        return min(ranked)[2] if ranked else None

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of all validation metrics besides the loss, in the order of the log."""
        return tuple(
            s.metric
            for s in self.series
            if s.split == self.validation_split and s.metric != self.loss
        )

    @property
    def epochs(self) -> tuple[float, ...]:
        """All numbers on the horizontal axis at which anything was measured, sorted."""
        return tuple(sorted({e for s in self.series for e in s.epochs}))

    def _has(self, split: Split) -> bool:
        return any(s.split == split for s in self.series)


def parse_number(cell: object, column: str, row: int, where: str) -> float | None:
    """The number in one cell; None where nothing was measured; nan and inf are numbers that were measured.

    >>> parse_number("NA", "val_loss", 3, "log.csv"), parse_number("inf", "val_loss", 3, "log.csv")
    (None, inf)
    """
    if cell is None or (isinstance(cell, str) and cell.strip().lower() in NOT_MEASURED):
        return None
    try:
        return float(cell)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise SchemaError(
            f"{where}: column {column!r} holds {cell!r} at row {row}; expected a number, "
            f"nan or inf, or an empty cell where nothing was measured. Correct or remove that cell."
        ) from None


def _keras_parts(history: Any) -> tuple[Mapping[str, Sequence[Cell]], Sequence[Cell] | None]:
    """(curves by name, epochs) of a Keras History object, {"history", "epoch"}, or a bare dictionary of lists."""
    if isinstance(history, Mapping):
        epochs = history.get("epoch", history.get("epochs"))
        logs = (
            history["history"]
            if "history" in history
            else {k: v for k, v in history.items() if not is_axis(k)}
        )
    else:
        logs, epochs = getattr(history, "history", None), getattr(history, "epoch", None)
    if not isinstance(logs, Mapping) or not all(
        hasattr(v, "__len__") and not isinstance(v, str) for v in logs.values()
    ):
        raise SchemaError(
            f"expected what Keras fit() returns, or its .history dictionary of lists; got {type(history).__name__}. "
            f"For a loop of your own use History.from_lists(train_loss=[...], val_loss=[...])"
        )
    return logs, epochs or None


def _spread(column: str, values: list[Cell], length: int, notes: list[str]) -> list[Cell]:
    """`values` placed at every k-th of `length` epochs, for the one k (Keras `validation_freq`) that fits."""
    if len(values) == length or not values:
        return values or [None] * length
    fits = [k for k in range(2, length + 1) if length // k == len(values)]
    if len(fits) != 1:
        raise SchemaError(
            f"{column} has {len(values)} values for {length} epochs, so their epochs cannot be told. "
            f"Use a CSVLogger, or History.from_lists with None where nothing was measured."
        )
    notes.append(
        f"validation was taken to run every {fits[0]} epochs, as the lengths of the curves say"
    )
    spread: list[Cell] = [None] * length
    spread[fits[0] - 1 :: fits[0]] = values
    return spread


def _equal_length(
    columns: Mapping[str, Sequence[Cell]], epochs: Sequence[Cell] | None, where: str
) -> int:
    lengths = {column: len(values) for column, values in columns.items()}
    if epochs is not None:
        lengths["epoch"] = len(epochs)
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{column} {n}" for column, n in lengths.items())
        raise SchemaError(
            f"{where}: expected curves of one length, got {told}. Put None where nothing was measured."
        )
    return next(iter(lengths.values()), 0)


def _axis(epochs: Sequence[Cell] | None, rows: int, where: str) -> list[float | None]:
    if epochs is None:
        return [float(i) for i in range(1, rows + 1)]
    numbers = [parse_number(cell, "epoch", row, where) for row, cell in enumerate(epochs, start=1)]
    return [n if n is not None and math.isfinite(n) else None for n in numbers]


def _newest(axis: Sequence[float | None]) -> tuple[list[int], tuple[float, ...]]:
    """Row numbers that stand after restarts, in order, and the epochs at which restarts began."""
    placed = [(i, e) for i, e in enumerate(axis) if e is not None]
    if len(placed) > 2 and all(a[1] > b[1] for a, b in pairwise(placed)):
        return [
            i for i, _ in reversed(placed)
        ], ()  # written newest first, not restarted at every row
    keep: list[int] = []
    restarts: list[float] = []
    limit, following = math.inf, math.inf
    for i, epoch in reversed(placed):
        if epoch > following:
            limit = min(limit, following)
            restarts.append(following)
        if epoch < limit:
            keep.append(i)
        following = epoch
    return keep[::-1], tuple(sorted(set(restarts)))


def _series(
    split: Split,
    metric: str,
    points: Iterable[tuple[float | None, float]],
    better: Better | None,
    how: Aggregation,
) -> Series:
    """One value an epoch: the mean of repeated training values, the last of others."""
    grouped: dict[float, list[float]] = {}
    for epoch, value in points:
        grouped.setdefault(float(epoch or 0.0), []).append(value)
    if split == "train" and any(len(values) > 1 for values in grouped.values()):
        how = "window_mean"
    joined = (sum(v) / len(v) if split == "train" else v[-1] for v in grouped.values())
    return Series(split, metric, tuple(grouped), tuple(joined), better, how)


def _is_text(cells: Sequence[Cell], better: Better | None) -> bool:
    """True for yes/no marks next to the numbers, and for words in a column that is no metric we know."""
    return any(isinstance(cell, bool) or (better is None and _is_word(cell)) for cell in cells)


def _is_word(cell: Cell) -> bool:
    try:
        parse_number(cell, "", 0, "")
    except SchemaError:
        return True
    return False


def _listed(columns: Iterable[str]) -> str:
    names = list(columns)
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return f"columns {', '.join(map(repr, names[:12]))}{more}" if names else "no columns"
