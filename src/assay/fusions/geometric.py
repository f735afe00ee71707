"""Geometric: the mean of log probabilities, normalised; also known as the logarithmic pool.

>>> from assay.fusions.fuse import fuse
>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays([0, 1], {"a.proba": [0.5, 0.8], "b.proba": [0.1, 0.2]})
>>> fuse(p, "geometric").predictions.outputs["fused"]["proba"][:, 1].round(2).tolist()
[0.25, 0.5]
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from assay.errors import UnsupportedError
from assay.fusions.base import Fusion, refuse_labels
from assay.fusions.convex import Pool
from assay.fusions.fitted import Fitted, header_fields
from assay.kernels import Array
from assay.kernels.totals import FLOOR
from assay.table.predictions import Predictions

__all__ = ["Geometric", "LogPool"]


@dataclass(frozen=True, kw_only=True)
class LogPool(Fitted):
    """A fitted logarithmic pool: the normalised product of powers of the models' probabilities.

    Parameters:
        weights: Power of each model, >= 0.
    """

    weights: Mapping[str, float]

    def combine(self, batch: Predictions) -> Array:
        """The pooled probabilities of each row of `batch`; in multi-label tasks of each label."""
        is_multilabel = self.schema.task == "multilabel"
        total = np.zeros((batch.n, batch.schema.k))
        for name in batch.models:
            p = batch.rows(name).proba
            term = np.log(np.maximum(p, FLOOR))
            if is_multilabel:
                term -= np.log(np.maximum(1 - p, FLOOR))
            total += self.weights[name] * term
        if is_multilabel:
            return np.asarray(1 / (1 + np.exp(-total)))
        total -= total.max(axis=1, keepdims=True)
        odds = np.exp(total)
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))

    def importance(self) -> Mapping[str, float]:
        """The powers, divided by their sum."""
        total = sum(self.weights.values())
        return {name: weight / total for name, weight in self.weights.items()}

    def dump(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """The common header and the powers; no array."""
        header, arrays = super().dump()
        return {**header, "weights": dict(self.weights)}, arrays

    @classmethod
    def load(cls, header: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:
        """From the `header` of `dump`; there are no `arrays`."""
        weights = {name: float(weight) for name, weight in header["weights"].items()}
        return cls(**header_fields(header), weights=weights)


@dataclass(frozen=True)
class Geometric(Fusion[Pool]):
    """Equal weights on the log probabilities: a class that one model rules out stays unlikely.

    p(x) is proportional to prod_j p_j(x)^(1/m); in a multi-label task label by label. It is sharper
    than the mean where models agree. A probability below 2.2e-16 counts as that.

    Source: Genest & Zidek (1986), Statistical Science 1:114-135; Hinton (2002), Neural Computation
    14:1771-1800 (product of experts).
    """

    name = "geometric"
    aliases = ("geometric_mean", "log_pool", "product")
    learns = False
    fitted = LogPool

    def evidence(self, table: Predictions, fold: Array | None = None) -> Pool:
        """The pool of `table` with each row's `fold`."""
        if table.task == "regression":
            raise UnsupportedError(
                "a geometric mean is of probabilities, and these models give values; use "
                "how='mean' or how='median'"
            )
        refuse_labels(table, self)
        return Pool.read(table, fold, "proba")

    def solve(self, evidence: Pool, *, seed: int = 0) -> LogPool:
        """1/m for each model of the `evidence`; `seed` is not used."""
        models = evidence.schema.models
        return LogPool(
            how=str(self),
            kind="proba",
            schema=evidence.schema,
            weights=dict.fromkeys(models, 1 / len(models)),
        )
