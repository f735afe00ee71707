"""bayesian_fold_test: how likely one algorithm is better than another, by their folds.

A margin of equivalence says which differences do not matter.

>>> d = [0.02, 0.01, 0.03, 0.02, 0.02]
>>> correlated_t(d, ratio=1 / 4, equivalence=0.01).first > 0.9
True
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from numbers import Real
from typing import Any, ClassVar, NamedTuple

import numpy as np

from assay.comparison.fold_values import defined_fold_values, estimate_spread, select_models
from assay.core.arguments import check_share, list_names
from assay.core.result import Result
from assay.engines.base import Engine
from assay.errors import UnsupportedError
from assay.io.arrays import accept_arrays
from assay.io.source import Source, open_table
from assay.kernels import Array
from assay.metrics.base import Metric
from assay.metrics.resolve import resolve

__all__ = [
    "BayesianFoldTest", "BayesianPair", "OutcomeProbabilities", "bayesian_fold_test",
    "check_margin", "correlated_t",
]  # fmt: skip

UNDECIDED = "undecided"


class OutcomeProbabilities(NamedTuple):
    """Probabilities of the three outcomes of a comparison of two models; they sum to 1.

    The first is better by more than the margin of equivalence, the two are equal for practical
    purposes, or the second is better by more than the margin.
    """

    first: float
    equal: float
    second: float


def correlated_t(
    differences: Sequence[float] | Array, ratio: float, equivalence: float = 0.0
) -> OutcomeProbabilities:
    """Bayesian correlated t-test: what the folds say of the mean of paired differences.

    The posterior is Student's t with J - 1 degrees of freedom about the mean of J folds, with scale
    sqrt(variance * (1/J + ratio)). Same value as
    baycomp.CorrelatedTTest(second, first, equivalence, runs).probs(), read from right to left.

    Parameters:
        differences: First model minus second in each fold (folds,); positive ones speak for the
            first. Two folds or more.
        ratio: n_test / n_train.
        equivalence: The difference up to which two models are equal for practical purposes, 0 or
            more.

    Source: Corani & Benavoli (2015), Machine Learning 100:285-304.

    >>> d = [0.02, 0.01, 0.03, 0.02, 0.02]
    >>> [round(p, 3) for p in correlated_t(d, ratio=1 / 4, equivalence=0.01)]
    [0.949, 0.05, 0.002]
    """
    from scipy.special import stdtr

    d = np.asarray(differences, np.float64)
    if len(d) < 2:
        raise UnsupportedError(f"{len(d)} fold says nothing of how folds vary; give 2 or more")
    check_margin(equivalence)
    mean = d.mean()
    scale = estimate_spread(d, 0.0) * np.sqrt(1 / len(d) + ratio)
    if not scale and equivalence == mean == 0:
        return OutcomeProbabilities(0.5, 0.0, 0.5)
    if scale:
        first = float(stdtr(len(d) - 1, (mean - equivalence) / scale))
        second = float(stdtr(len(d) - 1, (-mean - equivalence) / scale))
    else:
        first = float(mean > equivalence)
        second = float(mean < -equivalence)
    return OutcomeProbabilities(first, max(0.0, 1 - first - second), second)


def check_margin(equivalence: Any) -> None:
    """Raise UnsupportedError unless the margin `equivalence` is 0 or more."""
    if not isinstance(equivalence, Real) or not float(equivalence) >= 0:
        raise UnsupportedError(
            f"equivalence must be 0 or more, a difference of no practical importance; "
            f"got {equivalence!r}"
        )


@dataclass(frozen=True)
class BayesianPair:
    """Two models, and the probabilities of what holds between them.

    `p_a`: `a` is better by more than the margin; `p_equal`: they are equal within it; `p_b`: `b`
    is better by more than the margin. `verdict` says which of them is likely enough.
    """

    a: str
    b: str
    p_a: float
    p_equal: float
    p_b: float
    verdict: str


@dataclass(frozen=True, repr=False)
class BayesianFoldTest(Result):
    """How likely each of two models is better, by the folds, for every pair of models.

    `equivalence` is the margin in units of the metric; a pair is decided where one of its three
    probabilities is at least `confidence`.

    >>> pair = BayesianPair("a", "b", 0.97, 0.02, 0.01, "a is better")
    >>> BayesianFoldTest("f1", (pair,), equivalence=0.01).verdict.split(",")[0]
    '1 of 1 pairs are decided by f1 with a probability of 95%'
    """

    schema_name: ClassVar[str] = "assay.bayesian_fold_test/1"

    metric: str
    rows: tuple[BayesianPair, ...]
    equivalence: float
    confidence: float = 0.95
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """The answer in one sentence."""
        decided = sum(row.verdict != UNDECIDED for row in self.rows)
        return (
            f"{decided} of {len(self.rows)} pairs are decided by {self.metric} with a probability "
            f"of {self.confidence:.0%}, within +-{self.equivalence:g} being equivalent."
        )


@accept_arrays
def bayesian_fold_test(
    predictions: Source,
    metric: str | Metric,
    equivalence: float,
    models: Sequence[str] | None = None,
    engine: str | Engine | None = None,
    *,
    confidence: float = 0.95,
    where: str | None = None,
) -> BayesianFoldTest:
    """How likely each of two models is better by more than a margin: `correlated_t` on their folds.

    Parameters:
        predictions: A table with a column `fold` of two folds or more; a data frame, the path of a
            file or of several, or the truth followed by what models predict, as for `evaluate`.
        metric: A metric with one value a table.
        equivalence: The difference that does not matter, in units of the metric; 0 or more.
        models: Names of models; default: those that give what the metric reads.
        engine: Text such as "processes(workers=4)" or an Engine; default "local", on threads.
        confidence: Probability from which on a pair is decided, in (0, 1).
        where: Which rows to take, as in 'split == "test"' (see `Predictions.where`); default: all
            but those of a training split.

    Returns:
        For every two models the probabilities that the first is better, that they are equal for
        practical purposes, and that the second is better.

    Raises:
        FoldsError: Fewer than two folds define the metric.

    >>> from assay.table.predictions import Predictions
    >>> y, fold = [0, 1] * 30, [i // 6 for i in range(60)]
    >>> wrong = [1 - v if i % 7 == 0 and i > 6 else v for i, v in enumerate(y)]
    >>> p = Predictions.from_arrays(y, {"a": y, "b": wrong}, fold=fold)
    >>> bayesian_fold_test(p, "accuracy", 0.01).rows[0].verdict
    'a is better'
    """
    check_share("confidence", confidence)
    table = open_table(predictions, in_memory=True, where=where, judging=True)
    text, bound = resolve(metric, table.schema)[0]
    names = list(list_names("models", models) or select_models(table, bound))
    folds, values, notes = defined_fold_values(table, metric, names, engine)
    rows = []
    for a, b in combinations(values, 2):
        difference = bound.sign * (values[a] - values[b])
        p = correlated_t(difference, folds.ratio, equivalence)
        answers = {f"{a} is better": p.first, "equivalent": p.equal, f"{b} is better": p.second}
        likely = [answer for answer, chance in answers.items() if chance >= confidence]
        rows.append(BayesianPair(a, b, *p, likely[0] if likely else UNDECIDED))
    return BayesianFoldTest(text, tuple(rows), equivalence, confidence, (*table.notes, *notes))
