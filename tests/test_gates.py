"""Gates: a release is held to its interval, and the exit status says so."""

import numpy as np
import pytest

import assay
from assay.cli import main
from assay.compare import compare
from assay.errors import NameLookupError, UnsupportedError
from assay.evaluate import evaluate
from assay.gates import Requirement, worse_than
from assay.predictions import Predictions


def table(n=400, **right):
    """Models that are right on the given share of the rows."""
    y = np.arange(n) % 2
    return Predictions.from_arrays(y, {m: np.where(np.arange(n) % 100 < 100 * q, y, 1 - y) for m, q in right.items()})


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


def test_an_undefined_figure_never_passes():
    p = Predictions.from_arrays(["no"] * 20, {"m.score": np.arange(20.0)}, classes=["no", "yes"])
    assert "undefined" in failures(p, "roc_auc >= 0.1")[0]


@pytest.mark.parametrize("text", ["f1", "f1 > 0.9", "f1 >= high", ">= 0.9"])
def test_a_requirement_that_cannot_be_read_is_an_error(text):
    with pytest.raises(NameLookupError, match="expected"):
        Requirement.parse(text)


def test_a_model_is_not_worse_than_the_baseline_only_if_the_interval_of_the_difference_says_so():
    found = compare(table(old=0.9, same=0.9, worse=0.6), "accuracy")
    assert [said.split(":")[0] for said in worse_than(found, "old", margin=0.05)] == ["worse"]
    assert len(worse_than(found, "old", margin=0.0)) == 2
    with pytest.raises(UnsupportedError, match="no model 'new' to be held against"):
        worse_than(found, "new")


def test_where_lower_is_better_worse_is_higher():
    y = np.linspace(0, 1, 100)
    p = Predictions.from_arrays(y, {"old": y + 0.1, "new": y + np.linspace(0.05, 0.5, 100)}, task="regression")
    assert len(worse_than(compare(p, "mae"), "old", margin=0.05)) == 1
    assert worse_than(compare(p, "mae"), "new", margin=0.0) == []


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["evaluate", "--require", "accuracy >= 0.8"], 0),
        (["evaluate", "--require", "accuracy >= 0.89"], 1),
        (["evaluate", "--require", "accuracy >= 0.89", "--point"], 1),
        (["evaluate", "--require", "nonsense >= 0.89"], 2),
        (["compare", "--by-metric", "accuracy", "--not-worse-than", "a", "--margin", "0.2"], 0),
        (["compare", "--by-metric", "accuracy", "--not-worse-than", "a", "--margin", "0.01"], 1),
        (["compare", "--by-metric", "accuracy", "--not-worse-than", "z"], 2),
    ],
)
def test_the_exit_status_tells_a_failed_check_from_unusable_input(tmp_path, capsys, arguments, status):
    assay.write(table(a=0.95, b=0.88), tmp_path / "p.parquet")
    try:
        main([arguments[0], str(tmp_path / "p.parquet"), *arguments[1:]])
        code = 0
    except SystemExit as stopped:
        code = stopped.code
    assert code == status
    assert ("check failed" in capsys.readouterr().err) == (status == 1)
