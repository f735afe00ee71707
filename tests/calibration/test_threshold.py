"""The threshold of a binary model: chosen on other rows than it is judged on, or by costs."""

import json
import math

import numpy as np
import pytest
from sklearn.metrics import f1_score, matthews_corrcoef, precision_recall_curve

from assay.calibration.threshold import closed_form, tune_threshold
from assay.errors import UnsupportedError
from assay.table.predictions import Predictions


def rare(n=600, seed=0, power=1.0, **columns):
    """Honest probabilities of a rare class, raised to a power."""
    rng = np.random.default_rng(seed)
    proba = 1 / (1 + np.exp(-rng.normal(-2, 2, n)))
    y = (rng.random(n) < proba).astype(int)
    return Predictions.from_arrays(
        y, {"m.proba": proba**power}, classes=[0, 1], positive=1, **columns
    )


def score(p):
    return p.rows("m").proba[:, 1]


@pytest.mark.parametrize(("metric", "theirs"), [("f1", f1_score), ("mcc", matthews_corrcoef)])
def test_no_threshold_is_better_on_the_rows_it_was_chosen_on(metric, theirs):
    p = rare(300)
    found = tune_threshold(p, "m", metric)
    best = max(theirs(p.truth, score(p) >= cut) for cut in np.unique(score(p)))
    assert theirs(p.truth, score(p) >= found.threshold) == pytest.approx(best, rel=1e-12)


def test_each_fold_is_judged_by_the_threshold_of_the_others():
    fold = np.arange(600) % 4
    p = rare(fold=fold)
    found = tune_threshold(p, "m")
    alone = [tune_threshold(p.take(fold != f), "m").threshold for f in range(4)]
    assert found.of_folds == pytest.approx(alone)
    assert found.value == pytest.approx(f1_score(p.truth, score(p) >= np.array(alone)[fold]))
    assert found.before == pytest.approx(f1_score(p.truth, score(p) > 0.5))
    assert found.gain == pytest.approx(found.value - found.before)
    assert found.low <= found.value <= found.high
    assert found.gain_low <= found.gain <= found.gain_high
    assert "4 folds of the fold column" in found.method


@pytest.mark.slow
def test_the_figure_given_is_not_that_of_the_rows_chosen_on():
    """Scores of noise: the best threshold on the same rows looks better than it is on others."""
    rng = np.random.default_rng(0)
    same, other = [], []
    for _ in range(40):
        y, s = rng.integers(0, 2, 60), rng.random(60)
        p = Predictions.from_arrays(y, {"m.proba": s}, classes=[0, 1], positive=1)
        found = tune_threshold(p, "m", "mcc")
        same.append(matthews_corrcoef(y, s >= found.threshold))
        other.append(found.value)
    assert np.mean(same) > 0.15
    assert abs(np.mean(other)) < 0.07


def test_integer_weights_choose_as_repeated_rows_do():
    times = np.random.default_rng(1).integers(1, 4, 300)
    p = rare(300)
    weighted = Predictions.from_arrays(
        p.truth, {"m.proba": score(p)}, classes=[0, 1], positive=1, weight=times
    )
    assert (
        tune_threshold(weighted, "m").threshold
        == tune_threshold(p.take(np.repeat(np.arange(300), times)), "m").threshold
    )


def test_scores_without_probabilities_are_cut_too_and_have_no_figure_before():
    p = rare()
    logit = np.log(score(p) / (1 - score(p)))
    raw = Predictions.from_arrays(p.truth, {"m.score": logit}, classes=[0, 1], positive=1)
    found, graded = tune_threshold(raw, "m"), tune_threshold(p, "m")
    assert math.isnan(found.before)
    assert found.value == pytest.approx(graded.value)


def test_the_positive_class_may_be_the_first():
    p = rare()
    turned = Predictions.from_arrays(
        p.truth, {"m.proba": p.rows("m").proba}, classes=[0, 1], positive=0
    )
    found = tune_threshold(turned, "m")
    assert found.positive == 0
    assert f1_score(p.truth == 0, 1 - score(p) >= found.threshold) >= f1_score(
        p.truth == 0, 1 - score(p) > 0.5
    )


def test_the_points_lie_on_the_precision_recall_curve():
    p = rare()
    found = tune_threshold(p, "m")
    precision, recall, _ = precision_recall_curve(p.truth, score(p))
    curve = {(round(a, 9), round(b, 9)) for a, b in zip(precision, recall, strict=True)}
    assert all(
        (round(point.precision, 9), round(point.recall, 9)) in curve for point in found.points
    )
    assert len(found.points) <= 202
    assert found.points[-1].recall == 1


def test_calibrated_probabilities_are_cut_where_the_costs_say():
    found = tune_threshold(rare(3000), "m", costs=(1, 4))
    assert found.threshold == found.closed_form == 0.2
    assert found.value == found.closed_form_value
    assert found.gain_low > 0
    assert "closed form" in found.method


def test_probabilities_that_are_not_calibrated_are_cut_where_it_is_cheapest():
    p = rare(6000, power=2)
    found = tune_threshold(p, "m", costs=(1, 4))
    assert found.threshold == pytest.approx(0.04, abs=0.02)
    assert found.value < found.closed_form_value
    assert "not calibrated" in found.notes[-1]
    yes = score(p) >= found.closed_form
    direct = np.where(yes, 1.0 * (p.truth == 0), 4.0 * (p.truth == 1)).mean()
    assert found.closed_form_value == pytest.approx(direct)


def test_training_rows_are_left_out():
    split = np.where(np.arange(600) % 3 == 0, "train", "test")
    p = rare(split=split)
    found = tune_threshold(p, "m")
    assert found.n == 400
    assert "column 'split' says 'train'" in found.notes[0]


def test_the_result_reads_as_an_answer_and_its_json_is_strict():
    found = tune_threshold(rare(), "m")
    assert repr(found).startswith("m: predict 1 from ")
    told = json.loads(found.to_json())
    assert told["schema"] == "assay.threshold/1"
    assert told["metric"] == "f1"
    assert told["closed_form"] is None
    assert found.to_arrow().column_names == ["threshold", "precision", "recall", "f1"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"metric": "roc_auc"}, "choose it by a metric of labels"),
        ({"metric": "f1(average=none)"}, "choose it by a metric of labels"),
        ({"costs": (1, -1)}, "two numbers of at least 0"),
        ({"costs": (0, 0)}, "not both 0"),
        ({"costs": "1 0;0 1"}, "a wrong decision cheaper than the right one"),
        ({"costs": [[0, 1, 2], [1, 0, 2], [1, 2, 0]]}, "a matrix of 2 x 2"),
        ({"folds": 1}, "folds must be a whole number of 2 or more"),
    ],
)
def test_questions_that_do_not_fit_are_refused(options, told):
    with pytest.raises(UnsupportedError, match=told):
        tune_threshold(rare(50), "m", **options)


def test_several_classes_have_no_one_threshold():
    p = Predictions.from_arrays(["a", "b", "c"], {"m": ["a", "b", "c"]})
    with pytest.raises(UnsupportedError, match="for binary tasks"):
        tune_threshold(p, "m")


def test_without_a_positive_row_there_is_nothing_to_choose():
    p = Predictions.from_arrays(
        [0] * 20, {"m.proba": np.linspace(0, 1, 20)}, classes=[0, 1], positive=1
    )
    with pytest.raises(UnsupportedError, match="mcc is undefined"):
        tune_threshold(p, "m", "mcc")


@pytest.mark.parametrize("costs", ["0 1;4 0", [[0, 1], [4, 0]], np.array([[2, 3], [6, 2]])])
def test_costs_may_be_those_of_every_decision_as_in_the_metric_of_costs(costs):
    p = rare(500)
    assert tune_threshold(p, "m", costs=costs).to_json() == (
        tune_threshold(p, "m", costs=(1.0, 4.0)).to_json()
    )


def test_costs_that_only_misses_have_mean_always_say_yes():
    assert closed_form((0, 3)) == 0


def test_the_trade_off_draws_itself():
    p = Predictions.from_arrays(
        [0, 0, 0, 1, 1] * 8, {"m.proba": [0.1, 0.2, 0.3, 0.35, 0.4] * 8}, positive=1
    )
    assert "Precision, recall and F1 of m" in str(tune_threshold(p, "m").chart().to_dict())
