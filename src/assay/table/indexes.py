"""Indexes: series and data frames of pandas are matched by their indexes, never by place unsaid.

>>> align_indexes({"truth": [0, 1], "model 'a'": [0, 1]})
({'truth': [0, 1], "model 'a'": [0, 1]}, [])
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from assay.errors import SchemaError

__all__ = ["align_indexes"]


def align_indexes(columns: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The `columns`, each in the order of the first index of them, and notes on what was moved.

    `columns` are arrays, series, frames and so on, by what messages call them; what has no index
    is matched by place. SchemaError where indexes hold different keys, or where it is not plain
    whether they mean anything.
    """
    first = next(_list_indexes(columns), None)
    if first is None:
        return dict(columns), []
    owner, index = first
    aligned = {}
    moved = []
    by_place = []
    for name, values in columns.items():
        parts = [part for _, part in _list_indexes({name: values})]
        if all(part is index or _is_equal(part, index) for part in parts):
            aligned[name] = values
            continue
        for part in (index, *parts):
            _require_keys(part, name)
        if all(_says_nothing(part, index) for part in parts):
            aligned[name] = values
            by_place.append(name)
        else:
            aligned[name] = _align(values, index, name, owner)
            moved.append(name)
    notes = []
    if moved and not _has_index(columns.get("truth")):
        raise SchemaError(
            f"{_list([owner, *moved])} have the same keys in their indexes, in different orders, "
            "and the truth has no index to say which order is right; give the truth as a series "
            "with that index, too"
        )
    if moved:
        notes.append(f"By their index, rows were put in the order of {owner}: {_list(moved)}.")
    if by_place:
        notes.append(
            f"The index of {owner} and that of {_list(by_place)} have other keys, and one of them "
            "merely counts rows: rows were matched by place."
        )
    return aligned, notes


def _list_indexes(columns: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The index of each series and frame, also of those in a map, and what it is called."""
    for name, values in columns.items():
        if _has_index(values):
            yield name, values.index
        elif isinstance(values, Mapping):
            yield from ((name, index) for _, index in _list_indexes(values))


def _has_index(values: Any) -> bool:
    """Whether `values` are a series or a frame of pandas, or of what is made like it."""
    return hasattr(values, "iloc") and hasattr(values, "index") and hasattr(values, "reindex")


def _require_keys(index: Any, name: str) -> None:
    """Refuse an index whose values are no keys, as lists."""
    try:
        hash(tuple(index))
    except TypeError as error:
        raise SchemaError(
            f"{name} cannot be matched by its index, which holds values that are no keys "
            f"({error}); to match rows by place, give .to_numpy() of all"
        ) from error


def _is_equal(a: Any, b: Any) -> bool:
    return len(a) == len(b) and bool(a.equals(b))


def _counts_rows(index: Any) -> bool:
    """Whether an index is 0, 1, 2, ... that was never set."""
    kind = type(index).__name__ == "RangeIndex"
    return kind and bool(index.start == 0 and index.step == 1)


def _says_nothing(index: Any, other: Any) -> bool:
    """Whether one of two indexes merely counts rows and the other holds other keys."""
    if len(index) != len(other):
        return True  # another number of rows is refused later, with both numbers
    if not (_counts_rows(index) or _counts_rows(other)):
        return False
    return not _has_same_keys(index, other)


def _has_same_keys(a: Any, b: Any) -> bool:
    return bool(a.is_unique and b.is_unique and (a.get_indexer(b) >= 0).all())


def _align(values: Any, index: Any, name: str, owner: str) -> Any:
    """The rows of `values` in the order of `index`, which is that of `owner`."""
    if isinstance(values, Mapping) and not _has_index(values):
        return {key: _align(part, index, name, owner) for key, part in values.items()}
    if not _has_index(values) or _is_equal(values.index, index):
        return values
    place = "give .to_numpy() of both"
    if not (values.index.is_unique and index.is_unique):
        raise SchemaError(
            f"{name} and {owner} have different indexes, in which keys repeat, so that rows cannot "
            f"be matched; to match rows by place, {place}"
        )
    places = values.index.get_indexer(index)
    if (places < 0).any():
        key = index[int(np.argmax(places < 0))]
        raise SchemaError(
            f"{name} and {owner} have different indexes: {int((places < 0).sum())} keys of that of "
            f"{owner}, as {key!r}, are not in that of {name}. Give both the same keys; to match "
            f"rows by place, {place}"
        )
    if _counts_rows(values.index) or _counts_rows(index):
        raise SchemaError(
            f"{name} and {owner} have the same keys in their indexes, in different orders, and one "
            "of them merely counts rows, so that it is not plain which rows belong together. To "
            f"match rows by place, {place}; by key, put both in one order first, as by "
            ".sort_index()"
        )
    return values.iloc[places]


def _list(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f", ... {len(names)} in all" if len(names) > 5 else "")
