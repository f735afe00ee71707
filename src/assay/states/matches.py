"""Matches: which found boxes are true ones, image by image, as pycocotools matches them.

>>> from assay.table.boxes import write_boxes
>>> from assay.table.predictions import Predictions
>>> truth = [write_boxes([{"category": "cat", "bbox": [0, 0, 10, 10]}])]
>>> found = [write_boxes([{"category": "cat", "bbox": [0, 0, 10, 8], "score": 0.9}])]
>>> p = Predictions.from_arrays(truth, {"m": found}, task="detection")
>>> summary = Matches().summary(Matches().observe(p.rows("m")), p.schema)
>>> found, wrong = summary.classes[0].split(iou=0)  # of an IoU of at least 0.5
>>> found.tolist(), summary.truths.tolist()
([True], [[1.0]])
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

import numpy as np

from assay.core.lazy import lazy_property
from assay.errors import MissingDependencyError
from assay.kernels import Array
from assay.states.base import State
from assay.table.boxes import parse_boxes
from assay.table.rows import Rows
from assay.table.schema import Schema

__all__ = ["AREAS", "IOUS", "MOST_FOUND", "ClassMatches", "MatchTable", "Matches", "Matching"]

# Of COCO: the overlaps that a box is judged at, the boxes of a class and an image that count, and
# the areas in square pixels that small, medium and large objects have.
IOUS = np.linspace(0.5, 0.95, 10)
MOST_FOUND = 100
AREAS = {
    "all": (0.0, 1e10),
    "small": (0.0, 32.0**2),
    "medium": (32.0**2, 96.0**2),
    "large": (96.0**2, 1e10),
}
# Boxes of all replicates together that are weighed at a time.
AT_ONCE = 1 << 20


class MatchTable(NamedTuple):
    """Images and true boxes in each stratum, and every found box that counts.

    `found` and `wrong` have a bit for each of `IOUS`: whether the box is a true one, and whether it
    is none (boxes of crowds and of other areas are neither). `counts` (b, strata), unless empty,
    makes them b replicates: how often each stratum enters each.
    """

    rows: Array  # images (strata,)
    weight: Array  # total weight of the images (strata,)
    squares: Array  # total squared weight (strata,)
    truths: Array  # weight of the true boxes of each class (strata, k)
    score: Array  # of each found box (d,)
    code: Array  # its class (d,)
    rank: Array  # how many of its image and class have a higher score (d,)
    found: Array
    wrong: Array
    image_weight: Array  # weight of its image (d,)
    stratum: Array  # of its image (d,)
    counts: Array


BOXES = ("score", "code", "rank", "found", "wrong", "image_weight", "stratum")
TOTALS = ("rows", "weight", "squares", "truths")


@dataclass(frozen=True)
class Matches(State[MatchTable]):
    """What average precision and recall of boxes are read off, as large as the boxes are many.

    Parameters:
        area: Key of `AREAS`: objects of other areas are left out; default "all".
    """

    area: str = "all"
    costly: ClassVar[bool] = True

    def empty(self, schema: Schema, strata: int = 1) -> MatchTable:
        zero = np.zeros(strata)
        bits = np.zeros(0, np.uint16)
        return MatchTable(
            np.zeros(strata, np.int64), zero, zero, np.zeros((strata, schema.k)),
            np.zeros(0), np.zeros(0, np.int32), np.zeros(0, np.int32), bits, bits,
            np.zeros(0), np.zeros(0, np.int64), np.zeros((0, 0)),
        )  # fmt: skip

    def observe(self, rows: Rows, stratum: Array | None = None, strata: int = 1) -> MatchTable:
        n = len(rows.truth)
        at = np.zeros(n, np.int64) if stratum is None else np.asarray(stratum, np.int64)
        weight = np.ones(n) if rows.weight is None else np.asarray(rows.weight, np.float64)
        value = self.empty(rows.schema, strata)
        if not n:
            return value
        truths = np.zeros((strata, rows.schema.k))
        parts: list[tuple[Array, ...]] = []
        for image, code, result in _match_images(rows, AREAS[self.area]):
            truths[at[image], code] += weight[image] * np.count_nonzero(result["gtIgnore"] == 0)
            d = len(result["dtScores"])
            taken = result["dtMatches"] != 0
            counted = result["dtIgnore"] == 0
            parts.append(
                (
                    np.asarray(result["dtScores"], np.float64),
                    np.full(d, code, np.int32),
                    np.arange(d, dtype=np.int32),
                    _pack_bits(taken & counted),
                    _pack_bits(~taken & counted),
                    np.full(d, weight[image]),
                    np.full(d, at[image]),
                )
            )
        boxes = dict(zip(BOXES, map(np.concatenate, zip(*parts, strict=True)), strict=True))
        return value._replace(
            rows=np.bincount(at, minlength=strata),
            weight=np.bincount(at, weight, strata),
            squares=np.bincount(at, weight**2, strata),
            truths=truths,
            **boxes,
        )

    def merge(self, a: MatchTable, b: MatchTable) -> MatchTable:
        return self.join((a, b))

    def join(self, values: Sequence[MatchTable]) -> MatchTable:
        boxes = {name: np.concatenate([getattr(v, name) for v in values]) for name in BOXES}
        totals = {name: sum(getattr(v, name) for v in values) for name in TOTALS}
        counts = values[0].counts
        drawn = [value.counts for value in values if value.counts.size]
        if len({id(each) for each in drawn}) > 1:
            # Values that were resampled by different counts have different strata.
            counts = np.concatenate(drawn, axis=1)
            starts = np.cumsum([0, *(value.counts.shape[1] for value in values[:-1])])
            strata = zip(values, starts.tolist(), strict=True)
            boxes["stratum"] = np.concatenate([v.stratum + start for v, start in strata])
        return values[0]._replace(**boxes, **totals, counts=counts)

    def select(self, value: MatchTable, strata: slice) -> MatchTable:
        keep = (value.stratum >= strata.start) & (value.stratum < strata.stop)
        boxes = {name: getattr(value, name)[keep] for name in BOXES}
        boxes["stratum"] = boxes["stratum"] - strata.start
        totals = {name: getattr(value, name)[strata] for name in TOTALS}
        return value._replace(**boxes, **totals)

    def resample(self, value: MatchTable, counts: Array) -> MatchTable:
        totals = {name: counts @ getattr(value, name) for name in TOTALS}
        return value._replace(**totals, counts=counts)

    def summary(self, value: MatchTable, schema: Schema) -> "Matching":
        return Matching(value, schema.k)


@dataclass(frozen=True, eq=False)
class Matching:
    """The boxes of a `table` of `k` classes, class by class, highest score first."""

    table: MatchTable
    k: int

    @property
    def truths(self) -> Array:
        """Weight of the true boxes of each class (b, k)."""
        return self.table.truths

    @property
    def rows(self) -> Array:
        """Number of images (b,)."""
        return self.table.rows

    @lazy_property
    def classes(self) -> list["ClassMatches"]:
        """The found boxes of each class."""
        order = np.lexsort((-self.table.score, self.table.code))
        ends = np.searchsorted(self.table.code[order], np.arange(self.k + 1))
        return [
            ClassMatches(self.table, order[start:stop], self.truths[:, code])
            for code, (start, stop) in enumerate(pairwise(ends.tolist()))
        ]


@dataclass(frozen=True, eq=False)
class ClassMatches:
    """The found boxes of one class at `places` (d,) of a `table`, highest score first.

    `truths` (b,) is the weight of the true ones.
    """

    table: MatchTable
    places: Array
    truths: Array

    def split(self, iou: int) -> tuple[Array, Array]:
        """Which boxes are true ones and which are none (d,), at the threshold of number `iou`."""
        bit = np.uint16(1 << iou)
        found = (self.table.found[self.places] & bit) != 0
        return found, (self.table.wrong[self.places] & bit) != 0

    def limit(self, most: int) -> "ClassMatches":
        """The boxes among the `most` of highest score in their image."""
        return ClassMatches(
            self.table, self.places[self.table.rank[self.places] < most], self.truths
        )

    def weigh(self) -> Iterator[tuple[slice, Array]]:
        """Weight of each box in each replicate (b', d), for blocks of the replicates."""
        weight = self.table.image_weight[self.places]
        stratum = self.table.stratum[self.places]
        counts = self.table.counts
        if not counts.size:
            counts = np.eye(len(self.truths))
        step = max(1, AT_ONCE // max(len(weight), 1))
        for start in range(0, len(counts), step):
            block = slice(start, start + step)
            yield block, counts[block][:, stratum] * weight


def _pack_bits(flags: Array) -> Array:
    """A row of `flags` (T, d) for each threshold, as bits (d,)."""
    powers = (1 << np.arange(len(flags))).astype(np.uint16)
    return np.asarray(powers @ flags.astype(np.uint16), np.uint16)


def _match_images(
    rows: Rows, area: tuple[float, float]
) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Image, class, and how pycocotools matches its boxes, where there are any.

    `area` is the least and the greatest of objects that count. An empty first result keeps the
    arrays of no boxes in shape.
    """
    codes = {label: code for code, label in enumerate(rows.schema.classes)}
    matcher = _make_matcher()
    yield 0, 0, _match_nothing()
    for image, (true, found) in enumerate(zip(rows.truth, rows.text, strict=True)):
        # Numbers count up from 1: a match with the box of the number 0 would be taken for none.
        truths = defaultdict(list)
        for number, box in enumerate(parse_boxes(true), start=1):
            width, height = box["bbox"][2:]
            crowd = int(box.get("iscrowd", 0))
            kept = {"id": number, "bbox": box["bbox"], "iscrowd": crowd, "ignore": crowd}
            truths[codes[box["category"]]].append({**kept, "area": box.get("area", width * height)})
        guesses = defaultdict(list)
        for number, box in enumerate(parse_boxes(found), start=1):
            width, height = box["bbox"][2:]
            kept = {"id": number, "bbox": box["bbox"], "area": width * height}
            guesses[codes[box["category"]]].append({**kept, "score": box["score"]})
        for code in sorted(truths.keys() | guesses.keys()):
            matcher._gts = {(image, code): truths[code]}
            matcher._dts = {(image, code): guesses[code]}
            matcher.ious = {(image, code): matcher.computeIoU(image, code)}
            yield image, code, matcher.evaluateImg(image, code, list(area), MOST_FOUND)


def _make_matcher() -> Any:
    try:
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise MissingDependencyError(
            "average precision of boxes needs pycocotools, which is not installed; run pip install "
            "'assay[vision]'"
        ) from error
    return COCOeval(iouType="bbox")


def _match_nothing() -> dict[str, Any]:
    none = np.zeros((len(IOUS), 0))
    return {"gtIgnore": np.zeros(0), "dtScores": [], "dtMatches": none, "dtIgnore": none}
