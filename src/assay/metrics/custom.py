"""callables: any Python callable, scikit-learn metric or scorer, or torchmetrics metric, as a metric like all others.

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

from assay.errors import UnsupportedError
from assay.kernels import Array
from assay.metrics.base import CLASSIFICATION, METRICS, Metric, PairedMethod
from assay.metrics.introspection import Better, Reads, introspect
from assay.states.base import State
from assay.table.predictions import Rows
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
    """A metric that calls `call(truth, prediction, **parameters)`, registered under `name` (default: its own name).

    call: a function; a scikit-learn metric function; a scikit-learn scorer (its function, parameters, sign and response
    are taken over); an object with `reset`, `update(prediction, truth)` and `compute`, as of torchmetrics; or one of
    torchmetrics' functions.
    reads: what it is given as prediction, for each row of the table:
      label  the labels (n,) in the user's own terms, as is the truth; 0/1 (n, labels) for multi-label
      proba  probabilities (n, k), classes in the order of the table; (n,) of the positive class in binary tasks
      score  as proba, from raw scores;   value  numbers (n,), in regression
    better: whether higher or lower is better. Both are known for scikit-learn's functions and scorers and for
    torchmetrics' objects (of its functions only what they read); else they default to label and higher. bounds: the
    range of the figure, which is clipped to it. intervals: False spares the calls of the bootstrap (1000, and down to
    50 where rows are many); there is then no interval and nothing to compare by.

    Weights are passed as sample_weight to a callable that takes it; else a note says that they do not count. In binary
    tasks pos_label is the table's positive class for a callable that takes it. Objects that are updated are given the
    codes of classes (0 to k - 1; 1 for the positive class), not labels, and torch tensors where they are torch modules.
    Where the callable raises ValueError the figure is nan, with its words in the note.

    >>> from sklearn.metrics import fbeta_score, get_scorer
    >>> make_metric(fbeta_score, "f2", beta=2, bounds=(0, 1))([0, 1, 1, 0], [1, 1, 0, 0])
    0.5
    >>> scorer = make_metric(get_scorer("neg_median_absolute_error"), "median_error")
    >>> scorer([1.0, 2.0, 4.0], [1.5, 2.0, 3.0]), scorer.better, scorer.reads
    (0.5, 'lower', 'value')
    """
    found = introspect(call, parameters)
    name = name or found.name
    reads = reads or found.reads
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
    facts = {
        "name": name,
        "reads": reads,
        "better": better or found.better,
        "bounds": (float(bounds[0]), float(bounds[1])),
        "tasks": frozenset({"regression"}) if reads == "value" else CLASSIFICATION,
        "oracle": f"{found.name} itself",
        "function": staticmethod(found.function),
        "accepts": found.accepts,
        "codes": found.codes,
        "drawn": intervals,
        "made": staticmethod(functools.partial(make_metric, call, name, **options)),
        "__doc__": f"What {found.name} says of truth and {reads}.",
    }
    made: CallableMetric = type(name, (CallableMetric,), facts)()
    return made


class HeldBatch(NamedTuple):
    """Rows kept: what was read (n,) or (n, k), truth, weight or None, cell or None, and how often each cell counts."""

    given: Array
    truth: Array
    weight: Array | None
    cell: Array | None
    times: Array | None


class HeldRows(NamedTuple):
    """Rows and weight per cell (cells,), and the rows themselves."""

    rows: Array
    weight: Array
    chunks: tuple[HeldBatch, ...]


@dataclass(frozen=True)
class AllRows(State[HeldRows]):
    """The rows themselves, for callables that want all of them at once; resampled by the cells that they are in."""

    reads: str
    costly: ClassVar[bool] = True  # a replicate is a call on as many rows

    def empty(self, schema: Schema, cells: int = 1) -> HeldRows:
        return HeldRows(np.zeros(cells, np.int64), np.zeros(cells), ())

    def observe(self, rows: Rows, cell: Array | None = None, cells: int = 1) -> HeldRows:
        chunk = HeldBatch(getattr(rows, self.reads), rows.truth, rows.weight, cell, None)
        own = np.zeros(len(rows.truth), np.int64) if cell is None else cell
        return HeldRows(
            np.bincount(own, minlength=cells),
            np.bincount(own, rows.weight, minlength=cells),
            (chunk,),
        )

    def merge(self, a: HeldRows, b: HeldRows) -> HeldRows:
        return HeldRows(a.rows + b.rows, a.weight + b.weight, a.chunks + b.chunks)

    def select(self, value: HeldRows, cells: slice) -> HeldRows:
        def within(c: HeldBatch) -> HeldBatch:
            if c.cell is None:
                return c
            keep = (c.cell >= cells.start) & (c.cell < cells.stop)
            weight = None if c.weight is None else c.weight[keep]
            return HeldBatch(c.given[keep], c.truth[keep], weight, c.cell[keep] - cells.start, c.times)

        return HeldRows(value.rows[cells], value.weight[cells], tuple(within(c) for c in value.chunks))

    def resample(self, value: HeldRows, times: Array) -> HeldRows:
        joined = (
            c._replace(times=times if c.times is None else times @ c.times) for c in value.chunks
        )
        return HeldRows(times @ value.rows, times @ value.weight, tuple(joined))

    def summary(self, value: HeldRows, schema: Schema) -> "RowsByCell":
        return RowsByCell(value, schema, self.reads)


class CellRows(NamedTuple):
    """The rows of one cell as a callable is given them."""

    truth: Array
    prediction: Array
    weight: Array | None


@dataclass(frozen=True, eq=False)
class RowsByCell:
    """The rows of each cell, as codes or in the user's labels."""

    value: HeldRows
    schema: Schema
    reads: str

    def __len__(self) -> int:
        return len(self.value.rows)

    @cached_property
    def labels(self) -> Array:
        """The classes, to be looked up by code."""
        return np.array(list(self.schema.classes))

    def of(self, cell: int, codes: bool) -> CellRows:
        """The rows of one cell (of one replicate: each as often as it was drawn)."""
        chosen = [(c, _chosen(c, cell)) for c in self.value.chunks]
        truth = np.concatenate([c.truth[rows] for c, rows in chosen])
        prediction = np.concatenate([c.given[rows] for c, rows in chosen])
        weights = [c.weight[rows] for c, rows in chosen if c.weight is not None]
        spelled = self._spelled(truth, codes), self._predicted(prediction, codes)
        return CellRows(*spelled, np.concatenate(weights) if weights else None)

    def _spelled(self, truth: Array, codes: bool) -> Array:
        """Truth or labels in the user's terms, or as codes: in binary tasks whether each is positive."""
        if self.schema.task in ("regression", "multilabel"):
            return truth
        if not codes:
            return np.asarray(self.labels[truth])
        binary = self.schema.task == "binary"
        return np.asarray(truth == self.schema.positive_code if binary else truth, np.int64)

    def _predicted(self, given: Array, codes: bool) -> Array:
        if self.reads == "label":
            return self._spelled(given, codes)
        if self.reads == "proba" and self.schema.task == "binary":
            return np.asarray(given[:, self.schema.positive_code])
        return given


def _chosen(chunk: HeldBatch, cell: int) -> Array:
    """Positions of the rows of a cell, each as often as it counts."""
    own = np.zeros(len(chunk.truth), np.int64) if chunk.cell is None else chunk.cell
    return (
        np.flatnonzero(own == cell)
        if chunk.times is None
        else np.repeat(np.arange(len(own)), chunk.times[cell][own])
    )


class CallableMetric(Metric):
    """What a callable says of the rows: made by `make_metric`, usable wherever a metric is."""

    undefined = "undefined_by_callable"
    function: ClassVar[Callable[..., Any]]
    accepts: ClassVar[frozenset[str]]  # names of its parameters that were not given
    codes: ClassVar[bool]  # whether it is given codes of classes, not labels
    drawn: ClassVar[bool]  # whether it is called on replicates
    made: ClassVar[Any]  # makes it again

    @property
    def state(self) -> State[Any]:
        return AllRows(self.reads)

    def __reduce__(self) -> Any:
        # Its class was made on the way, so another process must make it again.
        return self.made, ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CallableMetric) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def compute(self, summary: RowsByCell) -> Array:
        if len(summary) > 1 and not self.drawn:
            return np.full(len(summary), np.nan)
        return np.array([self._asked(summary, cell)[0] for cell in range(len(summary))])

    def pairing(self, schema: Schema) -> PairedMethod:
        if not self.drawn:
            raise UnsupportedError(
                f"{self} was made with intervals=False, so that differences in it cannot be judged"
            )
        return "bootstrap"

    def note(self, summary: RowsByCell, schema: Schema) -> str:
        ignored = (
            any(c.weight is not None for c in summary.value.chunks)
            and "sample_weight" not in self.accepts
        )
        said = f"{self} takes no weights: each row counts once" if ignored else ""
        return "; ".join(filter(None, (self._asked(summary, 0)[1], said)))

    def _asked(self, summary: RowsByCell, cell: int) -> tuple[float, str]:
        """The figure of one cell, and why it is nan where the callable would not give one."""
        if not summary.value.rows[cell]:
            return float("nan"), ""
        sheet = summary.of(cell, self.codes)
        try:
            with warnings.catch_warnings():
                # What it warns of, such as a class never predicted, comes back a thousand times from replicates.
                warnings.simplefilter("ignore")
                found = self.function(
                    sheet.truth, sheet.prediction, **self._keywords(sheet, summary.schema)
                )
        except (ValueError, ArithmeticError) as error:
            return float("nan"), f"{type(error).__name__}: {' '.join(str(error).split())}"
        except Exception as error:
            raise UnsupportedError(
                f"{self} could not be called on truth {sheet.truth.shape} and {self.reads} {sheet.prediction.shape}: "
                f"{type(error).__name__}: {error}"
            ) from error
        try:
            return float(found), ""
        except (TypeError, ValueError) as error:
            raise UnsupportedError(
                f"{self} must give one number; got {type(found).__name__}: {found!r}"
            ) from error

    def _keywords(self, sheet: CellRows, schema: Schema) -> dict[str, Any]:
        known: dict[str, Any] = {"sample_weight": sheet.weight} if sheet.weight is not None else {}
        if schema.task == "binary":
            known["pos_label"] = schema.positive
        if self.reads in ("proba", "score") and schema.task in ("binary", "multiclass"):
            known["labels"] = list(schema.classes)  # a replicate may miss a class
        return {name: value for name, value in known.items() if name in self.accepts}
