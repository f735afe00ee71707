"""Kinds of curves that a judge must not get wrong, and laws that hold for all of them."""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from assay.diagnosis.diagnose import diagnose
from assay.errors import SchemaError
from assay.readers.history import History
from assay.readers.read_history import read_history

LOGS = Path(__file__).parents[1] / "histories"


def judge(train, val, about=None, **metrics):
    history = History.from_lists(train_loss=train, val_loss=val, **metrics)
    return diagnose(history, **(about or {})).runs[0]


RISING = [90.0, 3.0, 0.8, 0.41, 0.3, 0.31, 0.34, 0.38, 0.43, 0.49]
FALLING = [95.0, 3.2, 0.8, 0.38, 0.25, 0.17, 0.12, 0.08, 0.05, 0.03]


def test_huge_first_epoch_does_not_hide_a_rise():
    run = judge(FALLING, RISING)
    assert (run.status, run.best_epoch) == ("overfit", 5)
    assert run.good_range[0] >= 5


def test_number_of_classes_does_not_turn_a_rise_into_a_good_fit():
    val = [0.12, 0.08, 0.066, 0.07, 0.074, 0.079, 0.085, 0.086]
    train = [0.2, 0.08, 0.05, 0.035, 0.025, 0.018, 0.012, 0.009]
    for about in ({}, {"n_classes": 10}, {"n_classes": 10, "n_val": 10_000}):
        assert judge(train, val, about).status == "overfit"


def test_perplexity_is_judged_in_nats_and_shown_as_logged():
    val = [700, 260, 160, 120, 100, 95, 92, 91, 93, 95, 97, 99]
    train = [800, 230, 140, 100, 80, 70, 62, 56, 50, 46, 42, 39]
    history = History.from_columns({"train_ppl": train, "val_ppl": val})
    run = diagnose(history).runs[0]
    assert (run.status, run.loss["best"]) == ("overfit", pytest.approx(91))
    assert "in nats" in repr(run)


def test_three_evaluations_decide_where_the_rise_is_far_beyond_noise():
    run = judge([0.5, 0.3, 0.15], [0.4, 0.41, 0.6])
    assert (run.status, run.best_epoch) == ("overfit", 1)
    assert "from 0.4 at epoch 1 to 0.6 at the end (+50 %)" in run.summary


def test_four_falls_in_a_row_are_still_improving():
    assert judge([3.0, 2.8, 2.6, 2.5], [3.1, 2.9, 2.8, 2.7]).status == "still_improving"


def test_few_evaluations_without_a_clear_change_ask_for_more_of_them():
    run = judge([0.5, 0.3, 0.2], [0.4, 0.38, 0.39])
    assert run.status == "inconclusive"
    assert "evaluate more often" in run.remedies[0]


def test_losses_of_batches_are_averaged_between_evaluations():
    random = np.random.default_rng(5)
    train = 1.1 - 0.05 * np.linspace(0, 1, 100) + random.normal(0, 0.15, 100)
    val = [None if i % 10 < 9 else 1.08 - 0.0002 * i for i in range(100)]
    run = judge(list(train), val)
    assert run.status not in ("collapsed", "underfit", "unstable")


def test_metric_without_a_validation_loss_is_judged_by_itself():
    accuracy = [0.5, 0.6, 0.7, 0.74, 0.76, 0.75, 0.73, 0.72, 0.7, 0.69]
    run = judge([2.0, 1.5, 1.1, 0.8, 0.6, 0.4, 0.3, 0.2, 0.1, 0.05], None, val_accuracy=accuracy)
    assert (run.status, run.best_epoch, run.loss["metric"]) == ("overfit", 5, "loss")
    assert "accuracy is best at epoch 5 (0.76)" in run.summary
    assert run.loss["train_final"] == 0.05


@pytest.mark.parametrize("scale", [1, 100])
def test_percent_and_fraction_get_the_same_verdict(scale):
    accuracy = [scale * a for a in (0.8, 0.85, 0.9, 0.92, 0.921, 0.9205, 0.919, 0.9185)]
    train = [2.0, 1.0, 0.8, 0.6, 0.5, 0.4, 0.3, 0.2]
    run = judge(train, None, {"n_val": 1000}, val_accuracy=accuracy)
    assert (run.status, run.good_range) == ("good_fit", (4, 8))


def test_training_loss_of_nan_is_seen_without_a_validation_loss():
    run = judge([2.0, 1.0, math.nan, math.nan], None, val_accuracy=[0.5, 0.6, 0.1, 0.1])
    assert (run.status, run.onset) == ("diverged", 3)


def test_one_lost_batch_from_which_training_recovered_is_no_divergence():
    train = list(np.linspace(2, 0.5, 60))
    train[20] = math.nan
    val = [None if i % 10 < 9 else 2.1 - i / 40 for i in range(60)]
    run = judge(train, val)
    assert run.status != "diverged"
    assert "at 1 of 60 points" in repr(run)


ACCURACY = [0.7, 0.8, 0.83, 0.85, 0.87, 0.88, 0.89, 0.895, 0.9, 0.9]
VAL = [0.8, 0.6, 0.55, 0.5, 0.49, 0.53, 0.58, 0.64, 0.7, 0.77]
TRAIN = [0.9, 0.6, 0.5, 0.4, 0.3, 0.22, 0.16, 0.11, 0.08, 0.05]


def test_metric_that_improved_while_the_loss_rose_is_said_to_have_improved():
    run = judge(TRAIN, VAL, val_accuracy=ACCURACY)
    assert "accuracy improved meanwhile (0.87 at epoch 5, 0.9 at the end)" in repr(run)
    assert "not harmed" not in repr(run)
    assert "keep epoch 9 if accuracy is what matters" in run.remedies[1]


def test_epoch_to_keep_is_that_of_the_metric_asked_for_and_both_are_shown():
    run = judge(TRAIN, VAL, {"metric": "val_accuracy"}, val_accuracy=ACCURACY)
    assert (run.best_epoch, run.good_range) == (9, (8, 10))
    assert "validation loss is lowest at epoch 5 (0.49)" in repr(run)


def test_direction_of_a_metric_may_be_told_with_its_name():
    foo = [5.0, 4.0, 3.0, 2.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert judge(TRAIN, VAL, {"metric": "foo:higher"}, val_foo=foo).best_epoch == 10
    assert judge(TRAIN, VAL, {"metric": "foo:lower"}, val_foo=foo).best_epoch == 5


def test_metric_that_no_run_has_is_refused_with_those_there_are():
    with pytest.raises(
        SchemaError, match="no run has a validation metric 'recall'; has 'accuracy'"
    ):
        judge(TRAIN, VAL, {"metric": "recall"}, val_accuracy=ACCURACY)


def test_errors_of_words_have_no_probabilities_to_calibrate():
    run = judge(TRAIN, VAL, val_wer=[30, 25, 22, 21, 20, 19.5, 19, 18.5, 18, 18])
    assert "wer improved" in repr(run)
    assert not any("calibrate" in remedy for remedy in run.remedies)


def test_hump_is_not_called_level():
    run = judge(TRAIN[:8], [0.9, 0.7, 0.6, 0.7, 0.82, 0.98, 1.2, 0.6])
    assert "level" not in run.summary
    assert "rose to 1.2" in run.summary


def test_negative_gap_is_not_said_to_widen():
    train = [1.0, 0.9, 0.82, 0.75, 0.7, 0.66, 0.63, 0.61, 0.6, 0.59]
    val = [value - 0.3 + 0.02 * i for i, value in enumerate(train)]
    assert "widens" not in repr(judge(train, val))


def test_learning_rate_of_0_ends_the_advice_to_train_longer():
    rate = [1.0, 0.9, 0.7, 0.4, 0.2, 0.1, 0.05, 0.0]
    curves = {
        "train_loss": np.linspace(2, 1, 8).tolist(),
        "val_loss": np.linspace(2.2, 1.3, 8).tolist(),
    }
    run = diagnose(History.from_columns(curves | {"learning_rate": rate})).runs[0]
    assert run.status == "still_improving"
    assert "learning rate ended near 0" in run.remedies[0]


def test_training_loss_summed_over_accumulated_batches_is_divided():
    run = diagnose(LOGS / "hf_accumulation_4.json").runs[0]
    assert run.status == "still_improving"
    assert "4 times too large" in repr(run)


@pytest.mark.parametrize(
    "file, status, best",
    [
        ("xgboost_validation_then_train.json", "overfit", 4),
        ("hf_diverged_from_first_epoch.json", "diverged", None),
        ("lightning_one_epoch_val_check_interval.csv", "still_improving", 99),
        ("lightgbm_cv.json", "overfit", 6),
    ],
)
def test_log_of_a_real_library_is_judged_by_its_validation(file, status, best):
    run = diagnose(LOGS / file).runs[0]
    assert run.status == status
    assert best is None or abs(run.best_epoch - best) <= 1


def test_command_names_columns_axis_and_metric(tmp_path):
    log = tmp_path / "log.csv"
    rows = [f"{10 * i},{TRAIN[i]},{VAL[i]},{ACCURACY[i]}" for i in range(10)]
    log.write_text("\n".join(["tick,fit,held,val_accuracy", *rows]) + "\n")
    options = ["--train", "fit", "--val", "held", "--x", "tick", "--metric", "accuracy"]
    command = [sys.executable, "-m", "assay", "diagnose", str(log), *options, "--json", "-"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    (run,) = json.loads(done.stdout)["runs"]
    assert (run["status"], run["best_epoch"], run["loss"]["best"]) == ("overfit", 80, 0.49)


def draw_curves(seed):
    """A run that overfits, is level, or still improves, at random."""
    random = np.random.default_rng(seed)
    epochs = np.arange(int(random.integers(30, 60)))
    rate = random.uniform(0.2, 0.5)
    train = 0.05 + 0.95 * np.exp(-rate * epochs)
    val = random.uniform(0.1, 0.4) + 0.7 * np.exp(-rate * epochs)
    kind = ("overfit", "good_fit", "still_improving")[seed % 3]
    if kind == "overfit":
        val = val + 0.02 * np.maximum(epochs - len(epochs) // 3, 0)
    if kind == "still_improving":
        val = 1.0 - 0.6 * epochs / len(epochs)
        train = val - 0.05
    noise = random.normal(0, 0.002, (2, len(epochs)))
    return kind, (train + noise[0]).tolist(), (val + noise[1]).tolist()


@pytest.mark.parametrize("seed", range(60))
def test_scale_names_and_true_facts_make_no_verdict_worse(seed):
    kind, train, val = draw_curves(seed)
    assert judge(train, val).status == kind
    for factor in (1e-3, 1e4):
        scaled = judge([factor * t for t in train], [factor * v for v in val])
        assert scaled.status == kind
    renamed = History.from_columns({"avg_train_loss": train, "ValLoss": val})
    assert diagnose(renamed).runs[0].status == kind
    for about in ({"n_val": 100_000}, {"n_classes": 3}, {"n_classes": 3, "n_val": 100_000}):
        assert judge(train, val, about).status == kind


def test_console_output_gets_a_verdict(tmp_path):
    log = tmp_path / "out.log"
    lines = [
        f"epoch {i + 1}: train loss {t} val loss {v}"
        for i, (t, v) in enumerate(zip(TRAIN, VAL, strict=True))
    ]
    log.write_text("\n".join(lines))
    assert len(read_history(log)) == 1
    assert diagnose(log).runs[0].status == "overfit"


@pytest.mark.parametrize(
    "log, status",
    [
        ("cat_period20.json", "overfit"),
        ("catboost_info_period20", "overfit"),
        ("cb_cv.csv", "overfit"),
        ("hf_accum1_8ep_trainer_state.json", "still_improving"),
        ("hf_accum4_8ep_trainer_state.json", "still_improving"),
        ("hf_diverged_epoch3_trainer_state.json", "diverged"),
        ("hf_diverged_from_first_epoch_trainer_state.json", "diverged"),
        ("hf_early_stopped_trainer_state.json", "inconclusive"),
        ("keras_nan.csv", "diverged"),
        ("keras_noval.csv", "inconclusive"),
        ("keras_tnan.csv", "diverged"),
        ("lgb_cv.json", "overfit"),
        ("lgb_skl.json", "overfit"),
        ("lgb_skl_copy.json", "overfit"),
        ("lightning_one_epoch_val_check_interval.csv", "still_improving"),
        ("mmengine_scalars.json", "diverged"),
        ("ngboost_evals.json", "overfit"),
        ("ray_tune_progress.csv", "diverged"),
        ("skorch_nan.json", "diverged"),
        ("xgb_cv.csv", "overfit"),
        ("xgb_val_then_train.json", "overfit"),
    ],
)
def test_log_is_judged_as_the_run_that_wrote_it_was_made(log, status):
    (run,) = diagnose(LOGS / "2026-11" / log).runs
    assert run.status == status


def test_learning_rate_of_0_of_a_real_fine_tuning_is_told():
    (run,) = diagnose(LOGS / "2026-11" / "trl_sft_trainer_state.json").runs
    assert "the learning rate was 0 throughout" in repr(run)
