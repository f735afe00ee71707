"""Conversions: what the caller asks to be done to columns before they are checked.

>>> conversions = make_conversions(labels={"LABEL_0": "no", "LABEL_1": "yes"})
>>> convert_labels(pa.array(["LABEL_1", "LABEL_0"]), conversions, "labels").to_pylist()
['yes', 'no']
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from assay.errors import SchemaError
from assay.kernels import Array
from assay.table.columns import (
    RowNamer,
    Unnamed,
    name_by_position,
    numpy_to_arrow,
    require_one,
)
from assay.table.labels import Label, check_classes, encode

__all__ = [
    "AS_GIVEN",
    "Conversions",
    "convert_labels",
    "drop_rows",
    "make_conversions",
    "mark_kept_rows",
    "rename_classes",
    "rename_label",
]

# How a class is numbered in text: 3, LABEL_3, class 3.
NUMBERED = re.compile(r"\s*(?:label|class)?[ _-]?(\d+)\s*", re.I)


class Conversions(NamedTuple):
    """What is done to columns because the caller asks for it; by default nothing.

    `normalise` divides the probabilities of each row by their sum. `percent` reads probabilities
    as percentages. `labels` maps labels, of the truth and of models, to those that are meant.
    `class_names` names the classes 0, 1, ... Rows whose truth is `ignore_label` are left out.
    """

    normalise: bool = False
    percent: bool = False
    labels: Mapping[Label, Label] | None = None
    class_names: tuple[str, ...] | None = None
    ignore_label: Label | None = None

    @property
    def renames(self) -> bool:
        """Whether labels are to be renamed."""
        return self.labels is not None or self.class_names is not None


AS_GIVEN = Conversions()


def make_conversions(
    *,
    normalise: Any = False,
    percent: Any = False,
    labels: Any = None,
    class_names: Any = None,
    ignore_label: Any = None,
    classes: Any = None,
) -> Conversions:
    """What the caller asks, checked; see `Conversions`.

    Parameters:
        normalise: Whether the probabilities of each row are divided by their sum; default False.
        percent: Whether probabilities are read as percentages; default False.
        labels: Map from labels to those that are meant; default: none.
        class_names: Names of the classes 0, 1, ... in their order; default: none.
        ignore_label: Truth of the rows to leave out; default: none.
        classes: The declared classes, if any; they and `class_names` exclude each other.

    Raises:
        SchemaError: An option has another type, or `class_names` and `classes` are both given.
    """
    for name, value in (("normalise", normalise), ("percent", percent)):
        if not isinstance(value, bool):
            raise SchemaError(f"{name} must be True or False; got {value!r}")
    if labels is not None:
        labels = _check_map(labels)
    if class_names is not None:
        if classes is not None:
            raise SchemaError("class_names and classes both name the classes; give one of them")
        class_names = _check_names(class_names)
    if ignore_label is not None:
        ignore_label = check_classes([ignore_label])[0]
    return Conversions(normalise, percent, labels, class_names, ignore_label)


def _check_map(labels: Any) -> dict[Label, Label]:
    if not isinstance(labels, Mapping) or not labels:
        raise SchemaError(
            "labels must be a map from labels to those that are meant, as in "
            f"{{'LABEL_0': 'no', 'LABEL_1': 'yes'}}; got {labels!r}"
        )
    keys = [check_classes([key])[0] for key in labels]
    return dict(zip(keys, (check_classes([value])[0] for value in labels.values()), strict=True))


def _check_names(names: Any) -> tuple[str, ...]:
    if isinstance(names, Mapping):
        raise SchemaError("class_names is a list in the order of the ids; for a map give labels")
    found = check_classes(names)
    texts = tuple(name for name in found if isinstance(name, str))
    if len(texts) < len(found):
        raise SchemaError(f"class_names must be texts; got {list(found)[:10]}")
    return texts


def convert_labels(
    column: Any, conversions: Conversions, where: str, name_row: RowNamer = name_by_position
) -> Any:
    """A `column` of labels with the labels that are meant, where `conversions` renames any.

    Messages name the column by `where` and a row by `name_row`.
    """
    if not conversions.renames:
        return column
    codes, distinct = encode(require_one(column, where), where, name_row)
    renamed = [rename_label(label, conversions, where) for label in distinct]
    if [*map(type, renamed)] == [*map(type, distinct)] and renamed == distinct:
        return column
    if len({*map(type, renamed)}) > 1:
        stays = next((a for a, b in zip(distinct, renamed, strict=True) if a == b), renamed[0])
        raise SchemaError(
            f"{where} would mix types: labels says nothing of {stays!r}, or gives it another type "
            "than the others; map every label to the same type"
        )
    merged = list(dict.fromkeys(renamed))
    places = np.array([merged.index(label) for label in renamed], np.int32)
    new_codes = places[codes] if len(places) else np.zeros(0, np.int32)
    if merged and isinstance(merged[0], str):
        return pa.DictionaryArray.from_arrays(numpy_to_arrow(new_codes), pa.array(merged))
    return np.array(merged)[new_codes] if merged else column


def rename_classes(
    values: Mapping[str, Any], conversions: Conversions, where: str
) -> Mapping[str, Any]:
    """Columns `values` (n,) by class, under the names that are meant by `conversions`.

    SchemaError, naming the columns by `where`, where two of them are meant by one name.
    """
    if not conversions.renames or isinstance(values, Unnamed):
        return values
    renamed = [str(rename_label(name, conversions, where)) for name in values]
    if len(set(renamed)) < len(renamed):
        twice = next(name for name in renamed if renamed.count(name) > 1)
        raise SchemaError(f"{where} has two columns for {twice!r}, once labels are mapped")
    return dict(zip(renamed, values.values(), strict=True))


def rename_label(label: Label, conversions: Conversions, where: str) -> Label:
    """The label that is meant by `label`, as `conversions` says; `where` names its column."""
    labels = conversions.labels or {}
    label = labels.get(label, labels.get(str(label), label))
    names = conversions.class_names
    if names is None or label in names:
        return label
    number = NUMBERED.fullmatch(str(int(label) if isinstance(label, bool) else label))
    place = int(number[1]) if number else -1
    if not 0 <= place < len(names):
        raise SchemaError(
            f"{where} has label {label!r}, but class_names has {len(names)} names, for the "
            f"classes 0 to {len(names) - 1}: {list(names)[:10]}. Name every class."
        )
    return names[place]


def mark_kept_rows(y: Any, ignore_label: Label) -> Array:
    """Which rows (n,) of the normalised truth `y` do not have the label `ignore_label`."""
    column = require_one(y, "truth")
    if isinstance(column, np.ndarray):
        wanted = _convert_to_number(ignore_label)
        return np.ones(len(column), bool) if wanted is None else np.asarray(column != wanted)
    codes, distinct = encode(column, "truth")
    hits = [i for i, label in enumerate(distinct) if str(label) == str(ignore_label)]
    return ~np.isin(codes, hits)


def _convert_to_number(label: Label) -> float | None:
    try:
        return float(label)
    except ValueError:
        return None


def drop_rows(values: Any, keep: Array, where: str) -> Any:
    """The rows of normalised `values` that the mask `keep` (n,) marks; `where` names them."""
    if isinstance(values, Mapping):
        columns = {name: drop_rows(column, keep, where) for name, column in values.items()}
        return type(values)(columns) if isinstance(values, Unnamed) else columns
    if len(values) != len(keep):
        raise SchemaError(
            f"{where} has {len(values)} rows, the truth has {len(keep)}; give one value a row"
        )
    if isinstance(values, np.ndarray):
        return values[keep]
    return values.take(numpy_to_arrow(np.flatnonzero(keep)))
