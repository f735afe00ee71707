"""Case: a judged run, as the words about it need it.

>>> from assay.diagnosis.case import format_value
>>> format_value(0.34348), format_value(12.0)
('0.3435', '12')
"""

from typing import NamedTuple

from assay.diagnosis.measurements import Measurements
from assay.diagnosis.rules import Severity, Status
from assay.readers.cells import Unit
from assay.readers.history import History

__all__ = ["Case", "Kept", "count_evaluations", "format_value"]


class Kept(NamedTuple):
    """The epoch to keep by a metric, and that of the lowest loss."""

    metric: str
    best_epoch: float
    best: float
    good_range: tuple[float, float]
    lowest_epoch: float


class Case(NamedTuple):
    """A judged run: its measurements, its history, and what the rules say."""

    run: Measurements
    history: History
    status: Status
    severity: Severity | None = None
    onset: float | None = None
    kept: "Kept | None" = None

    @property
    def unit(self) -> Unit:
        """What the horizontal axis counts."""
        return self.history.unit


def format_value(value: float) -> str:
    """A `value` as people read it: four significant digits, whole numbers whole."""
    is_whole = abs(value) < 1e9 and float(value).is_integer()
    return f"{value:.0f}" if is_whole else f"{value:.4g}"


def count_evaluations(count: int) -> str:
    """The `count` of evaluations in words, with the verb.

    >>> count_evaluations(1), count_evaluations(3)
    ('1 evaluation is', '3 evaluations are')
    """
    return "1 evaluation is" if count == 1 else f"{count} evaluations are"
