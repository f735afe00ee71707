"""Simplex: weights of models, >= 0 and summing to 1, of least log loss or squared error.

>>> proba = np.array([[0.9, 0.2], [0.2, 0.9], [0.6, 0.5], [0.7, 0.6]])  # rows by models
>>> minimise_log_loss(proba, np.full(4, 0.25)).weights.round(2).tolist()
[0.6, 0.4]
"""

from typing import NamedTuple

import numpy as np

from assay.fusions.convex import BLOCK, compute_gram
from assay.kernels import Array

__all__ = ["Solution", "minimise_log_loss", "minimise_square", "share_prior"]

SAMPLE = 5000  # rows of the first guess


class Solution(NamedTuple):
    """Weights (m,), >= 0 and summing to 1, and a bound on how far their loss is above the least."""

    weights: Array
    gap: float


def minimise_square(gram: Array, prior: float = 0.0) -> Solution:
    """The convex mixture of least mean square error.

    w'Gw with the Gram matrix G of the errors is homogeneous, so its minimiser on the simplex is
    that of u'Gu/2 - sum(u) over u >= 0, scaled to sum 1: one non-negative least squares problem.

    Parameters:
        gram: Mean products (m, m) of the errors of every two models.
        prior: Mass of pseudo-rows on which the models err independently, beside the rows' 1.
    """
    m = len(gram)
    size = np.trace(gram) / m
    if size == 0:
        return Solution(np.full(m, 1 / m), 0.0)
    gram = gram / size
    gram = gram + np.diag(prior * np.diag(gram) ** (1 / (1 + prior)))
    weights = _solve_quadratic(gram, np.ones(m))
    weights = weights / weights.sum()
    slope = gram @ weights
    return Solution(weights, max(0.0, 2 * float(weights @ slope - slope.min())))


def minimise_log_loss(
    proba: Array,
    share: Array,
    pull: Array | None = None,
    tolerance: float = 1e-9,
    start: Array | None = None,
) -> Solution:
    """The convex mixture of least log loss.

    Sequential quadratic programming: a non-negative least squares problem of the models a step,
    from a first guess on some thousand rows.

    Parameters:
        proba: Probability that each model gives the truth (n, m).
        share: Share of each row (n,), >= 0, summing to 1.
        pull: Mass of pseudo-rows (m,) in which each model alone is right, beside the rows' 1;
            default: none.
        tolerance: Gap at which to stop.
        start: Weights (m,) to start from; default: a first guess.
    """
    m = proba.shape[1]
    pull = np.zeros(m) if pull is None else pull
    equal = np.full(m, 1 / m)
    sample = _choose_sample(proba, share)
    if start is None and sample is None:
        start = equal
    if start is None:
        part = share[sample] / share[sample].sum()
        start = _descend(np.asfortranarray(proba[sample]), part, pull, equal, 1e-3).weights
    # Rows to which the guess gives next to nothing would spoil the first step; some weight on each
    # model prevents that.
    if _evaluate(proba, share, pull, start).gap > 1:
        start = 0.9 * start + 0.1 / m
    return _descend(proba, share, pull, start, tolerance)


def share_prior(proba: Array, share: Array, prior: float) -> Array:
    """Pseudo-rows (m,) in which each model alone is right, of the mass `prior` in all.

    Models that the rows cannot tell from the best have the same; the more pseudo-rows there are,
    the less that the rows tell counts.

    Parameters:
        proba: Probability that each model gives the truth (n, m).
        share: Share of each row (n,), >= 0, summing to 1.
        prior: Mass of all pseudo-rows, beside the rows' 1.
    """
    if not prior:
        return np.zeros(proba.shape[1])
    times = float(share @ share)
    sample = _choose_sample(proba, share)
    if sample is not None:
        proba, share = proba[sample], share[sample] / share[sample].sum()
    times = float(share @ share) / times  # rows that each of the sample stands for
    losses = -np.log(np.maximum(proba, np.finfo(float).tiny))
    behind = losses - losses[:, [int(np.argmin(share @ losses))]]
    mean = share @ behind
    variance = share**2 @ (behind - mean) ** 2 / times
    with np.errstate(divide="ignore", invalid="ignore"):
        z_squared = np.where(mean > 0, mean**2 / variance, 0.0)
    near = np.exp(-z_squared / 2 / (1 + prior))
    return np.asarray(prior * near / near.sum())


def _choose_sample(proba: Array, share: Array) -> slice | None:
    """Some thousand evenly spread rows of many; None where there are few."""
    sample = slice(None, None, max(len(proba) // SAMPLE, 1))
    return sample if len(proba) > 4 * SAMPLE and share[sample].any() else None


class _Iterate(NamedTuple):
    """Some weights: their loss, minus its slope (m,), fused probability (n,) and duality gap."""

    weights: Array
    loss: float
    slope: Array
    fused: Array
    gap: float


def _evaluate(proba: Array, share: Array, pull: Array, weights: Array) -> _Iterate:
    """Loss and slope at `weights`, in one pass.

    On the simplex the loss exceeds its least by at most max(slope) - 1, as weights @ slope is 1.
    """
    m = len(weights)
    fused = np.empty(len(proba))
    slope = np.zeros(m)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for start in range(0, len(proba), BLOCK):
            rows = slice(start, start + BLOCK)
            fused[rows] = proba[rows] @ weights
            slope += np.where(share[rows] > 0, share[rows] / fused[rows], 0.0) @ proba[rows]
        loss = -float(share[share > 0] @ np.log(fused[share > 0]))
        pulled = pull > 0
        total = 1 + float(pull.sum())
        loss -= float(pull[pulled] @ np.log(weights[pulled]))
        slope[pulled] += pull[pulled] / weights[pulled]
        slope /= total
    return _Iterate(weights, loss / total, slope, fused, max(0.0, float(slope.max()) - 1))


def _descend(proba: Array, share: Array, pull: Array, weights: Array, tolerance: float) -> Solution:
    """Newton steps with a line search, until the gap is below `tolerance` or nothing improves."""
    point = _evaluate(proba, share, pull, weights)
    for _ in range(100):
        if point.gap <= tolerance:
            break
        aim = _find_newton_aim(proba, share, pull, point)
        improved = _search_line(proba, share, pull, point, aim)
        if improved is None:
            # The step of expectation-maximisation never raises the loss.
            weights = point.weights * point.slope / (point.weights @ point.slope)
            improved = _evaluate(proba, share, pull, weights)
            if improved.loss >= point.loss and improved.gap >= point.gap:
                return Solution(improved.weights, point.gap)
        point = improved
    return Solution(point.weights, point.gap)


def _search_line(
    proba: Array, share: Array, pull: Array, point: _Iterate, aim: Array
) -> _Iterate | None:
    """The first point on the way back from `aim` that is better; None where there is none."""
    for scale in (1.0, 0.5, 0.1):
        trial = _evaluate(proba, share, pull, point.weights + scale * (aim - point.weights))
        is_as_good = trial.loss <= point.loss + 1e-14
        if trial.loss < point.loss or (is_as_good and trial.gap < point.gap):
            return trial
    return None


def _find_newton_aim(proba: Array, share: Array, pull: Array, point: _Iterate) -> Array:
    """The weights at which the quadratic model of the loss is least.

    Only the models in play are solved for; idle ones get their part of the prior.
    """
    weights = point.weights
    m = len(weights)
    total = 1 + float(pull.sum())
    mass = pull / total
    with np.errstate(divide="ignore", invalid="ignore"):
        slack = 1 - point.slope + np.where(pull > 0, mass / weights, 0.0)
        idle = np.where(slack > 0, mass / slack, np.inf)
    play = np.flatnonzero((weights > 1e-3 / m) | (idle > 1e-3 / m))
    curvature = np.divide(share, point.fused**2, out=np.zeros_like(share), where=share > 0)
    curve = compute_gram(proba, curvature, play) / total
    w = weights[play]
    curve[np.diag_indices(len(play))] += np.divide(mass[play], w**2, where=w > 0, out=0 * w)
    # With sum(w) added to the loss, the weights sum to 1 without a constraint.
    best = _solve_quadratic(curve, curve @ w + point.slope[play] - 1)
    aim = idle
    aim[play] = np.maximum(best, np.where(mass[play] > 0, 0.1 * w, 0.0))
    return aim / aim.sum() if aim.sum() > 0 else weights


def _solve_quadratic(square: Array, linear: Array) -> Array:
    """argmin y'Ay/2 - b'y over y >= 0.

    By Lawson & Hanson's non-negative least squares on the Cholesky factor of A.
    """
    from scipy.linalg import cholesky, solve_triangular
    from scipy.optimize import nnls

    m = len(square)
    # Duplicated models make A singular: a ridge shares their weight evenly, and this one is below
    # all tolerances.
    ridge = 1e-12 * max(float(np.trace(square)), np.finfo(float).tiny)
    for _ in range(8):
        try:
            upper = cholesky(square + ridge * np.eye(m))
            right = solve_triangular(upper, linear, trans="T")
            return np.asarray(nnls(upper, right, maxiter=30 * m)[0], np.float64)
        except (np.linalg.LinAlgError, RuntimeError):
            ridge *= 100
    return np.full(m, 1 / m)
