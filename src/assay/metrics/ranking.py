"""Metrics of order: how well scores put positive rows above negative ones, whatever their scale.

>>> RocAuc()([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
0.75
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import ClassVar, Literal

import numpy as np

from assay.errors import UnsupportedError
from assay.kernels import Array, count_ties, scan_curve
from assay.metrics.base import Average, IntervalMethod, Metric, mean_of_defined, ratio
from assay.metrics.curve import CurveMetric, OrderMetric
from assay.states.ranking import Curve, Ranking, RankingProblem
from assay.states.row_values import Ranked
from assay.table.schema import Schema

__all__ = ["KS", "AveragePrecision", "Gain", "Gini", "Lift", "RocAuc", "RocAucOvo"]

AT_ONCE = 1 << 22  # rows of all replicates together that are weighed at a time


@dataclass(frozen=True)
class RocAuc(OrderMetric):
    """Probability that a positive row scores above a negative one, ties counting half.

    In [0, 1], 0.5 is chance. Area under the ROC curve; higher is better. Binary: of the positive
    class. Otherwise one class against the rest: `macro` mean over the classes that have both kinds
    of rows (default), `weighted` by true rows, `micro` (all classes of all rows ranked together),
    or `none`. max_fpr: below 1, only the part of the
    curve up to that false positive rate counts, rescaled so that chance is 0.5 and perfect 1
    (McClish). Works on raw scores, never squashed.
    Also called AUC, AUROC, ROC or c-statistic.
    Undefined (single_class) unless both kinds of rows are there.
    Same value as scikit-learn's roc_auc_score (multi_class="ovr").
    Sources: Hanley & McNeil (1982), Radiology 143:29-36; influence: DeLong et al. (1988),
    Biometrics 44:837-845; part of the curve: McClish (1989), Med. Decis. Making 9:190-195.

    >>> RocAuc()(["no", "yes", "yes"], [0.2, 0.2, 0.9])
    0.75
    """

    name = "roc_auc"
    aliases = ("auc", "auroc", "roc_auc_ovr")
    instead: ClassVar[Mapping[str, str]] = {
        "multi_class": "one class against the rest is roc_auc, one against one roc_auc_ovo"
    }
    max_fpr: float = 1.0
    cases = ({"average": "weighted"}, {"average": "none"}, {"average": "micro"}, {"max_fpr": 0.2})
    oracle = (
        "ranked(score, lambda y, s, w: sklearn.metrics.roc_auc_score("
        "y, s, sample_weight=w, max_fpr=None if m.max_fpr == 1 else m.max_fpr))"
    )

    def __post_init__(self) -> None:
        if not 0 < self.max_fpr <= 1:
            raise UnsupportedError(
                f"max_fpr of roc_auc must be above 0 and at most 1; got {self.max_fpr}"
            )

    def compute_curve(self, curve: Curve) -> Array:
        return area(curve) if self.max_fpr == 1 else partial_area(curve, self.max_fpr)

    def interval(self, schema: Schema) -> IntervalMethod:
        return super().interval(schema) if self.max_fpr == 1 else "bootstrap"

    def compute_variance(self, curve: Curve) -> tuple[float, float]:
        """DeLong's variance of the area under `curve`, and Satterthwaite's degrees of freedom."""
        p = float(curve.positives)
        q = float(curve.negatives)
        if min(p, q) < 2:  # a single row shows nothing of how much rows vary
            return float("inf"), 1.0
        value = float(self.compute_curve(curve))
        placement = 1 - (curve.fp + curve.fp_above) / (2 * q)  # of positive rows
        positive_part = (curve.new_positives * (placement - value) ** 2).sum() / (p - 1) / p
        # Negatives that tie with a threshold, and those between two of them.
        before = np.concatenate([[0], curve.tp[:-1]])
        tied = ((curve.fp - curve.fp_above) * ((before + curve.tp) / (2 * p) - value) ** 2).sum()
        ends = np.append(curve.fp_above, q) - np.concatenate([[0], curve.fp])
        between = (ends * (np.concatenate([[0], curve.tp]) / p - value) ** 2).sum()
        negative_part = (tied + between) / (q - 1) / q
        variance = float(positive_part + negative_part)
        lost = positive_part**2 / (p - 1) + negative_part**2 / (q - 1)
        return variance, float((positive_part + negative_part) ** 2 / lost) if lost else 1.0

    def compute_influence(self, positive: Array, score: Array, weight: Array | None) -> Array:
        """DeLong's components (n,): each row's placement less the area, over its class's weight.

        From whether each row is `positive`, its `score` and its `weight`, or None: all (n,).
        """
        w = np.ones(len(score)) if weight is None else weight
        p = float(w[positive].sum())
        q = float(w[~positive].sum())
        if not p or not q:
            return np.full(len(score), np.nan)
        high = score[positive]
        low = score[~positive]
        lower = count_ties(high, low, None if weight is None else w[~positive]) / q
        higher = 1 - count_ties(low, high, None if weight is None else w[positive]) / p
        area = (w[positive] * lower).sum() / p
        influence = np.empty(len(score))
        for rows, placement, mass in ((positive, lower, p), (~positive, higher, q)):
            m = len(placement)
            influence[rows] = w[rows] * (placement - area) / mass * np.sqrt(m / max(m - 1, 1))
        return influence


class Gini(CurveMetric):
    """Twice the area under the ROC curve less 1 (Somers' D).

    In [-1, 1], 0 is chance, higher is better.
    2 roc_auc - 1. The accuracy ratio of credit scoring.
    Several classes and what is undefined as of roc_auc.
    Same value as 2 x scikit-learn's roc_auc_score - 1.
    Source: Somers (1962), Am. Sociol. Rev. 27:799-811.

    >>> Gini()([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.5
    """

    name = "gini"
    bounds = (-1.0, 1.0)
    cases = ({"average": "weighted"}, {"average": "none"})
    oracle = (
        "ranked(score, lambda y, s, w: "
        "2 * sklearn.metrics.roc_auc_score(y, s, sample_weight=w) - 1)"
    )

    def compute_curve(self, curve: Curve) -> Array:
        return 2 * area(curve) - 1


class AveragePrecision(CurveMetric):
    """Precision averaged over the positive rows, each at its own threshold.

    In [0, 1], higher is better.
    sum_i (recall_i - recall_{i-1}) precision_i over the distinct scores from the highest down (a
    step function, no interpolation); chance is the share of positive rows. Read it where positives
    are rare. Several classes: one against the rest, `macro` (default), `weighted`, `micro` (all
    classes of all rows ranked together) or `none`.
    Undefined (no_positive) without positive rows.
    Also called AP, AUPRC or PR AUC.
    Same value as scikit-learn's average_precision_score.
    Source: Davis & Goadrich (2006), ICML, 233-240.

    >>> AveragePrecision()([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.8333
    """

    name = "average_precision"
    aliases = ("auprc", "pr_auc")
    undefined = "no_positive"
    cases = ({"average": "weighted"}, {"average": "none"}, {"average": "micro"})
    oracle = (
        "ranked(score, lambda y, s, w: "
        "sklearn.metrics.average_precision_score(y, s, sample_weight=w), negatives=False)"
    )

    def compute_curve(self, curve: Curve) -> Array:
        return ratio(scan_curve("precision", *curve[1:]), np.asarray(curve.positives))

    def add_last_row(self, values: Array, positives: Array, rows: Array) -> Array:
        """The `values` of rankings with a positive row more, below all others.

        `positives` of so many `rows` are there before it.
        """
        return np.asarray((values * positives + (positives + 1) / (rows + 1)) / (positives + 1))

    def error_bound(self, curve: Curve) -> float:
        if not curve.positives:
            return 0.0
        value = float(self.compute_curve(curve))
        best = float(self.compute_curve(curve._replace(fp=curve.fp_above)))
        # At worst every positive row of a cell comes after its negative ones.
        before = curve.tp - curve.new_positives
        precision = np.nan_to_num(ratio(before, before + curve.fp))
        worst = float((curve.new_positives * precision).sum() / curve.positives)
        return max(best - value, value - worst)


class KS(CurveMetric):
    """Largest lead of the true over the false positive rate over all thresholds.

    In [0, 1], higher is better.
    max (tpr - fpr): how far the scores of positive rows lie above those of the others (one-sided
    Kolmogorov-Smirnov); the largest informedness of any threshold, chosen on the same rows. Several
    classes as of roc_auc.
    Undefined (single_class) unless both kinds of rows are there.
    Same value as the maximum over scikit-learn's roc_curve; unweighted
    scipy.stats.ks_2samp(alternative="less").
    Source: Smirnov (1939), Bull. Univ. Moscou 2:3-14.

    >>> KS()([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.5
    """

    name = "ks"
    cases = ({"average": "weighted"}, {"average": "none"})
    oracle = "ranked(score, largest_lead)"

    def compute_curve(self, curve: Curve) -> Array:
        both = (np.asarray(curve.positives) > 0) & (np.asarray(curve.negatives) > 0)
        return np.where(both, scan_curve("lead", *curve[1:]), np.nan)

    def find_rates(self, curve: Curve) -> tuple[float, float]:
        """The true and the false positive rate where the lead of a `curve` is largest.

        Nan where there are no rows of one kind.
        """
        if not curve.positives > 0 or not curve.negatives > 0:
            return math.nan, math.nan
        false, true = curve.roc
        best = int(np.argmax(true - false))
        return float(true[best]), float(false[best])


@dataclass(frozen=True)
class Gain(CurveMetric):
    """Of the positive rows, the share found among the rows of highest score.

    In [0, 1], higher is better. share: of all rows, how many are looked at (default 0.1: the top
    decile). Rows that tie at the cut are looked at in part. Chance is `share`. Several classes: one
    against the rest, `macro` (default), `weighted` or `none`.
    Undefined (no_positive) without positive rows. Same value as a sum over sorted rows.
    Source: Ling & Li (1998), KDD, 73-79.

    >>> Gain(share=0.25)([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.5
    """

    name = "gain"
    share: float = 0.1
    average: Average = field(default="auto", kw_only=True)
    undefined = "no_positive"
    cases = ({"share": 0.3}, {"average": "weighted"}, {"average": "none"})
    oracle = "ranked(score, gain_of(m.share), negatives=False)"

    def __post_init__(self) -> None:
        check_share(self.name, self.share)

    def compute_curve(self, curve: Curve) -> Array:
        return capture_share(curve, self.share)


@dataclass(frozen=True)
class Lift(CurveMetric):
    """How many times as many positive rows the rows of highest score hold as chance would.

    Higher is better, 1 chance.
    gain(share) / share, in [0, 1 / share]; share: of all rows, how many are looked at (default 0.1:
    the top decile).
    Several classes and what is undefined as of gain. Same value as a sum over sorted rows.
    Source: Ling & Li (1998), KDD, 73-79.

    >>> Lift(share=0.25)([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    2
    """

    name = "lift"
    share: float = 0.1
    average: Average = field(default="auto", kw_only=True)
    bounds = (0.0, float("inf"))
    undefined = "no_positive"
    cases = ({"share": 0.3}, {"average": "weighted"}, {"average": "none"})
    oracle = "ranked(score, gain_of(m.share), negatives=False) / m.share"

    def __post_init__(self) -> None:
        check_share(self.name, self.share)

    def compute_curve(self, curve: Curve) -> Array:
        return capture_share(curve, self.share) / self.share


@dataclass(frozen=True)
class RocAucOvo(Metric):
    """Mean area under the ROC curves of every two classes alone (one against one).

    In [0, 1], 0.5 is chance. Of classes a and b: the mean of the area of a against b by the score
    of a, and of b against a by that of b. Higher is better; free of the shares of the classes.
    average: `macro` (mean over the pairs that have rows of both) or `weighted` (by the weight of
    their rows). Undefined (single_class) where only one class has rows.
    Same value as scikit-learn's roc_auc_score(multi_class="ovo").
    Source: Hand & Till (2001), Machine Learning 45:171-186.

    >>> from assay.table.predictions import Predictions
    >>> proba = [[0.5, 0.3, 0.2], [0.3, 0.5, 0.2], [0.6, 0.2, 0.2]]
    >>> p = Predictions.from_arrays(["a", "b", "c"], {"m.proba": proba})
    >>> state = RocAucOvo().state
    >>> RocAucOvo().compute(state.summary(state.observe(p.rows("m")), p.schema)).round(4).tolist()
    [0.6667]
    """

    name = "roc_auc_ovo"
    average: Literal["macro", "weighted"] = "macro"
    reads = "score"
    tasks = frozenset({"multiclass"})
    needs = Ranked()
    undefined = "single_class"
    cases = ({"average": "weighted"},)
    oracle = "one_against_one(score)"

    def compute(self, summary: Ranking) -> Array:
        if type(summary) is not Ranking:
            raise UnsupportedError(
                f"{self} needs the scores of all rows, and these are too many to keep; use roc_auc"
            )
        shape = (0,) if summary.counts is None else (0, len(summary.counts))
        pairs = list(self._pairs(summary))
        areas = np.array([area for area, _ in pairs]).reshape(-1, *shape[1:]).T
        mass = np.ones_like(areas)
        if self.average == "weighted":
            mass = np.array([weight for _, weight in pairs]).reshape(-1, *shape[1:]).T
        return np.atleast_1d(mean_of_defined(areas, mass))

    def _pairs(self, summary: Ranking) -> Iterator[tuple[Array, Array]]:
        """Area and weight of every two classes, with the replicates as axis where there are any."""
        rows = [np.flatnonzero(summary.truth == code) for code in range(summary.schema.k)]
        for a, b in combinations(range(len(rows)), 2):
            if len(rows[a]) and len(rows[b]):
                curves = [_curves(summary, rows[i], rows[j], i) for i, j in ((a, b), (b, a))]
                areas = [np.concatenate([np.atleast_1d(area(c)) for c in of]) for of in curves]
                mass = np.concatenate(
                    [np.atleast_1d(np.add(c.positives, c.negatives)) for c in curves[0]]
                )
                yield (areas[0] + areas[1]).squeeze() / 2, mass.squeeze()


def _curves(summary: Ranking, positive: Array, negative: Array, code: int) -> list[Curve]:
    """The curve of rows `positive` against rows `negative` by the score of class `code`.

    Of replicates, where there are any: in blocks of them.
    """
    both = np.concatenate([positive, negative])
    weight = None if summary.weight is None else summary.weight[both]
    stratum = None
    if summary.counts is not None and summary.stratum is not None:
        stratum = summary.stratum[both]
    is_positive = np.arange(len(both)) < len(positive)
    score = summary.score[both, code]
    problem = RankingProblem.from_scores(is_positive, score, weight, stratum)
    if summary.counts is None:
        return [problem.curve]
    step = max(1, AT_ONCE // len(both))
    return [
        problem.resample(summary.counts[i : i + step]) for i in range(0, len(summary.counts), step)
    ]


def area(curve: Curve) -> Array:
    """Area under the ROC `curve`: negatives below each positive, and half of those at its score."""
    return ratio(scan_curve("area", *curve[1:]), 2 * np.multiply(curve.positives, curve.negatives))


def partial_area(curve: Curve, max_fpr: float) -> Array:
    """Area under the ROC `curve` up to the rate `max_fpr`, rescaled: 0.5 is chance, 1 perfect."""
    fpr, tpr = curve.roc
    width = np.diff(np.minimum(fpr, max_fpr), axis=-1)
    slope = np.nan_to_num(ratio(np.diff(tpr, axis=-1), np.diff(fpr, axis=-1)))
    part = (width * (tpr[..., :-1] + slope * width / 2)).sum(axis=-1)
    chance = max_fpr**2 / 2
    both = (np.asarray(curve.positives) > 0) & (np.asarray(curve.negatives) > 0)
    return np.where(both, (1 + (part - chance) / (max_fpr - chance)) / 2, np.nan)


def capture_share(curve: Curve, share: float) -> Array:
    """Share of the positive rows among the `share` of all rows of highest score.

    Rows of the `curve` that tie at the cut enter in part.
    """
    fpr, tpr = curve.roc
    positives = np.expand_dims(curve.positives, -1)
    negatives = np.expand_dims(curve.negatives, -1)
    rows = np.nan_to_num(fpr) * negatives + np.nan_to_num(tpr) * positives
    room = share * (positives + negatives) - rows[..., :-1]
    part = np.clip(np.nan_to_num(ratio(room, np.diff(rows, axis=-1))), 0.0, 1.0)
    gain = (np.diff(tpr, axis=-1) * part).sum(axis=-1)
    return np.where(np.asarray(curve.positives) > 0, gain, np.nan)


def check_share(name: str, share: float) -> None:
    """UnsupportedError unless `share` of metric `name` is a share of the rows."""
    if not 0 < share <= 1:
        raise UnsupportedError(f"share of {name} must be above 0 and at most 1; got {share}")
