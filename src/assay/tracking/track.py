"""track: a result is logged to a run of MLflow, Weights & Biases or TensorBoard.

>>> import tempfile
>>> from assay.evaluation.evaluate import evaluate
>>> folder = tempfile.mkdtemp()
>>> for epoch, y_pred in enumerate([[0, 1, 0, 1], [0, 1, 0, 0], [0, 1, 1, 0]], start=1):
...     evaluation = evaluate([0, 1, 1, 0], y_pred, "accuracy")
...     run = track(evaluation, "tensorboard", run=folder, step=epoch, prefix="val")
>>> run.read_history().find("val", "accuracy").values
(0.5, 0.75, 1.0)
"""

from typing import Any

import numpy as np

from assay.core.result import Result
from assay.errors import UnsupportedError
from assay.table.predictions import Predictions
from assay.tracking.base import TrackedRun, Tracker, resolve_tracker
from assay.tracking.record import PREFIX, make_record

__all__ = ["track"]


def track(
    result: Result | Predictions,
    to: str | Tracker | None = None,
    *,
    run: Any = None,
    step: int | None = None,
    prefix: str = PREFIX,
) -> TrackedRun:
    """Log a result to a run: its figures with their intervals, its verdict, and its documents.

    Figures are numbers by name: `assay/f1` with `assay/f1_low` and `assay/f1_high`, the ends of its
    interval; `assay/bert/f1` where there are several models; `assay/comparison/f1/bert_vs_gbm`;
    `assay/diagnosis/best_epoch`. What is undefined is left out; the JSON says why. The same
    documents of a later step take the place of the earlier ones.

    Parameters:
        result: What a verb returned: an Evaluation, a Comparison, a Diagnosis, a Report, ...; or
            Predictions, which are kept as a Parquet file.
        to: "mlflow", "wandb" or "tensorboard", as in "mlflow(uri=sqlite:///mlflow.db)", or a
            Tracker; default: the tracker of `run`.
        run: The run to log to: what an earlier call returned, or a run as its package knows it (of
            MLflow an ID or a Run, of wandb a Run, of TensorBoard a folder or a SummaryWriter);
            default: the one under way, or else a new one.
        step: Number of the epoch or step that was judged, 0 or more; default: none, for a run as a
            whole.
        prefix: What the names of an Evaluation's figures begin with; default "assay". With "val"
            they are curves of the training, which `diagnose` reads: `val/f1`.

    Returns:
        The run, which reads histories and predictions back, and takes further results.

    Raises:
        UnsupportedError: It is no result, `step` is no whole number of 0 or more, or the tracker
            keeps no predictions.
        MissingDependencyError: The tracker is not installed; the message names the extra.

    >>> import assay, tempfile
    >>> history = assay.History.from_lists(val_loss=[0.9, 0.7, 0.8])
    >>> run = track(assay.diagnose(history), "tensorboard", run=tempfile.mkdtemp())
    >>> str(run.tracker)
    'tensorboard'
    """
    if step is not None and (not isinstance(step, int | np.integer) or step < 0):
        raise UnsupportedError(f"step must be a whole number of 0 or more; got {step!r}")
    if isinstance(run, TrackedRun):
        to = run.tracker if to is None else to
        run = run.id
    if to is None:
        raise UnsupportedError("name the tracker: to='mlflow', 'wandb' or 'tensorboard'")
    tracker = resolve_tracker(to)
    if isinstance(result, Predictions) and not tracker.keeps_files:
        raise tracker.refuse_predictions()
    record = make_record(result, prefix)
    return TrackedRun(tracker, tracker.write(record, run, None if step is None else int(step)))
