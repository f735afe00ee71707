"""Weights fitted to the rows: the convex mixture of least log loss or squared error, exact and certified.

>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays([1.0, 2.0] * 10, {"a": [1.1, 2.1] * 10, "b": [0.7, 1.7] * 10}, task="regression")
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

__all__ = ["Solution", "Weighted", "least_log_loss", "least_square"]

LEAST_ROWS = 20
BLOCK = 4096  # rows whose terms for some dozens of models stay in cache
SAMPLE = 5000  # rows of the first guess
CERTIFIED = 1e-4


class Solution(NamedTuple):
    """Weights (m,), >= 0 and summing to 1, and a bound on how far their loss is above the least one."""

    weights: Array
    gap: float


@dataclass(frozen=True)
class Weighted(Fusion[Pool]):
    """Convex weights, >= 0 and summing to 1, of least log loss (classification) or squared error (regression).

    w = argmin -mean log sum_j w_j q_j, with q_j what model j gives the truth (multi-label: that of each label);
    in regression argmin mean (sum_j w_j e_j)^2 with e_j its error.  Both are convex: the duality gap is kept in the fit
    (for squared error as a share of the members' mean squared error).  Row weights count.

    `shrink` pseudo-rows pull toward equal weights: for log loss a Dirichlet prior of `shrink` counts in all (each model
    is right alone shrink/m times); for squared error rows on which the models err independently.  They count against
    the effective number of rows (Kish), so scaling row weights changes nothing; 0 turns them off and allows weights 0.
    Fewer than 20 rows give equal weights, and the note says so.

    Source: Kim, Carbonetto, Stephens & Anitescu (2020), JCGS 29:261-273 (mixsqp); Breiman (1996), Machine Learning
    24:49-64 (stacked regressions).
    """

    name = "weighted"
    shrink: float = 2.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.shrink) and self.shrink >= 0):
            raise UnsupportedError(f"shrink of weighted must be a number >= 0; got {self.shrink}")

    def evidence(self, table: Predictions, fold: Array | None = None) -> Pool:
        """The pool of probabilities or of errors."""
        refuse_labels(table, self)
        return Pool.of(table, fold)

    def solve(self, evidence: Pool, *, seed: int = 0) -> Weights:
        """The weights of least loss on the pool."""
        m = len(evidence.schema.models)
        rows = int(np.count_nonzero(evidence.weight))
        if rows < LEAST_ROWS:
            note = f"Equal weights: {rows} rows are too few to fit any."
            return evidence.to_fitted(str(self), np.full(m, 1 / m), note=note)
        share = evidence.weight / evidence.weight.sum()
        prior = self.shrink * float(share @ share)  # shrink over the effective number of rows
        terms = evidence.terms.reshape(-1, m)
        if evidence.kind == "value":
            solution = least_square(terms, share, prior)
        else:
            labels = len(terms) // len(share)
            solution = least_log_loss(terms, np.repeat(share / labels, labels), prior)
        certified = solution.gap <= CERTIFIED
        note = "" if certified else f"The loss may be {solution.gap:.1g} above the least."
        return evidence.to_fitted(str(self), solution.weights, solution.gap, note)


def least_square(errors: Array, share: Array, prior: float = 0.0) -> Solution:
    """The convex mixture of errors (n, m) of least mean square under row shares (n,) that sum to 1.

    w'Gw with the Gram matrix G of the errors is homogeneous, so the minimiser on the simplex is that of
    u'Gu/2 - sum(u) over u >= 0, scaled to sum 1: one non-negative least squares problem of m x m.
    """
    m = errors.shape[1]
    gram = _gram(errors, share)
    size = np.trace(gram) / m
    if size == 0:
        return Solution(np.full(m, 1 / m), 0.0)
    gram = gram / size + prior * np.eye(m)
    weights = _quadratic(gram, np.ones(m))
    weights = weights / weights.sum()
    slope = gram @ weights
    return Solution(weights, max(0.0, 2 * float(weights @ slope - slope.min())))


def least_log_loss(q: Array, share: Array, prior: float = 0.0, tolerance: float = 1e-9) -> Solution:
    """The convex mixture of probabilities q (n, m) of least log loss under row shares (n,) that sum to 1.

    Sequential quadratic programming: a non-negative least squares problem of m x m a step, from a first guess on some
    thousand rows.  `prior` is the total mass of pseudo-rows beside the rows' 1.
    """
    m = q.shape[1]
    equal = np.full(m, 1 / m)
    some = slice(None, None, max(len(q) // SAMPLE, 1))
    if len(q) <= 4 * SAMPLE or not share[some].any():
        return _descend(q, share, prior, equal, tolerance)
    guess = _descend(
        np.ascontiguousarray(q[some]), share[some] / share[some].sum(), prior, equal, 1e-3
    ).weights
    # Rows that the guess all but excludes would make the first step blind; a little of each model guards against it.
    if _look(q, share, prior, guess).gap > 1:
        guess = 0.9 * guess + 0.1 / m
    return _descend(q, share, prior, guess, tolerance)


class _Look(NamedTuple):
    """The loss at some weights, minus its slope (m,), the fused probability (n,) and the duality gap."""

    loss: float
    slope: Array
    fused: Array
    gap: float


def _look(q: Array, share: Array, prior: float, weights: Array) -> _Look:
    """One pass. On the simplex the loss exceeds its minimum by at most max(slope) - 1, as weights @ slope is 1."""
    m = len(weights)
    fused, slope = np.empty(len(q)), np.zeros(m)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for start in range(0, len(q), BLOCK):
            rows = slice(start, start + BLOCK)
            fused[rows] = q[rows] @ weights
            slope += np.where(share[rows] > 0, share[rows] / fused[rows], 0.0) @ q[rows]
        loss = -float(share[share > 0] @ np.log(fused[share > 0]))
        if prior:
            loss -= prior / m * float(np.log(weights).sum())
            slope = (slope + prior / m / weights) / (1 + prior)
    return _Look(loss / (1 + prior), slope, fused, max(0.0, float(slope.max()) - 1))


def _descend(q: Array, share: Array, prior: float, weights: Array, tolerance: float) -> Solution:
    """Newton steps with a line search, until the gap is below `tolerance` or nothing improves."""
    here = _look(q, share, prior, weights)
    for _ in range(100):
        if here.gap <= tolerance:
            break
        aim, there = _newton(q, share, prior, weights, here), None
        for scale in (1.0, 0.5, 0.1):
            tried = weights + scale * (aim - weights)
            found = _look(q, share, prior, tried)
            if found.loss < here.loss or (found.loss <= here.loss + 1e-14 and found.gap < here.gap):
                weights, there = tried, found
                break
        if there is None:
            # The step of expectation-maximisation never raises the loss.
            weights = weights * here.slope / (weights @ here.slope)
            there = _look(q, share, prior, weights)
            if there.loss >= here.loss and there.gap >= here.gap:
                break
        here = there
    return Solution(weights, here.gap)


def _newton(q: Array, share: Array, prior: float, weights: Array, here: _Look) -> Array:
    """Where the quadratic model of the loss is least over the models in play; idle ones get their part of the prior."""
    m = len(weights)
    mass = prior / m / (1 + prior)
    with np.errstate(divide="ignore", invalid="ignore"):
        slack = 1 - here.slope + (mass / weights if prior else 0.0)
        idle = (
            np.where(slack > 0, mass / slack, np.inf)
            if prior
            else np.where(here.slope < 1, 0.0, np.inf)
        )
    play = np.flatnonzero((weights > 1e-3 / m) | (idle > 1e-3 / m))
    curve = _gram(
        q, np.divide(share, here.fused**2, out=np.zeros_like(share), where=share > 0), play
    ) / (1 + prior)
    w = weights[play]
    if prior:
        curve[np.diag_indices(len(play))] += mass / w**2
    # Adding sum(w) to the loss makes the simplex's equality come out by itself.
    best = _quadratic(curve, curve @ w + here.slope[play] - 1)
    aim = idle
    aim[play] = np.maximum(best, 0.1 * w) if prior else best
    return aim / aim.sum() if aim.sum() > 0 else weights


def _gram(x: Array, share: Array, columns: Array | None = None) -> Array:
    """sum_i share_i x_i x_i' over the rows of x (n, m), of some columns only: (m, m)."""
    m = x.shape[1] if columns is None else len(columns)
    every = m == x.shape[1]
    total, root = np.zeros((m, m)), np.sqrt(share)
    for start in range(0, len(x), BLOCK):
        rows = slice(start, start + BLOCK)
        block = (x[rows] if every else x[rows][:, columns]) * root[rows, None]
        total += block.T @ block
    return total


def _quadratic(square: Array, linear: Array) -> Array:
    """argmin y'Ay/2 - b'y over y >= 0, by Lawson & Hanson's non-negative least squares on the Cholesky factor of A."""
    from scipy.linalg import cholesky, solve_triangular
    from scipy.optimize import nnls

    # Duplicated models make A singular: a ridge of this size shares their weight evenly and is below all tolerances.
    ridge = 1e-12 * max(float(np.trace(square)), np.finfo(float).tiny)
    for _ in range(8):
        try:
            upper = cholesky(square + ridge * np.eye(len(square)))
            found = nnls(
                upper, solve_triangular(upper, linear, trans="T"), maxiter=30 * len(square)
            )
            return np.asarray(found[0], np.float64)
        except (np.linalg.LinAlgError, RuntimeError):
            ridge *= 100
    return np.full(len(square), 1 / len(square))
