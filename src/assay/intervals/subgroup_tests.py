"""contrast: cells of rows, each tested against all other rows for being worse, all at once.

>>> c = Contrast(np.array([1.0] * 90 + [0.0] * 10), higher=True)
>>> t = c.test(np.repeat([0, 1, 2], [50, 30, 20]), cells=2)
>>> t.value.round(2).tolist(), t.rest.round(2).tolist(), t.p.round(4).tolist()
([1.0, 1.0], [0.8, 0.86], [0.9995, 0.985])
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from assay.intervals.proportions import t_quantile, wilson
from assay.kernels import Array

__all__ = ["Contrast", "CellTests"]


class CellTests(NamedTuple):
    """Of each cell (cells,): rows, figure, figure of all other rows, by how much it is worse, the same in standard
    errors and in standard deviations of a row, p-value; and the figure's standard error with its degrees of freedom."""

    n: Array
    value: Array
    rest: Array
    worse: Array
    strength: Array
    effect: Array
    p: Array
    error: Array
    freedom: Array


class Side(NamedTuple):
    """Rows, weight, effective rows, mean and variance of cells, or of what lies outside them."""

    n: Array
    weight: Array
    effective: Array
    mean: Array
    variance: Array


@dataclass(frozen=True, eq=False)
class Contrast:
    """The value of each row (n,), and which way is better; weight (n,) and cluster codes (n,) where there are any."""

    value: Array
    higher: bool
    weight: Array | None = None
    cluster: Array | None = None

    @cached_property
    def exact(self) -> bool:
        """Whether rows are independent, weigh the same, and are right or wrong: what Fisher's test wants."""
        plain = self.weight is None and self.cluster is None
        return plain and bool(((self.value == 0) | (self.value == 1)).all())

    @property
    def method(self) -> str:
        """The test, in words."""
        if self.cluster is not None:
            return "t of cluster sums"
        return "fisher mid-p" if self.exact else "welch and pooled t"

    @cached_property
    def overall(self) -> float:
        """The figure of all rows; nan without rows."""
        weight = len(self.value) if self.weight is None else self.weight.sum()
        total = self.value.sum() if self.weight is None else (self.weight * self.value).sum()
        return float(total / weight) if weight else float("nan")

    @cached_property
    def apart(self) -> Array:
        """Values less the figure of all rows: sums of their squares do not cancel."""
        return np.asarray(self.value - self.overall)

    def test(self, code: Array, cells: int) -> CellTests:
        """Each cell against all other rows: `code` (n,) is the cell of a row, `cells` where it is in none, and beyond
        where the row is to be left out of the question."""
        from scipy.special import stdtr

        own, rest = self._sides(code, cells)
        with np.errstate(divide="ignore", invalid="ignore"):
            worse = (rest.mean - own.mean) if self.higher else (own.mean - rest.mean)
            error, freedom = np.sqrt(own.variance / own.effective), own.effective - 1
            spread = np.sqrt(own.variance / own.effective + rest.variance / rest.effective)
            if self.cluster is not None:
                error, spread, freedom = self._by_cluster(code, cells, own, rest, self.cluster)
                p = stdtr(freedom, -worse / spread)
            elif self.exact:
                p = self._fisher(own, rest, worse)
            else:
                p = np.maximum(_welch(own, rest, worse), _pooled(own, rest, worse))
            # Without any spread a cell is no surer than the sign test on as many rows.
            alike = np.where(worse > 0, 0.5 ** np.minimum(own.n, rest.n), 1.0)
            p = np.where(spread > 0, p, alike)
            strength = np.where(spread > 0, worse / spread, np.sign(worse) * np.inf)
            effect = worse / np.sqrt((self.apart**2).mean())
        p = np.where(np.isnan(p), 1.0, p)
        value, others = (self._figure(side) for side in (own, rest))
        return CellTests(own.n, value, others, worse, strength, effect, p, error, freedom)

    def _figure(self, side: Side) -> Array:
        """Means back where they were; counts of right rows whole again."""
        mean = side.mean + self.overall
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.rint(mean * side.n) / side.n + 0.0 if self.exact else mean

    def interval(self, found: CellTests, at: int, confidence: float) -> tuple[float, float]:
        """The interval of the figure of cell `at`: Wilson's for shares of rows, else Student's t."""
        value, n = float(found.value[at]), float(found.n[at])
        if self.exact:
            low, high = wilson(np.array(value * n), np.array(n), confidence)
            return float(low), float(high)
        freedom = float(found.freedom[at])
        if not freedom >= 1:
            return float("nan"), float("nan")
        half = t_quantile((1 + confidence) / 2, freedom) * float(found.error[at])
        return value - half, value + half

    def _sides(self, code: Array, cells: int) -> tuple[Side, Side]:
        def summed(of: Array | None) -> Array:
            return np.bincount(code, of, cells + 1).astype(np.float64)[: cells + 1]

        n = summed(None)
        moved = self.apart if self.weight is None else self.weight * self.apart
        weight = n if self.weight is None else summed(self.weight)
        squares = n if self.weight is None else summed(self.weight**2)
        parts = (n, weight, squares, summed(moved), summed(moved * self.apart))
        return _side(*(of[:cells] for of in parts)), _side(*(of.sum() - of[:cells] for of in parts))

    def _fisher(self, own: Side, rest: Side, worse: Array) -> Array:
        """Mid-p of at least as few good rows in the cell, given how many there are in all."""
        good = [np.rint(side.n * (side.mean + self.overall)) for side in (own, rest)]
        if not self.higher:
            good = [side.n - of for side, of in zip((own, rest), good, strict=True)]
        return hypergeometric(good[0], own.n, good[0] + good[1], own.n + rest.n)

    def _by_cluster(
        self, code: Array, cells: int, own: Side, rest: Side, cluster: Array
    ) -> tuple[Array, Array, Array]:
        """Standard errors of the figure and of the difference, from what each cluster adds to them, and the degrees of
        freedom: clusters on the side that has fewer of them, less one."""
        asked = code <= cells
        code, cluster = code[asked], cluster[asked]
        clusters = int(cluster.max()) + 1 if len(cluster) else 0
        weight = np.ones(len(code)) if self.weight is None else self.weight[asked]
        moved = weight * self.apart[asked]
        pair, place = np.unique(code * clusters + cluster, return_inverse=True)
        cell, of = np.divmod(pair, max(clusters, 1))
        w, v = np.bincount(place, weight), np.bincount(place, moved)
        whole_w, whole_v = (
            np.bincount(cluster, weight, clusters),
            np.bincount(cluster, moved, clusters),
        )
        shared = whole_w[of] - w > 1e-12 * whole_w[of]
        inside = cell < cells
        cell, of, w, v, shared = cell[inside], of[inside], w[inside], v[inside], shared[inside]
        within = (v - own.mean[cell] * w) / own.weight[cell]
        outside = ((whole_v[of] - v) - rest.mean[cell] * (whole_w[of] - w)) / rest.weight[cell]
        # Clusters without a row in the cell: all clusters, less those that have one.
        away = (
            (whole_v**2).sum()
            - 2 * rest.mean * (whole_v * whole_w).sum()
            + rest.mean**2 * (whole_w**2).sum()
        )
        away = away - np.bincount(cell, (whole_v[of] - rest.mean[cell] * whole_w[of]) ** 2, cells)
        variance = (
            np.bincount(cell, (within - outside) ** 2, cells) + np.maximum(away, 0) / rest.weight**2
        )
        here = np.bincount(cell, minlength=cells)
        there = clusters - here + np.bincount(cell, shared, cells)
        fewest = np.minimum(here, there)
        scale = fewest / np.where(fewest > 1, fewest - 1.0, np.nan)
        error = np.sqrt(
            np.bincount(cell, within**2, cells) * here / np.where(here > 1, here - 1.0, np.nan)
        )
        return error, np.sqrt(variance * scale), np.where(fewest > 1, fewest - 1.0, np.nan)


def _side(n: Array, weight: Array, squares: Array, sums: Array, second: Array) -> Side:
    with np.errstate(divide="ignore", invalid="ignore"):
        effective = weight**2 / squares
        mean = sums / weight
        variance = np.maximum(second / weight - mean**2, 0) * effective / (effective - 1)
    # What is left of equal values after rounding is no spread.
    variance = np.where(variance <= 1e-24 * np.maximum(mean**2, 1e-300), 0.0, variance)
    return Side(n, weight, effective, mean, variance)


def _welch(own: Side, rest: Side, worse: Array) -> Array:
    from scipy.special import stdtr

    a, b = own.variance / own.effective, rest.variance / rest.effective
    freedom = (a + b) ** 2 / (a**2 / (own.effective - 1) + b**2 / (rest.effective - 1))
    return np.asarray(stdtr(freedom, -worse / np.sqrt(a + b)))


def _pooled(own: Side, rest: Side, worse: Array) -> Array:
    from scipy.special import stdtr

    freedom = own.effective + rest.effective - 2
    squares = own.variance * (own.effective - 1) + rest.variance * (rest.effective - 1)
    error = np.sqrt(squares / freedom * (1 / own.effective + 1 / rest.effective))
    return np.asarray(stdtr(freedom, -worse / error))


def hypergeometric(found: Array, drawn: Array, good: Array, total: Array) -> Array:
    """Mid-p of at most `found` good rows among `drawn`, of `good` among `total`: P(X < found) + P(X = found) / 2.

    Exact below 0.2; above, where nothing hangs on it, by the normal distribution.

    >>> hypergeometric(np.array([2.0]), np.array([5.0]), np.array([9.0]), np.array([12.0])).round(4).tolist()
    [0.0227]
    """
    from scipy.special import gammaln, ndtr

    found, drawn, good, total = (np.asarray(x, np.float64) for x in (found, drawn, good, total))
    mean = drawn * good / total
    variance = mean * (1 - good / total) * (total - drawn) / np.maximum(total - 1, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = np.where(variance > 0, ndtr((found - mean) / np.sqrt(variance)), 0.5)
    near = np.flatnonzero(p < 0.3)

    def choose(n: Array, k: Array) -> Array:
        return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))

    k, m, g, rest = found[near], drawn[near], good[near], total[near] - good[near]
    log_mass = choose(g, k) + choose(rest, m - k) - choose(g + rest, m)
    term, tail = np.ones(len(near)), np.full(len(near), 0.5)
    while len(near) and (term > 1e-17 * tail).any():
        term = term * np.maximum(k * (rest - m + k), 0) / ((g - k + 1) * (m - k + 1))
        tail, k = tail + term, k - 1
    p[near] = np.exp(log_mass) * tail
    return np.asarray(np.minimum(p, 1.0))
