"""Columns that declare no kind beside models that do: which are told, as models may be meant."""

import pytest

import assay

HEADER = "id,y,bert.proba.no,bert.proba.yes,gbm"


def read(tmp_path, answers):
    rows = [f"{i},{'yes' if i % 2 else 'no'},0.6,0.4,{answer}" for i, answer in enumerate(answers)]
    path = tmp_path / "p.csv"
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    return path


@pytest.mark.parametrize("answers", [["no"] * 6, ["no", "yes"] * 3])
def test_labels_beside_a_declared_model_are_told_also_where_a_class_is_never_predicted(
    tmp_path, answers
):
    path = read(tmp_path, answers)
    table = assay.read(path)
    assert table.models == ["bert"]
    assert any("'gbm' holds labels of the truth" in note for note in table.notes)
    named = assay.read(path, models=["bert", "gbm=label"])
    assert named.models == ["bert", "gbm"]
    right = sum(answer == ("yes" if i % 2 else "no") for i, answer in enumerate(answers))
    assert assay.evaluate(named, "accuracy").get("gbm", "accuracy").value == right / 6


def test_a_text_that_is_no_class_is_no_model(tmp_path):
    assert not assay.read(read(tmp_path, ["north"] * 6)).notes
