"""threshold: the score from which on a binary model predicts the positive class.

It is chosen on some folds and judged on the others, or given by the costs of errors.

>>> from assay.table.predictions import Predictions
>>> proba = [0.1, 0.2, 0.3, 0.35, 0.4]
>>> p = Predictions.from_arrays([0, 0, 0, 1, 1] * 8, {"m.proba": proba * 8}, positive=1)
>>> result = tune_threshold(p, "m", "f1")
>>> round(result.threshold, 3), result.value, result.before
(0.325, 1.0, 0.0)
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, ClassVar, cast

import numpy as np

from assay.core.result import Result
from assay.core.text import TextTable, format_estimate, format_number
from assay.errors import UnsupportedError
from assay.intervals.procedures import compute_interval
from assay.intervals.replicates import Sample
from assay.intervals.resampling import compute_replicates, draw_buckets
from assay.io.arrays import accept_arrays
from assay.io.source import Source, open_table
from assay.kernels import Array
from assay.metrics.base import METRICS, Metric
from assay.metrics.calibration import ECE
from assay.metrics.cost import ExpectedCost, cost_matrix, cost_text
from assay.states.confusion import Confusion, ConfusionTable, Counts
from assay.states.null_band import null_band
from assay.states.reliability import Bins
from assay.table.buckets import BUCKETS, assign_buckets
from assay.table.folds import assign_folds
from assay.table.predictions import Predictions
from assay.table.schema import Schema

__all__ = ["Point", "Threshold", "closed_form", "tune_threshold"]

CONFIDENCE = 0.95
POINTS = 200


@dataclass(frozen=True)
class Point:
    """Metrics of predicting positive from `threshold` on, over the rows it was chosen on."""

    threshold: float
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, repr=False)
class Threshold(Result):
    """The threshold to use, and what it is worth on rows that it was not chosen on.

    `threshold` is chosen on all rows: scores of at least this are predicted positive. `value` in
    [`low`, `high`] is the metric with each fold decided by the threshold of the other folds
    (`of_folds`). `before` is the value of the model's own labels on the same rows (nan where it
    gives none); `gain` how much better `value` is, above 0 for every metric.
    `closed_form` is c_fp / (c_fp + c_fn), where costs were given and the model gives probabilities;
    `closed_form_value` is its value. `points` hold the trade-off of precision, recall and F1,
    thinned, for a chart.

    >>> from assay.table.predictions import Predictions
    >>> p = Predictions.from_arrays([0, 0, 1] * 20, {"m.proba": [0.2, 0.3, 0.4] * 20}, positive=1)
    >>> tune_threshold(p, "m").verdict
    'm: predict 1 from 0.35 on: f1 1.0000 [..., 1.0000]. Its own labels have 0.0000; better by ...'
    """

    schema_name: ClassVar[str] = "assay.threshold/1"

    model: str
    metric: str
    positive: Any
    threshold: float
    value: float
    low: float
    high: float
    before: float
    gain: float
    gain_low: float
    gain_high: float
    of_folds: tuple[float, ...]
    closed_form: float | None
    closed_form_value: float | None
    method: str
    n: int
    points: tuple[Point, ...]
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> tuple[Point, ...]:
        """The points of the trade-off: one tidy row each."""
        return self.points

    @property
    def verdict(self) -> str:
        """The answer in one sentence or two."""
        value = format_estimate(self.value, self.low, self.high)
        sentence = (
            f"{self.model}: predict {self.positive!r} from {self.threshold:.4g} on: "
            f"{self.metric} {value}."
        )
        if math.isnan(self.before):
            return sentence
        gain = f"{self.gain:+.4f} [{self.gain_low:+.4f}, {self.gain_high:+.4f}]"
        before = format_number(self.before)
        return f"{sentence} Its own labels have {before}; better by {gain}."

    @property
    def details(self) -> list[str]:
        """How the threshold was chosen and judged."""
        return [f"Method: {self.method}."]

    @property
    def tables(self) -> list[TextTable]:
        """Some points of the trade-off, evenly spread."""
        shown = self.points[:: max(1, len(self.points) // 8)]
        body = [[format_number(float(x)) for x in point.__dict__.values()] for point in shown]
        return [TextTable(["threshold", "precision", "recall", "f1"], body)]


@dataclass(frozen=True, eq=False)
class _Sweep:
    """The rows that may be chosen on, in falling order of score.

    `order` are their places in the table. `home` is the threshold that the model's own labels
    amount to, where the score is a probability.
    """

    schema: Schema
    order: Array
    score: Array
    positive: Array
    weight: Array
    fold: Array
    home: float | None

    @classmethod
    def from_model(cls, table: Predictions, model: str, fold: Array) -> "_Sweep":
        rows = table.rows(model)
        schema = table.schema
        has_proba = schema.offers(model, "proba")
        scores = rows.proba[:, schema.positive_code] if has_proba else rows.score
        score = np.asarray(scores, np.float64)
        order = np.argsort(-score, kind="stable")
        weight = np.ones(len(score)) if rows.weight is None else rows.weight
        positive = rows.truth == schema.positive_code
        home = 0.5 if has_proba else None
        return cls(schema, order, score[order], positive[order], weight[order], fold[order], home)

    def cuts(self, keep: Array) -> tuple[Array, Counts]:
        """Every threshold (m,) that decides the rows of `keep` differently, and its counts.

        They fall from "never positive" on.
        """
        score = self.score[keep]
        weight = self.weight[keep]
        positive = self.positive[keep]
        last = np.zeros(0, np.int64)
        if len(score):
            last = np.flatnonzero(np.append(score[1:] < score[:-1], True))
        tp = np.append(0.0, np.cumsum(weight * positive)[last])
        fp = np.append(0.0, np.cumsum(weight * ~positive)[last])
        levels = score[last]
        lower = np.append(levels[1:], levels[-1:])
        middle = levels / 2 + lower / 2
        # Neighbouring floats have nothing between them.
        middle = np.where(middle > lower, middle, levels)
        thresholds = np.append(np.nextafter(levels[:1], np.inf), middle)
        return thresholds, self.counts(tp, fp, tp[-1], fp[-1])

    def counts(self, tp: Array, fp: Array, positives: float, negatives: float) -> Counts:
        """Counts (m,) from the weights of true, false, all positives and all negatives."""
        yes = self.schema.positive_code
        no = 1 - yes
        table = np.zeros((len(tp), 2, 2))
        table[:, yes, yes] = tp
        table[:, no, yes] = fp
        table[:, yes, no] = positives - tp
        table[:, no, no] = negatives - fp
        right = np.diagonal(table, axis1=1, axis2=2)
        truth = table.sum(axis=2)
        predicted = table.sum(axis=1)
        total = np.full(len(tp), positives + negatives)
        all_right = right.sum(axis=1)
        classes = self.schema.classes
        return Counts(right, truth, predicted, total, all_right, table, yes, classes=classes)

    def best(self, metric: Metric, keep: Array) -> float:
        """The threshold of the best value of `metric` on the rows of `keep`.

        Of equally good ones that nearest to `home`.
        """
        thresholds, counts = self.cuts(keep)
        values = np.asarray(metric.compute(counts), np.float64) * metric.sign
        if np.isnan(values).all():
            raise UnsupportedError(
                f"{metric} is undefined ({metric.undefined}) at every threshold; nothing to choose"
            )
        good = np.flatnonzero(values >= np.nanmax(values) - 1e-12)
        if self.home is None:
            return float(thresholds[good[len(good) // 2]])
        return float(thresholds[good[np.argmin(np.abs(thresholds[good] - self.home))]])

    def points(self) -> tuple[Point, ...]:
        """The trade-off over all rows, from few positives to many, at evenly spaced recalls."""
        thresholds, counts = self.cuts(np.ones(len(self.score), bool))
        if len(thresholds) < 2:
            return ()
        columns = [
            np.asarray(METRICS.parse(name).bind(self.schema).compute(counts))
            for name in ("precision", "recall", "f1")
        ]
        tp = counts.select_class(self.schema.positive_code).tp
        recall = tp / max(float(tp[-1]), 1e-300)
        place = np.searchsorted(recall, np.linspace(0, 1, POINTS))
        last = len(thresholds) - 1
        shown = np.unique(np.clip(np.concatenate([[1], place, [last]]), 1, last))
        return tuple(Point(float(thresholds[i]), *(float(c[i]) for c in columns)) for i in shown)


@dataclass(frozen=True, eq=False)
class _Decided:
    """Rows with labels decided elsewhere, as the confusion state observes them."""

    schema: Schema
    truth: Array
    label: Array
    weight: Array | None


@accept_arrays
def tune_threshold(
    predictions: Source,
    model: str | None = None,
    metric: str | Metric = "f1",
    *,
    costs: str | Sequence[float] | Sequence[Sequence[float]] | None = None,
    folds: int = 5,
    seed: int = 0,
    where: str | None = None,
) -> Threshold:
    """The threshold of a binary model that is best by a metric, cross-validated.

    Each fold is decided by the threshold that is best on the others, so the value given was never
    chosen on the rows it is of. Training rows are left out.

    Parameters:
        predictions: A table of a binary task, a `Stream`, a data frame, the path of a file or of
            several, or the truth followed by what models predict, as for `evaluate`.
        model: The model to tune; default: the only one of the table.
        metric: A metric of labels with one value; default f1.
        costs: What a false positive and what a false negative cost, as in (1, 5), or the cost of
            each kind of decision as for `expected_cost`, as in "0 1;5 0" (rows truth, columns
            prediction, in the order of the classes; what right decisions cost is taken off):
            `metric` is then the expected cost. If the probabilities are calibrated (their ECE lies
            in its null band) the closed form c_fp / (c_fp + c_fn) is used, else the empirical
            threshold.
        folds: Folds drawn at random, whole clusters together, where the table has no fold column;
            default 5.
        seed: Of the folds and of the bootstrap; default 0.
        where: Which rows to take, as in 'split == "test"' (see `Predictions.where`); default: all
            but those of a training split.

    Raises:
        UnsupportedError: The task is not binary, the metric does not read labels, or it is
            undefined at every threshold.

    >>> from assay.table.predictions import Predictions
    >>> p = Predictions.from_arrays([0, 0, 1] * 20, {"m.proba": [0.2, 0.3, 0.4] * 20}, positive=1)
    >>> round(tune_threshold(p, "m", costs=(1, 5)).threshold, 2)
    0.35
    """
    table = open_table(predictions, in_memory=True, where=where)
    if model is None:
        model = _find_only_model(table)
    if table.task != "binary":
        raise UnsupportedError(
            f"a threshold is for binary tasks; this table's task is {table.task}"
        )
    pair = None if costs is None else _pair_costs(costs, table.schema)
    bound = _resolve_metric(metric, pair, table.schema)
    all_folds, notes = assign_folds(table, folds, seed)
    table = table.take(all_folds >= 0)
    fold = all_folds[all_folds >= 0]
    ids = np.unique(fold)
    sweep = _Sweep.from_model(table, model, fold)
    chosen = sweep.best(bound, np.ones(table.n, bool))
    of_folds: tuple[float, ...] = ()
    cut: Array | float = chosen
    if len(ids) > 1:
        of_folds = tuple(sweep.best(bound, sweep.fold != f) for f in ids)
        cut = np.array(of_folds)[np.searchsorted(ids, fold)]
    score = np.empty(table.n)
    score[sweep.order] = sweep.score
    judge = _Judge(table, model, bound, seed)
    value, low, high = judge.estimate(score >= cut)
    before, (gain, gain_low, gain_high) = judge.gain(score >= cut)
    result = Threshold(
        model=model,
        metric=str(METRICS.parse(metric) if pair is None else bound),
        positive=table.schema.positive,
        threshold=chosen,
        value=value,
        low=low,
        high=high,
        before=before,
        gain=gain,
        gain_low=gain_low,
        gain_high=gain_high,
        of_folds=of_folds,
        closed_form=None,
        closed_form_value=None,
        method=notes[0].rstrip("."),
        n=table.n,
        points=sweep.points(),
        notes=(*notes[1:], *table.notes),
    )
    return result if pair is None else _apply_costs(result, judge, score, pair)


def _find_only_model(table: Predictions) -> str:
    if len(table.models) > 1:
        raise UnsupportedError(
            f"the table has {len(table.models)} models: {', '.join(table.models[:5])}; name the "
            f"one to tune, as in model={table.models[0]!r}"
        )
    return table.models[0]


def _pair_costs(costs: Any, schema: Schema) -> Sequence[float]:
    """What a false positive and a false negative cost, of these two or of a cost of each decision.

    A matrix has rows of truth and columns of predictions, in the order of the classes.
    """
    is_matrix = isinstance(costs, str) or np.ndim(costs) == 2
    if not is_matrix:
        return cast("Sequence[float]", costs)
    matrix = cost_matrix(costs)
    if matrix.shape != (2, 2):
        raise UnsupportedError(
            f"costs of a binary task are two numbers, of a false positive and a false negative, or "
            f"a matrix of 2 x 2; got {costs!r}"
        )
    yes = schema.positive_code
    no = 1 - yes
    pair = (float(matrix[no, yes] - matrix[no, no]), float(matrix[yes, no] - matrix[yes, yes]))
    if min(pair) < 0:
        raise UnsupportedError(
            f"costs {costs!r} make a wrong decision cheaper than the right one; rows are the "
            f"truth, columns the prediction, in the order of the classes {schema.classes}"
        )
    return pair


def closed_form(costs: Sequence[float]) -> float:
    """The threshold on a calibrated probability under the `costs` of the two errors.

    c_fp / (c_fp + c_fn), of a false positive and a false negative: there both decisions cost the
    same. Source: Elkan (2001), IJCAI, 973-978.

    >>> closed_form((1, 4))
    0.2
    """
    numbers = isinstance(costs, Sequence) and all(isinstance(c, Real) for c in costs)
    if not numbers or len(costs) != 2 or min(costs) < 0 or not 0 < sum(costs) < math.inf:
        raise UnsupportedError(
            f"costs must be two numbers of at least 0, of a false positive and a false negative, "
            f"not both 0; got {costs!r}"
        )
    return float(costs[0] / (costs[0] + costs[1]))


def _resolve_metric(metric: str | Metric, costs: Sequence[float] | None, schema: Schema) -> Metric:
    if costs is not None:
        closed_form(costs)
        yes = schema.positive_code
        no = 1 - yes
        matrix = np.zeros((2, 2))
        matrix[no, yes] = costs[0]
        matrix[yes, no] = costs[1]
        return ExpectedCost(cost_text(matrix)).bind(schema)
    bound = METRICS.parse(metric).bind(schema)
    if bound.state != Confusion() or bound.granularity != "table":
        raise UnsupportedError(
            f"a threshold decides labels: choose it by a metric of labels with one value, such as "
            f"f1; got {bound}"
        )
    return bound


@dataclass(frozen=True, eq=False)
class _Judge:
    """The value of decisions, and their gain on the model's own labels, by a bootstrap of buckets.

    Decisions are (n,), whether each row is predicted positive.
    """

    table: Predictions
    model: str
    metric: Metric
    seed: int

    def estimate(self, decisions: Array) -> tuple[float, float, float]:
        """The value of the `decisions` and its interval."""
        sample = Sample(
            state=Confusion(),
            value=self._observe(self._codes(decisions)),
            schema=self.table.schema,
            bucketed=True,
            clustered="cluster" in self.table.columns,
            seed=self.seed,
        )
        low, high, _ = compute_interval(self.metric, sample, CONFIDENCE)
        return float(self.metric.estimate(sample.summary)[0]), float(low[0]), float(high[0])

    def gain(self, decisions: Array) -> tuple[float, tuple[float, float, float]]:
        """The value of the model's own labels, and the gain of `decisions` with interval."""
        schema = self.table.schema
        if not schema.offers(self.model, "label"):
            return math.nan, (math.nan, math.nan, math.nan)
        tuned = self._observe(self._codes(decisions))
        labels = self._observe(self.table.rows(self.model).label)
        whole = np.ones((1, BUCKETS), np.int64)
        sign = self.metric.sign
        after = self._compute(tuned, whole)[0]
        before = self._compute(labels, whole)[0]
        counts = draw_buckets(tuned.rows, np.random.default_rng(self.seed))
        draws = sign * (self._compute(tuned, counts) - self._compute(labels, counts))
        draws = draws[~np.isnan(draws)]
        tail = (1 - CONFIDENCE) / 2
        low, high = np.quantile(draws, [tail, 1 - tail]) if len(draws) else (math.nan, math.nan)
        gain = sign * (after - before)
        return float(before), (float(gain), float(np.fmin(low, gain)), float(np.fmax(high, gain)))

    def _codes(self, decisions: Array) -> Array:
        code = self.table.schema.positive_code
        return np.where(decisions, code, 1 - code)

    def _observe(self, label: Array) -> ConfusionTable:
        p = self.table
        decided: Any = _Decided(p.schema, p.truth, label, p.weight)
        return Confusion().observe(decided, assign_buckets(p), BUCKETS)

    def _compute(self, value: ConfusionTable, counts: Array) -> Array:
        return compute_replicates(self.metric, Confusion(), value, counts, self.table.schema)


def _apply_costs(
    result: Threshold, judge: _Judge, score: Array, costs: Sequence[float]
) -> Threshold:
    """The result with the closed form, used where the probabilities are calibrated."""
    if not judge.table.schema.offers(judge.model, "proba"):
        return result
    threshold = closed_form(costs)
    value, low, high = judge.estimate(score >= threshold)
    result = replace(result, closed_form=threshold, closed_form_value=value)
    bins = Bins().observe(judge.table.rows(judge.model))
    ece = float(ECE().compute(bins)[0])
    most = null_band(bins).high
    if ece > most:
        note = (
            f"The probabilities are not calibrated (ECE {ece:.2g}, above {most:.2g}), so the "
            f"closed form is not used."
        )
        return replace(result, notes=(*result.notes, note))
    before, (gain, gain_low, gain_high) = judge.gain(score >= threshold)
    return replace(
        result,
        threshold=threshold,
        value=value,
        low=low,
        high=high,
        before=before,
        gain=gain,
        gain_low=gain_low,
        gain_high=gain_high,
        method=(
            f"closed form c_fp / (c_fp + c_fn): the probabilities are calibrated (ECE {ece:.2g}, "
            f"within {most:.2g})"
        ),
    )
