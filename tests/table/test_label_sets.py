"""Labels that never meet, marks to ignore, amounts, and the renaming that mends them."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import assay
from assay.errors import SchemaError, UnseenLabelError
from assay.table.predictions import Predictions

table = Predictions.from_arrays
NAMES = ["no", "yes", "yes", "no", "yes"]
ANSWERS = [0, 1, 0, 0, 1]  # four of five are right


def compute_accuracy(p):
    """Accuracy of the only model."""
    return assay.evaluate(p, "accuracy", intervals=False).value


MEETINGS = {
    "case": (NAMES, ["No", "Yes", "No", "No", "Yes"], {"No": "no", "Yes": "yes"}),
    "blanks": (NAMES, [" no", " yes", " no", " no", " yes"], {" no": "no", " yes": "yes"}),
    "ids": (NAMES, [f"LABEL_{i}" for i in ANSWERS], {"LABEL_0": "no", "LABEL_1": "yes"}),
    "words": (NAMES, ["false", "true", "false", "false", "true"], {"false": "no", "true": "yes"}),
    "text": ([0, 1, 1, 0, 1], [str(i) for i in ANSWERS], {"0": 0, "1": 1}),
    "numbers": (["0", "1", "1", "0", "1"], ANSWERS, {0: "0", 1: "1"}),
    "names": ([0, 1, 1, 0, 1], ["no", "yes", "no", "no", "yes"], {"no": 0, "yes": 1}),
}


@pytest.mark.parametrize("name", MEETINGS)
def test_labels_that_never_meet_are_refused_with_the_likely_map_which_mends_it(name):
    truth, predicted, likely = MEETINGS[name]
    with pytest.raises(SchemaError) as refusal:
        table(truth, {"a": predicted})
    assert f"say labels={likely}" in str(refusal.value)
    assert "--labels MAP.json" in str(refusal.value)
    assert compute_accuracy(table(truth, {"a": predicted}, labels=likely)) == 0.8


def test_the_refusal_names_both_sets():
    with pytest.raises(
        SchemaError, match=r"the truth has 'no', 'yes'; the model predicts 'LABEL_0', 'LABEL_1'"
    ):
        table(NAMES, {"a": MEETINGS["ids"][1]})


def test_a_declared_class_does_not_hide_labels_that_never_meet():
    with pytest.raises(UnseenLabelError, match=r"labels={'LABEL_0': 'no'"):
        table(NAMES, {"a": MEETINGS["ids"][1]}, classes=["no", "yes"])


@pytest.mark.parametrize(
    "ids", [[2, 0, 1, 2], ["2", "0", "1", "2"], ["LABEL_2", "LABEL_0", "LABEL_1", "LABEL_2"]]
)
def test_ids_against_names_ask_for_the_names_in_order(ids):
    truth = ["wolf", "lynx", "bear", "lynx"]
    with pytest.raises(SchemaError, match=r"class_names=\[...\].*--class-names"):
        table(truth, {"a": ids})
    p = table(truth, {"a": ids}, class_names=["lynx", "bear", "wolf"])
    assert (p.classes, compute_accuracy(p)) == (("lynx", "bear", "wolf"), 0.75)


def test_class_names_name_the_columns_of_probabilities_in_their_order():
    proba = [[0.1, 0.2, 0.7], [0.8, 0.1, 0.1]]
    p = table([2, 0], {"a.proba": proba, "b": [2, 1]}, class_names=["lynx", "bear", "wolf"])
    assert [p.classes[code] for code in p.truth] == ["wolf", "lynx"]
    assert [p.classes[code] for code in p.rows("a").label] == ["wolf", "lynx"]
    assert [p.classes[code] for code in p.rows("b").label] == ["wolf", "bear"]


def test_class_names_shorter_than_the_ids_are_refused():
    with pytest.raises(SchemaError, match="has label 2, but class_names has 2 names"):
        table([0, 1, 2], {"a": [0, 1, 2]}, class_names=["lynx", "bear"])


def test_class_columns_are_renamed_with_the_labels():
    proba = {"LABEL_0": [0.9, 0.2], "LABEL_1": [0.1, 0.8]}
    p = table(["no", "yes"], {"a.proba": proba}, labels={"LABEL_0": "no", "LABEL_1": "yes"})
    assert (p.classes, p.rows("a").score.tolist()) == (("no", "yes"), [0.1, 0.8])


def test_labels_may_be_merged():
    p = table(["cat", "lion", "dog"], {"a": ["cat", "cat", "dog"]}, labels={"lion": "cat"})
    assert (p.classes, compute_accuracy(p)) == (("cat", "dog"), 1.0)


def test_labels_that_leave_two_types_are_refused():
    with pytest.raises(SchemaError, match="labels says nothing of 1"):
        table([0, 1], {"a": [0, 1]}, labels={0: "no"})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": ["no"]}, "labels must be a map"),
        ({"labels": {}}, "labels must be a map"),
        ({"class_names": "no"}, "classes must be a list of labels"),
        ({"class_names": [1, 2]}, "class_names must be texts"),
        ({"class_names": {"a": 1}}, "class_names is a list"),
        ({"class_names": ["a", "b"], "classes": ["a", "b"]}, "give one of them"),
        ({"ignore_label": 2.5}, "is no label"),
    ],
)
def test_conversions_of_another_type_are_refused(options, message):
    with pytest.raises(SchemaError, match=message):
        table([0, 1], {"a": [0, 1]}, **options)


def test_disjoint_labels_that_are_right_are_taken_where_they_are_declared():
    with pytest.raises(SchemaError, match=r"declare classes=\[...\]"):
        table(["ash", "elm"], {"a": ["fir", "oak"]})
    p = table(["ash", "elm"], {"a": ["fir", "oak"]}, classes=["ash", "elm", "fir", "oak"])
    assert compute_accuracy(p) == 0


@pytest.mark.parametrize(
    ("truth", "predicted"), [([0, 0], [1, 1]), ([True] * 2, [False] * 2), (["cat"], ["dog"])]
)
def test_a_truth_of_one_class_may_be_missed_altogether(truth, predicted):
    assert compute_accuracy(table(truth, {"a": predicted})) == 0


def test_labels_that_meet_in_part_stay_a_matter_of_their_own():
    assert table(["ash", "elm"], {"a": ["ash", "oak"]}).classes == ("ash", "elm", "oak")


# Marks to ignore


@pytest.mark.parametrize("as_column", [list, np.array, pa.array, pd.Series])
def test_the_mark_of_tokens_that_do_not_count_is_asked_about_and_left_out(as_column):
    truth = as_column([-100, 2, 1, -100, 0, 1])
    proba = np.eye(3)[[0, 2, 1, 1, 1, 1]]
    with pytest.raises(SchemaError, match=r"label -100 \(2 rows\).*--ignore-label=-100"):
        table(truth, {"a.proba": proba})
    p = table(
        truth,
        {"a.proba": proba, "b": [0, 2, 1, 2, 0, 1]},
        ignore_label=-100,
        weight=[9, 1, 1, 9, 1, 1],
        id=list("uvwxyz"),
        groups={"site": list("aabbab")},
    )
    assert p.notes == ("2 of 6 rows are left out: their truth is -100.",)
    assert p.columns["id"].to_pylist() == list("vwyz")
    assert p.columns["site"].to_pylist() == list("abab")
    assert p.weight.tolist() == [1, 1, 1, 1]
    assert assay.evaluate(p, "accuracy", intervals=False).to_dict()["rows"][0]["value"] == 0.75


def test_the_mark_of_pixels_that_do_not_count_is_asked_about():
    truth = np.array([0, 1, 255, 1], np.uint8)
    with pytest.raises(SchemaError, match=r"label 255 \(1 rows\), which marks pixels"):
        table(truth, {"a": [0, 1, 1, 0]})
    assert compute_accuracy(table(truth, {"a": [0, 1, 1, 0]}, ignore_label=255)) == pytest.approx(
        2 / 3
    )


def test_a_class_that_bears_such_a_mark_is_taken_where_it_is_declared_or_predicted():
    p = table([0, -100, 1], {"a": [0, -100, 0]}, classes=[-100, 0, 1])
    assert p.classes == (-100, 0, 1)
    assert table([0, 255, 255], {"a": [0, 255, 0]}).classes == (0, 255)
    assert table(list(range(256)), {"a": list(range(256))}, task="multiclass").schema.k == 256


def test_a_mark_outside_the_declared_classes_is_asked_about():
    with pytest.raises(UnseenLabelError, match="say ignore_label=-100"):
        table([0, -100, 1], {"a": [0, 1, 0]}, classes=[0, 1])


def test_a_label_to_ignore_may_be_text_and_may_not_be_all_there_is():
    p = table(["cat", "?", "dog"], {"a": ["cat", "dog", "dog"]}, ignore_label="?")
    assert (p.n, p.classes) == (2, ("cat", "dog"))
    with pytest.raises(SchemaError, match="every row of the truth has the label to ignore"):
        table(["?", "?"], {"a": ["cat", "dog"]}, ignore_label="?")


def test_columns_of_another_length_are_named_before_rows_are_left_out():
    with pytest.raises(SchemaError, match="predictions of model 'a' has 2 rows, the truth has 3"):
        table([0, -100, 1], {"a": [0, 1]}, ignore_label=-100)


# Amounts


def test_amounts_are_asked_about_and_read_as_the_answer_says():
    rng = np.random.default_rng(3)
    truth = rng.poisson(60, 900)
    predicted = np.clip(truth + rng.integers(-3, 4, 900), truth.min(), truth.max())
    with pytest.raises(SchemaError, match=r"task='regression' \(--task regression\)"):
        table(truth, {"a": predicted})
    p = table(truth, {"a": predicted}, task="regression")
    error = np.abs(truth - predicted).mean()
    assert assay.evaluate(p, "mae", intervals=False).value == pytest.approx(error)
    assert table(truth, {"a": predicted}, task="multiclass").task == "multiclass"


def test_many_classes_are_not_taken_for_amounts():
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 100, 2000)
    for share in (0.0, 0.3, 0.9):
        predicted = np.where(rng.random(2000) < share, truth, rng.permutation(truth))
        assert table(truth, {"a": predicted}).task == "multiclass"
    assert table(truth, {"a.label": np.maximum(truth - 1, 0)}).task == "multiclass"


def test_labels_of_which_some_differ_by_blanks_alone_are_refused_with_the_map_that_joins_them():
    truth, said = ["A ", "B", "A "], ["A", "B", "B"]
    with pytest.raises(SchemaError, match=r"by blanks alone: 'A' and 'A '"):
        Predictions.from_arrays(truth, {"m": said})
    table = Predictions.from_arrays(truth, {"m": said}, labels={"A": "A "})
    assert assay.evaluate(table, "accuracy", intervals=False).value == pytest.approx(2 / 3)


def test_classes_that_differ_by_blanks_are_classes_where_a_model_predicts_both():
    both = ["A ", "A", "B"]
    assert Predictions.from_arrays(both, {"m": both}).classes == ("A", "A ", "B")
