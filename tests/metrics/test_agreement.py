"""Agreement beyond chance: what is undefined, limits by convention, kappa of ordered classes."""

import math

import numpy as np
import pytest
import sklearn.metrics
from sklearn.metrics import cohen_kappa_score

from assay.comparison.compare import compare
from assay.errors import UnsupportedError
from assay.evaluation.evaluate import evaluate
from assay.metrics.agreement import CohenKappa, Mcc
from assay.states.confusion import Counts
from assay.table.predictions import Predictions
from assay.testing import random_table


def figure(metric, y, label, **options):
    return evaluate(Predictions.from_arrays(y, {"m": label}, **options), metric).rows[0]


@pytest.mark.parametrize("label", [[1, 1, 1], [1, 0, 1], [0, 0, 0]])
def test_mcc_of_one_true_class_is_undefined_even_if_all_is_right(label):
    row = figure("mcc", [1, 1, 1], label, classes=[0, 1])
    assert math.isnan(row.value)
    assert "single_class" in row.note


def test_mcc_of_a_constant_prediction_is_0_by_the_limit_and_says_so():
    row = figure("mcc", [1, 0, 1], [1, 1, 1])
    assert row.value == 0
    assert "prediction is constant" in row.note


def test_mcc_does_not_overflow_on_ten_billion_rows():
    table = np.array([[[4, 1], [2, 3]]]) * 10**9
    tp, truth, said = np.diagonal(table, axis1=1, axis2=2), table.sum(axis=2), table.sum(axis=1)
    counts = Counts(tp, truth, said, total=truth.sum(axis=1), right=tp.sum(axis=1), table=table)
    assert float(Mcc().compute(counts)[0]) == pytest.approx(
        (4 * 3 - 1 * 2) / math.sqrt(5 * 5 * 6 * 4)
    )


def test_kappa_is_undefined_where_truth_and_prediction_are_the_same_constant():
    assert "single_class" in figure("cohen_kappa", [1, 1], [1, 1], classes=[0, 1]).note
    assert figure("cohen_kappa", [1, 1, 1], [1, 0, 1], classes=[0, 1]).value == pytest.approx(0)


@pytest.mark.parametrize("weights", ["linear", "quadratic"])
@pytest.mark.parametrize("seed", range(40))
def test_kappa_of_ordered_classes_equals_scikit_learn(weights, seed):
    p = random_table("multiclass", seed, labels="str", weighted=bool(seed % 2), ties=bool(seed % 3))
    for model in p.models:
        rows = p.rows(model)
        classes = list(range(p.schema.k))
        theirs = cohen_kappa_score(
            rows.truth,
            rows.label,
            labels=classes,
            weights=weights,
            sample_weight=p.weight,
            replace_undefined_by=np.nan,
        )
        row = evaluate(p.select([model]), CohenKappa(weights=weights)).rows[0]
        assert row.value == pytest.approx(theirs, rel=1e-12, abs=1e-15, nan_ok=True)
        assert math.isnan(row.value) or -1 <= row.low <= row.value <= row.high <= 1


def test_weighted_kappa_of_very_many_classes_has_a_value_and_no_interval():
    y = np.arange(700) % 70
    row = figure("cohen_kappa(weights=linear)", y, (y + 1) % 70, task="multiclass")
    assert 0.9 < row.value < 1
    assert math.isnan(row.low)


def test_g_mean_is_0_if_a_class_is_given_up_and_leaves_out_those_that_do_not_occur():
    assert figure("g_mean", ["a", "a", "b"], ["a", "a", "a"]).value == 0
    row = figure("g_mean", ["a", "a", "b"], ["a", "b", "b"], classes=["a", "b", "c"])
    assert row.value == pytest.approx(math.sqrt(0.5))
    assert "mean over 2 of 3 classes" in row.note


@pytest.mark.parametrize(
    ("metric", "label", "reason"),
    [
        ("specificity", [1, 0, 1], "no_negative"),
        ("informedness", [1, 0, 1], "single_class"),
        ("npv", [1, 1, 1], "no_predicted_negative"),
    ],
)
@pytest.mark.parametrize("weight", [None, [0.1, 0.2, 0.7]])
def test_what_the_data_do_not_define_is_undefined_weighted_or_not(metric, label, reason, weight):
    row = figure(metric, [1, 1, 1], label, classes=[0, 1], weight=weight)
    assert math.isnan(row.value)
    assert reason in row.note


@pytest.mark.parametrize("metric", ["specificity", "npv"])
def test_shares_of_rows_have_wilsons_interval(metric):
    y = np.arange(40) % 2
    assert figure(metric, y, np.where(np.arange(40) % 10 < 2, 1 - y, y)).method == "wilson"


@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
@pytest.mark.parametrize("name", ["precision", "recall", "f1"])
def test_an_average_over_some_classes_is_that_of_scikit_learn_over_those_labels(name, average):
    rng = np.random.default_rng(5)
    y, said = rng.choice(["ant", "bee", "cat", "dog"], (2, 300))
    p = Predictions.from_arrays(y, {"m": said})
    row = evaluate(p, f"{name}(only=bee|dog, average={average})").rows[0]
    score = getattr(sklearn.metrics, f"{name}_score")
    assert row.value == pytest.approx(
        score(y, said, labels=["bee", "dog"], average=average), rel=1e-12
    )
    assert row.low < row.value < row.high


def test_an_average_over_classes_that_are_not_there_is_refused():
    p = Predictions.from_arrays(["a", "b"], {"m": ["a", "b"]})
    with pytest.raises(UnsupportedError, match="the classes are a, b"):
        evaluate(p, "f1(only=a|c, average=macro)")
    with pytest.raises(UnsupportedError, match="average=macro, micro or weighted"):
        evaluate(p, "f1(only=a, average=none)")


@pytest.mark.parametrize("name", ["bias", "quantile_coverage"])
def test_models_are_not_ranked_by_what_is_best_at_a_target(name):
    p = Predictions.from_arrays(
        [1.0, 2.0, 3.0], {"a": [1.0, 2.0, 4.0], "b": [0.0, 2.0, 3.0]}, task="regression"
    )
    with pytest.raises(UnsupportedError, match="neither higher nor lower; rank models by"):
        compare(p, name)


def test_kappa_of_grades_goes_by_their_values():
    y = [10, 20, 50, 50, 20, 10]
    label = [10, 50, 50, 20, 20, 20]
    at = {10: 1, 20: 2, 50: 5}
    for weights in ("linear", "quadratic"):
        row = figure(f"cohen_kappa(weights={weights})", y, label)
        theirs = cohen_kappa_score(
            [at[v] for v in y], [at[v] for v in label], labels=range(1, 6), weights=weights
        )
        assert row.value == pytest.approx(theirs)
        assert "order of the classes" not in row.note


def test_a_class_between_the_grades_that_never_occurs_leaves_kappa_as_it_is():
    y = [1, 2, 4, 4, 2, 1]
    label = [1, 4, 4, 2, 2, 2]
    without = figure("qwk", y, label)
    assert figure("qwk", y, label, classes=[1, 2, 3, 4]).value == pytest.approx(without.value)


@pytest.mark.parametrize("metric", ["cohen_kappa(weights=linear)", "macro_mae", "rps"])
def test_metrics_of_ordered_classes_tell_the_order_of_words(metric):
    y = ["low", "mid", "high", "mid"]
    proba = np.full((4, 3), 1 / 3)
    p = Predictions.from_arrays(y, {"m.proba": proba}, classes=["low", "mid", "high"])
    row = evaluate(p, metric).rows[0]
    assert "order of the classes: low < mid < high" in row.note
