"""Rows that can be read only once: a named pipe, the standard input."""

import io
import json
import os
import subprocess
import sys
import threading

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from assay.errors import ReadError
from assay.io.pipes import copy_pipe

TEXT = "y,m.label\n1,1\n0,0\n1,0\n"


def run(*arguments, given=None):
    """The command line in a process of its own."""
    command = [sys.executable, "-m", "assay", *arguments]
    return subprocess.run(command, input=given, capture_output=True, timeout=120, check=False)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no named pipes in folders")
def test_a_named_pipe_is_read_as_the_file_that_goes_through_it(tmp_path):
    pipe = tmp_path / "p.csv"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(TEXT,), daemon=True)
    writer.start()
    copy = copy_pipe(str(pipe), tmp_path / "..")
    writer.join()
    try:
        with open(copy) as file:
            assert file.read() == TEXT
    finally:
        os.unlink(copy)


def test_the_standard_input_is_read_as_text_or_by_how_it_begins():
    binary = io.BytesIO()
    parquet.write_table(pa.table({"y": [1, 0, 1], "m.label": [1, 0, 0]}), binary)
    for given in (TEXT.encode(), binary.getvalue()):
        done = run("evaluate", "-", "-m", "accuracy", "--json", "-", given=given)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["rows"][0]["value"] == pytest.approx(2 / 3)


def test_an_empty_standard_input_is_one_clear_error(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))
    with pytest.raises(ReadError, match="-: nothing came"):
        copy_pipe("-", tmp_path)
