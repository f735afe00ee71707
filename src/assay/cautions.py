"""cautions: what to say beside an interval that rests on few rows of a class.

>>> rare = np.array([97, 3])
>>> from assay.metric import METRICS
>>> from assay.table.schema import Schema
>>> schema = Schema("binary", ("no", "yes"), {})
>>> cautions(METRICS.parse("log_loss").on(schema), schema, rare, "bootstrap-t")
['few positive rows (3): the interval may be too narrow']
"""

from dataclasses import dataclass

import numpy as np

from assay.metric import Metric
from assay.predictions import Rows
from assay.state import State
from assay.table.columns import Array
from assay.table.schema import Schema

__all__ = ["SHARES", "ClassRows", "cautions"]

# Fewer rows of a class than this are few: the least at which bench/coverage.py finds every interval right.
FEW = 10
# Procedures of shares of rows, that rest on those rows alone, whatever their classes; and those that need no caution.
SHARES = frozenset({"wilson", "jeffreys"})
SURE = frozenset({"", "clopper-pearson", "cluster bootstrap", *SHARES})


@dataclass(frozen=True)
class ClassRows(State[Array]):
    """Number of rows of each class (cells, k), whatever their weight; of each label's rarer value, for multi-label."""

    def empty(self, schema: Schema, cells: int = 1) -> Array:
        return np.zeros((cells, schema.k, 2), np.int64)

    def observe(self, rows: Rows, cell: Array | None = None, cells: int = 1) -> Array:
        k, code = rows.schema.k, np.zeros(len(rows.truth), np.int64) if cell is None else cell
        there: Array
        if rows.schema.task == "multilabel":
            there = np.stack([np.bincount(code, column, cells) for column in rows.truth.T], axis=1)
        elif k:
            there = np.bincount(code * k + rows.truth, minlength=cells * k).reshape(cells, k)
        else:
            there = np.zeros((cells, 0), np.int64)
        return np.stack([there, np.bincount(code, minlength=cells)[:, None] - there], axis=2).astype(np.int64)

    def merge(self, a: Array, b: Array) -> Array:
        return np.asarray(a + b)

    def take(self, value: Array, cells: slice) -> Array:
        return value[cells]

    def pool(self, value: Array, times: Array) -> Array:
        return np.asarray(np.tensordot(times, value, axes=1))

    def summary(self, value: Array, schema: Schema) -> Array:
        return np.asarray(value.min(axis=2) if schema.task == "multilabel" else value[:, :, 0])


def cautions(metric: Metric, schema: Schema, rows: Array, method: str, trials: Array | None = None) -> list[str]:
    """What to say beside each figure of `metric`, whose interval is by `method`, on so many rows of each class (k,).

    trials: how many rows each figure is a share of (figures,), where it is one.
    """
    if trials is not None:
        bare = np.rint(np.ravel(trials)).astype(int)
        return [_narrow(f"a share of few rows ({n})") if n < FEW else "" for n in bare]
    few = rows < FEW if len(rows) == 2 else (rows > 0) & (rows < FEW)
    if method in SURE or metric.axes == 2 or getattr(metric, "average", "") == "micro" or not few.any():
        return [""] * max(len(rows), 1) ** metric.axes
    if metric.axes == 1:
        return [_narrow(f"few rows of this class ({n})") if out else "" for n, out in zip(rows, few, strict=True)]
    if schema.task == "binary":
        rarer = int(rows.argmin())
        return [_narrow(f"few {'positive' if rarer == schema.positive_code else 'negative'} rows ({rows[rarer]})")]
    noun = "labels" if schema.task == "multilabel" else "classes"
    return [_narrow(f"few rows of {few.sum()} of {schema.k} {noun} (fewest: {rows[few].min()})")]


def _narrow(said: str) -> str:
    return f"{said}: the interval may be too narrow"
