"""Metrics of calibration by a logistic fit: are probabilities too extreme, or too high throughout?

>>> CalibrationSlope()([0, 1, 0, 1, 1, 0], [0.1, 0.4, 0.6, 0.8, 0.9, 0.3])
1.465
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.kernels import Array
from assay.metrics.base import Metric
from assay.states.row_values import Values, ValueTable
from assay.table.rows import Rows
from assay.table.schema import Task

__all__ = ["CalibrationIntercept", "CalibrationSlope"]

BINARY: frozenset[Task] = frozenset({"binary"})
LEAST = float(np.finfo(np.float64).eps)  # probabilities nearer to 0 or 1 count as so far from it
CERTAIN = -np.log(LEAST) - 1e-9  # log-odds of a probability of 1
STEPS = 60


@dataclass(frozen=True)
class LogOddsAndTruth:
    """Log-odds stated of the positive class, exact from logits, and whether it is true (n, 2)."""

    def compute_rows(self, rows: Rows) -> Array:
        code = rows.schema.positive_code
        if "proba" in rows.outputs:
            p = np.clip(np.asarray(rows.outputs["proba"], np.float64), LEAST, 1.0)
            odds = np.log(p[:, code]) - np.log(p[:, 1 - code])
        else:
            logit = np.asarray(rows.outputs["logit"], np.float64)
            odds = logit[:, code] - logit[:, 1 - code]
        return np.stack([odds, rows.truth == code], axis=1)


class Recalibration(Metric):
    """Base of the coefficients of a logistic regression of the truth on the stated log-odds.

    Replicates take one Newton step from the fit to all rows, as accurate as refitting to the order
    of the interval (Schucany & Wang, 1991), at a cost free of the number of rows.
    """

    reads = "proba"
    tasks = BINARY
    bounds = (float("-inf"), float("inf"))
    needs = Values(LogOddsAndTruth(), width=2)
    undefined = "single_class_or_separated"
    better = "neither"
    rank_by = "log_loss or ece"
    free: slice  # which of (intercept, slope) are fitted

    def compute(self, summary: ValueTable) -> Array:
        x, y = summary.values.T
        weight = np.ones(len(y)) if summary.weight is None else summary.weight
        fitted = self.fit(x[weight > 0], y[weight > 0], weight[weight > 0])
        if summary.counts is None or summary.stratum is None or np.isnan(fitted).any():
            replicates = 1 if summary.counts is None else len(summary.counts)
            return np.full(replicates, fitted[self.free][-1])
        strata = summary.counts.shape[1]
        parts = slopes(x, y, weight, fitted)
        sums = np.stack([np.bincount(summary.stratum, part, strata) for part in parts], axis=1)
        return np.asarray(newton_step(summary.counts.astype(np.float64) @ sums, fitted, self.free))

    def fit(self, x: Array, y: Array, weight: Array) -> Array:
        """(intercept, slope) of largest likelihood, by Newton's method; nan where there is none.

        From the log-odds `x`, the truth `y` and the `weight` of the rows, each (n,).
        """
        if not self.has_solution(x, y):
            return np.array([np.nan, np.nan])
        fitted = np.array([0.0, 1.0])
        best = -np.inf
        ahead = fitted
        for _ in range(STEPS):
            reached = log_likelihood(x, y, weight, ahead)
            # Near the top the likelihood is flat to the last place; a step still helps there.
            if reached >= best - 1e-12 * abs(best) or not np.isfinite(best):
                fitted = ahead
                best = reached
                sums = slopes(x, y, weight, fitted).sum(axis=1)
                ahead = np.array([0.0, 1.0])
                ahead[self.free] = newton_step(sums[None], fitted, self.free, whole=True)[0]
            else:
                ahead = (fitted + ahead) / 2
            if np.abs(ahead - fitted).max() <= 1e-15 * (1 + np.abs(fitted).max()):
                break
        return fitted

    def has_solution(self, x: Array, y: Array) -> bool:
        """Whether there is a largest likelihood, for log-odds `x` and truth `y` (n,)."""
        return bool(len(y) and y.min() < y.max())


class CalibrationSlope(Recalibration):
    """Slope of the truth on the stated log-odds.

    1 is right, below 1 probabilities are too extreme, above 1 too timid. b in P(positive) = 1 / (1
    + exp(-(a + b log-odds))), fitted to the rows by maximum likelihood; in (-inf, inf).
    Overfitted models have slopes below 1. Neither higher nor lower is better, so models are not
    compared by it.
    Keeps the log-odds of all rows; probabilities of 0 and 1 count as 2.2e-16 away from them.
    Undefined (single_class_or_separated) unless there are rows of both classes whose log-odds
    overlap; constant_probability where all are given the same probability.
    Same value as the slope of statsmodels' binomial GLM.
    Sources: Cox (1958), Biometrika 45:562-565; Van Calster et al. (2019), BMC Medicine 17:230.

    >>> CalibrationSlope()([0, 1, 0, 1, 1, 0], [0.1, 0.4, 0.6, 0.8, 0.9, 0.3])
    1.465
    """

    name = "calibration_slope"
    free = slice(0, 2)
    oracle = "logistic(score)[1]"

    def has_solution(self, x: Array, y: Array) -> bool:
        if not super().has_solution(x, y):
            return False
        positive = x[y > 0]
        negative = x[y == 0]
        # Equal probabilities may differ in the last place; an overlap so small is none.
        least = 1e-12 * max(1.0, float(np.abs(x).max()))
        return bool(
            negative.max() - positive.min() > least and positive.max() - negative.min() > least
        )

    def find_reason(self, summary: ValueTable) -> str:
        odds, truth = summary.values.T
        equal = np.ptp(odds) <= 1e-12 * max(1.0, float(np.abs(odds).max()))
        return "constant_probability" if equal and np.ptp(truth) else self.undefined


class CalibrationIntercept(Recalibration):
    """What to add to the log-odds so that as many rows are positive as is stated: 0 is right.

    Calibration in the large.
    a in P(positive) = 1 / (1 + exp(-(a + log-odds))), fitted to the rows by maximum likelihood; in
    (-inf, inf); above 0 probabilities are too low. Neither higher nor lower is better, so models
    are not compared by it.
    Keeps the log-odds of all rows; probabilities of 0 and 1 count as 2.2e-16 away from them.
    Undefined (single_class_or_separated) unless there are rows of both classes, and some row that
    is not told rightly by a probability of 0 or 1.
    Same value as the intercept of statsmodels' binomial GLM with the log-odds as offset.
    Sources: Cox (1958), Biometrika 45:562-565; Van Calster et al. (2019), BMC Medicine 17:230.

    >>> CalibrationIntercept()([0, 1, 0, 1, 1, 0], [0.1, 0.4, 0.6, 0.8, 0.9, 0.3])
    -0.09706
    """

    name = "calibration_intercept"
    free = slice(0, 1)
    oracle = "logistic(score)[0]"

    def has_solution(self, x: Array, y: Array) -> bool:
        # Right answers that are certain stay right whatever is added to their log-odds.
        certain = np.where(y > 0, x, -x) >= CERTAIN
        return super().has_solution(x, y) and not bool(certain.all())


def log_likelihood(x: Array, y: Array, weight: Array, at: Array) -> float:
    """Log-likelihood of (intercept, slope) `at`, for rows `x`, `y` and `weight` (n,)."""
    odds = at[0] + at[1] * x
    return float(-(weight * np.logaddexp(0.0, np.where(y > 0, -odds, odds))).sum())


def slopes(x: Array, y: Array, weight: Array, at: Array) -> Array:
    """Gradient (2) and curvature (3: aa, ab, bb) of the log-likelihood of each row (5, n).

    At (intercept, slope) `at`, for rows `x`, `y` and `weight` (n,).
    """
    odds = at[0] + at[1] * x
    p = 1 / (1 + np.exp(-np.abs(odds)))
    gap = np.where(y > 0, np.where(odds > 0, 1 - p, p), np.where(odds > 0, -p, p - 1))
    bend = weight * p * (1 - p)
    return np.stack([weight * gap, weight * gap * x, bend, bend * x, bend * x**2])


def newton_step(sums: Array, at: Array, free: slice, whole: bool = False) -> Any:
    """Where Newton's method goes from (intercept, slope) `at`, given `sums` of slopes (b, 5).

    The last `free` coefficient (b,), or all of them where `whole`.
    """
    ga, gb, aa, ab, bb = sums.T
    if free.stop == 1:
        moved = at[0] + np.divide(ga, aa, out=np.full_like(ga, np.nan), where=aa > 0)
        return moved[:, None] if whole else moved
    det = aa * bb - ab**2
    there = det > 1e-13 * aa * bb
    with np.errstate(divide="ignore", invalid="ignore"):
        a = np.where(there, at[0] + (bb * ga - ab * gb) / det, np.nan)
        b = np.where(there, at[1] + (aa * gb - ab * ga) / det, np.nan)
    return np.stack([a, b], axis=1) if whole else b
