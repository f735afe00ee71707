"""equal_differences: what differences can show that are all equal, up to rounding.

Their spread is 0, or what the last digits make of it, and says nothing of how far other rows may
lie. That all of them have one sign is all they show: a sign test.

>>> sign_test(0.1, 3), round(sign_reach(0.1, 3, 0.95), 3)
(0.25, 0.142)
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from assay.kernels import Array
from assay.metrics.base import Metric
from assay.states.base import Pair
from assay.table.predictions import Predictions
from assay.table.schema import WRITTEN

__all__ = ["are_equal", "are_shifted", "estimate_rounding", "sign_reach", "sign_test"]

# Spread, as a share of the size of the values, that computing them in 64 bits may leave.
COMPUTED = 1e-12
# Units in the last place that the numbers of a table may be off, by the type they come in.
ULPS = 8
# Rows that show by how much rounding moves a loss.
SAMPLED = 1 << 12


def sign_test(gap: float, units: float) -> float:
    """The p-value of a `gap` where all `units` that differ do so by as much: a sign test's."""
    return min(1.0, 2.0 ** (1 - min(units, 1000))) if gap else 1.0


def sign_reach(gap: float, units: float, confidence: float) -> float:
    """How far the true mean may lie from a `gap` that all `units` have alike.

    As many units may have the opposite of the gap as Clopper and Pearson allow where none of these
    has it. So the interval holds 0 where the p-value of `sign_test` is 1 - `confidence` or more.
    """
    share = -np.expm1(np.log((1 - confidence) / 2) / max(units, 1.0))
    return 2 * abs(gap) * float(share)


def are_equal(differences: Sequence[float] | Array, size: float = 0.0) -> bool:
    """Whether `differences` of values of up to `size` differ by no more than rounding makes them.

    >>> are_equal([0.1, 0.3 - 0.2, 0.1]), are_equal([0.1, 0.1001, 0.1])
    (True, False)
    """
    d = np.asarray(differences, np.float64)
    return bool(np.ptp(d) <= COMPUTED * max(float(np.abs(d).max()), size))


def estimate_rounding(
    table: Predictions, metric: Metric, a: str, b: str, size: float, losses: Any = None
) -> float:
    """The spread that rounding may give the differences of two models from row to row.

    Parameters:
        table: What the models predict.
        metric: What compares them.
        a: Name of the first model.
        b: Name of the second model.
        size: The larger of the values of the two, without sign.
        losses: What gives the differences of the rows, if the metric has a value a row.
    """
    if table.task in WRITTEN:
        return COMPUTED * max(size, 1.0)
    if table.task not in ("regression", "multioutput"):
        # A label or a probability is of the size of 1.
        epsilon = max(_find_epsilon(table.outputs[model]) for model in (a, b))
        return max(COMPUTED, ULPS * epsilon) * max(size, 1.0)
    if losses is None:
        return 1e-9 * size  # differences of values that no row has alone
    few = table.every(max(1, table.n // SAMPLED))
    return float(COMPUTED * size + sum(_move_rows(few, losses, a, b, model) for model in (a, b)))


def are_shifted(table: Predictions, a: str, b: str) -> bool:
    """Whether what models `a` and `b` of a `table` give differs by as much in every row."""
    kinds = table.outputs[a].keys() & table.outputs[b].keys()
    numbers = [(np.asarray(table.outputs[m][kind]) for m in (a, b)) for kind in kinds]
    shifts = []
    for first, second in numbers:
        if first.dtype.kind != "f" or second.dtype.kind != "f" or not first.size:
            continue
        epsilon = max(float(np.finfo(values.dtype).eps) for values in (first, second))
        size = max(float(np.abs(values).max()) for values in (first, second))
        moved = np.ptp(first.astype(np.float64) - second, axis=0)
        shifts.append(bool((moved <= ULPS * epsilon * size).all()))
    return bool(shifts) and all(shifts)


def _find_epsilon(outputs: Any) -> float:
    """The relative rounding of the least exact of what a model gives."""
    types = [np.asarray(values).dtype for values in outputs.values()]
    return max((float(np.finfo(t).eps) for t in types if t.kind == "f"), default=0.0)


def _move_rows(table: Predictions, losses: Any, a: str, b: str, moved: str) -> float:
    """By how much the differences move where the numbers of the model `moved` are rounded."""
    outputs = table.outputs[moved]
    epsilon = max(_find_epsilon(outputs), float(np.finfo(np.float64).eps))
    truth = np.abs(np.asarray(table.truth, np.float64))
    near = {
        kind: values + ULPS * epsilon * np.maximum((np.abs(values.T) + truth.T).T, 0)
        for kind, values in ((kind, np.asarray(v, np.float64)) for kind, v in outputs.items())
    }
    other = replace(table, outputs={**table.outputs, moved: near})
    rows = {m: (other if m == moved else table).rows(m) for m in (a, b)}
    with np.errstate(all="ignore"):
        before = losses.compute_rows(Pair(table.rows(a), table.rows(b)))
        after = losses.compute_rows(Pair(rows[a], rows[b]))
        moves = np.square(after - before)
    moves = moves[np.isfinite(moves)]
    return float(np.sqrt(moves.mean())) if len(moves) else 0.0
