"""Metrics of how a row's labels are ranked: true labels should score above the others.

Ties count against the model: a label's rank is the number of labels that score at least as much.

>>> LRAP()([[1, 0, 0], [0, 0, 1]], [[0.75, 0.5, 1.0], [1.0, 0.2, 0.1]])
0.4167
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias, get_args

import numpy as np

from assay.errors import UnsupportedError
from assay.kernels import Array
from assay.metrics.base import MULTILABEL, IntervalMethod, Metric, PairedMethod, RowMetric, ratio
from assay.states.base import State
from assay.states.moments import Moments, Sums
from assay.table.rows import Rows
from assay.table.schema import Kind, Schema, Task

__all__ = [
    "DCG",
    "LRAP",
    "MRR",
    "NDCG",
    "CoverageError",
    "MeanAveragePrecision",
    "OneError",
    "RankingLoss",
]

SEVERAL: frozenset[Task] = frozenset({"multiclass", "multilabel"})
AT_ONCE = 1 << 20  # scores that are sorted at a time
GainKind: TypeAlias = Literal["linear", "exponential"]
SCORES: tuple[Kind, ...] = ("score", "proba", "logit")


class LRAP(RowMetric):
    """Of the labels ranked at least as high as a true one, the share that is true.

    Label ranking average precision:
    mean over rows of the mean over their true labels of (true labels with score >= its) / (labels
    with score >= its): in (0, 1], 1 is perfect, higher is better. A row whose labels are all true,
    or none, counts 1.
    Undefined (no_samples) without rows. Same value as scikit-learn's
    label_ranking_average_precision_score.
    Source: Tsoumakas, Katakis & Vlahavas (2010), Data Mining and Knowledge Discovery Handbook,
    667-685.

    >>> LRAP()([[1, 0, 0], [0, 0, 1]], [[0.75, 0.5, 1.0], [1.0, 0.2, 0.1]])
    0.4167
    """

    name = "lrap"
    reads = "score"
    tasks = MULTILABEL
    oracle = "sklearn.metrics.label_ranking_average_precision_score(y, proba, sample_weight=w)"

    def compute_rows(self, rows: Rows) -> Array:
        return rows.label_ranking[0]


class CoverageError(RowMetric):
    """How far down the ranking one must go to have every true label; lower is better.

    At best the number of true labels.
    mean over rows of the lowest rank of a true label, in [0, labels]; a row without true labels
    counts 0.
    Undefined (no_samples) without rows. Same value as scikit-learn's coverage_error.
    Source: Tsoumakas, Katakis & Vlahavas (2010), Data Mining and Knowledge Discovery Handbook,
    667-685.

    >>> CoverageError()([[1, 0, 0], [0, 0, 1]], [[0.75, 0.5, 1.0], [1.0, 0.2, 0.1]])
    2.5
    """

    name = "coverage_error"
    better = "lower"
    bounds = (0.0, float("inf"))
    reads = "score"
    tasks = MULTILABEL
    oracle = "sklearn.metrics.coverage_error(y, proba, sample_weight=w)"

    def compute_rows(self, rows: Rows) -> Array:
        return np.asarray(rows.label_ranking[2], np.float64)


class RankingLoss(RowMetric):
    """Share of the pairs of a true and a false label that are ranked the wrong way.

    In [0, 1], lower is better.
    mean over rows; a tied pair is wrong, and a row whose labels are all true, or none, counts 0.
    Undefined (no_samples) without rows. Same value as scikit-learn's label_ranking_loss.
    Source: Tsoumakas, Katakis & Vlahavas (2010), Data Mining and Knowledge Discovery Handbook,
    667-685.

    >>> RankingLoss()([[1, 0, 0], [0, 0, 1]], [[0.75, 0.5, 1.0], [1.0, 0.2, 0.1]])
    0.75
    """

    name = "ranking_loss"
    better = "lower"
    reads = "score"
    tasks = MULTILABEL
    oracle = "sklearn.metrics.label_ranking_loss(y, proba, sample_weight=w)"

    def compute_rows(self, rows: Rows) -> Array:
        return rows.label_ranking[1]


class LabelOrder(NamedTuple):
    """Labels of a block of rows from the highest score down (b, k)."""

    true: Array  # whether the label there is true; of graded relevance, its gain
    start: Array  # how many labels score more
    end: Array  # how many score at least as much: the rank, ties counted against the model
    hits: Array  # how many of those `end` are true; of graded relevance, the sum of their gains
    relevant: Array  # (b,) how many labels are true, or have a gain


class LabelRanking(Metric):
    """Base of means over rows of how each row's labels are ranked.

    Subclasses write only `score_lists`.

    Rows for which the value is not defined are left out of the mean, and the note says how many.
    """

    reads = "score"
    tasks = MULTILABEL
    left_out: ClassVar[bool] = False  # whether rows without a true label are left out
    undefined = "no_positive"

    @abstractmethod
    def score_lists(self, o: LabelOrder) -> Array:
        """The value of each row of a block (b,), from the order `o` of its labels."""

    @property
    def state(self) -> State[Any]:
        return Moments(self, width=2)

    def compute_rows(self, rows: Rows) -> Array:
        if not len(rows.truth):
            return np.zeros((0, 2))
        blocks = iterate_blocks(rows, self.convert_grades)
        return np.concatenate([self._block(ordered) for ordered in blocks])

    def convert_grades(self, grades: Array) -> Array:
        """What each of the `grades` of relevance (b, k) gains: itself, if no subclass differs."""
        return grades

    def _block(self, o: LabelOrder) -> Array:
        counts = o.relevant > 0 if self.left_out else np.ones(len(o.relevant), bool)
        return np.stack([np.where(counts, self.score_lists(o), 0.0), counts], axis=1)

    def compute(self, summary: Sums) -> Array:
        return ratio(summary.mean[..., 0], summary.mean[..., 1])

    def interval(self, schema: Schema) -> IntervalMethod:
        return "bootstrap" if self.left_out and schema.task == "multilabel" else "t"

    def pairing(self, schema: Schema) -> PairedMethod:
        return "bootstrap" if self.interval(schema) == "bootstrap" else "t"

    def note(self, summary: Sums, schema: Schema) -> str:
        out = 1 - float(summary.mean[0, 1])
        return f"{out:.2%} of the weight has no true label and is left out" if out > 0 else ""


class OneError(LabelRanking):
    """Share of rows whose highest label is not true: in [0, 1], lower is better.

    Where several labels tie for the highest, a row counts as the share of them that is not true. A
    row without true labels counts 1. Undefined (no_samples) without rows.
    Same value as the mean over rows of 1 - the truth of the label of the highest score, where there
    are no ties.
    Source: Schapire & Singer (2000), Machine Learning 39:135-168.

    >>> OneError()([[1, 0, 0], [0, 0, 1]], [[0.9, 0.5, 0.1], [1.0, 0.2, 0.1]])
    0.5
    """

    name = "one_error"
    better = "lower"
    undefined = "no_samples"
    oracle = "one_error(proba)"

    def score_lists(self, o: LabelOrder) -> Array:
        return np.asarray(1 - o.hits[:, 0] / o.end[:, 0])


class Retrieval(LabelRanking):
    """Base of metrics of ranked lists.

    A row is a query, its labels are the documents, and the true ones are relevant.
    """

    tasks = SEVERAL
    left_out = True


class MRR(Retrieval):
    """Mean reciprocal rank: how high the first true label is.

    In (0, 1], 1 is always on top, higher is better.
    mean over rows of 1 / (labels that score at least as much as the best true one); several
    classes: of the true class.
    Rows without a true label are left out. Undefined (no_positive) where there is no other.
    Same value as scikit-learn's label_ranking_average_precision_score where a row has one true
    label.
    Source: Voorhees (1999), TREC-8 question answering track report.

    >>> MRR()(["a", "b"], [[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]], classes=["a", "b", "c"])
    0.75
    """

    name = "mrr"
    oracle = "over_rows(lambda y, s: 1 / (s >= s[y == 1].max()).sum())"

    def score_lists(self, o: LabelOrder) -> Array:
        return np.asarray(1 / np.where(o.true > 0, o.end, o.true.shape[1]).min(axis=1))


class CutOff(Retrieval):
    """Base of metrics of the first k places.

    Subclasses have a field `k`, None for the whole list.
    """

    k: int | None

    def __post_init__(self) -> None:
        if self.k is not None and self.k < 1:
            raise UnsupportedError(
                f"k of {self.name} must be at least 1, or none for the whole list; got {self.k}"
            )

    def count_places(self, o: LabelOrder) -> int:
        """How many places of the order `o` count."""
        labels: int = o.true.shape[1]
        return labels if self.k is None else min(self.k, labels)


@dataclass(frozen=True)
class MeanAveragePrecision(CutOff):
    """Mean over rows of the average precision of their ranked labels.

    In [0, 1], 1 is perfect, higher is better. Of a row: sum over its true labels ranked in the
    first k of (true labels with score >= its) / rank, divided by the smaller of k and the number of
    its true labels. k: none for the whole list.
    Rows without a true label are left out. Undefined (no_positive) where there is no other.
    Same value as scikit-learn's label_ranking_average_precision_score on the rows with a true label
    (k none).
    Source: Manning, Raghavan & Schuetze (2008), Introduction to Information Retrieval, section 8.4.

    >>> MeanAveragePrecision()([[1, 0, 1]], [[0.9, 0.8, 0.7]])
    0.8333
    """

    name = "map"
    k: int | None = None
    cases = ({"k": 1}, {"k": 2})
    oracle = (
        "sklearn.metrics.label_ranking_average_precision_score(**relevant) if m.k is None "
        "else over_rows(average_precision_at(m.k))"
    )

    def score_lists(self, o: LabelOrder) -> Array:
        places = self.count_places(o)
        precisions = (o.true * (o.end <= places) * o.hits / o.end).sum(axis=1)
        return np.asarray(precisions / np.clip(o.relevant, 1, places))


@dataclass(frozen=True)
class Gain(CutOff):
    """Base of metrics of the gain of true labels, or of graded relevance, by place.

    Subclasses have a field `gain`.
    """

    k: int | None = None
    gain: GainKind = "linear"

    reads_grades = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.gain not in get_args(GainKind):
            raise UnsupportedError(
                f"gain of {self.name} must be linear or exponential; got {self.gain!r}"
            )

    def convert_grades(self, grades: Array) -> Array:
        return np.asarray(np.exp2(grades) - 1 if self.gain == "exponential" else grades)


@dataclass(frozen=True)
class NDCG(Gain):
    """Discounted gain of the true labels in the first k places, as a share of the best there is.

    Normalised discounted cumulative gain: mean over rows of DCG / its largest value, with DCG = sum
    over the first k places i of gain / log2(1 + i); tied labels share the mean of their places.
    The gain of a label is 1 where it is true and 0 where not; of graded relevance r, r itself
    (gain=linear) or 2^r - 1 (gain=exponential).
    In [0, 1], 1 is perfect, higher is better. k: none for the whole list.
    Rows without a true label are left out. Undefined (no_positive) where there is no other.
    Same value as scikit-learn's ndcg_score on the rows with a true label (gain=linear).
    Sources: Jarvelin & Kekalainen (2002), ACM TOIS 20:422-446; ties: McSherry & Najork (2008),
    ECIR, 414-421; exponential gain: Burges et al. (2005), ICML, 89-96.

    >>> NDCG(k=2)([[1, 0, 1]], [[0.9, 0.8, 0.7]])
    0.6131
    """

    name = "ndcg"
    cases = ({"k": 1}, {"k": 3}, {"gain": "exponential"})
    oracle = "sklearn.metrics.ndcg_score(**relevant, k=m.k)"

    def score_lists(self, o: LabelOrder) -> Array:
        gain, discount = discount_gain(o, self.count_places(o))
        if o.true.dtype.kind == "f":
            return np.asarray(ratio(gain, -np.sort(-o.true, axis=1) @ discount))
        return np.asarray(gain / np.cumsum(discount)[np.maximum(o.relevant, 1) - 1])


@dataclass(frozen=True)
class DCG(Gain):
    """Discounted cumulative gain: true labels in the first k places, higher places counting more.

    In [0, inf); higher.
    mean over rows of sum over the first k places i of gain / log2(1 + i); tied labels share the
    mean of their places. The gain of a label is 1 where it is true and 0 where not; of graded
    relevance r, r itself (gain=linear) or 2^r - 1 (gain=exponential).
    It grows with the number of true labels of a row: `ndcg` divides by the most a row can have. k:
    none for the whole list. Rows without a true label are left out. Undefined (no_positive) where
    there is no other.
    Same value as scikit-learn's dcg_score on the rows with a true label (gain=linear).
    Sources: Jarvelin & Kekalainen (2002), ACM TOIS 20:422-446; ties: McSherry & Najork (2008),
    ECIR, 414-421; exponential gain: Burges et al. (2005), ICML, 89-96.

    >>> DCG(k=2)([[1, 0, 1]], [[0.9, 0.8, 0.7]])
    1
    """

    name = "dcg"
    bounds = (0.0, float("inf"))
    cases = ({"k": 1}, {"k": 3}, {"gain": "exponential"})
    oracle = "sklearn.metrics.dcg_score(**relevant, k=m.k)"

    def score_lists(self, o: LabelOrder) -> Array:
        return discount_gain(o, self.count_places(o))[0]


def discount_gain(o: LabelOrder, places: int) -> tuple[Array, Array]:
    """Discounted gain of each row over the first `places` (b,), and what each place counts (k,).

    `o` is the order of the labels of a block of rows.
    """
    discount = 1 / np.log2(np.arange(2, o.true.shape[1] + 2))
    discount[places:] = 0.0
    before = np.concatenate([np.zeros((len(o.true), 1)), np.cumsum(o.true, axis=1)], axis=1)
    gain = (o.hits - np.take_along_axis(before, o.start, axis=1)) / (o.end - o.start)
    return np.asarray(gain @ discount), discount


def iterate_blocks(
    rows: Rows, convert_grades: Callable[[Array], Array] = np.asarray
) -> Iterator[LabelOrder]:
    """The labels of all `rows` in order of their scores, in blocks whose buffers stay small.

    `convert_grades` says what grades of relevance (b, k) gain.
    """
    # Of these any gives the order; the log odds that `rows.score` makes of logits take longer.
    score = next(rows.outputs[kind] for kind in SCORES if kind in rows.outputs)
    step = max(1, AT_ONCE // max(score.shape[1], 1))
    for begin in range(0, len(score), step):
        truth = rows.truth[begin : begin + step]
        if truth.ndim == 1:
            truth = truth[:, None] == np.arange(score.shape[1])
        elif rows.schema.graded:
            truth = convert_grades(truth)
        yield order_labels(truth, np.asarray(score[begin : begin + step]))


def order_labels(truth: Array, score: Array) -> LabelOrder:
    """Labels from the highest `score` (b, k) down, with their `truth` or their gain (b, k).

    >>> order_labels(np.array([[1, 0, 1]]), np.array([[0.5, 0.9, 0.5]])).end.tolist()
    [[1, 3, 3]]
    """
    k = score.shape[1]
    order = np.argsort(-score, axis=1, kind="stable")
    ranked = np.take_along_axis(score, order, axis=1)
    true = np.take_along_axis(truth, order, axis=1)
    true = true if true.dtype.kind == "f" else true.astype(np.int64)
    differs = ranked[:, 1:] != ranked[:, :-1]
    edge = np.ones((len(score), 1), bool)
    place = np.arange(k)
    starts = np.where(np.concatenate([edge, differs], axis=1), place, 0)
    start = np.maximum.accumulate(starts, axis=1)
    ends = np.where(np.concatenate([differs, edge], axis=1), place + 1, k)
    end = np.minimum.accumulate(ends[:, ::-1], axis=1)[:, ::-1]
    hits = np.take_along_axis(np.cumsum(true, axis=1), end - 1, axis=1)
    return LabelOrder(true, start, end, hits, (true > 0).sum(axis=1))
