"""inputs: the parts of what models read (columns, patches, words), and how each is broken.

>>> import numpy as np
>>> X = np.array([[0, 10], [1, 11], [2, 12]])
>>> parts = list_parts(X)
>>> list(parts), parts["1"](X, np.array([2, 0, 1])).tolist()
(['0', '1'], [[0, 12], [1, 10], [2, 11]])
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from assay.errors import UnsupportedError
from assay.kernels import Array

__all__ = ["Break", "list_parts"]

# Gives the inputs with a part of each row taken from another one, whose numbers are given (n,).
Break = Callable[[Any, Array], Any]

WORDS = 20  # of texts, the words in the most of them
CHANNELS = (1, 3, 4)


def list_parts(
    inputs: Any,
    features: Mapping[str, Sequence[Any]] | Sequence[Any] | None = None,
    patch: tuple[int, int] | None = None,
    words: Sequence[str] | None = None,
) -> dict[str, Break]:
    """The parts of `inputs` by name, each with the function that breaks its bond with the truth.

    Parameters:
        inputs: Rows: an array (n, columns), images (n, h, w) with channels first or last, a data
            frame, a sparse matrix, or a list of texts.
        features: Columns, or groups of columns by name; default: every column.
        patch: Height and width of the patches of images; default: a quarter of each.
        words: Words of texts; default: the 20 that are in the most texts.

    Raises:
        UnsupportedError: There is no such column, or inputs of this type have no known parts.
    """
    if _holds_texts(inputs):
        return _list_words(inputs, words)
    if words is not None:
        raise UnsupportedError(f"words are of texts; the inputs are a {type(inputs).__name__}")
    shape = getattr(inputs, "shape", ())
    if len(shape) > 2 and features is None:
        return _list_patches(tuple(shape), patch)
    if patch is not None:
        raise UnsupportedError(f"patch is of images (n, h, w); the inputs have shape {shape}")
    if len(shape) != 2:
        raise UnsupportedError(
            f"the inputs are a {type(inputs).__name__}; expected an array, a data frame, a sparse "
            f"matrix or a list of texts"
        )
    return _list_columns(inputs, features)


def _holds_texts(inputs: Any) -> bool:
    is_list = isinstance(inputs, list | tuple) or getattr(inputs, "ndim", 0) == 1
    return is_list and len(inputs) > 0 and isinstance(inputs[0], str)


def _list_columns(
    inputs: Any, features: Mapping[str, Sequence[Any]] | Sequence[Any] | None
) -> dict[str, Break]:
    names = list(inputs.columns) if hasattr(inputs, "columns") else list(range(inputs.shape[1]))
    if features is None:
        features = names
    groups = (
        dict(features)
        if isinstance(features, Mapping)
        else {str(name): [name] for name in features}
    )
    for group, columns in groups.items():
        unknown = [name for name in columns if name not in names]
        if unknown or not columns:
            known = ", ".join(map(str, names[:10])) + ", ..." * (len(names) > 10)
            raise UnsupportedError(
                f"feature {group!r}: the inputs have no column {unknown[0] if unknown else ''!r}; "
                f"they have {known}"
            )
    swap: Callable[..., Any] = _swap_in_array
    if hasattr(inputs, "columns"):
        swap = _swap_in_polars if hasattr(inputs, "with_columns") else _swap_in_pandas
    elif hasattr(inputs, "tocsc"):
        swap = _swap_in_sparse
    return {group: partial(swap, columns=list(columns)) for group, columns in groups.items()}


def _swap_in_array(inputs: Any, rows: Array, columns: list[int]) -> Any:
    changed = inputs.clone() if hasattr(inputs, "clone") else np.array(inputs)
    for column in columns:
        changed[:, column] = inputs[rows, column]
    return changed


def _swap_in_pandas(inputs: Any, rows: Array, columns: list[Any]) -> Any:
    moved = {column: inputs[column].take(rows).set_axis(inputs.index) for column in columns}
    changed = inputs.copy(deep=False)
    for column, values in moved.items():
        changed[column] = values
    return changed


def _swap_in_polars(inputs: Any, rows: Array, columns: list[str]) -> Any:
    return inputs.with_columns([inputs[column].gather(rows) for column in columns])


def _swap_in_sparse(inputs: Any, rows: Array, columns: list[int]) -> Any:
    changed = inputs.tolil(copy=True)
    by_column = inputs.tocsc()
    for column in columns:
        changed[:, [column]] = by_column[:, [column]][rows]
    return changed.asformat(inputs.format)


def _list_patches(shape: tuple[int, ...], patch: tuple[int, int] | None) -> dict[str, Break]:
    if len(shape) > 4:
        raise UnsupportedError(f"images have shape (n, h, w) or (n, h, w, c); got {shape}")
    first = 2 if len(shape) == 4 and shape[1] in CHANNELS and shape[3] not in CHANNELS else 1
    height, width = shape[first : first + 2]
    high, wide = patch or (max(1, height // 4), max(1, width // 4))
    parts: dict[str, Break] = {}
    for top in range(0, height, high):
        for left in range(0, width, wide):
            bottom, right = min(top + high, height), min(left + wide, width)
            place = (slice(top, bottom), slice(left, right))
            name = f"rows {top}-{bottom - 1}, columns {left}-{right - 1}"
            parts[name] = partial(_swap_patch, place=(*(slice(None),) * (first - 1), *place))
    return parts


def _swap_patch(inputs: Any, rows: Array, place: tuple[slice, ...]) -> Any:
    changed = inputs.clone() if hasattr(inputs, "clone") else np.array(inputs)
    changed[(slice(None), *place)] = inputs[rows][(slice(None), *place)]
    return changed


def _list_words(texts: Sequence[str], words: Sequence[str] | None) -> dict[str, Break]:
    if words is None:
        counts = Counter(word for text in texts for word in set(re.findall(r"\w+", text.lower())))
        words = [word for word, _ in counts.most_common(WORDS)]
    return {word: partial(_leave_out, word=word) for word in words}


def _leave_out(texts: Sequence[str], rows: Array, word: str) -> list[str]:
    """The texts without the `word`: which rows others come from does not matter."""
    pattern = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)\s?", re.IGNORECASE)
    return [pattern.sub("", text) for text in texts]
