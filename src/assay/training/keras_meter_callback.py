"""KerasMeterCallback: metrics of validation rows after each epoch, in the logs of Keras."""

from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

from assay.adapters.framework_object import FrameworkObject
from assay.evaluation.evaluate import Evaluation
from assay.evaluation.meter import Meter
from assay.metrics.base import Metric

__all__ = ["KerasMeterCallback"]


class KerasMeterCallback(FrameworkObject):
    """A Keras callback that evaluates validation rows after each epoch, on any backend.

    It predicts them once more, compiled as Keras likes, and adds the values to the logs of the
    epoch as `val_f1`, for callbacks after it in the list and for the history; a step costs
    nothing.

    Parameters:
        validation_data: (x, y) or (x, y, weight) as `model.fit` takes them, of arrays.
        metrics: A text such as "f1(average=macro)" or a Metric, or several; default: those that
            suit the task.
        batch_size: Rows a batch; default: as Keras chooses.
        declared: Keywords of `Meter`: kind, classes, task, positive, ...

    Attributes:
        evaluations: The `Evaluation` of each epoch, with intervals.

    Raises:
        MissingDependencyError: Keras is not installed.

    Used as in `model.fit(x, y, callbacks=[assay.KerasMeterCallback((x_val, y_val), "f1",
    kind="logit")])`.
    """

    places = (("keras.callbacks", "Callback"), ("tensorflow.keras.callbacks", "Callback"))
    extra = "keras"

    def __init__(
        self,
        validation_data: Sequence[Any],
        metrics: str | Metric | Sequence[str | Metric] | None = None,
        *,
        batch_size: int | None = None,
        **declared: Any,
    ) -> None:
        super().__init__()
        self.validation_data = validation_data
        self.batch_size = batch_size
        self.meter = Meter(metrics, **declared)
        self.evaluations: list[Evaluation] = []

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Evaluate the validation rows after an `epoch`, and add the values to its `logs`."""
        x, y, *weight = self.validation_data
        model = self.model  # type: ignore[attr-defined]
        outputs = model.predict(x, batch_size=self.batch_size, verbose=0)
        self.meter.reset()
        self.meter.update(outputs, y, *weight)
        evaluation = self.meter.compute()
        self.evaluations.append(evaluation)
        if isinstance(logs, MutableMapping):
            logs.update({f"val_{name}": value for name, value in evaluation.scalars.items()})
