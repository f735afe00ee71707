"""Metrics of predicted probabilities: how much to believe a model's confidence.

>>> LogLoss()(["cat", "dog"], [[0.8, 0.2], [0.4, 0.6]])
0.367
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from assay.errors import UnsupportedError
from assay.kernels import Array, sum_by
from assay.kernels.totals import FLOOR
from assay.metrics.base import SINGLE_LABEL, Metric, RowMetric, ratio
from assay.states.base import RowWise, State
from assay.table.rows import Rows
from assay.table.schema import Schema

__all__ = ["Brier", "D2Brier", "D2LogLoss", "LogLoss"]


@dataclass(frozen=True)
class LogLoss(RowMetric):
    """Mean negative log of the probability given to the truth, in nats (cross-entropy).

    In [0, inf), lower is better.
    -mean log p(truth). Strictly proper: honest probabilities win. A chance forecast of k balanced
    classes has log k.
    Multi-label: mean over labels of the binary cross-entropy. From logits it is computed by
    log-softmax, exactly; given probabilities below `floor` count as `floor`, and the note says how
    many rows that touched.
    Also called cross-entropy or NLL.
    Undefined (no_samples) without rows. Same value as scikit-learn's log_loss (multi-label: mean
    over labels of it).
    Source: Good (1952), JRSS B 14:107-114.

    >>> LogLoss()([0, 1], [[0.9, 0.1], [0.4, 0.6]])
    0.3081
    """

    name = "log_loss"
    aliases = ("neg_log_loss", "cross_entropy", "logloss", "nll")
    floor: float = FLOOR
    reads = "proba"
    better = "lower"
    bounds = (0.0, float("inf"))
    width = 2
    cases = ({"floor": 1e-7},)
    oracle = "log_loss_of(np.clip(proba, m.floor, 1 - m.floor))"

    def __post_init__(self) -> None:
        if not 0 <= self.floor < 0.5:
            raise UnsupportedError(f"floor of log_loss must be in [0, 0.5); got {self.floor}")

    def compute_rows(self, rows: Rows) -> Array:
        least = np.log(self.floor) if self.floor else -np.inf
        logits = "proba" not in rows.outputs
        if rows.schema.task == "multilabel":
            of_truth = self._labels(rows)
        elif logits:
            of_truth = np.take_along_axis(
                rows.log_proba, rows.truth[:, None].astype(np.intp), axis=1
            )[:, 0]
        else:
            with np.errstate(divide="ignore"):
                of_truth = np.log(rows.proba_stats.truth_proba)
        if logits or not of_truth.size or of_truth.min() >= least:
            return -(of_truth.mean(axis=1) if of_truth.ndim == 2 else of_truth)
        floored = (of_truth < least).reshape(len(of_truth), -1)
        loss = np.maximum(of_truth, least).reshape(floored.shape)
        return np.stack([-loss.mean(axis=1), floored.any(axis=1)]).T

    def batch_moments(self, rows: Rows) -> tuple[Array, Array] | None:
        if self.floor != FLOOR or rows.proba_totals is None:
            return None
        mean, m2, _, _, floored = rows.proba_totals.sums
        share = floored / rows.proba_totals.rows
        return np.array([mean, share]), np.array([m2, floored * (1 - share)])

    def tail_margin(self, schema: Schema) -> float:
        """The cost of giving the truth half the probability that chance would, for the `schema`."""
        k = 2 if schema.task == "multilabel" else schema.k
        return float(np.log(2 * max(k, 2)))

    def value_of_other_row(self, value: float, schema: Schema) -> float:
        """The cost of a row that was forecast like rows of cost `value`, but is of another class.

        Of several labels, by the `schema`: whose truth differs in one.
        """
        with np.errstate(divide="ignore"):
            cost = -np.log(-np.expm1(-value))
            least = np.log(self.floor)
        if schema.task == "multilabel":
            return float(value + (min(cost, -least) - value) / schema.k)
        return float(min(cost + np.log(max(schema.k - 1, 1)), -least))

    def _labels(self, rows: Rows) -> Array:
        """Log-probability of each label's own truth (n, labels)."""
        truth = rows.truth.astype(bool)
        if "proba" not in rows.outputs:
            logit = np.asarray(rows.outputs["logit"], np.float64)
            return -np.logaddexp(0.0, np.where(truth, -logit, logit))
        with np.errstate(divide="ignore"):
            return np.log(np.where(truth, rows.proba, 1 - rows.proba))

    def note(self, summary: Any, schema: Schema) -> str:
        if summary.mean.shape[-1] < 2 or not summary.mean[0, 1] > 0:
            return ""
        share = f"{summary.mean[0, 1]:.2%} of the weight"
        return (
            f"{share} has a true class of probability under {self.floor:.2g}, "
            f"counted as {self.floor:.2g}"
        )


@dataclass(frozen=True)
class Brier(RowMetric):
    """Mean squared distance between predicted probabilities and the one-hot truth.

    Lower is better, 0 is perfect. Sum over classes, mean over rows: in [0, 2]. `scale_by_half`
    halves it, to [0, 1]: the usual form of the binary score, mean (p - y)^2. Multi-label: mean over
    labels of (p - y)^2, in [0, 1].
    Strictly proper.
    Needs `proba` (n, k), rows summing to 1. Undefined (no_samples) when the total weight is 0.
    Same value as scikit-learn's brier_score_loss(..., scale_by_half=False).
    Source: Brier (1950), Monthly Weather Review 78:1-3.

    >>> Brier()([0, 1], [[0.9, 0.1], [0.4, 0.6]])
    0.17
    """

    name = "brier"
    aliases = ("neg_brier_score(scale_by_half=true)",)
    scale_by_half: bool = False
    reads = "proba"
    better = "lower"
    bounds = (0.0, 2.0)
    cases = ({"scale_by_half": True},)
    oracle = "brier_of(proba) * (0.5 if m.scale_by_half else 1)"

    def compute_rows(self, rows: Rows) -> Array:
        scale = 0.5 if self.scale_by_half else 1.0
        if rows.schema.task == "multilabel":
            return np.asarray(scale * ((rows.proba - rows.truth) ** 2).mean(axis=1))
        return np.asarray(
            scale * (rows.proba_stats.others + (1 - rows.proba_stats.truth_proba) ** 2)
        )

    def batch_moments(self, rows: Rows) -> tuple[Array, Array] | None:
        if rows.proba_totals is None:
            return None
        scale = 0.5 if self.scale_by_half else 1.0
        return scale * rows.proba_totals.sums[2:3], scale**2 * rows.proba_totals.sums[3:4]


class LossSums(NamedTuple):
    """Sums over the rows of each stratum."""

    loss: Array  # weighted (strata,)
    rows: Array  # (strata,)
    weight: Array  # (strata,)
    classes: Array  # weight of each class (strata, k)


@dataclass(frozen=True)
class LossAndClassWeights(State[LossSums]):
    """The sum of a loss of the rows, and the weight of each class among them."""

    of: RowWise

    def empty(self, schema: Schema, strata: int = 1) -> LossSums:
        zero = np.zeros(strata)
        return LossSums(zero, np.zeros(strata, np.int64), zero, np.zeros((strata, schema.k)))

    def observe(self, rows: Rows, stratum: Array | None = None, strata: int = 1) -> LossSums:
        n = len(rows.truth)
        k = rows.schema.k
        loss = np.reshape(self.of.compute_rows(rows), (n, -1))[:, 0]
        weight = np.ones(n) if rows.weight is None else rows.weight
        code = rows.truth.astype(np.intp)
        if stratum is not None:
            code = rows.truth + stratum.astype(np.intp) * k
        classes = np.bincount(code, weight, strata * k).reshape(strata, k).astype(np.float64)
        count = np.array([n]) if stratum is None else np.bincount(stratum, minlength=strata)
        return LossSums(sum_by(stratum, strata, loss * weight), count, classes.sum(axis=1), classes)

    def merge(self, a: LossSums, b: LossSums) -> LossSums:
        return LossSums(*(x + y for x, y in zip(a, b, strict=True)))

    def select(self, value: LossSums, strata: slice) -> LossSums:
        return LossSums(*(array[strata] for array in value))

    def resample(self, value: LossSums, counts: Array) -> LossSums:
        return LossSums(*(counts @ array for array in value))

    def summary(self, value: LossSums, schema: Schema) -> LossSums:
        return value


class Skill(Metric):
    """Base of the share of a loss that is spared, against always stating the class shares."""

    reads = "proba"
    tasks = SINGLE_LABEL
    bounds = (float("-inf"), 1.0)
    undefined = "single_class"

    @abstractmethod
    def constant_loss(self, share: Array) -> Array:
        """The mean loss (strata,) of stating the class shares `share` (strata, k) of every row."""

    def compute(self, summary: LossSums) -> Array:
        total = summary.classes.sum(axis=-1)
        constant = self.constant_loss(np.nan_to_num(ratio(summary.classes, total[..., None])))
        return 1 - ratio(ratio(summary.loss, total), constant)


class D2LogLoss(Skill):
    """Share of the log loss that the probabilities spare.

    In (-inf, 1], 1 is perfect, 0 states the class shares. 1 - log_loss / entropy of the classes,
    the entropy -sum_k f_k log f_k of their shares f in these rows (McFadden's R2); higher is
    better; below 0 the model is worse than no model. Probabilities below 2.2e-16 count as so much.
    Undefined (single_class) where all rows are of one class. Same value as scikit-learn's
    d2_log_loss_score.
    Source: McFadden (1974), Frontiers in Econometrics, 105-142.

    >>> D2LogLoss()([0, 1, 1, 0], [0.2, 0.9, 0.7, 0.1])
    0.7149
    """

    name = "d2_log_loss"
    needs = LossAndClassWeights(LogLoss())
    oracle = (
        "sklearn.metrics.d2_log_loss_score(y, proba, sample_weight=w, labels=classes) "
        "if len(set(y)) > 1 else nan"
    )

    def constant_loss(self, share: Array) -> Array:
        return np.asarray(-(share * np.log(np.where(share > 0, share, 1.0))).sum(axis=-1))


class D2Brier(Skill):
    """Share of the Brier score that the probabilities spare (Brier skill score).

    In (-inf, 1], 1 is perfect; higher.
    1 - brier / (1 - sum_k f_k^2) with f the shares of the classes in these rows, which is what
    always stating them scores: 0 is no better than that, below 0 worse.
    Undefined (single_class) where all rows are of one class. Same value as scikit-learn's
    d2_brier_score.
    Source: Murphy (1973), J. Appl. Meteorol. 12:595-600.

    >>> D2Brier()([0, 1, 1, 0], [0.2, 0.9, 0.7, 0.1])
    0.85
    """

    name = "d2_brier"
    needs = LossAndClassWeights(Brier())
    oracle = (
        "sklearn.metrics.d2_brier_score(y, proba, sample_weight=w, labels=classes) "
        "if len(set(y)) > 1 else nan"
    )

    def constant_loss(self, share: Array) -> Array:
        return np.asarray(1 - (share**2).sum(axis=-1))
