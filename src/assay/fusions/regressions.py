"""Regressions: penalised ones that are pulled toward the mean of the models, as stacking fits them.

>>> inputs = np.array([[1.0, 3.0], [2.0, 4.0], [4.0, 6.0], [5.0, 7.0]])  # rows by models
>>> truth = inputs.mean(axis=1) + 1
>>> coef, _, intercept, _ = solve_ridge(inputs, truth, np.full(4, 0.25), 0.1, np.zeros((4, 0)))
>>> coef.round(2).tolist(), float(intercept.round(2))
([0.5, 0.5], 1.0)
"""

from typing import Any

import numpy as np

from assay.kernels import Array

__all__ = ["solve_labels", "solve_ridge", "solve_softmax"]

ROUNDING = 1e-12  # share of the truth's variance below which an error is rounding


def solve_softmax(
    inputs: Array, truth: Array, share: Array, penalty: float, extra: Array
) -> tuple[Array, Array, Array, float]:
    """Coefficients (m, k, k) and (d, k), intercept (k,) and gap of the multinomial regression.

    Parameters:
        inputs: Log-probabilities (n, m, k).
        truth: Class codes (n,).
        share: Share of each row (n,) in the loss, summing to 1.
        penalty: Weight of half the squared distance of the coefficients from equal exponents.
        extra: Further inputs (n, d), whose coefficients are pulled toward 0.
    """
    n, m, k = inputs.shape
    d = extra.shape[1]
    columns = np.concatenate([inputs.reshape(n, m * k), extra], axis=1)
    equal = np.concatenate([np.tile(np.eye(k) / m, (m, 1)), np.zeros((d, k))])
    base = columns @ equal
    place = np.arange(n), truth.astype(np.intp)

    def loss(change: Array) -> tuple[float, Array]:
        change = change.reshape(m * k + d + 1, k)
        logits = base + columns @ change[:-1] + change[-1]
        logits -= logits.max(axis=1, keepdims=True)
        proba = np.exp(logits)
        total = proba.sum(axis=1)
        value = share @ (np.log(total) - logits[place])
        proba *= (share / total)[:, None]
        proba[place] -= share
        slope = np.concatenate([columns.T @ proba, proba.sum(axis=0)[None]])
        value += penalty / 2 * (change**2).sum()
        return float(value), (slope + penalty * change).ravel()

    change, gap = _minimise(loss, (m * k + d + 1) * k, penalty)
    change = change.reshape(m * k + d + 1, k)
    found = equal + change[:-1]
    return found[: m * k].reshape(m, k, k), found[m * k :], change[-1], gap


def solve_labels(
    inputs: Array, truth: Array, share: Array, penalty: float, extra: Array
) -> tuple[Array, Array, Array, float]:
    """Coefficients (m, labels) and (d, labels), intercept (labels,) and gap, label by label.

    `inputs` are logits (n, labels, m), `truth` is 0/1 (n, labels), `share` (n,) sums to 1;
    `penalty` and `extra` are as in `solve_softmax`.
    """
    n, labels, m = inputs.shape
    d = extra.shape[1]
    sign = np.where(truth != 0, 1.0, -1.0)
    base = inputs.mean(axis=2)
    if d:
        beside = np.broadcast_to(extra[:, None], (n, labels, d))
        inputs = np.concatenate([inputs, beside], axis=2)

    def loss(change: Array) -> tuple[float, Array]:
        change = change.reshape(labels, m + d + 1)
        margin = sign * (base + np.einsum("nlm,lm->nl", inputs, change[:, :-1]) + change[:, -1])
        value = share @ np.logaddexp(0.0, -margin).mean(axis=1)
        pull = -sign * np.exp(-np.logaddexp(0.0, margin)) * share[:, None] / labels
        slope = np.concatenate(
            [np.einsum("nl,nlm->lm", pull, inputs), pull.sum(axis=0)[:, None]], axis=1
        )
        value += penalty / 2 * (change**2).sum() / labels
        return float(value), (slope + penalty / labels * change).ravel()

    change, gap = _minimise(loss, labels * (m + d + 1), penalty / labels)
    change = change.reshape(labels, m + d + 1)
    found = np.ascontiguousarray(change[:, :-1].T)
    return 1 / m + found[:m], found[m:], change[:, -1], gap


def solve_ridge(
    inputs: Array, truth: Array, share: Array, penalty: float, extra: Array
) -> tuple[Array, Array, Array, float]:
    """Coefficients (m,) and (d,), intercept () and gap 0 of the ridge regression on values.

    `inputs` are values (n, m), `truth` (n,), `share` (n,) sums to 1.  `penalty` is in units of the
    squared error of the members' mean, so that the scale of the truth does not matter.
    Coefficients of `extra` inputs (n, d) are pulled toward 0, in units of its root.
    """
    m, d = inputs.shape[1], extra.shape[1]
    equal = np.concatenate([np.full(m, 1 / m), np.zeros(d)])
    inputs = np.concatenate([inputs, extra], axis=1)
    centre = share @ inputs
    mean = share @ truth
    centred = inputs - centre
    residual = truth - mean - centred @ equal
    scale = float(share @ residual**2)
    # An error of the mean that is rounding alone must not drown the penalty.
    scale = max(scale, ROUNDING * float(share @ (truth - mean) ** 2))
    if scale == 0:
        return equal[:m], equal[m:], np.asarray(mean - centre @ equal), 0.0
    unit = np.concatenate([np.ones(m), np.full(d, np.sqrt(scale))])
    centred = centred * unit
    gram = centred.T @ (share[:, None] * centred) / scale + penalty * np.eye(m + d)
    change = np.linalg.solve(gram, centred.T @ (share * residual) / scale)
    coef = equal + change * unit
    return coef[:m], coef[m:], np.asarray(mean - centre @ coef), 0.0


def _minimise(loss: Any, size: int, penalty: float) -> tuple[Array, float]:
    """Where a `penalty`-strongly convex loss is least, and how far above the least at most."""
    from scipy.optimize import minimize

    optimum = minimize(
        loss,
        np.zeros(size),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 2000, "maxfun": 4000, "ftol": 1e-12, "gtol": 1e-8, "maxcor": 20},
    )
    slope = loss(optimum.x)[1]
    return optimum.x, float(slope @ slope / (2 * penalty))
