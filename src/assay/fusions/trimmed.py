"""Trimmed: the mean of what is left without the lowest and the highest of the models; the median.

>>> from assay.fusions.fuse import fuse
>>> from assay.table.predictions import Predictions
>>> values = {"a": [1.0, 2.0], "b": [1.2, 2.2], "c": [90.0, -7.0]}
>>> p = Predictions.from_arrays([1.1, 2.1], values, task="regression")
>>> fuse(p, "median").predictions.outputs["fused"]["value"].tolist()
[1.2, 2.0]
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from assay.errors import UnsupportedError
from assay.fusions.base import Fusion, refuse_labels
from assay.fusions.convex import Pool, common_kind
from assay.fusions.fitted import Fitted, header_fields
from assay.kernels import Array
from assay.table.predictions import Predictions

__all__ = ["Trimmed", "TrimmedMean"]


@dataclass(frozen=True, kw_only=True)
class TrimmedMean(Fitted):
    """A fitted trimmed mean.

    Parameters:
        cut: How many of the models are left out at either end, 0 or more and fewer than half.
    """

    cut: int

    def combine(self, batch: Predictions) -> Array:
        """The trimmed mean of each row of `batch`, of each class; they are divided by their sum."""
        outputs = np.stack([getattr(batch.rows(name), self.kind) for name in batch.models])
        kept = np.sort(outputs, axis=0)[self.cut : len(outputs) - self.cut]
        mean = np.asarray(kept.mean(axis=0, dtype=np.float64))
        if self.kind == "value" or self.schema.task == "multilabel":
            return mean
        total = mean.sum(axis=1, keepdims=True)
        # Where models are sure of as many different classes the middle of each may be 0.
        return np.asarray(
            np.where(total > 0, mean / np.where(total > 0, total, 1), outputs.mean(axis=0))
        )

    def dump(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """The common header and how many are cut; no array."""
        header, arrays = super().dump()
        return {**header, "cut": self.cut}, arrays

    @classmethod
    def load(cls, header: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:
        """From the `header` of `dump`; there are no `arrays`."""
        return cls(**header_fields(header), cut=int(header["cut"]))


@dataclass(frozen=True)
class Trimmed(Fusion[Pool]):
    """The mean without the lowest and the highest outputs of each row: one wild model moves little.

    Probabilities are trimmed class by class and divided by their sum.

    Parameters:
        share: Share of the models that is left out at either end, 0 to 0.5, rounded down; default
            0.25. 0.5 is the median.

    Source: Jose & Winkler (2008), International Journal of Forecasting 24:163-169.
    """

    name = "trimmed"
    aliases = ("trimmed_mean", "median(share=0.5)")
    learns = False
    fitted = TrimmedMean
    share: float = 0.25

    def evidence(self, table: Predictions, fold: Array | None = None) -> Pool:
        """The pool of `table` with each row's `fold`."""
        if not 0 <= self.share <= 0.5:
            raise UnsupportedError(f"{self}: share must lie in [0, 0.5]; 0.5 is the median")
        refuse_labels(table, self)
        return Pool.read(table, fold, common_kind(table))

    def solve(self, evidence: Pool, *, seed: int = 0) -> TrimmedMean:
        """How many of the models of the `evidence` are cut; `seed` is not used."""
        m = len(evidence.schema.models)
        cut = min(math.floor(self.share * m), (m - 1) // 2)
        return TrimmedMean(how=str(self), kind=evidence.kind, schema=evidence.schema, cut=cut)
