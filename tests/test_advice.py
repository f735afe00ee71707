"""Advice: each check fires on what it is for, and stays silent on healthy data."""

import numpy as np
import pytest

from assay.advice import advise, majority_baseline
from assay.evaluate import evaluate
from assay.predictions import Predictions


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
    found = [a for a in advise(Predictions.from_arrays(y, {"lazy": ["no"] * 100, "good": y})) if a.code == "A002"]
    assert ["'lazy'" in a.title for a in found] == [True]


def test_classes_of_few_rows_are_named():
    y = ["a"] * 50 + ["b"] * 4
    (found,) = (a for a in advise(Predictions.from_arrays(y, {"m": y})) if a.code == "A004")
    assert "'b' (4)" in found.evidence


def test_training_rows_among_those_evaluated_are_noticed():
    y = [0, 1] * 20
    p = Predictions.from_arrays(y, {"m": y}, split=["train"] * 30 + ["test"] * 10)
    assert "A005" in codes(p)
    assert "A005" not in codes(p.where(split="test"))


def test_advice_can_be_ignored_by_code():
    y = ["no"] * 95 + ["yes"] * 5
    p = Predictions.from_arrays(y, {"m": y})
    assert "A001" in codes(p)
    assert "A001" not in codes(p, ignore=["A001"])


@pytest.mark.parametrize("task", ["binary", "multilabel", "regression"])
def test_the_baseline_is_one_more_model_that_ignores_the_rows(task):
    y = {"binary": [0] * 7 + [1] * 3, "multilabel": [[0, 1]] * 7 + [[1, 1]] * 3, "regression": [1.0] * 7 + [2.0] * 3}[
        task
    ]
    p = majority_baseline(Predictions.from_arrays(y, {"m": y}, task=task))
    assert p.models == ["m", "baseline"]
    if task == "binary":
        assert evaluate(p, "accuracy").get("baseline", "accuracy").value == 0.7
        assert evaluate(p, "roc_auc").get("baseline", "roc_auc").value == 0.5
    if task == "regression":
        assert evaluate(p, "r2").get("baseline", "r2").value == pytest.approx(0.0, abs=1e-12)
