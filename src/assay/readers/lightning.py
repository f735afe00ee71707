"""LightningCsv: Lightning `CSVLogger`, sparse rows, training and validation in different ones."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from assay.readers.base import Reader
from assay.readers.cells import Cells, Numbers, holds_text, parse_axis, parse_numbers
from assay.readers.columns import read_columns
from assay.readers.history import History
from assay.readers.naming import is_curve, parse_curve_name
from assay.readers.text import find_file, load_table, peek_header, peek_rows

__all__ = ["LightningCsv"]


@dataclass(frozen=True)
class LightningCsv(Reader):
    """Lightning `CSVLogger`: `metrics.csv`, or its folder; rows of one epoch are joined.

    `<name>_epoch` is the mean over the epoch; `<name>_step` is used where nothing else holds that
    metric. Validation rows without an epoch belong to that of the rows above them; where an epoch
    holds several validations, steps number the axis.
    """

    name = "lightning"
    suffixes = (".csv",)

    def matches(self, place: Path) -> bool:
        file = find_file(place, "metrics.csv")
        header = peek_header(file) if file else ()
        if not {"epoch", "step"} <= set(header) or not any(map(is_curve, header)):
            return False
        return place.is_dir() or place.name == "metrics.csv" or _has_gaps(place)

    def read(self, place: Path) -> list[History]:
        file = find_file(place, "metrics.csv") or place
        _, columns = load_table(file)
        # Later columns replace earlier ones of the same plain name, so the best comes last.
        ranked = sorted(columns, key=_rank_column)
        curves = {_strip_suffix(column): columns[column] for column in ranked}
        curves, notes = _drop_after_fit(curves, str(file))
        histories = read_columns(
            curves,
            name=place.name if place.is_dir() else place.stem,
            format=self.name,
            source=str(file),
            train="running_mean",
        )
        return [replace(history, notes=history.notes + notes) for history in histories]


def _drop_after_fit(
    curves: Mapping[str, Cells], where: str
) -> tuple[dict[str, Cells], tuple[str, ...]]:
    """The columns without validations that `trainer.validate` ran after `fit`, and a note.

    They stand in an epoch of their own, in which nothing was trained.
    """
    epochs = parse_axis(curves["epoch"], len(curves["epoch"]), where)
    splits = {
        column: parse_curve_name(column)[0]
        for column in curves
        if is_curve(column) and not holds_text(curves[column], None)
    }
    numbers = {column: parse_numbers(curves[column], column, where) for column in splits}
    trained = [numbers[column].measured for column, split in splits.items() if split == "train"]
    if not trained or not np.any(trained):
        return dict(curves), ()
    last = np.flatnonzero(np.any(trained, axis=0))[-1]
    is_late = (np.arange(len(epochs)) > last) & (epochs > epochs[last])
    kept = dict(curves)
    notes = []
    for column, split in splits.items():
        measured = numbers[column].measured
        if split == "val" and (measured & is_late).any() and (measured & ~is_late).any():
            kept[column] = Numbers(numbers[column].values, measured & ~is_late)
            notes.append(f"{column} was measured once more after training, which is left out")
    return kept, tuple(notes)


def _has_gaps(place: Path) -> bool:
    """Whether some of the first rows have empty cells, as sparse rows do."""
    return any("" in cells for cells in peek_rows(place))


def _rank_column(column: str) -> int:
    """0 for `_step`, 1 for a plain name, 2 for `_epoch`."""
    return 1 - column.endswith("_step") + column.endswith("_epoch")


def _strip_suffix(column: str) -> str:
    return column.removesuffix("_step").removesuffix("_epoch")
