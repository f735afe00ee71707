"""A terminal shows a result within its width; a pipe gets it as it is."""

import numpy as np
import pytest
from click.testing import CliRunner

import assay
from assay.cli import cli
from assay.core import terminal
from assay.core.terminal import fit_table, fit_text, fold_notes, lay_out
from assay.core.text import TextTable

RNG = np.random.default_rng(2)
Y = np.arange(80) % 2


def make_table(models=6):
    wrong = {f"model_{i}": np.where(RNG.random(80) < 0.2, 1 - Y, Y) for i in range(models)}
    return assay.Predictions.from_arrays(Y, wrong)


def cells(text):
    return sorted(text.replace("\n", " ").split())


def test_a_table_that_fits_is_shown_as_it_is():
    table = TextTable(["metric", "a"], [["f1", "0.9"]])
    assert fit_table(table, 40) == str(table)


def test_a_wide_table_of_few_rows_is_transposed():
    names = [f"model_{i}" for i in range(8)]
    table = TextTable(["metric", *names], [["f1", *["0.91"] * 8]])
    assert fit_table(table, 40).split("\n")[:2] == ["metric   f1", "model_0  0.91"]


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_every_model_and_value_is_shown_at_any_width(width):
    (table,) = assay.evaluate(make_table(), ["accuracy", "f1", "recall", "precision"]).tables
    text = fit_table(table, width)
    assert max(map(len, text.split("\n"))) <= width
    assert set(cells(text)) == set(cells(str(table)))


def test_a_column_wider_than_the_terminal_is_still_shown():
    table = TextTable(["a", "b"], [["x", "y" * 90], ["z", "w"]])
    assert "y" * 90 in fit_table(table, 40)


def test_notes_are_wrapped_between_words_and_tables_are_not():
    note = "a note of many words " * 8
    assert max(map(len, fit_text(note.strip(), 40).split("\n"))) <= 40
    row = "name" + "  0.9" * 30
    assert fit_text(row, 40) == row


def test_notes_that_repeat_are_one():
    notes = ["a: too few rows", "b: too few rows", "c: too few rows", "a: no rows"]
    assert fold_notes(notes) == ["a, b, c: too few rows", "a: no rows"]
    assert fold_notes(["Rows are few.", "Rows are few."]) == ["Rows are few."]
    assert fold_notes(["a, f1: x", "b, f1: x", "c, f1: x"]) == ["a, f1; b, f1; c, f1: x"]
    assert fold_notes([]) == []


def test_all_parts_of_a_result_are_within_the_width():
    result = assay.evaluate(make_table())
    for _, part in lay_out(result, 60):
        assert max(map(len, part.split("\n"))) <= 60


@pytest.fixture
def file(tmp_path):
    return str(assay.write(make_table(), tmp_path / "p.parquet"))


def test_a_pipe_gets_the_result_as_it_is(file):
    answer = CliRunner().invoke(cli, ["evaluate", file, "-m", "accuracy"])
    assert answer.stdout == repr(assay.evaluate(file, "accuracy")) + "\n"


def test_a_terminal_gets_it_within_its_width(file, monkeypatch):
    monkeypatch.setattr("assay.core.terminal.is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    answer = CliRunner().invoke(cli, ["evaluate", file])
    assert answer.exit_code == 0
    assert max(map(len, answer.stdout.split("\n"))) <= 60
    assert "model_5" in answer.stdout


@pytest.mark.parametrize("refused", [False, True])
def test_colours_heed_no_color(file, monkeypatch, capsys, refused):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    if refused:
        monkeypatch.setenv("NO_COLOR", "1")
    else:
        monkeypatch.delenv("NO_COLOR", raising=False)
    terminal.print_result(assay.evaluate(file, "accuracy"))
    assert ("\x1b[36m" in capsys.readouterr().out) is not refused


def test_numbers_of_a_program_are_the_same_on_a_terminal(file, monkeypatch):
    monkeypatch.setattr("assay.core.terminal.is_terminal", lambda: True)
    answer = CliRunner().invoke(cli, ["evaluate", file, "--json", "-"])
    assert answer.stdout == assay.evaluate(file).to_json() + "\n"
