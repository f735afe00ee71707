"""Results logged to a real MLflow store, and read back with the same numbers."""

import contextlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import assay
from assay.cli import main
from assay.errors import ReadError, SchemaError
from assay.testing import check_tracker
from assay.tracking.mlflow import MLflow

mlflow = pytest.importorskip("mlflow")
pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.slow]

Y = [0, 1, 1, 0, 0, 1] * 5
MODELS = {"a": [0, 1, 0, 0, 0, 1] * 5, "b": [0] * 30}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with one store for all tests of this module: to make it takes seconds."""
    folder = tmp_path_factory.mktemp("mlflow")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    mlflow.set_tracking_uri(uri)
    artifacts = (folder / "artifacts").as_uri()
    mlflow.MlflowClient().create_experiment("assay", artifact_location=artifacts)
    mlflow.set_experiment("assay")
    yield folder
    mlflow.set_tracking_uri(None)


def load(run):
    return mlflow.MlflowClient().get_run(run.id).data


def load_document(run, name):
    return mlflow.artifacts.load_text(f"runs:/{run.id}/assay/{name}")


def test_an_evaluation_is_read_back_from_the_run_with_the_same_numbers(folder):
    evaluation = assay.evaluate(assay.Predictions.from_arrays(Y, MODELS), ["accuracy", "f1"])
    run = assay.track(evaluation, "mlflow")
    data = load(run)
    for model in MODELS:
        row = evaluation.get(model, "accuracy")
        ends = [data.metrics[f"assay/{model}/accuracy_{end}"] for end in ("low", "high")]
        assert data.metrics[f"assay/{model}/accuracy"] == row.value
        assert ends == [row.low, row.high]
    assert data.tags["assay.evaluation.verdict"] == evaluation.verdict
    assert json.loads(load_document(run, "evaluation.json")) == evaluation.document
    assert load_document(run, "evaluation.md").strip() == evaluation.to_markdown().strip()
    assert "<table>" in load_document(run, "evaluation.html")


def test_results_of_all_kinds_stand_beside_one_another_in_the_run_under_way(folder):
    p = assay.Predictions.from_arrays(Y, MODELS)
    comparison = assay.compare(p, "accuracy")
    diagnosis = assay.diagnose(assay.History.from_lists(val_loss=[0.9, 0.5, 0.7]))
    report = assay.report(p, metric="accuracy")
    with mlflow.start_run() as under_way:
        for result in (comparison, diagnosis, report):
            run = assay.track(result, "mlflow")
            assert run.id == under_way.info.run_id
    data = load(run)
    assert data.metrics["assay/comparison/accuracy/a_vs_b"] == comparison.pairs[0].difference
    assert data.metrics["assay/diagnosis/best_epoch"] == 2
    assert data.tags["assay.comparison.verdict"] == comparison.verdict
    assert data.tags["assay.diagnosis.verdict"] == diagnosis.verdict
    assert load_document(run, "report.html") == report.to_html()


def test_curves_of_a_run_are_read_through_its_client_and_from_its_store_alike(folder):
    with mlflow.start_run(run_name="curves") as under_way:
        for epoch, loss in enumerate([0.9, float("nan"), 0.7], start=1):
            mlflow.log_metric("val_loss", loss, step=epoch)
            evaluation = assay.evaluate(Y, [1] * 5 * epoch + [0] * (30 - 5 * epoch), "accuracy")
            assay.track(evaluation, "mlflow", step=epoch, prefix="val")
    history = assay.TrackedRun("mlflow", under_way.info.run_id).read_history()
    (stored,) = [h for h in assay.read_history(folder / "mlflow.db") if h.name.endswith("curves")]
    assert history.name == "curves"
    assert {s.metric for s in history.series} == {"loss", "accuracy"}
    for series in history.series:
        assert np.array_equal(
            series.values, stored.find(series.split, series.metric).values, equal_nan=True
        )
    assert history.find("val", "accuracy").values[-1] == evaluation.value


def test_predictions_of_a_run_are_the_table_that_was_tracked(folder):
    p = assay.Predictions.from_arrays(Y, {"a.proba": np.linspace(0.1, 0.9, 30)}, id=range(30))
    run = assay.track(p, "mlflow")
    assert run.read_predictions() == p


def test_predictions_that_mlflow_itself_logged_as_a_table_are_read(folder):
    with mlflow.start_run() as under_way:
        mlflow.log_table({"label": Y, "m.label": MODELS["a"]}, "eval.json")
    run = assay.TrackedRun("mlflow", under_way.info.run_id)
    p = run.read_predictions("eval.json", truth="label")
    assert assay.evaluate(p, "accuracy").value == assay.evaluate(Y, MODELS["a"], "accuracy").value


def test_another_store_and_experiment_are_named_in_the_tracker(folder):
    tracker = MLflow(uri=mlflow.get_tracking_uri(), experiment="further")
    run = assay.track(assay.evaluate(Y, MODELS["a"], "accuracy"), tracker)
    found = mlflow.MlflowClient().get_run(run.id)
    assert mlflow.get_experiment(found.info.experiment_id).name == "further"
    assert found.info.status == "FINISHED"


def test_a_run_that_there_is_not_is_named_with_its_store(folder):
    with pytest.raises(ReadError, match=r"MLflow at sqlite:.* has no run 0123abc .*name another"):
        assay.TrackedRun("mlflow", "0123abc").read_history()
    with pytest.raises(ReadError, match="has no run 0123abc"):
        assay.track(assay.evaluate(Y, MODELS["a"], "accuracy"), "mlflow", run="0123abc")


def test_mlflow_evaluates_what_a_model_predicted_with_assay(folder):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"label": Y, "said": MODELS["a"]})
    with mlflow.start_run() as run:
        result = mlflow.models.evaluate(
            data=frame,
            targets="label",
            predictions="said",
            model_type="classifier",
            evaluators="assay",
            evaluator_config={"metrics": ["accuracy", "recall"], "positive": 0},
        )
    evaluation = assay.evaluate(Y, MODELS["a"], ["accuracy", "recall"], positive=0)
    row = evaluation.rows[1]
    assert result.metrics["assay/recall"] == row.value
    assert result.metrics["assay/recall_low"] == row.low
    logged = mlflow.MlflowClient().get_run(run.info.run_id).data.metrics
    assert logged["assay/accuracy"] == evaluation.rows[0].value


def test_mlflow_evaluates_a_model_by_its_probabilities_with_assay(folder):
    sklearn_linear = pytest.importorskip("sklearn.linear_model")
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(40, 2)), columns=["u", "v"])
    y = (frame["u"] + rng.normal(size=40) > 0).astype(int)
    model = sklearn_linear.LogisticRegression().fit(frame, y)
    with mlflow.start_run():
        logged = mlflow.sklearn.log_model(model, name="model", serialization_format="cloudpickle")
        result = mlflow.models.evaluate(
            logged.model_uri,
            data=frame.assign(label=y),
            targets="label",
            model_type="classifier",
            evaluators="assay",
        )
    expected = assay.evaluate(assay.collect({"m": model}, frame, y), "log_loss").value
    assert result.metrics["assay/log_loss"] == pytest.approx(expected)


def test_mlflow_asks_every_evaluator_and_what_assay_cannot_evaluate_is_a_warning(folder):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"label": [0, 1, 1, 0], "said": [0, 1, 0, 0]})
    with mlflow.start_run(), pytest.warns(UserWarning, match="assay did not evaluate: no metric"):
        result = mlflow.models.evaluate(
            data=frame,
            targets="label",
            predictions="said",
            model_type="classifier",
            evaluator_config={"assay": {"metrics": "acuracy"}},
        )
    assert result.metrics["accuracy_score"] == 0.75
    assert not any(name.startswith("assay/") for name in result.metrics)


def test_mlflow_keeps_the_laws_of_a_tracker(folder):
    with mlflow.start_run():
        check_tracker("mlflow")


def test_the_quickstart_of_mlflow_runs(folder, monkeypatch):
    monkeypatch.chdir(folder)  # where its store is the one that is there
    page = (Path(__file__).parents[2] / "docs" / "trackers.md").read_text()
    section = page.partition("## MLflow\n")[2].partition("\n## ")[0]
    names = {}
    for text in (page.partition("## MLflow")[0], section):
        for code in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL):
            exec(code, names)
    assert names["result"].metrics["assay/f1"] == names["evaluation"].get("bert", "f1").value


def test_a_run_is_a_source_of_predictions_and_histories_by_its_id(folder, capsys):
    p = assay.Predictions.from_arrays(Y, {"a": MODELS["a"], "b": [1] * 30})
    with mlflow.start_run() as under_way:
        assay.track(p, "mlflow")
        mlflow.log_table({"label": Y, "m.label": MODELS["a"]}, "eval.json")
        for step, loss in enumerate([0.9, 0.6, 0.5], start=1):
            mlflow.log_metric("val_loss", loss, step=step)
    address = f"mlflow:{under_way.info.run_id}"
    accuracy = assay.evaluate(p, "accuracy").get("a", "accuracy").value
    assert assay.evaluate(address, "accuracy").get("a", "accuracy").value == accuracy
    assert assay.evaluate(f"{address}/eval.json", "accuracy", truth="label").value == accuracy
    assert assay.read(address) == p
    assert assay.scan(address).n == p.n
    assert assay.read_history(address)[0].find("val", "loss").values == (0.9, 0.6, 0.5)
    assert assay.diagnose([address]).runs[0].best_epoch == 3
    for verb in ("evaluate", "compare", "diagnose"):
        with contextlib.suppress(SystemExit):
            main([verb, address, "--json", "-"])
        assert json.loads(capsys.readouterr().out)["schema"]


@pytest.mark.parametrize("scheme", ["sqlite", "file"])
def test_the_store_is_that_of_the_environment(tmp_path, monkeypatch, scheme):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    uri = f"sqlite:///{tmp_path}/of_env.db" if scheme == "sqlite" else f"file:{tmp_path}/runs"
    p = assay.Predictions.from_arrays(Y, {"a": MODELS["a"]})
    run = assay.track(p, MLflow(uri=uri, experiment=f"in_{scheme}"))
    code = f"import assay; print(assay.evaluate('mlflow:{run.id}', 'accuracy').value)"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={**os.environ, "MLFLOW_TRACKING_URI": uri},
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(done.stdout) == assay.evaluate(p, "accuracy").value


def test_what_a_run_has_not_is_said_with_what_it_has(folder):
    with mlflow.start_run() as under_way:
        mlflow.log_text("nothing", "notes/plan.txt")
    number = under_way.info.run_id
    with pytest.raises(ReadError, match=r"no artifact assay/predictions\.parquet \(it has no"):
        assay.evaluate(f"mlflow:{number}")
    with pytest.raises(ReadError, match=r"has no run 0123abc .*MLFLOW_TRACKING_URI"):
        assay.evaluate("mlflow:0123abc")
    with pytest.raises(ReadError, match="has no run 0123abc"):
        assay.diagnose("mlflow:0123abc")
    with pytest.raises(SchemaError, match="name the run alone"):
        assay.diagnose(f"mlflow:{number}/notes/plan.txt")


def test_a_store_that_mlflow_does_not_open_is_said_to_be_so():
    # So are stores of files by MLflow 3.17, unless MLFLOW_ALLOW_FILE_STORE is set.
    with pytest.raises(ReadError, match=r"MLflow does not open the store nowhere://runs"):
        assay.TrackedRun(MLflow(uri="nowhere://runs"), "0123abc").read_history()
