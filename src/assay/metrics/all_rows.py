"""all_rows: base of metrics that are read off the values of all rows, kept and sorted.

>>> from assay.metrics.base import METRICS
>>> METRICS.parse("median_ae")([1.0, 2.0, 3.0], [1.5, 2.0, 13.0])
0.5
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from assay.kernels import Array
from assay.metrics.base import REGRESSION, Metric
from assay.states.row_values import Values, ValueTable
from assay.table.rows import Rows

__all__ = ["AllRowsMetric", "TruthAndError", "compute_blocks"]

AT_ONCE = 1 << 22  # rows of all replicates together that are weighed at a time


@dataclass(frozen=True)
class TruthAndError:
    """Truth, and truth less prediction, of each row (n, 2)."""

    def compute_rows(self, rows: Rows) -> Array:
        return np.stack([np.asarray(rows.truth, np.float64), rows.residual], axis=1)


class AllRowsMetric(Metric):
    """Base of what is read off the errors of all rows, kept."""

    reads = "value"
    tasks = REGRESSION
    needs = Values(TruthAndError(), width=2)


def compute_blocks(table: ValueTable, compute: Callable[[Array], Array]) -> Array:
    """What `compute` makes of the weights of the rows of `table`: (1,), or (b,) for replicates."""
    return np.concatenate([compute(weight) for weight in iterate_weights(table)])


def iterate_weights(table: ValueTable) -> Iterator[Array]:
    """The weight of each row of `table` (1, n), or in each replicate, in blocks of them (b', n)."""
    weight = np.ones(len(table.values)) if table.weight is None else table.weight
    if table.counts is None or table.stratum is None:
        yield weight[None, :]
        return
    step = max(1, AT_ONCE // max(len(weight), 1))
    for start in range(0, len(table.counts), step):
        yield table.counts[start : start + step][:, table.stratum] * weight
