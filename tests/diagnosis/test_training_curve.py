"""What the training loss alone says, where nothing was validated."""

import numpy as np
import pytest

from assay.diagnosis.diagnose import diagnose
from assay.readers.history import History


def judge_steps(loss, per_epoch):
    """The verdict on the losses of steps, of which an epoch has so many."""
    epochs = [(i + 1) / per_epoch for i in range(len(loss))]
    return diagnose(History.from_lists(train_loss=list(loss), epochs=epochs)).runs[0]


def add_noise(curve, deviation, seed=0):
    return np.asarray(curve) + np.random.default_rng(seed).normal(0, deviation, len(curve))


def test_training_loss_of_a_single_epoch_is_nearly_held_out():
    step = np.arange(80)
    falling = judge_steps(add_noise(2.0 - 0.012 * step, 0.03), 80)
    assert falling.status == "still_improving"
    assert "each row is new" in falling.summary
    level = judge_steps(add_noise(1.1 + np.exp(-step / 6), 0.03), 80)
    assert (level.status, level.confidence) == ("good_fit", "low")
    assert "it is level at" in level.summary


@pytest.mark.parametrize("seed", range(5))
def test_steps_between_epochs_are_rows_that_are_recognised(seed):
    step = np.arange(90)
    loss = add_noise(1.9 - 0.4 * (step // 30) - 0.0005 * (step % 30), 0.04, seed)
    run = judge_steps(loss, 30)
    assert (run.status, run.onset) == ("memorising", 1)
    assert "recognised" in run.summary
    assert "hold rows out" in run.remedies[0]


@pytest.mark.parametrize("seed", range(5))
def test_smooth_fall_over_several_epochs_is_no_memorising(seed):
    loss = add_noise(0.4 + 1.6 * np.exp(-np.arange(90) / 25), 0.04, seed)
    run = judge_steps(loss, 30)
    assert run.status == "inconclusive"
    assert "training loss still falls" in run.summary


def test_many_epochs_to_a_loss_of_nearly_nothing_are_learned_by_heart():
    loss = 2.2 * np.exp(-np.arange(60) / 5) + 0.002
    run = diagnose(History.from_lists(train_loss=loss.tolist())).runs[0]
    assert "learned by heart" in run.summary
    assert run.status == "inconclusive"


def test_three_training_losses_have_no_trend():
    run = diagnose(History.from_lists(train_loss=[1.0, 0.8, 0.7])).runs[0]
    assert "training loss ends at 0.8" in run.summary
    assert "level" not in run.summary
