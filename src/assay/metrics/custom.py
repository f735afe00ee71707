"""custom: any Python callable as a metric like all others.

A function, a scikit-learn metric or scorer, or a torchmetrics metric.

>>> def most_in_a_row(truth, label):
...     run = best = 0
...     for right in truth == label:
...         run = run + 1 if right else 0
...         best = max(best, run)
...     return best
>>> streak = make_metric(most_in_a_row, "streak", bounds=(0, float("inf")))
>>> streak(["a", "b", "b", "a"], ["a", "b", "b", "b"]), str(streak)
(3, 'streak')
"""

import functools
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np

from assay.core.types import Better
from assay.errors import UnsupportedError
from assay.kernels import Array
from assay.metrics.base import CLASSIFICATION, METRICS, REGRESSION, Metric, PairedMethod
from assay.metrics.introspection import Reads, introspect
from assay.states.base import State
from assay.table.rows import Rows
from assay.table.schema import Schema

__all__ = ["CallableMetric", "make_metric"]


def make_metric(
    call: Any,
    name: str | None = None,
    *,
    reads: Reads | None = None,
    better: Better | None = None,
    bounds: tuple[float, float] = (float("-inf"), float("inf")),
    intervals: bool = True,
    **parameters: Any,
) -> "CallableMetric":
    """A metric that calls `call(truth, prediction, **parameters)`, registered under a name.

    Weights are passed as sample_weight to a callable that takes it; else a note says that they do
    not count. In binary tasks pos_label is the table's positive class for a callable that takes
    it. Objects that are updated are given the codes of classes (0 to k - 1; 1 for the positive
    class), not labels, and torch tensors where they are torch modules. Where the callable raises
    ValueError the value is nan, with its words in the note.

    Parameters:
        call: A function; a scikit-learn metric function; a scikit-learn scorer (its function,
            parameters, sign and response are taken over); an object with `reset`,
            `update(prediction, truth)` and `compute`, as of torchmetrics; or one of torchmetrics'
            functions.
        name: Letters, digits and _; default: the callable's own name.
        reads: What it is given as prediction: `label`, the labels (n,) in the user's own terms, as
            is the truth, or 0/1 (n, labels) of several labels a row; `proba`, probabilities (n, k)
            with the classes in the order of the table, or (n,) of the positive class in binary
            tasks; `score`, raw scores of the same shapes; `value`, numbers (n,) in regression.
            Default: known for scikit-learn's and torchmetrics' metrics, else label.
        better: Whether "higher" or "lower" is better; default: known for scikit-learn's functions
            and scorers and for torchmetrics' objects, else higher.
        bounds: Range of the value, which is clipped to it; default: unbounded.
        intervals: False spares the calls of the bootstrap (1000, and down to 50 where rows are
            many); there is then no interval and nothing to compare by. Default True.
        parameters: Passed to the callable.

    Returns:
        An instance of a new subclass of `Metric`.

    Raises:
        UnsupportedError: `call` is no callable, or `name` or `reads` is not usable.

    >>> from sklearn.metrics import fbeta_score, get_scorer
    >>> make_metric(fbeta_score, "f2", beta=2, bounds=(0, 1))([0, 1, 1, 0], [1, 1, 0, 0])
    0.5
    >>> scorer = make_metric(get_scorer("neg_median_absolute_error"), "median_error")
    >>> scorer([1.0, 2.0, 4.0], [1.5, 2.0, 3.0]), scorer.better, scorer.reads
    (0.5, 'lower', 'value')
    """
    info = introspect(call, parameters)
    name = name or info.name
    reads = reads or info.reads
    if not name.isidentifier():
        raise UnsupportedError(
            f"the metric needs a name of letters, digits and _, as in name='mine'; got {name!r}"
        )
    if reads not in ("label", "proba", "score", "value"):
        raise UnsupportedError(
            f"reads of {name} must be label, proba, score or value; got {reads!r}"
        )
    if name in METRICS.names() and not issubclass(METRICS[name], CallableMetric):
        raise UnsupportedError(
            f"a metric is already named {name!r}; give another, as in name='my_{name}'"
        )
    options = {
        "reads": reads,
        "better": better,
        "bounds": bounds,
        "intervals": intervals,
        **parameters,
    }
    namespace = {
        "name": name,
        "reads": reads,
        "better": better or info.better,
        "bounds": (float(bounds[0]), float(bounds[1])),
        "tasks": REGRESSION if reads == "value" else CLASSIFICATION,
        "oracle": f"{info.name} itself",
        "function": staticmethod(info.function),
        "accepts": info.accepts,
        "takes_codes": info.takes_codes,
        "has_intervals": intervals,
        "remake": staticmethod(functools.partial(make_metric, call, name, **options)),
        "__doc__": f"Value of {info.name} on truth and {reads}.",
    }
    metric: CallableMetric = type(name, (CallableMetric,), namespace)()
    return metric


class HeldBatch(NamedTuple):
    """Rows of one batch, kept as they are."""

    prediction: Array  # (n,) or (n, k)
    truth: Array
    weight: Array | None
    stratum: Array | None  # (n,)
    counts: Array | None  # how often each stratum enters each replicate (replicates, strata)

    @property
    def strata(self) -> Array:
        """The stratum of each row (n,); 0 where there is one only."""
        return np.zeros(len(self.truth), np.int64) if self.stratum is None else self.stratum

    def select(self, strata: slice) -> "HeldBatch":
        """Only the rows of those `strata`."""
        if self.stratum is None:
            return self
        inside = (self.stratum >= strata.start) & (self.stratum < strata.stop)
        return HeldBatch(
            self.prediction[inside],
            self.truth[inside],
            None if self.weight is None else self.weight[inside],
            self.stratum[inside] - strata.start,
            self.counts,
        )

    def resample(self, counts: Array) -> "HeldBatch":
        """The rows of replicates, each entered as often as its stratum by `counts`."""
        return self._replace(counts=counts if self.counts is None else counts @ self.counts)

    def find_rows(self, stratum: int) -> Array:
        """Positions of the rows of a `stratum` or a replicate, each as often as it counts."""
        if self.counts is None:
            return np.flatnonzero(self.strata == stratum)
        return np.repeat(np.arange(len(self.truth)), self.counts[stratum][self.strata])


class HeldRows(NamedTuple):
    """Rows and weight per stratum (strata,), and the rows themselves."""

    rows: Array
    weight: Array
    batches: tuple[HeldBatch, ...]


@dataclass(frozen=True)
class AllRows(State[HeldRows]):
    """The rows themselves, for callables that want all of them at once; resampled by stratum.

    Parameters:
        reads: Output of the model that is kept beside the truth.
    """

    reads: str
    costly: ClassVar[bool] = True  # a replicate is a call on as many rows

    def empty(self, schema: Schema, strata: int = 1) -> HeldRows:
        return HeldRows(np.zeros(strata, np.int64), np.zeros(strata), ())

    def observe(self, rows: Rows, stratum: Array | None = None, strata: int = 1) -> HeldRows:
        batch = HeldBatch(getattr(rows, self.reads), rows.truth, rows.weight, stratum, None)
        return HeldRows(
            np.bincount(batch.strata, minlength=strata),
            np.bincount(batch.strata, rows.weight, minlength=strata),
            (batch,),
        )

    def merge(self, a: HeldRows, b: HeldRows) -> HeldRows:
        return HeldRows(a.rows + b.rows, a.weight + b.weight, a.batches + b.batches)

    def select(self, value: HeldRows, strata: slice) -> HeldRows:
        batches = tuple(batch.select(strata) for batch in value.batches)
        return HeldRows(value.rows[strata], value.weight[strata], batches)

    def resample(self, value: HeldRows, counts: Array) -> HeldRows:
        batches = tuple(batch.resample(counts) for batch in value.batches)
        return HeldRows(counts @ value.rows, counts @ value.weight, batches)

    def summary(self, value: HeldRows, schema: Schema) -> "RowsByStratum":
        return RowsByStratum(value, schema, self.reads)


class StratumRows(NamedTuple):
    """The rows of one stratum as a callable is given them."""

    truth: Array
    prediction: Array
    weight: Array | None


@dataclass(frozen=True, eq=False)
class RowsByStratum:
    """The rows of each stratum, as codes or in the user's labels."""

    value: HeldRows
    schema: Schema
    reads: str

    def __len__(self) -> int:
        return len(self.value.rows)

    @cached_property
    def labels(self) -> Array:
        """The classes, to be looked up by code."""
        return np.array(list(self.schema.classes))

    def read_stratum(self, stratum: int, as_codes: bool) -> StratumRows:
        """The rows of one `stratum`, or of one replicate: each as often as it was drawn.

        Classes are codes (`as_codes`) or labels.
        """
        batches = [(batch, batch.find_rows(stratum)) for batch in self.value.batches]
        truth = np.concatenate([batch.truth[rows] for batch, rows in batches])
        prediction = np.concatenate([batch.prediction[rows] for batch, rows in batches])
        weights = [batch.weight[rows] for batch, rows in batches if batch.weight is not None]
        return StratumRows(
            self._translate_labels(truth, as_codes),
            self._translate_prediction(prediction, as_codes),
            np.concatenate(weights) if weights else None,
        )

    def _translate_labels(self, code: Array, as_codes: bool) -> Array:
        """Labels in the user's terms, or codes: in binary tasks whether each is positive."""
        if self.schema.task in ("regression", "multilabel"):
            return code
        if not as_codes:
            return np.asarray(self.labels[code])
        binary = self.schema.task == "binary"
        return np.asarray(code == self.schema.positive_code if binary else code, np.int64)

    def _translate_prediction(self, prediction: Array, as_codes: bool) -> Array:
        if self.reads == "label":
            return self._translate_labels(prediction, as_codes)
        if self.reads == "proba" and self.schema.task == "binary":
            return np.asarray(prediction[:, self.schema.positive_code])
        return prediction


class CallableMetric(Metric):
    """A metric that calls a Python callable: made by `make_metric`, usable wherever a metric is."""

    undefined = "undefined_by_callable"
    function: ClassVar[Callable[..., Any]]
    accepts: ClassVar[frozenset[str]]  # names of its parameters that are still open
    takes_codes: ClassVar[bool]  # whether it is given codes of classes, not labels
    has_intervals: ClassVar[bool]  # whether it is called on replicates
    remake: ClassVar[Any]  # makes it again, without arguments

    @property
    def state(self) -> State[Any]:
        return AllRows(self.reads)

    def __reduce__(self) -> Any:
        # Its class was made at run time, so another process must make it again.
        return self.remake, ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CallableMetric) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def compute(self, summary: RowsByStratum) -> Array:
        if len(summary) > 1 and not self.has_intervals:
            return np.full(len(summary), np.nan)
        return np.array([self._call(summary, stratum)[0] for stratum in range(len(summary))])

    def pairing(self, schema: Schema) -> PairedMethod:
        if not self.has_intervals:
            raise UnsupportedError(
                f"{self} was made with intervals=False, so that differences in it cannot be judged"
            )
        return "bootstrap"

    def note(self, summary: RowsByStratum, schema: Schema) -> str:
        weighted = any(batch.weight is not None for batch in summary.value.batches)
        notes = [self._call(summary, 0)[1]]
        if weighted and "sample_weight" not in self.accepts:
            notes.append(f"{self} takes no weights: each row counts once")
        return "; ".join(filter(None, notes))

    def _call(self, summary: RowsByStratum, stratum: int) -> tuple[float, str]:
        """The value of one stratum, and why it is nan where the callable raised an error."""
        if not summary.value.rows[stratum]:
            return float("nan"), ""
        rows = summary.read_stratum(stratum, self.takes_codes)
        keywords = self._keywords(rows, summary.schema)
        try:
            with warnings.catch_warnings():
                # A warning, as of a class never predicted, would come from every replicate.
                warnings.simplefilter("ignore")
                value = self.function(rows.truth, rows.prediction, **keywords)
        except (ValueError, ArithmeticError) as error:
            return float("nan"), f"{type(error).__name__}: {' '.join(str(error).split())}"
        except Exception as error:
            raise UnsupportedError(
                f"{self} could not be called on truth {rows.truth.shape} and {self.reads} "
                f"{rows.prediction.shape}: {type(error).__name__}: {error}"
            ) from error
        try:
            return float(value), ""
        except (TypeError, ValueError) as error:
            raise UnsupportedError(
                f"{self} must give one number; got {type(value).__name__}: {value!r}"
            ) from error

    def _keywords(self, rows: StratumRows, schema: Schema) -> dict[str, Any]:
        """The keywords that the callable takes, of those that the table gives."""
        keywords: dict[str, Any] = {}
        if rows.weight is not None:
            keywords["sample_weight"] = rows.weight
        if schema.task == "binary":
            keywords["pos_label"] = schema.positive
        if self.reads in ("proba", "score") and schema.task in ("binary", "multiclass"):
            keywords["labels"] = list(schema.classes)  # a replicate may miss a class
        return {name: value for name, value in keywords.items() if name in self.accepts}
