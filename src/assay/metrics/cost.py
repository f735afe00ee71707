"""Metrics of what decisions cost: a price for every kind of error.

>>> ExpectedCost(costs="0 1;5 0")(["no", "no", "yes"], ["yes", "no", "no"])
2
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from assay.core.text import format_number
from assay.errors import UnsupportedError
from assay.kernels import Array
from assay.metrics.base import SINGLE_LABEL, Metric, RowMetric, ratio
from assay.states.confusion import Confusion, Counts
from assay.table.rows import Rows
from assay.table.schema import Schema

__all__ = ["ExpectedCost", "NetBenefit", "cost_matrix", "cost_text"]


@dataclass(frozen=True)
class ExpectedCost(Metric):
    """Mean cost of a row under a matrix of costs: between the least and the largest cost.

    Lower is better.
    sum_ij cost_ij n_ij / n with n_ij rows of class i predicted as j. costs: one row a true class,
    one column a prediction, in the declared class order, as in "0 1;5 0": a row of the second class
    called the first costs 5. Or two numbers for any number of classes, the cost of a right and of a
    wrong row: "0 1" (the default, the error rate).
    Gains are negative costs. In Python also as nested lists. No interval beyond 64 classes, unless
    costs are two numbers. Undefined (no_samples) without rows. Same value as the mean over rows of
    the cost of (truth, prediction).
    Source: Elkan (2001), IJCAI, 973-978.

    >>> ExpectedCost(costs=[[0, 1], [5, 0]])([0, 0, 1, 1], [0, 1, 1, 0])
    1.5
    """

    name = "expected_cost"
    costs: str | Sequence[Sequence[float]] = "0 1"
    tasks = SINGLE_LABEL
    better = "lower"
    needs = Confusion()
    # Not a matrix: it follows the class order, which the law of renaming changes.
    cases = ({"costs": "1 4"},)
    oracle = (
        "np.average(m.matrix(len(classes))[np.searchsorted(classes, y), "
        "np.searchsorted(classes, label)], weights=w)"
    )

    def __post_init__(self) -> None:
        matrix = cost_matrix(self.costs)
        object.__setattr__(self, "costs", cost_text(matrix))
        object.__setattr__(self, "bounds", (float(matrix.min()), float(matrix.max())))

    def matrix(self, k: int) -> Array:
        """The costs of `k` classes (k, k): rows truth, columns prediction."""
        costs = cost_matrix(self.costs)
        if len(costs) > 1:
            return costs
        full = np.full((k, k), costs[0, 1])
        np.fill_diagonal(full, costs[0, 0])
        return full

    def bind(self, schema: Schema) -> Self:
        super().bind(schema)
        k = len(cost_matrix(self.costs))
        if k not in (1, schema.k):
            raise UnsupportedError(
                f"{self}: the costs have {k} rows, the table has {schema.k} classes; give one row "
                "a true class and one column a predicted class, in the order "
                f"{', '.join(map(str, schema.classes))}"
            )
        return self

    def compute(self, summary: Counts) -> Array:
        costs = cost_matrix(self.costs)
        total = np.asarray(summary.total, np.float64)
        if len(costs) == 1:
            right = ratio(summary.right, total)
            return np.asarray(costs[0, 0] * right + costs[0, 1] * (1 - right))
        # Replicates of very many classes keep their margins only.
        if summary.table.shape[-1] != summary.tp.shape[-1]:
            return np.full(total.shape, np.nan)
        return ratio((np.asarray(summary.table) * costs).sum(axis=(-1, -2)), total)


@dataclass(frozen=True)
class NetBenefit(RowMetric):
    """Rows found less what the false alarms are worth, of all rows (decision curves).

    Higher is better, 0 is no use. tp / n - fp / n x t / (1 - t), where a row counts as positive if
    its probability is at least the threshold t: the probability at which acting and not acting are
    equally good, so that one hit is worth (1 - t) / t false alarms.
    At most the share of positive rows; at least -t / (1 - t). The note gives the benefit of acting
    on every row.
    Undefined (no_samples) without rows.
    Source: Vickers & Elkin (2006), Med. Decis. Making 26:565-574.

    >>> NetBenefit(threshold=0.2)([1, 0, 0, 1], [0.9, 0.3, 0.1, 0.6])
    0.4375
    """

    name = "net_benefit"
    threshold: float = 0.5
    reads = "proba"
    tasks = frozenset({"binary"})
    bounds = (float("-inf"), float("inf"))
    width = 2
    cases = ({"threshold": 0.2}, {"threshold": 0.8})
    oracle = (
        "np.average((proba[:, 1] >= m.threshold) "
        "* np.where(y == classes[1], 1, m.threshold / (m.threshold - 1)), weights=w)"
    )

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise UnsupportedError(
                f"threshold of net_benefit must be between 0 and 1; got {self.threshold}"
            )

    @property
    def odds(self) -> float:
        """How many hits one false alarm costs."""
        return self.threshold / (1 - self.threshold)

    def compute_rows(self, rows: Rows) -> Array:
        code = rows.schema.positive_code
        positive = rows.truth == code
        acted = rows.proba[:, code] >= self.threshold
        return np.stack([acted * np.where(positive, 1.0, -self.odds), positive], axis=1)

    def note(self, summary: Any, schema: Schema) -> str:
        share = float(summary.mean[0, 1])
        benefit = format_number(share - (1 - share) * self.odds)
        return f"acting on every row has {benefit}, on none 0"


def cost_matrix(costs: str | Sequence[Sequence[float]] | Array) -> Array:
    """`costs` as an array (k, k), or (1, 2) for a cost of right and of wrong rows.

    UnsupportedError names what is wrong.

    >>> cost_matrix("0 1; 5 0").tolist()
    [[0.0, 1.0], [5.0, 0.0]]
    """
    how = (
        "write one row a true class, as in '0 1;5 0', or the cost of a right and of a wrong row, "
        "as in '0 1'"
    )
    try:
        rows = [row.split() for row in costs.split(";")] if isinstance(costs, str) else costs
        matrix = np.array([[float(cell) for cell in row] for row in rows])
    except (TypeError, ValueError):
        raise UnsupportedError(
            f"costs {costs!r} are not rows of equally many numbers; {how}"
        ) from None
    if matrix.ndim != 2 or not (matrix.shape[0] == matrix.shape[1] > 1 or matrix.shape == (1, 2)):
        raise UnsupportedError(
            f"costs {costs!r} have shape {matrix.shape}, expected as many columns as rows; {how}"
        )
    if not np.isfinite(matrix).all():
        raise UnsupportedError(f"costs {costs!r} are not all finite; {how}")
    return matrix


def cost_text(matrix: Array) -> str:
    """The canonical text of a `matrix` (k, k) of costs.

    >>> cost_text([[0, 1.0], [2.5, 0]])
    '0 1;2.5 0'
    """
    return ";".join(" ".join(f"{float(cell):.15g}" for cell in row) for row in matrix)
