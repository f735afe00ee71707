"""`assay report` sorts its files into tables and training logs by asking the readers."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from assay.cli import main
from assay.readers.base import READERS, Reader
from assay.readers.history import History

HISTORIES = Path(__file__).parents[1] / "histories"


@pytest.fixture
def table(tmp_path):
    """Predictions whose columns would pass for curves: a step, and a score."""
    path = tmp_path / "predictions.csv"
    path.write_text("y,m.label,n.label,step,m.score\n" + "a,a,b,1,0.5\nb,b,b,2,0.5\n" * 4)
    return path


def report(capsys, tmp_path, *files):
    """Exit status, models and runs of the report on `files`, and what was said of an error."""
    output = tmp_path / "report.html"
    try:
        main(["report", *map(str, files), "-o", str(output), "--json", "-"])
    except SystemExit as stopped:
        return stopped.code, [], [], capsys.readouterr().err
    out, err = capsys.readouterr()
    document = json.loads(out)
    models = sorted({row["model"] for row in document["evaluation"]["rows"]} - {"baseline"})
    runs = [run["name"] for run in (document["diagnosis"] or {"runs": []})["runs"]]
    return 0, models, runs, err


def test_table_with_a_step_column_is_no_log(capsys, tmp_path, table):
    assert report(capsys, tmp_path, table)[:3] == (0, ["m", "n"], [])


def test_log_is_known_whatever_its_suffix(capsys, tmp_path, table):
    log = tmp_path / "training.log"
    shutil.copy(HISTORIES / "keras_csvlogger_fashion_mlp_10ep.csv", log)
    assert report(capsys, tmp_path, log, table)[:3] == (0, ["m", "n"], ["training"])


def test_folder_of_runs_is_taken_for_logs(capsys, tmp_path, table):
    run = tmp_path / "runs" / "first"
    run.mkdir(parents=True)
    shutil.copy(HISTORIES / "keras_csvlogger_fashion_mlp_10ep.csv", run / "log.csv")
    assert report(capsys, tmp_path, table, tmp_path / "runs")[:3] == (0, ["m", "n"], ["first/log"])


def test_folder_of_tables_is_taken_for_tables(capsys, tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    (folder / "one.csv").write_text("y,m.label,m.score\n" + "a,a,0.5\nb,b,0.5\n" * 4)
    assert report(capsys, tmp_path, folder)[:3] == (0, ["m"], [])


def test_plug_in_says_what_a_log_is(capsys, tmp_path, table):
    log = tmp_path / "run.arrow"
    log.write_bytes(b"\x89LOG")
    with READERS.isolate():

        @dataclass(frozen=True)
        class Packed(Reader):
            name = "packed"

            def matches(self, place):
                return place.is_file() and place.read_bytes() == b"\x89LOG"

            def read(self, place):
                return [History.from_lists(val_loss=[3, 2, 1], name="packed")]

        assert report(capsys, tmp_path, table, log)[:3] == (0, ["m", "n"], ["packed"])


def test_log_that_was_cut_off_is_refused_as_a_log(capsys, tmp_path, table):
    log = tmp_path / "log.json"
    log.write_text('[{"val_loss": 0.5}, {"val_lo')
    status, _, _, message = report(capsys, tmp_path, table, log)
    assert status == 2
    assert "is not complete JSON" in message
