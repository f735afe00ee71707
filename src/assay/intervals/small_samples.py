"""cautions: what to say beside an interval that rests on few rows of a class.

>>> rare = np.array([97, 3])
>>> from assay.metrics.base import METRICS
>>> from assay.table.schema import Schema
>>> schema = Schema("binary", ("no", "yes"), {})
>>> note_small_samples(METRICS.parse("log_loss").bind(schema), schema, rare, "bootstrap-t")
['few positive rows (3): the interval may be too narrow']
"""

import math

import numpy as np

from assay.kernels import Array
from assay.metrics.base import Metric, value_shape
from assay.table.schema import Schema

__all__ = ["SHARES", "note_small_samples"]

# Fewer rows of a class than this are few: the least at which bench/coverage.py finds every interval right.
FEW = 10
# Procedures of shares of rows, that rest on those rows alone, whatever their classes; and those that need no caution.
SHARES = frozenset({"wilson", "jeffreys"})
SURE = frozenset({"", "clopper-pearson", "cluster bootstrap", *SHARES})


def note_small_samples(
    metric: Metric, schema: Schema, rows: Array, method: str, trials: Array | None = None
) -> list[str]:
    """What to say beside each figure of `metric`, whose interval is by `method`, on so many rows of each class (k,).

    trials: how many rows each figure is a share of (figures,), where it is one.
    """
    if trials is not None:
        bare = np.rint(np.ravel(trials)).astype(int)
        return [_narrow(f"a share of few rows ({n})") if n < FEW else "" for n in bare]
    few = rows < FEW if len(rows) == 2 else (rows > 0) & (rows < FEW)
    if (
        method in SURE
        or metric.granularity == "class_pair"
        or getattr(metric, "average", "") == "micro"
        or not few.any()
    ):
        return [""] * math.prod(value_shape(metric.granularity, max(len(rows), 1)))
    if metric.granularity == "class":
        return [
            _narrow(f"few rows of this class ({n})") if out else ""
            for n, out in zip(rows, few, strict=True)
        ]
    if schema.task == "binary":
        rarer = int(rows.argmin())
        return [
            _narrow(
                f"few {'positive' if rarer == schema.positive_code else 'negative'} rows ({rows[rarer]})"
            )
        ]
    noun = "labels" if schema.task == "multilabel" else "classes"
    return [_narrow(f"few rows of {few.sum()} of {schema.k} {noun} (fewest: {rows[few].min()})")]


def _narrow(said: str) -> str:
    return f"{said}: the interval may be too narrow"
