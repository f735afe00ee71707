"""Metrics of predicted probabilities: how much to believe a model's confidence.

>>> LogLoss()(["cat", "dog"], [[0.8, 0.2], [0.4, 0.6]])
0.367
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.errors import UnsupportedError
from assay.metric import RowMetric
from assay.predictions import Rows
from assay.table.labels import Array
from assay.table.schema import Schema

__all__ = ["Brier", "LogLoss"]


@dataclass(frozen=True)
class LogLoss(RowMetric):
    """Mean negative log of the probability given to the truth, in nats (cross-entropy): in [0, inf), lower is better.

    -mean log p(truth). Strictly proper: honest probabilities win. A chance forecast of k balanced classes has log k.
    Multi-label: mean over labels of the binary cross-entropy.  From logits it is computed by log-softmax, exactly;
    given probabilities below `floor` count as `floor`, and the note says how many rows that touched.
    Undefined (no_samples) without rows. Same value as scikit-learn's log_loss (multi-label: mean over labels of it).
    Source: Good (1952), JRSS B 14:107-114.

    >>> LogLoss()([0, 1], [[0.9, 0.1], [0.4, 0.6]])
    0.3081
    """

    name = "log_loss"
    floor: float = float(np.finfo(np.float64).eps)
    reads = "proba"
    better = "lower"
    bounds = (0.0, float("inf"))
    width = 2
    cases = ({"floor": 1e-7},)
    oracle = "log_loss_of(np.clip(proba, m.floor, 1 - m.floor))"

    def __post_init__(self) -> None:
        if not 0 <= self.floor < 0.5:
            raise UnsupportedError(f"floor of log_loss must be in [0, 0.5); got {self.floor}")

    def per_row(self, rows: Rows) -> Array:
        """Loss of each row, and, where it is anywhere, whether the floor was used."""
        least = np.log(self.floor) if self.floor else -np.inf
        logits = "proba" not in rows.given
        if rows.schema.task == "multilabel":
            of_truth = self._labels(rows)
        elif logits:
            of_truth = np.take_along_axis(rows.log_proba, rows.truth[:, None].astype(np.intp), axis=1)[:, 0]
        else:
            with np.errstate(divide="ignore"):
                of_truth = np.log(rows.facts.own)
        if logits or not of_truth.size or of_truth.min() >= least:
            return -(of_truth.mean(axis=1) if of_truth.ndim == 2 else of_truth)
        floored = (of_truth < least).reshape(len(of_truth), -1)
        loss = np.maximum(of_truth, least).reshape(floored.shape)
        return np.stack([-loss.mean(axis=1), floored.any(axis=1)]).T

    def margin(self, schema: Schema) -> float:
        """The cost of giving the truth half the probability that chance would."""
        k = 2 if schema.task == "multilabel" else schema.k
        return float(np.log(2 * max(k, 2)))

    def otherwise(self, value: float, schema: Schema) -> float:
        """What a row costs that was forecast alike, but whose truth is another class (of several labels: of one)."""
        with np.errstate(divide="ignore"):
            cost = -np.log(-np.expm1(-value))
            least = np.log(self.floor)
        if schema.task == "multilabel":
            return float(value + (min(cost, -least) - value) / schema.k)
        return float(min(cost + np.log(max(schema.k - 1, 1)), -least))

    def _labels(self, rows: Rows) -> Array:
        """Log-probability of each label's own truth (n, labels)."""
        truth = rows.truth.astype(bool)
        if "proba" not in rows.given:
            logit = np.asarray(rows.given["logit"], np.float64)
            return -np.logaddexp(0.0, np.where(truth, -logit, logit))
        with np.errstate(divide="ignore"):
            return np.log(np.where(truth, rows.proba, 1 - rows.proba))

    def note(self, summary: Any, schema: Schema) -> str:
        if summary.mean.shape[-1] < 2 or not summary.mean[0, 1] > 0:
            return ""
        share = f"{summary.mean[0, 1]:.2%} of the weight"
        return f"{share} has a true class of probability under {self.floor:.2g}, counted as {self.floor:.2g}"


@dataclass(frozen=True)
class Brier(RowMetric):
    """Mean squared distance between predicted probabilities and the one-hot truth: lower is better, 0 is perfect.

    Sum over classes, mean over rows: in [0, 2].  `scale_by_half` halves it, to [0, 1]: the usual form of the binary
    score, mean (p - y)^2.  Multi-label: mean over labels of (p - y)^2, in [0, 1].  Strictly proper.
    Needs `proba` (n, k), rows summing to 1. Undefined (no_samples) when the total weight is 0.
    Same value as scikit-learn's brier_score_loss(..., scale_by_half=False).
    Source: Brier (1950), Monthly Weather Review 78:1-3.

    >>> Brier()([0, 1], [[0.9, 0.1], [0.4, 0.6]])
    0.17
    """

    name = "brier"
    scale_by_half: bool = False
    reads = "proba"
    better = "lower"
    bounds = (0.0, 2.0)
    cases = ({"scale_by_half": True},)
    oracle = "brier_of(proba) * (0.5 if m.scale_by_half else 1)"

    def per_row(self, rows: Rows) -> Array:
        """Squared distance of each row (n,)."""
        scale = 0.5 if self.scale_by_half else 1.0
        if rows.schema.task == "multilabel":
            return np.asarray(scale * ((rows.proba - rows.truth) ** 2).mean(axis=1))
        return np.asarray(scale * (rows.facts.others + (1 - rows.facts.own) ** 2))
