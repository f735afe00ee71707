"""The hot loops in NumPy, blocked so that their buffers stay in cache: the reference, always there.

Those marked `with_twin` are replaced by compiled ones where the package was built with a compiler; `in_use` says which.

>>> import numpy as np
>>> count_pairs(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
[[1, 1], [0, 1]]
"""

from assay._native import FEW_CLASSES, Array
from assay.kernels.counts import count_labels, count_pairs, count_sets, look_up, pair_values
from assay.kernels.dispatch import in_use
from assay.kernels.order import (
    count_below,
    keep_between,
    label_ranks,
    rank_scores,
    scan_curve,
    select_places,
    tie_counts,
)
from assay.kernels.probability import bin_rows, row_facts, sum_facts
from assay.kernels.sums import divide, join_moments, moments, sum_by, sum_errors

__all__ = [
    "FEW_CLASSES", "Array", "bin_rows", "count_below", "count_labels", "count_pairs", "count_sets", "divide",
    "in_use", "join_moments", "keep_between", "label_ranks", "look_up", "moments", "pair_values", "rank_scores",
    "row_facts", "scan_curve", "select_places", "sum_by", "sum_errors", "sum_facts", "tie_counts",
]  # fmt: skip
