"""Resampling: replicates of a state, from its buckets of rows or from its confusion counts, at a cost free of the rows.

>>> from assay.states.confusion import ConfusionTable
>>> from assay.table.schema import Schema
>>> n = np.array([8])
>>> cells = np.array([[[3, 1], [0, 4]]])
>>> table = ConfusionTable(cells, cells, np.array([7]), n, n, n)
>>> c = resample_counts(table, Schema("binary", ("no", "yes"), {}), np.random.default_rng(0), replicates=100)
>>> c.tp.shape, bool((c.right <= c.total + 1e-9).all())
((100, 2), True)
"""

from dataclasses import replace
from typing import Any

import numpy as np

from assay.kernels import Array
from assay.states.base import MOST_CLASSES, State
from assay.states.confusion import Confusion, ConfusionTable, Counts
from assay.table.schema import Schema

__all__ = [
    "REPLICATES",
    "average_replicates",
    "effective_rows",
    "is_resampled_by_cell",
    "resample_buckets",
    "resample_counts",
    "add_prior_rows",
]

REPLICATES = 1000


def effective_rows(value: Any) -> Array:
    """Effective number of rows (cells,): (sum w)^2 / sum w^2. Source: Kish (1965), Survey Sampling."""
    squares = np.asarray(value.squares, np.float64)
    return np.divide(
        np.asarray(value.weight, np.float64) ** 2,
        squares,
        out=np.zeros_like(squares),
        where=squares > 0,
    )


def resample_buckets(value: Any, rng: "np.random.Generator", replicates: int = REPLICATES) -> Array:
    """How often each bucket enters each replicate (replicates, buckets): as many draws as there are filled buckets."""
    filled = np.flatnonzero(value.rows)
    times = np.zeros((replicates, len(value.rows)), np.int64)
    if len(filled):
        times[:, filled] = rng.multinomial(
            len(filled), np.full(len(filled), 1 / len(filled)), size=replicates
        )
    return times


def resample_counts(
    value: ConfusionTable, schema: Schema, rng: "np.random.Generator", replicates: int = REPLICATES
) -> Counts:
    """Replicates of the counts of a confusion table, leading axis `replicates`, at a cost free of the number of rows.

    The shares of its cells are drawn from their Dirichlet posterior (the Bayesian bootstrap). The prior is two
    rows, one of them on the diagonal, so that no small sample gives an interval of no width: for two classes Jeffreys'
    half a row a cell.  Beyond 64 classes only the cells that occur are drawn, the prior's rows fall on classes drawn at
    random, and only the margins are kept.  A class alone may have been mistaken for one that is not in the table.
    Source: Rubin (1981), Ann. Stat. 9:130-134.
    """
    if value.table.shape[-1] == 1:
        return _alone(value, schema, rng, replicates)
    total, k = float(value.weight[0]), value.table.shape[-1]
    truth, predicted, mass = _cells(value, effective_rows(value)[0] / total if total else 0.0)
    cells = truth.astype(np.int64) * k + predicted
    column = np.argsort(predicted, kind="stable")
    tp, support, named = (np.zeros((replicates, k)) for _ in range(3))
    tables = np.zeros((replicates, k * k)) if k <= MOST_CLASSES else None
    step = max(1, (1 << 22) // max(len(cells), 1))
    for start in range(0, replicates if len(cells) else 0, step):
        block = slice(start, min(start + step, replicates))
        drawn = rng.standard_gamma(mass, size=(block.stop - start, len(cells)))
        # Beyond the most classes the prior's two rows, right and wrong, are not spread over the cells.
        loose = rng.standard_gamma(float(k > MOST_CLASSES), size=(block.stop - start, 2))
        scale = total / np.maximum(drawn.sum(axis=1) + loose.sum(axis=1), np.finfo(float).tiny)
        drawn *= scale[:, None]
        tp[block, truth[truth == predicted]] = drawn[:, truth == predicted]
        _add_runs(support[block], truth, drawn)
        _add_runs(named[block], predicted[column], drawn[:, column])
        if tables is not None:
            tables[block, cells] = drawn
        else:
            _add_at_random(
                tp[block],
                support[block],
                named[block],
                loose * scale[:, None],
                np.unique(truth),
                rng,
            )
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


def _cells(value: ConfusionTable, scale: float) -> tuple[Array, Array, Array]:
    """True and predicted class of the cells that are drawn, in order, and the effective rows of each: (c,)."""
    if not isinstance(value.table, np.ndarray):
        truth, predicted, count = value.table.pairs
        return truth, predicted, count * scale
    table = np.asarray(value.table[0], np.float64)
    counts = table * scale
    if len(table) <= MOST_CLASSES:
        counts = counts + prior(table)
    truth, predicted = np.nonzero(counts)
    return truth, predicted, counts[truth, predicted]


def _alone(
    value: ConfusionTable, schema: Schema, rng: "np.random.Generator", replicates: int
) -> Counts:
    """Replicates of a table of one class, beside one that it does not have."""
    beside = np.pad(np.asarray(value.table), ((0, 0), (0, 1), (0, 1)))
    drawn = resample_counts(
        value._replace(table=beside), replace(schema, task="multiclass"), rng, replicates
    )
    return drawn._replace(
        tp=drawn.tp[:, :1],
        support=drawn.support[:, :1],
        predicted=drawn.predicted[:, :1],
        table=drawn.table[:, :1, :1],
        positive=schema.positive_code if schema.task == "binary" else None,
        sample=Confusion().summary(value, schema),
    )


def _add_at_random(
    tp: Array, support: Array, named: Array, weight: Array, true: Array, rng: "np.random.Generator"
) -> None:
    """A right row and a wrong one, of the weights (b, 2), of true classes drawn for each replicate, to its margins."""
    b, k = tp.shape
    each = np.arange(b)
    right, wrong = rng.choice(true, size=(2, b))
    tp[each, right] += weight[:, 0]
    support[each, right] += weight[:, 0]
    named[each, right] += weight[:, 0]
    support[each, wrong] += weight[:, 1]
    named[each, (wrong + rng.integers(1, k, size=b)) % k] += weight[:, 1]


def average_replicates(replicates: Counts) -> Counts:
    """The mean of the replicates, as one cell."""
    names = ("tp", "support", "predicted", "total", "right", "table")
    means: dict[str, Any] = {
        name: getattr(replicates, name).mean(axis=0, keepdims=True) for name in names
    }
    return replicates._replace(**means)


def _add_runs(into: Array, code: Array, values: Array) -> None:
    """Sums of the columns of `values` (b, c) over runs of equal `code` (c,), sorted, into the columns of `into`."""
    starts = np.flatnonzero(np.diff(code, prepend=-1))
    into[:, code[starts]] = np.add.reduceat(values, starts, axis=1)


def add_prior_rows(drawn: ConfusionTable, seen: Array, rng: "np.random.Generator") -> ConfusionTable:
    """Resampled tables with the prior's two rows added to each: a perfect sample has an interval with a width.

    `seen` is the table (..., k, k) of all rows.
    """
    if not 1 < seen.shape[-1] <= MOST_CLASSES:
        return drawn
    extra = rng.standard_gamma(np.broadcast_to(prior(seen), drawn.table.shape))
    right = rng.standard_gamma(1.0, size=drawn.right.shape)
    return drawn._replace(
        table=drawn.table + extra,
        right=drawn.right + right,
        weight=drawn.weight + (right + rng.standard_gamma(1.0, size=right.shape)),
    )


def prior(table: Array) -> Array:
    """Two rows spread over a table (..., k, k): one along the diagonal, one off it, in the rows of true classes.

    >>> prior(np.array([[3, 1], [0, 4]])).tolist()
    [[0.5, 0.5], [0.5, 0.5]]
    """
    k = table.shape[-1]
    true = (table.sum(axis=-1) > 0)[..., :, None]
    cells = np.where(true.any(axis=-2, keepdims=True), true, True) & np.ones((k, k), bool)
    own = np.eye(k, dtype=bool)
    share = [cells & part for part in (own, ~own)]
    return np.asarray(sum(part / part.sum(axis=(-1, -2), keepdims=True) for part in share))


def is_resampled_by_cell(state: State[Any], schema: Schema) -> bool:
    """Whether the state's own counts can be resampled, so that no buckets of rows are needed."""
    return isinstance(state, Confusion) and schema.task != "multilabel"
