"""IgniteMetric: a metric for the engines of PyTorch Ignite, exact over the rows of an epoch."""

from collections.abc import Sequence
from typing import Any

from assay.adapters.framework_object import FrameworkObject
from assay.evaluation.meter import Meter
from assay.metrics.base import Metric

__all__ = ["IgniteMetric"]


class IgniteMetric(FrameworkObject):
    """An Ignite metric that gives for the batches of an epoch what `evaluate` gives for all rows.

    Attached under a name it puts the values by name into `engine.state.metrics`, and the
    dictionary of them under that name. In distributed runs all processes get those of all rows.

    Parameters:
        metrics: A text such as "f1(average=macro)" or a Metric, or several; default: those that
            suit the task.
        output_transform: Makes (y_pred, y) or (y_pred, y, weight) of the output of a step; default:
            the output itself.
        declared: Keywords of `Meter`: kind, classes, task, positive, ...

    Attributes:
        meter: The `Meter` of the rows so far, with intervals in its `compute()`.

    Raises:
        MissingDependencyError: Ignite is not installed.

    Used as in `assay.IgniteMetric("f1", kind="logit").attach(evaluator, "metrics")`.
    """

    places = (("ignite.metrics", "Metric"),)
    extra = "ignite"

    def __init__(
        self,
        metrics: str | Metric | Sequence[str | Metric] | None = None,
        *,
        output_transform: Any = lambda output: output,
        **declared: Any,
    ) -> None:
        self.meter = Meter(metrics, **{"intervals": False, **declared})
        super().__init__(output_transform=output_transform)  # type: ignore[call-arg]

    def reset(self) -> None:
        """Forget all rows, as Ignite does before each epoch."""
        self.meter.reset()

    def update(self, output: Sequence[Any]) -> None:
        """Take a batch: the `output` of a step as (y_pred, y) or (y_pred, y, weight)."""
        self.meter.update(*output)

    def compute(self) -> dict[str, float]:
        """The values by name."""
        return self.meter.compute().scalars
