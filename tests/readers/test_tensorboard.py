"""TensorBoard event files: what real writers leave behind, and what becomes of it."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from assay.diagnosis.diagnose import diagnose
from assay.errors import SchemaError
from assay.readers.events import read_scalars
from assay.readers.read_history import find_reader, read_history
from assay.readers.tensorboard import TensorBoard

pytest.importorskip("tensorboard")

LOGS = Path(__file__).parents[1] / "histories"


def only(path):
    (history,) = read_history(path)
    return history


def write_events(folder, curves, purge_step=None):
    """One event file by the writer that torch's SummaryWriter wraps: {tag: {step: value}}."""
    from tensorboard.compat.proto.event_pb2 import Event, SessionLog
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    number = len(list(folder.glob("*"))) if folder.exists() else 0
    writer = EventFileWriter(str(folder), filename_suffix=f".{number}")
    if purge_step is not None:
        start = SessionLog(status=SessionLog.START)
        writer.add_event(Event(step=purge_step, session_log=start))
    for tag, points in curves.items():
        for step, value in points.items():
            summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
            writer.add_event(Event(step=step, summary=summary))
    writer.close()
    (file,) = folder.glob(f"*.{number}")
    # Two files of one second sort by their process and count; the test says the order.
    return file.rename(folder / f"events.out.tfevents.{1700000000 + number}.host.1.{number}")


def test_keras_run_is_one_history_with_the_numbers_of_its_csv_logger():
    history = only(LOGS / "keras_tensorboard")
    logged = only(LOGS / "keras_tensorboard.csv")
    assert (history.name, history.unit) == ("keras_tensorboard", "epoch")
    assert {(s.split, s.metric) for s in history.series} == {
        (s.split, s.metric) for s in logged.series
    }
    for series in logged.series:
        curve = history.find(series.split, series.metric)
        assert curve.epochs == series.epochs
        assert curve.values == pytest.approx(series.values, rel=1e-6)
        assert curve.aggregation == series.aggregation


def test_tensors_of_each_batch_are_no_curve_of_keras():
    metrics = {s.metric for s in only(LOGS / "keras_tensorboard").series}
    assert metrics == {"loss", "accuracy"}


def test_later_file_replaces_the_steps_it_repeats():
    history = only(LOGS / "tensorboard_restart")
    assert history.find("val", "loss").epochs == tuple(range(12))
    assert history.find("train", "loss").values[4:6] == pytest.approx((0.54262, 0.42167), abs=1e-5)
    assert history.restarts == (5,)
    assert "epoch goes back to 5" in history.notes[0]


def test_folder_of_one_split_is_read_as_that_split():
    history = only(LOGS / "tensorboard_restart" / "validation")
    assert history.find("val", "loss").values[0] == pytest.approx(0.92817, abs=1e-5)


def test_run_of_tensorboard_is_diagnosed_by_its_name():
    run = diagnose(LOGS / "tensorboard_restart").runs[0]
    assert (run.name, run.best_epoch, run.loss["metric"]) == ("tensorboard_restart", 11, "loss")


def test_cut_off_record_leaves_those_before_it(tmp_path):
    shutil.copytree(LOGS / "tensorboard_restart" / "train", tmp_path / "run")
    file = max((tmp_path / "run").iterdir())
    file.write_bytes(file.read_bytes()[:-10])
    assert only(tmp_path / "run").find("train", "loss").epochs == tuple(range(11))


def test_scalars_of_a_loop_of_ones_own_are_read_by_step(tmp_path):
    curves = {"loss/train": {10: 0.9, 20: 0.5}, "Loss/val": {20: 0.75}, "acc/val": {20: 0.5}}
    write_events(tmp_path / "run", curves)
    history = only(tmp_path / "run")
    assert (history.unit, history.epochs) == ("step", (10, 20))
    assert history.find("val", "loss").values == (0.75,)
    assert history.find("val", "accuracy").epochs == (20,)


def test_nan_is_kept_as_measured(tmp_path):
    write_events(tmp_path / "run", {"val/loss": {1: 0.5, 2: float("nan")}})
    assert diagnose(tmp_path / "run").runs[0].status == "diverged"


def test_writers_of_different_tags_in_one_folder_do_not_replace_each_other(tmp_path):
    write_events(tmp_path / "run", {"train/loss": {0: 0.5, 1: 0.25}})
    write_events(tmp_path / "run", {"eval/loss": {0: 1.0, 1: 0.75}})
    history = only(tmp_path / "run")
    assert history.find("train", "loss").values == (0.5, 0.25)
    assert history.find("val", "loss").values == (1.0, 0.75)
    assert history.restarts == ()


def test_session_with_a_purge_step_voids_later_steps_of_every_curve(tmp_path):
    write_events(tmp_path / "run", {"loss": {0: 3.0, 1: 2.0, 2: 9.0}, "val_loss": {2: 9.0}})
    write_events(tmp_path / "run", {"loss": {3: 1.0}, "val_loss": {1: 4.0}}, purge_step=2)
    history = only(tmp_path / "run")
    assert history.find("train", "loss").epochs == (0, 1, 3)
    assert history.find("val", "loss").values == (4.0,)


def test_logged_epochs_number_the_rows_and_the_epoch_mean_is_preferred(tmp_path):
    curves = {
        "train_loss_step": {0: 9.0, 1: 8.0, 2: 7.0},
        "train_loss_epoch": {1: 2.0, 3: 1.0},
        "val_loss": {1: 4.0, 3: 3.0},
        "epoch": {0: 0, 1: 0, 2: 1, 3: 1},
    }
    write_events(tmp_path / "run", curves)
    history = only(tmp_path / "run")
    assert (history.unit, history.epochs) == ("epoch", (0, 1))
    assert history.find("train", "loss").values == (2.0, 1.0)
    assert history.find("val", "loss").values == (4.0, 3.0)


def test_epochs_logged_at_some_steps_only_do_not_number_the_rows(tmp_path):
    curves = {"train/loss": {1: 0.5, 2: 0.25}, "val/loss": {2: 0.75}, "epoch": {2: 0}}
    write_events(tmp_path / "run", curves)
    history = only(tmp_path / "run")
    assert (history.unit, history.epochs) == ("step", (1, 2))


def test_folder_without_a_loss_says_which_tags_it_holds(tmp_path):
    write_events(tmp_path / "run", {"speed": {1: 0.5}})
    with pytest.raises(SchemaError, match="found curves 'speed'"):
        read_history(tmp_path / "run")


def test_points_without_steps_are_counted(tmp_path):
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter(str(tmp_path))
    for value in (0.5, 0.25):
        summary = Summary(value=[Summary.Value(tag="val_loss", simple_value=value)])
        writer.add_event(Event(summary=summary))
    writer.close()
    assert only(tmp_path).find("val", "loss").epochs == (1, 2)


def test_folders_of_add_scalars_belong_to_the_run(tmp_path):
    write_events(tmp_path / "run", {"lr": {0: 0.1}})
    write_events(tmp_path / "run" / "loss_train", {"loss": {0: 0.5}})
    write_events(tmp_path / "run" / "loss_val", {"loss": {0: 0.75}})
    history = only(tmp_path / "run")
    assert history.find("train", "loss").values == (0.5,)
    assert history.find("val", "loss").values == (0.75,)


def test_runs_below_a_run_are_runs_of_their_own_but_not_its_hyperparameters(tmp_path):
    write_events(tmp_path, {"val_loss": {0: 0.5}})
    write_events(tmp_path / "second", {"val_loss": {0: 0.25}})
    write_events(tmp_path / "1700000000.25", {"hparam/accuracy": {0: 0.25}})
    places = list(TensorBoard().places(tmp_path))
    assert places == [tmp_path, tmp_path / "second"]


def test_file_that_only_mentions_event_files_is_none(tmp_path):
    (tmp_path / "read_tfevents.py").write_text("pass\n")
    assert find_reader(tmp_path) is None


def test_event_file_without_scalars_says_what_was_expected(tmp_path):
    write_events(tmp_path / "run", {})
    with pytest.raises(SchemaError, match="hold no scalars; expected a loss"):
        read_history(tmp_path / "run")


def test_event_files_are_read_without_the_package_tensorboard(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    assert len(only(LOGS / "tensorboard_restart").epochs) == 12


def read_with_the_package(file):
    """The scalars of an event file by the loader of TensorBoard itself."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
    from tensorboard.util.tensor_util import make_ndarray

    curves = {}
    for event in EventFileLoader(str(file)).Load():
        for value in event.summary.value:
            if value.metadata.plugin_data.plugin_name == "scalars":
                number = float(make_ndarray(value.tensor).item())
                curves.setdefault(value.tag, []).append((event.step, number))
    return curves


@pytest.mark.parametrize("file", sorted(LOGS.rglob("events.out.tfevents.*")), ids=str)
def test_scalars_are_those_that_tensorboard_reads(file):
    expected = read_with_the_package(file)
    curves = read_scalars([file])
    assert set(curves) == set(expected)
    for tag, points in curves.items():
        steps, values = zip(*expected[tag], strict=True)
        assert points.steps.tolist() == list(steps)
        assert np.array_equal(points.values, values, equal_nan=True)


def test_many_records_of_several_kinds_keep_their_order(tmp_path):
    curves = {"a": dict.fromkeys(range(0, 900, 3), 0.5), "loss": {}, "bb": {0: 1.0, 200: 2.0}}
    curves["loss"] = {step: step / 2 for step in range(700)}
    file = write_events(tmp_path, curves)
    points = read_scalars([file])["loss"]
    assert points.steps.tolist() == list(range(700))
    assert points.values.tolist() == [step / 2 for step in range(700)]


def test_last_point_that_repeats_an_earlier_step_was_measured_after_training(tmp_path):
    write_events(tmp_path, {"val/loss": {1: 0.5, 2: 0.25, 3: 0.75}})
    write_events(tmp_path, {"val/loss": {3: 0.25}})
    history = only(tmp_path)
    assert history.find("val", "loss").values == (0.5, 0.25, 0.75)
    assert history.restarts == ()
    assert "measured again after training" in history.notes[0]
