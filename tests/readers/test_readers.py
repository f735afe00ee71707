"""What each log format becomes, and what is said of a file that is no log."""

import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path

import pytest

from assay.errors import ReadError, SchemaError
from assay.readers.base import READERS, Reader
from assay.readers.history import History
from assay.readers.naming import infer_direction, parse_curve_name
from assay.readers.read_history import find_reader, read_history, read_runs
from assay.testing import check_reader

LOGS = Path(__file__).parents[1] / "histories"


def only(path):
    (history,) = read_history(path)
    return history


def written(tmp_path, text, name="log.csv"):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "file, reader, length, first",
    [
        ("keras_csvlogger_fashion_mlp_10ep.csv", "keras_csv", 10, 0),
        ("keras_history_fashion_mlp_10ep.json", "keras_json", 10, 1),
        ("keras_history_nan.json", "keras_json", 6, 0),
        ("torch_loop_overfit_small.json", "json", 40, 1),
        ("lightning_csvlogger_metrics.csv", "lightning", 6, 0),
        ("hf_trainer_state.json", "huggingface", 8, 1),
        ("skorch_history.json", "skorch", 8, 1),
        ("xgboost_train_evals_result.json", "boosting", 60, 1),
        ("lightgbm_record_evaluation.json", "boosting", 40, 1),
        ("catboost_get_evals_result.json", "boosting", 60, 1),
    ],
)
def test_each_log_is_read_by_its_reader_with_its_own_epochs(file, reader, length, first):
    history = only(LOGS / file)
    assert history.format == reader
    assert len(history.epochs) == length
    assert history.epochs[0] == first
    assert history.name == Path(file).stem


def test_every_reader_is_listed_by_name():
    expected = {
        "tensorboard",
        "boosting",
        "csv",
        "huggingface",
        "json",
        "keras_csv",
        "keras_json",
        "lightning",
        "skorch",
    }
    assert expected <= set(READERS.names())


def test_non_finite_values_are_kept_in_csv_and_in_bare_json():
    for file in ("keras_csvlogger_nan.csv", "keras_history_nan.json"):
        values = only(LOGS / file).find("train", "loss").values
        assert math.isinf(values[0])
        assert math.isnan(values[1])


def test_na_is_not_measured():
    history = only(LOGS / "keras_csvlogger_valfreq2_append.csv")
    assert history.find("val", "loss").epochs == (1, 3, 5, 7, 8, 9, 10, 11)
    assert len(history.find("train", "loss").epochs) == 12


def test_wrapped_keras_json_has_validation_at_every_second_epoch():
    assert only(LOGS / "keras_history_valfreq2.json").find("val", "loss").epochs == (1, 3, 5, 7)


def test_lightning_rows_of_one_epoch_are_joined_and_the_epoch_mean_is_preferred():
    history = only(LOGS / "lightning_csvlogger_metrics.csv")
    assert history.find("train", "loss").values[0] == pytest.approx(1.44428, abs=1e-5)
    assert history.find("val", "loss").values[0] == pytest.approx(0.95643, abs=1e-5)


def test_huggingface_training_loss_is_averaged_between_evaluations():
    history = only(LOGS / "hf_trainer_state.json")
    assert history.find("train", "loss").values[0] == pytest.approx((2.043023872 + 1.894867516) / 2)
    assert history.find("train", "loss").aggregation == "window_mean"
    assert history.n_val == 300


def test_skorch_batches_state_the_number_of_validation_rows():
    history = only(LOGS / "skorch_history.json")
    assert history.n_val == 300
    assert history.metrics == ("accuracy",)


def test_validation_0_is_the_training_set_where_it_ends_lower():
    history = only(LOGS / "xgboost_sklearn_evals_result.json")
    assert history.find("train", "mlogloss").values[-1] < history.find("val", "mlogloss").values[-1]
    assert history.loss == "mlogloss"
    assert history.unit == "round"
    assert "validation_0 was taken for the training set" in history.notes[0]


def test_catboost_loss_and_metric_are_told_apart():
    history = only(LOGS / "catboost_get_evals_result.json")
    assert (history.loss, history.metrics) == ("multiclass", ("accuracy",))


def test_torch_loop_states_rows_in_its_configuration():
    assert only(LOGS / "torch_loop_tiny_val.json").n_val == 50


@pytest.mark.parametrize(
    "text",
    [
        "epoch,train_loss,val_loss\n1,0.9,1.0\n2,0.8,0.9\n",
        "epoch;train_loss;val_loss\n1;0,9;1,0\n2;0,8;0,9\n",
        "epoch\ttrain_loss\tval_loss\n1\t0.9\t1.0\n2\t0.8\t0.9\n",
        "\ufeffEpoch, Train Loss, Valid Loss\n1, 0.9, 1.0\n2, 0.8, 0.9\n",
        "epoch,loss/train,loss/val\n1,0.9,1.0\n2,0.8,0.9\n",
        "train_loss,eval_loss,time\n0.9,1.0,00:12\n0.8,0.9,00:11\n",
        '[{"epoch": 1, "train_loss": 0.9, "val_loss": 1.0},'
        ' {"epoch": 2, "train_loss": 0.8, "val_loss": 0.9}]',
        '{"epoch": 1, "train_loss": 0.9, "val_loss": 1.0}\n'
        '{"epoch": 2, "train_loss": 0.8, "val_loss": 0.9}\n',
        '{"epoch": 1, "train_loss": 0.9}\n{"epoch": 1, "val_loss": 1}\n'
        '{"epoch":2,"train_loss": 0.8, "val_loss": 0.9}',
        '[{"train": {"loss": 0.9}, "val": {"loss": 1.0}},'
        ' {"train": {"loss": 0.8}, "val": {"loss": 0.9}}]',
        '{"train_loss": [0.9, 0.8], "val_loss": [1.0, 0.9]}',
        '{"epoch": [1, 2], "train_losses": [0.9, 0.8], "val_losses": [1.0, 0.9]}',
        '{"train": [0.9, 0.8], "val": [1.0, 0.9]}',
        '{"train": {"loss": [0.9, 0.8]}, "val": {"loss": [1.0, 0.9]}}',
        '{"cfg": {"lr": 0.1}, "log": [{"train_loss": 0.9, "val_loss": 1.0},'
        ' {"train_loss": 0.8, "val_loss": 0.9}]}',
    ],
)
def test_plain_logs_of_many_shapes_hold_the_same_curves(tmp_path, text):
    history = only(written(tmp_path, text))
    assert (history.loss, history.unit) == ("loss", "epoch")
    assert history.find("train", "loss").values == (0.9, 0.8)
    assert history.find("val", "loss").values == (1.0, 0.9)
    assert history.epochs == (1, 2)


def test_repeated_training_rows_of_an_epoch_are_averaged(tmp_path):
    text = "epoch,step,train_loss,val_loss\n1,10,1.0,\n1,20,0.5,\n1,20,,0.7\n2,30,0.4,0.6\n"
    history = only(written(tmp_path, text))
    assert history.find("train", "loss").values == (0.75, 0.4)
    assert history.find("val", "loss").values == (0.7, 0.6)


def test_steps_number_the_axis_where_there_are_no_epochs(tmp_path):
    history = only(written(tmp_path, "step,val_loss\n100,1\n200,0.5\n"))
    assert (history.unit, history.epochs) == ("step", (100, 200))


def test_appended_run_that_starts_again_replaces_one_that_learned_nothing(tmp_path):
    text = "epoch,loss,val_loss\n0,9,9\n1,10,9\nepoch,loss,val_loss\n0,9,8\n1,2,2\n"
    history = only(written(tmp_path, text))
    assert history.find("val", "loss").values == (8, 2)
    assert history.restarts == (0,)


def test_second_fit_of_the_same_model_is_numbered_on_with_a_note(tmp_path):
    header = "epoch,loss,val_loss"
    text = f"{header}\n0,9,9\n1,8,8\n{header}\n0,7,6\n1,6,5\n{header}\n0,9,9\n1,5,4\n"
    first, second = read_history(written(tmp_path, text))
    assert (first.epochs, first.find("val", "loss").values) == ((0, 1, 2, 3), (9, 8, 6, 5))
    assert "a further fit of the same model" in first.notes[-1]
    assert (second.epochs, second.find("val", "loss").values) == ((0, 1), (9, 4))
    assert second.notes == ()


def test_second_fit_that_keras_appended_is_numbered_on():
    history = only(LOGS / "2026-11" / "keras_app.csv")
    assert history.epochs == (0, 1, 2, 3)


def test_test_split_stands_in_where_there_is_no_validation(tmp_path):
    history = only(written(tmp_path, "epoch,train_loss,test_loss\n1,2,3\n"))
    assert history.validation_split == "test"


@pytest.mark.parametrize(
    "text, error, message",
    [
        ("", ReadError, "is empty"),
        ("epoch,val_loss\n", ReadError, "a header and no rows"),
        ("epoch,val_loss\n1,0.5\n2\n", ReadError, "row 2 has 1 cells, the header has 2"),
        ("# Title\nSome words\n\nmore, words\n", ReadError, "is no training log"),
        ("id,y,model\n1,a,b\n", SchemaError, "found columns 'id', 'y', 'model'"),
        ("epoch,val_loss\n1,0.5\n2,oops\n", SchemaError, "column 'val_loss' holds 'oops' at row 2"),
        ('[{"val_loss": 0.5}, {"val_lo', ReadError, "is not complete JSON"),
        ('{"val_loss": [0.5, 0.4', ReadError, "is not complete JSON"),
        ('{"val_loss": 0.5}\n{"val_lo', ReadError, "line 2 is not JSON"),
        ("{}", SchemaError, "an empty object"),
        ("[1, 2]", SchemaError, "a list of 2 values"),
        ('{"name": "x", "size": 3}', SchemaError, "keys 'name', 'size'"),
        ('{"val_loss": [0.5, "high"]}', SchemaError, "holds 'high' at row 2"),
        (
            '{"train_loss": [1, 2, 3], "val_loss": [1, 2]}',
            SchemaError,
            "val_loss has 2 values for 3 epochs",
        ),
        ('{"log_history": []}', SchemaError, "no columns"),
    ],
)
def test_unusable_file_is_refused_with_what_it_holds(tmp_path, text, error, message):
    with pytest.raises(error, match=message) as caught:
        read_history(written(tmp_path, text))
    assert "log.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file_and_folder_and_binary_are_refused(tmp_path):
    with pytest.raises(ReadError, match="no such file"):
        read_history(tmp_path / "none.csv")
    with pytest.raises(ReadError, match="is a folder"):
        read_history(tmp_path)
    (tmp_path / "model.bin").write_bytes(b"\x80\x04\xff\xfe\x00")
    with pytest.raises(ReadError, match="cannot be read as a pickle of plain values"):
        read_history(tmp_path / "model.bin")


def test_folder_of_a_checkpoint_is_read_through_its_state(tmp_path):
    (tmp_path / "trainer_state.json").write_text((LOGS / "hf_trainer_state.json").read_text())
    assert only(tmp_path).format == "huggingface"


def test_log_that_grew_is_read_anew(tmp_path):
    path = written(tmp_path, "epoch,val_loss\n1,1.0\n")
    assert len(only(path).epochs) == 1
    path.write_text("epoch,val_loss\n1,1.0\n2,0.9\n")
    assert len(only(path).epochs) == 2


@pytest.mark.parametrize(
    "metric, better",
    [
        ("val_error_rate", "lower"),
        ("mean_absolute_error", "lower"),
        ("mape", "lower"),
        ("map50", "higher"),
        ("top5_acc", "higher"),
        ("average_precision", "higher"),
        ("foo", None),
    ],
)
def test_direction_follows_from_the_name(metric, better):
    assert infer_direction(metric) == better


def test_times_and_rates_are_no_curves(tmp_path):
    row = {
        "epoch": 1,
        "val_loss": 1.0,
        "eval_runtime": 3.0,
        "learning_rate": 0.1,
        "val_loss_best": True,
        "val_note": "x",
    }
    history = only(written(tmp_path, json.dumps([row])))
    assert [s.metric for s in history.series] == ["loss"]


def hostile_places(folder):
    """Files and folders that are no log, of names that look like one."""
    contents = {
        "binary.csv": b"\x80\x04\xff\xfe\x00epoch,loss",
        "nul.json": b'{"loss": [1]}\x00',
        "empty.json": b"",
        "cut.json": b'[{"val_loss": 0.5}, {"val_lo',
        "deep.json": b"[" * 100_000,
        "quote.csv": b'"name,size\n1,2\n',
        "blank.tsv": b"\n\n",
        "events.json": b"{}",
        "scalar.json": b"[3]",
        "utf16.csv": "epoch,loss\n1,2\n".encode("utf-16"),
        "wide.csv": b"x," * 50_000 + b"\n",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / "metrics.csv").mkdir()
    (folder / "broken").symlink_to(folder / "nowhere")
    return [folder, *folder.iterdir(), folder / "missing"]


@pytest.mark.parametrize("name", READERS.names())
def test_no_reader_raises_on_what_is_no_log_nor_takes_it(tmp_path, name):
    matching = [place for place in hostile_places(tmp_path) if READERS[name]().matches(place)]
    assert matching == []


@pytest.fixture
def plug_in():
    """A reader of a binary format, registered for the time of one test."""

    with READERS.isolate():

        @dataclass(frozen=True)
        class Packed(Reader):
            name = "packed"

            def matches(self, place):
                return place.is_file() and place.read_bytes()[:2] == b"\x89P"

            def read(self, place):
                losses = struct.unpack("3d", place.read_bytes()[2:])
                return [History.from_lists(val_loss=losses, name=place.stem)]

        yield Packed


def write_packed(path):
    path.write_bytes(b"\x89P" + struct.pack("3d", 0.9, 0.7, 0.8))
    return path


def test_plug_in_for_a_binary_log_is_asked(tmp_path, plug_in):
    history = only(write_packed(tmp_path / "run.bin"))
    assert history.find("val", "loss").values == (0.9, 0.7, 0.8)


def test_more_specific_plug_in_goes_before_a_built_in_reader(tmp_path, plug_in):
    assert isinstance(find_reader(write_packed(tmp_path / "run.csv")), plug_in)


def test_runs_below_a_folder_are_named_by_their_place(tmp_path):
    text = "epoch,loss,val_loss\n0,3,3\n1,2,2\n"
    for place in ("a/log.csv", "b/deep/log.csv", ".hidden/log.csv"):
        written(tmp_path, text, place)
    written(tmp_path, "epoch,step,loss,val_loss\n0,1,3,\n0,1,,3\n", "c/version_0/metrics.csv")
    written(tmp_path, "y,m.score\n1,0.5\n", "predictions.csv")
    written(tmp_path, '{"hidden_size": 3, "labels": ["a"]}', "config.json")
    histories = read_history(tmp_path)
    assert [(h.name, h.format) for h in histories] == [
        ("a/log", "keras_csv"),
        ("b/deep/log", "keras_csv"),
        ("c/version_0", "lightning"),
    ]


def test_places_that_differ_by_suffix_alone_are_named_with_it(tmp_path):
    written(tmp_path, "epoch,val_loss\n1,3\n2,2\n", "a/log.csv")
    written(tmp_path, '[{"epoch": 1, "val_loss": 3}, {"epoch": 2, "val_loss": 2}]', "a/log.json")
    assert [h.name for h in read_history(tmp_path)] == ["a/log.csv", "a/log.json"]


def test_last_checkpoint_stands_for_the_run(tmp_path):
    state = (LOGS / "hf_trainer_state.json").read_text()
    for step in (80, 120, 1000):
        written(tmp_path, state, f"run/checkpoint-{step}/trainer_state.json")
    assert [h.name for h in read_history(tmp_path)] == ["run/checkpoint-1000"]


def test_place_that_cannot_be_read_is_left_out_with_a_note(tmp_path):
    written(tmp_path, "epoch,val_loss\n1,3\n2,2\n", "good.csv")
    written(tmp_path, "epoch,val_loss\n", "started.csv")
    runs = read_runs(tmp_path)
    assert [h.name for h in runs.histories] == ["good"]
    assert len(runs.notes) == 1
    assert "started.csv has a header and no rows" in runs.notes[0]


def test_folder_of_unreadable_logs_alone_is_an_error(tmp_path):
    written(tmp_path, "epoch,val_loss\n", "started.csv")
    with pytest.raises(ReadError, match=r"started\.csv has a header and no rows"):
        read_history(tmp_path)


def test_link_to_a_folder_above_is_not_followed(tmp_path):
    written(tmp_path, "epoch,val_loss\n1,3\n", "run/log.csv")
    (tmp_path / "run" / "again").symlink_to(tmp_path)
    assert [h.name for h in read_history(tmp_path)] == ["run/log"]


def test_following_a_log_gives_the_later_epochs_alone(tmp_path):
    place = written(tmp_path, "epoch,loss,val_loss\n0,5,6\n1,4,5\n2,3,\n")
    reader = find_reader(place)
    news = reader.follow(place, since=1)
    assert [(s.split, s.epochs, s.values) for s in news.series] == [("train", (2,), (3,))]
    assert reader.follow(place, since=2).series == ()


def test_split_is_read_before_or_after_the_metric():
    assert parse_curve_name("accuracy_train") == ("train", "accuracy")
    assert parse_curve_name("epoch_val_loss") == ("val", "loss")
    assert parse_curve_name("train_loss_epoch") == ("train", "loss")


@pytest.mark.parametrize(
    "name, log",
    [
        ("keras_csv", "keras_csvlogger_valfreq2_append.csv"),
        ("keras_json", "keras_history_valfreq2.json"),
        ("json", "torch_loop_tiny_val.json"),
        ("lightning", "lightning_csvlogger_metrics.csv"),
        ("huggingface", "hf_trainer_state.json"),
        ("skorch", "skorch_history.json"),
        ("boosting", "lightgbm_record_evaluation.json"),
        ("tensorboard", "tensorboard_restart"),
        ("tensorboard", "keras_tensorboard"),
    ],
)
def test_reader_keeps_the_laws_of_its_family(name, log):
    check_reader(name, LOGS / log)


def test_reader_of_plain_tables_keeps_the_laws_of_its_family(tmp_path):
    check_reader("csv", written(tmp_path, "step,train_loss,val_loss\n1,0.9,1.0\n2,0.8,0.9\n"))
