"""Which states a question needs."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from assay.engines.base import Engine, Job
from assay.errors import UnsupportedError
from assay.intervals.replicates import FEW
from assay.intervals.resampling import is_resampled_by_cell
from assay.io.stream import Stream
from assay.metrics.base import Metric
from assay.states.base import State, is_beyond
from assay.states.class_counts import ClassRows
from assay.table.buckets import BUCKETS
from assay.table.predictions import Predictions
from assay.table.schema import Schema

if TYPE_CHECKING:
    from assay.io.stream_groups import Crossed
    from assay.table.groups import Slices

__all__ = ["FoldedStates", "TableInfo", "Checkpointer", "Plan", "fold", "list_jobs"]

# Rows of a group from which on a figure of order varies by blocks of them as it does by rows.
ROWS_IN_BLOCKS = 1 << 16


class Plan(NamedTuple):
    """What is asked of a table: metrics with their canonical texts, group columns, and how sure to be."""

    asked: tuple[tuple[str, Metric], ...]
    by: tuple[str, ...]
    intervals: bool | str
    confidence: float
    seed: int
    mergeable: bool = False  # whether states are to be joined with those of other jobs, however many rows each has


class TableInfo(NamedTuple):
    """What is known of a table besides its rows."""

    schema: Schema
    n: int
    clustered: bool
    notes: tuple[str, ...] = ()
    long: bool = False  # whether it is a stream of which scores are sketched
    weighted: bool = False

    @staticmethod
    def of(table: Predictions | Stream) -> "TableInfo":
        """The frame of a table."""
        long = isinstance(table, Stream) and is_beyond(table.n, table.schema)
        weighted = (table.head if isinstance(table, Stream) else table).weight is not None
        return TableInfo(table.schema, table.n, "cluster" in table.columns, table.notes, long, weighted)


class FoldedStates(NamedTuple):
    """The states of a question, over all rows and, where asked, of each group: all that an answer needs."""

    frame: TableInfo
    whole: Mapping[Job, Any]
    keys: tuple[tuple[Any, ...], ...] = ()
    grouped: Sequence[Mapping[Job, Any]] | None = None

    @staticmethod
    def by_group(
        frame: TableInfo,
        whole: Mapping[Job, Any],
        keys: tuple[tuple[Any, ...], ...],
        grouped: Mapping[Job, Any],
    ) -> "FoldedStates":
        """From states whose cells are groups, or buckets within groups."""
        return FoldedStates(frame, whole, keys, [_select_group(grouped, i) for i in range(len(keys))])


def _select_group(values: Mapping[Job, Any], i: int) -> dict[Job, Any]:
    width = {job: BUCKETS if job.bucketed else 1 for job in values}
    return {
        job: job.state.select(value, slice(i * width[job], (i + 1) * width[job]))
        for job, value in values.items()
    }


class Checkpointer(Protocol):
    """Where an interrupted pass over the rows goes on from."""

    keys: tuple[tuple[Any, ...], ...]
    cuts: Mapping[str, list[float]]  # where columns of numbers were cut

    def load(self, name: str) -> tuple[int, Mapping[Job, Any]] | None:
        """How many batches of a pass have been folded, and their values; None where there are none."""

    def keep(self, name: str, done: int, values: Mapping[Job, Any], *, now: bool) -> None:
        """Take them, to be saved at once if `now`, else when it is time."""


def fold(
    table: Predictions | Stream, question: Plan, engine: Engine, keeper: Checkpointer | None = None
) -> FoldedStates:
    """One pass over the rows for all of them together, and one by group where groups are asked for."""
    frame = TableInfo.of(table)
    whole = _fold_pass(table, frame, question, engine, None, keeper)
    if not question.by:
        return FoldedStates(frame, whole)
    from assay.io.stream_groups import crossing_of
    from assay.table.groups import group_rows

    grouping = (
        crossing_of(table, question.by)
        if isinstance(table, Stream)
        else group_rows(table, question.by)
    )
    if keeper is not None:
        keeper.keys = grouping.keys
        keeper.cuts = {name: edges.tolist() for name, edges in grouping.cuts.items()}
    grouped = _fold_pass(table, frame, question, engine, grouping, keeper)
    return FoldedStates.by_group(frame, whole, grouping.keys, grouped)


def _fold_pass(
    table: Predictions | Stream,
    frame: TableInfo,
    question: Plan,
    engine: Engine,
    grouping: "Slices | Crossed | None",
    keeper: Checkpointer | None,
) -> Mapping[Job, Any]:
    groups = 1 if grouping is None else len(grouping.keys)
    _refuse_unbounded(frame, question, groups)
    jobs = list_jobs(frame, question, groups)
    if isinstance(table, Stream):
        table = _narrowed(table, question, jobs)
    name = "whole" if grouping is None else "grouped"
    if keeper is None:
        return engine.fold(table, jobs, grouping)
    begun = keeper.load(name)
    return engine.fold(table, jobs, grouping, begun=begun, keep=partial(keeper.keep, name))


def _refuse_unbounded(frame: TableInfo, question: Plan, groups: int) -> None:
    """Refuse metrics that would keep something of every row of a long stream, before a row is read."""
    for text, metric in question.asked:
        if frame.long and not metric.state.is_bounded(groups):
            by = " by group" if metric.state.is_bounded() else ""
            raise UnsupportedError(
                f"{text} needs a value of every row and has no bounded form{by} over {frame.n} streamed rows; leave "
                f"it out, or evaluate fewer rows"
            )


def list_jobs(frame: TableInfo, question: Plan, groups: int) -> list[Job]:
    """The states to fold, for so many groups."""
    schema = frame.schema
    kept = _list_states(frame, question, groups)
    jobs = {
        Job(m.state, (model,), kept[m.state])
        for _, m in question.asked
        for model in _list_serving(m, schema)
    }
    if question.intervals and schema.models:
        jobs.add(Job(ClassRows(), (next(iter(schema.models)),)))
    return sorted(jobs, key=repr)


def _narrowed(table: Stream, question: Plan, jobs: Sequence[Job]) -> Stream:
    """Only the columns that the jobs read."""
    reads: dict[str, set[str]] = {}
    for _, metric in question.asked:
        for model in _list_serving(metric, table.schema):
            reads.setdefault(model, set()).add(metric.reads)
    hashed = ("id",) if any(job.bucketed for job in jobs) else ()
    return table.narrowed(reads, (*question.by, "cluster", *hashed))


def _list_serving(metric: Metric, schema: Schema) -> list[str]:
    return [model for model in schema.models if schema.offers(model, metric.reads)]


def _list_states(frame: TableInfo, question: Plan, groups: int) -> dict[State[Any], bool]:
    """The states that the metrics read, and whether they are kept by buckets of rows."""
    found: dict[State[Any], bool] = {}
    for _, metric in question.asked:
        resampled = bool(question.intervals) and _is_bucketed(metric, frame, question, groups)
        found[metric.state] = found.get(metric.state, False) or resampled
    return found


def _is_bucketed(metric: Metric, frame: TableInfo, question: Plan, groups: int) -> bool:
    """Whether an interval of the metric resamples buckets of rows."""
    if metric.state.keeps and frame.long:
        return False
    if frame.clustered:
        return True
    if is_one_ranking(metric, frame) and (question.mergeable or _is_ranked_in_blocks(metric, frame, groups)):
        return False
    suited = metric.interval(frame.schema)
    asked = question.intervals if isinstance(question.intervals, str) else suited
    if suited == "t" and asked in ("t", "bootstrap_t"):
        return (frame.n <= FEW * groups and not question.mergeable) or asked == "bootstrap_t"
    return (
        asked == "bootstrap"
        and suited != "delong"
        and not is_resampled_by_cell(metric.state, frame.schema)
    )


def _is_ranked_in_blocks(metric: Metric, frame: TableInfo, groups: int) -> bool:
    """Whether an interval of a metric of order can do with blocks of rows by score: many rows, one problem a figure."""
    return is_one_ranking(metric, frame) and frame.n > ROWS_IN_BLOCKS * groups


def is_one_ranking(metric: Metric, frame: TableInfo) -> bool:
    """Whether each figure is of one ranking problem, of rows that are independent and count alike."""
    if not metric.state.keeps or frame.clustered or frame.weighted:
        return False
    from assay.metrics.curve import CurveMetric  # known only where a metric of order is

    return isinstance(metric, CurveMetric) and (frame.schema.task == "binary" or metric.granularity == "class")
