"""Boxes: the objects of each image, true and found, as one text of JSON a row.

>>> found = [[{"category": "cat", "bbox": [4, 4, 10, 8], "score": 0.9}], []]
>>> texts = convert_to_boxes(list(map(write_boxes, found)), "boxes of model 'a'", scored=True)
>>> len(parse_boxes(texts[0])), texts[1]
(1, '[]')
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from assay.errors import SchemaError
from assay.kernels import Array
from assay.table.columns import RowNamer, name_by_position
from assay.table.labels import Label
from assay.table.texts import convert_to_texts

__all__ = ["collect_categories", "convert_to_boxes", "parse_boxes", "write_boxes"]

FORM = '[{"category": "cat", "bbox": [x, y, width, height]%s}, ...]'
OF_TRUTH = ("category", "bbox")
OF_MODELS = ("category", "bbox", "score")


def write_boxes(boxes: Sequence[Mapping[str, Any]]) -> str:
    """The `boxes` of one image as text.

    >>> write_boxes([{"category": 1, "bbox": [0.0, 0.0, 2.0, 3.5]}])
    '[{"category": 1, "bbox": [0.0, 0.0, 2.0, 3.5]}]'
    """
    return json.dumps(list(boxes), ensure_ascii=False)


def parse_boxes(text: str) -> list[dict[str, Any]]:
    """The boxes that `text` holds, as `write_boxes` wrote it."""
    boxes: list[dict[str, Any]] = json.loads(text)
    return boxes


def convert_to_boxes(
    values: Any,
    where: str,
    name_row: RowNamer = name_by_position,
    *,
    scored: bool,
    classes: Sequence[Label] | None = None,
) -> Array:
    """One column of boxes in `values` as texts (n,), objects, checked.

    Boxes that models found are `scored`; `classes` are the categories that there are. Messages name
    the column by `where` and the row by `name_row`.
    """
    texts = convert_to_texts(values, where, name_row)
    images = [_parse_cell(text, where, row, name_row, scored) for row, text in enumerate(texts)]
    rows = np.repeat(np.arange(len(images)), list(map(len, images)))
    boxes = [box for image in images for box in image]
    if not boxes:
        return texts

    def refuse(bad: Array, what: str) -> None:
        if bad.any():
            first = int(np.argmax(bad))
            raise SchemaError(
                f"{where}: {what} at {name_row(int(rows[first]))} ({int(bad.sum())} such boxes, "
                f"the first {json.dumps(boxes[first], ensure_ascii=False)[:120]})"
            )

    four = np.array([_is_four_numbers(box["bbox"]) for box in boxes])
    refuse(~four, "a bbox is no [x, y, width, height]")
    sides = np.array([box["bbox"] for box in boxes], np.float64)
    refuse(np.asarray(~np.isfinite(sides).all(axis=1)), "a bbox is not finite")
    refuse(
        np.asarray((sides[:, 2:] < 0).any(axis=1)),
        "a bbox has a negative width or height; it is [x, y, width, height], not two corners,",
    )
    if scored:
        numbers = np.array([_is_number(box["score"]) for box in boxes])
        refuse(~numbers, "a score is no number")
    if classes is not None:
        known = set(classes)
        refuse(
            np.array([box["category"] not in known for box in boxes]),
            f"a category is none of {', '.join(map(repr, list(classes)[:8]))}"
            f"{', ...' if len(classes) > 8 else ''}",
        )
    return texts


def collect_categories(columns: Iterable[Any], name_row: RowNamer) -> tuple[Label, ...]:
    """The categories in `columns` of boxes, sorted; rows are named by `name_row`."""
    found: set[Label] = set()
    for values in columns:
        for row, text in enumerate(convert_to_texts(values, "boxes", name_row)):
            found |= {box["category"] for box in _parse_cell(text, "boxes", row, name_row, False)}
    if len({type(label) for label in found}) > 1:
        raise SchemaError(
            "categories are texts in some boxes and numbers in others; write them alike in all"
        )
    return tuple(sorted(found))


def _parse_cell(
    text: str, where: str, row: int, name_row: RowNamer, scored: bool
) -> list[dict[str, Any]]:
    try:
        boxes = json.loads(text)
    except ValueError:
        boxes = None
    names = OF_MODELS if scored else OF_TRUTH
    is_list = isinstance(boxes, list) and all(isinstance(box, dict) for box in boxes)
    if not is_list:
        form = FORM % (', "score": 0.9' if scored else "")
        raise SchemaError(
            f"{where} holds {text[:60]!r} at {name_row(row)}; expected the boxes of an image as "
            f"JSON, {form}, or [] where there are none"
        )
    for box in boxes:
        lacking = [name for name in names if name not in box]
        if lacking:
            raise SchemaError(
                f"{where}: a box has no {lacking[0]!r} at {name_row(row)} "
                f"({json.dumps(box, ensure_ascii=False)[:120]}); give {', '.join(names)} of each"
            )
        if not isinstance(box["category"], str | int) or isinstance(box["category"], bool):
            raise SchemaError(
                f"{where}: the category {box['category']!r} at {name_row(row)} is neither text nor "
                "a whole number"
            )
    return list(boxes)


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))
    )


def _is_four_numbers(bbox: Any) -> bool:
    return (
        isinstance(bbox, list)
        and len(bbox) == 4
        and all(isinstance(side, int | float) and not isinstance(side, bool) for side in bbox)
    )
