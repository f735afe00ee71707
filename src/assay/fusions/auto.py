"""The choice made for you: equal weights, unless fitted ones earn their keep on rows they were not fitted on.

>>> from assay.fusions.fuse import fuse
>>> from assay.table.predictions import Predictions
>>> y = [0.0, 1.0, 2.0, 3.0] * 10
>>> high, low = [v + 0.2 for v in y], [v - 0.8 for v in y]
>>> fused = fuse(Predictions.from_arrays(y, {"high": high, "low": low}, task="regression"))
>>> fused.fitted.how, fused.pays
('weighted', True)
"""

from dataclasses import replace

from assay.fusions.base import FUSIONS, Fusion, cross_losses
from assay.fusions.convex import Fitted, Pool
from assay.kernels import Array
from assay.table.folds import assign_folds
from assay.table.predictions import Predictions

__all__ = ["Auto"]


class Auto(Fusion):
    """`mean`, unless the cross-fitted loss of `weighted` is lower by more than one standard error of the difference.

    The loss is the fusion's own (log loss, squared error); the differences are paired row by row (or cluster by
    cluster).  Models that give labels alone are voted on.  The choice is part of the fit: `fuse` repeats it without
    each fold, so that the score it shows is honest about the choosing too, and sets the chosen fusion against the best
    single model.

    Source: Breiman et al. (1984), Classification and Regression Trees, section 3.4.3 (one-standard-error rule).
    """

    name = "auto"

    def reduce(self, predictions: Predictions, fold: Array | None = None) -> Pool:
        """The pool, with folds to choose by."""
        return Pool.of(predictions, assign_folds(predictions)[0] if fold is None else fold)

    def solve(self, evidence: Pool) -> Fitted:
        """The chosen fusion's weights on all rows, and a note that says why it was chosen."""
        mean = FUSIONS["mean"]().solve(evidence)
        folds = sorted(set(evidence.fold.tolist()) - {-1})
        if evidence.kind == "label" or len(folds) < 2:
            return mean
        weighted = FUSIONS["weighted"]()
        pool = evidence.take(evidence.fold >= 0)
        fitted = weighted.solve(pool)
        each = {f: weighted.solve(pool.take(pool.fold != f)) for f in folds}
        gain = pool.gain(cross_losses(pool, each), pool.losses(list(mean.weights.values())))
        earned = gain.difference < -gain.error
        chosen = fitted if earned else mean
        why = f"fitted weights change the cross-fitted loss by {gain.difference:+.3g} (standard error {gain.error:.2g})"
        note = f"Chosen: {chosen.how}; {why}{'' if earned else ', no more than noise'}."
        return replace(chosen, note=f"{note} {chosen.note}".strip())
