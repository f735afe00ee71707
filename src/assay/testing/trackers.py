"""What every tracker must keep: what is logged of each step is read back with the same numbers.

>>> import tempfile
>>> check_tracker("tensorboard", tempfile.mkdtemp())
"""

from collections.abc import Callable, Mapping
from typing import Any

from assay.errors import UnsupportedError
from assay.evaluation.evaluate import evaluate
from assay.table.predictions import Predictions
from assay.testing.laws import require, require_same
from assay.testing.tables import random_table
from assay.tracking.base import TRACKERS, TrackedRun, Tracker
from assay.tracking.track import track

__all__ = ["check_tracker"]

METRICS = ["accuracy", "log_loss"]
ROWS = 40
STEPS = (1, 2, 4)


def check_tracker(
    tracker: str | Tracker,
    run: Any = None,
    *,
    finish: Callable[[], Any] | None = None,
    seed: int = 0,
) -> None:
    """Hold a tracker to the laws that every tracker must keep.

    Its text names it again; the values of each step are curves of validation, equal to 32 bits,
    and the ends of their intervals are none; what is logged of a finished model is no curve;
    predictions are read back as they were, or refused.

    Parameters:
        tracker: The tracker, or its text, as in "mlflow(uri=sqlite:///mlflow.db)".
        run: An empty run to log to, as its package knows it; default: the one under way.
        finish: Finishes the run, before it is read back; default: it need not be finished.
        seed: What the tables at random are drawn from; default 0.

    Raises:
        AssertionError: A law does not hold; the message names the tracker and the law.

    >>> import tempfile
    >>> check_tracker("tensorboard", tempfile.mkdtemp(), seed=1)
    """
    member = TRACKERS.parse(tracker)
    require(TRACKERS.parse(str(member)) == member, member, "its text reads back as the tracker")
    table = random_table("binary", seed, n=ROWS)
    table = table.select(table.models[:1])
    expected: dict[tuple[str, float], float] = {}
    for step in STEPS:
        evaluation = evaluate(table.slice(0, ROWS // step), METRICS)
        expected |= {(row.metric, step): row.value for row in evaluation.rows}
        tracked = track(evaluation, member, run=run, step=step, prefix="val")
    track(evaluation, member, run=run)
    keeps_files = _log_predictions(tracked, run, table)
    if finish is not None:
        finish()
    law = "values of each step are the curves of validation, and nothing else is one"
    require_same(expected, _read_points(tracked), member, law, rtol=1e-6)
    same = not keeps_files or tracked.read_predictions() == table
    require(same, member, "predictions are read back as they were, or refused")


def _read_points(tracked: TrackedRun) -> Mapping[tuple[str, float], float]:
    """The curves of a run as a value for each metric and step."""
    return {
        (series.metric, step): value
        for series in tracked.read_history().series
        for step, value in zip(series.epochs, series.values, strict=True)
    }


def _log_predictions(tracked: TrackedRun, run: Any, table: Predictions) -> bool:
    """Whether the tracker took the predictions, rather than refuse them."""
    try:
        track(table, tracked.tracker, run=run)
    except UnsupportedError:
        return False
    return True
