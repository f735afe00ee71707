"""What the caller says that columns hold: `NAME=KIND:COLUMN`, in Python and on the command line."""

import pytest

from assay.errors import SchemaError
from assay.evaluation.evaluate import evaluate
from assay.io.read_write import read

OOF = ",target,oof_lgbm,oof_xgb,fold\n0,0,0.1,0.4,0\n1,1,0.9,0.3,0\n2,0,0.2,0.2,1\n3,1,0.6,0.8,1\n"


@pytest.fixture
def oof(tmp_path):
    path = tmp_path / "oof.csv"
    path.write_text(OOF)
    return path


def areas(table):
    return {row.model: row.value for row in evaluate(table, "roc_auc", intervals=False).rows}


@pytest.mark.parametrize(
    "models",
    [
        ["lgbm=proba:oof_lgbm", "xgb=score:oof_xgb"],
        {"lgbm": "proba:oof_lgbm", "xgb": ["score:oof_xgb"]},
    ],
)
def test_a_declared_column_is_read_as_the_kind_that_is_said(oof, models):
    table = read(oof, truth="target", models=models)
    assert table.schema.models == {"lgbm": ("proba",), "xgb": ("score",)}
    assert areas(table) == {"lgbm": 1.0, "xgb": 0.75}


def test_a_column_may_bear_the_name_of_its_model(oof):
    assert read(oof, truth="target", models=["oof_xgb=score"]).models == ["oof_xgb"]


def test_a_bare_column_in_0_to_1_of_a_binary_task_is_the_probability_of_the_positive_class(oof):
    table = read(oof, truth="target", models=["oof_lgbm"])
    assert table.outputs["oof_lgbm"]["proba"][:, 1].tolist() == [0.1, 0.9, 0.2, 0.6]
    assert any("--model oof_lgbm=score" in note for note in table.notes)


def test_the_proposed_declaration_gives_the_right_number(oof):
    with pytest.raises(SchemaError, match="--model oof_lgbm=proba --model oof_xgb=proba"):
        read(oof, truth="target")
    models = ["oof_lgbm=proba", "oof_xgb=proba"]
    assert areas(read(oof, truth="target", models=models)) == {"oof_lgbm": 1.0, "oof_xgb": 0.75}


@pytest.mark.parametrize(
    "model, message",
    [
        ("m=prob:oof_lgbm", "expected NAME=KIND:COLUMN"),
        ("m=proba:oof_lgb", "did you mean 'oof_lgbm'"),
        ("m=value.1:oof_lgbm", r"leave out \.1 to give one column"),
    ],
)
def test_a_declaration_that_cannot_be_followed_is_refused(oof, model, message):
    with pytest.raises(SchemaError, match=message):
        read(oof, truth="target", models=[model])


def test_a_column_declared_twice_is_refused(oof):
    with pytest.raises(SchemaError, match="declared twice"):
        read(oof, truth="target", models=["a=proba:oof_lgbm", "b=score:oof_lgbm"])


def test_a_bare_model_beside_declared_ones_is_noted(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("y,rf.proba,svm,site\na,0.1,b,N\nb,0.9,a,S\n")
    table = read(path)
    assert table.models == ["rf"]
    assert any("--model svm=label" in note and "site" not in note for note in table.notes)


def test_a_bare_probability_beside_bare_labels_is_noted(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("y,lgbm_pred,lgbm_proba\n0,0,0.1\n1,0,0.4\n")
    table = read(path)
    assert table.models == ["lgbm_pred"]
    assert any("--model lgbm_proba=proba" in note for note in table.notes)


def test_a_bare_column_of_probabilities_is_read_as_such_beside_a_truth_of_text(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("y,risk\nno,0.2\nyes,0.9\nno,0.6\nyes,0.5\n")
    table = read(path, models=["risk"])
    assert table.schema.models == {"risk": ("proba",)}
    assert areas(table) == {"risk": 0.75}
    assert "Column 'risk' holds numbers in [0, 1]" in table.notes[0]
    path.write_text("y,code\n07,07\n10,7\n07,07\n10,10\n")
    codes = read(path, models=["code"])
    assert evaluate(codes, "accuracy", intervals=False).value == 0.75
