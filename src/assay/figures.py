"""Figures: which states a question needs, folded once over the rows, and the figures read off them.

>>> from assay.engine import Local
>>> from assay.metric import METRICS
>>> from assay.predictions import Predictions
>>> p = Predictions.from_arrays(["a", "b", "b", "a"], {"m": ["a", "b", "a", "a"]})
>>> question = Question((("accuracy", METRICS.parse("accuracy").on(p.schema)),), (), False, 0.95, 0)
>>> read_rows(fold(p, question, Local()), question)[0].value
0.75
"""

from collections.abc import Mapping, Sequence
from functools import partial
from math import isnan
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from assay.cautions import SHARES, ClassRows, cautions
from assay.engine import BUCKETS, Engine, Job
from assay.errors import UnsupportedError
from assay.metric import Metric
from assay.predictions import Predictions
from assay.resampling import is_resampled_by_cell
from assay.sample import FEW, Sample
from assay.state import Confusion, Counts, State, Sums, is_beyond
from assay.stream import Stream
from assay.table.labels import Array
from assay.table.schema import Schema

if TYPE_CHECKING:
    from assay.binning import Crossed, Slices

__all__ = ["Folded", "Frame", "Keeper", "Question", "Row", "counts", "fold", "jobs_of", "read_rows"]

# Rows of a group from which on a figure of order varies by blocks of them as it does by rows.
ROWS_IN_BLOCKS = 1 << 16
# What is said of a figure without an interval.
NO_INTERVAL = "no interval can be had from these rows"


class Row(NamedTuple):
    """One figure: `value` in [`low`, `high`] by `method`, on `n` rows; nan values carry their reason in `note`.

    `class_` (JSON: class) is the class of a per-class figure, (truth, predicted) for a confusion matrix, else None;
    `group` the value of the group column (several columns: a tuple), None over all rows.
    """

    model: str
    metric: str
    class_: Any
    group: Any
    value: float
    low: float
    high: float
    n: int
    method: str
    note: str

    def to_dict(self) -> dict[str, Any]:
        """The row under the names of the JSON contract."""
        return {("class" if name == "class_" else name): value for name, value in self._asdict().items()}


class Question(NamedTuple):
    """What is asked of a table: metrics with their canonical texts, group columns, and how sure to be."""

    asked: tuple[tuple[str, Metric], ...]
    by: tuple[str, ...]
    intervals: bool | str
    confidence: float
    seed: int
    mergeable: bool = False  # whether states are to be joined with those of other jobs, however many rows each has


class Frame(NamedTuple):
    """What is known of a table besides its rows."""

    schema: Schema
    n: int
    clustered: bool
    notes: tuple[str, ...] = ()
    long: bool = False  # whether it is a stream of which scores are sketched
    weighted: bool = False

    @staticmethod
    def of(table: Predictions | Stream) -> "Frame":
        """The frame of a table."""
        long = isinstance(table, Stream) and is_beyond(table.n, table.schema)
        weighted = (table.head if isinstance(table, Stream) else table).weight is not None
        return Frame(table.schema, table.n, "cluster" in table.columns, table.notes, long, weighted)


class Folded(NamedTuple):
    """The states of a question, over all rows and, where asked, of each group: all that an answer needs."""

    frame: Frame
    whole: Mapping[Job, Any]
    keys: tuple[tuple[Any, ...], ...] = ()
    grouped: Sequence[Mapping[Job, Any]] | None = None

    @staticmethod
    def by_group(
        frame: Frame, whole: Mapping[Job, Any], keys: tuple[tuple[Any, ...], ...], grouped: Mapping[Job, Any]
    ) -> "Folded":
        """From states whose cells are groups, or buckets within groups."""
        return Folded(frame, whole, keys, [_of_group(grouped, i) for i in range(len(keys))])


def _of_group(values: Mapping[Job, Any], i: int) -> dict[Job, Any]:
    width = {job: BUCKETS if job.bucketed else 1 for job in values}
    return {job: job.state.take(value, slice(i * width[job], (i + 1) * width[job])) for job, value in values.items()}


class Keeper(Protocol):
    """Where an interrupted pass over the rows goes on from."""

    keys: tuple[tuple[Any, ...], ...]
    cuts: Mapping[str, list[float]]  # where columns of numbers were cut

    def load(self, name: str) -> tuple[int, Mapping[Job, Any]] | None:
        """How many batches of a pass have been folded, and their values; None where there are none."""

    def keep(self, name: str, done: int, values: Mapping[Job, Any], *, now: bool) -> None:
        """Take them, to be saved at once if `now`, else when it is time."""


def fold(table: Predictions | Stream, question: Question, engine: Engine, keeper: Keeper | None = None) -> Folded:
    """One pass over the rows for all of them together, and one by group where groups are asked for."""
    frame = Frame.of(table)
    whole = _pass(table, frame, question, engine, None, keeper)
    if not question.by:
        return Folded(frame, whole)
    from assay.binning import crossing_of, grouping_of

    grouping = crossing_of(table, question.by) if isinstance(table, Stream) else grouping_of(table, question.by)
    if keeper is not None:
        keeper.keys = grouping.keys
        keeper.cuts = {name: edges.tolist() for name, edges in grouping.cuts.items()}
    grouped = _pass(table, frame, question, engine, grouping, keeper)
    return Folded.by_group(frame, whole, grouping.keys, grouped)


def _pass(
    table: Predictions | Stream,
    frame: Frame,
    question: Question,
    engine: Engine,
    grouping: "Slices | Crossed | None",
    keeper: Keeper | None,
) -> Mapping[Job, Any]:
    groups = 1 if grouping is None else len(grouping.keys)
    _refuse_unbounded(frame, question, groups)
    jobs = jobs_of(frame, question, groups)
    if isinstance(table, Stream):
        table = _narrowed(table, question, jobs)
    name = "whole" if grouping is None else "grouped"
    if keeper is None:
        return engine.fold(table, jobs, grouping)
    begun = keeper.load(name)
    return engine.fold(table, jobs, grouping, begun=begun, keep=partial(keeper.keep, name))


def _refuse_unbounded(frame: Frame, question: Question, groups: int) -> None:
    """Refuse metrics that would keep something of every row of a long stream, before a row is read."""
    for text, metric in question.asked:
        if frame.long and not metric.state.is_bounded(groups):
            by = " by group" if metric.state.is_bounded() else ""
            raise UnsupportedError(
                f"{text} needs a value of every row and has no bounded form{by} over {frame.n} streamed rows; leave "
                f"it out, or evaluate fewer rows"
            )


def jobs_of(frame: Frame, question: Question, groups: int) -> list[Job]:
    """The states to fold, for so many groups."""
    schema = frame.schema
    kept = _states(frame, question, groups)
    jobs = {Job(m.state, (model,), kept[m.state]) for _, m in question.asked for model in _serving(m, schema)}
    if question.intervals and schema.models:
        jobs.add(Job(ClassRows(), (next(iter(schema.models)),)))
    return sorted(jobs, key=repr)


def _narrowed(table: Stream, question: Question, jobs: Sequence[Job]) -> Stream:
    """Only the columns that the jobs read."""
    reads: dict[str, set[str]] = {}
    for _, metric in question.asked:
        for model in _serving(metric, table.schema):
            reads.setdefault(model, set()).add(metric.reads)
    hashed = ("id",) if any(job.bucketed for job in jobs) else ()
    return table.narrowed(reads, (*question.by, "cluster", *hashed))


def counts(folded: Folded, question: Question) -> dict[str, Counts]:
    """The confusion counts of the models for which they were folded anyway."""
    jobs = [job for job in folded.whole if isinstance(job.state, Confusion)]
    return {job.models[0]: _sample(job, folded.whole[job], folded.frame, question).summary for job in jobs}


def read_rows(folded: Folded, question: Question) -> list[Row]:
    """Every figure over all rows, then for each group that has rows."""
    rows = _read(folded.whole, None, folded.frame, question)
    for key, values in zip(folded.keys, folded.grouped or (), strict=True):
        rows += _read(values, key[0] if len(key) == 1 else key, folded.frame, question)
    return rows


def _serving(metric: Metric, schema: Schema) -> list[str]:
    return [model for model in schema.models if schema.offers(model, metric.reads)]


def _states(frame: Frame, question: Question, groups: int) -> dict[State[Any], bool]:
    """The states that the metrics read, and whether they are kept by buckets of rows."""
    found: dict[State[Any], bool] = {}
    for _, metric in question.asked:
        resampled = bool(question.intervals) and _bucketed(metric, frame, question, groups)
        found[metric.state] = found.get(metric.state, False) or resampled
    return found


def _bucketed(metric: Metric, frame: Frame, question: Question, groups: int) -> bool:
    """Whether an interval of the metric resamples buckets of rows."""
    if metric.state.keeps and frame.long:
        return False
    if frame.clustered:
        return True
    if _apart(metric, frame) and (question.mergeable or _in_blocks(metric, frame, groups)):
        return False
    suited = metric.interval(frame.schema)
    asked = question.intervals if isinstance(question.intervals, str) else suited
    if suited == "t" and asked in ("t", "bootstrap_t"):
        return (frame.n <= FEW * groups and not question.mergeable) or asked == "bootstrap_t"
    return asked == "bootstrap" and suited != "delong" and not is_resampled_by_cell(metric.state, frame.schema)


def _in_blocks(metric: Metric, frame: Frame, groups: int) -> bool:
    """Whether an interval of a metric of order can do with blocks of rows by score: many rows, one problem a figure."""
    return _apart(metric, frame) and frame.n > ROWS_IN_BLOCKS * groups


def _apart(metric: Metric, frame: Frame) -> bool:
    """Whether each figure is of one ranking problem, of rows that are independent and count alike."""
    if not metric.state.keeps or frame.clustered or frame.weighted:
        return False
    from assay.curve import CurveMetric  # known only where a metric of order is

    return isinstance(metric, CurveMetric) and (frame.schema.task == "binary" or metric.axes == 1)


def _read(values: Mapping[Job, Any], key: Any, frame: Frame, question: Question) -> list[Row]:
    rows: list[Row] = []
    samples = {(job.state, job.models): _sample(job, value, frame, question) for job, value in values.items()}
    rare = next((sample.summary[0] for (state, _), sample in samples.items() if isinstance(state, ClassRows)), None)
    for text, metric in question.asked:
        state = metric.state
        for model in frame.schema.models:
            sample = samples.get((state, (model,)))
            if sample is None:
                nothing = Row(model, text, None, key, np.nan, np.nan, np.nan, 0, "", f"gives_no_{metric.reads}")
                rows.append(nothing)
            elif sample.n or key is None:
                rows += _figures(model, text, metric, key, sample, question, frame, rare)
    return rows


def _sample(job: Job, value: Any, frame: Frame, question: Question) -> Sample:
    return Sample(job.state, value, frame.schema, job.bucketed, frame.clustered, question.seed)


def _figures(
    model: str,
    text: str,
    metric: Metric,
    key: Any,
    sample: Sample,
    question: Question,
    frame: Frame,
    of_class: Array | None,
) -> list[Row]:
    schema, n = sample.schema, sample.n
    figures = metric.figures(sample.summary).tolist()
    low = high = [np.nan] * len(figures)
    method, trials = "", None
    unknown = sample.sketched and not _apart(metric, frame)
    wanted = bool(question.intervals and n and not unknown)
    if wanted:
        from assay.uncertainty import effective_trials, interval  # a start without intervals does not wait for it

        asked = question.intervals if isinstance(question.intervals, str) else None
        *ends, method = interval(metric, sample, question.confidence, asked)
        low, high = (np.asarray(end, np.float64).tolist() for end in ends)
        if method in SHARES and metric.interval(schema) == "wilson":
            trials = effective_trials(metric, sample)[1]
    said = metric.note(sample.summary, schema) if n and not sample.weightless else ""
    labels = _labels(metric, schema)
    warned = [""] * len(labels) if of_class is None else cautions(metric, schema, of_class, method, trials)
    result = []
    for label, value, a, b, caution in zip(labels, figures, low, high, warned, strict=True):
        undefined = _reason(metric, sample) if isnan(value) else NO_INTERVAL if wanted and isnan(a) else ""
        few = f"only {n} rows" if question.intervals and 0 < n < 10 else caution if a < b else ""
        note = "; ".join(filter(None, (undefined, said, few))) if undefined or few else said
        result.append(Row(model, text, label, key, value, a, b, n, "" if isnan(a) else method, note))
    return result


def _reason(metric: Metric, sample: Sample) -> str:
    """The reason code of an undefined figure."""
    if not sample.n:
        return "no_samples"
    if sample.weightless:
        return "zero_weight"
    summary = sample.summary
    overflown = isinstance(summary, Sums) and not np.isfinite(summary.m2).all()
    return "overflow" if overflown or metric.undefined == "no_samples" else metric.undefined


def _labels(metric: Metric, schema: Schema) -> list[Any]:
    """What each figure of a metric is about: nothing, a class, or a pair (truth, predicted)."""
    if metric.axes == 0:
        return [None]
    if metric.axes == 1:
        return list(schema.classes)
    return [(truth, predicted) for truth in schema.classes for predicted in schema.classes]
