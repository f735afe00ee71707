"""halving: many models on few rows, the better ones on more, the last on all.

>>> from sklearn.datasets import load_iris
>>> from sklearn.dummy import DummyClassifier
>>> from sklearn.naive_bayes import GaussianNB
>>> chance = DummyClassifier(strategy="uniform", random_state=0)
>>> models = {"nb": GaussianNB(), "most": DummyClassifier(), "chance": chance}
>>> halve(models, *load_iris(return_X_y=True), metric="accuracy").best
'nb'
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from assay.comparison.fold_tests import fold_figures
from assay.core.result import Result
from assay.core.text import format_number, text_table
from assay.errors import UnsupportedError
from assay.kernels import Array
from assay.metrics.base import Metric
from assay.metrics.resolve import DEFAULT, resolve
from assay.selection.experiment import Experiment
from assay.selection.splits import dealt, length, rows_of
from assay.selection.store import Part

__all__ = ["Halving", "Rung", "halve"]

WARNING = (
    "Halving drops models by their rank on few rows, without a test: one that needs many rows to shine may be lost. "
    "The winner's figure is the one it was chosen by."
)


@dataclass(frozen=True)
class Rung:
    """One model at one number of rows: its mean figure over the folds, and whether it went on."""

    rung: int
    rows: int
    model: str
    value: float
    kept: bool


@dataclass(frozen=True, repr=False)
class Halving(Result):
    """The model left at the end, every figure on the way, and the share of the work that was saved.

    `work` counts the rows of all models that were cross-validated, `full` what all models on all rows would have been.
    """

    schema_name: ClassVar[str] = "assay.halving/1"
    drawn_by: ClassVar[str] = "halving"

    metric: str
    best: str
    rows: tuple[Rung, ...]
    work: int
    full: int
    notes: tuple[str, ...] = (WARNING,)

    @property
    def saved(self) -> float:
        """Share of the row-fits that was not needed; below 0 where the rungs cost more than all models on all rows."""
        return 1 - self.work / self.full

    @property
    def records(self) -> list[dict[str, Any]]:
        return [dict(row.__dict__) for row in self.rows]

    def to_dict(self) -> dict[str, Any]:
        told = ("metric", "best", "work", "full", "saved", "notes")
        return {**{name: getattr(self, name) for name in told}, "rows": self.records}

    def __repr__(self) -> str:
        rungs = sorted({(row.rung, row.rows) for row in self.rows})
        figure = {(row.rung, row.model): row.value for row in self.rows}
        names = sorted(
            {row.model for row in self.rows},
            key=lambda m: [-sum((r, m) in figure for r, _ in rungs), m],
        )
        body = [
            [m, *(format_number(figure[r, m]) if (r, m) in figure else "" for r, _ in rungs)]
            for m in names
        ]
        table = text_table(["model", *(f"{self.metric} on {rows} rows" for _, rows in rungs)], body)
        said = f"{self.best} is the last of {len(names)} models; {self.saved:.0%} of the work was saved."
        return "\n".join([said, table, *self.notes])


def halve(
    models: Mapping[str, Any],
    X: Any,
    y: Any,
    *,
    metric: str | Metric | None = None,
    factor: int = 3,
    minimum: int | None = None,
    cv: Any = 3,
    groups: Any = None,
    weight: Any = None,
    n_jobs: int | None = -1,
    progress: bool | None = False,
    seed: int = 0,
    **options: Any,
) -> Halving:
    """Successive halving on rows: cross-validate all models on few rows, keep the best 1/`factor`, on `factor` times as
    many rows, and so on; the last rung has all rows.

    minimum: rows of the first rung; the default leaves one model for the last rung, but at least 10 rows a fold and
    class. Each rung holds the rows of the one before, classes in proportion (whole groups where `groups` are given) and
    in the order of the data. Further options (inner, store, task, positive) are those of `cross_validate`.
    A model whose metric is undefined at a rung ranks last.

    Source: Jamieson & Talwalkar (2016), AISTATS, PMLR 51:240-248.
    """
    if factor < 2:
        raise UnsupportedError(
            f"factor must be 2 or more, the share of models that goes on is 1/factor; got {factor}"
        )
    first = Experiment.of(models, X, y, cv=cv, groups=groups, weight=weight, seed=seed, **options)
    order = dealt(y, groups, first.task, seed)
    alive, rungs, work = list(models), [], 0
    for rung, rows in enumerate(sizes := _sizes(first, len(models), factor, minimum)):
        part = np.sort(order[:rows])
        values, text, sign = _figures(
            Experiment.of(
                {name: models[name] for name in alive},
                rows_of(X, part),
                rows_of(y, part),
                cv=cv,
                groups=_taken(groups, part),
                weight=_taken(weight, part),
                seed=seed,
                **options,
            ),
            metric,
            n_jobs,
            progress,
        )
        ranked = sorted(
            alive,
            key=lambda m: -math.inf if math.isnan(values[m]) else sign * values[m],
            reverse=True,
        )
        kept = ranked[: 1 if rung == len(sizes) - 1 else max(1, len(alive) // factor)]
        rungs += [Rung(rung, len(part), m, values[m], m in kept) for m in alive]
        work += len(part) * len(alive)
        alive = [m for m in alive if m in kept]
    return Halving(text, alive[0], tuple(rungs), work, length(y) * len(models))


def _sizes(plan: Experiment, models: int, factor: int, minimum: int | None) -> list[int]:
    """Rows of each rung, the last with all."""
    n = length(plan.y)
    least = minimum or 10 * len(plan.splits) * max(len(plan.classes), 1)
    rungs = 1 + int(math.log(models) / math.log(factor) + 1e-9)
    if minimum is not None:
        rungs = 1 + int(math.log(max(n / minimum, 1)) / math.log(factor) + 1e-9)
    sizes = [math.ceil(n / factor**back) for back in reversed(range(rungs))]
    return [size for size in sizes if size >= min(least, n)] or [n]


def _taken(values: Any, rows: Array) -> Any:
    return None if values is None else np.asarray(values)[rows]


def _figures(
    plan: Experiment, metric: Any, n_jobs: int | None, progress: Any
) -> tuple[dict[str, float], str, int]:
    """Mean figure of each model over the folds that define it, the metric's text, and the sign that is better."""
    found: Sequence[Any] = list(plan.run(plan.pairs, n_jobs=n_jobs, progress=progress))
    table = plan.table(
        {(p.model, p.fold): p for p in found if isinstance(p, Part)}, list(plan.models)
    )
    text, on = resolve(metric or DEFAULT[table.task], table.schema)[0]
    figures = fold_figures(table, text, table.models)
    values = {
        m: float(f[~np.isnan(f)].mean()) if np.isfinite(f).any() else math.nan
        for m, f in figures.items()
    }
    return values, text, on.sign
