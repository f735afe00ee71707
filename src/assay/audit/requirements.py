"""Gates: what a release must show, checked against intervals rather than points.

>>> from assay.evaluation.evaluate import evaluate
>>> from assay.table.predictions import Predictions
>>> y = [0, 1] * 50
>>> p = Predictions.from_arrays(y, {"m": [0, 1] * 45 + [1, 0] * 5})
>>> requirement = Requirement.parse("accuracy >= 0.85")
>>> requirement.failures(evaluate(p, [requirement.metric]))
['m: accuracy is 0.9000, but its interval reaches down to 0.8256; required: >= 0.85']
>>> requirement.failures(evaluate(p, [requirement.metric]), point=True)
[]
"""

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from assay.comparison.compare import Comparison
from assay.core.text import format_number
from assay.errors import NameLookupError, UnsupportedError
from assay.evaluation.evaluate import Evaluation
from assay.evaluation.values import Row
from assay.metrics.base import METRICS

__all__ = ["Requirement", "worse_than"]

KEPT: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt
}  # fmt: skip
NUMBER = r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"


@dataclass(frozen=True)
class Requirement:
    """A bound that a metric of every model, or of the one named, must keep: `metric >= bound`, or with <=, > or <."""

    metric: str
    sign: str
    bound: float
    model: str | None = None

    @staticmethod
    def parse(text: str) -> "Requirement":
        """The requirement that a text such as "f1(average=macro) >= 0.9" or "bert: recall > 80%" states."""
        found = re.fullmatch(
            rf"\s*(?:([^()]+?)\s*:\s+)?(.+?)\s*([<>=!≤≥]+)\s*{NUMBER}\s*(%?)\s*", text
        )
        model, metric, sign, number, percent = found.groups() if found else (None, "", "", "", "")
        sign = {"≥": ">=", "≤": "<="}.get(sign, sign)
        if sign not in KEPT:
            raise NameLookupError(
                f"cannot read the requirement {text!r}; expected a metric, one of {' '.join(KEPT)} and a number, as "
                f"in 'f1 >= 0.9', or 'bert: f1 >= 0.9' for one model"
            )
        return Requirement(
            str(METRICS.parse(metric)), sign, float(number) / (100 if percent else 1), model
        )

    def failures(self, evaluation: Evaluation, *, point: bool = False) -> list[str]:
        """Why the requirement does not hold, a sentence a model; none where it does.

        It holds if the whole interval keeps the bound; with `point`, if the figure itself does. An undefined figure
        never does, nor without `point` one that has no interval. Figures of groups are not asked. UnsupportedError
        where the evaluation has no such metric or model.
        """
        rows = [row for row in evaluation.rows if row.metric == self.metric and row.group is None]
        if not rows:
            raise UnsupportedError(
                f"{self.metric} is required but was not evaluated; evaluated are {', '.join(evaluation.metrics)}"
            )
        if self.model is not None and self.model not in evaluation.models:
            raise UnsupportedError(
                f"no model {self.model!r} to require {self.metric} of; there are {', '.join(evaluation.models)}"
            )
        asked = [row for row in rows if self.model in (None, row.model)]
        return [said for row in asked if (said := self._failure(row, point))]

    def _failure(self, row: Row, point: bool) -> str:
        end = row.value if point else row.low if self.sign[0] == ">" else row.high
        kept = KEPT[self.sign]
        if kept(end, self.bound):  # never for nan
            return ""
        about = "" if row.class_ is None else f" of {row.class_!r}"
        value = format_number(row.value)
        if math.isnan(row.value):
            said = f"undefined ({row.note})" if row.note else "undefined"
        elif math.isnan(end):
            said = (
                f"{value}, but has no interval to hold it by (check the figure itself with --point)"
            )
        elif kept(row.value, self.bound):
            reach = "down" if self.sign[0] == ">" else "up"
            said = f"{value}, but its interval reaches {reach} to {format_number(end)}"
        else:
            said = value
        return f"{row.model}: {row.metric}{about} is {said}; required: {self.sign} {self.bound:g}"


def worse_than(
    comparison: Comparison, baseline: str, *, margin: float = 0.0, point: bool = False
) -> list[str]:
    """Which models may be worse than `baseline` by more than `margin`, a sentence each.

    A model passes if the interval of its difference from the baseline stays above minus the margin (below plus the
    margin, where lower is better); with `point`, if the difference itself does. One whose figure is undefined, or that
    could not be compared, never does. UnsupportedError where the baseline is not among those compared.
    """
    if not math.isfinite(margin):
        raise UnsupportedError(
            f"margin must be a number, by how much a model may be worse; got {margin}"
        )
    if baseline not in comparison.values:
        why = comparison.left_out.get(baseline)
        raise UnsupportedError(
            f"no model {baseline!r} to be held against; compared are {', '.join(comparison.values)}"
            + (f" ({baseline}: {comparison.metric} is {why})" if why else "")
        )
    higher = METRICS.parse(comparison.metric).better == "higher"
    said = []
    for pair in comparison.pairs:
        if baseline not in (pair.a, pair.b):
            continue
        other, sign = (pair.a, 1) if pair.b == baseline else (pair.b, -1)
        ends = sorted((sign * pair.low, sign * pair.high))
        least = (sign * pair.difference if point else ends[0 if higher else 1]) * (
            1 if higher else -1
        )
        if least < -margin:
            be = "is" if point else "may be"
            said.append(
                f"{other}: {comparison.metric} {be} worse than {baseline}'s by {-least:.4g}; allowed: {margin:g}"
            )
    return said + [
        f"{other}: {comparison.metric} is {why}, so it cannot be shown to be no worse than {baseline}'s"
        for other, why in comparison.left_out.items()
    ]
