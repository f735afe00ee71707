"""selection: a race that drops models as soon as they cannot be best, where fits are dear.

>>> from sklearn.datasets import load_iris
>>> from sklearn.dummy import DummyClassifier
>>> from sklearn.naive_bayes import GaussianNB
>>> race({"nb": GaussianNB(), "none": DummyClassifier()}, *load_iris(return_X_y=True), metric="accuracy")
nb won: every other model was dropped. 10 of 20 fits were enough (10 saved).
model  accuracy  folds  dropped
nb     0.9600    5
none   0.3333    5      after 5 folds (p 6.6e-06)
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, ClassVar

import numpy as np

from assay.comparison.corrections import holm
from assay.comparison.fold_tests import corrected_t, fold_figures
from assay.core.result import Result
from assay.core.text import format_number, text_table
from assay.errors import UnsupportedError
from assay.metrics.base import METRICS, Metric
from assay.metrics.resolve import DEFAULT, resolve
from assay.selection.experiment import Experiment, FitError, Pair
from assay.selection.store import Failure, Part, Timings
from assay.table.predictions import Predictions

__all__ = ["Race", "Runner", "race"]


@dataclass(frozen=True)
class Runner:
    """One model of a race: mean figure over the folds it ran, and when and how surely it was dropped (None: never)."""

    model: str
    value: float
    folds: int
    dropped_after: int | None
    p: float | None


@dataclass(frozen=True, repr=False, eq=False)
class Race(Result):
    """Which models could still be best when the race ended, and what dropping the others saved.

    `predictions` are the survivors' on the folds that were run. The score of the best is the one it was chosen by, so
    it flatters: judge the choice on rows that took no part.
    """

    schema_name: ClassVar[str] = "assay.race/1"
    drawn_by: ClassVar[str] = "race"

    metric: str
    best: str
    survivors: tuple[str, ...]
    rows: tuple[Runner, ...]
    fits: int
    fits_saved: int
    predictions: Predictions
    confidence: float = 0.95
    notes: tuple[str, ...] = ()

    @property
    def left_behind(self) -> dict[str, str]:
        """The models that were dropped, and when and how surely."""
        dropped = [row for row in self.rows if row.dropped_after is not None]
        return {row.model: f"dropped from the race {_dropped(row)}" for row in dropped}

    @property
    def records(self) -> list[dict[str, Any]]:
        return [dict(row.__dict__) for row in self.rows]

    def to_dict(self) -> dict[str, Any]:
        told = ("metric", "best", "survivors", "fits", "fits_saved", "confidence", "notes")
        return {**{name: getattr(self, name) for name in told}, "rows": self.records}

    def __repr__(self) -> str:
        others = ", ".join(name for name in self.survivors if name != self.best)
        won = f"{self.best} leads; {others} could still be best" if others else ""
        fits = f"{self.fits} of {self.fits + self.fits_saved} fits were enough ({self.fits_saved} saved)."
        body = [
            [r.model, format_number(r.value), str(r.folds), _dropped(r)]
            for r in sorted(self.rows, key=lambda r: (r.dropped_after is not None, -r.folds))
        ]
        table = text_table(["model", self.metric, "folds", "dropped"], body)
        return "\n".join(
            [
                f"{won or f'{self.best} won: every other model was dropped'}. {fits}",
                table,
                *self.notes,
            ]
        )


def _dropped(runner: Runner) -> str:
    return (
        ""
        if runner.dropped_after is None
        else f"after {runner.dropped_after} folds (p {runner.p:.2g})"
    )


def race(
    models: Mapping[str, Any],
    X: Any,
    y: Any,
    *,
    metric: str | Metric | None = None,
    cv: Any = 10,
    confidence: float = 0.95,
    minimum: int = 5,
    n_jobs: int | None = -1,
    progress: bool | None = False,
    skip: bool = False,
    **options: Any,
) -> Race:
    """Cross-validate fold by fold, and drop a model as soon as the finished folds say that it cannot be best.

    After `minimum` folds, and after each further one, every two models are set against each other by the corrected
    resampled t-test on their differences fold by fold, with Holm's correction, and whom the leader beats is dropped.
    The level is 1 - `confidence` from the end of the first repeat on and, before it, as much of that as the share of
    the repeat that is done; the degrees of freedom are never more than those of one repeat. So looking again after
    each fold costs little: of four equally good models any is dropped in 3% of races of 10 folds and in 1% of races of
    10 x 5 folds, in up to 6% where models vary much with their training rows (bench/false_winners.py). The race ends
    with the folds, or when one model is left. Repeated splitters (RepeatedStratifiedKFold) save most: all models run
    the first folds, few the last.

    skip: leave out a model that fails, with a note, instead of raising FitError. Further options (groups, weight,
    inner, store, seed, ...) are those of `cross_validate`; a `store` is shared with it, so no fit is done twice.
    A fold where the metric is undefined for a model says nothing of it.

    Sources: Maron & Moore (1994), NIPS 6:59-66; Birattari et al. (2002), GECCO, 11-18; Nadeau & Bengio (2003),
    Machine Learning 52:239-281.
    """
    if minimum < 2:
        raise UnsupportedError(
            f"minimum must be 2 folds or more, for one fold says nothing of the noise; got {minimum}"
        )
    plan = Experiment.of(models, X, y, cv=cv, **options)
    run = _Run(
        plan,
        metric,
        confidence,
        lambda pairs: plan.run(pairs, n_jobs=n_jobs, progress=progress, skip=skip),
    )
    run.advance(range(min(minimum, len(plan.folds))))
    run.drop()
    for fold in plan.folds[minimum:]:
        if len(run.alive) == 1:
            break
        run.advance([fold])
        run.drop()
    return run.result()


class _Run:
    """A race in progress."""

    def __init__(
        self,
        plan: Experiment,
        metric: Any,
        confidence: float,
        compute: Callable[[Sequence[Pair]], Any],
    ) -> None:
        self.plan, self.metric, self.confidence, self.compute = plan, metric, confidence, compute
        self.alive = list(plan.models)
        self.parts: dict[Pair, Part] = {}
        self.figures: dict[str, list[float]] = {name: [] for name in plan.models}
        self.dropped: dict[str, tuple[int, float]] = {}
        self.failures: list[Failure] = []
        self.notes: list[str] = []
        self.done = 0
        self.sign = 1

    def advance(self, folds: Sequence[int]) -> None:
        """Run the models still in the race on the folds, and note their figures."""
        for found in self.compute([(name, fold) for fold in folds for name in self.alive]):
            if isinstance(found, Failure):
                self._fail(found)
            else:
                self.parts[found.model, found.fold] = found
        if not self.alive:
            raise FitError(f"every model failed: {' '.join(self.notes)}")
        for fold in folds:
            self._score(fold)
        self.done += len(folds)

    def _fail(self, failure: Failure) -> None:
        self.failures.append(failure)
        if failure.model in self.alive:
            self.alive.remove(failure.model)
            del self.figures[failure.model]
            self.notes.append(f"{failure.model} is left out: {failure.error.rstrip('.')}.")

    def _score(self, fold: int) -> None:
        table = self.plan.table(self.parts, self.alive, [fold])
        self.metric, on = resolve(self.metric or DEFAULT[table.task], table.schema)[0]
        self.sign = on.sign
        for name, figures in fold_figures(table, self.metric, self.alive).items():
            self.figures[name].append(float(figures[0]))

    @property
    def leader(self) -> str:
        """The model with the best mean, the first named where tied."""
        return max(self.alive, key=lambda name: (self._better(name), -self.alive.index(name)))

    def _better(self, name: str) -> float:
        value = self.sign * _mean(self.figures[name])
        return -math.inf if math.isnan(value) else value

    def drop(self) -> None:
        """Drop every model that the leader beats for sure."""
        leader = self.leader
        pairs = list(combinations(self.alive, 2))
        level = (1 - self.confidence) * min(1.0, self.done / self.repeat)
        # The leader is chosen for looking best, so the correction is for all pairs, not for the leader's alone.
        for pair, p in zip(pairs, holm([self._p(a, b) for a, b in pairs]), strict=True):
            if leader in pair and p < level:
                name = pair[pair[0] == leader]
                self.alive.remove(name)
                self.dropped[name] = (self.done, p)

    @property
    def repeat(self) -> float:
        """Number of folds that hold out every row once."""
        held = np.concatenate([test for _, test in self.plan.splits])
        return len(self.plan.splits) * len(np.unique(held)) / len(held)

    def _p(self, a: str, b: str) -> float:
        apart = np.subtract(self.figures[a], self.figures[b])
        apart = apart[~np.isnan(apart)]
        if len(apart) < 2:
            return 1.0
        train, test = (float(np.mean([len(side[i]) for side in self.plan.splits])) for i in (0, 1))
        low, high = METRICS.parse(self.metric).bounds
        span = high - low if np.isfinite(high - low) else float(abs(apart.mean()))
        freedom = max(1.0, min(len(apart), round(self.repeat)) - 1.0)
        return corrected_t(apart, test / train, step=span / test, freedom=freedom).p

    def result(self) -> Race:
        """What the race found."""
        finished = list(range(self.done))
        rows = tuple(
            Runner(
                name,
                _mean(found),
                int(np.isfinite(found).sum()),
                *self.dropped.get(name, (None, None)),
            )
            for name, found in self.figures.items()
        )
        kept = self.plan.table(self.parts, self.alive, finished)
        done = [pair for pair in self.plan.pairs if pair in self.parts]
        lost = sum(
            name in self.figures and (name, fold) not in self.parts
            for name, fold in self.plan.pairs
        )
        if self.plan.store is not None:
            self.plan.store.finish(Timings.of([self.parts[pair] for pair in done], self.failures))
        return Race(
            self.metric, self.leader, tuple(self.alive), rows, len(self.parts), lost, kept, self.confidence,
            tuple(self.notes),
        )  # fmt: skip


def _mean(figures: Sequence[float]) -> float:
    """Mean of the defined figures, nan where there is none."""
    defined = [f for f in figures if not math.isnan(f)]
    return float(np.mean(defined)) if defined else math.nan
