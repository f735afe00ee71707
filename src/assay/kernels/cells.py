"""Cells: narrow classes of scores, ordered as the scores are, and how many rows lie in each.

>>> import numpy as np
>>> find_cells(np.array([0.0, 0.5, 1.0]), True, 20).tolist()
[0, 0, 1]
"""

import numpy as np

from assay._native import Array
from assay.kernels.dispatch import compiled_or_numpy

__all__ = ["EVEN_CELLS", "count_cells", "find_cells", "list_filled", "scan_cells"]

EVEN_CELLS = 1 << 20  # cells of even width
FINE = 13  # bits dropped of a float32, so that scores near 0 keep cells of their own


@compiled_or_numpy
def find_cells(score: Array, unit: bool, coarse: int) -> Array:
    """The cell (n,) of each `score` (n,), int64, never falling where the score rises.

    Cells are of even width in the score and finer towards 0 where all scores lie in [0, 1]
    (`unit`), else of even width in s / (1 + |s|); 2 ** `coarse` of them are made one.
    """
    with np.errstate(over="ignore"):
        s = np.asarray(score, np.float32) + np.float32(0)  # -0 and 0 are one score
    bits = s.view(np.int32)
    if unit:
        even = (s * np.float32(EVEN_CELLS)).clip(0, EVEN_CELLS).astype(np.int64)
        return np.asarray((even + (bits >> FINE)) >> coarse)
    # Negative floats sort by falling bits.
    rising = np.where(bits < 0, -(bits & 0x7FFFFFFF), bits).astype(np.int64)
    wide = s.astype(np.float64)
    with np.errstate(invalid="ignore"):
        squashed = np.where(np.isinf(wide), np.sign(wide), wide / (1 + np.abs(wide)))
    even = ((squashed + 1) * (EVEN_CELLS // 2)).astype(np.int64)
    return np.asarray((even + (rising >> FINE) + (0x7F800000 >> FINE) + 1) >> coarse)


@compiled_or_numpy
def count_cells(score: Array, positive: Array, unit: bool, coarse: int, cells: int) -> Array:
    """Rows in each of so many `cells` of each problem (k, cells, 2), those of `positive` last.

    `score` and `positive` are (n, k), a column a problem; cells are those of `find_cells` with
    `unit` and `coarse`.
    """
    n, k = score.shape
    place = find_cells(score.ravel(), unit, coarse).reshape(n, k)
    place = (place + np.arange(k) * cells) * 2 + positive
    counts = np.bincount(place.ravel(), minlength=2 * k * cells).astype(np.int32)
    return counts.reshape(k, cells, 2)


@compiled_or_numpy
def list_filled(counts: Array) -> tuple[Array, Array]:
    """Where `counts` are not 0, as if they were (n,), and these counts."""
    flat = counts.ravel()
    places = np.flatnonzero(flat)
    filled = flat[places]
    return places, filled.astype(np.int64) if filled.dtype.kind == "i" else filled


@compiled_or_numpy
def scan_cells(counts: Array) -> tuple[Array, int]:
    """The cells that hold positive rows, highest first, and what lies at and above each: (4, m).

    `counts` (cells, 2) are the negative and the positive rows of each cell. The rows of the result
    are the cells; the positive rows there and above; the negative ones; and the negative ones above
    alone. Beside it the number of all negative rows.
    """
    down = counts[::-1]
    upto = np.cumsum(down, axis=0, dtype=np.int64)
    at = np.flatnonzero(down[:, 1])
    above = upto[at, 0] - down[at, 0]
    return np.stack([len(counts) - 1 - at, upto[at, 1], upto[at, 0], above]), int(upto[-1, 0])
