"""Intervals that rest on little are told."""

import numpy as np

from assay.evaluation.evaluate import evaluate
from assay.table.predictions import Predictions

METRICS = ["roc_auc", "log_loss", "brier", "average_precision"]


def make(n=200, **columns):
    rng = np.random.default_rng(3)
    y = np.arange(n) % 2
    p = np.clip(0.5 + 0.2 * (2 * y - 1) + rng.normal(0, 0.2, n), 0.02, 0.98)
    return Predictions.from_arrays(y, {"m.proba": np.stack([1 - p, p], axis=1)}, **columns)


def test_weights_that_leave_few_rows_are_told_for_every_metric():
    weight = np.random.default_rng(1).lognormal(0, 2.5, 200)
    for row in evaluate(make(weight=weight), METRICS).rows:
        assert "weights that make 200 rows count as" in row.note


def test_even_weights_are_not_told():
    for row in evaluate(make(weight=np.full(200, 3.0)), METRICS).rows:
        assert "weights" not in row.note


def test_few_clusters_are_told_and_many_are_not():
    for row in evaluate(make(cluster=np.arange(200) // 40), METRICS).rows:
        assert "few clusters (5)" in row.note
    for row in evaluate(make(cluster=np.arange(200) // 4), METRICS).rows:
        assert "clusters" not in row.note


def test_the_intervals_of_ks_and_of_average_precision_are_told_to_be_narrow():
    for row in evaluate(make(), ["ks", "average_precision"]).rows:
        assert f"few rows (200) for {row.metric}: the interval may be too narrow" in row.note


def test_correlations_of_few_rows_are_told_to_have_narrow_intervals():
    rng = np.random.default_rng(0)
    y = rng.normal(size=100)
    table = Predictions.from_arrays(y, {"m": y + rng.normal(size=100)}, task="regression")
    found = evaluate(table, ["pearson", "explained_variance", "concordance_correlation", "mae"])
    assert ["too narrow" in row.note for row in found.rows] == [True, True, True, False]
