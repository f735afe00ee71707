"""Weights: optima, selections, limits and intervals, against brute force and general solvers."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from assay.cli import cli
from assay.errors import UnsupportedError
from assay.fusions.additions import LogLossAdditions, MeasuredAdditions, choose_additions
from assay.fusions.base import load_fitted
from assay.fusions.fuse import fuse
from assay.fusions.greedy import Greedy
from assay.fusions.weight_intervals import bootstrap_weights
from assay.fusions.weighted import Weighted
from assay.io.read_write import read, write
from assay.metrics.base import METRICS
from assay.table.predictions import Predictions


def draw_table(
    task: str = "multiclass", n: int = 80, m: int = 4, seed: int = 0, **columns: Any
) -> Predictions:
    """Models of different quality, wrong on different rows."""
    rng = np.random.default_rng(seed)
    quality = rng.uniform(0.2, 2.0, m)
    if task == "regression":
        y = rng.normal(size=n)
        models = {f"m{j}": y + rng.normal(size=n) / quality[j] for j in range(m)}
        return Predictions.from_arrays(y, models, task=task, **columns)
    if task == "multilabel":
        y = rng.integers(0, 2, (n, 3))
        z = [rng.normal(size=(n, 3)) + q * (2 * y - 1) for q in quality]
        models = {f"m{j}.proba": 1 / (1 + np.exp(-own)) for j, own in enumerate(z)}
        return Predictions.from_arrays(y, models, task=task, classes=["a", "b", "c"], **columns)
    k = 2 if task == "binary" else 3
    y = rng.integers(0, k, n)
    models = {}
    for j, own in enumerate(quality):
        z = rng.normal(size=(n, k))
        z[np.arange(n), y] += own
        models[f"m{j}.proba"] = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    return Predictions.from_arrays(y, models, task=task, classes=range(k), **columns)


def measure(p: Predictions, metric: str, weights: Any) -> float:
    """The metric of the weighted mean of the models."""
    kind = "value" if p.task == "regression" else "proba"
    fused = sum(w * getattr(p.rows(name), kind) for name, w in zip(p.models, weights, strict=True))
    schema = replace(p.schema, models={"fused": (kind,)})
    rows = replace(p, schema=schema, outputs={"fused": {kind: fused}}).rows("fused")
    bound: Any = METRICS.parse(metric).bind(p.schema)
    return float(np.ravel(bound.compute(bound.state.summary(bound.state.observe(rows), schema)))[0])


# Convex weights.


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
@pytest.mark.parametrize("loss", ["log_loss", "brier"])
def test_weights_of_each_loss_are_those_of_a_general_solver(task, loss):
    from scipy.optimize import minimize

    p = draw_table(task, seed=3)
    found = Weighted(shrink=0, loss=loss).fit(p)
    other = minimize(
        lambda w: measure(p, loss, w),
        np.full(4, 0.25),
        method="SLSQP",
        bounds=[(0, 1)] * 4,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        options={"ftol": 1e-12},
    )
    assert list(found.weights.values()) == pytest.approx(other.x, abs=2e-3)
    assert measure(p, loss, list(found.weights.values())) <= other.fun + 1e-7
    assert found.gap <= 1e-6


def test_a_metric_that_weighted_can_aim_at_sets_its_loss():
    fused = fuse(draw_table(), "weighted", metric="brier")
    assert fused.how == "weighted(loss=brier)"
    assert not any("judged by its own loss" in note for note in fused.notes)


def test_the_brier_score_is_refused_for_values_with_what_to_do():
    with pytest.raises(UnsupportedError, match="leave loss out"):
        fuse(draw_table("regression"), "weighted(loss=brier)")


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_one_dominant_model_among_poor_ones_keeps_nearly_all_the_weight(task):
    rng = np.random.default_rng(0)
    n = 1000
    if task == "regression":
        y = rng.normal(size=n)
        models = {f"m{j}": y + rng.normal(size=n) * (5 if j else 0.1) for j in range(10)}
        p = Predictions.from_arrays(y, models, task=task)
    else:
        y = rng.integers(0, 3, n)
        models = {}
        for j in range(10):
            z = rng.normal(size=(n, 3))
            z[np.arange(n), y] += 0 if j else 9
            models[f"m{j}.proba"] = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        p = Predictions.from_arrays(y, models, classes=range(3))
    free = Weighted(shrink=0).fit(p).weights["m0"]
    assert Weighted().fit(p).weights["m0"] == pytest.approx(free, abs=1e-3)
    assert free > 0.99


def test_models_that_rows_cannot_tell_apart_are_still_pulled_together():
    p = draw_table("binary", n=60, m=2, seed=5)
    alike = p.select(["m0"]).append("twin", proba=np.roll(p.outputs["m0"]["proba"], 0, axis=0))
    assert Weighted(shrink=5).fit(alike).weights["twin"] == pytest.approx(0.5, abs=1e-6)


# Greedy.


def test_few_evaluated_additions_select_what_all_of_them_select_on_200_pools():
    rng = np.random.default_rng(0)
    for _ in range(200):
        m, n = rng.integers(2, 12), rng.integers(5, 120)
        terms = rng.beta(rng.uniform(0.5, 5), 1, (m, n)) * rng.uniform(0.5, 1, (m, 1)) + 1e-12
        share = rng.integers(0, 3, n) + (rng.random() < 0.5) + 1e-9
        share = np.full(n, 1 / n) if rng.random() < 0.5 else share / share.sum()
        fast = choose_additions(LogLossAdditions(terms, share), 15)
        every = MeasuredAdditions(terms, lambda fused, s=share: float(-(s @ np.log(fused))))
        slow = choose_additions(every, 15)
        # The same mean may come again, and differ by rounding: twice as many of each.
        assert np.allclose(fast / fast.sum(), slow / slow.sum())


@pytest.mark.parametrize(
    ("task", "metric"),
    [
        ("binary", "log_loss"),
        ("multiclass", "brier"),
        ("multilabel", "log_loss"),
        ("multilabel", "brier"),
        ("regression", "mse"),
        ("multiclass", "accuracy"),
    ],
)
def test_greedy_takes_the_best_addition_each_time_whatever_the_metric(task, metric):
    p = draw_table(task, n=60, seed=4)
    sign = METRICS.parse(metric).bind(p.schema).sign
    chosen: list[int] = []
    best: tuple[float, list[int]] = (-np.inf, [])
    for _ in range(6):
        scores = [
            sign * measure(p, metric, np.bincount([*chosen, j], minlength=4) / (len(chosen) + 1))
            for j in range(4)
        ]
        chosen = [*chosen, int(np.argmax(scores))]
        best = max(best, (max(scores), chosen), key=lambda pair: pair[0])
    expected = np.bincount(best[1], minlength=4) / len(best[1])
    found = Greedy(metric=metric, steps=6).fit(p).weights
    assert list(found.values()) == pytest.approx(expected)


def test_a_limit_on_models_and_on_their_cost_is_kept():
    p = draw_table(m=6, n=300, seed=3)
    assert sum(w > 0 for w in fuse(p, "greedy").weights.values()) == 3
    assert sum(w > 0 for w in fuse(p, "greedy(max_models=2)").weights.values()) == 2
    costs = {"m0": 5, "m1": 1, "m2": 1, "m3": 5, "m4": 2, "m5": 4}
    weights = fuse(p, "greedy(max_cost=3)", costs=costs).weights
    assert sum(costs[name] for name, weight in weights.items() if weight) <= 3


def test_bags_average_ensembles_of_half_of_the_models():
    p = draw_table(m=6, n=120, seed=2)
    one = fuse(p, "greedy(bags=8)").weights
    assert one == fuse(p, "greedy(bags=8)").weights
    assert sum(one.values()) == pytest.approx(1)
    assert sum(w > 0 for w in one.values()) >= sum(
        w > 0 for w in fuse(p, "greedy").weights.values()
    )


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("greedy(bags=0)", "bags of greedy must be 1 or more"),
        ("greedy(max_models=0)", "max_models of greedy must be 1 or more"),
        ("greedy(max_cost=0)", "max_cost of greedy must be above 0"),
        ("greedy(bags=3, max_models=2)", "leave bags out"),
        ("greedy(max_cost=3)", "--costs a=1,b=20"),
        ("greedy(max_cost=3, costs=9|9|9|4)", "the cheapest, 'm3', costs 4"),
        ("greedy(max_cost=3, costs=9|9)", "not one for each model"),
    ],
)
def test_limits_that_cannot_be_kept_are_refused_in_a_sentence(how, told):
    with pytest.raises(UnsupportedError, match=told):
        fuse(draw_table(), how)


# Intervals.


def test_intervals_of_weights_hold_those_of_most_other_rows():
    rng = np.random.default_rng(1)

    def draw(n: int) -> Predictions:
        y = rng.normal(size=n)
        models = {name: y + rng.normal(size=n) * s for name, s in (("a", 0.7), ("b", 1.0))}
        return Predictions.from_arrays(y, models, task="regression")

    truth = Weighted(shrink=0).fit(draw(100_000)).weights["a"]
    held = 0
    for _ in range(40):
        p = draw(150)
        low, high = bootstrap_weights(Weighted(shrink=0), p, np.zeros(p.n, int), resamples=80)["a"]
        held += low <= truth <= high
    assert held >= 34


def test_intervals_are_wider_where_rows_come_in_clusters():
    p = draw_table("binary", n=200, seed=6)
    rows = np.repeat(np.arange(200), 4)
    alone = p.take(rows)
    cluster = [f"c{row}" for row in rows]
    p4 = Predictions.from_arrays(
        alone.truth,
        {f"{name}.proba": alone.outputs[name]["proba"] for name in alone.models},
        cluster=cluster,
    )
    found = [fuse(t, "weighted", intervals=True).weight_intervals for t in (alone, p4)]
    widths = [np.mean([high - low for low, high in each.values()]) for each in found]
    assert widths[1] > 1.5 * widths[0]


def test_intervals_are_shown_beside_weights_and_in_json(tmp_path):
    p = draw_table("binary", n=100)
    fused = fuse(p, "weighted", intervals=True)
    low, high = fused.weight_intervals["m0"]
    assert low <= fused.weights["m0"] <= high
    assert f"{fused.weights['m0']:.3f} [{low:.3f}, {high:.3f}]" in str(fused)
    assert fused.to_dict()["weight_intervals"]["m0"] == [low, high]
    assert fuse(p, "weighted").weight_intervals is None
    with pytest.raises(UnsupportedError, match="leave intervals out, or use how='weighted'"):
        fuse(p, "stacking", intervals=True)


def test_the_command_takes_features_and_intervals(tmp_path):
    p = draw_table("binary", n=200, groups={"x": np.linspace(-1, 1, 200)})
    write(p, tmp_path / "t.parquet")
    out, saved = tmp_path / "fused.parquet", tmp_path / "gate.npz"
    told = ["fuse", str(tmp_path / "t.parquet"), "-o", str(out), "--json", "-"]
    gate = ["--how", "gated", "--features", "x", "--save", str(saved)]
    assert CliRunner().invoke(cli, [*told, *gate], catch_exceptions=False).exit_code == 0
    expected = fuse(p, "gated", features=["x"]).predictions.outputs["fused"]["proba"]
    assert np.allclose(read(out).outputs["fused"]["proba"], expected)
    assert load_fitted(saved).features.labels == ("x",)
    found = CliRunner().invoke(cli, [*told, "--how", "weighted", "--intervals"])
    low, high = json.loads(found.stdout)["weight_intervals"]["m0"]
    assert 0 <= low < high <= 1
