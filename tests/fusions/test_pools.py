"""Pools that fit nothing, or each model alone: the mean, geometric, trimmed, ranks, weights."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.stats import gmean, rankdata, trim_mean
from sklearn.ensemble import VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from assay.cli import cli
from assay.comparison.compare import compare
from assay.errors import NameLookupError, SchemaError, UnsupportedError
from assay.fusions.base import FUSIONS, load_fitted
from assay.fusions.fuse import fuse
from assay.io.read_write import read, write
from assay.table.predictions import Predictions

RNG = np.random.default_rng(5)
Y = RNG.integers(0, 3, 90)
PROBA = {name: RNG.dirichlet(np.ones(3), 90) for name in ("a", "b", "c", "d")}
TABLE = Predictions.from_arrays(Y, {f"{name}.proba": p for name, p in PROBA.items()})
STACK = np.stack(list(PROBA.values()))
BINARY = Predictions.from_arrays(
    Y == 1,
    {
        f"{name}.score": RNG.normal(size=90) + (Y == 1) * skill
        for name, skill in (("a", 2), ("b", 1))
    },
    positive=True,
)


def column_of(how, table=TABLE):
    return FUSIONS.parse(how).fit(table).apply(table)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("average", "mean"),
        ("soft", "mean"),
        ("soft_voting", "mean"),
        ("voting", "mean"),
        ("hard", "mean(of=label)"),
        ("majority_vote", "mean(of=label)"),
        ("median", "trimmed(share=0.5)"),
        ("rank", "rank_mean"),
        ("weighted_average", "performance"),
        ("softmax", "performance(by=softmax)"),
        ("stack", "stacking"),
        ("blend", "weighted"),
        ("blending", "weighted"),
    ],
)
def test_a_name_that_people_type_is_the_fusion_they_mean(name, meant):
    assert str(FUSIONS.parse(name)) == meant


def test_the_geometric_mean_is_that_of_scipy_divided_by_its_sum():
    mean = gmean(STACK, axis=0)
    expected = mean / mean.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(column_of("geometric")["proba"], expected, rtol=1e-12)


def test_the_geometric_mean_of_several_labels_averages_log_odds():
    y = RNG.integers(0, 2, (40, 3))
    p = {f"m{i}": RNG.uniform(0.01, 0.99, (40, 3)) for i in range(3)}
    table = Predictions.from_arrays(
        y, {f"{m}.proba": proba for m, proba in p.items()}, task="multilabel"
    )
    odds = np.mean([np.log(q / (1 - q)) for q in p.values()], axis=0)
    np.testing.assert_allclose(column_of("geometric", table)["proba"], 1 / (1 + np.exp(-odds)))


def test_the_geometric_mean_of_models_that_rule_out_each_other_is_defined():
    table = Predictions.from_arrays([0, 1], {"a.proba": [1.0, 0.0], "b.proba": [0.0, 1.0]})
    np.testing.assert_allclose(column_of("geometric", table)["proba"], 0.5)


def test_the_trimmed_mean_of_values_is_that_of_scipy():
    values = RNG.standard_t(2, (7, 50))
    models = {f"m{i}": row for i, row in enumerate(values)}
    table = Predictions.from_arrays(RNG.normal(size=50), models, task="regression")
    np.testing.assert_allclose(
        column_of("trimmed(share=0.3)", table)["value"], trim_mean(values, 0.3, axis=0), rtol=1e-12
    )
    np.testing.assert_allclose(column_of("median", table)["value"], np.median(values, axis=0))


def test_the_median_of_probabilities_sums_to_one():
    middle = np.median(STACK, axis=0)
    expected = middle / middle.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(column_of("median")["proba"], expected, rtol=1e-12)


def test_the_median_of_three_sure_models_that_disagree_is_their_mean():
    table = Predictions.from_arrays(
        [0, 1, 2], {f"{m}.proba": np.eye(3)[[i] * 3] for i, m in enumerate("abc")}
    )
    np.testing.assert_allclose(column_of("median", table)["proba"], 1 / 3)


def test_the_rank_mean_is_that_of_midranks_and_heeds_no_scale():
    scores = {m: BINARY.outputs[m]["score"] for m in "ab"}
    expected = np.mean([(rankdata(s) - 0.5) / 90 for s in scores.values()], axis=0)
    np.testing.assert_allclose(column_of("rank_mean", BINARY)["score"], expected)
    stretched = Predictions.from_arrays(
        Y == 1, {"a.score": scores["a"] * 1e6, "b.score": np.exp(scores["b"])}, positive=True
    )
    np.testing.assert_allclose(column_of("rank_mean", stretched)["score"], expected)


def test_the_verdict_on_ranks_is_by_roc_auc_with_the_interval_of_delong():
    fused = fuse(BINARY, "rank_mean")
    (pair,) = compare(fused.predictions.select([fused.best, "fused"]), "roc_auc").pairs
    sign = 1 if pair.a == fused.best else -1
    assert fused.difference == pytest.approx(sign * pair.difference, abs=1e-12)
    assert fused.high - fused.low == pytest.approx(pair.high - pair.low, rel=0.02)


def test_ranks_of_a_saved_fusion_are_those_of_the_rows_fitted_on(tmp_path):
    fitted = FUSIONS.parse("rank_mean").fit(BINARY)
    fitted.save(tmp_path / "ranks")
    beyond = Predictions.from_arrays(
        [True, False], {"a.score": [1e9, -1e9], "b.score": [1e9, -1e9]}, positive=True
    )
    again = load_fitted(tmp_path / "ranks")
    assert again == fitted
    assert again.apply(beyond)["score"].tolist() == [1.0, 0.0]


def test_equal_weights_and_votes_are_those_of_scikit_learn():
    x = RNG.normal(size=(300, 4))
    y = (x[:, 0] + RNG.normal(size=300) > 0).astype(int)
    members = {
        "logistic": LogisticRegression().fit(x, y),
        "bayes": GaussianNB().fit(x, y),
        "tree": DecisionTreeClassifier(max_depth=3, random_state=0).fit(x, y),
    }
    frozen = [(name, FrozenEstimator(model)) for name, model in members.items()]
    table = Predictions.from_arrays(
        y, {f"{name}.proba": model.predict_proba(x) for name, model in members.items()}
    )
    weights = {"logistic": 3.0, "bayes": 1.0, "tree": 2.0}
    soft = VotingClassifier(frozen, voting="soft", weights=list(weights.values())).fit(x, y)
    hard = VotingClassifier(frozen, weights=list(weights.values())).fit(x, y)
    fused = fuse(table, "mean", weights=weights)
    np.testing.assert_allclose(
        fused.predictions.outputs["fused"]["proba"], soft.predict_proba(x), atol=1e-12
    )
    voted = fuse(table, "hard", weights=weights).predictions.outputs["fused"]["label"]
    np.testing.assert_array_equal(voted, hard.predict(x))


def test_weights_by_performance_are_shares_of_the_accuracy():
    y = [0, 1] * 10
    wrong = [1, 0, *y[2:]]
    table = Predictions.from_arrays(y, {"a": y, "b": wrong})
    weights = FUSIONS.parse("performance").fit(table).importance()
    assert weights == pytest.approx({"a": 1 / 1.9, "b": 0.9 / 1.9})


def test_weights_by_a_loss_are_shares_of_its_inverse():
    y = np.arange(20.0)
    table = Predictions.from_arrays(y, {"a": y + 1, "b": y + 2}, task="regression")
    weights = FUSIONS.parse("performance").fit(table).importance()
    assert weights == pytest.approx({"a": 0.8, "b": 0.2})


def test_weights_by_softmax_differ_by_e_where_the_metric_differs_by_the_scale():
    y = [0, 1] * 10
    table = Predictions.from_arrays(y, {"a": y, "b": [1, 0, *y[2:]]})
    weights = FUSIONS.parse("softmax(scale=0.1)").fit(table).importance()
    assert weights["a"] / weights["b"] == pytest.approx(np.e)


def test_a_model_without_error_takes_all_the_weight_by_a_loss():
    y = np.arange(20.0)
    table = Predictions.from_arrays(y, {"a": y, "b": y + 2}, task="regression")
    assert FUSIONS.parse("performance").fit(table).importance() == {"a": 1.0, "b": 0.0}


def test_chosen_models_are_fused_and_the_others_stay():
    fused = fuse(TABLE, "mean", models=["a", "c"])
    assert fused.predictions.models == ["a", "b", "c", "d", "fused"]
    assert set(fused.losses) == {"a", "c"}
    expected = (PROBA["a"] + PROBA["c"]) / 2
    np.testing.assert_allclose(fused.predictions.outputs["fused"]["proba"], expected)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"weights": {"a": 0.7}}, UnsupportedError, "give each model a weight"),
        ({"weights": [0.7, 0.3]}, UnsupportedError, "must name the weight of each model"),
        ({"how": "greedy", "weights": {"a": 1}}, UnsupportedError, "use how='mean'"),
        ({"models": ["a", "x"]}, SchemaError, "no model is named 'x'"),
        ({"models": ["a"]}, UnsupportedError, "needs at least 2 models"),
        ({"models": ["a", "b"], "weights": {"a": -1, "b": 1}}, UnsupportedError, "at least 0"),
        ({"models": ["a", "b"], "weights": {"a": 0, "b": 0}}, UnsupportedError, "above 0"),
        ({"how": "mean(weights=1|2)"}, UnsupportedError, "not one for each model"),
        ({"how": "trimmed(share=0.7)"}, UnsupportedError, "0.5 is the median"),
        ({"how": "performance(scale=0)"}, UnsupportedError, "above 0"),
        ({"how": "performance(metric=precision(average=none))"}, UnsupportedError, "macro"),
        ({"how": "rank_mean"}, UnsupportedError, "use how='mean'"),
        ({"how": "votes"}, NameLookupError, "no fusion is named"),
    ],
)
def test_what_cannot_be_fused_so_is_refused_in_a_sentence(options, error, message):
    with pytest.raises(error, match=message):
        fuse(TABLE, **options)


def test_the_command_takes_weights_and_models(tmp_path):
    write(TABLE, tmp_path / "table.parquet")
    arguments = ["fuse", str(tmp_path / "table.parquet"), "--models", "a,b"]
    arguments += ["--weights", "a=3,b=1", "-o", str(tmp_path / "out.parquet"), "--json", "-"]
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert json.loads(result.stdout)["fitted"]["weights"] == {"a": 0.75, "b": 0.25}
    fused = read(tmp_path / "out.parquet").outputs["fused"]["proba"]
    np.testing.assert_allclose(fused, 0.75 * PROBA["a"] + 0.25 * PROBA["b"], atol=1e-12)
