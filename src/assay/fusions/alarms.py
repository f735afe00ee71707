"""Alarms: members of a pool that spoil a fusion, or flatter it, without its numbers showing.

>>> y = [0, 1] * 20
>>> right = {f"{name}.proba": [0.2, 0.7] * 20 for name in "ab"}
>>> p = Predictions.from_arrays(y, {**right, "c.proba": [0.4, 0.6] * 20})
>>> merge_duplicates(p)
(('a', 'c'), ("'b' says the same as 'a' on every row: the two count as one model.",))
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from assay.errors import UnsupportedError
from assay.fusions.convex import common_kind
from assay.kernels import Array
from assay.kernels.class_order import find_class_order, holds_out_classes
from assay.table.folds import encode_column
from assay.table.predictions import Predictions
from assay.table.schema import Kind

__all__ = ["count_rows_of", "find_alarms", "merge_duplicates"]

LEAST_ROWS = 20  # on which models that happen to agree are told from copies
SAME = 1e-7  # outputs that differ by no more are the same
LOOKED_AT = 64  # rows by which most models are seen to differ
MOST_ROWS = 1 << 14  # that are read for alarms, evenly spread
FALSE_ALARM = 0.001  # chance that sound models raise one
NO_ERROR = 0.002  # error rate of models that are nearly always right
MANY_ERRORS = 0.1  # error rate of all the others, beside which that is implausible
NO_RESIDUAL = 0.005  # squared error as a share of the next model's, beside which it is implausible


def merge_duplicates(table: Predictions) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The models of the `table` without copies of others, and a note on each copy.

    A copy gives the same probabilities or values on every row, within 1e-7, of 20 rows or more.
    Votes of labels are never copies: models that agree are no reason to count one of them.
    """
    models = tuple(table.models)
    kind = _find_kind(table)
    if kind not in ("proba", "value") or table.n < LEAST_ROWS:
        return models, ()
    some = table.every(max(table.n // LOOKED_AT, 1))
    first = {name: np.asarray(getattr(some.rows(name), kind)) for name in models}
    copied: dict[str, str] = {}
    for place, name in enumerate(models):
        for other in models[:place]:
            if other in copied or not np.allclose(first[name], first[other], rtol=0, atol=SAME):
                continue
            ours, theirs = (getattr(table.rows(one), kind) for one in (name, other))
            if np.allclose(ours, theirs, rtol=0, atol=SAME):
                copied[name] = other
                break
    kept = tuple(name for name in models if name not in copied)
    if len(kept) < 2:
        return models, ("All models say the same on every row.",)
    return kept, tuple(
        f"{name!r} says the same as {other!r} on every row: the two count as one model."
        for name, other in copied.items()
    )


def find_alarms(table: Predictions) -> tuple[str, ...]:
    """Models whose class columns seem permuted, or that were trained on these rows, as notes.

    Parameters:
        table: The rows that are fitted on and judged.
    """
    kind = _find_kind(table)
    if table.n < LEAST_ROWS:
        return ()
    some = table.every(-(-table.n // MOST_ROWS))
    if kind == "value":
        truth = np.asarray(some.truth, float)
        errors = {
            name: _average((some.rows(name).value - truth) ** 2, some) for name in some.models
        }
        return tuple(_suspect_training(errors, NO_RESIDUAL * _find_next(errors), 0.0))
    if kind not in ("proba", "label") or some.task not in ("binary", "multiclass"):
        return ()
    truth = some.truth.astype(np.int64)
    errors = {name: _average(some.rows(name).label != truth, some) for name in some.models}
    notes = list(_suspect_training(errors, NO_ERROR, MANY_ERRORS))
    fold = encode_column(some, "fold")
    if fold is None or not holds_out_classes(truth, fold):
        notes += _suspect_orders(some, truth)
    return tuple(notes)


def count_rows_of(table: Predictions, other: Predictions, models: Sequence[str]) -> int:
    """How many rows of a table are among those of another: by their ids, else where all are alike.

    Parameters:
        table: The rows in question.
        other: The other rows.
        models: Models whose outputs tell rows without ids.
    """
    if "id" in table.columns and "id" in other.columns:
        import pyarrow.compute as pc

        new, known = table.columns["id"], other.columns["id"]
        is_known = pc.is_in(new, known) if new.type == known.type else None
        return 0 if is_known is None else int(pc.sum(is_known).as_py() or 0)
    if table.n != other.n or not np.array_equal(table.truth, other.truth):
        return 0
    pairs = [(table.outputs[m], other.outputs[m]) for m in models if m in table.outputs]
    same = all(
        np.array_equal(ours[kind], theirs[kind])
        for ours, theirs in pairs
        for kind in ours
        if kind in theirs
    )
    return table.n if same else 0


def _find_kind(table: Predictions) -> Kind | None:
    """What all models give; None where they give nothing in common."""
    try:
        return common_kind(table)
    except UnsupportedError:
        return None


def _average(losses: Array, table: Predictions) -> float:
    """The weighted mean of `losses` (n,)."""
    return float(np.average(losses, weights=table.weight))


def _find_next(errors: dict[str, float]) -> float:
    """The error beside which that of the better models is least by far: after the largest gap."""
    ordered = sorted(errors.values())
    gaps = [high / max(low, 1e-300) for low, high in pairwise(ordered)]
    return ordered[int(np.argmax(gaps)) + 1]


def _suspect_training(errors: dict[str, float], bound: float, least: float) -> Iterator[str]:
    """A note on the models that err no more than `bound`, where all others err `least` or more."""
    low = [name for name, error in errors.items() if error <= bound]
    others = [error for error in errors.values() if error > bound]
    if not low or not others or min(others) < least:
        return
    named = ", ".join(map(repr, low))
    yield (
        f"Next to no error on these rows, unlike all other models: {named}. If rows were among "
        f"those that a model was trained on, give its predictions of rows held out of training; "
        f"else the fusion trusts what new rows will not show."
    )


def _suspect_orders(table: Predictions, truth: Array) -> Iterator[str]:
    """A note on each model that is right far more often with its classes in another order."""
    weight = np.ones(table.n) if table.weight is None else np.asarray(table.weight, float)
    cluster = encode_column(table, "cluster")
    rows = float(weight.sum() ** 2 / max(float((weight**2).sum()), 1e-300))
    rows = rows if cluster is None else float(cluster.max() + 1)
    k = table.schema.k
    for name in table.models:
        label = table.rows(name).label.astype(np.int64)
        counts = np.bincount(truth * k + label, weight, k * k).reshape(k, k)
        found = find_class_order(counts, rows, FALSE_ALARM / len(table.models))
        if found is None:
            continue
        moved = [
            f"{table.classes[column]!r} read as {table.classes[row]!r}"
            for column, row in enumerate(found.order)
            if row != column
        ]
        more = ", ..." if len(moved) > 4 else ""
        yield (
            f"The class columns of {name!r} are probably permuted: its accuracy is "
            f"{found.accuracy:.3g}, and {found.reordered:.3g} with {', '.join(moved[:4])}{more}; "
            f"give its outputs under the names of the classes that they are of."
        )
