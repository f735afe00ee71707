"""Label sets: labels of truth and models that never meet, and labels that mark rows to ignore.

>>> find_likely_map(["LABEL_0", "LABEL_1"], [0, 1])
{'LABEL_0': 0, 'LABEL_1': 1}
"""

import re
from collections.abc import Collection, Sequence
from typing import Any, TypeAlias

import numpy as np

from assay.errors import SchemaError
from assay.kernels import Array

__all__ = [
    "IGNORED",
    "Label",
    "advise_ignore",
    "advise_map",
    "find_likely_map",
    "look_like_amounts",
    "refuse_ignore_label",
    "require_common_labels",
]

Label: TypeAlias = str | int | bool

NUMBERED = re.compile(r"(?:label|class)[ _-]?(?=\d+$)")
WORDS = {
    **dict.fromkeys(("1", "true", "t", "yes", "y", "positive", "pos"), "1"),
    **dict.fromkeys(("0", "false", "f", "no", "n", "negative", "neg"), "0"),
}
# The label of tokens that do not count in PyTorch and Transformers, and of pixels in masks.
IGNORED_TOKEN = -100
IGNORED_PIXEL = 255
IGNORED = (IGNORED_TOKEN, IGNORED_PIXEL)
MOST_PIXEL_CLASSES = 200
# Different whole numbers from which a truth may be one of amounts, and rows that are looked at.
MANY_VALUES = 30
ENOUGH = 1 << 16


def require_common_labels(predicted: Sequence[Label], truth: Sequence[Label], model: str) -> None:
    """Refuse labels that a `model` `predicted` none of which occurs among those of the `truth`."""
    if predicted and truth and set(predicted) & set(truth):
        _refuse_blanks(predicted, truth, model)
    if not predicted or not truth or set(predicted) & set(truth):
        return
    if {*predicted, *truth} <= {0, 1}:
        return  # these are the two classes of a binary task, one of which is never predicted
    numbered = all(_fold(label).isdecimal() for label in predicted)
    names = not any(_fold(label).isdecimal() for label in truth)
    if len(truth) == 1 and not (numbered and names) and find_likely_map(predicted, truth) is None:
        return  # rows of one class may all be taken for another
    raise SchemaError(
        f"none of the labels that model {model!r} predicts occurs in the truth: the truth has "
        f"{_show(truth)}; the model predicts {_show(predicted)}. {advise_map(predicted, truth)}"
    )


def _refuse_blanks(predicted: Sequence[Label], truth: Sequence[Label], model: str) -> None:
    """Refuse labels that a `model` `predicted` and that are those of the `truth` but for blanks."""
    bare = {label.strip(): label for label in truth if isinstance(label, str)}
    twins = {
        label: bare[label.strip()]
        for label in predicted
        if isinstance(label, str) and label not in truth and label.strip() in bare
    }
    apart = {label: twin for label, twin in twins.items() if twin not in predicted}
    if apart:
        raise SchemaError(
            f"labels of model {model!r} differ from those of the truth by blanks alone: "
            f"{', '.join(f'{a!r} and {b!r}' for a, b in list(apart.items())[:6])}. "
            f"Say labels={dict(list(apart.items())[:6])} (--labels MAP.json)."
        )


def advise_map(predicted: Sequence[Label], truth: Sequence[Label]) -> str:
    """What to do where labels `predicted` are none of the labels of the `truth`."""
    likely = find_likely_map(predicted, truth)
    if likely is not None:
        shown = dict(list(likely.items())[:10])
        more = ", ..." if len(likely) > 10 else ""
        return (
            f"They likely stand for each other: say labels={str(shown)[:-1]}{more}}} "
            "(--labels MAP.json)."
        )
    names = [label for label in truth if isinstance(label, str)]
    if names and all(_fold(label).isdecimal() for label in predicted):
        return (
            "If these number the classes, say class_names=[...], the names in the order of their "
            "numbers (--class-names), or map each: labels={...} (--labels MAP.json)."
        )
    first = {predicted[0]: truth[0]}
    return (
        f"Say which stands for which, in the form labels={str(first)[:-1]}, ...}} "
        "(--labels MAP.json); if all are labels as they stand, declare classes=[...] (--classes)."
    )


def find_likely_map(
    predicted: Sequence[Label], truth: Sequence[Label]
) -> dict[Label, Label] | None:
    """Which label of the `truth` each `predicted` one plainly stands for; None where none does.

    They are alike but for case, blanks, type, or a prefix such as LABEL_, or are words for yes and
    no.
    """
    for fold in (_fold, _fold_word):
        known = {fold(label): label for label in truth}
        if len(known) < len(truth):
            continue
        folded = [fold(label) for label in predicted]
        if all(text in known for text in folded):
            return {label: known[text] for label, text in zip(predicted, folded, strict=True)}
    return None


def _fold(label: Label) -> str:
    text = str(label).strip().casefold()
    text = NUMBERED.sub("", text)
    return text.removesuffix(".0")


def _fold_word(label: Label) -> str:
    text = _fold(label)
    return WORDS.get(text, text)


def refuse_ignore_label(labels: Sequence[Label], rows: Any, predicted: Collection[Label]) -> None:
    """Refuse a truth with `labels` one of which seems to mark rows that do not count.

    `rows` counts the rows of a label, by its place; `predicted` are labels that models predict.
    """
    if len(labels) < 2 or not all(type(label) is int for label in labels):
        return
    for mark, what in ((IGNORED_TOKEN, "tokens"), (IGNORED_PIXEL, "pixels")):
        if mark not in labels:
            continue
        others = [int(label) for label in labels if label != mark]
        classes = min(others) >= 0 and max(others) < MOST_PIXEL_CLASSES
        if not classes or (mark == IGNORED_PIXEL and mark in predicted):
            continue
        place = list(labels).index(mark)
        raise SchemaError(
            f"truth has label {mark} ({rows(place)} rows), which marks {what} that do not count in "
            f"common frameworks. {advise_ignore(mark)}"
        )


def advise_ignore(mark: Label) -> str:
    """How to leave out rows whose truth is `mark`, or to keep it as a class."""
    return (
        f"To leave these rows out, say ignore_label={mark} (--ignore-label={mark}); if {mark} is "
        "a class, declare it in classes=[...] (--classes)."
    )


def look_like_amounts(truth: Array, predicted: Array) -> bool:
    """Whether whole numbers `truth` and `predicted` (n,) look like amounts rather than classes.

    They are very many, and each is rare, or predictions are often near the truth but seldom equal.

    >>> counts = np.arange(100)
    >>> look_like_amounts(counts, counts + 1), look_like_amounts(counts % 2, counts % 2)
    (True, False)
    """
    if len(truth) != len(predicted) or len(truth) < MANY_VALUES:
        return False
    truth = truth[:ENOUGH].astype(np.float64)
    predicted = predicted[:ENOUGH].astype(np.float64)
    values = len(np.unique(truth))
    equal = float(np.mean(truth == predicted))
    if values < MANY_VALUES or equal >= 0.5:
        return False
    spread = truth.std() * predicted.std()
    covariance = np.mean((truth - truth.mean()) * (predicted - predicted.mean()))
    near = covariance / spread if spread else 0.0
    return bool(len(truth) < 5 * values or near > equal + 0.3)


def _show(labels: Sequence[Label], most: int = 6) -> str:
    shown = ", ".join(map(repr, sorted(labels, key=str)[:most]))
    return f"{shown}, ... ({len(labels)} labels)" if len(labels) > most else shown
