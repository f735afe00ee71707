"""The hot loops in NumPy, blocked so that their buffers stay in cache: the reference, always there.

Those marked `with_twin` are replaced by compiled ones where the package was built with a compiler; `get_backend` says which.

>>> import numpy as np
>>> count_pairs(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
[[1, 1], [0, 1]]
"""

from assay._native import FEW_CLASSES, Array
from assay.kernels.counts import count_labels, count_pairs, count_sets, map_codes, pair_values
from assay.kernels.dispatch import get_backend
from assay.kernels.order import (
    count_below,
    keep_between,
    rank_labels,
    rank_scores,
    scan_curve,
    select_places,
    count_ties,
)
from assay.kernels.probability import bin_rows, proba_stats, sum_proba_stats
from assay.kernels.sums import divide, merge_moments, compute_moments, sum_by, sum_errors

__all__ = [
    "FEW_CLASSES", "Array", "bin_rows", "count_below", "count_labels", "count_pairs", "count_sets", "divide",
    "get_backend", "merge_moments", "keep_between", "rank_labels", "map_codes", "compute_moments", "pair_values", "rank_scores",
    "proba_stats", "scan_curve", "select_places", "sum_by", "sum_errors", "sum_proba_stats", "count_ties",
]  # fmt: skip
