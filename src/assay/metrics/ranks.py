"""Metrics of how truth and prediction order the rows, whatever their units.

>>> Spearman()([1.0, 2.0, 3.0], [10.0, 20.0, 90.0])
1
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from assay.kernels import Array
from assay.metrics.all_rows import AllRowsMetric, compute_blocks
from assay.metrics.base import ratio
from assay.states.row_values import Values, ValueTable
from assay.table.rows import Rows

__all__ = ["KendallTau", "Spearman"]


@dataclass(frozen=True)
class TruthAndValue:
    """Truth and prediction of each row (n, 2)."""

    def compute_rows(self, rows: Rows) -> Array:
        return np.stack([np.asarray(each, np.float64) for each in (rows.truth, rows.value)], axis=1)


class Spearman(AllRowsMetric):
    """Correlation of the ranks of truth and prediction.

    In [-1, 1], 1 is the same order, higher is better. Pearson's correlation of mid-ranks (tied rows
    share the mean of theirs; a rank counts the weight below). Any rising transformation of the
    predictions leaves it. Keeps truth and prediction of all rows.
    Undefined (zero_variance) where truth or prediction is constant. Same value as
    scipy.stats.spearmanr.
    Source: Spearman (1904), Am. J. Psychol. 15:72-101.

    >>> Spearman()([1.0, 2.0, 3.0], [1.0, 30.0, 2.0])
    0.5
    """

    name = "spearman"
    bounds = (-1.0, 1.0)
    needs = Values(TruthAndValue(), width=2)
    undefined = "zero_variance"
    oracle = (
        "scipy.stats.spearmanr(y, value).statistic if w is None else weighted_spearman(y, value, w)"
    )

    def compute(self, summary: ValueTable) -> Array:
        truth_ties = Ties.from_values(summary.values[:, 0])
        value_ties = Ties.from_values(summary.values[:, 1])

        def correlate(weight: Array) -> Array:
            total = weight.sum(axis=1, keepdims=True)
            # The weighted mean of mid-ranks is half the total.
            a = truth_ties.midranks(weight) - total / 2
            b = value_ties.midranks(weight) - total / 2
            # Where all rows tie, the mid-ranks leave their mean by a rounding error alone.
            rounding = 1e-12 * total[:, 0] ** 3
            aa = (weight * a**2).sum(axis=1)
            bb = (weight * b**2).sum(axis=1)
            aa = np.where(aa > rounding, aa, 0.0)
            bb = np.where(bb > rounding, bb, 0.0)
            return ratio(ratio((weight * a * b).sum(axis=1), np.sqrt(aa)), np.sqrt(bb))

        return compute_blocks(summary, correlate)


class KendallTau(AllRowsMetric):
    """Rank correlation of truth and prediction by pairs of rows, corrected for ties (tau-b).

    In [-1, 1], 1 is the same order, higher is better. (pairs of rows that both order alike - pairs
    that they order oppositely) / sqrt(pairs that the truth orders x pairs that the prediction
    orders). Any rising transformation of the predictions leaves it. Keeps truth and prediction of
    all rows.
    Undefined (zero_variance) where truth or prediction is constant. Same value as
    scipy.stats.kendalltau.
    Source: Kendall (1945), Biometrika 33:239-251.

    >>> KendallTau()([1.0, 2.0, 3.0], [1.0, 30.0, 2.0])
    0.3333
    """

    name = "kendall_tau"
    aliases = ("kendall", "kendalltau", "kendall_tau_b")
    bounds = (-1.0, 1.0)
    needs = Values(TruthAndValue(), width=2)
    undefined = "zero_variance"
    oracle = (
        "scipy.stats.kendalltau(y, value).statistic if w is None else weighted_kendall(y, value, w)"
    )

    def compute(self, summary: ValueTable) -> Array:
        pairs = PairOrder.from_values(summary.values)
        return compute_blocks(summary, pairs.correlate)


@dataclass(frozen=True, eq=False)
class PairOrder:
    """Which pairs of rows truth and prediction order alike; sorted once for all replicates.

    Rows are taken in order of the truth, ties by the prediction, so that a pair is ordered
    oppositely where the later row has the lower prediction. Such pairs are counted bit by bit of
    the ranks of the predictions: at the highest bit that differs the earlier row has 1.
    """

    order: Array  # rows by truth, then prediction (n,)
    rank: Array  # of the prediction, equal ones alike, in that order (n,)
    ties: tuple[Array, Array, Array]  # the tie that each row belongs to: of truth, value, both (n,)

    @staticmethod
    def from_values(values: Array) -> "PairOrder":
        """The order of rows of truth and prediction `values` (n, 2)."""
        codes = [np.unique(column, return_inverse=True)[1].astype(np.int64) for column in values.T]
        truth, rank = codes
        both = np.unique(truth * (rank.max(initial=0) + 1) + rank, return_inverse=True)[1]
        order = np.argsort(both, kind="stable")
        return PairOrder(order, rank[order], (truth[order], rank[order], both[order]))

    def correlate(self, weight: Array) -> Array:
        """Kendall's tau-b (b,) of rows of a `weight` (b, n)."""
        weight = weight[:, self.order]
        total = weight.sum(axis=1) ** 2
        truth, value, both = (_sum_squares(weight, tie) for tie in self.ties)
        # Every pair is counted twice, and every row as tied with itself.
        opposite = 2 * self._count_opposite(weight)
        alike = total - truth - value + both - opposite
        rounding = 1e-12 * total
        ordered = [np.where(total - tied > rounding, total - tied, 0.0) for tied in (truth, value)]
        return ratio(ratio(alike - opposite, np.sqrt(ordered[0])), np.sqrt(ordered[1]))

    def _count_opposite(self, weight: Array) -> Array:
        """Weight (b,) of the pairs of rows, of a `weight` (b, n), that are ordered oppositely."""
        opposite = np.zeros(len(weight))
        for bit in range(int(self.rank.max(initial=0)).bit_length()):
            # Rows whose higher bits agree lie side by side, in their order.
            group = self.rank >> (bit + 1)
            at = np.argsort(group, kind="stable")
            is_one = (self.rank[at] >> bit & 1).astype(bool)
            mass = weight[:, at]
            before = np.cumsum(np.where(is_one, mass, 0.0), axis=1)
            begins = np.searchsorted(group[at], group[at])
            padded = np.concatenate([np.zeros((len(mass), 1)), before], axis=1)
            ahead = before - padded[:, begins]
            opposite += (np.where(is_one, 0.0, mass) * ahead).sum(axis=1)
        return opposite


def _sum_squares(weight: Array, tie: Array) -> Array:
    """Sum (b,) of the squared weights of ties, from the `tie` of each row (n,), by `weight`."""
    at = np.argsort(tie, kind="stable")
    starts = np.flatnonzero(np.diff(tie[at], prepend=-1))
    if not len(starts):
        return np.zeros(len(weight))
    sums = np.add.reduceat(weight[:, at], starts, axis=1)
    return np.asarray((sums**2).sum(axis=1))


class Ties(NamedTuple):
    """Rows in order of a value, and the runs of them that tie; sorted once for all replicates."""

    order: Array  # (n,)
    end: Array  # where each run ends in the order (runs,)
    run: Array  # which run each row belongs to (n,)

    @classmethod
    def from_values(cls, values: Array) -> "Ties":
        """The ties of `values` (n,)."""
        order = np.argsort(values, kind="stable")
        ranked = values[order]
        start = np.ones(len(ranked), bool)
        np.not_equal(ranked[1:], ranked[:-1], out=start[1:])
        run = np.empty(len(ranked), np.intp)
        run[order] = np.cumsum(start) - 1
        return cls(order, np.append(np.flatnonzero(start)[1:], len(ranked)), run)

    def midranks(self, weight: Array) -> Array:
        """Weight below each row and half of that tied with it (b, n), by `weight` (b, n).

        >>> Ties.from_values(np.array([3.0, 1.0, 3.0])).midranks(np.ones((1, 3))).tolist()
        [[2.0, 0.5, 2.0]]
        """
        upto = np.concatenate(
            [np.zeros((len(weight), 1)), np.cumsum(weight[:, self.order], axis=1)], axis=1
        )
        ends = upto[:, np.append(0, self.end)]
        return np.asarray(((ends[:, 1:] + ends[:, :-1]) / 2)[:, self.run])
