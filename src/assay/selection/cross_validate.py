"""validate: cross-validation as one more way to a predictions table, whose `fold` column says who was held out when.

>>> from sklearn.datasets import load_iris
>>> from sklearn.naive_bayes import GaussianNB
>>> X, y = load_iris(return_X_y=True)
>>> p = cross_validate({"nb": GaussianNB()}, X, y, cv=3, progress=False)
>>> p.n, sorted(p.group("fold")[1])
(150, [0, 1, 2])
"""

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from assay.errors import UnsupportedError
from assay.metrics.base import Metric
from assay.selection.experiment import Experiment, FitError
from assay.selection.inner_search import told_choices
from assay.selection.store import Failure, Part, Timings, timings
from assay.table.labels import Label
from assay.table.predictions import Predictions
from assay.table.schema import Task

__all__ = ["FitError", "Timings", "cross_validate", "timings"]


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
    inner: Any = None,
    inner_metric: str | Metric | None = None,
    store: str | os.PathLike[str] | None = None,
    on_error: Literal["raise", "skip"] = "raise",
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

    inner: nested cross-validation. A model given as (estimator, grid) is searched over `inner` folds (a number or a
    splitter) of its training rows, by `inner_metric` (default: the estimator's own score); `notes` says what was
    chosen. An estimator that is a search itself works as it is. Groups are kept together in both.

    store: a folder where each (model, fold) is kept as it finishes, under a fingerprint of training rows, test rows and
    model. A run that was interrupted, or whose models or data were changed, computes only what is not there, and gives
    the same table. `timings(store)` tells how long each part took, and what failed. on_error: "skip" leaves a model
    that fails out of the table, with a sentence in `notes`.

    The table has a `fold` column, and `cluster` where groups are given.  Splitters that hold a row out more than once
    give a row each time, with the row's number as `cluster`, so that intervals know they are not independent.
    Raises FitError naming model and fold when an estimator fails, or all do.
    """
    if on_error not in ("raise", "skip"):
        raise UnsupportedError(f"on_error must be 'raise' or 'skip'; got {on_error!r}")
    plan = Experiment.of(
        models, X, y, cv=cv, groups=groups, task=task, positive=positive, weight=weight, id=id,
        inner=inner, inner_metric=inner_metric, store=store, seed=seed,
    )  # fmt: skip
    found = list(plan.run(plan.pairs, n_jobs=n_jobs, progress=progress, skip=on_error == "skip"))
    place = {pair: i for i, pair in enumerate(plan.pairs)}  # parts come as they finish
    errors = sorted(
        (e for e in found if isinstance(e, Failure)), key=lambda e: place[e.model, e.fold]
    )
    parts = {(p.model, p.fold): p for p in found if isinstance(p, Part)}
    done = [pair for name in plan.models for fold in plan.folds if (pair := (name, fold)) in parts]
    times = Timings.of([parts[pair] for pair in done], errors)
    failed = times.failed
    notes = [
        f"{name} is left out: {failed[name].rstrip('.')}." for name in plan.models if name in failed
    ]
    kept = [name for name in plan.models if name not in failed]
    if not kept:
        raise FitError(f"every model failed: {' '.join(notes)}")
    ordered = [parts[name, fold] for name in kept for fold in plan.folds]
    if plan.store is not None:
        plan.store.finish(times)
    return replace(plan.table(parts, kept), notes=(*notes, *told_choices(ordered)))
