"""Which column is proposed as the truth where none bears the name that was given."""

import pytest

from assay.errors import SchemaError
from assay.io.read_write import read
from assay.io.truth_names import explain_no_truth, propose_truth


@pytest.mark.parametrize(
    "truth, model",
    [
        ("actual", "predicted"),
        ("label", "prediction"),
        ("obs", "pred"),
        ("reference", "output"),
        ("expected", "response"),
        ("ground_truth", "y_hat"),
        ("Churned", "Scored Labels"),
    ],
)
def test_the_proposed_truth_is_never_the_prediction(truth, model):
    labels = ["a", "b"]
    assert propose_truth({model: labels, truth: labels}, "y") == [truth]


def test_several_truths_are_named_and_none_is_chosen():
    columns = {"true_a": [0, 1], "true_b": [1, 0], "pred_a": [0, 1]}
    assert propose_truth(columns, "y") == ["true_a", "true_b"]
    assert "Several may be truths: 'true_a', 'true_b'" in explain_no_truth(columns, "y")


def test_names_are_quoted_so_that_blanks_show():
    assert "'Sex '" in explain_no_truth({"Sex ": ["F"], "m.label": ["a"]}, "y")


def test_columns_are_named_as_they_stand_in_the_file(tmp_path):
    path = tmp_path / "hf.csv"
    path.write_text("label,prediction\na,a\nb,a\n")
    with pytest.raises(SchemaError, match=r"columns are 'label', 'prediction'. Is it 'label'"):
        read(path)
    assert read(path, truth="label").models == ["prediction"]


def test_a_first_line_of_cells_proposes_no_header(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("0,1\n1,1\n0,0\n")
    with pytest.raises(SchemaError, match="--no-header"):
        read(path)
    assert read(path, header=False, truth="1", models=["m=label:2"]).n == 3
