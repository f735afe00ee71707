"""Words never contradict the numbers."""

import numpy as np
import pytest

from assay.diagnosis.diagnose import diagnose
from assay.readers.history import History


def judge(train, val, **metrics):
    history = History.from_lists(train_loss=train, val_loss=list(val), **metrics)
    return diagnose(history).runs[0]


VAL = [0.9, 0.7, 0.6, 0.58, 0.6, 0.64, 0.69, 0.75, 0.8, 0.86]


def test_training_loss_is_said_to_fall_only_where_it_does():
    falling = np.linspace(0.9, 0.1, 10).tolist()
    assert "while training loss kept falling" in judge(falling, VAL).summary
    level = [0.8, 0.6, 0.5, 0.45, 0.451, 0.45, 0.451, 0.45, 0.451, 0.45]
    assert "kept falling" not in judge(level, VAL).summary
    assert "training loss was not logged" in judge(None, VAL).summary


def test_both_losses_that_rose_are_told_with_their_numbers():
    train = [0.9, 0.6, 0.5, 0.45, 0.5, 0.55, 0.62, 0.7, 0.78, 0.86]
    run = judge(train, VAL)
    assert run.status == "unstable"
    assert "training loss from 0.45 to 0.78 at the end" in run.summary


@pytest.mark.parametrize("count, words", [(1, "1 evaluation is"), (2, "2 evaluations are")])
def test_few_evaluations_are_counted_in_good_grammar(count, words):
    assert f"{words} too few" in judge([0.9] * count, [0.8] * count).summary


def test_metric_at_the_end_is_of_the_epochs_after_the_lowest_loss():
    run = judge([0.5, 0.3], [0.41, 0.47], val_accuracy=[0.8, 0.82])
    assert run.metrics[0]["final"] == 0.82


def test_direction_of_the_loss_agrees_with_the_status():
    assert judge(np.linspace(0.9, 0.1, 10).tolist(), VAL).loss["verdict"] == "rising"
    improving = judge(np.linspace(2, 1, 12).tolist(), np.linspace(2.1, 1.2, 12))
    assert (improving.status, improving.loss["verdict"]) == ("still_improving", "falling")


def test_mean_over_an_epoch_lags_and_makes_no_easy_validation():
    end = np.exp(-np.arange(1, 11) / 3.0)
    middle = np.exp(-np.arange(0.5, 10) / 3.0)
    columns = {"loss": middle.tolist(), "val_loss": (1.05 * end).tolist()}
    told = diagnose(History.from_columns(columns, train="running_mean")).runs[0]
    assert "validation_easier" not in told.evidence["flags"]
    untold = diagnose(History.from_columns(columns)).runs[0]
    assert "validation_easier" in untold.evidence["flags"]
