"""Weighted: the convex mixture of least log loss or squared error, exact and certified.

>>> from assay.table.predictions import Predictions
>>> values = {"a": [1.1, 2.1] * 10, "b": [0.7, 1.7] * 10}
>>> p = Predictions.from_arrays([1.0, 2.0] * 10, values, task="regression")
>>> {model: round(weight, 3) for model, weight in Weighted(shrink=0).fit(p).weights.items()}
{'a': 0.75, 'b': 0.25}
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from assay.errors import UnsupportedError
from assay.fusions.base import Fusion, refuse_labels
from assay.fusions.convex import Pool, Weights, compute_gram, measure_gram
from assay.fusions.simplex import Solution, minimise_log_loss, minimise_square, share_prior
from assay.kernels import Array
from assay.table.predictions import Predictions

__all__ = ["Weighted"]

LEAST_ROWS = 20
CERTIFIED = 1e-4


@dataclass(frozen=True)
class Weighted(Fusion[Any]):
    """Convex weights, >= 0 and summing to 1, of least log loss, Brier score or squared error.

    w = argmin -mean log sum_j w_j q_j, with q_j what model j gives the truth (multi-label: that of
    each label); in regression argmin mean (sum_j w_j e_j)^2 with e_j its error, and for the Brier
    score the same with its errors of all classes.  All are convex: the duality gap is kept in the
    fit (for squared errors as a share of the members' mean squared error).  Row weights count.
    Fewer than 20 rows give equal weights, and a note says so.

    Parameters:
        shrink: Pseudo-rows that pull toward equal weights, >= 0; default 2.  For log loss a
            Dirichlet prior of `shrink` counts in all, shared by the models that the rows cannot
            tell from the best (a model z standard errors behind it has exp(-z^2 / 2) of a share);
            for squared errors rows on which the models err independently, each as it does on the
            others.  So one dominant model keeps all the weight.  They count against the effective
            number of rows (Kish), so scaling row weights changes nothing; 0 turns them off.
        loss: "auto" (default) is log loss, and squared error in regression; "brier" is the Brier
            score.

    Source: Kim, Carbonetto, Stephens & Anitescu (2020), JCGS 29:261-273 (mixsqp); Breiman (1996),
    Machine Learning 24:49-64 (stacked regressions).
    """

    name = "weighted"
    aliases = ("blend", "blending", "convex")
    losses: ClassVar[tuple[str, ...]] = ("log_loss", "brier")
    shrink: float = 2.0
    loss: Literal["auto", "log_loss", "brier"] = "auto"

    def __post_init__(self) -> None:
        if not (np.isfinite(self.shrink) and self.shrink >= 0):
            raise UnsupportedError(f"shrink of weighted must be a number >= 0; got {self.shrink}")
        if self.loss not in ("auto", *self.losses):
            raise UnsupportedError(
                f"loss of weighted must be auto, log_loss or brier; got {self.loss!r}"
            )

    def evidence(self, table: Predictions, fold: Array | None = None) -> Pool | Predictions:
        """The pool of `table` with each row's `fold`; for the Brier score the table itself."""
        refuse_labels(table, self)
        if table.task == "regression" and self.loss != "auto":
            raise UnsupportedError(
                f"{self.loss} is of probabilities, and these models give values; leave loss out"
            )
        return table if self.loss == "brier" else Pool.read(table, fold)

    def solve(self, evidence: Pool | Predictions, *, seed: int = 0) -> Weights:
        """The weights of least loss on the `evidence`; `seed` is not used."""
        return self.solve_from(evidence)

    def solve_from(self, evidence: Pool | Predictions, start: Array | None = None) -> Weights:
        """The weights of least loss on the `evidence`, searched from the weights `start` (m,)."""
        m = len(evidence.schema.models)
        weight = np.ones(len(evidence.truth)) if evidence.weight is None else evidence.weight
        rows = int(np.count_nonzero(weight))
        kind = evidence.kind if isinstance(evidence, Pool) else "proba"
        if rows < LEAST_ROWS:
            note = f"Equal weights: {rows} rows are too few to fit any."
            solution = Solution(np.full(m, 1 / m), 0.0)
        else:
            solution = self._minimise(evidence, weight / weight.sum(), start)
            certified = solution.gap <= CERTIFIED
            note = "" if certified else f"The loss may be {solution.gap:.1g} above the least."
        return Weights(
            how=str(self),
            kind=kind,
            schema=evidence.schema,
            notes=(note,) if note else (),
            gap=solution.gap,
            weights=dict(zip(evidence.schema.models, map(float, solution.weights), strict=True)),
        )

    def _minimise(
        self, evidence: Pool | Predictions, share: Array, start: Array | None
    ) -> Solution:
        """The weights of least loss where each row has its `share` (n,)."""
        # The pseudo-rows count against the effective number of rows.
        prior = self.shrink * float(share @ share)
        if isinstance(evidence, Predictions):
            return minimise_square(measure_gram(evidence, share), prior)
        terms = evidence.terms.reshape(-1, len(evidence.schema.models))
        if evidence.kind == "value":
            return minimise_square(compute_gram(terms, share), prior)
        labels = len(terms) // len(share)
        share = share if labels == 1 else np.repeat(share / labels, labels)
        return minimise_log_loss(terms, share, share_prior(terms, share, prior), start=start)
