"""Case: a judged run, as the words about it need it.

>>> from assay.diagnosis.case import format_value
>>> format_value(0.34348), format_value(12.0)
('0.3435', '12')
"""

from typing import NamedTuple

from assay.diagnosis.measurements import Measurements
from assay.diagnosis.rules import Severity, Status
from assay.readers.cells import Unit

__all__ = ["Case", "Kept", "format_value"]


class Kept(NamedTuple):
    """The epoch to keep by a metric, and that of the lowest loss."""

    metric: str
    best_epoch: float
    best: float
    good_range: tuple[float, float]
    lowest_epoch: float


class Case(NamedTuple):
    """A judged run: its measurements, the unit of its axis, and what the rules say."""

    run: Measurements
    unit: Unit
    status: Status
    severity: Severity | None = None
    onset: float | None = None
    kept: "Kept | None" = None


def format_value(value: float) -> str:
    """A `value` as people read it: four significant digits."""
    return f"{value:.4g}"
