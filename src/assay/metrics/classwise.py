"""Metrics of the calibration of every class, not of the answer alone.

>>> ClasswiseECE(bins=2)(["a", "b"], [[0.8, 0.2], [0.4, 0.6]])
0.3
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from assay.errors import UnsupportedError
from assay.kernels import Array
from assay.metrics.base import Granularity, Metric, ratio
from assay.states.base import State
from assay.states.null_band import null_band
from assay.states.reliability import Binned, BinnedByClass, BinRule, ClassBins, merge_to_equal_mass
from assay.table.schema import Schema

__all__ = ["ACE", "ClasswiseECE"]

GRID = 64  # cells, evenly spaced in log-odds, that bins of equal mass are joined from


@dataclass(frozen=True)
class ClasswiseECE(Metric):
    """Expected calibration error of each class against the rest, averaged over classes.

    In [0, 1], lower is better.
    mean over classes k of sum_b n_kb / n |frequency_kb - mean probability_kb|, with the bins of
    class k by the probability it is given: `bins` of equal `width` in [0, 1], or of about equal
    `mass` (joined from a grid of 64 cells of equal width in log-odds). Also called the static
    calibration error; multi-label: of each label. average:
    `macro` (mean over classes; the note says what a perfectly calibrated model would score on as
    many rows) or `none` (one a class). Undefined (no_samples) without rows.
    Keeps classes x bins numbers for each of the 1024 buckets of rows that intervals are drawn from:
    beyond 1000 classes or so an error asks for intervals=False.
    Same value as a sum over numpy.histogram's bins.
    Sources: Kull et al. (2019), NeurIPS; Nixon et al. (2019), CVPR workshops.

    >>> ClasswiseECE(bins=2, average="none")(["a", "b"], [[0.8, 0.2], [0.4, 0.6]])
    array([0.3, 0.3])
    """

    name = "classwise_ece"
    measures_gaps: ClassVar[bool] = True
    bins: int = 15
    equal: BinRule = "width"
    average: Literal["macro", "none"] = "macro"
    reads = "proba"
    better = "lower"
    cases: ClassVar[tuple[dict[str, Any], ...]] = (
        {"bins": 5},
        {"average": "none"},
        {"equal": "mass", "bins": 4},
    )
    oracle = "classwise_ece(proba)"

    def __post_init__(self) -> None:
        most = 256 if self.equal == "width" else GRID
        if not 1 <= self.bins <= most:
            raise UnsupportedError(
                f"bins of {self.name} must be between 1 and {most}; got {self.bins}"
            )

    @property
    def state(self) -> State[Any]:
        return ClassBins(self.bins if self.equal == "width" else 0, GRID)

    @property
    def granularity(self) -> Granularity:
        return "class" if self.average == "none" else "table"

    def compute(self, summary: BinnedByClass) -> Array:
        gap = (np.abs(right - proba).sum(axis=-1) for _, proba, right in self._tables(summary))
        each = ratio(np.stack(list(gap), axis=-1), summary.weight[:, None])
        return each if self.average == "none" else each.mean(axis=-1)

    def note(self, summary: BinnedByClass, schema: Schema) -> str:
        if self.average == "none" or not summary.weight[0]:
            return ""
        # The gaps of two classes are equal; those of several hang together too little to matter.
        classes = 1 if schema.task == "binary" else schema.k
        mass, proba, right = [
            np.concatenate([table[0] for table in part][:classes])[None]
            for part in zip(*self._tables(summary), strict=True)
        ]
        # As if weights had nothing to do with bins.
        squares = mass * (summary.squares[0] / summary.weight[0])
        weight = summary.weight * classes
        return str(null_band(Binned(mass, squares, proba, right, summary.rows, weight)))

    def _tables(self, summary: BinnedByClass) -> Any:
        """Weight, stated probability and rows that came true of each class, (strata, bins) each."""
        for mass, proba, right in zip(*(np.moveaxis(x, 1, 0) for x in summary[:3]), strict=True):
            if self.equal == "mass":
                grid = Binned(mass, mass, proba, right, summary.rows, summary.weight)
                merged = merge_to_equal_mass(grid, self.bins)
                yield merged.mass, merged.proba, merged.right
            else:
                yield mass, proba, right


@dataclass(frozen=True)
class ACE(ClasswiseECE):
    """Adaptive calibration error: classwise_ece over bins of about equal mass.

    In [0, 1], lower is better. Where a model says 0.99 of almost everything, bins of equal width
    hold nearly all rows in one; these do not.
    Parameters as of classwise_ece. Undefined (no_samples) without rows.
    Same value as a loop over the grid's cells.
    Source: Nixon et al. (2019), CVPR workshops.

    >>> ACE(bins=1)(["a", "b"], [[0.8, 0.2], [0.4, 0.6]])
    0.1
    """

    name = "ace"
    equal: BinRule = "mass"
    cases = ({"bins": 5}, {"average": "none"})
