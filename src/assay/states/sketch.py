"""Sketch: scores beyond memory, as the weight of rows in each of a million narrow cells of score.

Which cell a score falls in depends on the score alone, so that sketches of separate jobs join.
Within a cell the order of the rows is lost, and nothing else: the best and the worst order there
can be bound every ranking metric (see `compute_error_bound`).

>>> grid = Grid(unit=True)
>>> bool((np.diff(grid.cells(np.array([0.1, 0.1000001, 0.2, 1.0], np.float32))) >= 0).all())
True
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple, cast

import numpy as np

from assay.core.lazy import lazy_property
from assay.errors import UnsupportedError
from assay.kernels import Array, count_cells, find_cells, list_filled, scan_cells
from assay.states.ranking import POOLED, Curve, Ranking, RankingProblem
from assay.table.schema import Schema

__all__ = ["SPARSE", "Grid", "Sketch", "SketchedRanking", "choose_grid", "compute_error_bound"]

SPARSE = 16  # cells a row of a batch from which on its rows are sorted rather than counted
# Places a row and problem from which on filled ones alone, 16 bytes each, are fewer bytes than all.
DENSE = 4
MAX_PLACES = 1 << 22  # cells of all problems together, of positive and of negative rows


@dataclass(frozen=True)
class Grid:
    """The cells: of even width in the score, and finer towards 0.

    Where scores do not all lie in [0, 1] (`unit`), the width is even in s / (1 + |s|). `coarse` is
    how many cells are made one, as a power of 2, where there are many problems.
    """

    unit: bool
    coarse: int = 0

    @cached_property
    def size(self) -> int:
        """Number of cells."""
        return int(self.cells(np.array([np.inf], np.float32))[0]) + 1

    def cells(self, score: Array) -> Array:
        """The cell (n,) of each `score` (n,), int64, never falling where the score rises."""
        return find_cells(np.asarray(score), self.unit, self.coarse)

    def scores(self, cells: Array) -> Array:
        """The least float32 (n,) of each of the `cells`, or of the next one that holds any."""
        low = np.full(len(cells), 0 if self.unit else -0x7F800000)
        high = np.full(len(cells), 0x7F800000)
        while (low < high).any():
            middle = (low + high) // 2
            below = self.cells(_float_at(middle)) < cells
            low = np.where(below, middle + 1, low)
            high = np.where(below, high, middle)
        return _float_at(low)


def _float_at(rising: Array) -> Array:
    """The float32 whose place among all of them is given (0 at 0.0)."""
    bits = np.where(rising < 0, (-rising) | 0x80000000, rising).astype(np.uint32)
    return bits.view(np.float32)


@lru_cache(maxsize=4)
def _list_scores(grid: Grid) -> Array:
    """The score that stands for each cell of a `grid`."""
    return grid.scores(np.arange(grid.size))


def choose_grid(unit: bool, problems: int) -> Grid:
    """The grid for so many `problems`, of scores in [0, 1] where `unit`.

    It does not depend on the groups, of which another job may have others.
    """
    return Grid(unit, max(0, int(np.ceil(np.log2(Grid(unit).size * 2 * problems / MAX_PLACES)))))


class Sketch(NamedTuple):
    """Weight of the rows in each place.

    A place is problem, cell and kind of row (1: positive) in one number. Problems are the classes
    of a group, group by group.
    """

    grid: Grid
    problems_each: int
    rows_each: Array  # (groups,) rows of each group
    place: Array | None  # (m,) whole numbers, ascending; None where there is a mass for every place
    mass: Array  # (m,) int32 or int64, or float64 where rows have weights

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.rows_each.sum())

    @property
    def merged_rows(self) -> int:
        """Number of rows whose scores were made one with others."""
        return self.rows

    @property
    def groups(self) -> int:
        """Number of groups."""
        return len(self.rows_each)

    @property
    def filled_places(self) -> tuple[Array, Array]:
        """The places that hold rows, ascending, and the mass of each."""
        return list_filled(self.mass) if self.place is None else (self.place, self.mass)

    @staticmethod
    def from_counts(grid: Grid, counts: Array, rows: int) -> "Sketch":
        """The sketch of so many `rows` that count alike, by the `counts` (k, cells, 2) of each cell
        of a `grid`.
        """
        sketch = Sketch(grid, len(counts), np.array([rows]), None, counts.ravel())
        return sketch if DENSE * rows * len(counts) > counts.size else sketch._leave_out_empty()

    @staticmethod
    def from_scores(
        score: Array,
        positive: Array,
        weight: Array | None,
        group: Array | None,
        groups: int,
        unit: bool,
    ) -> "Sketch":
        """The sketch of the `score` of each row in each problem (n, k), by `positive` (n, k).

        `weight` and `group` (n,), below `groups`, are those of the rows; `unit` says whether scores
        lie in [0, 1].
        """
        n, k = score.shape
        grid = choose_grid(unit, k)
        rows = np.array([n]) if group is None else np.bincount(group, minlength=groups)
        if weight is None and group is None and n * SPARSE > grid.size:
            counts = count_cells(score, positive, unit, grid.coarse, grid.size)
            return Sketch.from_counts(grid, counts, n)
        problem = np.arange(k) if group is None else group[:, None] * k + np.arange(k)
        # Where 32 bits hold every place, they sort several times as fast as 64.
        kind: Any = np.int32 if groups * k * grid.size * 2 < 1 << 31 else np.int64
        cell = grid.cells(score.ravel()).reshape(n, k).astype(kind)
        place = ((problem.astype(kind) * kind(grid.size) + cell) * kind(2) + positive).ravel()
        if weight is None:
            filled, mass = np.unique(place, return_counts=True)
        else:
            filled, inverse = np.unique(place, return_inverse=True)
            mass = np.bincount(inverse, np.repeat(weight, k))
        return Sketch(grid, k, rows, filled, mass)

    @staticmethod
    def join(sketches: "list[Sketch]") -> "Sketch":
        """One sketch of all `sketches`, which have the same groups and problems."""
        first = sketches[0]
        if len(sketches) == 1:
            return first
        rows = np.sum([s.rows_each for s in sketches], axis=0)
        kind: Any = np.int32 if rows.sum() < 1 << 31 else np.int64
        kind = np.float64 if any(s.mass.dtype.kind == "f" for s in sketches) else kind
        size = first.groups * first.problems_each * first.grid.size * 2
        if size <= 4 * MAX_PLACES:
            total = np.zeros(size, kind)
            for sketch in sketches:
                total[slice(None) if sketch.place is None else sketch.place] += sketch.mass
            joined = first._replace(rows_each=rows, place=None, mass=total)
            dense = any(sketch.place is None for sketch in sketches)
            return joined if dense else joined._leave_out_empty()
        places, masses = zip(*(sketch.filled_places for sketch in sketches), strict=True)
        place, at = np.unique(np.concatenate(places), return_inverse=True)
        mass = np.bincount(at, np.concatenate(masses), len(place)).astype(kind)
        return first._replace(rows_each=rows, place=place, mass=mass)

    def _leave_out_empty(self) -> "Sketch":
        place, mass = self.filled_places
        return self._replace(place=place, mass=mass)

    def dump(self) -> dict[str, Array]:
        """The sketch as named arrays, for a file."""
        about = np.array([self.grid.unit, self.grid.coarse, self.problems_each], np.int64)
        place, mass = self.filled_places
        return {"about": about, "rows": self.rows_each, "place": place, "mass": mass}

    @staticmethod
    def load(arrays: Mapping[str, Array]) -> "Sketch":
        """The sketch that `dump` wrote as `arrays`."""
        unit, coarse, each = map(int, arrays["about"])
        return Sketch(
            Grid(bool(unit), coarse), each, arrays["rows"], arrays["place"], arrays["mass"]
        )

    def select(self, start: int, stop: int) -> "Sketch":
        """Only the groups from `start` to `stop`."""
        if (start, stop) == (0, self.groups):
            return self
        width = self.problems_each * 2 * self.grid.size
        place, mass = self.filled_places
        low, high = np.searchsorted(place, [start * width, stop * width])
        return self._replace(
            rows_each=self.rows_each[start:stop],
            place=place[low:high] - start * width,
            mass=mass[low:high],
        )

    def resample(self, counts: Array) -> "Sketch":
        """All groups as one, where all `counts` (1, groups) are 1; UnsupportedError elsewhere."""
        if len(counts) != 1 or not (counts == 1).all():
            raise UnsupportedError(
                "sketched scores are not resampled; ask for intervals=False, or for fewer rows"
            )
        if self.groups == 1:
            return self
        width = self.problems_each * 2 * self.grid.size
        rows = np.array([self.rows])
        return _fold_places(*self.filled_places, width, self._replace(rows_each=rows))

    def pool(self) -> "Sketch":
        """All problems of the first group as one."""
        width = 2 * self.grid.size
        place, mass = self.select(0, 1).filled_places
        pooled = self._replace(problems_each=1, rows_each=self.rows_each[:1])
        return _fold_places(place, mass, width, pooled)

    def ranking(self, schema: Schema) -> "SketchedRanking":
        """The ranking problems of the first group, of a table of this `schema`."""
        nothing = np.zeros(0)
        return SketchedRanking(nothing, nothing, None, schema, sketch=self)

    def list_problems(self, count: int) -> list[RankingProblem]:
        """The ranking problems, the first `count` of them."""
        scores = _list_scores(self.grid)
        if self.mass.dtype.kind == "f":
            return self._list_weighted(scores, count)
        width = 2 * self.grid.size
        counts = self.mass[: count * width]
        if self.place is not None:
            own = slice(0, int(np.searchsorted(self.place, count * width)))
            counts = np.zeros(count * width, np.int64)
            counts[self.place[own]] = self.mass[own]
        return [_make_problem(scores, each) for each in counts.reshape(count, -1, 2)]

    def _list_weighted(self, scores: Array, count: int) -> list[RankingProblem]:
        """As `list_problems`, of rows with weights."""
        width = 2 * self.grid.size
        place, mass = self.filled_places
        ends = np.searchsorted(place, width * np.arange(count + 1))
        own = place % width
        parts = [slice(*ends[i : i + 2]) for i in range(count)]
        return [_make_weighted(scores, own[part], mass[part]) for part in parts]


def _fold_places(place: Array, mass: Array, width: int, sketch: Sketch) -> Sketch:
    """The `sketch` with the `mass` of each `place`, of which those `width` apart are one."""
    total = np.bincount(place % width, mass, width)
    filled = np.flatnonzero(total)
    kind = np.float64 if mass.dtype.kind == "f" else np.int64
    return sketch._replace(place=filled, mass=total[filled].astype(kind))


def _make_problem(scores: Array, counts: Array) -> RankingProblem:
    """The problem of rows that count alike, by their `counts` (cells, 2) and the least `scores` of
    cells.
    """
    (cell, tp, fp, fp_above), negatives = scan_cells(counts)
    positives = int(tp[-1]) if len(tp) else 0
    curve = Curve(scores[cell], tp, fp, fp_above, positives, negatives)
    return RankingProblem(scores[:0], scores[:0], known_curve=curve)


def _make_weighted(scores: Array, place: Array, mass: Array) -> RankingProblem:
    """The problem of the `mass` of each filled `place`, by the least `scores` of cells."""
    positive = place % 2 == 1
    score = scores[place // 2]
    weights = (mass[positive], mass[~positive])
    return RankingProblem(score[positive], score[~positive], weights)


@dataclass(frozen=True, eq=False)
class SketchedRanking(Ranking):
    """Ranking problems read off a sketch of one group."""

    sketch: Any = None

    @property
    def problems(self) -> Iterator[tuple[Array, Array]]:
        raise NotImplementedError("a sketch keeps no rows")

    @lazy_property
    def pooled_ranking(self) -> Ranking:
        return cast("Sketch", self.sketch).pool().ranking(POOLED)

    def map_problems(self, read: Callable[[RankingProblem], Any]) -> list[Any]:
        return [read(problem) for problem in self.ranking_problems]

    @lazy_property
    def ranking_problems(self) -> list[RankingProblem]:
        """The problems, in the order of the classes."""
        return cast("Sketch", self.sketch).list_problems(self.count)

    @property
    def count(self) -> int:
        return 1 if self.schema.task == "binary" else self.schema.k


def compute_error_bound(compute: Callable[[Curve], Any], curve: Curve) -> float:
    """How far the value that `compute` reads off `curve` can lie from that of the rows themselves.

    In the best order the positive rows of a cell come before its negative ones, in the worst after
    them. A ranking metric that rises with each positive row that is placed better lies between.
    """
    if not curve.positives or not curve.negatives:
        return 0.0
    value = float(compute(curve))
    best = curve._replace(fp=curve.fp_above)
    worst = curve._replace(fp_above=curve.fp)
    return max(abs(float(compute(end)) - value) for end in (best, worst))
