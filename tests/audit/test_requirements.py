"""Gates: a release is held to its interval, and the exit status says so."""

import numpy as np
import pytest

import assay
from assay.audit.requirements import Requirement, worse_than
from assay.cli import main
from assay.comparison.compare import compare
from assay.errors import NameLookupError, UnsupportedError
from assay.evaluation.evaluate import evaluate
from assay.table.predictions import Predictions


def table(n=400, **right):
    """Models that are right on the given share of the rows."""
    y = np.arange(n) % 2
    return Predictions.from_arrays(
        y, {m: np.where(np.arange(n) % 100 < 100 * q, y, 1 - y) for m, q in right.items()}
    )


def failures(p, text, **options):
    requirement = Requirement.parse(text)
    return requirement.failures(evaluate(p, [requirement.metric]), **options)


def test_a_requirement_holds_only_if_the_whole_interval_keeps_it():
    assert failures(table(m=0.95), "accuracy >= 0.9") == []
    (said,) = failures(table(m=0.92), "accuracy >= 0.9")
    assert "but its interval reaches down to 0.88" in said
    assert failures(table(m=0.92), "accuracy >= 0.9", point=True) == []


def test_a_loss_is_held_to_the_upper_end():
    p = Predictions.from_arrays(np.zeros(50), {"m": np.linspace(-1, 1, 50)}, task="regression")
    assert failures(p, "mae <= 0.7") == []
    assert len(failures(p, "mae <= 0.52")) == 1
    assert failures(p, "mae <= 0.52", point=True) == []


def test_an_undefined_value_never_passes():
    p = Predictions.from_arrays(["no"] * 20, {"m.score": np.arange(20.0)}, classes=["no", "yes"])
    assert "undefined" in failures(p, "roc_auc >= 0.1")[0]


UNREADABLE = [
    "f1",
    "",
    "f1 == 0.9",
    "f1 => 0.9",
    "0.9 <= f1",
    "f1 >= high",
    ">= 0.9",
    "f1 >= nan",
    "f1 >= -",
]


@pytest.mark.parametrize("text", UNREADABLE)
def test_a_requirement_that_cannot_be_read_is_an_error_that_names_the_signs(text):
    with pytest.raises(NameLookupError, match="expected a metric, one of >= <= > < and a number"):
        Requirement.parse(text)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("f1>=.5", ("f1", ">=", 0.5, None)),
        ("f1(average=macro) > 1e-3", ("f1(average=macro)", ">", 0.001, None)),
        ("accuracy ≥ 90%", ("accuracy", ">=", 0.9, None)),
        ("log_loss ≤ 0.2", ("log_loss", "<=", 0.2, None)),
        ("bert: log_loss < 2", ("log_loss", "<", 2.0, "bert")),
    ],
)
def test_requirements_are_read_in_all_their_spellings(text, read):
    found = Requirement.parse(text)
    assert (found.metric, found.sign, found.bound, found.model) == read


def test_a_strict_bound_is_not_kept_by_a_value_that_equals_it():
    p = table(m=1.0)
    assert failures(p, "accuracy >= 1", point=True) == []
    assert failures(p, "accuracy > 1", point=True) == ["m: accuracy is 1.0000; required: > 1"]


def test_a_requirement_of_one_model_does_not_ask_the_others():
    p = table(good=0.95, poor=0.5)
    assert failures(p, "good: accuracy >= 0.9") == []
    assert [said.split(":")[0] for said in failures(p, "accuracy >= 0.9")] == ["poor"]
    with pytest.raises(
        UnsupportedError, match="no model 'gone' to require accuracy of; there are good, poor"
    ):
        failures(p, "gone: accuracy >= 0.9")


def test_each_class_is_held_to_the_bound_where_a_value_a_class_is_required():
    y = np.repeat([0, 1], 200)
    p = Predictions.from_arrays(y, {"m": np.where(np.arange(400) >= 300, 0, y)})
    (said,) = failures(p, "recall(average=none) >= 0.8")
    assert said == "m: recall(average=none) of 1 is 0.5000; required: >= 0.8"


def test_a_requirement_that_was_not_evaluated_is_an_error_not_a_pass():
    with pytest.raises(
        UnsupportedError, match="f1 is required but was not evaluated; evaluated are accuracy"
    ):
        Requirement.parse("f1 >= 0.9").failures(evaluate(table(m=0.5), "accuracy"))


def test_a_model_that_does_not_give_what_a_requirement_reads_does_not_pass():
    p = Predictions.from_arrays([0, 1] * 50, {"bare": [0, 1] * 50, "m.proba": [0.1, 0.9] * 50})
    (said,) = failures(p, "log_loss <= 0.5")
    assert said == "bare: log_loss is undefined (gives_no_proba); required: <= 0.5"


def test_without_an_interval_only_the_value_itself_can_pass():
    found = evaluate(table(m=0.95), "accuracy", intervals=False)
    assert (
        "has no interval to hold it by" in Requirement.parse("accuracy >= 0.9").failures(found)[0]
    )
    assert Requirement.parse("accuracy >= 0.9").failures(found, point=True) == []


def test_a_model_whose_value_is_undefined_cannot_be_shown_to_be_no_worse():
    y = np.arange(100) % 2
    p = Predictions.from_arrays(y, {"old": y, "never": np.zeros(100, int), "new": y})
    found = compare(p, "precision")
    assert worse_than(found, "old", margin=0.5) == [
        "never: precision is undefined (no_predicted_positive), so it cannot be shown to be no "
        "worse than old's"
    ]
    with pytest.raises(UnsupportedError, match=r"never: precision is undefined"):
        worse_than(found, "never")


@pytest.mark.parametrize("margin", [float("nan"), float("inf")])
def test_a_margin_that_anything_would_pass_is_refused(margin):
    with pytest.raises(UnsupportedError, match="margin must be a number"):
        worse_than(compare(table(a=0.9, b=0.1), "accuracy"), "a", margin=margin)


def test_a_model_is_not_worse_than_the_baseline_only_if_the_interval_of_the_difference_says_so():
    found = compare(table(old=0.9, same=0.9, worse=0.6), "accuracy")
    assert [said.split(":")[0] for said in worse_than(found, "old", margin=0.05)] == ["worse"]
    assert len(worse_than(found, "old", margin=0.0)) == 2
    with pytest.raises(UnsupportedError, match="no model 'new' to be held against"):
        worse_than(found, "new")


def test_where_lower_is_better_worse_is_higher():
    y = np.linspace(0, 1, 100)
    p = Predictions.from_arrays(
        y, {"old": y + 0.1, "new": y + np.linspace(0.05, 0.5, 100)}, task="regression"
    )
    assert len(worse_than(compare(p, "mae"), "old", margin=0.05)) == 1
    assert worse_than(compare(p, "mae"), "new", margin=0.0) == []


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["evaluate", "--require", "accuracy >= 0.8"], 0),
        (["evaluate", "--require", "accuracy >= 0.89"], 1),
        (["evaluate", "--require", "accuracy >= 0.89", "--point"], 1),
        (["evaluate", "--require", "nonsense >= 0.89"], 2),
        (["evaluate", "--metric", "f1", "--require", "accuracy >= 0.89"], 1),
        (["evaluate", "--metric", "f1", "--require", "a: accuracy >= 0.89, b: accuracy >= 0.8"], 0),
        (["evaluate", "--require", "accuracy >= 0.8", "--no-intervals"], 2),
        (["evaluate", "--require", "accuracy >= 0.8", "--no-intervals", "--point"], 0),
        (["evaluate", "--require", ""], 2),
        (["evaluate", "--point"], 2),
        (["compare", "--margin", "0.1"], 2),
        (["compare", "--point"], 2),
        (["compare", "--by-metric", "accuracy", "--not-worse-than", "a", "--margin", "nan"], 2),
        (["compare", "--by-metric", "accuracy", "--not-worse-than", "a", "--margin", "0.2"], 0),
        (["compare", "--by-metric", "accuracy", "--not-worse-than", "a", "--margin", "0.01"], 1),
        (["compare", "--by-metric", "accuracy", "--not-worse-than", "z"], 2),
    ],
)
def test_the_exit_status_tells_a_failed_check_from_unusable_input(
    tmp_path, capsys, arguments, status
):
    assay.write(table(a=0.95, b=0.88), tmp_path / "p.parquet")
    try:
        main([arguments[0], str(tmp_path / "p.parquet"), *arguments[1:]])
        code = 0
    except SystemExit as stopped:
        code = stopped.code
    assert code == status
    assert ("check failed" in capsys.readouterr().err) == (status == 1)
