"""evaluate: every metric of every model in one pass, each value with its interval.

>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays(["a", "b", "b", "a"], {"m": ["a", "b", "a", "a"]})
>>> evaluate(p, "accuracy").value
0.75
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from assay.advice.advise import find_advice, find_costs
from assay.advice.base import Advice
from assay.core.arguments import check_share, list_names
from assay.core.result import Result
from assay.core.text import TextTable, format_number
from assay.engines.base import Engine, resolve_engine
from assay.errors import SchemaError, UnseenLabelError, UnsupportedError
from assay.evaluation.class_tables import split_class_tables
from assay.evaluation.plan import Checkpointer, FoldedStates, Plan, fold_states
from assay.evaluation.values import Row, read_counts, read_rows
from assay.io.arrays import accept_arrays
from assay.io.source import Source, open_table
from assay.metrics.base import METRICS, Metric
from assay.metrics.resolve import Metrics, resolve
from assay.table.judging import leave_out_training
from assay.table.protocol import Table
from assay.table.schema import Task
from assay.table.splits import tells_training

__all__ = ["Evaluation", "build_evaluation", "evaluate"]


@dataclass(frozen=True, repr=False)
class Evaluation(Result):
    """The metrics of several models on one table: a row for each value, and ways to read them.

    `by` are the columns whose groups were evaluated, `positive` is the positive class of a binary
    task.

    >>> from assay.table.predictions import Predictions
    >>> p = Predictions.from_arrays([0, 1, 1, 0], {"m": [0, 1, 0, 0]})
    >>> evaluation = evaluate(p, ["accuracy", "recall"], intervals=False)
    >>> evaluation.get("m", "recall").value
    0.5
    >>> print(evaluation.tables[0])
    metric    m
    accuracy  0.7500
    recall    0.5000
    """

    schema_name: ClassVar[str] = "assay.evaluation/1"
    json_keys: ClassVar[tuple[str, ...]] = (
        "task", "classes", "positive", "n", "confidence", "by", "rows", "advice", "notes",
    )  # fmt: skip

    task: Task
    classes: tuple[Any, ...]
    n: int
    rows: tuple[Row, ...]
    advice: tuple[Advice, ...] = ()
    confidence: float = 0.95
    by: tuple[str, ...] = ()
    positive: Any = None
    notes: tuple[str, ...] = field(default=())

    @property
    def models(self) -> list[str]:
        """Names of the models, in the order of the table."""
        return list(dict.fromkeys(row.model for row in self.rows))

    @property
    def metrics(self) -> list[str]:
        """Canonical texts of the metrics, in the order asked for."""
        return list(dict.fromkeys(row.metric for row in self.rows))

    @property
    def value(self) -> float:
        """The one value, where one model, one metric and one group were asked for."""
        if len(self.rows) != 1:
            raise UnsupportedError(
                f"this evaluation has {len(self.rows)} values; name the one: get(model, "
                "metric).value"
            )
        return self.rows[0].value

    def get(self, model: str, metric: str | Metric, class_: Any = None, group: Any = None) -> Row:
        """The row of one value.

        Parameters:
            model: Name of the model.
            metric: A metric or its text, as in "f1(average=micro)".
            class_: The class, of a value of one class; (truth, predicted), of a confusion matrix.
            group: The value of the group column; default: all rows.

        Raises:
            UnsupportedError: There is no such value; the error names what there is.
        """
        text = str(METRICS.parse(metric))
        for row in self.rows:
            if (row.model, row.metric, row.class_, row.group) == (model, text, class_, group):
                return row
        raise UnsupportedError(
            f"no value for model {model!r}, metric {text!r}, class {class_!r}, group {group!r}; "
            f"models: {', '.join(self.models)}; metrics: {', '.join(self.metrics)}"
        )

    @property
    def scalars(self) -> dict[str, float]:
        """Each value by the name of its metric, as loggers take them: {"f1": 0.5}.

        A value of one class or group is named "f1 [cat]" or "f1 | north"; where there are several
        models, their names come first, as in "bert: f1".
        """
        several = len(self.models) > 1
        named = {}
        for row in self.rows:
            name = _name_estimate((row.metric, row.class_, row.group))
            named[f"{row.model}: {name}" if several else name] = row.value
        return named

    @property
    def verdict(self) -> str:
        """What was evaluated: rows, task, and the level of the intervals."""
        about = f", {self.confidence:.0%} intervals" if any(r.method for r in self.rows) else ""
        return f"Evaluation: {self.n} rows, {self.task}{about}"

    @property
    def tables(self) -> list[TextTable]:
        """A line for each metric, class and group, a column for each model.

        A confusion matrix and a classification report are tables of their own.
        """
        by_name: dict[tuple[Any, ...], dict[str, Row]] = {}
        lines, tables = split_class_tables(self.rows)
        for row in lines:
            by_name.setdefault((row.metric, row.class_, row.group), {})[row.model] = row
        header = ["metric", *self.models]
        body = [
            [_name_estimate(key), *(_format_cell(rows.get(model)) for model in self.models)]
            for key, rows in by_name.items()
        ]
        return [TextTable(header, body), *tables] if lines or not tables else tables

    @property
    def footnotes(self) -> list[str]:
        """Reasons of undefined values (eight at most), advice, and notes."""
        reasons = [
            f"{row.model}, {_name_estimate((row.metric, row.class_, row.group))}: {row.note}"
            for row in self.rows
            if row.note and not row.note.startswith("gives_no")
        ]
        more = [f"... {len(reasons) - 8} more notes in .rows"] if len(reasons) > 8 else []
        return [*reasons[:8], *more, *map(str, self.advice), *self.notes]


@accept_arrays
@np.errstate(over="ignore", invalid="ignore")  # notes say which values overflow
def evaluate(  # noqa: PLR0913 - each option stands for itself
    predictions: Source,
    metrics: Metrics = None,
    *,
    by: str | Sequence[str] | None = None,
    intervals: bool | str = True,
    confidence: float = 0.95,
    engine: str | Engine | None = None,
    seed: int = 0,
    checkpoint: str | os.PathLike[str] | None = None,
    ignore: Iterable[str] = (),
    where: str | None = None,
) -> Evaluation:
    """Every metric of every model in one pass over the rows, each value with its interval.

    The same table and seed give the same result in any split and on any engine. A metric that a
    model cannot serve (a probability metric, where it gave labels) is nan with the reason in
    `note`, as is every undefined value. An `expected_cost` among the metrics tells the advice what
    errors cost.

    Parameters:
        predictions: A table in memory, a `Stream`, or the path of a file, a folder, a pattern, or
            several; Parquet files larger than memory are streamed, with only the columns read that
            are needed. Also a data frame of pandas, polars or Arrow, with the options of `read`; or
            the truth, followed by what models predict: an array, a list of arrays, or arrays by
            name (`evaluate(y, {"a": y_a, "b": y_b})`), with those of `Predictions.from_arrays`.
        metrics: Texts such as "f1(average=micro)" or Metric instances, or "classification_report"
            for precision, recall and F1 of each class with their averages; default: those that suit
            the task and what the models gave.
        by: Columns whose groups are evaluated as well, crossed where several are named; default:
            none.
        intervals: True or False, or the procedure for all intervals: wilson, jeffreys,
            clopper_pearson, t, bootstrap_t, delong or bootstrap; default True, the procedure that
            suits each metric.
        confidence: Level of the intervals, in (0, 1); default 0.95.
        engine: Text such as "processes(workers=4)" or an Engine; default "local", on threads.
        seed: Seed of the resampling, 0 or more; default 0.
        checkpoint: File that keeps the states as rows are read: an interrupted evaluation goes on
            from there, and `assay merge` joins those of separate jobs; default: none.
        ignore: Codes of advice that is not wanted, as in "A003"; default: none.
        where: Which rows to take, as in 'split == "test"' (see `Predictions.where`); default: all
            but those of a training split.

    Returns:
        An `Evaluation`, with a row for each model, metric, class and group.

    Raises:
        UnsupportedError: No model can serve a metric, or an option is out of its range.
        SchemaError: The table cannot be used.
        ReadError: A file cannot be read.

    >>> from assay.table.predictions import Predictions
    >>> p = Predictions.from_arrays([0, 1, 1, 0], {"m": [0, 1, 0, 0]})
    >>> [row.value for row in evaluate(p, ["accuracy", "recall"]).rows]
    [0.75, 0.5]
    """
    check_share("confidence", confidence)
    if isinstance(intervals, str):
        _refuse_unknown(intervals)
    every = open_table(predictions, where=where)
    if checkpoint is not None and every.classes_assumed:
        every = _settle_as_before(every, checkpoint)
    names = list_names("by", by)
    chosen = tuple(resolve(metrics, every.schema))
    plan = Plan(chosen, names, intervals, confidence, seed)
    engine = resolve_engine(engine)
    folded, table, every, plan = _fold(every, plan, metrics, engine, checkpoint)
    weight = table.head.weight
    if (
        weight is not None and not weight.any()
    ):  # the checks look at the first rows, and none counts
        return build_evaluation(folded, plan)
    counts = read_counts(folded, plan)
    advice = find_advice(table, every, counts, ignore, costs=find_costs(plan.metrics))
    return build_evaluation(folded, plan, advice, engine.progress)


def _refuse_unknown(procedure: str) -> None:
    from assay.intervals.procedures import PROCEDURES

    if procedure not in PROCEDURES:
        raise UnsupportedError(
            f"intervals must be True, False or one of {', '.join(PROCEDURES)}; got {procedure!r}"
        )


def _fold(
    every: Table,
    plan: Plan,
    metrics: Metrics,
    engine: Engine,
    checkpoint: str | os.PathLike[str] | None,
) -> tuple[FoldedStates, Table, Table, Plan]:
    """Fold the states of the judging rows; where rows show classes beyond the assumed ones, once
    more with those of all rows.

    Groups by split are of `every` row. Also the judging rows, and every row, with their classes.
    """
    try:
        folded, table = _fold_once(every, plan, engine, checkpoint)
        return folded, table, every, plan
    except UnseenLabelError as error:
        every = _settle_anew(every, checkpoint, error)
    # Of more classes the same text may name another metric: f1 of the positive class, or the mean
    # over classes.
    plan = plan._replace(metrics=tuple(resolve(metrics, every.schema)))
    folded, table = _fold_once(every, plan, engine, checkpoint)
    return folded, table, every, plan


def _fold_once(
    every: Table, plan: Plan, engine: Engine, checkpoint: str | os.PathLike[str] | None
) -> tuple[FoldedStates, Table]:
    """The states of the judging rows, and these."""
    table = leave_out_training(every)
    grouped = every if any(map(tells_training, plan.by)) else table
    checkpointer = _open_checkpoint(checkpoint, table, plan, grouped)
    return fold_states(table, plan, engine, checkpointer, grouped=grouped), table


def _settle_as_before(table: Table, checkpoint: str | os.PathLike[str]) -> Table:
    """The table with the classes that an earlier run settled on, if there was one."""
    from assay.evaluation.checkpoint import read_classes

    classes = read_classes(checkpoint)
    return table if classes is None else table.settle_classes(classes)


def _settle_anew(
    table: Table, checkpoint: str | os.PathLike[str] | None, unseen: UnseenLabelError
) -> Table:
    """The table with the classes of all rows, where those of the first were assumed; states kept so
    far are void.
    """
    if not table.classes_assumed:
        raise unseen
    try:
        table = table.settle_classes()
    except SchemaError as error:
        raise unseen from error  # it names the row, whose class no model's columns tell of
    if checkpoint is not None:
        Path(checkpoint).unlink(missing_ok=True)
    return table


def _open_checkpoint(
    path: str | os.PathLike[str] | None, table: Table, plan: Plan, grouped: Table
) -> Checkpointer | None:
    if path is None:
        return None
    from assay.evaluation.checkpoint import Checkpoint

    return Checkpoint(os.fspath(path), table, plan, grouped)


def build_evaluation(
    folded: FoldedStates,
    plan: Plan,
    advice: tuple[Advice, ...] = (),
    progress: bool | None = False,
) -> Evaluation:
    """The evaluation that the `folded` states of a `plan` give, wherever they were folded, with its
    `advice`.

    `progress` says whether a bar shows how it is read, as for `show_progress`.
    """
    info = folded.info
    schema = info.schema
    return Evaluation(
        task=schema.task,
        classes=schema.classes,
        n=info.n,
        rows=tuple(read_rows(folded, plan, progress)),
        advice=advice,
        confidence=plan.confidence,
        by=plan.by,
        positive=schema.positive if schema.task == "binary" else None,
        notes=info.notes,
    )


def _name_estimate(key: tuple[Any, ...]) -> str:
    metric, class_, group = key
    about = " -> ".join(map(str, class_)) if isinstance(class_, tuple) else class_
    name = metric if class_ is None else f"{metric} [{about}]"
    return name if group is None else f"{name} | {group}"


def _format_cell(row: Row | None) -> str:
    if row is None:
        return ""
    value = format_number(row.value)
    return (
        value
        if np.isnan(row.low)
        else f"{value} [{format_number(row.low)}, {format_number(row.high)}]"
    )
