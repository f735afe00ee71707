"""resampled: which algorithm is better, judged by the folds of a cross-validated table.

Folds share most of their training rows, so their figures are not independent: tests that take them to be are not
offered.  What is: the corrected resampled t, its Bayesian twin with a region of practical equivalence, and 5x2cv F.

>>> corrected_t([0.02, 0.01, 0.03, 0.02, 0.02], ratio=1 / 4).p
0.0135...
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple, NoReturn

import numpy as np

from assay.comparison.paired_tests import RawDifference
from assay.engines.base import Engine, Job
from assay.engines.local import Local
from assay.errors import SchemaError, UnsupportedError
from assay.intervals.proportions import t_quantile
from assay.kernels import Array
from assay.metrics.base import Metric
from assay.metrics.resolve import resolve
from assay.table.groups import group_rows
from assay.table.predictions import Predictions

__all__ = [
    "MeanDifference", "FTest", "Folds", "Practical", "FoldDifferences", "OutcomeProbabilities", "combined_f", "corrected_differences",
    "corrected_t", "correlated_t", "five_by_two_f_test", "fold_values", "naive_t", "bayesian_fold_test",
]  # fmt: skip

METHOD = "corrected resampled t"


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
    """Probability that the first is better by more than the region of practical equivalence (ROPE), that the two are
    equal for practical purposes, and that the second is better; they sum to 1."""

    first: float
    equal: float
    second: float


class Practical(NamedTuple):
    """Two models and the probabilities of what holds between them, given the folds."""

    a: str
    b: str
    probability: OutcomeProbabilities
    equivalence: float


class FTest(NamedTuple):
    """Statistic and p-value."""

    f: float
    p: float


class FoldDifferences(NamedTuple):
    """Mean over folds of each model's figure, the difference of every two, distinct rows, and what to say of them."""

    values: dict[str, float]
    differences: list[RawDifference]
    rows: int
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Folds:
    """Which row is held out in which fold: `fold` (n,) into `keys`, `row` (n,) the number of the row of data.

    In repeated cross-validation a row of data recurs in the table: it is known by the column `row`, else by a `cluster`
    that no fold holds twice; otherwise every row of the table is a row of data.
    """

    fold: Array
    row: Array
    keys: tuple[object, ...]

    @staticmethod
    def of(predictions: Predictions) -> "Folds":
        """The folds of a table; SchemaError where it has no `fold` column, or fewer than two folds."""
        if "fold" not in predictions.columns:
            raise SchemaError(
                "algorithms are compared by the folds of cross-validation, and the table has no 'fold' column; give "
                "one, as validate does, or compare the fitted models on these rows with compare(...)"
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
        return Folds(grouping.codes, _row_codes(predictions, grouping.codes), keys)

    @property
    def distinct(self) -> int:
        """Number of rows of data."""
        return int(self.row.max(initial=-1)) + 1

    @property
    def test(self) -> Array:
        """Rows of data held out by each fold (folds,)."""
        pairs = np.unique(self.fold * self.distinct + self.row)
        return np.bincount(pairs // self.distinct, minlength=len(self.keys))

    @property
    def repeats(self) -> float:
        """How often a row of data is held out, on average: 1 but where rows recur, as in repeated cross-validation."""
        return float(self.test.sum() / max(self.distinct, 1))

    @property
    def ratio(self) -> float:
        """n_test / n_train, mean over folds; n_train counts the rows of data that a fold does not hold out.

        Where training used fewer of them (time-ordered splits) the true ratio is larger.
        """
        train = self.distinct - self.test
        if not train.any():
            raise FoldsError(
                "every fold holds out every row, so nothing was left to train on; check the fold column"
            )
        return float(self.test.mean() / train.mean())


def _row_codes(predictions: Predictions, fold: Array) -> Array:
    for name in ("row", "cluster"):
        if name in predictions.columns:
            codes, values = predictions.group(name)
            # A group of rows kept together also makes a cluster; only a row of data is in a fold but once.
            if name == "row" or len(np.unique(fold * len(values) + codes)) == len(codes):
                return np.unique(codes, return_inverse=True)[1].reshape(-1)
    return np.arange(predictions.n)


def fold_values(
    predictions: Predictions,
    metric: str | Metric,
    models: Sequence[str] | None = None,
    engine: Engine | None = None,
) -> dict[str, Array]:
    """The figure of each model in each fold (folds,), folds in sorted order; nan where a fold does not define it.

    >>> p = Predictions.from_arrays([0, 1, 0, 1], {"a": [0, 1, 1, 1]}, fold=[0, 0, 1, 1])
    >>> fold_values(p, "accuracy")["a"].tolist()
    [1.0, 0.5]
    """
    text, on = resolve(metric, predictions.schema)[0]
    if on.granularity != "table":
        raise UnsupportedError(
            f"{text} has one figure a class; compare by one figure, as in f1(average=macro)"
        )
    grouping = group_rows(predictions, ["fold"])
    jobs = {m: Job(on.state, (m,)) for m in models or select_models(predictions, on)}
    values = (engine or Local()).fold(predictions, list(jobs.values()), grouping)

    def figure(job: Job, place: int) -> float:
        one = on.state.select(values[job], slice(place, place + 1))
        return float(on.estimate(on.state.summary(one, predictions.schema))[0])

    return {
        m: np.array([figure(job, i) for i in range(len(grouping.keys))]) for m, job in jobs.items()
    }


def select_models(predictions: Predictions, metric: Metric) -> list[str]:
    return [m for m in predictions.models if predictions.schema.offers(m, metric.reads)]


def corrected_t(
    differences: Sequence[float] | Array,
    ratio: float,
    confidence: float = 0.95,
    step: float = 0.0,
    freedom: float | None = None,
) -> MeanDifference:
    """Corrected resampled t-test of the mean of paired differences (folds,), for k-fold and repeated k-fold alike.

    t = mean / sqrt(variance * (1/J + ratio)) with J - 1 degrees of freedom, J folds, ratio = n_test / n_train: folds
    share training rows, and no number of repeats takes that away.  Differences that are all equal have no spread to go
    by: there it is that of rounding to `step`, the least by which a fold's figure can change (0: p is 0, or 1 where
    they are all 0).

    freedom: other degrees of freedom than J - 1.  Repeats reuse the same rows, so that J - 1 counts evidence that is
    not there: of ten models near chance it then finds a false winner in 16 % of 10x10-fold cross-validations.
    `corrected_differences` takes the folds of one repeat, less one, which keeps every case that
    bench/false_winners.py measures under 5 %.

    Undefined (p 1, no bounds) for fewer than two folds.
    Sources: Nadeau & Bengio (2003), Machine Learning 52:239-281; Bouckaert & Frank (2004), PAKDD, 3-12.
    """
    from scipy.special import stdtr

    found = np.asarray(differences, np.float64)
    mean, folds = float(found.mean()), len(found)
    if folds < 2:
        return MeanDifference(mean, -np.inf, np.inf, 1.0, np.inf)
    error = _spread(found, step) * np.sqrt(1 / folds + ratio)
    freedom = folds - 1 if freedom is None else freedom
    half = t_quantile((1 + confidence) / 2, freedom) * error
    p = 2 * float(stdtr(freedom, -abs(mean) / error)) if error else float(mean == 0)
    return MeanDifference(mean, float(mean - half), float(mean + half), p, float(error))


def _spread(differences: Array, step: float) -> float:
    """Standard deviation; that of rounding to `step` where the differences are equal but for the last digits."""
    spread = float(differences.std(ddof=1))
    return spread if spread > 1e-12 * np.abs(differences).max() else step / np.sqrt(12)


def naive_t(*_: object, **__: object) -> NoReturn:
    """The paired t-test that takes folds to be independent: not offered, UnsupportedError says why."""
    raise UnsupportedError(
        "the paired t-test (or Wilcoxon's) on fold scores is not offered: of two equally good models it names a winner "
        "in 8 % of 10-fold and in 58 % of 10x10-fold cross-validations at a nominal 5 %, because folds share their "
        "training rows (bench/false_winners.py); use corrected_t, or correlated_t with a ROPE"
    )


def corrected_differences(
    predictions: Predictions,
    metric: str | Metric,
    models: Sequence[str],
    confidence: float = 0.95,
    engine: Engine | None = None,
) -> FoldDifferences:
    """Every two models compared by `corrected_t` on their figures fold by fold; p-values are not yet corrected for
    the number of pairs.  Where rows of data recur, as in repeated cross-validation or in random splits, with the
    degrees of freedom of as many folds as hold each row out once, which the method names.

    A model whose figure is undefined in all folds but one at most is left out. Folds where the figure of any other is
    undefined are left out for all, and named; UnsupportedError where fewer than two are left.

    >>> y, fold = [0, 1] * 30, [i // 6 for i in range(60)]
    >>> wrong = [1 - v if i % 7 == 0 and i > 6 else v for i, v in enumerate(y)]
    >>> p = Predictions.from_arrays(y, {"a": y, "b": wrong}, fold=fold)
    >>> found = corrected_differences(p, "accuracy", ["a", "b"])
    >>> found.values["a"], round(found.differences[0].difference, 3), round(found.differences[0].p, 3)
    (1.0, 0.133, 0.003)
    """
    _, on = resolve(metric, predictions.schema)[0]
    folds, figures, notes = _drop_undefined_folds(predictions, metric, models, engine)
    span = on.bounds[1] - on.bounds[0]
    values = {m: float(f.mean()) for m, f in figures.items()}
    freedom, method = _freedom(folds, len(next(iter(figures.values()))))
    found = []
    for a, b in combinations(figures, 2):
        apart = figures[a] - figures[b]
        step = (span if np.isfinite(span) else abs(apart.mean())) / folds.test.mean()
        e = corrected_t(apart, folds.ratio, confidence, float(step), freedom)
        low, high = max(e.low, -span), min(e.high, span)
        found.append(RawDifference(a, b, e.difference, low, high, e.p, method, e.error))
    return FoldDifferences(values, found, folds.distinct, notes)


def _freedom(folds: Folds, defined: int) -> tuple[float, str]:
    """Degrees of freedom of so many folds that define the figure, and the name of the test."""
    if folds.repeats == 1:
        return defined - 1.0, METHOD
    # Beyond one repeat the same rows speak again.
    freedom = max(1.0, round(defined / folds.repeats) - 1.0)
    return freedom, f"{METHOD}, {freedom:.0f} d.f. of one repeat"


def _drop_undefined_folds(
    predictions: Predictions, metric: str | Metric, models: Sequence[str], engine: Engine | None
) -> tuple[Folds, dict[str, Array], tuple[str, ...]]:
    """The folds, the figures of those where every model's is defined, and what to say of the others."""
    folds = Folds.of(predictions)
    figures = _drop_undefined_models(fold_values(predictions, metric, models, engine))
    lost = np.isnan(np.array(list(figures.values()))).any(axis=0)
    if not lost.any():
        return folds, figures, ()
    text, on = resolve(metric, predictions.schema)[0]
    names = ", ".join(str(key) for key, out in zip(folds.keys, lost, strict=True) if out)
    kept = len(lost) - int(lost.sum())
    if kept < 2:
        raise FoldsError(
            f"{text} is undefined ({on.undefined}) in {lost.sum()} of {len(lost)} folds ({names}); comparing "
            f"algorithms needs 2 folds that define it: cross-validate with fewer, larger folds"
        )
    note = f"{lost.sum()} of {len(lost)} folds left out, where {text} is undefined ({on.undefined}): {names}"
    return folds, {m: f[~lost] for m, f in figures.items()}, (note,)


def _drop_undefined_models(figures: dict[str, Array]) -> dict[str, Array]:
    """The models with two figures or more; all of them where there is none."""
    return {m: f for m, f in figures.items() if np.isfinite(f).sum() > 1} or figures


def correlated_t(differences: Sequence[float] | Array, ratio: float, equivalence: float = 0.0) -> OutcomeProbabilities:
    """Bayesian correlated t-test: what the folds say of the mean of paired differences (folds,), first minus second.

    The posterior is Student's t with J - 1 degrees of freedom about the mean, with scale
    sqrt(variance * (1/J + ratio)); `equivalence` is the difference up to which two models are equal for practical purposes.
    Positive differences speak for the first.  Needs two folds or more.
    Same value as baycomp.CorrelatedTTest(second, first, equivalence, runs).probs(), read from right to left.
    Source: Corani & Benavoli (2015), Machine Learning 100:285-304.

    >>> [round(p, 3) for p in correlated_t([0.02, 0.01, 0.03, 0.02, 0.02], ratio=1 / 4, equivalence=0.01)]
    [0.949, 0.05, 0.002]
    """
    from scipy.special import stdtr

    found = np.asarray(differences, np.float64)
    if len(found) < 2:
        raise UnsupportedError(f"{len(found)} fold says nothing of how folds vary; give 2 or more")
    if equivalence < 0:
        raise UnsupportedError(
            f"equivalence must be 0 or more, a difference of no practical importance; got {equivalence}"
        )
    mean, scale = found.mean(), _spread(found, 0.0) * np.sqrt(1 / len(found) + ratio)
    if not scale:
        first, second = float(mean > equivalence), float(mean < -equivalence)
        return OutcomeProbabilities(0.5, 0.0, 0.5) if equivalence == mean == 0 else OutcomeProbabilities(first, 1 - first - second, second)
    first, second = (float(stdtr(len(found) - 1, z / scale)) for z in (mean - equivalence, -mean - equivalence))
    return OutcomeProbabilities(first, max(0.0, 1 - first - second), second)


def bayesian_fold_test(
    predictions: Predictions,
    metric: str | Metric,
    equivalence: float,
    models: Sequence[str] | None = None,
    engine: Engine | None = None,
) -> list[Practical]:
    """For every two models, the probabilities that the first is better by more than `equivalence` (in units of the metric),
    that they are equal for practical purposes, and that the second is better: `correlated_t` on their folds."""
    _, on = resolve(metric, predictions.schema)[0]
    names = list(models or select_models(predictions, on))
    folds, figures, _ = _drop_undefined_folds(predictions, metric, names, engine)
    sign, ratio = on.sign, folds.ratio
    pairs = combinations(figures, 2)
    return [
        Practical(a, b, correlated_t(sign * (figures[a] - figures[b]), ratio, equivalence), equivalence)
        for a, b in pairs
    ]


def combined_f(differences: Array) -> FTest:
    """Combined 5x2cv F-test on paired differences (5, 2): five repeats of two folds.

    F = sum of d^2 / (2 * sum over repeats of the variance s^2), with s^2 = (d1 - mean)^2 + (d2 - mean)^2; 10 and 5
    degrees of freedom.  p is 1 where all differences are 0.
    Source: Alpaydin (1999), Neural Computation 11:1885-1892.
    """
    from scipy.special import fdtrc

    d = np.asarray(differences, np.float64)
    if d.shape != (5, 2):
        raise UnsupportedError(
            f"the 5x2cv F-test needs 5 repeats of 2 folds, an array (5, 2); got {d.shape}"
        )
    above, below = float((d**2).sum()), 2 * float(((d - d.mean(axis=1, keepdims=True)) ** 2).sum())
    if not above:
        return FTest(0.0, 1.0)
    f = above / below if below else np.inf
    return FTest(f, float(fdtrc(10, 5, f)))


def five_by_two_f_test(
    predictions: Predictions, metric: str | Metric, a: str, b: str, engine: Engine | None = None
) -> FTest:
    """`combined_f` of two models on a table of exactly five repeats of two folds that halve the rows.

    UnsupportedError for any other layout, and where a fold does not define the figure.
    """
    repeats = _pair_folds(Folds.of(predictions))
    figures = fold_values(predictions, metric, [a, b], engine)
    apart = (figures[a] - figures[b])[np.array(repeats)]
    if np.isnan(apart).any():
        raise UnsupportedError(
            f"{metric} is undefined in some of the 10 folds; the 5x2cv F-test needs them all"
        )
    return combined_f(apart)


def _pair_folds(folds: Folds) -> list[tuple[int, int]]:
    """The folds two by two, each pair halving the rows."""
    repeats: list[tuple[int, int]] = []
    if len(folds.keys) == 10:
        held = np.zeros((10, folds.distinct), bool)
        held[folds.fold, folds.row] = True
        for i, j in combinations(range(10), 2):
            # Two repeats may split alike; a fold is in one pair all the same.
            if (held[i] != held[j]).all() and not any(
                k in pair for pair in repeats for k in (i, j)
            ):
                repeats.append((i, j))
    if len(repeats) != 5:
        raise UnsupportedError(
            f"the 5x2cv F-test needs exactly 5 repeats of 2 folds that halve the rows; this table has "
            f"{len(folds.keys)} folds of other kinds; use RepeatedKFold(n_splits=2, n_repeats=5), or the corrected t"
        )
    return repeats
