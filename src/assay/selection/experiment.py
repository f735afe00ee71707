"""experiment: models on the splits of one data set, each (model, fold) fitted and stored by itself.

>>> from sklearn.datasets import load_iris
>>> from sklearn.naive_bayes import GaussianNB
>>> data = TrainingData(*load_iris(return_X_y=True))
>>> experiment = Experiment.plan({"nb": GaussianNB()}, data, cv=3)
>>> experiment.fit_predict("nb", 0).outputs["proba"].shape
(50, 3)
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, starmap
from time import perf_counter
from typing import Any, Literal

import numpy as np

from assay.adapters.arguments import name_models
from assay.adapters.base import find_adapter, list_classes, predict_outputs
from assay.core.arguments import check_whole
from assay.core.progress import show_progress
from assay.errors import AssayError, MissingDependencyError, UnsupportedError
from assay.kernels import Array
from assay.metrics.base import Metric
from assay.selection.fingerprint import fingerprint
from assay.selection.fitting import (
    Fit,
    check_trainable,
    find_history,
    fit_estimator,
    is_factory,
    name_classes,
    train_model,
)
from assay.selection.fold_table import build_fold_table
from assay.selection.inner_search import find_parameters, wrap_searches
from assay.selection.kept_state import refuse_kept
from assay.selection.parallel import Pair, run_pairs
from assay.selection.splits import (
    Split,
    follow_in_time,
    hold_out,
    make_splits,
    make_splitter,
)
from assay.selection.store import Failure, FoldOutput, Store
from assay.selection.training_data import TrainingData, take_rows, take_values
from assay.table.labels import Label
from assay.table.outputs import holds_numbers
from assay.table.predictions import Predictions
from assay.table.schema import Task

__all__ = ["Experiment", "FitError", "Pair", "infer_task"]

VALIDATION = 0.1  # of the training rows, set apart for a function that trains a model


class FitError(AssayError):
    """A model could not be fitted or could not predict; the message names model and fold."""


@dataclass(frozen=True, eq=False)
class Experiment:
    """Models and splits of one data set; their outputs, fold by fold, make one table.

    `data.task` is settled. With several `seeds` the splits are there once for each of them. With
    `train_scores` outputs of the training rows are kept as well. Functions that train a model get
    `validation_fraction` of the training rows to watch it by. `digests` holds the fingerprints of
    models and folds found so far.
    """

    models: Mapping[str, Any]
    data: TrainingData
    splits: Sequence[Split]
    classes: Sequence[Label]
    store: Store | None = None
    digests: dict[Any, str] = field(default_factory=dict)
    train_scores: bool = False
    seed: int = 0
    seeds: int = 1
    validation_fraction: float = VALIDATION

    @classmethod
    def plan(  # noqa: PLR0913 - each option stands for itself
        cls,
        models: Mapping[str, Any] | Sequence[Any],
        data: TrainingData,
        *,
        cv: Any = 5,
        inner: Any = None,
        inner_metric: str | Metric | None = None,
        store: str | os.PathLike[str] | None = None,
        seed: int = 0,
        seeds: int = 1,
        validation_fraction: float = VALIDATION,
    ) -> "Experiment":
        """The experiment of checked arguments, with the splits drawn.

        Parameters:
            models: Name to scikit-learn estimator, to (estimator, grid), or to a function that
                trains a model; or a list of them.
            data: The rows.
            cv: Number of folds, splitter or pairs of positions, as in `cross_validate`.
            inner: The folds that a grid is searched on.
            inner_metric: What the search aims at; default: the estimator's own score.
            store: Folder to keep outputs in; default: none.
            seed: Of the splits, and of what is random in training; 0 or more.
            seeds: How many times each fold is trained anew, with seeds that count up from `seed`;
                1 or more.
            validation_fraction: Share of the training rows that functions get as `val`, in [0, 1);
                0 for none.
        """
        _require_sklearn()
        check_whole("seed", seed, 0)
        check_whole("seeds", seeds, 1)
        if not 0 <= validation_fraction < 1:
            raise UnsupportedError(
                f"validation_fraction must be from 0 to below 1; got {validation_fraction!r}"
            )
        models = name_models(models)
        data.check()
        for name, model in models.items():
            check_trainable(name, _strip_grid(model))
        task = data.task or infer_task(models, data.y)
        data = replace(data, task=task)
        classes = list_classes(data.y, task)
        grouped = data.groups is not None
        searches = wrap_searches(
            models,
            inner=make_splitter(inner, task, grouped, seed),
            metric=inner_metric,
            classes=classes,
            task=task,
            positive=data.positive,
        )
        for name, model in searches.items():
            if not is_factory(model):
                refuse_kept(name, model)
        splits = make_splits(make_splitter(cv, task, grouped, seed), data.X, data.y, data.groups)
        return cls(
            searches,
            data,
            splits * seeds,
            classes,
            store=None if store is None else Store(store),
            seed=seed,
            seeds=seeds,
            validation_fraction=validation_fraction,
        )

    @property
    def folds(self) -> range:
        """Numbers of the folds."""
        return range(len(self.splits))

    @property
    def has_classes(self) -> bool:
        """Whether each row has one of several classes."""
        return bool(self.classes) and self.data.task not in ("multilabel", "multioutput")

    @property
    def pairs(self) -> list[Pair]:
        """Every (model, fold), fold by fold."""
        return [(name, fold) for fold in self.folds for name in self.models]

    def run(
        self,
        pairs: Sequence[Pair],
        *,
        n_jobs: int | None = -1,
        progress: bool | None = None,
        on_error: Literal["raise", "skip"] = "raise",
    ) -> Iterator[FoldOutput | Failure]:
        """The outputs of `pairs` as they finish, those in the store first.

        Parameters:
            pairs: Which (model, fold) to run.
            n_jobs: How many estimators at a time; -1: as many as there are cores. Functions that
                train a model run after them, one at a time: random numbers of frameworks are one
                stream for all threads, and each takes all cores.
            progress: Whether to show a bar; None: on a terminal.
            on_error: "skip" gives a `Failure` in place of the output of a model that fails.
        """
        stored = {pair: output for pair in pairs if (output := self._load(pair)) is not None}
        yield from stored.values()
        todo = [pair for pair in pairs if pair not in stored]
        done = len(stored)
        attempt = partial(self._attempt, on_error=on_error)
        alone = [pair for pair in todo if is_factory(self.models[pair[0]])]
        together = [pair for pair in todo if not is_factory(self.models[pair[0]])]
        results = chain(run_pairs(attempt, together, n_jobs), starmap(attempt, alone))
        with show_progress("cross-validating", len(pairs), progress, done=done) as update:
            for result in results:
                if self.store is not None and isinstance(result, FoldOutput):
                    self.store.put(self.key(result.model, result.fold), result)
                done += 1
                update(done, result.model)
                yield result

    def fit_predict(self, name: str, fold: int) -> FoldOutput:
        """Fit the model `name` on the training side of `fold`, and predict the other."""
        train, test = self.splits[fold]
        step = "fit"
        started = perf_counter()
        try:
            model, history = self._fit(name, fold)
            step = "predict"
            fitted = perf_counter()
            outputs = self._predict(model, test)
            ended = perf_counter()
            training = self._predict(model, train) if self.train_scores else {}
            return FoldOutput(
                model=name,
                fold=fold,
                outputs={str(kind): values for kind, values in outputs.items()},
                fit_seconds=fitted - started,
                predict_seconds=ended - fitted,
                parameters=find_parameters(model),
                training={str(kind): values for kind, values in training.items()},
                history=history,
            )
        except Exception as error:
            first = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise FitError(
                f"model {name!r} failed to {step} in fold {fold}: {type(error).__name__}: {first}"
            ) from error

    def _attempt(self, name: str, fold: int, on_error: str) -> FoldOutput | Failure:
        try:
            return self.fit_predict(name, fold)
        except FitError as error:
            if on_error == "skip":
                return Failure(name, fold, str(error))
            raise

    def _fit(self, name: str, fold: int) -> Fit:
        """The model `name`, trained anew on the training side of `fold`."""
        model = self.models[name]
        train = self.splits[fold][0]
        seed = self.seed + fold // self._folds_of_one_seed
        if not is_factory(model):
            fitted = fit_estimator(
                model, self.data.take(train), self.classes, seed if self.seeds > 1 else None
            )
            return Fit(fitted, find_history(fitted))
        val = None
        if self.validation_fraction:
            train, val = self._set_apart(fold)
        rows = name_classes(self.data, self.classes)
        watched = None if val is None else rows.take(val)
        trained = train_model(model, rows.take(train), watched, seed)
        if trained.history is None:
            return trained
        about = replace(
            trained.history,
            n_val=None if val is None else len(val),
            n_classes=len(self.classes) if self.has_classes else None,
        )
        return trained._replace(history=about)

    def _set_apart(self, fold: int) -> Split:
        """The training rows of a `fold` without those to watch the training by, and these."""
        train = self.splits[fold][0]
        side = self.data.take(train)
        kept, apart = hold_out(
            side.y,
            side.groups,
            self.data.task,
            self.validation_fraction,
            ordered=follow_in_time(self.splits),
            seed=self.seed,
        )
        return train[kept], train[apart]

    def _predict(self, model: Any, rows: Array) -> dict[Any, Array]:
        """What a fitted `model` gives for the rows at positions `rows`."""
        inputs = take_rows(self.data.X, rows)
        numbers = self.data.task if self.data.task == "multioutput" else None
        adapter = find_adapter(model)
        return predict_outputs(adapter, model, inputs, self.classes, self.data.positive, numbers)

    @property
    def _folds_of_one_seed(self) -> int:
        return len(self.splits) // self.seeds

    def _load(self, pair: Pair) -> FoldOutput | None:
        """The output of (model, fold) in the store; None where there is none."""
        if self.store is None:
            return None
        output = self.store.get(self.key(*pair))
        if self.train_scores and output is not None:
            training = self.store.get(f"{self.key(*pair)}-training")
            output = None if training is None else replace(output, training=training.outputs)
        return None if output is None else replace(output, model=pair[0], fold=pair[1])

    def key(self, name: str, fold: int) -> str:
        """Fingerprint of all that the output of model `name` in `fold` depends on.

        That is the model, what it is fitted on, what it predicts, and the seed where that counts.
        """
        data = self.data
        lap, place = divmod(fold, self._folds_of_one_seed)
        how: list[Any] = [] if self.seeds == 1 else [self.seed + lap]
        if is_factory(self.models[name]):
            how = ["trained by a function", self.seed + lap, self.validation_fraction]
        if name not in self.digests:
            # Scores are of the positive class.
            positive = () if data.positive is None else (data.positive,)
            self.digests[name] = fingerprint(
                self.models[name], list(self.classes), data.task, *positive
            )
        if place not in self.digests:
            train, test = self.splits[place]
            self.digests[place] = fingerprint(
                take_rows(data.X, train),
                take_rows(data.y, train),
                [take_values(data.weight, train), take_values(data.groups, train)],
                take_rows(data.X, test),
            )
        return fingerprint(self.digests[name], self.digests[place], *how)

    def table(
        self,
        outputs: Mapping[Pair, FoldOutput],
        models: Sequence[str],
        folds: Sequence[int] | None = None,
    ) -> Predictions:
        """The held-out rows of the folds as one table, in the order of the data.

        Where a row was held out more than once it is there each time, fold by fold, with the number
        of the row as its cluster. With `train_scores` the training rows follow, told apart by
        `split`.

        Parameters:
            outputs: The output of every (model, fold) that is asked for.
            models: Names of the models.
            folds: Numbers of the folds; default: all.
        """
        folds = self.folds if folds is None else folds
        laps = {fold: self.seed + fold // self._folds_of_one_seed for fold in folds}
        return build_fold_table(
            self.data,
            self.classes,
            {fold: self.splits[fold] for fold in folds},
            outputs,
            models,
            train_scores=self.train_scores,
            seeds=laps if self.seeds > 1 else None,
        )


def _strip_grid(model: Any) -> Any:
    """The estimator of (estimator, grid)."""
    return model[0] if isinstance(model, tuple) and model else model


def infer_task(models: Mapping[str, Any], y: Any) -> Task | None:
    """The task that one of the `models` shows, else the truth `y`; None where classes are to be
    counted.

    >>> infer_task({}, [0.5, 1.25]), infer_task({}, ["no", "yes"])
    ('regression', None)
    """
    for model in map(_strip_grid, models.values()):
        task = None if is_factory(model) else find_adapter(model).task(model, y)
        if task is not None:
            return task
    values = np.asarray(y)
    if values.ndim == 2:
        return "multioutput" if holds_numbers(values) else "multilabel"
    fractions = values.dtype.kind == "f" and bool((values % 1 != 0).any())
    return "regression" if fractions else None


def _require_sklearn() -> None:
    try:
        import joblib  # noqa: F401
        import sklearn  # noqa: F401
        import threadpoolctl  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            "cross-validation needs scikit-learn; run: pip install 'assay[sklearn]'"
        ) from error
