"""Metrics of calibration: whether what a model gives 80 % happens 80 % of the time.

Binary models are judged by the probability of the positive class against how often that class is true (of=positive),
those of several classes by the probability of the class answered against how often the answer is right (of=answer).

>>> ECE(bins=2)([0, 0, 1, 1], [0.2, 0.2, 0.9, 0.7])
0.2
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple, Self, TypeAlias

import numpy as np

from assay.errors import UnsupportedError
from assay.kernels import sum_by
from assay.metric import Metric, ratio
from assay.predictions import Rows
from assay.state import State
from assay.table.labels import Array
from assay.table.schema import Schema, Task

__all__ = ["ECE", "MCE", "Binned", "Bins", "NullBand", "null_band", "stated"]

SINGLE_LABEL: frozenset[Task] = frozenset({"binary", "multiclass"})
Equal: TypeAlias = Literal["width", "mass"]
Of: TypeAlias = Literal["auto", "positive", "answer"]

BLOCK = 1 << 16
GRID = 256  # cells, evenly spaced in log-odds, that bins of equal mass are joined from
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

    [0, 1] is cut in `bins` of equal width, or, where `bins` is 0, in GRID cells of equal width in log-odds, fine enough
    to be joined to bins of equal mass afterwards.
    """

    bins: int = 15
    of: Of = "auto"

    @cached_property
    def edges(self) -> Array:
        """Where one bin ends and the next begins (bins + 1,); an inner edge belongs to the bin above it."""
        if self.bins:
            return np.linspace(0, 1, self.bins + 1)
        inner = 1 / (1 + np.exp(-np.linspace(-FAR, FAR, GRID - 1)))
        return np.concatenate([[0.0], inner, [1.0]])

    def empty(self, schema: Schema, cells: int = 1) -> Binned:
        bins, zero = np.zeros((cells, len(self.edges) - 1)), np.zeros(cells)
        return Binned(bins, bins, bins, bins, np.zeros(cells, np.int64), zero)

    def observe(self, rows: Rows, cell: Array | None = None, cells: int = 1) -> Binned:
        proba, right = stated(rows, self.of)
        total = self.empty(rows.schema, cells)
        for start in range(0, len(proba), BLOCK):
            at = slice(start, start + BLOCK)
            weight, own = (None if whole is None else whole[at] for whole in (rows.weight, cell))
            total = self.merge(total, self._block(proba[at], right[at], weight, own, cells))
        return total

    def _block(self, proba: Array, right: Array, weight: Array | None, cell: Array | None, cells: int) -> Binned:
        proba, width = np.asarray(proba, np.float64), len(self.edges) - 1
        code = np.searchsorted(self.edges[1:-1], proba, "right") if not self.bins else self._evenly(proba)
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

    def take(self, value: Binned, cells: slice) -> Binned:
        return Binned(*(array[cells] for array in value))

    def pool(self, value: Binned, times: Array) -> Binned:
        often = times.astype(np.float64)
        return Binned(*((times if array.dtype.kind == "i" else often) @ array for array in value))

    def summary(self, value: Binned, schema: Schema) -> Binned:
        return value


@dataclass(frozen=True)
class CalibrationMetric(Metric):
    """Base of what is read off bins: how far the frequency in a bin lies from the mean probability stated there."""

    bins: int = 15
    equal: Equal = "width"
    of: Of = "auto"
    reads = "proba"
    tasks = SINGLE_LABEL
    better = "lower"

    def __post_init__(self) -> None:
        if not 1 <= self.bins <= GRID:
            raise UnsupportedError(f"bins of {self.name} must be between 1 and {GRID}; got {self.bins}")

    @property
    def state(self) -> State[Any]:
        return Bins(self.bins if self.equal == "width" else 0, self.of)

    def on(self, schema: Schema) -> Self:
        super().on(schema)
        if self.of == "positive" and schema.task != "binary":
            raise UnsupportedError(f"{self}: of=positive needs a binary task, this is {schema.task}; use of=answer")
        return replace(self, of="positive" if schema.task == "binary" else "answer") if self.of == "auto" else self

    def binned(self, summary: Binned) -> Binned:
        """The bins that the figure is read off."""
        return summary if self.equal == "width" else equal_mass(summary, self.bins)


@dataclass(frozen=True)
class ECE(CalibrationMetric):
    """Expected calibration error: mean gap between stated probability and frequency: in [0, 1], lower is better.

    sum_b n_b / n |frequency_b - mean probability_b| over `bins` of equal `width` in [0, 1] (an edge belongs to the bin
    above it), or of about equal `mass` (joined from a grid of 256 cells of equal width in log-odds).  of: the
    probability of the `positive` class (binary tasks, the default there) or of the `answer` (top-label).  Even a
    perfectly calibrated model has an ECE above 0; the note says how much on as many rows.  `debiased` takes off, bin
    by bin, what chance is expected to add (never below 0).  Undefined (no_samples) without rows.
    Same value as a sum over numpy.histogram's bins.
    Sources: Guo et al. (2017), ICML, 1321-1330; debiased: Kumar et al. (2019), NeurIPS, their normal approximation.

    >>> ECE(bins=2)(["a", "b", "c"], [[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.6, 0.3, 0.1]])
    0.03333
    """

    name = "ece"
    debiased: bool = False
    cases = ({"bins": 10}, {"bins": 4, "of": "answer"})
    oracle = (
        "(lambda q, right: np.abs(np.histogram(q, m.bins, (0, 1), weights=(right - q) * (1 if w is None else w))[0])"
        ".sum() / (len(q) if w is None else w.sum()))"
        "(*((proba[:, 1], y == classes[1]) if m.of == 'positive' else (proba.max(axis=1), y == label)))"
    )

    def compute(self, summary: Binned) -> Array:
        b = self.binned(summary)
        if not self.debiased:
            return ratio(np.abs(b.right - b.proba).sum(axis=-1), b.weight)
        gap = np.abs(ratio(b.right - b.proba, b.mass))
        excess = np.nan_to_num(gap - _chance(gap, b)) * b.mass
        return np.maximum(ratio(excess.sum(axis=-1), b.weight), 0)

    def note(self, summary: Binned, schema: Schema) -> str:
        if self.debiased:
            return ""
        band = null_band(self.binned(summary))
        return f"a perfectly calibrated model scores {band.mean:.2g} on such rows, below {band.high:.2g} in 95%"


@dataclass(frozen=True)
class MCE(CalibrationMetric):
    """Maximum calibration error: the largest gap between stated probability and frequency in a bin: in [0, 1]; lower.

    max_b |frequency_b - mean probability_b| over bins as in `ece`. A bin of a few rows can be far off by chance: the
    note says where the gap is and on how many rows.  Undefined (no_samples) without rows.
    Same value as the largest of numpy.histogram's bins.
    Source: Naeini et al. (2015), AAAI, 2901-2907.

    >>> MCE(bins=2)([0, 0, 1, 1], [0.2, 0.2, 0.9, 0.7])
    0.2
    """

    name = "mce"
    cases = ({"bins": 10}, {"bins": 4, "of": "answer"})
    oracle = (
        "(lambda q, right, v: np.nanmax(np.abs(np.histogram(q, m.bins, (0, 1), weights=(right - q) * v)[0])"
        " / np.histogram(q, m.bins, (0, 1), weights=v)[0]))"
        "(*((proba[:, 1], y == classes[1]) if m.of == 'positive' else (proba.max(axis=1), y == label)), "
        "np.ones(len(y)) if w is None else w)"
    )

    def compute(self, summary: Binned) -> Array:
        gap = np.abs(self._gaps(self.binned(summary)))
        return np.where(summary.weight > 0, np.nan_to_num(gap).max(axis=-1), np.nan)

    def note(self, summary: Binned, schema: Schema) -> str:
        b = self.binned(summary)
        worst = int(np.nanargmax(np.abs(self._gaps(b)[0]))) if b.weight[0] else 0
        if not b.mass[0, worst]:
            return ""
        stated_there, came = b.proba[0, worst] / b.mass[0, worst], b.right[0, worst] / b.mass[0, worst]
        of = f"{b.mass[0, worst] / b.weight[0]:.1%} of the weight"
        return f"largest where {stated_there:.2f} is stated and {came:.2f} comes true, {of}"

    def _gaps(self, b: Binned) -> Array:
        return ratio(b.right - b.proba, b.mass)


class NullBand(NamedTuple):
    """What a perfectly calibrated model would score: the mean of its ECE, its spread, and the end of a band above."""

    mean: float
    spread: float
    high: float


def null_band(b: Binned, confidence: float = 0.95, variance: Array | None = None) -> NullBand:
    """The ECE that chance alone gives a calibrated model whose stated probabilities are those of the first cell.

    In each bin the sum of (right - p) is then about normal with variance sum w^2 p (1 - p), here at the bin's mean p,
    or the `variance` given (bins,): a sum of half-normals, whose upper quantile is taken with its skewness
    (Cornish-Fisher).
    """
    from statistics import NormalDist

    if variance is None:
        p = np.nan_to_num(ratio(b.proba[0], b.mass[0]))
        variance = b.squares[0] * np.clip(p * (1 - p), 0, None)
    sigma = np.sqrt(variance) / max(float(b.weight[0]), 1e-300)
    mean = float(np.sqrt(2 / np.pi) * sigma.sum())
    spread = float(np.sqrt((1 - 2 / np.pi) * (sigma**2).sum()))
    if not spread:
        return NullBand(mean, spread, mean)
    z = NormalDist().inv_cdf(confidence)
    skew = HALF_NORMAL_SKEW * float((sigma**3).sum()) / float((sigma**2).sum()) ** 1.5
    return NullBand(mean, spread, mean + spread * (z + (z**2 - 1) * skew / 6))


HALF_NORMAL_SKEW = float(np.sqrt(2) * (4 - np.pi) / (np.pi - 2) ** 1.5)


def _chance(gap: Array, b: Binned) -> Array:
    """How much the noise of each bin's frequency is expected to add to its gap (..., bins); 0 without spread."""
    from scipy.special import ndtr

    rate = ratio(b.right, b.mass)
    error = np.sqrt(rate * (1 - rate) * ratio(b.squares, b.mass**2))
    noisy = error > 0
    z = np.divide(gap, error, out=np.zeros_like(gap), where=noisy)
    # The mean of |N(gap, error)|, a folded normal.
    folded = error * np.sqrt(2 / np.pi) * np.exp(-(z**2) / 2) + gap * (2 * ndtr(z) - 1)
    return np.where(noisy, folded - gap, 0.0)


def equal_mass(b: Binned, bins: int) -> Binned:
    """Adjacent cells of the grid joined to `bins` of about equal weight: a cell goes where its middle row belongs."""
    upto = np.cumsum(b.mass, axis=-1)
    total = np.where(b.weight > 0, b.weight, 1.0)[:, None]
    # Rounded: sums of weights differ in the last place with the order of rows.
    place = np.round((upto - b.mass / 2) / total, 9)
    code = np.minimum((place * bins).astype(np.intp), bins - 1) + bins * np.arange(len(b.mass))[:, None]
    size = bins * len(b.mass)
    mass, squares, proba, right = (np.bincount(code.ravel(), x.ravel(), size).reshape(-1, bins) for x in b[:4])
    return Binned(mass, squares, proba, right, b.rows, b.weight)


def stated(rows: Rows, of: Of = "auto") -> tuple[Array, Array]:
    """The probability that is judged (n,) and whether it came true (n,): of the positive class, or of the answer."""
    schema = rows.schema
    given = rows.given.get("proba")
    proba = rows.proba if given is None else given
    if of == "positive" or (of == "auto" and schema.task == "binary"):
        return proba[:, schema.positive_code], rows.truth == schema.positive_code
    label = rows.label.astype(np.intp)
    return np.take_along_axis(proba, label[:, None], axis=1)[:, 0], rows.truth == label
