"""subgroup_tests: tests of many subgroups of rows at once, each for being worse than all others.

>>> c = Contrast(np.array([1.0] * 90 + [0.0] * 10), higher=True)
>>> t = c.test(np.repeat([0, 1, 2], [50, 30, 20]), subgroups=2)
>>> t.value.round(2).tolist(), t.outside.round(2).tolist(), t.p.round(4).tolist()
([1.0, 1.0], [0.8, 0.86], [0.9995, 0.985])
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from assay.intervals.proportions import t_quantile, wilson
from assay.kernels import Array

__all__ = ["Contrast", "SubgroupTests"]


class SubgroupTests(NamedTuple):
    """Test of each subgroup against all other rows; every field is (subgroups,)."""

    n: Array  # rows
    value: Array  # mean of the rows
    outside: Array  # mean of all other rows
    worse: Array  # by how much the subgroup is worse
    strength: Array  # the same in standard errors of the difference
    effect: Array  # the same in standard deviations of a row
    p: Array
    error: Array  # standard error of `value`
    freedom: Array  # degrees of freedom of `error`


class Side(NamedTuple):
    """Rows, weight, effective rows, mean and variance inside subgroups, or outside of them."""

    n: Array
    weight: Array
    effective: Array
    mean: Array
    variance: Array


@dataclass(frozen=True, eq=False)
class Contrast:
    """Values of rows, compared inside and outside of subgroups.

    Parameters:
        value: Of each row (n,).
        higher: Whether higher values are better.
        weight: Of each row (n,); default: all alike.
        cluster: Code of the cluster of each row (n,); default: rows are independent.
    """

    value: Array
    higher: bool
    weight: Array | None = None
    cluster: Array | None = None

    @cached_property
    def exact(self) -> bool:
        """Whether rows are independent, weigh the same, and are right or wrong.

        That is what Fisher's test wants.
        """
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
        """The mean of all rows; nan without rows."""
        weight = len(self.value) if self.weight is None else self.weight.sum()
        total = self.value.sum() if self.weight is None else (self.weight * self.value).sum()
        return float(total / weight) if weight else float("nan")

    @cached_property
    def residual(self) -> Array:
        """Values less the mean of all rows: sums of their squares do not cancel."""
        return np.asarray(self.value - self.overall)

    def test(self, code: Array, subgroups: int) -> SubgroupTests:
        """Each subgroup against all other rows.

        Parameters:
            code: Subgroup of each row (n,); `subgroups` where it is in none, and above where the
                row is to be left out altogether.
            subgroups: How many there are.
        """
        from scipy.special import stdtr

        inside, outside = self._sides(code, subgroups)
        with np.errstate(divide="ignore", invalid="ignore"):
            worse = inside.mean - outside.mean
            if self.higher:
                worse = outside.mean - inside.mean
            error = np.sqrt(inside.variance / inside.effective)
            freedom = inside.effective - 1
            spread = np.sqrt(
                inside.variance / inside.effective + outside.variance / outside.effective
            )
            if self.cluster is not None:
                error, spread, freedom = self._cluster_errors(code, subgroups, inside, outside)
                p = stdtr(freedom, -worse / spread)
            elif self.exact:
                p = self._fisher(inside, outside)
            else:
                p = np.maximum(_welch(inside, outside, worse), _pool_t(inside, outside, worse))
            # Without any spread a subgroup is no surer than the sign test on as many rows.
            sign_test = np.where(worse > 0, 0.5 ** np.minimum(inside.n, outside.n), 1.0)
            p = np.where(spread > 0, p, sign_test)
            strength = np.where(spread > 0, worse / spread, np.sign(worse) * np.inf)
            effect = worse / np.sqrt((self.residual**2).mean())
        p = np.where(np.isnan(p), 1.0, p)
        return SubgroupTests(
            n=inside.n,
            value=self._restore_mean(inside),
            outside=self._restore_mean(outside),
            worse=worse,
            strength=strength,
            effect=effect,
            p=p,
            error=error,
            freedom=freedom,
        )

    def _restore_mean(self, side: Side) -> Array:
        """Means with the mean of all rows added again; counts of right rows whole again."""
        mean = side.mean + self.overall
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.rint(mean * side.n) / side.n + 0.0 if self.exact else mean

    def interval(self, tests: SubgroupTests, at: int, confidence: float) -> tuple[float, float]:
        """The interval of the value of subgroup number `at` of `tests`, at the level `confidence`.

        Wilson's for shares of rows, else Student's t.
        """
        value = float(tests.value[at])
        n = float(tests.n[at])
        if self.exact:
            low, high = wilson(np.array(value * n), np.array(n), confidence)
            return float(low), float(high)
        freedom = float(tests.freedom[at])
        if not freedom >= 1:
            return float("nan"), float("nan")
        half = t_quantile((1 + confidence) / 2, freedom) * float(tests.error[at])
        return value - half, value + half

    def _sides(self, code: Array, subgroups: int) -> tuple[Side, Side]:
        """The rows inside and outside of each subgroup."""

        def sum_groups(values: Array | None) -> Array:
            sums = np.bincount(code, values, subgroups + 1)
            return sums.astype(np.float64)[: subgroups + 1]

        n = sum_groups(None)
        weighted = self.residual if self.weight is None else self.weight * self.residual
        weight = n if self.weight is None else sum_groups(self.weight)
        squares = n if self.weight is None else sum_groups(self.weight**2)
        sums = (n, weight, squares, sum_groups(weighted), sum_groups(weighted * self.residual))
        inside = [each[:subgroups] for each in sums]
        outside = [each.sum() - each[:subgroups] for each in sums]
        return _side(*inside), _side(*outside)

    def _fisher(self, inside: Side, outside: Side) -> Array:
        """Mid-p of at least as few good rows in the subgroup, given how many there are in all."""
        good = np.rint(inside.n * (inside.mean + self.overall))
        others = np.rint(outside.n * (outside.mean + self.overall))
        if not self.higher:
            good = inside.n - good
            others = outside.n - others
        return hypergeometric(good, inside.n, good + others, inside.n + outside.n)

    def _cluster_errors(
        self, code: Array, subgroups: int, inside: Side, outside: Side
    ) -> tuple[Array, Array, Array]:
        """Standard errors of the value and of the difference, and degrees of freedom.

        From what each cluster adds to them; the degrees of freedom are the clusters on the side
        that has fewer of them, less one.
        """
        parts = self._sum_clusters(code, subgroups)
        group = parts.subgroup
        cluster = parts.cluster
        whole = parts.cluster_weight
        total = parts.cluster_total
        inner = (parts.total - inside.mean[group] * parts.weight) / inside.weight[group]
        others = (
            (total[cluster] - parts.total) - outside.mean[group] * (whole[cluster] - parts.weight)
        ) / outside.weight[group]
        # Clusters without a row in the subgroup: all clusters, less those that have one.
        absent = (
            (total**2).sum()
            - 2 * outside.mean * (total * whole).sum()
            + outside.mean**2 * (whole**2).sum()
        )
        present = (total[cluster] - outside.mean[group] * whole[cluster]) ** 2
        absent = absent - np.bincount(group, present, subgroups)
        variance = np.bincount(group, (inner - others) ** 2, subgroups)
        variance = variance + np.maximum(absent, 0) / outside.weight**2
        count = np.bincount(group, minlength=subgroups)
        count_outside = len(whole) - count + np.bincount(group, parts.shared, subgroups)
        fewest = np.minimum(count, count_outside)
        freedom = np.where(fewest > 1, fewest - 1.0, np.nan)
        error = np.sqrt(
            np.bincount(group, inner**2, subgroups)
            * count
            / np.where(count > 1, count - 1.0, np.nan)
        )
        return error, np.sqrt(variance * (fewest / freedom)), freedom

    def _sum_clusters(self, code: Array, subgroups: int) -> "ClusterSums":
        """The sums over clusters, and over the rows that each subgroup has of each cluster."""
        assert self.cluster is not None
        used = code <= subgroups
        code = code[used]
        cluster = self.cluster[used]
        clusters = int(cluster.max()) + 1 if len(cluster) else 0
        weight = np.ones(len(code)) if self.weight is None else self.weight[used]
        weighted = weight * self.residual[used]
        pair, place = np.unique(code * clusters + cluster, return_inverse=True)
        subgroup, pair_cluster = np.divmod(pair, max(clusters, 1))
        pair_weight = np.bincount(place, weight)
        whole = np.bincount(cluster, weight, clusters)
        shared = whole[pair_cluster] - pair_weight > 1e-12 * whole[pair_cluster]
        real = subgroup < subgroups  # not the rows that are in no subgroup
        return ClusterSums(
            subgroup=subgroup[real],
            cluster=pair_cluster[real],
            weight=pair_weight[real],
            total=np.bincount(place, weighted)[real],
            shared=shared[real],
            cluster_weight=whole,
            cluster_total=np.bincount(cluster, weighted, clusters),
        )


class ClusterSums(NamedTuple):
    """Sums of each subgroup's rows of each cluster (pairs,), and of whole clusters (clusters,)."""

    subgroup: Array  # of each pair
    cluster: Array  # of each pair
    weight: Array
    total: Array  # sum of weight x residual
    shared: Array  # whether the cluster has rows outside of the subgroup, too
    cluster_weight: Array
    cluster_total: Array


def _side(n: Array, weight: Array, squares: Array, sums: Array, second: Array) -> Side:
    with np.errstate(divide="ignore", invalid="ignore"):
        effective = weight**2 / squares
        mean = sums / weight
        variance = np.maximum(second / weight - mean**2, 0) * effective / (effective - 1)
    # What is left of equal values after rounding is no spread.
    variance = np.where(variance <= 1e-24 * np.maximum(mean**2, 1e-300), 0.0, variance)
    return Side(n, weight, effective, mean, variance)


def _welch(inside: Side, outside: Side, worse: Array) -> Array:
    """One-sided p of Welch's t test."""
    from scipy.special import stdtr

    a = inside.variance / inside.effective
    b = outside.variance / outside.effective
    freedom = (a + b) ** 2 / (a**2 / (inside.effective - 1) + b**2 / (outside.effective - 1))
    return np.asarray(stdtr(freedom, -worse / np.sqrt(a + b)))


def _pool_t(inside: Side, outside: Side, worse: Array) -> Array:
    """One-sided p of Student's t test with the pooled variance."""
    from scipy.special import stdtr

    freedom = inside.effective + outside.effective - 2
    squares = inside.variance * (inside.effective - 1) + outside.variance * (outside.effective - 1)
    error = np.sqrt(squares / freedom * (1 / inside.effective + 1 / outside.effective))
    return np.asarray(stdtr(freedom, -worse / error))


def hypergeometric(successes: Array, drawn: Array, good: Array, total: Array) -> Array:
    """Mid-p of a hypergeometric count X: P(X < `successes`) + P(X = `successes`) / 2.

    X is the number of good rows among `drawn` rows, of `good` among `total`; all (subgroups,).
    Exact below 0.2; above, where nothing hangs on it, by the normal distribution.

    >>> p = hypergeometric(np.array([2.0]), np.array([5.0]), np.array([9.0]), np.array([12.0]))
    >>> p.round(4).tolist()
    [0.0227]
    """
    from scipy.special import gammaln, ndtr

    successes = np.asarray(successes, np.float64)
    drawn = np.asarray(drawn, np.float64)
    good = np.asarray(good, np.float64)
    total = np.asarray(total, np.float64)
    mean = drawn * good / total
    variance = mean * (1 - good / total) * (total - drawn) / np.maximum(total - 1, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = np.where(variance > 0, ndtr((successes - mean) / np.sqrt(variance)), 0.5)
    near = np.flatnonzero(p < 0.3)

    def choose(n: Array, k: Array) -> Array:
        return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))

    k = successes[near]
    m = drawn[near]
    g = good[near]
    bad = total[near] - g
    log_mass = choose(g, k) + choose(bad, m - k) - choose(g + bad, m)
    term = np.ones(len(near))
    tail = np.full(len(near), 0.5)
    while len(near) and (term > 1e-17 * tail).any():
        term = term * np.maximum(k * (bad - m + k), 0) / ((g - k + 1) * (m - k + 1))
        tail = tail + term
        k = k - 1
    p[near] = np.exp(log_mass) * tail
    return np.asarray(np.minimum(p, 1.0))
