"""How a point of a run is called, on its axis and on disk."""

import json

import pytest

from assay.diagnosis.diagnose import diagnose
from assay.diagnosis.places import suggest_evaluations
from assay.readers.history import History


def write_state(folder, losses, steps=125, start=1):
    """A trainer_state.json with an evaluation every so many steps, half an epoch each."""
    records = []
    for i, (train, val) in enumerate(losses, start=start):
        place = {"epoch": i / 2, "step": i * steps}
        records += [{"loss": train, **place}, {"eval_loss": val, **place}]
    log = folder / "trainer_state.json"
    log.write_text(json.dumps({"log_history": records}))
    return log


FALLING = [1.2, 0.9, 0.7, 0.5, 0.4, 0.3, 0.2]
RISING = [1.1, 0.8, 0.75, 0.8, 0.9, 1.0, 1.1]


def test_restoring_names_the_checkpoint_on_disk(tmp_path):
    run = diagnose(write_state(tmp_path, zip(FALLING, RISING, strict=True))).runs[0]
    assert "restore checkpoint-375 (epoch 1.5)" in run.remedies
    assert "best epoch 1.5 (checkpoint-375)" in repr(run)
    assert run.evidence["checkpoint"] == "checkpoint-375"


def test_nothing_was_saved_before_the_first_step(tmp_path):
    losses = list(zip(FALLING, [0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3], strict=True))
    run = diagnose(write_state(tmp_path, losses, start=0)).runs[0]
    assert run.best_epoch == 0
    assert "checkpoint-0" not in repr(run)


def test_two_evaluations_ask_for_one_every_tenth_of_the_steps(tmp_path):
    run = diagnose(write_state(tmp_path, [(0.9, 0.8), (0.8, 0.79)], steps=500)).runs[0]
    assert "every 100 steps" in run.remedies[0]


@pytest.mark.parametrize(
    "unit, words", [("epoch", "several times an epoch"), ("round", "every round")]
)
def test_more_evaluations_are_asked_for_in_the_unit_of_the_log(unit, words):
    history = History.from_columns({"val_loss": [1.0, 0.9]}, unit=unit)
    assert words in suggest_evaluations(history)


def test_long_runs_by_iteration_are_evaluated_ten_times():
    history = History.from_columns({"val_loss": [1.0, 0.9]}, epochs=[29, 240], unit="iteration")
    assert "every 24 iterations" in suggest_evaluations(history)


def test_steps_are_written_whole():
    epochs = [12_345 * i for i in range(1, 8)]
    history = History.from_columns(
        {"train_loss": FALLING, "val_loss": RISING}, epochs=epochs, unit="step"
    )
    assert "step 37035" in diagnose(history).runs[0].summary


def test_boosted_model_is_used_up_to_a_round_rather_than_restored():
    for unit in ("round", "iteration"):
        history = History.from_columns({"train_loss": FALLING, "val_loss": RISING}, unit=unit)
        assert f"use the model of {unit} 3" in diagnose(history).runs[0].remedies
