"""Choosing: the fusion that a call of `fuse` asks for, with its metric and weights.

>>> from assay.fusions.base import FUSIONS
>>> str(set_weights(FUSIONS.parse("mean"), {"b": 1, "a": 3}, ["a", "b"]))
'mean(weights=3|1)'
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, cast

import numpy as np

from assay.core.registry import Member
from assay.errors import UnsupportedError
from assay.fusions.base import FUSIONS, Fusion
from assay.kernels import Array
from assay.metrics.base import METRICS
from assay.table.predictions import Predictions

__all__ = ["require_rows", "set_costs", "set_features", "set_metric", "set_weights"]


def set_metric(fusion: Any, metric: str | Member | None) -> tuple[Fusion[Any], list[str]]:
    """The `fusion` with its `metric` set, and a note where it has none to set."""
    if not isinstance(fusion, Fusion):
        raise UnsupportedError(
            f"how must be the text or instance of a fusion, as in 'weighted(shrink=2)'; "
            f"got {fusion!r}"
        )
    if metric is None:
        return fusion, []
    METRICS.parse(cast(Any, metric))
    if any(f.name == "metric" for f in fields(fusion)):
        return cast("Fusion[Any]", replace(cast(Any, fusion), metric=str(metric))), []
    if str(metric) in fusion.losses:
        return cast("Fusion[Any]", replace(cast(Any, fusion), loss=str(metric))), []
    return fusion, [
        f"{fusion.name} is judged by its own loss, not by {metric}; "
        f"greedy(metric={metric}) searches that."
    ]


def require_rows(
    fusion: Fusion[Any], judging: Predictions, fold: Array
) -> tuple[Fusion[Any], list[str]]:
    """The fusion, or equal weights and the reason where rows or folds are too few for it.

    Parameters:
        fusion: The fusion that is asked for.
        judging: The rows that may be fitted on.
        fold: Fold of each of them (n,), from 0.
    """
    weight = judging.weight
    rows = judging.n if weight is None else int(np.count_nonzero(weight))
    if not fusion.learns:
        return fusion, []
    if rows < fusion.least_rows:
        reason = f"Equal weights: {rows} rows are too few to fit any."
    elif fold.max() < 1:
        reason = f"Equal weights: there is no second fold to judge {fusion} on."
    else:
        return fusion, []
    fusion.evidence(judging, fold)  # what it cannot fuse at all is refused all the same
    return FUSIONS["mean"](), [reason]


def set_weights(
    fusion: Fusion[Any], weights: Mapping[str, float], models: Sequence[str]
) -> Fusion[Any]:
    """The `fusion`, the mean or a vote, with those `weights`, in the order of `models`."""
    if not isinstance(weights, Mapping):
        raise UnsupportedError(
            f"weights must name the weight of each model, as in {{'a': 0.7, 'b': 0.3}}; "
            f"got {weights!r}"
        )
    if str(fusion) == "auto":
        fusion = FUSIONS["mean"]()
    if not any(f.name == "weights" for f in fields(fusion)):
        raise UnsupportedError(
            f"{fusion.name} finds its weights itself; leave weights out, or use how='mean'"
        )
    if sorted(weights) != sorted(models):
        raise UnsupportedError(
            f"the weights are of {', '.join(map(str, weights))}, the models are "
            f"{', '.join(models)}; give each model a weight (0 leaves it out), or choose models "
            f"(models=[...], --models)"
        )
    text = "|".join(str(weights[model]) for model in models)
    return cast("Fusion[Any]", replace(cast(Any, fusion), weights=text))


def set_features(fusion: Fusion[Any], features: Sequence[str]) -> Fusion[Any]:
    """The `fusion` with the columns `features` that it reads."""
    if not any(f.name == "features" for f in fields(fusion)):
        raise UnsupportedError(
            f"{fusion.name} reads no further columns; leave features out, or use how='gated', "
            f"how='neighbours' or how='stacking'"
        )
    return cast("Fusion[Any]", replace(cast(Any, fusion), features="|".join(features)))


def set_costs(
    fusion: Fusion[Any], costs: Mapping[str, float], models: Sequence[str]
) -> Fusion[Any]:
    """The `fusion` with the `costs` of its `models`, where it has a limit on them."""
    if getattr(fusion, "max_cost", None) is None:
        return fusion
    text = "|".join(f"{costs[model]:g}" for model in models)
    return cast("Fusion[Any]", replace(cast(Any, fusion), costs=text))
