"""Kinds of curves that the rules must tell apart; the bench of the diagnosis draws many more."""

import numpy as np
import pytest

from assay.diagnosis.diagnose import diagnose
from assay.diagnosis.rules import SWINGING
from assay.diagnosis.trend import measure_swing
from assay.readers.history import History

SEEDS = range(8)


def judge(train, val, **about):
    history = History.from_lists(train_loss=list(train), val_loss=list(val))
    return diagnose(history, **about).runs[0]


def add_noise(curve, share, seed):
    random = np.random.default_rng(seed)
    return np.asarray(curve) * (1 + share * random.normal(0, 1, len(curve)))


def decay(count, floor, rate):
    return floor + (1 - floor) * np.exp(-rate * np.arange(count))


def test_small_loss_that_rises_by_a_twelfth_is_overfit_though_the_baseline_is_far():
    val = [0.11, 0.04, 0.02, 0.0105, 0.0084, 0.0083, 0.0085, 0.0087, 0.0089, 0.009]
    train = [0.1, 0.05, 0.03, 0.02, 0.014, 0.01, 0.007, 0.005, 0.004, 0.003]
    assert judge(train, val, baseline=1.0).status == "overfit"
    assert judge(train, val).status == "overfit"


@pytest.mark.parametrize("seed", SEEDS)
def test_lowest_of_200_noisy_losses_makes_no_overfit(seed):
    val = add_noise(decay(200, 0.3, 0.1), 0.05, seed)
    run = judge(add_noise(decay(200, 0.25, 0.1), 0.01, seed + 100), val, baseline=1.5)
    assert run.status in ("good_fit", "inconclusive")


@pytest.mark.parametrize("seed", SEEDS)
def test_slow_fall_is_seen_through_the_noise_of_150_evaluations(seed):
    val = add_noise(np.linspace(1.0, 0.4, 150), 0.03, seed)
    assert judge(0.95 * np.linspace(1.0, 0.38, 150), val).status == "still_improving"


@pytest.mark.parametrize("seed", SEEDS)
def test_losses_that_swing_together_are_unstable_whatever_is_known(seed):
    swing = np.exp(np.random.default_rng(seed).normal(0, 0.45, 20))
    train = decay(20, 0.25, 0.4) * swing
    for about in ({}, {"baseline": 1.2}):
        assert judge(train, add_noise(train, 0.08, seed), **about).status == "unstable"


def test_losses_of_which_one_step_in_five_falls_swing():
    together = [0.5, 0.4, 0.3, 0.45, 0.7, 0.2, 0.4, 0.9]
    assert measure_swing(np.log(together), np.log(together)) > SWINGING


def test_training_that_is_averaged_between_evaluations_swings_with_them():
    swing = np.exp(np.random.default_rng(3).normal(0, 0.5, 12))
    val = decay(12, 0.25, 0.4) * swing
    averaged = np.append(val[:1], (val[1:] + val[:-1]) / 2)
    assert judge(averaged, val, baseline=1.2).status == "unstable"


def test_finding_of_losses_that_swing_says_by_how_much():
    swing = np.where(np.arange(16) % 2, 1.5, 0.8)
    run = judge(0.5 * swing, 0.55 * swing, baseline=1.2)
    assert "both losses go up and down by about" in run.summary


@pytest.mark.parametrize("seed", SEEDS)
def test_losses_of_batches_that_scatter_are_not_unstable(seed):
    random = np.random.default_rng(seed)
    train = np.repeat(decay(20, 0.3, 0.5), 10) * (1 + 0.3 * random.normal(0, 1, 200))
    val = [None] * 200
    val[9::10] = add_noise(decay(20, 0.32, 0.5), 0.005, seed).tolist()
    assert judge(train, val, baseline=1.2).status == "good_fit"


def test_step_of_both_losses_where_the_learning_rate_drops_is_no_swing():
    level = np.where(np.arange(24) < 8, 0.6, 0.2)
    for seed in SEEDS:
        train = add_noise(level, 0.02, seed)
        assert judge(train, add_noise(level + 0.02, 0.02, seed + 50)).status != "unstable"


def test_training_rows_learned_on_a_small_validation_set_are_memorised_within_its_error():
    train = decay(20, 0.2, 0.3) * 2.3
    val = 2.3 * 0.93 + 0.002 * np.sin(np.arange(20))
    run = judge(train, val, n_classes=10, n_val=200)
    assert run.status == "memorising"


def test_slow_fall_from_a_known_baseline_is_underfit_and_not_lost():
    val = np.linspace(0.999, 0.96, 30)
    assert judge(val - 0.001, val, baseline=1.0).status == "underfit"


@pytest.mark.parametrize("known", [{}, {"baseline": 1.0}])
def test_both_losses_that_jump_back_and_stay_are_collapsed(known):
    curve = np.where(np.arange(12) < 5, decay(12, 0.1, 0.8), 1.04)
    run = judge(curve, curve, **known)
    assert (run.status, run.onset) == ("collapsed", 6)
    assert "broke down at epoch 6" in run.summary


def test_first_epoch_of_five_that_falls_far_is_no_improvement_at_the_end():
    assert judge([0.5, 0.06, 0.04, 0.035, 0.03], [0.6, 0.05, 0.041, 0.0405, 0.0404]).status in (
        "good_fit",
        "inconclusive",
    )


def test_five_evaluations_whose_last_two_rise_by_a_fifth_are_overfit():
    run = judge([0.9, 0.5, 0.3, 0.2, 0.1], [0.8, 0.5, 0.4, 0.44, 0.5])
    assert (run.status, run.best_epoch) == ("overfit", 3)


def test_four_evaluations_of_which_the_first_is_best_are_overfit():
    run = judge([0.6, 0.3, 0.1, 0.05], [0.55, 0.62, 0.75, 0.9])
    assert (run.status, run.best_epoch) == ("overfit", 1)


@pytest.mark.parametrize("rows, status", [(150, "inconclusive"), (100_000, "overfit")])
def test_rise_within_the_sampling_error_of_the_rows_is_said_to_be(rows, status):
    train = 0.9 * np.exp(-np.arange(15) / 5) + 0.02
    val = 0.5 + 0.4 * np.exp(-np.arange(15.0)) + 0.004 * np.maximum(np.arange(15) - 5, 0)
    run = judge(train, val, n_val=rows)
    assert run.status == status
    assert ("within the sampling error" in run.summary) == (status == "inconclusive")


def test_sampling_error_follows_the_scale_of_a_loss_that_is_no_log_loss():
    val = [90.0, 60.0, 50.0, 48.0, 47.9, 48.0, 47.8, 47.9]
    run = judge([0.9 * v for v in val], val, n_val=400)
    assert run.evidence["standard_error"] == pytest.approx(2 * 47.8 / 20)


def test_range_of_a_good_fit_holds_what_is_no_rise():
    val = [0.5, 0.42, 0.4, 0.398, 0.397, 0.398, 0.399, 0.4, 0.4, 0.401]
    train = np.linspace(0.5, 0.3, 10)
    run = judge(train, val)
    assert (run.status, run.good_range[1]) == ("good_fit", 10)
    assert "training past epoch" in run.remedies[0]


@pytest.mark.parametrize("seed", SEEDS)
def test_fine_tuning_that_improves_is_not_underfit_by_a_guess_of_the_baseline(seed):
    train = add_noise(np.linspace(1.2, 0.95, 12), 0.01, seed)
    run = judge(train, add_noise(np.linspace(1.15, 1.02, 12), 0.002, seed + 50))
    assert run.status == "still_improving"
