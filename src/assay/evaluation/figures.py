"""Figures: which states a question needs, folded once over the rows, and the figures read off them.

>>> from assay.evaluation.plan import Question
>>> from assay.evaluation.plan import fold
>>> from assay.engines.local import Local
>>> from assay.metrics.base import METRICS
>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays(["a", "b", "b", "a"], {"m": ["a", "b", "a", "a"]})
>>> question = Question((("accuracy", METRICS.parse("accuracy").on(p.schema)),), (), False, 0.95, 0)
>>> read_rows(fold(p, question, Local()), question)[0].value
0.75
"""

from collections.abc import Mapping
from math import isnan
from typing import Any, NamedTuple

import numpy as np

from assay.engines.base import Job
from assay.evaluation.plan import Folded, Frame, Question, _apart
from assay.intervals.replicates import Sample
from assay.intervals.small_samples import SHARES, cautions
from assay.kernels import Array
from assay.metrics.base import Metric
from assay.states.class_counts import ClassRows
from assay.states.confusion import Confusion, Counts
from assay.states.moments import Sums
from assay.table.schema import Schema

__all__ = ["Row", "counts", "read_rows"]
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
        return {
            ("class" if name == "class_" else name): value for name, value in self._asdict().items()
        }


def counts(folded: Folded, question: Question) -> dict[str, Counts]:
    """The confusion counts of the models for which they were folded anyway."""
    jobs = [job for job in folded.whole if isinstance(job.state, Confusion)]
    return {
        job.models[0]: _sample(job, folded.whole[job], folded.frame, question).summary
        for job in jobs
    }


def read_rows(folded: Folded, question: Question) -> list[Row]:
    """Every figure over all rows, then for each group that has rows."""
    rows = _read(folded.whole, None, folded.frame, question)
    for key, values in zip(folded.keys, folded.grouped or (), strict=True):
        rows += _read(values, key[0] if len(key) == 1 else key, folded.frame, question)
    return rows


def _read(values: Mapping[Job, Any], key: Any, frame: Frame, question: Question) -> list[Row]:
    rows: list[Row] = []
    samples = {
        (job.state, job.models): _sample(job, value, frame, question)
        for job, value in values.items()
    }
    rare = next(
        (
            sample.summary[0]
            for (state, _), sample in samples.items()
            if isinstance(state, ClassRows)
        ),
        None,
    )
    for text, metric in question.asked:
        state = metric.state
        for model in frame.schema.models:
            sample = samples.get((state, (model,)))
            if sample is None:
                nothing = Row(
                    model,
                    text,
                    None,
                    key,
                    np.nan,
                    np.nan,
                    np.nan,
                    0,
                    "",
                    f"gives_no_{metric.reads}",
                )
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
        from assay.intervals.procedures import (  # a start without intervals does not wait for it
            effective_trials,
            interval,
        )

        asked = question.intervals if isinstance(question.intervals, str) else None
        *ends, method = interval(metric, sample, question.confidence, asked)
        low, high = (np.asarray(end, np.float64).tolist() for end in ends)
        if method in SHARES and metric.interval(schema) == "wilson":
            trials = effective_trials(metric, sample)[1]
    said = metric.note(sample.summary, schema) if n and not sample.weightless else ""
    labels = _labels(metric, schema)
    warned = (
        [""] * len(labels)
        if of_class is None
        else cautions(metric, schema, of_class, method, trials)
    )
    result = []
    for label, value, a, b, caution in zip(labels, figures, low, high, warned, strict=True):
        undefined = (
            _reason(metric, sample) if isnan(value) else NO_INTERVAL if wanted and isnan(a) else ""
        )
        few = f"only {n} rows" if question.intervals and 0 < n < 10 else caution if a < b else ""
        note = "; ".join(filter(None, (undefined, said, few))) if undefined or few else said
        result.append(
            Row(model, text, label, key, value, a, b, n, "" if isnan(a) else method, note)
        )
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
