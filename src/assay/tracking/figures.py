"""Figures: the numbers of a result by name, with the ends of their intervals, for trackers.

>>> from assay.evaluation.evaluate import evaluate
>>> evaluation = evaluate([0, 1, 1, 0] * 9, {"a": [0, 1, 0, 0] * 9, "b": [0] * 36}, "accuracy")
>>> {name: round(value, 2) for name, value in name_numbers(list_figures(evaluation)).items()}
{'a/accuracy': 0.75, 'a/accuracy_low': 0.59, 'a/accuracy_high': 0.86,
 'b/accuracy': 0.5, 'b/accuracy_low': 0.34, 'b/accuracy_high': 0.66}
"""

import math
import re
from collections.abc import Iterable
from functools import singledispatch
from typing import Any, NamedTuple

from assay.comparison.compare import Comparison
from assay.diagnosis.diagnose import Diagnosis
from assay.errors import UnsupportedError
from assay.evaluation.evaluate import Evaluation
from assay.evaluation.values import Row
from assay.reporting.report import Report

__all__ = ["Figure", "list_figures", "name_numbers"]

# What no tracker takes in a name: MLflow takes letters, digits and a few marks.
FOREIGN = re.compile(r"[^\w.-]+")


class Figure(NamedTuple):
    """A number by name, perhaps with the ends of its interval; undefined ones are nan."""

    name: str
    value: float
    low: float = math.nan
    high: float = math.nan


@singledispatch
def list_figures(result: Any) -> list[Figure]:
    """The figures of a `result`; of kinds that are not known here none."""
    return []


@list_figures.register
def list_values(result: Evaluation) -> list[Figure]:
    """Every value of an evaluation: `f1`, of one class `recall_cat`, of a group `north/f1`.

    Where there are several models, their names come first.
    """
    several = len(result.models) > 1
    return [
        Figure(_name_row(row, with_model=several), row.value, row.low, row.high)
        for row in result.rows
    ]


@list_figures.register
def list_differences(result: Comparison) -> list[Figure]:
    """The value of each model, and each difference with its interval and p-value, corrected."""
    place = ("comparison", result.metric)
    figures = [Figure(_join(*place, model), value) for model, value in result.values.items()]
    for pair in result.pairs:
        name = _join(*place, f"{pair.a}_vs_{pair.b}")
        figures.append(Figure(name, pair.difference, pair.low_adjusted, pair.high_adjusted))
        figures.append(Figure(f"{name}_p", pair.p_adjusted))
    return figures


@list_figures.register
def list_losses(result: Diagnosis) -> list[Figure]:
    """The best epoch of each run, and its loss there and at the end."""
    figures = []
    for run in result.runs:
        place = ("diagnosis", run.name) if len(result.runs) > 1 else ("diagnosis",)
        numbers = {
            "best_epoch": run.best_epoch,
            "loss_best": run.loss.get("best"),
            "loss_final": run.loss.get("final"),
        }
        figures += [
            Figure(_join(*place, name), float(number))
            for name, number in numbers.items()
            if number is not None
        ]
    return figures


@list_figures.register
def list_parts(result: Report) -> list[Figure]:
    """The figures of the parts of a report; those of the held-out rows below `test`."""
    figures = list_figures(result.evaluation)
    for part in (result.comparison, result.diagnosis):
        figures += list_figures(part)
    if result.held_out is not None:
        held_out = list_figures(result.held_out.evaluation)
        figures += [figure._replace(name=f"test/{figure.name}") for figure in held_out]
    return figures


def name_numbers(figures: Iterable[Figure]) -> dict[str, float]:
    """Each number of the `figures` by name, ends of intervals as `f1_low` and `f1_high`.

    Undefined ones are left out. UnsupportedError where two would have one name.
    """
    numbers: dict[str, float] = {}
    for name, value, low, high in figures:
        for key, number in ((name, value), (f"{name}_low", low), (f"{name}_high", high)):
            if key in numbers:
                raise UnsupportedError(
                    f"two figures would be logged as {key!r}, as trackers take letters, digits, "
                    "'_', '-' and '.' in names; rename a model, class or group"
                )
            if not math.isnan(number):
                numbers[key] = float(number)
    return numbers


def _name_row(row: Row, *, with_model: bool) -> str:
    parts = [row.model] if with_model else []
    if row.group is not None:
        parts.append(_spell(row.group))
    name = _join(*parts, row.metric)
    return name if row.class_ is None else f"{name}_{_join(_spell(row.class_))}"


def _spell(key: Any) -> str:
    """A class or group as text; of truth and prediction, or of several columns, all in a row."""
    return "_".join(map(str, key)) if isinstance(key, tuple) else str(key)


def _join(*parts: str) -> str:
    """A name of `parts` with slashes between, each of letters, digits and few marks."""
    return "/".join(FOREIGN.sub("_", part).strip("_") or "_" for part in parts)
