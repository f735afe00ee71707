"""Advice: each check fires on what it is for, and stays silent on healthy data."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import assay
from assay.advice.advise import advise, build_context, list_checks, majority_baseline
from assay.advice.base import CHECKS
from assay.calibration.temperature import fit_temperature
from assay.errors import UnsupportedError
from assay.evaluation.evaluate import evaluate
from assay.io.read_write import write
from assay.io.stream import scan
from assay.reporting.report import report
from assay.table.predictions import Predictions


def codes(p, **options):
    return [a.code for a in advise(p, **options)]


def test_balanced_data_and_a_good_model_need_no_advice():
    y = np.arange(300) % 3
    assert codes(Predictions.from_arrays(y, {"m": np.where(np.arange(300) % 10 == 0, 0, y)})) == []


def test_imbalanced_classes_are_noticed_with_the_accuracy_of_always_saying_the_majority():
    y = ["no"] * 190 + ["yes"] * 10
    p = Predictions.from_arrays(y, {"m": ["no"] * 180 + ["yes"] * 20}, positive="yes")
    (found,) = (a for a in advise(p) if a.code == "A001")
    assert "accuracy 0.95" in found.evidence
    assert "balanced_accuracy" in found.remedy


def test_one_rare_class_among_many_is_imbalance_too():
    y = [0] * 500 + [1] * 500 + [2] * 12
    assert "A001" in codes(Predictions.from_arrays(y, {"m": y}))


def test_a_model_no_better_than_the_majority_is_named():
    y = ["no"] * 90 + ["yes"] * 10
    found = [
        a
        for a in advise(Predictions.from_arrays(y, {"lazy": ["no"] * 100, "good": y}))
        if a.code == "A002"
    ]
    assert ["'lazy'" in a.title for a in found] == [True]


def test_classes_of_few_rows_are_named():
    y = ["a"] * 50 + ["b"] * 4
    (found,) = (a for a in advise(Predictions.from_arrays(y, {"m": y})) if a.code == "A004")
    assert "'b' (4)" in found.evidence


def test_classes_of_pixels_are_counted_by_image_and_shares_by_weight():
    maps = [np.full((8, 8), 0) for _ in range(30)]
    for image in range(4):
        maps[image][:2] = 1  # many pixels, of few images
    p = assay.count_pixels(maps, {"m": maps})
    (found,) = (a for a in advise(p) if a.code == "A004")
    assert found.title == "Some classes have fewer than 10 clusters."
    assert found.evidence == "Clusters of the class: 1 (4)."
    (found,) = (a for a in advise(p) if a.code == "A001")
    assert "0 is 96.7% of the weight of 34 rows" in found.evidence
    for image in range(12):
        maps[image][0, 0] = 1
    assert "A004" not in codes(assay.count_pixels(maps, {"m": maps}))
    assert "A004" not in codes(assay.count_pixels(maps[:5], {"m": maps[:5]}))


def test_training_rows_among_those_evaluated_are_noticed():
    y = [0, 1] * 20
    p = Predictions.from_arrays(y, {"m": y}, split=["train"] * 30 + ["test"] * 10)
    assert "A005" not in codes(p)
    assert "A005" not in codes(p.where(split="test"))
    assert "A005" in codes(p.where(split="train"))
    (found,) = only("A005", p.where('split != "none"'))
    assert "30 of 40 rows are training rows (column 'split' says 'train')" in found.evidence


def test_advice_can_be_ignored_by_code():
    y = ["no"] * 95 + ["yes"] * 5
    p = Predictions.from_arrays(y, {"m": y})
    assert "A001" in codes(p)
    assert "A001" not in codes(p, ignore=["A001"])


@pytest.mark.parametrize("task", ["binary", "multilabel", "regression"])
def test_the_baseline_is_one_more_model_that_ignores_the_rows(task):
    y = {
        "binary": [0] * 7 + [1] * 3,
        "multilabel": [[0, 1]] * 7 + [[1, 1]] * 3,
        "regression": [1.0] * 7 + [2.0] * 3,
    }[task]
    p = majority_baseline(Predictions.from_arrays(y, {"m": y}, task=task))
    assert p.models == ["m", "baseline"]
    if task == "binary":
        assert evaluate(p, "accuracy").get("baseline", "accuracy").value == 0.7
        assert evaluate(p, "roc_auc").get("baseline", "roc_auc").value == 0.5
    if task == "regression":
        assert evaluate(p, "r2").get("baseline", "r2").value == pytest.approx(0.0, abs=1e-12)


def only(code, p, **options):
    """The findings of one check."""
    return [a for a in advise(p, **options) if a.code == code]


def honest(n, seed=0, spread=2.0, **columns):
    """A binary model whose probabilities come true as stated."""
    rng = np.random.default_rng(seed)
    proba = 1 / (1 + np.exp(-rng.normal(0, spread, n)))
    y = (rng.random(n) < proba).astype(int)
    return Predictions.from_arrays(y, {"m.proba": proba}, classes=[0, 1], positive=1, **columns)


def sharper(p, power):
    """The same model, surer of itself by a factor on its logits."""
    odds = (p.rows("m").proba[:, 1] / p.rows("m").proba[:, 0]) ** power
    given = {"m.proba": odds / (1 + odds)}
    return Predictions.from_arrays(p.truth, given, classes=[0, 1], positive=1, weight=p.weight)


def test_probabilities_that_are_too_sure_are_noticed_with_the_temperature_that_mends_them():
    p = sharper(honest(4000), 3)
    (found,) = only("A006", p, thorough=True)
    assert "above" in found.evidence
    cooled = fit_temperature(p, "m")
    assert cooled.temperature == pytest.approx(3, rel=0.1)
    assert f"temperature of {cooled.temperature:.3g}" in found.remedy
    assert cooled.after < cooled.before
    assert "thorough=True" in only("A006", p)[0].remedy


def test_the_temperature_is_that_of_least_log_loss_and_its_log_loss_is_of_other_rows():
    from scipy.optimize import minimize_scalar

    p = sharper(honest(600, seed=3), 2.5)
    logit, truth = np.log(p.rows("m").proba), p.truth

    def loss(inverse):
        scaled = logit * inverse
        return np.mean(np.logaddexp(scaled[:, 0], scaled[:, 1]) - scaled[np.arange(600), truth])

    best = minimize_scalar(loss, bounds=(0.05, 5), method="bounded", options={"xatol": 1e-10})
    found = fit_temperature(p, "m")
    assert found.temperature == pytest.approx(1 / best.x, rel=1e-5)
    assert found.before == pytest.approx(loss(1.0), rel=1e-12)
    assert found.after > best.fun
    assert found.after == pytest.approx(best.fun, rel=0.02)


def test_one_step_from_the_whole_is_as_good_as_a_fit_without_each_fold():
    p = sharper(honest(500, seed=4), 2)
    fold = np.arange(500) % 5
    p = Predictions.from_arrays(
        p.truth, {"m.proba": p.rows("m").proba}, classes=[0, 1], positive=1, fold=fold
    )
    refitted = [fit_temperature(p.take(fold != f), "m").temperature for f in range(5)]
    logit, own = np.log(p.rows("m").proba), np.array(refitted)[fold][:, None]
    scaled = logit / own
    direct = np.mean(np.logaddexp(scaled[:, 0], scaled[:, 1]) - scaled[np.arange(500), p.truth])
    assert fit_temperature(p, "m").after == pytest.approx(direct, rel=1e-3)


def test_a_temperature_that_does_not_help_is_not_advised():
    """Probabilities honest but for the wrong class share: no scale of the logits fixes a shift."""
    rng = np.random.default_rng(0)
    proba = 1 / (1 + np.exp(-rng.normal(0, 2, 4000)))
    y = (rng.random(4000) < proba**3).astype(int)
    p = Predictions.from_arrays(y, {"m.proba": proba}, classes=[0, 1], positive=1)
    assert "isotonic" in only("A006", p)[0].remedy


def test_rows_of_a_cluster_that_come_true_together_are_no_sign_of_poor_calibration():
    rng = np.random.default_rng(0)
    cluster = rng.integers(0, 40, 2000)
    proba = 1 / (1 + np.exp(-rng.normal(0, 2, 40)))
    y = (rng.random(40) < proba).astype(int)
    columns = {"classes": [0, 1], "positive": 1}
    p = Predictions.from_arrays(y[cluster], {"m.proba": proba[cluster]}, cluster=cluster, **columns)
    assert only("A006", p) == []
    assert only("A006", Predictions.from_arrays(y[cluster], {"m.proba": proba[cluster]}, **columns))


def rare(n, seed=0):
    rng = np.random.default_rng(seed)
    proba = 1 / (1 + np.exp(-rng.normal(-2, 2, n)))
    return Predictions.from_arrays(
        (rng.random(n) < proba).astype(int), {"m.proba": proba}, classes=[0, 1], positive=1
    )


def test_a_threshold_that_is_better_moved_is_noticed_where_looked_for():
    p = rare(3000)
    (found,) = only("A007", p, thorough=True)
    assert "chosen on other rows" in found.evidence
    assert only("A007", p) == []


def separated(n, seed):
    """An honest model that tells the classes well apart: 0.5 is as good a threshold as any."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    proba = 1 / (1 + np.exp(-3 * rng.normal(np.where(y == 1, 1.5, -1.5), 1)))
    fold = rng.integers(0, 5, n)
    return Predictions.from_arrays(y, {"m.proba": proba}, classes=[0, 1], positive=1, fold=fold)


@pytest.mark.slow
def test_on_healthy_tables_tests_accuse_in_at_most_one_of_twenty():
    tables = 100
    fired = dict.fromkeys(("A006", "A007", "A009", "A011"), 0)
    for seed in range(tables):
        context = build_context(separated(250, seed), thorough=True)
        for code in fired:
            fired[code] += bool(CHECKS[code]().find(context))
    assert max(fired.values()) <= 0.05 * tables, fired


def test_few_rows_are_too_uncertain_to_decide_by_and_the_advice_says_how_many_would_do():
    y = np.arange(60) % 2
    p = Predictions.from_arrays(y, {"m": np.where(np.arange(60) % 5 == 0, 1 - y, y)})
    (found,) = only("A008", p)
    assert "0.8 of 'm'" in found.evidence
    rows = 1.96**2 * 0.8 * 0.2 / 0.02**2
    told = float(found.remedy.split()[1].replace(",", ""))
    assert told == pytest.approx(rows, rel=0.1)
    assert only("A008", p.take(np.repeat(np.arange(60), 20))) == []


def test_rows_of_few_clusters_are_counted_as_clusters():
    y = np.arange(2000) % 2
    p = Predictions.from_arrays(
        y, {"m": np.where(np.arange(2000) % 5 == 0, 1 - y, y)}, cluster=np.arange(2000) % 30
    )
    assert "30 clusters" in only("A008", p)[0].evidence


def test_clusters_of_a_stream_are_counted_as_those_of_a_table(tmp_path):
    y = np.arange(900) % 2
    said = np.where(np.arange(900) % 7 == 0, 1 - y, y)
    p = Predictions.from_arrays(y, {"m": said}, cluster=np.arange(900) // 45)
    write(p.take(np.arange(500)), tmp_path / "0.parquet")
    write(p.take(np.arange(500, 900)), tmp_path / "1.parquet")
    (found,) = only("A008", scan(tmp_path))
    assert "on 900 rows in 20 clusters" in found.evidence
    assert [found] == only("A008", p)


def test_a_mean_squared_error_that_rests_on_few_rows_is_uncertain():
    rng = np.random.default_rng(0)
    y = rng.normal(size=1000)
    p = Predictions.from_arrays(y, {"m": y + rng.normal(size=1000)}, task="regression")
    assert only("A008", p) == []
    assert "mean squared error" in only("A008", p.take(np.arange(20)))[0].evidence


def folded(errors, n=100):
    """A model with so many errors in each fold of n rows."""
    y = np.zeros(n * len(errors), int)
    label = np.concatenate([np.arange(n) < e for e in errors]).astype(int)
    fold = np.repeat(np.arange(len(errors)), n)
    return Predictions.from_arrays(y, {"m": label}, classes=[0, 1], fold=fold)


def test_a_fold_unlike_the_others_is_named():
    (found,) = only("A009", folded([5, 6, 40, 5, 4]))
    assert "Fold 2" in found.title
    assert "0.4" in found.evidence


@pytest.mark.parametrize("errors", [[5, 6, 8, 5, 4], [0, 20, 40, 60, 80], [0, 0, 0, 0, 3]])
def test_folds_that_vary_as_rows_do_or_all_alike_are_no_news(errors):
    assert only("A009", folded(errors)) == []


def test_a_fold_unlike_the_others_is_seen_in_regression_too():
    rng = np.random.default_rng(0)
    y, fold = rng.normal(size=500), np.repeat(np.arange(5), 100)
    value = y + rng.normal(size=500) * np.where(fold == 3, 3, 1)
    assert (
        "Fold 3"
        in only("A009", Predictions.from_arrays(y, {"m": value}, task="regression", fold=fold))[
            0
        ].title
    )


def test_clusters_with_rows_in_both_splits_are_noticed():
    y = [0, 1] * 20
    cluster = [f"user{i // 4}" for i in range(40)]
    leaky = Predictions.from_arrays(
        y, {"m": y}, cluster=cluster, split=["train", "test", "test", "test"] * 10
    )
    (found,) = only("A010", leaky)
    assert "10 clusters" in found.evidence
    assert "'test' and 'train'" in found.evidence
    clean = Predictions.from_arrays(
        y, {"m": y}, cluster=cluster, split=["train"] * 20 + ["test"] * 20
    )
    assert only("A010", clean) == []


def test_clusters_that_the_folds_tear_apart_are_noticed():
    y = [0, 1] * 20
    p = Predictions.from_arrays(y, {"m": y}, cluster=np.arange(40) // 2, fold=np.arange(40) % 2)
    assert "several folds" in only("A010", p)[0].title


def test_an_id_in_two_splits_is_noticed():
    y = [0, 1] * 10
    p = Predictions.from_arrays(y, {"m": y}, id=range(20), split=["train", "test"] * 10)
    assert only("A010", p) == []
    seen = replace(p, columns={**p.columns, "id": pa.array([i // 2 for i in range(20)])})
    assert "10 ids" in only("A010", seen)[0].evidence


def test_class_columns_in_another_order_are_noticed():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 300)
    good = np.where(rng.random(300) < 0.9, y, rng.integers(0, 4, 300))
    classes = ["ant", "bee", "cat", "dog"]
    names = np.array(classes)
    p = Predictions.from_arrays(
        names[y], {"m": names[(good + 1) % 4], "fine": names[good]}, classes=classes
    )
    (found,) = only("A011", p)
    assert "'m'" in found.title
    assert "'bee' read as 'ant'" in found.evidence


def test_a_lazy_or_a_guessing_model_is_not_called_permuted():
    rng = np.random.default_rng(0)
    y = ["no"] * 190 + ["yes"] * 10
    assert only("A011", Predictions.from_arrays(y, {"lazy": ["yes"] * 200})) == []
    guess = Predictions.from_arrays(
        rng.integers(0, 8, 60), {"m": rng.integers(0, 8, 60)}, classes=range(8)
    )
    assert only("A011", guess) == []


@pytest.mark.parametrize("k", [10, 100])
def test_two_class_columns_of_many_that_changed_places_are_noticed(k):
    rng = np.random.default_rng(0)
    y = rng.integers(0, k, 100 * k)
    said = np.where(rng.random(len(y)) < 0.85, y, rng.integers(0, k, len(y)))
    swapped = np.r_[1, 0, np.arange(2, k)]
    p = Predictions.from_arrays(y, {"m": swapped[said], "fine": said}, classes=range(k))
    (found,) = only("A011", p)
    assert "0 read as 1, 1 read as 0" in found.evidence
    assert "'m'" in found.title


def test_two_classes_that_a_model_confuses_are_not_called_permuted():
    accused = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        y = rng.integers(0, 10, 400)
        said = np.where((y < 2) & (rng.random(400) < 0.5), 1 - y, y)
        accused += len(only("A011", Predictions.from_arrays(y, {"m": said}, classes=range(10))))
    assert accused <= 2


@pytest.mark.parametrize("kind", ["score", "proba"])
def test_scores_that_rise_with_the_other_class_are_told(kind):
    y = np.array([0, 1] * 60)
    high = np.linspace(0.1, 0.9, 120)[np.argsort(np.argsort(y + np.tile([0, 0.4, 0.7], 40)))]
    said = {f"right.{kind}": high, f"reversed.{kind}": 1 - high}
    (found,) = only("A016", Predictions.from_arrays(y, said, positive=1))
    assert "'reversed'" in found.title
    assert "the other way round" in found.title
    assert "ROC AUC is 0, below 0.5" in found.evidence
    assert "positive=0" in found.remedy
    followed = Predictions.from_arrays(y, {"m.score": 1 - high}, positive=0)
    assert only("A016", followed) == []
    assert evaluate(followed, "roc_auc").value == 1


def test_scores_without_order_are_seldom_called_reversed():
    rng = np.random.default_rng(0)
    accused = 0
    for _ in range(300):
        y = rng.integers(0, 2, 60)
        accused += len(only("A016", Predictions.from_arrays(y, {"m.score": rng.random(60)})))
    assert accused <= 8


def test_few_clusters_do_not_show_that_scores_are_reversed():
    y = np.repeat([0, 1, 0, 1], 50)
    score = np.repeat([0.9, 0.1, 0.8, 0.2], 50)
    p = Predictions.from_arrays(y, {"m.score": score}, positive=1, cluster=np.repeat(range(4), 50))
    assert only("A016", p) == []
    assert only("A016", replace(p, columns={})) != []


def test_a_regression_model_that_does_not_beat_the_mean_is_named():
    rng = np.random.default_rng(0)
    y = rng.normal(100, 10, 200)
    said = {
        "shifted": y + 20,
        "constant": np.full(200, y.mean()),
        "good": y + rng.normal(0, 5, 200),
    }
    found = only("A014", Predictions.from_arrays(y, said, task="regression"))
    assert [advice.title for advice in found] == [
        "Model 'shifted' does not beat the mean.", "Model 'constant' does not beat the mean."
    ]  # fmt: skip
    assert "mean squared error is 400" in found[0].evidence
    assert (
        only("A014", Predictions.from_arrays(np.ones(20), {"m": np.ones(20)}, task="regression"))
        == []
    )


def test_costs_are_taken_from_the_metric_that_states_them():
    p = honest(2000)
    codes = {advice.code for advice in evaluate(p, "expected_cost(costs=0 1;9 0)").advice}
    assert "A013" in codes
    assert "A013" not in {advice.code for advice in evaluate(p, "expected_cost").advice}
    assert "A013" in {
        advice.code for advice in report(p, metrics=["f1", "expected_cost(costs=0 1;9 0)"]).advice
    }


def test_advice_that_is_not_wanted_is_left_out_of_evaluation_and_report():
    p = Predictions.from_arrays([0] * 95 + [1] * 5, {"lazy": [0] * 100})
    assert {"A001", "A002", "A003"} <= {advice.code for advice in evaluate(p, "accuracy").advice}
    for found in (
        evaluate(p, "accuracy", ignore=["A001", "A003"]),
        report(p, ignore=["A001", "A003"]),
    ):
        assert not {"A001", "A003"} & {advice.code for advice in found.advice}
    with pytest.raises(UnsupportedError, match="no advice has the code 'A1'; the codes are A001"):
        evaluate(p, "accuracy", ignore=["A1"])


def test_every_code_has_a_row_in_the_documentation():
    page = (Path(__file__).parents[2] / "docs" / "advice.md").read_text()
    assert re.findall(r"^\| (A\d{3}) \|", page, re.MULTILINE) == list_checks()


def test_the_check_that_the_documentation_shows_is_found_from_its_file(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "advice.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "duplicates.py").write_text(code)
    y = ["no", "yes"] * 50
    write(Predictions.from_arrays(y, {"a": y, "b": y}), tmp_path / "p.parquet")

    def run(*arguments):
        command = [sys.executable, "-m", "assay", "--plugin", "duplicates.py", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)

    title = "X001 Models 'a' and 'b' give the same labels."
    evaluated = run("evaluate", "p.parquet", "--metric", "accuracy")
    assert title in evaluated.stdout + evaluated.stderr
    ignored = run("evaluate", "p.parquet", "--metric", "accuracy", "--ignore", "X001")
    assert title not in ignored.stdout + ignored.stderr
    assert "X001  Two models give the same labels" in run("list", "checks").stdout


def test_checks_run_in_the_order_of_their_codes():
    y = ["no"] * 95 + ["yes"] * 5
    found = codes(Predictions.from_arrays(y, {"m": ["no"] * 100}, split=["train"] * 100))
    assert found == sorted(found)
    assert len(found) > 3


def test_a_probability_of_0_given_to_the_truth_is_noticed():
    proba = [[1.0, 0.0]] * 10
    p = Predictions.from_arrays([0] * 9 + [1], {"m.proba": proba}, classes=[0, 1])
    assert "1 of 10 rows" in only("A012", p)[0].evidence
    assert only("A012", p.take(np.arange(9))) == []
    logits = Predictions.from_arrays(
        [0] * 9 + [1], {"m.logit": [[0.0, -900.0]] * 10}, classes=[0, 1]
    )
    assert only("A012", logits) == []


def test_unequal_costs_are_advised_on_only_where_they_are_given_and_deciding_by_them_pays():
    p = honest(2000)
    (found,) = only("A013", p, costs="0 1;9 0")
    assert "from 0.1 on" in found.remedy
    assert "less" in found.evidence
    assert only("A013", p) == []
    assert only("A013", p, costs="0 1;1 0") == []
    assert only("A013", p, costs="0 3") == []


def test_costs_of_several_classes_are_decided_by_their_expectation():
    rng = np.random.default_rng(0)
    proba = rng.dirichlet(np.ones(3), 3000)
    y = (proba.cumsum(axis=1) < rng.random((3000, 1))).sum(axis=1)
    p = Predictions.from_arrays(y, {"m.proba": proba}, classes=[0, 1, 2])
    costs = np.array([[0, 1, 1], [1, 0, 1], [8, 8, 0]])
    chosen = np.argmin(proba @ costs, axis=1)
    assert f"{costs[y, chosen].mean():.4g}" in only("A013", p, costs=costs.tolist())[0].evidence


def test_costs_for_other_classes_are_refused():
    with pytest.raises(UnsupportedError, match="3 rows, the table has 2 classes"):
        advise(honest(50), costs="0 1 1;1 0 1;1 1 0")


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel", "regression"])
def test_no_check_stumbles_over_any_kind_of_table(task):
    from assay.testing import random_table

    for seed in range(12):
        p = random_table(task, seed, weighted=bool(seed % 2), ties=bool(seed % 3))
        costs = "0 1;3 0" if p.schema.k == 2 and task != "multilabel" else None
        advise(p, thorough=True, costs=costs)
        advise(p.take(np.zeros(p.n, bool)), thorough=True)


def test_advice_on_a_thousand_rows_takes_no_more_than_ten_milliseconds():
    from time import perf_counter

    p = honest(1000)
    advise(p)
    took = []
    for _ in range(20):
        start = perf_counter()
        advise(p)
        took.append(perf_counter() - start)
    assert min(took) < 0.01


def test_answers_that_hang_on_the_order_of_the_classes_are_named_with_the_range_of_the_accuracy():
    proba = [[0.5, 0.5], [0.5, 0.5], [0.2, 0.8], [0.7, 0.3]] * 25
    p = Predictions.from_arrays([0, 1, 1, 0] * 25, {"m.proba": proba})
    (found,) = (a for a in advise(p) if a.code == "A015")
    assert "50.0% of 100 rows" in found.evidence
    assert "0.5 to 1" in found.evidence


def test_ties_of_wrong_classes_and_declared_labels_hang_on_no_order():
    y = [0, 1, 2, 0] * 25
    wrong = [[0.2, 0.4, 0.4], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.8, 0.1, 0.1]] * 25
    assert "A015" not in codes(Predictions.from_arrays(y, {"m.proba": wrong}))
    even = [[1 / 3, 1 / 3, 1 / 3]] * 100
    assert "A015" not in codes(Predictions.from_arrays(y, {"m.proba": even, "m.label": y}))


@pytest.mark.parametrize(("k", "each"), [(100, 5), (50, 6), (10, 20)])
def test_classes_that_are_uneven_by_chance_are_not_called_imbalanced(k, each):
    rng = np.random.default_rng(0)
    fired = 0
    for _ in range(40):
        y = rng.integers(0, k, k * each)
        fired += "A001" in codes(Predictions.from_arrays(y, {"m": y}, classes=range(k)))
    assert fired == 0


def test_a_class_with_a_twentieth_of_the_rows_of_another_is_imbalance():
    y = [0] * 100 + [1] * 100 + [2] * 5
    assert "A001" in codes(Predictions.from_arrays(y, {"m": y}))


def test_a_model_that_finds_a_rare_class_is_not_accused_of_its_accuracy():
    y = np.array([0] * 970 + [1] * 30)
    said = np.array([0] * 940 + [1] * 30 + [0] * 10 + [1] * 20)
    assert "A002" not in codes(Predictions.from_arrays(y, {"m": said}))
    assert "A002" in codes(Predictions.from_arrays(y, {"m": np.zeros(1000, int)}, classes=[0, 1]))
