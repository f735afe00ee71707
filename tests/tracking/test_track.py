"""Results logged to TensorBoard's event files, and read back with the same numbers."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

import assay
from assay.errors import MissingDependencyError, NameLookupError, ReadError, UnsupportedError
from assay.readers.events import read_scalars
from assay.testing import check_tracker
from assay.tracking.base import TRACKERS
from assay.tracking.figures import Figure, list_figures, name_numbers
from assay.tracking.record import make_record

Y = ["cat", "dog", "dog", "cat", "cat", "dog"] * 5
MODELS = {"bert": ["cat", "dog", "cat", "cat", "cat", "dog"] * 5, "org/gbm": ["cat"] * 30}


ROOT = Path(__file__).parents[2]


def blocks(page, section=None):
    """The Python of a page, or of one section of it."""
    text = (ROOT / page).read_text()
    if section is not None:
        text = text.partition(f"# {section}\n")[2].partition("\n## ")[0]
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


def table(**options):
    return assay.Predictions.from_arrays(Y, MODELS, positive="dog", **options)


def load(folder):
    """Each tag of the event files in a folder, as {step: value}."""
    curves = read_scalars(sorted(folder.glob("*tfevents*")))
    return {
        tag: dict(zip(points.steps.tolist(), points.values.tolist(), strict=True))
        for tag, points in curves.items()
    }


def test_values_and_ends_of_intervals_are_read_back_from_event_files_as_they_were(tmp_path):
    pytest.importorskip("tensorboard")
    evaluation = assay.evaluate(table(), ["accuracy", "f_beta(beta=2)"])
    run = assay.track(evaluation, "tensorboard", run=tmp_path / "run", step=7)
    logged = load(tmp_path / "run")
    assert run.id == str(tmp_path / "run")
    row = evaluation.get("bert", "accuracy")
    assert logged["assay/bert/accuracy"] == {7: row.value}
    assert logged["assay/bert/accuracy_low"] == {7: row.low}
    assert logged["assay/bert/accuracy_high"] == {7: row.high}
    assert logged["assay/org_gbm/f_beta_beta_2"] == {7: 0.0}
    assert len(logged) == 12


def test_tensorboard_itself_reads_the_scalars_and_the_document(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    evaluation = assay.evaluate(Y, MODELS["bert"], "accuracy")
    assay.track(evaluation, f"tensorboard(folder={tmp_path})", step=2)
    events = accumulator.EventAccumulator(str(tmp_path)).Reload()
    (event,) = events.Tensors("assay/accuracy")
    assert (event.step, event.tensor_proto.double_val[0]) == (2, evaluation.value)
    (document,) = events.Tensors("assay/evaluation")
    assert document.tensor_proto.string_val[0].decode() == evaluation.to_markdown()


def test_figures_with_a_prefix_and_steps_are_validation_curves_and_their_ends_are_none(tmp_path):
    pytest.importorskip("tensorboard")
    values = []
    for epoch in range(1, 5):
        y_pred = Y[: 6 * epoch] + ["cat"] * (30 - 6 * epoch)
        evaluation = assay.evaluate(Y, y_pred, "accuracy")
        run = assay.track(evaluation, "tensorboard", run=tmp_path, step=epoch, prefix="val")
        values.append(evaluation.value)
    history = run.read_history()
    assert [(s.split, s.metric) for s in history.series] == [("val", "accuracy")]
    assert history.series[0].values == tuple(values)
    assert history.series[0].epochs == (1, 2, 3, 4)
    assert any("val/accuracy_low" in note for note in history.notes)
    assert len(list(tmp_path.iterdir())) == 1
    assert assay.diagnose(history).runs[0].best_epoch == 4


def test_figures_of_a_finished_model_are_no_curves_of_its_training(tmp_path):
    pytest.importorskip("tensorboard")
    evaluation = assay.evaluate(Y, MODELS["bert"], "accuracy")
    assay.track(evaluation, "tensorboard", run=tmp_path, step=3, prefix="val")
    run = assay.track(assay.compare(table(), "accuracy"), "tensorboard", run=tmp_path)
    assay.track(evaluation, run=run)
    assert [s.metric for s in run.read_history().series] == ["accuracy"]
    assert {"assay/accuracy", "assay/comparison/accuracy/bert"} <= set(load(tmp_path))


@pytest.mark.slow
def test_a_summary_writer_of_the_loop_is_logged_through(tmp_path):
    pytest.importorskip("tensorboard")
    writer = pytest.importorskip("torch.utils.tensorboard").SummaryWriter(tmp_path)
    evaluation = assay.evaluate(Y, MODELS["bert"], "accuracy")
    run = assay.track(evaluation, "tensorboard", run=writer, step=1)
    writer.close()
    assert run.id == str(tmp_path)
    assert load(tmp_path)["assay/accuracy"][1] == pytest.approx(evaluation.value, rel=1e-6)


def test_a_comparison_has_its_differences_with_the_corrected_ends_and_p_values():
    comparison = assay.compare(table(), "accuracy")
    figures = make_record(comparison).figures
    (pair,) = comparison.pairs
    name = f"assay/comparison/accuracy/{pair.a}_vs_org_gbm"
    assert figures[name] == pair.difference
    assert figures[f"{name}_low"] == pair.low_adjusted
    assert figures[f"{name}_high"] == pair.high_adjusted
    assert figures[f"{name}_p"] == pair.p_adjusted


def test_a_diagnosis_has_the_best_epoch_and_the_losses_of_each_run():
    runs = [assay.History.from_lists(val_loss=[0.9, 0.5, 0.7], name=name) for name in ("a", "b")]
    record = make_record(assay.diagnose(runs[0]))
    assert record.figures["assay/diagnosis/best_epoch"] == 2
    assert record.figures["assay/diagnosis/loss_best"] == 0.5
    assert record.figures["assay/diagnosis/loss_final"] == 0.7
    assert "assay/diagnosis/b/best_epoch" in make_record(assay.diagnose(runs)).figures


def test_a_report_has_the_figures_of_its_parts():
    report = assay.report(table(), metric="accuracy", test=table())
    numbers = name_numbers(list_figures(report))
    assert numbers["bert/accuracy"] == report.evaluation.get("bert", "accuracy").value
    assert numbers["test/bert/accuracy"] == numbers["bert/accuracy"]
    assert "comparison/accuracy/bert" in numbers


def test_values_of_classes_and_groups_have_names_of_their_own():
    evaluation = assay.evaluate(
        table(groups={"site": ["north", "south"] * 15}).select(["bert"]),
        ["accuracy", "recall(average=none)", "confusion_matrix"],
        by="site",
    )
    figures = make_record(evaluation).figures
    assert figures["assay/recall_average_none_dog"] == pytest.approx(10 / 15)
    assert figures["assay/confusion_matrix_dog_cat"] == 5
    assert (
        figures["assay/north/accuracy"] == evaluation.get("bert", "accuracy", None, "north").value
    )


def test_what_is_undefined_is_left_out_of_the_figures_and_explained_in_the_document():
    record = make_record(assay.evaluate([0, 0, 0], [0, 0, 0], "recall", positive=1, classes=[0, 1]))
    assert record.figures == {}
    assert "no_positive" in record.files["evaluation.json"]


def test_two_figures_of_one_name_are_refused():
    with pytest.raises(UnsupportedError, match="two figures would be logged as 'f1_low'"):
        name_numbers([Figure("f1", 0.5, 0.4, 0.6), Figure("f1_low", 0.1)])


def test_what_cannot_be_tracked_is_refused_in_words(tmp_path):
    evaluation = assay.evaluate(Y, MODELS["bert"], "accuracy")
    with pytest.raises(UnsupportedError, match="name the tracker"):
        assay.track(evaluation)
    with pytest.raises(
        UnsupportedError, match=r"step must be a whole number of 0 or more; got 1\.5"
    ):
        assay.track(evaluation, "tensorboard", step=1.5)
    with pytest.raises(UnsupportedError, match="expected what a verb returned"):
        assay.track({"f1": 0.5}, "tensorboard", run=tmp_path)
    with pytest.raises(NameLookupError, match=r"no tracker is named 'mlfow'\. Did you mean"):
        assay.track(evaluation, "mlfow")
    with pytest.raises(UnsupportedError, match="keeps no files"):
        assay.track(table(), "tensorboard", run=tmp_path)
    with pytest.raises(UnsupportedError, match="keeps no files"):
        assay.TrackedRun("tensorboard", str(tmp_path)).read_predictions()
    with pytest.raises(ReadError, match="is no folder"):
        assay.TrackedRun("tensorboard", str(tmp_path / "none")).read_history()


@pytest.mark.parametrize("name", ["mlflow", "wandb", "tensorboard"])
def test_a_tracker_that_is_missing_names_the_extra(name, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, name, None)
    for known in [module for module in sys.modules if module.startswith(f"{name}.")]:
        monkeypatch.setitem(sys.modules, known, None)
    monkeypatch.chdir(tmp_path)
    evaluation = assay.evaluate(Y, MODELS["bert"], "accuracy")
    with pytest.raises(MissingDependencyError, match=rf"pip install 'assay\[{name}\]'"):
        assay.track(evaluation, name)


def test_steps_of_numpy_are_whole_numbers_too(tmp_path):
    pytest.importorskip("tensorboard")
    evaluation = assay.evaluate(Y, MODELS["bert"], "accuracy")
    assay.track(evaluation, "tensorboard", run=tmp_path, step=np.int64(4))
    assert load(tmp_path)["assay/accuracy"] == {4: evaluation.value}


def test_the_tracker_that_contributing_shows_is_a_tracker(tmp_path):
    lead = (
        "import json\nfrom dataclasses import dataclass\nfrom pathlib import Path\n"
        "from typing import Any\nfrom assay import History, Tracker, read_history\n"
        "from assay.tracking.record import Record\n"
    )
    (code,) = [block for block in blocks("CONTRIBUTING.md") if "(Tracker)" in block]
    with TRACKERS.isolate():
        exec(lead + code, {"__name__": "shown"})
        check_tracker("lines", tmp_path)


def test_the_quickstart_of_tensorboard_runs(tmp_path, monkeypatch):
    pytest.importorskip("tensorboard")
    monkeypatch.chdir(tmp_path)
    names = {}
    for code in (blocks("docs/trackers.md")[0], *blocks("docs/trackers.md", "TensorBoard")):
        exec(code, names)
    value = names["evaluation"].get("bert", "accuracy").value
    assert names["run"].read_history().find("val", "bert_accuracy").values == (value,) * 3


def test_tensorboard_keeps_the_laws_of_a_tracker(tmp_path):
    pytest.importorskip("tensorboard")
    check_tracker("tensorboard", tmp_path)


def test_a_tracker_that_drops_a_step_does_not_keep_the_laws(tmp_path):
    pytest.importorskip("tensorboard")
    from assay.tracking.tensorboard import TensorBoard

    with TRACKERS.isolate():

        class Forgetful(TensorBoard):
            name = "forgetful"

            def write(self, record, run, step):
                return super().write(record, run, 3 if step == 4 else step)

        with pytest.raises(AssertionError, match="forgetful: values of each step"):
            check_tracker("forgetful", tmp_path)
