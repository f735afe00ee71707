"""Values: what is read off the folded states of a plan, each value with its interval and its notes.

>>> from assay.engines.local import Local
>>> from assay.evaluation.plan import Plan, fold_states
>>> from assay.metrics.resolve import resolve
>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays(["a", "b", "b", "a"], {"m": ["a", "b", "a", "a"]})
>>> plan = Plan(tuple(resolve("accuracy", p.schema)), (), False, 0.95, 0)
>>> read_rows(fold_states(p, plan, Local()), plan)[0].value
0.75
"""

from collections.abc import Iterator, Mapping
from itertools import chain
from math import isnan, nan
from typing import Any, NamedTuple

import numpy as np

from assay.core.progress import show_progress
from assay.engines.base import Job
from assay.errors import UnsupportedError
from assay.evaluation.plan import FoldedStates, Plan, TableInfo, is_one_ranking
from assay.intervals.replicates import Sample
from assay.intervals.resampling import REPLICATES
from assay.intervals.small_samples import (
    SHARES,
    MeasuresGaps,
    note_few_units,
    note_small_samples,
)
from assay.kernels import Array
from assay.metrics.base import Metric
from assay.states.class_counts import ClassRows
from assay.states.confusion import Confusion, Counts
from assay.states.moments import Sums
from assay.table.schema import Schema

__all__ = ["Row", "read_counts", "read_rows"]

# The note on a value that has no interval.
NO_INTERVAL = "no interval can be had from these rows"
# Rows below which a note says how few they are.
FEW_ROWS = 10
# The note on an interval of a calibration error where rows come in clusters.
CHANCE_IN_CLUSTERS = (
    "chance makes a calibration error larger, and is taken off in part where rows are clustered: "
    "the interval may be too narrow"
)
# The note on an interval whose ends lie beyond all but the last of the replicates, and procedures
# that read ends off replicates.
BEYOND = "too few replicates for this confidence: the interval may be too narrow"
RESAMPLED = frozenset({"bootstrap", "bootstrap-t", "parametric bootstrap"})


class Row(NamedTuple):
    """One value of one metric of one model: `value` in [`low`, `high`] by `method`, on `n` rows.

    `class_` (JSON: class) is the class of a value of one class, (truth, predicted) for a confusion
    matrix, else None; `group` is the value of the group column (of several columns: a tuple), None
    over all rows. An undefined value is nan, and `note` has the reason.

    >>> from assay.evaluation.evaluate import evaluate
    >>> from assay.table.predictions import Predictions
    >>> p = Predictions.from_arrays([0, 1, 1], {"m": [0, 1, 0]})
    >>> row = evaluate(p, "recall", intervals=False).rows[0]
    >>> row.model, row.metric, row.value, row.n
    ('m', 'recall', 0.5, 3)
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
        return {
            ("class" if name == "class_" else name): value for name, value in self._asdict().items()
        }


def read_counts(folded: FoldedStates, plan: Plan) -> dict[str, Counts]:
    """The confusion counts of the models for which the `folded` states of a `plan` hold them
    anyway.
    """
    return {
        job.models[0]: _make_sample(job, value, folded.info, plan).summary
        for job, value in folded.whole.items()
        if isinstance(job.state, Confusion)
    }


def read_rows(folded: FoldedStates, plan: Plan, progress: bool | None = False) -> list[Row]:
    """Every value that the `folded` states of a `plan` give: over all rows, then of each group that
    has rows.

    `progress` says whether a bar shows it, as for `show_progress`.
    """
    readers = [_GroupReader(folded.whole, None, folded.info, plan)]
    for key, values in zip(folded.keys, folded.grouped or (), strict=True):
        group = key[0] if len(key) == 1 else key
        readers.append(_GroupReader(values, group, folded.info, plan))
    total = len(readers) * len(plan.metrics) * len(folded.info.schema.models)
    rows: list[Row] = []
    with show_progress("reading values", total, progress) as update:
        parts = chain.from_iterable(reader.read() for reader in readers)
        for done, part in enumerate(parts, start=1):
            rows += part
            update(done, "")
    return rows


class _Bounds(NamedTuple):
    """The ends of the interval of each value of a metric; `method` is None where no interval is
    wanted.

    `trials` are those of shares of rows.
    """

    low: list[float]
    high: list[float]
    method: str | None = None
    trials: Array | None = None


class _GroupReader(NamedTuple):
    """Reads the values of one group of rows, or of all rows where `group` is None."""

    values: Mapping[Job, Any]
    group: Any
    info: TableInfo
    plan: Plan

    def read(self) -> Iterator[list[Row]]:
        """The rows of every metric of every model, one after the other."""
        samples = {
            (job.state, job.models): _make_sample(job, value, self.info, self.plan)
            for job, value in self.values.items()
        }
        counted = (
            s.summary[0] for (state, _), s in samples.items() if isinstance(state, ClassRows)
        )
        class_rows = next(counted, None)
        for text, metric in self.plan.metrics:
            for model in self.info.schema.models:
                sample = samples.get((metric.state, (model,)))
                if sample is None:
                    why = f"gives_no_{metric.reads}"
                    yield [Row(model, text, None, self.group, nan, nan, nan, 0, "", why)]
                elif sample.n or self.group is None:
                    yield self._read_metric(model, text, metric, sample, class_rows)

    def _read_metric(
        self, model: str, text: str, metric: Metric, sample: Sample, class_rows: Array | None
    ) -> list[Row]:
        """A row for each value of a metric of a model."""
        values = metric.estimate(sample.summary).tolist()
        labels = _list_labels(metric, sample.schema)
        if len(values) != len(labels):
            raise UnsupportedError(
                f"{text} gives {len(values)} values where {len(labels)} are expected, one for each "
                f"{metric.granularity}; hold the metric to assay.testing.check_metric"
            )
        low, high, method, trials = self._find_bounds(metric, sample, len(values))
        warnings = [""] * len(labels)
        if class_rows is not None:
            warnings = note_small_samples(metric, sample.schema, class_rows, method or "", trials)
        remark = ""
        if sample.n and not sample.has_no_weight:
            remark = metric.note(sample.summary, sample.schema)
        few = self.plan.intervals and 0 < sample.n < FEW_ROWS
        rows = []
        for label, value, a, b, warning in zip(labels, values, low, high, warnings, strict=True):
            undefined = NO_INTERVAL if method is not None and isnan(a) else ""
            if isnan(value):
                undefined = _explain_undefined(metric, sample)
            caution = warning if a < b else ""
            if a < b:
                caution = caution or self._note_units(metric, sample, method or "")
            if few:
                caution = f"only {sample.n} rows"
            far = BEYOND if a < b and self._is_beyond_replicates(method) else ""
            note = "; ".join(filter(None, (undefined, remark, caution, far)))
            by = "" if method is None or isnan(a) else method
            rows.append(Row(model, text, label, self.group, value, a, b, sample.n, by, note))
        return rows

    def _note_units(self, metric: Metric, sample: Sample, method: str) -> str:
        """A word on few clusters, or few effective rows."""
        clusters = None
        if sample.clustered and sample.bucketed:
            clusters = int(np.count_nonzero(sample.value.rows))
            if isinstance(metric, MeasuresGaps):
                return CHANCE_IN_CLUSTERS
        return note_few_units(metric.name, sample.n, sample.effective, clusters, method)

    def _is_beyond_replicates(self, method: str | None) -> bool:
        """Whether replicates are too few to say where an interval by `method` ends."""
        return method in RESAMPLED and (1 - self.plan.confidence) * REPLICATES < 1

    def _find_bounds(self, metric: Metric, sample: Sample, size: int) -> _Bounds:
        """The interval of each of `size` values; nan where none is wanted, or none can be had."""
        unknown = sample.is_sketched and not is_one_ranking(metric, self.info)
        if not self.plan.intervals or not sample.n or unknown:
            return _Bounds([nan] * size, [nan] * size)
        # Loaded late: a start without intervals does not wait for it.
        from assay.intervals.procedures import compute_interval, effective_trials

        procedure = self.plan.intervals if isinstance(self.plan.intervals, str) else None
        low, high, method = compute_interval(metric, sample, self.plan.confidence, procedure)
        trials = None
        if method in SHARES and metric.interval(sample.schema) == "wilson":
            trials = effective_trials(metric, sample)[1]
        return _Bounds(_convert_to_floats(low), _convert_to_floats(high), method, trials)


def _make_sample(job: Job, value: Any, info: TableInfo, plan: Plan) -> Sample:
    return Sample(job.state, value, info.schema, job.bucketed, info.clustered, plan.seed)


def _convert_to_floats(values: Any) -> list[float]:
    return list(np.asarray(values, np.float64).tolist())


def _explain_undefined(metric: Metric, sample: Sample) -> str:
    """The reason code of an undefined value."""
    if not sample.n:
        return "no_samples"
    if sample.has_no_weight:
        return "zero_weight"
    summary = sample.summary
    overflown = isinstance(summary, Sums) and not np.isfinite(summary.m2).all()
    reason = metric.find_reason(summary)
    return "overflow" if overflown or reason == "no_samples" else reason


def _list_labels(metric: Metric, schema: Schema) -> list[Any]:
    """What each value of a metric is about: nothing, a class, or a pair (truth, predicted)."""
    if metric.granularity == "table":
        return [None]
    if metric.granularity == "class":
        return list(schema.classes)
    return [(truth, predicted) for truth in schema.classes for predicted in schema.classes]
