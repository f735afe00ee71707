"""Each logger by a log that it wrote itself; those of the README of tests/histories as it says."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from assay.diagnosis.baseline import find_baseline
from assay.diagnosis.diagnose import diagnose
from assay.errors import ReadError, SchemaError
from assay.readers.base import READERS
from assay.readers.history import History
from assay.readers.read_history import read_history
from assay.testing import check_reader

HISTORIES = Path(__file__).parents[1] / "histories"
LOGS = HISTORIES / "loggers"
NOVEMBER = HISTORIES / "2026-11"
TRAIN = (0.9, 0.6, 0.4, 0.3, 0.2, 0.1)
VAL = (1.0, 0.8, 0.7, 0.75, 0.85, 0.95)


def only(path) -> History:
    (history,) = read_history(path)
    return history


def list_curves(history):
    return {(s.split, s.metric, len(s.values)) for s in history.series}


def write(folder, name, text):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


DETECTION = {"loss", "box_loss", "cls_loss", "dfl_loss", "fitness"} | {
    f"{name}_b" for name in ("precision", "recall", "map50", "map50_95")
}
KINDS = ("detect", "classify")
CLASSIFICATION = {"loss", "accuracy_top1", "accuracy_top5", "fitness"}
# Each log with its reader, what its axis counts, and its curves: split, metric, number of values.
WRITTEN = [
    ("trainHistoryDict", "keras_json", "epoch", 15, {"loss", "accuracy"}),
    ("keras_history.npy", "keras_json", "epoch", 15, {"loss", "accuracy"}),
    ("fastai.csv", "fastai", "epoch", 12, {"loss", "accuracy"}),
    ("timm/summary.csv", "csv", "epoch", 25, {"loss", "top1", "top5"}),
    ("mmengine_scalars.json", "mmengine", "epoch", 8, {"top1"}),
    ("speechbrain_train_log.txt", "console", "epoch", 25, {"loss", "error"}),
    ("ray/trial_0", "ray_tune", "iteration", 8, {"loss", "accuracy"}),
    ("ray/trial_0/progress.csv", "ray_tune", "iteration", 8, {"loss", "accuracy"}),
    ("sb3/progress.csv", "stable_baselines3", "step", 8, {"mean_reward"}),
    ("sb3/monitor.csv", "stable_baselines3", "step", 77, {"mean_reward"}),
    ("sb3/evaluations.npz", "stable_baselines3", "step", 8, {"mean_reward"}),
    ("sklearn_staged.json", "keras_json", "epoch", 60, {"log_loss"}),
    ("xgboost_console.txt", "console", "round", 30, {"logloss"}),
    ("lightgbm_console.txt", "console", "round", 20, {"binary_logloss"}),
    ("catboost_console.txt", "catboost_console", "iteration", 13, {"loss"}),
    ("clearml_metrics.jsonl", "clearml", "step", 6, {"loss"}),
    ("dvclive", "dvclive", "step", 6, {"loss"}),
    ("offline.wandb", "wandb", "epoch", 7, {"loss"}),
    ("lightning_logs/version_0", "lightning", "epoch", 10, {"loss"}),
    ("hf_best_evaluated", "huggingface", "epoch", 5, {"loss"}),
    ("allennlp", "allennlp", "epoch", 20, {"loss", "accuracy"}),
    ("fairseq_simple.log", "fairseq", "epoch", 24, {"loss", "ppl"}),
    ("fairseq_json.log", "fairseq", "epoch", 24, {"loss", "ppl"}),
    ("fairseq_updates.log", "fairseq", "step", 24, {"loss", "ppl"}),
    ("fairseq_test_set.log", "fairseq", "epoch", 6, {"loss", "ppl"}),
    ("nnunet/fold_0", "nnunet", "epoch", 8, {"loss", "dice", "ema_dice"}),
    ("ultralytics_detect.csv", "ultralytics", "epoch", 40, DETECTION),
    ("ultralytics_classify.csv", "ultralytics", "epoch", 12, CLASSIFICATION),
]


@pytest.mark.parametrize("log, reader, unit, length, metrics", WRITTEN)
def test_log_is_read_by_its_reader_with_its_validation_curves(log, reader, unit, length, metrics):
    history = only(LOGS / log)
    validation = [s for s in history.series if s.split == "val"]
    assert (history.format, history.unit) == (reader, unit)
    assert {s.metric for s in validation} == metrics
    assert {len(s.values) for s in validation} == {length}


@pytest.mark.parametrize("log, reader", [(log, reader) for log, reader, *_ in WRITTEN])
def test_reader_keeps_the_laws_of_its_family_on_what_the_logger_wrote(log, reader):
    check_reader(reader, LOGS / log)


@pytest.mark.parametrize(
    "log, reader", [("mlflow.db", "mlflow"), ("trackio.db", "trackio"), ("optuna.db", "optuna")]
)
def test_store_keeps_the_laws_of_readers(log, reader):
    check_reader(reader, LOGS / log)


def test_each_run_of_an_mlflow_store_is_a_history_and_nan_and_inf_are_what_they_were():
    good, diverged = read_history(LOGS / "mlflow.db")
    assert (good.name, diverged.name) == ("mlflow/good", "mlflow/diverged")
    assert good.find("val", "loss").values == VAL
    assert math.isnan(diverged.find("train", "loss").values[-1])
    assert diverged.find("val", "loss").values[-1] == math.inf


def test_mlflow_folder_is_read_and_a_value_of_an_earlier_step_at_its_end_does_not_hide_nan():
    history = only(HISTORIES / "mlflow_filestore_metrics")
    val = history.find("val", "loss")
    assert (history.format, val.epochs) == ("mlflow", tuple(range(1, 14)))
    assert math.isnan(val.values[-1])
    assert "the last point of val_loss" in history.notes[0]


def test_mlflow_run_is_named_as_its_folder_says(tmp_path):
    run = tmp_path / "mlruns" / "0" / "abc"
    shutil.copytree(HISTORIES / "mlflow_filestore_metrics", run / "metrics")
    write(run, "meta.yaml", "run_id: abc\nrun_name: bold-fox\n")
    write(run, "metrics/system/disk", "1795365115366 5.0 1\n")
    assert only(run).name == "bold-fox"
    assert [h.name for h in read_history(tmp_path)] == ["mlruns/0/abc"]


def test_runs_of_trackio_keep_nan_that_the_store_holds_as_text():
    first, second = read_history(LOGS / "trackio.db")
    assert (first.name, second.name) == ("trackio/first", "trackio/second")
    assert first.find("train", "loss").values[:6] == TRAIN
    assert math.isnan(first.find("train", "loss").values[6])


def test_offline_run_of_wandb_holds_inner_names_and_nan():
    history = only(LOGS / "offline.wandb")
    assert history.name == "red"
    assert history.find("val", "loss").values == (*VAL, math.inf)
    assert math.isnan(history.find("train", "loss").values[6])
    assert history.steps[:2] == ((0, 0), (1, 1))


def test_trials_of_optuna_are_runs_of_what_they_reported():
    runs = read_history(LOGS / "optuna.db")
    assert [run.name for run in runs] == [f"optuna/digits/trial {i}" for i in range(3)]
    assert runs[0].find("val", "loss").values == VAL
    assert len(runs[2].find("val", "loss").values) == 4


def test_clearml_that_writes_nan_as_0_is_remarked_on():
    history = only(NOVEMBER / "clearml_offline_metrics.jsonl")
    assert 0.0 in history.find("train", "loss").values
    assert "ClearML writes nan and inf as 0" in history.notes[-1]


def test_clearml_archive_is_read_as_its_file(tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "session.zip", "w") as archive:
        archive.write(LOGS / "clearml_metrics.jsonl", "metrics.jsonl")
    assert only(tmp_path / "session.zip").find("val", "loss").values == VAL


def test_two_tables_of_a_trial_of_ray_are_one_run():
    assert [h.name for h in read_history(LOGS / "ray")] == ["trial_0", "trial_1"]


def test_losses_of_an_agent_are_not_read():
    history = only(LOGS / "sb3" / "progress.csv")
    assert history.loss is None
    assert history.find("val", "mean_reward").better == "higher"
    assert history.find("val", "mean_reward").epochs[-1] == 4096


def test_metrics_of_fastai_are_of_validation():
    history = only(LOGS / "fastai.csv")
    assert list_curves(history) == {
        ("train", "loss", 12),
        ("val", "loss", 12),
        ("val", "accuracy", 12),
    }


def test_validation_by_epoch_of_mmengine_is_placed_at_its_epoch():
    history = only(LOGS / "mmengine_scalars.json")
    assert history.find("val", "top1").epochs == tuple(range(1, 9))
    assert history.find("train", "loss").epochs == tuple(range(1, 9))


def test_validation_by_iteration_of_mmengine_is_placed_at_its_iteration(tmp_path):
    time = {"time": 0.1, "data_time": 0.1}
    rows = [
        {"loss": 3.0, "iter": 50, "step": 50, **time},
        {"mIoU": 40.0, "step": 50, **time},
        {"loss": 2.0, "iter": 100, "step": 100, **time},
        {"mIoU": 50.0, "step": 100, **time},
    ]
    history = only(write(tmp_path, "scalars.json", "\n".join(map(json.dumps, rows))))
    assert history.unit == "iteration"
    assert history.find("val", "miou").epochs == (50, 100)


def test_validation_after_training_is_no_epoch_of_lightning():
    for version in (0, 1):
        history = only(LOGS / "lightning_logs" / f"version_{version}")
        assert history.find("val", "loss").epochs == tuple(range(10))
        assert "measured once more after training" in history.notes[-1]
        assert history.steps[0] == (0, 1)


def test_versions_of_lightning_are_runs():
    runs = read_history(LOGS / "lightning_logs")
    assert [run.name for run in runs] == ["version_0", "version_1"]


def test_loss_rows_that_state_a_run_time_are_no_closing_record_of_the_trainer():
    history = only(LOGS / "hf_best_evaluated")
    assert len(history.find("train", "loss").values) == 5
    assert history.tokens[-1] == (5, 2400)


def test_best_weights_evaluated_after_training_do_not_replace_the_last_epoch():
    history = only(LOGS / "hf_best_evaluated")
    state = json.loads((LOGS / "hf_best_evaluated" / "trainer_state.json").read_text())
    losses = [r["eval_loss"] for r in state["log_history"] if "eval_loss" in r]
    assert history.find("val", "loss").values == tuple(losses[:-1])
    assert losses[-1] == state["best_metric"]
    assert history.monitor == "loss"


def test_checkpoints_on_disk_alone_are_named():
    history = only(LOGS / "hf_best_evaluated")
    assert history.checkpoints == ((3.0, "checkpoint-18"), (5.0, "checkpoint-30"))
    assert history.find_checkpoint(3) == "checkpoint-18"
    assert history.find_checkpoint(4) is None
    assert history.find_step(4) == 24


def test_first_of_several_evaluation_sets_of_the_trainer_is_judged():
    (history,) = read_history(LOGS / "hf_two_sets")
    assert history.name == "checkpoint-30"
    assert (history.loss, history.metrics, history.n_val) == ("loss", ("far_loss",), 60)
    assert len(history.find("train", "loss").values) == 5


def test_printed_metric_of_catboost_whose_best_value_grows_is_a_score(tmp_path):
    line = "{}:\tlearn: {}\ttest: {}\tbest: {} ({})\ttotal: 1ms\tremaining: 1ms\n"
    rows = [(0, 0.5, 0.5, 0.5, 0), (1, 0.75, 0.625, 0.625, 1), (2, 0.875, 0.5, 0.625, 1)]
    history = only(write(tmp_path, "out.txt", "".join(line.format(*row) for row in rows)))
    score = history.find("val", "score")
    assert (score.better, score.values) == ("higher", (0.5, 0.625, 0.5))


def test_metrics_of_allennlp_lie_in_a_file_an_epoch(tmp_path):
    for epoch, (train, val) in enumerate(zip(TRAIN, VAL, strict=True)):
        row = {"epoch": epoch, "training_loss": train, "validation_loss": val}
        row |= {"best_epoch": 0, "best_validation_loss": 0.1, "training_duration": "0:01"}
        write(tmp_path, f"run/metrics_epoch_{epoch}.json", json.dumps(row))
    write(tmp_path, "run/metrics.json", json.dumps(row))
    write(tmp_path, "run/model_state_epoch_2.th", "")
    (history,) = read_history(tmp_path)
    assert (history.name, history.format) == ("run", "allennlp")
    assert history.find("val", "loss").values == VAL
    assert history.find_checkpoint(2) == "model_state_epoch_2.th"
    check_reader("allennlp", tmp_path / "run")


def test_weights_of_allennlp_are_numbered_by_the_epoch_that_comes_next():
    history = only(LOGS / "allennlp")
    assert history.checkpoints == (
        (17.0, "model_state_e18_b0.th"),
        (18.0, "model_state_e19_b0.th"),
        (19.0, "model_state_e20_b0.th"),
    )


def test_validation_sets_of_fairseq_that_are_not_judged_keep_their_names():
    history = only(LOGS / "fairseq_two_sets.log")
    assert history.find("val", "loss").values[0] == 3.839
    assert history.find("test", "loss").values[0] == 3.851


def test_only_validation_set_of_fairseq_is_judged_whatever_its_name():
    named_test, judged = only(LOGS / "fairseq_two_sets.log"), only(LOGS / "fairseq_test_set.log")
    assert judged.find("val", "loss").values == named_test.find("test", "loss").values


def test_further_validation_set_of_fairseq_with_a_name_of_its_own_is_a_metric(tmp_path):
    text = (LOGS / "fairseq_two_sets.log").read_text().replace("| test |", "| far |")
    history = only(write(tmp_path, "run.log", text))
    assert history.metrics == ("ppl", "loss_far", "ppl_far")
    assert history.loss == "loss"


def find_chance(history, n_classes):
    known = replace(history, n_classes=n_classes)
    return find_baseline(known, known.find("val", "loss"), None)[0]


def test_number_of_classes_is_a_baseline_in_bits_where_the_loss_is():
    assert find_chance(only(LOGS / "fairseq_simple.log"), 24) == pytest.approx(math.log2(24))


def test_loss_in_nats_with_its_perplexity_keeps_a_baseline_in_nats():
    perplexities = [math.exp(loss) for loss in VAL]
    history = History.from_lists(val_loss=VAL, val_perplexity=perplexities)
    assert find_chance(history, 3) == pytest.approx(math.log(3))


def test_dice_of_nnunet_is_the_mean_of_the_classes_that_are_there(tmp_path):
    log = (LOGS / "nnunet" / "fold_0" / "training_log_2026_11_30_20_11_30.txt").read_text()
    lost = log.replace("[np.float32(0.1829), np.float32(0.5506)]", "[nan, np.float32(0.5506)]")
    history = only(write(tmp_path, "training_log_2026_1_2_3_04_05.txt", lost))
    assert history.find("val", "dice").values[:2] == (0.5506, pytest.approx(0.4567))
    check_reader("nnunet", tmp_path)


def test_fold_of_nnunet_that_was_started_again_is_one_run_with_the_average_that_it_printed():
    history = only(LOGS / "nnunet" / "fold_0")
    assert history.restarts == (4.0,)
    printed = (0.182, 0.1853, 0.1938, 0.2101, 0.2258, 0.2489, 0.2786, 0.2979)
    assert history.find("val", "ema_dice").values == pytest.approx(printed, abs=1e-4)
    assert history.monitor == "ema_dice"


def test_logs_of_nnunet_go_by_time_though_months_and_days_have_one_digit_or_two(tmp_path):
    fold = LOGS / "nnunet" / "fold_0"
    first, second = sorted(fold.iterdir())
    shutil.copy(first, tmp_path / "training_log_2026_9_30_20_09_14.txt")
    shutil.copy(second, tmp_path / "training_log_2026_11_1_20_11_30.txt")
    assert only(tmp_path).series == only(fold).series


def test_fitness_of_ultralytics_is_that_by_which_it_chooses_the_best_weights():
    detected, classified = (only(LOGS / f"ultralytics_{kind}.csv") for kind in KINDS)
    assert (detected.monitor, classified.monitor) == ("fitness", "fitness")
    fitness = detected.find("val", "fitness").values
    assert fitness == detected.find("val", "map50_95_b").values
    top1 = classified.find("val", "accuracy_top1").values
    means = [(value + 1) / 2 for value in top1]
    assert classified.find("val", "fitness").values == pytest.approx(means)


def test_fitness_of_boxes_and_masks_is_the_sum_of_both_and_of_yolov5_weighted(tmp_path):
    masks = (
        "epoch,val/box_loss,metrics/mAP50-95(B),metrics/mAP50-95(M)\n1,3,0.25,0.5\n2,2,0.5,0.5\n"
    )
    history = only(write(tmp_path, "a/results.csv", masks))
    assert history.find("val", "fitness").values == (0.75, 1.0)
    old = "epoch,val/box_loss,metrics/mAP_0.5,metrics/mAP_0.5:0.95\n0,3,0.5,0.25\n1,2,1.0,0.5\n"
    history = only(write(tmp_path, "b/results.csv", old))
    assert history.find("val", "fitness").values == pytest.approx((0.275, 0.55))


def test_evaluations_that_detectron2_writes_late_are_no_restart():
    history = only(LOGS / "detectron2_metrics.json")
    assert history.find("val", "bbox_ap").epochs == (29, 59, 89, 119, 149, 179, 209, 240)
    assert history.find("train", "total_loss").epochs == tuple(range(19, 240, 20))
    assert history.restarts == ()
    check_reader("detectron2", LOGS / "detectron2_metrics.json")


def test_training_of_detectron2_that_was_resumed_is_a_restart(tmp_path):
    lines = (LOGS / "detectron2_metrics.json").read_text().splitlines()
    text = "\n".join(lines + lines[-3:])
    folder = write(tmp_path, "run/metrics.json", text).parent
    history = only(folder)
    assert (history.name, len(history.restarts)) == ("run", 1)


def test_runs_of_aim_are_read_closed_continued_or_killed():
    runs = {history.name: history for history in read_history(LOGS / "aim")}
    assert runs.keys() == {"aim/closed", "aim/continued", "aim/killed"}
    closed = runs["aim/closed"]
    assert closed.find("val", "loss").values[:6] == VAL
    assert math.isnan(closed.find("val", "loss").values[6])
    assert (closed.unit, closed.steps[:2]) == ("epoch", ((1, 10), (2, 20)))
    assert runs["aim/continued"].find("train", "loss").values == TRAIN
    killed = runs["aim/killed"].find("val", "loss")
    assert killed.values == tuple(1 / (step + 1) for step in range(30))


def test_hidden_repository_of_aim_is_found_below_a_folder_beside_other_logs(tmp_path):
    shutil.copytree(LOGS / "aim", tmp_path / "project" / ".aim")
    shutil.copy(LOGS / "fastai.csv", tmp_path / "project" / "history.csv")
    names = {history.name for history in read_history(tmp_path)}
    assert names >= {"project/.aim/closed", "project/history"}
    check_reader("aim", tmp_path / "project" / ".aim")


def test_damaged_repository_of_aim_is_refused_in_one_line_and_a_cut_log_is_read(tmp_path):
    place = shutil.copytree(LOGS / "aim", tmp_path / "aim")
    table = max(place.glob("seqs/chunks/*/*.sst"), key=lambda path: path.stat().st_size)
    table.write_bytes(table.read_bytes()[:-60])
    with pytest.raises(ReadError, match=r"\.sst cannot be read as a table of RocksDB"):
        read_history(place)
    place = shutil.copytree(LOGS / "aim", tmp_path / "cut")
    log = max(place.glob("seqs/chunks/*/*.log"), key=lambda path: path.stat().st_size)
    log.write_bytes(log.read_bytes()[:-20000])
    killed = next(h for h in read_history(place) if h.name == "cut/killed")
    assert 10 < len(killed.find("val", "loss").values) < 30


# The verdict that follows from how each run was made: few rows learned by heart, or stopped early.
VERDICTS = {
    "allennlp": ("overfit", 0),
    "fairseq_simple.log": ("overfit", 5),
    "fairseq_json.log": ("overfit", 5),
    "nnunet/fold_0": ("still_improving", 7),
    "detectron2_metrics.json": ("inconclusive", 240),
    "ultralytics_detect.csv": ("still_improving", 38),
}


@pytest.mark.parametrize("log", VERDICTS)
def test_run_gets_the_verdict_that_it_was_made_for(log):
    run = diagnose(only(LOGS / log)).runs[0]
    assert (run.status, run.best_epoch) == VERDICTS[log]


# What the README of the folder says of each log: reader, axis, then length of the loss by split.
EXPECTED = {
    "cat_period20.json": ("boosting", "round", {"train": 21, "val": 21}),
    "catboost_info_period20": ("catboost_info", "iteration", {"train": 21, "val": 21}),
    "catboost_info_ci": ("catboost_info", "iteration", {"train": 6, "val": 6}),
    "catboost_info_ci2": ("catboost_info", "iteration", {"train": 2, "val": 2}),
    "catboost_info_ci3": ("catboost_info", "iteration", {"train": 10, "val": 10}),
    "catboost_info_es": ("catboost_info", "iteration", {"train": 4, "val": 4}),
    "cb_cv.csv": ("csv", "iteration", {"train": 200, "test": 200}),
    "dvclive": ("dvclive", "step", {"train": 1}),
    "hf_1proc_trainer_state.json": ("huggingface", "epoch", {"train": 8, "val": 8}),
    "hf_2proc_trainer_state.json": ("huggingface", "epoch", {"train": 8, "val": 8}),
    "hf_accum1_8ep_trainer_state.json": ("huggingface", "epoch", {"train": 8, "val": 8}),
    "hf_accum2_eval_on_start_trainer_state.json": ("huggingface", "epoch", {"train": 3, "val": 4}),
    "hf_accum4_8ep_trainer_state.json": ("huggingface", "epoch", {"train": 8, "val": 8}),
    "hf_early_stopped_trainer_state.json": ("huggingface", "epoch", {"val": 2}),
    "hf_resumed_trainer_state.json": ("huggingface", "epoch", {"train": 4, "val": 4}),
    "keras_app.csv": ("keras_csv", "epoch", {"train": 4, "val": 4}),
    "keras_bk.csv": ("keras_csv", "epoch", {"train": 2, "val": 2}),
    "keras_late.csv": ("keras_csv", "epoch", {"train": 3}),
    "keras_lr.csv": ("keras_csv", "epoch", {"train": 2, "val": 2}),
    "keras_multi.csv": ("keras_csv", "epoch", {"train": 1, "val": 1}),
    "keras_nan.csv": ("keras_csv", "epoch", {"train": 4}),
    "keras_noval.csv": ("keras_csv", "epoch", {"train": 3}),
    "keras_tnan.csv": ("keras_csv", "epoch", {"train": 1, "val": 1}),
    "keras_vf2.csv": ("keras_csv", "epoch", {"train": 5, "val": 2}),
    "lgb_cv.json": ("keras_json", "round", {"train": 100, "val": 100}),
    "lgb_skl.json": ("boosting", "round", {"train": 150, "val": 150}),
    "lgb_skl_copy.json": ("boosting", "round", {"train": 150, "val": 150}),
    "lightning_a.csv": ("lightning", "epoch", {"train": 2, "val": 2}),
    "lightning_b.csv": ("lightning", "epoch", {"train": 3, "val": 3}),
    "lightning_c.csv": ("lightning", "epoch", {"train": 2, "val": 2}),
    "lightning_d.csv": ("lightning", "epoch", {"train": 2, "val": 2}),
    "lightning_check_val_every_2.csv": ("lightning", "epoch", {"train": 6, "val": 3}),
    "lightning_one_epoch_val_check_interval.csv": ("lightning", "step", {"train": 50, "val": 10}),
    "lightning_val_on_step_False.csv": ("lightning", "epoch", {"train": 12, "val": 12}),
    "lightning_val_on_step_True.csv": ("lightning", "epoch", {"train": 12, "val": 12}),
    "loop_epoch_step_repeated.csv": ("csv", "step", {"train": 8, "val": 8}),
    "loop_epoch_step_repeated.jsonl": ("json", "step", {"train": 8, "val": 8}),
    "mmengine_scalars.json": ("json", "step", {"train": 2}),
    "ngboost_evals.json": ("boosting", "round", {"train": 400, "val": 400}),
    "ray_tune_progress.csv": ("ray_tune", "iteration", {"train": 4}),
    "ray_tune_result.json": ("ray_tune", "iteration", {"train": 4}),
    "sklearn_hgb_negative_loss.json": ("keras_json", "epoch", {"train": 101, "val": 101}),
    "sklearn_mlp.json": ("keras_json", "epoch", {"train": 60}),
    "skorch_partial_fit.json": ("skorch", "epoch", {"train": 4, "val": 4}),
    "tabnet_history.json": ("keras_json", "epoch", {"train": 25, "val": 25}),
    "tb_a": ("tensorboard", "step", {"train": 3}),
    "tb_b": ("tensorboard", "step", {"train": 8}),
    "tb_c": ("tensorboard", "step", {"train": 8}),
    "trl_sft_trainer_state.json": ("huggingface", "epoch", {"train": 1, "val": 1}),
    "xgb_cv.csv": ("csv", "round", {"train": 100, "test": 100}),
    "xgb_cv_index.csv": ("csv", "round", {"train": 100, "test": 100}),
    "xgb_cv.json": ("json", "round", {"train": 100, "test": 100}),
    "xgb_cv_list.json": ("keras_json", "round", {"train": 100, "test": 100}),
    "xgb_val_then_train.json": ("boosting", "round", {"train": 150, "val": 150}),
}


@pytest.mark.parametrize("log", EXPECTED)
def test_log_of_november_is_read_as_its_readme_says(log):
    history = only(NOVEMBER / log)
    reader, unit, lengths = EXPECTED[log]
    assert (history.format, history.unit) == (reader, unit)
    losses = {s.split: len(s.values) for s in history.series if s.metric in _name_losses(history)}
    assert losses == lengths


def _name_losses(history):
    return {history.loss} if history.loss else {"loss"}


def test_spread_of_cross_validation_is_no_metric():
    for log in ("xgb_cv.csv", "lgb_cv.json", "cb_cv.csv"):
        assert only(NOVEMBER / log).metrics == ()


def test_validation_set_that_xgboost_numbers_first_is_told_by_where_it_ends():
    history = only(NOVEMBER / "xgb_val_then_train.json")
    assert min(history.find("val", "logloss").values) == pytest.approx(0.594, abs=1e-3)
    assert history.find("val", "logloss").values[-1] == pytest.approx(0.942, abs=1e-3)
    assert history.find("train", "logloss").values[-1] == pytest.approx(0.016, abs=1e-3)


def test_catboost_curves_that_were_thinned_are_left_out_with_a_note_that_names_the_folder():
    history = only(NOVEMBER / "cat_es.json")
    assert len(history.find("val", "auc").values) == 63
    assert "give the folder catboost_info" in history.notes[0]


def test_plain_column_of_catboost_is_of_the_last_evaluation_set():
    table = (NOVEMBER / "catboost_info_ci3" / "test_error.tsv").read_text().splitlines()
    last = table[0].split("\t").index("Logloss")
    values = [float(row.split("\t")[last]) for row in table[1:]]
    assert only(NOVEMBER / "catboost_info_ci3").find("val", "logloss").values == tuple(values)


def test_zero_loss_of_a_diverged_trainer_is_nan():
    for name in ("hf_diverged_epoch3", "hf_diverged_from_first_epoch"):
        history = only(NOVEMBER / f"{name}_trainer_state.json")
        assert math.isnan(history.find("train", "loss").values[-1])
        assert math.isnan(history.find("val", "loss").values[-1])


def test_evaluation_before_training_is_epoch_0():
    history = only(NOVEMBER / "hf_accum2_eval_on_start_trainer_state.json")
    assert history.find("val", "loss").epochs[0] == 0


def test_partial_fit_of_skorch_goes_on():
    assert only(NOVEMBER / "skorch_partial_fit.json").epochs == (1, 2, 3, 4)


def test_nan_of_skorch_is_kept():
    assert math.isnan(only(NOVEMBER / "skorch_nan.json").find("train", "loss").values[-1])


def test_purged_steps_of_tensorboard_are_void():
    restarted, purged = only(NOVEMBER / "tb_b"), only(NOVEMBER / "tb_c")
    assert restarted.restarts == (3,)
    assert purged.restarts == ()
    assert restarted.find("train", "loss").epochs == tuple(range(8))


def test_scores_of_scikit_learn_are_the_better_the_higher():
    history = only(NOVEMBER / "sklearn_hgb_scores.json")
    assert (history.loss, history.metrics) == (None, ("score",))
    assert history.find("val", "score").better == "higher"


def test_curves_of_cross_validation_are_said_to_be_means_over_folds():
    for log in ("xgb_cv.csv", "lgb_cv.json", "cb_cv.csv"):
        notes = only(NOVEMBER / log).notes
        assert [note for note in notes if note.startswith("the curves are means over folds")]


@pytest.mark.parametrize("log", ["sb3_progress_restart.csv"])
def test_log_of_an_agent_without_rewards_is_read_by_its_losses(log):
    assert [s.metric for s in only(NOVEMBER / log).series] == ["b_loss"]


def test_rewards_of_a_monitor_are_numbered_by_the_steps_taken():
    history = only(NOVEMBER / "sb3_monitor.csv")
    assert history.find("val", "mean_reward").epochs[:3] == (11, 20, 29)


def test_folder_of_logs_of_all_loggers_is_read_whole():
    histories = read_history(LOGS)
    assert len({history.name for history in histories}) == len(histories)
    assert {history.format for history in histories} >= {
        reader for _, reader, *_ in WRITTEN if reader != "wandb"
    }


def test_store_without_curves_says_so(tmp_path):
    import sqlite3

    path = tmp_path / "store.db"
    with sqlite3.connect(path) as store:
        store.execute("CREATE TABLE metrics (run_name TEXT, step INTEGER, metrics TEXT)")
    store.close()
    with pytest.raises(SchemaError, match="no run in this Trackio store logged"):
        read_history(path)


def test_every_reader_has_a_log_in_the_tests():
    tested = {reader for _, reader, *_ in WRITTEN} | {reader for reader, *_ in EXPECTED.values()}
    elsewhere = {"mlflow", "trackio", "optuna", "aim", "detectron2"}
    elsewhere |= {"long_table", "tensorboard_csv"}
    assert set(READERS.names()) <= tested | elsewhere | {"training_log"}


def test_page_on_training_logs_lists_every_reader():
    page = (HISTORIES.parents[1] / "docs" / "training-logs.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| ") and line.endswith("` |")]
    listed = {row.rstrip(" |").rpartition("`")[0].rpartition("`")[2] for row in rows}
    assert listed == set(READERS.names())


def test_event_files_that_the_trainer_writes_beside_its_state_are_no_second_run(tmp_path):
    shutil.copytree(LOGS / "hf_two_sets", tmp_path / "out")
    shutil.copytree(HISTORIES / "tensorboard_restart", tmp_path / "out" / "runs" / "Nov30_host")
    shutil.copytree(HISTORIES / "tensorboard_restart", tmp_path / "runs" / "other")
    names = [history.name for history in read_history(tmp_path)]
    assert names == ["out/checkpoint-30", "runs/other"]


def test_table_of_ultralytics_goes_before_the_event_files_of_its_folder(tmp_path):
    run = tmp_path / "detect" / "train"
    shutil.copytree(NOVEMBER / "tb_a", run)
    header = "epoch,train/box_loss,metrics/mAP50(B),metrics/mAP50-95(B),val/box_loss"
    write(run, "results.csv", f"{header}\n1,3,0.5,0.25,4\n2,2,0.75,0.5,5\n")
    for place in (run, tmp_path):
        (history,) = read_history(place)
        assert (history.format, history.name.rpartition("/")[2]) == ("ultralytics", "train")
    check_reader("ultralytics", run)


def test_scalars_of_mmengine_go_before_the_event_files_of_their_folder(tmp_path):
    folder = tmp_path / "20261130" / "vis_data"
    shutil.copytree(NOVEMBER / "tb_a", folder)
    shutil.copy(LOGS / "mmengine_scalars.json", folder / "scalars.json")
    (history,) = read_history(folder)
    assert (history.format, history.name) == ("mmengine", "20261130")
