"""Algorithms compared by folds: oracles, layouts of the fold column, refusals, false winners."""

import json
import runpy
from pathlib import Path
from typing import Any

import baycomp
import numpy as np
import pytest
from mlxtend.evaluate import combined_ftest_5x2cv

from assay.comparison.bayesian_fold_test import bayesian_fold_test, correlated_t
from assay.comparison.corrections import holm
from assay.comparison.fold_tests import (
    combined_f,
    corrected_differences,
    corrected_t,
    five_by_two_f_test,
    naive_t,
)
from assay.comparison.fold_values import Folds, fold_values
from assay.comparison.selection_bias import selection_bias
from assay.errors import SchemaError, UnsupportedError
from assay.evaluation.evaluate import evaluate
from assay.reporting.report import report
from assay.selection.cross_validate import cross_validate
from assay.table.predictions import Predictions

BENCH = Path(__file__).parents[2] / "bench" / "false_winners.py"


@pytest.fixture(scope="module")
def bench() -> dict[str, Any]:
    """The names of the bench, run as a module."""
    return runpy.run_path(str(BENCH))


def repeated(folds: int = 5, repeats: int = 3, n: int = 40, **columns: Any) -> Predictions:
    """Two models, held out in every repeat; `row` says which row of data a row of the table is."""
    rng = np.random.default_rng(0)
    y = np.arange(n) % 2
    row = np.tile(np.arange(n), repeats)
    fold = np.concatenate([r * folds + rng.permutation(n) % folds for r in range(repeats)])
    said = {
        name: np.where(rng.random(n * repeats) < skill, y[row], 1 - y[row])
        for name, skill in (("a", 0.9), ("b", 0.6))
    }
    return Predictions.from_arrays(y[row], said, fold=fold, **({"groups": {"row": row}} | columns))


def test_figures_by_fold_are_those_of_evaluate_by_fold():
    p = repeated()
    figures = fold_values(p, "f1")
    by_fold = [
        row.value
        for row in evaluate(p, "f1", by="fold").rows
        if row.group is not None and row.model == "b"
    ]
    assert figures["b"] == pytest.approx(by_fold)


def test_corrected_t_is_nadeau_and_bengio_by_hand():
    d = np.array([0.1, 0.0, 0.2, 0.1])
    found = corrected_t(d, ratio=1 / 3)
    error = np.sqrt(np.var(d, ddof=1) * (1 / 4 + 1 / 3))
    assert found.error == pytest.approx(error)
    assert found.high - found.difference == pytest.approx(
        3.182446305284263 * error
    )  # t(0.975, 3 degrees of freedom)


def test_repeats_have_the_degrees_of_freedom_of_one_of_them():
    found = corrected_differences(repeated(), "accuracy", ["a", "b"]).differences[0]
    figures = fold_values(repeated(), "accuracy")
    apart = figures["a"] - figures["b"]
    assert found.p == pytest.approx(corrected_t(apart, 1 / 4, freedom=4).p)
    assert found.p > corrected_t(apart, 1 / 4).p


def test_random_splits_have_the_degrees_of_freedom_of_as_many_as_hold_each_row_out_once():
    rng = np.random.default_rng(0)
    held = [rng.permutation(200)[:20] for _ in range(30)]
    y, fold, row = np.concatenate(held) % 2, np.repeat(np.arange(30), 20), np.concatenate(held)
    wrong = np.where(rng.random(600) < 0.2, 1 - y, y)
    p = Predictions.from_arrays(y, {"a": y, "b": wrong}, fold=fold, groups={"row": row})
    found = corrected_differences(p, "accuracy", ["a", "b"]).differences[0]
    distinct = len(np.unique(row))
    assert Folds.from_table(p).repeats == pytest.approx(600 / distinct)
    assert (
        found.method
        == f"corrected resampled t, {round(30 * distinct / 600) - 1} d.f. of one repeat"
    )


def test_corrected_t_without_a_correction_is_the_paired_t():
    from scipy.stats import ttest_1samp

    d = np.random.default_rng(1).normal(0.02, 0.05, 10)
    assert corrected_t(d, ratio=0).p == pytest.approx(ttest_1samp(d, 0).pvalue, abs=1e-12)


@pytest.mark.parametrize("equivalence", [0.0, 0.01, 0.05])
@pytest.mark.parametrize("runs", [1, 10])
def test_correlated_t_agrees_with_baycomp(equivalence: float, runs: int):
    rng = np.random.default_rng(runs)
    x, y = rng.normal(0.8, 0.03, 10 * runs), rng.normal(0.79, 0.03, 10 * runs)
    left, *equal, right = baycomp.CorrelatedTTest(x, y, rope=equivalence, runs=runs).probs()
    found = correlated_t(x - y, ratio=1 / 9, equivalence=equivalence)
    assert (found.first, found.equal, found.second) == pytest.approx(
        (left, sum(equal), right), abs=1e-8
    )


def test_correlated_t_gives_the_values_recorded_from_baycomp():
    x, y = np.array([0.8, 0.82, 0.79, 0.85, 0.81]), np.array([0.78, 0.8, 0.8, 0.8, 0.79])
    assert correlated_t(x - y, ratio=1 / 4, equivalence=0.01) == pytest.approx(
        (0.7395155248717886, 0.20913426138045543, 0.051350213747755946), abs=1e-8
    )


def test_correlated_t_of_folds_that_are_all_equal_is_certain_of_what_they_say():
    assert correlated_t([0.1] * 5, 1 / 4, equivalence=0.05) == (1.0, 0.0, 0.0)
    assert correlated_t([0.0] * 5, 1 / 4, equivalence=0.05) == (0.0, 1.0, 0.0)
    assert correlated_t([0.0] * 5, 1 / 4) == (0.5, 0.0, 0.5)


def test_combined_f_is_alpaydins_by_hand():
    d = np.array([[0.1, 0.0], [0.0, 0.1], [0.1, 0.0], [0.0, 0.1], [0.1, 0.0]])
    assert combined_f(d).f == pytest.approx(5 * 0.01 / (2 * 5 * 0.005))
    assert combined_f(np.zeros((5, 2))).p == 1.0


def test_five_by_two_agrees_with_mlxtend():
    from sklearn.datasets import load_breast_cancer
    from sklearn.model_selection import train_test_split
    from sklearn.naive_bayes import GaussianNB
    from sklearn.tree import DecisionTreeClassifier

    X, y = load_breast_cancer(return_X_y=True)
    X, y = X[:300], y[:300]
    models = {"nb": GaussianNB(), "tree": DecisionTreeClassifier(max_depth=2, random_state=0)}
    f, p = combined_ftest_5x2cv(*models.values(), X, y, random_seed=3)
    rng, splits = np.random.RandomState(3), []
    for _ in range(5):
        halves = train_test_split(
            np.arange(300), test_size=0.5, random_state=rng.randint(low=0, high=32767)
        )
        splits += [tuple(halves), tuple(halves[::-1])]
    table = cross_validate(models, X, y, cv=splits, progress=False, n_jobs=1)
    test = five_by_two_f_test(table, "accuracy", "nb", "tree")
    assert (test.f, test.p) == pytest.approx((f, p), abs=1e-8)
    assert "differ significantly in accuracy: F(10, 5) = " in test.verdict
    assert [row["p"] for row in test.records] == [test.p]


def test_five_by_two_refuses_other_layouts():
    with pytest.raises(UnsupportedError, match=r"exactly 5 repeats of 2 folds.*15 folds"):
        five_by_two_f_test(repeated(), "accuracy", "a", "b")
    with pytest.raises(UnsupportedError, match=r"\(5, 2\); got \(10,\)"):
        combined_f(np.zeros(10))


def test_rows_that_recur_are_counted_once():
    p = repeated()
    assert (Folds.from_table(p).n_rows, Folds.from_table(p).ratio) == (40, pytest.approx(1 / 4))
    row = p.group("row")[0]
    assert Folds.from_table(repeated(groups={}, cluster=row)).ratio == pytest.approx(1 / 4)


def test_a_cluster_of_several_rows_in_a_fold_is_no_row_of_data():
    p = Predictions.from_arrays(
        [0, 1] * 4, {"a": [0, 1] * 4}, fold=[0, 0, 0, 0, 1, 1, 1, 1], cluster=[0, 0, 1, 1] * 2
    )
    assert Folds.from_table(p).n_rows == 8


def test_differences_are_of_mean_figures_and_hold_their_interval():
    found = corrected_differences(repeated(n=80), "accuracy", ["a", "b"])
    (d,) = found.differences
    assert d.difference == pytest.approx(found.values["a"] - found.values["b"])
    assert d.low <= d.difference <= d.high
    assert (d.method, found.rows) == ("corrected resampled t, 4 d.f. of one repeat", 80)
    assert d.p < 0.05


def test_the_report_has_a_sentence_for_the_test_that_compared_two_algorithms():
    """It once had none for the corrected resampled t."""
    page = report(repeated(), metrics="accuracy").to_html()
    assert "corrected resampled t-test on the differences fold by fold" in page


def test_lower_is_better_turns_the_posterior_round():
    rng = np.random.default_rng(0)
    y = rng.normal(size=60)
    p = Predictions.from_arrays(
        y,
        {"near": y + 0.1 * rng.normal(size=60), "far": y + rng.normal(size=60)},
        fold=np.arange(60) % 6,
        task="regression",
    )
    test = bayesian_fold_test(p, "mse", equivalence=0.05)
    (pair,) = test.rows
    assert pair.p_a > 0.95
    assert pair.p_a + pair.p_equal + pair.p_b == pytest.approx(1)
    assert (pair.verdict, test.records[0]["p_a"]) == ("near is better", pair.p_a)
    assert test.verdict.startswith("1 of 1 pairs are decided by mse")


def test_equal_differences_on_few_rows_are_no_proof():
    y = np.zeros(20, int)
    wrong = np.isin(np.arange(20), [0, 10]).astype(int)
    p = Predictions.from_arrays(y, {"a": y, "b": wrong}, fold=np.arange(20) // 10, classes=[0, 1])
    (d,) = corrected_differences(p, "accuracy", ["a", "b"]).differences
    assert d.difference == pytest.approx(0.1)
    assert d.p > 0.05
    assert d.low < 0 < d.high


def test_identical_models_are_not_told_apart():
    y = np.arange(30) % 2
    p = Predictions.from_arrays(y, {"a": y, "b": y}, fold=np.arange(30) % 3)
    assert corrected_differences(p, "accuracy", ["a", "b"]).differences[0].p == 1.0
    assert corrected_differences(p, "accuracy", ["a", "b"]).differences[0].low < 0


def test_folds_that_do_not_define_the_metric_are_left_out_and_named():
    y = [0, 1, 0, 1, 1, 1, 0, 1]
    p = Predictions.from_arrays(
        y, {"a.score": range(8), "b.score": [3, 1, 4, 1, 5, 9, 2, 6]}, fold=list("ppqqrrss")
    )
    found = corrected_differences(p, "roc_auc", ["a", "b"])
    assert found.notes == ("1 of 4 folds left out, where roc_auc is undefined (single_class): r",)
    with pytest.raises(UnsupportedError, match=r"undefined \(single_class\) in 8 of 8 folds"):
        corrected_differences(
            Predictions.from_arrays(y, {"a.score": range(8), "b.score": range(8)}, fold=range(8)),
            "roc_auc",
            ["a", "b"],
        )


def test_a_table_without_folds_is_refused_with_the_remedy():
    y = [0, 1, 0, 1]
    with pytest.raises(SchemaError, match="no 'fold' column"):
        corrected_differences(Predictions.from_arrays(y, {"a": y, "b": y}), "accuracy", ["a", "b"])
    with pytest.raises(SchemaError, match="holds 1 fold"):
        Folds.from_table(Predictions.from_arrays(y, {"a": y}, fold=[1, 1, 1, 1]))
    with pytest.raises(SchemaError, match="row 2 has no fold"):
        Folds.from_table(Predictions.from_arrays(y, {"a": y}, fold=[0, 1, None, 1]))
    with pytest.raises(UnsupportedError, match="one value a class"):
        fold_values(Predictions.from_arrays(y, {"a": y}, fold=[0, 0, 1, 1]), "f1(average=none)")


def test_the_naive_t_is_refused_with_the_measured_reason():
    with pytest.raises(UnsupportedError, match=r"names a winner in .* of 10x10-fold"):
        naive_t([0.1, 0.2])


def test_equal_models_are_seldom_told_apart_where_the_naive_test_often_does(bench: dict[str, Any]):
    rates = bench["named"](
        bench["CASES"]["2 equal models, 10x10-fold"]._replace(simulations=300), seed=1
    )
    error = np.sqrt(0.06 * 0.94 / 300)
    assert rates["assay"] <= 0.06 + 2 * error
    assert rates["naive t"] > 0.4
    assert rates["wilcoxon"] > 0.4


def test_equal_models_are_seldom_told_apart_on_random_splits(bench: dict[str, Any]):
    rates = bench["on_random_splits"](30, 20, 10, 150)
    assert rates["assay"] <= 0.05
    assert rates["textbook t"] > 0.05


@pytest.mark.slow
def test_models_near_chance_are_not_told_apart_by_repeating_the_folds(bench: dict[str, Any]):
    """The textbook's degrees of freedom name a winner in 16 % of these tables."""
    rates = bench["named"](
        bench["CASES"]["10 equal models near chance, 10x10-fold"]._replace(simulations=100), seed=4
    )
    assert rates["assay"] <= 0.06
    assert rates["textbook t"] > 0.06


def test_rows_pooled_over_folds_tell_equal_algorithms_apart_too_often(bench: dict[str, Any]):
    case = bench["CASES"]["2 equal nearest neighbours, 10-fold"]._replace(simulations=200)
    rates = bench["named"](case, seed=5)
    assert rates["pooled rows"] > 0.06
    assert rates["assay"] <= 0.06 + 2 * np.sqrt(0.06 * 0.94 / 200)


def test_ten_equal_models_have_a_false_winner_no_more_often_than_they_should(bench: dict[str, Any]):
    case = bench["CASES"]["10 equal models, 10-fold"]._replace(simulations=100)
    found, rng, names = 0, np.random.default_rng(2), [f"m{i}" for i in range(10)]
    for _ in range(case.simulations):
        truth, said, row = bench["right"](rng, case)
        fold = np.arange(len(row)) // 20
        table = Predictions.from_arrays(truth[row], dict(zip(names, said, strict=True)), fold=fold)
        found += (
            min(holm([d.p for d in corrected_differences(table, "accuracy", names).differences]))
            < 0.05
        )
    assert found <= 6 + 2 * np.sqrt(100 * 0.06 * 0.94)


@pytest.mark.slow
def test_the_best_of_equal_models_is_corrected_for_its_luck(bench: dict[str, Any]):
    found = bench["curse"](10, 40, seed=3)
    assert found["naive"] > 0.03
    assert abs(found["corrected"]) < 0.015
    assert found["coverage"] > 0.9


def scored(n: int = 120) -> Predictions:
    """Three models with a rank score."""
    rng = np.random.default_rng(4)
    y = rng.integers(0, 2, n)
    return Predictions.from_arrays(
        y, {f"m{i}.score": y + rng.normal(size=n) * 1.5 for i in range(3)}
    )


def test_a_selection_by_order_is_corrected_too():
    found = selection_bias(scored(), "roc_auc")
    assert found.low <= found.value <= found.high
    assert found.value < found.naive
    assert sum(found.chosen.values()) == pytest.approx(1)


def test_a_selection_is_the_same_for_the_same_seed_and_respects_direction():
    rng = np.random.default_rng(5)
    y = rng.normal(size=100)
    models = {"near": y + 0.2 * rng.normal(size=100), "far": y + rng.normal(size=100)}
    p = Predictions.from_arrays(y, models, task="regression")
    found = selection_bias(p, "mse")
    assert found == selection_bias(p, "mse")
    assert (found.best, found.chosen["near"]) == ("near", 1.0)
    assert "corrected for the selection" in found.verdict
    assert json.loads(found.to_json())["chosen"] == {"near": 1.0, "far": 0.0}
    assert found.optimism == pytest.approx(found.naive - found.value)


def test_a_selection_without_a_figure_is_refused():
    p = Predictions.from_arrays(
        [1, 1, 1], {"a.score": [1, 2, 3], "b.score": [3, 2, 1]}, classes=[0, 1]
    )
    with pytest.raises(UnsupportedError, match=r"undefined .* for every model"):
        selection_bias(p, "roc_auc")
    one = Predictions.from_arrays([1], {"a": [1], "b": [0]}, classes=[0, 1])
    with pytest.raises(UnsupportedError, match="too few rows"):
        selection_bias(one, "accuracy")


def test_a_selection_draws_whole_clusters():
    rng = np.random.default_rng(6)
    y = rng.integers(0, 2, 40)
    once = {f"m{i}": np.where(rng.random(40) < 0.7, y, 1 - y) for i in range(4)}
    copies = {m: np.repeat(v, 5) for m, v in once.items()}
    alone = selection_bias(Predictions.from_arrays(np.repeat(y, 5), copies), "accuracy")
    whole = selection_bias(
        Predictions.from_arrays(np.repeat(y, 5), copies, cluster=np.repeat(range(40), 5)),
        "accuracy",
    )
    assert whole.high - whole.low > 1.5 * (alone.high - alone.low)
