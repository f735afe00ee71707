"""The hardest rows: their order, by one model and by all, in every task."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

import assay
from assay.cli import cli
from assay.errors import SchemaError
from assay.testing import random_table


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel", "regression"])
def test_the_hardest_row_of_one_model_is_that_of_its_largest_loss(task):
    table = random_table(task, 3, n=50)
    model = table.models[0]
    found = assay.hardest_rows(table, models=model, most=5)
    losses = [row.losses[model] for row in found.rows]
    assert losses == sorted(losses, reverse=True)
    name = found.loss[model]
    metric = assay.evaluate(table.select([model]), name, intervals=False).rows[0].value
    every = assay.hardest_rows(table, models=model, most=50)
    assert np.mean([row.losses[model] for row in every.rows] + [0] * (50 - len(every.rows))) == (
        pytest.approx(metric)
    )


def test_models_count_alike_whatever_the_size_of_their_losses():
    y = np.zeros(10)
    small = np.where(np.arange(10) == 3, 0.2, 0.1)
    large = np.where(np.arange(10) == 7, 200.0, 100.0)
    table = assay.Predictions.from_arrays(y, {"small": small, "large": large}, task="regression")
    found = assay.hardest_rows(table, most=2)
    assert {row.row for row in found.rows} == {3, 7}
    assert found.rows[0].loss == pytest.approx(found.rows[1].loss)


def test_rows_that_no_model_gets_wrong_are_not_shown():
    table = assay.Predictions.from_arrays(["a", "b", "a"], {"m": ["a", "b", "b"]})
    assert [row.row for row in assay.hardest_rows(table).rows] == [2]
    assert assay.hardest_rows(table.take([0, 1])).verdict == "No row has a loss."


def test_ties_come_in_the_order_of_the_rows():
    table = assay.Predictions.from_arrays([0, 1] * 10, {"m": [1, 0] * 10})
    assert [row.row for row in assay.hardest_rows(table, most=3).rows] == [0, 1, 2]


def test_rows_of_weight_0_are_left_out():
    table = assay.Predictions.from_arrays([0, 1, 1], {"m": [1, 0, 1]}, weight=[0, 2, 1])
    assert [row.row for row in assay.hardest_rows(table).rows] == [1]


def test_names_truth_and_answers_are_told():
    table = assay.Predictions.from_arrays(
        ["cat", "dog"], {"a": ["cat", "cat"], "b": ["dog", "cat"]}, id=["x", "y"]
    )
    first = assay.hardest_rows(table, most=1).rows[0]
    assert (first.id, first.truth, first.predicted) == ("y", "dog", {"a": "cat", "b": "cat"})
    assert first.wrong == 2


def test_scores_alone_have_no_loss():
    table = assay.Predictions.from_arrays([0, 1], {"m.score": [0.3, -2.0]})
    table = table.select(["m"])
    if "label" in table.outputs["m"] or table.schema.offers("m", "label"):
        pytest.skip("scores give labels here")
    with pytest.raises(SchemaError, match="scores only"):
        assay.hardest_rows(table)


def test_an_unknown_model_is_named_with_those_there_are():
    table = assay.Predictions.from_arrays([0, 1], {"m": [0, 0]})
    with pytest.raises(SchemaError, match="no model is named 'n'; the table has m"):
        assay.hardest_rows(table, models="n")


def test_the_command_prints_rows_and_json(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("y,m\ncat,cat\ndog,cat\ncat,cat\n")
    said = CliRunner().invoke(cli, ["hardest", str(path), "--most", "1"])
    assert said.exit_code == 0
    assert said.output.startswith("Row 1 is the hardest of 3.")
    told = json.loads(CliRunner().invoke(cli, ["hardest", str(path), "--json", "-"]).output)
    assert told["schema"] == "assay.hardest_rows/1"
    assert told["rows"][0]["row"] == 1
