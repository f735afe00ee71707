"""quartiles: what slices of a stream rest on, found in passes over one column that never hold more than a batch of it.

>>> import numpy as np
>>> halves = [np.array([5.0, 1.0, 4.0]), np.array([2.0, 3.0, np.nan, np.inf])]
>>> find_landmarks(lambda: iter(halves), (0.25, 0.5))
Landmarks(least=1.0, next_to_least=2.0, at=(2.0, 3.0))
"""

from collections.abc import Callable, Iterator, Sequence
from math import ceil
from typing import NamedTuple

import numpy as np

from assay.kernels import Array

__all__ = ["Landmarks", "find_landmarks"]
BITS = 16  # of a number's 64, counted in a pass


class Landmarks(NamedTuple):
    """The least finite value of a column, the next one above it (or itself), and the values at the shares asked for."""

    least: float
    next_to_least: float
    at: tuple[float, ...]


def find_landmarks(batches: Callable[[], Iterator[Array]], shares: Sequence[float]) -> Landmarks | None:
    """Landmarks of the finite values, those of NumPy's quantile(..., method="higher"); None where there is no value.

    A pass counts the next 16 bits of the numbers that begin as the ones looked for do, as radix selection does: four
    passes find them exactly, whatever their spread.
    """
    n, lowest = 0, np.zeros(0)
    for values in batches():
        finite = values[np.isfinite(values)]
        n += len(finite)
        lowest = _lowest(np.concatenate([lowest, _lowest(finite)]))
    if not n:
        return None
    places = [ceil(share * (n - 1)) for share in shares]
    return Landmarks(float(lowest[0]), float(lowest[-1]), _find_places(batches, places))


def _lowest(values: Array) -> Array:
    """The two lowest of the distinct values, or the one there is."""
    if not len(values):
        return values
    least = values.min()
    above = values[values > least]
    return np.array([least, above.min()]) if len(above) else np.array([least])


def _find_places(batches: Callable[[], Iterator[Array]], places: Sequence[int]) -> tuple[float, ...]:
    """The finite values at the places of their order."""
    begun, left = (
        [0] * len(places),
        list(places),
    )  # the leading bits found, and the place among those that have them
    for shift in range(64 - BITS, -1, -BITS):
        count = {head: np.zeros(1 << BITS, np.int64) for head in begun}
        for values in batches():
            keys = _rising(values[np.isfinite(values)])
            for head, table in count.items():
                alike = (
                    keys if shift + BITS == 64 else keys[keys >> np.uint64(shift + BITS) == head]
                )
                table += np.bincount(_bits(alike, shift), minlength=1 << BITS)
        for i, head in enumerate(begun):
            upto = np.cumsum(count[head])
            bits = int(np.searchsorted(upto, left[i], "right"))
            left[i] -= int(upto[bits - 1]) if bits else 0
            begun[i] = head << BITS | bits
    return tuple(_number(key) for key in begun)


def _bits(keys: Array, shift: int) -> Array:
    return ((keys >> np.uint64(shift)) & np.uint64((1 << BITS) - 1)).astype(np.intp)


def _rising(values: Array) -> Array:
    """Whole numbers (n,) in the order of the numbers: their bits, turned where negative."""
    bits = (values + 0.0).view(np.uint64)  # -0.0 is 0.0
    return np.where(bits >> np.uint64(63), ~bits, bits | np.uint64(1 << 63))


def _number(key: int) -> float:
    bits = key ^ (1 << 63) if key >> 63 else key ^ ((1 << 64) - 1)
    return float(np.array([bits], np.uint64).view(np.float64)[0])
