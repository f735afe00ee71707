"""validate: cross-validation as one more way to a predictions table, whose `fold` column says who was held out when.

>>> from sklearn.datasets import load_iris
>>> from sklearn.naive_bayes import GaussianNB
>>> X, y = load_iris(return_X_y=True)
>>> p = cross_validate({"nb": GaussianNB()}, X, y, cv=3, progress=False)
>>> p.n, sorted(p.group("fold")[1])
(150, [0, 1, 2])
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from assay.adapter import adapter_for, class_list
from assay.errors import AssayError, MissingDependencyError, UnsupportedError
from assay.predictions import Predictions
from assay.table.labels import Array, Label
from assay.table.schema import Task

__all__ = ["FitError", "cross_validate"]

Split = tuple[Array, Array]


class FitError(AssayError):
    """A model could not be fitted or could not predict; the message names the model and the fold."""


class Part(NamedTuple):
    """What one model said of one fold's held-out rows."""

    model: str
    fold: int
    outputs: dict[str, Array]


def cross_validate(
    models: Mapping[str, Any],
    X: Any,
    y: Any,
    *,
    cv: Any = 5,
    groups: Any = None,
    task: Task | None = None,
    positive: Label | None = None,
    weight: Any = None,
    id: Any = None,
    n_jobs: int | None = -1,
    progress: bool | None = None,
    seed: int = 0,
) -> Predictions:
    """Out-of-fold predictions of scikit-learn estimators: every row is predicted by models that never saw it.

    cv: a number of folds (stratified for classes, shuffled by `seed`; whole groups where `groups` are given), any
    scikit-learn splitter, or an iterable of (train, test) positions. All models see the same splits. X may be anything
    scikit-learn can index: NumPy, pandas, sparse. weight: row weights, kept in the table and used in fitting by
    estimators that take `sample_weight`. n_jobs: (model, fold) pairs at a time, by joblib in threads of one BLAS thread
    each; any joblib backend is used when set by `joblib.parallel_config`. progress: a bar on standard error (default:
    where that is a terminal).

    The table has a `fold` column, and `cluster` where groups are given.  Splitters that hold a row out more than once
    give a row each time, with the row's number as `cluster`, so that intervals know they are not independent.
    Raises FitError naming model and fold when an estimator fails.
    """
    _require_sklearn()
    n = _length(X)
    if n != len(y):
        raise UnsupportedError(f"X has {n} rows and y has {len(y)}; give one truth a row")
    if not models:
        raise UnsupportedError("no model is given; expected a mapping of name to scikit-learn estimator")
    adapters = {name: adapter_for(model) for name, model in models.items()}
    task = task or next((t for name, a in adapters.items() if (t := a.task(models[name], y))), None)
    classes = class_list(y, task)
    splits = _splits(cv, X, y, groups, task, seed)
    todo = [(name, fold) for fold in range(len(splits)) for name in models]

    def one(name: str, fold: int) -> Part:
        train, test = splits[fold]
        model = _fitted(models[name], X, y, weight, train, name, fold)
        try:
            return Part(name, fold, adapters[name].outputs(model, _rows(X, test), classes))
        except Exception as error:
            raise FitError(_failed("predict", name, fold, error)) from error

    parts = {
        (part.model, part.fold): part.outputs for part in _progressing(_run(one, todo, n_jobs), len(todo), progress)
    }
    return _table(parts, list(models), splits, y, classes, task, positive, weight, id, groups)


def _run(one: Any, todo: Sequence[tuple[str, int]], n_jobs: int | None) -> Iterator[Part]:
    """The parts as they finish. Small fits lose several-fold to nested BLAS threads, so each gets one."""
    from joblib import Parallel, delayed
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        yield from Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator_unordered")(
            delayed(one)(name, fold) for name, fold in todo
        )


def _fitted(model: Any, X: Any, y: Any, weight: Any, train: Array, name: str, fold: int) -> Any:
    from sklearn.base import clone
    from sklearn.utils.validation import has_fit_parameter

    try:
        fresh = clone(model)
        extra = {}
        if weight is not None and has_fit_parameter(fresh, "sample_weight"):
            extra["sample_weight"] = np.asarray(weight)[train]
        return fresh.fit(_rows(X, train), _rows(y, train), **extra)
    except Exception as error:
        raise FitError(_failed("fit", name, fold, error)) from error


def _failed(what: str, name: str, fold: int, error: Exception) -> str:
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    return f"model {name!r} failed to {what} in fold {fold}: {type(error).__name__}: {first}"


def _splits(cv: Any, X: Any, y: Any, groups: Any, task: Task | None, seed: int) -> list[Split]:
    """(train, test) positions of every fold."""
    from sklearn import model_selection as ms

    if isinstance(cv, int | np.integer) and not isinstance(cv, bool):
        stratified = task not in ("regression", "multilabel")
        if groups is not None:
            kind = ms.StratifiedGroupKFold if stratified else ms.GroupKFold
        else:
            kind = ms.StratifiedKFold if stratified else ms.KFold
        cv = kind(n_splits=int(cv), shuffle=True, random_state=seed)
    try:
        found = list(cv.split(X, y, groups) if hasattr(cv, "split") else cv)
    except (ValueError, TypeError) as error:
        raise UnsupportedError(f"the rows cannot be split by {cv}: {error}") from error
    splits = [(np.asarray(train), np.asarray(test)) for train, test in found]
    if len(splits) < 2:
        raise UnsupportedError(f"cross-validation needs at least 2 folds; {cv} gave {len(splits)}")
    return splits


def _table(
    parts: Mapping[tuple[str, int], dict[str, Array]],
    models: Sequence[str],
    splits: Sequence[Split],
    y: Any,
    classes: Sequence[Label],
    task: Task | None,
    positive: Label | None,
    weight: Any,
    id: Any,
    groups: Any,
) -> Predictions:
    """The held-out rows of all folds as one table, in the order of the data where each row was held out once."""
    held = np.concatenate([test for _, test in splits])
    fold = np.repeat(np.arange(len(splits)), [len(test) for _, test in splits])
    once = len(np.unique(held)) == len(held)
    order = np.argsort(held, kind="stable") if once else np.arange(len(held))
    rows = held[order]
    given = {}
    for name in models:
        kinds = parts[name, 0]
        for kind in kinds:
            given[f"{name}.{kind}"] = np.concatenate([parts[name, f][kind] for f in range(len(splits))])[order]
    cluster = groups if groups is not None else None if once else np.arange(_length(y))
    return Predictions.from_arrays(
        _rows(y, rows),
        given,
        classes=classes or None,
        task=task,
        positive=positive,
        weight=None if weight is None else np.asarray(weight)[rows],
        id=None if id is None or not once else _rows(id, rows),
        fold=fold[order],
        cluster=None if cluster is None else np.asarray(cluster)[rows],
        groups=None if once else {"row": rows},
    )


def _progressing(parts: Iterable[Part], total: int, progress: bool | None) -> Iterator[Part]:
    """The parts, with a bar on standard error that shows what is done and the time left."""
    import sys

    if not (sys.stderr.isatty() if progress is None else progress):
        yield from parts
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    shown = (
        TextColumn("cross-validating {task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*shown, console=Console(stderr=True), transient=True) as bar:
        line = bar.add_task("", total=total)
        for part in parts:
            bar.update(line, advance=1, description=part.model)
            yield part


def _rows(values: Any, rows: Array) -> Any:
    from sklearn.utils import _safe_indexing

    return _safe_indexing(values, rows)


def _length(values: Any) -> int:
    return int(values.shape[0]) if hasattr(values, "shape") else len(values)


def _require_sklearn() -> None:
    try:
        import joblib  # noqa: F401
        import sklearn  # noqa: F401
        import threadpoolctl  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            "cross-validation needs scikit-learn; run: pip install 'assay[sklearn]'"
        ) from error
