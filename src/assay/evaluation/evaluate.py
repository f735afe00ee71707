"""evaluate: every metric of every model in one pass, with an interval beside each figure.

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

from assay.advice.advise import advise, costs_of
from assay.advice.base import Advice
from assay.core.arguments import check_share
from assay.core.result import Result
from assay.core.text import TextTable, format_number
from assay.engines.base import Engine
from assay.engines.local import Local
from assay.errors import SchemaError, UnseenLabelError, UnsupportedError
from assay.evaluation.values import Row, read_counts, read_rows
from assay.evaluation.plan import FoldedStates, Checkpointer, Plan, fold
from assay.io.read_write import Source
from assay.io.stream import Stream, opened
from assay.metrics.base import METRICS, Metric
from assay.metrics.resolve import Metrics, resolve
from assay.table.predictions import Predictions
from assay.table.schema import Task

__all__ = ["Evaluation", "build_evaluation", "evaluate"]


@dataclass(frozen=True, repr=False)
class Evaluation(Result):
    """The figures of several models on one table; `rows` is the tidy truth, the rest are ways to read it."""

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
        """Canonical texts of the metrics, as asked."""
        return list(dict.fromkeys(row.metric for row in self.rows))

    @property
    def value(self) -> float:
        """The one figure, where one model, one metric and one group were asked for."""
        if len(self.rows) != 1:
            raise UnsupportedError(
                f"this evaluation has {len(self.rows)} figures; name the one: get(model, metric).value"
            )
        return self.rows[0].value

    def get(self, model: str, metric: str | Metric, class_: Any = None, group: Any = None) -> Row:
        """The row of a figure; an error names what there is."""
        text = str(METRICS.parse(metric))
        for row in self.rows:
            if (row.model, row.metric, row.class_, row.group) == (model, text, class_, group):
                return row
        raise UnsupportedError(
            f"no figure for model {model!r}, metric {text!r}, class {class_!r}, group {group!r}; models: "
            f"{', '.join(self.models)}; metrics: {', '.join(self.metrics)}"
        )

    @property
    def verdict(self) -> str:
        """What was evaluated: rows, task, and the level of the intervals."""
        about = f", {self.confidence:.0%} intervals" if any(r.method for r in self.rows) else ""
        return f"Evaluation: {self.n} rows, {self.task}{about}"

    @property
    def tables(self) -> list[TextTable]:
        """A line for each metric, class and group, a column for each model."""
        by_figure: dict[tuple[Any, ...], dict[str, Row]] = {}
        for row in self.rows:
            by_figure.setdefault((row.metric, row.class_, row.group), {})[row.model] = row
        header = ["metric", *self.models]
        body = [
            [_name_estimate(key), *(_format_cell(rows.get(model)) for model in self.models)]
            for key, rows in by_figure.items()
        ]
        return [TextTable(header, body)]

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


@np.errstate(over="ignore", invalid="ignore")  # what overflows is said in the figures
def evaluate(
    predictions: Source | Stream,
    metrics: Metrics = None,
    *,
    by: str | Sequence[str] | None = None,
    intervals: bool | str = True,
    confidence: float = 0.95,
    engine: Engine | None = None,
    seed: int = 0,
    checkpoint: str | os.PathLike[str] | None = None,
    ignore: Iterable[str] = (),
) -> Evaluation:
    """The figures of every model in `predictions`, in one pass over the rows.

    predictions: a table in memory, paths of files that hold one, or a `Stream`; Parquet files larger than memory are
    streamed by themselves, with only the columns read that the metrics need.

    metrics: texts such as "f1(average=micro)" or Metric instances; by default those that suit the task and what the
    models gave. by: group columns; figures are then given for each group besides the whole. intervals: whether to put
    an interval of the given confidence beside each figure, by the procedure that suits it, or the name of the procedure
    for all (wilson, jeffreys, clopper_pearson, t, bootstrap_t, delong, bootstrap). The same table and seed give the
    same result in any split. checkpoint: a file that keeps the states of a stream as it is read: an interrupted
    evaluation goes on from there, and `assay merge` joins those of separate jobs. ignore: codes of advice, as in A003,
    that is not wanted. An `expected_cost` among the metrics tells the advice what errors cost.

    A metric that a model cannot serve (a probability metric, where it gave labels) is nan with the reason in `note`;
    where no model can, UnsupportedError. Undefined figures are nan with a reason code.
    """
    check_share("confidence", confidence)
    if isinstance(intervals, str):
        _refuse_unknown(intervals)
    table = opened(predictions)
    names = (by,) if isinstance(by, str) else tuple(by or ())
    mergeable = checkpoint is not None
    if isinstance(table, Stream) and table.assumed and checkpoint is not None:
        from assay.evaluation.checkpoint import read_classes

        table = table.declared(read_classes(checkpoint))
    question = Plan(
        tuple(resolve(metrics, table.schema)), names, intervals, confidence, seed, mergeable
    )
    try:
        folded = fold(table, question, engine or Local(), _keeper(checkpoint, table, question))
    except UnseenLabelError as unseen:
        if isinstance(table, Predictions) or not table.assumed:
            raise
        try:
            table = table.widened()
        except SchemaError as error:
            raise unseen from error  # it names the row, which is of no class that the models tell of
        # Of more classes the same words may ask for another figure: f1 of the positive class, or the mean over classes.
        question = question._replace(asked=tuple(resolve(metrics, table.schema)))
        if checkpoint is not None:
            Path(checkpoint).unlink(missing_ok=True)
        folded = fold(table, question, engine or Local(), _keeper(checkpoint, table, question))
    seen = (table.head if isinstance(table, Stream) else table).weight
    if (
        seen is not None and not seen.any()
    ):  # of a stream whose first rows do not count; checks look at these
        return build_evaluation(folded, question)
    costs = costs_of(question.asked)
    return build_evaluation(folded, question, advise(table, read_counts(folded, question), ignore, costs=costs))


def _refuse_unknown(procedure: str) -> None:
    from assay.intervals.procedures import PROCEDURES

    if procedure not in PROCEDURES:
        raise UnsupportedError(
            f"intervals must be True, False or one of {', '.join(PROCEDURES)}; got {procedure!r}"
        )


def _keeper(
    path: str | os.PathLike[str] | None, table: Predictions | Stream, question: Plan
) -> Checkpointer | None:
    if path is None:
        return None
    from assay.evaluation.checkpoint import Checkpoint

    return Checkpoint(os.fspath(path), table, question)


def build_evaluation(folded: FoldedStates, question: Plan, advice: tuple[Advice, ...] = ()) -> Evaluation:
    """The evaluation that folded states give, wherever they were folded."""
    frame = folded.frame
    schema = frame.schema
    positive = schema.positive if schema.task == "binary" else None
    rows = tuple(read_rows(folded, question))
    by, confidence = question.by, question.confidence
    return Evaluation(
        schema.task, schema.classes, frame.n, rows, advice, confidence, by, positive, frame.notes
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
