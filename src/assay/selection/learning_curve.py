"""learning_curve: how a metric grows with the training rows, and from where more no longer pay.

>>> PowerLaw.fit([10, 20, 40, 80], [0.3, 0.25, 0.225, 0.2125])
PowerLaw(limit=0.2, scale=1.0, exponent=1.0, r2=1.0)
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from assay.adapters.arguments import name_models
from assay.comparison.fold_tests import corrected_t
from assay.comparison.fold_values import fold_values
from assay.core.arguments import check_share
from assay.core.result import Result
from assay.core.text import TextTable, format_about, format_number
from assay.errors import UnsupportedError
from assay.kernels import Array
from assay.metrics.base import Metric
from assay.metrics.resolve import DEFAULT, resolve
from assay.selection.experiment import Experiment
from assay.selection.splits import Split, stratified_order
from assay.selection.store import FoldOutput
from assay.selection.training_data import TrainingData

__all__ = ["LearningCurve", "LearningRow", "Outlook", "PowerLaw", "learning_curve"]

FAR = 10  # how many times the largest measured size a fitted curve is trusted to reach


@dataclass(frozen=True)
class PowerLaw:
    """value(n) = limit + scale * n ** -exponent, fitted by least squares.

    `r2` is the share of variance explained.

    Source: Cortes et al. (1993), NIPS 6:327-334; Viering & Loog (2022), IEEE TPAMI 45:7799-7819.
    """

    limit: float
    scale: float
    exponent: float
    r2: float

    @staticmethod
    def fit(sizes: Sequence[float] | Array, values: Sequence[float] | Array) -> "PowerLaw | None":
        """The best curve with an exponent in [0.05, 3] through `values` at `sizes` (m,).

        None for fewer than 4 sizes, or values that are undefined or all equal.
        """
        from scipy.optimize import minimize_scalar

        n = np.asarray(sizes, np.float64)
        v = np.asarray(values, np.float64)
        spread = float(((v - v.mean()) ** 2).sum()) if len(v) else 0.0
        if len(n) < 4 or spread <= 1e-24 * max(float((v**2).sum()), 1e-300) or np.isnan(v).any():
            return None

        def squared_error(exponent: float) -> float:
            return float(((_fit_linear(n, v, exponent)[2] - v) ** 2).sum())

        # The sum of squares may have several minima: search each stretch of a grid.
        minima = [
            minimize_scalar(squared_error, bounds=bounds, method="bounded", options={"xatol": 1e-9})
            for bounds in pairwise(np.geomspace(0.05, 3, 25))
        ]
        exponent = float(min(minima, key=lambda one: one.fun).x)
        limit, scale, _ = _fit_linear(n, v, exponent)
        r2 = 1 - squared_error(exponent) / spread
        return PowerLaw(*(float(f"{x:.6g}") for x in (limit, scale, exponent, r2)))

    def predict(self, n: float) -> float:
        """The value expected from `n` rows."""
        return float(self.limit + self.scale * n**-self.exponent)

    def rows_needed(self, worth: float) -> float:
        """The rows beyond which doubling them changes the value by less than `worth`."""
        change = abs(self.scale) * (1 - 2**-self.exponent)
        return float((change / worth) ** (1 / self.exponent))


def _fit_linear(n: Array, v: Array, exponent: float) -> tuple[float, float, Array]:
    """Limit, scale and fitted values for a given exponent."""
    x = n**-exponent
    scale = float(((x - x.mean()) * (v - v.mean())).sum() / ((x - x.mean()) ** 2).sum())
    limit = float(v.mean() - scale * x.mean())
    return limit, scale, limit + scale * x


@dataclass(frozen=True)
class LearningRow:
    """One model at one training size: its value with interval, and its gain over the size before.

    The gain is paired over the folds; above 0 is better, nan at the first size. `train` is the
    value on the rows that the model was fitted on: far better than `value` where it overfits, as
    bad where it underfits.
    """

    model: str
    size: int
    value: float
    low: float
    high: float
    gain: float
    gain_low: float
    gain_high: float
    train: float = math.nan
    train_low: float = math.nan
    train_high: float = math.nan


@dataclass(frozen=True)
class Outlook:
    """What more training rows promise one model.

    `status` is "enough" (more no longer pay from `rows` on), "pays" (up to about `rows`; nan where
    that is further than the curve can be trusted), or "unknown" (`why` says the reason).
    """

    model: str
    status: str
    rows: float
    curve: PowerLaw | None
    why: str = ""

    def describe(self, largest: int) -> str:
        """The answer in one sentence; `largest` is the largest training size measured."""
        if self.status == "enough":
            return f"{self.model}: more rows stopped paying at about {format_about(self.rows)}."
        if self.status == "pays":
            end = f"about {format_about(self.rows)} (extrapolated)"
            if math.isnan(self.rows):
                end = f"more than {FAR} times the {largest} rows measured"
            return f"{self.model}: more rows still pay, up to {end}."
        return f"{self.model}: unknown whether more rows pay; {self.why}."


@dataclass(frozen=True, repr=False)
class LearningCurve(Result):
    """The value of each model at each training size, and where more rows stop paying for each.

    `worth` is, by model, the least change by doubling the rows that pays, in units of the metric.

    >>> outlook = Outlook("nb", "enough", 140.0, None)
    >>> outlook.describe(largest=500)
    'nb: more rows stopped paying at about 140.'
    """

    schema_name: ClassVar[str] = "assay.learning_curve/1"
    json_keys: ClassVar[tuple[str, ...]] = ("metric", "worth", "confidence", "outlook", "rows")

    metric: str
    rows: tuple[LearningRow, ...]
    outlook: tuple[Outlook, ...]
    worth: dict[str, float]
    confidence: float = 0.95
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """The outlook of each model, a line each."""
        return "\n".join(self.verdict_lines)

    @property
    def verdict_lines(self) -> list[str]:
        largest = max(row.size for row in self.rows)
        return [outlook.describe(largest) for outlook in self.outlook]

    @property
    def tables(self) -> list[TextTable]:
        """The score of each model at each size, held out and in training, and what it gained."""
        body = [
            [
                r.model,
                str(r.size),
                f"{format_number(r.value)} [{format_number(r.low)}, {format_number(r.high)}]",
                format_number(r.train),
                ""
                if math.isnan(r.gain)
                else f"{r.gain:+.4f} [{r.gain_low:+.4f}, {r.gain_high:+.4f}]",
            ]
            for r in self.rows
        ]
        header = [
            "model",
            "rows",
            f"{self.metric} ({self.confidence:.0%} interval)",
            "in training",
            "gain over the size before",
        ]
        return [TextTable(header, body)]


def learning_curve(  # noqa: PLR0913
    models: Mapping[str, Any] | Any,
    X: Any,
    y: Any,
    *,
    metric: str | Metric | None = None,
    sizes: Sequence[int] | None = None,
    worth: float | None = None,
    cv: Any = 5,
    groups: Any = None,
    confidence: float = 0.95,
    n_jobs: int | None = -1,
    progress: bool | None = None,
    seed: int = 0,
    **options: Any,
) -> LearningCurve:
    """Train on more and more rows of each fold's training side, and score on its held-out rows.

    Each model is scored on the rows that it was fitted on as well: the distance of the two lines
    tells over- from underfitting. A smaller size is part of a larger one, classes in proportion, so
    gains are paired. Intervals are those of the corrected resampled t over the folds, with n_test /
    n_train of the whole training side. An inverse power law is fitted to each model's means; more
    rows stop paying where doubling them is expected to improve the value by less than `worth`. That
    point is unknown where the fit is poor (R2 below 0.9, an exponent at the edge of [0.05, 3], a
    value that gets worse, fewer than 4 sizes), and where the last rows measured contradict the
    curve: they gave more than `worth` where it says that more rows stopped paying, or less where it
    says that they still pay.

    Parameters:
        models: Name to estimator, or one estimator.
        X: Inputs, one a row.
        y: Truth (n,).
        metric: What is measured; default: f1, or mse in regression.
        sizes: Numbers of training rows; default: six, doubling, up to the smallest training side.
        worth: The least improvement by doubling the rows that pays, in units of the metric;
            default: 1 % of the value at the largest size.
        cv: Folds, as in `cross_validate`; default 5.
        groups: Group of each row (n,); groups are held out as a whole.
        confidence: Level of the intervals, in (0, 1); default 0.95.
        n_jobs: Fits at a time; -1, the default: one a core.
        progress: Whether to show a bar on standard error; default: on a terminal.
        seed: Of the splits and of the order of the training rows; default 0.
        options: Further options of `cross_validate`: weight, inner, store, task, positive, ...

    Raises:
        FitError: An estimator fails.
        UnsupportedError: A size does not define the metric in two folds.

    Source: Viering & Loog (2022), IEEE TPAMI 45:7799-7819.

    >>> from sklearn.datasets import load_iris
    >>> from sklearn.naive_bayes import GaussianNB
    >>> curve = learning_curve(GaussianNB(), *load_iris(return_X_y=True), sizes=[12, 60, 120])
    >>> [row.size for row in curve.rows]
    [12, 60, 120]
    """
    check_share("confidence", confidence)
    is_one = hasattr(models, "fit")
    named = {type(models).__name__: models} if is_one else name_models(models)
    data, options = TrainingData.from_options(X, y, {"groups": groups, **options})
    options |= {"seed": seed}
    whole = Experiment.plan(named, data, cv=cv, **options)
    sizes = _sizes(sizes, min(len(train) for train, _ in whole.splits))
    splits = _nest_splits(whole, sizes, seed)
    experiment = replace(Experiment.plan(named, data, cv=splits, **options), train_scores=True)
    results = list(experiment.run(experiment.pairs, n_jobs=n_jobs, progress=progress))
    outputs = {(r.model, r.fold): r for r in results if isinstance(r, FoldOutput)}
    # Split f * len(sizes) + i is fold f at the i-th size.
    tables = [
        experiment.table(outputs, list(named), [f * len(sizes) + i for f in whole.folds])
        for i in range(len(sizes))
    ]
    text, bound = resolve(metric or DEFAULT[tables[0].task], tables[0].schema)[0]
    held_out, training = (
        [fold_values(table.where(split=side), text, list(named)) for table in tables]
        for side in ("test", "train")
    )
    ratio = float(np.mean([len(test) / len(train) for train, test in whole.splits]))
    rows: list[LearningRow] = []
    outlook = []
    least = {}
    for name in named:
        by_size = np.array([by_model[name] for by_model in held_out])
        own_rows = _rows(name, sizes, by_size, bound, ratio, confidence)
        own_rows = [
            _add_training(row, by_model[name], bound, ratio, confidence)
            for row, by_model in zip(own_rows, training, strict=True)
        ]
        least[name] = worth if worth is not None else 0.01 * abs(own_rows[-1].value)
        outlook.append(_outlook(own_rows, bound.sign, least[name]))
        rows += own_rows
    return LearningCurve(text, tuple(rows), tuple(outlook), least, confidence)


def _nest_splits(experiment: Experiment, sizes: Sequence[int], seed: int) -> list[Split]:
    """The splits of each fold at each size, fold by fold; a smaller size is part of a larger."""
    data = experiment.data
    splits = []
    for fold, (train, test) in enumerate(experiment.splits):
        part = data.take(train)
        order = stratified_order(part.y, part.groups, data.task, seed + fold)
        splits += [(np.sort(train[order[:size]]), test) for size in sizes]
    return splits


def _sizes(sizes: Sequence[int] | None, largest: int) -> Sequence[int]:
    if sizes is None:
        return sorted({math.ceil(largest / 2**back) for back in range(6)})
    numbers = sorted({int(size) for size in sizes})
    if not numbers or numbers[0] < 1 or numbers[-1] > largest:
        raise UnsupportedError(
            f"sizes must be numbers of training rows from 1 to {largest}, the smallest training "
            f"side; got {list(sizes)}"
        )
    return numbers


def _rows(
    name: str,
    sizes: Sequence[int],
    values: Array,
    metric: Metric,
    ratio: float,
    confidence: float,
) -> list[LearningRow]:
    """The rows of one model from its `values` (sizes, folds), intervals within the range."""
    rows = []
    for i, size in enumerate(sizes):
        defined = values[i][~np.isnan(values[i])]
        if len(defined) < 2:
            raise UnsupportedError(
                f"the metric of {name} is undefined in all folds but {len(defined)} at {size} "
                f"training rows; leave out that size"
            )
        step = float(np.abs(defined).max()) / max(ratio * size, 1.0)  # that of a row of one fold
        mean = corrected_t(defined, ratio, confidence, step)
        gain = (math.nan,) * 3
        if i:
            difference = metric.sign * (values[i] - values[i - 1])
            gain = corrected_t(difference[~np.isnan(difference)], ratio, confidence, step)[:3]
        low, high = np.clip([mean.low, mean.high], *metric.bounds).tolist()
        rows.append(LearningRow(name, size, mean.difference, low, high, *gain))
    return rows


def _add_training(
    row: LearningRow, values: Array, metric: Metric, ratio: float, confidence: float
) -> LearningRow:
    """The `row` of a model with its `values` (folds,) on the rows that it was fitted on."""
    defined = values[~np.isnan(values)]
    if len(defined) < 2:
        return row
    mean = corrected_t(defined, ratio, confidence, float(np.abs(defined).max()) / row.size)
    low, high = np.clip([mean.low, mean.high], *metric.bounds).tolist()
    return replace(row, train=mean.difference, train_low=low, train_high=high)


def _outlook(rows: Sequence[LearningRow], sign: int, worth: float) -> Outlook:
    """Where more rows stop paying for one model, by the fitted curve."""
    last = rows[-1]
    name = last.model
    curve = PowerLaw.fit([row.size for row in rows], [row.value for row in rows])
    if curve is None:
        return Outlook(name, "unknown", math.nan, curve, "the values follow no power law")
    if curve.r2 < 0.9 or sign * curve.scale > 0 or not 0.051 < curve.exponent < 2.99 or worth <= 0:
        fit = f"a power law fits poorly (R2 {curve.r2:.2f}, exponent {curve.exponent:.2g})"
        return Outlook(name, "unknown", math.nan, curve, fit)
    needed = curve.rows_needed(worth)
    worth_of_step = worth * math.log2(last.size / rows[-2].size)
    # A noisy curve goes on rising where the values have levelled off, or levels off before they do.
    if needed > last.size and last.gain < worth_of_step:
        why = f"the last rows added gave {last.gain:+.3g}, less than the fitted curve"
        return Outlook(name, "unknown", math.nan, curve, why)
    if needed > last.size:
        return Outlook(name, "pays", needed if needed <= FAR * last.size else math.nan, curve)
    if last.gain > worth_of_step:
        why = f"the last rows added gave {last.gain:+.3g}, more than the fitted curve"
        return Outlook(name, "unknown", math.nan, curve, why)
    return Outlook(name, "enough", needed, curve)
