"""resampling: bootstrap replicates of a state, at a cost free of the number of rows.

They are drawn from its buckets of rows, or from its confusion counts.

>>> from assay.states.confusion import ConfusionTable
>>> from assay.table.schema import Schema
>>> n = np.array([8])
>>> cells = np.array([[[3, 1], [0, 4]]])
>>> table = ConfusionTable(cells, cells, np.array([7]), n, n, n)
>>> schema = Schema("binary", ("no", "yes"), {})
>>> c = resample_counts(table, schema, np.random.default_rng(0), replicates=100)
>>> c.tp.shape, bool((c.right <= c.total + 1e-9).all())
((100, 2), True)
"""

from dataclasses import replace
from typing import Any

import numpy as np

from assay.kernels import Array
from assay.metrics.base import Metric
from assay.states.base import MOST_CLASSES, State
from assay.states.confusion import Confusion, ConfusionTable, Counts
from assay.table.schema import Schema

__all__ = [
    "REPLICATES",
    "add_prior_rows",
    "average_replicates",
    "compute_replicates",
    "draw_buckets",
    "effective_rows",
    "is_resampled_by_cell",
    "resample_counts",
]

REPLICATES = 1000
# Cells of all replicates together that are drawn at a time.
BLOCK = 1 << 22


def effective_rows(value: Any) -> Array:
    """Effective number of rows of each stratum of a state's `value` (strata,).

    (sum w)^2 / sum w^2. Source: Kish (1965), Survey Sampling.
    """
    squares = np.asarray(value.squares, np.float64)
    return np.divide(
        np.asarray(value.weight, np.float64) ** 2,
        squares,
        out=np.zeros_like(squares),
        where=squares > 0,
    )


def draw_buckets(rows: Array, rng: "np.random.Generator", replicates: int = REPLICATES) -> Array:
    """How often each bucket enters each replicate (replicates, buckets), drawn with replacement.

    Parameters:
        rows: How many rows each bucket holds (buckets,); each replicate draws as many buckets as
            hold any.
        rng: Source of the draws.
        replicates: How many; default 1000.
    """
    filled = np.flatnonzero(rows)
    counts = np.zeros((replicates, len(rows)), np.int64)
    if len(filled):
        counts[:, filled] = rng.multinomial(
            len(filled), np.full(len(filled), 1 / len(filled)), size=replicates
        )
    return counts


def compute_replicates(
    metric: Metric, state: State[Any], value: Any, counts: Array, schema: Schema
) -> Array:
    """The values of a metric on replicates of a state, replicates first.

    Parameters:
        metric: Bound to `schema`.
        state: The state that the metric reads.
        value: Its value in each bucket of rows.
        counts: How often each bucket enters each replicate (replicates, buckets).
        schema: Of the table.
    """
    return np.asarray(metric.compute(state.summary(state.resample(value, counts), schema)))


def resample_counts(
    value: ConfusionTable, schema: Schema, rng: "np.random.Generator", replicates: int = REPLICATES
) -> Counts:
    """Replicates of the counts of a confusion table, at a cost free of the number of rows.

    The shares of its cells are drawn from their Dirichlet posterior (the Bayesian bootstrap). The
    prior is two rows, one of them on the diagonal, so that no small sample gives an interval of no
    width: for two classes Jeffreys' half a row a cell. Beyond 64 classes only the cells that occur
    are drawn, the prior's rows fall on classes drawn at random, and only the margins are kept. A
    class alone may have been mistaken for one that is not in the table.
    Source: Rubin (1981), Ann. Stat. 9:130-134.

    Parameters:
        value: The table of one stratum, (1, k, k).
        schema: Of the rows; gives the positive class.
        rng: Source of the draws.
        replicates: How many; default 1000.

    Returns:
        Counts with the replicates as leading axis.
    """
    k = value.table.shape[-1]
    if k == 1:
        return _resample_single_class(value, schema, rng, replicates)
    total = float(value.weight[0])
    truth, predicted, mass = _cells(value, effective_rows(value)[0] / total if total else 0.0)
    margins = _Margins(replicates, k, truth, predicted)
    step = max(1, BLOCK // max(len(truth), 1))
    for start in range(0, replicates if len(truth) else 0, step):
        block = slice(start, min(start + step, replicates))
        drawn = rng.standard_gamma(mass, size=(block.stop - start, len(truth)))
        # Beyond the most classes the prior's two rows, right and wrong, are not spread over cells.
        prior_rows = rng.standard_gamma(float(k > MOST_CLASSES), size=(block.stop - start, 2))
        mass_drawn = drawn.sum(axis=1) + prior_rows.sum(axis=1)
        scale = total / np.maximum(mass_drawn, np.finfo(float).tiny)
        drawn *= scale[:, None]
        margins.add(block, drawn)
        if k > MOST_CLASSES:
            margins.add_at_random(block, prior_rows * scale[:, None], rng)
    return Counts(
        margins.tp,
        margins.support,
        margins.predicted,
        np.full(replicates, total),
        margins.tp.sum(axis=1),
        margins.tables,
        schema.positive_code if schema.task == "binary" else None,
        classes=schema.classes,
        sample=Confusion().summary(value, schema),
    )


class _Margins:
    """Sums over the drawn cells of each replicate (replicates, k); whole tables of few classes."""

    def __init__(self, replicates: int, k: int, truth: Array, predicted: Array) -> None:
        self.tp = np.zeros((replicates, k))
        self.support = np.zeros((replicates, k))
        self.predicted = np.zeros((replicates, k))
        self.tables = np.zeros((replicates, k, k) if k <= MOST_CLASSES else (replicates, 0, 0))
        self._truth = truth
        self._column = np.argsort(predicted, kind="stable")
        self._predicted = predicted[self._column]
        self._right = truth == predicted
        self._cells = truth.astype(np.int64) * k + predicted

    def add(self, block: slice, drawn: Array) -> None:
        """Of the replicates `block`, the weight of each cell (b, cells)."""
        self.tp[block, self._truth[self._right]] = drawn[:, self._right]
        _add_runs(self.support[block], self._truth, drawn)
        _add_runs(self.predicted[block], self._predicted, drawn[:, self._column])
        if self.tables.size:
            self.tables.reshape(len(self.tables), -1)[block, self._cells] = drawn

    def add_at_random(self, block: slice, weight: Array, rng: "np.random.Generator") -> None:
        """A right row and a wrong one, of the weights (b, 2), of true classes drawn for each."""
        each = np.arange(block.start, block.stop)
        k = self.tp.shape[1]
        right, wrong = rng.choice(np.unique(self._truth), size=(2, len(each)))
        self.tp[each, right] += weight[:, 0]
        self.support[each, right] += weight[:, 0]
        self.predicted[each, right] += weight[:, 0]
        self.support[each, wrong] += weight[:, 1]
        mistaken = (wrong + rng.integers(1, k, size=len(each))) % k
        self.predicted[each, mistaken] += weight[:, 1]


def _cells(value: ConfusionTable, scale: float) -> tuple[Array, Array, Array]:
    """True and predicted class of the cells drawn, in order, and their effective rows: (cells,)."""
    if not isinstance(value.table, np.ndarray):
        truth, predicted, count = value.table.pairs
        return truth, predicted, count * scale
    table = np.asarray(value.table[0], np.float64)
    counts = table * scale
    if len(table) <= MOST_CLASSES:
        counts = counts + prior_table(table)
    truth, predicted = np.nonzero(counts)
    return truth, predicted, counts[truth, predicted]


def _resample_single_class(
    value: ConfusionTable, schema: Schema, rng: "np.random.Generator", replicates: int
) -> Counts:
    """Replicates of a table of one class, beside one that it does not have."""
    padded = np.pad(np.asarray(value.table), ((0, 0), (0, 1), (0, 1)))
    drawn = resample_counts(
        value._replace(table=padded), replace(schema, task="multiclass"), rng, replicates
    )
    return drawn._replace(
        tp=drawn.tp[:, :1],
        support=drawn.support[:, :1],
        predicted=drawn.predicted[:, :1],
        table=drawn.table[:, :1, :1],
        positive=schema.positive_code if schema.task == "binary" else None,
        sample=Confusion().summary(value, schema),
    )


def average_replicates(replicates: Counts) -> Counts:
    """The mean of the `replicates`, as one stratum."""
    names = ("tp", "support", "predicted", "total", "right", "table")
    means: dict[str, Any] = {
        name: getattr(replicates, name).mean(axis=0, keepdims=True) for name in names
    }
    return replicates._replace(**means)


def _add_runs(sums: Array, code: Array, values: Array) -> None:
    """Adds the columns of `values` (b, c), of sorted `code` (c,), to the columns of `sums`."""
    starts = np.flatnonzero(np.diff(code, prepend=-1))
    sums[:, code[starts]] = np.add.reduceat(values, starts, axis=1)


def add_prior_rows(
    drawn: ConfusionTable, table: Array, rng: "np.random.Generator"
) -> ConfusionTable:
    """Resampled tables with the prior's two rows, drawn by `rng`, added to each of `drawn`.

    So a perfect sample has an interval with a width. `table` (..., k, k) is that of all rows.
    """
    if not 1 < table.shape[-1] <= MOST_CLASSES:
        return drawn
    extra = rng.standard_gamma(np.broadcast_to(prior_table(table), drawn.table.shape))
    right = rng.standard_gamma(1.0, size=drawn.right.shape)
    return drawn._replace(
        table=drawn.table + extra,
        right=drawn.right + right,
        weight=drawn.weight + (right + rng.standard_gamma(1.0, size=right.shape)),
    )


def prior_table(table: Array) -> Array:
    """Two rows spread over a `table` (..., k, k): one on the diagonal, one off it.

    Only over the rows of true classes, where there are any.

    >>> prior_table(np.array([[3, 1], [0, 4]])).tolist()
    [[0.5, 0.5], [0.5, 0.5]]
    """
    k = table.shape[-1]
    true = (table.sum(axis=-1) > 0)[..., :, None]
    cells = np.where(true.any(axis=-2, keepdims=True), true, True) & np.ones((k, k), bool)
    diagonal = cells & np.eye(k, dtype=bool)
    others = cells & ~np.eye(k, dtype=bool)
    share = diagonal / diagonal.sum(axis=(-1, -2), keepdims=True)
    return np.asarray(share + others / others.sum(axis=(-1, -2), keepdims=True))


def is_resampled_by_cell(state: State[Any], schema: Schema) -> bool:
    """Whether the counts of `state` can be resampled, so that no buckets of rows are needed.

    They can for tasks, by `schema`, where a row has one label.
    """
    return isinstance(state, Confusion) and schema.task != "multilabel"
