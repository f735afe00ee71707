"""Base."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from assay.core.registry import Member, Registry
from assay.errors import UnsupportedError
from assay.fusions.convex import Fitted, Pool, common_kind
from assay.kernels import Array
from assay.table.folds import held_out
from assay.table.predictions import Predictions

__all__ = ["FUSIONS", "Fusion"]

FUSIONS: "Registry[Fusion]" = Registry("fusions")


@dataclass(frozen=True)
class Fusion(Member):
    """Base of every fusion: parameters, and `solve`, that gives weights from what `reduce` kept of the rows.

    `learns` is False where nothing is fitted to the rows, so that no folds are needed for an honest score.
    """

    registry: ClassVar[Registry[Any]] = FUSIONS
    learns: ClassVar[bool] = True

    def fit(self, predictions: Predictions) -> Fitted:
        """The fusion fitted on every row of the table, but those of split "train" (unless all are)."""
        at_least_two(predictions)
        keep, _ = held_out(predictions)
        return self.solve(self.reduce(predictions if keep.all() else predictions.take(keep)))

    def reduce(self, predictions: Predictions, fold: Array | None = None) -> Any:
        """What `solve` reads, with a `take(mask)`: the pool of the table unless a fusion needs more."""
        return Pool.of(predictions, fold)

    @abstractmethod
    def solve(self, evidence: Any) -> Fitted:
        """The weights for those rows."""


def cross_losses(pool: Pool, each: Sequence[Fitted] | Mapping[int, Fitted]) -> Array:
    """The loss of each row (n,) under the weights of its fold; `each` holds one fit a fold."""
    losses = np.empty(len(pool.weight))
    for f in np.unique(pool.fold):
        rows = pool.fold == f
        losses[rows] = pool.take(rows).losses(list(each[f].weights.values()))
    return losses


def at_least_two(predictions: Predictions) -> None:
    """UnsupportedError for a table of one model."""
    if len(predictions.models) < 2:
        raise UnsupportedError(
            f"fusing needs at least 2 models; the table has {len(predictions.models)}: "
            f"{', '.join(predictions.models)}. Add another model's column."
        )


def refuse_labels(predictions: Predictions, fusion: Fusion) -> None:
    """UnsupportedError where weights cannot be fitted because the models give labels alone."""
    if common_kind(predictions) == "label":
        raise UnsupportedError(
            f"{fusion.name} needs probabilities, but model {predictions.models[0]!r} gives only labels. Give "
            f"{predictions.models[0]}.proba or .logit, or use how='mean', the majority vote."
        )
