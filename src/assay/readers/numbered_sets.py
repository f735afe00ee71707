"""Numbered evaluation sets, as of XGBoost and LightGBM, told apart by where their losses end.

>>> table = {"validation_0-logloss": [0.6, 0.1], "validation_1-logloss": [0.6, 0.4]}
>>> columns, notes = name_sets(table)
>>> columns
{'train_logloss': [0.6, 0.1], 'val_logloss': [0.6, 0.4]}
"""

from collections.abc import Mapping

from assay.readers.cells import Cells, parse_numbers
from assay.readers.naming import infer_direction, is_curve, parse_curve_name, parse_numbered_set

__all__ = ["name_sets"]

Columns = Mapping[str, Cells]


def name_sets(columns: Columns) -> tuple[Columns, tuple[str, ...]]:
    """The `columns` with numbered evaluation sets as training and validation, and a note.

    Where two sets differ, the one whose loss ends lower is that of training.
    """
    sets: dict[int, dict[str, str]] = {}
    for column in columns:
        parsed = parse_numbered_set(column)
        if parsed is not None and infer_direction(parsed[1]) is not None:
            sets.setdefault(parsed[0], {})[parsed[1]] = column
    has_training = any(is_curve(c) and parse_curve_name(c)[0] == "train" for c in columns)
    if len(sets) < 2 and not (sets and has_training):
        return columns, ()
    train = None if has_training else _find_lower_set(columns, sets)
    val = max(number for number in sets if number != train)
    names = {sets[val][metric]: f"val_{metric}" for metric in sets[val]}
    if train is not None:
        names |= {sets[train][metric]: f"train_{metric}" for metric in sets[train]}
    numbered = {column for metrics in sets.values() for column in metrics.values()}
    kept = {
        names.get(c, c): cells for c, cells in columns.items() if c in names or c not in numbered
    }
    said = f"evaluation set {val} was taken for validation"
    if train is not None:
        said += f" and set {train}, which ends lower, for training"
    return kept, (said,)


def _find_lower_set(columns: Columns, sets: Mapping[int, Mapping[str, str]]) -> int | None:
    """The first or last of several sets, whose losses end lower than those of the other."""
    first, last = min(sets), max(sets)
    for metric in sets[first]:
        if infer_direction(metric) == "lower" and metric in sets[last]:
            ends = [
                parse_numbers(columns[sets[number][metric]], metric, metric).values[-1]
                for number in (first, last)
            ]
            return first if ends[0] < ends[1] else last
    return None
