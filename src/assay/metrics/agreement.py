"""Metrics of agreement beyond chance, and of the negative side of the confusion table.

>>> Mcc()(["a", "a", "b", "b"], ["a", "a", "a", "b"])
0.5774
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from assay.kernels import Array
from assay.metrics.base import (
    SINGLE_LABEL,
    Metric,
    Ratio,
    mean_of_defined,
    name_left_out,
    ratio,
    tell_order,
)
from assay.states.confusion import Confusion, Counts
from assay.table.schema import Schema

__all__ = [
    "CohenKappa", "GMean", "Informedness", "Jaccard", "Mcc", "NegativeLikelihoodRatio", "Npv",
    "PositiveLikelihoodRatio", "Specificity",
]  # fmt: skip


class Mcc(Metric):
    """Matthews' correlation of truth and prediction.

    In [-1, 1], 1 is perfect, 0 is chance, higher is better.
    (n c - sum t_i p_i) / sqrt((n^2 - sum t_i^2) (n^2 - sum p_i^2)) with c rows right of n, t_i rows
    of class i and p_i predicted as it; for two classes the correlation of two 0/1 variables. Fair
    to rare classes.
    Also called phi (coefficient).
    Undefined (single_class) where the truth has one class only; 0, by the limit, where only the
    prediction is constant.
    Same value as scikit-learn's matthews_corrcoef.
    Sources: Matthews (1975), BBA 405:442-451; several classes: Gorodkin (2004), Comput. Biol. Chem.
    28:367-374.

    >>> Mcc()([0, 1, 1, 0], [1, 1, 1, 1])
    0
    """

    name = "mcc"
    aliases = ("matthews_corrcoef",)
    tasks = SINGLE_LABEL
    needs = Confusion()
    bounds = (-1.0, 1.0)
    undefined = "single_class"
    oracle = (
        "sklearn.metrics.matthews_corrcoef(y, label, sample_weight=w) if len(set(y)) > 1 else nan"
    )

    def compute(self, summary: Counts) -> Array:
        # Floats: products of counts overflow int64 from three billion rows on.
        tp = np.asarray(summary.tp, np.float64)
        truth = np.asarray(summary.support, np.float64)
        predicted = np.asarray(summary.predicted, np.float64)
        n = truth.sum(axis=-1)
        spread = (n**2 - (truth**2).sum(axis=-1)) * (n**2 - (predicted**2).sum(axis=-1))
        constant = _count_classes(summary.predicted) < 2
        shared = n * tp.sum(axis=-1) - (truth * predicted).sum(axis=-1)
        if summary.apart is not None and tp.shape[-1] == 2:  # without differences of large sums
            spread = 4 * truth.prod(axis=-1) * predicted.prod(axis=-1)
            shared = 2 * (tp.prod(axis=-1) - summary.fp.prod(axis=-1))
        correlation = ratio(shared, np.sqrt(np.where(constant, 1.0, spread)))
        correlation = np.where(constant, 0.0, correlation)
        return np.where(_count_classes(summary.support) < 2, np.nan, correlation)

    def note(self, summary: Counts, schema: Schema) -> str:
        constant = _count_classes(summary.predicted)[0] == 1
        if constant and _count_classes(summary.support)[0] > 1:
            return "the prediction is constant: 0 by the limit"
        return ""


@dataclass(frozen=True)
class CohenKappa(Metric):
    """Agreement beyond what the margins give by chance (Cohen's kappa).

    In [-1, 1], 1 is perfect, 0 chance; higher.
    1 - sum w_ij o_ij / sum w_ij e_ij over truth i and prediction j, with o the table and e what
    independent margins would give. weights: `none` (every error counts 1), `linear` (|i - j|) or
    `quadratic` ((i - j)^2), for ordered classes: i and j are the classes themselves where these are
    numbers (of grades 1, 2 and 4 the last two are twice as far apart), else their places in the
    declared order, which the note tells. Linear and quadratic have no interval beyond 64 classes.
    Also called kappa; quadratic: QWK.
    Undefined (single_class) where truth and prediction are constant and the same.
    Same value as scikit-learn's cohen_kappa_score with labels= every grade between the classes.
    Sources: Cohen (1960), Educ. Psychol. Meas. 20:37-46; weighted: Cohen (1968), Psychol. Bull.
    70:213-220.

    >>> CohenKappa()(["a", "a", "b", "b"], ["a", "a", "a", "b"])
    0.5
    >>> CohenKappa(weights="quadratic")([1, 2, 3, 3], [1, 2, 3, 1])
    0.3846
    """

    name = "cohen_kappa"
    aliases = ("kappa", "qwk(weights=quadratic)", "quadratic_kappa(weights=quadratic)")
    weights: Literal["none", "linear", "quadratic"] = "none"
    tasks = SINGLE_LABEL
    needs = Confusion()
    bounds = (-1.0, 1.0)
    undefined = "single_class"
    cases = ({"weights": "linear"}, {"weights": "quadratic"})
    oracle = "kappa()  # sklearn.metrics.cohen_kappa_score, of all grades from first to last"

    def compute(self, summary: Counts) -> Array:
        truth = np.asarray(summary.support, np.float64)
        predicted = np.asarray(summary.predicted, np.float64)
        n = truth.sum(axis=-1)
        if self.weights == "none":
            observed = n - summary.tp.sum(axis=-1)
            expected = _drop_rounding(n**2 - (truth * predicted).sum(axis=-1), n**2)
            return 1 - ratio(n * observed, expected)
        k = truth.shape[-1]
        if summary.table.shape[-1] != k:  # replicates of very many classes keep their margins only
            return np.full(n.shape, np.nan)
        power = 1.0 if self.weights == "linear" else 2.0
        distance = np.abs(np.subtract.outer(summary.grades, summary.grades)) ** power
        observed = (np.asarray(summary.table) * distance).sum(axis=(-1, -2))
        return 1 - ratio(n * observed, ((truth @ distance) * predicted).sum(axis=-1))

    def note(self, summary: Counts, schema: Schema) -> str:
        return "" if self.weights == "none" else tell_order(schema)


class GMean(Metric):
    """Geometric mean of the recalls of the classes that occur.

    In [0, 1], higher is better; 0 if a class is all missed. (product of tp / (tp + fn) over the m
    classes with true rows)^(1/m); two classes: sqrt(sensitivity x specificity).
    Harsher than balanced_accuracy on a model that gives up a class.
    Undefined (no_samples) without rows. Same value as imbalanced-learn's geometric_mean_score over
    the classes seen.
    Source: Kubat & Matwin (1997), ICML, 179-186.

    >>> GMean()(["a", "a", "a", "a", "b"], ["a", "b", "b", "b", "b"])
    0.5
    """

    name = "g_mean"
    tasks = SINGLE_LABEL
    needs = Confusion()
    oracle = (
        "np.exp(np.nanmean(np.log(sklearn.metrics.recall_score("
        "y, label, labels=labels, average=None, zero_division=nan, sample_weight=w))))"
    )

    def compute(self, summary: Counts) -> Array:
        recall = ratio(summary.tp, summary.support)
        missed = (recall == 0).any(axis=-1)
        logs = np.log(np.where(recall == 0, 1.0, recall))
        return np.where(missed, 0.0, np.exp(mean_of_defined(logs, np.ones_like(logs))))

    def note(self, summary: Counts, schema: Schema) -> str:
        return name_left_out(summary.support[0] == 0, schema, "no_positive")


class Informedness(Ratio):
    """How much better than chance the rows of a class are told from the rest (Youden's J).

    In [-1, 1], 0 is chance.
    tp / (tp + fn) + tn / (tn + fp) - 1, that is recall + specificity - 1; higher is better; free of
    the class shares.
    Undefined (single_class) unless the class has rows and so have the others.
    Two classes: same value as scikit-learn's balanced_accuracy_score(adjusted=True).
    Sources: Youden (1950), Cancer 3:32-35; Powers (2011), J. Mach. Learn. Tech. 2:37-63.

    >>> Informedness()([0, 1, 1, 0], [0, 1, 0, 0])
    0.5
    """

    name = "informedness"
    aliases = ("youden", "youden_j", "youdens_j")
    bounds = (-1.0, 1.0)
    undefined = "single_class"
    cases = ({"average": "macro"}, {"average": "micro"}, {"average": "none"})
    oracle = "averaged_counts(lambda tp, fn, fp, tn: tp / (tp + fn) - fp / (fp + tn))"

    def parts(self, c: Counts) -> tuple[Array, Array]:
        negatives = c.negatives
        support = np.asarray(c.support, np.float64)
        return c.tp * negatives - c.fp * support, support * negatives


class Jaccard(Ratio):
    """Rows both of a class and predicted as it, of those that are either (IoU).

    In [0, 1], higher is better.
    tp / (tp + fp + fn) = F1 / (2 - F1). Undefined (no_positive) only for a class neither true nor
    predicted anywhere.
    Mean IoU of segmentations (miou) is the macro average, the pixels being rows, as
    `assay.count_pixels` counts them; of label sets, average=samples.
    Also called intersection over union.
    Same value as scikit-learn's jaccard_score over the classes that occur.
    Source: Jaccard (1912), New Phytologist 11:37-50.

    >>> Jaccard()([0, 1, 1, 0], [1, 1, 1, 0])
    0.6667
    """

    name = "jaccard"
    aliases = ("iou", "miou(average=macro)", "mean_iou(average=macro)")
    undefined = "no_positive"
    cases = ({"average": "macro"}, {"average": "micro"}, {"average": "none"})
    oracle = "averaged_counts(lambda tp, fn, fp, tn: tp / (tp + fn + fp))"

    def parts(self, c: Counts) -> tuple[Array, Array]:
        return c.tp, c.support + c.fp


class Specificity(Ratio):
    """Of the rows not of a class, the share not predicted as it: in [0, 1], higher is better.

    tn / (tn + fp), the recall of the other rows. Undefined (no_negative) where every row is of the
    class.
    Same value as scikit-learn's recall_score of the complement.

    >>> Specificity()([0, 1, 1, 0], [1, 1, 0, 0])
    0.5
    """

    name = "specificity"
    aliases = ("true_negative_rate", "tnr")
    proportion = True
    undefined = "no_negative"
    cases = ({"average": "macro"}, {"average": "micro"}, {"average": "none"})
    oracle = "averaged_counts(lambda tp, fn, fp, tn: tn / (tn + fp))"

    def parts(self, c: Counts) -> tuple[Array, Array]:
        return c.tn, c.negatives


class Npv(Ratio):
    """Of the rows not predicted as a class, the share that are not of it: in [0, 1]; higher.

    The negative predictive value.
    tn / (tn + fn), the precision of the other rows. Undefined (no_predicted_negative) where every
    row is predicted so.
    Same value as scikit-learn's precision_score of the complement.

    >>> Npv()([0, 1, 1, 0], [1, 1, 0, 0])
    0.5
    """

    name = "npv"
    aliases = ("negative_predictive_value",)
    proportion = True
    undefined = "no_predicted_negative"
    cases = ({"average": "macro"}, {"average": "micro"}, {"average": "none"})
    oracle = "averaged_counts(lambda tp, fn, fp, tn: tn / (tn + fn))"

    def parts(self, c: Counts) -> tuple[Array, Array]:
        return c.tn, c.never_predicted


def _count_classes(each: Array) -> Array:
    """How many classes have any weight (...,)."""
    return np.asarray(np.count_nonzero(each, axis=-1))


class PositiveLikelihoodRatio(Ratio):
    """How many times as likely a row of a class is to be predicted as it as another row is.

    In [0, inf); higher.
    recall / (1 - specificity) = tp negatives / (fp positives); 1 says nothing.
    The odds of the class after a positive prediction are those before it times this, whatever the
    share of the class.
    Undefined (no_false_positive) where no other row is predicted as the class, or there is none of
    either kind.
    Same value as scikit-learn's class_likelihood_ratios (the first of the two).
    Source: Deeks & Altman (2004), BMJ 329:168-169.

    >>> PositiveLikelihoodRatio()([0, 0, 1, 1], [0, 1, 1, 1])
    2
    """

    name = "positive_likelihood_ratio"
    bounds = (0.0, float("inf"))
    undefined = "no_false_positive"
    cases = ({"average": "macro"}, {"average": "micro"}, {"average": "none"})
    oracle = (
        "averaged_counts(lambda tp, fn, fp, tn: "
        "np.where(fp * (tp + fn) > 0, tp / (tp + fn) / (fp / (fp + tn)), nan))"
    )

    def parts(self, c: Counts) -> tuple[Array, Array]:
        support = np.asarray(c.support, np.float64)
        return c.tp * c.negatives, c.drop_rounding(c.fp) * support


class NegativeLikelihoodRatio(Ratio):
    """How many times as likely a row of a class is to be missed as another row is to be passed.

    In [0, inf); lower.
    (1 - recall) / specificity = fn negatives / (tn positives); 1 says nothing.
    The odds of the class after a negative prediction are those before it times this, whatever the
    share of the class.
    Undefined (no_true_negative) where every other row is predicted as the class, or there is none
    of either kind.
    Same value as scikit-learn's class_likelihood_ratios (the second of the two).
    Source: Deeks & Altman (2004), BMJ 329:168-169.

    >>> NegativeLikelihoodRatio()([0, 0, 1, 1], [0, 1, 0, 1])
    1
    """

    name = "negative_likelihood_ratio"
    aliases = ("neg_negative_likelihood_ratio",)
    better = "lower"
    bounds = (0.0, float("inf"))
    undefined = "no_true_negative"
    cases = ({"average": "macro"}, {"average": "micro"}, {"average": "none"})
    oracle = (
        "averaged_counts(lambda tp, fn, fp, tn: "
        "np.where(tn * (tp + fn) > 0, fn / (tp + fn) / (tn / (fp + tn)), nan))"
    )

    def parts(self, c: Counts) -> tuple[Array, Array]:
        support = np.asarray(c.support, np.float64)
        return c.fn * c.negatives, c.drop_rounding(c.tn) * support


def _drop_rounding(difference: Array, whole: Array) -> Array:
    """A difference of sums, and exactly 0 where it is no more than their rounding error."""
    return np.where(difference > 1e-12 * whole, difference, 0).astype(np.float64)
