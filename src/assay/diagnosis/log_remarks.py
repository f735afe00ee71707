"""log_remarks: what a log holds beside its curves: perplexity, schedule, lost points, tests.

>>> from assay.diagnosis.log_remarks import describe_log
>>> from assay.readers.history import History
>>> describe_log(History.from_columns({"val_ppl": [20.0, 12.0, 10.0]}))
['ppl is judged by its logarithm, in nats: it is 10 at best and 10 at the end']
"""

import numpy as np

from assay.diagnosis.case import format_value
from assay.readers.history import History
from assay.readers.naming import is_perplexity, is_plain_loss

__all__ = ["describe_log", "is_schedule_over"]


def describe_log(history: History) -> list[str]:
    """What the log of `history` holds beside its curves, a sentence each.

    Perplexity, more losses, lost points, values on test rows, a schedule.
    """
    remarks = []
    val = history.find(history.validation_split, history.loss or "")
    if val is not None and is_perplexity(val.metric):
        lowest = format_value(min(val.values))
        remarks.append(
            f"{val.metric} is judged by its logarithm, in nats: it is {lowest} at best and "
            f"{format_value(val.values[-1])} at the end"
        )
    losses = [name for name in history.metrics if is_plain_loss(name)]
    if losses and history.loss not in ("loss", None):
        remarks.append(
            f"the loss judged is {history.loss}; {', '.join(losses)} "
            f"{'was' if len(losses) == 1 else 'were'} logged too"
        )
    train = history.find("train", history.loss or "")
    lost = [] if train is None else np.flatnonzero(~np.isfinite(train.values)).tolist()
    if train is not None and lost:
        remarks.append(
            f"training loss was nan or inf at {len(lost)} of {len(train.values)} points, first at "
            f"{history.unit} {format_value(train.epochs[lost[0]])}, and recovered"
        )
    remarks += [
        f"{s.metric} was measured once on test rows ({format_value(s.values[0])}): no curve"
        for s in history.series
        if s.split == "test" and s.split != history.validation_split and len(s.values) == 1
    ]
    return remarks + _describe_schedule(history)


def _describe_schedule(history: History) -> list[str]:
    """What the learning rate explains: nothing learned, a finished schedule, rises at restarts."""
    if history.schedule is None:
        return []
    epochs = np.array(history.schedule.epochs)
    rates = np.array(history.schedule.values)
    if not rates.any():
        return ["the learning rate was 0 throughout: nothing was learned"]
    remarks = []
    peak = int(np.argmax(rates))
    raised = np.flatnonzero(rates[1:] > 1.5 * np.maximum(rates[:-1], 1e-3 * rates.max())) + 1
    # Until it first falls, the learning rate is warmed up.
    first_fall = np.flatnonzero(np.diff(rates) < 0)
    restarts = raised[raised > first_fall[0]] if len(first_fall) else raised[:0]
    if len(restarts):
        times = f"{len(restarts)} times" if len(restarts) > 1 else "once"
        remarks.append(
            f"the learning rate was raised again {times}, first at {history.unit} "
            f"{format_value(float(epochs[restarts[0]]))}: a passing rise of the loss there is its "
            f"doing"
        )
    elif peak > 0 and rates[0] < 0.5 * rates[peak]:
        remarks.append(
            f"the learning rate was warmed up until {history.unit} "
            f"{format_value(float(epochs[peak]))}"
        )
    if is_schedule_over(history):
        remarks.append("the learning rate ended near 0: the schedule is finished")
    return remarks


def is_schedule_over(history: History) -> bool:
    """Whether the learning rate of `history` ended below 1 % of its highest value."""
    rates = history.schedule.values if history.schedule else ()
    return len(rates) >= 3 and 0 <= rates[-1] < 0.01 * max(rates)
