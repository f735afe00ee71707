"""The examples in cells: each runs as a script, and says what its text claims."""

import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name, capsys):
    """What the example printed, and its names."""
    found = runpy.run_path(str(EXAMPLES / f"{name}.py"))
    return capsys.readouterr().out, found


def test_iris_is_told_by_class_and_by_average(capsys):
    said, found = run("iris", capsys)
    assert "weighted avg" in said
    assert "versicolor" in said
    assert "is not significantly different" in said
    assert found["table"].n == 150


def test_where_classes_are_nine_to_one_accuracy_is_said_to_mislead(capsys):
    said, _ = run("imbalanced", capsys)
    assert "A001 Classes are imbalanced: accuracy misleads." in said
    assert "A002 Model 'lazy' does not beat the majority class." in said
    assert "forest is best by average_precision" in said
    assert "expected_cost" in said


@pytest.mark.slow
def test_networks_and_a_forest_are_trained_on_the_same_folds_with_two_seeds(capsys):
    pytest.importorskip("torch")
    said, found = run("torch_loop", capsys)
    assert "accuracy at epoch 12: 0.9" in said
    assert "of 2 seeds" in said
    assert found["table"].n == 2 * 1797
