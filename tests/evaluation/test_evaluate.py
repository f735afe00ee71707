"""evaluate: what a reader of the values relies on."""

import json
import math

import numpy as np
import pytest

from assay.engines.local import Local
from assay.errors import NameLookupError, UnsupportedError
from assay.evaluation.evaluate import evaluate
from assay.kernels import compute_proba_stats
from assay.metrics.base import METRICS
from assay.metrics.classification import F1, FBeta, Recall
from assay.metrics.probability import LogLoss
from assay.states.confusion import Confusion
from assay.table.predictions import Predictions


def table(y, classes=None, **models):
    return Predictions.from_arrays(
        y, {k.replace("__", "."): v for k, v in models.items()}, classes=classes
    )


def test_recall_of_a_class_never_seen_is_left_out_of_the_mean():
    p = table(["a", "a", "b"], ["a", "b", "c"], m=["a", "b", "b"])
    row = evaluate(p, Recall()).rows[0]
    assert row.value == pytest.approx((1 / 2 + 1) / 2)
    assert row.note.startswith("mean over 2 of 3 classes; undefined (no_positive): c")


def test_f1_of_a_class_that_is_always_missed_is_zero_and_defined():
    p = table(["a", "b"], m=["a", "a"])
    assert evaluate(p, "f1(average=none)").get("m", "f1(average=none)", "b").value == 0.0


def test_precision_of_a_class_never_predicted_is_undefined_with_its_reason():
    p = table(["a", "b"], m=["a", "a"])
    row = evaluate(p, "precision").rows[0]
    assert math.isnan(row.value)
    assert row.note.split("; ")[0] == "no_predicted_positive"
    assert math.isnan(row.low)


def test_f1_where_no_row_is_positive_and_none_is_predicted_is_undefined():
    p = table(["no", "no"], ["no", "yes"], m=["no", "no"])
    assert evaluate(p, "f1").rows[0].note.startswith("no_positive")


def test_auc_of_a_single_class_is_undefined_not_zero():
    p = table(["no", "no"], ["no", "yes"], m__score=[0.1, 0.2])
    row = evaluate(p, "roc_auc").rows[0]
    assert math.isnan(row.value)
    assert row.note.startswith("single_class")


def test_r2_of_a_constant_truth_is_undefined():
    p = Predictions.from_arrays([2.0, 2.0], {"m": [1.0, 2.0]}, task="regression")
    assert evaluate(p, "r2").rows[0].note.startswith("zero_variance")


def test_auc_where_all_scores_are_equal_is_one_half():
    assert evaluate(table([0, 1, 1], m__score=[3.0, 3.0, 3.0]), "roc_auc").value == 0.5


def test_auc_works_on_logits_too_large_for_a_sigmoid():
    logits = np.array([[0, 800.0], [0, 801.0], [0, 799.0], [0, 802.0]])
    assert evaluate(table([0, 1, 0, 1], m__logit=logits), "roc_auc").value == 1.0


def test_log_loss_of_logits_is_exact_where_the_probability_would_be_zero():
    assert evaluate(
        table([0, 1], m__logit=[[0.0, 1000.0], [0.0, 1000.0]]), "log_loss"
    ).value == pytest.approx(500.0)


def test_log_loss_of_an_impossible_truth_is_floored_and_the_note_says_so():
    row = evaluate(table([0, 1], m__proba=[[0.0, 1.0], [0.0, 1.0]]), "log_loss").rows[0]
    assert row.value == pytest.approx(-math.log(np.finfo(float).eps) / 2)
    assert "50.00% of the weight" in row.note


def test_the_floor_of_log_loss_can_be_lifted():
    assert (
        evaluate(table([0, 1], m__proba=[[0.0, 1.0], [0.0, 1.0]]), LogLoss(floor=0.0)).value
        == math.inf
    )


def test_float32_probabilities_are_summed_in_float64():
    p32 = np.full((1000, 2), 0.5, np.float32)
    p32[:, 0] = np.float32(0.1)
    p32[:, 1] = np.float32(0.9)
    exact = -math.log(float(np.float32(0.9)))
    assert evaluate(table([1] * 999 + [0], m__proba=p32), "log_loss").value == pytest.approx(
        (999 * exact - math.log(float(np.float32(0.1)))) / 1000, rel=1e-14
    )


def test_the_positive_class_of_a_binary_task_is_the_last_in_sorted_order_and_the_advice_says_so():
    p = table(["spam", "ham", "spam"], m=["spam", "ham", "ham"])
    found = evaluate(p, "recall")
    assert found.value == 0.5
    assert any(a.code == "A003" and "'spam'" in a.title for a in found.advice)


def test_a_declared_positive_class_is_the_one_scored():
    p = Predictions.from_arrays(
        ["spam", "ham", "spam"], {"m": ["spam", "ham", "ham"]}, positive="ham"
    )
    found = evaluate(p, "recall")
    assert found.value == 1.0
    assert not any(a.code == "A003" for a in found.advice)


def test_texts_and_instances_ask_for_the_same_metric():
    p = table(["a", "b", "b", "c"], m=["a", "b", "c", "c"])
    by_text = evaluate(p, ["f1(average=micro)", "f_beta(beta=2)"], intervals=False)
    by_instance = evaluate(p, [F1(average="micro"), FBeta(beta=2)], intervals=False)
    assert [(r.metric, r.value) for r in by_text.rows] == [
        (r.metric, r.value) for r in by_instance.rows
    ]
    assert by_text.metrics == ["f1(average=micro)", "f_beta(beta=2)"]


def test_metrics_of_one_state_share_one_pass():
    p = table(["a", "b"], m=["a", "b"])
    wanted = [
        METRICS.parse(m).bind(p.schema)
        for m in ("accuracy", "f1", "precision(average=none)", "balanced_accuracy")
    ]
    assert {m.state for m in wanted} == {Confusion()}


def test_groups_are_given_besides_the_whole():
    p = Predictions.from_arrays(
        [0, 1, 1, 0], {"m": [0, 1, 0, 0]}, groups={"site": ["x", "x", "y", "y"]}
    )
    found = evaluate(p, "accuracy", by="site")
    assert [(r.group, r.value, r.n) for r in found.rows] == [
        (None, 0.75, 4),
        ("x", 1.0, 2),
        ("y", 0.5, 2),
    ]


def test_crossed_groups_are_named_by_both_values_and_empty_crosses_left_out():
    p = Predictions.from_arrays(
        [0, 1, 1], {"m": [0, 1, 0]}, groups={"site": ["x", "x", "y"], "sex": ["f", "m", "f"]}
    )
    found = evaluate(p, "accuracy", by=["site", "sex"])
    assert [r.group for r in found.rows[1:]] == [("x", "f"), ("x", "m"), ("y", "f")]


def test_a_group_of_few_rows_is_flagged():
    p = Predictions.from_arrays([0, 1, 1], {"m": [0, 1, 0]})
    assert "only 3 rows" in evaluate(p, "accuracy").rows[0].note


def test_a_metric_that_one_model_cannot_serve_is_nan_with_the_reason_for_that_model():
    p = table(["a", "b"], a=["a", "b"], b__proba=[[0.9, 0.1], [0.2, 0.8]])
    found = evaluate(p, "log_loss")
    assert found.get("a", "log_loss").note == "gives_no_proba"
    assert not math.isnan(found.get("b", "log_loss").value)


def test_a_metric_that_no_model_can_serve_is_an_error_naming_what_they_give():
    with pytest.raises(
        UnsupportedError, match=r"log_loss needs proba, which no model gives \(m: label\)"
    ):
        evaluate(table(["a", "b"], m=["a", "b"]), "log_loss")


def test_a_metric_of_another_task_is_an_error_naming_the_tasks_it_is_for():
    with pytest.raises(
        UnsupportedError,
        match="balanced_accuracy is for binary, multiclass tasks; this table's task is m",
    ):
        evaluate(
            Predictions.from_arrays([[0, 1]], {"m": [[0, 1]]}, task="multilabel"),
            "balanced_accuracy",
        )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("acuracy", "no metric is named 'acuracy'. Did you mean accuracy"),
        ("f1_score", "no metric is named 'f1_score'. Did you mean f1?"),
        ("roc_auc_score", "no metric is named 'roc_auc_score'. Did you mean roc_auc?"),
        ("f_beta(gamma=2)", "no parameter 'gamma' in f_beta; it takes beta, average, only"),
        ("f_beta(beta=big)", "parameter beta must be float; got big"),
        (
            "f1(average=macroo)",
            "must be one of auto, binary, macro, micro, weighted, samples, none; got macroo",
        ),
        ("f1(", "expected a name with parameters in brackets"),
        ("accuracy(beta=1)", "it takes no parameters"),
        ("f_beta(beta=-1)", "must be above 0"),
        ("f_beta(beta=1e200)", "below 1e6"),
        ("f_beta(beta=2, beta=3)", "parameter beta is given twice"),
    ],
)
def test_a_metric_that_cannot_be_read_is_an_error_with_the_remedy(text, message):
    with pytest.raises((NameLookupError, UnsupportedError)) as found:
        evaluate(table(["a", "b"], m=["a", "b"]), text)
    assert message in str(found.value)


def test_the_json_follows_the_contract_and_is_strict():
    p = table(["a", "b", "b"], m=["a", "b", "a"], s__proba=[[1, 0], [0.5, 0.5], [0.2, 0.8]])
    text = evaluate(p, ["accuracy", "precision(average=none)", "log_loss"]).to_json()
    found = json.loads(text, parse_constant=lambda c: pytest.fail(f"not strict: {c}"))
    assert found["schema"] == "assay.evaluation/1"
    assert {"task", "classes", "n", "rows", "advice"} <= found.keys()
    for row in found["rows"]:
        assert list(row) == [
            "model",
            "metric",
            "class",
            "group",
            "value",
            "low",
            "high",
            "n",
            "method",
            "note",
        ]
    undefined = next(r for r in found["rows"] if r["model"] == "m" and r["metric"] == "log_loss")
    assert undefined["value"] is None
    assert undefined["note"] == "gives_no_proba"


def test_rows_can_be_read_as_arrow_pandas_and_polars():
    found = evaluate(table(["a", "b", "b"], m=["a", "b", "a"]), ["accuracy", "confusion_matrix"])
    assert found.to_arrow().num_rows == len(found.to_pandas()) == found.to_polars().height == 5
    assert found.to_arrow()["class"].to_pylist()[1] == '["a", "a"]'


def test_the_repr_of_values_without_intervals_speaks_of_none():
    p = table(["a", "b"] * 20, m=["a", "b"] * 19 + ["b", "a"])
    assert repr(evaluate(p, "accuracy", intervals=False)).startswith(
        "Evaluation: 40 rows, binary\n"
    )
    assert repr(evaluate(p, "accuracy", confidence=0.9)).startswith(
        "Evaluation: 40 rows, binary, 90% intervals\n"
    )


def test_the_repr_shows_each_value_with_its_interval():
    text = repr(evaluate(table(["a", "b"] * 50, m=["a", "b"] * 45 + ["b", "a"] * 5), "accuracy"))
    assert "accuracy  0.9000 [0.8256, 0.9448]" in text


def test_asking_for_the_one_value_of_many_is_an_error():
    with pytest.raises(UnsupportedError, match="2 values"):
        _ = evaluate(table(["a", "b"], m=["a", "b"]), ["accuracy", "f1"]).value


def test_predicted_labels_that_differ_from_the_most_probable_class_are_believed():
    p = table(
        [0, 1, 1, 0],
        m__label=[1, 1, 1, 0],
        m__proba=[[0.6, 0.4], [0.4, 0.6], [0.3, 0.7], [0.8, 0.2]],
    )
    assert evaluate(p, "accuracy").value == 0.75


def test_a_tied_argmax_takes_the_first_declared_class():
    p = Predictions.from_arrays(
        ["b", "a"], {"m.proba": [[0.5, 0.5], [0.5, 0.5]]}, classes=["b", "a"]
    )
    assert evaluate(p, "recall(average=none)").get("m", "recall(average=none)", "b").value == 1.0


def test_weights_count_rows_as_many_times():
    p = Predictions.from_arrays([0, 1], {"m": [0, 0]}, weight=[3.0, 1.0])
    assert evaluate(p, "accuracy").value == 0.75


@pytest.mark.parametrize(
    "metric", ["accuracy", "log_loss", "roc_auc", "f1", "ece", "mse", "r2", "median_ae", "spearman"]
)
def test_a_group_whose_rows_all_weigh_0_is_undefined_for_that_reason(metric):
    told = {"weight": [0.0, 0.0, 1.0, 1.0], "groups": {"g": ["a", "a", "b", "b"]}}
    if metric in ("mse", "r2", "median_ae", "spearman"):
        p = Predictions.from_arrays([0.0, 1.0, 0.0, 1.0], {"m.value": [0.1, 0.9, 0.2, 0.8]}, **told)
    else:
        p = Predictions.from_arrays([0, 1, 0, 1], {"m.proba": [0.1, 0.9, 0.2, 0.8]}, **told)
    row = evaluate(p, metric, by="g", intervals=False).get("m", metric, group="a")
    assert np.isnan(row.value)
    assert row.note == "zero_weight"


def test_probabilities_of_many_classes_are_read_once_for_their_answers(monkeypatch):
    proba = np.random.default_rng(0).dirichlet(np.ones(70), 300)
    p = Predictions.from_arrays(np.arange(300) % 70, {"m.proba": proba}, classes=range(70))
    monkeypatch.setattr(
        "assay.table.rows.compute_proba_totals",
        lambda *given: pytest.fail("a pass that nothing reads"),
    )
    assert Confusion().observe(p.rows("m")).right[0] == np.sum(
        proba.argmax(axis=1) == np.arange(300) % 70
    )


@pytest.mark.parametrize("rows", [1, 50])
@pytest.mark.parametrize("order", ["C", "F"])
def test_probabilities_are_left_as_they_were_given(rows, order):
    given = np.array(np.random.default_rng(0).dirichlet(np.ones(3), rows), order=order)
    before, truth = given.copy(), np.arange(rows) % 3
    own = getattr(compute_proba_stats, "__wrapped__", compute_proba_stats)(given, truth)[0]
    np.testing.assert_array_equal(given, before)
    assert own.tolist() == before[np.arange(rows), truth].tolist()


@pytest.mark.parametrize("wrong", [3, [3], ["accuracy", None]])
def test_what_is_no_metric_is_refused_in_one_line(wrong):
    p = Predictions.from_arrays([0, 1, 1], {"m": [0, 1, 0]})
    with pytest.raises(UnsupportedError, match="expected metrics as text"):
        evaluate(p, wrong)


def test_a_slice_of_a_table_is_evaluated_by_its_own_groups():
    p = Predictions.from_arrays([0, 1] * 8, {"m": [0] * 16}, groups={"g": ["a"] * 8 + ["b"] * 8})
    rows = evaluate(p.slice(6, 16), "accuracy", by="g", intervals=False).rows
    assert [(row.group, row.n) for row in rows] == [(None, 10), ("a", 2), ("b", 8)]


def test_a_bar_counts_the_values_of_every_metric_and_model(capsys):
    p = table([0, 1] * 20, a=[0, 1] * 20, b=[1, 1] * 20)
    evaluate(p, ["accuracy", "f1"], engine=Local(progress=True))
    shown = capsys.readouterr().err
    assert "reading values" in shown
    assert "4/4" in shown


def test_no_bar_is_shown_where_none_is_wanted(capsys):
    evaluate(table([0, 1], m=[0, 1]), "accuracy", engine=Local(progress=False))
    assert capsys.readouterr().err == ""
