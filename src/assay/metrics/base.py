"""base: what every metric is, one formula over a named state, and the bases of ratios and means.

It owns no data; metrics whose states are equal share one pass.

>>> from assay.metrics.base import METRICS
>>> METRICS.parse("f1(average=micro)")(["a", "b", "b"], ["a", "a", "b"])
0.6667
"""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, Self, TypeAlias, get_args

import numpy as np

from assay.core.registry import Member, Registry
from assay.errors import UnsupportedError
from assay.kernels import Array, compute_moments
from assay.states.base import State
from assay.states.confusion import Confusion, Counts, are_numbers
from assay.states.moments import Moments, Sums
from assay.table.labels import list_spellings
from assay.table.predictions import Predictions
from assay.table.rows import Rows
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

SINGLE_LABEL: frozenset[Task] = frozenset({"binary", "multiclass"})
MULTILABEL: frozenset[Task] = frozenset({"multilabel"})
CLASSIFICATION: frozenset[Task] = SINGLE_LABEL | MULTILABEL
REGRESSION: frozenset[Task] = frozenset({"regression"})


class MetricValue(float):
    """A float that shows four significant places; undefined is nan."""

    def __repr__(self) -> str:
        return f"{float(self):.4g}"


@dataclass(frozen=True)
class Metric(Member):
    """Base of every metric: facts of the class, the state it needs, and a formula over it.

    Parameters:
        reads: Output of a model that it looks at: label, proba, score, value, interval or text.
        tasks: Tasks that it is for; default: all of classification.
        better: Whether "higher", "lower" or "neither" is better; default "higher".
        rank_by: What to rank models by, where neither is better.
        bounds: Range of the value; default (0, 1).
        undefined: Code of the reason why a value is nan; default "no_samples".
        cases: Parameters away from the defaults, that the laws are run on as well.
        oracle: One expression in another library that has the same value.
        reads_grades: Whether the truth may be grades of relevance; default False.
        needs_truth: Whether the truth is read; default True.
        needs: State that the formula reads.

    >>> METRICS.parse("recall").better, METRICS.parse("brier").bounds
    ('higher', (0.0, 2.0))
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
    reads_grades: ClassVar[bool] = False
    needs_truth: ClassVar[bool] = True
    needs: ClassVar[State[Any]]

    @property
    def state(self) -> State[Any]:
        """The state the formula reads; equal states are shared between metrics."""
        return self.needs

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the further columns of the table that it reads; default: none."""
        return ()

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
        """The metric as it applies to a table.

        Parameters:
            schema: Of the table: its task, its classes and what its models give.

        Returns:
            The same metric, with average=auto replaced by what it means for the task.

        Raises:
            UnsupportedError: The metric is not for the task, or a parameter does not fit it.
        """
        if schema.task not in self.tasks:
            raise UnsupportedError(
                f"metric {self} is for {', '.join(sorted(self.tasks))} tasks; "
                f"this table's task is {schema.task}"
            )
        if schema.graded and not self.reads_grades:
            raise UnsupportedError(
                f"metric {self} needs a truth of 0 and 1, and this one holds grades of relevance: "
                "use metric ndcg or dcg, or give 1 for the grades that count and 0 for the others"
            )
        return self

    @abstractmethod
    def compute(self, summary: Any) -> Array:
        """The formula.

        Parameters:
            summary: What the state gives: arrays with free leading axes.

        Returns:
            Values with the leading axes of the summary; with a last axis where there is one a
            class. Nan where undefined.
        """

    def estimate(self, summary: Any) -> Array:
        """The values of one stratum, within the range.

        Parameters:
            summary: What the state gives, of one stratum.

        Returns:
            Flat (values,): one, or one a class, or one a pair of classes. A rounding error beyond
            the range is taken back.
        """
        low, high = self.bounds
        values = np.asarray(self.compute(summary), np.float64).reshape(-1)
        # np.clip takes several times as long for few values.
        return np.minimum(np.maximum(values, low), high)

    def interval(self, schema: Schema) -> IntervalMethod:
        """The procedure for an interval that fits this metric best.

        Parameters:
            schema: Of the table.

        Returns:
            Key of `assay.intervals.procedures.PROCEDURES`; default "bootstrap".
        """
        return "bootstrap"

    def pairing(self, schema: Schema) -> PairedMethod:
        """The procedure for the difference of two models on the same rows.

        Parameters:
            schema: Of the table.

        Returns:
            "mcnemar", "t", "delong" or "bootstrap"; default: by that of the interval.

        Raises:
            UnsupportedError: Neither higher nor lower is better, so models are not compared by it.
        """
        assert self.sign
        method = self.interval(schema)
        return method if method in ("t", "delong") else "bootstrap"

    def find_reason(self, summary: Any) -> str:
        """Code of the reason why a value is undefined.

        Parameters:
            summary: What the state gives, of one stratum.

        Returns:
            Default: that of the class, `undefined`.
        """
        return self.undefined

    def note(self, summary: Any, schema: Schema) -> str:
        """What a reader must know beside the value.

        Parameters:
            summary: What the state gives, of one stratum.
            schema: Of the table.

        Returns:
            A sentence without a full stop, or "" (default).
        """
        return ""

    def __call__(self, y: Any, prediction: Any, *, weight: Any = None, **declared: Any) -> Any:
        """The value on arrays.

        Parameters:
            y: The truth (n,), or (n, labels) of 0/1 for several labels a row.
            prediction: What the metric reads: labels (n,), probabilities or scores (n, k),
                values (n,), interval ends (n, 2) or texts (n,).
            weight: Of each row (n,), at least 0; default: all alike.
            declared: Further keywords of `Predictions.from_arrays`: classes, positive, task.

        Returns:
            A float; an array (k,) or (k, k) where there is a value for each class or pair of
            classes.

        Raises:
            UnsupportedError: The metric is not for the task of these arrays.
        """
        if self.reads in ("value", "interval"):
            declared.setdefault("task", "regression")
        elif self.reads == "text":
            declared.setdefault("task", *self.tasks)
        of_classes = self.reads == "score" and np.ndim(prediction) == 2 and np.ndim(y) != 2
        kind = "proba" if of_classes else self.reads
        rows = Predictions.from_arrays(
            y, {f"model.{kind}": prediction}, weight=weight, **declared
        ).rows("model")
        metric = self.bind(rows.schema)
        state = metric.state
        summary = state.summary(state.observe(rows), rows.schema)
        if metric.granularity == "table":
            return MetricValue(metric.estimate(summary)[0])
        return np.reshape(metric.compute(summary), value_shape(metric.granularity, rows.schema.k))


@dataclass(frozen=True)
class Ratio(Metric):
    """Base of ratios of counts of one class, averaged over classes; subclasses write only `parts`.

    Parameters:
        average: `binary`: of the positive class; `macro`: mean over the classes where it is
            defined; `micro`: of the counts of all classes together; `weighted`: by true rows;
            `samples`: mean over rows with several labels (a row with neither true nor predicted
            labels counts 1, as the note tells, one whose ratio is undefined otherwise counts 0);
            `none`: one value a class. Default `auto`: `binary` for binary tasks, `macro` otherwise.
        only: The classes that macro, micro and weighted are over, as in
            `f1(only=cat|dog, average=micro)`; default: all.
        proportion: Whether `parts` are the successes and trials of independent rows; of the class.
    """

    needs = Confusion()
    average: Average = "auto"
    # Class codes, once bound to a table.
    only: str | tuple[int, ...] = field(default="", kw_only=True, repr=False)
    proportion: ClassVar[bool] = False
    instead: ClassVar[Mapping[str, str]] = {
        "labels": "the classes that an average is over are said by only, as in "
        "f1(average=macro, only=cat|dog)",
        "pos_label": "the positive class is that of the table (positive, --positive)",
        "zero_division": "what is undefined is nan with its reason, and averages leave it out",
    }

    @abstractmethod
    def parts(self, c: Counts) -> tuple[Array, Array]:
        """Numerator and denominator from counts `c`; undefined where the denominator is 0."""

    @property
    def state(self) -> State[Any]:
        return Moments(self, width=2) if self.average == "samples" else self.needs

    @property
    def granularity(self) -> Granularity:
        return "class" if self.average == "none" else "table"

    def bind(self, schema: Schema) -> Self:
        super().bind(schema)
        if self.average not in get_args(Average):
            raise UnsupportedError(
                f"{self}: average must be one of {', '.join(get_args(Average))}; "
                f"got {self.average!r}"
            )
        if self.average == "auto":
            over: Average = "binary" if schema.task == "binary" and not self.only else "macro"
            return replace(self, average=over).bind(schema)
        if isinstance(self.only, str) and self.only:
            return replace(self, only=_codes(self, self.only, schema))
        if self.average == "binary" and schema.task != "binary":
            raise UnsupportedError(
                f"{self}: average=binary needs a binary task, this is {schema.task}; "
                "use macro or none"
            )
        if self.average == "samples" and schema.task != "multilabel":
            raise UnsupportedError(
                f"{self}: average=samples needs a multilabel task, this is {schema.task}; use macro"
            )
        return self

    def compute(self, summary: Any) -> Array:
        if self.average == "samples":
            return np.asarray(summary.mean[..., 0])
        c: Counts = summary.select_classes(self.only) if self.only else summary
        if self.average == "binary":
            return ratio(*self.parts(c.select_class(c.positive or 0)))
        if self.average == "micro":
            return ratio(*self.parts(c.sum_classes()))
        each = ratio(*self.parts(c))
        if c.sample is not None:
            # A replicate defines no value that the sample does not.
            each = np.where(np.isnan(ratio(*self.parts(c.sample))), np.nan, each)
        if self.average == "none":
            return each
        share = c.support if self.average == "weighted" else np.ones_like(each)
        return mean_of_defined(each, share)

    def interval(self, schema: Schema) -> IntervalMethod:
        if self.average == "samples":
            return "t"
        if self.proportion and self.average in ("binary", "none"):
            return "wilson"
        return super().interval(schema)

    def trials(self, c: Counts) -> tuple[Array, Array]:
        """Successes and trials (..., values) of counts `c`, for the interval of a proportion."""
        return self.parts(c if self.average == "none" else c.select_class(c.positive or 0))

    def note(self, summary: Any, schema: Schema) -> str:
        if self.average == "samples":
            return note_empty(float(summary.mean[0, 1]))
        if self.average not in ("macro", "weighted"):
            return ""
        if self.only:
            labels = tuple(schema.classes[int(code)] for code in self.only)
            summary = summary.select_classes(self.only)
            schema = Schema("multiclass", labels, {})
        left_out = np.isnan(ratio(*self.parts(summary)))[0]
        if self.average == "weighted":
            left_out &= summary.support[0] > 0
        return name_left_out(left_out, schema, self.undefined)

    def compute_rows(self, rows: Rows) -> Array:
        """For average=samples: the ratio of the labels of each row, and whether it has none (n, 2).

        `rows` are those of a model.
        """
        return self._compute_label_sets(rows.label_totals[1], rows.schema.k)

    def batch_moments(self, rows: Rows) -> tuple[Array, Array] | None:
        """Mean and second moment of the ratios of `rows`, computed once for each set of sizes."""
        if rows.label_set_counts is None:
            return None
        table = rows.label_set_counts[1]
        occurring = np.flatnonzero(table)
        sizes = np.stack(np.unravel_index(occurring, table.shape), axis=1)
        ratios = self._compute_label_sets(sizes, rows.schema.k)
        counts = table.ravel()[occurring].astype(np.float64)
        _, mean, m2, _ = compute_moments(ratios, counts)
        return mean[0], m2[0]

    def _compute_label_sets(self, sizes: Array, k: int) -> Array:
        """Ratio and emptiness (m, 2) of rows with so many hits, true and predicted labels, of k."""
        tp, support, predicted = sizes.T
        each = ratio(
            *self.parts(Counts(tp, support, predicted, np.full(len(tp), k), tp, tp, None, True))
        )
        empty = (support + predicted == 0).astype(float)
        return np.stack([np.where(np.isnan(each), empty, each), empty], axis=1)


class RowMetric(Metric):
    """Base of weighted means over rows; subclasses write only `compute_rows`.

    Parameters:
        width: How many values `compute_rows` gives for a row; default 1.
    """

    width: ClassVar[int] = 1

    @property
    def state(self) -> State[Any]:
        return Moments(self, self.width)

    @abstractmethod
    def compute_rows(self, rows: Rows) -> Array:
        """The value of each of the `rows` (n,), or (n, 2) with a flag of the rows to note."""

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
    codes = {
        text: code for code, label in enumerate(schema.classes) for text in list_spellings(label)
    }
    names = [name.strip() for name in only.split("|")]
    unknown = next((name for name in names if name not in codes), None)
    if unknown is not None or len(set(names)) < len(names):
        shown = ", ".join(map(str, schema.classes[:10]))
        raise UnsupportedError(
            f"{metric}: only must name classes once each, as in only=a|b; the classes are {shown}"
        )
    return tuple(codes[name] for name in names)


def value_shape(granularity: Granularity, k: int) -> tuple[int, ...]:
    """Shape of the values of one summary of `k` classes, by `granularity`: (), (k,) or (k, k).

    >>> value_shape("class_pair", 3)
    (3, 3)
    """
    return (k,) * ("table", "class", "class_pair").index(granularity)


def ratio(numerator: Array, denominator: Array) -> Array:
    """`numerator` / `denominator`, nan where the denominator is 0."""
    return np.asarray(numerator / np.where(np.equal(denominator, 0), np.nan, denominator))


def mean_of_defined(each: Array, share: Array) -> Array:
    """Mean over the last axis of the values `each` that are defined, weighted by `share`.

    Nan if none is.
    """
    share = np.where(np.isnan(each), 0.0, share)
    return ratio((np.where(share == 0, 0.0, each) * share).sum(axis=-1), share.sum(axis=-1))


def note_empty(share: float) -> str:
    """The sentence that says how large a `share` of rows has no label at all.

    >>> note_empty(0.75)
    '75.00% of the weight has neither a true nor a predicted label and counts 1'
    """
    if not share > 0:
        return ""
    return f"{share:.2%} of the weight has neither a true nor a predicted label and counts 1"


def explain_no_spread(spreads: Array, reason: str) -> str:
    """Code of what leaves no `spreads` (d,) to divide by: `reason`, or that rounding hides them."""
    if not np.isfinite(spreads).all():
        return "overflow"
    return "lost_to_rounding" if spreads.all() else reason


def tell_order(schema: Schema) -> str:
    """The sentence that says in which order classes of `schema` that are no numbers were taken.

    >>> tell_order(Schema("multiclass", ("high", "low", "mid"), {}))
    'order of the classes: high < low < mid'
    >>> tell_order(Schema("multiclass", (1, 2, 5), {}))
    'grades are missing between 1, 2, 5: declare all classes if there are more'
    """
    if schema.k < 3:
        return ""
    if are_numbers(schema.classes):
        steps = np.diff(np.array(schema.classes, np.float64))
        if (steps == steps[0]).all():
            return ""
        shown = ", ".join(map(str, schema.classes[:7])) + ", ..." * (schema.k > 7)
        return f"grades are missing between {shown}: declare all classes if there are more"
    names = list(map(str, schema.classes[:7])) + ["..."] * (schema.k > 7)
    return f"order of the classes: {' < '.join(names)}"


def name_left_out(left_out: Array, schema: Schema, reason: str) -> str:
    """The sentence that says which classes an average leaves out.

    `left_out` (k,) says it of each class of `schema`; `reason` is the code of what is undefined.
    """
    names = [str(label) for label, out in zip(schema.classes, left_out, strict=True) if out]
    if not names:
        return ""
    shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    return f"mean over {schema.k - len(names)} of {schema.k} classes; undefined ({reason}): {shown}"
