"""Metrics of detected objects: a row is an image, its truth and what a model found are boxes.

>>> from assay.table.boxes import write_boxes
>>> truth = [write_boxes([{"category": "cat", "bbox": [0, 0, 10, 10]}])]
>>> found = [write_boxes([{"category": "cat", "bbox": [0, 0, 10, 8], "score": 0.9}])]
>>> BoxAP50()(truth, found), BoxAP()(truth, found)
(1, 0.7)
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal, Self, TypeAlias

import numpy as np

from assay.errors import UnsupportedError
from assay.kernels import Array
from assay.metrics.base import Granularity, Metric, mean_of_defined, name_left_out, ratio
from assay.states.matches import AREAS, IOUS, MOST_FOUND, ClassMatches, Matches, Matching
from assay.table.schema import Schema, Task

__all__ = ["BoxAP", "BoxAP50", "BoxAP75", "BoxAR"]

DETECTION: frozenset[Task] = frozenset({"detection"})
Area: TypeAlias = Literal["all", "small", "medium", "large"]
OverClasses: TypeAlias = Literal["macro", "none"]
RECALLS = np.linspace(0.0, 1.0, 101)
# How far sums of weights that are no whole numbers may be off.
ROUNDING = 1e-12


@dataclass(frozen=True)
class BoxMetric(Metric):
    """Base of means over classes and overlaps; subclasses write only `score`.

    Parameters:
        area: Objects that count: all, small (up to 32 x 32 square pixels), medium, or large (from
            96 x 96 on); default all.
        average: `macro`: mean over the classes that have true boxes; `none`: one value a class.
            Default `macro`.
    """

    reads = "text"
    tasks = DETECTION
    undefined = "no_positive"
    overlaps: ClassVar[tuple[int, ...]] = tuple(range(len(IOUS)))
    area: Area = "all"
    average: OverClasses = "macro"

    @property
    def state(self) -> Matches:
        return Matches(self.area)

    @property
    def granularity(self) -> Granularity:
        return "class" if self.average == "none" else "table"

    def bind(self, schema: Schema) -> Self:
        super().bind(schema)
        if self.area not in AREAS:
            raise UnsupportedError(
                f"{self}: area must be one of {', '.join(AREAS)}; got {self.area!r}"
            )
        return self

    @abstractmethod
    def score(self, found: Array, wrong: Array, weight: Array, truths: Array) -> Array:
        """The value (b,) at one overlap.

        Boxes, highest score first, are true ones (`found`) or none (`wrong`), (d,), and have a
        `weight` (b, d); `truths` (b,) is that of all true ones.
        """

    def choose(self, boxes: ClassMatches) -> ClassMatches:
        """Those of the `boxes` of a class that count; default: all."""
        return boxes

    def compute(self, summary: Matching) -> Array:
        each = np.stack([self._score_class(boxes) for boxes in summary.classes], axis=-1)
        return each if self.average == "none" else mean_of_defined(each, np.ones_like(each))

    def _score_class(self, boxes: ClassMatches) -> Array:
        boxes = self.choose(boxes)
        judged = [boxes.split(iou) for iou in self.overlaps]
        blocks = [
            np.mean([self.score(*each, weight, boxes.truths[block]) for each in judged], axis=0)
            for block, weight in boxes.weigh()
        ]
        return np.where(boxes.truths > 0, np.concatenate(blocks), np.nan)

    def note(self, summary: Matching, schema: Schema) -> str:
        if self.average == "none":
            return ""
        return name_left_out(summary.truths[0] == 0, schema, self.undefined)


class BoxAP(BoxMetric):
    """Average precision of detected boxes, mean over ten overlaps and the classes (mAP of COCO).

    In [0, 1], higher is better. Found boxes, highest score first, are matched with the true ones of
    their image and class by pycocotools, at IoU 0.5, 0.55, ..., 0.95; precision, made to fall, is
    averaged over 101 recalls. Crowds and the 100 best boxes of each image and class count as in
    COCO. Undefined (no_positive) where no image has a true box; classes without one are left out.

    Parameters:
        area: Objects that count: all, small (up to 32 x 32 square pixels), medium, or large (from
            96 x 96 on); default all.
        average: macro (the mean over classes) or none (one value a class); default macro.

    Needs the extra vision (pycocotools). Same value as COCOeval's AP; boxes of one score are taken
    in the order of the rows.
    Source: Lin et al. (2014), Microsoft COCO: Common Objects in Context, ECCV.

    >>> truth = ['[{"category": "cat", "bbox": [0, 0, 10, 10]}]']
    >>> BoxAP()(truth, ['[{"category": "cat", "bbox": [0, 0, 10, 8], "score": 0.9}]'])
    0.7
    """

    name = "box_ap"
    aliases = ("box_map", "map_50_95", "map50_95")
    cases = ({"area": "small"}, {"average": "none"})
    oracle = "box_oracles.coco(0, m.area, m.average)"

    def score(self, found: Array, wrong: Array, weight: Array, truths: Array) -> Array:
        # Between two true ones precision and recall only fall: they are read where one is found.
        hits = np.flatnonzero(found)
        right = np.cumsum(weight[:, hits], axis=1)
        none = np.cumsum(weight * wrong, axis=1)[:, hits]
        recall = np.nan_to_num(ratio(right, truths[:, None]))
        if not (weight == np.floor(weight)).all():
            recall = recall + ROUNDING
        precision = np.nan_to_num(ratio(right, right + none))
        highest = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        reached = np.searchsorted(RECALLS, recall, side="right")
        return np.asarray(
            (highest * np.diff(reached, prepend=0, axis=1)).sum(axis=1) / len(RECALLS)
        )


class BoxAP50(BoxAP):
    """Average precision of detected boxes that overlap with a true one by half (AP50, mAP50).

    In [0, 1], higher is better: as box_ap, with the same parameters, at an IoU of 0.5 alone, as in
    Pascal VOC, but over 101 recalls. Undefined (no_positive) where no image has a true box.
    Same value as COCOeval's AP at IoU 0.5.
    Source: Lin et al. (2014), Microsoft COCO: Common Objects in Context, ECCV.

    >>> truth = ['[{"category": "cat", "bbox": [0, 0, 10, 10]}]']
    >>> BoxAP50()(truth, ['[{"category": "cat", "bbox": [0, 0, 10, 8], "score": 0.9}]'])
    1
    """

    name = "box_ap50"
    aliases = ("map_50", "map50", "ap50")
    cases = ({"average": "none"}, {"area": "medium"})
    overlaps = (0,)
    oracle = "box_oracles.coco(1, m.area, m.average)"


class BoxAP75(BoxAP):
    """Average precision of detected boxes that overlap with a true one by three quarters (AP75).

    In [0, 1], higher is better: as box_ap, with the same parameters, at an IoU of 0.75 alone.
    Undefined (no_positive) where no image has a true box. Same value as COCOeval's AP at IoU 0.75.
    Source: Lin et al. (2014), Microsoft COCO: Common Objects in Context, ECCV.

    >>> truth = ['[{"category": "cat", "bbox": [0, 0, 10, 10]}]']
    >>> BoxAP75()(truth, ['[{"category": "cat", "bbox": [0, 0, 10, 7], "score": 0.9}]'])
    0
    """

    name = "box_ap75"
    aliases = ("map_75", "map75", "ap75")
    cases = ({"area": "large"}, {"average": "none"})
    overlaps = (5,)
    oracle = "box_oracles.coco(2, m.area, m.average)"


@dataclass(frozen=True)
class BoxAR(BoxMetric):
    """Share of the true boxes that are found, mean over ten overlaps and the classes (mAR of COCO).

    In [0, 1], higher is better. Boxes are matched as for box_ap, whatever their score.
    Undefined (no_positive) where no image has a true box; classes without one are left out.

    Parameters:
        area: Objects that count: all, small (up to 32 x 32 square pixels), medium, or large (from
            96 x 96 on); default all.
        average: macro (the mean over classes) or none (one value a class); default macro.
        detections: Boxes of each image and class that count, those of highest score, 1 to 100;
            default 100.

    Needs the extra vision (pycocotools). Same value as COCOeval's AR.
    Source: Lin et al. (2014), Microsoft COCO: Common Objects in Context, ECCV.

    >>> truth = ['[{"category": "cat", "bbox": [0, 0, 10, 10]}]']
    >>> BoxAR()(truth, ['[{"category": "cat", "bbox": [0, 0, 10, 8], "score": 0.9}]'])
    0.7
    """

    name = "box_ar"
    aliases = ("box_mar", "mar_100")
    cases = ({"detections": 1}, {"area": "medium"}, {"average": "none"})
    oracle = "box_oracles.coco(8, m.area, m.average, m.detections)"
    detections: int = MOST_FOUND

    def bind(self, schema: Schema) -> Self:
        if not 1 <= self.detections <= MOST_FOUND:
            raise UnsupportedError(
                f"{self}: detections must be 1 to {MOST_FOUND}; got {self.detections}"
            )
        return super().bind(schema)

    def choose(self, boxes: ClassMatches) -> ClassMatches:
        return boxes.limit(self.detections)

    def score(self, found: Array, wrong: Array, weight: Array, truths: Array) -> Array:
        return ratio(weight @ found, truths)
