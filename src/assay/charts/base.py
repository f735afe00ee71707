"""Base of the charts: a chart draws one kind of result, and is found by the schema of that result.

A chart is one function with `register`, or a subclass of `Chart` where it has parameters; in a file
of this wing, or in a plug-in.

>>> from assay.core.result import CHARTS
>>> CHARTS["race"].draws
'assay.race/1'
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias, TypeVar

from assay.core.registry import Member, Registry
from assay.core.result import CHARTS

__all__ = ["CHARTS", "AltairChart", "Chart", "register"]

AltairChart: TypeAlias = Any  # Altair is imported when something is drawn

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Chart(Member):
    """A chart of one kind of result.

    `name` is what `assay list charts` shows and `result.chart(name)` takes. `draws` is the schema
    of the results that it draws: a result's own ("assay.race/1"), or "assay.predictions" for a
    table and "assay.run" for one diagnosed run. The first line of the docstring says what it shows.

    >>> isinstance(CHARTS.parse("race"), Chart)
    True
    """

    registry: ClassVar[Registry[Any]] = CHARTS
    draws: ClassVar[str] = ""

    def draw(self, result: Any, **options: Any) -> AltairChart:
        """Draw a result.

        Parameters:
            result: What is drawn, of the schema `draws`.
            options: What the chart takes besides; each says itself.

        Returns:
            An Altair chart.
        """
        raise NotImplementedError(f"{type(self).__name__} does not draw")


def register(*, draws: str) -> Callable[[F], F]:
    """Make a function the chart of its name, for results of the schema `draws`.

    The function stays as it is; `result.chart()` and `assay list charts` now know it.
    """

    def add(function: F) -> F:
        members = {
            "__doc__": function.__doc__,
            "__module__": function.__module__,
            "name": function.__name__,
            "draws": draws,
            "draw": lambda _, result, **options: function(result, **options),
        }
        type(function.__name__, (Chart,), members)
        return function

    return add
