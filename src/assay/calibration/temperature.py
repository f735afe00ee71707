"""Temperature scaling, cross-fitted."""

import math
from typing import NamedTuple

import numpy as np

from assay.kernels import Array
from assay.kernels.totals import FLOOR
from assay.table.predictions import Predictions

__all__ = ["Cooled", "cool"]
BLOCK = 1 << 16
HOTTEST = 100.0


class Cooled(NamedTuple):
    """A temperature (logits are divided by it), and the log loss before and after, on rows it was not fitted on."""

    temperature: float
    before: float
    after: float
    how: str


def cool(predictions: Predictions, model: str, seed: int = 0) -> Cooled:
    """The temperature of least log loss, and what it reaches, each fold judged by the temperature of the others.

    Log loss is convex in 1 / T, so Newton's steps find the least; that without one fold is one step away.  Source: Guo
    et al. (2017), ICML, 1321-1330. UnsupportedError where no row can be fitted on.
    """
    from assay.table.folds import assign_folds

    fold, notes = assign_folds(predictions, seed=seed)
    table, fold = predictions.take(fold >= 0), fold[fold >= 0]
    rows = table.rows(model)
    log_proba = (
        np.maximum(rows.log_proba, math.log(FLOOR)) if "proba" in rows.given else rows.log_proba
    )
    weight = np.ones(table.n) if rows.weight is None else rows.weight
    code = np.unique(fold, return_inverse=True)[1]
    folds = int(code.max()) + 1

    def sums(inverse: Array) -> Array:
        """Loss, its slope and its curvature in each fold (folds, 3), with each fold's own inverse temperature."""
        total = np.zeros((folds, 3))
        for start in range(0, table.n, BLOCK):
            at = slice(start, start + BLOCK)
            each = _derivatives(log_proba[at], rows.truth[at], inverse[code[at]]) * weight[at]
            total += np.stack([np.bincount(code[at], one, folds) for one in each], axis=1)
        return total

    before = float(sums(np.ones(folds))[:, 0].sum() / weight.sum())
    inverse = 1.0
    for _ in range(50):
        of_folds = sums(np.full(folds, inverse))
        ahead = _step(inverse, *of_folds.sum(axis=0)[1:])
        done, inverse = abs(ahead - inverse) < 1e-8 * inverse, ahead
        if done:
            break
    of_folds = sums(np.full(folds, inverse))
    rest = of_folds.sum(axis=0) - of_folds if folds > 1 else of_folds
    without = np.array([_step(inverse, slope, curve) for _, slope, curve in rest])
    after = float(sums(without)[:, 0].sum() / weight.sum())
    return Cooled(1 / inverse, before, after, f"{notes[0][0].lower()}{notes[0][1:].rstrip('.')}")


def _step(inverse: float, slope: float, curve: float) -> float:
    """Newton's step, at most to a quarter or to four times, and within HOTTEST."""
    ahead = inverse - slope / curve if curve > 0 else inverse
    return float(np.clip(np.clip(ahead, inverse / 4, inverse * 4), 1 / HOTTEST, HOTTEST))


def _derivatives(log_proba: Array, truth: Array, inverse: Array) -> Array:
    """Log loss of each row, and its first and second derivative in the inverse temperature (3, n)."""
    scaled = log_proba * inverse[:, None]
    scaled -= scaled.max(axis=1, keepdims=True)
    proba = np.exp(scaled)
    total = proba.sum(axis=1)
    proba /= total[:, None]
    place = np.arange(len(truth)), truth.astype(np.intp)
    mean = (proba * log_proba).sum(axis=1)
    variance = (proba * (log_proba - mean[:, None]) ** 2).sum(axis=1)
    return np.stack([np.log(total) - scaled[place], mean - log_proba[place], variance])
