"""Sums: totals, means and spreads of the rows, whole or by cell.

>>> import numpy as np
>>> total, mean, m2 = compute_moments(np.array([[1.0], [3.0]]))
>>> total.tolist(), mean.tolist(), m2.tolist()
([2.0], [[2.0]], [[2.0]])
"""

import numpy as np

from assay._native import Array
from assay.kernels.dispatch import compiled_or_numpy

__all__ = ["divide", "merge_moments", "compute_moments", "sum_by", "sum_errors"]

ROWS = 32_768  # numbers that are looked at several times


def sum_by(cell: Array | None, cells: int, values: Array) -> Array:
    """Sums of the rows of `values` (n,) or (n, d) per cell: (cells,) or (cells, d), float64."""
    values = np.asarray(values, np.float64)
    if cell is None:
        return np.asarray(values.sum(axis=0, keepdims=True))
    if values.ndim == 1:
        return np.bincount(cell, values, minlength=cells).astype(
            np.float64, copy=False
        )  # of no rows it is int64
    return np.stack([sum_by(cell, cells, column) for column in values.T], axis=1)


def compute_moments(
    values: Array, weight: Array | None = None, cell: Array | None = None, cells: int = 1
) -> tuple[Array, Array, Array]:
    """Weight (cells,), mean and centred second moment (cells, d) of the rows of `values` (n, d), per cell.

    An infinite value has an infinite mean, and no second moment to speak of (nan).
    """

    def added(of_rows: Array) -> Array:
        return sum_by(cell, cells, of_rows if weight is None else of_rows * weight[:, None])

    total = sum_by(cell, cells, np.ones(len(values)) if weight is None else weight)
    mean = divide(added(values), total[:, None])
    centre = np.where(np.isfinite(mean), mean, 0.0)
    deviation = np.where(np.isfinite(values), values, np.nan) - (
        centre if cell is None else centre[cell]
    )
    # The residual sum corrects the rounding of the mean (Higham, 2002, section 1.9).
    residual = added(deviation)
    m2 = added(deviation**2) - divide(residual**2, total[:, None])
    mean = np.where(np.isfinite(mean), mean + divide(residual, total[:, None]), mean)
    return total, mean, np.maximum(m2, 0)


def merge_moments(weights: Array, means: Array, m2s: Array) -> tuple[Array, Array, Array]:
    """Weight (cells,), mean and second moment (cells, d) of parts (p, cells) and (p, cells, d): Chan et al. (1983)."""
    weight = weights.sum(axis=0)
    with np.errstate(invalid="ignore"):
        # From the first mean on, so that means that hardly differ keep their digits.
        start = means[np.argmax(weights > 0, axis=0), np.arange(len(weight))]
        gap = np.where(weights[..., None] > 0, means - start, 0.0)
        mean = start + divide((gap * weights[..., None]).sum(axis=0), weight[:, None])
        m2 = (m2s + weights[..., None] * (means - mean) ** 2 * (weights[..., None] > 0)).sum(axis=0)
    infinite = ~np.isfinite(means).all(axis=0)
    return weight, np.where(infinite, means.sum(axis=0), mean), m2


@compiled_or_numpy
def sum_errors(truth: Array, value: Array) -> tuple[Array, Array]:
    """Means and centred second moments of what metrics of error are means of: (2, 6), and rows of truth 0: (1,).

    Of e = truth - value (n,): e above 0, -e above 0, e^2, |e|, the truth, and |e / truth| (0 where the truth is 0).
    """
    parts, zeros = [], np.zeros(1, np.int64)
    for start in range(0, len(truth), ROWS):
        y = np.asarray(truth[start : start + ROWS], np.float64)
        of = np.empty((6, len(y)))
        over, under, square, size, true, share = of
        true[:] = y
        error = np.subtract(y, value[start : start + ROWS], dtype=np.float64)
        np.maximum(error, 0.0, out=over)
        np.subtract(over, error, out=under)
        np.abs(error, out=size)
        np.multiply(error, error, out=square)
        none = len(y) - np.count_nonzero(y)
        zeros += none
        np.abs(np.divide(size, np.where(y == 0, np.inf, y) if none else y, out=share), out=share)
        mean = of.mean(axis=1)
        of -= mean[:, None]
        parts.append((len(y), mean, np.einsum("ij,ij->i", of, of)))
    weights, means, m2s = (np.array(part, np.float64)[:, None] for part in zip(*parts, strict=True))
    _, mean, m2 = merge_moments(weights, means, m2s)
    return np.concatenate([mean, m2]), zeros


def divide(a: Array, b: Array) -> Array:
    """a / b, and 0 where b is 0 (an empty cell has no mean to move)."""
    return np.divide(
        a, b, out=np.zeros(np.broadcast_shapes(np.shape(a), np.shape(b))), where=np.asarray(b) != 0
    )
