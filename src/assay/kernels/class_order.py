"""The order in which a model's classes should be read, by the counts of its answers."""

import math
from typing import NamedTuple

import numpy as np

from assay._native import Array

__all__ = ["ClassOrder", "find_class_order", "find_permutation", "holds_out_classes"]

GAIN = 0.1  # accuracy gained by another order of columns that is worth a remark


class ClassOrder(NamedTuple):
    """For each predicted class the true one to read it as (k,), accuracy as it is and read so."""

    order: Array
    accuracy: float
    reordered: float


def find_permutation(table: Array) -> Array:
    """For each predicted class the true class to read it as, so that most rows are right.

    Parameters:
        table: How often each class was predicted (columns) for each true class (rows), (k, k).

    >>> find_permutation(np.array([[1, 9], [8, 2]])).tolist()
    [1, 0]
    """
    order = np.asarray(np.argmax(table, axis=0))
    if len(set(order.tolist())) < len(order):
        from scipy.optimize import linear_sum_assignment

        order = np.asarray(linear_sum_assignment(table.T, maximize=True)[1])
    return order


def find_class_order(table: Array, rows: float, level: float) -> ClassOrder | None:
    """The order of classes under which far more rows are right, if chance does not explain it.

    Parameters:
        table: How often, by weight, each class was predicted (columns) for each true one, (k, k).
        rows: Effective number of rows behind it.
        level: Chance, in (0, 1), that an order is found in answers that are in none.
    """
    total = float(table.sum())
    k = len(table)
    if not total or k < 2:
        return None
    accuracy = float(np.trace(table)) / total
    bound = float(table.max(axis=0).sum()) / total  # no order is right more often
    if bound - accuracy <= _compute_bound(2, k, bound - accuracy, rows, level):
        return None
    order = find_permutation(table)
    moved = (order != np.arange(k)) & (table.sum(axis=0) > 0)
    concerned = table[:, moved].sum() / total
    before = table[moved, moved].sum() / total
    after = table[order[moved], moved].sum() / total
    gain = after - before
    # Few rows of many may be concerned: then it counts what becomes of them.
    chance = _compute_bound(int(moved.sum()), k, before + after, rows, level)
    if gain <= chance or gain <= min(GAIN, concerned / 2):
        return None
    # A model that always names one class would gain as much by naming the largest.
    majority = float(table.sum(axis=1).max()) / total
    if accuracy + gain - majority <= GAIN / 2:
        return None
    return ClassOrder(order, accuracy, float(table[order, np.arange(k)].sum()) / total)


def holds_out_classes(truth: Array, fold: Array) -> bool:
    """Whether a tenth of the rows or more are of classes that one fold, of several, holds out.

    Parameters:
        truth: Class of each row (n,) as codes.
        fold: Fold of each row (n,) as codes.
    """
    folds = int(fold.max(initial=-1)) + 1
    if folds < 2:
        return False
    codes = truth.astype(np.int64)
    classes, counts = np.unique(np.unique(codes * folds + fold) // folds, return_counts=True)
    return bool(np.isin(codes, classes[counts == 1]).mean() >= 0.1)


def _compute_bound(moved: int, k: int, share: float, rows: float, level: float) -> float:
    """What the best order that moves so many of k classes gains by chance on a share of rows.

    A union bound: over the numbers of classes moved, which these are, and what they are read as.
    """
    ways = 2 * math.lgamma(k + 1) - 2 * math.lgamma(k - moved + 1) - math.lgamma(moved + 1)
    exponent = ways + math.log(k) - math.log(level)
    return math.sqrt(2 * exponent * share / rows)
