"""Fold tests: which algorithm is better, judged by the folds of a cross-validated table.

Folds share most of their training rows, so their values are not independent. Tests that take them
to be are not offered. Offered are the corrected resampled t-test and the 5x2cv F-test.

>>> corrected_t([0.02, 0.01, 0.03, 0.02, 0.02], ratio=1 / 4).p
0.0135...
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar, NamedTuple, NoReturn

import numpy as np

from assay.comparison.equal_differences import are_equal, sign_reach, sign_test
from assay.comparison.fold_values import Folds, defined_fold_values, estimate_spread, fold_values
from assay.comparison.paired_tests import RawDifference
from assay.core.arguments import check_share
from assay.core.result import Result
from assay.core.text import format_number
from assay.engines.base import Engine
from assay.errors import UnsupportedError
from assay.intervals.proportions import t_quantile
from assay.io.arrays import accept_arrays
from assay.io.source import Source, open_table
from assay.kernels import Array
from assay.metrics.base import Metric
from assay.metrics.resolve import resolve
from assay.table.predictions import Predictions

__all__ = [
    "METHODS", "FTest", "FiveByTwoFTest", "FoldDifferences", "MeanDifference", "combined_f",
    "corrected_differences", "corrected_t", "five_by_two_f_test", "naive_t",
]  # fmt: skip

METHOD = "corrected resampled t"

# What a report says of each procedure, by the name that it gives itself (up to the first comma).
METHODS: Mapping[str, str] = {
    METHOD: (
        "corrected resampled t-test on the differences fold by fold (Nadeau and Bengio), which "
        "allows for the training rows that folds share"
    ),
}


class MeanDifference(NamedTuple):
    """Mean difference over the folds, its interval, p-value and standard error."""

    difference: float
    low: float
    high: float
    p: float
    error: float


class FoldDifferences(NamedTuple):
    """Mean value of each model over the folds, and the difference of every two.

    `rows` is the number of distinct rows of data; `notes` say which folds were left out.
    """

    values: dict[str, float]
    differences: list[RawDifference]
    rows: int
    notes: tuple[str, ...]


def corrected_t(
    differences: Sequence[float] | Array,
    ratio: float,
    confidence: float = 0.95,
    step: float = 0.0,
    freedom: float | None = None,
    units: float | None = None,
) -> MeanDifference:
    """Corrected resampled t-test of the mean of paired differences, for (repeated) k-fold.

    t = mean / sqrt(variance * (1/J + ratio)) with J - 1 degrees of freedom and J folds. Folds share
    training rows, and no number of repeats takes that away.

    Parameters:
        differences: Difference of the two models in each fold (folds,).
        ratio: n_test / n_train.
        confidence: Level of the interval, in (0, 1).
        step: The least by which a fold's value can change. Differences that are all equal have no
            spread of their own, nor have those that differ by rounding; theirs is then that of
            rounding to `step`.
        freedom: Other degrees of freedom than J - 1. Repeats reuse the same rows, so J - 1 counts
            evidence that is not there: of ten models near chance it finds a false winner in 16 %
            of 10x10-fold cross-validations. `corrected_differences` takes the folds of one repeat,
            less one, which keeps every case that bench/false_winners.py measures under 5 %.
        units: Rows behind differences that are all equal, whose p is not below that of a sign test
            on so many; default: the folds where `step` is 0, else no limit.

    Returns:
        The mean difference; p is 1 and the bounds are infinite for fewer than two folds.

    Sources: Nadeau & Bengio (2003), Machine Learning 52:239-281; Bouckaert & Frank (2004), PAKDD,
    3-12.
    """
    from scipy.special import stdtr

    d = np.asarray(differences, np.float64)
    folds = len(d)
    mean = float(d.mean())
    if folds < 2:
        return MeanDifference(mean, -np.inf, np.inf, 1.0, np.inf)
    error = estimate_spread(d, step) * np.sqrt(1 / folds + ratio)
    freedom = folds - 1 if freedom is None else freedom
    half = t_quantile((1 + confidence) / 2, freedom) * error
    p = 2 * float(stdtr(freedom, -abs(mean) / error)) if error else float(mean == 0)
    if are_equal(d):
        least = folds if units is None and not step else units or np.inf
        p = max(p, sign_test(mean, least))
        half = max(half, sign_reach(mean, least, confidence))
    return MeanDifference(mean, float(mean - half), float(mean + half), p, float(error))


def naive_t(*_: object, **__: object) -> NoReturn:
    """The paired t-test that takes folds for independent: not offered, and the error says why."""
    raise UnsupportedError(
        "the paired t-test (or Wilcoxon's) on fold scores is not offered: of two equally good "
        "models it names a winner in 8 % of 10-fold and in 58 % of 10x10-fold cross-validations at "
        "a nominal 5 %, because folds share their training rows (bench/false_winners.py); use "
        "corrected_t, or correlated_t with a margin of equivalence"
    )


@dataclass(frozen=True)
class FoldValues:
    """The values of every model fold by fold, from which differences are judged at any level.

    `means` holds the mean of each model. Folds where the value of a model is undefined are left
    out for all, and `notes` name them; a model whose value is undefined in all folds but one at
    most is left out.
    """

    means: dict[str, float]
    by_fold: Mapping[str, Array]
    folds: Folds
    span: float
    notes: tuple[str, ...]

    @classmethod
    def read(
        cls,
        predictions: Predictions,
        metric: str | Metric,
        models: Sequence[str],
        engine: str | Engine | None = None,
    ) -> "FoldValues":
        """The rows of a table with a column `fold`, read once.

        Parameters:
            predictions: A table with a column `fold`.
            metric: A metric with one value a table.
            models: Names of the models to compare.
            engine: Text such as "processes(workers=4)" or an Engine; default "local", on threads.

        Raises:
            FoldsError: Fewer than two folds define the metric.
        """
        _, bound = resolve(metric, predictions.schema)[0]
        folds, values, notes = defined_fold_values(predictions, metric, models, engine)
        span = bound.bounds[1] - bound.bounds[0]
        return cls({m: float(v.mean()) for m, v in values.items()}, values, folds, span, notes)

    def judge(self, confidence: float) -> list[RawDifference]:
        """The difference of every two models, its interval at the level `confidence`."""
        freedom, method = _freedom(self.folds, len(next(iter(self.by_fold.values()))))
        rows_per_fold = self.folds.test_rows.mean()
        differences = []
        for a, b in combinations(self.by_fold, 2):
            one = self.by_fold[a]
            other = self.by_fold[b]
            difference = one - other
            if are_equal(difference, max(np.abs(one).max(), np.abs(other).max())):
                difference = np.full_like(difference, difference.mean())
            size = self.span if np.isfinite(self.span) else abs(difference.mean())
            step = float(size / rows_per_fold)
            mean = corrected_t(
                difference, self.folds.ratio, confidence, step, freedom, self.folds.n_rows
            )
            low = max(mean.low, -self.span)
            high = min(mean.high, self.span)
            differences.append(
                RawDifference(a, b, mean.difference, low, high, mean.p, method, mean.error)
            )
        return differences


def corrected_differences(
    predictions: Predictions,
    metric: str | Metric,
    models: Sequence[str],
    confidence: float = 0.95,
    engine: str | Engine | None = None,
) -> FoldDifferences:
    """Every two models compared by `corrected_t` on their values fold by fold.

    p-values are not yet corrected for the number of pairs. Where rows of data recur, as in repeated
    cross-validation or in random splits, the degrees of freedom are those of as many folds as hold
    each row out once, and the name of the method says so.

    A model whose value is undefined in all folds but one at most is left out. Folds where the value
    of any other model is undefined are left out for all, and a note names them.

    Parameters:
        predictions: A table with a column `fold`.
        metric: A metric with one value a table.
        models: Names of the models to compare.
        confidence: Level of the intervals, in (0, 1).
        engine: Text such as "processes(workers=4)" or an Engine; default "local", on threads.

    Raises:
        FoldsError: Fewer than two folds define the metric.

    >>> y, fold = [0, 1] * 30, [i // 6 for i in range(60)]
    >>> wrong = [1 - v if i % 7 == 0 and i > 6 else v for i, v in enumerate(y)]
    >>> p = Predictions.from_arrays(y, {"a": y, "b": wrong}, fold=fold)
    >>> result = corrected_differences(p, "accuracy", ["a", "b"])
    >>> result.values["a"], round(result.differences[0].difference, 3)
    (1.0, 0.133)
    """
    read = FoldValues.read(predictions, metric, models, engine)
    return FoldDifferences(read.means, read.judge(confidence), read.folds.n_rows, read.notes)


def _freedom(folds: Folds, defined: int) -> tuple[float, str]:
    """Degrees of freedom of so many folds that define the value, and the name of the test."""
    if folds.repeats == 1:
        return defined - 1.0, METHOD
    # Further repeats hold out the same rows, and bring no new evidence.
    freedom = max(1.0, round(defined / folds.repeats) - 1.0)
    return freedom, f"{METHOD}, {freedom:.0f} d.f. of one repeat"


class FTest(NamedTuple):
    """Statistic and p-value."""

    f: float
    p: float


def combined_f(differences: Array) -> FTest:
    """Combined 5x2cv F-test on paired differences of five repeats of two folds.

    F = sum of d^2 / (2 * sum over repeats of the variance s^2), where s^2 is
    (d1 - mean)^2 + (d2 - mean)^2, with 10 and 5 degrees of freedom. p is 1 where all differences
    are 0, and that of a sign test on ten where they are all equal.

    Parameters:
        differences: First model minus second (5, 2): a repeat a row, a fold a column.

    Source: Alpaydin (1999), Neural Computation 11:1885-1892.
    """
    from scipy.special import fdtrc

    d = np.asarray(differences, np.float64)
    if d.shape != (5, 2):
        raise UnsupportedError(
            f"the 5x2cv F-test needs 5 repeats of 2 folds, an array (5, 2); got {d.shape}"
        )
    numerator = float((d**2).sum())
    denominator = 2 * float(((d - d.mean(axis=1, keepdims=True)) ** 2).sum())
    if not numerator:
        return FTest(0.0, 1.0)
    if are_equal(d):
        return FTest(np.inf, sign_test(1.0, d.size))
    f = numerator / denominator if denominator else np.inf
    return FTest(f, float(fdtrc(10, 5, f)))


@dataclass(frozen=True, repr=False)
class FiveByTwoFTest(Result):
    """Whether two algorithms differ, by the combined F-test on five repeats of two folds.

    `difference` is the mean of `a` minus `b` over the ten folds; `f` and `p` are the statistic and
    its p-value.

    >>> FiveByTwoFTest("f1", "a", "b", difference=0.02, f=1.5, p=0.34).verdict
    'a and b do not differ significantly in f1: F(10, 5) = 1.5000, p = 0.34.'
    """

    schema_name: ClassVar[str] = "assay.five_by_two_f_test/1"

    metric: str
    a: str
    b: str
    difference: float
    f: float
    p: float
    confidence: float = 0.95
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> tuple[Mapping[str, object], ...]:
        """The two models, their difference, statistic and p-value: one row."""
        names = ("metric", "a", "b", "difference", "f", "p")
        return ({name: getattr(self, name) for name in names},)

    @property
    def verdict(self) -> str:
        """The answer in one sentence."""
        differ = (
            "differ significantly"
            if self.p < 1 - self.confidence
            else "do not differ significantly"
        )
        statistic = f"F(10, 5) = {format_number(self.f)}, p = {self.p:.2g}"
        return f"{self.a} and {self.b} {differ} in {self.metric}: {statistic}."


@accept_arrays
def five_by_two_f_test(
    predictions: Source,
    metric: str | Metric,
    a: str,
    b: str,
    engine: str | Engine | None = None,
    *,
    confidence: float = 0.95,
    where: str | None = None,
) -> FiveByTwoFTest:
    """`combined_f` of two models on a table of exactly five repeats of two folds.

    Parameters:
        predictions: A table with a column `fold` of ten folds that halve the rows two by two; a
            data frame, the path of a file or of several, or the truth followed by what models
            predict, as for `evaluate`.
        metric: A metric with one value a table, defined in every fold.
        a: Name of the first model.
        b: Name of the second model.
        engine: Text such as "processes(workers=4)" or an Engine; default "local", on threads.
        confidence: The models are said to differ where p is below 1 - `confidence`, in (0, 1).
        where: Which rows to take, as in 'split == "test"' (see `Predictions.where`); default: all
            but those of a training split.

    Raises:
        UnsupportedError: The folds are others, or one of them does not define the metric.

    >>> rng = np.random.default_rng(0)
    >>> halves = [rng.permutation(np.arange(40) % 2) + 2 * i for i in range(5)]
    >>> y, row = np.tile(np.arange(40) % 4 > 1, 5), np.tile(np.arange(40), 5)
    >>> models = {"a": y, "b": np.where(row < 10, ~y, y)}
    >>> p = Predictions.from_arrays(y, models, fold=np.concatenate(halves), groups={"row": row})
    >>> five_by_two_f_test(p, "accuracy", "a", "b").p < 0.05
    True
    """
    check_share("confidence", confidence)
    table = open_table(predictions, in_memory=True, where=where, judging=True)
    text, _ = resolve(metric, table.schema)[0]
    repeats = _pair_folds(Folds.from_table(table))
    values = fold_values(table, metric, [a, b], engine)
    difference = (values[a] - values[b])[np.array(repeats)]
    if np.isnan(difference).any():
        raise UnsupportedError(
            f"{text} is undefined in some of the 10 folds; the 5x2cv F-test needs them all"
        )
    test = combined_f(difference)
    return FiveByTwoFTest(
        text, a, b, float(difference.mean()), test.f, test.p, confidence, table.notes
    )


def _pair_folds(folds: Folds) -> list[tuple[int, int]]:
    """The folds two by two, each pair halving the rows."""
    repeats: list[tuple[int, int]] = []
    if len(folds.keys) == 10:
        held_out = np.zeros((10, folds.n_rows), bool)
        held_out[folds.fold, folds.row] = True
        for i, j in combinations(range(10), 2):
            # Two repeats may split alike; a fold is in one pair all the same.
            is_free = not any(k in pair for pair in repeats for k in (i, j))
            if is_free and (held_out[i] != held_out[j]).all():
                repeats.append((i, j))
    if len(repeats) != 5:
        raise UnsupportedError(
            f"the 5x2cv F-test needs exactly 5 repeats of 2 folds that halve the rows; this table "
            f"has {len(folds.keys)} folds of other kinds; use "
            f"RepeatedKFold(n_splits=2, n_repeats=5), or the corrected t"
        )
    return repeats
