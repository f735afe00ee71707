"""Metric: one formula over a named state. It owns no data; metrics whose states are equal share one pass.

>>> from assay.metrics.base import METRICS
>>> METRICS.parse("f1(average=micro)")(["a", "b", "b"], ["a", "a", "b"])
0.6667
"""

from abc import abstractmethod
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, Self, TypeAlias, get_args

import numpy as np

from assay.core.registry import Member, Registry
from assay.errors import UnsupportedError
from assay.kernels import Array, compute_moments
from assay.states.base import State
from assay.states.confusion import Confusion, Counts
from assay.states.moments import Moments, Sums
from assay.table.labels import list_spellings
from assay.table.predictions import Predictions, Rows
from assay.table.schema import Schema, Task

__all__ = [
    "METRICS",
    "Average",
    "Granularity",
    "Metric",
    "MetricValue",
    "Ratio",
    "RowMetric",
    "value_shape",
]

METRICS: "Registry[Metric]" = Registry("metrics")

Average: TypeAlias = Literal["auto", "binary", "macro", "micro", "weighted", "samples", "none"]
IntervalMethod: TypeAlias = Literal["wilson", "t", "delong", "bootstrap"]

Granularity: TypeAlias = Literal["table", "class", "class_pair"]

PairedMethod: TypeAlias = Literal["mcnemar", "t", "delong", "bootstrap"]

CLASSIFICATION: frozenset[Task] = frozenset({"binary", "multiclass", "multilabel"})


class MetricValue(float):
    """A float that shows four significant places; undefined is nan."""

    def __repr__(self) -> str:
        return f"{float(self):.4g}"


@dataclass(frozen=True)
class Metric(Member):
    """Base of every metric: class facts, the state it needs, and a formula `compute` with free leading axes.

    reads: which output of a model it looks at (label, proba, score, value or interval); tasks: where it makes sense;
    better: "higher", "lower", or "neither", and then what to rank models by `rank_by`; bounds: its range; undefined:
    the reason code where the value is nan; cases: parameters away from the default that the laws are run on; oracle:
    one expression in another library with the same value.
    """

    registry: ClassVar[Registry[Any]] = METRICS
    reads: ClassVar[str] = "label"
    tasks: ClassVar[frozenset[Task]] = CLASSIFICATION
    better: ClassVar[Literal["higher", "lower", "neither"]] = "higher"
    rank_by: ClassVar[str] = ""
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    undefined: ClassVar[str] = "no_samples"
    cases: ClassVar[tuple[dict[str, Any], ...]] = ()
    oracle: ClassVar[str] = ""
    needs: ClassVar[State[Any]]

    @property
    def state(self) -> State[Any]:
        """The state the formula reads; equal states are shared between metrics."""
        return self.needs

    @property
    def sign(self) -> int:
        """1 where higher is better, -1 where lower is; UnsupportedError where neither is."""
        if self.better == "neither":
            raise UnsupportedError(
                f"{self} is better neither higher nor lower; rank models by {self.rank_by}"
            )
        return 1 if self.better == "higher" else -1

    @property
    def granularity(self) -> Granularity:
        """What there is one value for: the table, each class, or each (truth, prediction) pair."""
        return "table"

    def bind(self, schema: Schema) -> Self:
        """The metric as it applies to a table: the default average settled, the fit to the task checked."""
        if schema.task not in self.tasks:
            raise UnsupportedError(
                f"metric {self} is for {', '.join(sorted(self.tasks))} tasks; this table's task is {schema.task}"
            )
        return self

    @abstractmethod
    def compute(self, summary: Any) -> Array:
        """The figure(s), with the leading axes of the summary; nan where undefined."""

    def estimate(self, summary: Any) -> Array:
        """The figures of a summary of one cell, flat (figures,); a rounding error beyond the range is taken back."""
        low, high = self.bounds
        found = np.ravel(self.compute(summary)).astype(np.float64)
        return np.minimum(
            np.maximum(found, low), high
        )  # np.clip takes several times as long for few figures

    def interval(self, schema: Schema) -> IntervalMethod:
        """The procedure for an interval that fits this metric best."""
        return "bootstrap"

    def pairing(self, schema: Schema) -> PairedMethod:
        """The procedure for the difference between two models on the same rows."""
        assert self.sign
        found = self.interval(schema)
        return found if found in ("t", "delong") else "bootstrap"

    def margin(self, schema: Schema) -> float:
        """How far from the near end of the range the next row may be, though no row has been: a quarter of it."""
        return (self.bounds[1] - self.bounds[0]) / 4 if np.isfinite(self.bounds).all() else 0.0

    def otherwise(self, value: float, schema: Schema) -> float:
        """The value of a row unlike rows that all have this one; nan where that cannot be known."""
        return float("nan")

    def note(self, summary: Any, schema: Schema) -> str:
        """What a reader of the figure must know beside it, or ""."""
        return ""

    def __call__(self, y: Any, prediction: Any, *, weight: Any = None, **declared: Any) -> Any:
        """The figure on arrays: `prediction` is what the metric reads (labels, probabilities, scores, values...).

        Further keywords are those of `Predictions.from_arrays` (classes, positive, task).
        """
        if self.reads in ("value", "interval"):
            declared.setdefault("task", "regression")
        rows = Predictions.from_arrays(
            y, {f"model.{self.reads}": prediction}, weight=weight, **declared
        ).rows("model")
        metric = self.bind(rows.schema)
        state = metric.state
        summary = state.summary(state.observe(rows), rows.schema)
        if metric.granularity == "table":
            return MetricValue(metric.estimate(summary)[0])
        return np.reshape(metric.compute(summary), value_shape(metric.granularity, rows.schema.k))


@dataclass(frozen=True)
class Ratio(Metric):
    """A ratio of counts of one class, averaged over classes; subclasses write only `parts`.

    average: `binary` (the positive class), `macro` (mean over the classes where it is defined), `micro` (counts of all
    classes together), `weighted` (by true rows), `samples` (multi-label: mean over rows; one with neither true nor
    predicted labels counts 1, one whose ratio is undefined otherwise counts 0), `none` (one a class).  `auto`:
    `binary` for binary tasks, `macro` otherwise.  only: the classes that macro, micro and weighted are over, as in
    `f1(only=cat|dog, average=micro)`; by default all.
    """

    needs = Confusion()
    average: Average = "auto"
    only: str | tuple[int, ...] = field(
        default="", kw_only=True, repr=False
    )  # codes, once settled for a table
    proportion: ClassVar[bool] = (
        False  # whether `parts` are the successes and trials of independent rows
    )

    @abstractmethod
    def parts(self, c: Counts) -> tuple[Array, Array]:
        """Numerator and denominator; the ratio is undefined where the denominator is 0."""

    @property
    def state(self) -> State[Any]:
        return Moments(self) if self.average == "samples" else self.needs

    @property
    def granularity(self) -> Granularity:
        return "class" if self.average == "none" else "table"

    def bind(self, schema: Schema) -> Self:
        super().bind(schema)
        if self.average not in get_args(Average):
            raise UnsupportedError(
                f"{self}: average must be one of {', '.join(get_args(Average))}; got {self.average!r}"
            )
        if self.average == "auto":
            over: Average = "binary" if schema.task == "binary" and not self.only else "macro"
            return replace(self, average=over).bind(schema)
        if isinstance(self.only, str) and self.only:
            return replace(self, only=_codes(self, self.only, schema))
        if self.average == "binary" and schema.task != "binary":
            raise UnsupportedError(
                f"{self}: average=binary needs a binary task, this is {schema.task}; use macro or none"
            )
        if self.average == "samples" and schema.task != "multilabel":
            raise UnsupportedError(
                f"{self}: average=samples needs a multilabel task, this is {schema.task}; use macro"
            )
        return self

    def compute(self, summary: Any) -> Array:
        if self.average == "samples":
            return np.asarray(summary.mean[..., 0])
        c: Counts = summary.among(self.only) if self.only else summary
        if self.average == "binary":
            return ratio(*self.parts(c.of(c.positive or 0)))
        if self.average == "micro":
            return ratio(*self.parts(c.summed()))
        each = ratio(*self.parts(c))
        if c.sample is not None:
            # What is drawn from a sample defines no figure that the sample does not.
            each = np.where(np.isnan(ratio(*self.parts(c.sample))), np.nan, each)
        if self.average == "none":
            return each
        return mean_of_defined(
            each, c.support if self.average == "weighted" else np.ones_like(each)
        )

    def interval(self, schema: Schema) -> IntervalMethod:
        if self.average == "samples":
            return "t"
        return (
            "wilson"
            if self.proportion and self.average in ("binary", "none")
            else super().interval(schema)
        )

    def trials(self, c: Counts) -> tuple[Array, Array]:
        """Successes and trials (..., figures), for the interval of a proportion."""
        return self.parts(c if self.average == "none" else c.of(c.positive or 0))

    def note(self, summary: Any, schema: Schema) -> str:
        if self.average not in ("macro", "weighted"):
            return ""
        if self.only:
            labels = tuple(schema.classes[int(code)] for code in self.only)
            summary, schema = summary.among(self.only), Schema("multiclass", labels, {})
        left_out = np.isnan(ratio(*self.parts(summary)))[0]
        if self.average == "weighted":
            left_out &= summary.support[0] > 0
        return name_left_out(left_out, schema, self.undefined)

    def compute_rows(self, rows: Rows) -> Array:
        """The ratio of each row's own labels (n,), for average=samples."""
        return self._of_sets(rows.label_counts[1], rows.schema.k)

    def batch_moments(self, rows: Rows) -> tuple[Array, Array] | None:
        """Mean and second moment of the rows' ratios, each kind of row once."""
        if rows.label_sets is None:
            return None
        table = rows.label_sets[1]
        there = np.flatnonzero(table)
        kinds = np.stack(np.unravel_index(there, table.shape), axis=1)
        found = compute_moments(
            self._of_sets(kinds, rows.schema.k)[:, None], table.ravel()[there].astype(np.float64)
        )
        return found[1][0], found[2][0]

    def _of_sets(self, sizes: Array, k: int) -> Array:
        """The ratio (m,) of rows with so many hits, true and predicted labels (m, 3), of k."""
        tp, support, predicted = sizes.T
        each = ratio(
            *self.parts(Counts(tp, support, predicted, np.full(len(tp), k), tp, tp, None, True))
        )
        return np.where(np.isnan(each), (support + predicted == 0).astype(float), each)


class RowMetric(Metric):
    """A weighted mean over rows; subclasses write only `compute_rows`, (n,) or (n, 2) with a flag of the rows to note."""

    width: ClassVar[int] = 1  # values that `compute_rows` gives for a row

    @property
    def state(self) -> State[Any]:
        return Moments(self, self.width)

    @abstractmethod
    def compute_rows(self, rows: Rows) -> Array:
        """The value of each row (n,); a second column, where there is one, flags rows that the note counts."""

    def compute(self, summary: Sums) -> Array:
        return np.asarray(summary.mean[..., 0])

    def interval(self, schema: Schema) -> IntervalMethod:
        return "t"


def _codes(metric: Ratio, only: str, schema: Schema) -> tuple[int, ...]:
    """The codes of the classes named in `only`, between bars."""
    if metric.average not in ("macro", "micro", "weighted"):
        raise UnsupportedError(
            f"{metric}: only=... is for average=macro, micro or weighted; got {metric.average}"
        )
    known = {text: code for code, label in enumerate(schema.classes) for text in list_spellings(label)}
    names = [name.strip() for name in only.split("|")]
    unknown = next((name for name in names if name not in known), None)
    if unknown is not None or len(set(names)) < len(names):
        shown = ", ".join(map(str, schema.classes[:10]))
        raise UnsupportedError(
            f"{metric}: only must name classes once each, as in only=a|b; the classes are {shown}"
        )
    return tuple(known[name] for name in names)


def value_shape(granularity: Granularity, k: int) -> tuple[int, ...]:
    """Shape of the values of one summary of `k` classes, by `granularity`: (), (k,) or (k, k).

    >>> value_shape("class_pair", 3)
    (3, 3)
    """
    return (k,) * ("table", "class", "class_pair").index(granularity)


def ratio(numerator: Array, denominator: Array) -> Array:
    """numerator / denominator, nan where the denominator is 0."""
    undefined = np.full(np.broadcast(numerator, denominator).shape, np.nan)
    found: Array = np.divide(
        numerator, denominator, out=undefined, where=np.not_equal(denominator, 0)
    )
    return found


def mean_of_defined(each: Array, share: Array) -> Array:
    """Mean over the last axis, weighted by `share`, of the values that are defined; nan if none is."""
    share = np.where(np.isnan(each), 0.0, share)
    return ratio((np.where(share == 0, 0.0, each) * share).sum(axis=-1), share.sum(axis=-1))


def name_left_out(left_out: Array, schema: Schema, reason: str) -> str:
    """The sentence that says which classes an average leaves out."""
    names = [str(label) for label, out in zip(schema.classes, left_out, strict=True) if out]
    if not names:
        return ""
    shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    return f"mean over {schema.k - len(names)} of {schema.k} classes; undefined ({reason}): {shown}"
