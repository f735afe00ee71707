"""Folds: which rows judge a fusion that was fitted on the others.

>>> from assay.table.predictions import Predictions
>>> assign_folds(Predictions.from_arrays([0, 0, 1, 1], {"a": [0, 1, 0, 1]}), folds=2)[1]
('Cross-fitted over 2 random folds.',)
"""

import numpy as np

from assay.core.text import Headline
from assay.errors import UnsupportedError
from assay.kernels import Array
from assay.table.judging import find_training
from assay.table.predictions import Predictions

__all__ = ["assign_folds", "encode_column", "find_held_out"]

# Folds of a fold column, at most, and folds that can be asked for.
MOST_FOLDS = 20
MOST_ASKED = 100


def assign_folds(
    predictions: Predictions, folds: int = 5, seed: int = 0
) -> tuple[Array, tuple[str, ...]]:
    """The fold of each row (n,), -1 for training rows, and notes on the folds and on rows left out.

    The fold column of `predictions` serves if it can; else the rows, or whole clusters, are dealt
    at random to so many `folds`, 2 or more, by `seed`.

    >>> p = Predictions.from_arrays([0, 0, 1, 1], {"a": [0, 1, 0, 1]})
    >>> sorted(assign_folds(p, folds=2)[0].tolist())
    [0, 0, 1, 1]
    """
    if not hasattr(folds, "__index__") or folds < 2:
        raise UnsupportedError(
            f"folds must be a whole number of 2 or more, got {folds!r}: a fused model is judged on "
            "rows left out of its fit"
        )
    if folds > MOST_ASKED:
        raise UnsupportedError(
            f"folds must be at most {MOST_ASKED}, got {folds}: every fold is a fit of its own, and "
            f"more of them change the result little; 5 or 10 will do"
        )
    keep, left_out = find_held_out(predictions)
    if not keep.any() or (predictions.weight is not None and not predictions.weight[keep].any()):
        raise UnsupportedError(
            "no row of positive weight is left to fuse on; give rows that no model was trained on"
        )
    fold = np.full(predictions.n, -1, np.int64)
    judging = predictions if keep.all() else predictions.take(keep)
    fold[keep], note = _choose_folds(judging, folds, seed)
    return fold, (note, *left_out)


def find_held_out(predictions: Predictions) -> tuple[Array, tuple[str, ...]]:
    """The rows of `predictions` to fit on (n,), and notes on the others."""
    everything = np.ones(predictions.n, bool)
    training = find_training(predictions)
    if predictions.rows_chosen or not training.columns or not predictions.n:
        return everything, training.remarks
    held_out = training.condition.mark_rows(predictions.columns)
    told = training.describe()
    if not held_out.any():
        note = Headline(
            f"Every row is a training row ({told}): the score is optimistic; fuse on held-out rows."
        )
        return everything, (note, *training.remarks)
    if held_out.all():
        return everything, training.remarks
    left_out = int((~held_out).sum())
    note = Headline(f"{left_out} training rows ({told}) were left out of the fit and of the score.")
    return held_out, (note, *training.remarks)


def _choose_folds(predictions: Predictions, folds: int, seed: int) -> tuple[Array, str]:
    """Fold codes (n,) from the fold column if it can serve, else at random; and a note on them."""
    cluster = encode_column(predictions, "cluster")
    declared = encode_column(predictions, "fold")
    why = ""
    if declared is not None:
        number = min(int(declared.max()) + 1, MOST_FOLDS)
        if number >= 2 and (cluster is None or not _splits_clusters(declared, cluster)):
            return declared % number, f"Cross-fitted over {number} folds of the fold column."
        fault = "splits clusters" if number >= 2 else "holds one fold"
        why = f" (the fold column {fault})"
    unit = _rank_rows(predictions) if cluster is None else cluster
    units = int(unit.max(initial=-1)) + 1
    number = min(folds, units)
    if number < 2:
        few = "rows" if cluster is None else "clusters"
        return np.zeros(predictions.n, np.int64), f"Too few {few} to cross-fit."
    fewer = f", fewer than the {folds} asked for" if number < folds else ""
    whole = "" if cluster is None else " of whole clusters"
    note = f"Cross-fitted over {number} random folds{whole}{why}{fewer}."
    return _assign_round_robin(unit, predictions, number, seed), note


def _splits_clusters(fold: Array, cluster: Array) -> bool:
    """Whether any cluster has rows in more than one fold."""
    pairs = np.unique(np.stack([cluster, fold], axis=1), axis=0)
    return len(pairs) > len(np.unique(cluster))


def _rank_rows(predictions: Predictions) -> Array:
    """The rank of each row's id (n,), whatever the order of the rows; else its position."""
    if "id" not in predictions.columns:
        return np.arange(predictions.n)
    import pyarrow.compute as pc

    order = np.from_dlpack(pc.sort_indices(predictions.columns["id"])).astype(np.int64)
    rank = np.empty(predictions.n, np.int64)
    rank[order] = np.arange(predictions.n)
    return rank


def _assign_round_robin(unit: Array, predictions: Predictions, number: int, seed: int) -> Array:
    """The fold of each row: units go to the folds in turn, class by class, large units first.

    The order of units of one class and size is random.
    """
    size = np.bincount(unit)
    group = np.zeros(len(size), np.int64)
    if predictions.task in ("binary", "multiclass"):
        group = np.full(len(size), predictions.schema.k, np.int64)
        np.minimum.at(group, unit, predictions.truth.astype(np.int64))
    order = np.lexsort((np.random.default_rng(seed).permutation(len(size)), -size, group))
    fold = np.empty(len(size), np.int64)
    fold[order] = np.arange(len(size)) % number
    return fold[unit]


def encode_column(predictions: Predictions, name: str) -> Array | None:
    """Consecutive codes (n,) of the column `name` of `predictions`; None where it has none."""
    if name not in predictions.columns:
        return None
    return np.unique(predictions.group(name)[0], return_inverse=True)[1].reshape(-1)
