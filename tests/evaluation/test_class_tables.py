"""Values of classes are laid out as people know them."""

import numpy as np
import pytest
from sklearn.metrics import classification_report

import assay

RNG = np.random.default_rng(8)
Y = RNG.integers(0, 3, 90)
PRED = np.where(RNG.random(90) < 0.3, (Y + 1) % 3, Y)
NAMES = np.array(["cat", "dog", "eel"])


def read_numbers(text):
    return [float(word) for word in text.split() if word.replace(".", "").isdigit()]


@pytest.mark.parametrize("k", [2, 3])
def test_a_classification_report_holds_the_numbers_of_scikit_learn(k):
    y = NAMES[Y % k]
    pred = NAMES[PRED % k]
    (table,) = assay.evaluate(y, pred, "classification_report").tables
    theirs = classification_report(y, pred, digits=4)
    assert read_numbers(str(table)) == read_numbers(theirs)


def test_a_confusion_matrix_has_truth_in_rows():
    evaluation = assay.evaluate(["a", "b", "b"], ["b", "b", "b"], "confusion_matrix")
    (table,) = evaluation.tables
    assert table.header == ["model: truth \\ predicted", "a", "b"]
    assert table.rows == [["a", "0", "1"], ["b", "0", "2"]]


def test_other_metrics_keep_their_lines_beside_the_tables():
    evaluation = assay.evaluate(Y, {"m": PRED, "n": Y}, ["f1", "confusion_matrix"])
    first, *others = evaluation.tables
    assert [row[0] for row in first.rows] == ["f1"]
    assert len(others) == 2


def test_each_group_has_its_own_matrix():
    groups = {"site": ["north", "south"] * 45}
    evaluation = assay.evaluate(Y, PRED, "confusion_matrix", by="site", groups=groups)
    titles = [table.header[0] for table in evaluation.tables]
    assert titles[-2:] == ["model | north: truth \\ predicted", "model | south: truth \\ predicted"]


def test_the_report_of_classes_is_a_metric_of_the_command_line(tmp_path, capsys):
    from assay.cli import cli

    path = assay.write(assay.Predictions.from_arrays(Y, {"m": PRED}), tmp_path / "p.parquet")
    cli.main(["evaluate", str(path), "-m", "classification_report"], standalone_mode=False)
    assert "weighted avg" in capsys.readouterr().out


def test_rows_of_single_metrics_are_as_they_were():
    rows = assay.evaluate(Y, PRED, "confusion_matrix").rows
    assert len(rows) == 9
    assert rows[0].class_ == (0, 0)
