"""Shares: by how much each model lowers the loss of a fusion, with intervals.

>>> from assay.fusions.base import FUSIONS
>>> from assay.table.predictions import Predictions
>>> y = [0, 1] * 20
>>> p = Predictions.from_arrays(y, {"a.proba": [0.2, 0.8] * 20, "b.proba": [0.6, 0.4] * 20})
>>> game = Coalitions(p, np.arange(40) % 5, FUSIONS.parse("mean"), "proba")
>>> [round(share.shapley, 2) for share in measure_shares(game)]
[0.44, -0.26]
"""

from collections.abc import Iterator
from itertools import combinations
from math import comb, hypot, sqrt
from typing import NamedTuple

import numpy as np

from assay.fusions.coalitions import Coalitions
from assay.fusions.judging import LossDifference
from assay.kernels import Array

__all__ = ["MOST_EXACT", "Share", "measure_shares"]

MOST_EXACT = 8  # models whose coalitions are all fused; of more, orders are drawn
DRAWN = 2000  # coalitions that are fused for the orders, roughly
LEAST_PAIRS = 4


class Share(NamedTuple):
    """By how much one model lowers the loss of the fused: above 0 it helps.

    Parameters:
        model: Name of the model.
        left_out: Loss of the fusion of all the others, less that of all.
        left_out_low: Lower end of its 95 % interval.
        left_out_high: Upper end.
        shapley: Mean of what the model takes off the loss when it joins, over all orders in which
            models join; the sum over models is what all take off the loss of the baseline.
        low: Lower end of the 95 % interval of `shapley`.
        high: Upper end.
        sampling_error: Standard error of `shapley` from drawing orders, part of the interval; 0
            where all coalitions were fused.
    """

    model: str
    left_out: float
    left_out_low: float
    left_out_high: float
    shapley: float
    low: float
    high: float
    sampling_error: float


def measure_shares(game: Coalitions, seed: int = 0) -> list[Share]:
    """The share of each model in the loss of the fusion of all, that of no model being the start.

    Of at most 8 models all coalitions are fused; of more, orders are drawn, each with its reverse.
    The error is the larger of the rows' and of the folds', as in the verdict.

    Parameters:
        game: The losses of coalitions.
        seed: Seed of the orders; default 0.

    Source: Shapley (1953), Contributions to the Theory of Games 2:307-317; Castro, Gomez & Tejada
    (2009), Computers & Operations Research 36:1726-1730 (sampled orders).
    """
    everyone = range(game.size)
    worth = _weigh_all(game) if game.size <= MOST_EXACT else _draw_orders(game, seed)
    whole = game.lose(everyone)
    shares = []
    for i, (name, (rows, sampling)) in enumerate(zip(game.table.models, worth, strict=True)):
        without = game.compare(game.lose([j for j in everyone if j != i]), whole)
        shapley = game.compare(rows)
        shapley = shapley._replace(error=hypot(shapley.error, sampling))
        ends = [_list_ends(difference) for difference in (without, shapley)]
        shares.append(Share(name, *ends[0], *ends[1], sampling))
    return shares


def _list_ends(difference: LossDifference) -> tuple[float, float, float]:
    return (difference.difference, *difference.interval)


def _weigh_all(game: Coalitions) -> Iterator[tuple[Array, float]]:
    """Of each model: what it takes off the loss of each row (n,) on average over all orders; 0."""
    m = game.size
    for i in range(m):
        others = [j for j in range(m) if j != i]
        rows = np.zeros(game.table.n)
        for size in range(m):
            for before in combinations(others, size):
                gain = game.lose(before) - game.lose((*before, i))
                rows += gain / (m * comb(m - 1, size))
        yield rows, 0.0


def _draw_orders(game: Coalitions, seed: int) -> Iterator[tuple[Array, float]]:
    """Of each model: what it takes off the loss of each row (n,) over drawn orders, and its error.

    An order and its reverse are one draw, as what a model adds early and late differs most.
    """
    m = game.size
    pairs = max(DRAWN // (2 * m * m), LEAST_PAIRS)
    rng = np.random.default_rng(seed)
    total = np.zeros((m, game.table.n))
    draws = np.zeros((pairs, m))
    for pair in range(pairs):
        order = rng.permutation(m).tolist()
        for one in (order, order[::-1]):
            for place, i in enumerate(one):
                gain = game.lose(one[:place]) - game.lose(one[: place + 1])
                total[i] += gain / (2 * pairs)
                draws[pair, i] += game.average(gain) / 2
    errors = draws.std(axis=0, ddof=1) / sqrt(pairs)
    yield from zip(total, map(float, errors), strict=True)
