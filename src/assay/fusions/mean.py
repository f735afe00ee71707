"""Mean: equal or given weights; nothing is fitted, nothing overfits, hard to beat on few rows.

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
from assay.fusions.convex import Pool, Weights, common_kind, parse_numbers
from assay.kernels import Array
from assay.table.predictions import Predictions

__all__ = ["Mean"]


@dataclass(frozen=True)
class Mean(Fusion[Pool]):
    """Equal or given weights: soft voting (mean of probabilities), mean of values, or hard voting.

    p(x) = sum_j w_j p_j(x), from logits through softmax; in a multi-label task label by label.
    Its log loss is at most the mean of the members' log losses (Jensen); its squared error is
    their mean less their spread.  A tied vote goes to the class declared first (multi-label: to 0).

    Parameters:
        of: What is fused: "auto" (default) takes probabilities, and labels where no model gives
            more; "label" forces the vote.
        weights: Weights of the models, at least 0, as in "0.7|0.3" in the order of the table, or
            "a:0.7|b:0.3" by name; they are divided by their sum. Default "": all alike.

    Source: Stone (1961), Annals of Mathematical Statistics 32:1339-1342; Kittler et al. (1998),
    IEEE TPAMI 20:226-239.
    """

    name = "mean"
    aliases = (
        "average",
        "soft",
        "soft_voting",
        "voting",
        "fixed",
        "hard(of=label)",
        "hard_voting(of=label)",
        "majority(of=label)",
        "majority_vote(of=label)",
        "vote(of=label)",
    )
    learns = False
    of: Literal["auto", "label"] = "auto"
    weights: str = ""

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
        """The weights for each model of the `evidence`; `seed` is not used."""
        models = list(evidence.schema.models)
        given = (
            parse_numbers("weights", self.weights, models) if self.weights else np.ones(len(models))
        )
        return evidence.to_fitted(str(self), given / given.sum())
