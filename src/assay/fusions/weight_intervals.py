"""Weight intervals: how far the weights of a fusion would move on other rows, by the bootstrap.

>>> from assay.fusions.base import FUSIONS
>>> y = [1.0, 2.0, 4.0, 3.0] * 20
>>> p = Predictions.from_arrays(
...     y, {"a": [v + (-1) ** i for i, v in enumerate(y)], "b": [v + 5 for v in y]},
...     task="regression")
>>> low, high = bootstrap_weights(FUSIONS.parse("weighted"), p, np.zeros(80, int))["a"]
>>> 0.9 < low <= high <= 1
True
"""

from dataclasses import replace
from typing import Any

import numpy as np

from assay.errors import UnsupportedError
from assay.fusions.base import Fusion
from assay.fusions.convex import Pool, Weights
from assay.kernels import Array
from assay.table.folds import encode_column
from assay.table.predictions import Predictions

__all__ = ["bootstrap_weights"]

RESAMPLES = 200
LEVEL = 0.95


def bootstrap_weights(
    fusion: Fusion[Any], table: Predictions, fold: Array, seed: int = 0, resamples: int = RESAMPLES
) -> dict[str, tuple[float, float]]:
    """95 % interval of the weight of each model, by percentiles of weights on resampled rows.

    Where clusters are declared, whole clusters are drawn. Each search starts from the weights of
    all rows.

    Parameters:
        fusion: One that finds weights: weighted, greedy, performance.
        table: The rows.
        fold: Fold of each row (n,), -1 for rows that may not be fitted on.
        seed: Seed of the draws; default 0.
        resamples: Number of draws, 2 or more; default 200.

    Raises:
        UnsupportedError: The fusion finds no weights that are the same for all rows.
    """
    if fusion.fitted is not Weights or not fusion.learns:
        raise UnsupportedError(
            f"intervals are of weights that are fitted and the same for all rows, which "
            f"{fusion.name} has not; leave intervals out, or use how='weighted'"
        )
    inside = table if fold.min() >= 0 else table.take(fold >= 0)
    evidence: Any = fusion.evidence(inside, fold[fold >= 0])
    weight = np.ones(inside.n) if inside.weight is None else np.asarray(inside.weight, np.float64)
    cluster = encode_column(inside, "cluster")
    whole = fusion.solve(evidence, seed=seed)
    start = _soften(np.array(list((whole.importance() or {}).values())))
    rng = np.random.default_rng(seed)
    drawn = np.empty((resamples, len(start)))
    for found in drawn:
        again = replace(evidence, weight=weight * _draw_counts(rng, inside.n, cluster))
        if isinstance(evidence, Pool) and hasattr(fusion, "solve_from"):
            fitted = fusion.solve_from(again, start)
        else:
            fitted = fusion.solve(again, seed=seed)
        found[:] = list((fitted.importance() or {}).values())
    tail = 50 * (1 - LEVEL)
    low, high = np.percentile(drawn, [tail, 100 - tail], axis=0)
    pairs = zip(low.tolist(), high.tolist(), strict=True)
    return dict(zip(inside.models, pairs, strict=True))


def _draw_counts(rng: np.random.Generator, n: int, cluster: Array | None) -> Array:
    """How often each row (n,) is drawn, of as many rows or clusters as there are."""
    if cluster is None:
        return np.bincount(rng.integers(0, n, n), minlength=n)
    count = int(cluster.max()) + 1
    return np.asarray(np.bincount(rng.integers(0, count, count), minlength=count)[cluster])


def _soften(weights: Array) -> Array:
    """Weights to start from, each above 0."""
    return np.asarray(0.99 * weights + 0.01 / max(len(weights), 1))
