"""Totals: what one pass adds up of a batch for all metrics that are means over its rows.

Each row counts once here. Where rows have weights, or belong to strata, each metric adds up its own
totals.

>>> import numpy as np
>>> totals = compute_error_totals(np.array([1.0, 0.0]), np.array([0.5, 0.5]))
>>> totals.select_columns(SIZE, SQUARE)[0].tolist(), int(totals.zeros)
([0.5, 0.25], 1)
"""

from typing import NamedTuple

import numpy as np

from assay.kernels import Array, sum_errors, sum_proba_stats

__all__ = [
    "BINS",
    "FLOOR",
    "NEGATIVE_PART",
    "POSITIVE_PART",
    "SHARE",
    "SIZE",
    "SQUARE",
    "TRUTH",
    "ErrorTotals",
    "ProbaTotals",
    "compute_error_totals",
    "compute_proba_totals",
]

FLOOR = float(np.finfo(np.float64).eps)  # the least probability whose log is taken
BINS = 15  # bins of probability

# The columns of ErrorTotals, of the error e = truth - value:
# max(e, 0), max(-e, 0), e^2, |e|, the truth, and |e / truth|.
POSITIVE_PART, NEGATIVE_PART, SQUARE, SIZE, TRUTH, SHARE = range(6)


class ProbaTotals(NamedTuple):
    """Totals of class probabilities (n, k); see `assay.kernels.sum_proba_stats`."""

    rows: int
    sums: Array  # (5,) mean and second moment of log loss and Brier score; rows below the floor
    ranks: Array  # (k,) for how many rows so many classes come before the true one
    bins: Array  # (3, BINS) rows, sum of probabilities, and right rows, by probability
    table: Array | None  # (k, k) rows of each class by answer; None of many classes


class ErrorTotals(NamedTuple):
    """Totals of errors of numbers; see `assay.kernels.sum_errors`."""

    rows: int
    moments: Array  # (2, 6) means and centred second moments
    zeros: Array  # () rows whose truth is 0

    def select_columns(self, *columns: int) -> tuple[Array, Array]:
        """Means and second moments of the given `columns`, as SIZE and SQUARE: each (columns,)."""
        return self.moments[0, list(columns)], self.moments[1, list(columns)]


def compute_proba_totals(proba: Array, truth: Array, positive: int) -> ProbaTotals:
    """The totals of `proba` (n, k) beside `truth` (n,).

    Bins are of the probability of the class `positive`, or, at -1, of the highest one.
    """
    edges = np.linspace(0, 1, BINS + 1)
    return ProbaTotals(len(truth), *sum_proba_stats(proba, truth, edges, FLOOR, positive))


def compute_error_totals(truth: Array, value: Array) -> ErrorTotals:
    """The totals of the errors `truth` - `value` (n,)."""
    moments, zeros = sum_errors(truth, value)
    return ErrorTotals(len(truth), moments, zeros[0])
