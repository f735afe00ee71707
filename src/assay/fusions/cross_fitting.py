"""Cross-fitting: each row fused by a fusion that was fitted without the row's fold.

>>> from assay.fusions.base import FUSIONS
>>> p = Predictions.from_arrays(
...     [1.0, 2.0, 4.0, 3.0], {"a": [1, 2, 4, 3], "b": [1, 2, 4, 5]}, task="regression")
>>> fusion, fold = FUSIONS.parse("best"), np.array([0, 0, 1, 1])
>>> whole, parts = cross_fit(fusion, p, fold)
>>> fuse_by_fold(p, fold, [*parts, whole])  # on the first two rows a and b are as good
array([1., 2., 4., 3.])
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from assay.fusions.base import Fusion
from assay.fusions.fitted import Fitted
from assay.kernels import Array
from assay.table.predictions import Predictions

__all__ = ["cross_fit", "fuse_by_fold"]


def cross_fit(
    fusion: Fusion[Any], table: Predictions, fold: Array, seed: int = 0
) -> tuple[Fitted, list[Fitted]]:
    """The `fusion` fitted to all rows that may be fitted on, and to those outside each fold.

    Parameters:
        fusion: The fusion.
        table: Rows of two models or more.
        fold: Fold of each row (n,) from 0, -1 for rows that may not be fitted on.
        seed: Seed of what is random in fitting.
    """
    evidence: Any = fusion.evidence(table, fold)
    fitted = fusion.solve(evidence.take(fold >= 0), seed=seed)
    count = int(fold.max()) + 1
    if not fusion.learns:
        return fitted, [fitted] * count
    return fitted, [
        fusion.solve(evidence.take((fold >= 0) & (fold != left_out)), seed=seed)
        for left_out in range(count)
    ]


def fuse_by_fold(table: Predictions, fold: Array, by_fold: Sequence[Fitted]) -> Array:
    """The fused column, each row by the fusion of its own fold; rows of fold -1 by the last.

    Parameters:
        table: The rows.
        fold: Fold of each row (n,).
        by_fold: The fitted fusion of each fold.
    """
    first = by_fold[0]
    if all(fitted is first for fitted in by_fold):
        return first.apply(table)[first.kind]
    column: Array | None = None
    for number in np.unique(fold):
        fitted = by_fold[number]
        rows = np.flatnonzero(fold == number)
        part = fitted.apply(table.select(fitted.required_models).take(rows))[fitted.kind]
        if column is None:
            column = np.empty((table.n, *part.shape[1:]), part.dtype)
        column[rows] = part
    assert column is not None
    return column
