"""KerasCallback: a log of `model.fit`, its verdict, and an end when more cannot pay."""

from collections.abc import Mapping
from typing import Any

from assay.adapters.callbacks import FrameworkCallback

__all__ = ["KerasCallback"]


class KerasCallback(FrameworkCallback):
    """A Keras callback that writes a `TrainingLog`, and ends a training that cannot gain any more.

    Epochs are numbered from 1, as Keras prints them and as `ModelCheckpoint` names its files.

    Parameters:
        path: File to write to, as in "run.jsonl"; `assay diagnose` reads it.
        stop_when: "overfit", "diverged", or both in a list: when the training is ended; default:
            never.
        options: What else `TrainingLog` takes: metric, n_val, n_classes, baseline, name, resume
            and progress.

    Attributes:
        training_log: The `TrainingLog`, with the `history` and the `diagnosis` so far.

    Raises:
        MissingDependencyError: Keras is not installed.

    Used as in `model.fit(x, y, callbacks=[assay.KerasCallback("run.jsonl", stop_when="overfit")])`.
    """

    places = (("keras.callbacks", "Callback"), ("tensorflow.keras.callbacks", "Callback"))
    extra = "keras"
    _fits = 0
    _is_first = True

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Remember that `fit` was called; `logs` are not read."""
        self._fits += 1
        self._is_first = True

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Log the `logs` of an `epoch`, and end the training where more cannot pay.

        Parameters:
            epoch: Number of the epoch, from 0 as Keras counts; it is logged from 1.
            logs: Values of the metrics by name; default: none.
        """
        rows = self.training_log.rows
        if self._is_first and self._fits > 1 and rows and epoch + 1 <= rows[-1]["epoch"]:
            self.training_log.begin()
        self._is_first = False
        self.training_log.add(epoch + 1, **(logs or {}))
        if self.training_log.stop:
            self.model.stop_training = True  # type: ignore[attr-defined]
