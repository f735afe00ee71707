"""Equal weights: nothing is fitted, nothing can be over-fitted, and it is hard to beat on few rows.

>>> from assay.fusions.fuse import fuse
>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays(["cat", "dog"], {"a": ["cat", "cat"], "b": ["cat", "dog"], "c": ["dog", "dog"]})
>>> fuse(p, "mean").predictions.rows("fused").label.tolist()
[0, 1]
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from assay.errors import UnsupportedError
from assay.fusions.base import Fusion
from assay.fusions.convex import Fitted, Pool, common_kind
from assay.kernels import Array
from assay.table.predictions import Predictions

__all__ = ["Mean"]


@dataclass(frozen=True)
class Mean(Fusion):
    """Equal weights: the mean of probabilities (linear pool) or of values, or the majority vote of labels.

    p(x) = (1/m) sum_j p_j(x), from logits through softmax; in a multi-label task label by label.  Its log loss is at
    most the mean of the members' log losses (Jensen); its squared error is their mean less their spread.  `of`: what
    is fused; `auto` takes probabilities, and labels where no model gives more; `label` forces the vote.  A tied vote
    goes to the class declared first (multi-label: to 0).

    Source: Stone (1961), Annals of Mathematical Statistics 32:1339-1342; Kittler et al. (1998), IEEE TPAMI 20:226-239.
    """

    name = "mean"
    learns = False
    of: Literal["auto", "label"] = "auto"

    def reduce(self, predictions: Predictions, fold: Array | None = None) -> Pool:
        """The pool, of labels where these are voted on."""
        if self.of == "auto":
            return Pool.of(predictions, fold, common_kind(predictions))
        for model in predictions.models:
            if not predictions.schema.offers(model, "label"):
                gives = ", ".join(predictions.schema.models[model])
                raise UnsupportedError(
                    f"model {model!r} gives only {gives}; a vote needs {model}.label, .proba or .logit"
                )
        return Pool.of(predictions, fold, "label")

    def solve(self, evidence: Pool) -> Fitted:
        """1/m each."""
        m = len(evidence.schema.models)
        return evidence.fitted(str(self), np.full(m, 1 / m))
