"""History: what one training run logged, in one shape whatever wrote the log.

>>> from assay.readers.history import History
>>> history = History.from_lists(train_loss=[0.9, 0.6, 0.5], val_loss=[1.0, 0.8, 0.9])
>>> history.find("val", "loss").values
(1.0, 0.8, 0.9)
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from assay.errors import SchemaError
from assay.readers.cells import (
    Cells,
    LogCell,
    Unit,
    drop_replaced,
    holds_text,
    list_names,
    note_restarts,
    parse_axis,
    parse_numbers,
    require_equal_length,
)
from assay.readers.keras_curves import split_keras, spread_values
from assay.readers.naming import (
    SplitName,
    find_interval_ends,
    find_spreads,
    infer_direction,
    is_curve,
    is_learning_rate,
    is_plain_loss,
    parse_curve_name,
    rank_loss,
)
from assay.readers.series import Aggregation, Pairs, Series, join_points, note_windows

__all__ = ["EXPECTED", "Aggregation", "History", "Pairs", "Series"]

EXPECTED = "a loss column such as loss, train_loss, val_loss, valid_loss or eval_loss"


@dataclass(frozen=True)
class History:
    """The curves of one run, with what the log says about the data they were measured on.

    Attributes:
        name: Name of the run.
        series: Its curves.
        format: Name of the reader that read the log, or "lists".
        source: Path of the log, where it was read from one.
        unit: What the horizontal axis counts: epoch, round or step.
        counted: Whether the log carries no numbers, so that the curves were counted from 1.
        restarts: Epochs at which a resumed run began again; its newest values stand.
        notes: What the reader had to assume.
        n_val: Number of validation rows.
        n_classes: Number of classes.
        baseline: Loss of a model that knows only how frequent each outcome is.
        monitor: Metric by which the log itself chooses the epoch to keep.
        schedule: The learning rate, where it was logged.
        checkpoints: Pairs of an epoch and the name that its checkpoint has on disk.
        steps: Pairs of an epoch and the optimiser step at which it was measured.
        tokens: Pairs of an epoch and the number of tokens that were trained on by then.

    >>> history = History.from_lists(val_loss=[1.0, 0.8, 0.9], val_accuracy=[0.5, 0.6, 0.6])
    >>> history.loss, history.metrics, history.epochs
    ('loss', ('accuracy',), (1.0, 2.0, 3.0))
    """

    name: str
    series: tuple[Series, ...]
    format: str = "lists"
    source: str | None = None
    unit: Unit = "epoch"
    counted: bool = False
    restarts: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()
    n_val: int | None = None
    n_classes: int | None = None
    baseline: float | None = None
    monitor: str | None = None
    schedule: Series | None = None
    checkpoints: tuple[tuple[float, str], ...] = ()
    steps: Pairs = ()
    tokens: Pairs = ()

    @classmethod
    def from_lists(
        cls,
        *,
        train_loss: Sequence[LogCell] | None = None,
        val_loss: Sequence[LogCell] | None = None,
        epochs: Sequence[LogCell] | None = None,
        name: str = "run",
        n_val: int | None = None,
        n_classes: int | None = None,
        baseline: float | None = None,
        **metrics: Sequence[LogCell],
    ) -> "History":
        """A history from lists of equal length; None where nothing was measured.

        Parameters:
            train_loss: Training loss at each epoch (n,); default: not logged.
            val_loss: Validation loss at each epoch (n,); default: not logged.
            epochs: Number of each epoch (n,); default: 1 to n.
            name: Name of the run; default "run".
            n_val: Number of validation rows, at least 1; default: unknown.
            n_classes: Number of classes, at least 2; default: unknown.
            baseline: Loss of a model that knows only how frequent each outcome is;
                default: unknown.
            metrics: Further curves by split and metric, as in `val_accuracy=[...]`.

        Returns:
            The history.

        Raises:
            SchemaError: The lists differ in length, hold text, or none of them is a known curve.

        >>> history = History.from_lists(val_loss=[0.7, None, 0.6], epochs=[10, 20, 30])
        >>> history.find("val", "loss").epochs
        (10.0, 30.0)
        """
        curves = {"train_loss": train_loss, "val_loss": val_loss, **metrics}
        columns = {column: list(values) for column, values in curves.items() if values is not None}
        history = cls.from_columns(
            columns, epochs=None if epochs is None else list(epochs), name=name
        )
        return replace(history, n_val=n_val, n_classes=n_classes, baseline=baseline)

    @classmethod
    def from_keras(
        cls, history: Any, *, name: str = "keras", source: str | None = None
    ) -> "History":
        """A history from what Keras `fit` returns.

        With `validation_freq=k` the validation curve is shorter; it is placed at every k-th epoch
        where its length allows one k only. Keras counts epochs from 0; a bare dictionary carries no
        numbers and is counted from 1.

        Parameters:
            history: The Keras History, its `.history` dictionary, or both under the keys "epoch"
                and "history".
            name: Name of the run; default "keras".
            source: Path of the log, where it was read from one.

        Returns:
            The history.

        Raises:
            SchemaError: It is no Keras history, or the epochs of a shorter curve cannot be told.

        >>> log = {"loss": [3.0, 2.0, 1.0, 0.5], "val_loss": [2.5, 1.5]}
        >>> History.from_keras(log).find("val", "loss").epochs
        (2.0, 4.0)
        """
        logs, epochs = split_keras(history)
        longest = max((len(values) for values in logs.values()), default=0)
        length = longest if epochs is None else len(epochs)
        notes: list[str] = []
        columns = {
            column: spread_values(f"{source or name}: {column}", list(values), length, notes)
            for column, values in logs.items()
        }
        train: Aggregation = "running_mean" if "loss" in logs else "unknown"
        joined = cls.from_columns(
            columns, epochs=epochs, name=name, format="keras_json", source=source, train=train
        )
        return replace(joined, notes=joined.notes + tuple(dict.fromkeys(notes)))

    @classmethod
    def from_columns(
        cls,
        columns: Mapping[str, Cells],
        *,
        epochs: Cells | None = None,
        name: str = "run",
        format: str = "lists",
        source: str | None = None,
        unit: Unit = "epoch",
        train: Aggregation = "unknown",
    ) -> "History":
        """A history from named columns of equal length; every reader ends here.

        Columns are recognised by name. Rows of one epoch are joined: training values by their mean,
        others by the last. Where the epoch goes back, the run was restarted: its newest rows stand.

        Parameters:
            columns: Cells (n,) by column name; None, "" and "NA" were not measured.
            epochs: Number of the epoch of each row (n,); default: 1 to n.
            name: Name of the run; default "run".
            format: Name of the reader; default "lists".
            source: Path of the log, where it was read from one.
            unit: What `epochs` counts: "epoch" (default), "round" or "step".
            train: How training values were taken: "point" for those of the final weights of an
                epoch, "running_mean" or "window_mean" for a mean while they changed; default
                "unknown".

        Returns:
            The history.

        Raises:
            SchemaError: The columns differ in length, hold text, or none is a known curve.

        >>> rows = {"train_loss": [0.9, 0.7, 0.4], "val_loss": [None, 0.8, 0.6]}
        >>> History.from_columns(rows, epochs=[1, 1, 2]).find("train", "loss").values
        (0.8, 0.4)
        """
        where = source or name
        axis = parse_axis(epochs, require_equal_length(columns, epochs, where), where)
        keep, restarts = drop_replaced(axis)
        series = []
        schedule = None
        spreads = find_spreads(columns)
        ends = find_interval_ends(columns)
        unit = "round" if spreads and epochs is None and unit == "epoch" else unit
        for column, cells in columns.items():
            split, metric = parse_curve_name(column)
            better = infer_direction(metric)
            is_rate = schedule is None and is_learning_rate(column)
            is_drawn = is_rate or (is_curve(column) and column not in ends)
            if not is_drawn or holds_text(cells, better):
                continue
            numbers = parse_numbers(cells, column, where)
            aggregation: Aggregation = "point" if split != "train" or is_rate else train
            curve = join_points(
                Series(split, metric, (), (), better, aggregation), axis, numbers, keep
            )
            if is_rate:
                schedule = curve if curve.values else None
            elif curve.values:
                series.append(curve)
        if not series:
            raise SchemaError(
                f"{where}: expected {EXPECTED}; found {list_names(columns)}. Rename one, name them "
                f"with train= and val= (--train, --val), or pass "
                f"History.from_lists(train_loss=[...], val_loss=[...])"
            )
        summed, parts = _add_total(series)
        notes = note_restarts(restarts, unit) + parts + note_windows(series, unit)
        if spreads:
            notes += (f"the curves are means over folds; {list_names(spreads)} were not read",)
        if ends:
            notes += (f"{list_names(ends)} are the ends of intervals, and were not read",)
        history = cls(name, tuple(summed), format, source, unit, epochs is None, restarts, notes)
        return replace(history, schedule=schedule)

    def find(self, split: SplitName, metric: str) -> Series | None:
        """The curve of a metric on a split.

        Parameters:
            split: "train", "val", "test", or "train_eval" for training rows measured with the
                weights that validation was measured with.
            metric: Name of the metric without its split, as in "loss".

        Returns:
            The curve, or None where the log has none.

        >>> History.from_lists(val_acc=[0.5, 0.6]).find("val", "accuracy").values
        (0.5, 0.6)
        """
        return next((s for s in self.series if s.split == split and s.metric == metric), None)

    def find_checkpoint(self, epoch: float) -> str | None:
        """Name of the checkpoint of an `epoch`, or None where the log names none.

        >>> from dataclasses import replace
        >>> history = History.from_lists(val_loss=[0.9, 0.7])
        >>> replace(history, checkpoints=((2.0, "checkpoint-250"),)).find_checkpoint(2)
        'checkpoint-250'
        """
        return dict(self.checkpoints).get(epoch)

    def find_step(self, epoch: float) -> float | None:
        """The optimiser step at which an `epoch` was measured, or None where the log does not say.

        >>> from dataclasses import replace
        >>> replace(History.from_lists(val_loss=[0.9]), steps=((1.0, 125.0),)).find_step(1)
        125.0
        """
        return dict(self.steps).get(epoch)

    def select_after(self, epoch: float) -> "History":
        """The same history without the points up to an epoch.

        Parameters:
            epoch: The last epoch that is left out.

        Returns:
            A history of later points; curves without any are left out.

        >>> History.from_lists(val_loss=[0.9, 0.7, 0.8]).select_after(2).epochs
        (3.0,)
        """
        later = (
            series.take([i for i, number in enumerate(series.epochs) if number > epoch])
            for series in self.series
        )
        return replace(self, series=tuple(series for series in later if series.values))

    @property
    def validation_split(self) -> SplitName:
        """The split that stands for unseen data: `val`, or `test` where only that was logged.

        A test after training, measured once, is no validation.
        """
        splits = {series.split for series in self.series}
        if "test" not in splits or "val" in splits:
            return "val"
        is_once = all(len(s.values) == 1 for s in self.series if s.split == "test")
        is_long = any(len(s.values) > 2 for s in self.series if s.split == "train")
        return "val" if is_once and is_long else "test"

    @property
    def loss(self) -> str | None:
        """Name of the loss that is judged, or None without any.

        `loss` itself, else the most loss-like of the metrics of which less is better. Where
        validation has no loss by name, it is that of training, and validation has metrics alone.
        """
        validation = _rank_losses(s for s in self.series if s.split == self.validation_split)
        training = _rank_losses(s for s in self.series if s.split == "train")
        if validation and (is_plain_loss(validation[0]) or validation[0] in training):
            return validation[0]
        if training and is_plain_loss(training[0]):
            return training[0]
        return next(iter((*validation, *training, *_rank_losses(self.series))), None)

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


def _rank_losses(series: Iterable[Series]) -> list[str]:
    """The metrics of which less is better, the most loss-like first."""
    ranked = [
        (rank, i, s.metric)
        for i, s in enumerate(series)
        if (rank := rank_loss(s.metric)) is not None
    ]
    return [metric for _, _, metric in sorted(ranked)]


def _add_total(series: Sequence[Series]) -> tuple[list[Series], tuple[str, ...]]:
    """The curves with the sums of several losses, which no column holds, and a note that says so.

    Summed are the validation losses that training logs under the same names at the same epochs.
    """
    by_name = {(s.split, s.metric): s for s in series}
    parts = [
        s.metric
        for s in series
        if s.split == "val" and s.metric.endswith("_loss") and ("train", s.metric) in by_name
    ]
    has_total = any(rank_loss(s.metric) in (0, 1) for s in series)
    if has_total or len(parts) < 2:
        return list(series), ()
    totals = [_sum_curves([by_name[split, part] for part in parts]) for split in ("train", "val")]
    if not all(totals):
        return list(series), ()
    note = f"the loss is the sum of {', '.join(parts)}"
    return [*(total for total in totals if total), *series], (note,)


def _sum_curves(curves: Sequence[Series]) -> Series | None:
    """The sum of `curves` under the name loss; None where they differ in their epochs."""
    if len({curve.epochs for curve in curves}) != 1:
        return None
    values = np.sum([curve.values for curve in curves], axis=0)
    return replace(curves[0], metric="loss", values=tuple(values.tolist()), better="lower")
