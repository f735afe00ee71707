"""winner: what the best of several models is worth, once it is known that it was chosen for looking best.

>>> import numpy as np
>>> rng = np.random.default_rng(0)
>>> y = np.arange(200) % 2
>>> models = {f"m{i}": np.where(rng.random(200) < 0.7, y, 1 - y) for i in range(10)}
>>> found = selection_bias(Predictions.from_arrays(y, models), "accuracy")
>>> found.naive, round(found.value, 2)
(0.775, 0.74)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from assay.core.arguments import check_share
from assay.core.text import format_number
from assay.engines.base import Engine, Job
from assay.engines.local import Local
from assay.errors import UnsupportedError
from assay.kernels import Array
from assay.metrics.base import Metric
from assay.metrics.resolve import resolve
from assay.states.confusion import Confusion
from assay.table.buckets import BUCKETS, assign_buckets
from assay.table.predictions import Predictions

__all__ = ["SelectionBias", "selection_bias"]

REPLICATES = 1000
FEWER = 200  # replicates where each needs a pass over the rows, or over very many scores
LONG = 1 << 13
MOST_CLASSES = 64  # beyond which a confusion table per bucket does not fit


@dataclass(frozen=True, repr=False)
class SelectionBias:
    """The best model, its figure as it looks (`naive`) and as it will be elsewhere (`value` in [`low`, `high`]).

    `chosen`: how often each model was the best of a resample; `replicates`: how many of them had a figure.
    """

    metric: str
    best: str
    naive: float
    value: float
    low: float
    high: float
    chosen: Mapping[str, float]
    replicates: int
    confidence: float

    @property
    def optimism(self) -> float:
        """By how much the best looks better than it is."""
        return self.naive - self.value

    def __repr__(self) -> str:
        value, low, high, naive = map(format_number, (self.value, self.low, self.high, self.naive))
        return (
            f"{self.best} is the best of {len(self.chosen)} models by {self.metric}: {naive} as selected, "
            f"{value} [{low}, {high}] corrected for the selection; best in {self.chosen[self.best]:.0%} of resamples."
        )


def selection_bias(
    predictions: Predictions,
    metric: str | Metric,
    *,
    models: Sequence[str] | None = None,
    confidence: float = 0.95,
    engine: Engine | None = None,
    seed: int = 0,
) -> SelectionBias:
    """The score to expect of the best of these models, free of the winner's curse.

    The best of M models owes part of its score to luck on these rows. Here the rows are drawn with replacement, the
    same for all models (clusters, where there is a cluster column); the best on the drawn rows is scored on the rows
    left out. The mean over draws is the corrected score, their percentiles its interval, which errs on the wide side.
    Nothing is refitted: choosing is part of what is judged, training is not.

    Works for every metric with one figure.  Undefined replicates are left out and counted; UnsupportedError where none
    is defined.  Source: Tsamardinos, Greasidou & Borboudakis (2018), Machine Learning 107:1895-1922 (BBC-CV).
    """
    check_share("confidence", confidence)
    text, on = resolve(metric, predictions.schema)[0]
    if on.granularity != "table":
        raise UnsupportedError(
            f"{text} has one figure a class; select by one figure, as in f1(average=macro)"
        )
    names = list(
        models or [m for m in predictions.models if predictions.schema.offers(m, on.reads)]
    )
    draw = _Resampler(predictions, on, names, engine or Local(), seed)
    sign = on.sign
    whole = draw.whole()
    if np.isnan(whole).all():
        raise UnsupportedError(
            f"{text} is undefined ({on.undefined}) for every model: there is none to select"
        )
    inside, outside = draw.figures()
    pick = np.where(np.isnan(inside), -np.inf, sign * inside).argmax(axis=1)
    scores = outside[np.arange(len(pick)), pick]
    known = ~np.isnan(scores) & ~np.isnan(inside).all(axis=1)
    if not known.any():
        raise UnsupportedError(
            f"{text} is undefined ({on.undefined}) in every resample: these are too few rows"
        )
    value = float(scores[known].mean())
    tail = (1 - confidence) / 2
    low, high = np.quantile(scores[known], [tail, 1 - tail])
    best = int(np.where(np.isnan(whole), -np.inf, sign * whole).argmax())
    shares = np.bincount(pick[known], minlength=len(names)) / known.sum()
    chosen = {m: float(s) for m, s in zip(names, shares, strict=True)}
    naive = float(whole[best])
    return SelectionBias(
        text,
        names[best],
        naive,
        value,
        float(low),
        float(high),
        chosen,
        int(known.sum()),
        confidence,
    )


@dataclass(frozen=True, eq=False)
class _Resampler:
    """Figures of all models on the same draws of buckets of rows, and on the buckets that each draw leaves out."""

    table: Predictions
    metric: Metric
    models: list[str]
    engine: Engine
    seed: int

    def whole(self) -> Array:
        """The figure of each model over all rows (models,)."""
        return self._on(self.table)

    def figures(self) -> tuple[Array, Array]:
        """Figures on the rows drawn and on those left out, each (replicates, models)."""
        bucket = assign_buckets(self.table)
        filled = np.unique(bucket)
        wide = isinstance(self.metric.state, Confusion) and self.table.schema.k > MOST_CLASSES
        replicates = FEWER if self.metric.state.keeps and self.table.n > LONG else REPLICATES
        try:
            found = None if wide else self._pooled(self._times(filled, replicates), filled)
        except NotImplementedError:
            found = None
        return found or self._passes(self._times(filled, FEWER), bucket)

    def _times(self, filled: Array, replicates: int) -> Array:
        """How often each bucket enters each draw (replicates, buckets)."""
        times = np.zeros((replicates, BUCKETS), np.int64)
        if len(filled):
            equal = np.full(len(filled), 1 / len(filled))
            times[:, filled] = np.random.default_rng(self.seed).multinomial(
                len(filled), equal, size=replicates
            )
        return times

    def _pooled(self, times: Array, filled: Array) -> tuple[Array, Array]:
        """From states kept per bucket: one pass over the rows, whatever the number of replicates."""
        state, schema = self.metric.state, self.table.schema
        jobs = [Job(state, (m,), bucketed=True) for m in self.models]
        values = self.engine.fold(self.table, jobs)
        left_out = np.zeros_like(times, np.float64)
        left_out[:, filled] = times[:, filled] == 0
        drawn = times.astype(np.float64)  # products of floats take the fast way

        def column(job: Job, times: Array) -> Array:
            return np.ravel(
                self.metric.compute(state.summary(state.resample(values[job], times), schema))
            )

        inside, outside = (
            np.stack([column(job, t) for job in jobs], axis=1) for t in (drawn, left_out)
        )
        return inside, outside

    def _passes(self, times: Array, bucket: Array) -> tuple[Array, Array]:
        """From the rows themselves, for states that cannot be pooled: a pass for every replicate."""
        rows = np.arange(self.table.n)
        inside = [self._on(self.table.take(np.repeat(rows, t[bucket]))) for t in times]
        outside = [self._on(self.table.take(t[bucket] == 0)) for t in times]
        return np.array(inside), np.array(outside)

    def _on(self, table: Predictions) -> Array:
        state = self.metric.state
        jobs = [Job(state, (m,)) for m in self.models]
        values = self.engine.fold(table, jobs)
        return np.array(
            [self.metric.estimate(state.summary(values[job], table.schema))[0] for job in jobs]
        )
