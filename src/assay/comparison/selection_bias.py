"""selection_bias: what the best of several models is worth, corrected for having been selected.

>>> import numpy as np
>>> rng = np.random.default_rng(0)
>>> y = np.arange(200) % 2
>>> models = {f"m{i}": np.where(rng.random(200) < 0.7, y, 1 - y) for i in range(10)}
>>> result = selection_bias(Predictions.from_arrays(y, models), "accuracy")
>>> result.naive, round(result.value, 2)
(0.775, 0.74)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from assay.comparison.fold_values import select_models
from assay.core.arguments import check_share, list_names
from assay.core.result import Result
from assay.core.text import format_number
from assay.engines.base import Engine, Job, resolve_engine
from assay.errors import UnsupportedError
from assay.intervals.resampling import compute_replicates, draw_buckets
from assay.io.arrays import accept_arrays
from assay.io.source import Source, open_table
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
class SelectionBias(Result):
    """The best model, its value as it looks (`naive`) and as it will be on other rows (`value`).

    `value` lies in [`low`, `high`]. `chosen` says how often each model was the best of a resample;
    `replicates` how many resamples had a value.

    >>> p = Predictions.from_arrays([0, 1] * 50, {"a": [0, 1] * 50, "b": [0] * 100})
    >>> selection_bias(p, "accuracy").chosen
    {'a': 1.0, 'b': 0.0}
    """

    schema_name: ClassVar[str] = "assay.selection_bias/1"

    metric: str
    best: str
    naive: float
    value: float
    low: float
    high: float
    chosen: Mapping[str, float]
    replicates: int
    confidence: float
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> tuple[Mapping[str, Any], ...]:
        """How often each model was the best of a resample: one row a model."""
        return tuple({"model": m, "chosen": share} for m, share in self.chosen.items())

    @property
    def optimism(self) -> float:
        """By how much the best looks better than it is."""
        return self.naive - self.value

    @property
    def verdict(self) -> str:
        """The answer in one sentence."""
        interval = f"[{format_number(self.low)}, {format_number(self.high)}]"
        return (
            f"{self.best} is the best of {len(self.chosen)} models by {self.metric}: "
            f"{format_number(self.naive)} as selected, {format_number(self.value)} {interval} "
            f"corrected for the selection; best in {self.chosen[self.best]:.0%} of resamples."
        )


@accept_arrays
def selection_bias(
    predictions: Source,
    metric: str | Metric,
    *,
    models: Sequence[str] | None = None,
    confidence: float = 0.95,
    engine: str | Engine | None = None,
    seed: int = 0,
    where: str | None = None,
) -> SelectionBias:
    """The value to expect of the best of these models on other rows: free of the winner's curse.

    The best of many models owes part of its value to luck on these rows. Here the rows are drawn
    with replacement, the same for all models (clusters, where there is a cluster column); the best
    on the drawn rows is scored on the rows left out. The mean over draws is the corrected value,
    their percentiles its interval, which errs on the wide side. Nothing is refitted: the selection
    is part of what is judged, training is not.

    Parameters:
        predictions: A table of two models or more; a data frame, the path of a file or of several,
            or the truth followed by what models predict, as for `evaluate`.
        metric: A metric with one value a model.
        models: Names of the models that were selected from; default: those that give what the
            metric reads.
        confidence: Level of the interval, in (0, 1); default 0.95.
        engine: Text such as "processes(workers=4)" or an Engine; default "local", on threads.
        seed: Of the draws; default 0.
        where: Which rows to take, as in 'split == "test"' (see `Predictions.where`); default: all
            but those of a training split.

    Returns:
        The best model, its value as it looks and corrected. Draws with an undefined value are left
        out and counted.

    Raises:
        UnsupportedError: The metric has one value a class, or is undefined in every draw.

    Source: Tsamardinos, Greasidou & Borboudakis (2018), Machine Learning 107:1895-1922 (BBC-CV).

    >>> p = Predictions.from_arrays([0, 1] * 50, {"a": [0, 1] * 50, "b": [0] * 100})
    >>> selection_bias(p, "accuracy").optimism
    0.0
    """
    check_share("confidence", confidence)
    table = open_table(predictions, in_memory=True, where=where, judging=True)
    text, bound = resolve(metric, table.schema)[0]
    if bound.granularity != "table":
        raise UnsupportedError(
            f"{text} has one value a class; select by one value, as in f1(average=macro)"
        )
    names = list(list_names("models", models) or select_models(table, bound))
    table.select(names)  # an error where the table has no such model
    resampler = _Resampler(table, bound, names, resolve_engine(engine), seed)
    whole = resampler.score(table)
    if np.isnan(whole).all():
        raise UnsupportedError(
            f"{text} is undefined ({bound.undefined}) for every model: there is none to select"
        )
    inside, outside = resampler.resample()
    pick = _rank_values(inside, bound.sign).argmax(axis=1)
    scores = outside[np.arange(len(pick)), pick]
    known = ~np.isnan(scores) & ~np.isnan(inside).all(axis=1)
    if not known.any():
        raise UnsupportedError(
            f"{text} is undefined ({bound.undefined}) in every resample: these are too few rows"
        )
    tail = (1 - confidence) / 2
    low, high = np.quantile(scores[known], [tail, 1 - tail])
    best = int(_rank_values(whole, bound.sign).argmax())
    shares = np.bincount(pick[known], minlength=len(names)) / known.sum()
    return SelectionBias(
        metric=text,
        best=names[best],
        naive=float(whole[best]),
        value=float(scores[known].mean()),
        low=float(low),
        high=float(high),
        chosen={m: float(share) for m, share in zip(names, shares, strict=True)},
        replicates=int(known.sum()),
        confidence=confidence,
        notes=table.notes,
    )


def _rank_values(values: Array, sign: int) -> Array:
    """Values such that the largest is the best; undefined ones are the worst."""
    return np.where(np.isnan(values), -np.inf, sign * values)


@dataclass(frozen=True, eq=False)
class _Resampler:
    """Values of all models on draws of buckets of rows, and on the buckets each draw leaves out."""

    table: Predictions
    metric: Metric
    models: list[str]
    engine: Engine
    seed: int

    def score(self, table: Predictions) -> Array:
        """The value of each model on the rows of `table` (models,)."""
        state = self.metric.state
        jobs = [Job(state, (m,)) for m in self.models]
        values = self.engine.fold(table, jobs)
        return np.array(
            [self.metric.estimate(state.summary(values[job], table.schema))[0] for job in jobs]
        )

    def resample(self) -> tuple[Array, Array]:
        """Values on the rows drawn and on those left out, each (replicates, models)."""
        bucket = assign_buckets(self.table)
        rows = np.bincount(bucket, minlength=BUCKETS)
        state = self.metric.state
        too_wide = isinstance(state, Confusion) and self.table.schema.k > MOST_CLASSES
        if not too_wide:
            replicates = FEWER if state.keeps and self.table.n > LONG else REPLICATES
            try:
                return self._resample_states(self._draw_counts(rows, replicates), rows > 0)
            except NotImplementedError:  # this state cannot be resampled
                pass
        return self._resample_rows(self._draw_counts(rows, FEWER), bucket)

    def _draw_counts(self, rows: Array, replicates: int) -> Array:
        """How often each bucket, of so many `rows`, enters each draw (replicates, buckets)."""
        return draw_buckets(rows, np.random.default_rng(self.seed), replicates)

    def _resample_states(self, counts: Array, filled: Array) -> tuple[Array, Array]:
        """From states kept per bucket: one pass over the rows, for any number of replicates."""
        state = self.metric.state
        schema = self.table.schema
        jobs = [Job(state, (m,), bucketed=True) for m in self.models]
        values = self.engine.fold(self.table, jobs)
        left_out = np.zeros_like(counts, np.float64)
        left_out[:, filled] = counts[:, filled] == 0
        drawn = counts.astype(np.float64)  # NumPy multiplies floats faster than integers

        def compute(job: Job, counts: Array) -> Array:
            return np.ravel(compute_replicates(self.metric, state, values[job], counts, schema))

        inside = np.stack([compute(job, drawn) for job in jobs], axis=1)
        outside = np.stack([compute(job, left_out) for job in jobs], axis=1)
        return inside, outside

    def _resample_rows(self, counts: Array, bucket: Array) -> tuple[Array, Array]:
        """From the rows themselves, a pass for every replicate."""
        rows = np.arange(self.table.n)
        inside = [self.score(self.table.take(np.repeat(rows, c[bucket]))) for c in counts]
        outside = [self.score(self.table.take(c[bucket] == 0)) for c in counts]
        return np.array(inside), np.array(outside)
