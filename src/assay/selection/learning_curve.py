"""learning: how a model's figure grows with the rows it is trained on, and where more of them stop paying.

>>> PowerLaw.fit([10, 20, 40, 80], [0.3, 0.25, 0.225, 0.2125])
PowerLaw(limit=0.2, scale=1.0, exponent=1.0, r2=1.0)
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from assay.comparison.fold_tests import corrected_t, fold_figures
from assay.core.result import Result
from assay.core.text import format_number, text_table
from assay.errors import UnsupportedError
from assay.kernels import Array
from assay.metrics.base import Metric
from assay.metrics.resolve import DEFAULT, resolve
from assay.selection.experiment import Experiment
from assay.selection.splits import dealt, rows_of
from assay.selection.store import Part

__all__ = ["LearningCurve", "LearningRow", "Outlook", "PowerLaw", "learning_curve"]

FAR = 10  # how many times the largest measured size a fitted curve is trusted to reach


@dataclass(frozen=True)
class PowerLaw:
    """value(n) = limit + scale * n ** -exponent, fitted by least squares; `r2` is the share of variance explained.

    Source: Cortes et al. (1993), NIPS 6:327-334; Viering & Loog (2022), IEEE TPAMI 45:7799-7819.
    """

    limit: float
    scale: float
    exponent: float
    r2: float

    @staticmethod
    def fit(sizes: Sequence[float] | Array, values: Sequence[float] | Array) -> "PowerLaw | None":
        """The best curve with an exponent in [0.05, 3]; None for fewer than 4 sizes or values that are all equal."""
        from scipy.optimize import minimize_scalar

        n, v = np.asarray(sizes, np.float64), np.asarray(values, np.float64)
        spread = float(((v - v.mean()) ** 2).sum()) if len(v) else 0.0
        if len(n) < 4 or spread <= 1e-24 * max(float((v**2).sum()), 1e-300) or np.isnan(v).any():
            return None

        def left(exponent: float) -> float:
            return float(((_linear(n, v, exponent)[2] - v) ** 2).sum())

        # The sum of squares may have several hollows: search each stretch of a grid.
        grid = np.geomspace(0.05, 3, 25)
        found = [
            minimize_scalar(left, bounds=(a, b), method="bounded", options={"xatol": 1e-9})
            for a, b in pairwise(grid)
        ]
        exponent = float(min(found, key=lambda one: one.fun).x)
        limit, scale, _ = _linear(n, v, exponent)
        rounded = (float(f"{x:.6g}") for x in (limit, scale, exponent, 1 - left(exponent) / spread))
        return PowerLaw(*rounded)

    def at(self, n: float) -> float:
        """The value expected from `n` rows."""
        return float(self.limit + self.scale * n**-self.exponent)

    def enough(self, worth: float) -> float:
        """The rows beyond which doubling them changes the value by less than `worth`."""
        doubled = abs(self.scale) * (1 - 2**-self.exponent)
        return float((doubled / worth) ** (1 / self.exponent))


def _linear(n: Array, v: Array, exponent: float) -> tuple[float, float, Array]:
    """Limit, scale and fitted values for a given exponent."""
    x = n**-exponent
    scale = float(((x - x.mean()) * (v - v.mean())).sum() / ((x - x.mean()) ** 2).sum())
    limit = float(v.mean() - scale * x.mean())
    return limit, scale, limit + scale * x


@dataclass(frozen=True)
class LearningRow:
    """One model at one size: its figure with interval, and the paired gain over the size before (nan at the first;
    positive is better)."""

    model: str
    size: int
    value: float
    low: float
    high: float
    gain: float
    gain_low: float
    gain_high: float


@dataclass(frozen=True)
class Outlook:
    """What more rows promise one model. status: `enough` (more stopped paying at `rows`), `pays` (up to about `rows`;
    nan where that is further than the curve can be trusted), or `unknown` (`why` says the reason)."""

    model: str
    status: str
    rows: float
    curve: PowerLaw | None
    why: str = ""

    def told(self, largest: int) -> str:
        """The answer in one sentence."""
        if self.status == "enough":
            return f"{self.model}: more rows stopped paying at about {_count(self.rows)}."
        if self.status == "pays":
            far = (
                f"more than {FAR} times the {largest} rows measured"
                if math.isnan(self.rows)
                else ""
            )
            return f"{self.model}: more rows still pay, up to {far or f'about {_count(self.rows)} (extrapolated)'}."
        return f"{self.model}: unknown whether more rows pay; {self.why}."


def _count(rows: float) -> str:
    return f"{float(f'{rows:.2g}'):,.0f}"


@dataclass(frozen=True, repr=False)
class LearningCurve(Result):
    """The figure of each model at each training size, and for each model where more rows stop paying.

    `worth` is the least change by doubling the rows that pays, in the units of the metric, by model.
    """

    schema_name: ClassVar[str] = "assay.learning_curve/1"
    drawn_by: ClassVar[str] = "learning_curve"

    metric: str
    rows: tuple[LearningRow, ...]
    outlook: tuple[Outlook, ...]
    worth: dict[str, float]
    confidence: float = 0.95

    @property
    def records(self) -> list[dict[str, Any]]:
        return [dict(row.__dict__) for row in self.rows]

    def to_dict(self) -> dict[str, Any]:
        told = ("metric", "worth", "confidence", "outlook")
        return {**{name: getattr(self, name) for name in told}, "rows": self.records}

    def __repr__(self) -> str:
        largest = max(row.size for row in self.rows)
        body = [
            [
                r.model,
                str(r.size),
                f"{format_number(r.value)} [{format_number(r.low)}, {format_number(r.high)}]",
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
            "gain over the size before",
        ]
        return "\n".join([*(o.told(largest) for o in self.outlook), text_table(header, body)])


def learning_curve(
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
    progress: bool | None = False,
    seed: int = 0,
    **options: Any,
) -> LearningCurve:
    """Train on more and more rows of each fold's training side, and score on its held-out rows.

    sizes: numbers of training rows (default: six, doubling, up to the smallest training side). A smaller size is part
    of a larger one, classes in proportion, so gains are paired: intervals are those of the corrected resampled t over
    the folds, with n_test / n_train of the whole training side.

    An inverse power law is fitted to each model's means; more rows stop paying where doubling them is expected to
    improve the figure by less than `worth` (default: 1% of the figure at the largest size). That point is `unknown`
    where the fit is poor (R2 below 0.9, an exponent at the edge of [0.05, 3], a figure that gets worse, fewer than 4
    sizes), and where the last rows measured speak against the curve: they gave more than `worth` where it says that
    more rows stopped paying, or less where it says that they still pay.

    models: a mapping of name to estimator, or one estimator. Further options (weight, inner, store, task, positive) are
    those of `cross_validate`. Raises UnsupportedError for a metric that a size does not define in two folds.
    Source: Viering & Loog (2022), IEEE TPAMI 45:7799-7819.
    """
    named = models if isinstance(models, Mapping) else {type(models).__name__: models}
    whole = Experiment.of(named, X, y, cv=cv, groups=groups, seed=seed, **options)
    asked = _sizes(sizes, min(len(train) for train, _ in whole.splits))
    splits = []
    for fold, (train, test) in enumerate(whole.splits):
        within = dealt(rows_of(y, train), _of(groups, train), whole.task, seed + fold)
        splits += [(np.sort(train[within[:size]]), test) for size in asked]
    plan = Experiment.of(named, X, y, cv=splits, groups=groups, seed=seed, **options)
    found = list(plan.run(plan.pairs, n_jobs=n_jobs, progress=progress))
    parts = {(p.model, p.fold): p for p in found if isinstance(p, Part)}
    step = len(asked)
    tables = [
        plan.table(parts, list(named), [f * step + i for f in whole.folds]) for i in range(step)
    ]
    text, on = resolve(metric or DEFAULT[tables[0].task], tables[0].schema)[0]
    figures = [fold_figures(table, text, list(named)) for table in tables]
    ratio = float(np.mean([len(test) / len(train) for train, test in whole.splits]))
    sign = on.sign
    rows, outlook, least = [], [], {}
    for name in named:
        each = np.array([of[name] for of in figures])
        rows += _rows(name, asked, each, sign, ratio, confidence)
        least[name] = worth if worth is not None else 0.01 * abs(rows[-1].value)
        outlook.append(_outlook(rows[-step:], sign, least[name]))
    return LearningCurve(text, tuple(rows), tuple(outlook), least, confidence)


def _sizes(sizes: Sequence[int] | None, largest: int) -> list[int]:
    if sizes is None:
        return sorted({math.ceil(largest / 2**back) for back in range(6)})
    found = sorted({int(size) for size in sizes})
    if not found or found[0] < 1 or found[-1] > largest:
        raise UnsupportedError(
            f"sizes must be numbers of training rows from 1 to {largest}, the smallest training side; got {list(sizes)}"
        )
    return found


def _of(values: Any, rows: Array) -> Any:
    return None if values is None else np.asarray(values)[rows]


def _rows(
    name: str, sizes: Sequence[int], each: Array, sign: int, ratio: float, confidence: float
) -> list[LearningRow]:
    """The rows of one model from its figures (sizes, folds)."""
    rows = []
    for i, size in enumerate(sizes):
        defined = each[i][~np.isnan(each[i])]
        if len(defined) < 2:
            raise UnsupportedError(
                f"the metric of {name} is undefined in all folds but {len(defined)} at {size} training rows; "
                f"leave out that size"
            )
        here = corrected_t(defined, ratio, confidence)
        gain = (math.nan,) * 3
        if i:
            apart = sign * (each[i] - each[i - 1])
            gain = corrected_t(apart[~np.isnan(apart)], ratio, confidence)[:3]
        rows.append(LearningRow(name, size, here.difference, here.low, here.high, *gain))
    return rows


def _outlook(rows: Sequence[LearningRow], sign: int, worth: float) -> Outlook:
    """Where more rows stop paying one model, by the fitted curve."""
    last, name = rows[-1], rows[-1].model
    curve = PowerLaw.fit([row.size for row in rows], [row.value for row in rows])
    if curve is None:
        return Outlook(name, "unknown", math.nan, curve, "the figures follow no power law")
    if curve.r2 < 0.9 or sign * curve.scale > 0 or not 0.051 < curve.exponent < 2.99 or worth <= 0:
        fit = f"a power law fits poorly (R2 {curve.r2:.2f}, exponent {curve.exponent:.2g})"
        return Outlook(name, "unknown", math.nan, curve, fit)
    enough, wanted = curve.enough(worth), worth * math.log2(last.size / rows[-2].size)
    if enough > last.size and last.gain < wanted:
        # A noisy curve is fitted to go on rising where the figures have levelled off.
        seen = f"the last rows added gave {last.gain:+.3g}, less than the fitted curve"
        return Outlook(name, "unknown", math.nan, curve, seen)
    if enough > last.size:
        return Outlook(name, "pays", enough if enough <= FAR * last.size else math.nan, curve)
    if last.gain > wanted:
        # The curve has levelled off before the figures did.
        seen = f"the last rows added gave {last.gain:+.3g}, more than the fitted curve"
        return Outlook(name, "unknown", math.nan, curve, seen)
    return Outlook(name, "enough", enough, curve)
