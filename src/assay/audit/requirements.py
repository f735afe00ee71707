"""Requirements: what a release must show (gates), checked against intervals rather than points.

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

from assay.comparison.compare import Comparison, Difference
from assay.core.text import format_number
from assay.errors import NameLookupError, UnsupportedError
from assay.evaluation.evaluate import Evaluation
from assay.evaluation.values import Row
from assay.metrics.base import METRICS

__all__ = ["Requirement", "worse_than"]

COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
NUMBER = r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
PATTERN = re.compile(rf"\s*(?:([^()]+?)\s*:\s+)?(.+?)\s*([<>=!≤≥]+)\s*{NUMBER}\s*(%?)\s*")


@dataclass(frozen=True)
class Requirement:
    """A bound that a metric of every model, or of one, must keep.

    Parameters:
        metric: Canonical text of the metric, as in "f1(average=macro)".
        sign: One of >=, <=, > and <.
        bound: The number that the metric must keep to.
        model: The model that the bound is for; default: every model.

    >>> Requirement.parse("bert: recall > 80%")
    Requirement(metric='recall', sign='>', bound=0.8, model='bert')
    """

    metric: str
    sign: str
    bound: float
    model: str | None = None

    @staticmethod
    def parse(text: str) -> "Requirement":
        """The requirement that a text states.

        Parameters:
            text: As in "f1(average=macro) >= 0.9", or "bert: recall > 80%" for one model.

        Returns:
            The requirement.

        Raises:
            NameLookupError: The text is no requirement, or names no metric.
        """
        match = PATTERN.fullmatch(text)
        model, metric, sign, number, percent = match.groups() if match else (None, "", "", "", "")
        sign = {"≥": ">=", "≤": "<="}.get(sign, sign)
        if sign not in COMPARE:
            raise NameLookupError(
                f"cannot read the requirement {text!r}; expected a metric, one of "
                f"{' '.join(COMPARE)} and a number, as in 'f1 >= 0.9', or 'bert: f1 >= 0.9' for "
                f"one model"
            )
        bound = float(number) / (100 if percent else 1)
        return Requirement(str(METRICS.parse(metric)), sign, bound, model)

    def failures(self, evaluation: Evaluation, *, point: bool = False) -> list[str]:
        """Why the requirement does not hold, a sentence a model; none where it does.

        It holds if the whole interval keeps the bound. An undefined value never does. Values of
        groups are not looked at.

        Parameters:
            evaluation: The models, evaluated by the metric.
            point: Whether it is enough that the value itself keeps the bound; default no.

        Returns:
            The sentences.

        Raises:
            UnsupportedError: The evaluation has no such metric or model.
        """
        rows = [row for row in evaluation.rows if row.metric == self.metric and row.group is None]
        if not rows:
            raise UnsupportedError(
                f"{self.metric} is required but was not evaluated; evaluated are "
                f"{', '.join(evaluation.metrics)}"
            )
        if self.model is not None and self.model not in evaluation.models:
            raise UnsupportedError(
                f"no model {self.model!r} to require {self.metric} of; there are "
                f"{', '.join(evaluation.models)}"
            )
        rows = [row for row in rows if self.model in (None, row.model)]
        return [failure for row in rows if (failure := self._find_failure(row, point))]

    def _find_failure(self, row: Row, point: bool) -> str:
        """Why one value does not keep the bound; "" where it does."""
        end = row.low if self.sign[0] == ">" else row.high
        if point:
            end = row.value
        if COMPARE[self.sign](end, self.bound):  # never for nan
            return ""
        of_class = "" if row.class_ is None else f" of {row.class_!r}"
        required = f"required: {self.sign} {self.bound:g}"
        return f"{row.model}: {row.metric}{of_class} is {self._describe(row, end)}; {required}"

    def _describe(self, row: Row, end: float) -> str:
        """A value that fails: what it is, and how its interval is at fault."""
        value = format_number(row.value)
        if math.isnan(row.value):
            return f"undefined ({row.note})" if row.note else "undefined"
        if math.isnan(end):
            return f"{value}, but has no interval to hold it by (check the value with --point)"
        if COMPARE[self.sign](row.value, self.bound):
            reach = "down" if self.sign[0] == ">" else "up"
            return f"{value}, but its interval reaches {reach} to {format_number(end)}"
        return value


def worse_than(
    comparison: Comparison, baseline: str, *, margin: float = 0.0, point: bool = False
) -> list[str]:
    """Which models of a `comparison` may be worse than `baseline` by more than `margin`.

    A sentence each, and one where there is no other model. A model passes if the interval of its
    difference from the baseline stays above minus the margin (below plus the margin, where lower is
    better); with `point`, if the difference itself does. One whose value is undefined, or that
    could not be compared, never does.

    Raises UnsupportedError where the baseline is not among the models compared.
    """
    if not math.isfinite(margin):
        raise UnsupportedError(
            f"margin must be a number, by how much a model may be worse; got {margin}"
        )
    if baseline not in comparison.values:
        why = comparison.left_out.get(baseline)
        reason = f" ({baseline}: {comparison.metric} is {why})" if why else ""
        raise UnsupportedError(
            f"no model {baseline!r} to be held against; compared are "
            f"{', '.join(comparison.values)}{reason}"
        )
    metric = comparison.metric
    verb = "is" if point else "may be"
    failures = []
    for pair in comparison.pairs:
        if baseline not in (pair.a, pair.b):
            continue
        model = pair.a if pair.b == baseline else pair.b
        least = _least_gain(pair, comparison, baseline, point)
        if least < -margin:
            by = f"by {-least:.4g}; allowed: {margin:g}"
            failures.append(f"{model}: {metric} {verb} worse than {baseline}'s {by}")
    if len(comparison.values) == 1 and not comparison.left_out:
        failures.append(
            f"{baseline} is the only model, so nothing was compared; give the file of the model "
            f"that is to be no worse"
        )
    failures += [
        f"{model}: {metric} is {why}, so it cannot be shown to be no worse than {baseline}'s"
        for model, why in comparison.left_out.items()
    ]
    return failures


def _least_gain(pair: Difference, comparison: Comparison, baseline: str, point: bool) -> float:
    """By how much the other model is better than `baseline` at the least; below 0 it is worse."""
    sign = 1 if METRICS.parse(comparison.metric).better == "higher" else -1
    if pair.a == baseline:
        sign = -sign
    if point:
        return sign * pair.difference
    return min(sign * pair.low, sign * pair.high)
