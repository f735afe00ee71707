"""Weighted: the convex mixture of least log loss or squared error, exact and certified.

>>> from assay.table.predictions import Predictions
>>> values = {"a": [1.1, 2.1] * 10, "b": [0.7, 1.7] * 10}
>>> p = Predictions.from_arrays([1.0, 2.0] * 10, values, task="regression")
>>> {model: round(weight, 3) for model, weight in Weighted(shrink=0).fit(p).weights.items()}
{'a': 0.75, 'b': 0.25}
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from assay.errors import UnsupportedError
from assay.fusions.base import Fusion, refuse_labels
from assay.fusions.convex import Pool, Weights
from assay.kernels import Array
from assay.table.predictions import Predictions

__all__ = ["Solution", "Weighted", "minimise_log_loss", "minimise_square"]

LEAST_ROWS = 20
BLOCK = 4096  # rows whose terms for some dozens of models stay in cache
SAMPLE = 5000  # rows of the first guess
CERTIFIED = 1e-4


class Solution(NamedTuple):
    """Weights (m,), >= 0 and summing to 1, and a bound on how far their loss is above the least."""

    weights: Array
    gap: float


@dataclass(frozen=True)
class Weighted(Fusion[Pool]):
    """Convex weights, >= 0 and summing to 1, of least log loss, or squared error in regression.

    w = argmin -mean log sum_j w_j q_j, with q_j what model j gives the truth (multi-label: that of
    each label); in regression argmin mean (sum_j w_j e_j)^2 with e_j its error.  Both are convex:
    the duality gap is kept in the fit (for squared error as a share of the members' mean squared
    error).  Row weights count.  Fewer than 20 rows give equal weights, and a note says so.

    Parameters:
        shrink: Pseudo-rows that pull toward equal weights, >= 0; default 2.  For log loss a
            Dirichlet prior of `shrink` counts in all (each model is right alone shrink/m times);
            for squared error rows on which the models err independently.  They count against the
            effective number of rows (Kish), so scaling row weights changes nothing; 0 turns them
            off and allows weights of 0.

    Source: Kim, Carbonetto, Stephens & Anitescu (2020), JCGS 29:261-273 (mixsqp); Breiman (1996),
    Machine Learning 24:49-64 (stacked regressions).
    """

    name = "weighted"
    aliases = ("blend", "blending", "convex")
    shrink: float = 2.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.shrink) and self.shrink >= 0):
            raise UnsupportedError(f"shrink of weighted must be a number >= 0; got {self.shrink}")

    def evidence(self, table: Predictions, fold: Array | None = None) -> Pool:
        """The pool of `table`, of probabilities or of errors, with each row's `fold`."""
        refuse_labels(table, self)
        return Pool.read(table, fold)

    def solve(self, evidence: Pool, *, seed: int = 0) -> Weights:
        """The weights of least loss on the pool `evidence`; `seed` is not used."""
        m = len(evidence.schema.models)
        rows = int(np.count_nonzero(evidence.weight))
        if rows < LEAST_ROWS:
            note = f"Equal weights: {rows} rows are too few to fit any."
            return evidence.to_fitted(str(self), np.full(m, 1 / m), note=note)
        share = evidence.weight / evidence.weight.sum()
        prior = self.shrink * float(share @ share)  # shrink over the effective number of rows
        terms = evidence.terms.reshape(-1, m)
        if evidence.kind == "value":
            solution = minimise_square(terms, share, prior)
        else:
            labels = len(terms) // len(share)
            solution = minimise_log_loss(terms, np.repeat(share / labels, labels), prior)
        certified = solution.gap <= CERTIFIED
        note = "" if certified else f"The loss may be {solution.gap:.1g} above the least."
        return evidence.to_fitted(str(self), solution.weights, solution.gap, note)


def minimise_square(errors: Array, share: Array, prior: float = 0.0) -> Solution:
    """The convex mixture of least mean square error.

    w'Gw with the Gram matrix G of the errors is homogeneous, so its minimiser on the simplex is
    that of u'Gu/2 - sum(u) over u >= 0, scaled to sum 1: one non-negative least squares problem.

    Parameters:
        errors: Error of each model (n, m).
        share: Share of each row (n,), >= 0, summing to 1.
        prior: Mass of pseudo-rows on which the models err independently, beside the rows' 1.
    """
    m = errors.shape[1]
    gram = _compute_gram(errors, share)
    size = np.trace(gram) / m
    if size == 0:
        return Solution(np.full(m, 1 / m), 0.0)
    gram = gram / size + prior * np.eye(m)
    weights = _solve_quadratic(gram, np.ones(m))
    weights = weights / weights.sum()
    slope = gram @ weights
    return Solution(weights, max(0.0, 2 * float(weights @ slope - slope.min())))


def minimise_log_loss(
    proba: Array, share: Array, prior: float = 0.0, tolerance: float = 1e-9
) -> Solution:
    """The convex mixture of least log loss.

    Sequential quadratic programming: a non-negative least squares problem of the models a step,
    from a first guess on some thousand rows.

    Parameters:
        proba: Probability that each model gives the truth (n, m).
        share: Share of each row (n,), >= 0, summing to 1.
        prior: Mass of pseudo-rows that pull toward equal weights, beside the rows' 1.
        tolerance: Gap at which to stop.
    """
    m = proba.shape[1]
    equal = np.full(m, 1 / m)
    sample = slice(None, None, max(len(proba) // SAMPLE, 1))
    if len(proba) <= 4 * SAMPLE or not share[sample].any():
        return _descend(proba, share, prior, equal, tolerance)
    sample_share = share[sample] / share[sample].sum()
    sample_proba = np.ascontiguousarray(proba[sample])
    guess = _descend(sample_proba, sample_share, prior, equal, 1e-3).weights
    # Rows to which the guess gives next to nothing would spoil the first step; some weight on each
    # model prevents that.
    if _evaluate(proba, share, prior, guess).gap > 1:
        guess = 0.9 * guess + 0.1 / m
    return _descend(proba, share, prior, guess, tolerance)


class _Iterate(NamedTuple):
    """Some weights: their loss, minus its slope (m,), fused probability (n,) and duality gap."""

    weights: Array
    loss: float
    slope: Array
    fused: Array
    gap: float


def _evaluate(proba: Array, share: Array, prior: float, weights: Array) -> _Iterate:
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
        if prior:
            loss -= prior / m * float(np.log(weights).sum())
            slope = (slope + prior / m / weights) / (1 + prior)
    return _Iterate(weights, loss / (1 + prior), slope, fused, max(0.0, float(slope.max()) - 1))


def _descend(
    proba: Array, share: Array, prior: float, weights: Array, tolerance: float
) -> Solution:
    """Newton steps with a line search, until the gap is below `tolerance` or nothing improves."""
    point = _evaluate(proba, share, prior, weights)
    for _ in range(100):
        if point.gap <= tolerance:
            break
        aim = _find_newton_aim(proba, share, prior, point)
        improved = _search_line(proba, share, prior, point, aim)
        if improved is None:
            # The step of expectation-maximisation never raises the loss.
            weights = point.weights * point.slope / (point.weights @ point.slope)
            improved = _evaluate(proba, share, prior, weights)
            if improved.loss >= point.loss and improved.gap >= point.gap:
                return Solution(improved.weights, point.gap)
        point = improved
    return Solution(point.weights, point.gap)


def _search_line(
    proba: Array, share: Array, prior: float, point: _Iterate, aim: Array
) -> _Iterate | None:
    """The first point on the way back from `aim` that is better; None where there is none."""
    for scale in (1.0, 0.5, 0.1):
        trial = _evaluate(proba, share, prior, point.weights + scale * (aim - point.weights))
        is_as_good = trial.loss <= point.loss + 1e-14
        if trial.loss < point.loss or (is_as_good and trial.gap < point.gap):
            return trial
    return None


def _find_newton_aim(proba: Array, share: Array, prior: float, point: _Iterate) -> Array:
    """The weights at which the quadratic model of the loss is least.

    Only the models in play are solved for; idle ones get their part of the prior.
    """
    weights = point.weights
    m = len(weights)
    mass = prior / m / (1 + prior)
    with np.errstate(divide="ignore", invalid="ignore"):
        if prior:
            slack = 1 - point.slope + mass / weights
            idle = np.where(slack > 0, mass / slack, np.inf)
        else:
            idle = np.where(point.slope < 1, 0.0, np.inf)
    play = np.flatnonzero((weights > 1e-3 / m) | (idle > 1e-3 / m))
    curvature = np.divide(share, point.fused**2, out=np.zeros_like(share), where=share > 0)
    curve = _compute_gram(proba, curvature, play) / (1 + prior)
    w = weights[play]
    if prior:
        curve[np.diag_indices(len(play))] += mass / w**2
    # With sum(w) added to the loss, the weights sum to 1 without a constraint.
    best = _solve_quadratic(curve, curve @ w + point.slope[play] - 1)
    aim = idle
    aim[play] = np.maximum(best, 0.1 * w) if prior else best
    return aim / aim.sum() if aim.sum() > 0 else weights


def _compute_gram(x: Array, share: Array, columns: Array | None = None) -> Array:
    """sum_i share_i x_i x_i' over the rows of x (n, m), of some columns only: (m, m)."""
    m = x.shape[1] if columns is None else len(columns)
    takes_all = m == x.shape[1]
    total = np.zeros((m, m))
    root = np.sqrt(share)
    for start in range(0, len(x), BLOCK):
        rows = slice(start, start + BLOCK)
        block = (x[rows] if takes_all else x[rows][:, columns]) * root[rows, None]
        total += block.T @ block
    return total


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
