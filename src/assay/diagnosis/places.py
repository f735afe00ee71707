"""places: what a point of a run is called, on its axis and on disk.

>>> from dataclasses import replace
>>> from assay.diagnosis.places import restore
>>> from assay.readers.history import History
>>> history = History.from_lists(val_loss=[0.9, 0.7, 0.8])
>>> restore(replace(history, checkpoints=((2.0, "checkpoint-250"),)), 2)
'restore checkpoint-250 (epoch 2)'
"""

from assay.diagnosis.case import format_value
from assay.readers.history import History

__all__ = ["describe_place", "name_checkpoint", "restore", "suggest_evaluations"]


def name_checkpoint(history: History, epoch: float) -> str | None:
    """The name on disk of what `history` saved at an `epoch`, or None where the log has none."""
    # Nothing is saved before the first step.
    return dict(history.checkpoints).get(epoch) if epoch > 0 else None


def describe_place(history: History, epoch: float) -> str:
    """Checkpoint, or step, of an `epoch` in brackets; empty where `history` has neither."""
    step = dict(history.steps).get(epoch)
    name = name_checkpoint(history, epoch) or (f"step {step:g}" if step is not None else "")
    tokens = dict(history.tokens).get(epoch)
    if tokens is not None:
        name = f"{name}, {tokens:.3g} tokens".removeprefix(", ")
    return f" ({name})" if name else ""


def restore(history: History, epoch: float) -> str:
    """What to restore to have the model of an `epoch` of `history`."""
    place = f"{history.unit} {format_value(epoch)}"
    name = name_checkpoint(history, epoch)
    if name is not None:
        return f"restore {name} ({place})"
    if history.unit in ("round", "iteration"):
        return f"use the model of {place}"
    return f"restore the weights of {place}"


def suggest_evaluations(history: History) -> str:
    """How to evaluate more often than in `history`: every so many steps where these are known.

    A trend shows then. Ten evaluations in a run as long as this one.
    """
    last = max(history.epochs, default=0.0)
    is_counted = history.unit in ("step", "iteration")
    steps = last if is_counted else max((s for _, s in history.steps), default=0.0)
    name = history.unit if is_counted else "step"
    every = f"every {round(steps / 10):g} {name}s" if steps >= 20 else "several times an epoch"
    if history.unit == "round" or (history.unit == "iteration" and steps < 20):
        every = f"every {history.unit}"
    return f"evaluate more often, {every}, so that 5 evaluations or more show a trend"
