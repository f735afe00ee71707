"""TransformersCallback: a log of the Hugging Face Trainer, its verdict, and when to end."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from assay.adapters.callbacks import FrameworkCallback

__all__ = ["TransformersCallback"]


class TransformersCallback(FrameworkCallback):
    """A Trainer callback that writes a `TrainingLog`, and ends a training that cannot gain.

    Rows are numbered by the Trainer's epochs, and name the checkpoint of their step. The epoch to
    keep is that of `metric_for_best_model` where the Trainer has one and no metric is given here.
    Evaluations before and after the training are left out.

    Parameters:
        path: File to write to, as in "run.jsonl"; `assay diagnose` reads it.
        stop_when: "overfit", "diverged", or both in a list: when the training is ended; default:
            never.
        options: What else `TrainingLog` takes: metric, n_val, n_classes, baseline, name, resume
            and progress.

    Attributes:
        training_log: The `TrainingLog`, with the `history` and the `diagnosis` so far.

    Raises:
        MissingDependencyError: Transformers is not installed.

    Used as in `Trainer(model, args, callbacks=[assay.TransformersCallback("run.jsonl")])`.
    """

    places = (("transformers", "TrainerCallback"),)
    extra = "transformers"
    train = "window_mean"
    facts: ClassVar[Mapping[str, str]] = {"checkpoint": "checkpoint-{step}"}
    _is_training = False

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Take the metric that the Trainer chooses by, where its arguments name one.

        Parameters:
            args: The TrainingArguments, with `metric_for_best_model` and `greater_is_better`.
            state: The TrainerState; the process zero of the world alone writes the log.
            control: Not read.
            kwargs: Not read.
        """
        self._is_training = True
        self.training_log.is_written = state.is_world_process_zero
        metric = args.metric_for_best_model
        if metric is not None and "metric" not in self.training_log.header:
            better = "higher" if args.greater_is_better else "lower"
            self.training_log.header |= {"metric": metric.removeprefix("eval_"), "better": better}

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Log no evaluation after the training: it is of other weights.

        None of `args`, `state`, `control` and `kwargs` is read.
        """
        self._is_training = False

    def on_log(
        self,
        args: Any,
        state: Any,
        control: Any,
        logs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Log what the Trainer logs, and end the training where more cannot pay.

        Parameters:
            args: Not read.
            state: The TrainerState, with the epoch and the optimiser step.
            control: The TrainerControl, which is told to stop.
            logs: What the Trainer logs, of which numbers are kept; default: nothing.
            kwargs: Not read.
        """
        if not self._is_training or not logs or "train_runtime" in logs:
            return
        numbers = {key: value for key, value in logs.items() if isinstance(value, int | float)}
        place = {"epoch": state.epoch, "step": state.global_step}
        self.training_log.add(**(_restore_nan(numbers) | place))
        if self.training_log.stop:
            control.should_training_stop = True


def _restore_nan(numbers: dict[str, Any]) -> dict[str, Any]:
    """The Trainer logs a loss that is nan as 0.0; the norm of its gradient stays nan."""
    is_lost = "loss" in numbers and not math.isfinite(numbers.get("grad_norm", 0.0))
    return numbers | {"loss": math.nan} if is_lost else numbers
