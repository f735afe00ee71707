"""Reliability: predicted probability beside the rows that came true, which calibration is read off.

>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays([0, 0, 1, 1], {"m.proba": [0.2, 0.2, 0.9, 0.6]}, positive=1)
>>> table = Bins(2).observe(p.rows("m"))
>>> table.mass.tolist(), table.right.tolist()
([[2.0, 2.0]], [[0.0, 2.0]])
"""

from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from assay.errors import UnsupportedError
from assay.kernels import Array, bin_rows, sum_by
from assay.kernels.totals import BINS, ProbaTotals
from assay.states.base import State, leave_out_empty
from assay.table.rows import Rows
from assay.table.schema import Schema

__all__ = [
    "GRID",
    "MAX_LOG_ODDS",
    "BinRule",
    "Binned",
    "BinnedByClass",
    "Bins",
    "ClassBins",
    "Judged",
    "merge_to_equal_mass",
    "select_judged",
]

BinRule: TypeAlias = Literal["width", "mass"]
Judged: TypeAlias = Literal["auto", "positive", "answer"]

BLOCK_ROWS = 1 << 16  # rows that are binned at a time
GRID = 256  # grid cells, evenly spaced in log-odds, that bins of equal mass are joined from
MAX_BINS = 1 << 24  # bins of all classes and strata together: 128 MB for each table of them
MAX_LOG_ODDS = 12.0  # log-odds at which the grid ends: probabilities 6e-6 and 1 - 6e-6


class Binned(NamedTuple):
    """What was predicted and what came true, per bin (strata, bins), and totals (strata,)."""

    mass: Array  # weight
    squares: Array  # squared weight
    proba: Array  # sum of the predicted probabilities
    right: Array  # weight of the rows that came true
    rows: Array  # (strata,) number of rows
    weight: Array  # (strata,) total weight


@dataclass(frozen=True)
class Bins(State[Binned]):
    """The probability `of` the positive class or of the answer, and what came true, by probability.

    [0, 1] is cut in `bins` of equal width, or, where `bins` is 0, in `grid` cells of equal width in
    log-odds, fine enough to be joined to bins of equal mass afterwards.
    """

    bins: int = 15
    of: Judged = "auto"
    grid: int = GRID

    @cached_property
    def edges(self) -> Array:
        """Where one bin ends and the next begins (bins + 1,); an inner edge is in the bin above."""
        if self.bins:
            return np.arange(self.bins + 1) / self.bins  # 0.3, not three times 0.1
        inner = 1 / (1 + np.exp(-np.linspace(-MAX_LOG_ODDS, MAX_LOG_ODDS, self.grid - 1)))
        return np.concatenate([[0.0], inner, [1.0]])

    def empty(self, schema: Schema, strata: int = 1) -> Binned:
        bins = np.zeros((strata, len(self.edges) - 1))
        return Binned(bins, bins, bins, bins, np.zeros(strata, np.int64), np.zeros(strata))

    def observe(self, rows: Rows, stratum: Array | None = None, strata: int = 1) -> Binned:
        totals = self._find_totals(rows) if rows.weight is None and stratum is None else None
        if totals is not None:
            return _make_binned(*totals.bins, rows=totals.rows)
        return self.count(*select_judged(rows, self.of), rows.weight, stratum, strata)

    def _find_totals(self, rows: Rows) -> ProbaTotals | None:
        """The pass over the probabilities that metrics share, if it bins what is judged here."""
        if rows.schema.task == "binary":
            fits = self.of in ("auto", "positive")
        else:
            fits = self.of != "positive" and "label" not in rows.outputs
        return rows.proba_totals if fits and self.bins == BINS else None

    def count(
        self, proba: Array, right: Array, weight: Array | None, stratum: Array | None, strata: int
    ) -> Binned:
        """The table of probabilities `proba` (n,) of what came true where `right` (n,).

        `weight` and `stratum` (n,), below `strata`, are those of the rows.
        """
        parts = []
        for start in range(0, max(len(proba), 1), BLOCK_ROWS):
            block = slice(start, start + BLOCK_ROWS)
            parts.append(
                self._count_block(
                    proba[block],
                    right[block],
                    None if weight is None else weight[block],
                    None if stratum is None else stratum[block],
                    strata,
                )
            )
        return reduce(self.merge, parts)

    def _count_block(
        self, proba: Array, right: Array, weight: Array | None, stratum: Array | None, strata: int
    ) -> Binned:
        if self.bins and weight is None and stratum is None:
            return _make_binned(*bin_rows(proba, right, self.edges), rows=len(proba))
        proba = np.asarray(proba, np.float64)
        width = len(self.edges) - 1
        if self.bins:
            code = self._find_even_bins(proba)
        else:
            code = np.searchsorted(self.edges[1:-1], proba, "right")
        if stratum is not None:
            code = code + stratum * width

        def add_up(at: Array, values: Array | None) -> Array:
            sums = np.bincount(at, values, strata * width)
            return sums.reshape(strata, width).astype(np.float64)

        mass = add_up(code, weight)
        return Binned(
            mass=mass,
            squares=mass if weight is None else add_up(code, weight**2),
            proba=add_up(code, proba if weight is None else proba * weight),
            right=add_up(code[right], None if weight is None else weight[right]),
            rows=_count_rows(len(proba), stratum, strata),
            weight=sum_by(stratum, strata, np.ones(len(proba)) if weight is None else weight),
        )

    def _find_even_bins(self, proba: Array) -> Array:
        """The bin of each probability, corrected where the product rounds across an edge."""
        code = np.minimum((proba * self.bins).astype(np.intp), self.bins - 1)
        code -= proba < self.edges[code]
        code += (proba >= self.edges[code + 1]) & (code < self.bins - 1)
        return code

    def merge(self, a: Binned, b: Binned) -> Binned:
        return Binned(*(x + y for x, y in zip(a, b, strict=True)))

    def select(self, value: Binned, strata: slice) -> Binned:
        return Binned(*(array[strata] for array in value))

    def resample(self, value: Binned, counts: Array) -> Binned:
        value, counts = leave_out_empty(value, counts)
        exact = counts.astype(np.float64)
        return Binned(*((counts if array.dtype.kind == "i" else exact) @ array for array in value))

    def summary(self, value: Binned, schema: Schema) -> Binned:
        return value


def _make_binned(mass: Array, proba: Array, right: Array, *, rows: int) -> Binned:
    """Bins (bins,) of rows that count alike, as a single stratum."""
    return Binned(
        mass[None],
        mass[None],
        proba[None],
        right[None],
        np.array([rows]),
        np.array([float(rows)]),
    )


def _count_rows(n: int, stratum: Array | None, strata: int) -> Array:
    return np.array([n]) if stratum is None else np.bincount(stratum, minlength=strata)


def merge_to_equal_mass(b: Binned, bins: int) -> Binned:
    """Adjacent grid cells of `b` joined to `bins` of about equal weight.

    A cell goes to the bin that its middle row belongs to.
    """
    upto = np.cumsum(b.mass, axis=-1)
    total = np.where(b.weight > 0, b.weight, 1.0)[:, None]
    # Rounded: sums of weights differ in the last place with the order of rows.
    place = np.round((upto - b.mass / 2) / total, 9)
    code = np.minimum((place * bins).astype(np.intp), bins - 1)
    code += bins * np.arange(len(b.mass))[:, None]

    def add_up(values: Array) -> Array:
        return np.bincount(code.ravel(), values.ravel(), bins * len(b.mass)).reshape(-1, bins)

    return b._replace(
        mass=add_up(b.mass),
        squares=add_up(b.squares),
        proba=add_up(b.proba),
        right=add_up(b.right),
    )


def select_judged(rows: Rows, of: Judged = "auto") -> tuple[Array, Array]:
    """The probability that is judged (n,) and whether it came true (n,), for one model's `rows`.

    It is that `of` the positive class, or of the answer; "auto": of the positive class if binary.
    """
    schema = rows.schema
    of_class = of == "positive" or (of == "auto" and schema.task == "binary")
    if not of_class and "label" not in rows.outputs:
        probability, answer = rows.top
        return probability, answer == rows.truth
    proba = _read_proba(rows)
    if of_class:
        return proba[:, schema.positive_code], rows.truth == schema.positive_code
    label = rows.label.astype(np.intp)
    return np.take_along_axis(proba, label[:, None], axis=1)[:, 0], rows.truth == label


def _read_proba(rows: Rows) -> Array:
    """Probabilities (n, k) in the type in which the model gave them, or those of its logits."""
    predicted = rows.outputs.get("proba")
    return rows.proba if predicted is None else predicted


class BinnedByClass(NamedTuple):
    """What was predicted and came true, per class and bin (strata, k, bins); totals (strata,)."""

    mass: Array  # weight
    proba: Array  # sum of the predicted probabilities
    right: Array  # weight of the rows that came true
    rows: Array  # (strata,) number of rows
    weight: Array  # (strata,) total weight
    squares: Array  # (strata,) total squared weight


@dataclass(frozen=True)
class ClassBins(State[BinnedByClass]):
    """The probability of each class (or label) and how often it was true; `bins` as of `Bins`."""

    bins: int = 15
    grid: int = 64

    @property
    def class_bins(self) -> Bins:
        """The bins of one class."""
        return Bins(self.bins, grid=self.grid)

    def empty(self, schema: Schema, strata: int = 1) -> BinnedByClass:
        shape = (strata, schema.k, len(self.class_bins.edges) - 1)
        if np.prod(shape) > MAX_BINS:
            raise UnsupportedError(
                f"{shape[2]} bins of each of {schema.k} classes in each of {strata} strata of rows "
                "are too many to keep; take fewer bins, leave out intervals (intervals=False) or "
                "groups, or judge the answer alone (ece)"
            )
        bins = np.zeros(shape)
        zero = np.zeros(strata)
        return BinnedByClass(bins, bins, bins, np.zeros(strata, np.int64), zero, zero)

    def observe(self, rows: Rows, stratum: Array | None = None, strata: int = 1) -> BinnedByClass:
        weight = rows.weight
        proba = _read_proba(rows)
        tables = []
        for code in range(rows.schema.k):
            true = rows.truth[:, code] != 0 if rows.truth.ndim == 2 else rows.truth == code
            tables.append(self.class_bins.count(proba[:, code], true, weight, stratum, strata))
        total = tables[0].weight
        return BinnedByClass(
            mass=np.stack([t.mass for t in tables], axis=1),
            proba=np.stack([t.proba for t in tables], axis=1),
            right=np.stack([t.right for t in tables], axis=1),
            rows=tables[0].rows,
            weight=total,
            squares=total if weight is None else sum_by(stratum, strata, weight**2),
        )

    def merge(self, a: BinnedByClass, b: BinnedByClass) -> BinnedByClass:
        return BinnedByClass(*(x + y for x, y in zip(a, b, strict=True)))

    def select(self, value: BinnedByClass, strata: slice) -> BinnedByClass:
        return BinnedByClass(*(array[strata] for array in value))

    def resample(self, value: BinnedByClass, counts: Array) -> BinnedByClass:
        value, counts = leave_out_empty(value, counts)
        exact = counts.astype(np.float64)
        return BinnedByClass(
            *(np.tensordot(counts if x.dtype.kind == "i" else exact, x, axes=1) for x in value)
        )

    def summary(self, value: BinnedByClass, schema: Schema) -> BinnedByClass:
        return value
