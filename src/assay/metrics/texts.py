"""texts: bases of metrics of texts that models wrote, read off counts of each row.

>>> from assay.metrics.base import METRICS
>>> METRICS.parse("wer")(["the cat sat", "on the mat"], ["the cat sit", "on mat"])
0.3333
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from assay.kernels import Array
from assay.metrics.base import Metric, RowMetric, ratio
from assay.states.moments import Moments, Sums
from assay.table.rows import Rows
from assay.table.schema import Task

__all__ = ["TEXT", "PairCounts", "TextRatio", "TextRowMetric", "count_shared"]

TEXT: frozenset[Task] = frozenset({"text"})


@dataclass(frozen=True)
class PairCounts:
    """Base of what is counted in each pair of texts (n, width), which metrics of a corpus read."""

    width: ClassVar[int] = 2

    def count(self, truth: str, text: str) -> Sequence[float]:
        """The counts of a true text and of what a model wrote in its place."""
        raise NotImplementedError

    def compute_rows(self, rows: Rows) -> Array:
        pairs = zip(rows.truth, rows.text, strict=True)
        counts = [self.count(truth, text) for truth, text in pairs]
        return np.array(counts, np.float64).reshape(len(counts), self.width)


class TextRatio(Metric):
    """Base of ratios of two counts of each row, each summed over all rows.

    Parameters:
        needs: Moments of pairs of counts, numerator and denominator.
    """

    reads = "text"
    tasks = TEXT
    needs: ClassVar[Moments]

    def compute(self, summary: Sums) -> Array:
        return ratio(summary.mean[..., 0], summary.mean[..., 1])

    def divisor(self, value: Sums, summary: Sums) -> Array:
        """Denominator in each stratum of `value` (strata,), whatever the `summary`."""
        return np.asarray(value.mean[:, 1] * value.weight)


class TextRowMetric(RowMetric):
    """Base of means over rows of what `count_row` gives for a pair of texts."""

    reads = "text"
    tasks = TEXT

    def count_row(self, truth: str, text: str) -> float:
        """The value of one row: of its true text and of what a model wrote in its place."""
        raise NotImplementedError

    def compute_rows(self, rows: Rows) -> Array:
        pairs = zip(rows.truth, rows.text, strict=True)
        return np.array([self.count_row(truth, text) for truth, text in pairs], np.float64)


def count_shared(a: Iterable[Hashable], b: Iterable[Hashable]) -> int:
    """How many items `a` and `b` have in common, each as often as in both.

    >>> count_shared("banana", "bandana")
    6
    """
    return (Counter(a) & Counter(b)).total()
