"""Frontier: how good a fusion of few models, or of cheap ones, is.

>>> from assay.fusions.base import FUSIONS
>>> from assay.table.predictions import Predictions
>>> y = [0, 1] * 20
>>> p = Predictions.from_arrays(y, {"a.proba": [0.2, 0.8] * 20, "b.proba": [0.6, 0.4] * 20})
>>> game = Coalitions(p, np.arange(40) % 5, FUSIONS.parse("mean"), "proba")
>>> [(point.models, round(point.loss, 2)) for point in find_frontier(game, {"a": 3.0, "b": 1.0})]
[(('b',), 0.92), (('a',), 0.22)]
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from assay.fusions.coalitions import Coalitions
from assay.fusions.shares import MOST_EXACT
from assay.kernels import Array

__all__ = ["FrontierPoint", "choose_enough", "find_frontier"]

LONGEST = 10  # models of the longest path, where not all coalitions are fused
Subset = tuple[int, ...]


@dataclass(frozen=True)
class FrontierPoint:
    """The best fusion of so many models, or of so much cost at most.

    Parameters:
        count: Number of models.
        cost: Sum of their costs; None where no costs were given.
        models: Their names: those of least loss on all rows.
        loss: Loss of such a fusion, whose models are chosen without each fold and judged on it.
        behind: By how much that is more than the least loss of any point.
        low: Lower end of the 95 % interval of `behind`.
        high: Upper end.
    """

    count: int
    cost: float | None
    models: tuple[str, ...]
    loss: float
    behind: float
    low: float
    high: float


def find_frontier(
    game: Coalitions, costs: Mapping[str, float] | None = None
) -> tuple[FrontierPoint, ...]:
    """The best fusion of each number of models, or of each cost worth paying, the cheapest first.

    Of at most 8 models all coalitions are tried; of more, those on a path that adds the model that
    gains most (with `costs`, also most for its cost), and the fusion of all.

    Parameters:
        game: The losses of coalitions.
        costs: Cost of each model, at least 0; default: every number of models is one point.
    """
    price = np.array([1.0 if costs is None else costs[name] for name in game.table.models])
    tried = _list_subsets(game, price, costs is not None)
    mean = {subset: game.average(game.lose(subset)) for subset in tried}
    cost = {subset: float(price[list(subset)].sum()) for subset in tried}
    if costs is None:
        groups = [[s for s in tried if len(s) == size] for size in sorted(set(map(len, tried)))]
    else:
        levels = _list_levels(tried, mean, cost)
        groups = [[s for s in tried if cost[s] <= level] for level in levels]
    chosen = [_choose_without_folds(game, group) for group in groups]
    best = min(chosen, key=game.average)
    points = []
    for group, rows in zip(groups, chosen, strict=True):
        subset = min(group, key=lambda s: (mean[s], cost[s], s))
        behind = game.compare(rows, best)
        points.append(
            FrontierPoint(
                count=len(subset),
                cost=None if costs is None else cost[subset],
                models=tuple(game.table.models[i] for i in subset),
                loss=game.average(rows),
                behind=behind.difference,
                low=behind.interval[0],
                high=behind.interval[1],
            )
        )
    return tuple(points)


def choose_enough(points: Sequence[FrontierPoint]) -> FrontierPoint:
    """The first of the `points`, the cheapest first, that is not significantly worse than any."""
    within = [point for point in points if point.low <= 0 or point.behind == 0]
    return within[0] if within else min(points, key=lambda point: point.loss)


def _list_subsets(game: Coalitions, price: Array, has_costs: bool) -> list[Subset]:
    """The coalitions that are tried, the small ones first."""
    everyone = tuple(range(game.size))
    if game.size <= MOST_EXACT:
        return [s for size in everyone for s in combinations(everyone, size + 1)]
    found = {*((i,) for i in everyone), everyone, *_walk(game, lambda gain, _: gain)}
    if has_costs:
        least = float(price.max()) * 1e-9 or 1.0
        # A model that adds nothing is not better for being cheap.
        found |= {*_walk(game, lambda gain, i: gain / max(price[i], least) if gain > 0 else gain)}
    return sorted(found, key=lambda s: (len(s), s))


def _walk(game: Coalitions, rate: Callable[[float, int], float]) -> Iterable[Subset]:
    """Coalitions on the way that adds at each step the model of the highest rate."""
    path: list[int] = []
    while len(path) < min(LONGEST, game.size):
        now = game.average(game.lose(path))
        rates = {
            i: rate(now - game.average(game.lose([*path, i])), i)
            for i in range(game.size)
            if i not in path
        }
        path.append(max(rates, key=lambda i: (rates[i], -i)))
        yield tuple(sorted(path))


def _list_levels(
    tried: Sequence[Subset], mean: Mapping[Subset, float], cost: Mapping[Subset, float]
) -> list[float]:
    """The costs at which a lower loss can be had than for less."""
    levels: list[float] = []
    least = np.inf
    for subset in sorted(tried, key=lambda s: (cost[s], mean[s])):
        if mean[subset] < least:
            least = mean[subset]
            levels.append(cost[subset])
    return sorted(set(levels))


def _choose_without_folds(game: Coalitions, group: Sequence[Subset]) -> Array:
    """The loss of each row (n,) under the best of the group by the other folds."""
    losses = np.stack([game.lose(subset) for subset in group])
    fold = game.fold
    by_fold = np.stack([
        np.bincount(fold, game.weight * rows, int(fold.max()) + 1) for rows in losses
    ])  # fmt: skip
    others = by_fold.sum(axis=1, keepdims=True) - by_fold
    if by_fold.shape[1] < 2:
        others = by_fold
    best = np.argmin(others, axis=0)
    return np.asarray(losses[best[fold], np.arange(len(fold))])
