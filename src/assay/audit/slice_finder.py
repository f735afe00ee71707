"""Slice finder: tests every slice of a model, and tells which weak ones stand by themselves.

>>> from assay.metrics.base import METRICS
>>> find_row_score("rmse", METRICS.parse("rmse")).name
'mse'
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, cast

import numpy as np

from assay.audit.subgroups import Subgroups
from assay.comparison.corrections import holm
from assay.errors import UnsupportedError
from assay.intervals.subgroup_tests import Contrast, SubgroupTests
from assay.kernels import Array
from assay.metrics.base import Metric, RowMetric
from assay.metrics.classification import Accuracy, HammingLoss
from assay.states.confusion import Confusion
from assay.states.moments import Moments
from assay.table.rows import Rows

__all__ = ["RowScore", "Slice", "SliceFinder", "find_row_score", "judge_slices"]

MOST_JUDGED = 200  # weak slices that are held against each other

# Metrics of the positive class that are the share of right rows among some: the column that says
# which rows those are, and whether it holds the positive class in them.
AMONG = {
    "recall": ("truth", True),
    "specificity": ("truth", False),
    "precision": ("label", True),
    "npv": ("label", False),
}


@dataclass(frozen=True)
class Slice:
    """Rows that share values of `columns`: `value` in [`low`, `high`] on them, `rest` elsewhere.

    `effect` is the difference in standard deviations of a row's value (Cohen's d), above 0 is
    worse; `p` is of the slice being no worse than the rest, `p_adjusted` after Holm's correction
    over all slices tested. `own`: whether the slice is worse than the rest even without the rows of
    the weaker slices listed before it.
    """

    model: str
    slice: str
    columns: tuple[str, ...]
    values: tuple[Any, ...]
    n: int
    value: float
    low: float
    high: float
    rest: float
    difference: float
    effect: float
    p: float
    p_adjusted: float
    own: bool


@dataclass(frozen=True)
class RowScore:
    """What stands for a metric row by row.

    Parameters:
        name: The metric that the score is the mean of.
        of: Gives the value of each row, by `compute_rows`.
        better: "higher" or "lower".
        bounds: Least and largest value.
        notes: What a reader must know where it is not the metric that was named.
        among: The rows that the metric is over, where not all: the column "truth" or "label", and
            whether it holds the positive class.
    """

    name: str
    of: Any
    better: str
    bounds: tuple[float, float]
    notes: tuple[str, ...] = ()
    among: tuple[str, bool] | None = None

    def select(self, rows: Rows) -> Array | None:
        """Whether the metric is over each of the `rows` (n,); None where it is over all."""
        if self.among is None:
            return None
        column, positive = self.among
        return np.asarray((getattr(rows, column) == rows.schema.positive_code) == positive)


class _Correctness:
    """Whether a row is right, in full for multi-label."""

    def compute_rows(self, rows: Rows) -> Array:
        """1 or 0 for each of the `rows` (n,)."""
        right = rows.truth == rows.label
        return np.asarray(right.all(axis=1) if right.ndim == 2 else right)


def find_row_score(text: str, metric: Metric) -> RowScore:
    """What stands for the `metric`, whose canonical name is `text`, row by row.

    Raises UnsupportedError for a metric that has no value for each row.
    """
    assert metric.sign  # what is neither better higher nor lower has no weak slices
    state = metric.state
    is_mean = isinstance(state, Moments) and cast(Any, state.of) == metric
    if isinstance(metric, RowMetric | HammingLoss) or is_mean:
        return RowScore(text, metric, metric.better, metric.bounds)
    if metric.name in AMONG and getattr(metric, "average", None) == "binary":
        return RowScore(text, _Correctness(), "higher", (0.0, 1.0), (), AMONG[metric.name])
    if isinstance(state, Moments) and isinstance(state.of, RowMetric) and state.width == 1:
        note = f"{text} is searched by {state.of}, the mean over rows that it is made of"
        return RowScore(str(state.of), state.of, state.of.better, state.of.bounds, (note,))
    if not isinstance(state, Confusion):
        raise UnsupportedError(
            f"{text} has no value for each row, so slices cannot be searched by it; use accuracy, "
            f"log_loss, brier, mse, mae or another mean over rows, and evaluate(..., by=...) for "
            f"the {text} of slices that you name"
        )
    if isinstance(metric, Accuracy):
        return RowScore(text, _Correctness(), "higher", (0.0, 1.0))
    note = f"{text} is no mean over rows: slices are searched by which rows are right (accuracy)"
    return RowScore("accuracy", _Correctness(), "higher", (0.0, 1.0), (note,))


@dataclass(frozen=True, eq=False)
class SliceFinder:
    """Every slice of one model, tested against the rest of its rows.

    Parameters:
        subgroups: The slices to be tested.
        model: The model's name.
        score: What stands for the metric row by row.
        confidence: Level of the intervals, in (0, 1).
    """

    subgroups: Subgroups
    model: str
    score: RowScore
    confidence: float

    @cached_property
    def contrast(self) -> Contrast:
        """The value of each row that the metric is over."""
        table = self.subgroups.table
        rows = table.rows(self.model)
        value = np.asarray(self.score.of.compute_rows(rows), np.float64)
        value = value[:, 0] if value.ndim == 2 else value
        if not np.isfinite(value).all():
            row = int(np.flatnonzero(~np.isfinite(value))[0])
            raise UnsupportedError(
                f"{self.score.name} of model {self.model!r} is {value[row]} at row {row}: no slice "
                f"can be held against that; choose a metric whose value is finite on every row"
            )
        weight = None if rows.weight is None else self.select(rows.weight)
        cluster = None
        if "cluster" in table.columns:
            cluster = self.select(table.group("cluster")[0])
        return Contrast(self.select(value), self.score.better == "higher", weight, cluster)

    @cached_property
    def selection(self) -> Array | None:
        """Whether the metric is over each row (n,); None where it is over all."""
        return self.score.select(self.subgroups.table.rows(self.model))

    def select(self, column: Array) -> Array:
        """The entries of `column` (n,) that belong to rows that the metric is over."""
        return column if self.selection is None else column[self.selection]

    @cached_property
    def tested_slices(self) -> list["TestedSlice"]:
        """Every slice that has enough rows, and leaves enough out."""
        least = self.subgroups.min_rows
        most = len(self.contrast.value) - least
        slices = []
        for names, codes, keys in self.subgroups.crosses():
            tests = self.contrast.test(self.select(codes), len(keys))
            slices += [
                TestedSlice(self, names, key, tests, place)
                for place, key in enumerate(keys)
                if least <= tests.n[place] <= most
            ]
        return slices

    def is_worse_without(self, member: Array, excluded: Array, alpha: float) -> bool:
        """Whether a slice is worse than the rest at the level `alpha`, both without some rows.

        `member` (n,) says which rows are in the slice, `excluded` (n,) which are left out.
        """
        code = self.select(np.where(excluded, 2, np.where(member, 0, 1)))
        inside, outside = np.bincount(code, minlength=3)[:2]
        if inside < self.subgroups.min_rows or outside < 2:
            return False
        return bool(self.contrast.test(code, 1).p[0] <= alpha)


class TestedSlice(NamedTuple):
    """One slice that was tested, at its place in the tests of its columns."""

    finder: SliceFinder
    names: tuple[str, ...]
    key: tuple[Any, ...]
    tests: SubgroupTests
    place: int

    @property
    def p(self) -> float:
        """Its p-value, uncorrected."""
        return float(self.tests.p[self.place])

    @property
    def order(self) -> tuple[Any, ...]:
        """Clearest first; among equals the simplest."""
        return self.p, -float(self.tests.strength[self.place]), len(self.names)

    @property
    def members(self) -> Array:
        """Whether each row is in the slice (n,)."""
        inside = []
        for name, value in zip(self.names, self.key, strict=True):
            codes, keys = self.finder.subgroups.columns[name]
            inside.append(codes == keys.index((value,)))
        return np.asarray(np.logical_and.reduce(inside))

    def report(self, p_adjusted: float, own: bool) -> Slice:
        """The slice as it is reported; `p_adjusted` and `own` as in `Slice`."""
        tests = self.tests
        place = self.place
        finder = self.finder
        floor, ceiling = finder.score.bounds
        low, high = finder.contrast.interval(tests, place, finder.confidence)
        value = float(np.clip(tests.value[place], floor, ceiling))
        rest = float(np.clip(tests.outside[place], floor, ceiling))
        terms = map(_format_term, self.names, self.key)
        return Slice(
            model=finder.model,
            slice=" & ".join(terms),
            columns=self.names,
            values=self.key,
            n=int(tests.n[place]),
            value=value,
            low=max(low, floor),
            high=min(high, ceiling),
            rest=rest,
            difference=value - rest,
            effect=float(tests.effect[place]),
            p=self.p,
            p_adjusted=p_adjusted,
            own=own,
        )


def _format_term(name: str, value: Any) -> str:
    """A level as it reads: site=3, age < 30, age in [30, 42), age >= 54."""
    text = str(value)
    if text.startswith(("< ", ">= ")):
        return f"{name} {text}"
    return f"{name} in {text}" if text.startswith("[") else f"{name}={text}"


def judge_slices(
    finders: Sequence[SliceFinder], alpha: float
) -> tuple[tuple[Slice, ...], int, Slice | None]:
    """The weak slices of all models, how many slices were tested, and the closest of the others.

    `alpha` is the chance of reporting any slice of the `finders` without reason.
    """
    tested = sorted(
        (one for finder in finders for one in finder.tested_slices), key=lambda one: one.order
    )
    adjusted = holm([one.p for one in tested])
    count = sum(p <= alpha for p in adjusted)
    weak = tested[:count]
    own = _find_own(weak, alpha / max(count, 1))
    rows = tuple(one.report(p, alone) for one, p, alone in zip(weak, adjusted, own, strict=False))
    closest = None if count == len(tested) else tested[count].report(adjusted[count], False)
    return rows, len(tested), closest


def _find_own(weak: Sequence[TestedSlice], alpha: float) -> list[bool]:
    """Whether each slice, clearest first, is worse without the rows of those before it that are."""
    covered: dict[str, Array] = {}
    own = []
    for one in weak[:MOST_JUDGED]:
        model = one.finder.model
        excluded = covered.get(model, np.zeros(one.finder.subgroups.table.n, bool))
        members = one.members
        alone = not excluded.any() or one.finder.is_worse_without(members, excluded, alpha)
        own.append(alone)
        covered[model] = excluded | members if alone else excluded
    return own + [False] * (len(weak) - len(own))
