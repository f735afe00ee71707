"""KerasMetric: a metric for `model.compile` of Keras, exact over the rows of an epoch."""

import sys
from collections.abc import Sequence
from typing import Any

from assay.adapters.framework_object import FrameworkObject
from assay.evaluation.meter import Meter
from assay.metrics.base import Metric

__all__ = ["KerasMetric"]


class KerasMetric(FrameworkObject):
    """A Keras metric that gives for the batches of an epoch what `evaluate` gives for all rows.

    Keras asks for the value after every step, and each time it is computed of all rows so far:
    `KerasMeterCallback` asks once an epoch. Keras must run eagerly, as it does on PyTorch; else
    give `compile(run_eagerly=True)`.

    Parameters:
        metrics: A text such as "f1(average=macro)" or a Metric, or several; they are logged under
            their names.
        name: Name of the metric; default: that of the first.
        declared: Keywords of `Meter`: kind, classes, task, positive, ...

    Attributes:
        meter: The `Meter` of the rows so far, with intervals in its `compute()`.

    Raises:
        MissingDependencyError: Keras is not installed.

    Used as in `model.compile(metrics=[assay.KerasMetric("f1", kind="logit")])`.
    """

    places = (("keras.metrics", "Metric"), ("tensorflow.keras.metrics", "Metric"))
    extra = "keras"

    def __init__(
        self,
        metrics: str | Metric | Sequence[str | Metric],
        *,
        name: str | None = None,
        **declared: Any,
    ) -> None:
        meter = Meter(metrics, **{"intervals": False, **declared})
        first = str((meter.metrics or ["metrics"])[0])
        super().__init__(name=name or first)  # type: ignore[call-arg]
        self.meter = meter

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take a batch.

        Parameters:
            y_true: The targets (n,), (n, 1) or one-hot.
            y_pred: The outputs (n, k), (n, 1) or (n,).
            sample_weight: Weights of the rows (n,); default: all alike.
        """
        if not _is_rehearsal(y_pred):
            self.meter.update(y_pred, y_true, sample_weight)

    def result(self) -> Any:
        """The value, nan without rows; of several metrics a dictionary by name."""
        several = len(self.meter.metrics or ()) != 1
        if not self.meter.n:
            names = list(map(str, self.meter.metrics or ()))
            return dict.fromkeys(names, float("nan")) if several else float("nan")
        values = self.meter.compute().scalars
        return values if several else next(iter(values.values()))

    def reset_state(self) -> None:
        """Forget all rows, as Keras does before each epoch."""
        self.meter.reset()


def _is_rehearsal(y_pred: Any) -> bool:
    """Whether Keras calls the metric to see its shape alone, before any batch."""
    scope = sys.modules.get("keras.src.backend.common.symbolic_scope")
    symbolic = scope is not None and scope.in_symbolic_scope()
    return symbolic or str(getattr(y_pred, "device", "")) == "meta"
