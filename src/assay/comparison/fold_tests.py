"""Fold tests: which algorithm is better, judged by the folds of a cross-validated table.

Folds share most of their training rows, so their values are not independent. Tests that take them
to be are not offered. Offered are the corrected resampled t-test, its Bayesian twin with a margin
of equivalence, and the 5x2cv F-test.

>>> corrected_t([0.02, 0.01, 0.03, 0.02, 0.02], ratio=1 / 4).p
0.0135...
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar, NamedTuple, NoReturn

import numpy as np

from assay.comparison.paired_tests import RawDifference
from assay.core.arguments import check_share
from assay.core.result import Result
from assay.core.text import format_number
from assay.engines.base import Engine, Job, resolve_engine
from assay.errors import SchemaError, UnsupportedError
from assay.intervals.proportions import t_quantile
from assay.io.source import Source, open_table
from assay.kernels import Array
from assay.metrics.base import Metric
from assay.metrics.resolve import resolve
from assay.table.groups import group_rows
from assay.table.predictions import Predictions

__all__ = [
    "METHODS", "BayesianFoldTest", "BayesianPair", "FTest", "FiveByTwoFTest", "FoldDifferences",
    "Folds", "FoldsError", "MeanDifference", "OutcomeProbabilities", "bayesian_fold_test",
    "combined_f", "corrected_differences", "corrected_t", "correlated_t", "five_by_two_f_test",
    "fold_values", "mean_defined", "naive_t", "select_models",
]  # fmt: skip

METHOD = "corrected resampled t"

# What a report says of each procedure, by the name that it gives itself (up to the first comma).
METHODS: Mapping[str, str] = {
    METHOD: (
        "corrected resampled t-test on the differences fold by fold (Nadeau and Bengio), which "
        "allows for the training rows that folds share"
    ),
}


class FoldsError(SchemaError, UnsupportedError):
    """The folds of this table cannot say which algorithm is better; the message says why."""


class MeanDifference(NamedTuple):
    """Mean difference over the folds, its interval, p-value and standard error."""

    difference: float
    low: float
    high: float
    p: float
    error: float


class OutcomeProbabilities(NamedTuple):
    """Probabilities of the three outcomes of a comparison of two models; they sum to 1.

    The first is better by more than the margin of equivalence, the two are equal for practical
    purposes, or the second is better by more than the margin.
    """

    first: float
    equal: float
    second: float


class FTest(NamedTuple):
    """Statistic and p-value."""

    f: float
    p: float


class FoldDifferences(NamedTuple):
    """Mean value of each model over the folds, and the difference of every two.

    `rows` is the number of distinct rows of data; `notes` say which folds were left out.
    """

    values: dict[str, float]
    differences: list[RawDifference]
    rows: int
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Folds:
    """Which row is held out in which fold.

    `fold` (n,) indexes `keys`; `row` (n,) is the number of the row of data. In repeated
    cross-validation a row of data recurs in the table. It is known by the column `row`, else by a
    `cluster` that no fold holds twice; otherwise every row of the table is a row of data.
    """

    fold: Array
    row: Array
    keys: tuple[object, ...]

    @classmethod
    def from_table(cls, predictions: Predictions) -> "Folds":
        """The folds of a table.

        Parameters:
            predictions: A table with a column `fold`.

        Raises:
            SchemaError: The table has no column `fold`, or fewer than two folds.
            FoldsError: A row has no fold.
        """
        if "fold" not in predictions.columns:
            raise SchemaError(
                "algorithms are compared by the folds of cross-validation, and the table has no "
                "'fold' column; give one, as validate does, or compare the fitted models on these "
                "rows with compare(...)"
            )
        grouping = group_rows(predictions, ["fold"])
        keys = tuple(key[0] for key in grouping.keys)
        if "(missing)" in keys:
            first = int(np.argmax(grouping.codes == keys.index("(missing)")))
            raise FoldsError(
                f"row {first} has no fold; expected the fold in which each row was held out"
            )
        if len(keys) < 2:
            raise SchemaError(
                f"the fold column holds {len(keys)} fold; comparing algorithms needs 2 or more"
            )
        return cls(grouping.codes, _row_numbers(predictions, grouping.codes), keys)

    @property
    def n_rows(self) -> int:
        """Number of rows of data."""
        return int(self.row.max(initial=-1)) + 1

    @property
    def test_rows(self) -> Array:
        """Number of rows of data that each fold holds out (folds,)."""
        pairs = np.unique(self.fold * self.n_rows + self.row)
        return np.bincount(pairs // self.n_rows, minlength=len(self.keys))

    @property
    def repeats(self) -> float:
        """How often a row of data is held out, on average.

        It is 1 except where rows recur, as in repeated cross-validation.
        """
        return float(self.test_rows.sum() / max(self.n_rows, 1))

    @property
    def ratio(self) -> float:
        """n_test / n_train, mean over folds; n_train counts the rows that a fold does not hold out.

        Where training used fewer rows (time-ordered splits) the true ratio is larger.
        """
        test = self.test_rows
        train = self.n_rows - test
        if not train.any():
            raise FoldsError(
                "every fold holds out every row, so nothing was left to train on; check the fold "
                "column"
            )
        return float(test.mean() / train.mean())


def _row_numbers(predictions: Predictions, fold: Array) -> Array:
    for name in ("row", "cluster"):
        if name in predictions.columns:
            codes, values = predictions.group(name)
            # A group of rows kept together also makes a cluster; only a row of data is in a fold
            # but once.
            if name == "row" or len(np.unique(fold * len(values) + codes)) == len(codes):
                return np.unique(codes, return_inverse=True)[1].reshape(-1)
    return np.arange(predictions.n)


def fold_values(
    predictions: Predictions,
    metric: str | Metric,
    models: Sequence[str] | None = None,
    engine: str | Engine | None = None,
) -> dict[str, Array]:
    """The value of each model in each fold (folds,), folds in sorted order.

    Parameters:
        predictions: A table with a column `fold`.
        metric: A metric with one value a table.
        models: Names of models; default: those that give what the metric reads.
        engine: What reads the rows; default: this machine.

    Returns:
        The values by model; nan where a fold does not define the metric.

    Raises:
        UnsupportedError: The metric has one value a class.

    >>> p = Predictions.from_arrays([0, 1, 0, 1], {"a": [0, 1, 1, 1]}, fold=[0, 0, 1, 1])
    >>> fold_values(p, "accuracy")["a"].tolist()
    [1.0, 0.5]
    """
    text, bound = resolve(metric, predictions.schema)[0]
    if bound.granularity != "table":
        raise UnsupportedError(
            f"{text} has one value a class; compare by one value, as in f1(average=macro)"
        )
    state = bound.state
    grouping = group_rows(predictions, ["fold"])
    jobs = {m: Job(state, (m,)) for m in models or select_models(predictions, bound)}
    values = (resolve_engine(engine)).fold(predictions, list(jobs.values()), grouping)

    def estimate(job: Job, place: int) -> float:
        one = state.select(values[job], slice(place, place + 1))
        return float(bound.estimate(state.summary(one, predictions.schema))[0])

    places = range(len(grouping.keys))
    return {m: np.array([estimate(job, i) for i in places]) for m, job in jobs.items()}


def mean_defined(values: Sequence[float] | Array) -> float:
    """Mean of the `values` that are defined, nan where there is none.

    >>> mean_defined([0.5, float("nan"), 0.7])
    0.6
    """
    defined = [value for value in values if not np.isnan(value)]
    return float(np.mean(defined)) if defined else float("nan")


def select_models(predictions: Predictions, metric: Metric) -> list[str]:
    """The models of `predictions` that give what `metric` reads."""
    return [m for m in predictions.models if predictions.schema.offers(m, metric.reads)]


def corrected_t(
    differences: Sequence[float] | Array,
    ratio: float,
    confidence: float = 0.95,
    step: float = 0.0,
    freedom: float | None = None,
) -> MeanDifference:
    """Corrected resampled t-test of the mean of paired differences, for (repeated) k-fold.

    t = mean / sqrt(variance * (1/J + ratio)) with J - 1 degrees of freedom and J folds. Folds share
    training rows, and no number of repeats takes that away.

    Parameters:
        differences: Difference of the two models in each fold (folds,).
        ratio: n_test / n_train.
        confidence: Level of the interval, in (0, 1).
        step: The least by which a fold's value can change. Differences that are all equal have no
            spread of their own; theirs is then that of rounding to `step`. At 0 such differences
            have p 0, or 1 where they are all 0.
        freedom: Other degrees of freedom than J - 1. Repeats reuse the same rows, so J - 1 counts
            evidence that is not there: of ten models near chance it finds a false winner in 16 %
            of 10x10-fold cross-validations. `corrected_differences` takes the folds of one repeat,
            less one, which keeps every case that bench/false_winners.py measures under 5 %.

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
    error = _spread(d, step) * np.sqrt(1 / folds + ratio)
    freedom = folds - 1 if freedom is None else freedom
    half = t_quantile((1 + confidence) / 2, freedom) * error
    p = 2 * float(stdtr(freedom, -abs(mean) / error)) if error else float(mean == 0)
    return MeanDifference(mean, float(mean - half), float(mean + half), p, float(error))


def _spread(differences: Array, step: float) -> float:
    """Standard deviation; that of rounding to `step` where the differences are equal."""
    spread = float(differences.std(ddof=1))
    # Equal differences still vary in their last digits.
    return spread if spread > 1e-12 * np.abs(differences).max() else step / np.sqrt(12)


def naive_t(*_: object, **__: object) -> NoReturn:
    """The paired t-test that takes folds for independent: not offered, and the error says why."""
    raise UnsupportedError(
        "the paired t-test (or Wilcoxon's) on fold scores is not offered: of two equally good "
        "models it names a winner in 8 % of 10-fold and in 58 % of 10x10-fold cross-validations at "
        "a nominal 5 %, because folds share their training rows (bench/false_winners.py); use "
        "corrected_t, or correlated_t with a margin of equivalence"
    )


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
        engine: What reads the rows; default: this machine.

    Raises:
        FoldsError: Fewer than two folds define the metric.

    >>> y, fold = [0, 1] * 30, [i // 6 for i in range(60)]
    >>> wrong = [1 - v if i % 7 == 0 and i > 6 else v for i, v in enumerate(y)]
    >>> p = Predictions.from_arrays(y, {"a": y, "b": wrong}, fold=fold)
    >>> result = corrected_differences(p, "accuracy", ["a", "b"])
    >>> result.values["a"], round(result.differences[0].difference, 3)
    (1.0, 0.133)
    """
    _, bound = resolve(metric, predictions.schema)[0]
    folds, values, notes = _drop_undefined_folds(predictions, metric, models, engine)
    span = bound.bounds[1] - bound.bounds[0]
    freedom, method = _freedom(folds, len(next(iter(values.values()))))
    rows_per_fold = folds.test_rows.mean()
    differences = []
    for a, b in combinations(values, 2):
        difference = values[a] - values[b]
        step = (span if np.isfinite(span) else abs(difference.mean())) / rows_per_fold
        mean = corrected_t(difference, folds.ratio, confidence, float(step), freedom)
        low = max(mean.low, -span)
        high = min(mean.high, span)
        differences.append(
            RawDifference(a, b, mean.difference, low, high, mean.p, method, mean.error)
        )
    means = {m: float(v.mean()) for m, v in values.items()}
    return FoldDifferences(means, differences, folds.n_rows, notes)


def _freedom(folds: Folds, defined: int) -> tuple[float, str]:
    """Degrees of freedom of so many folds that define the value, and the name of the test."""
    if folds.repeats == 1:
        return defined - 1.0, METHOD
    # Further repeats hold out the same rows, and bring no new evidence.
    freedom = max(1.0, round(defined / folds.repeats) - 1.0)
    return freedom, f"{METHOD}, {freedom:.0f} d.f. of one repeat"


def _drop_undefined_folds(
    predictions: Predictions, metric: str | Metric, models: Sequence[str], engine: Engine | None
) -> tuple[Folds, dict[str, Array], tuple[str, ...]]:
    """The folds, the values of those where every model's is defined, and a note on the others."""
    folds = Folds.from_table(predictions)
    values = _drop_undefined_models(fold_values(predictions, metric, models, engine))
    lost = np.isnan(np.array(list(values.values()))).any(axis=0)
    if not lost.any():
        return folds, values, ()
    text, bound = resolve(metric, predictions.schema)[0]
    names = ", ".join(str(key) for key, out in zip(folds.keys, lost, strict=True) if out)
    counted = f"{lost.sum()} of {len(lost)} folds"
    if len(lost) - int(lost.sum()) < 2:
        raise FoldsError(
            f"{text} is undefined ({bound.undefined}) in {counted} ({names}); comparing algorithms "
            f"needs 2 folds that define it: cross-validate with fewer, larger folds"
        )
    note = f"{counted} left out, where {text} is undefined ({bound.undefined}): {names}"
    return folds, {m: v[~lost] for m, v in values.items()}, (note,)


def _drop_undefined_models(values: dict[str, Array]) -> dict[str, Array]:
    """The models with two values or more; all of them where there is none."""
    return {m: v for m, v in values.items() if np.isfinite(v).sum() > 1} or values


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
    scale = _spread(d, 0.0) * np.sqrt(1 / len(d) + ratio)
    if not scale and equivalence == mean == 0:
        return OutcomeProbabilities(0.5, 0.0, 0.5)
    if scale:
        first = float(stdtr(len(d) - 1, (mean - equivalence) / scale))
        second = float(stdtr(len(d) - 1, (-mean - equivalence) / scale))
    else:
        first = float(mean > equivalence)
        second = float(mean < -equivalence)
    return OutcomeProbabilities(first, max(0.0, 1 - first - second), second)


def check_margin(equivalence: float) -> None:
    """Raise UnsupportedError unless the margin `equivalence` is 0 or more."""
    if not equivalence >= 0:
        raise UnsupportedError(
            f"equivalence must be 0 or more, a difference of no practical importance; "
            f"got {equivalence}"
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


UNDECIDED = "undecided"


def bayesian_fold_test(
    predictions: Source,
    metric: str | Metric,
    equivalence: float,
    models: Sequence[str] | None = None,
    engine: str | Engine | None = None,
    *,
    confidence: float = 0.95,
) -> BayesianFoldTest:
    """How likely each of two models is better by more than a margin: `correlated_t` on their folds.

    Parameters:
        predictions: A table with a column `fold` of two folds or more.
        metric: A metric with one value a table.
        equivalence: The difference that does not matter, in units of the metric; 0 or more.
        models: Names of models; default: those that give what the metric reads.
        engine: What reads the rows; default: this machine.
        confidence: Probability from which on a pair is decided, in (0, 1).

    Returns:
        For every two models the probabilities that the first is better, that they are equal for
        practical purposes, and that the second is better.

    Raises:
        FoldsError: Fewer than two folds define the metric.

    >>> y, fold = [0, 1] * 30, [i // 6 for i in range(60)]
    >>> wrong = [1 - v if i % 7 == 0 and i > 6 else v for i, v in enumerate(y)]
    >>> p = Predictions.from_arrays(y, {"a": y, "b": wrong}, fold=fold)
    >>> bayesian_fold_test(p, "accuracy", 0.01).rows[0].verdict
    'a is better'
    """
    check_share("confidence", confidence)
    table = open_table(predictions, in_memory=True)
    text, bound = resolve(metric, table.schema)[0]
    names = list(models or select_models(table, bound))
    folds, values, notes = _drop_undefined_folds(table, metric, names, engine)
    rows = []
    for a, b in combinations(values, 2):
        difference = bound.sign * (values[a] - values[b])
        p = correlated_t(difference, folds.ratio, equivalence)
        answers = {f"{a} is better": p.first, "equivalent": p.equal, f"{b} is better": p.second}
        likely = [answer for answer, chance in answers.items() if chance >= confidence]
        rows.append(BayesianPair(a, b, *p, likely[0] if likely else UNDECIDED))
    return BayesianFoldTest(text, tuple(rows), equivalence, confidence, notes)


def combined_f(differences: Array) -> FTest:
    """Combined 5x2cv F-test on paired differences of five repeats of two folds.

    F = sum of d^2 / (2 * sum over repeats of the variance s^2), where s^2 is
    (d1 - mean)^2 + (d2 - mean)^2, with 10 and 5 degrees of freedom. p is 1 where all differences
    are 0.

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
    f = numerator / denominator if denominator else np.inf
    return FTest(f, float(fdtrc(10, 5, f)))


@dataclass(frozen=True, repr=False)
class FiveByTwoFTest(Result):
    """Whether two algorithms differ, by the combined F-test on five repeats of two folds.

    `difference` is the mean of `a` minus `b` over the ten folds; `f` and `p` are the statistic and
    its p-value.
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


def five_by_two_f_test(
    predictions: Source,
    metric: str | Metric,
    a: str,
    b: str,
    engine: str | Engine | None = None,
    *,
    confidence: float = 0.95,
) -> FiveByTwoFTest:
    """`combined_f` of two models on a table of exactly five repeats of two folds.

    Parameters:
        predictions: A table with a column `fold` of ten folds that halve the rows two by two.
        metric: A metric with one value a table, defined in every fold.
        a: Name of the first model.
        b: Name of the second model.
        engine: What reads the rows; default: this machine.
        confidence: The models are said to differ where p is below 1 - `confidence`, in (0, 1).

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
    table = open_table(predictions, in_memory=True)
    text, _ = resolve(metric, table.schema)[0]
    repeats = _pair_folds(Folds.from_table(table))
    values = fold_values(table, metric, [a, b], engine)
    difference = (values[a] - values[b])[np.array(repeats)]
    if np.isnan(difference).any():
        raise UnsupportedError(
            f"{text} is undefined in some of the 10 folds; the 5x2cv F-test needs them all"
        )
    test = combined_f(difference)
    return FiveByTwoFTest(text, a, b, float(difference.mean()), test.f, test.p, confidence)


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
