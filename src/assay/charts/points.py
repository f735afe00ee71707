"""Points: the few vertices of a curve, or the few bins, that a chart draws for all rows of a table.

>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays([0, 0, 1, 1], {"a.score": [0.1, 0.4, 0.35, 0.8]})
>>> curve = roc_curve(p, "a")
>>> curve.area, curve.x.tolist(), curve.y.tolist()
(0.75, [0.0, 0.0, 0.5, 0.5, 1.0], [0.0, 0.5, 0.5, 1.0, 1.0])
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from assay.intervals.proportions import wilson
from assay.kernels import Array
from assay.states.confusion import Confusion
from assay.states.ranking import Curve
from assay.states.row_values import Ranked
from assay.table.predictions import Predictions

__all__ = [
    "CurvePoints",
    "ReliabilityBin",
    "ResidualBin",
    "confusion_counts",
    "precision_recall_curve",
    "prevalence",
    "reliability_bins",
    "residual_bins",
    "roc_curve",
    "thin",
]

LIMIT = 200
BINS = 10
FEWEST = 20  # rows a bin should hold


class CurvePoints(NamedTuple):
    """Vertices (m,) of a curve, at most 200, and the area under it, of all its vertices."""

    x: Array
    y: Array
    area: float


class ReliabilityBin(NamedTuple):
    """Rows of similar probability: its mean, how often it came true, interval, and number."""

    predicted: float
    observed: float
    low: float
    high: float
    n: int


class ResidualBin(NamedTuple):
    """Rows of similar predicted value: its mean, and quantiles of truth minus prediction."""

    predicted: float
    q05: float
    q25: float
    median: float
    q75: float
    q95: float
    n: int


def roc_curve(predictions: Predictions, model: str) -> CurvePoints | None:
    """False positive rate (x) against true positive rate (y) of `model` on `predictions`.

    None where every row is of one class. Binary: of the positive class. Otherwise each class
    against the rest, averaged over the classes at equal false positive rate, so that the area is
    roc_auc(average=macro).
    """
    # Squared: what tells good models apart happens at small rates.
    return _make_curve(
        predictions, model, _trace_roc, np.linspace(0, 1, LIMIT - 1) ** 2, _interpolate_rates
    )


def precision_recall_curve(predictions: Predictions, model: str) -> CurvePoints | None:
    """Recall (x) against precision (y) of `model` on `predictions`, as steps.

    y[i] holds from x[i-1] up to x[i]. None where no row is positive. Binary: of the positive class.
    Otherwise each class against the rest, averaged over the classes at equal recall. The area is
    the average precision (of the classes, their mean); between steps nothing is interpolated.
    """
    return _make_curve(
        predictions, model, _trace_precision_recall, np.linspace(0, 1, LIMIT), _interpolate_recalls
    )


def prevalence(predictions: Predictions) -> float:
    """Precision of guessing on `predictions`: the share of the positive class.

    Without one, the mean share of the classes that occur.
    """
    weight = np.ones(predictions.n) if predictions.weight is None else predictions.weight
    total = max(float(weight.sum()), 1e-300)
    if predictions.task == "multilabel":
        shares = (weight @ predictions.truth) / total
    else:
        shares = np.bincount(predictions.truth, weight, minlength=predictions.schema.k) / total
    if predictions.task == "binary":
        return float(shares[predictions.schema.positive_code])
    return float(shares[shares > 0].mean()) if (shares > 0).any() else 0.0


def confusion_counts(predictions: Predictions, model: str) -> Array:
    """Weight of each (truth, prediction) of `model` on `predictions`: (k, k).

    For multi-label (labels, 2, 2).
    """
    table: Array = Confusion().observe(predictions.rows(model)).table[0]
    return table


def reliability_bins(predictions: Predictions, model: str) -> list[ReliabilityBin]:
    """How often what `model` gave a probability came true on `predictions`.

    In at most ten bins of equally many rows. Binary: probability of the positive class.
    Multi-class: of the most probable class, and whether it was right. Multi-label: of every label
    of every row.
    """
    p, came_true, weight = _list_events(predictions, model)
    bins = []
    for rows in _bin_equally(p):
        w = weight[rows]
        if not w.sum():
            continue
        observed = float(np.average(came_true[rows], weights=w))
        effective = w.sum() ** 2 / (w**2).sum()
        low, high = wilson(np.asarray(observed * effective), np.asarray(effective), 0.95)
        mean = float(np.average(p[rows], weights=w))
        bins.append(ReliabilityBin(mean, observed, float(low), float(high), len(w)))
    return bins


def residual_bins(predictions: Predictions, model: str) -> list[ResidualBin]:
    """Spread of truth minus prediction of `model` on `predictions`, along the predicted value.

    In at most twenty bins of equally many rows.
    """
    value = np.asarray(predictions.rows(model).value, np.float64)
    residual = predictions.truth - value
    levels = (0.05, 0.25, 0.5, 0.75, 0.95)
    bins = []
    for rows in _bin_equally(value, 2 * BINS):
        q05, q25, median, q75, q95 = map(float, np.quantile(residual[rows], levels))
        bins.append(ResidualBin(float(value[rows].mean()), q05, q25, median, q75, q95, len(rows)))
    return bins


def thin(x: Array, y: Array, limit: int = LIMIT) -> tuple[Array, Array]:
    """At most `limit` vertices of the curve `x`, `y` (m,), spread evenly along its length.

    Both ends are among them.

    >>> x = np.linspace(0, 1, 5001)
    >>> len(thin(x, x**2)[0])
    200
    """
    if len(x) <= limit:
        return x, y
    length = np.concatenate([[0.0], np.cumsum(_share_steps(x) + _share_steps(y))])
    keep = np.unique(np.searchsorted(length, np.linspace(0, length[-1], limit)))
    keep = np.unique(np.clip(keep, 0, len(x) - 1))
    return x[keep], y[keep]


def _share_steps(values: Array) -> Array:
    """Steps of a curve as shares of its span."""
    step = np.abs(np.diff(values))
    span = np.ptp(values)
    return step / span if span else step


def _make_curve(
    predictions: Predictions,
    model: str,
    trace: Callable[[Curve], CurvePoints],
    grid: Array,
    at: Callable[[CurvePoints, Array], Array],
) -> CurvePoints | None:
    """The curve of a binary task, or the mean over classes of the curves read off at `grid`."""
    rows = predictions.rows(model)
    state = Ranked()
    ranking = state.summary(state.observe(rows), rows.schema)
    is_roc = trace is _trace_roc
    curves = [
        trace(curve)
        for curve in ranking.map_problems(lambda problem: problem.curve)
        if curve.positives and (curve.negatives or not is_roc)
    ]
    if not curves:
        return None
    if len(curves) == 1:
        x, y = _find_corners(curves[0]) if is_roc else (curves[0].x, curves[0].y)
        return CurvePoints(*thin(x, y), curves[0].area)
    mean = np.mean([at(curve, grid) for curve in curves], axis=0)
    area = float(np.mean([curve.area for curve in curves]))
    if is_roc:
        return CurvePoints(np.concatenate([[0.0], grid]), np.concatenate([[0.0], mean]), area)
    return CurvePoints(grid, mean, area)


def _trace_roc(curve: Curve) -> CurvePoints:
    x, y = curve.roc
    return CurvePoints(x, y, float((np.diff(x) * (y[1:] + y[:-1]) / 2).sum()))


def _trace_precision_recall(curve: Curve) -> CurvePoints:
    """Only thresholds at which recall grows: between them precision falls and no step is drawn."""
    grows = curve.new_positives > 0
    tp = curve.tp[grows]
    recall = tp / curve.positives
    precision = tp / (tp + curve.fp[grows])
    area = float((np.diff(recall, prepend=0.0) * precision).sum())
    return CurvePoints(
        np.concatenate([[0.0], recall]), np.concatenate([precision[:1], precision]), area
    )


def _interpolate_rates(curve: CurvePoints, grid: Array) -> Array:
    return np.interp(grid, curve.x, curve.y)


def _interpolate_recalls(curve: CurvePoints, grid: Array) -> Array:
    return np.asarray(curve.y[np.minimum(np.searchsorted(curve.x, grid), len(curve.x) - 1)])


def _find_corners(curve: CurvePoints) -> tuple[Array, Array]:
    """The vertices at which an ROC curve turns: straight runs lose their middle."""
    dx = np.diff(curve.x)
    dy = np.diff(curve.y)
    straight = ((dx[:-1] == 0) & (dx[1:] == 0)) | ((dy[:-1] == 0) & (dy[1:] == 0))
    keep = np.concatenate([[True], ~straight, [True]])
    return curve.x[keep], curve.y[keep]


def _list_events(predictions: Predictions, model: str) -> tuple[Array, Array, Array]:
    """Probability given to each event, whether it came true, and its weight, each (events,)."""
    rows = predictions.rows(model)
    weight = np.ones(predictions.n) if rows.weight is None else rows.weight
    proba = rows.proba
    if rows.schema.task == "multilabel":
        return proba.ravel(), rows.truth.ravel() != 0, np.repeat(weight, proba.shape[1])
    if rows.schema.task == "binary":
        code = rows.schema.positive_code
        return proba[:, code], rows.truth == code, weight
    return proba.max(axis=1), proba.argmax(axis=1) == rows.truth, weight


def _bin_equally(values: Array, most: int = BINS) -> list[Array]:
    """Positions of the rows of each bin; equal values are never parted."""
    if not len(values):
        return []
    bins = int(np.clip(len(values) // FEWEST, 1, most))
    edges = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1]))
    code = np.searchsorted(edges, values, side="right")
    return [rows for b in range(len(edges) + 1) if len(rows := np.flatnonzero(code == b))]
