"""outputs: metrics of several predicted numbers a row, each output on its own or on average.

>>> from assay.metrics.base import METRICS
>>> y, value = [[1.0, 10.0], [2.0, 30.0]], [[1.0, 12.0], [4.0, 30.0]]
>>> METRICS.parse("mae")(y, value, task="multioutput")
1
>>> METRICS.parse("mae(average=none)")(y, value, task="multioutput")
array([1., 1.])
"""

from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal, Self, cast, get_args

import numpy as np

from assay.errors import UnsupportedError
from assay.kernels import Array
from assay.metrics.base import (
    Granularity,
    IntervalMethod,
    Metric,
    RowMetric,
    mean_of_defined,
    name_left_out,
    ratio,
)
from assay.states.base import State
from assay.states.moments import Moments, Sums
from assay.table.rows import Rows
from assay.table.schema import Schema, Task

__all__ = ["NUMBERS", "OfOutputs"]

NUMBERS: frozenset[Task] = frozenset({"regression", "multioutput"})

OutputAverage = Literal["uniform", "none"]
Formula = Literal["mean", "root", "r2"]

# What a metric is, whatever table it is bound to.
FACTS = ("name", "reads", "tasks", "better", "bounds", "undefined")


@dataclass(frozen=True)
class OfOutputs(Metric):
    """Base of metrics of predicted numbers that take several outputs a row as well.

    Parameters:
        average: `uniform`: mean over the outputs where it is defined, each by its own formula;
            `none`: one value an output. Of a single output both are its value. Default uniform.
    """

    average: OutputAverage = field(default="uniform", kw_only=True)
    tasks: ClassVar[frozenset[Task]] = NUMBERS
    absolute: ClassVar[bool] = False
    formula: ClassVar[Formula] = "mean"
    instead: ClassVar[dict[str, str]] = {
        "multioutput": "the average over outputs is said by average=uniform or average=none"
    }

    def bind(self, schema: Schema) -> Self:
        super().bind(schema)
        if self.average not in get_args(OutputAverage):
            raise UnsupportedError(
                f"{self}: average must be one of uniform, none; got {self.average!r}"
            )
        if schema.task != "multioutput":
            return self if self.average == "uniform" else replace(self, average="uniform")
        means = self.average == "uniform" and self.formula == "mean"
        return cast(Self, MeanLoss(self) if means else OverOutputs(self, schema.k))

    def split_losses(self, rows: Rows) -> Array:
        """The loss of each output of each of the `rows` (n, outputs)."""
        return np.abs(rows.residual) if self.absolute else np.square(rows.residual)


@dataclass(frozen=True)
class Bound(Metric):
    """Base of a metric `of` outputs as it is bound to a table of several, with all its facts."""

    of: OfOutputs

    def __post_init__(self) -> None:
        for fact in FACTS:
            object.__setattr__(self, fact, getattr(self.of, fact))

    def __str__(self) -> str:
        return str(self.of)


@dataclass(frozen=True)
class MeanLoss(Bound, RowMetric):
    """The mean over rows and outputs of a loss."""

    def compute_rows(self, rows: Rows) -> Array:
        return np.asarray(self.of.split_losses(rows).mean(axis=1))


@dataclass(frozen=True)
class LossesAndTruth:
    """The loss of each output of a row, and its truth (n, 2 outputs)."""

    of: OfOutputs

    def compute_rows(self, rows: Rows) -> Array:
        losses = self.of.split_losses(rows)
        return np.concatenate([losses, np.asarray(rows.truth, np.float64)], axis=1)


@dataclass(frozen=True)
class OverOutputs(Bound):
    """What follows from the mean loss of each of so many outputs."""

    outputs: int

    @property
    def state(self) -> State[Sums]:
        return Moments(LossesAndTruth(self.of), width=2 * self.outputs)

    @property
    def granularity(self) -> Granularity:
        return "class" if self.of.average == "none" else "table"

    def interval(self, schema: Schema) -> IntervalMethod:
        return "bootstrap"

    def compute(self, summary: Sums) -> Array:
        each = self._compute_each(summary)
        if self.of.average == "none":
            return each
        return mean_of_defined(each, np.ones_like(each))

    def note(self, summary: Sums, schema: Schema) -> str:
        if self.of.average == "none":
            return ""
        return name_left_out(np.isnan(self._compute_each(summary))[0], schema, self.undefined)

    def _compute_each(self, summary: Sums) -> Array:
        """The value of each output (..., outputs)."""
        loss, truth = np.split(summary.mean, 2, axis=-1)
        if self.of.formula == "mean":
            return np.asarray(loss)
        if self.of.formula == "root":
            return np.asarray(np.sqrt(loss))
        squares = np.split(summary.m2, 2, axis=-1)[1]
        weight = np.asarray(summary.weight)[..., None]
        # What rounding leaves of a constant truth is no spread.
        rounding = weight * (8 * np.finfo(np.float64).eps * truth) ** 2
        spread = np.where(squares > rounding, squares, 0.0)
        return 1 - ratio(loss * weight, spread)
