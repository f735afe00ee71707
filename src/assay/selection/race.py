"""race: cross-validation that drops models as soon as they cannot be best, where fits are dear.

>>> from sklearn.datasets import load_iris
>>> from sklearn.dummy import DummyClassifier
>>> from sklearn.naive_bayes import GaussianNB
>>> models = {"nb": GaussianNB(), "none": DummyClassifier()}
>>> race(models, *load_iris(return_X_y=True), metric="accuracy")
nb won: every other model was dropped. 10 of 20 fits were enough (10 saved).
model  accuracy  folds  dropped
nb     0.9600    5
none   0.3333    5      after 5 folds (p 6.6e-06)
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, ClassVar, Literal

import numpy as np

from assay.comparison.corrections import holm
from assay.comparison.fold_tests import corrected_t
from assay.comparison.fold_values import fold_values, mean_defined
from assay.core.arguments import check_share
from assay.core.result import Result
from assay.core.text import TextTable, format_number
from assay.errors import UnsupportedError
from assay.metrics.base import METRICS, Metric
from assay.metrics.resolve import DEFAULT, resolve
from assay.selection.experiment import Experiment, FitError, Pair
from assay.selection.store import Failure, FoldOutput, Timings
from assay.selection.training_data import TrainingData
from assay.table.predictions import Predictions

__all__ = ["Race", "RaceRow", "race"]


@dataclass(frozen=True)
class RaceRow:
    """One model of a race: its mean value over the `folds` it ran.

    It was dropped after so many folds with p-value `p`; both are None where it never was.
    """

    model: str
    value: float
    folds: int
    dropped_after: int | None
    p: float | None


@dataclass(frozen=True, repr=False, eq=False)
class Race(Result):
    """Which models could still be best when the race ended, and what dropping the others saved.

    `predictions` are the survivors' on the folds that were run. The value of the best is the one it
    was chosen by, which flatters it: judge the choice on rows that took no part.

    >>> Race.schema_name
    'assay.race/1'
    """

    schema_name: ClassVar[str] = "assay.race/1"
    json_keys: ClassVar[tuple[str, ...]] = (
        "metric", "best", "survivors", "fits", "fits_saved", "confidence", "notes", "rows",
    )  # fmt: skip

    metric: str
    best: str
    survivors: tuple[str, ...]
    rows: tuple[RaceRow, ...]
    fits: int
    fits_saved: int
    predictions: Predictions
    confidence: float = 0.95
    notes: tuple[str, ...] = ()

    @property
    def dropped_models(self) -> dict[str, str]:
        """The models that were dropped, and when and how surely."""
        dropped = [row for row in self.rows if row.dropped_after is not None]
        return {row.model: f"dropped from the race {_format_dropped(row)}" for row in dropped}

    @property
    def verdict(self) -> str:
        """The answer in two sentences."""
        others = ", ".join(name for name in self.survivors if name != self.best)
        won = f"{self.best} leads; {others} could still be best" if others else ""
        total = self.fits + self.fits_saved
        fits = f"{self.fits} of {total} fits were enough ({self.fits_saved} saved)."
        return f"{won or f'{self.best} won: every other model was dropped'}. {fits}"

    @property
    def tables(self) -> list[TextTable]:
        """Score, folds and fate of each model."""
        body = [
            [r.model, format_number(r.value), str(r.folds), _format_dropped(r)]
            for r in sorted(self.rows, key=lambda r: (r.dropped_after is not None, -r.folds))
        ]
        return [TextTable(["model", self.metric, "folds", "dropped"], body)]


def _format_dropped(row: RaceRow) -> str:
    return "" if row.dropped_after is None else f"after {row.dropped_after} folds (p {row.p:.2g})"


def race(  # noqa: PLR0913
    models: Mapping[str, Any],
    X: Any,
    y: Any,
    *,
    metric: str | Metric | None = None,
    cv: Any = 10,
    confidence: float = 0.95,
    minimum: int = 5,
    n_jobs: int | None = -1,
    progress: bool | None = None,
    on_error: Literal["raise", "skip"] = "raise",
    **options: Any,
) -> Race:
    """Cross-validate fold by fold, and drop a model as soon as it cannot be the best.

    After `minimum` folds, and after each further one, every two models are compared by the
    corrected resampled t-test on their differences fold by fold, with Holm's correction, and whom
    the leader beats is dropped. The level is 1 - `confidence` from the end of the first repeat on
    and, before it, as much of that as the share of the repeat that is done; the degrees of freedom
    are never more than those of one repeat. So looking again after each fold costs little: of four
    equally good models any is dropped in 3 % of races of 10 folds and in 1 % of races of 10 x 5
    folds, in up to 6 % where models vary much with their training rows (bench/false_winners.py).
    The race ends with the folds, or when one model is left. Repeated splitters
    (RepeatedStratifiedKFold) save most: all models run the first folds, few the last.
    A fold where the metric is undefined for a model says nothing of it.

    Parameters:
        models: Name to estimator, or to (estimator, grid).
        X: Inputs, one a row.
        y: Truth (n,).
        metric: What models are compared by; default: f1, or mse in regression.
        cv: Folds, as in `cross_validate`; default 10.
        confidence: 1 - `confidence` is the level of the tests, in (0, 1); default 0.95.
        minimum: Folds before the first comparison, 2 or more; default 5.
        n_jobs: Fits at a time; -1, the default: one a core.
        progress: Whether to show a bar on standard error; default: on a terminal.
        on_error: "raise", the default, or "skip": a model that fails is left out, with a note.
        options: Further options of `cross_validate`: groups, weight, inner, store, seed, ...; a
            `store` is shared with it, so no fit is done twice.

    Raises:
        FitError: An estimator fails, or all do.

    Sources: Maron & Moore (1994), NIPS 6:59-66; Birattari et al. (2002), GECCO, 11-18; Nadeau &
    Bengio (2003), Machine Learning 52:239-281.

    >>> from sklearn.datasets import load_iris
    >>> from sklearn.dummy import DummyClassifier
    >>> from sklearn.naive_bayes import GaussianNB
    >>> models = {"nb": GaussianNB(), "none": DummyClassifier()}
    >>> race(models, *load_iris(return_X_y=True), metric="accuracy").dropped_models
    {'none': 'dropped from the race after 5 folds (p 6.6e-06)'}
    """
    check_share("confidence", confidence)
    if minimum < 2:
        raise UnsupportedError(
            f"minimum must be 2 folds or more, for one fold says nothing of the noise; "
            f"got {minimum}"
        )
    data, options = TrainingData.from_options(X, y, options)
    experiment = Experiment.plan(models, data, cv=cv, **options)

    def run(pairs: Sequence[Pair]) -> Iterable[FoldOutput | Failure]:
        return experiment.run(pairs, n_jobs=n_jobs, progress=progress, on_error=on_error)

    state = _RaceState(experiment, metric, confidence, run)
    state.advance(range(min(minimum, len(experiment.folds))))
    state.drop()
    for fold in experiment.folds[minimum:]:
        if len(state.alive) == 1:
            break
        state.advance([fold])
        state.drop()
    return state.result()


class _RaceState:
    """A race in progress."""

    def __init__(
        self,
        experiment: Experiment,
        metric: Any,
        confidence: float,
        run: Callable[[Sequence[Pair]], Iterable[FoldOutput | Failure]],
    ) -> None:
        self.experiment = experiment
        self.metric = metric
        self.confidence = confidence
        self.run = run
        self.alive = list(experiment.models)
        self.outputs: dict[Pair, FoldOutput] = {}
        self.values: dict[str, list[float]] = {name: [] for name in experiment.models}
        self.dropped: dict[str, tuple[int, float]] = {}
        self.failures: list[Failure] = []
        self.notes: list[str] = []
        self.done = 0
        self.sign = 1

    def advance(self, folds: Sequence[int]) -> None:
        """Run the models still in the race on the `folds`, and note their values."""
        for result in self.run([(name, fold) for fold in folds for name in self.alive]):
            if isinstance(result, Failure):
                self._fail(result)
            else:
                self.outputs[result.model, result.fold] = result
        if not self.alive:
            raise FitError(f"every model failed: {' '.join(self.notes)}")
        for fold in folds:
            self._score(fold)
        self.done += len(folds)

    def _fail(self, failure: Failure) -> None:
        self.failures.append(failure)
        if failure.model in self.alive:
            self.alive.remove(failure.model)
            del self.values[failure.model]
            self.notes.append(f"{failure.model} is left out: {failure.error.rstrip('.')}.")

    def _score(self, fold: int) -> None:
        table = self.experiment.table(self.outputs, self.alive, [fold])
        self.metric, bound = resolve(self.metric or DEFAULT[table.task], table.schema)[0]
        self.sign = bound.sign
        for name, values in fold_values(table, self.metric, self.alive).items():
            self.values[name].append(float(values[0]))

    @property
    def leader(self) -> str:
        """The model with the best mean, the first named where tied."""
        return max(self.alive, key=lambda name: (self._rank(name), -self.alive.index(name)))

    def _rank(self, name: str) -> float:
        """The mean value, such that higher is better."""
        value = self.sign * mean_defined(self.values[name])
        return -math.inf if math.isnan(value) else value

    def drop(self) -> None:
        """Drop every model that is significantly worse than the leader."""
        leader = self.leader
        pairs = list(combinations(self.alive, 2))
        level = (1 - self.confidence) * min(1.0, self.done / self.repeat)
        # The leader was chosen for looking best, so the correction is for all pairs.
        adjusted = holm([self._p_value(a, b) for a, b in pairs])
        for pair, p in zip(pairs, adjusted, strict=True):
            if leader in pair and p < level:
                name = pair[pair[0] == leader]
                self.alive.remove(name)
                self.dropped[name] = (self.done, p)

    @property
    def repeat(self) -> float:
        """Number of folds that hold out every row once."""
        splits = self.experiment.splits
        held_out = np.concatenate([test for _, test in splits])
        return len(splits) * len(np.unique(held_out)) / len(held_out)

    def _p_value(self, a: str, b: str) -> float:
        difference = np.subtract(self.values[a], self.values[b])
        difference = difference[~np.isnan(difference)]
        if len(difference) < 2:
            return 1.0
        splits = self.experiment.splits
        train = float(np.mean([len(rows) for rows, _ in splits]))
        test = float(np.mean([len(rows) for _, rows in splits]))
        low, high = METRICS.parse(self.metric).bounds
        span = high - low if np.isfinite(high - low) else float(abs(difference.mean()))
        freedom = max(1.0, min(len(difference), round(self.repeat)) - 1.0)
        return corrected_t(difference, test / train, step=span / test, freedom=freedom).p

    def result(self) -> Race:
        """What the race found."""
        rows = []
        for name, values in self.values.items():
            folds = int(np.isfinite(values).sum())
            after, p = self.dropped.get(name, (None, None))
            rows.append(RaceRow(name, mean_defined(values), folds, after, p))
        fits = [pair for pair in self.experiment.pairs if pair in self.outputs]
        saved = sum(
            name in self.values and (name, fold) not in self.outputs
            for name, fold in self.experiment.pairs
        )
        if self.experiment.store is not None:
            done = [self.outputs[pair] for pair in fits]
            self.experiment.store.finish(Timings.from_outputs(done, self.failures), done)
        finished = list(range(self.done))
        return Race(
            metric=self.metric,
            best=self.leader,
            survivors=tuple(self.alive),
            rows=tuple(rows),
            fits=len(self.outputs),
            fits_saved=saved,
            predictions=self.experiment.table(self.outputs, self.alive, finished),
            confidence=self.confidence,
            notes=tuple(self.notes),
        )
