"""Class counts: number of rows of each class, which tells whether a class is too rare to judge by.

>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays(["a", "b", "b"], {"m": ["a", "a", "b"]})
>>> ClassRows().observe(p.rows("m"))[0].tolist()
[[1, 2], [2, 1]]
"""

from dataclasses import dataclass

import numpy as np

from assay.kernels import Array
from assay.states.base import State
from assay.table.boxes import parse_boxes
from assay.table.rows import Rows
from assay.table.schema import Schema

__all__ = ["ClassRows"]


@dataclass(frozen=True)
class ClassRows(State[Array]):
    """Number of rows of each class (strata, k), whatever their weight.

    In a multi-label task it is the number of rows of each label's rarer value; every row has all
    outputs of a multi-output one; in detection it is the number of images with a true box of the
    class.
    """

    def empty(self, schema: Schema, strata: int = 1) -> Array:
        return np.zeros((strata, schema.k, 2), np.int64)

    def observe(self, rows: Rows, stratum: Array | None = None, strata: int = 1) -> Array:
        k = rows.schema.k
        code = np.zeros(len(rows.truth), np.int64) if stratum is None else stratum
        positive: Array
        if rows.schema.task == "multilabel":
            columns = [np.bincount(code, column, strata) for column in rows.truth.T]
            positive = np.stack(columns, axis=1)
        elif rows.schema.task == "multioutput":
            positive = np.repeat(np.bincount(code, minlength=strata)[:, None], k, axis=1)
        elif rows.schema.task == "detection":
            positive = _count_images(rows, code, strata)
        elif k:
            positive = np.bincount(code * k + rows.truth, minlength=strata * k).reshape(strata, k)
        else:
            positive = np.zeros((strata, 0), np.int64)
        negative = np.bincount(code, minlength=strata)[:, None] - positive
        return np.stack([positive, negative], axis=2).astype(np.int64)

    def merge(self, a: Array, b: Array) -> Array:
        return np.asarray(a + b)

    def select(self, value: Array, strata: slice) -> Array:
        return value[strata]

    def resample(self, value: Array, counts: Array) -> Array:
        return np.asarray(np.tensordot(counts, value, axes=1))

    def summary(self, value: Array, schema: Schema) -> Array:
        return np.asarray(value.min(axis=2) if schema.task == "multilabel" else value[:, :, 0])


def _count_images(rows: Rows, code: Array, strata: int) -> Array:
    """Number of images with a true box of each class (strata, k); `code` (n,) is their stratum."""
    counts = np.zeros((strata, rows.schema.k), np.int64)
    classes = {label: place for place, label in enumerate(rows.schema.classes)}
    for stratum, text in zip(code.tolist(), rows.truth, strict=True):
        present = {classes[box["category"]] for box in parse_boxes(text)}
        counts[stratum, list(present)] += 1
    return counts
