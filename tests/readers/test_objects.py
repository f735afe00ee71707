"""Histories in memory: of frameworks, of plain containers, of data frames."""

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import assay
from assay.errors import SchemaError

CURVES = {"epoch": [1, 2, 3], "train_loss": [3.0, 2.0, 1.0], "val_loss": [4.0, 3.0, 5.0]}


def only(log, **options):
    (history,) = assay.read_history(log, **options)
    return history


def list_losses(history):
    return [history.find(split, "loss").values for split in ("train", "val")]


@pytest.mark.parametrize(
    "log",
    [
        CURVES,
        [dict(zip(CURVES, row, strict=True)) for row in zip(*CURVES.values(), strict=True)],
        {name: np.array(values) for name, values in CURVES.items()},
        {name: tuple(map(np.float32, values)) for name, values in CURVES.items()},
        pd.DataFrame(CURVES),
        pd.DataFrame(CURVES).set_index("epoch"),
        pl.DataFrame(CURVES),
        pa.table(CURVES),
        SimpleNamespace(epoch=[1, 2, 3], history={"loss": [3, 2, 1], "val_loss": [4, 3, 5]}),
    ],
)
def test_curves_in_memory_are_read_as_those_of_a_file(log):
    history = only(log)
    assert list_losses(history) == [(3, 2, 1), (4, 3, 5)]
    assert history.epochs == (1, 2, 3)
    assert assay.diagnose(log).runs[0].best_epoch == 2


def test_dictionary_of_runs_is_one_history_a_run():
    runs = assay.read_history({"small": CURVES, "large": CURVES})
    assert [run.name for run in runs] == ["small", "large"]


def test_several_logs_in_a_list_are_read_one_by_one(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("epoch,loss,val_loss\n1,3,4\n")
    logs = [path, CURVES, pd.DataFrame(CURVES), assay.History.from_lists(val_loss=[1, 2])]
    assert len(assay.read_history(logs)) == 4


def test_state_of_a_trainer_is_read_as_its_file():
    records = [
        {"epoch": 1.0, "step": 5, "loss": 3.0, "learning_rate": 0.1},
        {"epoch": 1.0, "step": 5, "eval_loss": 4.0, "eval_runtime": 1.0},
        {"epoch": 2.0, "step": 10, "loss": 2.0, "learning_rate": 0.1},
        {"epoch": 2.0, "step": 10, "eval_loss": 5.0, "eval_runtime": 1.0},
    ]
    state = SimpleNamespace(log_history=records, best_metric=4.0, best_global_step=5)
    for log in (state, SimpleNamespace(state=state), records):
        history = only(log)
        assert (history.format, list_losses(history)) == ("huggingface", [(3, 2), (4, 5)])
        assert history.steps == ((1, 5), (2, 10))
    assert only(state).monitor == "loss"


def test_column_of_pandas_that_is_nan_to_its_end_diverged():
    frame = pd.DataFrame({"epoch": range(6), "loss": [3, 2, *[np.nan] * 4], "val_loss": range(6)})
    assert math.isnan(only(frame).find("train", "loss").values[-1])
    assert assay.diagnose(frame).runs[0].status == "diverged"


def test_gaps_of_a_column_of_pandas_were_not_measured():
    nan = np.nan
    frame = pd.DataFrame(
        {"step": range(6), "loss": [3, nan, 2, nan, 1, nan], "val_loss": [nan, 4] * 3}
    )
    history = only(frame)
    assert list_losses(history) == [(3, 2, 1), (4, 4, 4)]


def test_nulls_of_polars_were_not_measured_and_nan_was():
    frame = pl.DataFrame({"epoch": [1, 2, 3], "val_loss": [4.0, None, math.nan]})
    curve = only(frame).find("val", "loss")
    assert curve.epochs == (1, 3)
    assert math.isnan(curve.values[1])


def test_columns_of_a_frame_are_taken_as_named():
    frame = pd.DataFrame({"tick": [10, 20], "fit": [3, 2], "held": [4, 5]})
    history = only(frame, train="fit", val="held", x="tick")
    assert list_losses(history) == [(3, 2), (4, 5)]
    assert history.epochs == (10, 20)
    assert assay.diagnose(frame, train="fit", val="held", x="tick").runs[0].best_epoch == 10


def test_fitted_network_of_scikit_learn_has_a_loss_and_validation_scores():
    from sklearn.neural_network import MLPClassifier

    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3))
    model = MLPClassifier((4,), early_stopping=True, max_iter=200, random_state=0, tol=1.0)
    model.fit(X, X[:, 0] > 0)
    history = only(model)
    assert history.find("train", "loss").values == tuple(model.loss_curve_)
    assert history.find("val", "accuracy").values == tuple(model.validation_scores_)


def test_boosted_model_of_scikit_learn_has_losses_of_the_right_sign():
    from sklearn.ensemble import HistGradientBoostingClassifier

    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    model = HistGradientBoostingClassifier(early_stopping=True, max_iter=5, random_state=0)
    model.fit(X, X[:, 0] > 0)
    train, val = list_losses(only(model))
    assert train == tuple(-model.train_score_)
    assert val == tuple(-model.validation_score_)


def test_results_of_a_fitted_model_of_xgboost_are_read():
    xgboost = pytest.importorskip("xgboost")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    y = (X[:, 0] > 0).astype(int)
    model = xgboost.XGBClassifier(n_estimators=3)
    model.fit(X[:40], y[:40], eval_set=[(X[:40], y[:40]), (X[40:], y[40:])], verbose=False)
    history = only(model)
    assert (history.format, len(history.epochs)) == ("boosting", 3)


def test_recorder_of_fastai_has_metrics_of_validation():
    names = ["epoch", "train_loss", "valid_loss", "accuracy", "time"]
    recorder = SimpleNamespace(metric_names=names, values=[[3.0, 4.0, 0.5], [2.0, 5.0, 0.75]])
    history = only(SimpleNamespace(recorder=recorder))
    assert list_losses(history) == [(3, 2), (4, 5)]
    assert history.find("val", "accuracy").values == (0.5, 0.75)


@pytest.mark.parametrize("log", [3, None, b"x", {"a": 1}, [1, 2], [], object(), "", {}])
def test_what_is_no_log_is_refused_in_one_line(log):
    with pytest.raises(assay.AssayError) as caught:
        assay.diagnose(log)
    assert "\n" not in str(caught.value)


def test_named_column_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(SchemaError, match="no column 'held'; found columns 'epoch', 'train_loss'"):
        assay.read_history(CURVES, val="held")
