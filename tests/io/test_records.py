"""JSON and JSON Lines as tables."""

import json

import pytest

from assay.errors import ReadError
from assay.io.records import flatten, parse_records, peek_names, read_records


def test_lists_lines_columns_and_wrapped_lists_give_the_same_rows():
    rows = [{"y": 0, "m": 1}, {"y": 1, "m": 1}]
    columns = {"y": {"0": 0, "1": 1}, "m": {"0": 1, "1": 1}}
    split = {"columns": ["y", "m"], "index": [0, 1], "data": [[0, 1], [1, 1]]}
    lines = "\n".join(map(json.dumps, rows))
    for text in (rows, columns, split, {"predictions": rows}, {"y": [0, 1], "m": [1, 1]}):
        assert parse_records(json.dumps(text)) == rows
    assert parse_records(lines) == rows


def test_scores_of_labels_become_class_columns():
    pairs = [{"label": "a", "score": 0.25}, {"label": "b", "score": 0.75}]
    lists = {"classes": ["a", "b"], "scores": [0.25, 0.75], "other": 1}
    assert flatten({"m": pairs}) == {"m.proba.a": 0.25, "m.proba.b": 0.75}
    assert flatten({"m": lists}) == {"m.proba.a": 0.25, "m.proba.b": 0.75, "m.other": 1}
    assert flatten(pairs) == {"proba.a": 0.25, "proba.b": 0.75}


def test_a_column_of_several_types_is_left_out_with_a_note(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"y": 0, "x": 1}\n{"y": 1, "x": "a"}\n')
    table, notes = read_records(str(path))
    assert table.column_names == ["y"]
    assert "'x'" in notes[0]


def test_a_line_that_is_no_json_is_named(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"y": 0}\n{"y": \n')
    with pytest.raises(ReadError, match="line 2 is no JSON"):
        read_records(str(path))
    assert peek_names(path) == ()


def test_a_list_of_values_is_refused_with_an_example():
    with pytest.raises(ReadError, match="row 0 is 3; expected an object"):
        parse_records("[3]")
