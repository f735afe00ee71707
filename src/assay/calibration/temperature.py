"""temperature: temperature scaling of a model's probabilities, cross-fitted.

>>> from assay.table.predictions import Predictions
>>> proba = [0.99, 0.98, 0.02, 0.97] * 10
>>> p = Predictions.from_arrays([1, 0, 0, 1] * 10, {"m.proba": proba}, positive=1)
>>> fit = fit_temperature(p, "m")
>>> fit.temperature > 1, fit.after < fit.before
(True, True)
"""

import math
from typing import NamedTuple

import numpy as np

from assay.kernels import Array
from assay.kernels.totals import FLOOR
from assay.table.folds import assign_folds
from assay.table.predictions import Predictions

__all__ = ["TemperatureFit", "fit_temperature"]
BLOCK = 1 << 16  # rows whose derivatives are computed at a time
HOTTEST = 100.0


class TemperatureFit(NamedTuple):
    """A temperature (logits are divided by it), and the log loss before and after.

    The losses are of rows that the temperature was not fitted on; `how` says by which folds.
    """

    temperature: float
    before: float
    after: float
    how: str


def fit_temperature(predictions: Predictions, model: str, seed: int = 0) -> TemperatureFit:
    """The temperature of least log loss, each fold judged by the temperature of the others.

    Log loss is convex in 1 / T, so Newton's steps find the least; the temperature without one fold
    is one step away from it.

    Parameters:
        predictions: A table; folds are those of its fold column, or drawn at random.
        model: A model with probabilities or logits.
        seed: Of the folds.

    Raises:
        UnsupportedError: No row can be fitted on.

    Source: Guo et al. (2017), ICML, 1321-1330.
    """
    all_folds, notes = assign_folds(predictions, seed=seed)
    table = predictions.take(all_folds >= 0)
    rows = table.rows(model)
    log_proba = rows.log_proba
    if "proba" in rows.outputs:
        log_proba = np.maximum(log_proba, math.log(FLOOR))
    weight = np.ones(table.n) if rows.weight is None else rows.weight
    code = np.unique(all_folds[all_folds >= 0], return_inverse=True)[1]
    folds = int(code.max()) + 1

    def sum_derivatives(inverse: Array) -> Array:
        """Loss, slope and curvature of each fold (folds, 3), at an inverse temperature of each."""
        total = np.zeros((folds, 3))
        for start in range(0, table.n, BLOCK):
            at = slice(start, start + BLOCK)
            each = _derivatives(log_proba[at], rows.truth[at], inverse[code[at]]) * weight[at]
            total += np.stack([np.bincount(code[at], one, folds) for one in each], axis=1)
        return total

    before = float(sum_derivatives(np.ones(folds))[:, 0].sum() / weight.sum())
    inverse = 1.0
    for _ in range(50):
        by_fold = sum_derivatives(np.full(folds, inverse))
        step = _step(inverse, *by_fold.sum(axis=0)[1:])
        has_converged = abs(step - inverse) < 1e-8 * inverse
        inverse = step
        if has_converged:
            break
    by_fold = sum_derivatives(np.full(folds, inverse))
    others = by_fold.sum(axis=0) - by_fold if folds > 1 else by_fold
    without = np.array([_step(inverse, slope, curvature) for _, slope, curvature in others])
    after = float(sum_derivatives(without)[:, 0].sum() / weight.sum())
    how = f"{notes[0][0].lower()}{notes[0][1:].rstrip('.')}"
    return TemperatureFit(1 / inverse, before, after, how)


def _step(inverse: float, slope: float, curvature: float) -> float:
    """Newton's step, at most to a quarter or to four times, and within HOTTEST."""
    step = inverse - slope / curvature if curvature > 0 else inverse
    return float(np.clip(np.clip(step, inverse / 4, inverse * 4), 1 / HOTTEST, HOTTEST))


def _derivatives(log_proba: Array, truth: Array, inverse: Array) -> Array:
    """Log loss of each row and its two derivatives in the inverse temperature (3, n)."""
    scaled = log_proba * inverse[:, None]
    scaled -= scaled.max(axis=1, keepdims=True)
    proba = np.exp(scaled)
    total = proba.sum(axis=1)
    proba /= total[:, None]
    place = np.arange(len(truth)), truth.astype(np.intp)
    mean = (proba * log_proba).sum(axis=1)
    variance = (proba * (log_proba - mean[:, None]) ** 2).sum(axis=1)
    return np.stack([np.log(total) - scaled[place], mean - log_proba[place], variance])
