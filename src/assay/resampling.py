"""Resampling: replicates of a state, from its buckets of rows or from its confusion counts, at a cost free of the rows.

>>> from assay.state import ConfusionTable
>>> from assay.table.schema import Schema
>>> n = np.array([8])
>>> cells = np.array([[[3, 1], [0, 4]]])
>>> table = ConfusionTable(cells, cells, np.array([7]), n, n, n)
>>> c = resample_counts(table, Schema("binary", ("no", "yes"), {}), np.random.default_rng(0), replicates=100)
>>> c.tp.shape, bool((c.right <= c.total + 1e-9).all())
((100, 2), True)
"""

from typing import Any

import numpy as np

from assay.state import Confusion, ConfusionTable, Counts, State
from assay.table.columns import Array
from assay.table.schema import Schema

__all__ = ["REPLICATES", "effective", "is_resampled_by_cell", "resample_buckets", "resample_counts", "smoothed"]

REPLICATES = 1000


def effective(value: Any) -> Array:
    """Effective number of rows (cells,): (sum w)^2 / sum w^2. Source: Kish (1965), Survey Sampling."""
    squares = np.asarray(value.squares, np.float64)
    return np.divide(np.asarray(value.weight, np.float64) ** 2, squares, out=np.zeros_like(squares), where=squares > 0)


def resample_buckets(value: Any, rng: "np.random.Generator", replicates: int = REPLICATES) -> Array:
    """How often each bucket enters each replicate (replicates, buckets): as many draws as there are filled buckets."""
    filled = np.flatnonzero(value.rows)
    times = np.zeros((replicates, len(value.rows)), np.int64)
    if len(filled):
        times[:, filled] = rng.multinomial(len(filled), np.full(len(filled), 1 / len(filled)), size=replicates)
    return times


def resample_counts(
    value: ConfusionTable, schema: Schema, rng: "np.random.Generator", replicates: int = REPLICATES
) -> Counts:
    """Replicates of the counts of a confusion table, leading axis `replicates`, at a cost free of the number of rows.

    The shares of its cells are drawn from their Dirichlet posterior (the Bayesian bootstrap). The prior is one row in
    all, half on the diagonal, so that no small sample gives an interval of no width; it is left out beyond 64 classes,
    where only the cells that occur are drawn and only the margins kept.  Source: Rubin (1981), Ann. Stat. 9:130-134.
    """
    table, total = np.asarray(value.table[0], np.float64), float(value.weight[0])
    k = len(table)
    counts = table * (effective(value)[0] / total if total else 0.0)
    if 1 < k <= 64:
        counts = counts + prior(table)
    cells = np.flatnonzero(counts)
    truth, predicted = np.divmod(cells, k)
    column = np.argsort(predicted, kind="stable")
    tp, support, named = (np.zeros((replicates, k)) for _ in range(3))
    tables = np.zeros((replicates, k * k)) if k <= 64 else None
    step = max(1, (1 << 22) // max(len(cells), 1))
    for start in range(0, replicates if len(cells) else 0, step):
        block = slice(start, min(start + step, replicates))
        drawn = rng.standard_gamma(counts.ravel()[cells], size=(block.stop - start, len(cells)))
        drawn *= total / np.maximum(drawn.sum(axis=1, keepdims=True), np.finfo(float).tiny)
        tp[block, truth[truth == predicted]] = drawn[:, truth == predicted]
        _add_runs(support[block], truth, drawn)
        _add_runs(named[block], predicted[column], drawn[:, column])
        if tables is not None:
            tables[block, cells] = drawn
    positive = schema.positive_code if schema.task == "binary" else None
    whole = np.empty((replicates, 0, 0)) if tables is None else tables.reshape(replicates, k, k)
    return Counts(
        tp,
        support,
        named,
        np.full(replicates, total),
        tp.sum(axis=1),
        whole,
        positive,
        sample=Confusion().summary(value, schema),
    )


def _add_runs(into: Array, code: Array, values: Array) -> None:
    """Sums of the columns of `values` (b, c) over runs of equal `code` (c,), sorted, into the columns of `into`."""
    starts = np.flatnonzero(np.diff(code, prepend=-1))
    into[:, code[starts]] = np.add.reduceat(values, starts, axis=1)


def smoothed(drawn: ConfusionTable, seen: Array, rng: "np.random.Generator") -> ConfusionTable:
    """Resampled tables with the prior's one row added to each: a perfect sample has an interval with a width.

    `seen` is the table (..., k, k) of all rows.
    """
    if not 1 < seen.shape[-1] <= 64:
        return drawn
    extra = rng.standard_gamma(np.broadcast_to(prior(seen), drawn.table.shape))
    right = rng.standard_gamma(0.5, size=drawn.right.shape)
    return drawn._replace(
        table=drawn.table + extra,
        right=drawn.right + right,
        weight=drawn.weight + (right + rng.standard_gamma(0.5, size=right.shape)),
    )


def prior(table: Array) -> Array:
    """One row spread over a table (..., k, k): half along the diagonal, half off it, in the rows of true classes.

    >>> prior(np.array([[3, 1], [0, 4]])).tolist()
    [[0.25, 0.25], [0.25, 0.25]]
    """
    k = table.shape[-1]
    true = (table.sum(axis=-1) > 0)[..., :, None]
    cells = np.where(true.any(axis=-2, keepdims=True), true, True) & np.ones((k, k), bool)
    own = np.eye(k, dtype=bool)
    share = [cells & part for part in (own, ~own)]
    return np.asarray(sum(0.5 * part / part.sum(axis=(-1, -2), keepdims=True) for part in share))


def is_resampled_by_cell(state: State[Any], schema: Schema) -> bool:
    """Whether the state's own counts can be resampled, so that no buckets of rows are needed."""
    return isinstance(state, Confusion) and schema.task != "multilabel"
