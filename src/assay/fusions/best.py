"""Best: the single model of least loss, as a fusion, so that others are set against its choosing.

>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays([0, 1], {"a.proba": [0.4, 0.6], "b.proba": [0.2, 0.9]})
>>> Best().fit(p).weights
{'a': 0.0, 'b': 1.0}
"""

from dataclasses import dataclass

import numpy as np

from assay.fusions.base import Fusion
from assay.fusions.convex import Pool, Weights
from assay.kernels import Array

__all__ = ["Best"]


@dataclass(frozen=True)
class Best(Fusion[Pool]):
    """The model of least loss alone: log loss, squared error, or error rate of labels.

    Its cross-fitted score is that of choosing the best, which is not the score of the best.
    """

    name = "best"
    aliases = ("best_single",)

    def solve(self, evidence: Pool, *, seed: int = 0) -> Weights:
        """Weight 1 for the best model of the `evidence`, the first where tied; no `seed`."""
        losses = measure_losses(evidence)
        return evidence.to_fitted(str(self), np.eye(len(losses))[int(np.argmin(losses))])


def measure_losses(pool: Pool) -> Array:
    """Mean loss of each model (m,) of a `pool`."""
    m = len(pool.schema.models)
    total = max(float(pool.weight.sum()), 1e-300)
    return np.array([pool.weight @ pool.losses(one) / total for one in np.eye(m)])
