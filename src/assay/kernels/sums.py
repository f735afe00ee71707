"""Sums: totals, means and spreads of the rows, whole or by stratum.

>>> import numpy as np
>>> total, mean, m2, _ = compute_moments(np.array([[1.0], [3.0]]))
>>> total.tolist(), mean.tolist(), m2.tolist()
([2.0], [[2.0]], [[2.0]])
"""

from collections.abc import Sequence

import numpy as np

from assay._native import Array
from assay.kernels.dispatch import BLOCK, compiled_or_numpy

__all__ = ["compute_moments", "divide", "find_rest", "merge_moments", "mix", "sum_by", "sum_errors"]


def sum_by(stratum: Array | None, strata: int, values: Array) -> Array:
    """Sums of the rows of `values` (n,) or (n, d) by stratum: (strata,) or (strata, d), float64.

    `stratum` (n,) holds codes below `strata`; None stands for a single stratum.
    """
    values = np.asarray(values, np.float64)
    if stratum is None:
        return np.asarray(values.sum(axis=0, keepdims=True))
    if values.ndim == 1:
        # bincount gives int64 where there are no rows.
        return np.bincount(stratum, values, minlength=strata).astype(np.float64, copy=False)
    return np.stack([sum_by(stratum, strata, column) for column in values.T], axis=1)


def compute_moments(
    values: Array, weight: Array | None = None, stratum: Array | None = None, strata: int = 1
) -> tuple[Array, Array, Array, Array]:
    """Weight (strata,), mean, centred second moment and rest (strata, d) of `values` (n, d).

    `weight` (n,) is 1 by default; `stratum` (n,) holds codes below `strata`. The rest is what
    rounding leaves out of the mean. An infinite value has an infinite mean, and nan for a second
    moment.
    """

    def add_up(rows: Array) -> Array:
        return sum_by(stratum, strata, rows if weight is None else rows * weight[:, None])

    total = sum_by(stratum, strata, np.ones(len(values)) if weight is None else weight)
    first = divide(add_up(values), total[:, None])
    centre = np.where(np.isfinite(first), first, 0.0)
    finite = np.where(np.isfinite(values), values, np.nan)
    deviation = finite - (centre if stratum is None else centre[stratum])
    # The residual sum corrects the rounding of the mean (Higham, 2002, section 1.9).
    residual = add_up(deviation)
    m2 = add_up(deviation**2) - divide(residual**2, total[:, None])
    apart = np.where(np.isfinite(first), divide(residual, total[:, None]), 0.0)
    mean = first + apart
    return total, mean, np.maximum(m2, 0), find_rest(first, apart, mean)


def find_rest(larger: Array, smaller: Array, total: Array) -> Array:
    """What rounding left out of a `total`, the sum of a `larger` and a `smaller` number.

    0 where it is not finite. Source: Dekker (1971), Numer. Math. 18:224-242.

    >>> find_rest(np.array([1.0]), np.array([1e-20]), np.array([1.0])).tolist()
    [1e-20]
    """
    with np.errstate(invalid="ignore"):
        rest = smaller - (total - larger)
    return np.where(np.isfinite(rest), rest, 0.0)


def merge_moments(
    weights: Array, means: Array, m2s: Array, rests: Array | None = None
) -> tuple[Array, Array, Array, Array]:
    """Weight (strata,), mean, second moment and rest (strata, d) of all parts together.

    `weights` (p, strata), `means`, `m2s` and `rests` (p, strata, d) are those of the parts; a rest
    is what rounding left out of a mean, 0 by default.
    Source: Chan et al. (1983), The American Statistician 37:242-247.
    """
    weight = weights.sum(axis=0)
    filled = weights[..., None] > 0
    with np.errstate(invalid="ignore"):
        # From the first mean on, so that means that hardly differ keep their digits.
        start = means[np.argmax(weights > 0, axis=0), np.arange(len(weight))]
        gap = np.where(filled, means - start + (0.0 if rests is None else rests), 0.0)
        apart = divide((gap * weights[..., None]).sum(axis=0), weight[:, None])
        mean = start + apart
        m2 = (m2s + weights[..., None] * (gap - apart) ** 2 * filled).sum(axis=0)
    infinite = ~np.isfinite(means).all(axis=0)
    mean = np.where(infinite, means.sum(axis=0), mean)
    return weight, mean, m2, find_rest(start, apart, mean)


@compiled_or_numpy
def sum_errors(truth: Array, value: Array) -> tuple[Array, Array]:
    """Means and centred second moments (2, 6) of the terms of error metrics; rows of truth 0 (1,).

    With e = `truth` - `value` (n,) the terms are max(e, 0), max(-e, 0), e^2, |e|, the truth, and
    |e / truth| (0 where the truth is 0).
    """
    weights: list[float] = []
    means: list[Array] = []
    m2s: list[Array] = []
    zeros = np.zeros(1, np.int64)
    for start in range(0, len(truth), BLOCK):
        y = np.asarray(truth[start : start + BLOCK], np.float64)
        terms = np.empty((6, len(y)))
        positive_part, negative_part, square, size, true, share = terms
        true[:] = y
        error = np.subtract(y, value[start : start + BLOCK], dtype=np.float64)
        np.maximum(error, 0.0, out=positive_part)
        np.subtract(positive_part, error, out=negative_part)
        np.abs(error, out=size)
        np.multiply(error, error, out=square)
        zeros_here = len(y) - np.count_nonzero(y)
        zeros += zeros_here
        divisor = np.where(y == 0, np.inf, y) if zeros_here else y
        np.abs(np.divide(size, divisor, out=share), out=share)
        mean = terms.mean(axis=1)
        terms -= mean[:, None]
        weights.append(float(len(y)))
        means.append(mean)
        m2s.append(np.einsum("ij,ij->i", terms, terms))
    _, mean, m2, _ = merge_moments(
        np.array(weights)[:, None], np.array(means)[:, None], np.array(m2s)[:, None]
    )
    return np.concatenate([mean, m2]), zeros


@compiled_or_numpy
def mix(rows: Sequence[Array], weights: Array, out: Array) -> bool:
    """Write the weighted sum of `rows`, arrays (n,) of one type, to `out`; whether it is finite.

    `weights` (m,) are those of the rows. Sums are float64, rounded once. Numbers of two bytes that
    are whole (uint16) stand for bfloat16, of which they are the bits.
    """
    finite = True
    for start in range(0, len(out), BLOCK):
        block = slice(start, start + BLOCK)
        total = np.zeros(len(out[block]))
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is told of
            for row, weight in zip(rows, weights, strict=True):
                total += weight * _read_floats(row[block])
            out[block] = _round_to_bits(total) if out.dtype == np.uint16 else total
            finite = finite and bool(np.isfinite(_read_floats(out[block])).all())
    return finite


def _read_floats(numbers: Array) -> Array:
    """The `numbers` in double precision; those of uint16 are the bits of bfloat16."""
    if numbers.dtype != np.uint16:
        return numbers.astype(np.float64)
    return (numbers.astype(np.uint32) << 16).view(np.float32).astype(np.float64)


def _round_to_bits(numbers: Array) -> Array:
    """The bits of the nearest bfloat16, of two as near the even one."""
    wide = numbers.astype(np.float32)
    bits = wide.view(np.uint32)
    nearest = ((bits + (0x7FFF + (bits >> 16 & 1))) >> 16).astype(np.uint16)
    return np.where(np.isnan(wide), np.uint16(0x7FC0), nearest)


def divide(a: Array, b: Array) -> Array:
    """`a` / `b`, and 0 where `b` is 0: an empty stratum has no mean to move."""
    out = np.zeros(np.broadcast_shapes(np.shape(a), np.shape(b)))
    return np.divide(a, b, out=out, where=np.asarray(b) != 0)
