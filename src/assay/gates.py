"""Gates: what a release must show, checked against intervals rather than points.

>>> from assay.evaluate import evaluate
>>> from assay.predictions import Predictions
>>> y = [0, 1] * 50
>>> p = Predictions.from_arrays(y, {"m": [0, 1] * 45 + [1, 0] * 5})
>>> requirement = Requirement.parse("accuracy >= 0.85")
>>> requirement.failures(evaluate(p, [requirement.metric]))
['m: accuracy is 0.9000, but its interval reaches down to 0.8256; required: >= 0.85']
>>> requirement.failures(evaluate(p, [requirement.metric]), point=True)
[]
"""

import re
from dataclasses import dataclass

import numpy as np

from assay.compare import Comparison
from assay.errors import NameLookupError, UnsupportedError
from assay.evaluate import Evaluation
from assay.metric import METRICS
from assay.result import format_number

__all__ = ["Requirement", "worse_than"]


@dataclass(frozen=True)
class Requirement:
    """A bound that a metric of every model must keep: `metric >= bound` or `metric <= bound`."""

    metric: str
    floor: bool
    bound: float

    @staticmethod
    def parse(text: str) -> "Requirement":
        """The requirement that a text such as "f1(average=macro) >= 0.9" states."""
        found = re.fullmatch(r"\s*(.+?)\s*(>=|<=)\s*([-+.\deE]+)\s*", text)
        try:
            metric, sign, bound = found.groups()  # type: ignore[union-attr]
            return Requirement(str(METRICS.parse(metric)), sign == ">=", float(bound))
        except (AttributeError, ValueError) as error:
            if isinstance(error, NameLookupError):
                raise
            raise NameLookupError(f"cannot read the requirement {text!r}; expected as in 'f1 >= 0.9'") from error

    def failures(self, evaluation: Evaluation, *, point: bool = False) -> list[str]:
        """Why the requirement does not hold, a sentence a model; none where it does.

        It holds if the whole interval keeps the bound; with `point`, if the figure itself does. An undefined figure
        never does.
        """
        said = []
        for row in evaluation.rows:
            if row.metric != self.metric or row.group is not None:
                continue
            end = row.value if point else row.low if self.floor else row.high
            if np.isnan(end) or (end < self.bound if self.floor else end > self.bound):
                about = "" if row.class_ is None else f" of {row.class_!r}"
                said.append(f"{row.model}: {row.metric}{about} is {self._shortfall(row.value, end)}")
        return said

    def _shortfall(self, value: float, end: float) -> str:
        required = f"required: {'>=' if self.floor else '<='} {self.bound:g}"
        if np.isnan(end):
            return f"undefined or without an interval; {required}"
        kept = value >= self.bound if self.floor else value <= self.bound
        reach = f", but its interval reaches {'down' if self.floor else 'up'} to {format_number(end)}" if kept else ""
        return f"{format_number(value)}{reach}; {required}"


def worse_than(comparison: Comparison, baseline: str, *, margin: float = 0.0, point: bool = False) -> list[str]:
    """Which models may be worse than `baseline` by more than `margin`, a sentence each.

    A model passes if the interval of its difference from the baseline stays above minus the margin (below plus the
    margin, where lower is better); with `point`, if the difference itself does.
    """
    if baseline not in comparison.values:
        raise UnsupportedError(f"no model {baseline!r} to be held against; compared are {', '.join(comparison.values)}")
    higher = METRICS.parse(comparison.metric).better == "higher"
    said = []
    for pair in comparison.pairs:
        if baseline not in (pair.a, pair.b):
            continue
        other, sign = (pair.a, 1) if pair.b == baseline else (pair.b, -1)
        ends = sorted((sign * pair.low, sign * pair.high))
        least = (sign * pair.difference if point else ends[0 if higher else 1]) * (1 if higher else -1)
        if least < -margin:
            said.append(
                f"{other}: {comparison.metric} may be worse than {baseline}'s by {-least:.4g}; allowed: {margin:g}"
            )
    return said
