"""Rank mean: models of different scales averaged by the rank of their scores, as for ROC AUC.

>>> from assay.fusions.fuse import fuse
>>> from assay.table.predictions import Predictions
>>> scores = {"a.score": [0.1, 0.4, 0.3, 0.9], "b.score": [-50.0, 10.0, 90.0, 70.0]}
>>> p = Predictions.from_arrays([0, 0, 1, 1], scores, positive=1)
>>> fuse(p, "rank_mean").fitted.apply(p)["score"].tolist()
[0.125, 0.5, 0.625, 0.75]
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from assay.errors import UnsupportedError
from assay.fusions.base import Fusion
from assay.fusions.fitted import Fitted, header_fields
from assay.kernels import Array
from assay.table.predictions import Predictions
from assay.table.schema import WRITTEN, Schema

__all__ = ["RankMean", "RankScales"]

MOST_KNOTS = 1 << 14  # scores of a model that are kept; between them ranks are interpolated


@dataclass(frozen=True, kw_only=True, eq=False)
class RankScales(Fitted):
    """A fitted rank mean: for each model the scores it was fitted on and the rank of each.

    Parameters:
        scores: Of each model ascending scores (knots,).
        ranks: Of each model the share of rows below each of them, ties counting half, (knots,).
    """

    scores: Mapping[str, Array]
    ranks: Mapping[str, Array]

    def combine(self, batch: Predictions) -> Array:
        """The mean rank (n,) of the rows of `batch` among those fitted on, in [0, 1]."""
        ranks = [
            np.interp(batch.rows(name).score, self.scores[name], self.ranks[name], 0.0, 1.0)
            for name in batch.models
        ]
        return np.asarray(np.mean(ranks, axis=0))

    def dump(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """The common header; scores and ranks of each model."""
        header, _ = super().dump()
        arrays = {f"scores.{name}": array for name, array in self.scores.items()}
        return header, arrays | {f"ranks.{name}": array for name, array in self.ranks.items()}

    @classmethod
    def load(cls, header: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:
        """From the `header` and the `arrays` of `dump`."""
        fields = header_fields(header)
        models = fields["schema"].models
        return cls(
            **fields,
            scores={name: arrays[f"scores.{name}"] for name in models},
            ranks={name: arrays[f"ranks.{name}"] for name in models},
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RankScales):
            return NotImplemented
        header, arrays = self.dump()
        other_header, other_arrays = other.dump()
        same = header == other_header and arrays.keys() == other_arrays.keys()
        return same and all(np.array_equal(a, other_arrays[name]) for name, a in arrays.items())

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True)
class RankScores:
    """What ranks are fitted from.

    Parameters:
        schema: Schema of the table.
        scores: Score of each model for each row (n, m).
        weight: Weight of each row (n,).
    """

    schema: Schema
    scores: Array
    weight: Array

    def take(self, rows: Array) -> "RankScores":
        """The `rows` of a mask (n,)."""
        return RankScores(self.schema, self.scores[rows], self.weight[rows])


@dataclass(frozen=True)
class RankMean(Fusion[RankScores]):
    """The mean of the ranks that the models give a row: for ROC AUC, whatever their scales.

    The rank of a score is the share of the rows fitted on that score lower, ties counting half; a
    new row is ranked among those. It gives a score, not a probability, of binary tasks, and is
    judged by the ROC AUC.
    """

    name = "rank_mean"
    aliases = ("rank", "rank_average")
    fitted = RankScales
    least_rows = 0  # only the scales are fitted

    def evidence(self, table: Predictions, fold: Array | None = None) -> RankScores:
        """The scores of the models of `table`; `fold` is not used."""
        if table.task != "binary":
            other = "use how='mean' in its place"
            remedy = "take the best model" if table.task in ("multioutput", *WRITTEN) else other
            raise UnsupportedError(
                f"ranks are averaged in binary tasks, this is {table.task}; {remedy}"
            )
        for model in table.models:
            if not table.schema.offers(model, "score"):
                raise UnsupportedError(
                    f"model {model!r} gives only {', '.join(table.schema.models[model])}, which "
                    f"have no order to rank rows by; give {model}.score, .proba or .logit, or use "
                    f"how='hard', the majority vote"
                )
        scores = np.stack([np.asarray(table.rows(m).score, float) for m in table.models], axis=1)
        weight = np.ones(table.n) if table.weight is None else table.weight
        return RankScores(table.schema, scores, weight)

    def solve(self, evidence: RankScores, *, seed: int = 0) -> RankScales:
        """The scales of the models on the rows of the `evidence`; `seed` is not used."""
        scores: dict[str, Array] = {}
        ranks: dict[str, Array] = {}
        for model, column in zip(evidence.schema.models, evidence.scores.T, strict=True):
            scores[model], ranks[model] = _rank(column, evidence.weight)
        return RankScales(
            how=str(self), kind="score", schema=evidence.schema, scores=scores, ranks=ranks
        )


def _rank(scores: Array, weight: Array) -> tuple[Array, Array]:
    """The distinct scores, at most so many evenly spread, and the rank of each."""
    distinct, place = np.unique(scores, return_inverse=True)
    share = np.bincount(place, weight, len(distinct)) / max(float(weight.sum()), 1e-300)
    rank = np.cumsum(share) - share / 2
    if len(distinct) > MOST_KNOTS:
        kept = np.unique(np.linspace(0, len(distinct) - 1, MOST_KNOTS).round().astype(np.intp))
        distinct, rank = distinct[kept], rank[kept]
    return distinct, rank
