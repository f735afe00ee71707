"""Meters in real trainings: Keras, Lightning, Transformers, Ignite; and beside torchmetrics."""

import importlib.util
import os

import numpy as np
import pytest

import assay
from assay.errors import MissingDependencyError, UnsupportedError

pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.slow]

os.environ.setdefault("KERAS_BACKEND", "torch")

METRICS = ["accuracy", "f1", "roc_auc", "ece"]


def draw(n, seed=0, k=3):
    """Rows of three classes that lie in the plane, and overlap."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, n)
    X = rng.normal(size=(n, 8)).astype("float32")
    X[:, :k] += 2 * np.eye(k, dtype="float32")[y]
    return X, y


def evaluate(y, logits, metrics=METRICS):
    """What evaluate gives by name, of all rows at once."""
    return assay.evaluate(y, {"model.logit": logits}, metrics, classes=range(3)).scalars


@pytest.mark.parametrize(("name", "module"), [("KerasMetric", "keras"), ("IgniteMetric", "ignite")])
def test_a_metric_of_a_framework_that_is_missing_names_the_extra(name, module):
    if importlib.util.find_spec(module):
        pytest.skip(f"{module} is installed")
    with pytest.raises(MissingDependencyError, match=rf"pip install 'assay\[{module}\]'"):
        getattr(assay, name)("f1", kind="logit")


def make_keras(metrics=(), **options):
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(3)])
    model.compile(
        optimizer=keras.optimizers.Adam(0.05),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=list(metrics),
        **options,
    )
    return model


def test_a_keras_metric_has_the_value_of_all_rows_of_an_epoch():
    metric = assay.KerasMetric(METRICS, kind="logit")
    model = make_keras([metric], run_eagerly=True)
    X, y = draw(130)
    X_val, y_val = draw(70, seed=1)
    fitted = model.fit(X, y, epochs=2, batch_size=32, validation_data=(X_val, y_val), verbose=0)
    expected = evaluate(y_val, model.predict(X_val, verbose=0))
    for name in METRICS:
        assert fitted.history[f"val_{name}"][-1] == pytest.approx(expected[name], abs=1e-6)
        assert len(fitted.history[name]) == 2


def test_one_keras_metric_is_logged_under_its_name_and_resets_after_each_epoch():
    metric = assay.KerasMetric("f1", kind="logit")
    model = make_keras([metric], run_eagerly=True)
    X, y = draw(64)
    model.fit(X, y, epochs=1, batch_size=20, verbose=0)
    values = model.evaluate(X, y, batch_size=20, verbose=0, return_dict=True)
    expected = evaluate(y, model.predict(X, verbose=0), "f1")["f1"]
    assert values["f1"] == pytest.approx(expected, abs=1e-6)
    assert metric.meter.n in (0, 64)


def test_a_keras_callback_adds_validation_metrics_to_logs_on_any_backend():
    keras = pytest.importorskip("keras")
    X, y = draw(130)
    validation = draw(70, seed=1)
    meters = assay.KerasMeterCallback(validation, METRICS, kind="logit")
    seen = []
    after = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(dict(logs)))
    model = make_keras()
    fitted = model.fit(X, y, epochs=3, batch_size=32, verbose=0, callbacks=[meters, after])
    expected = evaluate(validation[1], model.predict(validation[0], verbose=0))
    for name in METRICS:
        assert fitted.history[f"val_{name}"][-1] == pytest.approx(expected[name])
        assert seen[-1][f"val_{name}"] == fitted.history[f"val_{name}"][-1]
    assert [evaluation.n for evaluation in meters.evaluations] == [70, 70, 70]
    assert all(row.low < row.value < row.high for row in meters.evaluations[-1].rows[:3])


def test_a_keras_metric_in_a_compiled_training_says_what_to_do():
    keras = pytest.importorskip("keras")
    if keras.backend.backend() == "torch":
        pytest.skip("Keras does not compile on PyTorch")
    model = make_keras([assay.KerasMetric("f1", kind="logit")])
    X, y = draw(64)
    with pytest.raises(UnsupportedError, match="run_eagerly=True"):
        model.fit(X, y, verbose=0)


def test_a_meter_is_logged_by_a_lightning_module():
    lightning = pytest.importorskip("lightning.pytorch")
    import torch

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(8, 3)
            self.meter = assay.Meter(METRICS, kind="logit", intervals=False)

        def training_step(self, batch, number):
            X, y = batch
            return torch.nn.functional.cross_entropy(self.layer(X), y)

        def validation_step(self, batch, number):
            X, y = batch
            self.meter.update(self.layer(X), y)

        def on_validation_epoch_end(self):
            self.log_dict(self.meter.compute().scalars)
            self.meter.reset()

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), 0.05)

    def load(X, y):
        rows = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(y))
        return torch.utils.data.DataLoader(rows, batch_size=32)

    X_val, y_val = draw(70, seed=1)
    module = Module()
    trainer = lightning.Trainer(
        max_epochs=2, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, accelerator="cpu",
    )  # fmt: skip
    trainer.fit(module, load(*draw(130)), load(X_val, y_val))
    with torch.no_grad():
        expected = evaluate(y_val, module.layer(torch.from_numpy(X_val)).numpy())
    for name in METRICS:
        assert float(trainer.callback_metrics[name]) == pytest.approx(expected[name], abs=1e-6)


class Rows:
    """Rows as the Trainer takes them."""

    def __init__(self, X, y):
        self.X, self.y = X, y

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return {"x": self.X[i], "labels": int(self.y[i])}


def make_trainer(folder, compute, **options):
    transformers = pytest.importorskip("transformers")
    import torch

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.layer = torch.nn.Linear(8, 3)

        def forward(self, x, labels=None):
            logits = self.layer(x)
            loss = torch.nn.functional.cross_entropy(logits, labels)
            return {"loss": loss, "logits": logits}

    args = transformers.TrainingArguments(
        output_dir=str(folder), num_train_epochs=2, per_device_eval_batch_size=16,
        eval_strategy="epoch", report_to=[], save_strategy="no", use_cpu=True, disable_tqdm=True,
        remove_unused_columns=False, **options,
    )  # fmt: skip
    return transformers.Trainer(
        Net(), args, train_dataset=Rows(*draw(64)), eval_dataset=Rows(*draw(70, seed=1)),
        compute_metrics=compute,
    )  # fmt: skip


@pytest.mark.parametrize("by_batch", [False, True])
def test_the_trainer_of_transformers_logs_the_metrics_of_all_rows(tmp_path, by_batch):
    compute = assay.compute_metrics(*METRICS)
    trainer = make_trainer(tmp_path, compute, batch_eval_metrics=by_batch)
    trainer.train()
    logged = [row for row in trainer.state.log_history if "eval_f1" in row]
    X, y = draw(70, seed=1)
    found = trainer.evaluate()
    import torch

    with torch.no_grad():
        expected = evaluate(y, trainer.model.layer(torch.from_numpy(X)).numpy())
    assert len(logged) == 2
    for name in METRICS:
        assert found[f"eval_{name}"] == pytest.approx(expected[name], abs=1e-6)
        assert logged[-1][f"eval_{name}"] == found[f"eval_{name}"]


def test_an_ignite_metric_gives_the_values_of_all_rows_by_name():
    pytest.importorskip("ignite")
    import torch
    from ignite.engine import Engine

    X, y = draw(130)
    layer = torch.nn.Linear(8, 3)

    def step(engine, batch):
        rows, target = batch
        return layer(rows), target

    evaluator = Engine(step)
    assay.IgniteMetric(METRICS, kind="logit").attach(evaluator, "assay")
    batches = [
        (torch.from_numpy(X[i : i + 32]), torch.from_numpy(y[i : i + 32]))
        for i in range(0, len(y), 32)
    ]
    with torch.no_grad():
        expected = evaluate(y, layer(torch.from_numpy(X)).numpy())
    for _ in range(2):
        metrics = evaluator.run(batches).metrics
        assert metrics["assay"] == pytest.approx(expected, abs=1e-6)
        assert metrics["f1"] == pytest.approx(expected["f1"])


def test_a_torchmetrics_metric_in_a_meter_gives_its_own_value():
    torchmetrics = pytest.importorskip("torchmetrics")
    import torch

    X, y = draw(200)
    logits = torch.from_numpy(X[:, :3])
    theirs = torchmetrics.classification.MulticlassF1Score(3, average="macro")
    made = assay.Meter(["f1", theirs], kind="logit")
    for start in range(0, 200, 64):
        made.update(logits[start : start + 64], torch.from_numpy(y)[start : start + 64])
    ours, value = made.compute().rows
    expected = torchmetrics.functional.classification.multiclass_f1_score(
        logits, torch.from_numpy(y), 3, average="macro"
    )
    assert value.value == pytest.approx(float(expected))
    assert ours.value == pytest.approx(float(expected))
    assert value.metric == "MulticlassF1Score"


def test_values_equal_those_of_torchmetrics_over_many_batches():
    torchmetrics = pytest.importorskip("torchmetrics")
    import torch

    X, y = draw(3000)
    logits, target = torch.from_numpy(X[:, :3]), torch.from_numpy(y)
    classes = torchmetrics.classification
    theirs = torchmetrics.MetricCollection(
        {
            "accuracy": classes.MulticlassAccuracy(3, average="micro"),
            "f1": classes.MulticlassF1Score(3),
            "ece": classes.MulticlassCalibrationError(3, 15),
        }
    )
    made = assay.Meter(["accuracy", "f1", "ece"], kind="logit", intervals=False)
    for start in range(0, 3000, 128):
        batch = logits[start : start + 128], target[start : start + 128]
        made.update(*batch)
        theirs.update(*batch)
    expected = {name: float(value) for name, value in theirs.compute().items()}
    assert made.compute().scalars == pytest.approx(expected, abs=2e-6)
