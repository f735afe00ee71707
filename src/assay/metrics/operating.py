"""Metrics of the best threshold that scores allow: what a model could do where it is used.

The threshold is chosen on the rows that judge it, so these flatter a little: choose it on other
rows to deploy it.

>>> RecallAtPrecision(precision=0.6)([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
1
"""

from dataclasses import dataclass, field

import numpy as np

from assay.errors import UnsupportedError
from assay.kernels import Array, scan_curve
from assay.metrics.base import Average, ratio
from assay.metrics.curve import CurveMetric
from assay.states.ranking import Curve

__all__ = [
    "BestFBeta", "BestFBetaThreshold", "EqualErrorRate", "PrecisionAtRecall", "RecallAtPrecision",
    "TprAtFpr",
]  # fmt: skip

# A rate that weighted sums put a rounding error below the one wanted has reached it.
REACHED = 1 - 1e-12


class OperatingPoint(CurveMetric):
    """Base of what one point of the precision-recall curve gives."""

    undefined = "no_positive"

    def compute_curve(self, curve: Curve) -> Array:
        if not curve.tp.shape[-1]:
            return np.full(np.shape(curve.positives), np.nan)
        precision = np.nan_to_num(ratio(curve.tp, curve.tp + curve.fp))
        recall = np.nan_to_num(ratio(curve.tp, np.expand_dims(curve.positives, -1)))
        return np.where(
            np.asarray(curve.positives) > 0, self.compute_point(precision, recall, curve), np.nan
        )

    def compute_point(self, precision: Array, recall: Array, curve: Curve) -> Array:
        """The value (...,) of a `curve`, from its `precision` and `recall` (..., m).

        They are those at every threshold, the highest first.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class PrecisionAtRecall(OperatingPoint):
    """Highest precision of the thresholds that find at least `recall` of the positive rows.

    In [0, 1]; higher. Several classes: one against the rest, `macro` (default), `weighted` or
    `none`.
    Undefined (no_positive) without positive rows.
    Same value as the maximum over scikit-learn's precision_recall_curve (torchmetrics'
    precision_at_fixed_recall).

    >>> PrecisionAtRecall(recall=0.5)([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    1
    """

    name = "precision_at_recall"
    recall: float = 0.9
    average: Average = field(default="auto", kw_only=True)
    cases = ({"recall": 0.5}, {"average": "weighted"}, {"average": "none"})
    oracle = "ranked(score, precision_at(m.recall), negatives=False)"

    def __post_init__(self) -> None:
        check_rate(self.name, "recall", self.recall)

    def compute_point(self, precision: Array, recall: Array, curve: Curve) -> Array:
        return np.asarray(np.where(recall >= self.recall * REACHED, precision, 0.0).max(axis=-1))


@dataclass(frozen=True)
class RecallAtPrecision(OperatingPoint):
    """Highest recall of the thresholds whose precision is at least `precision`.

    In [0, 1], higher is better.
    0 where no threshold is as precise: then no row can be called positive. Several classes as of
    precision_at_recall.
    Undefined (no_positive) without positive rows.
    Same value as the maximum over scikit-learn's precision_recall_curve (torchmetrics'
    recall_at_fixed_precision).

    >>> RecallAtPrecision(precision=0.9)([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.5
    """

    name = "recall_at_precision"
    precision: float = 0.9
    average: Average = field(default="auto", kw_only=True)
    cases = ({"precision": 0.5}, {"average": "weighted"}, {"average": "none"})
    oracle = "ranked(score, recall_at(m.precision), negatives=False)"

    def __post_init__(self) -> None:
        check_rate(self.name, "precision", self.precision)

    def compute_point(self, precision: Array, recall: Array, curve: Curve) -> Array:
        return np.asarray(np.where(precision >= self.precision * REACHED, recall, 0.0).max(axis=-1))


@dataclass(frozen=True)
class TprAtFpr(CurveMetric):
    """Highest true positive rate of the thresholds whose false positive rate is at most `fpr`.

    In [0, 1], higher is better. What is found where at most 1 in 100 (fpr=0.01, the default) of the
    other rows may raise a false alarm; 0 where no threshold is as strict. Several classes as of
    precision_at_recall.
    Undefined (single_class) unless both kinds of rows are there.
    Same value as the maximum over scikit-learn's roc_curve (torchmetrics' sensitivity at a
    specificity of 1 - fpr).

    >>> TprAtFpr(fpr=0.1)([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.5
    """

    name = "tpr_at_fpr"
    aliases = ("recall_at_fpr",)
    fpr: float = 0.01
    average: Average = field(default="auto", kw_only=True)
    cases = ({"fpr": 0.3}, {"average": "weighted"}, {"average": "none"})
    oracle = "ranked(score, tpr_at(m.fpr))"

    def __post_init__(self) -> None:
        check_rate(self.name, "fpr", self.fpr)

    def compute_curve(self, curve: Curve) -> Array:
        both = (np.asarray(curve.positives) > 0) & (np.asarray(curve.negatives) > 0)
        fpr = ratio(curve.fp, np.expand_dims(curve.negatives, -1))
        tpr = np.nan_to_num(ratio(curve.tp, np.expand_dims(curve.positives, -1)))
        best = np.where(fpr * REACHED <= self.fpr, tpr, 0.0).max(axis=-1, initial=0.0)
        return np.where(both, best, np.nan)


class EqualErrorRate(CurveMetric):
    """The error rate where as large a share of positive rows is missed as of others is let in.

    In [0, 1], lower is better, 0.5 is chance. The point of the ROC curve, with straight lines
    between its vertices, where the false positive rate is 1 - the true positive rate: the usual
    figure of verification by voice or face. Several classes as of roc_auc. Also called EER or
    crossover error rate.
    Undefined (single_class) unless both kinds of rows are there.
    Same value as an interpolation of scikit-learn's roc_curve.
    Source: Martin et al. (1997), Eurospeech, 1895-1898.

    >>> EqualErrorRate()([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.5
    """

    name = "equal_error_rate"
    aliases = ("eer",)
    better = "lower"
    cases = ({"average": "weighted"}, {"average": "none"})
    oracle = "ranked(score, crossing)"

    def compute_curve(self, curve: Curve) -> Array:
        if not curve.tp.shape[-1]:
            return np.full(np.shape(curve.positives), np.nan)
        fpr, tpr = curve.roc
        lead = fpr + tpr - 1  # from -1 to 1
        after = (lead >= 0).argmax(axis=-1)[..., None]
        before = np.maximum(after - 1, 0)
        start, end = (np.take_along_axis(lead, at, axis=-1)[..., 0] for at in (before, after))
        left, right = (np.take_along_axis(fpr, at, axis=-1)[..., 0] for at in (before, after))
        both = (np.asarray(curve.positives) > 0) & (np.asarray(curve.negatives) > 0)
        return np.where(both, left + ratio(-start, end - start) * (right - left), np.nan)


@dataclass(frozen=True)
class BestFBeta(CurveMetric):
    """Largest f_beta of any threshold.

    In [0, 1], higher is better; recall counts beta times as much as precision. max over thresholds
    of (1 + b^2) tp / (b^2 positives + tp + fp). Several classes as of precision_at_recall.
    Undefined (no_positive) without positive rows. Same value as the maximum over scikit-learn's
    precision_recall_curve.
    Source: Lipton, Elkan & Naryanaswamy (2014), ECML PKDD, 225-239.

    >>> BestFBeta()([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.8
    """

    name = "best_f_beta"
    beta: float = 1.0
    average: Average = field(default="auto", kw_only=True)
    undefined = "no_positive"
    cases = ({"beta": 2.0}, {"average": "weighted"}, {"average": "none"})
    oracle = "ranked(score, best_f_beta(m.beta), negatives=False)"

    def __post_init__(self) -> None:
        check_beta(self.name, self.beta)

    def compute_curve(self, curve: Curve) -> Array:
        defined = np.asarray(curve.positives) > 0
        return np.where(defined, scan_curve("f_beta", *curve[1:], self.beta), np.nan)


@dataclass(frozen=True)
class BestFBetaThreshold(OperatingPoint):
    """The score from which rows are called positive for the largest f_beta.

    In the units of the scores.

    The highest of several such thresholds. Neither higher nor lower is better, so models are not
    compared by it.
    Several classes as of precision_at_recall. Undefined (no_positive) without positive rows.
    Same value as the argument of the maximum over scikit-learn's precision_recall_curve.

    >>> BestFBetaThreshold()([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.35
    """

    better = "neither"
    rank_by = "best_f_beta"
    name = "best_f_beta_threshold"
    beta: float = 1.0
    average: Average = field(default="auto", kw_only=True)
    bounds = (float("-inf"), float("inf"))
    cases = ({"beta": 2.0}, {"average": "none"})
    oracle = "ranked(score, best_threshold(m.beta), negatives=False)"

    def __post_init__(self) -> None:
        check_beta(self.name, self.beta)

    def error_bound(self, curve: Curve) -> float:
        # Thresholds far apart may serve nearly alike.
        return float("nan")

    def compute_point(self, precision: Array, recall: Array, curve: Curve) -> Array:
        # Rounded: sums of weights differ in the last place with the order of rows.
        best = np.round(f_beta(curve, self.beta), 12).argmax(axis=-1)
        return np.asarray(np.asarray(curve.score, np.float64)[best])


def f_beta(curve: Curve, beta: float) -> Array:
    """f_beta, with this `beta`, at every threshold of a `curve` (..., m); 0 without positives."""
    needed = beta**2 * np.expand_dims(curve.positives, -1) + curve.tp + curve.fp
    return np.nan_to_num(ratio((1 + beta**2) * curve.tp, needed))


def check_rate(name: str, which: str, rate: float) -> None:
    """UnsupportedError unless `rate`, the parameter `which` of metric `name`, is in (0, 1]."""
    if not 0 < rate <= 1:
        raise UnsupportedError(f"{which} of {name} must be above 0 and at most 1; got {rate}")


def check_beta(name: str, beta: float) -> None:
    """UnsupportedError unless `beta` of metric `name` is above 0 and below 1e6."""
    if not 0 < beta < 1e6:
        raise UnsupportedError(f"beta of {name} must be above 0 and below 1e6; got {beta}")
