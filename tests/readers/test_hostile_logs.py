"""Files that are damaged, hostile or no log: one line that says so, and nothing else."""

import contextlib
import importlib.util
import json
import os
import pickle
import sqlite3
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from assay.cli import main
from assay.errors import AssayError, ReadError
from assay.readers.read_history import read_history

HISTORIES = Path(__file__).parents[1] / "histories"


def load_fuzz():
    spec = importlib.util.spec_from_file_location(
        "fuzz_logs", Path(__file__).with_name("fuzz_logs.py")
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_damaged_logs_are_read_or_refused_in_one_line():
    fuzz = load_fuzz()
    assert [fault for fault in map(fuzz.check, range(60)) if fault] == []


@pytest.mark.slow
def test_many_damaged_logs_are_read_or_refused_in_one_line():
    fuzz = load_fuzz()
    assert [fault for fault in map(fuzz.check, range(60, 1500)) if fault] == []


def test_damaged_stores_are_read_or_refused(tmp_path):
    import random
    import shutil

    fuzz = load_fuzz()
    for seed in range(60):
        rng = random.Random(seed)
        path = tmp_path / f"{seed}.db"
        store = rng.choice(["mlflow.db", "optuna.db", "trackio.db"])
        shutil.copy(HISTORIES / "loggers" / store, path)
        fuzz.damage_store(path, rng)
        with contextlib.suppress(AssayError):
            read_history(path)


class Harmful:
    """A pickle of it would create a file if it were executed."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("suffix", [".pkl", "", ".npy", ".json"])
def test_pickle_is_never_executed(tmp_path, protocol, suffix):
    made = tmp_path / "made"
    path = tmp_path / f"history{suffix}"
    path.write_bytes(pickle.dumps({"loss": [0.5, Harmful(made)]}, protocol=protocol))
    with pytest.raises(ReadError, match="calls for"):
        read_history(path)
    assert not made.exists()


def test_array_of_objects_is_never_executed(tmp_path):
    made = tmp_path / "made"
    np.save(tmp_path / "history.npy", {"loss": [0.5, Harmful(made)]}, allow_pickle=True)
    made.unlink(missing_ok=True)
    with pytest.raises(ReadError, match="calls for"):
        read_history(tmp_path / "history.npy")
    assert not made.exists()


@pytest.mark.parametrize("protocol", range(6))
def test_pickled_history_of_every_protocol_is_read(tmp_path, protocol):
    log = {"loss": [np.float32(0.5), np.float64(0.25)], "val_loss": np.array([1.0, np.nan])}
    (tmp_path / "history").write_bytes(pickle.dumps(log, protocol=protocol))
    (history,) = read_history(tmp_path / "history")
    assert history.find("train", "loss").values == (0.5, 0.25)
    assert np.isnan(history.find("val", "loss").values[1])


def test_pickle_that_holds_itself_is_refused(tmp_path):
    value = {}
    value["loss"] = value
    (tmp_path / "loop.pkl").write_bytes(pickle.dumps(value))
    with pytest.raises(ReadError, match="too deeply"):
        read_history(tmp_path / "loop.pkl")


def test_pickle_of_few_bytes_that_stands_for_many_values_is_refused(tmp_path):
    value = [1.0] * 1000
    for _ in range(6):
        value = [value] * 1000
    (tmp_path / "many.pkl").write_bytes(pickle.dumps(value))
    with pytest.raises(ReadError, match="many times"):
        read_history(tmp_path / "many.pkl")


MALFORMED = {
    "trainer_state.json": {"log_history": [{"loss": "x", "epoch": 1}, {"eval_loss": 1}]},
    "agent.json": {"timesteps": 3, "results": [[1]]},
    "catboost_training.json": {"meta": {"learn_metrics": 3}, "iterations": [1]},
    "keras.json": {"epoch": 3, "history": {"loss": [1, 2]}},
}


@pytest.mark.parametrize("name", MALFORMED)
def test_log_with_the_keys_of_a_format_but_other_values_is_refused(tmp_path, name):
    path = tmp_path / name
    path.write_text(json.dumps(MALFORMED[name]))
    with pytest.raises(AssayError, match=name):
        read_history(path)


def hostile_files():
    """Contents of files that are no log, by name."""
    huge = struct.pack("<Q", 2**60) + bytes(64)
    return {
        "empty.csv": b"",
        "cut.json": b'{"val_loss": [0.5, 0.4',
        "binary.csv": bytes(range(256)) * 8,
        "deep.json": b"[" * 100_000,
        "deep.pkl": b"\x80\x04" + b"]" * 100_000 + b".",
        "cut.pkl": pickle.dumps({"loss": [0.5] * 100})[:-20],
        "long.pkl": b"\x80\x04\x8b\xff\xff\xff\x7f.",
        "events.out.tfevents.1700000000.host": huge,
        "zeros.tfevents.1": bytes(4096),
        "run-1.wandb": b":W&B\xe1\xbe\x00" + bytes(range(256)) * 4,
        "store.db": b"SQLite format 3\x00" + bytes(4096),
        "archive.npz": b"PK\x03\x04" + bytes(64),
        "array.npy": b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'shape': (99999999999,)}",
        "lines.jsonl": b'{"val_loss": 0.5}\n{"val_lo',
        "numbers.txt": b"1 2 3\n" * 100,
    }


@pytest.mark.parametrize("name", hostile_files())
def test_command_says_in_one_line_that_a_file_is_no_log(tmp_path, capsys, name):
    path = tmp_path / name
    path.write_bytes(hostile_files()[name])
    with pytest.raises(SystemExit) as ended:
        sys.exit(main(["diagnose", str(path)]))
    captured = capsys.readouterr()
    assert ended.value.code == 2
    assert captured.out == ""
    assert len(captured.err.strip().splitlines()) == 1
    assert name in captured.err


def test_folder_of_hostile_files_beside_a_log_leaves_the_log(tmp_path):
    for folder in ("bad", "good"):
        (tmp_path / folder).mkdir()
    for name, content in hostile_files().items():
        (tmp_path / "bad" / name).write_bytes(content)
    (tmp_path / "good" / "log.csv").write_text("epoch,loss,val_loss\n1,3,3\n2,2,2\n")
    os.mkfifo(tmp_path / "pipe.json")
    assert [history.name for history in read_history(tmp_path)] == ["good/log"]


def test_view_in_a_store_is_not_queried(tmp_path):
    path = tmp_path / "store.db"
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT"
    with sqlite3.connect(path) as store:
        store.execute(
            f"CREATE VIEW metrics AS {endless} i AS run_name, i AS step, i AS metrics FROM n"
        )
    store.close()
    with pytest.raises(AssayError):
        read_history(path)
