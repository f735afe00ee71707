"""experiment: models on the splits of one data set, each (model, fold) computed on its own and kept as it comes.

>>> from sklearn.datasets import load_iris
>>> from sklearn.naive_bayes import GaussianNB
>>> plan = Experiment.of({"nb": GaussianNB()}, *load_iris(return_X_y=True), cv=3)
>>> plan.one("nb", 0).outputs["proba"].shape
(50, 3)
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any

import numpy as np

from assay.adapters.base import Adapter, adapter_for, class_list
from assay.errors import AssayError, MissingDependencyError, UnsupportedError
from assay.kernels import Array
from assay.metrics.base import Metric
from assay.selection.fingerprint import fingerprint
from assay.selection.inner_search import chosen, is_search, searching
from assay.selection.splits import Split, _splits, length, rows_of, splitter_for
from assay.selection.store import Failure, Part, Store
from assay.table.labels import Label
from assay.table.predictions import Predictions
from assay.table.schema import Task

__all__ = ["Experiment", "FitError", "Pair"]
Pair = tuple[str, int]


class FitError(AssayError):
    """A model could not be fitted or could not predict; the message names the model and the fold."""


@dataclass(frozen=True, eq=False)
class Experiment:
    """Models and splits of one data set: each (model, fold) can be computed on its own; parts make one table."""

    models: Mapping[str, Any]
    adapters: Mapping[str, Adapter]
    X: Any
    y: Any
    splits: Sequence[Split]
    classes: Sequence[Label]
    task: Task | None
    positive: Label | None = None
    weight: Any = None
    groups: Any = None
    id: Any = None
    store: Store | None = None
    digests: dict[Any, str] = field(default_factory=dict)

    @staticmethod
    def of(
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
        seed: int = 0,
    ) -> "Experiment":
        """Checked arguments of `cross_validate`, with the splits drawn."""
        _require_sklearn()
        if (n := length(X)) != len(y):
            raise UnsupportedError(f"X has {n} rows and y has {len(y)}; give one truth a row")
        if not models:
            raise UnsupportedError(
                "no model is given; expected a mapping of name to scikit-learn estimator"
            )
        bare = {
            name: model[0] if isinstance(model, tuple) and model else model
            for name, model in models.items()
        }
        adapters = {name: adapter_for(model) for name, model in bare.items()}
        task = task or next(
            (t for name, a in adapters.items() if (t := a.task(bare[name], y))), None
        )
        classes = class_list(y, task)
        within = splitter_for(inner, task, groups is not None, seed)
        searched = searching(
            models, inner=within, metric=inner_metric, classes=classes, task=task, positive=positive
        )
        splits = _splits(splitter_for(cv, task, groups is not None, seed), X, y, groups)
        kept = None if store is None else Store(store)
        return Experiment(
            searched, adapters, X, y, splits, classes, task, positive, weight, groups, id, kept
        )

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
        progress: bool | None = False,
        skip: bool = False,
    ) -> Iterator[Part | Failure]:
        """The parts of `pairs` as they finish, those that are kept first. With `skip`, a failure is one more item."""
        held = [(pair, part) for pair in pairs if (part := self._kept(pair)) is not None]
        yield from (part for _, part in held)
        done = {pair for pair, _ in held}
        todo = [pair for pair in pairs if pair not in done]
        for found in _progressing(
            _parallel(self._attempt, todo, skip, n_jobs), len(done), len(pairs), progress
        ):
            if self.store is not None and isinstance(found, Part):
                self.store.put(self.key(found.model, found.fold), found)
            yield found

    def one(self, name: str, fold: int) -> Part:
        """Fit the model on the rows of the fold's training side, and note what it says of the others."""
        train, test = self.splits[fold]
        step, started = "fit", perf_counter()
        try:
            model = self._fitted(name, train)
            step, fitted = "predict", perf_counter()
            outputs = self.adapters[name].outputs(model, rows_of(self.X, test), self.classes)
            ended = perf_counter()
            return Part(name, fold, outputs, fitted - started, ended - fitted, chosen(model))
        except Exception as error:
            first = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise FitError(
                f"model {name!r} failed to {step} in fold {fold}: {type(error).__name__}: {first}"
            ) from error

    def _attempt(self, name: str, fold: int, skip: bool) -> Part | Failure:
        try:
            return self.one(name, fold)
        except FitError as error:
            if skip:
                return Failure(name, fold, str(error))
            raise

    def _fitted(self, name: str, train: Array) -> Any:
        from sklearn.base import clone
        from sklearn.utils.validation import has_fit_parameter

        fresh = clone(self.models[name])
        search, extra = is_search(fresh), {}
        if self.weight is not None and has_fit_parameter(
            fresh.estimator if search else fresh, "sample_weight"
        ):
            extra["sample_weight"] = np.asarray(self.weight)[train]
        if self.groups is not None and search:
            extra["groups"] = np.asarray(self.groups)[train]
        return fresh.fit(rows_of(self.X, train), rows_of(self.y, train), **extra)

    def _kept(self, pair: Pair) -> Part | None:
        if self.store is None:
            return None
        part = self.store.get(self.key(*pair))
        return None if part is None else replace(part, model=pair[0], fold=pair[1])

    def key(self, name: str, fold: int) -> str:
        """Fingerprint of all that a part depends on: the model, what it is fitted on, what it is asked."""
        if name not in self.digests:
            self.digests[name] = fingerprint(self.models[name], list(self.classes), self.task)
        if fold not in self.digests:
            train, test = self.splits[fold]
            beside = [
                None if v is None else np.asarray(v)[train] for v in (self.weight, self.groups)
            ]
            self.digests[fold] = fingerprint(
                rows_of(self.X, train), rows_of(self.y, train), beside, rows_of(self.X, test)
            )
        return fingerprint(self.digests[name], self.digests[fold])

    def table(
        self, parts: Mapping[Pair, Part], models: Sequence[str], folds: Sequence[int] | None = None
    ) -> Predictions:
        """The held-out rows of the folds as one table, in the order of the data where each row was held out once."""
        folds = self.folds if folds is None else folds
        tests = [self.splits[f][1] for f in folds]
        held, fold = np.concatenate(tests), np.repeat(folds, [len(test) for test in tests])
        once = len(np.unique(held)) == len(held)
        order = np.argsort(held, kind="stable") if once else np.arange(len(held))
        rows = held[order]
        given = {
            f"{name}.{kind}": np.concatenate([parts[name, f].outputs[kind] for f in folds])[order]
            for name in models
            for kind in parts[name, folds[0]].outputs
        }
        cluster = (
            self.groups if self.groups is not None else None if once else np.arange(length(self.y))
        )
        return Predictions.from_arrays(
            rows_of(self.y, rows),
            given,
            classes=self.classes or None,
            task=self.task,
            positive=self.positive,
            weight=None if self.weight is None else np.asarray(self.weight)[rows],
            id=None if self.id is None or not once else rows_of(self.id, rows),
            fold=fold[order],
            cluster=None if cluster is None else np.asarray(cluster)[rows],
            groups=None if once else {"row": rows},
        )


def _parallel(
    one: Any, todo: Sequence[Pair], skip: bool, n_jobs: int | None
) -> Iterator[Part | Failure]:
    """The parts as they finish. Small fits lose several-fold to nested BLAS threads, so each gets one."""
    from joblib import Parallel, delayed
    from joblib.parallel import get_active_backend
    from threadpoolctl import threadpool_limits

    backend, wanted = get_active_backend(prefer="threads")
    if backend.supports_return_generator:
        batches, how = [todo], "generator_unordered"
    else:
        # Such a backend (joblib's multiprocessing, Ray's) gives what it did when all is done: no more at a time than
        # may be lost.
        size = backend.effective_n_jobs(wanted if n_jobs is None else n_jobs)
        batches, how = [todo[start : start + size] for start in range(0, len(todo), size)], "list"
    with threadpool_limits(limits=1):
        for batch in batches:
            yield from Parallel(n_jobs=n_jobs, prefer="threads", return_as=how)(
                delayed(one)(name, fold, skip) for name, fold in batch
            )


def _progressing(
    parts: Iterable[Part | Failure], done: int, total: int, progress: bool | None
) -> Iterator[Part | Failure]:
    """The parts, with a bar on standard error that shows what is done and the time left."""
    import sys

    if not (sys.stderr.isatty() if progress is None else progress):
        yield from parts
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    shown = (
        TextColumn("cross-validating {task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*shown, console=Console(stderr=True), transient=True) as bar:
        line = bar.add_task("", total=total, completed=done)
        for part in parts:
            bar.update(line, advance=1, description=part.model)
            yield part


def _require_sklearn() -> None:
    try:
        import joblib  # noqa: F401
        import sklearn  # noqa: F401
        import threadpoolctl  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            "cross-validation needs scikit-learn; run: pip install 'assay[sklearn]'"
        ) from error
