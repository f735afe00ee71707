"""Totals: what one pass adds up of the rows of a batch, once for all metrics that are means over rows.

Each row counts once here; rows that are weighted, or belong to cells, are added up metric by metric.

>>> import numpy as np
>>> found = compute_error_totals(np.array([1.0, 0.0]), np.array([0.5, 0.5]))
>>> found.of(SIZE, SQUARE)[0].tolist(), int(found.zeros)
([0.5, 0.25], 1)
"""

from typing import NamedTuple

import numpy as np

from assay.kernels import Array, sum_errors, sum_proba_stats

__all__ = [
    "BINS", "FLOOR", "POSITIVE_PART", "SHARE", "SIZE", "SQUARE", "TRUTH", "NEGATIVE_PART", "ErrorTotals", "ProbaTotals", "compute_error_totals",
    "compute_proba_totals",
]  # fmt: skip

FLOOR = float(np.finfo(np.float64).eps)  # the least probability whose log is taken
BINS = 15  # of stated probability

# The columns of ErrorTotals: the part of the error above 0 and below, its square and size, the truth, size / truth.
POSITIVE_PART, NEGATIVE_PART, SQUARE, SIZE, TRUTH, SHARE = range(6)


class ProbaTotals(NamedTuple):
    """Of class probabilities (n, k); see `assay.kernels.sum_proba_stats`."""

    rows: int
    sums: Array  # (5,) mean and second moment of the log loss, of the Brier score; rows under the floor
    ranks: Array  # (k,) for how many rows so many classes come before the true one
    bins: Array  # (3, BINS) rows, what was stated, rows that came true, by stated probability
    table: Array | None  # (k, k) rows of each class by answer, of a few classes


class ErrorTotals(NamedTuple):
    """Of errors of numbers; see `assay.kernels.sum_errors`."""

    rows: int
    moments: Array  # (2, 6) means and centred second moments
    zeros: Array  # () rows whose truth is 0

    def of(self, *columns: int) -> tuple[Array, Array]:
        """Means and second moments of some of them, each (columns,)."""
        return self.moments[0, list(columns)], self.moments[1, list(columns)]


def compute_proba_totals(proba: Array, truth: Array, positive: int) -> ProbaTotals:
    """The totals of rows; bins are of the probability of the class `positive`, or, at -1, of the highest one."""
    return ProbaTotals(
        len(truth), *sum_proba_stats(proba, truth, np.linspace(0, 1, BINS + 1), FLOOR, positive)
    )


def compute_error_totals(truth: Array, value: Array) -> ErrorTotals:
    """The totals of the errors truth - value."""
    moments, zeros = sum_errors(truth, value)
    return ErrorTotals(len(truth), moments, zeros[0])
