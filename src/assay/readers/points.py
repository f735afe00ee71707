"""Points: curves that were logged each at steps of its own, joined to one history.

>>> val = Points.from_pairs([(1, 0.9), (2, 0.8)])
>>> curves = {"val_loss": val, "loss": Points.from_pairs([(1, 1.0)])}
>>> history = join_curves(curves, name="run", format="points")
>>> history.unit, history.find("val", "loss").values, history.find("train", "loss").epochs
('step', (0.9, 0.8), (1.0,))
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.errors import SchemaError
from assay.readers.cells import Numbers, Unit, drop_replaced, list_names, note_restarts
from assay.readers.history import EXPECTED, Aggregation, History
from assay.readers.naming import is_curve, is_learning_rate, parse_curve_name

__all__ = ["Points", "join_curves"]

Floats = NDArray[np.float64]


class Points(NamedTuple):
    """`values` (n,) of a curve at `steps` (n,), in the order of writing."""

    steps: Floats
    values: Floats

    @classmethod
    def from_pairs(cls, pairs: Iterable[tuple[float, float]]) -> "Points":
        """Points of `pairs` of a step and a value."""
        table = np.array(list(pairs), dtype=np.float64).reshape(-1, 2)
        return cls(table[:, 0], table[:, 1])

    @classmethod
    def join(cls, parts: Sequence["Points"]) -> "Points":
        """The points of all `parts`, one after the other."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            np.concatenate([part.steps for part in parts]),
            np.concatenate([part.values for part in parts]),
        )

    def take(self, kept: NDArray[np.bool_] | NDArray[np.intp]) -> "Points":
        """The points at the positions, or under the mask, `kept`."""
        return Points(self.steps[kept], self.values[kept])


def join_curves(
    curves: Mapping[str, Points],
    *,
    name: str,
    format: str,
    source: str | None = None,
    unit: Unit = "step",
    train: Aggregation = "unknown",
) -> History:
    """One history of `curves` by name, on the steps of all of them.

    `name`, `format` and `source` are those of the history; `unit` is what steps count, and `train`
    says how training values were taken.

    Where a curve goes back to an earlier step and on from there, the run was restarted and its
    newest points stand. One last point alone that repeats an earlier step is no restart: it was
    measured after training, and is left out with a note.

    Where a curve `epoch` says the epoch of each step, epochs number the rows.
    """
    standing: dict[str, Points] = {}
    restarts: set[float] = set()
    repeated: list[str] = []
    for column, points in curves.items():
        kept = _drop_last_repeated(points)
        if len(kept.steps) < len(points.steps) and is_curve(column):
            repeated.append(column)
        rows, first_steps = drop_replaced(kept.steps)
        standing[column] = kept.take(rows) if len(rows) < len(kept.steps) else kept
        restarts.update(first_steps)
    steps = _join_steps([p.steps for column, p in standing.items() if _is_drawn(column)])
    if steps is None:
        raise SchemaError(
            f"{source or name}: expected {EXPECTED}; found {list_names(curves, 'curves')}"
        )
    epochs = _find_epochs(standing, steps)
    history = History.from_columns(
        {column: _spread(p, steps) for column, p in standing.items() if _is_drawn(column)},
        epochs=Numbers(steps if epochs is None else epochs, np.ones(len(steps), dtype=bool)),
        name=name,
        format=format,
        source=source,
        unit=unit if epochs is None else "epoch",
        train=train,
    )
    notes = list(history.notes)
    if epochs is not None:
        by_step = dict(zip(steps.tolist(), epochs.tolist(), strict=True))
        restarts = {by_step.get(step, step) for step in restarts}
        pairs = dict(zip(epochs.tolist(), steps.tolist(), strict=True))
        history = replace(history, steps=tuple(pairs.items()))
    starts = tuple(sorted({*history.restarts, *restarts}))
    notes = [*note_restarts(starts, history.unit), *_list_other_notes(history)]
    if repeated:
        notes.append(
            f"left out as measured again after training: the last point of {', '.join(repeated)}, "
            f"which repeats an earlier {unit}"
        )
    return replace(history, restarts=starts, notes=tuple(notes))


def _is_drawn(column: str) -> bool:
    is_epoch = column.rpartition("/")[2] == "epoch"
    return not is_epoch and (is_curve(column) or is_learning_rate(column))


def _list_other_notes(history: History) -> list[str]:
    said = note_restarts(history.restarts, history.unit)
    return [note for note in history.notes if note not in said]


def _drop_last_repeated(points: Points) -> Points:
    """The points without a last one alone that does not go forward."""
    steps = points.steps
    if len(steps) < 3 or steps[-1] > steps[-2] or steps[-2] <= steps[-3]:
        return points
    return Points(steps[:-1], points.values[:-1])


def _join_steps(parts: Sequence[Floats]) -> Floats | None:
    """The steps of all curves, sorted; None without any."""
    parts = [part for part in parts if len(part)]
    if not parts:
        return None
    longest = max(parts, key=len)
    if not (longest[1:] > longest[:-1]).all():
        return np.unique(np.concatenate(parts))
    missing = [part[~_holds(longest, part)] for part in parts if part is not longest]
    if not sum(map(len, missing)):
        return longest
    return np.unique(np.concatenate([longest, *missing]))


def _holds(steps: Floats, wanted: Floats) -> NDArray[np.bool_]:
    """Which of the `wanted` are among sorted `steps`."""
    positions = np.minimum(np.searchsorted(steps, wanted), len(steps) - 1)
    found: NDArray[np.bool_] = steps[positions] == wanted
    return found


def _spread(points: Points, steps: Floats) -> Numbers:
    """The values of a curve at all `steps`; of several at one step the last."""
    if points.steps is steps:
        return Numbers(points.values, np.ones(len(steps), dtype=bool))
    values = np.full(len(steps), np.nan)
    measured = np.zeros(len(steps), dtype=bool)
    known = _holds(steps, points.steps)  # a learning rate may have steps that no curve has
    positions = np.searchsorted(steps, points.steps[known])
    values[positions] = points.values[known]
    measured[positions] = True
    return Numbers(values, measured)


def _find_epochs(curves: Mapping[str, Points], steps: Floats) -> Floats | None:
    """The epoch of each of the `steps`, where the log holds it for all of them."""
    for column, points in curves.items():
        if column.rpartition("/")[2] == "epoch":
            epochs = _spread(points, steps)
            is_repeated = _repeats(curves, epochs)
            return epochs.values if epochs.measured.all() and not is_repeated else None
    return None


def _repeats(curves: Mapping[str, Points], epochs: Numbers) -> bool:
    """Whether validation was measured several times in most epochs, as steps then number it."""
    longest = max(
        (
            len(p.steps)
            for c, p in curves.items()
            if is_curve(c) and parse_curve_name(c)[0] == "val"
        ),
        default=0,
    )
    return longest > 2 * len(np.unique(epochs.values[epochs.measured]))
