"""weakness: one model's slices, each held against the rest of its rows, and which of the weak ones stand by themselves.

>>> from assay.metrics.base import METRICS
>>> source_of("rmse", METRICS.parse("rmse")).name
'mse'
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, cast

import numpy as np

from assay.audit.subgroups import Lattice
from assay.comparison.corrections import holm
from assay.errors import UnsupportedError
from assay.intervals.subgroup_tests import Contrast, SubgroupTests
from assay.kernels import Array
from assay.metrics.base import Metric, RowMetric
from assay.metrics.classification import Accuracy, HammingLoss
from assay.states.confusion import Confusion
from assay.states.moments import Moments
from assay.table.predictions import Rows

__all__ = ["Search", "Slice", "Source", "judged", "source_of"]

MOST_JUDGED = 200  # weak slices that are held against each other

# Metrics of the positive class that are the share of right rows among some: column, and whether it is the positive.
AMONG = {
    "recall": ("truth", True),
    "specificity": ("truth", False),
    "precision": ("label", True),
    "npv": ("label", False),
}


@dataclass(frozen=True)
class Slice:
    """Rows that share values of `columns`: figure `value` in [`low`, `high`] on `n` rows, against `rest` on all others.

    `effect` is the difference in standard deviations of a row's value (Cohen's d), above 0 is worse; `p` is of the
    slice being no worse than the rest, `p_adjusted` after Holm's correction over all slices tested.  `own`: whether the
    slice is worse than the rest even without the rows of the weaker slices listed before it.
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
class Source:
    """Where the value of each row comes from, under which name: `of` gives one for each row.

    among: the rows that the figure is over: those whose truth (or label) is, or is not, the positive class.
    """

    name: str
    of: Any
    better: str
    bounds: tuple[float, float]
    notes: tuple[str, ...] = ()
    among: tuple[str, bool] | None = None

    def chosen(self, rows: Rows) -> Array | None:
        """Whether the figure is over each row (n,); None where it is over all."""
        if self.among is None:
            return None
        column, positive = self.among
        return np.asarray((getattr(rows, column) == rows.schema.positive_code) == positive)


class _Right:
    """Whether a row is right, in full for multi-label."""

    def compute_rows(self, rows: Rows) -> Array:
        """1 or 0 for each row (n,)."""
        right = rows.truth == rows.label
        return np.asarray(right.all(axis=1) if right.ndim == 2 else right)


def source_of(text: str, metric: Metric) -> Source:
    """What stands for the metric row by row."""
    assert metric.sign  # what is neither better higher nor lower has no weak slices
    state = metric.state
    if isinstance(metric, RowMetric) or (
        isinstance(state, Moments) and cast(Any, state.of) == metric
    ):
        return Source(text, metric, metric.better, metric.bounds)
    if metric.name in AMONG and getattr(metric, "average", None) == "binary":
        return Source(text, _Right(), "higher", (0.0, 1.0), (), AMONG[metric.name])
    if isinstance(metric, HammingLoss):
        return Source(text, metric, metric.better, metric.bounds)
    if isinstance(state, Moments) and isinstance(state.of, RowMetric) and state.width == 1:
        said = f"{text} is searched by {state.of}, the mean over rows that it is made of"
        return Source(str(state.of), state.of, state.of.better, state.of.bounds, (said,))
    if not isinstance(state, Confusion):
        raise UnsupportedError(
            f"{text} has no value for each row, so slices cannot be searched by it; use accuracy, log_loss, brier, "
            f"mse, mae or another mean over rows, and evaluate(..., by=...) for the {text} of slices that you name"
        )
    whole = isinstance(metric, Accuracy)
    said = f"{text} is no mean over rows: slices are searched by which rows are right (accuracy)"
    return Source(
        text if whole else "accuracy", _Right(), "higher", (0.0, 1.0), () if whole else (said,)
    )


@dataclass(frozen=True, eq=False)
class Search:
    """One model's slices: what was tested, and what came of it."""

    lattice: Lattice
    model: str
    source: Source
    confidence: float

    @cached_property
    def contrast(self) -> Contrast:
        """The value of each row."""
        rows = self.lattice.table.rows(self.model)
        value = np.asarray(self.source.of.compute_rows(rows), np.float64)
        value = value[:, 0] if value.ndim == 2 else value
        if not np.isfinite(value).all():
            at = int(np.flatnonzero(~np.isfinite(value))[0])
            raise UnsupportedError(
                f"{self.source.name} of model {self.model!r} is {value[at]} at row {at}: no slice can be held against "
                f"that; choose a metric whose value is finite on every row"
            )
        cluster = (
            self.lattice.table.group("cluster")[0]
            if "cluster" in self.lattice.table.columns
            else None
        )
        weight, cluster = (None if of is None else self.asked(of) for of in (rows.weight, cluster))
        return Contrast(self.asked(value), self.source.better == "higher", weight, cluster)

    @cached_property
    def chosen(self) -> Array | None:
        """Whether the figure is over each row (n,); None where it is over all."""
        return self.source.chosen(self.lattice.table.rows(self.model))

    def asked(self, of: Array) -> Array:
        """What belongs to the rows that the figure is over."""
        return of if self.chosen is None else of[self.chosen]

    @cached_property
    def found(self) -> list["Found"]:
        """Every slice tested."""
        least = self.lattice.min_rows
        return [
            Found(self, names, key, outcomes, at)
            for names, codes, keys in self.lattice.crosses()
            for outcomes in [self.contrast.test(self.asked(codes), len(keys))]
            for at, key in enumerate(keys)
            if least <= outcomes.n[at] <= len(self.contrast.value) - least
        ]

    def stands(self, member: Array, aside: Array, alpha: float) -> bool:
        """Whether the rows of a slice are worse than the rest, both without the rows that are set aside."""
        code = self.asked(np.where(aside, 2, np.where(member, 0, 1)))
        left, rest = np.bincount(code, minlength=3)[:2]
        return (
            left >= self.lattice.min_rows
            and rest > 1
            and bool(self.contrast.test(code, 1).p[0] <= alpha)
        )


class Found(NamedTuple):
    """One slice that was tested, at its place in the outcomes of its columns."""

    search: Search
    names: tuple[str, ...]
    key: tuple[Any, ...]
    outcomes: SubgroupTests
    at: int

    @property
    def p(self) -> float:
        """Its p-value, uncorrected."""
        return float(self.outcomes.p[self.at])

    @property
    def order(self) -> tuple[Any, ...]:
        """Clearest first; among equals the simplest."""
        return self.p, -float(self.outcomes.strength[self.at]), len(self.names)

    def member(self) -> Array:
        """Whether each row is in the slice (n,)."""
        columns = self.search.lattice.columns
        picked = (
            codes == keys.index((v,))
            for (codes, keys), v in (
                (columns[n], v) for n, v in zip(self.names, self.key, strict=True)
            )
        )
        return np.asarray(np.logical_and.reduce(list(picked)))

    def row(self, adjusted: float, own: bool) -> Slice:
        """The slice as it is reported."""
        o, at, search = self.outcomes, self.at, self.search
        low, high = search.contrast.interval(o, at, search.confidence)
        bounds = search.source.bounds
        value, rest = (float(np.clip(of[at], *bounds)) for of in (o.value, o.outside))
        return Slice(
            search.model,
            " & ".join(
                _term(name, value) for name, value in zip(self.names, self.key, strict=True)
            ),
            self.names,
            self.key,
            int(o.n[at]),
            value,
            max(low, bounds[0]),
            min(high, bounds[1]),
            rest,
            value - rest,
            float(o.effect[at]),
            self.p,
            adjusted,
            own,
        )


def _term(name: str, value: Any) -> str:
    """A level as it reads: site=3, age < 30, age in [30, 42), age >= 54."""
    text = str(value)
    if text.startswith(("< ", ">= ")):
        return f"{name} {text}"
    return f"{name} in {text}" if text.startswith("[") else f"{name}={text}"


def judged(searches: Sequence[Search], alpha: float) -> tuple[tuple[Slice, ...], int, Slice | None]:
    """The weak slices of all models, how many slices were tested, and the closest of the others."""
    found = sorted((one for search in searches for one in search.found), key=lambda one: one.order)
    adjusted = holm([one.p for one in found])
    weak = [(one, p) for one, p in zip(found, adjusted, strict=True) if p <= alpha]
    own = _own([one for one, _ in weak], alpha / max(len(weak), 1))
    rows = tuple(one.row(p, alone) for (one, p), alone in zip(weak, own, strict=True))
    closest = found[len(weak)].row(adjusted[len(weak)], False) if len(weak) < len(found) else None
    return rows, len(found), closest


def _own(weak: Sequence[Found], alpha: float) -> list[bool]:
    """Whether each, clearest first, is worse than the rest without the rows of those before it that are."""
    aside: dict[str, Array] = {}
    own = []
    for one in weak[:MOST_JUDGED]:
        covered = aside.get(one.search.model, np.zeros(one.search.lattice.table.n, bool))
        member = one.member()
        own.append(not covered.any() or one.search.stands(member, covered, alpha))
        aside[one.search.model] = covered | member if own[-1] else covered
    return own + [False] * (len(weak) - len(own))
