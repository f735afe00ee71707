"""Errors of ordered classes: averaged over the true ones, by value or by place."""

import pytest

from assay.comparison.compare import compare
from assay.evaluation.evaluate import evaluate
from assay.table.predictions import Predictions


def test_a_rare_class_counts_as_much_as_a_common_one():
    p = Predictions.from_arrays([1] * 8 + [3] * 2, {"m": [1] * 8 + [2, 1]})
    assert evaluate(p, "macro_mae").value == pytest.approx((0 + 1.5) / 2)


def test_a_class_that_is_said_but_never_true_is_left_out_and_named():
    p = Predictions.from_arrays([1, 1, 2, 2], {"m": [1, 5, 2, 2]})
    row = evaluate(p, "macro_mae").rows[0]
    assert row.value == pytest.approx((2 + 0) / 2)
    assert "mean over 2 of 3 classes; undefined (no_positive): 5" in row.note


def test_classes_that_are_words_differ_by_their_places():
    classes = ["bad", "fair", "good"]
    p = Predictions.from_arrays(["bad", "good"], {"m": ["good", "good"]}, classes=classes)
    assert evaluate(p, "macro_mae").value == pytest.approx(2 / 2)


def test_models_are_compared_by_it_with_lower_better():
    y = [1, 2, 4, 5] * 30
    p = Predictions.from_arrays(y, {"near": [2, 2, 4, 4] * 30, "far": [5, 2, 4, 1] * 30})
    found = compare(p, "macro_mae")
    assert found.tied == ("near",)
    assert found.values["far"] == pytest.approx(2)
