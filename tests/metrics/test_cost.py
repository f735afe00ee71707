"""Costs of decisions: matrices as text and as lists, values by hand, decision curves."""

import numpy as np
import pytest

from assay.advice.advise import find_costs
from assay.comparison.compare import compare
from assay.errors import UnsupportedError
from assay.evaluation.evaluate import evaluate
from assay.metrics.base import METRICS
from assay.metrics.cost import ExpectedCost, NetBenefit, cost_matrix, cost_text
from assay.table.predictions import Predictions
from assay.testing import random_table


def test_rows_of_the_matrix_are_truths_and_columns_predictions_in_the_class_order():
    p = Predictions.from_arrays(
        ["no", "no", "yes", "yes"], {"m": ["no", "yes", "no", "no"]}, classes=["no", "yes"]
    )
    assert evaluate(p, "expected_cost(costs=0 1;5 0)").value == (0 + 1 + 5 + 5) / 4
    turned = Predictions.from_arrays(
        ["no", "no", "yes", "yes"], {"m": ["no", "yes", "no", "no"]}, classes=["yes", "no"]
    )
    assert evaluate(turned, "expected_cost(costs=0 1;5 0)").value == (0 + 5 + 1 + 1) / 4


@pytest.mark.parametrize(
    "text", ['expected_cost(costs="0 1;5 0")', "expected_cost(costs=0 1; 5 0)", "expected_cost"]
)
def test_the_text_of_a_cost_metric_reads_back(text):
    metric = METRICS.parse(text)
    assert METRICS.parse(str(metric)) == metric
    assert metric.costs in ("0 1;5 0", "0 1")


def test_lists_and_text_are_the_same_metric():
    assert ExpectedCost(costs=[[0, 1.5], [5, 0]]) == ExpectedCost(costs="0 1.5; 5 0.0")
    assert cost_text(cost_matrix("0 1;5 0")) == "0 1;5 0"


@pytest.mark.parametrize("seed", range(30))
def test_any_matrix_costs_what_the_rows_cost_one_by_one(seed):
    p = random_table("multiclass", seed, weighted=bool(seed % 2))
    if p.task != "multiclass":
        return
    costs = np.random.default_rng(seed).normal(size=(p.schema.k, p.schema.k)).round(3)
    rows = p.rows("a")
    direct = np.average(costs[rows.truth, rows.label], weights=p.weight)
    row = evaluate(p.select(["a"]), ExpectedCost(costs=costs)).rows[0]
    assert row.value == pytest.approx(direct, rel=1e-12, abs=1e-15)
    assert costs.min() <= row.low <= row.value <= row.high <= costs.max()


def test_two_models_are_compared_by_their_cost():
    y = np.arange(400) % 2
    misses, alarms = (
        np.where((np.arange(400) % 8 == c) & (y == t), 1 - y, y) for c, t in ((1, 1), (0, 0))
    )
    p = Predictions.from_arrays(y, {"misses": misses, "alarms": alarms})
    assert compare(p, "expected_cost(costs=0 1;9 0)").tied == ("alarms",)
    assert compare(p, "expected_cost(costs=0 9;1 0)").tied == ("misses",)


@pytest.mark.parametrize(
    ("costs", "told"),
    [
        ("0 1;5", "equally many numbers"),
        ("0 x;5 0", "equally many numbers"),
        ("0 1 2;5 0 1", "as many columns as rows"),
        ("3", "as many columns as rows"),
        ("0 inf;5 0", "not all finite"),
        (None, "equally many numbers"),
    ],
)
def test_costs_that_cannot_be_read_are_refused_with_how_to_write_them(costs, told):
    with pytest.raises(UnsupportedError, match=told) as refused:
        ExpectedCost(costs=costs)
    assert "'0 1;5 0'" in str(refused.value)


def test_costs_for_more_classes_than_there_are_name_the_classes():
    p = Predictions.from_arrays(["a", "b"], {"m": ["a", "b"]})
    with pytest.raises(
        UnsupportedError, match=r"3 rows, the table has 2 classes.*in the order a, b"
    ):
        evaluate(p, "expected_cost(costs=0 1 1;1 0 1;1 1 0)")


def test_many_classes_have_a_cost_though_no_interval():
    y = np.arange(700) % 70
    p = Predictions.from_arrays(y, {"m": (y + 1) % 70}, classes=range(70))
    costs = np.abs(np.subtract.outer(np.arange(70), np.arange(70)))
    row = evaluate(p, ExpectedCost(costs=costs)).rows[0]
    assert row.value == pytest.approx((69 * 1 + 69) / 70)
    assert np.isnan(row.low)


def test_net_benefit_by_hand():
    p = Predictions.from_arrays(
        [1, 1, 0, 0, 0], {"m.proba": [0.9, 0.3, 0.6, 0.2, 0.1]}, classes=[0, 1], positive=1
    )
    assert evaluate(p, "net_benefit").value == pytest.approx(1 / 5 - 1 / 5)
    row = evaluate(p, "net_benefit(threshold=0.25)").rows[0]
    assert row.value == pytest.approx(2 / 5 - 1 / 5 / 3)
    assert row.note.startswith(f"acting on every row has {2 / 5 - 3 / 5 / 3:.4f}")


def test_a_perfect_model_has_the_share_of_positive_rows_as_benefit():
    p = Predictions.from_arrays(
        [1, 0, 0, 0], {"m.proba": [1.0, 0, 0, 0]}, classes=[0, 1], positive=1
    )
    assert evaluate(p, "net_benefit(threshold=0.3)").value == 0.25


def test_a_threshold_outside_0_and_1_is_refused():
    with pytest.raises(UnsupportedError, match="between 0 and 1"):
        NetBenefit(threshold=1.0)


def test_the_costs_of_a_metric_that_is_an_expected_cost_by_another_name_are_found():
    class Own(ExpectedCost):
        pass

    Own.name = "own_cost"
    assert (
        find_costs([("accuracy", METRICS.parse("accuracy")), ("own_cost", Own(costs="0 1;5 0"))])
        == "0 1;5 0"
    )
    assert find_costs([("expected_cost", ExpectedCost())]) is None
