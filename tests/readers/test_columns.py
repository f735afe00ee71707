"""Which runs, splits and axes a table of named columns holds."""

import json

import numpy as np
import pytest

from assay.errors import SchemaError
from assay.readers.columns import Choice, name_columns, read_columns
from assay.readers.read_history import read_history


def read(**columns):
    return read_columns({c.replace("__", " "): cells for c, cells in columns.items()}, name="log")


def written(tmp_path, text, name="log.csv"):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def of_val(history, metric="loss"):
    return history.find(history.validation_split, metric).values


def test_column_of_folds_is_one_run_a_fold():
    runs = read(fold=["a", "a", "b", "b"], epoch=[1, 2, 1, 2], val_loss=[3, 2, 9, 8])
    assert [run.name for run in runs] == ["log/fold a", "log/fold b"]
    assert [run.restarts for run in runs] == [(), ()]


def test_column_of_phases_tells_training_rows_from_validation_rows():
    (run,) = read(epoch=[1, 1, 2, 2], phase=["train", "val"] * 2, loss=[4, 5, 2, 3])
    assert run.find("train", "loss").values == (4, 2)
    assert of_val(run) == (5, 3)


def test_charts_exported_with_the_name_of_the_run_are_one_run_each():
    table = {
        "Step": [1, 2],
        "red - val_loss": [3, 2],
        "red - val_loss__MIN": [1, 1],
        "blue - val_loss": [5, 4],
    }
    assert [(r.name, of_val(r)) for r in read_columns(table, name="x")] == [
        ("x/red", (3, 2)),
        ("x/blue", (5, 4)),
    ]


def test_numbered_sets_are_told_apart_by_where_their_losses_end():
    for first, last in ((0, 1), (1, 0)):
        table = {f"validation_{first}-error": [0.5, 0.1], f"validation_{last}-error": [0.6, 0.4]}
        (run,) = read_columns(table, name="x")
        assert run.find("train", "error").values == (0.5, 0.1)
        assert of_val(run, "error") == (0.6, 0.4)
        assert "was taken for validation" in run.notes[0]


def test_several_validations_of_an_epoch_are_numbered_by_step():
    (run,) = read(epoch=[0] * 4, step=[10, 20, 30, 40], val_loss=[4, 3, 2, 3])
    assert (run.unit, run.epochs, of_val(run)) == ("step", (10, 20, 30, 40), (4, 3, 2, 3))


def test_validation_repeated_at_the_same_step_stands_as_first_measured():
    (run,) = read(epoch=[0, 1, 1], step=[10, 20, 20], val_loss=[4, 5, 1])
    assert of_val(run) == (4, 5)


def test_validation_rows_without_an_epoch_are_averaged_into_the_epoch_above_them():
    (run,) = read(
        epoch=[0, None, None, 1, None, None],
        step=[5, 0, 1, 9, 2, 3],
        train_loss=[3, None, None, 2, None, None],
        val_loss=[None, 4, 6, None, 1, 3],
    )
    assert (run.unit, of_val(run)) == ("epoch", (5, 2))


def test_appended_run_that_begins_high_again_is_a_run_of_its_own():
    runs = read(epoch=[0, 1, 2, 0, 1], loss=[9, 5, 1, 9, 4], val_loss=[9, 6, 2, 8, 5])
    assert [len(of_val(run)) for run in runs] == [3, 2]


def test_appended_run_that_goes_on_is_one_run():
    (run,) = read(epoch=[0, 1, 2, 1, 2], loss=[9, 5, 1, 5, 1], val_loss=[9, 6, 2, 7, 3])
    assert of_val(run) == (9, 7, 3)


def test_losses_of_several_heads_are_summed_where_no_total_is_logged():
    (run,) = read(
        epoch=[1, 2], train_a_loss=[2, 1], train_b_loss=[3, 2], val_a_loss=[4, 3], val_b_loss=[5, 6]
    )
    assert (run.loss, of_val(run)) == ("loss", (9, 9))
    assert "the sum of a_loss, b_loss" in run.notes[0]


def test_spread_over_folds_is_no_metric():
    table = {"test-error-mean": [0.3, 0.2], "test-error-std": [0.1, 0.1]}
    (run,) = read_columns(table, name="x")
    assert (run.loss, run.metrics) == ("error", ())


def test_columns_named_by_a_person_are_taken_instead_of_those_of_usual_names():
    table = {"t": [10, 20], "fit": [3, 2], "held": [4, 5], "val_loss": [0, 0], "epoch": [1, 2]}
    (run,) = read_columns(name_columns(table, Choice("fit", "held", "t"), "x"), name="x")
    assert run.find("train", "loss").values == (3, 2)
    assert (of_val(run), run.epochs) == ((4, 5), (10, 20))


def test_column_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(SchemaError, match="no column 'held'; found columns 'a'"):
        name_columns({"a": [1]}, Choice(val="held"), "x")


@pytest.mark.parametrize(
    "name, split, metric",
    [
        ("avg_val_loss", "val", "loss"),
        ("ValLoss", "val", "loss"),
        ("charts/val/loss", "val", "charts_loss"),
        ("mean_absolute_error", "train", "mean_absolute_error"),
        ("val_loss/dataloader_idx_0", "val", "loss"),
        ("val_loss/dataloader_idx_1", "val", "loss_1"),
        ("bbox/AP", "val", "bbox_ap"),
        ("metrics/recall", "val", "recall"),
        ("bbox_loss", "train", "bbox_loss"),
        ("training's l2", "train", "l2"),
    ],
)
def test_name_says_split_and_metric(name, split, metric):
    from assay.readers.naming import parse_curve_name

    assert parse_curve_name(name) == (split, metric)


@pytest.mark.parametrize(
    "value",
    [
        {"train_losses": [3, 2], "val_losses": [4, 1], "best": 1, "tags": ["a"]},
        {"1": {"train_loss": 3, "val_loss": 4}, "2": {"train_loss": 2, "val_loss": 1}},
        {"loss": {"train": [3, 2], "val": [4, 1]}},
        {"train_loss": {"0": 3, "1": 2}, "val_loss": {"0": 4, "1": 1}},
    ],
)
def test_json_of_many_shapes_holds_the_same_curves(tmp_path, value):
    (run,) = read_history(written(tmp_path, json.dumps(value), "log.json"))
    assert run.find("train", "loss").values == (3, 2)
    assert of_val(run) == (4, 1)


def test_histories_of_two_models_in_one_object_are_two_runs(tmp_path):
    curves = {"small": {"loss": [3, 2], "val_loss": [4, 3]}, "large": {"loss": [2, 1]}}
    runs = read_history(written(tmp_path, json.dumps(curves), "log.json"))
    assert [run.name for run in runs] == ["log/small", "log/large"]


@pytest.mark.parametrize(
    "lines, unit, epochs",
    [
        (
            "step 5: train loss 3.0, val loss 4.0\nstep 9: train loss 2.0, val loss 1.0\n",
            "step",
            (5, 9),
        ),
        ("[0]\ttrain-loss:3.0\tval-loss:4.0\n[1]\ttrain-loss:2.0\tval-loss:1.0\n", "round", (0, 1)),
        ("Epoch 1/2\nloss: 3 - val_loss: 4\nEpoch 2/2\nloss: 2 - val_loss: 1\n", "epoch", (1, 2)),
        (
            "Epoch [1/2], Loss: 3.0, Val Loss: 4.0\nEpoch [2/2], Loss: 2.0, Val Loss: 1.0\n",
            "epoch",
            (1, 2),
        ),
        ("epoch=1 train_loss=3 val_loss=4\nepoch=2 train_loss=2 val_loss=1\n", "epoch", (1, 2)),
    ],
)
def test_console_output_of_many_loops_holds_the_same_curves(tmp_path, lines, unit, epochs):
    (run,) = read_history(written(tmp_path, lines, "out.txt"))
    assert (run.format, run.unit, run.epochs) == ("console", unit, epochs)
    assert run.find("train", "loss").values == (3, 2)
    assert of_val(run) == (4, 1)


def test_catboost_info_is_read_with_its_iterations(tmp_path):
    written(tmp_path, "iter\tLogloss\n0\t0.6\n5\t0.4\n", "catboost_info/learn_error.tsv")
    test = written(
        tmp_path, "iter\tLogloss:0\tLogloss\n0\t9\t0.7\n5\t9\t0.5\n", "catboost_info/test_error.tsv"
    )
    (run,) = read_history(tmp_path / "catboost_info")
    assert (run.unit, run.epochs) == ("iteration", (0, 5))
    assert run.find("train", "logloss").values == (0.6, 0.4)
    assert of_val(run, "logloss") == (0.7, 0.5)
    (alone,) = read_history(test)
    assert [s.split for s in alone.series] == ["val"]


def test_results_of_ultralytics_are_chosen_by_fitness(tmp_path):
    header = "epoch, train/box_loss, train/cls_loss, metrics/mAP50(B), metrics/mAP50-95(B)"
    text = f"{header}, val/box_loss, val/cls_loss\n1,3,3,0.5,0.25,4,4\n2,2,2,0.75,0.5,5,5\n"
    (run,) = read_history(written(tmp_path, text, "results.csv"))
    assert (run.loss, run.monitor) == ("loss", "fitness")
    assert of_val(run, "fitness") == (0.25, 0.5)


def test_evaluation_of_the_best_weights_after_training_does_not_replace_the_last(tmp_path):
    records = [
        {"epoch": 1.0, "step": 7, "loss": 3.0},
        {"epoch": 1.0, "step": 7, "eval_loss": 2.0},
        {"epoch": 2.0, "step": 14, "loss": 1.0},
        {"epoch": 2.0, "step": 14, "eval_loss": 5.0},
        {"epoch": 2.0, "step": 14, "eval_loss": 2.0},
    ]
    state = json.dumps({"log_history": records, "best_metric": 2.0, "best_global_step": 7})
    (run,) = read_history(written(tmp_path, state, "trainer_state.json"))
    assert of_val(run) == (2, 5)
    assert run.monitor == "loss"
    assert run.checkpoints == ((1.0, "checkpoint-7"), (2.0, "checkpoint-14"))


def test_loss_that_the_trainer_logs_as_0_beside_a_nan_gradient_is_nan(tmp_path):
    records = [
        {"epoch": 1.0, "step": 7, "loss": 0.0, "grad_norm": float("nan")},
        {"epoch": 1.0, "step": 7, "eval_loss": float("nan")},
    ]
    path = written(tmp_path, json.dumps({"log_history": records}), "trainer_state.json")
    (run,) = read_history(path)
    assert np.isnan(run.find("train", "loss").values).all()


def test_large_table_is_read_as_a_small_one(tmp_path):
    rows = [f"{i},{1 + 1 / (i + 1):.6f},{'' if i % 2 else 'nan'}" for i in range(70_000)]
    path = written(tmp_path, "\n".join(["step,train_loss,val_loss", *rows, ""]))
    (run,) = read_history(path)
    assert path.stat().st_size > 1 << 20
    means = [np.mean([1 + 1 / (i + 1) for i in range(first, first + 7)]) for first in (0, 7)]
    train = run.find("train", "loss")
    assert train.values[:2] == pytest.approx(means, abs=1e-5)
    assert (train.epochs[:2], train.window, train.aggregation) == ((6, 13), 7, "window_mean")
    assert (len(of_val(run)), np.isnan(of_val(run)).all()) == (8_750, True)
    assert "means over windows of 7 steps" in run.notes[0]


def test_word_in_a_large_table_is_named_with_its_row(tmp_path):
    rows = [f"{i},{i % 7}.123456789012" for i in range(70_000)]
    rows[41_234] = "41234,oops"
    path = written(tmp_path, "\n".join(["step,train_loss", *rows, ""]))
    with pytest.raises(SchemaError, match="holds 'oops' at row 41235"):
        read_history(path)
