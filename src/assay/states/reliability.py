"""Reliability: what was stated, and what came true, by stated probability; the table that calibration is read off.

>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays([0, 0, 1, 1], {"m.proba": [0.2, 0.2, 0.9, 0.6]}, positive=1)
>>> table = Bins(2).observe(p.rows("m"))
>>> table.mass.tolist(), table.right.tolist()
([[2.0, 2.0]], [[0.0, 2.0]])
"""

from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from assay.errors import UnsupportedError
from assay.kernels import Array, bin_rows, sum_by
from assay.kernels.totals import BINS, ProbaTotals
from assay.states.base import State
from assay.table.predictions import Rows
from assay.table.schema import Schema

__all__ = [
    "FAR",
    "GRID",
    "Binned",
    "Bins",
    "BinnedByClass",
    "ClassBins",
    "BinRule",
    "Judged",
    "merge_to_equal_mass",
    "select_judged",
]

BinRule: TypeAlias = Literal["width", "mass"]
Judged: TypeAlias = Literal["auto", "positive", "answer"]

BLOCK = 1 << 16
GRID = 256  # cells, evenly spaced in log-odds, that bins of equal mass are joined from
MOST = 1 << 24  # bins of all classes and cells together, 128 MB a table of them
FAR = 12.0  # log-odds at which the grid ends: 6e-6 and 1 - 6e-6


class Binned(NamedTuple):
    """Weight, squared weight, stated probability and right rows per bin (cells, bins); rows and weight (cells,)."""

    mass: Array
    squares: Array
    proba: Array
    right: Array
    rows: Array
    weight: Array


@dataclass(frozen=True)
class Bins(State[Binned]):
    """What was stated `of` the positive class or of the answer, and what came true, by stated probability.

    [0, 1] is cut in `bins` of equal width, or, where `bins` is 0, in `grid` cells of equal width in log-odds, fine
    enough to be joined to bins of equal mass afterwards.
    """

    bins: int = 15
    of: Judged = "auto"
    grid: int = GRID

    @cached_property
    def edges(self) -> Array:
        """Where one bin ends and the next begins (bins + 1,); an inner edge belongs to the bin above it."""
        if self.bins:
            return np.linspace(0, 1, self.bins + 1)
        inner = 1 / (1 + np.exp(-np.linspace(-FAR, FAR, self.grid - 1)))
        return np.concatenate([[0.0], inner, [1.0]])

    def empty(self, schema: Schema, cells: int = 1) -> Binned:
        bins, zero = np.zeros((cells, len(self.edges) - 1)), np.zeros(cells)
        return Binned(bins, bins, bins, bins, np.zeros(cells, np.int64), zero)

    def observe(self, rows: Rows, cell: Array | None = None, cells: int = 1) -> Binned:
        totals = self._totals(rows) if rows.weight is None and cell is None else None
        if totals is not None:
            mass, sums, hit = totals.bins[:, None]
            return Binned(
                mass, mass, sums, hit, np.array([totals.rows]), np.array([float(totals.rows)])
            )
        return self.count(*select_judged(rows, self.of), rows.weight, cell, cells)

    def _totals(self, rows: Rows) -> ProbaTotals | None:
        """The pass over the probabilities that metrics share, where it bins what is judged here."""
        binary = rows.schema.task == "binary"
        judged = (
            self.of in ("auto", "positive")
            if binary
            else self.of != "positive" and "label" not in rows.outputs
        )
        return rows.proba_totals if judged and self.bins == BINS else None

    def count(
        self, proba: Array, right: Array, weight: Array | None, cell: Array | None, cells: int
    ) -> Binned:
        """The table of stated probabilities (n,) of what came true where `right` (n,)."""
        blocks = range(0, max(len(proba), 1), BLOCK)

        def within(i: int, whole: Array | None) -> Any:
            return None if whole is None else whole[i : i + BLOCK]

        found = (
            self._block(
                proba[i : i + BLOCK],
                right[i : i + BLOCK],
                within(i, weight),
                within(i, cell),
                cells,
            )
            for i in blocks
        )
        return reduce(self.merge, found)

    def _block(
        self, proba: Array, right: Array, weight: Array | None, cell: Array | None, cells: int
    ) -> Binned:
        if self.bins and weight is None and cell is None:
            mass, sums, hit = (part[None] for part in bin_rows(proba, right, self.edges))
            return Binned(
                mass, mass, sums, hit, np.array([len(proba)]), np.array([float(len(proba))])
            )
        proba, width = np.asarray(proba, np.float64), len(self.edges) - 1
        code = (
            np.searchsorted(self.edges[1:-1], proba, "right")
            if not self.bins
            else self._evenly(proba)
        )
        code = code if cell is None else code + cell * width
        size, shape = cells * width, (cells, width)
        hit = np.bincount(code[right], None if weight is None else weight[right], size)
        mass = np.bincount(code, weight, size)
        squares = mass if weight is None else np.bincount(code, weight**2, size)
        sums = np.bincount(code, proba if weight is None else proba * weight, size)
        rows = np.array([len(proba)]) if cell is None else np.bincount(cell, minlength=cells)
        total = sum_by(cell, cells, np.ones(len(proba)) if weight is None else weight)
        parts = [np.reshape(part, shape).astype(np.float64) for part in (mass, squares, sums, hit)]
        return Binned(parts[0], parts[1], parts[2], parts[3], rows, total)

    def _evenly(self, proba: Array) -> Array:
        """The bin of each probability, put right where the product rounds across an edge."""
        code = np.minimum((proba * self.bins).astype(np.intp), self.bins - 1)
        code -= proba < self.edges[code]
        code += (proba >= self.edges[code + 1]) & (code < self.bins - 1)
        return code

    def merge(self, a: Binned, b: Binned) -> Binned:
        return Binned(*(x + y for x, y in zip(a, b, strict=True)))

    def select(self, value: Binned, cells: slice) -> Binned:
        return Binned(*(array[cells] for array in value))

    def resample(self, value: Binned, times: Array) -> Binned:
        often = times.astype(np.float64)
        return Binned(*((times if array.dtype.kind == "i" else often) @ array for array in value))

    def summary(self, value: Binned, schema: Schema) -> Binned:
        return value


def merge_to_equal_mass(b: Binned, bins: int) -> Binned:
    """Adjacent cells of the grid joined to `bins` of about equal weight: a cell goes where its middle row belongs."""
    upto = np.cumsum(b.mass, axis=-1)
    total = np.where(b.weight > 0, b.weight, 1.0)[:, None]
    # Rounded: sums of weights differ in the last place with the order of rows.
    place = np.round((upto - b.mass / 2) / total, 9)
    code = (
        np.minimum((place * bins).astype(np.intp), bins - 1)
        + bins * np.arange(len(b.mass))[:, None]
    )
    size = bins * len(b.mass)
    mass, squares, proba, right = (
        np.bincount(code.ravel(), x.ravel(), size).reshape(-1, bins) for x in b[:4]
    )
    return Binned(mass, squares, proba, right, b.rows, b.weight)


def select_judged(rows: Rows, of: Judged = "auto") -> tuple[Array, Array]:
    """The probability that is judged (n,) and whether it came true (n,): of the positive class, or of the answer."""
    schema = rows.schema
    given = rows.outputs.get("proba")
    proba = rows.proba if given is None else given
    if of == "positive" or (of == "auto" and schema.task == "binary"):
        return proba[:, schema.positive_code], rows.truth == schema.positive_code
    if "label" not in rows.outputs:
        return rows.proba_stats.top, rows.proba_stats.before == 0
    label = rows.label.astype(np.intp)
    return np.take_along_axis(proba, label[:, None], axis=1)[:, 0], rows.truth == label


class BinnedByClass(NamedTuple):
    """Weight, stated probability and rows that came true per class and bin (cells, k, bins); the rest (cells,)."""

    mass: Array
    proba: Array
    right: Array
    rows: Array
    weight: Array
    squares: Array


@dataclass(frozen=True)
class ClassBins(State[BinnedByClass]):
    """What was stated of each class (or label) and how often it was true; `bins` and `grid` as of Bins."""

    bins: int = 15
    grid: int = 64

    @property
    def class_bins(self) -> Bins:
        """The bins of one class."""
        return Bins(self.bins, grid=self.grid)

    def empty(self, schema: Schema, cells: int = 1) -> BinnedByClass:
        shape = (cells, schema.k, len(self.class_bins.edges) - 1)
        if np.prod(shape) > MOST:
            raise UnsupportedError(
                f"{shape[2]} bins of each of {schema.k} classes in each of {cells} cells of rows are too many to keep; "
                "take fewer bins, leave out intervals (intervals=False) or groups, or judge the answer alone (ece)"
            )
        bins, zero = np.zeros(shape), np.zeros(cells)
        return BinnedByClass(bins, bins, bins, np.zeros(cells, np.int64), zero, zero)

    def observe(self, rows: Rows, cell: Array | None = None, cells: int = 1) -> BinnedByClass:
        proba, weight = rows.outputs.get("proba", None), rows.weight
        proba = rows.proba if proba is None else proba
        tables = []
        for code in range(rows.schema.k):
            true = rows.truth[:, code] != 0 if rows.truth.ndim == 2 else rows.truth == code
            tables.append(self.class_bins.count(proba[:, code], true, weight, cell, cells))
        parts = (
            np.stack(part, axis=1)
            for part in zip(*((t.mass, t.proba, t.right) for t in tables), strict=True)
        )
        squares = tables[0].weight if weight is None else sum_by(cell, cells, weight**2)
        mass, proba, right = parts
        return BinnedByClass(mass, proba, right, tables[0].rows, tables[0].weight, squares)

    def merge(self, a: BinnedByClass, b: BinnedByClass) -> BinnedByClass:
        return BinnedByClass(*(x + y for x, y in zip(a, b, strict=True)))

    def select(self, value: BinnedByClass, cells: slice) -> BinnedByClass:
        return BinnedByClass(*(array[cells] for array in value))

    def resample(self, value: BinnedByClass, times: Array) -> BinnedByClass:
        often = times.astype(np.float64)
        return BinnedByClass(
            *(np.tensordot(times if x.dtype.kind == "i" else often, x, axes=1) for x in value)
        )

    def summary(self, value: BinnedByClass, schema: Schema) -> BinnedByClass:
        return value
