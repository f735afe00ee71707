"""What fusing does, on tables small enough to follow, and on real ones."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from assay.errors import NameLookupError, ReadError, SchemaError, UnsupportedError
from assay.fusions.auto import Auto
from assay.fusions.base import FUSIONS, load_fitted
from assay.fusions.convex import Weights
from assay.fusions.fuse import fuse
from assay.fusions.greedy import Greedy
from assay.fusions.mean import Mean
from assay.fusions.simplex import minimise_log_loss, share_prior
from assay.fusions.weighted import Weighted
from assay.table.folds import assign_folds
from assay.table.predictions import Predictions
from assay.table.schema import Schema


def proba_table(
    n: int = 60, m: int = 3, k: int = 3, seed: int = 0, fall: float = 0.5, **columns: Any
) -> Predictions:
    """Models of falling quality, wrong on different rows."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, n)
    models = {}
    for j in range(m):
        z = rng.normal(size=(n, k))
        z[np.arange(n), y] += 2.0 - fall * j
        e = np.exp(z)
        models[f"m{j}.proba"] = e / e.sum(axis=1, keepdims=True)
    return Predictions.from_arrays(
        y, models, classes=range(k), task="multiclass" if k > 2 else "binary", **columns
    )


def value_table(n: int = 60, seed: int = 0, **columns: Any) -> Predictions:
    rng = np.random.default_rng(seed)
    y = rng.normal(size=n)
    models = {name: y + rng.normal(size=n) * s for name, s in (("a", 0.5), ("b", 1.0))}
    return Predictions.from_arrays(y, models, task="regression", **columns)


def weights(by_model: dict[str, float]) -> Weights:
    schema = Schema("binary", (0, 1), dict.fromkeys(by_model, ("proba",)))
    return Weights(how="weighted", kind="proba", schema=schema, weights=by_model)


def with_truth(p: Predictions, truth: Any) -> Predictions:
    return replace(p, truth=np.asarray(truth, p.truth.dtype))


# The mean.


def test_mean_of_probabilities_is_the_linear_pool():
    p = Predictions.from_arrays([0, 1], {"a.proba": [0.4, 0.8], "b.proba": [0.2, 0.4]})
    assert fuse(p, "mean").predictions.outputs["fused"]["proba"][:, 1] == pytest.approx([0.3, 0.6])


def test_mean_of_logits_averages_after_softmax():
    p = Predictions.from_arrays([0, 1], {"a.logit": [0.0, 0.0], "b.proba": [0.9, 0.1]})
    assert Mean().fit(p).apply(p)["proba"][:, 1] == pytest.approx([0.7, 0.3])


def test_mean_of_values_is_the_arithmetic_mean():
    p = Predictions.from_arrays([1.5, 2.5], {"a": [1.0, 2.0], "b": [2.0, 4.0]}, task="regression")
    assert Mean().fit(p).apply(p)["value"] == pytest.approx([1.5, 3.0])


def test_mean_of_a_multilabel_table_is_taken_label_by_label():
    p = Predictions.from_arrays(
        [[0, 1]], {"a.proba": [[0.2, 0.4]], "b.proba": [[0.6, 1.0]]}, task="multilabel"
    )
    assert Mean().fit(p).apply(p)["proba"] == pytest.approx(np.array([[0.4, 0.7]]))


def test_labels_alone_are_voted_on():
    p = Predictions.from_arrays(["x", "y"], {"a": ["x", "x"], "b": ["x", "y"], "c": ["z", "y"]})
    assert Mean().fit(p).apply(p)["label"].tolist() == ["x", "y"]


def test_a_tied_vote_goes_to_the_class_declared_first():
    p = Predictions.from_arrays(["x", "y"], {"a": ["x", "x"], "b": ["y", "y"]}, classes=["y", "x"])
    assert Mean().fit(p).apply(p)["label"].tolist() == ["y", "y"]


def test_a_tied_vote_on_a_label_of_many_is_no():
    p = Predictions.from_arrays(
        [[0, 1]], {"a.label": [[1, 1]], "b.label": [[0, 1]]}, task="multilabel"
    )
    assert Mean().fit(p).apply(p)["label"].tolist() == [[0, 1]]


def test_boolean_labels_survive_the_vote():
    p = Predictions.from_arrays([True, False], {"a": [True, False], "b": [True, False]})
    assert fuse(p, "mean").predictions.rows("fused").label.tolist() == p.truth.tolist()


def test_the_vote_can_be_asked_for_where_probabilities_are_given():
    p = Predictions.from_arrays([1, 1], {"a.proba": [0.6, 0.1], "b.proba": [0.6, 0.4], "c": [0, 1]})
    assert fuse(p, "mean(of=label)").predictions.rows("fused").label.tolist() == [1, 0]


def test_the_mean_equals_soft_voting_of_scikit_learn():
    ensemble = pytest.importorskip("sklearn.ensemble")
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression
    from sklearn.naive_bayes import GaussianNB

    x, y = load_iris(return_X_y=True)
    vote = ensemble.VotingClassifier(
        [("lr", LogisticRegression(max_iter=1000)), ("nb", GaussianNB())], voting="soft"
    )
    vote.fit(x, y)
    p = Predictions.from_arrays(
        y, {f"{n}.proba": e.predict_proba(x) for n, e in vote.named_estimators_.items()}
    )
    assert Mean().fit(p).apply(p)["proba"] == pytest.approx(vote.predict_proba(x), abs=1e-12)


# Fitted weights.


def test_weights_of_two_biased_models_cancel_their_bias():
    y = np.arange(40.0)
    p = Predictions.from_arrays(y, {"high": y + 1, "low": y - 3}, task="regression")
    assert Weighted(shrink=0).fit(p).weights == pytest.approx({"high": 0.75, "low": 0.25})


def test_weights_of_least_log_loss_are_those_of_a_fine_grid():
    p = proba_table(80, m=3)
    q = np.stack([p.outputs[m]["proba"][np.arange(80), p.truth] for m in p.models], axis=1)
    steps = 100
    grid = (
        np.array([(i, j, steps - i - j) for i in range(steps + 1) for j in range(steps + 1 - i)])
        / steps
    )
    losses = -np.log(q @ grid.T).mean(axis=0)
    weights = np.array(list(Weighted(shrink=0).fit(p).weights.values()))
    assert -np.log(q @ weights).mean() <= losses.min()
    assert weights == pytest.approx(grid[losses.argmin()], abs=1.5 / steps)


def test_many_rows_are_solved_as_exactly_as_few():
    p = proba_table(40_000, m=6)
    q = np.stack([p.outputs[m]["proba"][np.arange(p.n), p.truth] for m in p.models], axis=1)
    for prior in (0.0, 1e-4):
        share = np.full(p.n, 1 / p.n)
        pull = share_prior(q, share, prior)
        assert minimise_log_loss(q, share, pull).gap <= 1e-8


def test_rows_the_first_guess_never_saw_do_not_break_the_solution():
    q = np.tile([0.9, 0.5], (40_001, 1))
    q[1::1000] = [2.3e-16, 0.5]  # the sample of every eighth row misses these
    found = minimise_log_loss(q, np.full(len(q), 1 / len(q)))
    assert found.gap <= 1e-8
    assert found.weights[1] > 0


def test_a_row_every_model_gave_no_chance_leaves_the_weights_defined():
    y = np.array([0, 1] * 20)
    good, bad = np.where(y == 1, 0.9, 0.1), np.full(40, 0.5)
    good[0] = bad[0] = 1.0
    fitted = Weighted(shrink=0).fit(Predictions.from_arrays(y, {"a.proba": good, "b.proba": bad}))
    assert fitted.weights["a"] > 0.9
    assert fitted.gap <= 1e-4


def test_perfect_values_leave_the_weights_defined():
    y = np.arange(30.0)
    assert Weighted().fit(
        Predictions.from_arrays(y, {"a": y, "b": y}, task="regression")
    ).weights == {
        "a": 0.5,
        "b": 0.5,
    }
    one = Predictions.from_arrays(y, {"a": y, "b": y + 1}, task="regression")
    assert Weighted(shrink=0).fit(one).weights["a"] == pytest.approx(1.0)


def test_shrinking_pulls_toward_equal_weights():
    for p in (proba_table(60), value_table()):
        spread = [np.ptp(list(Weighted(shrink=s).fit(p).weights.values())) for s in (0, 2, 50, 1e6)]
        assert spread == sorted(spread, reverse=True)
        assert spread[-1] < 1e-3


def test_scaling_the_row_weights_changes_nothing():
    weight = np.random.default_rng(0).gamma(2, size=60)
    a = Weighted().fit(proba_table(weight=weight))
    b = Weighted().fit(proba_table(weight=weight * 1e-3))
    assert a.weights == pytest.approx(b.weights, abs=1e-6)


def test_rows_of_weight_0_do_not_count():
    weight = np.ones(60)
    weight[40:] = 0
    p = proba_table(weight=weight)
    assert Weighted().fit(p).weights == pytest.approx(
        Weighted().fit(p.take(np.arange(40))).weights, abs=1e-6
    )


def test_too_few_rows_give_equal_weights_and_say_so():
    fitted = Weighted().fit(proba_table(19))
    assert set(fitted.weights.values()) == {1 / 3}
    assert "19 rows are too few" in fitted.notes[0]


# Greedy.


def test_greedy_finds_what_brute_force_finds_in_two_steps():
    p = proba_table(40, m=4, seed=3)
    one_hot = np.eye(p.schema.k)[p.truth]

    def loss(names: tuple[str, ...]) -> float:
        mix = np.mean([p.outputs[name]["proba"] for name in names], axis=0)
        return float(-np.log((mix * one_hot).sum(axis=1)).mean())

    first = min(p.models, key=lambda a: loss((a,)))
    second = min(p.models, key=lambda b: loss((first, b)))
    best = min([(first,), (first, second)], key=loss)
    weights = Greedy(steps=2).fit(p).weights
    assert {m: w for m, w in weights.items() if w} == {
        m: best.count(m) / len(best) for m in set(best)
    }


def test_greedy_searches_the_metric_it_is_given():
    p = proba_table(200)
    fused = fuse(p, "greedy", metric="accuracy")
    assert fused.how == "greedy(metric=accuracy)"
    q, single = fused.fitted.apply(p)["proba"], p.rows("m0").label
    assert (q.argmax(axis=1) == p.truth).mean() >= (single == p.truth).mean()


def test_greedy_breaks_ties_by_name_whatever_the_order_of_models():
    q = [0.2, 0.9, 0.7]
    for names in (("a", "b"), ("b", "a")):
        p = Predictions.from_arrays([0, 1, 1], {f"{name}.proba": q for name in names})
        assert Greedy(metric="accuracy", steps=1).fit(p).weights["a"] == 1


def test_greedy_refuses_a_metric_of_many_values():
    with pytest.raises(UnsupportedError, match="one value"):
        Greedy(metric="f1(average=none)").fit(proba_table())


# Cross-fitting.


@pytest.mark.parametrize("how", ["weighted", "auto", "greedy(metric=brier, steps=3)"])
def test_a_row_never_helps_to_set_the_weights_of_its_own_prediction(how):
    p = proba_table(90, fold=np.arange(90) % 3)
    inside = np.arange(90) % 3 == 1
    changed = with_truth(p, np.where(inside, (p.truth + 1) % 3, p.truth))
    before, after = (fuse(t, how).predictions.outputs["fused"]["proba"] for t in (p, changed))
    assert np.array_equal(before[inside], after[inside])
    assert how == "auto" or not np.array_equal(before[~inside], after[~inside])


def test_the_appended_column_is_that_of_the_other_folds_weights():
    p = proba_table(90, fold=np.repeat(["a", "b", "c"], 30))
    others = p.take(np.arange(30, 90))
    expected = Weighted().fit(others).apply(p.take(np.arange(30)))["proba"]
    assert fuse(p, "weighted").predictions.outputs["fused"]["proba"][:30] == pytest.approx(expected)


def test_training_rows_are_left_out_of_the_fit_and_of_the_score():
    split = np.where(np.arange(90) < 30, "train", "test")
    p = proba_table(90, split=split)
    fused = fuse(p, "weighted")
    assert fused.weights == pytest.approx(Weighted().fit(p.where(split="test")).weights)
    assert fused.weights == pytest.approx(Weighted().fit(p).weights)
    assert "30 training rows (column 'split' says 'train') were left out" in fused.note
    assert fused.predictions.n == 90
    noise = with_truth(p, np.where(split == "train", (p.truth + 1) % 3, p.truth))
    assert fuse(noise, "weighted").loss == fused.loss


def test_a_table_of_training_rows_alone_is_fused_with_a_warning():
    assert "optimistic" in fuse(proba_table(split=["train"] * 60), "weighted").note


def test_rows_of_a_cluster_share_a_fold():
    cluster = np.random.default_rng(0).integers(0, 12, 60)
    fold, notes = assign_folds(proba_table(cluster=cluster))
    assert all(len(set(fold[cluster == c])) == 1 for c in cluster)
    assert "whole clusters" in notes[0]


def test_a_fold_column_that_splits_clusters_is_not_used():
    p = proba_table(cluster=np.repeat(np.arange(30), 2), fold=np.arange(60) % 2)
    fold, notes = assign_folds(p)
    assert (fold[::2] == fold[1::2]).all()
    assert "splits clusters" in notes[0]


def test_random_folds_are_balanced_in_size_and_class():
    p = proba_table(100, k=2)
    fold, _ = assign_folds(p, folds=5)
    assert np.bincount(fold).tolist() == [20] * 5
    ones = [int(p.truth[fold == f].sum()) for f in range(5)]
    assert max(ones) - min(ones) <= 1


def test_with_ids_the_order_of_rows_changes_no_fold():
    order = np.random.default_rng(1).permutation(60)
    p = proba_table(id=[f"r{i}" for i in range(60)])
    assert np.array_equal(assign_folds(p)[0][order], assign_folds(p.take(order))[0])


def test_the_seed_sets_the_folds():
    p = proba_table()
    assert np.array_equal(assign_folds(p, seed=3)[0], assign_folds(p, seed=3)[0])
    assert not np.array_equal(assign_folds(p, seed=3)[0], assign_folds(p, seed=4)[0])


def test_fewer_rows_than_folds_give_fewer_folds_and_say_so():
    fused = fuse(proba_table(24), "weighted", folds=30)
    assert "24 random folds, fewer than the 30 asked for" in fused.note


def test_one_cluster_leaves_nothing_to_judge_on_so_weights_are_equal():
    fused = fuse(proba_table(cluster=["c"] * 60), "weighted")
    assert fused.fitted.how == "mean"
    assert "no second fold" in fused.note
    assert fused.pays is None


# The verdict.


def test_noise_beside_a_good_model_does_not_pay():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 400)
    said = np.where(rng.random(400) < 0.9, y, 1 - y)
    models = {
        "good.proba": np.where(said, 0.9, 0.1),
        "noise.proba": rng.uniform(0.01, 0.99, 400),
    }
    fused = fuse(Predictions.from_arrays(y, models))
    assert fused.pays is False
    assert fused.loss < fused.losses["good"] + 0.02
    assert "keep 'good'" in fused.note
    assert "fused" in fused.predictions.models


@pytest.mark.parametrize(
    ("how", "simulations"),
    [("mean", 40), ("weighted", 20), pytest.param("auto", 20, marks=pytest.mark.slow)],
)
def test_no_fusion_of_models_that_know_nothing_pays(how, simulations):
    paid = beats = 0
    for seed in range(simulations):
        rng = np.random.default_rng(seed)
        y = rng.integers(0, 3, 80)
        models = {f"m{j}.proba": rng.dirichlet(np.ones(3), 80) for j in range(4)}
        fused = fuse(Predictions.from_arrays(y, models, classes=range(3)), how)
        assert fused.answer is not None
        paid += fused.answer == "pays"
        beats += fused.beats_baseline
    assert paid <= 0.1 * simulations
    assert beats <= 0.1 * simulations


def test_a_fusion_that_is_no_better_than_the_shares_of_the_classes_says_so():
    rng = np.random.default_rng(0)
    models = {f"m{j}.proba": rng.dirichlet(np.ones(3), 600) for j in range(4)}
    table = Predictions.from_arrays(rng.integers(0, 3, 600), models, classes=range(3))
    fused = fuse(table, "mean")
    assert fused.high < 0  # of models that know nothing the mean is the best
    assert (fused.pays, fused.answer) == (False, "probably better")
    assert fused.baseline_loss == pytest.approx(np.log(3), abs=0.02)
    assert "no better, beyond the noise, than the shares of the classes" in fused.verdict
    told = json.loads(fused.to_json())
    assert told["beats_baseline"] is False
    assert told["baseline_loss"] == fused.baseline_loss


def test_a_fusion_that_is_significantly_worse_is_said_to_hurt():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 400)
    noise = {f"noise{i}.proba": rng.uniform(0.01, 0.99, 400) for i in range(3)}
    p = Predictions.from_arrays(y, {"good.proba": np.where(y, 0.9, 0.1), **noise})
    fused = fuse(p, "mean")
    assert fused.hurts
    assert fused.pays is False
    assert fused.verdict.startswith("Fusing hurts, keep 'good': log loss")


def test_models_wrong_on_different_rows_pay():
    fused = fuse(proba_table(800, fall=0.1))
    assert fused.pays is True
    assert fused.note.startswith("Fusing pays: log loss")
    assert fused.loss < min(fused.losses.values())


def test_the_best_single_model_is_chosen_without_each_fold_as_the_fusion_is():
    p = proba_table(90, m=3, fall=0.0, fold=np.arange(90) % 3)
    fused = fuse(p, "mean")
    rows = {m: -np.log(p.rows(m).proba[np.arange(90), p.truth]) for m in p.models}
    chosen = np.empty(90)
    for left_out in range(3):
        inside = np.arange(90) % 3 == left_out
        best = min(rows, key=lambda m: rows[m][~inside].mean())
        chosen[inside] = rows[best][inside]
    assert fused.single_loss == pytest.approx(chosen.mean())
    assert fused.difference == pytest.approx(fused.loss - chosen.mean())


def test_the_error_of_the_verdict_is_the_larger_of_rows_and_of_folds():
    y = np.zeros(60)
    errors = np.repeat([0.1, 0.5, 1.0], 20)  # the fused model is worse by another amount in each
    models = {"a": y, "b": y + 2 * np.sqrt(errors)}
    fold = np.arange(60) // 20
    fused = fuse(Predictions.from_arrays(y, models, task="regression", fold=fold), "mean")
    spread = np.std([0.1, 0.5, 1.0], ddof=1) * np.sqrt(1 / 3 + 1 / 2)
    assert (fused.high - fused.difference) / spread == pytest.approx(2.001, abs=1e-3)


def test_fusing_that_gains_less_than_the_noise_is_probably_better_so_many_in_100():
    for seed in range(20):
        fused = fuse(proba_table(100, m=2, fall=0.1, seed=seed), "mean")
        if fused.answer == "probably better":
            break
    assert fused.difference < 0 < fused.high
    assert fused.pays is False
    assert 0.5 < fused.probability < 0.975
    assert f"probably better ({100 * fused.probability:.0f} in 100): log loss" in fused.verdict
    assert "keep" not in fused.verdict
    assert fused.to_dict()["answer"] == "probably better"


def test_a_fusion_that_is_the_best_model_alone_changes_nothing():
    fused = fuse(proba_table(100, fall=1.0), "best")
    assert fused.difference == 0
    assert fused.answer == "worse"
    assert fused.verdict.startswith("Fusing changes nothing, keep 'm0': log loss")


def test_auto_gives_equal_models_nearly_equal_weights():
    rng = np.random.default_rng(0)
    y = rng.normal(size=300)
    p = Predictions.from_arrays(y, {m: y + rng.normal(size=300) for m in "abc"}, task="regression")
    assert list(Auto().fit(p).importance().values()) == pytest.approx([1 / 3] * 3, abs=0.06)


@pytest.mark.parametrize("how", ["auto", "greedy", "log_pool", "tempered", "best"])
def test_fewer_than_20_rows_give_equal_weights_whatever_is_to_be_fitted(how):
    fused = fuse(proba_table(19), how)
    assert fused.weights == dict.fromkeys(("m0", "m1", "m2"), 1 / 3)
    assert "Equal weights: 19 rows are too few to fit any." in fused.notes
    assert "Equal weights" not in fuse(proba_table(20), how).note


def test_few_rows_for_many_models_draw_auto_toward_equal_weights_unless_these_are_bad():
    drawn = [fuse(proba_table(60, m=m, fall=0), "auto") for m in (12, 13)]
    assert "few for" not in drawn[0].note
    assert "Drawn toward equal weights: 60 rows are few for 13 models." in drawn[1].note
    rng = np.random.default_rng(0)
    p = proba_table(60, m=3, k=3)
    for j in range(17):
        sure = 0.001 + 0.997 * np.eye(3)[rng.integers(0, 3, 60)]
        p = p.append(f"poor{j}", proba=sure)
    fused = fuse(p, "auto")
    assert fused.loss < 0.6 * fuse(p, "mean").loss


def test_few_rows_and_many_models_cost_auto_next_to_nothing_beside_the_mean():
    gains = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        y = rng.normal(size=1030)
        shared = rng.normal(size=1030) * 0.4
        models = {f"m{j}": y + shared + rng.normal(size=1030) * (0.4 + j / 30) for j in range(20)}
        table = Predictions.from_arrays(y, models, task="regression")
        few, new = table.slice(0, 30), table.slice(30, 1030)
        error = {
            how: np.mean((FUSIONS.parse(how).fit(few).apply(new)["value"] - new.truth) ** 2)
            for how in ("auto", "mean")
        }
        gains.append(error["auto"] / error["mean"] - 1)
    assert np.mean(gains) < 0.03


def test_auto_undoes_a_constant_that_no_convex_weights_do():
    rng = np.random.default_rng(0)
    y = rng.normal(size=300)
    models = {m: y + 2 + rng.normal(size=300) for m in "ab"}
    p = Predictions.from_arrays(y, models, task="regression")
    fused = fuse(p, "auto")
    assert fused.loss < 0.2 * fuse(p, "weighted").loss
    assert "stacking 1.00" in fused.notes[0]


def test_auto_sharpens_models_that_each_saw_other_evidence():
    rng = np.random.default_rng(3)
    y = rng.integers(0, 2, 800)
    evidence = (2 * y[:, None] - 1) + rng.normal(size=(800, 4)) * 1.5
    proba = 1 / (1 + np.exp(-2 * evidence / 1.5**2))
    p = Predictions.from_arrays(y, {f"m{j}.proba": proba[:, j] for j in range(4)}, positive=1)
    ideal = 1 / (1 + np.exp(-2 * evidence.sum(axis=1) / 1.5**2))
    least = -np.mean(np.log(np.where(y == 1, ideal, 1 - ideal)))
    assert fuse(p, "auto").loss < 1.03 * least < 0.6 * fuse(p, "weighted").loss


def test_auto_is_no_worse_than_one_good_model_among_poor_ones():
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 1000)
    good = np.where(y == 1, 0.96, 0.04)
    models = {"good.proba": good}
    models |= {f"poor{j}.proba": rng.uniform(0.3, 0.7, 1000) for j in range(9)}
    p = Predictions.from_arrays(y, models, positive=1)
    fused = fuse(p, "auto")
    assert fused.loss <= fused.losses["good"] + 1e-3
    assert fused.weights["good"] > 0.9


@pytest.mark.slow
def test_auto_reads_evenly_spread_rows_of_a_long_table_and_says_so():
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 120_000)
    models = {m: np.clip(0.3 + 0.4 * y + rng.normal(0, 0.2, 120_000), 0.01, 0.99) for m in "ab"}
    p = Predictions.from_arrays(y, {f"{m}.proba": q for m, q in models.items()}, positive=1)
    fused = fuse(p, "auto", folds=2)
    assert any("rows, evenly spread" in note for note in fused.notes)
    assert fused.loss <= min(fused.losses.values())


def test_values_that_differ_by_a_constant_alone_can_be_stacked():
    y = np.random.default_rng(0).normal(size=300)
    p = Predictions.from_arrays(y, {"a": y + 1, "b": y - 3}, task="regression")
    assert fuse(p, "stacking").loss < 1e-20


def test_the_difference_is_paired_and_clusters_widen_it():
    p = proba_table(300)
    rows = fuse(p, "mean")
    twice = np.repeat(np.arange(300), 2)
    clustered = replace(
        p.take(twice),
        columns={
            "cluster": Predictions.from_arrays(
                twice, {"m": twice.astype(float)}, task="regression", cluster=twice
            ).columns["cluster"]
        },
    )
    both = fuse(clustered, "mean")
    assert both.difference == pytest.approx(rows.difference)
    assert both.high - both.low == pytest.approx(rows.high - rows.low, rel=1e-9)


def test_the_loss_shown_is_that_of_the_metric_on_the_appended_column():
    p = proba_table(weight=np.random.default_rng(0).gamma(2, size=60))
    fused = fuse(p, "weighted")
    q = fused.predictions.outputs["fused"]["proba"][np.arange(60), p.truth]
    assert fused.loss == pytest.approx(-np.average(np.log(q), weights=p.weight))


def test_the_result_reads_as_an_answer():
    fused = fuse(proba_table(), "weighted(shrink=0)", name="pool")
    assert repr(fused).startswith(fused.verdict)
    assert "pool: weighted(shrink=0) of 3 models." in repr(fused)
    assert [row["model"] for row in fused.records] == ["m0", "m1", "m2", "pool"]
    held = json.loads(fused.to_json())
    assert held["schema"] == "assay.fusion/1"
    assert held["fitted"]["weights"] == pytest.approx(dict(fused.weights))
    assert fused.to_arrow().num_rows == 4


def test_a_metric_given_to_a_fusion_that_searches_none_is_remarked():
    assert (
        "greedy(metric=accuracy) searches that"
        in fuse(proba_table(), "mean", metric="accuracy").note
    )


def test_weighted_beats_the_best_single_model_on_digits():
    pytest.importorskip("sklearn")
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict
    from sklearn.naive_bayes import GaussianNB
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, y = load_digits(return_X_y=True)
    x, y = x[:900], y[:900]
    models = {
        "linear": make_pipeline(StandardScaler(), LogisticRegression(C=0.05, max_iter=500)),
        "neighbours": KNeighborsClassifier(10),
        "bayes": GaussianNB(var_smoothing=1e-2),
    }
    given = {
        f"{n}.proba": cross_val_predict(m, x, y, cv=3, method="predict_proba")
        for n, m in models.items()
    }
    fused = fuse(Predictions.from_arrays(y, given), "weighted")
    assert fused.loss < 0.9 * min(fused.losses.values())
    assert fused.pays


# Saved and applied.


def test_a_fitted_fusion_survives_its_file(tmp_path):
    for p in (
        proba_table(),
        value_table(),
        Predictions.from_arrays([True, False], {"a": [True, True], "b": [True, False]}),
    ):
        fitted = Auto().fit(p)
        fitted.save(tmp_path / "pool.json")
        read = load_fitted(tmp_path / "pool.json")
        assert read == fitted
        assert np.array_equal(read.apply(p)[read.kind], fitted.apply(p)[fitted.kind])


def test_a_file_of_the_first_version_is_still_read(tmp_path):
    (tmp_path / "pool.json").write_text(
        '{"schema": "assay.fitted/1", "how": "weighted", "weights": {"m0": 0.25, "m1": 0.75}, '
        '"kind": "proba", "task": "binary", "classes": [0, 1], "gap": 1e-10, "note": "Chosen."}'
    )
    p = proba_table(k=2, m=2)
    fitted = load_fitted(tmp_path / "pool.json")
    expected = 0.25 * p.outputs["m0"]["proba"] + 0.75 * p.outputs["m1"]["proba"]
    assert fitted.apply(p)["proba"] == pytest.approx(expected)
    assert (fitted.how, fitted.gap, fitted.notes) == ("weighted", 1e-10, ("Chosen.",))


def test_a_file_that_is_no_fitted_fusion_is_refused(tmp_path):
    for content in (
        b"{",
        b"[]",
        b"{}",
        b'{"schema": "assay.fitted/1"}',
        b'{"schema": "assay.fitted/1", "how": "mean", "weights": {"a": -1}, "kind": "value", '
        b'"task": "regression", "classes": [], "gap": 0, "note": ""}',
        b'{"schema": "assay.evaluation/1"}',
        b"PK\x03\x04",
        b"\xff\xfe",
    ):
        (tmp_path / "pool").write_bytes(content)
        with pytest.raises(ReadError, match="no fitted fusion"):
            load_fitted(tmp_path / "pool")
    with pytest.raises(ReadError, match="cannot be read"):
        load_fitted(tmp_path / "absent")


def test_a_file_of_a_fusion_that_is_not_known_says_what_to_import(tmp_path):
    (tmp_path / "pool").write_text('{"schema": "assay.fitted/2", "how": "alchemy(k=2)"}')
    with pytest.raises(ReadError, match=r"alchemy.*Import the module that defines it"):
        load_fitted(tmp_path / "pool")


def test_the_fusion_of_new_rows_is_one_more_model(tmp_path):
    p = proba_table(m=2)
    fused = fuse(p, "weighted", name="pool")
    new = proba_table(m=2, seed=9)
    fused.save(tmp_path / "pool")
    column = load_fitted(tmp_path / "pool").apply(new)["proba"]
    assert np.array_equal(fused.predict(new).outputs["pool"]["proba"], column)


def test_a_model_of_weight_0_need_not_be_there():
    p = proba_table(k=2)
    fitted = weights({"m0": 1.0, "gone": 0.0})
    assert np.array_equal(fitted.apply(p)["proba"], p.outputs["m0"]["proba"])


def test_a_model_of_some_weight_must_be_there():
    fitted = weights({"m0": 0.5, "gone": 0.5})
    with pytest.raises(
        SchemaError, match=r"needs model 'gone', which the table lacks; it has m0, m1, m2"
    ):
        fitted.apply(proba_table(k=2))


def test_weights_are_not_applied_to_other_classes():
    with pytest.raises(SchemaError, match="fitted on a multiclass table"):
        Mean().fit(proba_table(k=3)).apply(proba_table(k=4))


def test_classes_in_another_order_are_the_same_classes():
    p = Predictions.from_arrays(
        [0, 1], {"a.proba": [0.4, 0.8], "b.proba": [0.2, 0.4]}, classes=[0, 1]
    )
    swapped = Predictions.from_arrays(
        [0, 1], {"a.proba": [0.4, 0.8], "b.proba": [0.2, 0.4]}, classes=[1, 0], positive=1
    )
    assert Mean().fit(p).apply(swapped)["proba"][:, 0] == pytest.approx([0.3, 0.6])


def test_an_empty_batch_gives_an_empty_column():
    p = proba_table()
    assert Mean().fit(p).apply(p.slice(0, 0))["proba"].shape == (0, 3)


# Refusals.


def test_one_model_cannot_be_fused():
    one = proba_table(m=1)
    for call in (lambda: fuse(one), lambda: Mean().fit(one)):
        with pytest.raises(UnsupportedError, match=r"at least 2 models; the table has 1: m0"):
            call()


def test_a_name_already_taken_is_refused():
    with pytest.raises(SchemaError, match="already named 'm1'"):
        fuse(proba_table(), "mean", name="m1")


def test_labels_among_probabilities_name_the_model_and_the_remedy():
    p = Predictions.from_arrays([0, 1], {"a.proba": [0.4, 0.8], "rule": [0, 1]})
    for how in ("mean", "weighted", "auto", "greedy"):
        with pytest.raises(
            UnsupportedError, match=r"'rule' gives only label.*rule\.proba.*how='hard'"
        ):
            fuse(p, how)


def test_rank_scores_cannot_be_fused():
    p = Predictions.from_arrays([0, 1], {"a.proba": [0.4, 0.8], "svm.score": [-1.0, 2.0]})
    for how in ("mean", "mean(of=label)"):
        with pytest.raises(UnsupportedError, match="'svm' gives only score"):
            fuse(p, how)


def test_weights_cannot_be_fitted_to_labels_alone():
    p = Predictions.from_arrays([0, 1], {"a": [0, 1], "b": [1, 1]})
    for how in ("weighted", "greedy"):
        with pytest.raises(
            UnsupportedError,
            match=r"needs probabilities, but model 'a' gives only labels.*how='mean'",
        ):
            fuse(p, how)
    assert fuse(p, "auto").fitted.how == "mean"


def test_an_unknown_fusion_is_refused_with_the_nearest_name():
    with pytest.raises(NameLookupError, match="Did you mean weighted"):
        fuse(proba_table(), "weigthed")
    with pytest.raises(UnsupportedError, match="how must be"):
        fuse(proba_table(), 3)  # type: ignore[arg-type]


@pytest.mark.parametrize("how", ["weighted(shrink=-1)", "greedy(steps=0)"])
def test_parameters_out_of_range_are_refused(how):
    with pytest.raises(UnsupportedError, match="must be"):
        fuse(proba_table(), how)


def test_a_table_without_weight_outside_training_is_refused():
    split = ["train"] * 30 + ["test"] * 30
    with pytest.raises(UnsupportedError, match="no row of positive weight"):
        fuse(proba_table(split=split, weight=[1.0] * 30 + [0.0] * 30))
    for folds in (1, 2.5, "two", None):
        with pytest.raises(UnsupportedError, match="folds must be a whole number of 2 or more"):
            fuse(proba_table(), folds=folds)


def test_every_fusion_is_on_the_shelf():
    assert {"auto", "greedy", "mean", "stacking", "weighted"} <= set(FUSIONS.names())
