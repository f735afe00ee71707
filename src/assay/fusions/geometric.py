"""Geometric: the mean of log probabilities, normalised.

>>> from assay.fusions.fuse import fuse
>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays([0, 1], {"a.proba": [0.5, 0.8], "b.proba": [0.1, 0.2]})
>>> fuse(p, "geometric").predictions.outputs["fused"]["proba"][:, 1].round(2).tolist()
[0.25, 0.5]
"""

from dataclasses import dataclass

from assay.errors import UnsupportedError
from assay.fusions.base import Fusion, refuse_labels
from assay.fusions.convex import Pool
from assay.fusions.logarithmic import LogPool
from assay.kernels import Array
from assay.kernels.totals import FLOOR
from assay.table.predictions import Predictions

__all__ = ["Geometric"]


@dataclass(frozen=True)
class Geometric(Fusion[Pool]):
    """Equal weights on the log probabilities: a class that one model rules out stays unlikely.

    p(x) is proportional to prod_j p_j(x)^(1/m); in a multi-label task label by label. It is sharper
    than the mean where models agree. A probability below 2.2e-16 counts as that.

    Source: Genest & Zidek (1986), Statistical Science 1:114-135; Hinton (2002), Neural Computation
    14:1771-1800 (product of experts).
    """

    name = "geometric"
    aliases = ("geometric_mean", "product")
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
            floor=FLOOR,
        )
