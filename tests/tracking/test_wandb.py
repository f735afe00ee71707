"""Results logged to real offline runs of Weights & Biases, and read back with the same numbers."""

import json
import re
from pathlib import Path

import pytest

import assay
from assay.errors import ReadError, UnsupportedError
from assay.readers.protobuf import find_all, find_first, walk_fields
from assay.readers.rocksdb import split_records
from assay.readers.wandb import HEADER, has_ended
from assay.testing import check_tracker
from assay.tracking.wandb import WandB, await_end

wandb = pytest.importorskip("wandb")
pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.slow]

Y = [0, 1, 1, 0, 0, 1] * 5
MODELS = {"a": [0, 1, 0, 0, 0, 1] * 5, "b": [0] * 30}

# Fields by number, as in wandb/proto/wandb_internal.proto: record and item of a history or summary.
HISTORY, SUMMARY = 2, 3
KEY, NESTED_KEY, JSON = 1, 2, 16


def load(run, kind):
    """What the file of a run holds of a kind of record, by name; the last stands."""
    (file,) = Path(run.id).glob("run-*.wandb")
    found = {}
    for record in split_records(file.read_bytes(), HEADER):
        for number, value, _ in walk_fields(record):
            items = find_all(value, 1) if number == kind else []
            for item in items:
                keys = find_all(item, NESTED_KEY) or [find_first(item, KEY, b"")]
                name = "/".join(key.decode() for key in keys)
                text = find_first(item, JSON, None)
                found[name] = None if text is None else json.loads(text)
    return found


def test_an_evaluation_is_read_back_from_the_summary_of_an_offline_run(tmp_path):
    evaluation = assay.evaluate(assay.Predictions.from_arrays(Y, MODELS), "accuracy")
    run = assay.track(evaluation, WandB(folder=str(tmp_path), project="p"))
    summary = load(run, SUMMARY)
    for model in MODELS:
        row = evaluation.get(model, "accuracy")
        assert summary[f"assay/{model}/accuracy"] == row.value
        assert summary[f"assay/{model}/accuracy_low"] == row.low
        assert summary[f"assay/{model}/accuracy_high"] == row.high
    assert summary["assay/evaluation_verdict"] == evaluation.verdict
    files = Path(run.id) / "files"
    assert json.loads((files / "assay/evaluation.json").read_text()) == evaluation.document
    (rows,) = files.glob("media/table/**/*.table.json")
    assert json.loads(rows.read_text())["data"][0][:2] == ["a", "accuracy"]
    (page,) = files.glob("media/html/**/*.html")
    assert page.read_text() == evaluation.to_html()


def test_values_of_epochs_are_curves_that_are_read_back_from_the_run(tmp_path):
    values = []
    with wandb.init(
        mode="offline", dir=tmp_path, settings=wandb.Settings(silent=True)
    ) as under_way:
        for epoch in range(1, 4):
            under_way.log({"train_loss": 1 / epoch}, step=epoch)
            evaluation = assay.evaluate(Y, [1] * 5 * epoch + [0] * (30 - 5 * epoch), "accuracy")
            run = assay.track(evaluation, "wandb", step=epoch, prefix="val")
            values.append(evaluation.value)
        with pytest.raises(UnsupportedError, match=r"the run is at step 3.*got step 2"):
            assay.track(evaluation, "wandb", run=under_way, step=2)
    history = run.read_history()
    assert history.find("val", "accuracy").values == tuple(values)
    assert history.find("train", "loss").values == (1, 1 / 2, 1 / 3)
    assert {s.metric for s in history.series} == {"loss", "accuracy"}


def test_predictions_are_a_file_of_the_run(tmp_path):
    p = assay.Predictions.from_arrays(Y, MODELS)
    run = assay.track(p, WandB(folder=str(tmp_path)))
    assert run.read_predictions() == p
    with pytest.raises(ReadError, match=r"has no file other\.parquet"):
        run.read_predictions("other.parquet")
    with pytest.raises(UnsupportedError, match="is finished"):
        assay.track(p, run=run)


def test_wandb_keeps_the_laws_of_a_tracker(tmp_path):
    settings = wandb.Settings(silent=True)
    with wandb.init(mode="offline", dir=tmp_path, settings=settings) as run:
        check_tracker("wandb", run, finish=run.finish)


def test_the_quickstart_of_wandb_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).parents[2] / "docs" / "trackers.md").read_text()
    section = page.partition("## Weights & Biases\n")[2].partition("\n## ")[0]
    names = {}
    for text in (page.partition("## MLflow")[0], section):
        for code in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL):
            exec(code, names)
    value = names["evaluation"].get("bert", "accuracy").value
    assert names["run"].read_history().find("val", "bert_accuracy").values == (value,) * 3


def test_a_run_is_complete_once_its_file_says_how_it_ended(tmp_path):
    settings = wandb.Settings(silent=True)
    with wandb.init(mode="offline", dir=tmp_path, settings=settings) as run:
        assay.track(assay.evaluate(Y, MODELS["a"], "accuracy"), "wandb", run=run, step=1)
        folder = Path(run.dir).parent
        assert not has_ended(folder)
    await_end(folder)
    assert has_ended(folder)
