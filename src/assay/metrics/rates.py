"""Metrics of how often a class is predicted: what criteria of fairness hold between groups.

>>> SelectionRate()([0, 1, 1, 0], [1, 1, 1, 0])
0.75
"""

import numpy as np

from assay.kernels import Array
from assay.metrics.base import Ratio
from assay.states.confusion import Counts

__all__ = ["FalseNegativeRate", "FalsePositiveRate", "SelectionRate"]


class SelectionRate(Ratio):
    """Share of the rows predicted as a class (of the positive class in binary tasks): in [0, 1].

    (tp + fp) / n. What demographic parity compares. Neither higher nor lower is better: it judges
    no prediction, so models are not compared by it. Also called positive rate or acceptance rate.
    Undefined (no_samples) without rows. Same value as fairlearn's selection_rate.
    Source: Calders, Kamiran & Pechenizkiy (2009), ICDM workshops, 13-18.

    >>> SelectionRate()([0, 1, 1, 0], [1, 1, 1, 0])
    0.75
    """

    better = "neither"
    rank_by = "precision or recall"
    name = "selection_rate"
    proportion = True
    cases = ({"average": "macro"}, {"average": "micro"}, {"average": "none"})
    oracle = "averaged_counts(lambda tp, fn, fp, tn: (tp + fp) / (tp + fn + fp + tn))"

    def parts(self, c: Counts) -> tuple[Array, Array]:
        return c.predicted, np.broadcast_to(c.all, c.predicted.shape)


class FalsePositiveRate(Ratio):
    """Of the rows not of a class, the share predicted as it (1 - specificity).

    In [0, 1], lower is better.
    fp / (fp + tn). Undefined (no_negative) where every row is of the class. Also called FPR,
    fall-out or false alarm rate. Same value as fairlearn's false_positive_rate.

    >>> FalsePositiveRate()([0, 1, 1, 0], [1, 1, 1, 0])
    0.5
    """

    name = "false_positive_rate"
    aliases = ("fpr",)
    proportion = True
    better = "lower"
    undefined = "no_negative"
    cases = ({"average": "macro"}, {"average": "micro"}, {"average": "none"})
    oracle = "averaged_counts(lambda tp, fn, fp, tn: fp / (fp + tn))"

    def parts(self, c: Counts) -> tuple[Array, Array]:
        return c.fp, c.negatives


class FalseNegativeRate(Ratio):
    """Of the rows of a class, the share predicted as another (1 - recall): in [0, 1], lower.

    fn / (tp + fn). Undefined (no_positive) for a class without true rows. Also called FNR or miss
    rate. Same value as fairlearn's false_negative_rate.

    >>> FalseNegativeRate()([0, 1, 1, 1], [1, 1, 1, 0])
    0.3333
    """

    name = "false_negative_rate"
    aliases = ("fnr",)
    proportion = True
    better = "lower"
    undefined = "no_positive"
    cases = ({"average": "macro"}, {"average": "micro"}, {"average": "none"})
    oracle = "averaged_counts(lambda tp, fn, fp, tn: fn / (tp + fn))"

    def parts(self, c: Counts) -> tuple[Array, Array]:
        return c.fn, c.support
