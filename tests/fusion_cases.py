"""The cases of `proposals` that speak of weights, of stacking and of further columns."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.linear_model import RidgeClassifier
from sklearn.neighbors import KNeighborsClassifier

import assay
from assay.fusions.base import FUSIONS
from assay.fusions.onnx_pools import refuse_pool
from proposals import case, error, figure, make_folder

__all__ = ["list_cases_of_stacking", "list_cases_of_weights"]

ROWS = 240
RNG = np.random.default_rng(5)
TRUTH = RNG.integers(0, 2, ROWS)
PLACE = RNG.normal(size=ROWS)
# Each model knows one half of the places.
OUTPUTS = {
    f"{name}.proba": np.where(half, np.where(TRUTH == 1, 0.9, 0.1), 0.5)
    for name, half in (("a", PLACE > 0), ("b", PLACE <= 0))
}
MEAN = (OUTPUTS["a.proba"] + OUTPUTS["b.proba"]) / 2
MEAN_LOSS = -float(np.log(np.where(TRUTH == 1, MEAN, 1 - MEAN)).mean())


def make_table(groups: Mapping[str, Any] | None = None, **columns: Any) -> assay.Predictions:
    """The table of both models, with the place of each row as a further column."""
    groups = {"place": PLACE} if groups is None else groups
    return assay.Predictions.from_arrays(TRUTH, OUTPUTS, groups=groups, **columns)


def count_right(table: assay.Predictions, how: Any, **options: Any) -> float:
    """Share of rows on which the fused model is right."""
    fused = assay.fuse(table, how, **options)
    return figure(fused.predictions.select(["fused"]), "accuracy")


def list_cases_of_weights() -> None:
    """Costs, intervals, columns of rows, votes, and classes."""
    table = make_table()
    costs = {"a": 1, "b": 20}
    limited = "greedy(max_cost=5)"
    case(
        error(assay.fuse, table, limited),
        lambda: assay.fuse(table, limited, costs=costs).weights["a"],
        1.0,
    )
    case(
        error(assay.fuse, table, "greedy(max_cost=0.5)", costs=costs),
        lambda: assay.fuse(table, "greedy(max_cost=1)", costs=costs).weights["a"],
        1.0,
    )
    case(
        error(assay.fuse, table, "mean", intervals=True),
        lambda: sum(assay.fuse(table, "weighted", intervals=True).weights.values()),
        1.0,
    )
    case(
        error(assay.fuse, table, "mean", features=["place"]),
        lambda: assay.fuse(table, "mean").loss,
        MEAN_LOSS,
    )
    case(
        error(assay.fuse, table, "neighbours"),
        lambda: count_right(table, "neighbours", features=["place"]),
        1.0,
    )
    holes = np.where(np.arange(ROWS) % 3 == 0, np.nan, PLACE)
    broken = make_table({"place": holes, "there": np.isfinite(holes).astype(int)})
    case(
        error(assay.fuse, broken, "neighbours", features=["place"]),
        lambda: count_right(broken, "neighbours", features=["place"], where="there == 1"),
        1.0,
    )
    values = assay.Predictions.from_arrays(
        PLACE, {"a": PLACE + 1, "b": PLACE - 1}, task="regression"
    )
    case(
        error(assay.fuse, values, "per_class"),
        lambda: assay.fuse(values, "weighted(shrink=0)").loss,
        0.0,
    )
    labels = assay.Predictions.from_arrays(TRUTH, {"a": TRUTH, "b": 1 - TRUTH})
    case(
        error(refuse_pool, assay.fuse(labels, "hard").fitted),
        lambda: refuse_pool(assay.fuse(table, "mean").fitted) or assay.fuse(table, "mean").loss,
        MEAN_LOSS,
    )


def list_cases_of_stacking() -> None:
    """Estimators that give no probabilities, take no weights, and are not saved; layers."""
    table = make_table()
    boosted = FUSIONS.parse("stacking(estimator=boosting)")
    stacked = FUSIONS["stacking"]

    def follow(rows: assay.Predictions = table, how: Any = boosted) -> float:
        return count_right(rows, how)

    case(error(assay.fuse, table, stacked(estimator=RidgeClassifier())), follow, 1.0)
    case(error(FUSIONS.parse, "stacking(layers=2)"), follow, 1.0)
    weighted = make_table(weight=1.0 + np.arange(ROWS) % 2)
    case(
        error(assay.fuse, weighted, stacked(estimator=KNeighborsClassifier())),
        lambda: follow(weighted),
        1.0,
    )
    path = make_folder() / "pool.json"

    def save_and_load() -> float:
        assay.fuse(table, "stacking").save(path)
        fitted = assay.load_fitted(path)
        answers = fitted.apply(table)["proba"].argmax(axis=1)
        return float((answers == TRUTH).mean())

    case(error(assay.fuse(table, boosted).save, path), save_and_load, 1.0)
    case(
        error(assay.fuse, table, "stacking(estimator=linear, layers=2)", folds=2),
        lambda: count_right(table, "stacking(estimator=boosting, layers=1)", folds=2),
        1.0,
    )
