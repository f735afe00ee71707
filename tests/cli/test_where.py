"""`--where` and the options of roles: which rows judge, and what columns do for them."""

import json

import numpy as np
import pytest

import assay
from assay.cli import main
from assay.table.predictions import Predictions


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(1)
    n = 300
    split = np.resize(["TRAIN", "test", "val"], n)
    y = rng.integers(0, 2, n)
    over = np.where(split == "TRAIN", y, rng.integers(0, 2, n))
    good = np.where(rng.random(n) < 0.8, y, 1 - y)
    p = Predictions.from_arrays(
        y, {"over": over, "good": good}, split=split, groups={"site": rng.integers(0, 2, n)}
    )
    return assay.write(p, tmp_path / "p.csv")


def run(capsys, *arguments):
    try:
        main([str(a) for a in arguments])
        status = 0
    except SystemExit as stopped:
        status = stopped.code or 0
    out, err = capsys.readouterr()
    return status, out, err


@pytest.mark.parametrize(
    "command",
    [
        ("evaluate",),
        ("compare",),
        ("slices",),
        ("fairness", "--by", "site"),
    ],
)
def test_the_first_line_says_that_training_rows_were_left_out(capsys, table, command):
    status, out, _ = run(capsys, command[0], table, *command[1:])
    assert status == 0
    assert out.startswith("100 of 300 rows are left out: column 'split' says 'TRAIN'")


def test_a_gate_holds_judging_rows_to_its_bound(capsys, table):
    gate = ("--require", "accuracy >= 0.55", "--point")
    assert run(capsys, "evaluate", table, *gate)[0] == 1
    everything = ("--where", 'split in ("TRAIN", "test", "val")')
    assert run(capsys, "evaluate", table, *gate, *everything)[0] == 0


@pytest.mark.parametrize("command", ["evaluate", "compare", "slices", "report"])
def test_where_chooses_rows_of_every_command(capsys, table, command, tmp_path):
    page = ("-o", tmp_path / "r.html") if command == "report" else ()
    status, out, _ = run(capsys, command, table, *page, "--where", 'split == "val" and site == 1')
    assert status == 0
    kept = assay.read(table).where('split == "val" and site == 1').n
    assert out.startswith(f'where split == "val" and site == 1: {kept} of 300 rows.')


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ('split = "val"', "equal is =="),
        ('set == "val"', "no column is named 'set'"),
        ('split == "dev"', "true of none of the 300 rows; 'split' says 'TRAIN', 'test', 'val'"),
    ],
)
def test_a_condition_that_chooses_nothing_exits_with_2_and_one_line(capsys, table, where, message):
    status, out, err = run(capsys, "evaluate", table, "--where", where)
    assert (status, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_roles_are_chosen_by_options(capsys, tmp_path):
    path = tmp_path / "t.csv"
    rows = [f"{i % 2},{i % 3 % 2},{1 + i % 4},Fold{i % 5}" for i in range(60)]
    path.write_text("\n".join(["y,m.label,weight,id", *rows]))
    weighted = run(capsys, "evaluate", path, "-m", "accuracy")[1]
    assert weighted.startswith("Weighted by column 'weight' (effective rows: 50")
    assert "--cluster id" in weighted
    options = ("--no-weight", "--cluster", "id", "-m", "accuracy", "--json", "-")
    found = json.loads(run(capsys, "evaluate", path, *options)[1])
    right = np.mean([i % 2 == i % 3 % 2 for i in range(60)])
    assert found["rows"][0]["value"] == pytest.approx(right)
    assert any("'cluster'" in note or "cluster" in note for note in found["notes"])
    both = run(capsys, "evaluate", path, "--no-weight", "--weight", "weight")
    assert both[0] == 2
    assert "give one of them" in both[2]
