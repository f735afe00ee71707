"""Boxes of images, as frameworks return them and as COCO files hold them, made into a table.

>>> truth = [{"boxes": [[0, 0, 10, 10]], "labels": ["cat"]}]
>>> found = [{"boxes": [[0, 0, 10, 8]], "labels": ["cat"], "scores": [0.9]}]
>>> pair_boxes(truth, {"yolo": found})
Predictions: 1 rows, detection (cat), 1 model: yolo (text)
"""

import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from assay.errors import ReadError, SchemaError
from assay.kernels import Array
from assay.table.boxes import write_boxes
from assay.table.labels import Label
from assay.table.predictions import Predictions

__all__ = ["BoxFormat", "holds_coco", "pair_boxes", "read_coco"]

BoxFormat: TypeAlias = Literal["xyxy", "xywh"]
Box: TypeAlias = dict[str, Any]

COCO = ("images", "annotations", "categories")
CORNERS = ("xmin", "ymin", "xmax", "ymax")
MOST_SHOWN = 5
# Share of the boxes of a model that must leave their image to say that they are corners.
MOST_OUTSIDE = 0.5


class Truth(NamedTuple):
    """A file of true objects, as COCO writes it: the boxes of each image by its id, in order."""

    boxes: dict[Any, list[Box]]
    sizes: dict[Any, tuple[float, float]]  # width and height
    names: dict[Any, Label]  # of the categories, by id


def pair_boxes(
    y: Any,
    models: Mapping[str, Any],
    *,
    classes: Sequence[Label] | None = None,
    class_names: Sequence[str] | None = None,
    box_format: BoxFormat = "xyxy",
    id: Sequence[Any] | None = None,
    groups: Mapping[str, Any] | None = None,
) -> Predictions:
    """The table of images with the boxes that are true and those that models found.

    A row is an image, so that intervals and comparisons draw whole images.

    Parameters:
        y: The true boxes of each image, in one of three forms: a mapping of boxes (n, 4), labels
            (n,) and, where there are any, iscrowd and area (n,), as torchvision and torchmetrics
            take it; a list of mappings of box and label; or for all images what a COCO file holds,
            or its path.
        models: Name of each model -> its boxes of each image, in the order of the truth: a mapping
            of boxes, labels and scores (n,), or a list of mappings of box, label and score, as
            pipelines of Transformers return; or, beside a truth of COCO, a list of COCO results
            or its path.
        classes: Categories in their order; default: those of the boxes, sorted.
        class_names: Names of the labels 0, 1, ...; default: none.
        box_format: Whether boxes are two corners, "xyxy" (default), or "xywh": left, top, width,
            height. COCO's are xywh whatever is said here.
        id: Name of each image (n,); default: none, or the image ids of COCO.
        groups: Further columns of the images (n,) by name, to slice by.

    Returns:
        The table, whose task is detection.

    Raises:
        SchemaError: Boxes cannot be used, or name images or categories that the truth has not.
        ReadError: A file cannot be read.

    >>> import assay
    >>> truth = [[{"box": {"xmin": 0, "ymin": 0, "xmax": 9, "ymax": 9}, "label": "cat"}]]
    >>> found = [[{**truth[0][0], "score": 0.8}]]
    >>> assay.evaluate(assay.pair_boxes(truth, {"detr": found}), "box_ap", intervals=False).value
    1.0
    """
    if not isinstance(models, Mapping) or not models:
        raise SchemaError(
            "models must be a mapping of name to boxes, as {'yolo': found}; got "
            f"{type(models).__name__}"
        )
    if box_format not in ("xyxy", "xywh"):
        raise SchemaError(f"box_format must be 'xyxy' or 'xywh'; got {box_format!r}")
    if isinstance(y, str | os.PathLike) or _is_coco(y):
        truth = _read_truth(_load(y), "truth")
        by_id = {
            name: _read_results(_load(results), truth, f"model {name!r}")
            for name, results in models.items()
        }
        names = {label: label for label in truth.names.values()}
        return _assemble(truth, by_id, classes or tuple(names), groups)
    true = _list_images(y, "truth", box_format, class_names, scored=False)
    found: dict[str, list[list[Box]]] = {}
    for name, images in models.items():
        where = f"model {name!r}"
        found[name] = _list_images(images, where, box_format, class_names, scored=True)
        if len(found[name]) != len(true):
            raise SchemaError(
                f"{where} has boxes of {len(found[name])} images, the truth of {len(true)}; give "
                "one entry an image, an empty one where nothing was found"
            )
    _refuse_other_units(true, found)
    return _make_table(true, found, classes, id, groups)


def holds_coco(path: Any) -> bool:
    """Whether there is a JSON file at `path` that holds true objects as COCO writes them."""
    if not isinstance(path, str | os.PathLike) or Path(path).suffix.lower() != ".json":
        return False
    try:
        text = Path(path).read_bytes()
        return b'"annotations"' in text and _is_coco(json.loads(text))
    except (OSError, ValueError):
        return False


def read_coco(paths: Sequence[Any], classes: Sequence[Label] | None = None) -> Predictions:
    """The table of a COCO file of true objects among `paths`, the others being results of models.

    The name of a file of results is its model's. `classes` are the categories; default: all of the
    truth, in the order of their ids.
    """
    truths = [path for path in paths if holds_coco(path)]
    results = [Path(path) for path in paths if path not in truths]
    if len(truths) != 1 or not results:
        raise SchemaError(
            f"expected one COCO file of true objects (images, annotations, categories) and one of "
            f"results for each model; got {len(truths)} and {len(results)}"
        )
    stems = [path.stem for path in results]
    if len(set(stems)) < len(stems):
        stems = [f"{path.absolute().parent.name}/{path.stem}" for path in results]
    truth = _read_truth(_load(truths[0]), str(truths[0]))
    found = {
        stem: _read_results(_load(path), truth, str(path))
        for stem, path in zip(stems, results, strict=True)
    }
    return _assemble(truth, found, classes or tuple(truth.names.values()), None)


def _assemble(
    truth: Truth,
    found: Mapping[str, dict[Any, list[Box]]],
    classes: Sequence[Label],
    groups: Mapping[str, Any] | None,
) -> Predictions:
    """The table of the images of a COCO file, in the order of their ids."""
    images = list(truth.boxes)
    boxes = {name: [of_model[image] for image in images] for name, of_model in found.items()}
    true = list(truth.boxes.values())
    _refuse_other_units(true, boxes)
    return _make_table(true, boxes, classes, images, groups)


def _make_table(
    true: Sequence[list[Box]],
    found: Mapping[str, Sequence[list[Box]]],
    classes: Sequence[Label] | None,
    id: Sequence[Any] | None,
    groups: Mapping[str, Any] | None,
) -> Predictions:
    if not len(true):
        raise SchemaError("there are no images; give an entry for each, empty where it shows none")
    notes = [
        f"Model {name!r} found no box in any image."
        for name, images in found.items()
        if not any(images)
    ]
    table = Predictions.from_arrays(
        list(map(write_boxes, true)),
        {f"{name}.text": list(map(write_boxes, images)) for name, images in found.items()},
        task="detection",
        classes=classes,
        id=id,
        groups=groups,
    )
    return replace(table, notes=(*notes, *table.notes))


def _load(source: Any) -> Any:
    """What a JSON file holds; anything but a path as it is."""
    if not isinstance(source, str | os.PathLike):
        return source
    try:
        return json.loads(Path(source).read_bytes())
    except OSError as error:
        why = f"cannot be read ({error.strerror}); is the path right?"
        raise ReadError(f"{source}: {why}") from error
    except ValueError as error:
        raise ReadError(f"{source}: is no JSON ({error}); write it again") from error


def _is_coco(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(value.get(key), list) for key in COCO)


def _read_truth(content: Any, where: str) -> Truth:
    """What a COCO file of true objects holds; messages name it by `where`."""
    if not _is_coco(content):
        raise SchemaError(
            f"{where}: expected a COCO file of true objects, with images, annotations and "
            "categories"
        )
    names = {c["id"]: c.get("name", c["id"]) for c in content["categories"]}
    repeated = [name for name, times in Counter(names.values()).items() if times > 1]
    if repeated:
        raise SchemaError(
            f"{where}: two categories are named {repeated[0]!r}; give each a name of its own"
        )
    ids = [image["id"] for image in content["images"]]
    twice = [image for image, times in Counter(ids).items() if times > 1]
    if twice:
        raise SchemaError(f"{where}: image id {twice[0]!r} occurs more than once; list it once")
    boxes: dict[Any, list[Box]] = {image: [] for image in sorted(ids)}
    order = sorted(names)
    _refuse_unknown(content["annotations"], boxes, names, where)
    for i, annotation in enumerate(content["annotations"]):
        box = {
            "category": names[annotation["category_id"]],
            "bbox": _take(annotation, "bbox", where, i),
        }
        for key in ("area", "iscrowd"):
            if annotation.get(key) is not None:
                box[key] = annotation[key]
        boxes[annotation["image_id"]].append(box)
    sizes = {
        image["id"]: (image["width"], image["height"])
        for image in content["images"]
        if image.get("width") and image.get("height")
    }
    return Truth(boxes, sizes, {key: names[key] for key in order})


def _read_results(content: Any, truth: Truth, where: str) -> dict[Any, list[Box]]:
    """The found boxes of each image of the `truth`, from a list of COCO results.

    Messages name the results by `where`.
    """
    if not isinstance(content, list):
        raise SchemaError(
            f"{where}: expected a list of COCO results, each with image_id, category_id, bbox and "
            f"score; got {type(content).__name__}"
        )
    _refuse_unknown(content, truth.boxes, truth.names, where)
    boxes: dict[Any, list[Box]] = {image: [] for image in truth.boxes}
    outside = fits = 0
    for i, result in enumerate(content):
        bbox = _take(result, "bbox", where, i)
        box = {
            "category": truth.names[result["category_id"]],
            "bbox": bbox,
            "score": _take(result, "score", where, i),
        }
        boxes[result["image_id"]].append(box)
        size = truth.sizes.get(result["image_id"])
        if size is not None and len(bbox) == 4:
            outside += bbox[0] + bbox[2] > size[0] + 1 or bbox[1] + bbox[3] > size[1] + 1
            fits += bbox[0] <= bbox[2] <= size[0] + 1 and bbox[1] <= bbox[3] <= size[1] + 1
    if outside > MOST_OUTSIDE * len(content) and fits == len(content):
        raise SchemaError(
            f"{where}: {outside} of {len(content)} boxes leave their image as [x, y, width, "
            "height], and all lie inside as two corners; write width and height in place of the "
            "second corner"
        )
    return boxes


def _refuse_unknown(
    entries: Sequence[Mapping[str, Any]],
    images: Mapping[Any, Any],
    categories: Mapping[Any, Any],
    where: str,
) -> None:
    """Refuse `entries` of images or categories that the truth does not list."""
    for key, known in (("image_id", images), ("category_id", categories)):
        for i, entry in enumerate(entries):
            _take(entry, key, where, i)
        unknown = list(dict.fromkeys(e[key] for e in entries if e[key] not in known))
        if unknown:
            shown = ", ".join(map(repr, unknown[:MOST_SHOWN])) + ", ..." * (
                len(unknown) > MOST_SHOWN
            )
            listed = ", ".join(map(repr, list(known)[:MOST_SHOWN]))
            raise SchemaError(
                f"{where}: {len(unknown)} {key} not in the truth: {shown} (it lists {listed}"
                f"{', ...' if len(known) > MOST_SHOWN else ''}); take both from one data set"
            )


def _take(entry: Any, key: str, where: str, place: int) -> Any:
    if not isinstance(entry, Mapping) or entry.get(key) is None:
        raise SchemaError(f"{where}: entry {place} has no {key!r} ({str(entry)[:100]}); give it")
    return entry[key]


def _list_images(
    images: Any,
    where: str,
    box_format: BoxFormat,
    class_names: Sequence[str] | None,
    *,
    scored: bool,
) -> list[list[Box]]:
    """The boxes of each image in `images`, as frameworks return them."""
    if isinstance(images, Mapping | str) or not isinstance(images, Iterable):
        raise SchemaError(
            f"{where}: expected an entry for each image, as [{{'boxes': ..., 'labels': ...}}]; got "
            f"{type(images).__name__}; of a single image give a list of one"
        )
    return [
        _list_boxes(entry, f"{where}, image {i}", box_format, class_names, scored)
        for i, entry in enumerate(images)
    ]


def _list_boxes(
    entry: Any, where: str, box_format: BoxFormat, class_names: Sequence[str] | None, scored: bool
) -> list[Box]:
    """The boxes of one image."""
    if not isinstance(entry, Mapping):
        entry, box_format = _stack_mappings(entry, where, box_format, scored)
    names = ("boxes", "labels", "scores") if scored else ("boxes", "labels")
    columns = {name: _read_array(entry, name, where) for name in names}
    sides = columns["boxes"].reshape(-1, 4) if not columns["boxes"].size else columns["boxes"]
    n = len(sides)
    if sides.ndim != 2 or sides.shape[1] != 4:
        raise SchemaError(f"{where}: boxes have shape {sides.shape}; expected (n, 4)")
    for name in ("iscrowd", "area"):
        if not scored and name in entry:
            columns[name] = _read_array(entry, name, where)
    for name, column in columns.items():
        if len(column) != n and name != "boxes":
            raise SchemaError(f"{where}: {len(column)} {name} for {n} boxes; give one each")
    sides = sides.astype(np.float64)
    if box_format == "xyxy":
        sides = np.concatenate([sides[:, :2], sides[:, 2:] - sides[:, :2]], axis=1)
        if (sides[:, 2:] < 0).any():
            raise SchemaError(
                f"{where}: the second corner of a box lies left of or above the first; if boxes "
                "are left, top, width and height, say box_format='xywh'"
            )
    lists = [column.tolist() for name, column in columns.items() if name != "boxes"]
    keys = ["category", *(name.removesuffix("s") for name in list(columns)[2:])]
    boxes = []
    for bbox, *others in zip(sides.tolist(), *lists, strict=True):
        box = {"bbox": bbox, **dict(zip(keys, others, strict=True))}
        box["category"] = _name_label(box["category"], class_names, where)
        boxes.append(box)
    return boxes


def _stack_mappings(
    entry: Any, where: str, box_format: BoxFormat, scored: bool
) -> tuple[dict[str, Any], BoxFormat]:
    """A list of mappings of box, label and score as one mapping of columns, and its format."""
    listed = list(entry) if isinstance(entry, Iterable) and not isinstance(entry, str) else [entry]
    boxes: list[Any] = []
    for one in listed:
        if not isinstance(one, Mapping) or "box" not in one or "label" not in one:
            raise SchemaError(
                f"{where}: expected a mapping of boxes and labels, or a list of mappings of box "
                f"and label; got {str(one)[:80]}"
            )
        box = one["box"]
        if isinstance(box, Mapping):
            box = [_take(box, corner, where, len(boxes)) for corner in CORNERS]
            box_format = "xyxy"
        boxes.append(box)
    columns = {"boxes": boxes, "labels": [one["label"] for one in listed]}
    if scored:
        columns["scores"] = [_take(one, "score", where, i) for i, one in enumerate(listed)]
    elif any("iscrowd" in one for one in listed):
        columns["iscrowd"] = [one.get("iscrowd", 0) for one in listed]
    return columns, box_format


def _read_array(entry: Mapping[str, Any], name: str, where: str) -> Array:
    if name not in entry:
        raise SchemaError(f"{where}: there are no {name!r}; give them beside {', '.join(entry)}")
    values = entry[name]
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)


def _name_label(label: Any, class_names: Sequence[str] | None, where: str) -> Label:
    if class_names is None or not isinstance(label, int):
        return label if isinstance(label, str | int) else str(label)
    if not 0 <= label < len(class_names):
        raise SchemaError(
            f"{where}: label {label} has no name; class_names has {len(class_names)}, from 0 on"
        )
    return class_names[label]


def _refuse_other_units(
    true: Sequence[list[Box]], found: Mapping[str, Sequence[list[Box]]]
) -> None:
    """Refuse boxes of a model that are fractions of an image where the true ones are pixels."""
    reach = _find_reach(true)
    for name, images in found.items():
        own = _find_reach(images)
        if 0 < own <= 1 < 2 < reach or 0 < reach <= 1 < 2 < own:
            raise SchemaError(
                f"boxes of model {name!r} reach to {own:.4g}, the true ones to {reach:.4g}: some "
                "are fractions of the image and others pixels; give both in pixels"
            )


def _find_reach(images: Iterable[list[Box]]) -> float:
    """The largest coordinate of all boxes; 0 without any."""
    reaches: dict[str, float] = defaultdict(float)
    for boxes in images:
        for box in boxes:
            bbox = box["bbox"]
            if len(bbox) == 4:
                reaches["all"] = max(reaches["all"], bbox[0] + bbox[2], bbox[1] + bbox[3])
    return reaches["all"]
