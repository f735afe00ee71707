"""Names of the truth: which column is proposed where none bears the name that was given.

>>> propose_truth({"income": ["<=50K"], "Scored Labels": ["<=50K"]}, "y")
['income']
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from assay.errors import suggest
from assay.io.conventions import is_prediction_name, split_words
from assay.table.schema import SPECIAL, parse_column

__all__ = ["explain_no_truth", "propose_truth"]

NAMES_OF_TRUTH = (
    "y_true",
    "truth",
    "ground_truth",
    "groundtruth",
    "target",
    "label",
    "actual",
    "gold",
    "obs",
    "observed",
    "reference",
    "expected",
    "answer",
    "class",
    "labels",
    "targets",
    "true",
    "y",
    "outcome",
)
SHOWN = 20


def propose_truth(columns: Mapping[str, Sequence[Any]], truth: str) -> list[str]:
    """The columns that may be the truth: one that is likely, or several among which it is.

    Parameters:
        columns: Some values of each column by its name in the file.
        truth: The name that was looked for.

    Returns:
        Names, never of a column that holds predictions; none where nothing shows it.
    """
    names = [name for name in columns if name not in SPECIAL and not _holds_predictions(name)]
    close = suggest(truth, names) if truth not in ("y", "Y") else []
    if close:
        return close
    folded = {name.strip().lower(): name for name in reversed(names)}
    known = [folded[name] for name in NAMES_OF_TRUTH if name in folded]
    if known:
        return known[:1]
    by_word = {
        word: found
        for word in NAMES_OF_TRUTH
        if (found := [name for name in names if word in split_words(name)])
    }
    if by_word:
        return next(iter(by_word.values()))
    return _find_same_values(columns, names)


def _holds_predictions(name: str) -> bool:
    return parse_column(name)[1] is not None or is_prediction_name(name)


def _find_same_values(columns: Mapping[str, Sequence[Any]], names: Sequence[str]) -> list[str]:
    """The only column that holds the labels of a column of predictions."""
    predicted = [
        set(values) for name, values in columns.items() if is_prediction_name(name) and values
    ]
    found = [
        name
        for name in names
        if columns[name] and any(set(columns[name]) & labels for labels in predicted)
    ]
    return found if len(found) == 1 else []


def explain_no_truth(columns: Mapping[str, Sequence[Any]], truth: str) -> str:
    """That no column is named `truth`, and what to do; `columns` are those of `propose_truth`."""
    names = list(columns)
    shown = ", ".join(map(repr, names[:SHOWN]))
    shown += f", ... {len(names)} in all" if len(names) > SHOWN else ""
    begin = f"no truth column {truth!r}; columns are {shown}."
    found = propose_truth(columns, truth)
    if len(found) == 1:
        return f"{begin} Is it {found[0]!r}? Then name it: {_name(found[0])}."
    if found:
        listed = ", ".join(map(repr, found[:SHOWN]))
        return (
            f"{begin} Several may be truths: {listed}. Evaluate one at a time, as with "
            f"{_name(found[0])}, or, if they are labels of one multi-label task, name them "
            f"{truth}.<label>."
        )
    numbered = names == [str(i + 1) for i in range(len(names))]  # as where there is no header
    if not numbered and sum(map(_is_data, names)) * 2 >= len(names):
        return (
            f"{begin} These look like cells: if the file has no header, say --no-header "
            "(header=False), which names its columns 1, 2, ..."
        )
    return f"{begin} Name it: {_name('COLUMN')}."


def _name(column: str) -> str:
    return f"truth={column!r} (--truth {shlex.quote(column)} on the command line)"


def _is_data(name: str) -> bool:
    return re.fullmatch(r"[+-]?\d*[.,]?\d+([eE][+-]?\d+)?", name.strip()) is not None
