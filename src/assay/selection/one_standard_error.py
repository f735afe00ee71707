"""one_standard_error: the cheapest model within one standard error of the best.

>>> p = Predictions.from_arrays([0, 1, 1, 0], {"big": [0, 1, 1, 0], "small": [0, 1, 1, 0]})
>>> one_standard_error(p, "accuracy", costs={"big": 9.0, "small": 1.0}).chosen
'small'
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from statistics import NormalDist
from typing import Any, ClassVar, NamedTuple

from assay.comparison.compare import compare
from assay.comparison.fold_tests import corrected_differences
from assay.comparison.fold_values import select_models
from assay.core.result import Result
from assay.core.text import TextTable, format_number
from assay.errors import UnsupportedError
from assay.evaluation.evaluate import Evaluation
from assay.io.arrays import accept_arrays
from assay.io.source import Source, open_table
from assay.metrics.base import METRICS, Metric
from assay.metrics.resolve import resolve
from assay.selection.store import Timings
from assay.table.predictions import Predictions

__all__ = ["Frugal", "FrugalRow", "one_standard_error"]


@dataclass(frozen=True)
class FrugalRow:
    """One model beside the best.

    `behind` is how much worse it is, `error` the standard error of that, `within` whether it is
    behind by no more than that error.
    """

    model: str
    value: float
    behind: float
    error: float
    cost: float
    within: bool


@dataclass(frozen=True, repr=False)
class Frugal(Result):
    """The cheapest model within one standard error of the best, and all the others.

    >>> p = Predictions.from_arrays([0, 1] * 50, {"a": [0, 1] * 50, "b": [0] * 100})
    >>> one_standard_error(p, "accuracy", costs={"a": 9.0, "b": 1.0}).best
    'a'
    """

    schema_name: ClassVar[str] = "assay.frugal/1"
    json_keys: ClassVar[tuple[str, ...]] = (
        "metric", "best", "chosen", "cost_name", "method", "rows", "notes",
    )  # fmt: skip

    metric: str
    best: str
    chosen: str
    cost_name: str
    rows: tuple[FrugalRow, ...]
    method: str
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """The answer in one sentence."""
        rows = {row.model: row for row in self.rows}
        chosen = rows[self.chosen]
        best = rows[self.best]
        value = format_number(best.value)
        if self.chosen == self.best:
            lead = f"{self.best} has the best {self.metric} ({value})"
            return f"{lead}, and no cheaper model is as good."
        share = ""
        if best.cost:
            share = f" at {chosen.cost / best.cost:.0%} of its cost ({self.cost_name})"
        return (
            f"Take {self.chosen} where cost counts: its {self.metric} "
            f"({format_number(chosen.value)}) is within one standard error of {self.best}'s "
            f"({value}){share}."
        )

    @property
    def tables(self) -> list[TextTable]:
        """The models, the cheapest first."""
        body = [
            [
                r.model,
                *map(format_number, (r.value, r.behind, r.error, r.cost)),
                "yes" if r.within else "no",
            ]
            for r in sorted(self.rows, key=lambda r: r.cost)
        ]
        header = [
            "model",
            self.metric,
            "behind the best",
            "standard error",
            self.cost_name,
            "within",
        ]
        return [TextTable(header, body)]


@accept_arrays
def one_standard_error(
    predictions: Source | Evaluation,
    metric: str | Metric,
    *,
    costs: Timings | Mapping[str, float],
    seed: int = 0,
    where: str | None = None,
) -> Frugal:
    """The cheapest model whose value is within one standard error of the best model's.

    The error is that of the paired difference from the best: over the folds (corrected for the
    training rows they share) where the table has two or more, over the rows otherwise. From an
    Evaluation, which knows no pairs, it is that of the best model's own value, as in the original
    rule. Models whose value is undefined are left out.

    Parameters:
        predictions: A table, an evaluation, a data frame, the path of a file or of several, or the
            truth followed by what models predict, as for `evaluate`.
        metric: What models are compared by.
        costs: Any number for each model, or the `Timings` of a cross-validation (seconds to predict
            1,000 rows).
        seed: Of the bootstrap; default 0.
        where: Which rows to take, as in 'split == "test"' (see `Predictions.where`); default: all
            but those of a training split.

    Raises:
        UnsupportedError: A model has no cost, or the metric is undefined for every model.

    Source: Breiman, Friedman, Olshen & Stone (1984), Classification and Regression Trees, section
    3.4.3.

    >>> p = Predictions.from_arrays([0, 1, 1, 0], {"a": [0, 1, 1, 0], "b": [1, 0, 0, 1]})
    >>> one_standard_error(p, "accuracy", costs={"a": 9.0, "b": 1.0}).chosen
    'a'
    """
    if isinstance(predictions, Evaluation):
        _refuse_choice(where)
    else:
        predictions = open_table(predictions, in_memory=True, where=where, judging=True)
    text = str(METRICS.parse(metric))
    if isinstance(predictions, Evaluation):
        candidates = _compare_unpaired(predictions, text)
    else:
        candidates = _compare_paired(predictions, text, seed)
    has_timings = isinstance(costs, Timings)
    cost = costs.predict if isinstance(costs, Timings) else costs
    _require_costs(cost, list(candidates.values))
    sign = METRICS.parse(metric).sign
    rows = []
    for m, value in candidates.values.items():
        behind = sign * (candidates.values[candidates.best] - value)
        error = candidates.errors[m]
        rows.append(FrugalRow(m, value, behind, error, cost[m], behind <= error))
    chosen = min((row for row in rows if row.within), key=lambda row: (row.cost, row.behind))
    return Frugal(
        metric=text,
        best=candidates.best,
        chosen=chosen.model,
        cost_name="ms a row" if has_timings else "cost",
        rows=tuple(rows),
        method=candidates.method,
        notes=predictions.notes,
    )


def _require_costs(costs: Any, models: Sequence[str]) -> None:
    """UnsupportedError unless `costs` give a number for each of the `models`."""
    if not isinstance(costs, Mapping):
        raise UnsupportedError(
            f"costs must give a number for each model, as {{{models[0]!r}: 1.0}}, or be what "
            f"timings() returns; got {costs!r}"
        )
    missing = [m for m in models if m not in costs]
    if missing:
        known = ", ".join(map(str, costs)) or "none"
        raise UnsupportedError(f"no cost is given for {', '.join(missing)}; known: {known}")
    for model in models:
        if not isinstance(costs[model], Real) or math.isnan(costs[model]):
            raise UnsupportedError(f"the cost of {model!r} must be a number; got {costs[model]!r}")


def _refuse_choice(where: str | None) -> None:
    """Refuse to choose rows of an evaluation, which has none."""
    if where is not None:
        raise UnsupportedError(
            "where chooses rows, and an evaluation holds none; evaluate with where=, or give the "
            "table"
        )


class _Candidates(NamedTuple):
    """Value of each model, standard error of its difference from the best, and how it was found."""

    values: dict[str, float]
    errors: dict[str, float]
    best: str
    method: str


def _compare_paired(table: Predictions, metric: str, seed: int) -> _Candidates:
    """By folds where there are two or more, by rows otherwise."""
    _, bound = resolve(metric, table.schema)[0]
    models = select_models(table, bound)
    if "fold" in table.columns and len(table.group("fold")[1]) > 1:
        result = corrected_differences(table, metric, models)
        values = result.values
        errors = {(d.a, d.b): d.error for d in result.differences}
        method = "corrected, over folds"
    else:
        comparison = compare(table.select(models), metric, seed=seed)
        values = comparison.values
        level = comparison.confidence
        errors = {(d.a, d.b): _standard_error(d.low, d.high, level) for d in comparison.pairs}
        method = "paired, over rows"
    best = max(values, key=lambda m: bound.sign * values[m])
    from_best = {m: errors.get((best, m), errors.get((m, best), 0.0)) for m in values}
    return _Candidates(values, from_best, best, method)


def _compare_unpaired(evaluation: Evaluation, metric: str) -> _Candidates:
    """By the interval of the best model's own value."""
    rows = {m: evaluation.get(m, metric) for m in evaluation.models}
    values = {m: row.value for m, row in rows.items() if not math.isnan(row.value)}
    if not values:
        raise UnsupportedError(f"{metric} is undefined for every model; choose another metric")
    sign = METRICS.parse(metric).sign
    best = max(values, key=lambda m: sign * values[m])
    error = _standard_error(rows[best].low, rows[best].high, evaluation.confidence)
    if math.isnan(error):
        raise UnsupportedError(
            "the evaluation has no intervals to take a standard error from; use intervals=True"
        )
    return _Candidates(values, dict.fromkeys(values, error), best, "of the best's own value")


def _standard_error(low: float, high: float, confidence: float) -> float:
    """The standard error that an interval of that confidence stands for."""
    return (high - low) / 2 / NormalDist().inv_cdf((1 + confidence) / 2)
