"""Metrics of ordered classes, as grades or stars: how far off the predicted class is.

>>> MacroMAE()([1, 1, 1, 5], [1, 1, 1, 2])
1.5
"""

import numpy as np

from assay.kernels import Array
from assay.metrics.base import (
    SINGLE_LABEL,
    Metric,
    mean_of_defined,
    name_left_out,
    ratio,
    tell_order,
)
from assay.states.confusion import Confusion, Counts
from assay.table.schema import Schema

__all__ = ["MacroMAE"]


class MacroMAE(Metric):
    """Mean absolute error of each class, averaged over the classes: a rare one counts as much.

    In [0, inf), 0 is perfect, lower is better. Mean over the classes with true rows of the mean of
    |true class - predicted class| over its rows. Classes that are numbers differ by their values;
    others by their places in the declared order, which the note tells. A class that is predicted
    but never true is left out of the mean, its rows count with their true class.
    No interval beyond 64 classes. Also called macro-averaged mean absolute error.
    Undefined (no_samples) without rows.
    Same value as imbalanced-learn's macro_averaged_mean_absolute_error.
    Source: Baccianella, Esuli & Sebastiani (2009), ISDA, 283-287.

    >>> MacroMAE()([1, 1, 1, 2, 4], [1, 1, 1, 4, 4])
    0.6667
    """

    name = "macro_mae"
    aliases = ("macro_averaged_mean_absolute_error", "mae_macro")
    tasks = SINGLE_LABEL
    better = "lower"
    bounds = (0.0, float("inf"))
    needs = Confusion()
    oracle = "macro_error()"

    def compute(self, summary: Counts) -> Array:
        k = summary.tp.shape[-1]
        if summary.table.shape[-1] != k:  # replicates of very many classes keep their margins only
            return np.full(summary.total.shape, np.nan)
        distance = np.abs(np.subtract.outer(summary.grades, summary.grades))
        each = ratio((np.asarray(summary.table) * distance).sum(axis=-1), summary.support)
        return mean_of_defined(each, np.ones_like(each))

    def note(self, summary: Counts, schema: Schema) -> str:
        left_out = name_left_out(summary.support[0] == 0, schema, "no_positive")
        return "; ".join(filter(None, (tell_order(schema), left_out)))
