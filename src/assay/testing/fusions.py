"""What every fusion must keep: laws that `fuse`, saving and applying rely on.

>>> check_fusion("mean", repeats=1)
"""

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from assay.core.result import to_plain
from assay.errors import UnsupportedError
from assay.fusions.base import FUSIONS, Fusion
from assay.fusions.fitted import Fitted
from assay.fusions.fuse import fuse
from assay.kernels import Array
from assay.table.predictions import Predictions
from assay.table.schema import TASKS, Task
from assay.testing.laws import require
from assay.testing.tables import random_table

__all__ = ["check_fusion"]

ROWS = 120  # enough that fusions which refuse few rows take the tables at random


def check_fusion(
    fusion: str | Fusion[Any],
    *,
    tables: Iterable[Predictions] | None = None,
    repeats: int = 2,
    seed: int = 0,
) -> None:
    """Hold a fusion to the laws that every fusion must keep.

    Its text names it again; the same rows and seed give the same column; applied in batches it
    gives what it gives for the whole; a saved one, read back, gives the same; shares of models are
    >= 0 and sum to 1; the fused column is admitted as one more model, and the others stay as they
    were.

    Parameters:
        fusion: The fusion, or its text, as in "weighted(shrink=1)".
        tables: Tables of two models or more to hold it to; default: tables at random of every task,
            with a further column of numbers `x`, as for "neighbours(features=x)". A table that the
            fusion refuses with UnsupportedError is passed over, but it must take one.
        repeats: How many tables at random a task, 1 or more; default 2.
        seed: What the tables at random are drawn from; default 0.

    Raises:
        AssertionError: A law does not hold; the message names the fusion and the law.

    >>> check_fusion("weighted", repeats=1)
    """
    member = FUSIONS.parse(fusion)
    require(FUSIONS.parse(str(member)) == member, member, "its text reads back as the fusion")
    if tables is None:
        tables = [_add_column(t, seed + i) for t in TASKS for i in range(repeats)]
    taken = sum(_check_on(member, table) for table in tables)
    require(taken > 0, member, "takes one of the tables")


def _add_column(task: Task, seed: int) -> Predictions:
    """A table at random of a task, with a column of numbers."""
    table = random_table(task, seed, n=ROWS)
    numbers = pa.array(np.random.default_rng(seed).normal(size=table.n))
    return replace(table, columns={**table.columns, "x": numbers})


def _check_on(fusion: Fusion[Any], table: Predictions) -> bool:
    """Whether the fusion takes the table; if so, it is held to the laws there."""
    try:
        fitted = fusion.fit(table, seed=1)
    except UnsupportedError:
        return False
    column = _column(fitted, table)
    again = _column(fusion.fit(table, seed=1), table)
    require(np.array_equal(column, again), fusion, "the same rows and seed give the same column")
    parts = [_column(fitted, batch) for batch in table.batches(7)]
    require(
        np.array_equal(column, np.concatenate(parts)),
        fusion,
        "applied in batches it gives what it gives for the whole",
    )
    _check_saved(fusion, fitted, table, column)
    shares = fitted.importance()
    if shares is not None:
        values = np.array(list(shares.values()))
        require(bool((values >= 0).all()), fusion, "shares of models are 0 or more")
        require(abs(values.sum() - 1) < 1e-9, fusion, "shares of models sum to 1")
    fused = fuse(table, fusion, seed=1).predictions
    require(fused.models == [*table.models, "fused"], fusion, "one model more is in the table")
    untouched = all(fused.outputs[name] is table.outputs[name] for name in table.models)
    require(untouched, fusion, "the other models stay as they were")
    return True


def _check_saved(fusion: Fusion[Any], fitted: Fitted, table: Predictions, column: Array) -> None:
    header, arrays = fitted.dump()
    text = json.dumps(to_plain(header))
    plain = all(array.dtype.kind in "biuf" for array in arrays.values())
    require(plain, fusion, "what is saved are arrays of numbers, and a header that JSON holds")
    loaded = type(fitted).load(json.loads(text), arrays)
    same = np.array_equal(column, _column(loaded, table))
    require(same, fusion, "saved and read back it gives the same column")


def _column(fitted: Fitted, table: Predictions) -> Array:
    return np.asarray(fitted.apply(table)[fitted.kind])
