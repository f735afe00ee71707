"""LightningCallback: a log of `trainer.fit`, its verdict, and an end when more cannot pay."""

from collections.abc import Mapping
from typing import Any

from assay.adapters.callbacks import FrameworkCallback

__all__ = ["LightningCallback"]


class LightningCallback(FrameworkCallback):
    """A Lightning callback that writes a `TrainingLog`, and ends a training that cannot gain.

    What the module logs is written once an epoch, numbered from 0 as Lightning names its
    checkpoints; where an epoch holds several validations, by steps. The sanity check is left out,
    and so are values of an earlier validation. In distributed training the first process writes
    and decides for all.

    Parameters:
        path: File to write to, as in "run.jsonl"; `assay diagnose` reads it.
        stop_when: "overfit", "diverged", or both in a list: when the training is ended; default:
            never.
        options: What else `TrainingLog` takes: metric, n_val, n_classes, baseline, name, resume
            and progress.

    Attributes:
        training_log: The `TrainingLog`, with the `history` and the `diagnosis` so far.

    Raises:
        MissingDependencyError: Lightning is not installed.

    Used as in `Trainer(callbacks=[assay.LightningCallback("run.jsonl", stop_when="overfit")])`.
    """

    places = (("lightning.pytorch", "Callback"), ("pytorch_lightning", "Callback"))
    extra = "lightning"
    _validated: Mapping[str, Any] = {}
    _before_validation: Mapping[str, Any] = {}
    _before_epoch: Mapping[str, Any] = {}

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Number by steps where epochs of the `trainer` hold several validations.

        Of the processes that train the `pl_module`, the first alone writes.
        """
        self.training_log.is_written = trainer.is_global_zero
        is_by_batches = trainer.check_val_every_n_epoch is None
        if is_by_batches or trainer.val_check_batch < trainer.num_training_batches:
            self.training_log.header["unit"] = "step"

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """Remember what the `trainer` knew before the epoch; `pl_module` is not read."""
        self._before_epoch = dict(trainer.callback_metrics)
        self._validated = {}

    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        """Remember what the `trainer` knew before the validation; `pl_module` is not read."""
        self._before_validation = dict(trainer.callback_metrics)

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Keep what the validation measured; write it at once where steps are numbered.

        It is what the `trainer` knows now and did not before; `pl_module` is not read.
        """
        if trainer.sanity_checking or trainer.state.fn != "fit":
            return
        self._validated = _find_new(trainer.callback_metrics, self._before_validation)
        if self.training_log.unit == "step":
            self._add(trainer, self._validated)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Log the epoch, and end the training where more cannot pay.

        What the epoch measured, and the order to stop, are of the `trainer`; `pl_module` is not
        read.
        """
        measured = _find_new(trainer.callback_metrics, self._before_epoch)
        if self.training_log.unit == "step":
            measured = {key: v for key, v in measured.items() if key not in self._validated}
        self._add(trainer, measured)

    def _add(self, trainer: Any, measured: Mapping[str, Any]) -> None:
        number = trainer.global_step if self.training_log.unit == "step" else trainer.current_epoch
        if measured:
            self.training_log.add(number, **_name_plainly(measured))
        if self.training_log.stop_when and trainer.strategy.broadcast(self.training_log.stop):
            trainer.should_stop = True


def _find_new(metrics: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """The metrics that were logged anew; Lightning keeps the old ones, and the same objects."""
    return {key: value for key, value in metrics.items() if value is not before.get(key)}


def _name_plainly(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Without `_epoch` behind means over the epoch, and without values of single steps."""
    means = {key.removesuffix("_epoch"): value for key, value in metrics.items()}
    return {
        key: value
        for key, value in means.items()
        if not (key.endswith("_step") and key.removesuffix("_step") in means)
    }
