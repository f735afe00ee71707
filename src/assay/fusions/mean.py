"""Mean: equal weights; nothing is fitted, nothing overfits, and it is hard to beat on few rows.

>>> from assay.fusions.fuse import fuse
>>> from assay.table.predictions import Predictions
>>> votes = {"a": ["cat", "cat"], "b": ["cat", "dog"], "c": ["dog", "dog"]}
>>> p = Predictions.from_arrays(["cat", "dog"], votes)
>>> fuse(p, "mean").predictions.rows("fused").label.tolist()
[0, 1]
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from assay.errors import UnsupportedError
from assay.fusions.base import Fusion
from assay.fusions.convex import Pool, Weights, common_kind
from assay.kernels import Array
from assay.table.predictions import Predictions

__all__ = ["Mean"]


@dataclass(frozen=True)
class Mean(Fusion[Pool]):
    """Equal weights: soft voting (mean of probabilities), mean of values, or hard voting.

    p(x) = (1/m) sum_j p_j(x), from logits through softmax; in a multi-label task label by label.
    Its log loss is at most the mean of the members' log losses (Jensen); its squared error is
    their mean less their spread.  A tied vote goes to the class declared first (multi-label: to 0).

    Parameters:
        of: What is fused: "auto" (default) takes probabilities, and labels where no model gives
            more; "label" forces the vote.

    Source: Stone (1961), Annals of Mathematical Statistics 32:1339-1342; Kittler et al. (1998),
    IEEE TPAMI 20:226-239.
    """

    name = "mean"
    learns = False
    of: Literal["auto", "label"] = "auto"

    def evidence(self, table: Predictions, fold: Array | None = None) -> Pool:
        """The pool of `table` with each row's `fold`, of labels where these are voted on."""
        if self.of == "auto":
            return Pool.read(table, fold, common_kind(table))
        for model in table.models:
            if not table.schema.offers(model, "label"):
                gives = ", ".join(table.schema.models[model])
                raise UnsupportedError(
                    f"model {model!r} gives only {gives}; a vote needs {model}.label, .proba or "
                    f".logit"
                )
        return Pool.read(table, fold, "label")

    def solve(self, evidence: Pool, *, seed: int = 0) -> Weights:
        """1/m for each model of the `evidence`; `seed` is not used."""
        m = len(evidence.schema.models)
        return evidence.to_fitted(str(self), np.full(m, 1 / m))
