"""splits: which rows are trained on and which are held out, fold by fold.

>>> make_splits(make_splitter(2, "regression", False, 0), np.zeros((4, 1)), np.zeros(4), None)[0]
(array([0, 1]), array([2, 3]))
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from assay.adapters.base import count_rows
from assay.errors import UnsupportedError
from assay.kernels import Array
from assay.table.schema import WRITTEN, Task

__all__ = [
    "Split",
    "describe_unseen",
    "follow_in_time",
    "hold_out",
    "make_splits",
    "make_splitter",
    "stratified_order",
]

Split = tuple[Array, Array]


def make_splitter(cv: Any, task: Task | None, grouped: bool, seed: int) -> Any:
    """The splitter of a number of folds; anything else as it is.

    Parameters:
        cv: A number of folds, a scikit-learn splitter, or pairs of positions.
        task: Classes are stratified, unless the task is regression or multilabel.
        grouped: Whether groups of rows are held out as a whole.
        seed: Of the shuffle.
    """
    from sklearn import model_selection as ms

    if not isinstance(cv, int | np.integer) or isinstance(cv, bool):
        return cv
    stratified = task not in ("regression", "multilabel", "multioutput", *WRITTEN)
    if grouped:
        kind = ms.StratifiedGroupKFold if stratified else ms.GroupKFold
    else:
        kind = ms.StratifiedKFold if stratified else ms.KFold
    try:
        return kind(n_splits=int(cv), shuffle=True, random_state=seed)
    except ValueError as error:
        raise UnsupportedError(f"the rows cannot be split into {cv} folds: {error}") from error


def make_splits(cv: Any, X: Any, y: Any, groups: Any) -> list[Split]:
    """(train, test) positions of every fold.

    Parameters:
        cv: A scikit-learn splitter, or pairs of positions or masks.
        X: Inputs, one a row.
        y: Truth, one a row.
        groups: Group of each row, or None.

    Raises:
        UnsupportedError: The rows cannot be split so, or a fold trains on rows that it holds out.
    """
    if isinstance(cv, type | str | bool) or not (hasattr(cv, "split") or isinstance(cv, Iterable)):
        raise UnsupportedError(
            f"cv must be a number of folds, a scikit-learn splitter such as KFold(5), or pairs of "
            f"(train, test) positions; got {cv!r}"
        )
    try:
        pairs = list(cv.split(X, y, groups) if hasattr(cv, "split") else cv)
    except (ValueError, TypeError) as error:
        reason = " ".join(f"{cv}: {error}".split())  # scikit-learn breaks lines in its messages
        is_grouped = groups is None and "Group" in type(cv).__name__
        remedy = "; give groups, one a row" if is_grouped else ""
        raise UnsupportedError(f"the rows cannot be split by {reason}{remedy}") from error
    if len(pairs) < 2:
        raise UnsupportedError(f"cross-validation needs at least 2 folds; {cv} gave {len(pairs)}")
    n = count_rows(X)
    splits = []
    for fold, (train_rows, test_rows) in enumerate(pairs):
        train = _positions(fold, train_rows, n)
        test = _positions(fold, test_rows, n)
        shared = np.intersect1d(train, test)
        if len(shared):
            raise UnsupportedError(
                f"fold {fold} holds out {len(shared)} rows that it also trains on, row {shared[0]} "
                f"for one; every row must be predicted by models that never saw it"
            )
        splits.append((train, test))
    return splits


def _positions(fold: int, rows: Any, n: int) -> Array:
    """Row numbers from row numbers, or from a mask."""
    positions = np.asarray(rows)
    if positions.dtype == bool and positions.shape == (n,):
        return np.flatnonzero(positions)
    is_list = positions.ndim == 1 and len(positions) and positions.dtype.kind in "iu"
    if not is_list or positions.min() < 0 or positions.max() >= n:
        raise UnsupportedError(
            f"fold {fold} must hold rows to train on and rows to test, as positions from 0 to "
            f"{n - 1} or a mask of {n} rows; got {positions!r}"
        )
    return positions


def number_repeats(tests: Sequence[Array]) -> list[int] | None:
    """The repeat that each fold belongs to, by the rows `tests` that it holds out.

    None unless the folds, one after the other, hold out all rows once, then all once more, ...

    >>> number_repeats([np.array([0, 1]), np.array([2]), np.array([0, 2]), np.array([1])])
    [0, 0, 1, 1]
    """
    count = len(np.unique(np.concatenate(tests)))
    repeats = []
    repeat = 0
    seen: set[int] = set()
    for test in tests:
        rows = set(test.tolist())
        if len(rows) < len(test) or seen & rows:
            return None
        repeats.append(repeat)
        seen |= rows
        if len(seen) == count:
            repeat += 1
            seen = set()
    return None if seen or repeat < 2 else repeats


def describe_unseen(y: Any, splits: Sequence[Split]) -> list[str]:
    """A note on classes of `y` (n,) that a fold of `splits` tests and has no training row of.

    >>> describe_unseen(["a", "b", "b"], [(np.array([1, 2]), np.array([0]))])[0].split(":")[0]
    'fold 0 tests rows of a class that none of its training rows has (a)'
    """
    classes, code = np.unique(np.asarray(y), return_inverse=True)
    code = code.reshape(-1)
    unseen = {
        fold: np.setdiff1d(code[test], code[train]) for fold, (train, test) in enumerate(splits)
    }
    folds = [str(fold) for fold, missing in unseen.items() if len(missing)]
    if not folds:
        return []
    missing = np.unique(np.concatenate(list(unseen.values())))
    names = ", ".join(str(classes[c]) for c in missing[:5]) + ", ..." * (len(missing) > 5)
    which = f"fold {folds[0]} tests" if len(folds) == 1 else f"folds {', '.join(folds[:10])} test"
    its = "its" if len(folds) == 1 else "their"
    return [
        f"{which} rows of a class that none of {its} training rows has ({names}): no model can "
        f"answer it there; split with classes in proportion (cv=5, or StratifiedKFold)"
    ]


def stratified_order(y: Any, groups: Any, task: Task | None, seed: int) -> Array:
    """Positions (n,) in a random order such that every beginning is like the whole.

    Classes are in proportion, and each of them comes early; groups come as a whole.

    Parameters:
        y: Truth (n,).
        groups: Group of each row (n,), or None.
        task: In regression and multilabel tasks the order is simply random.
        seed: Of the order.

    >>> y = np.array([0, 0, 0, 0, 1, 1])
    >>> sorted(y[stratified_order(y, None, "binary", 0)[:3]].tolist())
    [0, 0, 1]
    """
    rng = np.random.default_rng(seed)
    n = count_rows(y)
    if groups is not None:
        _, unit = np.unique(np.asarray(groups), return_inverse=True)
        return np.lexsort((rng.random(n), rng.permutation(unit.max() + 1)[unit.reshape(-1)]))
    if task in ("regression", "multilabel", "multioutput", *WRITTEN):
        return rng.permutation(n)
    _, code = np.unique(np.asarray(y), return_inverse=True)
    shuffled = rng.permutation(n)
    rank = np.empty(n, np.int64)
    for c in range(code.max() + 1):
        members = shuffled[code[shuffled] == c]
        rank[members] = np.arange(len(members))
    # The first row of every class comes first: few estimators can be fitted on one class.
    place = np.where(rank == 0, -1.0, (rank + 0.5) / np.bincount(code)[code])
    return np.lexsort((rng.random(n), place))


def hold_out(
    y: Any, groups: Any, task: Task | None, share: float, *, ordered: bool, seed: int
) -> Split:
    """Positions of the rows to train on, and of the `share` set apart from them.

    Parameters:
        y: Truth (n,); the rows set apart have its classes in proportion.
        groups: Group of each row (n,), or None; groups are set apart as a whole.
        task: In regression and multilabel tasks the rows are drawn at random.
        share: Share of the rows to set apart, in (0, 1); one row at least.
        ordered: Whether the rows follow each other in time: the last ones are set apart.
        seed: Of the draw.

    Raises:
        UnsupportedError: Nothing would be left to train on.

    >>> train, val = hold_out([0, 0, 0, 0, 1, 1], None, "binary", 0.3, ordered=False, seed=0)
    >>> len(train), len(val)
    (4, 2)
    """
    n = count_rows(y)
    order = np.arange(n) if ordered else stratified_order(y, groups, task, seed)
    start = n - max(1, round(share * n))
    if groups is not None:
        unit = np.asarray(groups)[order]
        while start > 0 and unit[start] == unit[start - 1]:
            start -= 1
    if start < 1:
        raise UnsupportedError(
            f"of {n} rows none is left to train on with validation_fraction={share}; give a "
            f"smaller one, or 0"
        )
    return np.sort(order[:start]), np.sort(order[start:])


def follow_in_time(splits: Sequence[Split]) -> bool:
    """Whether in each of the `splits` all rows to train on come before those that are held out.

    >>> follow_in_time([(np.array([0, 1]), np.array([2])), (np.array([0, 1, 2]), np.array([3]))])
    True
    """
    return all(train.max() < test.min() for train, test in splits)
