"""small_samples: what to say beside an interval that rests on few rows of a class.

>>> rare = np.array([97, 3])
>>> from assay.metrics.base import METRICS
>>> from assay.table.schema import Schema
>>> schema = Schema("binary", ("no", "yes"), {})
>>> note_small_samples(METRICS.parse("log_loss").bind(schema), schema, rare, "bootstrap-t")
['few positive rows (3): the interval may be too narrow']
"""

import math
from typing import Protocol, runtime_checkable

import numpy as np

from assay.kernels import Array
from assay.metrics.base import Metric, value_shape
from assay.table.schema import Schema

__all__ = ["SHARES", "UNEVEN", "MeasuresGaps", "note_few_units", "note_small_samples"]

# A class with fewer rows has few: from here on bench/coverage.py finds every interval right.
FEW = 10
# Of clusters so many and more are not few.
FEW_CLUSTERS = 10
# Weighted rows are few where Kish's number is below one of these, and below this share of the rows:
# where few of very many rows count, the next one may outweigh them all.
FEW_EFFECTIVE = ((50, 1 / 2), (200, 1 / 8))
# Rows whose weights differ by a tenth or more are worth less than this share of their number.
UNEVEN = 0.99
# Rows up to which bootstrap intervals of a metric were found too narrow: of the largest gap of two
# curves, of precisions at the few first rows (weighted or clustered), of moments of heavy tails,
# and of lines through rows of which hardly any came out against the odds.
NARROW = {
    "ks": 5000,
    "average_precision": 1000,
    "pearson": 300,
    "explained_variance": 300,
    "concordance_correlation": 300,
    "spearman": 300,
    "r2": 300,
    "classwise_ece": 50,
    "brier_calibration": 50,
    "calibration_slope": 100,
    "calibration_intercept": 100,
}
# Procedures of shares of rows: they rest on those rows alone, whatever their classes.
SHARES = frozenset({"wilson", "jeffreys"})
RESAMPLED = frozenset({"bootstrap", "bootstrap-t", "cluster bootstrap", "parametric bootstrap"})
# Procedures that are right for any number of rows of a class, and having no interval.
RELIABLE = frozenset({"", "clopper-pearson", "cluster bootstrap", *SHARES})


@runtime_checkable
class MeasuresGaps(Protocol):
    """A metric that adds up how far bins of probabilities are off, whose state is such bins."""

    measures_gaps: bool


def note_small_samples(
    metric: Metric, schema: Schema, rows: Array, method: str, trials: Array | None = None
) -> list[str]:
    """What to say beside each value of a metric: "" where there are rows enough.

    Parameters:
        metric: Bound to `schema`.
        schema: Of the table.
        rows: Rows of each class (k,).
        method: Procedure of the interval.
        trials: How many rows each value is a share of (values,); None where it is no share.
    """
    if trials is not None:
        return [
            _warn(f"a share of few rows ({n})") if n < FEW else ""
            for n in np.rint(np.ravel(trials)).astype(int)
        ]
    few = rows < FEW if len(rows) == 2 else (rows > 0) & (rows < FEW)
    averaged = metric.granularity == "class_pair" or getattr(metric, "average", "") == "micro"
    if method in RELIABLE or averaged or not few.any():
        return [""] * math.prod(value_shape(metric.granularity, max(len(rows), 1)))
    if metric.granularity == "class":
        return [
            _warn(f"few rows of this class ({n})") if is_few else ""
            for n, is_few in zip(rows, few, strict=True)
        ]
    if schema.task == "binary":
        rarer = int(rows.argmin())
        name = "positive" if rarer == schema.positive_code else "negative"
        return [_warn(f"few {name} rows ({rows[rarer]})")]
    noun = "labels" if schema.task == "multilabel" else "classes"
    return [_warn(f"few rows of {few.sum()} of {schema.k} {noun} (fewest: {rows[few].min()})")]


def note_few_units(name: str, n: int, effective: float, clusters: int | None, method: str) -> str:
    """What to say of an interval that rests on few clusters, or on few of the weighted rows.

    Parameters:
        name: Of the metric.
        n: Number of rows.
        effective: Kish's effective number of the weighted rows.
        clusters: Number of clusters, at least where few; None without clusters.
        method: Procedure of the interval; "" where there is none.

    >>> note_few_units("auc", 200, 6.3, None, "delong")
    'weights that make 200 rows count as 6: the interval may be too narrow'
    """
    if not method:
        return ""
    if clusters is not None and clusters < FEW_CLUSTERS:
        return _warn(f"few clusters ({clusters})")
    if clusters is None and any(effective < min(most, share * n) for most, share in FEW_EFFECTIVE):
        return _warn(f"weights that make {n} rows count as {effective:.0f}")
    uneven = method == "logit bootstrap" and effective < UNEVEN * n
    if n <= NARROW.get(name, 0) and (uneven or method in RESAMPLED):
        return _warn(f"few rows ({n}) for {name}")
    return ""


def _warn(reason: str) -> str:
    return f"{reason}: the interval may be too narrow"
