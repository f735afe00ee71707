"""datasets: which algorithm is better over several data sets, one score of each model on each.

>>> scores = {f"set{i}": {"a": 0.8 + i / 100, "b": 0.79 + i / 90, "c": 0.7 + i / 200} for i in range(12)}
>>> found = compare_datasets(scores, "accuracy")
>>> found.best, found.tied
('a', ('a',))
"""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, ClassVar, TypeAlias

import numpy as np

from assay.comparison.corrections import holm
from assay.comparison.rank_tests import (
    FEWEST,
    Better,
    Friedman,
    average_ranks,
    critical_difference,
    friedman,
    leaning,
    posterior_weights,
    signed_rank,
    wilcoxon,
)
from assay.core.result import Result
from assay.core.text import format_number, text_table
from assay.errors import NameLookupError, SchemaError, UnsupportedError
from assay.evaluation.evaluate import Evaluation, evaluate
from assay.kernels import Array
from assay.metrics.base import METRICS, Metric
from assay.table.predictions import Predictions

__all__ = ["DatasetComparison", "RankedPair", "compare_datasets"]

Scored: TypeAlias = Mapping[str, float] | Evaluation | Predictions | str | os.PathLike[str]


@dataclass(frozen=True)
class RankedPair:
    """Two models over the data sets: median difference `a` - `b` in the metric, sets where a is better, equal, worse,
    Wilcoxon's p-value (raw, Holm-adjusted), its verdict, and the Bayesian signed-rank probabilities."""

    a: str
    b: str
    difference: float
    wins: int
    ties: int
    losses: int
    p: float
    p_adjusted: float
    verdict: str
    p_a: float
    p_equal: float
    p_b: float


@dataclass(frozen=True, repr=False)
class DatasetComparison(Result):
    """Which model is best over several data sets, and which cannot be told apart from it.

    `ranks`: average rank of each model, 1 the best; `tied`: the best and those that Wilcoxon's test, corrected over all
    pairs by Holm, does not tell from it; `critical_difference`: Nemenyi's, for comparison with published diagrams.
    """

    schema_name: ClassVar[str] = "assay.datasets/1"
    drawn_by: ClassVar[str] = "ranks"

    metric: str
    better: Better
    best: str
    tied: tuple[str, ...]
    ranks: dict[str, float]
    friedman: Friedman | None
    critical_difference: float
    pairs: tuple[RankedPair, ...]
    scores: dict[str, dict[str, float]]
    rope: float
    confidence: float = 0.95
    notes: tuple[str, ...] = ()

    @property
    def records(self) -> list[dict[str, Any]]:
        return [dict(pair.__dict__) for pair in self.pairs]

    def to_dict(self) -> dict[str, Any]:
        found = None if self.friedman is None else self.friedman._asdict()
        return {**self.__dict__, "friedman": found, "pairs": self.records}

    @property
    def verdict(self) -> str:
        """The answer in one sentence."""
        head = f"{self.best} ranks best by {self.metric} over {len(self.scores)} data sets"
        mean = f"mean rank {self.ranks[self.best]:.2f} of {len(self.ranks)}"
        others = ", ".join(name for name in self.tied if name != self.best)
        if others:
            return f"{head} ({mean}), but cannot be told apart from {others}."
        return f"{head} ({mean}); every other model is significantly worse."

    def __repr__(self) -> str:
        order = sorted(self.ranks, key=lambda m: self.ranks[m])
        ranks = "Mean ranks: " + ", ".join(f"{m} {self.ranks[m]:.2f}" for m in order)
        chance = f"P(first | equal within {self.rope:g} | second)"
        header = ["difference", "median", "won-tied-lost", "p (Holm)", chance, "verdict"]
        body = [
            [
                f"{d.a} - {d.b}",
                f"{d.difference:+.4g}",
                f"{d.wins}-{d.ties}-{d.losses}",
                f"{d.p_adjusted:.2g}",
                f"{d.p_a:.2f} | {d.p_equal:.2f} | {d.p_b:.2f}",
                d.verdict,
            ]
            for d in self.pairs
        ]
        return "\n".join(
            [self.verdict, ranks, *self._omnibus(), text_table(header, body), *self.notes]
        )

    def _omnibus(self) -> list[str]:
        if self.friedman is None:
            return []
        n, k = len(self.scores), len(self.ranks)
        f = f"F({k - 1}, {(k - 1) * (n - 1)}) = {format_number(self.friedman.f)}"
        differ = (
            "differ" if self.friedman.p < 1 - self.confidence else "cannot be told to differ at all"
        )
        return [
            f"Friedman's test (Iman-Davenport): {f}, p = {self.friedman.p:.2g}: the models {differ}."
        ]


def compare_datasets(
    scores: Mapping[str, Scored],
    metric: str | Metric | None = None,
    *,
    better: Better | None = None,
    rope: float = 0.0,
    confidence: float = 0.95,
    seed: int = 0,
) -> DatasetComparison:
    """Compare models by their scores on several data sets, six or more.

    scores: for each data set the score of every model, or its evaluation, or its predictions (a table or a file).
    metric: says which figure, and whether higher is better; for a metric that is not registered say `better`.
    rope: the difference in the metric that does not matter in practice, for the Bayesian probabilities.

    Whether the models differ at all: Friedman's test with Iman and Davenport's correction (three models or more).
    Which differ: Wilcoxon's signed-rank test of every pair, corrected by Holm; unlike Nemenyi's, its verdict on two
    models does not depend on which others are compared.  How likely: the Bayesian signed-rank test.
    Sources: Demsar (2006), JMLR 7:1-30; Benavoli, Corani & Mangili (2016), JMLR 17(5):1-10.
    """
    text, better = _direction(metric, better)
    if not isinstance(scores, Mapping):
        raise UnsupportedError(
            f"expected a mapping of data set to the scores of its models (or its evaluation, its predictions, a file); "
            f"got {type(scores).__name__}"
        )
    values = {str(name): _values(str(name), given, text) for name, given in scores.items()}
    models, table = _matrix(values)
    _enough(len(values), models)
    signed = table if better == "higher" else -table
    mean_ranks = average_ranks(table, better)
    best = models[int(mean_ranks.argmin())]
    pairs = _pairs(models, signed, 1 if better == "higher" else -1, rope, 1 - confidence, seed)
    open_ = {frozenset((d.a, d.b)) for d in pairs if d.verdict == "not distinguishable"}
    return DatasetComparison(
        text,
        better,
        best,
        tuple(m for m in models if m == best or frozenset((best, m)) in open_),
        {m: float(r) for m, r in zip(models, mean_ranks, strict=True)},
        friedman(table) if len(models) > 2 else None,
        critical_difference(len(models), len(values), confidence),
        pairs,
        {
            name: dict(zip(models, map(float, row), strict=True))
            for name, row in zip(values, table, strict=True)
        },
        rope,
        confidence,
        _reach(len(values), len(pairs), 1 - confidence),
    )


def _direction(metric: str | Metric | None, better: Better | None) -> tuple[str, Better]:
    """Name of the metric, and which direction is better."""
    if better not in (None, "higher", "lower"):
        raise UnsupportedError(f"better must be 'higher' or 'lower'; got {better!r}")
    try:
        known = None if metric is None else METRICS.parse(metric)
    except NameLookupError:
        if better is None:
            raise
        known = None
    if known is None:
        if better is None:
            raise UnsupportedError(
                "say which metric the scores are, as in 'accuracy', or better='higher' or 'lower'"
            )
        return str(metric or "score"), better
    direction: Better = "higher" if known.sign > 0 else "lower"
    if better not in (None, direction):
        raise UnsupportedError(f"of {known}, {direction} is better; got better={better!r}")
    return str(known), direction


def _values(name: str, given: Scored, metric: str) -> dict[str, float]:
    """The score of each model on one data set."""
    if isinstance(given, Mapping):
        return {str(model): float(value) for model, value in given.items()}
    if not isinstance(given, Evaluation | Predictions | str | os.PathLike):
        raise UnsupportedError(
            f"data set {name!r}: expected the score of each model, an evaluation, predictions or a file; got {given!r}"
        )
    found = given if isinstance(given, Evaluation) else evaluate(given, metric, intervals=False)
    return {model: found.get(model, metric).value for model in found.models}


def _matrix(values: Mapping[str, Mapping[str, float]]) -> tuple[list[str], Array]:
    """Models, and the table of scores (data sets, models); SchemaError where a score is missing or not a number."""
    models = list(dict.fromkeys(model for row in values.values() for model in row))
    for name, row in values.items():
        for model in models:
            if not math.isfinite(row.get(model, math.nan)):
                what = f"is {row[model]}" if model in row else "is missing"
                raise SchemaError(
                    f"the score of model {model!r} on data set {name!r} {what}; every model needs a score on every "
                    f"data set: leave out that model or that data set"
                )
    return models, np.array([[row[m] for m in models] for row in values.values()]).reshape(
        len(values), len(models)
    )


def _enough(datasets: int, models: Sequence[str]) -> None:
    if len(models) < 2:
        raise UnsupportedError(
            f"comparing needs two models or more; the scores are of {', '.join(models) or 'none'}"
        )
    if datasets < FEWEST:
        raise UnsupportedError(
            f"{datasets} data sets cannot show a difference: the smallest p-value that Wilcoxon's signed-rank test can "
            f"reach on them is {min(1.0, 2.0 ** (1 - datasets)):.3g}; give {FEWEST} or more"
        )


def _reach(datasets: int, pairs: int, alpha: float) -> tuple[str, ...]:
    """What to say where no pair can be significant, whatever the scores."""
    if pairs * 2.0 ** (1 - datasets) < alpha:
        return ()
    needed = math.floor(1 + math.log2(pairs / alpha)) + 1
    return (
        f"With {datasets} data sets and {pairs} pairs no difference can be significant after Holm's correction; "
        f"{needed} data sets could show one.",
    )


def _pairs(
    models: Sequence[str], signed: Array, sign: int, rope: float, alpha: float, seed: int
) -> tuple[RankedPair, ...]:
    """Every two models; `signed` scores (data sets, models) are such that higher is better."""
    weights = posterior_weights(len(signed), seed=seed)
    apart = {
        (a, b): signed[:, i] - signed[:, j] for (i, a), (j, b) in combinations(enumerate(models), 2)
    }
    raw = [wilcoxon(d) for d in apart.values()]
    found = []
    for ((a, b), d), p, adjusted in zip(apart.items(), raw, holm(raw), strict=True):
        verdict = (
            "not distinguishable"
            if adjusted >= alpha
            else f"{a if leaning(d) > 0 else b} is better"
        )
        wins, ties, losses = (int(np.count_nonzero(which)) for which in (d > 0, d == 0, d < 0))
        median = sign * float(np.median(d)) + 0.0  # never -0
        chances = signed_rank(d, rope, weights)
        found.append(RankedPair(a, b, median, wins, ties, losses, p, adjusted, verdict, *chances))
    return tuple(found)
