"""Predictions of tracked runs by their address, where the tracker itself is not needed."""

import sys

import pytest

import assay
from assay.errors import MissingDependencyError


def test_without_mlflow_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    monkeypatch.setitem(sys.modules, "mlflow.artifacts", None)
    for read in (assay.evaluate, assay.diagnose, assay.read, assay.scan):
        with pytest.raises(MissingDependencyError, match=r"pip install 'assay\[mlflow\]'"):
            read("mlflow:0a1b2c")


def test_a_file_of_such_a_name_is_read_as_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mlflow:a.csv").write_text("y,m\n1,1\n0,1\n")
    assert assay.evaluate("mlflow:a.csv", "accuracy").value == 0.5


def test_the_folder_of_an_offline_run_holds_its_predictions(tmp_path):
    p = assay.Predictions.from_arrays([0, 1, 1], {"m": [0, 1, 0]})
    files = tmp_path / "offline-run-1" / "files" / "assay"
    files.mkdir(parents=True)
    assay.write(p, files / "predictions.parquet")
    assert assay.read(tmp_path / "offline-run-1") == p
