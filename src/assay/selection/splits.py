"""Splits."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from assay.errors import UnsupportedError
from assay.kernels import Array
from assay.table.schema import Task

__all__ = ["dealt", "length", "rows_of", "splitter_for"]

Split = tuple[Array, Array]


def splitter_for(cv: Any, task: Task | None, grouped: bool, seed: int) -> Any:
    """A number of folds as the splitter that suits the task; anything else as it is."""
    from sklearn import model_selection as ms

    if not isinstance(cv, int | np.integer) or isinstance(cv, bool):
        return cv
    stratified = task not in ("regression", "multilabel")
    if grouped:
        kind = ms.StratifiedGroupKFold if stratified else ms.GroupKFold
    else:
        kind = ms.StratifiedKFold if stratified else ms.KFold
    try:
        return kind(n_splits=int(cv), shuffle=True, random_state=seed)
    except ValueError as error:
        raise UnsupportedError(f"the rows cannot be split into {cv} folds: {error}") from error


def _splits(cv: Any, X: Any, y: Any, groups: Any) -> list[Split]:
    """(train, test) positions of every fold."""
    if isinstance(cv, type | str | bool) or not (hasattr(cv, "split") or isinstance(cv, Iterable)):
        raise UnsupportedError(
            f"cv must be a number of folds, a scikit-learn splitter such as KFold(5), or pairs of (train, test) "
            f"positions; got {cv!r}"
        )
    try:
        found = list(cv.split(X, y, groups) if hasattr(cv, "split") else cv)
    except (ValueError, TypeError) as error:
        missing = (
            "; give groups, one a row" if groups is None and "Group" in type(cv).__name__ else ""
        )
        told = " ".join(f"{cv}: {error}".split())  # scikit-learn breaks the lines of what it prints
        raise UnsupportedError(f"the rows cannot be split by {told}{missing}") from error
    if len(found) < 2:
        raise UnsupportedError(f"cross-validation needs at least 2 folds; {cv} gave {len(found)}")
    n = length(X)
    splits = [
        (_positions(i, train, n), _positions(i, test, n)) for i, (train, test) in enumerate(found)
    ]
    for i, (train, test) in enumerate(splits):
        if len(seen := np.intersect1d(train, test)):
            raise UnsupportedError(
                f"fold {i} holds out {len(seen)} rows that it also trains on, row {seen[0]} for one; every row must be "
                f"predicted by models that never saw it"
            )
    return splits


def _positions(fold: int, rows: Any, n: int) -> Array:
    """Row numbers from row numbers, or from a mask."""
    found = np.asarray(rows)
    if found.dtype == bool and found.shape == (n,):
        return np.flatnonzero(found)
    if (
        found.ndim != 1
        or not len(found)
        or found.dtype.kind not in "iu"
        or found.min() < 0
        or found.max() >= n
    ):
        raise UnsupportedError(
            f"fold {fold} must hold rows to train on and rows to test, as positions from 0 to {n - 1} or a mask of {n} "
            f"rows; got {found!r}"
        )
    return found


def rows_of(values: Any, rows: Array) -> Any:
    """The rows of those positions, of anything scikit-learn can index."""
    if type(values) is np.ndarray:
        return values[rows]
    from sklearn.utils import _safe_indexing

    return _safe_indexing(values, rows)


def length(values: Any) -> int:
    """Number of rows of an array, a frame, a sparse matrix or a list."""
    return int(values.shape[0]) if hasattr(values, "shape") else len(values)


def dealt(y: Any, groups: Any, task: Task | None, seed: int) -> Array:
    """Positions (n,) in a random order whose every beginning is like the whole: classes in proportion, and each of them
    early; whole groups one after another.

    >>> sorted(np.array([0, 0, 0, 0, 1, 1])[dealt([0, 0, 0, 0, 1, 1], None, "binary", 0)[:3]].tolist())
    [0, 0, 1]
    """
    rng, n = np.random.default_rng(seed), length(y)
    if groups is not None:
        _, unit = np.unique(np.asarray(groups), return_inverse=True)
        return np.lexsort((rng.random(n), rng.permutation(unit.max() + 1)[unit.reshape(-1)]))
    if task in ("regression", "multilabel"):
        return rng.permutation(n)
    _, code = np.unique(np.asarray(y), return_inverse=True)
    shuffled = rng.permutation(n)
    rank = np.empty(n, np.int64)
    for c in range(code.max() + 1):
        of_class = shuffled[code[shuffled] == c]
        rank[of_class] = np.arange(len(of_class))
    # The first row of every class comes before all others: few estimators can be fitted on one class.
    place = np.where(rank == 0, -1.0, (rank + 0.5) / np.bincount(code)[code])
    return np.lexsort((rng.random(n), place))
