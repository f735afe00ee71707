"""frugal: the cheapest model that is as good as the best, as far as anyone can tell.

>>> p = Predictions.from_arrays([0, 1, 1, 0], {"big": [0, 1, 1, 0], "small": [0, 1, 1, 0]})
>>> one_standard_error(p, "accuracy", cost={"big": 9.0, "small": 1.0}).chosen
'small'
"""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, ClassVar

from assay.comparison.compare import compare
from assay.comparison.fold_tests import corrected_differences
from assay.core.result import Result
from assay.core.text import format_number, text_table
from assay.errors import UnsupportedError
from assay.evaluation.evaluate import Evaluation
from assay.metrics.base import METRICS, Metric
from assay.metrics.resolve import resolve
from assay.selection.store import Timings
from assay.table.predictions import Predictions

__all__ = ["Frugal", "FrugalRow", "one_standard_error"]


@dataclass(frozen=True)
class FrugalRow:
    """One model beside the best: how much worse it is, the standard error of that, its cost, and whether it is
    within one standard error."""

    model: str
    value: float
    behind: float
    error: float
    cost: float
    within: bool


@dataclass(frozen=True, repr=False)
class Frugal(Result):
    """The cheapest model within one standard error of the best, and all the others."""

    schema_name: ClassVar[str] = "assay.frugal/1"
    drawn_by: ClassVar[str] = "frugal"

    metric: str
    best: str
    chosen: str
    cost_name: str
    rows: tuple[FrugalRow, ...]
    method: str

    @property
    def records(self) -> list[dict[str, Any]]:
        return [dict(row.__dict__) for row in self.rows]

    def to_dict(self) -> dict[str, Any]:
        told = ("metric", "best", "chosen", "cost_name", "method")
        return {**{name: getattr(self, name) for name in told}, "rows": self.records}

    @property
    def verdict(self) -> str:
        """The answer in one sentence."""
        of = {row.model: row for row in self.rows}
        chosen, best = of[self.chosen], of[self.best]
        if self.chosen == self.best:
            value = format_number(best.value)
            return f"{self.best} has the best {self.metric} ({value}), and no cheaper model is as good."
        share = (
            f" at {chosen.cost / best.cost:.0%} of its cost ({self.cost_name})" if best.cost else ""
        )
        return (
            f"Take {self.chosen} where cost counts: its {self.metric} ({format_number(chosen.value)}) is within one "
            f"standard error of {self.best}'s ({format_number(best.value)}){share}."
        )

    def __repr__(self) -> str:
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
        return f"{self.verdict}\n{text_table(header, body)}"


def one_standard_error(
    found: Predictions | Evaluation | str | os.PathLike[str],
    metric: str | Metric,
    *,
    cost: Timings | Mapping[str, float],
    seed: int = 0,
) -> Frugal:
    """The cheapest model whose figure is within one standard error of the best model's.

    cost: any number for each model, or the Timings of a cross-validation (seconds to predict 1,000 rows). The error is
    that of the paired difference from the best: of the folds (corrected for the training rows they share) where the
    table has two or more, of the rows otherwise. From an Evaluation, which knows no pairs, it is that of the best
    model's own figure, as in the original rule. Models whose figure is undefined are left out.

    Source: Breiman, Friedman, Olshen & Stone (1984), Classification and Regression Trees, section 3.4.3.
    """
    if not isinstance(found, Predictions | Evaluation):
        from assay.io.read_write import read

        found = read(found)
    text = str(METRICS.parse(metric))
    values, errors, best, method = (
        _unpaired(found, text) if isinstance(found, Evaluation) else _paired(found, text, seed)
    )
    costs, name = (cost.predict, "ms a row") if isinstance(cost, Timings) else (dict(cost), "cost")
    missing = [m for m in values if m not in costs]
    if missing:
        raise UnsupportedError(
            f"no cost is given for {', '.join(missing)}; known: {', '.join(costs) or 'none'}"
        )
    sign = METRICS.parse(metric).sign
    behind = {m: sign * (values[best] - v) for m, v in values.items()}
    rows = [
        FrugalRow(m, v, behind[m], errors[m], costs[m], behind[m] <= errors[m])
        for m, v in values.items()
    ]
    chosen = min((row for row in rows if row.within), key=lambda row: (row.cost, row.behind)).model
    return Frugal(text, best, chosen, name, tuple(rows), method)


Found = tuple[dict[str, float], dict[str, float], str, str]


def _paired(table: Predictions, metric: str, seed: int) -> Found:
    """Values, standard errors of the difference from the best, the best, and how."""
    _, on = resolve(metric, table.schema)[0]
    serving = [m for m in table.models if table.schema.offers(m, on.reads)]
    sign = on.sign
    if "fold" in table.columns and len(table.group("fold")[1]) > 1:
        values, differences, _, _ = corrected_differences(table, metric, serving)
        errors, method = {(d.a, d.b): d.error for d in differences}, "corrected, over folds"
    else:
        found = compare(table.select(serving), metric, seed=seed)
        values, method = found.values, "paired, over rows"
        errors = {(d.a, d.b): _half(d.low, d.high, found.confidence) for d in found.pairs}
    best = max(values, key=lambda m: sign * values[m])
    return (
        values,
        {m: errors.get((best, m), errors.get((m, best), 0.0)) for m in values},
        best,
        method,
    )


def _unpaired(evaluation: Evaluation, metric: str) -> Found:
    rows = {m: evaluation.get(m, metric) for m in evaluation.models}
    values = {m: row.value for m, row in rows.items() if not math.isnan(row.value)}
    if not values:
        raise UnsupportedError(f"{metric} is undefined for every model; choose another metric")
    sign = METRICS.parse(metric).sign
    best = max(values, key=lambda m: sign * values[m])
    error = _half(rows[best].low, rows[best].high, evaluation.confidence)
    if math.isnan(error):
        raise UnsupportedError(
            "the evaluation has no intervals to take a standard error from; use intervals=True"
        )
    return values, dict.fromkeys(values, error), best, "of the best's own figure"


def _half(low: float, high: float, confidence: float) -> float:
    """The standard error that an interval of that confidence stands for."""
    return (high - low) / 2 / NormalDist().inv_cdf((1 + confidence) / 2)
