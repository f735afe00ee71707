"""experiment: models on the splits of one data set, each (model, fold) fitted and stored by itself.

>>> from sklearn.datasets import load_iris
>>> from sklearn.naive_bayes import GaussianNB
>>> data = TrainingData(*load_iris(return_X_y=True))
>>> experiment = Experiment.plan({"nb": GaussianNB()}, data, cv=3)
>>> experiment.fit_predict("nb", 0).outputs["proba"].shape
(50, 3)
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any, Literal

import numpy as np

from assay.adapters.arguments import name_models
from assay.adapters.base import Adapter, count_rows, find_adapter, list_classes, predict_outputs
from assay.core.arguments import check_whole
from assay.core.progress import show_progress
from assay.errors import AssayError, MissingDependencyError
from assay.kernels import Array
from assay.metrics.base import Metric
from assay.selection.fingerprint import fingerprint
from assay.selection.inner_search import (
    find_parameters,
    is_search,
    number_scorer,
    wrap_searches,
)
from assay.selection.kept_state import refuse_kept
from assay.selection.label_numbers import NumberedLabels, wants_numbers
from assay.selection.splits import Split, make_splits, make_splitter, number_repeats
from assay.selection.store import Failure, FoldOutput, Store
from assay.selection.training_data import TrainingData, take_rows, take_values
from assay.table.labels import Label
from assay.table.predictions import Predictions

__all__ = ["Experiment", "FitError", "Pair"]

Pair = tuple[str, int]


class FitError(AssayError):
    """A model could not be fitted or could not predict; the message names model and fold."""


@dataclass(frozen=True, eq=False)
class Experiment:
    """Models and splits of one data set; their outputs, fold by fold, make one table.

    `data.task` is settled. With `train_scores` outputs of the training rows are kept as well.
    `digests` holds the fingerprints of models and folds found so far.
    """

    models: Mapping[str, Any]
    adapters: Mapping[str, Adapter]
    data: TrainingData
    splits: Sequence[Split]
    classes: Sequence[Label]
    store: Store | None = None
    digests: dict[Any, str] = field(default_factory=dict)
    train_scores: bool = False

    @classmethod
    def plan(
        cls,
        models: Mapping[str, Any] | Sequence[Any],
        data: TrainingData,
        *,
        cv: Any = 5,
        inner: Any = None,
        inner_metric: str | Metric | None = None,
        store: str | os.PathLike[str] | None = None,
        seed: int = 0,
    ) -> "Experiment":
        """The experiment of checked arguments, with the splits drawn.

        Parameters:
            models: Name to scikit-learn estimator, or to (estimator, grid); or a list of them.
            data: The rows.
            cv: Number of folds, splitter or pairs of positions, as in `cross_validate`.
            inner: The folds that a grid is searched on.
            inner_metric: What the search aims at; default: the estimator's own score.
            store: Folder to keep outputs in; default: none.
            seed: Of the splits.
        """
        _require_sklearn()
        check_whole("seed", seed, 0)
        models = name_models(models)
        data.check()
        estimators = {name: _strip_grid(model) for name, model in models.items()}
        adapters = {name: find_adapter(model) for name, model in estimators.items()}
        tasks = (adapter.task(estimators[name], data.y) for name, adapter in adapters.items())
        task = data.task or next(filter(None, tasks), None)
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
            refuse_kept(name, model)
        splits = make_splits(make_splitter(cv, task, grouped, seed), data.X, data.y, data.groups)
        folder = None if store is None else Store(store)
        return cls(searches, adapters, data, splits, classes, folder)

    @property
    def folds(self) -> range:
        """Numbers of the folds."""
        return range(len(self.splits))

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
            n_jobs: How many at a time; -1: as many as there are cores.
            progress: Whether to show a bar; None: on a terminal.
            on_error: "skip" gives a `Failure` in place of the output of a model that fails.
        """
        stored = {pair: output for pair in pairs if (output := self._load(pair)) is not None}
        yield from stored.values()
        todo = [pair for pair in pairs if pair not in stored]
        done = len(stored)
        with show_progress("cross-validating", len(pairs), progress, done=done) as update:
            for result in _run_parallel(self._attempt, todo, on_error, n_jobs):
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
            model = self._fit(name, train)
            step = "predict"
            fitted = perf_counter()
            inputs = take_rows(self.data.X, test)
            outputs = predict_outputs(
                self.adapters[name], model, inputs, self.classes, self.data.positive
            )
            ended = perf_counter()
            training = {}
            if self.train_scores:
                inputs = take_rows(self.data.X, train)
                training = predict_outputs(
                    self.adapters[name], model, inputs, self.classes, self.data.positive
                )
            return FoldOutput(
                model=name,
                fold=fold,
                outputs={str(kind): values for kind, values in outputs.items()},
                fit_seconds=fitted - started,
                predict_seconds=ended - fitted,
                parameters=find_parameters(model),
                training={str(kind): values for kind, values in training.items()},
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

    def _fit(self, name: str, train: Array) -> Any:
        from sklearn.base import clone
        from sklearn.utils.validation import has_fit_parameter

        fresh = clone(self.models[name])
        searches = is_search(fresh)
        estimator = fresh.estimator if searches else fresh
        extra = {}
        if self.data.weight is not None and has_fit_parameter(estimator, "sample_weight"):
            extra["sample_weight"] = take_values(self.data.weight, train)
        if self.data.groups is not None and searches:
            extra["groups"] = take_values(self.data.groups, train)
        inputs = take_rows(self.data.X, train)
        truth = take_rows(self.data.y, train)
        if not self.classes or np.ndim(truth) != 1 or not wants_numbers(estimator):
            return fresh.fit(inputs, truth, **extra)
        numbers = NumberedLabels(truth)
        if numbers.are_numbers:
            return fresh.fit(inputs, truth, **extra)
        if searches:
            fresh = number_scorer(fresh, numbers.classes)
        return numbers.restore(fresh.fit(inputs, numbers.codes, **extra))

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

        That is the model, what it is fitted on, and what it predicts.
        """
        data = self.data
        if name not in self.digests:
            # Scores are of the positive class.
            positive = () if data.positive is None else (data.positive,)
            self.digests[name] = fingerprint(
                self.models[name], list(self.classes), data.task, *positive
            )
        if fold not in self.digests:
            train, test = self.splits[fold]
            self.digests[fold] = fingerprint(
                take_rows(data.X, train),
                take_rows(data.y, train),
                [take_values(data.weight, train), take_values(data.groups, train)],
                take_rows(data.X, test),
            )
        return fingerprint(self.digests[name], self.digests[fold])

    def table(
        self,
        outputs: Mapping[Pair, FoldOutput],
        models: Sequence[str],
        folds: Sequence[int] | None = None,
    ) -> Predictions:
        """The held-out rows of the folds as one table, in the order of the data.

        Where a row was held out more than once it is there each time, fold by fold, with the number
        of the row as its cluster.

        Parameters:
            outputs: The output of every (model, fold) that is asked for.
            models: Names of the models.
            folds: Numbers of the folds; default: all.
        """
        folds = self.folds if folds is None else folds
        if self.train_scores:
            return self._table_both_sides(outputs, models, folds)
        tests = [self.splits[f][1] for f in folds]
        held_out = np.concatenate(tests)
        fold = np.repeat(folds, [len(test) for test in tests])
        once = len(np.unique(held_out)) == len(held_out)
        order = np.argsort(held_out, kind="stable") if once else np.arange(len(held_out))
        columns = {
            f"{name}.{kind}": np.concatenate([outputs[name, f].outputs[kind] for f in folds])[order]
            for name in models
            for kind in outputs[name, folds[0]].outputs
        }
        rows = held_out[order]
        cluster = self.data.groups
        if cluster is None and not once:
            cluster = np.arange(count_rows(self.data.y))
        ids = self.data.id if once else None
        return Predictions.from_arrays(
            take_rows(self.data.y, rows),
            columns,
            classes=self.classes or None,
            task=self.data.task,
            positive=self.data.positive,
            weight=take_values(self.data.weight, rows),
            id=None if ids is None else take_rows(ids, rows),
            fold=fold[order],
            cluster=take_values(cluster, rows),
            groups=None if once else {"row": rows, **self._list_repeats(folds, fold[order])},
        )

    def _list_repeats(self, folds: Sequence[int], fold: Array) -> dict[str, Array]:
        """The repeat of each row, whose `fold` (n,) is one of the `folds`; none where none are."""
        repeats = number_repeats([self.splits[f][1] for f in folds])
        if repeats is None:
            return {}
        return {"repeat": np.array(repeats)[np.searchsorted(folds, fold)]}

    def _table_both_sides(
        self, outputs: Mapping[Pair, FoldOutput], models: Sequence[str], folds: Sequence[int]
    ) -> Predictions:
        """The held-out rows of the folds, then their training rows, told apart by `split`."""
        sides = {"test": [self.splits[f][1] for f in folds]}
        sides["train"] = [self.splits[f][0] for f in folds]
        rows = np.concatenate([*sides["test"], *sides["train"]])
        places = np.arange(len(rows))
        lengths = [len(part) for parts in sides.values() for part in parts]
        held_out = sum(lengths[: len(folds)])
        once = len(np.unique(rows[:held_out])) == held_out
        if once:
            places[:held_out] = np.argsort(rows[:held_out], kind="stable")
            rows = rows[places]
        columns = {
            f"{name}.{kind}": np.concatenate(
                [outputs[name, f].outputs[kind] for f in folds]
                + [outputs[name, f].training[kind] for f in folds]
            )[places]
            for name in models
            for kind in outputs[name, folds[0]].outputs
        }
        cluster = self.data.groups
        if cluster is None and not once:
            cluster = np.arange(count_rows(self.data.y))
        fold = np.repeat([*folds, *folds], lengths)[places]
        return Predictions.from_arrays(
            take_rows(self.data.y, rows),
            columns,
            classes=self.classes or None,
            task=self.data.task,
            positive=self.data.positive,
            weight=take_values(self.data.weight, rows),
            fold=fold,
            split=np.repeat(["test", "train"], [held_out, len(rows) - held_out]),
            cluster=take_values(cluster, rows),
            groups={"row": rows, **self._list_repeats(folds, fold)},
        )


def _strip_grid(model: Any) -> Any:
    """The estimator of (estimator, grid)."""
    return model[0] if isinstance(model, tuple) and model else model


def _run_parallel(
    one: Any, todo: Sequence[Pair], on_error: str, n_jobs: int | None
) -> Iterable[FoldOutput | Failure]:
    """The results as they finish.

    Small fits are slowed several times over by nested BLAS threads, so each gets one.
    """
    from joblib import Parallel, delayed
    from joblib.parallel import get_active_backend
    from threadpoolctl import threadpool_limits

    backend, wanted = get_active_backend(prefer="threads")
    if backend.supports_return_generator:
        batches = [todo]
        how = "generator_unordered"
    else:
        # Such a backend (joblib's multiprocessing, Ray's) returns nothing before all is done: it
        # gets no more at a time than may be lost.
        size = backend.effective_n_jobs(wanted if n_jobs is None else n_jobs)
        batches = [todo[start : start + size] for start in range(0, len(todo), size)]
        how = "list"
    with threadpool_limits(limits=1):
        for batch in batches:
            yield from Parallel(n_jobs=n_jobs, prefer="threads", return_as=how)(
                delayed(one)(name, fold, on_error) for name, fold in batch
            )


def _require_sklearn() -> None:
    try:
        import joblib  # noqa: F401
        import sklearn  # noqa: F401
        import threadpoolctl  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            "cross-validation needs scikit-learn; run: pip install 'assay[sklearn]'"
        ) from error
