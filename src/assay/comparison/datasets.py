"""datasets: which algorithm is better over several data sets, by the scores of each on each.

>>> scores = {
...     f"set{i}": {"a": 0.8 + i / 100, "b": 0.79 + i / 90, "c": 0.7 + i / 200} for i in range(12)
... }
>>> result = compare_datasets(scores, "accuracy")
>>> result.best, result.tied
('a', ('a',))
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, ClassVar, TypeAlias

import numpy as np

from assay.comparison.compare import OPEN
from assay.comparison.corrections import holm
from assay.comparison.rank_tests import (
    FEWEST,
    Friedman,
    average_ranks,
    critical_difference,
    friedman,
    posterior_weights,
    rank_balance,
    signed_rank,
    wilcoxon,
)
from assay.core.arguments import check_share
from assay.core.result import Result
from assay.core.text import Headline, TextTable, format_number
from assay.core.types import Better
from assay.errors import NameLookupError, SchemaError, UnsupportedError
from assay.evaluation.evaluate import Evaluation, evaluate
from assay.io.source import Source, open_table
from assay.kernels import Array
from assay.metrics.base import METRICS, Metric

__all__ = ["DatasetComparison", "RankedPair", "compare_datasets"]

Scored: TypeAlias = Mapping[str, float] | Evaluation | Source


@dataclass(frozen=True)
class RankedPair:
    """Two models over the data sets.

    `difference` is the median of `a` minus `b` in the metric; `wins`, `ties` and `losses` count the
    data sets where `a` is better, equal, worse. `p` is Wilcoxon's p-value, `p_adjusted` Holm's
    correction of it; `p_a`, `p_equal` and `p_b` are the Bayesian signed-rank probabilities.
    """

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
    """Which model is best over several data sets, and which are not significantly different.

    `ranks` holds the mean rank of each model, 1 the best; `tied` the best and those that Wilcoxon's
    test, corrected over all pairs by Holm, does not find different from it; `critical_difference`
    is Nemenyi's, for comparison with published diagrams.

    >>> scores = {f"set{i}": {"a": 0.8 + i / 100, "b": 0.7 + i / 90} for i in range(8)}
    >>> compare_datasets(scores, "accuracy").ranks
    {'a': 1.0, 'b': 2.0}
    """

    schema_name: ClassVar[str] = "assay.datasets/1"
    json_names: ClassVar[Mapping[str, str]] = {"equivalence": "rope"}

    metric: str
    better: Better
    best: str
    tied: tuple[str, ...]
    ranks: dict[str, float]
    friedman: Friedman | None
    critical_difference: float
    pairs: tuple[RankedPair, ...]
    scores: dict[str, dict[str, float]]
    equivalence: float
    confidence: float = 0.95
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> tuple[RankedPair, ...]:
        """The pairs: one tidy row each."""
        return self.pairs

    @property
    def verdict(self) -> str:
        """The answer in one sentence."""
        head = f"{self.best} ranks best by {self.metric} over {len(self.scores)} data sets"
        mean = f"mean rank {self.ranks[self.best]:.2f} of {len(self.ranks)}"
        others = ", ".join(name for name in self.tied if name != self.best)
        if others:
            return f"{head} ({mean}), but it is not significantly different from {others}."
        return f"{head} ({mean}); every other model is significantly worse."

    @property
    def details(self) -> list[str]:
        """Mean ranks, the best first, and Friedman's test."""
        order = sorted(self.ranks, key=lambda m: self.ranks[m])
        ranks = "Mean ranks: " + ", ".join(f"{m} {self.ranks[m]:.2f}" for m in order)
        return [ranks, *self._omnibus()]

    @property
    def tables(self) -> list[TextTable]:
        """The pairs of models."""
        chance = f"P(first | equal within {self.equivalence:g} | second)"
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
        return [TextTable(header, body)]

    def _omnibus(self) -> list[str]:
        if self.friedman is None:
            return []
        n = len(self.scores)
        k = len(self.ranks)
        f = f"F({k - 1}, {(k - 1) * (n - 1)}) = {format_number(self.friedman.f)}"
        significant = self.friedman.p < 1 - self.confidence
        differ = "differ" if significant else "do not differ significantly"
        return [
            f"Friedman's test (Iman-Davenport): {f}, p = {self.friedman.p:.2g}: "
            f"the models {differ}."
        ]


def compare_datasets(
    scores: Mapping[str, Scored],
    metric: str | Metric | None = None,
    *,
    better: Better | None = None,
    equivalence: float = 0.0,
    confidence: float = 0.95,
    seed: int = 0,
    where: str | None = None,
) -> DatasetComparison:
    """Compare models by their scores on several data sets.

    Whether the models differ at all: Friedman's test with Iman and Davenport's correction (three
    models or more). Which differ: Wilcoxon's signed-rank test of every pair, corrected by Holm;
    unlike Nemenyi's, its verdict on two models does not depend on which others are compared. How
    likely: the Bayesian signed-rank test.

    Parameters:
        scores: For each data set the score of every model, or its evaluation, or its predictions (a
            table or a file); six data sets or more.
        metric: Which metric the scores are, which says whether higher is better.
        better: "higher" or "lower", for scores of a metric that is not registered.
        equivalence: The difference in the metric that does not matter in practice, for the Bayesian
            probabilities; default 0.
        confidence: 1 - `confidence` is the level of the tests, in (0, 1); default 0.95.
        seed: Of the Bayesian test; default 0.
        where: Which rows of predictions to take, as in 'split == "test"' (see `Predictions.where`);
            default: all but those of a training split.

    Raises:
        SchemaError: A model has no score on some data set.
        UnsupportedError: There are fewer than six data sets or two models, or the direction of the
            metric is unknown.

    Sources: Demsar (2006), JMLR 7:1-30; Benavoli, Corani & Mangili (2016), JMLR 17(5):1-10.

    >>> scores = {f"set{i}": {"a": 0.8 + i / 100, "b": 0.7 + i / 90} for i in range(8)}
    >>> compare_datasets(scores, "accuracy").best
    'a'
    """
    check_share("confidence", confidence)
    text, better = _direction(metric, better)
    if not isinstance(scores, Mapping):
        raise UnsupportedError(
            f"expected a mapping of data set to the scores of its models (or its evaluation, its "
            f"predictions, a file); got {type(scores).__name__}"
        )
    notes: list[str] = []
    values = {
        str(name): _values(str(name), item, text, where, notes) for name, item in scores.items()
    }
    models, table = _matrix(values)
    _refuse_too_few(len(values), models)
    sign = 1 if better == "higher" else -1
    mean_ranks = average_ranks(table, better)
    best = models[int(mean_ranks.argmin())]
    pairs = _compare_pairs(models, sign * table, sign, equivalence, 1 - confidence, seed)
    open_pairs = {frozenset((d.a, d.b)) for d in pairs if d.verdict == OPEN}
    return DatasetComparison(
        metric=text,
        better=better,
        best=best,
        tied=tuple(m for m in models if m == best or frozenset((best, m)) in open_pairs),
        ranks={m: float(rank) for m, rank in zip(models, mean_ranks, strict=True)},
        friedman=friedman(table) if len(models) > 2 else None,
        critical_difference=critical_difference(len(models), len(values), confidence),
        pairs=pairs,
        scores={
            name: dict(zip(models, map(float, row), strict=True))
            for name, row in zip(values, table, strict=True)
        },
        equivalence=equivalence,
        confidence=confidence,
        notes=(*notes, *_note_on_power(len(values), len(pairs), 1 - confidence)),
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


def _values(
    name: str, scores: Scored, metric: str, where: str | None, notes: list[str]
) -> dict[str, float]:
    """The score of each model on one data set; to `notes` goes what must be known of its rows."""
    if isinstance(scores, Mapping) and all(map(np.isscalar, scores.values())):
        return {
            str(model): _convert_to_score(value, model, name) for model, value in scores.items()
        }
    if not isinstance(scores, Evaluation):
        try:
            table: Any = open_table(scores)  # in memory or a stream: a source again
        except UnsupportedError as error:
            raise UnsupportedError(
                f"data set {name!r}: expected the score of each model, an evaluation, "
                f"predictions or a file; got {scores!r}"
            ) from error
        scores = evaluate(table, metric, intervals=False, where=where)
        above = (note for note in scores.notes if isinstance(note, Headline))
        notes += (Headline(f"{name}: {note}") for note in above)
    return {model: scores.get(model, metric).value for model in scores.models}


def _convert_to_score(value: Any, model: Any, name: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise UnsupportedError(
            f"the score of model {model!r} on data set {name!r} is {value!r}; give a number"
        ) from error


def _matrix(values: Mapping[str, Mapping[str, float]]) -> tuple[list[str], Array]:
    """Models, and the table of scores (data sets, models); SchemaError where one is missing."""
    models = list(dict.fromkeys(model for row in values.values() for model in row))
    for name, row in values.items():
        for model in models:
            if not math.isfinite(row.get(model, math.nan)):
                what = f"is {row[model]}" if model in row else "is missing"
                raise SchemaError(
                    f"the score of model {model!r} on data set {name!r} {what}; every model "
                    f"needs a score on every data set: leave out that model or that data set"
                )
    table = np.array([[row[m] for m in models] for row in values.values()])
    return models, table.reshape(len(values), len(models))


def _refuse_too_few(datasets: int, models: Sequence[str]) -> None:
    if len(models) < 2:
        raise UnsupportedError(
            f"comparing needs two models or more; the scores are of {', '.join(models) or 'none'}"
        )
    if datasets < FEWEST:
        raise UnsupportedError(
            f"{datasets} data sets cannot show a difference: the smallest p-value that Wilcoxon's "
            f"signed-rank test can reach on them is {min(1.0, 2.0 ** (1 - datasets)):.3g}; give "
            f"{FEWEST} or more"
        )


def _note_on_power(datasets: int, pairs: int, alpha: float) -> tuple[str, ...]:
    """The note where no pair can be significant, whatever the scores."""
    if pairs * 2.0 ** (1 - datasets) < alpha:
        return ()
    needed = math.floor(1 + math.log2(pairs / alpha)) + 1
    return (
        f"With {datasets} data sets and {pairs} pairs no difference can be significant after "
        f"Holm's correction; {needed} data sets could show one.",
    )


def _compare_pairs(
    models: Sequence[str], signed: Array, sign: int, equivalence: float, alpha: float, seed: int
) -> tuple[RankedPair, ...]:
    """Every two models; `signed` scores (data sets, models) are such that higher is better."""
    weights = posterior_weights(len(signed), seed=seed)
    places = list(combinations(range(len(models)), 2))
    differences = [signed[:, i] - signed[:, j] for i, j in places]
    p_values = [wilcoxon(d) for d in differences]
    pairs = []
    for (i, j), d, p, adjusted in zip(places, differences, p_values, holm(p_values), strict=True):
        better = models[i] if rank_balance(d) > 0 else models[j]
        probabilities = signed_rank(d, equivalence, weights)
        pair = RankedPair(
            a=models[i],
            b=models[j],
            difference=sign * float(np.median(d)) + 0.0,  # adding 0 makes -0 positive
            wins=int(np.count_nonzero(d > 0)),
            ties=int(np.count_nonzero(d == 0)),
            losses=int(np.count_nonzero(d < 0)),
            p=p,
            p_adjusted=adjusted,
            verdict=OPEN if adjusted >= alpha else f"{better} is better",
            p_a=probabilities.first,
            p_equal=probabilities.equal,
            p_b=probabilities.second,
        )
        pairs.append(pair)
    return tuple(pairs)
