"""Tables whose columns are named as other tools name them."""

import json

import pytest

from assay.errors import UnsupportedError
from assay.evaluation.evaluate import evaluate
from assay.io.read_write import read


def put(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    return tmp_path / name


def test_a_column_named_as_a_model_keeps_its_name(tmp_path):
    path = put(tmp_path, "t.csv", ".pred_class,.pred_a,.pred_b,class\na,0.9,0.1,a\na,0.8,0.2,b\n")
    assert read(path, truth="class", models=[".pred_class"]).models == [".pred_class"]
    assert read(path, truth="class").models == ["t"]


def test_resamples_of_r_are_folds_and_no_ids(tmp_path):
    rows = "".join(f"a,{i},a,Fold{i % 2}\n" for i in range(4)) + "b,4,b,Fold0\n"
    table = read(put(tmp_path, "t.csv", ".pred_class,.row,class,id\n" + rows), truth="class")
    assert table.columns["fold"].to_pylist() == ["Fold0", "Fold1", "Fold0", "Fold1", "Fold0"]
    assert table.columns["id"].to_pylist() == [0, 1, 2, 3, 4]


def test_how_sure_a_pipeline_is_of_its_label_is_no_rank_score(tmp_path):
    rows = [{"y": "a", "label": "a", "score": 0.98}, {"y": "b", "label": "b", "score": 0.61}]
    table = read(put(tmp_path, "hf.json", json.dumps(rows)))
    assert table.schema.models == {"hf": ("label",)}
    assert any("'score'" in note and "confidence" in note for note in table.notes)


def test_scores_of_the_rows_have_their_mean_alone(tmp_path):
    table = read(put(tmp_path, "judge.csv", "item,a.value\n1,0.25\n2,0.75\n"))
    rows = evaluate(table, intervals=False).rows
    assert [(row.metric, row.value) for row in rows] == [("mean", 0.5)]
    with pytest.raises(UnsupportedError, match="metric mae needs a truth"):
        evaluate(table, "mae")


def test_a_truth_that_was_not_named_is_asked_for_before_values_count_as_scores(tmp_path):
    path = put(tmp_path, "p.csv", "target,a.value\n1.5,1.25\n2.5,2.75\n")
    with pytest.raises(ValueError, match="Is it 'target'"):
        read(path)


def test_samples_of_two_runs_are_compared_by_accuracy(tmp_path):
    for run, right in (("a", [1, 1, 0, 1]), ("b", [1, 0, 0, 1])):
        lines = [
            json.dumps({"doc_id": i, "target": "x", "filtered_resps": ["y"], "acc": float(v)})
            for i, v in enumerate(right)
        ]
        put(tmp_path, f"{run}.jsonl", "\n".join(lines))
    table = read(tmp_path / "a.jsonl", tmp_path / "b.jsonl")
    values = {row.model: row.value for row in evaluate(table, intervals=False).rows}
    assert values == {"a": 0.75, "b": 0.5}
