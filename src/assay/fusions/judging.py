"""Judging a fused column by a metric, as any model: its loss, and the difference to the best.

>>> round(compare_losses(np.array([1.0, 2.0, 4.0]), np.array([1.0, 1.0, 1.0]), np.ones(3)).error, 3)
0.882
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from assay.core.text import find_free_name
from assay.fusions.baselines import predict_nothing
from assay.kernels import Array
from assay.metrics.base import METRICS
from assay.table.folds import encode_column
from assay.table.predictions import Predictions
from assay.table.rows import Rows
from assay.table.schema import Kind

__all__ = [
    "LOSS_NAMES", "BestSingle", "LossDifference", "ModelLosses", "choose_best_single",
    "compare_losses", "compare_over_folds", "compare_with_best_single", "judge_fused",
    "measure_losses",
]  # fmt: skip

# The metric that judges each kind of fused output, and what people call it.
LOSSES: Mapping[Kind, str] = {
    "proba": "log_loss",
    "value": "mse",
    "label": "hamming_loss",
    "score": "roc_auc",
}
LOSS_NAMES: Mapping[Kind, str] = {
    "proba": "log loss",
    "value": "squared error",
    "label": "error rate",
    "score": "1 - ROC AUC",
}


class ModelLosses(NamedTuple):
    """Mean loss of each model, as `evaluate` has it, and the loss of each of its rows (n,)."""

    mean: dict[str, float]
    rows: dict[str, Array]


class LossDifference(NamedTuple):
    """A paired difference of mean loss, its standard error, and the number of units.

    Below 0 the first model is better; units are rows, or clusters where declared.
    """

    difference: float
    error: float
    units: int

    @property
    def interval(self) -> tuple[float, float]:
        """95% interval by Student's t; (nan, nan) for fewer than two rows (or clusters)."""
        from scipy.special import stdtrit

        half = float(stdtrit(max(self.units - 1, 1), 0.975)) * self.error
        return self.difference - half, self.difference + half

    @property
    def probability(self) -> float:
        """How sure it is that the first model is better, 0 to 1, by Student's t."""
        from scipy.special import stdtr

        if not self.error > 0:
            return float(np.nan if np.isnan(self.error) else (1 - np.sign(self.difference)) / 2)
        return float(stdtr(max(self.units - 1, 1), -self.difference / self.error))


class BestSingle(NamedTuple):
    """The best single model chosen without each fold: its loss, and that of each row (n,)."""

    mean: float
    rows: Array


def measure_losses(predictions: Predictions, kind: Kind) -> ModelLosses:
    """The loss of every model of `predictions` by the metric of that `kind` of output."""
    metric: Any = METRICS.parse(LOSSES[kind]).bind(predictions.schema)
    mean: dict[str, float] = {}
    each: dict[str, Array] = {}
    for model in predictions.models:
        rows = predictions.rows(model)
        if kind == "score":
            each[model] = _measure_disorder(rows)
            weight = np.ones(rows.n) if rows.weight is None else rows.weight
            mean[model] = float(weight @ each[model] / max(float(weight.sum()), 1e-300))
            continue
        summary = metric.state.summary(metric.state.observe(rows), predictions.schema)
        mean[model] = float(np.ravel(metric.compute(summary))[0])
        losses = np.asarray(metric.compute_rows(rows), np.float64)
        each[model] = losses if losses.ndim == 1 else losses[:, 0]
    return ModelLosses(mean, each)


def _measure_disorder(rows: Rows) -> Array:
    """A loss of each row (n,) whose weighted mean is 1 - ROC AUC, and whose spread DeLong's.

    Each row has 1 - AUC and its influence on that: how its share of the other class that it is on
    the wrong side of differs from the mean, by the share of its own class.
    """
    weight = np.ones(rows.n) if rows.weight is None else rows.weight
    positive = np.asarray(rows.truth == rows.schema.positive_code)
    distinct, place = np.unique(rows.score, return_inverse=True)
    own = [np.bincount(place, weight * (positive == side), len(distinct)) for side in (0, 1)]
    totals = [float(side.sum()) for side in own]
    if not all(totals):
        return np.full(rows.n, np.nan)
    above = totals[0] - np.cumsum(own[0]) + own[0] / 2  # negatives that a positive is below
    below = np.cumsum(own[1]) - own[1] / 2  # positives that a negative is above
    wrong = np.where(positive, above[place] / totals[0], below[place] / totals[1])
    loss = float(weight[positive] @ wrong[positive] / totals[1])
    size = np.where(positive, totals[1], totals[0]) / sum(totals)
    return np.asarray(loss + (wrong - loss) / size)


def compare_losses(
    losses: Array, against: Array, weight: Array, cluster: Array | None = None
) -> LossDifference:
    """Mean of the paired differences `losses - against`, with its standard error.

    Parameters:
        losses: Loss of each row (n,).
        against: Loss of the same rows (n,) under the other model.
        weight: Weight of each row (n,), >= 0.
        cluster: Cluster of each row (n,) as codes, whose rows count as one observation; default:
            every row alone.
    """
    total = weight.sum()
    difference = losses - against
    mean = float(weight @ difference / total) if total else float("nan")
    moves = weight * (difference - mean) / (total or 1)
    counted = weight > 0
    if cluster is None:
        moves = moves[counted]
        units = len(moves)
    else:
        # Rows of a cluster move together: their sum is one observation.
        moves = np.bincount(cluster, moves)
        units = len(np.unique(cluster[counted]))
    square = (moves**2).sum()
    error = float(np.sqrt(square * units / (units - 1))) if units > 1 else float("nan")
    return LossDifference(mean, error, units)


def choose_best_single(
    losses: ModelLosses, models: Sequence[str], weight: Array, fold: Array
) -> BestSingle:
    """The loss of choosing the best of `models` on the other folds, as a fusion is fitted on them.

    Parameters:
        losses: Loss of every model and row.
        models: Models to choose from; the first by name where tied.
        weight: Weight of each row (n,), >= 0.
        fold: Fold of each row (n,), from 0; of one fold the best model is chosen on it.
    """
    rows = np.empty(len(fold))
    for left_out in np.unique(fold):
        judged = fold == left_out
        others = np.where(judged, 0.0, weight)
        seen = others if others.any() else weight
        of_model = {name: float(seen @ losses.rows[name]) for name in models}
        best = min(models, key=lambda name: (of_model[name], name))
        rows[judged] = losses.rows[best][judged]
    return BestSingle(float(weight @ rows / max(float(weight.sum()), 1e-300)), rows)


def compare_with_best_single(
    predictions: Predictions, losses: ModelLosses, name: str, single: BestSingle, fold: Array
) -> LossDifference:
    """The paired difference of model `name` and the best single one, with the larger error of two.

    One is the spread of rows (or clusters), which takes fits as given. The other is the spread of
    the folds, whose fits differ: that of fold means times sqrt(1 / J + 1 / (J - 1)), J folds.

    Parameters:
        predictions: The rows.
        losses: Loss of every model and row.
        name: Name of the model.
        single: The best single model, chosen without each fold.
        fold: Fold of each row (n,), from 0.

    Source: Nadeau & Bengio (2003), Machine Learning 52:239-281.
    """
    weight = np.ones(predictions.n) if predictions.weight is None else predictions.weight
    cluster = encode_column(predictions, "cluster")
    return compare_over_folds(losses.rows[name], single.rows, weight, fold, cluster)


def compare_over_folds(
    losses: Array, against: Array, weight: Array, fold: Array, cluster: Array | None = None
) -> LossDifference:
    """Mean of the paired differences `losses - against`, with the larger error of rows and folds.

    Parameters:
        losses: Loss of each row (n,).
        against: Loss of the same rows (n,) under the other model.
        weight: Weight of each row (n,), >= 0.
        fold: Fold of each row (n,), from 0.
        cluster: Cluster of each row (n,) as codes; default: every row alone.
    """
    by_rows = compare_losses(losses, against, weight, cluster)
    size = np.bincount(fold, weight)
    total = np.bincount(fold, weight * (losses - against))
    means = total[size > 0] / size[size > 0]
    count = len(means)
    if count < 2:
        return by_rows
    by_folds = float(means.std(ddof=1)) * np.sqrt(1 / count + 1 / (count - 1))
    return by_rows._replace(error=max(by_rows.error, float(by_folds)))


def judge_fused(table: Predictions, name: str, kind: Kind, fold: Array) -> dict[str, Any]:
    """The loss of a fused column, each single model's, and what `Fused` says of their difference.

    Parameters:
        table: Rows of the single models and of the fused one.
        name: Name of the fused model.
        kind: Kind of output that it gives.
        fold: Fold of each row (n,), from 0.

    Returns:
        Fields of `Fused` by their names.
    """
    losses = measure_losses(table, kind)
    singles = {model: loss for model, loss in losses.mean.items() if model != name}
    weight = np.ones(table.n) if table.weight is None else table.weight
    single = choose_best_single(losses, list(singles), weight, fold)
    gain = compare_with_best_single(table, losses, name, single, fold)
    low, high = gain.interval
    constant: dict[str, Any] = {kind: predict_nothing(table, fold, kind)}
    own = find_free_name("baseline", table.models)
    baseline = measure_losses(table.append(own, **constant).select([own]), kind)
    cluster = encode_column(table, "cluster")
    lead = compare_over_folds(losses.rows[name], baseline.rows[own], weight, fold, cluster)
    return {
        "loss": losses.mean[name],
        "losses": singles,
        "single_loss": single.mean,
        "difference": gain.difference,
        "low": low,
        "high": high,
        "probability": gain.probability,
        "baseline_loss": baseline.mean[own],
        "beats_baseline": bool(lead.interval[1] < 0),
    }
