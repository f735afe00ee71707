"""Quantiles of a column, found in passes that never hold more than a batch of it.

>>> import numpy as np
>>> halves = [np.array([5.0, 1.0, 4.0]), np.array([2.0, 3.0, np.nan, np.inf])]
>>> find_landmarks(lambda: iter(halves), (0.25, 0.5))
Landmarks(least=1.0, next_to_least=2.0, quantiles=(2.0, 3.0))
"""

from collections.abc import Callable, Iterator, Sequence
from math import ceil
from typing import NamedTuple

import numpy as np

from assay.kernels import Array

__all__ = ["Landmarks", "find_landmarks"]
BITS = 16  # of a number's 64, counted in a pass


class Landmarks(NamedTuple):
    """The least finite value of a column, the next one above it (or itself), and its quantiles."""

    least: float
    next_to_least: float
    quantiles: tuple[float, ...]


def find_landmarks(
    batches: Callable[[], Iterator[Array]], shares: Sequence[float]
) -> Landmarks | None:
    """Landmarks of the finite values of a column; None where there is no value.

    `batches` gives the column in parts, anew at each call. The quantiles, at `shares` in [0, 1],
    are those of NumPy's quantile(..., method="higher"). A pass counts the next 16 bits of the
    numbers that begin as the ones looked for do, as radix selection does: four passes find them
    exactly.
    """
    n = 0
    lowest = np.zeros(0)
    for values in batches():
        finite = values[np.isfinite(values)]
        n += len(finite)
        lowest = _lowest(np.concatenate([lowest, _lowest(finite)]))
    if not n:
        return None
    places = [ceil(share * (n - 1)) for share in shares]
    quantiles = _select_by_radix(batches, places)
    return Landmarks(float(lowest[0]), float(lowest[-1]), quantiles)


def _lowest(values: Array) -> Array:
    """The two lowest of the distinct values, or the one there is."""
    if not len(values):
        return values
    least = values.min()
    above = values[values > least]
    return np.array([least, above.min()]) if len(above) else np.array([least])


def _select_by_radix(
    batches: Callable[[], Iterator[Array]], places: Sequence[int]
) -> tuple[float, ...]:
    """The finite values at the `places` of their order."""
    prefixes = [0] * len(places)  # the leading bits of each value, as far as they are known
    ranks = list(places)  # its place among the numbers that begin so
    for shift in range(64 - BITS, -1, -BITS):
        counts = {prefix: np.zeros(1 << BITS, np.int64) for prefix in prefixes}
        for values in batches():
            keys = _convert_to_sortable(values[np.isfinite(values)])
            for prefix, table in counts.items():
                matching = keys
                if shift + BITS < 64:
                    matching = keys[keys >> np.uint64(shift + BITS) == prefix]
                table += np.bincount(_extract_bits(matching, shift), minlength=1 << BITS)
        for i, prefix in enumerate(prefixes):
            upto = np.cumsum(counts[prefix])
            bits = int(np.searchsorted(upto, ranks[i], "right"))
            ranks[i] -= int(upto[bits - 1]) if bits else 0
            prefixes[i] = prefix << BITS | bits
    return tuple(_convert_to_number(key) for key in prefixes)


def _extract_bits(keys: Array, shift: int) -> Array:
    return ((keys >> np.uint64(shift)) & np.uint64((1 << BITS) - 1)).astype(np.intp)


def _convert_to_sortable(values: Array) -> Array:
    """Whole numbers (n,) in the order of the values: their bits, inverted where negative."""
    bits = (values + 0.0).view(np.uint64)  # -0.0 is 0.0
    return np.where(bits >> np.uint64(63), ~bits, bits | np.uint64(1 << 63))


def _convert_to_number(key: int) -> float:
    bits = key ^ (1 << 63) if key >> 63 else key ^ ((1 << 64) - 1)
    return float(np.array([bits], np.uint64).view(np.float64)[0])
