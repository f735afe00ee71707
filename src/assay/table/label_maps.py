"""Label maps: the class of every pixel of images, counted into a table of predictions.

>>> truth = [[[0, 0], [1, 1]], [[0, 1], [1, 1]]]
>>> unet = [[[0, 0], [1, 0]], [[0, 1], [1, 1]]]
>>> p = count_pixels(truth, {"unet": unet})
>>> p.truth.tolist(), p.weight.tolist(), p.columns["cluster"].to_pylist()
([0, 1, 1, 0, 1], [2.0, 1.0, 1.0, 1.0, 3.0], [0, 0, 0, 1, 1])
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from assay.errors import SchemaError
from assay.kernels import Array
from assay.table.columns import normalise
from assay.table.labels import Label
from assay.table.predictions import Predictions
from assay.table.schema import Task

__all__ = ["count_pixels"]

# Combinations of classes that are counted in a table of all of them.
MOST_CELLS = 1 << 20
ARGMAX = "give the class of each pixel, as in logits.argmax(axis=0) or probability > 0.5"


class Counts(NamedTuple):
    """Combinations of labels in one image: labels (maps, m) and pixels (m,); pixels left out."""

    labels: Array
    pixels: Array
    ignored: int


def count_pixels(  # noqa: PLR0913 - the columns and options of a table
    y: Iterable[Any],
    models: Mapping[str, Iterable[Any]],
    *,
    classes: Sequence[Label] | None = None,
    class_names: Sequence[str] | None = None,
    task: Task | None = None,
    positive: Label | None = None,
    ignore_label: int | None = None,
    id: Sequence[Any] | None = None,
    groups: Mapping[str, Any] | None = None,
) -> Predictions:
    """The table of segmented images, whose pixels are counted image by image.

    A row is a combination of the true class and those of all models in one image, its weight the
    number of such pixels, its cluster the image. So metrics of labels are those of all pixels
    together, exactly, and intervals and comparisons draw whole images: `jaccard` is the IoU, `f1`
    the Dice coefficient, `accuracy` the share of pixels. One image is held at a time.

    Parameters:
        y: True label map of each image: whole numbers or bool, of any shape, such as (height,
            width); images may differ in size.
        models: Name of each model -> its label maps, in the order and of the shapes of the truth.
        classes: Labels in their order; default: those of the maps, sorted.
        class_names: Names of the classes 0, 1, ...; default: none.
        task: binary or multiclass; default: by the number of classes.
        positive: Positive class of two; default: the last.
        ignore_label: Pixels whose true label this is are left out, such as 255; default: none.
        id: Name of each image (images,); default: 0, 1, ...
        groups: Further columns of the images (images,) by name, to slice by.

    Returns:
        The table.

    Raises:
        SchemaError: Maps differ in shape or number, or hold no labels.

    >>> import assay
    >>> p = assay.count_pixels([[[0, 1], [1, 1]]], {"unet": [[[0, 1], [0, 1]]]})
    >>> assay.evaluate(p, "iou", intervals=False).value
    0.6666666666666666
    """
    if not isinstance(models, Mapping) or not models:
        raise SchemaError(
            "models must be a mapping of name to label maps, as {'unet': maps}; got "
            f"{type(models).__name__}"
        )
    found = [_count_image(maps, i, ignore_label) for i, maps in enumerate(_pair_maps(y, models))]
    if not found:
        raise SchemaError("there are no images; give a label map for each")
    images = np.repeat(np.arange(len(found)), [len(counts.pixels) for counts in found])
    labels = np.concatenate([counts.labels for counts in found], axis=1)
    pixels = np.concatenate([counts.pixels for counts in found])
    ignored = sum(counts.ignored for counts in found)
    if not len(pixels):
        raise SchemaError(f"every pixel has the label {ignore_label!r} that is to be ignored")
    table = Predictions.from_arrays(
        labels[0],
        {f"{name}.label": column for name, column in zip(models, labels[1:], strict=True)},
        classes=classes,
        class_names=class_names,
        task=task,
        positive=positive,
        weight=pixels.astype(np.float64),
        cluster=images if id is None else _take(id, images, len(found), "id"),
        groups={name: _take(v, images, len(found), name) for name, v in (groups or {}).items()},
    )
    notes = [
        f"Rows are combinations of classes in an image, weighted by their pixels: {pixels.sum()} "
        f"pixels of {len(found)} images, which are resampled whole."
    ]
    if ignored:
        whole = ignored + int(pixels.sum())
        notes.append(f"{ignored} of {whole} pixels are left out: their truth is {ignore_label!r}.")
    return replace(table, notes=(*notes, *table.notes))


def _pair_maps(y: Iterable[Any], models: Mapping[str, Iterable[Any]]) -> Iterator[dict[str, Array]]:
    """The maps of one image after another, by name, the truth first."""
    sources = {"truth": iter(y), **{f"model {name!r}": iter(maps) for name, maps in models.items()}}
    for image, truth in enumerate(sources["truth"]):
        maps = {"truth": _read_map(truth, "truth", image)}
        for where, source in sources.items():
            if where == "truth":
                continue
            try:
                values = next(source)
            except StopIteration:
                raise SchemaError(
                    f"{where} has {image} label maps, and the truth has more; give one an image"
                ) from None
            maps[where] = _read_map(values, where, image, maps["truth"].shape)
        yield maps
    for where, source in sources.items():
        if next(source, None) is not None:
            raise SchemaError(f"{where} has more label maps than the truth; give one an image")


def _read_map(values: Any, where: str, image: int, shape: tuple[int, ...] | None = None) -> Array:
    """A label map of whole numbers, of the `shape` of the truth; axes of length 1 do not count."""
    column = values.detach().cpu() if hasattr(values, "detach") else values
    labels = np.asarray(column)
    place = f"{where} of image {image}"
    if labels.ndim < 2:
        raise SchemaError(
            f"{place} has shape {labels.shape}; give a label map for each image, (height, width), "
            "and of a single image a list of one"
        )
    labels = labels.squeeze()
    if shape is not None and labels.shape != shape:
        scores = labels.ndim == len(shape) + 1
        raise SchemaError(
            f"{place} has shape {labels.shape}, the truth has {shape}; "
            + (ARGMAX if scores else "bring it to the size of the truth, by nearest neighbour")
        )
    if labels.dtype.kind == "f" and (labels == np.floor(labels)).all():
        labels = labels.astype(np.int64)
    if labels.dtype.kind not in "biu":
        raise SchemaError(f"{place} holds {labels.dtype} numbers, not labels; {ARGMAX}")
    return labels.astype(np.uint8) if labels.dtype == bool else labels


def _count_image(maps: Mapping[str, Array], image: int, ignore_label: int | None) -> Counts:
    """How many pixels of an image have each combination of labels."""
    columns = [labels.ravel() for labels in maps.values()]
    ignored = 0
    if ignore_label is not None:
        keep = columns[0] != ignore_label
        ignored = len(keep) - int(keep.sum())
        columns = [column[keep] for column in columns]
        for where, column in zip(maps, columns, strict=True):
            if (column == ignore_label).any():
                raise SchemaError(
                    f"{where} of image {image} has pixels of the label {ignore_label!r}, which is "
                    "ignored where it is true; give each of these pixels a class"
                )
    if not len(columns[0]):
        return Counts(np.zeros((len(columns), 0), np.int64), np.zeros(0, np.int64), ignored)
    code = np.zeros(len(columns[0]), np.int64)
    cells = 1
    for column in columns:
        low = int(column.min())
        span = int(column.max()) - low + 1
        if cells * span > MOST_CELLS:
            distinct, code = np.unique(code, return_inverse=True)
            cells = len(distinct)
        code = code * span + (column.astype(np.int64) - low)
        cells *= span
    if cells > MOST_CELLS:
        _, code = np.unique(code, return_inverse=True)
    pixels = np.bincount(code)
    first = np.empty(len(pixels), np.int64)
    first[code[::-1]] = np.arange(len(code))[::-1]
    present = np.flatnonzero(pixels)
    labels = np.stack([column[first[present]].astype(np.int64) for column in columns])
    return Counts(labels, pixels[present], ignored)


def _take(values: Any, images: Array, n: int, name: str) -> Any:
    """The entry of its image for each row."""
    column = normalise(values, f"column {name!r}")
    if len(column) != n:
        raise SchemaError(
            f"column {name!r} has {len(column)} entries, for {n} images; give one each"
        )
    return np.asarray(column)[images] if isinstance(column, np.ndarray) else column.take(images)
