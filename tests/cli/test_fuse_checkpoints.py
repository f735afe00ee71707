"""`assay fuse` of checkpoints: by their names or --how soup, scored, or refused in one line."""

import json
import shlex

import pytest
import torch
from safetensors.torch import load_file, save_file

import assay
from assay.cli import main
from assay.soups.soup import soup
from soup_nets import accuracy, fine_tuned

BASE, TUNED = fine_tuned()


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    for name, state in zip("abc", TUNED, strict=True):
        save_file(state, tmp_path / "run" / f"{name}.safetensors")
    save_file(BASE, tmp_path / "base.safetensors")
    (tmp_path / "score.py").write_text("from soup_nets import accuracy\n")
    return tmp_path


def call(line, capsys):
    """Exit status, standard output and standard error of a command."""
    status = 0
    try:
        main(shlex.split(line))
    except SystemExit as end:
        status = end.code
    return status, *capsys.readouterr()


def test_a_folder_of_checkpoints_with_a_score_is_a_greedy_soup(run, capsys):
    line = "fuse run --how soup --score score.py:accuracy --barrier --json - -o out.safetensors"
    status, printed, told = call(line, capsys)
    assert status == 0
    expected = soup(dict(zip("abc", TUNED, strict=True)), score=accuracy, barrier=True)
    found = json.loads(printed)
    assert found == json.loads(expected.to_json())
    assert found["how"] == "greedy"
    assert told == "written: out.safetensors\n"
    assert accuracy(load_file("out.safetensors")) == expected.score


@pytest.mark.parametrize(
    ("options", "how", "python"),
    [
        ("", "uniform", {}),
        ("--how average", "uniform", {}),
        ("--how weighted --weights a=1,b=2,c=1", "weighted", {"weights": {"a": 1, "b": 2, "c": 1}}),
        ("--how 'ties(density=0.5)' --base base.safetensors", "ties(density=0.5)", {"base": BASE}),
        ("--how dare --seed 4 --base base.safetensors", "dare", {"base": BASE, "seed": 4}),
    ],
)
def test_an_option_has_the_name_and_the_meaning_that_it_has_in_python(
    run, capsys, options, how, python
):
    status, printed, _ = call(f"fuse run {options} -o out.pt", capsys)
    assert status == 0, printed
    expected = soup(dict(zip("abc", TUNED, strict=True)), how, **python).state_dict()
    found = torch.load("out.pt", weights_only=True)
    assert all(found[name].equal(tensor) for name, tensor in expected.items())


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("fuse run --truth label -o out.pt", "--truth is for tables of predictions"),
        ("fuse run --folds 3 -o out.pt", "--folds is for tables of predictions"),
        ("fuse run --how soup --score score.py -o out.pt", "must be FILE.py:FUNCTION"),
        ("fuse run --score score.py:loss -o out.pt", "has no function 'loss'; it has accuracy"),
        ("fuse run --score none.py:loss -o out.pt", "no such file"),
        ("fuse run --how stacking -o out.pt", "no soup is named 'stacking'"),
        ("fuse run --how ties -o out.pt", "give it as base"),
        ("fuse run/a.safetensors -o out.pt", "at least 2 checkpoints"),
        ("fuse p.csv --score score.py:accuracy -o out.csv", "--score is for checkpoints"),
        ("fuse p.csv --how soup -o out.pt", "no such file"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_exit_status_2(run, capsys, line, message):
    status, printed, told = call(line, capsys)
    assert (status, printed) == (2, "")
    assert message in told
    assert told.count("\n") == 1


def test_the_recipes_are_listed(capsys):
    status, printed, _ = call("list soups", capsys)
    assert status == 0
    assert "task_arithmetic  The base, plus the sum of the task vectors" in printed


def test_fusing_checkpoints_as_tables_says_which_verb_fuses_them(run):
    with pytest.raises(assay.AssayError, match=r"assay\.soup"):
        assay.fuse(["run/a.safetensors", "run/b.safetensors"])
