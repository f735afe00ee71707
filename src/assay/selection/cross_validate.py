"""cross_validate: out-of-fold predictions as one table with a `fold` column.

>>> from sklearn.datasets import load_iris
>>> from sklearn.naive_bayes import GaussianNB
>>> X, y = load_iris(return_X_y=True)
>>> p = cross_validate({"nb": GaussianNB()}, X, y, cv=3, progress=False)
>>> p.n, sorted(p.group("fold")[1])
(150, [0, 1, 2])
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from assay.errors import UnsupportedError
from assay.metrics.base import Metric
from assay.selection.experiment import Experiment, FitError
from assay.selection.inner_search import describe_choices
from assay.selection.splits import describe_unseen
from assay.selection.store import Failure, FoldOutput, Timings, timings
from assay.selection.training_data import TrainingData
from assay.table.labels import Label
from assay.table.predictions import Predictions
from assay.table.schema import Task

__all__ = ["FitError", "Timings", "cross_validate", "timings"]


def cross_validate(  # noqa: PLR0913
    models: Mapping[str, Any] | Sequence[Any],
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
    train_scores: bool = False,
    seed: int = 0,
    seeds: int = 1,
    validation_fraction: float = 0.1,
) -> Predictions:
    """Out-of-fold predictions of models of any framework: none predicts a row it was trained on.

    All models see the same splits. (model, fold) pairs run by joblib in threads of one BLAS thread
    each; another joblib backend is used where `joblib.parallel_config` sets one.

    Parameters:
        models: Name to estimator, or a list of estimators, named by their classes (`svc`, or
            `svc-1` and `svc-2`). A model given as (estimator, grid) is searched over the `inner`
            folds of its training rows (nested cross-validation), and `notes` says what was chosen.
            An estimator that is a search itself works as it is. A function trains a model of any
            framework: `fit(train, val)` makes a new one, trains it on `train.X` and `train.y`
            (`train.codes` numbers the classes from 0, `train.weight`, `train.groups` and
            `train.id` are there where they were given), watches it by the like of `val`, never by
            the rows held out, and returns it, or it and its history. Columns of its outputs are
            the classes in sorted order. One that takes `seed` gets it.
        X: Inputs, one a row; anything scikit-learn can index: NumPy, pandas, sparse.
        y: Truth (n,).
        cv: A number of folds (stratified for classes, shuffled by `seed`; whole groups where
            `groups` are given), any scikit-learn splitter, or an iterable of (train, test)
            positions; default 5.
        groups: Group of each row (n,); groups are held out as a whole, in inner folds as well.
        task: binary, multiclass, multilabel or regression; default: read off models and truth.
        positive: Positive class of a binary task; default: the last of the two in sorted order.
        weight: Weight of each row (n,), kept in the table and used in fitting by estimators that
            take `sample_weight`.
        id: Name of each row (n,), kept in the table.
        inner: A number of inner folds or a splitter, for models with a grid.
        inner_metric: What the inner search aims at; default: the estimator's own score.
        store: A folder where each (model, fold) is kept as it finishes, under a fingerprint of
            training rows, test rows and model. A run that was interrupted, or whose models or data
            were changed, computes only what is not there, and gives the same table;
            `timings(store)` tells how long each part took.
        on_error: "raise", the default, or "skip": a model that fails is left out of the table, with
            a sentence in `notes`.
        n_jobs: (model, fold) pairs at a time; -1, the default: one a core. Functions run one at a
            time, with the random numbers of Python, NumPy, PyTorch, TensorFlow and Keras seeded.
        progress: Whether to show a bar on standard error; default: on a terminal.
        train_scores: Whether each model also predicts the rows that it was fitted on: they follow
            as rows of split "train", which judge no model, and advice A017 tells from them
            over- and underfitting; names of rows are then left out. Default False.
        seed: Of the splits, and of what functions train; default 0.
        seeds: How many times every model is trained in each fold, with seeds that count up from
            `seed` (every `random_state` of an estimator is set to it): the table then has each row
            once a seed, with a column `seed`, and comparisons tell a difference between models
            from one between seeds. Default 1: estimators keep the seeds they have.
        validation_fraction: Share of the training rows of a fold that functions get as `val`:
            classes in proportion, groups as a whole, the last rows where folds follow in time; in
            [0, 1), 0 for none; default 0.1.

    Returns:
        A table with a `fold` column, and `cluster` where groups are given. Splitters that hold a
        row out more than once give a row each time, with the row's number as `cluster`, so that
        intervals know they are not independent, and with a column `repeat` where all rows are held
        out once in each repeat: `evaluate(table, by="repeat")` gives the figures of each.

    Raises:
        FitError: An estimator fails (the message names model and fold), or all do.
        UnsupportedError: The rows cannot be split so.

    >>> from sklearn.datasets import load_iris
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> table = cross_validate({"tree": DecisionTreeClassifier()}, *load_iris(return_X_y=True))
    >>> table.models, table.n
    (['tree'], 150)
    """
    if on_error not in ("raise", "skip"):
        raise UnsupportedError(f"on_error must be 'raise' or 'skip'; got {on_error!r}")
    data = TrainingData(X, y, groups, weight, id, task, positive)
    experiment = replace(
        Experiment.plan(
            models,
            data,
            cv=cv,
            inner=inner,
            inner_metric=inner_metric,
            store=store,
            seed=seed,
            seeds=seeds,
            validation_fraction=validation_fraction,
        ),
        train_scores=train_scores,
    )
    results = experiment.run(experiment.pairs, n_jobs=n_jobs, progress=progress, on_error=on_error)
    return _build_table(experiment, list(results))


def _build_table(experiment: Experiment, results: Sequence[FoldOutput | Failure]) -> Predictions:
    """The table of the models that did not fail, and notes on the others and on inner searches."""
    outputs = {(r.model, r.fold): r for r in results if isinstance(r, FoldOutput)}
    failures = {(r.model, r.fold): r for r in results if isinstance(r, Failure)}
    pairs = [(name, fold) for name in experiment.models for fold in experiment.folds]
    times = Timings.from_outputs(
        [outputs[pair] for pair in pairs if pair in outputs],
        [failures[pair] for pair in experiment.pairs if pair in failures],
    )
    reasons = times.failures
    notes = [
        f"{name} is left out: {reasons[name].rstrip('.')}."
        for name in experiment.models
        if name in reasons
    ]
    fitted = [name for name in experiment.models if name not in reasons]
    if not fitted:
        raise FitError(f"every model failed: {' '.join(notes)}")
    if experiment.store is not None:
        experiment.store.finish(times, [outputs[pair] for pair in pairs if pair in outputs])
    choices = describe_choices(outputs[pair] for pair in pairs if pair[0] in fitted)
    if experiment.has_classes:
        notes += describe_unseen(experiment.data.y, experiment.splits)
    return replace(experiment.table(outputs, fitted), notes=(*notes, *choices))
