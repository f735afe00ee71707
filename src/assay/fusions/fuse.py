"""Fusion: several models of a table made into one more, judged on rows that did not set its weights.

>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays([0, 1, 1], {"a.proba": [0.4, 0.9, 0.3], "b.proba": [0.2, 0.5, 0.7]})
>>> fuse(p, "mean").predictions.outputs["fused"]["proba"][:, 1].round(2).tolist()
[0.3, 0.7, 0.5]
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, ClassVar, cast

import numpy as np

from assay.core.registry import Member
from assay.core.result import Result
from assay.core.text import format_number, text_table
from assay.errors import SchemaError, UnsupportedError
from assay.fusions.base import FUSIONS, Fusion, at_least_two, cross_losses
from assay.fusions.convex import LOSSES, Fitted, Pool
from assay.io.read_write import Source, table_of
from assay.kernels import Array
from assay.table.folds import assign_folds
from assay.table.predictions import Predictions

__all__ = ["Fused", "fuse"]


@dataclass(frozen=True, repr=False, eq=False)
class Fused(Result):
    """A table with the fused model appended, the weights for new rows, and whether fusing pays.

    `predictions` holds the cross-fitted column, so evaluating or comparing it is honest; `fitted` is fitted on all rows
    and meant for other tables.  `loss` (cross-fitted) and `losses` (of each model) are means over the same rows; `pays`
    is True where the 95% interval of the paired difference to the best single model is below 0, None where it has none.
    """

    schema_name: ClassVar[str] = "assay.fusion/1"
    drawn_by: ClassVar[str] = "fusion"

    predictions: Predictions
    fitted: Fitted
    name: str
    how: str
    loss: float
    losses: Mapping[str, float]
    difference: float
    low: float
    high: float
    notes: tuple[str, ...]

    @property
    def weights(self) -> Mapping[str, float]:
        """Weight of each model, fitted on all rows."""
        return self.fitted.weights

    @property
    def best(self) -> str:
        """The single model of least loss, the first by name where tied."""
        return min(self.losses, key=lambda name: (self.losses[name], name))

    @property
    def pays(self) -> bool | None:
        """Whether the fused model beats the best single one beyond the noise of the rows."""
        return None if np.isnan(self.high) else self.high < 0

    @cached_property
    def note(self) -> str:
        """The verdict in words, then everything a reader must know beside it."""
        return " ".join([self._verdict(), *self.notes])

    def _verdict(self) -> str:
        what = LOSSES[self.fitted.kind]
        figures = f"{what} {format_number(self.loss)} against {format_number(self.losses[self.best])} of {self.best!r}"
        if self.pays is None:
            return f"Too few rows to say whether fusing pays: {figures}."
        span = f"{figures} (difference {self.difference:+.4g}, 95% interval {self.low:+.4g} to {self.high:+.4g})"
        return (
            f"Fusing pays: {span}."
            if self.pays
            else f"Fusing does not pay beyond noise, keep {self.best!r}: {span}."
        )

    @property
    def rows(self) -> tuple[dict[str, Any], ...]:
        """One tidy row a model, the fused one last."""
        return tuple(self.records)

    @property
    def records(self) -> list[dict[str, Any]]:
        what = LOSSES[self.fitted.kind]
        rows = [
            {"model": m, "weight": w, "loss": self.losses[m], "loss_name": what}
            for m, w in self.weights.items()
        ]
        return [*rows, {"model": self.name, "weight": None, "loss": self.loss, "loss_name": what}]

    def to_dict(self) -> dict[str, Any]:
        """Name, method, verdict and rows."""
        told = ("name", "how", "best", "pays", "difference", "low", "high", "note")
        return {
            **{key: getattr(self, key) for key in told},
            "fitted": self.fitted,
            "rows": self.records,
        }

    def __repr__(self) -> str:
        head = ["model", "weight", LOSSES[self.fitted.kind]]
        weight = {m: f"{w:.3f}" for m, w in self.weights.items()}
        rows = [
            [r["model"], weight.get(r["model"], ""), format_number(r["loss"])] for r in self.records
        ]
        return f"{self.name}: {self.how} of {len(self.weights)} models. {self.note}\n{text_table(head, rows)}"


def fuse(
    predictions: Source,
    how: str | Fusion = "auto",
    *,
    metric: str | Member | None = None,
    name: str | None = None,
    folds: int = 5,
    seed: int = 0,
) -> Fused:
    """Append one model that fuses all those of the table, and say whether that pays.

    Each row's fused prediction comes from weights fitted without that row's fold: the `fold` column where it holds at
    least two, otherwise random folds by `seed`, stratified by class and, with a `cluster` column, of whole clusters.
    Rows whose `split` is "train" are not fitted on (their members' outputs are not honest), unless all are.
    `metric` is what a fusion that searches one (greedy) aims at; `name` is the appended model's ("fused").

    >>> p = Predictions.from_arrays([1.0, 2.0, 4.0], {"a": [1.2, 2.2, 4.0], "b": [0.8, 1.9, 3.9]}, task="regression")
    >>> fuse(p, "mean").loss < 0.01
    True
    """
    predictions = table_of(predictions)
    at_least_two(predictions)
    name = name or "fused"
    if name in predictions.models:
        raise SchemaError(
            f"a model is already named {name!r}; give the fused one another: fuse(..., name='...')"
        )
    fusion, notes = _aimed(FUSIONS.parse(how), metric)
    fold, told = assign_folds(predictions, folds, seed)
    if fusion.learns and fold.max() < 1:
        notes.append(f"Equal weights: there is no second fold to judge {fusion} on.")
        fusion = FUSIONS["mean"]()
    evidence = fusion.reduce(predictions, fold)
    fitted = fusion.solve(evidence.take(fold >= 0))
    each = _cross_fit(fusion, evidence, fold, fitted)
    column: dict[str, Array] = {fitted.kind: _column(predictions, fold, [*each, fitted])}
    pool = evidence if isinstance(evidence, Pool) else Pool.of(predictions, fold, fitted.kind)
    return Fused(
        predictions=predictions.append(name, **column),
        fitted=fitted,
        name=name,
        how=str(fusion),
        notes=tuple(note for note in [fitted.note, *notes, *told[not fusion.learns :]] if note),
        **_judge(pool.take(fold >= 0), each),
    )


def _aimed(fusion: Any, metric: str | Member | None) -> tuple[Fusion, list[str]]:
    """The fusion with its metric set, and a note where it has none to set."""
    if not isinstance(fusion, Fusion):
        raise UnsupportedError(
            f"how must be the text or instance of a fusion, as in 'weighted(shrink=2)'; got {fusion!r}"
        )
    if metric is None:
        return fusion, []
    if any(f.name == "metric" for f in fields(fusion)):
        return cast(Fusion, replace(cast(Any, fusion), metric=str(metric))), []
    return fusion, [
        f"{fusion.name} is judged by its own loss, not by {metric}; greedy(metric={metric}) searches that."
    ]


def _cross_fit(fusion: Fusion, evidence: Any, fold: Array, fitted: Fitted) -> list[Fitted]:
    """Fold by fold, the fusion fitted on the other folds."""
    number = int(fold.max()) + 1
    if not fusion.learns:
        return [fitted] * number
    return [fusion.solve(evidence.take((fold >= 0) & (fold != f))) for f in range(number)]


def _column(predictions: Predictions, fold: Array, each: Sequence[Fitted]) -> Array:
    """The fused column, each row by the weights of its own fold; rows of fold -1 by the last."""
    if all(one is each[0] for one in each):
        return each[0].apply(predictions)[each[0].kind]
    column: Array | None = None
    for f in np.unique(fold):
        rows = np.flatnonzero(fold == f)
        needed = [name for name, weight in each[f].weights.items() if weight > 0]
        part = each[f].apply(predictions.select(needed).take(rows))[each[f].kind]
        column = (
            np.empty((predictions.n, *part.shape[1:]), part.dtype) if column is None else column
        )
        column[rows] = part
    assert column is not None
    return column


def _judge(pool: Pool, each: Sequence[Fitted]) -> dict[str, Any]:
    """Cross-fitted loss, each model's own, and the paired difference to the best of them."""
    singles = dict(
        zip(pool.schema.models, map(pool.losses, np.eye(len(pool.schema.models))), strict=True)
    )
    fused = cross_losses(pool, each)
    losses = {name: float(np.average(one, weights=pool.weight)) for name, one in singles.items()}
    best = min(losses, key=lambda name: (losses[name], name))
    gain = pool.gain(fused, singles[best])
    low, high = gain.interval
    loss = float(np.average(fused, weights=pool.weight))
    return {"loss": loss, "losses": losses, "difference": gain.difference, "low": low, "high": high}
