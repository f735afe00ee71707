"""What the learning rate of a log explains."""

import numpy as np

from assay.diagnosis.diagnose import diagnose
from assay.readers.history import History


def judge(val, rate):
    columns = {"train_loss": [0.9 * v for v in val], "val_loss": list(val), "lr": list(rate)}
    return diagnose(History.from_columns(columns)).runs[0]


FALLING = (0.5 + np.exp(-np.arange(24) / 8)).tolist()


def test_restarts_of_the_learning_rate_are_counted():
    rate = [1e-3 * (1 + np.cos(np.pi * (i % 8) / 8)) / 2 for i in range(24)]
    assert "raised again 2 times, first at epoch 9" in repr(judge(FALLING, rate))


def test_warm_up_is_no_restart():
    text = repr(judge(FALLING, [min(i + 1, 4) * 1e-3 * (1 - i / 30) for i in range(24)]))
    assert "warmed up until epoch 4" in text
    assert "raised again" not in text


def test_learning_rate_of_0_throughout_learned_nothing():
    assert "the learning rate was 0 throughout" in repr(judge([0.7] * 6, [0.0] * 6))
