"""Average precision and recall of boxes as pycocotools gives them, by its own sums.

It knows no weights: an image counts as often as its whole weight says.
"""

import contextlib
import io
import json

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

AREAS = ("all", "small", "medium", "large")
# The values of `summarize` by their position: IoU (None: the mean of all).
OVERLAPS = {0: None, 1: 0.5, 2: 0.75}


def make_coco(truth, found, classes):
    """Data set and results of COCO from the boxes of each image, as lists of mappings."""
    codes = {label: code for code, label in enumerate(classes, start=1)}
    data = {
        "images": [{"id": image} for image in range(len(truth))],
        "categories": [{"id": code, "name": str(label)} for label, code in codes.items()],
        "annotations": [],
    }
    for image, boxes in enumerate(truth):
        for box in boxes:
            area = box.get("area", box["bbox"][2] * box["bbox"][3])
            data["annotations"].append(
                {
                    "id": len(data["annotations"]) + 1,
                    "image_id": image,
                    "category_id": codes[box["category"]],
                    "bbox": box["bbox"],
                    "area": area,
                    "iscrowd": box.get("iscrowd", 0),
                }
            )
    results = [
        {
            "image_id": image,
            "category_id": codes[box["category"]],
            "bbox": box["bbox"],
            "score": box["score"],
        }
        for image, boxes in enumerate(found)
        for box in boxes
    ]
    return data, results


def run_coco(data, results):
    """The evaluation of pycocotools: `stats` are its twelve values, `eval` its whole tables."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = data
        truth.createIndex()
        if results:
            found = truth.loadRes(results)
        else:  # of which loadRes makes an error
            found = COCO()
            found.dataset = {**data, "annotations": []}
            found.createIndex()
        run = COCOeval(truth, found, "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    return run


class BoxOracles:
    """The values of pycocotools for the rows of one model."""

    def __init__(self, p, rows):
        self.p = p
        self.rows = rows

    def _has_ties(self):
        scores = [box["score"] for text in self.rows.text for box in json.loads(text)]
        return len(set(scores)) < len(scores)

    def coco(self, position, area, average, most=100):
        """What `summarize` gives at a `position`, of an `area`; with average=none of each class."""
        if self.p.weight is not None and self._has_ties():
            # Boxes of one score follow one another image by image, of each as often as it counts.
            return np.full(self.p.schema.k if average == "none" else 1, np.nan)
        times = 1 if self.p.weight is None else self.p.weight.astype(int)
        columns = (np.repeat(texts, times) for texts in (self.rows.truth, self.rows.text))
        boxes = [list(map(json.loads, texts)) for texts in columns]
        run = run_coco(*make_coco(*boxes, self.p.classes))
        limit = run.params.maxDets.index(most)
        if position == 8:
            values = run.eval["recall"][:, :, AREAS.index(area), limit]
        else:
            values = run.eval["precision"][..., AREAS.index(area), limit]
            if OVERLAPS[position] is not None:
                values = values[np.isclose(run.params.iouThrs, OVERLAPS[position])]
        values = np.where(values == -1, np.nan, values)
        if average == "none":
            return np.moveaxis(values, -1, 0).reshape(values.shape[-1], -1).mean(axis=1)
        defined = values[~np.isnan(values)]
        return defined.mean() if defined.size else np.nan
