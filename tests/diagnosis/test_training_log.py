"""The log of a run that is under way: what is on disk, what is said, and when it says stop."""

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import assay
from assay.errors import ReadError, SchemaError
from assay.readers.read_history import read_history

LOGS = Path(__file__).parents[1] / "histories"

# Validation loss falls to 0.55 at epoch 4 and then rises for good.
OVERFIT = [0.9, 0.7, 0.6, 0.55, 0.6, 0.67, 0.75, 0.84, 0.9, 1.0]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.jsonl"


def write(log, losses, start=1):
    """One epoch after the other, until the log says stop; the number of the last."""
    for epoch, loss in enumerate(losses, start=start):
        log.add(epoch, train_loss=1 / epoch, val_loss=loss)
        if log.stop:
            break
    return epoch


def quiet(path, **options):
    return assay.TrainingLog(path, progress=False, **options)


def test_what_is_logged_is_what_is_read_back(path):
    log = quiet(path, n_val=500, n_classes=3)
    log.add(1, train_loss=1.0, val_loss=1.1, val_accuracy=0.5)
    log.add(2, train_loss=0.8, val_loss=float("nan"), val_accuracy=None)
    log.add(3, train_loss=float("inf"), val_loss=0.7, val_accuracy=0.6)
    (history,) = read_history(path)
    assert history.find("train", "loss").values == (1.0, 0.8, math.inf)
    assert math.isnan(history.find("val", "loss").values[1])
    assert history.find("val", "accuracy").epochs == (1, 3)
    assert (history.name, history.n_val, history.n_classes) == ("run", 500, 3)
    assert history.series[0].epochs == log.history.series[0].epochs


def test_every_line_is_strict_json(path):
    quiet(path).add(1, val_loss=float("nan"), train_loss=float("-inf"))

    def refuse(constant):
        raise AssertionError(constant)

    rows = [json.loads(line, parse_constant=refuse) for line in path.read_text().splitlines()]
    assert rows[1] == {"epoch": 1, "val_loss": "nan", "train_loss": "-inf"}


def test_a_run_that_is_killed_loses_the_epoch_under_way_alone(path):
    loop = (
        "import os, signal, sys, assay\n"
        "log = assay.TrainingLog(sys.argv[1], progress=False)\n"
        "for epoch in range(1, 100):\n"
        "    if epoch == 8: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    log.add(epoch, val_loss=1 / epoch)\n"
    )
    ended = subprocess.run([sys.executable, "-c", loop, str(path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    (history,) = read_history(path)
    assert history.epochs == (1, 2, 3, 4, 5, 6, 7)


def test_a_line_that_was_cut_off_is_left_out_with_a_note_and_the_next_one_is_whole(path):
    write(quiet(path), OVERFIT[:3])
    with path.open("ab") as file:
        file.write(b'{"epoch": 4, "train_lo')
    write(quiet(path, resume=True), OVERFIT[3:6], start=4)
    (history,) = read_history(path)
    assert history.find("val", "loss").values == tuple(OVERFIT[:6])
    assert history.notes == ("line 5 was cut off and is left out",)


def test_a_resumed_run_goes_on_with_what_the_file_holds(path):
    write(quiet(path, n_val=400), OVERFIT[:5])
    log = quiet(path, resume=True, stop_when="overfit")
    last = write(log, OVERFIT[5:], start=6)
    assert last == write(quiet(path.with_name("whole.jsonl"), stop_when="overfit"), OVERFIT)
    (history,) = read_history(path)
    assert (len(history.epochs), history.n_val) == (last, 400)


def test_epochs_that_a_resumed_run_repeats_replace_the_old_ones(path):
    write(quiet(path), [0.9, 0.7, 0.6, 0.5])
    write(quiet(path, resume=True), [0.65, 0.64], start=3)
    (history,) = read_history(path)
    assert history.find("val", "loss").values == (0.9, 0.7, 0.65, 0.64)
    assert history.restarts == (3,)


def test_a_new_run_replaces_no_log_that_is_there(path):
    write(quiet(path), OVERFIT[:4])
    write(quiet(path), OVERFIT[:6])
    assert [len(run.epochs) for run in read_history(path)] == [4, 6]


def test_resuming_a_file_that_is_no_log_is_refused(path):
    path.write_text("epoch,loss\n1,0.5\n")
    with pytest.raises(SchemaError, match="no log of assay to go on with; name another file"):
        quiet(path, resume=True)
    assert path.read_text() == "epoch,loss\n1,0.5\n"


def test_a_folder_and_a_place_that_cannot_be_made_are_refused_before_the_training(tmp_path):
    with pytest.raises(ReadError, match=r"cannot be written .it is a folder.; name another"):
        quiet(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(ReadError, match="cannot be written"):
        quiet(tmp_path / "file" / "run.jsonl")


def test_a_log_without_an_epoch_leaves_no_file_and_a_header_alone_is_no_run(path):
    quiet(path)
    assert not path.exists()
    quiet(path).add(1, val_loss=1.0)
    header = path.read_text().splitlines()[0]
    path.write_text(f"{header}\n")
    with pytest.raises(ReadError, match="no epoch yet"):
        read_history(path)


@pytest.mark.slow
def test_a_tensor_of_one_number_is_logged_and_one_of_two_refused(path):
    torch = pytest.importorskip("torch")
    log = quiet(path)
    log.add(1, val_loss=torch.tensor(0.5, requires_grad=True))
    assert log.history.find("val", "loss").values == (0.5,)
    with pytest.raises(SchemaError, match="expected one number"):
        log.add(2, val_loss=torch.zeros(2))


def test_numpy_numbers_are_logged_and_what_is_no_single_number_is_refused(path):
    log = quiet(path)
    log.add(1, val_loss=np.array(0.5), val_accuracy=np.float32(0.25))
    assert log.history.find("val", "loss").values == (0.5,)
    for value in (np.zeros(2), [0.5], "good"):
        with pytest.raises(SchemaError, match=r"val_loss of epoch 2 is .*; expected one number"):
            log.add(2, val_loss=value)
    assert log.history.epochs == (1,)


def test_names_that_no_curve_has_are_kept_and_said_not_to_be_judged(path, capsys):
    log = assay.TrainingLog(path)
    for epoch in (1, 2):
        log.add(epoch, eval_note=3.0)
    assert capsys.readouterr().err == ""
    assert json.loads(path.read_text().splitlines()[1])["eval_note"] == 3.0


def test_the_verdict_is_printed_when_it_changes_and_once(path, capsys):
    log = assay.TrainingLog(path, name="net")
    write(log, [1 / (1 + 0.3 * epoch) for epoch in range(12)])
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("net, epoch ")
    assert "still improving - validation loss still falls" in line
    write(log, [0.24 + 0.03 * epoch for epoch in range(8)], start=13)
    later = capsys.readouterr().err.splitlines()
    assert "overfit - " in later[-1]
    assert len(later) == len(set(later)) <= 3


def test_progress_false_prints_nothing(path, capsys):
    write(quiet(path), OVERFIT)
    assert capsys.readouterr().err == ""


def test_an_overfit_stops_a_few_epochs_after_it_begins_and_only_where_asked(path):
    assert write(quiet(path, stop_when="overfit"), OVERFIT) in (8, 9)
    assert write(quiet(path), OVERFIT) == 10
    assert write(quiet(path, stop_when="diverged"), OVERFIT) == 10


def replay(path, log):
    """The epoch at which a real run would have been ended, had it been asked to; or None."""
    (history,) = read_history(LOGS / path)
    for epoch in history.epochs:
        values = {
            f"{s.split}_{s.metric}": s.values[s.epochs.index(epoch)]
            for s in history.series
            if epoch in s.epochs
        }
        log.add(epoch, **values)
        if log.stop:
            return epoch
    return None


@pytest.mark.parametrize(
    "file, earliest, latest",
    [
        ("keras_csvlogger_fashion_mlp_30ep_overfit.csv", 14, 17),
        ("lightgbm_record_evaluation.json", 25, 33),
        ("torch_loop_label_noise.json", 12, 35),  # its losses wander as they rise
    ],
)
def test_a_real_run_that_overfits_is_ended_soon_after(path, file, earliest, latest):
    assert earliest <= replay(file, quiet(path, stop_when="overfit")) <= latest


@pytest.mark.parametrize(
    "file",
    [
        "keras_csvlogger_fashion_mlp_10ep.csv",
        "torch_loop_mlp_adam_10ep.json",
        "torch_loop_good_fit_dropout.json",
        "torch_loop_val_easier_dropout.json",
        "torch_loop_underfit_lowlr.json",
        "catboost_get_evals_result.json",
        "hf_trainer_state.json",
    ],
)
def test_a_real_run_that_fits_or_still_improves_is_not_ended(path, file):
    assert replay(file, quiet(path, stop_when="overfit")) is None


def test_a_loss_that_stays_nan_stops_and_one_that_comes_back_does_not(path):
    nan = math.nan
    lost = [0.9, 0.7, nan, nan, nan, nan, nan]
    assert write(quiet(path, stop_when="diverged"), lost) == 5
    back = [0.9, 0.7, nan, 0.65, 0.6, 0.55, 0.5]
    assert write(quiet(path, stop_when=["overfit", "diverged"]), back) == 7


def test_a_metric_that_still_gains_keeps_a_run_going_whose_loss_rises(path):
    log = quiet(path, stop_when="overfit")
    for epoch, loss in enumerate(OVERFIT, start=1):
        log.add(epoch, train_loss=1 / epoch, val_loss=loss, val_accuracy=0.5 + 0.04 * epoch)
    assert not log.stop


def test_the_metric_that_is_asked_for_decides_when_to_stop(path):
    falling = [0.6, 0.7, 0.75, 0.78, 0.74, 0.7, 0.66, 0.6, 0.55, 0.5]
    log = quiet(path, stop_when="overfit", metric="accuracy")
    for epoch, accuracy in enumerate(falling, start=1):
        log.add(epoch, train_loss=1 / epoch, val_loss=1 / epoch, val_accuracy=accuracy)
        if log.stop:
            break
    assert (log.stop, log.diagnosis.best_epoch) == (True, 4)


def test_the_direction_of_a_metric_of_ones_own_is_kept_in_the_log(path):
    log = quiet(path, metric="foo:higher")
    for epoch, foo in enumerate([1.0, 3.0, 2.0], start=1):
        log.add(epoch, val_loss=1 / epoch, val_foo=foo)
    (run,) = assay.diagnose(path).runs
    assert run.best_epoch == 2


def test_steps_may_number_the_rows_and_training_be_logged_more_often(path):
    log = quiet(path, unit="step")
    for step in range(100, 1001, 100):
        log.add(step=step, train_loss=100 / step)
        if step % 500 == 0:
            log.add(step, val_loss=200 / step)
    (history,) = read_history(path)
    assert history.unit == "step"
    assert history.find("train", "loss").epochs == tuple(range(100, 1001, 100))
    assert history.find("val", "loss").epochs == (500, 1000)


def test_a_row_may_name_its_step_beside_its_epoch(path):
    log = quiet(path)
    for epoch, loss in enumerate([0.9, 0.7, 0.8], start=1):
        log.add(epoch, val_loss=loss, step=125 * epoch)
    (history,) = read_history(path)
    assert history.find_step(2) == 250
    assert history.loss == "loss"


@pytest.mark.parametrize(
    "options, said",
    [
        ({"stop_when": "overfitting"}, "stop_when must be 'overfit' or 'diverged'"),
        ({"n_val": 0}, "n_val must be a whole number of at least 1; got 0"),
        ({"metric": "foo:up"}, "got the direction 'up'"),
    ],
)
def test_options_that_mean_nothing_are_refused_before_the_training(path, options, said):
    with pytest.raises(SchemaError, match=said):
        quiet(path, **options)


def test_what_goes_wrong_in_judging_is_said_and_ends_no_training(path, capsys, monkeypatch):
    def fail(history):
        raise ZeroDivisionError("no run can be judged")

    monkeypatch.setattr("assay.diagnosis.training_log.diagnose", fail)
    log = assay.TrainingLog(path)
    write(log, OVERFIT[:4])
    assert capsys.readouterr().err == "run, not judged: no run can be judged\n"


def test_the_log_of_a_keras_training_names_its_best_epoch_from_one():
    (run,) = assay.diagnose(LOGS / "training_log_keras.jsonl").runs
    assert run.status in ("overfit", "memorising")
    assert run.best_epoch == 4
    assert run.history.find("train", "loss").aggregation == "running_mean"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_place_without_permission_is_refused_before_the_training(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ReadError, match="no permission"):
        quiet(tmp_path / "run.jsonl")
