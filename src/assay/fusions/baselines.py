"""Baselines: what is predicted of rows by those who know the truth of others, and no input.

>>> p = Predictions.from_arrays([1.0, 3.0, 5.0, 5.0], {"a": [0, 0, 0, 0]}, task="regression")
>>> predict_nothing(p, np.array([0, 0, 1, 1]), "value")
array([5., 5., 2., 2.])
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from assay.kernels import Array
from assay.table.predictions import Predictions
from assay.table.schema import Kind

__all__ = ["BASELINES", "predict_nothing"]

BASELINES: Mapping[Kind, str] = {
    "proba": "the shares of the classes",
    "value": "the mean of the truth",
    "label": "the most frequent class",
    "score": "chance",
}


def predict_nothing(table: Predictions, fold: Array, kind: Kind) -> Array:
    """What knows no input says of each row: shares, mean or majority in the other folds.

    Parameters:
        table: The rows.
        fold: Fold of each row (n,), from 0; of one fold its own rows are counted.
        kind: Kind of output: "proba", "value", "label" or "score".
    """
    weight = np.ones(table.n) if table.weight is None else np.asarray(table.weight, float)
    constants = []
    for left_out in range(int(fold.max()) + 1):
        others = np.where(fold == left_out, 0.0, weight)
        constants.append(_summarise_truth(table, others if others.any() else weight, kind))
    return np.stack(constants)[fold]


def _summarise_truth(table: Predictions, weight: Array, kind: Kind) -> Any:
    """The constant that rows of such `weight` give; a row of each class in equal parts is added.

    So no share is 0.
    """
    truth = np.asarray(table.truth)
    if kind == "score":
        return 0.5
    if kind == "value":
        return float(weight @ truth / weight.sum())
    if table.task == "multilabel":
        share = (weight @ truth + 0.5) / (weight.sum() + 1)
        return share if kind == "proba" else (share > 0.5).astype(truth.dtype)
    k = table.schema.k
    count = np.bincount(truth.astype(np.intp), weight, k)
    if kind == "label":
        return np.asarray(table.classes)[int(np.argmax(count))]
    return (count + 1 / k) / (count.sum() + 1)
