"""Curve: bases of metrics of how scores order the rows.

They read the curve of each ranking problem.

>>> from assay.metrics.base import METRICS
>>> METRICS.parse("roc_auc")([0, 1, 1], [0.1, 0.7, 0.4])
1
"""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from assay.errors import UnsupportedError
from assay.kernels import Array
from assay.metrics.base import (
    Average,
    Granularity,
    IntervalMethod,
    Metric,
    mean_of_defined,
    name_left_out,
)
from assay.states.ranking import Curve, Ranking
from assay.states.row_values import Ranked
from assay.states.sketch import SketchedRanking, bound_error
from assay.table.schema import Schema

__all__ = ["CurveMetric", "OrderMetric"]


@dataclass(frozen=True)
class CurveMetric(Metric):
    """How scores order the rows, one ranking problem a class.

    Subclasses write only `compute_curve`.

    average: `binary` (the positive class) for binary tasks; otherwise one class against the rest:
    `macro` (mean over the classes where it is defined; the default), `weighted` (by true rows), or
    `none` (one a class).
    """

    reads = "score"
    needs = Ranked()
    average: Average = "auto"
    undefined = "single_class"

    @property
    def granularity(self) -> Granularity:
        return "class" if self.average == "none" else "table"

    def bind(self, schema: Schema) -> Self:
        super().bind(schema)
        if self.average in ("samples", "micro") or (
            self.average == "binary" and schema.task != "binary"
        ):
            raise UnsupportedError(
                f"{self} has no such average for a {schema.task} task; use macro, weighted or none"
            )
        if schema.task == "binary":
            return replace(self, average="binary")
        return replace(self, average="macro") if self.average == "auto" else self

    @abstractmethod
    def compute_curve(self, curve: Curve) -> Any:
        """The figure of one ranking problem, with the leading axes of the curve.

        Nan where undefined.
        """

    def compute(self, summary: Ranking) -> Array:
        each = summary.read(self.compute_curve)
        if self.average == "none":
            return each
        share = (
            summary.read(lambda curve: curve.positives)
            if self.average == "weighted"
            else np.ones_like(each)
        )
        return np.asarray(mean_of_defined(each, share))

    def error_bound(self, curve: Curve) -> float:
        """How far the figure can lie from that of the rows, where they were sketched: see
        `assay.sketch.bound_error`.
        """
        return bound_error(self.compute_curve, curve)

    def note(self, summary: Ranking, schema: Schema) -> str:
        said = ""
        if isinstance(summary, SketchedRanking):
            within = summary.read(self.error_bound)
            said = (
                f"within {max(np.nanmax(within), np.finfo(float).eps):.1g}"
                if not np.isnan(within).all()
                else ""
            )
        if self.average not in ("macro", "weighted"):
            return said
        left_out = name_left_out(np.isnan(summary.read(self.compute_curve)), schema, self.undefined)
        return "; ".join(filter(None, (said, left_out)))


class OrderMetric(CurveMetric):
    """A curve metric whose variance follows from the influence of each row.

    Subclasses add `influence_of`.
    """

    @abstractmethod
    def influence_of(self, positive: Array, score: Array, weight: Array | None) -> Array:
        """Influence of each row (n,): the variance of the figure is the sum of their squares."""

    def variance_of(self, curve: Curve) -> tuple[float, float]:
        """Variance of the figure of one problem of rows that count alike, and its degrees of
        freedom.
        """
        raise NotImplementedError

    def influence(self, summary: Ranking) -> Iterator[Array]:
        """Influence (n,) of the rows on each figure."""
        each = (self.influence_of(y, s, summary.weight) for y, s in summary.problems)
        if self.average == "none":
            yield from each
            return
        weighted = self.average == "weighted"
        shares = summary.read(lambda curve: curve.positives) if weighted else np.ones(summary.count)
        total, mass = np.zeros(len(summary.truth)), 0.0
        for share, one in zip(shares, each, strict=True):
            if not np.isnan(one).any():
                total += share * one
                mass += share
        yield total / mass if mass else np.full(len(total), np.nan)

    def interval(self, schema: Schema) -> IntervalMethod:
        return "delong"
