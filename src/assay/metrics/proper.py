"""Proper scores beside log_loss and brier: honest probabilities win.

>>> Spherical()(["cat", "dog"], [[0.8, 0.2], [0.4, 0.6]])
0.9011
"""

import numpy as np

from assay.kernels import Array
from assay.metrics.base import SINGLE_LABEL, RowMetric, tell_order
from assay.states.moments import Sums
from assay.table.rows import Rows
from assay.table.schema import Schema

__all__ = ["RPS", "Spherical"]

AT_ONCE = 1 << 20  # probabilities that are added up at a time


class Spherical(RowMetric):
    """Mean of the truth's probability over the length of the row of probabilities.

    In [0, 1], higher is better.
    mean p(truth) / sqrt(sum_k p_k^2). Strictly proper; 1 is certain and right, 1 / sqrt(k) says
    nothing of k classes.
    Undefined (no_samples) without rows. Same value as the formula over numpy.linalg.norm.
    Source: Gneiting & Raftery (2007), JASA 102:359-378, section 4.1.

    >>> Spherical()([0, 1], [[0.9, 0.1], [0.4, 0.6]])
    0.913
    """

    name = "spherical"
    reads = "proba"
    tasks = SINGLE_LABEL
    oracle = (
        "np.average(proba[np.arange(len(y)), np.searchsorted(classes, y)] "
        "/ np.linalg.norm(proba, axis=1), weights=w)"
    )

    def compute_rows(self, rows: Rows) -> Array:
        true = rows.proba_stats.truth_proba  # probability of the true class
        return np.asarray(true / np.hypot(true, np.sqrt(rows.proba_stats.others)))


class RPS(RowMetric):
    """Ranked probability score: a Brier score for ordered classes, near misses costing less.

    In [0, 1]; lower.
    mean over rows of sum_{j < k} (P(class <= j) - [truth <= j])^2 / (k - 1), classes in their
    declared order (without one they are sorted). Two classes: brier(scale_by_half=true). Strictly
    proper.
    Undefined (no_samples) without rows. Same value as the formula over numpy.cumsum (R's
    verification::rps).
    Sources: Epstein (1969), J. Appl. Meteorol. 8:985-987; Murphy (1971), J. Appl. Meteorol.
    10:155-156.

    >>> RPS()([1, 2], [[0.0, 0.5, 0.5], [0.0, 0.0, 1.0]], classes=[1, 2, 3])
    0.5625
    """

    name = "rps"
    reads = "proba"
    tasks = SINGLE_LABEL
    better = "lower"
    oracle = (
        "np.average(((np.cumsum(proba, axis=1) - (np.searchsorted(classes, y)[:, None] "
        "<= np.arange(len(classes))))[:, :-1] ** 2).mean(axis=1), weights=w)"
    )

    def compute_rows(self, rows: Rows) -> Array:
        k = rows.schema.k
        proba = rows.outputs.get("proba")
        if proba is None:
            proba = rows.proba
        scores = np.empty(len(rows.truth))
        step = max(1, AT_ONCE // k)
        for start in range(0, len(scores), step):
            block = slice(start, start + step)
            upto = np.cumsum(proba[block, :-1], axis=1, dtype=np.float64)
            upto -= rows.truth[block, None] <= np.arange(k - 1)
            scores[block] = np.einsum("ij,ij->i", upto, upto) / max(k - 1, 1)
        return scores

    def note(self, summary: Sums, schema: Schema) -> str:
        return tell_order(schema)
