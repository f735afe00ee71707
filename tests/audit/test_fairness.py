"""Fairness: the values of fairlearn, intervals that hold the true gap, groups alike shown so."""

import json

import numpy as np
import pytest

import assay
from assay.audit.fairness import fairness
from assay.charts import audit as groups
from assay.charts.style import get_spec
from assay.cli import main
from assay.errors import UnsupportedError
from assay.metrics.rates import FalsePositiveRate, SelectionRate
from assay.table.predictions import Predictions
from assay.testing import random_table

ROW = np.arange(300)
GROUP = np.array(["a", "b", "c"])[(ROW * 37 % 10 > 4) * 1 + (ROW * 37 % 10 > 7)]
TRUTH = (ROW * 53 % 7 < 3).astype(int)
WRONG = np.where(GROUP == "a", 2, np.where(GROUP == "b", 3, 4)) > (ROW * ROW * 29 % 11)
SAID = np.where(WRONG, 1 - TRUTH, TRUTH)

# fairlearn 0.15.0: demographic_parity_difference and _ratio, equal_opportunity_...,
# equalized_odds_..., then MetricFrame(accuracy_score).difference() and .ratio(); without weights
# and with 1 + row % 3.
FAIRLEARN = {
    False: [
        0.226666666667, 0.540540540541, 0.46875, 0.516129032258, 0.46875, 0.453296703297,
        0.19, 0.790441176471,
    ],
    True: [
        0.236666666667, 0.513698630137, 0.488253968254, 0.495737704918, 0.488253968254,
        0.385714285714, 0.19, 0.790441176471,
    ],
}  # fmt: skip


def table(weighted=False, **more):
    weight = 1.0 + ROW % 3 if weighted else None
    return Predictions.from_arrays(
        TRUTH, {"m": SAID}, groups={"g": GROUP}, weight=weight, positive=1, **more
    )


@pytest.mark.parametrize("weighted", [False, True])
def test_the_gaps_and_criteria_are_those_of_fairlearn(weighted):
    found = fairness(table(weighted), "g", "accuracy")
    gap = found.gap("accuracy")
    ours = [x for c in found.criteria for x in (c.difference, c.ratio)] + [
        gap.difference,
        gap.ratio,
    ]
    assert [c.name for c in found.criteria] == [
        "demographic_parity",
        "equal_opportunity",
        "equalized_odds",
    ]
    assert ours == pytest.approx(FAIRLEARN[weighted], abs=1e-11)


def test_rates_are_what_their_names_say():
    y, said = TRUTH[:50], SAID[:50]
    assert SelectionRate()(y, said, positive=1) == pytest.approx(said.mean())
    assert FalsePositiveRate()(y, said, positive=1) == pytest.approx(said[y == 0].mean())


def test_the_value_of_each_group_is_that_of_evaluate():
    found = fairness(table(), "g", "f1")
    own = assay.evaluate(table(), "f1", by="g")
    for row in found.rows:
        if row.metric == "f1":
            theirs = own.get("m", "f1", group=row.group)
            assert (row.value, row.low, row.high, row.n) == (
                theirs.value,
                theirs.low,
                theirs.high,
                theirs.n,
            )


def test_with_more_than_two_groups_each_is_held_against_all_other_rows():
    found = fairness(table(), "g", "accuracy")
    row = next(r for r in found.rows if (r.metric, r.group) == ("accuracy", "c"))
    right = TRUTH == SAID
    assert row.against == "rest"
    assert row.difference == pytest.approx(right[GROUP == "c"].mean() - right[GROUP != "c"].mean())
    assert row.difference_low < row.difference < row.difference_high


def test_a_reference_group_is_held_against_nothing():
    found = fairness(table(), "g", "accuracy", reference="a")
    rows = {r.group: r for r in found.rows if r.metric == "accuracy"}
    assert np.isnan(rows["a"].difference)
    assert rows["b"].against == "a"
    assert rows["b"].difference == pytest.approx(rows["b"].value - rows["a"].value)


def test_groups_that_are_alike_have_a_gap_near_that_of_chance():
    rng = np.random.default_rng(3)
    y, group = rng.integers(0, 2, 2000), rng.integers(0, 8, 2000)
    said = np.where(rng.random(2000) < 0.8, y, 1 - y)
    gap = fairness(
        Predictions.from_arrays(y, {"m": said}, groups={"g": group}), "g", "accuracy"
    ).gap("accuracy")
    assert gap.low == 0
    assert gap.ratio_high == 1
    assert gap.difference < 2 * gap.chance


def test_a_group_without_a_value_is_left_out_of_the_gap():
    y = [0, 1, 0, 1, 0, 0]
    p = Predictions.from_arrays(
        y, {"m": [0, 1, 1, 1, 0, 0]}, groups={"g": list("aabbcc")}, positive=1
    )
    found = fairness(p, "g", "recall")
    assert {found.gap("recall").smallest, found.gap("recall").largest} <= {"a", "b"}
    assert any(r.note.startswith("no_positive") for r in found.rows if r.group == "c")


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_any_metric_of_any_task_has_gaps_and_only_binary_tasks_have_criteria(task):
    p = random_table(task, 5, n=80)
    columns = Predictions.from_arrays([0, 1], {"m": [0, 1]}, groups={"g": ["x", "y"]}).columns
    p = assay.Predictions(
        p.schema, p.truth, p.outputs, columns={"g": columns["g"].take([0, 1] * 40)}
    )
    found = fairness(p, "g")
    assert found.criteria == ()
    assert {gap.model for gap in found.gaps} == {"a", "b"}
    assert found.rows[0].against == "y"


def test_crossed_groups_are_groups():
    p = Predictions.from_arrays(TRUTH, {"m": SAID}, groups={"g": GROUP, "h": ROW % 2}, positive=1)
    assert len(fairness(p, ["g", "h"], "accuracy").groups) == 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"by": "g", "reference": "z"}, "no group is 'z'"),
        ({"by": "one"}, "has one group only"),
        ({"by": "g", "metrics": "recall(average=none)"}, "one value a class"),
    ],
)
def test_a_question_that_has_no_answer_is_refused(arguments, message):
    p = Predictions.from_arrays(
        TRUTH, {"m": SAID}, groups={"g": GROUP, "one": [1] * 300}, positive=1
    )
    with pytest.raises(UnsupportedError, match=message):
        fairness(p, **arguments)


def test_clusters_that_lie_in_several_groups_are_noted():
    assert (
        "Clusters lie in several groups"
        in fairness(table(cluster=ROW // 10), "g", "accuracy").notes[-1]
    )


def test_the_json_is_versioned_and_the_text_names_every_criterion():
    found = fairness(table(), "g")
    assert json.loads(found.to_json())["schema"] == "assay.fairness/1"
    for name in (
        "demographic_parity",
        "equal_opportunity",
        "equalized_odds",
        "selection_rate",
        "rest",
    ):
        assert name in repr(found)


def test_the_command_gives_the_json_of_the_library(capsys, tmp_path):
    assay.write(table(), tmp_path / "p.parquet")
    main(
        [
            "fairness",
            str(tmp_path / "p.parquet"),
            "--by",
            "g",
            "-m",
            "accuracy",
            "--reference",
            "a",
            "--json",
            "-",
        ]
    )
    found = fairness(table(), "g", "accuracy", reference="a")
    assert json.loads(capsys.readouterr().out) == json.loads(found.to_json())


def test_the_chart_has_a_panel_for_each_metric():
    spec = get_spec(groups.fairness(fairness(table(), "g", "accuracy")))
    assert len(spec["vconcat"]) == 4
    assert "c (60)" in json.dumps(spec)
