"""What training curves are judged to be: real runs by cause, synthetic curves, and the rules."""

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.diagnosis.diagnose import diagnose
from assay.diagnosis.rules import STATUSES
from assay.diagnosis.trend import kendall_z, noise, running_median, theil_sen
from assay.errors import AssayError, SchemaError
from assay.readers.history import History

LOGS = Path(__file__).parents[1] / "histories"

# file, rows of validation, classes, status, best epoch, good range, onset.
# Epochs are those of each log.
ACCEPTED = [
    ("keras_csvlogger_fashion_mlp_10ep.csv", 10000, 10, "good_fit", 9, (3, 9), None),
    ("keras_history_fashion_mlp_10ep.json", 10000, 10, "good_fit", 10, (4, 10), None),
    ("keras_csvlogger_fashion_mlp_30ep_overfit.csv", 10000, 10, "overfit", 9, (3, 13), 14),
    ("torch_loop_mlp_adam_10ep.json", 10000, 10, "good_fit", 8, (5, 10), None),
    ("torch_loop_overfit_small.json", 2000, 10, "overfit", 17, (6, 20), 21),
    ("torch_loop_good_fit_dropout.json", 10000, 10, "still_improving", 12, (10, 12), None),
    ("torch_loop_underfit_lowlr.json", 2000, 10, "underfit", 15, (15, 15), None),
    ("torch_loop_toohigh_lr.json", 2000, 10, "unstable", 1, None, None),
    ("torch_loop_explode_then_chance.json", 2000, 10, "collapsed", 1, None, 1),
    ("torch_loop_explode_val_stuck.json", 2000, 10, "collapsed", None, None, 1),
    ("torch_loop_label_noise.json", 2000, 10, "memorising", 6, None, None),
    ("torch_loop_plateau_high_linear_wd.json", 2000, 10, "inconclusive", 6, None, None),
    ("torch_loop_val_easier_dropout.json", 4000, 10, "good_fit", 14, (12, 15), None),
    ("torch_loop_leak_val_is_train.json", 1000, 10, "good_fit", 37, None, None),
    ("torch_loop_tiny_val.json", 50, 10, "inconclusive", 20, None, None),
    ("hf_trainer_state.json", 300, 8, "still_improving", 8, (7, 8), None),
    ("xgboost_train_evals_result.json", 800, 10, "overfit", 34, (23, 54), 55),
    ("lightgbm_record_evaluation.json", 800, 10, "overfit", 20, (15, 24), 25),
    ("catboost_get_evals_result.json", 800, 10, "still_improving", 60, None, None),
    ("keras_csvlogger_collapse_regression.csv", 800, None, "collapsed", None, None, 0),
    ("keras_csvlogger_nan.csv", 800, None, "diverged", None, None, 0),
    ("keras_csvlogger_terminate_on_nan.csv", 800, None, "diverged", None, None, 0),
    ("keras_history_nan.json", 800, None, "diverged", None, None, 0),
    ("keras_csvlogger_earlystop_regression.csv", None, None, "good_fit", 17, None, None),
    ("keras_csvlogger_valfreq2_append.csv", None, None, "still_improving", 11, None, None),
    ("lightning_csvlogger_metrics.csv", 800, 10, "still_improving", 5, None, None),
    ("skorch_history.json", None, 10, "still_improving", 8, None, None),
    ("xgboost_sklearn_evals_result.json", 800, 10, "still_improving", 30, None, None),
]
BY_FILE = {row[0]: row for row in ACCEPTED}


def of_file(name, **more):
    _, n_val, n_classes, *_ = BY_FILE[name]
    return diagnose(LOGS / name, **{"n_val": n_val, "n_classes": n_classes} | more).runs[0]


def curve(train, val, **more):
    """The verdict on two curves of a task whose baseline loss is 1."""
    return diagnose(
        History.from_lists(train_loss=train, val_loss=val), **{"baseline": 1.0} | more
    ).runs[0]


def falling(rate=0.25, floor=0.2, n=30):
    return floor + (1 - floor) * np.exp(-rate * np.arange(n))


def jittered(values, sigma, seed=0):
    return np.asarray(values) + np.random.default_rng(seed).normal(0, sigma, len(values))


@pytest.mark.parametrize(
    "file, n_val, n_classes, status, best, good, onset", ACCEPTED, ids=[r[0] for r in ACCEPTED]
)
def test_real_run_is_judged_as_its_cause_demands(file, n_val, n_classes, status, best, good, onset):
    run = diagnose(LOGS / file, n_val=n_val, n_classes=n_classes).runs[0]
    assert run.status == status
    assert best is None or run.best_epoch == best
    assert good is None or run.good_range == good
    assert run.onset == onset


@pytest.mark.parametrize(
    "file, status", [(row[0], row[3]) for row in ACCEPTED], ids=[r[0] for r in ACCEPTED]
)
def test_real_run_is_judged_the_same_from_the_log_alone(file, status):
    if status == "underfit":
        status = "still_improving"  # how much there is to learn, the log alone does not say
    assert diagnose(LOGS / file).runs[0].status == status


@pytest.mark.parametrize(
    "file, severity",
    [
        ("keras_csvlogger_fashion_mlp_30ep_overfit.csv", "severe"),
        ("torch_loop_overfit_small.json", "severe"),
        ("lightgbm_record_evaluation.json", "moderate"),
        ("xgboost_train_evals_result.json", "mild"),
    ],
)
def test_overfit_in_loss_leaves_the_decisions_unharmed_and_says_so(file, severity):
    run = of_file(file)
    assert run.severity == severity
    assert run.metrics[0]["verdict"] in ("unharmed", "improved")
    assert "calibrate" in run.remedies[0]
    assert "over-confident" in repr(run)
    assert run.loss["verdict"] == "rising"


def test_keras_30_epochs_give_the_numbers_of_the_experiment():
    run = of_file("keras_csvlogger_fashion_mlp_30ep_overfit.csv")
    assert run.evidence["generalisation_loss"] == pytest.approx(40.8, abs=0.1)
    assert run.loss["best"] == pytest.approx(0.3435, abs=1e-4)
    assert "from 0.3435 at epoch 9 to 0.4837 at the end (+41 %)" in run.summary
    assert "counting from 0 as the log does" in repr(run)


def test_best_epoch_that_is_the_last_does_not_show_where_overfitting_starts():
    run = of_file("keras_csvlogger_fashion_mlp_10ep.csv")
    assert "does not show where overfitting starts" in run.summary
    assert "gap_widening" in run.evidence["flags"]


def test_plateau_is_underfit_once_another_model_shows_what_is_possible():
    plateau = LOGS / "torch_loop_plateau_high_linear_wd.json"
    run = diagnose(plateau, n_classes=10, reference=0.51).runs[0]
    assert (run.status, run.confidence) == ("underfit", "high")
    both = diagnose([plateau, LOGS / "torch_loop_overfit_small.json"], n_classes=10).runs
    assert (both[0].status, both[0].confidence) == ("underfit", "medium")
    assert both[0].evidence["reference"] == both[1].loss["best"]
    assert both[1].status == "overfit"


def test_reference_never_comes_from_a_run_of_another_loss_or_of_suspect_validation():
    files = ["plateau_high_linear_wd", "leak_val_is_train"]
    runs = diagnose([LOGS / f"torch_loop_{f}.json" for f in files], n_classes=10).runs
    assert runs[0].evidence["reference"] is None
    runs = diagnose(
        [LOGS / "keras_csvlogger_valfreq2_append.csv", LOGS / "torch_loop_overfit_small.json"]
    ).runs
    assert runs[0].evidence["reference"] is None


def test_validation_below_training_is_explained_by_the_loss_of_the_same_weights():
    run = of_file("torch_loop_val_easier_dropout.json")
    assert "validation_easier" in run.evidence["flags"]
    assert "10 of 15 epochs" in repr(run)
    assert "training loss is lower (0.3073)" in repr(run)


def test_validation_as_good_as_training_raises_the_question_of_shared_rows():
    run = of_file("torch_loop_leak_val_is_train.json")
    assert "too_good" in run.evidence["flags"]
    assert "both the training and the validation set" in run.remedies[0]
    assert run.confidence != "high"


def test_tiny_validation_set_is_too_noisy_to_decide():
    run = of_file("torch_loop_tiny_val.json")
    assert run.confidence == "low"
    assert "too noisy" in run.summary
    assert "0.1414" in run.summary  # 1 / sqrt(50)


def test_low_learning_rate_shows_as_a_straight_line():
    assert "slow" in of_file("torch_loop_underfit_lowlr.json").evidence["flags"]


def test_chance_level_gives_the_baseline_when_nobody_else_does():
    run = diagnose(LOGS / "torch_loop_label_noise.json").runs[0]
    assert run.evidence["baseline_from"] == "chance"
    assert run.evidence["baseline"] == pytest.approx(math.log(10))


def test_level_curves_with_a_small_gap_are_a_good_fit():
    run = curve(falling(floor=0.20), jittered(falling(floor=0.25), 0.003))
    assert run.status == "good_fit"
    assert run.onset is None


def test_validation_that_rises_from_epoch_8_is_overfit_from_about_there():
    val = np.where(
        np.arange(30) < 8, falling(floor=0.3), falling(floor=0.3)[8] + 0.015 * (np.arange(30) - 8)
    )
    run = curve(falling(floor=0.02), jittered(val, 0.003))
    assert run.status == "overfit"
    assert 7 <= run.onset <= 11


def test_straight_fall_is_still_improving_or_too_slow():
    assert (
        curve(np.linspace(0.95, 0.3, 30), np.linspace(0.97, 0.35, 30)).status == "still_improving"
    )
    assert curve(np.linspace(0.99, 0.7, 30), np.linspace(0.99, 0.72, 30)).status == "underfit"


def test_high_plateau_is_underfit():
    assert curve(falling(floor=0.79), jittered(falling(floor=0.8), 0.003)).status == "underfit"


def test_losses_that_go_up_and_down_are_unstable():
    wave = 0.55 + 0.25 * np.sin(np.arange(30) * 2.0)
    assert curve(wave, wave + 0.05).status == "unstable"


def test_both_losses_rising_are_unstable_not_overfit():
    rise = np.concatenate([falling(n=12), 0.25 + 0.03 * np.arange(18)])
    assert curve(rise, rise + 0.03).status == "unstable"


def test_first_nan_is_where_the_run_diverged():
    val = list(falling())
    val[11:] = [math.nan] * 19
    run = curve(val, val)
    assert (run.status, run.onset, run.best_epoch) == ("diverged", 12, 11)
    assert "restore the weights of epoch 11" in run.remedies


def test_jump_back_to_the_baseline_is_a_collapse_at_the_jump():
    val = np.concatenate([falling(n=19), [8.0], np.full(10, 1.0)])
    run = curve(val, val)
    assert (run.status, run.onset) == ("collapsed", 20)


def test_unlearning_without_an_explosion_is_a_collapse_too():
    val = np.concatenate([falling(n=20), np.full(10, 1.0)])
    run = curve(val, val)
    assert (run.status, run.onset) == ("collapsed", 21)


def test_bump_that_is_made_good_is_no_overfit_but_a_warning_about_patience():
    val = falling(rate=0.12, floor=0.3)
    val[10:14] = val[9] + np.array([0.05, 0.1, 0.1, 0.05])
    run = curve(falling(floor=0.25), val)
    assert run.status != "overfit"
    assert "temporary_rise" in run.evidence["flags"]
    assert "patience under" in repr(run)


def test_drop_of_the_learning_rate_gives_no_false_alarm():
    val = np.where(np.arange(30) < 15, falling(floor=0.4), falling(floor=0.4) - 0.12)
    assert curve(val - 0.03, jittered(val, 0.004)).status == "good_fit"


def test_very_noisy_validation_is_inconclusive():
    assert curve(falling(floor=0.2), jittered(falling(floor=0.3), 0.08)).status == "inconclusive"


def test_wide_level_gap_is_no_overfit_but_is_named():
    run = curve(falling(floor=0.02), jittered(falling(floor=0.43), 0.003))
    assert run.status == "good_fit"
    assert "wide_gap" in run.evidence["flags"]
    assert "more data" in run.remedies[0]


def test_curves_at_the_baseline_are_not_learning():
    assert (
        curve(jittered(np.ones(30), 0.003), jittered(np.ones(30), 0.003)).status == "not_learning"
    )


def test_three_epochs_are_too_few_to_tell():
    run = curve([0.9, 0.7, 0.6], [0.95, 0.8, 0.7])
    assert (run.status, run.confidence, run.best_epoch) == ("inconclusive", "low", 3)
    assert "3 evaluations are too few" in run.summary


def test_no_validation_is_inconclusive_and_says_what_training_does():
    run = diagnose(History.from_lists(train_loss=list(falling(rate=0.05)))).runs[0]
    assert (run.status, run.best_epoch, run.good_range) == ("inconclusive", None, None)
    assert "no validation loss" in run.summary
    assert "training loss still falls" in run.summary


def test_accuracy_alone_is_inconclusive_but_its_best_epoch_is_named():
    run = diagnose(History.from_lists(val_accuracy=[0.5, 0.7, 0.6])).runs[0]
    assert (run.status, run.best_epoch) == ("inconclusive", 2)


def test_overfit_without_a_training_loss_is_less_sure():
    val = np.concatenate([falling(n=8), 0.35 + 0.03 * np.arange(12)])
    run = curve(None, val)
    assert (run.status, run.confidence) == ("overfit", "medium")
    assert "training loss was not logged" in run.summary


def test_guessed_baseline_lowers_the_confidence():
    val = list(jittered(falling(floor=0.25), 0.003))
    assert curve(falling(), val).confidence == "high"
    guessed = curve(falling(), val, baseline=None)
    assert (guessed.status, guessed.confidence) == ("good_fit", "medium")
    assert "baseline_guessed" in guessed.evidence["flags"]


def test_metric_that_falls_with_the_loss_is_said_to_suffer():
    val = np.concatenate([falling(n=10), 0.3 + 0.03 * np.arange(10)])
    accuracy = np.concatenate([np.linspace(0.5, 0.9, 10), np.linspace(0.88, 0.7, 10)])
    h = History.from_lists(
        train_loss=list(falling(rate=0.3, floor=0, n=20)),
        val_loss=list(val),
        val_acc=list(accuracy),
    )
    run = diagnose(h, baseline=1.0).runs[0]
    assert run.metrics[0]["metric"] == "accuracy"
    assert run.metrics[0]["verdict"] == "worse"
    assert "accuracy suffers too" in repr(run)
    assert not run.remedies[0].startswith("calibrate")


def test_metric_of_unknown_direction_is_not_judged_until_told():
    h = History.from_lists(
        train_loss=list(falling()), val_loss=list(falling(floor=0.25)), val_foo=list(falling())
    )
    assert diagnose(h, baseline=1.0).runs[0].metrics[0]["verdict"] == "unknown"
    assert diagnose(h, baseline=1.0, better={"foo": "higher"}).runs[0].metrics[0]["best_epoch"] == 1


def test_validation_columns_of_nan_alone_were_not_measured():
    h = History.from_lists(train_loss=list(falling()), val_loss=[math.nan] * 30)
    assert diagnose(h).runs[0].status == "inconclusive"


def test_nan_at_regular_gaps_is_validation_every_second_epoch():
    val = [math.nan if i % 2 == 0 else v for i, v in enumerate(falling(rate=0.5, floor=0.3))]
    run = curve(falling(rate=0.5), val)
    assert run.status == "good_fit"
    assert "not measured" in repr(run)


def test_negative_losses_are_judged_by_the_share_given_back():
    val = np.concatenate([-1 + falling(n=10), -0.7 + 0.05 * np.arange(10)])
    run = curve(np.linspace(1, -2, 20), val)
    assert run.status == "overfit"
    assert run.evidence["generalisation_loss"] is None


def test_runs_of_one_name_are_told_apart():
    h = History.from_lists(val_loss=[1, 2, 3, 4, 5], name="a")
    assert [r.name for r in diagnose([h, h]).runs] == ["a", "a (2)"]


def test_json_is_strict_and_has_the_fields_of_the_contract():
    d = diagnose([LOGS / "keras_csvlogger_nan.csv", LOGS / "torch_loop_explode_val_stuck.json"])
    document = json.loads(
        d.to_json(), parse_constant=lambda text: pytest.fail(f"{text} is not JSON")
    )
    assert document["schema"] == "assay.diagnosis/1"
    expected = (
        "name status best_epoch good_range onset severity loss metrics evidence remedies confidence"
    )
    assert all(" ".join(run) == expected for run in document["runs"])


def test_table_has_one_row_a_run():
    table = diagnose([LOGS / row[0] for row in ACCEPTED]).to_arrow()
    assert table.num_rows == len(ACCEPTED)
    assert {"name", "status", "best_epoch", "good_from", "good_to", "onset", "confidence"} <= set(
        table.column_names
    )


def test_each_run_keeps_its_curves_for_charts():
    run = of_file("torch_loop_overfit_small.json")
    assert len(run.history.find("val", "loss").values) == 40


def test_epochs_are_whole_numbers_where_the_log_has_whole_numbers():
    assert isinstance(of_file("torch_loop_overfit_small.json").best_epoch, int)
    h = History.from_lists(val_loss=[3, 1, 2, 3, 4], epochs=[0.5, 1, 1.5, 2, 2.5])
    assert diagnose(h).runs[0].good_range == (1, 1)


@pytest.mark.parametrize(
    "wrong", [{"n_val": 0}, {"n_classes": 1}, {"baseline": math.nan}, {"reference": math.inf}]
)
def test_impossible_arguments_are_refused_by_name(wrong):
    with pytest.raises(SchemaError, match=next(iter(wrong))):
        diagnose(History.from_lists(val_loss=[1, 2]), **wrong)


def test_nothing_to_diagnose_is_an_error():
    with pytest.raises(SchemaError, match="no training log was given"):
        diagnose([])


def test_keras_history_object_is_read_by_its_attributes():
    class Kept:
        history = {"loss": [3.0, 2.0, 1.0], "val_loss": [3.0, 2.5, 2.6]}  # noqa: RUF012
        epoch = [0, 1, 2]  # noqa: RUF012

    h = History.from_keras(Kept())
    assert h.find("val", "loss").epochs == (0, 1, 2)
    assert diagnose(h).runs[0].best_epoch == 1
    assert History.from_keras(Kept.history).find("val", "loss").epochs == (1, 2, 3)


def test_keras_validation_every_k_epochs_is_placed_or_refused():
    spread = History.from_keras({"loss": [1.0] * 8, "val_loss": [1.0] * 4})
    assert spread.find("val", "loss").epochs == (2, 4, 6, 8)
    with pytest.raises(SchemaError, match="val_loss has 2 values for 8 epochs"):
        History.from_keras({"loss": [1.0] * 8, "val_loss": [1.0] * 2})


def test_what_is_no_keras_history_is_refused():
    with pytest.raises(SchemaError, match="expected what Keras fit"):
        History.from_keras(42)


def test_lists_of_unequal_length_are_refused():
    with pytest.raises(SchemaError, match="train_loss 3, val_loss 2"):
        History.from_lists(train_loss=[1, 2, 3], val_loss=[1, 2])


def test_restarted_run_keeps_its_newest_values():
    h = History.from_lists(val_loss=[9, 8, 7, 6, 5, 4], epochs=[0, 1, 2, 1, 2, 3])
    assert h.find("val", "loss").values == (9, 6, 5, 4)
    assert h.restarts == (1,)
    assert "restarted" in h.notes[0]


def test_rows_written_newest_first_are_not_restarts():
    h = History.from_lists(val_loss=[3, 4, 5], epochs=[3, 2, 1])
    assert (h.find("val", "loss").values, h.restarts) == ((5, 4, 3), ())


def test_trend_statistics_match_hand_calculation():
    assert theil_sen([1, 2, 4]) == 1.5  # slopes 1, 2, 1.5
    assert kendall_z([1, 2, 3]) == pytest.approx(2 / math.sqrt(3 * 2 * 11 / 18))
    assert kendall_z([1, 1, 1]) == 0
    assert running_median([5, 1, 2, 9]).tolist() == [5, 2, 2, 9]


def test_noise_of_a_straight_line_is_nothing_and_of_scatter_its_deviation():
    x = np.random.default_rng(0).normal(0, 0.1, 4000)
    assert noise(np.arange(4000) * 0.01 + x) == pytest.approx(0.1, rel=0.05)


def test_long_curves_keep_their_slope():
    assert theil_sen(np.arange(9000.0)) == pytest.approx(1, rel=1e-3)


numbers = st.one_of(st.none(), st.floats(), st.floats(0, 3))
curves = st.integers(1, 12).flatmap(
    lambda n: st.tuples(
        *[st.lists(numbers, min_size=n, max_size=n)] * 3,
        st.lists(st.integers(0, 5), min_size=n, max_size=n),
    )
)


@given(
    curves,
    st.sampled_from([{}, {"n_classes": 10}, {"baseline": 1.0, "n_val": 50}, {"reference": 0.2}]),
)
@settings(deadline=None, max_examples=150)
def test_any_curves_get_a_status_of_the_contract_or_an_assay_error(columns, about):
    train, val, accuracy, epochs = columns
    try:
        run = diagnose(
            History.from_lists(
                train_loss=train, val_loss=val, epochs=epochs, val_accuracy=accuracy
            ),
            **about,
        )
    except AssayError:
        return
    first = run.runs[0]
    assert first.status in STATUSES
    assert first.best_epoch is None or first.best_epoch in first.history.epochs
    curve_of_val = first.history.find("val", "loss")
    if curve_of_val is not None and any(map(math.isfinite, curve_of_val.values)):
        assert first.best_epoch in curve_of_val.epochs
    json.loads(run.to_json(), parse_constant=lambda text: pytest.fail(f"{text} is not JSON"))
    assert repr(run)
    run.to_arrow()


def test_folder_of_runs_is_diagnosed_run_by_run(tmp_path):
    for run in ("first", "second"):
        (tmp_path / run).mkdir()
        shutil.copy(LOGS / "torch_loop_overfit_small.json", tmp_path / run / "log.json")
    runs = diagnose(tmp_path, n_classes=10).runs
    assert [run.name for run in runs] == ["first/log", "second/log"]
    assert {run.status for run in runs} == {"overfit"}


def test_log_below_a_folder_that_cannot_be_read_is_named_in_the_notes(tmp_path):
    shutil.copy(LOGS / "torch_loop_overfit_small.json", tmp_path / "log.json")
    (tmp_path / "begun.csv").write_text("epoch,val_loss\n")
    diagnosis = diagnose(tmp_path)
    assert "begun.csv has a header and no rows" in diagnosis.notes[0]
    assert diagnosis.notes[0] in repr(diagnosis)
    assert diagnosis.to_dict()["notes"] == list(diagnosis.notes)


def test_json_without_notes_has_runs_alone():
    assert list(diagnose(History.from_lists(val_loss=[1, 2])).to_dict()) == ["runs"]


def test_reference_of_many_runs_takes_one_look_at_each(monkeypatch):
    module = sys.modules["assay.diagnosis.diagnose"]
    looks = []
    measure = module.measure
    monkeypatch.setattr(module, "measure", lambda history: looks.append(1) or measure(history))
    histories = [
        History.from_lists(val_loss=list(falling(floor=floor)), name=str(floor))
        for floor in (0.2, 0.3, 0.4, 0.5)
    ]
    runs = diagnose(histories, baseline=1.0).runs
    assert len(looks) == 4
    best = [run.loss["best"] for run in runs]
    assert [run.evidence["reference"] for run in runs] == [best[1], *[best[0]] * 3]


def test_importing_loads_no_framework_and_no_statistics_package():
    code = (
        "import sys, assay.diagnosis.diagnose, assay.readers.base; "
        "assay.readers.base.READERS.load(); "
        "heavy = ('scipy.stats', 'pandas', 'keras', 'torch', 'sklearn', 'tensorboard'); "
        "print([m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
