"""evaluate: every metric of every model in one pass, with an interval beside each figure.

>>> from assay.predictions import Predictions
>>> p = Predictions.from_arrays(["a", "b", "b", "a"], {"m": ["a", "b", "a", "a"]})
>>> evaluate(p, "accuracy").value
0.75
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, TypeAlias

import numpy as np

from assay.advice import Advice, advise
from assay.engine import BUCKETS, Engine, Grouping, Job, Local
from assay.errors import UnsupportedError
from assay.io import Source, table_of
from assay.metric import METRICS, Metric
from assay.predictions import Predictions
from assay.resampling import is_resampled_by_cell
from assay.result import Result, format_number, text_table
from assay.state import Confusion, Counts
from assay.table.schema import Schema, Task
from assay.uncertainty import FEW, PROCEDURES, Sample, interval

__all__ = ["DEFAULTS", "Evaluation", "Row", "defaults", "evaluate", "resolve"]

Metrics: TypeAlias = str | Metric | Sequence[str | Metric] | None

DEFAULTS: dict[Task, tuple[str, ...]] = {
    "binary": ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "roc_auc", "log_loss", "brier"),
    "multiclass": ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "roc_auc", "log_loss", "brier"),
    "multilabel": (
        "subset_accuracy", "hamming_loss", "precision", "recall", "f1", "f1(average=micro)", "f1(average=samples)",
        "roc_auc", "log_loss",
    ),
    "regression": ("rmse", "mse", "mae", "r2"),
}  # fmt: skip


@dataclass(frozen=True)
class Row:
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
        return {("class" if name == "class_" else name): value for name, value in self.__dict__.items()}


@dataclass(frozen=True, repr=False)
class Evaluation(Result):
    """The figures of several models on one table; `rows` is the tidy truth, the rest are ways to read it."""

    schema_name: ClassVar[str] = "assay.evaluation/1"
    drawn_by: ClassVar[str] = "leaderboard"

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
    def records(self) -> list[dict[str, Any]]:
        return [row.to_dict() for row in self.rows]

    def to_dict(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "classes": self.classes,
            "positive": self.positive,
            "n": self.n,
            "confidence": self.confidence,
            "by": self.by,
            "rows": self.records,
            "advice": [advice.__dict__ for advice in self.advice],
            "notes": self.notes,
        }

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

    def __repr__(self) -> str:
        by_figure: dict[tuple[Any, ...], dict[str, Row]] = {}
        for row in self.rows:
            by_figure.setdefault((row.metric, row.class_, row.group), {})[row.model] = row
        header = ["metric", *self.models]
        body = [
            [_figure_name(key), *(_cell(rows.get(model)) for model in self.models)] for key, rows in by_figure.items()
        ]
        title = f"Evaluation: {self.n} rows, {self.task}, {self.confidence:.0%} intervals"
        said = [
            f"{row.model}, {_figure_name((row.metric, row.class_, row.group))}: {row.note}"
            for row in self.rows
            if row.note and not row.note.startswith("gives_no")
        ]
        more = [f"... {len(said) - 8} more notes in .rows"] if len(said) > 8 else []
        return "\n".join([title, text_table(header, body), *said[:8], *more, *map(str, self.advice), *self.notes])


def evaluate(
    predictions: Source,
    metrics: Metrics = None,
    *,
    by: str | Sequence[str] | None = None,
    intervals: bool | str = True,
    confidence: float = 0.95,
    engine: Engine | None = None,
    seed: int = 0,
) -> Evaluation:
    """The figures of every model in `predictions`, in one pass over the rows.

    metrics: texts such as "f1(average=micro)" or Metric instances; by default those that suit the task and what the
    models gave. by: group columns; figures are then given for each group besides the whole. intervals: whether to put
    an interval of the given confidence beside each figure, by the procedure that suits it, or the name of the procedure
    for all (wilson, jeffreys, clopper_pearson, t, bootstrap_t, delong, bootstrap). The same table and seed give the
    same result in any split.

    A metric that a model cannot serve (a probability metric, where it gave labels) is nan with the reason in `note`;
    where no model can, UnsupportedError. Undefined figures are nan with a reason code.
    """
    if not 0 < confidence < 1:
        raise UnsupportedError(f"confidence must be between 0 and 1; got {confidence}")
    table = table_of(predictions)
    names = (by,) if isinstance(by, str) else tuple(by or ())
    asked = resolve(metrics, table.schema)
    if isinstance(intervals, str) and intervals not in PROCEDURES:
        raise UnsupportedError(f"intervals must be True, False or one of {', '.join(PROCEDURES)}; got {intervals!r}")
    plan = _Plan(table, asked, names, intervals, confidence, engine or Local(), seed)
    positive = table.schema.positive if table.task == "binary" else None
    found = advise(table, plan.counts())
    rows = tuple(plan.rows())
    return Evaluation(table.task, table.classes, table.n, rows, found, confidence, names, positive, table.notes)


def defaults(predictions: Predictions) -> list[str]:
    """The metrics that are read where none is asked for: those that suit the task and what the models gave."""
    return _defaults(predictions.schema)


def _defaults(schema: Schema) -> list[str]:
    reads = {text: METRICS.parse(text).reads for text in DEFAULTS[schema.task]}
    return [text for text, read in reads.items() if any(schema.offers(model, read) for model in schema.models)]


def resolve(metrics: Metrics, schema: Schema) -> list[tuple[str, Metric]]:
    """Canonical text and instance, settled for the schema, of every metric asked for; the task's defaults if None."""
    if metrics is None:
        found = [METRICS.parse(text) for text in _defaults(schema)]
    else:
        found = [METRICS.parse(m) for m in ([metrics] if isinstance(metrics, str | Metric) else metrics)]
        for metric in found:
            if not any(schema.offers(model, metric.reads) for model in schema.models):
                gives = "; ".join(f"{m}: {', '.join(kinds)}" for m, kinds in schema.models.items())
                raise UnsupportedError(f"metric {metric} needs {metric.reads}, which no model gives ({gives})")
    return [(str(m), m.on(schema)) for m in dict.fromkeys(found)]


@dataclass(frozen=True)
class _Plan:
    """Which states to fold for whom, and how to read the figures off them."""

    table: Predictions
    asked: list[tuple[str, Metric]]
    by: tuple[str, ...]
    intervals: bool | str
    confidence: float
    engine: Engine
    seed: int

    @cached_property
    def whole(self) -> dict[Job, Any]:
        """The states over all rows, without groups."""
        return self._fold(None)

    def counts(self) -> dict[str, Counts]:
        """The confusion counts of the models for which they were folded anyway."""
        jobs = [job for job in self.whole if isinstance(job.state, Confusion)]
        return {job.models[0]: self._sample(job, self.whole[job], 0).summary for job in jobs}

    def rows(self) -> list[Row]:
        """Every figure over all rows, then for each group."""
        rows = self._read(self.whole, [None])
        if self.by:
            grouping = Grouping.of(self.table, self.by)
            rows += self._read(self._fold(grouping), [key[0] if len(key) == 1 else key for key in grouping.keys])
        return rows

    def _fold(self, grouping: Grouping | None) -> dict[Job, Any]:
        groups = 1 if grouping is None else len(grouping.keys)
        jobs = {self._job(metric, model, groups) for _, metric in self.asked for model in self._serving(metric)}
        return dict(self.engine.fold(self.table, sorted(jobs, key=repr), grouping))

    def _serving(self, metric: Metric) -> list[str]:
        return [model for model in self.table.models if self.table.schema.offers(model, metric.reads)]

    def _job(self, metric: Metric, model: str, groups: int) -> Job:
        sharing = [m for _, m in self.asked if m.state == metric.state]
        return Job(metric.state, (model,), bool(self.intervals) and any(self._bucketed(m, groups) for m in sharing))

    def _bucketed(self, metric: Metric, groups: int) -> bool:
        """Whether an interval of the metric resamples buckets of rows."""
        if "cluster" in self.table.columns:
            return True
        suited = metric.interval(self.table.schema)
        asked = self.intervals if isinstance(self.intervals, str) else suited
        if suited == "t" and asked in ("t", "bootstrap_t"):
            return self.table.n <= FEW * groups or asked == "bootstrap_t"
        return asked == "bootstrap" and suited != "delong" and not is_resampled_by_cell(metric.state, self.table.schema)

    def _read(self, values: dict[Job, Any], keys: list[Any]) -> list[Row]:
        rows: list[Row] = []
        samples: dict[tuple[Job, int], Sample] = {}
        for place, key in enumerate(keys):
            for text, metric in self.asked:
                for model in self.table.models:
                    job = self._job(metric, model, len(keys))
                    if job not in values:
                        rows.append(
                            Row(model, text, None, key, np.nan, np.nan, np.nan, 0, "", f"gives_no_{metric.reads}")
                        )
                        continue
                    if (job, place) not in samples:
                        samples[job, place] = self._sample(job, values[job], place)
                    rows += self._figures(model, text, metric, key, samples[job, place])
        return rows

    def _sample(self, job: Job, value: Any, place: int) -> Sample:
        width = BUCKETS if job.bucketed else 1
        one = job.state.take(value, slice(place * width, (place + 1) * width))
        clustered = "cluster" in self.table.columns
        return Sample(job.state, one, self.table.schema, job.bucketed, clustered, self.seed)

    def _figures(self, model: str, text: str, metric: Metric, key: Any, sample: Sample) -> list[Row]:
        schema, n = self.table.schema, sample.n
        figures = metric.figures(sample.summary)
        nothing = np.full(len(figures), np.nan)
        low, high, method = nothing, nothing, ""
        if self.intervals and n:
            asked = self.intervals if isinstance(self.intervals, str) else None
            low, high, method = interval(metric, sample, self.confidence, asked)
        said = metric.note(sample.summary, schema) if n else ""
        labels = _labels(metric, schema)
        result = []
        for label, value, a, b in zip(labels, figures, low, high, strict=True):
            undefined = _reason(metric, n) if np.isnan(value) else ""
            few = f"only {n} rows" if self.intervals and 0 < n < 10 else ""
            note = "; ".join(filter(None, (undefined, said, few)))
            shown = "" if np.isnan(a) else method
            result.append(Row(model, text, label, key, float(value), float(a), float(b), n, shown, note))
        return result


def _reason(metric: Metric, n: int) -> str:
    """The reason code of an undefined figure."""
    if not n:
        return "no_samples"
    return "overflow" if metric.undefined == "no_samples" else metric.undefined


def _labels(metric: Metric, schema: Schema) -> list[Any]:
    """What each figure of a metric is about: nothing, a class, or a pair (truth, predicted)."""
    if metric.axes == 0:
        return [None]
    if metric.axes == 1:
        return list(schema.classes)
    return [(truth, predicted) for truth in schema.classes for predicted in schema.classes]


def _figure_name(key: tuple[Any, ...]) -> str:
    metric, class_, group = key
    about = " -> ".join(map(str, class_)) if isinstance(class_, tuple) else class_
    name = metric if class_ is None else f"{metric} [{about}]"
    return name if group is None else f"{name} | {group}"


def _cell(row: Row | None) -> str:
    if row is None:
        return ""
    value = format_number(row.value)
    return value if np.isnan(row.low) else f"{value} [{format_number(row.low)}, {format_number(row.high)}]"
