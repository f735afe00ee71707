"""curve: bases of ranking metrics, which read the curve of each ranking problem.

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
from assay.states.sketch import SketchedRanking, compute_error_bound
from assay.table.schema import Schema

__all__ = ["CurveMetric", "OrderMetric"]


@dataclass(frozen=True)
class CurveMetric(Metric):
    """Base of metrics of how scores order the rows; subclasses write only `compute_curve`.

    Parameters:
        average: `binary` (the positive class) for binary tasks; otherwise one class against the
            rest: `macro` (mean over the classes where it is defined; the default), `weighted` (by
            true rows), `micro` (every class of every row ranked together), or `none` (one value a
            class).
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
        if self.average == "samples" or (self.average == "binary" and schema.task != "binary"):
            raise UnsupportedError(
                f"{self} has no such average for a {schema.task} task; "
                "use macro, micro, weighted or none"
            )
        if schema.task == "binary":
            return replace(self, average="binary")
        return replace(self, average="macro") if self.average == "auto" else self

    @abstractmethod
    def compute_curve(self, curve: Curve) -> Any:
        """The value of one ranking problem, with the leading axes of its `curve`.

        Nan where undefined.
        """

    def compute(self, summary: Ranking) -> Array:
        if self.average == "micro":
            return np.asarray(summary.pooled_ranking.read(self.compute_curve)[..., 0])
        each = summary.read(self.compute_curve)
        if self.average == "none":
            return each
        if self.average == "weighted":
            return mean_of_defined(each, summary.read(lambda curve: curve.positives))
        return mean_of_defined(each, np.ones_like(each))

    def error_bound(self, curve: Curve) -> float:
        """How far the value of a sketched `curve` can lie from that of the rows.

        See `assay.states.sketch.compute_error_bound`.
        """
        return compute_error_bound(self.compute_curve, curve)

    def note(self, summary: Ranking, schema: Schema) -> str:
        notes = []
        if isinstance(summary, SketchedRanking):
            ranking = summary.pooled_ranking if self.average == "micro" else summary
            error = ranking.read(self.error_bound)
            if not np.isnan(error).all():
                notes.append(f"within {max(np.nanmax(error), np.finfo(float).eps):.1g}")
        if self.average in ("macro", "weighted"):
            undefined = np.isnan(summary.read(self.compute_curve))
            notes.append(name_left_out(undefined, schema, self.undefined))
        return "; ".join(filter(None, notes))


class OrderMetric(CurveMetric):
    """Base of curve metrics whose variance follows from the influence of each row.

    Subclasses add `compute_influence` and `compute_variance`.
    """

    @abstractmethod
    def compute_influence(self, positive: Array, score: Array, weight: Array | None) -> Array:
        """Influence of each row (n,): the variance of the value is the sum of their squares.

        From whether each row is `positive`, its `score` and its `weight`, or None: all (n,).
        """

    def compute_variance(self, curve: Curve) -> tuple[float, float]:
        """Variance of the value of one `curve` of rows that count alike; its degrees of freedom."""
        raise NotImplementedError

    def influence(self, summary: Ranking) -> Iterator[Array]:
        """Influence (n,) of the rows of `summary` on each value."""
        each = (self.compute_influence(y, s, summary.weight) for y, s in summary.problems)
        if self.average == "none":
            yield from each
            return
        weighted = self.average == "weighted"
        shares = summary.read(lambda curve: curve.positives) if weighted else np.ones(summary.count)
        total = np.zeros(len(summary.truth))
        mass = 0.0
        for share, influence in zip(shares, each, strict=True):
            if not np.isnan(influence).any():
                total += share * influence
                mass += share
        yield total / mass if mass else np.full(len(total), np.nan)

    def interval(self, schema: Schema) -> IntervalMethod:
        # The classes of a row vary together, which DeLong's components of single scores overlook.
        return "bootstrap" if self.average == "micro" else "delong"
