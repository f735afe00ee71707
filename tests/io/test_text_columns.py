"""Tables of texts: from arrays, files and streams, on the command line, and what is refused."""

import contextlib
import json

import pytest

import assay
from assay.cli import main
from assay.errors import AssayError, SchemaError

TRUTH = ["the cat sat", "on the mat", "all day"] * 10
GOOD = ["the cat sat", "on a mat", "all day"] * 10
BAD = ["a cat sits", "on mat", ""] * 10


def build():
    groups = {"half": [1] * 15 + [2] * 15}
    models = {"good": GOOD, "bad": BAD}
    return assay.Predictions.from_arrays(TRUTH, models, task="text", groups=groups)


def run(*arguments):
    """Run a command that is to end well."""
    with contextlib.suppress(SystemExit):
        main([str(argument) for argument in arguments])


def test_a_text_is_evaluated_from_lists():
    row = assay.evaluate(["the cat sat"], {"m": ["the cat sit"]}, "wer", task="text").rows[0]
    assert row.value == pytest.approx(1 / 3)


def test_models_of_texts_are_compared_on_the_same_rows():
    found = assay.compare(build(), "wer")
    assert found.best == "good"
    assert found.pairs[0].p < 0.01


@pytest.mark.parametrize("suffix", ["csv", "parquet", "arrow", "csv.gz"])
def test_a_table_of_texts_is_read_back_as_it_was_written(tmp_path, suffix):
    p = build()
    assert assay.read(assay.write(p, tmp_path / f"p.{suffix}"), task="text") == p


def test_a_stream_of_texts_gives_the_values_and_intervals_of_the_table(tmp_path):
    pytest.importorskip("sacrebleu")
    p = build()
    path = assay.write(p, tmp_path / "p.parquet")
    asked = ["wer", "bleu", "chrf", "token_f1"]
    whole = assay.evaluate(p, asked, by="half").rows
    streamed = assay.evaluate(assay.scan(path), asked, by="half").rows
    assert [r.value for r in streamed] == pytest.approx([r.value for r in whole], rel=1e-12)
    assert [r.low for r in streamed] == pytest.approx([r.low for r in whole], nan_ok=True)


def test_the_command_line_reads_columns_that_end_in_text(tmp_path, capsys):
    (tmp_path / "p.csv").write_text("y,m.text\nthe cat sat,the cat sit\n007,7\n")
    run("evaluate", tmp_path / "p.csv", "--task", "text", "-m", "wer", "--json", "-")
    found = json.loads(capsys.readouterr().out)
    assert found["task"] == "text"
    assert found["rows"][0]["value"] == pytest.approx(2 / 4)


def test_a_column_declared_as_texts_makes_the_task_text(tmp_path, capsys):
    path = tmp_path / "asr.csv"
    path.write_text("reference,hypothesis\nthe cat sat,the cat sit\n")
    options = ["--truth", "reference", "--model", "asr=text:hypothesis", "-m", "cer"]
    run("evaluate", path, *options)
    assert "asr" in capsys.readouterr().out


def test_an_empty_cell_of_a_text_file_is_an_empty_text_and_a_note_says_so(tmp_path):
    (tmp_path / "p.csv").write_text('y,m.text\nyes,\nno,""\n')
    p = assay.read(tmp_path / "p.csv", task="text")
    assert p.rows("m").text.tolist() == ["", ""]
    assert any("1 cell without text" in note for note in p.notes)


def test_a_group_whose_name_ends_in_text_is_no_model_where_the_task_is_another(tmp_path):
    (tmp_path / "p.csv").write_text("y,m.label,review.text\na,a,good\nb,a,bad\n")
    assert assay.read(tmp_path / "p.csv").models == ["m"]


def test_a_missing_text_is_refused_with_its_row():
    with pytest.raises(SchemaError, match=r"text of model 'm' is missing at row 1 .*give ''"):
        assay.evaluate(["a", "b"], {"m": ["a", None]}, "wer", task="text")


def test_numbers_are_no_texts():
    with pytest.raises(SchemaError, match="truth must hold texts; got 3"):
        assay.evaluate([3, 4], {"m": ["3", "4"]}, "wer", task="text")


def test_lists_of_words_are_refused_with_how_to_join_them():
    with pytest.raises(SchemaError, match="join the words or tags of a row by blanks"):
        assay.evaluate([["a", "b"], ["c"]], {"m": ["a b", "c"]}, "wer", task="text")


def test_a_label_is_no_text():
    with pytest.raises(SchemaError, match=r"name the column <model>\.text"):
        assay.evaluate(["a"], {"m.label": ["a"]}, "wer", task="text")


def test_metrics_of_texts_say_which_task_they_are_for():
    with pytest.raises(AssayError, match=r"wer is for text tasks|wer needs text"):
        assay.evaluate(["a", "b"], {"m": ["a", "b"]}, "wer")


def test_texts_are_not_fused():
    with pytest.raises(AssayError, match="texts have no mean"):
        assay.fuse(build())


def test_a_report_of_texts_names_the_best_model_and_the_most_frequent_text():
    found = assay.report(build(), metric="wer")
    assert "good is best by wer" in str(found)
    assert "the most frequent text" in str(found)


def test_the_hardest_text_is_shown_with_what_was_written():
    row = assay.hardest_rows(build(), most=1).rows[0]
    assert (row.truth, row.predicted["bad"]) in {("all day", ""), ("on the mat", "on mat")}


def test_states_of_texts_are_known_again_by_their_content(tmp_path):
    from assay.evaluation.fingerprint import digest_rows

    assert digest_rows(build()) == digest_rows(build())
    assert digest_rows(build()) != digest_rows(build().take(list(range(29))))


def test_texts_that_are_declared_beside_another_task_are_refused_with_the_task_they_need(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("y,heard\nthe cat sat,the cat sit\n")
    with pytest.raises(SchemaError, match=r"'m': a text .* needs task='text'.* is multiclass"):
        assay.read(path, models=["m=text:heard"], task="multiclass")
    assert assay.read(path, models=["m=text:heard"]).task == "text"


def test_columns_of_texts_without_the_task_are_refused_with_the_option_that_reads_them():
    table = {"y": ["the cat sat", "on the mat"], "a.text": ["the cat sat", "on mat"]}
    with pytest.raises(assay.SchemaError, match=r"--task text \(task='text'\)"):
        assay.read(table)
    assert assay.evaluate(assay.read(table, task="text"), "wer").value == pytest.approx(1 / 6)


def test_texts_that_pass_for_labels_are_read_with_a_note_on_the_task():
    table = assay.read({"y": ["yes", "no", "no"], "a.text": ["yes", "no", "yes"]})
    assert table.task == "binary"
    assert any("--task text" in note for note in table.notes)
