"""Metrics of order: how well scores put positive rows above negative ones, whatever their scale.

>>> RocAuc()([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
0.75
"""

from dataclasses import dataclass

import numpy as np

from assay.kernels import tie_counts
from assay.metric import Average, OrderMetric, ratio
from assay.order import Curve
from assay.table.labels import Array

__all__ = ["RocAuc"]


@dataclass(frozen=True)
class RocAuc(OrderMetric):
    """Probability that a positive row scores above a negative one, ties counting half: in [0, 1], 0.5 is chance.

    Area under the ROC curve; higher is better. Binary: of the positive class. Otherwise one class against the rest:
    `macro` mean over the classes that have both kinds of rows (default), `weighted` by true rows, or `none`.
    Works on raw scores, never squashed. Undefined (single_class) unless both kinds of rows are there.
    Same value as scikit-learn's roc_auc_score (multi_class="ovr").
    Source: Hanley & McNeil (1982), Radiology 143:29-36; influence: DeLong et al. (1988), Biometrics 44:837-845.

    >>> RocAuc()(["no", "yes", "yes"], [0.2, 0.2, 0.9])
    0.75
    """

    name = "roc_auc"
    average: Average = "auto"
    cases = ({"average": "weighted"}, {"average": "none"})
    oracle = "auc_of(score)"

    def of_curve(self, curve: Curve) -> Array:
        """The area: the weight of negatives below each positive, and half of that at its score."""
        below = 2 * np.expand_dims(curve.negatives, -1) - curve.fp - curve.fp_above
        return ratio((curve.gained * below).sum(axis=-1), 2 * np.multiply(curve.positives, curve.negatives))

    def influence_of(self, positive: Array, score: Array, weight: Array | None) -> Array:
        """DeLong's components: how far each row's placement lies from the area, over the size of its class."""
        above, below, mass = _split(positive, score, weight)
        if not mass[0] or not mass[1]:
            return np.full(len(score), np.nan)
        w = np.ones(len(score)) if weight is None else weight
        of_positive = tie_counts(above, below, None if weight is None else w[~positive]) / mass[1]
        of_negative = 1 - tie_counts(below, above, None if weight is None else w[positive]) / mass[0]
        area = (w[positive] * of_positive).sum() / mass[0]
        result = np.empty(len(score))
        for rows, placed, total in ((positive, of_positive, mass[0]), (~positive, of_negative, mass[1])):
            m = len(placed)
            result[rows] = w[rows] * (placed - area) / total * np.sqrt(m / max(m - 1, 1))
        return result


def _split(positive: Array, score: Array, weight: Array | None) -> tuple[Array, Array, tuple[float, float]]:
    """Scores of positive and of negative rows, and the weight of each kind."""
    w = (positive.sum(), (~positive).sum()) if weight is None else (weight[positive].sum(), weight[~positive].sum())
    return score[positive], score[~positive], (float(w[0]), float(w[1]))
