"""Logs whose losses do not measure how well rows are predicted."""

import numpy as np

from assay.diagnosis.diagnose import diagnose
from assay.readers.history import History


def judge(columns, **more):
    return diagnose(History.from_columns(columns, **more)).runs[0]


def draw(count=40, seed=0):
    return np.random.default_rng(seed).normal(0, 1, count)


def test_policy_is_judged_by_its_reward_and_not_by_its_loss():
    reward = 0.2 + 0.6 * np.linspace(0, 1, 40) + 0.01 * draw()
    run = judge({"loss": (0.01 * draw(seed=1)).tolist(), "reward": reward.tolist()})
    assert run.status == "still_improving"
    assert "reward is best at" in run.summary
    assert "was not judged" in run.summary


def test_reward_that_falls_is_no_overfit_but_unstable():
    reward = np.concatenate([np.linspace(0, 200, 25), np.linspace(195, 90, 15)])
    columns = {"rollout/ep_rew_mean": reward.tolist(), "train/loss": draw(seed=2).tolist()}
    run = judge(columns, epochs=(2048 * np.arange(1, 41)).tolist(), unit="step")
    assert (run.status, run.severity, run.best_epoch) == ("unstable", None, 51200)
    assert run.remedies[0].startswith("restore the weights of step 51200")


def test_policy_without_a_logged_reward_is_not_judged():
    run = judge({"actor_loss": draw().tolist(), "critic_loss": draw(seed=1).tolist()})
    assert run.status == "inconclusive"
    assert run.remedies == ("log the reward of whole episodes",)


def test_losses_of_a_contest_are_not_judged_but_a_measure_of_its_samples_is():
    losses = {"g_loss": (1 + 0.3 * draw()).tolist(), "d_loss": (0.6 + 0.1 * draw()).tolist()}
    run = judge(losses)
    assert run.status == "inconclusive"
    assert "contest" in run.summary
    fid = 20 + 80 * np.exp(-np.arange(40) / 8) + np.maximum(np.arange(40) - 25, 0)
    run = judge({**losses, "val_fid": fid.tolist()})
    assert (run.status, run.best_epoch) == ("overfit", 26)


def test_preferences_keep_the_epoch_of_the_best_accuracy_on_pairs():
    accuracy = [0.5, 0.6, 0.66, 0.7, 0.73, 0.75, 0.76, 0.76]
    columns = {
        "loss": [0.69, 0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.08],
        "eval_loss": [0.68, 0.6, 0.58, 0.6, 0.63, 0.67, 0.72, 0.78],
        "eval_rewards/accuracies": accuracy,
    }
    run = judge(columns)
    assert (run.status, run.best_epoch) == ("overfit", 7)
    assert "validation loss is lowest at epoch 3 (0.58)" in repr(run)


def test_entropy_of_tokens_is_better_neither_way():
    columns = {"val_loss": [1.0, 0.9, 0.8], "val_entropy": [2.0, 1.5, 1.0]}
    (entropy,) = judge(columns).metrics
    assert (entropy["better"], entropy["verdict"]) == (None, "unknown")
    assert judge({"val_cross_entropy": [1.0, 0.9, 0.8]}).loss["metric"] == "cross_entropy"
