"""Coalitions: what the fusion of any of the models loses on rows left out of its fit.

>>> y = [0, 1] * 20
>>> p = Predictions.from_arrays(y, {"a.proba": [0.2, 0.8] * 20, "b.proba": [0.6, 0.4] * 20})
>>> game = Coalitions(p, np.arange(40) % 5, FUSIONS.parse("mean"), "proba")
>>> [round(float(game.lose(models).mean()), 2) for models in ([], [0], [1], [0, 1])]
[0.69, 0.22, 0.92, 0.51]
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from assay.core.text import find_free_name
from assay.fusions.base import FUSIONS, Fusion
from assay.fusions.baselines import predict_nothing
from assay.fusions.convex import Weights
from assay.fusions.cross_fitting import cross_fit, fuse_by_fold
from assay.fusions.judging import LossDifference, compare_over_folds, measure_losses
from assay.kernels import Array
from assay.table.folds import encode_column
from assay.table.predictions import Predictions
from assay.table.schema import Kind

__all__ = ["Coalitions", "choose_game"]

SURROGATE = "weighted"  # stands for fusions that are too costly to fit so often


def choose_game(fusion: Fusion[Any], kind: Kind) -> Fusion[Any]:
    """The fusion that coalitions are fused by: itself where that is cheap, else convex weights.

    Parameters:
        fusion: The fusion that was asked for.
        kind: Kind of output that it gives.
    """
    # Costs of greedy are of all models, not of some of them.
    is_whole = bool(getattr(fusion, "costs", ""))
    is_cheap = not fusion.learns or (fusion.fitted is Weights and not is_whole) or kind == "score"
    return fusion if is_cheap or kind == "label" else FUSIONS.parse(SURROGATE)


@dataclass(frozen=True, eq=False)
class Coalitions:
    """The loss of each row under the fusion of any of the models, fitted without the row's fold.

    One model alone is itself; no model at all is the baseline of the kind, by the other folds.

    Parameters:
        table: The rows.
        fold: Fold of each row (n,), from 0.
        fusion: How a coalition of two models or more is fused.
        kind: Kind of output that it gives.
        seed: Seed of what is random in fitting; default 0.
    """

    table: Predictions
    fold: Array
    fusion: Fusion[Any]
    kind: Kind
    seed: int = 0
    known: dict[frozenset[int], Array] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Number of models."""
        return len(self.table.models)

    @cached_property
    def weight(self) -> Array:
        """Weight of each row (n,)."""
        table = self.table
        return np.ones(table.n) if table.weight is None else np.asarray(table.weight, float)

    @cached_property
    def cluster(self) -> Array | None:
        """Cluster of each row (n,) as codes, where declared."""
        return encode_column(self.table, "cluster")

    def lose(self, models: Collection[int]) -> Array:
        """The loss of each row (n,) under the fusion of the `models`, by their positions."""
        key = frozenset(models)
        if key not in self.known:
            self.known[key] = self._measure(sorted(key))
        return self.known[key]

    def compare(self, losses: Array, against: Array | float = 0.0) -> LossDifference:
        """The difference of `losses` (n,) `against` others, by the larger of two errors."""
        both = losses, np.broadcast_to(against, losses.shape)
        return compare_over_folds(*both, self.weight, self.fold, self.cluster)

    def average(self, losses: Array) -> float:
        """The weighted mean of the `losses` of all rows (n,)."""
        return float(self.weight @ losses / self.weight.sum())

    def _measure(self, models: list[int]) -> Array:
        if len(models) == 1:
            return self._measure_column(None, self.table.models[models[0]])
        if not models:
            return self._measure_column(predict_nothing(self.table, self.fold, self.kind))
        table = self.table.select([self.table.models[i] for i in models])
        fitted, by_fold = cross_fit(self.fusion, table, self.fold, self.seed)
        return self._measure_column(fuse_by_fold(table, self.fold, [*by_fold, fitted]))

    def _measure_column(self, column: Array | None, model: str = "") -> Array:
        table = self.table
        if column is not None:
            model = find_free_name("fused", table.models)
            outputs: dict[str, Any] = {self.kind: column}
            table = table.append(model, **outputs)
        return measure_losses(table.select([model]), self.kind).rows[model]
