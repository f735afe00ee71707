"""Kernels: the hot loops in NumPy, blocked so that their buffers stay in cache.

The verb of this wing is to count and to sum; it knows arrays alone, no tables. A kernel that is
marked `compiled_or_numpy` runs in compiled form where the package was built with a compiler, and
`get_backend` says which of the two runs.

- cells: narrow classes of scores, ordered as these are, and the rows in each
- class_order: the order in which a model's classes should be read, by its answers
- counts: how often codes, pairs of codes and sets of labels occur
- dispatch: how a kernel is replaced by its compiled form
- order: ranks and places of numbers
- probability: what rows of class probabilities say of the truth
- sums: totals, means and spreads, whole or by stratum
- totals: what one pass adds up of a batch for all metrics that are means over rows

>>> import numpy as np
>>> count_pairs(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
[[1, 1], [0, 1]]
"""

from assay._native import FEW_CLASSES, Array
from assay.kernels.cells import EVEN_CELLS, count_cells, find_cells, list_filled, scan_cells
from assay.kernels.counts import count_labels, count_pairs, count_sets, map_codes, pair_values
from assay.kernels.dispatch import get_backend
from assay.kernels.order import (
    count_below,
    count_ties,
    keep_between,
    rank_labels,
    rank_scores,
    scan_curve,
    select_places,
)
from assay.kernels.probability import (
    bin_rows,
    compute_logit_stats,
    compute_proba_stats,
    count_odds,
    sum_proba_stats,
)
from assay.kernels.sums import (
    compute_moments,
    divide,
    find_rest,
    merge_moments,
    mix,
    sum_by,
    sum_errors,
)

__all__ = [
    "EVEN_CELLS",
    "FEW_CLASSES",
    "Array",
    "bin_rows",
    "compute_logit_stats",
    "compute_moments",
    "compute_proba_stats",
    "count_below",
    "count_cells",
    "count_labels",
    "count_odds",
    "count_pairs",
    "count_sets",
    "count_ties",
    "divide",
    "find_cells",
    "find_rest",
    "get_backend",
    "keep_between",
    "list_filled",
    "map_codes",
    "merge_moments",
    "mix",
    "pair_values",
    "rank_labels",
    "rank_scores",
    "scan_cells",
    "scan_curve",
    "select_places",
    "sum_by",
    "sum_errors",
    "sum_proba_stats",
]
