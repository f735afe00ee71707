"""When a run that is under way may be stopped: seldom by chance, and soon where it overfits."""

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.diagnosis.stopping import is_past_best

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))

from stopping import NOISES, REGIMES, simulate

LOSSES = st.lists(st.floats(0.01, 10), min_size=3, max_size=40)
U = [1.0, 0.7, 0.5, 0.4, 0.35, 0.34, 0.36, 0.39, 0.43, 0.48, 0.54]


def stopped_at(losses):
    return next((n for n in range(len(losses) + 1) if is_past_best(losses[:n])), None)


def test_a_rise_without_noise_is_seen_within_five_epochs_of_the_best():
    assert U.index(min(U)) + 1 < stopped_at(U) <= U.index(min(U)) + 1 + 5


@pytest.mark.parametrize("scale", [1e-3, 1e4])
def test_the_scale_of_the_losses_changes_nothing(scale):
    assert stopped_at([scale * loss for loss in U]) == stopped_at(U)


def test_one_spike_and_a_rise_that_turns_stop_nothing():
    level = [1.0, 0.7, 0.5, 0.4, 0.35, 0.36, 0.34, 0.36, 0.35]
    assert stopped_at([*level, 2.0, 0.35, 0.35, 0.34]) is None
    assert stopped_at([*level, 0.39, 0.41, 0.38, 0.36, 0.34]) is None


def test_a_rise_as_high_as_those_before_it_that_were_made_good_stops_nothing():
    waves = [0.5 + 0.05 * np.sin(i) for i in range(60)]
    assert stopped_at([1.0, 0.8, 0.6, *waves]) is None


@given(LOSSES)
def test_a_curve_that_never_rises_is_never_past_its_best(losses):
    assert not is_past_best(sorted(losses, reverse=True))


@given(LOSSES, st.sampled_from([0.125, 8.0, 1024.0]))
def test_a_multiple_of_a_curve_is_judged_as_the_curve(losses, factor):
    assert is_past_best([factor * loss for loss in losses]) == is_past_best(losses)


@pytest.mark.slow
@pytest.mark.parametrize("regime", [name for name in REGIMES if name != "overfit"])
@pytest.mark.parametrize("evaluations", [10, 30, 100])
def test_of_runs_that_could_gain_one_in_a_hundred_is_stopped(regime, evaluations):
    for noise in NOISES:
        outcome = simulate(regime, noise, evaluations, runs=200, seed=1)
        assert outcome.stopped <= 0.02, noise


@pytest.mark.slow
def test_overfits_are_stopped_within_a_tenth_of_the_run_or_a_few_epochs():
    for evaluations, limit in ((30, 6), (100, 15)):
        outcome = simulate("overfit", "white", evaluations, runs=200, seed=2)
        assert outcome.stopped >= 0.85
        assert outcome.delay <= limit
