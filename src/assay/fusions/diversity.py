"""Diversity: how differently the models of a table err, and what that is worth to their mean.

>>> p = Predictions.from_arrays([0, 0, 1, 1], {"a": [0, 0, 0, 1], "b": [0, 1, 1, 1]})
>>> measure_pairs(p, "label")[0].disagreement, measure_oracle(p, "label")
(0.5, 1.0)
"""

from itertools import combinations
from typing import NamedTuple

import numpy as np

from assay.fusions.convex import Pool
from assay.fusions.judging import measure_losses
from assay.kernels import Array
from assay.kernels.totals import FLOOR
from assay.table.predictions import Predictions
from assay.table.schema import Kind

__all__ = ["Ambiguity", "Pair", "decompose", "measure_oracle", "measure_pairs"]


class Pair(NamedTuple):
    """How differently two models err; nan where it is undefined, as the first three for values.

    Parameters:
        a: Name of the first model.
        b: Name of the second.
        disagreement: Share of rows on which one of them alone is right, 0 to 1.
        q: Yule's Q of being right, -1 to 1: 0 where the models err independently.
        double_fault: Share of rows on which both are wrong, 0 to 1.
        correlation: Correlation of their errors, -1 to 1: of residuals of values, of what
            probabilities lack of the truth (1 - p), of being wrong where there are labels alone.
    """

    a: str
    b: str
    disagreement: float
    q: float
    double_fault: float
    correlation: float


class Ambiguity(NamedTuple):
    """What the spread of the models is worth: mean loss of the models - fused loss = ambiguity.

    Parameters:
        loss: "squared error", "Brier score" or "log loss".
        members: Mean loss of the models, by their weights in the fusion.
        fused: Loss of the fusion.
        ambiguity: The spread: of squared errors sum_j w_j (f_j - f)^2; of the log loss of a mean
            how far the log of the mean is above the mean of logs (Jensen), of a geometric mean
            sum_j w_j KL(f, f_j).
    """

    loss: str
    members: float
    fused: float
    ambiguity: float


def measure_pairs(table: Predictions, kind: Kind) -> tuple[Pair, ...]:
    """The diversity of every two models of the `table`, that give outputs of that `kind`.

    Source: Kuncheva & Whitaker (2003), Machine Learning 51:181-207.
    """
    errors, weight = _read_errors(table, kind)
    centred = errors - weight @ errors
    spread = centred.T @ (centred * weight[:, None])
    scale = np.sqrt(np.outer(np.diag(spread), np.diag(spread)))
    correlation = np.divide(spread, scale, out=np.full(spread.shape, np.nan), where=scale > 0)
    right = _find_right(table, kind)
    pairs = []
    for i, j in combinations(range(len(table.models)), 2):
        of_right = (np.nan,) * 3 if right is None else _count_pair(right[:, i], right[:, j], weight)
        r = float(np.clip(correlation[i, j], -1, 1))
        pairs.append(Pair(table.models[i], table.models[j], *of_right, r))
    return tuple(pairs)


def measure_oracle(table: Predictions, kind: Kind) -> float:
    """Share of rows (multi-label: of labels) on which some model is right; nan for values.

    Parameters:
        table: The rows.
        kind: Kind of output that the models give.
    """
    right = _find_right(table, kind)
    if right is None:
        return float("nan")
    return float(_share_weight(table, len(right)) @ right.any(axis=1))


def decompose(
    table: Predictions, weights: Array, kind: Kind, geometric: bool = False
) -> tuple[Ambiguity, ...]:
    """Mean loss of the models, loss of their weighted mean, and the spread between them.

    Parameters:
        table: The rows.
        weights: Weight of each model for each row (n, m), summing to 1.
        kind: "proba" or "value"; there is no such identity for others.
        geometric: Whether probabilities are fused by their weighted geometric mean.

    Source: Krogh & Vedelsby (1995), NeurIPS 7:231-238; Heskes (1998), Neural Computation
    10:1425-1433 (log pool).
    """
    if kind not in ("proba", "value"):
        return ()
    outputs = [np.asarray(getattr(table.rows(name), kind), float) for name in table.models]
    share = _share_weight(table, table.n)
    if kind == "value":
        values = np.stack(outputs, axis=1)[..., None]
        truth = np.asarray(table.truth, float)[:, None]
        return (_decompose_squares("squared error", values, truth, weights, share),)
    proba = np.stack(outputs, axis=1)  # (n, m, k)
    is_multilabel = table.task == "multilabel"
    truth = table.truth if is_multilabel else np.eye(table.schema.k)[table.truth.astype(np.intp)]
    if is_multilabel:  # each label is a task of two classes; their mean counts
        _, m, labels = proba.shape
        proba = np.stack([1 - proba, proba], axis=-1).transpose(0, 2, 1, 3).reshape(-1, m, 2)
        truth = np.stack([1 - truth, truth], axis=-1).reshape(-1, 2)
        weights, share = np.repeat(weights, labels, axis=0), np.repeat(share / labels, labels)
    of_log = _decompose_logs(proba, truth, weights, share, geometric)
    if geometric:
        return (of_log,)
    labels_alone = slice(1, None) if is_multilabel else slice(None)
    of_squares = proba[..., labels_alone], truth[..., labels_alone]
    return of_log, _decompose_squares("Brier score", *of_squares, weights, share)


def _decompose_squares(
    name: str, outputs: Array, truth: Array, weights: Array, share: Array
) -> Ambiguity:
    """Of outputs (n, m, d) and truth (n, d)."""
    fused = np.einsum("nmd,nm->nd", outputs, weights)
    errors = ((outputs - truth[:, None]) ** 2).sum(axis=2)
    spread = ((outputs - fused[:, None]) ** 2).sum(axis=2)
    return Ambiguity(
        name,
        members=float(share @ (weights * errors).sum(axis=1)),
        fused=float(share @ ((fused - truth) ** 2).sum(axis=1)),
        ambiguity=float(share @ (weights * spread).sum(axis=1)),
    )


def _decompose_logs(
    proba: Array, truth: Array, weights: Array, share: Array, geometric: bool
) -> Ambiguity:
    """Of probabilities (n, m, k) and one-hot truth (n, k)."""
    logs = np.log(np.maximum(proba, FLOOR))
    of_truth = (logs * truth[:, None]).sum(axis=2)
    members = -(weights * of_truth).sum(axis=1)
    if geometric:
        fused = np.einsum("nmk,nm->nk", logs, weights)
        fused -= np.logaddexp.reduce(fused, axis=1, keepdims=True)
        divergence = (np.exp(fused)[:, None] * (fused[:, None] - logs)).sum(axis=2)
        losses = -(fused * truth).sum(axis=1)
        ambiguity = (weights * divergence).sum(axis=1)
    else:
        mean = (weights * np.exp(of_truth)).sum(axis=1)
        losses = -np.log(mean)
        ambiguity = (weights * (np.log(mean)[:, None] - of_truth)).sum(axis=1)
    return Ambiguity(
        "log loss", float(share @ members), float(share @ losses), float(share @ ambiguity)
    )


def _read_errors(table: Predictions, kind: Kind) -> tuple[Array, Array]:
    """The error of each model on each row, or row and label (c, m), and the share of each (c,)."""
    if kind == "score":
        rows = measure_losses(table, kind).rows
        return np.stack([rows[name] for name in table.models], axis=1), _share_weight(table)
    pool = Pool.read(table, kind=kind)
    terms = pool.terms.reshape(-1, len(table.models)).astype(float)
    if kind == "proba":
        terms = 1 - terms
    elif kind == "label":
        terms = (terms != np.asarray(pool.truth).reshape(-1, 1)).astype(float)
    return terms, _share_weight(table, len(terms))


def _find_right(table: Predictions, kind: Kind) -> Array | None:
    """Whether each model is right on each row, or row and label (c, m); None of values."""
    if kind not in ("proba", "label"):
        return None
    pool = Pool.read(table, kind="label")
    terms = pool.terms.reshape(-1, len(table.models))
    return np.asarray(terms == np.asarray(pool.truth).reshape(-1, 1))


def _share_weight(table: Predictions, cells: int | None = None) -> Array:
    """The share of each row, or of each of its labels, in all weight: (cells,), summing to 1."""
    weight = np.ones(table.n) if table.weight is None else np.asarray(table.weight, float)
    cells = table.n if cells is None else cells
    labels = cells // max(table.n, 1)
    return np.repeat(weight / weight.sum() / labels, labels)


def _count_pair(a: Array, b: Array, share: Array) -> tuple[float, float, float]:
    """Disagreement, Q and double fault of two models by which rows each is right on (c,)."""
    both, neither = float(share @ (a & b)), float(share @ ~(a | b))
    first, second = float(share @ (a & ~b)), float(share @ (b & ~a))
    odds = both * neither + first * second
    q = (both * neither - first * second) / odds if odds > 0 else float("nan")
    return first + second, q, neither
