"""Auto: equal weights, unless fitted ones are better on rows they were not fitted on.

>>> from assay.fusions.fuse import fuse
>>> from assay.table.predictions import Predictions
>>> y = [0.0, 1.0, 2.0, 3.0] * 10
>>> high, low = [v + 0.2 for v in y], [v - 0.8 for v in y]
>>> fused = fuse(Predictions.from_arrays(y, {"high": high, "low": low}, task="regression"))
>>> fused.fitted.how, fused.pays
('weighted', True)
"""

from dataclasses import replace

import numpy as np

from assay.fusions.base import FUSIONS, Fusion
from assay.fusions.convex import Pool
from assay.fusions.fitted import Fitted
from assay.fusions.judging import compare_losses
from assay.kernels import Array
from assay.table.folds import assign_folds
from assay.table.predictions import Predictions

__all__ = ["Auto"]


class Auto(Fusion[Pool]):
    """`mean`, unless the cross-fitted loss of `weighted` is lower by more than a standard error.

    The loss is the fusion's own (log loss, squared error); the differences are paired row by row
    (or cluster by cluster).  Models that give labels alone are voted on.  The choice is part of
    the fit: `fuse` repeats it without each fold, so that the score it shows is honest about the
    choosing too, and sets the chosen fusion against the best single model.

    Source: Breiman et al. (1984), Classification and Regression Trees, section 3.4.3
    (one-standard-error rule).
    """

    name = "auto"

    def evidence(self, table: Predictions, fold: Array | None = None) -> Pool:
        """The pool of `table`, with each row's `fold` to choose by."""
        return Pool.read(table, assign_folds(table)[0] if fold is None else fold)

    def solve(self, evidence: Pool, *, seed: int = 0) -> Fitted:
        """The chosen fusion fitted to the `evidence` with `seed`, and a note that says why."""
        mean = FUSIONS["mean"]().solve(evidence, seed=seed)
        folds = sorted(set(evidence.fold.tolist()) - {-1})
        if evidence.kind == "label" or len(folds) < 2:
            return mean
        pool = evidence.take(evidence.fold >= 0)
        weighted = FUSIONS["weighted"]()
        equal = pool.losses(_read_weights(mean))
        losses = _cross_fit_losses(weighted, pool, folds)
        gain = compare_losses(losses, equal, pool.weight, pool.cluster)
        earned = gain.difference < -gain.error
        chosen = weighted.solve(pool, seed=seed) if earned else mean
        note = (
            f"Chosen: {chosen.how}; fitted weights change the cross-fitted loss by "
            f"{gain.difference:+.3g} (standard error {gain.error:.2g})"
            f"{'' if earned else ', no more than noise'}."
        )
        return replace(chosen, notes=(note, *chosen.notes))


def _cross_fit_losses(fusion: Fusion[Pool], pool: Pool, folds: list[int]) -> Array:
    """The loss of each row (n,) under the weights fitted without its fold."""
    losses = np.empty(len(pool.weight))
    for fold in folds:
        inside = pool.fold == fold
        weights = _read_weights(fusion.solve(pool.take(~inside), seed=0))
        losses[inside] = pool.take(inside).losses(weights)
    return losses


def _read_weights(fitted: Fitted) -> list[float]:
    """The weight of each model, in the order of the pool."""
    return list((fitted.importance() or {}).values())
