"""Why a fusion works: shares of models, diversity, the worth of the spread, few or cheap models."""

import json
from itertools import permutations

import numpy as np
import pytest

import assay
from assay.cli import main
from assay.errors import UnsupportedError
from assay.fusions.base import FUSIONS
from assay.fusions.coalitions import Coalitions
from assay.fusions.diversity import decompose, measure_oracle, measure_pairs
from assay.fusions.fuse import fuse
from assay.fusions.judging import measure_losses
from assay.fusions.shares import measure_shares
from assay.table.predictions import Predictions
from assay.testing.tables import random_table


def classifiers(n=300, m=4, k=3, seed=0, **columns):
    """Models of falling quality, wrong on different rows."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, n)
    models = {}
    for j in range(m):
        z = rng.normal(size=(n, k))
        z[np.arange(n), y] += 1.8 - 0.4 * j
        models[f"m{j}.proba"] = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    return Predictions.from_arrays(y, models, classes=range(k), **columns)


def regressors(n=300, seed=0, **columns):
    rng = np.random.default_rng(seed)
    y = rng.normal(size=n)
    models = {f"m{j}": y + rng.normal(size=n) * (0.5 + 0.3 * j) for j in range(4)}
    return Predictions.from_arrays(y, models, task="regression", **columns)


def play(table, how="mean", kind="proba"):
    return Coalitions(table, np.arange(table.n) % 5, FUSIONS.parse(how), kind)


def explain(table, how="weighted", **options):
    return fuse(table, how, explain=True, **options).explanation


# Shares.


def test_shapley_shares_are_the_mean_over_all_orders_of_joining():
    table = classifiers()
    game = play(table)
    by_hand = np.zeros(4)
    orders = list(permutations(range(4)))
    for order in orders:
        for place, model in enumerate(order):
            before, after = (game.average(game.lose(order[:end])) for end in (place, place + 1))
            by_hand[model] += (before - after) / len(orders)
    assert [s.shapley for s in measure_shares(game)] == pytest.approx(by_hand, abs=1e-12)


@pytest.mark.parametrize(("how", "make"), [("weighted", classifiers), ("mean", regressors)])
def test_the_shares_sum_to_what_the_models_take_off_the_loss_of_the_baseline(how, make):
    why = explain(make(), how)
    total = sum(row.shapley for row in why.rows)
    assert total == pytest.approx(why.baseline_loss - why.loss, abs=1e-12)


def test_the_loss_that_shares_speak_of_is_the_cross_fitted_one():
    fused = fuse(classifiers(), "weighted", explain=True)
    assert fused.explanation.loss == pytest.approx(fused.loss, abs=1e-12)
    table = classifiers().select(["m0", "m1", "m3"])
    without = fuse(table, "weighted").loss - fused.loss
    assert fused.explanation.rows[2].left_out == pytest.approx(without, abs=1e-12)


def test_a_model_of_noise_adds_nothing_and_is_said_to():
    table = classifiers()
    rng = np.random.default_rng(1)
    noise = rng.dirichlet(np.ones(3), table.n)
    why = explain(table.append("noise", proba=noise), "weighted(shrink=0)")
    last = why.rows[-1]
    assert last.left_out_low <= 0 <= last.left_out_high
    assert "'noise' has no weight: it is worse alone by" in last.sentence
    assert last.sentence in why.footnotes


def test_a_model_without_weight_that_says_the_same_as_another_is_said_to():
    table = classifiers(m=2)
    noise = np.random.default_rng(1).dirichlet(np.ones(3), table.n)
    near = 0.9 * table.outputs["m0"]["proba"] + 0.1 * noise
    why = explain(table.append("near", proba=near), "weighted(shrink=0)")
    said = [row.sentence for row in why.rows if row.model == "near"]
    assert "says nearly the same as 'm0' (correlation of errors 0.9" in said[0]


def test_drawn_orders_agree_with_all_coalitions_within_their_error(monkeypatch):
    game = play(classifiers(m=6))
    exact = measure_shares(game)
    monkeypatch.setattr("assay.fusions.shares.MOST_EXACT", 3)
    drawn = measure_shares(game, seed=1)
    assert all(s.sampling_error == 0 for s in exact)
    for one, other in zip(exact, drawn, strict=True):
        assert 0 < other.sampling_error < 0.05
        assert abs(one.shapley - other.shapley) < 4 * other.sampling_error
    assert sum(s.shapley for s in drawn) == pytest.approx(sum(s.shapley for s in exact))


def test_the_interval_of_a_share_holds_that_of_other_rows():
    # 95 % intervals: of 60 about 3 miss.
    wide = [s.shapley for s in measure_shares(play(classifiers(n=40_000, m=3, seed=9)))]
    missed = 0
    for seed in range(20):
        found = measure_shares(play(classifiers(m=3, seed=seed)))
        for share, truth in zip(found, wide, strict=True):
            missed += not share.low <= truth <= share.high
    assert missed <= 8


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel", "regression"])
@pytest.mark.parametrize("how", ["mean", "auto"])
def test_every_task_is_explained_whatever_the_fusion(task, how):
    why = explain(random_table(task, 3, n=120), how)
    assert why.game == {"mean": "mean", "auto": "weighted"}[how]
    assert np.isfinite([row.shapley for row in why.rows]).all()
    assert json.loads(why.to_json())["rows"]


def test_labels_and_scores_are_explained():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    right = [np.where(rng.random(200) < 0.2, 1 - y, y) for _ in range(3)]
    votes = Predictions.from_arrays(y, dict(zip("abc", right, strict=True)))
    assert explain(votes, "hard").baseline == "the most frequent class"
    scores = {f"{name}.score": y + rng.normal(size=200) for name in "abc"}
    why = explain(Predictions.from_arrays(y, scores), "rank_mean")
    assert why.baseline_loss == 0.5
    assert sum(row.shapley for row in why.rows) == pytest.approx(0.5 - why.loss, abs=1e-9)


def test_rows_of_weight_0_do_not_count_in_the_explanation():
    weight = (np.arange(300) % 3 > 0).astype(float)
    fold = np.arange(300) % 5
    whole = explain(classifiers(weight=weight, fold=fold))
    part = explain(classifiers(fold=fold).take(weight > 0))
    for one, other in zip(whole.rows, part.rows, strict=True):
        assert one.shapley == pytest.approx(other.shapley, abs=1e-6)
    for one, other in zip(whole.pairs, part.pairs, strict=True):
        assert one[2:] == pytest.approx(other[2:], abs=1e-12)
    assert whole.oracle == pytest.approx(part.oracle)


# Diversity.


def oracle_votes(patterns):
    """Models that are right (1) or wrong (0) as the patterns say, each so many times."""
    rows = [list(map(int, pattern)) for pattern, times in patterns.items() for _ in range(times)]
    right = np.array(rows)
    y = np.zeros(len(right), int)
    models = {f"m{j}": 1 - right[:, j] for j in range(right.shape[1])}
    return Predictions.from_arrays(y, models, classes=[0, 1])


@pytest.mark.parametrize(
    ("patterns", "majority", "q", "rho", "disagreement", "double_fault"),
    [
        # Three classifiers right on 6 of 10 objects: Kuncheva & Whitaker (2003), section 4.
        ({"110": 3, "101": 3, "011": 3, "000": 1}, 0.9, -0.5, -0.25, 0.6, 0.1),
        ({"111": 4, "100": 2, "010": 2, "001": 2}, 0.4, 1 / 3, 1 / 6, 0.4, 0.2),
        ({"111": 6, "000": 4}, 0.6, 1.0, 1.0, 0.0, 0.4),
    ],
    ids=["pattern of success", "pattern of failure", "identical"],
)
def test_diversity_is_that_of_kuncheva_and_whitaker(
    patterns, majority, q, rho, disagreement, double_fault
):
    table = oracle_votes(patterns)
    for pair in measure_pairs(table, "label"):
        want = (disagreement, q, double_fault, rho)
        assert pair[2:] == pytest.approx(want, abs=1e-12)
    assert 1 - fuse(table, "hard").loss == pytest.approx(majority)


def test_the_oracle_is_the_share_of_rows_on_which_some_model_is_right():
    assert measure_oracle(oracle_votes({"100": 3, "001": 2, "000": 5}), "label") == 0.5


def test_residuals_of_values_are_correlated_as_numpy_has_it():
    table = regressors()
    errors = [table.outputs[name]["value"] - table.truth for name in table.models]
    want = np.corrcoef(errors)
    pairs = measure_pairs(table, "value")
    assert [p.correlation for p in pairs] == pytest.approx(want[np.triu_indices(4, 1)])
    assert np.isnan([p.q for p in pairs]).all()


# The worth of the spread.


@pytest.mark.parametrize("geometric", [False, True])
@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel", "regression"])
def test_the_spread_is_exactly_what_the_models_lose_beyond_the_fused(task, geometric):
    table = random_table(task, 5, n=80)
    kind = "value" if task == "regression" else "proba"
    weights = np.random.default_rng(0).dirichlet(np.ones(len(table.models)), table.n)
    found = decompose(table, weights, kind, geometric)
    assert len(found) == (2 if kind == "proba" and not geometric else 1)
    for one in found:
        assert one.members - one.fused == pytest.approx(one.ambiguity, abs=1e-12)
        assert one.ambiguity >= 0


@pytest.mark.parametrize("how", ["mean", "geometric", "weighted"])
def test_the_fused_loss_of_the_identity_is_that_of_the_metric(how):
    for table in (classifiers(), classifiers(k=2), random_table("multilabel", 2, n=120)):
        fused = fuse(table, how, explain=True)
        (log, *brier) = fused.explanation.ambiguities
        assert log.fused == pytest.approx(fused.loss, abs=1e-9)
        if brier:
            value = assay.evaluate(fused.predictions.select(["fused"]), "brier", intervals=False)
            assert brier[0].fused == pytest.approx(value.rows[0].value, abs=1e-9)


# Few or cheap models.


def test_the_point_of_one_model_is_the_best_single_one_of_the_verdict():
    fused = fuse(classifiers(), "weighted", explain=True)
    first = fused.explanation.frontier[0]
    assert first.models == (fused.best,)
    assert first.loss == pytest.approx(fused.single_loss, abs=1e-12)


def test_a_model_that_adds_nothing_is_not_paid_for():
    table = classifiers(m=3)
    why = explain(
        table.append("dear", proba=np.roll(table.outputs["m2"]["proba"], 1, axis=1)),
        costs={"m0": 1, "m1": 1, "m2": 1, "dear": 50},
    )
    assert "dear" not in why.enough.models
    assert why.enough.cost <= 3
    costs = [point.cost for point in why.frontier]
    assert costs == sorted(costs)


def test_what_is_enough_is_not_significantly_worse_and_less_is():
    why = explain(classifiers(n=2000))
    place = why.frontier.index(why.enough)
    assert why.enough.low <= 0
    assert all(point.low > 0 for point in why.frontier[:place])
    assert f"{why.enough.count} models" in why.verdict


def test_many_models_are_explained_by_paths():
    table = classifiers(n=200, m=10)
    why = explain(table, "mean", costs=dict.fromkeys(table.models, 1.0))
    assert why.frontier[-1].cost <= 10
    assert all(row.sampling_error > 0 for row in why.rows)


@pytest.mark.parametrize(
    ("costs", "told"),
    [
        ({"m0": 1}, "must give a number for each model that is fused"),
        ([1, 2], r"got \[1, 2\]"),
        ({"m0": 1, "m1": -1, "m2": 1, "m3": 1}, "the cost of 'm1' must be a number of at least 0"),
        ({"m0": 1, "m1": float("nan"), "m2": 1, "m3": 1}, "the cost of 'm1'"),
    ],
)
def test_costs_that_are_not_one_for_each_model_are_refused(costs, told):
    with pytest.raises(UnsupportedError, match=told):
        fuse(classifiers(), costs=costs)


# Where it is shown.


def test_the_command_explains_as_python_does(tmp_path, capsys):
    path, out = tmp_path / "p.parquet", tmp_path / "f.parquet"
    table = classifiers(fold=np.arange(300) % 3)
    assay.write(table, path)
    words = ["fuse", str(path), "--how", "weighted", "-o", str(out), "--json", "-"]
    main([*words, "--costs", "m0=1,m1=2,m2=3,m3=4"])
    told = json.loads(capsys.readouterr().out)["explanation"]
    why = explain(table, costs={"m0": 1, "m1": 2, "m2": 3, "m3": 4})
    assert told == json.loads(why.to_json())
    main([*words, "--explain"])
    assert json.loads(capsys.readouterr().out)["explanation"]["enough"]["cost"] is None
    main(words)
    assert json.loads(capsys.readouterr().out)["explanation"] is None


@pytest.mark.slow
def test_text_and_page_say_why_the_fusion_works(tmp_path):
    fused = fuse(classifiers(), "weighted", explain=True)
    text = repr(fused)
    assert fused.explanation.verdict in text
    assert "Shapley share" in text
    page = assay.report(fused.predictions, fused=fused).to_html()
    for said in ("Why it works", "What each model adds", "What few models give", "ambiguity"):
        assert said in page


def test_the_loss_of_no_model_is_that_of_the_shares_of_the_classes_in_the_other_folds():
    y = np.array([0, 1, 1, 1] * 25)
    table = Predictions.from_arrays(y, {"a.proba": np.full(100, 0.7), "b.proba": np.full(100, 0.6)})
    game = Coalitions(table, np.arange(100) // 4 % 5, FUSIONS.parse("mean"), "proba")
    share = (60 + 0.5) / 81
    want = -0.75 * np.log(share) - 0.25 * np.log(1 - share)
    assert game.average(game.lose([])) == pytest.approx(want)
    assert measure_losses(table, "proba").mean["a"] == pytest.approx(game.average(game.lose([0])))
