"""What guards a release: gates that compare, levels that are answered, names that are harmless."""

import json
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner

import assay
from assay.cli import cli, main
from assay.core.progress import show_progress
from assay.core.text import escape_controls, escape_line
from assay.errors import UnsupportedError
from assay.testing import random_table


def write_table(folder):
    p = random_table("binary", 1, n=60).select(["a"])
    return str(assay.write(p, folder / "p.parquet"))


def test_a_gate_against_the_only_model_fails(tmp_path):
    run = CliRunner().invoke(cli, ["compare", write_table(tmp_path), "--not-worse-than", "a"])
    assert run.exit_code == 1
    assert "nothing was compared" in run.output


@pytest.mark.parametrize("confidence", ["0.9999", "0.99999", "0.9999999"])
def test_a_confidence_near_1_is_answered_with_a_note_where_replicates_do_not_reach(
    tmp_path, confidence
):
    names = ["log_loss", "f1", "average_precision", "accuracy", "roc_auc"]
    asked = [word for name in names for word in ("-m", name)]
    run = CliRunner().invoke(
        cli, ["evaluate", write_table(tmp_path), *asked, "--confidence", confidence, "--json", "-"]
    )
    assert run.exit_code == 0, run.output
    rows = {row["metric"]: row for row in json.loads(run.output)["rows"]}
    assert "too few replicates" in rows["log_loss"]["note"]
    assert "too few replicates" in rows["f1"]["note"]
    assert "replicates" not in rows["average_precision"]["note"]  # a spread, no quantiles of them
    assert "replicates" not in rows["accuracy"]["note"]
    assert all(row["low"] <= row["value"] <= row["high"] for row in rows.values())


def test_more_folds_than_pay_are_refused_at_once():
    p = random_table("binary", 0, n=60)
    with pytest.raises(UnsupportedError, match="folds must be at most 100, got 1000"):
        assay.fuse(p, folds=1000)


def test_control_characters_of_a_name_are_spelled_out(tmp_path):
    y = [0, 1] * 20
    p = assay.Predictions.from_arrays(y, {"a\x1b[2J\x07": y, "b": y[::-1]})
    path = str(assay.write(p, tmp_path / "p.parquet"))
    for command in ("evaluate", "compare"):
        shown = CliRunner().invoke(cli, [command, path]).output
        assert "\x1b" not in shown
        assert r"a\x1b[2J\x07" in shown


def test_an_error_about_a_hostile_name_holds_no_control_character(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["evaluate", write_table(tmp_path), "-m", "\x1b[2Jnone"])
    assert "\x1b" not in capsys.readouterr().err


NAMES = ["a\nassay: all is well", "b\u2028c", "d\u061c", "[/red]", "e\x9b2J"]


@pytest.mark.parametrize("verb", ["evaluate", "compare", "fuse", "report", "slices", "fairness"])
def test_no_verb_lets_a_name_end_a_line_or_colour_text(verb, tmp_path, capsys):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 60)
    models = {name: np.where(rng.random(60) < 0.3, 1 - y, y) for name in NAMES}
    site = rng.choice(["north\nassay: all is well", "so\x1b[2Juth"], 60)
    p = replace(assay.Predictions.from_arrays(y, models), columns={"site": pa.array(site)})
    options = {
        "evaluate": ["--by", "site", "--require", "f1 > 0.99"],
        "compare": ["--not-worse-than", NAMES[0]],
        "fuse": ["-o", str(tmp_path / "out.parquet")],
        "report": ["-o", str(tmp_path / "out\x1b[2J.html")],
        "slices": ["--by", "site"],
        "fairness": ["--by", "site"],
    }
    path = str(assay.write(p, tmp_path / "p.parquet"))
    with suppress(SystemExit):
        main([verb, path, *options[verb]])
    shown = capsys.readouterr()
    text = shown.out + shown.err
    assert "all is well" in text or verb == "slices"
    assert not [line for line in text.split("\n") if line.startswith("assay: all is well")]
    assert text == escape_controls(text)


def test_a_progress_bar_shows_a_name_as_it_is_spelled(capsys):
    for name in (*NAMES, "half \udcff"):
        with show_progress("fitting", 2, show=True) as update:
            update(1, name)
        assert escape_line(name) in capsys.readouterr().err


def test_text_that_runs_backwards_is_spelled_out():
    assert escape_controls("a\u202eb\nc") == "a\\u202eb\nc"


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise on Windows")
def test_an_interruption_while_the_command_line_is_imported_is_one_line(tmp_path):
    code = (
        "import builtins, sys\n"
        "real = builtins.__import__\n"
        "def interrupt(name, *rest, **more):\n"
        "    if name == 'assay.cli':\n"
        "        raise KeyboardInterrupt\n"
        "    return real(name, *rest, **more)\n"
        "from assay.__main__ import main\n"
        "builtins.__import__ = interrupt\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 130
    assert done.stderr.strip() == b"assay: interrupted"
    assert done.returncode != -signal.SIGINT


def test_the_entry_to_the_command_line_imports_nothing_before_it_awaits_an_interruption():
    code = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "import assay.__main__\n"
        "print(*sorted(set(sys.modules) - before))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["assay", "assay.__main__", "assay.version"]


def test_intervals_widen_as_the_confidence_nears_1():
    p = random_table("binary", 5, n=80).select(["a"])
    widths = [
        [row.high - row.low for row in assay.evaluate(p, ["log_loss", "f1"], confidence=c).rows]
        for c in (0.95, 0.999, 0.99999)
    ]
    assert (np.diff(widths, axis=0) >= -1e-12).all()
