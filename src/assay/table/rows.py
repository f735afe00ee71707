"""Rows: one model's rows as states read them, what it did not give derived from what it gave.

>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays(["a", "b"], {"m.logit": [[2.0, 0.0], [0.0, 1.0]]})
>>> Rows(p, "m").label, Rows(p, "m").score
(array([0, 1]), array([-2.,  1.]))
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from assay.core.lazy import lazy_property
from assay.errors import UnsupportedError
from assay.kernels import (
    FEW_CLASSES,
    Array,
    compute_logit_stats,
    compute_proba_stats,
    count_labels,
    count_odds,
    count_sets,
    get_backend,
    rank_labels,
)
from assay.kernels.totals import (
    ErrorTotals,
    ProbaTotals,
    compute_error_totals,
    compute_proba_totals,
)
from assay.table.schema import Kind

if TYPE_CHECKING:
    from assay.table.predictions import Predictions

__all__ = ["ProbaStats", "Rows"]


class ProbaStats(NamedTuple):
    """What the class probabilities of each row say, each (n,)."""

    truth_proba: Array  # probability of the true class
    top: Array  # highest probability
    others: Array  # sum of the squares of all but the true one
    before: Array  # classes that are more probable than the true one, or as probable and earlier
    answer: Array  # code of the most probable class


# Labels up to which rows are counted by the size of their sets: a table of 2 MB.
MOST_LABELS = 62


class Rows:
    """One model's rows as states read them.

    What the model did not give is derived once from what it gave. The label is the declared one, or
    the class of highest probability or logit (the first of them when tied; for multi-label, p >
    0.5). The score (binary) is the declared one, or the difference of the logits, or the
    probability of the positive class.
    """

    def __init__(self, predictions: "Predictions", model: str) -> None:
        self._predictions = predictions
        self.model = model
        self.schema = predictions.schema
        self.weight = predictions.weight

    @property
    def predictions(self) -> "Predictions":
        """The table that these rows are of."""
        return self._predictions

    @property
    def n(self) -> int:
        """Number of rows."""
        return self.predictions.n

    def name_row(self, place: int) -> str:
        """How messages name the row at a `place` among these: by position, and by id, if any."""
        table = self.predictions
        named = f" (id {table.columns['id'][place].as_py()!r})" if "id" in table.columns else ""
        return f"row {table.offset + place}{named}"

    @property
    def truth(self) -> Array:
        """True class codes (n,); 0/1 (n, labels) for multi-label; numbers or texts (n,)."""
        return self.predictions.truth

    @lazy_property
    def outputs(self) -> Mapping[Kind, Array]:
        """What the model gave, by kind."""
        return self.predictions.outputs[self.model]

    @lazy_property
    def pairs(self) -> Array:
        """How often each class was predicted for each true class (k, k), each row once.

        For binary and multi-class tasks.
        """
        few = "label" not in self.schema.models[self.model] and self.schema.k <= FEW_CLASSES
        totals = self.proba_totals if few else None
        if totals is None or totals.table is None:
            return self.predictions.pairs(self)
        return totals.table

    @lazy_property
    def label(self) -> Array:
        """Predicted class codes (n,); 0/1 (n, labels) for multi-label."""
        if "label" in self.outputs:
            return self.outputs["label"]
        scores = self._find("label", "proba", "logit")
        if self.schema.task == "multilabel":
            return (scores > (0.5 if "proba" in self.outputs else 0.0)).astype(np.uint8)
        if get_backend() == "compiled":
            return self.top[1]
        codes: Array = np.argmax(scores, axis=1)
        return codes

    @lazy_property
    def proba_stats(self) -> ProbaStats:
        """What the probabilities of each row say of its true class, in one pass.

        For binary and multi-class tasks.
        """
        proba = self.outputs.get("proba")
        return ProbaStats(*compute_proba_stats(self.proba if proba is None else proba, self.truth))

    @lazy_property
    def top(self) -> tuple[Array, Array]:
        """Probability and code of the most probable class of each row (n,), as declared if tied.

        For binary and multi-class tasks.
        """
        if "proba" in self.outputs or "logit" not in self.outputs:
            return self.proba_stats.top, self.proba_stats.answer
        top, answer, _ = compute_logit_stats(self.outputs["logit"])
        return top, answer.astype(np.intp)

    @lazy_property
    def proba_totals(self) -> ProbaTotals | None:
        """What metrics of declared class probabilities share, in one pass.

        None where the model gave others, and without rows.
        """
        proba = self.outputs.get("proba")
        if proba is None or self.schema.task not in ("binary", "multiclass") or not len(proba):
            return None
        positive = self.schema.positive_code if self.schema.task == "binary" else -1
        return compute_proba_totals(proba, self.truth, positive)

    @lazy_property
    def error_totals(self) -> ErrorTotals | None:
        """What metrics of error share, in one pass (regression); None without rows."""
        return compute_error_totals(self.truth, self.value) if len(self.truth) else None

    @lazy_property
    def label_set_counts(self) -> tuple[Array, Array] | None:
        """Hits, true and predicted labels per label (3, labels), and rows by how many they have.

        For multi-label tasks; None where there are many labels. See `assay.kernels.count_sets`.
        """
        return count_sets(self.truth, self.label) if self.schema.k <= MOST_LABELS else None

    @lazy_property
    def label_totals(self) -> tuple[Array, Array]:
        """Hits, true and predicted labels: per label (3, labels), and per row (n, 3).

        For multi-label tasks.
        """
        return count_labels(self.truth, self.label)

    @lazy_property
    def label_ranking(self) -> tuple[Array, Array, Array]:
        """Average precision, ranking loss and coverage of each row's labels by score, each (n,).

        For multi-label tasks.
        """
        return rank_labels(self.truth, self.score)

    @lazy_property
    def residual(self) -> Array:
        """Truth less predicted number (n,), float64, of a regression."""
        return np.subtract(self.truth, self.value, dtype=np.float64)

    @lazy_property
    def proba(self) -> Array:
        """Probabilities (n, k), float64; of logits their softmax (sigmoid for multi-label)."""
        if "proba" in self.outputs:
            return np.asarray(self.outputs["proba"], np.float64)
        return np.exp(self.log_proba)

    @lazy_property
    def log_proba(self) -> Array:
        """Log of the probabilities (n, k); exact from logits, -inf where a probability is 0."""
        if "logit" not in self.outputs:
            with np.errstate(divide="ignore"):
                return np.log(np.asarray(self._find("proba", "proba"), np.float64))
        logit = np.asarray(self.outputs["logit"], np.float64)
        if self.schema.task == "multilabel":
            return -np.logaddexp(0.0, -logit)
        shifted = logit - logit.max(axis=1, keepdims=True)
        log_proba: Array = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        return log_proba

    @lazy_property
    def score(self) -> Array:
        """Rank score of the positive class (n,), or of each class (n, k).

        It is never squashed, so that no order is lost.
        """
        if "score" in self.outputs:
            return self.outputs["score"]
        scores = self._find("score", "logit", "proba")
        if self.ranks_odds:
            top, answer, odds = compute_logit_stats(self.outputs["logit"], odds=True)
            if "proba" not in self.outputs:
                self.__dict__["top"] = top, answer.astype(np.intp)
            return odds
        if self.schema.task != "binary":
            return scores
        positive = self.schema.positive_code
        if "logit" in self.outputs:
            return np.asarray(scores[:, positive], np.float64) - scores[:, 1 - positive]
        return scores[:, positive]

    @property
    def ranks_odds(self) -> bool:
        """Whether scores are the log odds of each of several classes, by their logits."""
        ranked = "logit" in self.outputs and "score" not in self.outputs
        return ranked and self.schema.task == "multiclass"

    def count_odds(self, coarse: int, cells: int) -> Array:
        """How many rows have log odds in each cell, of each class (k, cells, 2).

        For several classes by their logits; see `assay.kernels.count_odds`.
        """
        top, answer, counts = count_odds(self.outputs["logit"], self.truth, coarse, cells)
        if "proba" not in self.outputs:
            self.__dict__["top"] = top, answer.astype(np.intp)
        return counts

    @property
    def value(self) -> Array:
        """Predicted numbers (n,) of a regression."""
        return self._find("value", "value")

    @property
    def interval(self) -> Array:
        """Low and high end of the interval predicted for each row (n, 2) of a regression."""
        return self._find("interval", "interval")

    @property
    def text(self) -> Array:
        """Predicted texts (n,), objects."""
        return self._find("text", "text")

    def _find(self, wanted: str, *kinds: Kind) -> Array:
        for kind in kinds:
            if kind in self.outputs:
                return self.outputs[kind]
        gives = ", ".join(self.outputs)
        raise UnsupportedError(
            f"{wanted} of model {self.model!r} is needed, but it gives only: {gives}"
        )
