"""threshold: from which score on to say yes. Chosen on some folds and judged on the others, or given by the costs.

>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays([0, 0, 0, 1, 1] * 8, {"m.proba": [0.1, 0.2, 0.3, 0.35, 0.4] * 8}, positive=1)
>>> found = tune_threshold(p, "m", "f1")
>>> round(found.tune_threshold, 3), found.value, found.before
(0.325, 1.0, 0.0)
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from assay.core.result import Result
from assay.core.text import TextTable, format_number
from assay.errors import UnsupportedError
from assay.intervals.procedures import interval
from assay.intervals.replicates import Sample
from assay.intervals.resampling import compute_replicates, draw_buckets
from assay.io.source import Source, open_table
from assay.kernels import Array
from assay.metrics.base import METRICS, Metric
from assay.metrics.calibration import ECE
from assay.metrics.cost import ExpectedCost, cost_text
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
    """What the model does if it says yes from `tune_threshold` on, over the rows the threshold was chosen on."""

    threshold: float
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, repr=False)
class Threshold(Result):
    """The threshold to use, and what it is worth on rows that it was not chosen on.

    threshold: chosen on all rows; say yes to scores of at least this.  value in [low, high]: the figure of `metric`
    with each fold decided by the threshold of the other folds (`of_folds`).  before: the figure of the model's own
    labels on the same rows (nan where it gives none); gain: how much better `value` is, above 0 is better, whichever
    way the metric goes.  closed_form: c_fp / (c_fp + c_fn), where costs were given and the model gives probabilities;
    closed_form_value: its figure.  points: the trade-off of precision, recall and F1, thinned, for a chart.
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
        shown = (
            f"{format_number(self.value)} [{format_number(self.low)}, {format_number(self.high)}]"
        )
        said = f"{self.model}: say {self.positive!r} from {self.threshold:.4g} on: {self.metric} {shown}."
        if math.isnan(self.before):
            return said
        gain = f"{self.gain:+.4f} [{self.gain_low:+.4f}, {self.gain_high:+.4f}]"
        return f"{said} Its own labels have {format_number(self.before)}; better by {gain}."

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
    """The rows that may be chosen on, in falling order of score."""

    schema: Schema
    order: Array  # their places in the table
    score: Array
    positive: Array
    weight: Array
    fold: Array
    home: (
        float | None
    )  # the threshold that its own labels amount to, where the score is a probability

    def cuts(self, keep: Array) -> tuple[Array, Counts]:
        """Every threshold that decides those rows differently (m,), from "never" down, and the counts it gives."""
        score, weight, truth = self.score[keep], self.weight[keep], self.positive[keep]
        last = (
            np.flatnonzero(np.append(score[1:] < score[:-1], True))
            if len(score)
            else np.zeros(0, np.int64)
        )
        tp, fp = (np.append(0.0, np.cumsum(weight * of)[last]) for of in (truth, ~truth))
        own = score[last]
        lower = np.append(own[1:], own[-1:])
        between = own / 2 + lower / 2
        between = np.where(
            between > lower, between, own
        )  # neighbouring floats have nothing between them
        return np.append(np.nextafter(own[:1], np.inf), between), self.counts(
            tp, fp, tp[-1], fp[-1]
        )

    def counts(self, tp: Array, fp: Array, positives: float, negatives: float) -> Counts:
        """Counts (m,) from what is found and what is falsely found."""
        code, table = self.schema.positive_code, np.zeros((len(tp), 2, 2))
        table[:, code, code], table[:, 1 - code, code] = tp, fp
        table[:, code, 1 - code], table[:, 1 - code, 1 - code] = positives - tp, negatives - fp
        right = np.diagonal(table, axis1=1, axis2=2)
        truth, said, total = (
            table.sum(axis=2),
            table.sum(axis=1),
            np.full(len(tp), positives + negatives),
        )
        return Counts(right, truth, said, total, right.sum(axis=1), table, code)

    def best(self, metric: Metric, keep: Array) -> float:
        """The threshold of the best figure on those rows; of equally good ones that nearest to no change."""
        cuts, counts = self.cuts(keep)
        figures = np.asarray(metric.compute(counts), np.float64) * (metric.sign)
        if np.isnan(figures).all():
            raise UnsupportedError(
                f"{metric} is undefined ({metric.undefined}) at every threshold; nothing to choose"
            )
        good = np.flatnonzero(figures >= np.nanmax(figures) - 1e-12)
        if self.home is None:
            return float(cuts[good[len(good) // 2]])
        return float(cuts[good[np.argmin(np.abs(cuts[good] - self.home))]])


@dataclass(frozen=True, eq=False)
class _Decided:
    """Rows with labels decided elsewhere, as the confusion state observes them."""

    schema: Schema
    truth: Array
    label: Array
    weight: Array | None


def tune_threshold(
    predictions: Source,
    model: str,
    metric: str | Metric = "f1",
    *,
    costs: Sequence[float] | None = None,
    folds: int = 5,
    seed: int = 0,
) -> Threshold:
    """The threshold of a binary model that is best by `metric`, chosen and judged by inner cross-validation.

    Each fold (those of the fold column, or `folds` dealt at random, whole clusters together) is decided by the
    threshold that is best on the others, so the figure given was never chosen on the rows it is of.  costs: what a false
    positive and what a false negative cost, as in (1, 5); `metric` is then the expected cost.  If the probabilities are
    calibrated (their ECE lies in its null band) the closed form c_fp / (c_fp + c_fn) is used, else the empirical one.

    Rows of split 'train' are left out.  UnsupportedError for other tasks, and for metrics that do not read labels.
    """
    predictions = open_table(predictions, in_memory=True)
    if predictions.task != "binary":
        raise UnsupportedError(
            f"a threshold is for binary tasks; this table's task is {predictions.task}"
        )
    schema = predictions.schema
    settled = _resolve_metric(metric, costs, schema)
    fold, notes = assign_folds(predictions, folds, seed)
    table, fold = predictions.take(fold >= 0), fold[fold >= 0]
    sweep, ids = _sweep(table, model, fold), np.unique(fold)
    of_folds = tuple(sweep.best(settled, sweep.fold != f) for f in ids) if len(ids) > 1 else ()
    chosen = sweep.best(settled, np.ones(table.n, bool))
    score = np.empty(table.n)
    score[sweep.order] = sweep.score
    cut = np.array(of_folds)[np.searchsorted(ids, fold)] if of_folds else chosen
    judge = _Judge(table, model, settled, seed)
    found = judge.judged(score >= cut, chosen, of_folds, notes, _points(sweep))
    found = replace(found, metric=str(METRICS.parse(metric) if costs is None else settled))
    return found if costs is None else _apply_costs(found, judge, score, costs)


def closed_form(costs: Sequence[float]) -> float:
    """The threshold on a calibrated probability under the costs of a false positive and of a false negative.

    c_fp / (c_fp + c_fn): where both decisions cost the same. Source: Elkan (2001), IJCAI, 973-978.

    >>> closed_form((1, 4))
    0.2
    """
    if len(costs) != 2 or not all(math.isfinite(c) and c >= 0 for c in costs) or not sum(costs):
        raise UnsupportedError(
            f"costs must be two numbers of at least 0, of a false positive and a false negative, not both 0; got {costs}"
        )
    return float(costs[0] / (costs[0] + costs[1]))


def _resolve_metric(metric: str | Metric, costs: Sequence[float] | None, schema: Schema) -> Metric:
    if costs is not None:
        closed_form(costs)
        matrix = np.zeros((2, 2))
        code = schema.positive_code
        matrix[1 - code, code], matrix[code, 1 - code] = costs
        return ExpectedCost(cost_text(matrix)).bind(schema)
    found = METRICS.parse(metric).bind(schema)
    if found.state != Confusion() or found.granularity != "table":
        raise UnsupportedError(
            f"a threshold decides labels: choose it by one figure of labels, such as f1; got {found}"
        )
    return found


def _sweep(table: Predictions, model: str, fold: Array) -> _Sweep:
    """The rows in falling order of score."""
    rows, schema = table.rows(model), table.schema
    graded = schema.offers(model, "proba")
    score = np.asarray(rows.proba[:, schema.positive_code] if graded else rows.score, np.float64)
    order = np.argsort(-score, kind="stable")
    weight = np.ones(len(score)) if rows.weight is None else rows.weight
    positive = rows.truth == schema.positive_code
    home = 0.5 if graded else None
    return _Sweep(schema, order, score[order], positive[order], weight[order], fold[order], home)


@dataclass(frozen=True, eq=False)
class _Judge:
    """The figures of decisions, and of the gain on the model's own labels, by a bootstrap of buckets of rows."""

    table: Predictions
    model: str
    metric: Metric
    seed: int

    def judged(
        self,
        yes: Array,
        chosen: float,
        of_folds: tuple[float, ...],
        notes: tuple[str, ...],
        points: tuple[Point, ...],
    ) -> Threshold:
        """The result for decisions `yes` (n,)."""
        p = self.table
        value, low, high = self.figure(yes)
        before, gain = self.gain(yes)
        text, positive, method = str(self.metric), p.schema.positive, notes[0].rstrip(".")
        return Threshold(
            self.model, text, positive, chosen, value, low, high, before, *gain, of_folds, None, None, method, p.n,
            points, notes[1:],
        )  # fmt: skip

    def figure(self, yes: Array) -> tuple[float, float, float]:
        """The figure of decisions `yes` and its interval."""
        sample = Sample(
            Confusion(),
            self._table(self._codes(yes)),
            self.table.schema,
            True,
            self._clustered,
            self.seed,
        )
        low, high, _ = interval(self.metric, sample, CONFIDENCE)
        return float(self.metric.estimate(sample.summary)[0]), float(low[0]), float(high[0])

    def gain(self, yes: Array) -> tuple[float, tuple[float, float, float]]:
        """The figure of the model's own labels, and by how much `yes` is better, with an interval."""
        schema = self.table.schema
        if not schema.offers(self.model, "label"):
            return math.nan, (math.nan, math.nan, math.nan)
        values = [
            self._table(labels) for labels in (self._codes(yes), self.table.rows(self.model).label)
        ]
        times = draw_buckets(values[0].rows, np.random.default_rng(self.seed))
        whole = np.ones((1, BUCKETS), np.int64)
        sign = self.metric.sign
        after, before = (self._compute(value, whole)[0] for value in values)
        draws = sign * (self._compute(values[0], times) - self._compute(values[1], times))
        draws = draws[~np.isnan(draws)]
        tail = (1 - CONFIDENCE) / 2
        low, high = np.quantile(draws, [tail, 1 - tail]) if len(draws) else (math.nan, math.nan)
        gain = sign * (after - before)
        return float(before), (float(gain), float(np.fmin(low, gain)), float(np.fmax(high, gain)))

    @property
    def _clustered(self) -> bool:
        return "cluster" in self.table.columns

    def _codes(self, yes: Array) -> Array:
        code = self.table.schema.positive_code
        return np.where(yes, code, 1 - code)

    def _table(self, label: Array) -> ConfusionTable:
        p = self.table
        decided: Any = _Decided(p.schema, p.truth, label, p.weight)
        return Confusion().observe(decided, assign_buckets(p), BUCKETS)

    def _compute(self, value: ConfusionTable, times: Array) -> Array:
        return compute_replicates(self.metric, Confusion(), value, times, self.table.schema)


def _apply_costs(found: Threshold, judge: _Judge, score: Array, costs: Sequence[float]) -> Threshold:
    """The closed form beside the empirical threshold, and in its place where the probabilities are calibrated."""
    if not judge.table.schema.offers(judge.model, "proba"):
        return found
    at = closed_form(costs)
    value, low, high = judge.figure(score >= at)
    found = replace(found, closed_form=at, closed_form_value=value)
    binned = Bins().observe(judge.table.rows(judge.model))
    ece, most = float(ECE().compute(binned)[0]), null_band(binned).high
    if ece > most:
        said = f"the probabilities are not calibrated (ECE {ece:.2g}, above {most:.2g}), so the closed form is not used"
        return replace(found, notes=(*found.notes, f"{said[0].upper()}{said[1:]}."))
    before, (gain, gain_low, gain_high) = judge.gain(score >= at)
    said = f"closed form c_fp / (c_fp + c_fn): the probabilities are calibrated (ECE {ece:.2g}, within {most:.2g})"
    return replace(
        found, threshold=at, value=value, low=low, high=high, before=before, gain=gain, gain_low=gain_low,
        gain_high=gain_high, method=said,
    )  # fmt: skip


def _points(sweep: _Sweep) -> tuple[Point, ...]:
    """The trade-off over all rows, from few to many said yes to, thinned to evenly spaced recalls."""
    cuts, counts = sweep.cuts(np.ones(len(sweep.score), bool))
    of = counts.of(sweep.schema.positive_code)
    names = ("precision", "recall", "f1")
    figures = [np.asarray(METRICS.parse(name).bind(sweep.schema).compute(counts)) for name in names]
    recall = of.tp / max(float(of.tp[-1]), 1e-300)
    place = np.searchsorted(recall, np.linspace(0, 1, POINTS))
    shown = np.unique(np.clip(np.concatenate([[1], place, [len(cuts) - 1]]), 1, len(cuts) - 1))
    return tuple(
        Point(float(cuts[i]), *(float(f[i]) for f in figures)) for i in shown if len(cuts) > 1
    )
