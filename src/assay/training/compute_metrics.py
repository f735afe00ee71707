"""compute_metrics: what the Trainer of Transformers takes under that name.

>>> from types import SimpleNamespace
>>> compute = compute_metrics("accuracy", "f1")
>>> logits, labels = [[2.0, 0.0], [0.0, 1.0], [0.5, 0.0]], [0, 1, 1]
>>> compute(SimpleNamespace(predictions=logits, label_ids=labels))
{'accuracy': 0.6666666666666666, 'f1': 0.6666666666666666}
"""

from typing import Any

from assay.evaluation.meter import Meter
from assay.metrics.base import Metric

__all__ = ["ComputeMetrics", "compute_metrics"]


class ComputeMetrics:
    """What `compute_metrics` makes; `meter` holds the rows while they come batch by batch."""

    def __init__(self, meter: Meter) -> None:
        self.meter = meter

    def __call__(self, prediction: Any, compute_result: bool = True) -> dict[str, float]:
        """The values by name; empty while batches are still to come.

        Parameters:
            prediction: An EvalPrediction: its `predictions`, of several the first, are the outputs,
                and its `label_ids` the targets.
            compute_result: Whether this is the last batch, as the Trainer says with
                `batch_eval_metrics=True`; default True.
        """
        outputs, target = prediction.predictions, prediction.label_ids
        outputs = outputs[0] if isinstance(outputs, tuple) else outputs
        target = target[0] if isinstance(target, tuple) else target
        self.meter.update(outputs, target)
        if not compute_result:
            return {}
        # The Trainer has gathered the rows of all processes already.
        values = self.meter.compute(sync=False).scalars
        self.meter.reset()
        return values


def compute_metrics(*metrics: str | Metric, **declared: Any) -> ComputeMetrics:
    """What the Trainer takes as `compute_metrics`, also with `batch_eval_metrics=True`.

    The outputs of a model are logits, unless `kind` says otherwise; those of numbers are told by
    task="regression", those of several labels a row by task="multilabel". Rows and tokens whose
    label is -100 are left out.

    Parameters:
        metrics: Texts such as "f1(average=micro)", or Metric instances; default: those that suit
            the task.
        declared: Keywords of `Meter`: class_names, kind, task, positive, ...

    Returns:
        A function of an EvalPrediction.

    Used as in `Trainer(model, args, compute_metrics=assay.compute_metrics("f1", "accuracy"))`.

    >>> compute_metrics("f1", positive=1).meter.metrics
    [F1(average='auto')]
    """
    task = declared.get("task")
    usual: dict[str, Any] = {"intervals": False}
    if task != "regression":
        usual["kind"] = "logit"
    if task not in ("regression", "multilabel"):
        usual["ignore_label"] = -100
    return ComputeMetrics(Meter(list(metrics) or None, **{**usual, **declared}))
