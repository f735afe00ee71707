"""Plan: which states an evaluation needs, decided before a row is read; and the passes that fold
them.

>>> from assay.engines.local import Local
>>> from assay.metrics.resolve import resolve
>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays(["a", "b", "b", "a"], {"m": ["a", "b", "a", "a"]})
>>> plan = Plan(tuple(resolve(["accuracy", "f1"], p.schema)), (), False, 0.95, 0)
>>> [str(job.state) for job in fold_states(p, plan, Local()).whole]
['Confusion()']
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

from assay.engines.base import Engine, Job
from assay.errors import UnsupportedError
from assay.intervals.procedures import count_skewed
from assay.intervals.resampling import is_resampled_by_cell
from assay.metrics.base import Metric
from assay.states.base import State, is_beyond
from assay.states.class_counts import ClassRows
from assay.table.buckets import BUCKETS
from assay.table.predictions import Predictions
from assay.table.protocol import Grouping, Table
from assay.table.schema import Schema

__all__ = [
    "Checkpointer",
    "FoldedStates",
    "Plan",
    "TableInfo",
    "describe_table",
    "fold_states",
    "is_one_ranking",
    "list_jobs",
    "refuse_unbounded",
]

# Rows of a group from which on a ranking metric varies by blocks of rows as it does by single rows.
ROWS_IN_BLOCKS = 1 << 16


class Plan(NamedTuple):
    """What is asked of a table: metrics with their canonical texts, group columns, and how sure to
    be.
    """

    metrics: tuple[tuple[str, Metric], ...]
    by: tuple[str, ...]
    intervals: bool | str
    confidence: float
    seed: int


class TableInfo(NamedTuple):
    """What is known of a table besides its rows; `long` where scores are sketched, for there are
    too many to keep.
    """

    schema: Schema
    n: int
    clustered: bool
    notes: tuple[str, ...] = ()
    long: bool = False
    weighted: bool = False


def describe_table(table: Table, grouped: Table | None = None) -> TableInfo:
    """What is known of a `table` besides its rows; `grouped` is that whose groups are asked for."""
    info = TableInfo(
        table.schema,
        table.n,
        clustered="cluster" in table.columns,
        notes=table.notes,
        long=not table.is_in_memory and is_beyond(table.n, table.schema),
        weighted=table.head.weight is not None,
    )
    if grouped is None or grouped is table:
        return info
    return info._replace(long=info.long or describe_table(grouped).long)


class FoldedStates(NamedTuple):
    """The states of a plan over all rows and, where asked, of each group: all that an evaluation
    needs.

    States that were kept on disk come with the `rows` themselves, where these are few, and with the
    `source` that tells them from others.
    """

    info: TableInfo
    whole: Mapping[Job, Any]
    keys: tuple[tuple[Any, ...], ...] = ()
    grouped: Sequence[Mapping[Job, Any]] | None = None
    rows: Predictions | None = None
    source: Sequence[Any] = ()


def split_groups(values: Mapping[Job, Any], groups: int) -> list[dict[Job, Any]]:
    """The values of each of so many `groups`, of `values` whose cells are groups, or buckets within
    groups.
    """
    width = {job: BUCKETS if job.bucketed else 1 for job in values}
    return [
        {
            job: job.state.select(value, slice(i * width[job], (i + 1) * width[job]))
            for job, value in values.items()
        }
        for i in range(groups)
    ]


class Checkpointer(Protocol):
    """Where an interrupted pass over the rows goes on from; `cuts` are where columns of numbers
    were cut.
    """

    keys: tuple[tuple[Any, ...], ...]
    cuts: Mapping[str, list[float]]

    def load(self, name: str) -> tuple[int, Mapping[Job, Any]] | None:
        """How many parts of the pass `name` have been folded, and their values; None where there
        are none.
        """

    def keep(self, name: str, done: int, values: Mapping[Job, Any], *, now: bool) -> None:
        """Take the `values` of `done` parts of the pass `name`, to be saved at once if `now`, else
        in time.
        """


def fold_states(
    table: Table,
    plan: Plan,
    engine: Engine,
    checkpointer: Checkpointer | None = None,
    *,
    grouped: Table | None = None,
) -> FoldedStates:
    """Fold what a `plan` needs over a `table`: one pass over the rows, and one by group where
    groups are asked for.

    The `engine` reads the rows; a `checkpointer` says where a pass goes on from, and keeps its
    states. `grouped` is the table whose groups are asked for, where that is another.
    """
    grouped = table if grouped is None or not plan.by else grouped
    info = describe_table(table, grouped)
    whole = _fold_pass(table, info, plan, engine, None, checkpointer)
    if not plan.by:
        return FoldedStates(info, whole)
    from assay.io.stream_groups import group_table

    grouping = group_table(grouped, plan.by)
    if checkpointer is not None:
        checkpointer.keys = grouping.keys
        checkpointer.cuts = {name: edges.tolist() for name, edges in grouping.cuts.items()}
    values = _fold_pass(grouped, info, plan, engine, grouping, checkpointer)
    of_groups = split_groups(values, len(grouping.keys))
    return FoldedStates(info, whole, grouping.keys, of_groups)


def _fold_pass(
    table: Table,
    info: TableInfo,
    plan: Plan,
    engine: Engine,
    grouping: Grouping | None,
    checkpointer: Checkpointer | None,
) -> Mapping[Job, Any]:
    groups = 1 if grouping is None else len(grouping.keys)
    refuse_unbounded(info, plan, groups)
    jobs = list_jobs(info, plan, groups)
    table = _narrow(table, plan, jobs)
    if checkpointer is None:
        return engine.fold(table, jobs, grouping)
    name = "whole" if grouping is None else "grouped"
    on_batch = partial(checkpointer.keep, name)
    return engine.fold(table, jobs, grouping, start=checkpointer.load(name), on_batch=on_batch)


def refuse_unbounded(info: TableInfo, plan: Plan, groups: int) -> None:
    """Refuse metrics of a `plan` that would keep something of every row of a long stream.

    `info` is of the stream, which has so many `groups`.
    """
    for text, metric in plan.metrics:
        if info.long and not metric.state.is_bounded(groups):
            by = " by group" if metric.state.is_bounded() else ""
            raise UnsupportedError(
                f"{text} needs a value of every row and has no bounded form{by} over {info.n} "
                f"streamed rows; leave it out, or evaluate fewer rows"
            )


def list_jobs(info: TableInfo, plan: Plan, groups: int) -> list[Job]:
    """The states to fold for a `plan`, for so many `groups`, of the table that `info` describes."""
    schema = info.schema
    bucketed = _find_bucketed(info, plan, groups)
    jobs = {
        Job(metric.state, (model,), bucketed[metric.state])
        for _, metric in plan.metrics
        for model in _list_serving(metric, schema)
    }
    if plan.intervals and schema.models:
        jobs.add(Job(ClassRows(), (next(iter(schema.models)),)))
    return sorted(jobs, key=repr)


def _narrow(table: Table, plan: Plan, jobs: Sequence[Job]) -> Table:
    """Only the columns that the jobs read."""
    reads: dict[str, set[str]] = {}
    for _, metric in plan.metrics:
        for model in _list_serving(metric, table.schema):
            reads.setdefault(model, set()).add(metric.reads)
    hashed = ("id",) if any(job.bucketed for job in jobs) else ()
    read = {name for _, metric in plan.metrics for name in metric.columns}
    return table.narrow(reads, (*plan.by, "cluster", *hashed, *sorted(read)))


def _list_serving(metric: Metric, schema: Schema) -> list[str]:
    """The models that give what the metric reads."""
    return [model for model in schema.models if schema.offers(model, metric.reads)]


def _find_bucketed(info: TableInfo, plan: Plan, groups: int) -> dict[State[Any], bool]:
    """The states that the metrics read, and whether they are kept by buckets of rows."""
    bucketed: dict[State[Any], bool] = {}
    for _, metric in plan.metrics:
        resampled = bool(plan.intervals) and _is_bucketed(metric, info, plan, groups)
        bucketed[metric.state] = bucketed.get(metric.state, False) or resampled
    return bucketed


def _is_bucketed(metric: Metric, info: TableInfo, plan: Plan, groups: int) -> bool:
    """Whether an interval of the metric resamples buckets of rows."""
    if metric.state.keeps and info.long:
        return False
    if info.clustered:
        return True
    # A ranking metric of many rows varies by blocks of rows with near scores as it does by rows.
    if info.n > ROWS_IN_BLOCKS * groups and is_one_ranking(metric, info):
        return False
    suited = metric.interval(info.schema)
    procedure = plan.intervals if isinstance(plan.intervals, str) else suited
    if suited == "t" and procedure in ("t", "bootstrap_t"):
        few = info.n <= count_skewed(metric, info.schema) * groups
        return few or procedure == "bootstrap_t"
    resampled = procedure == "bootstrap" and suited != "delong"
    return resampled and not is_resampled_by_cell(metric.state, info.schema)


def is_one_ranking(metric: Metric, info: TableInfo) -> bool:
    """Whether each value of a `metric` is of one ranking, of rows that are independent and count
    alike.

    `info` describes the table.
    """
    if not metric.state.keeps or info.clustered or info.weighted:
        return False
    from assay.metrics.curve import CurveMetric  # loaded only where a ranking metric is

    binary = info.schema.task == "binary"
    return isinstance(metric, CurveMetric) and (binary or metric.granularity == "class")
