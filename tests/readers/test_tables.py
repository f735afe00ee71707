"""Exported tables: of trackers, of pandas, of the page of TensorBoard; and tables of millions."""

import json
import sys

import numpy as np
import pandas as pd
import pytest

from assay.errors import ReadError, SchemaError
from assay.readers.read_history import read_history
from assay.testing import check_reader


def write(folder, text, name="log.csv"):
    path = folder / name
    path.write_text(text)
    return path


def only(path):
    (history,) = read_history(path)
    return history


def list_losses(history):
    return [history.find(split, "loss").values for split in ("train", "val")]


@pytest.mark.parametrize(
    "header, rows",
    [
        ("metric,step,value", ["train_loss,1,3", "val_loss,1,4", "train_loss,2,2", "val_loss,2,5"]),
        (
            "key,value,timestamp,step",
            ["loss,3,9,1", "val_loss,4,9,1", "loss,2,9,2", "val_loss,5,9,2"],
        ),
        (
            "metric.name,metric.context,step,value",
            ["loss,train,1,3", "loss,val,1,4", "loss,train,2,2", "loss,val,2,5"],
        ),
        ("tag,epoch,value", ["loss/train,1,3", "loss/val,1,4", "loss/train,2,2", "loss/val,2,5"]),
    ],
)
def test_table_with_a_value_a_row_is_read(tmp_path, header, rows):
    path = write(tmp_path, "\n".join([header, *rows, ""]))
    history = only(path)
    assert (history.format, list_losses(history)) == ("long_table", [(3, 2), (4, 5)])
    check_reader("long_table", path)


def test_runs_of_a_long_table_are_histories(tmp_path):
    rows = "run_id,metric,step,value\na,val_loss,1,4\nb,val_loss,1,5\na,val_loss,2,3\nc,cpu,1,9\n"
    runs = read_history(write(tmp_path, rows))
    assert [run.name for run in runs] == ["log/a", "log/b"]


def test_long_table_without_a_curve_is_refused(tmp_path):
    rows = "run_id,metric,step,value\na,cpu,1,4\nb,cpu,1,5\n"
    with pytest.raises(SchemaError, match="in the column 'metric'"):
        read_history(write(tmp_path, rows))


def test_curve_saved_from_the_page_of_tensorboard_is_named_by_its_file(tmp_path):
    text = "Wall time,Step,Value\n1.5,0,3\n2.5,1,2\n"
    path = write(tmp_path, text, "run-validation-tag-epoch_loss.csv")
    history = only(path)
    assert history.find("val", "loss").values == (3, 2)
    check_reader("tensorboard_csv", path)


def test_charts_of_weights_and_biases_are_a_run_each(tmp_path):
    text = '"Step","red - val/loss","red - val/loss__MIN","blue - val/loss"\n0,3,3,4\n1,2,2,3\n'
    assert [run.name for run in read_history(write(tmp_path, text))] == ["log/red", "log/blue"]


def test_history_that_weights_and_biases_exports_is_read_by_epoch(tmp_path):
    text = ",epoch,train/loss,val/loss,_timestamp,_runtime,_step\n0,0,3,4,1,2,7\n1,1,2,5,1,2,9\n"
    history = only(write(tmp_path, text))
    assert (history.unit, list_losses(history)) == ("epoch", [(3, 2), (4, 5)])
    assert history.steps == ((0, 7), (1, 9))


@pytest.mark.parametrize("orient", ["columns", "records", "index", "split", "table", "lines"])
def test_frame_that_pandas_wrote_as_json_is_read(tmp_path, orient):
    frame = pd.DataFrame({"epoch": [1, 2], "train_loss": [3.0, 2.0], "val_loss": [4.0, 5.0]})
    how = {"orient": "records", "lines": True} if orient == "lines" else {"orient": orient}
    history = only(write(tmp_path, frame.to_json(**how), "log.json"))
    assert (list_losses(history), history.epochs) == ([(3, 2), (4, 5)], (1, 2))


def write_lines(path, rows, bad=None):
    with path.open("w") as file:
        for i in range(rows):
            row = {"step": i, "train": {"loss": 1 + 1 / (i + 1)}}
            if i % 2:
                row["val_loss"] = i
            file.write("{oops\n" if i == bad else json.dumps(row) + "\n")
    return path


def test_large_json_lines_are_read_as_small_ones(tmp_path):
    path = write_lines(tmp_path / "log.jsonl", 30_000)
    assert path.stat().st_size > 1 << 20
    history = only(path)
    train, val = history.find("train", "loss"), history.find("val", "loss")
    assert train.values[0] == pytest.approx(np.mean([2, 1.5, 4 / 3]))
    assert (train.epochs[0], val.epochs[:2]) == (2, (3, 7))
    assert history.unit == "step"


def test_nan_in_large_json_lines_was_measured(tmp_path):
    path = tmp_path / "log.jsonl"
    lines = [f'{{"step": {i}, "val_loss": NaN, "note": "a long line"}}' for i in range(30_000)]
    path.write_text("\n".join(lines))
    assert np.isnan(only(path).find("val", "loss").values).all()


def test_damaged_line_among_many_is_refused(tmp_path):
    with pytest.raises(ReadError, match="a line is not JSON"):
        read_history(write_lines(tmp_path / "log.jsonl", 30_000, bad=20_000))


@pytest.mark.slow
def test_log_of_ten_million_rows_takes_less_than_a_gigabyte(tmp_path):
    import subprocess

    path = tmp_path / "log.csv"
    block = "".join(f"{{}}{i:05d},0.{i:05d},{'' if i % 1000 else '0.5'}\n" for i in range(100_000))
    with path.open("w") as file:
        file.write("step,train_loss,val_loss\n")
        for part in range(100):
            file.write(block.replace("{}", str(part + 1)))
    code = (
        "import resource; from assay import read_history; "
        f"(run,) = read_history({str(path)!r}); "
        "print(len(run.find('train', 'loss').values), len(run.find('val', 'loss').values)); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    sizes, memory = output.stdout.splitlines()
    assert sizes == "10000 10000"
    kilobytes = int(memory) if sys.platform == "linux" else int(memory) // 1024
    assert kilobytes < 1_000_000
