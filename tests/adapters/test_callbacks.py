"""Callbacks, each in a real training: what is logged, read back, and when the training ends."""

import copy
import importlib.util
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import assay
from assay.errors import MissingDependencyError
from assay.readers.read_history import read_history

CALLBACKS = {
    "KerasCallback": ("keras", "keras"),
    "LightningCallback": ("lightning", "lightning"),
    "TransformersCallback": ("transformers", "transformers"),
}

pytestmark = pytest.mark.filterwarnings("default")

os.environ.setdefault("KERAS_BACKEND", "torch")


def noisy_rows(n, seed=0):
    """Rows of two classes that few features tell apart, with a fifth of the labels wrong."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 20)).astype("float32")
    y = (X[:, 0] + X[:, 1] > 0) ^ (rng.random(n) < 0.2)
    return X, y.astype("int64")


@pytest.fixture(scope="module")
def rows():
    return *noisy_rows(100), *noisy_rows(300, seed=1)


def values_of(history, split, metric):
    return list(history.find(split, metric).values)


@pytest.mark.parametrize("name", CALLBACKS)
def test_a_callback_of_a_framework_that_is_missing_names_the_extra(name):
    module, extra = CALLBACKS[name]
    if importlib.util.find_spec(module):
        pytest.skip(f"{module} is installed")
    with pytest.raises(MissingDependencyError, match=rf"pip install 'assay\[{extra}\]'"):
        getattr(assay, name)("run.jsonl")


def make_keras(rate=0.01):
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(64, activation="relu"), keras.layers.Dense(2)]
    model = keras.Sequential([keras.Input((20,)), *layers])
    model.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def fit_keras(model, rows, callback, **options):
    X, y, X_val, y_val = rows
    options = {"validation_data": (X_val, y_val), "batch_size": 32, "verbose": 0} | options
    return model.fit(X, y, callbacks=[callback], **options)


@pytest.mark.slow
def test_keras_ends_an_overfit_and_its_log_holds_what_fit_returns(rows, tmp_path, capsys):
    model = make_keras()
    callback = assay.KerasCallback(tmp_path / "run.jsonl", stop_when="overfit", n_val=300)
    fitted = fit_keras(model, rows, callback, epochs=100)
    epochs = len(fitted.epoch)
    (history,) = read_history(tmp_path / "run.jsonl")
    assert values_of(history, "train", "loss") == fitted.history["loss"]
    assert values_of(history, "val", "loss") == fitted.history["val_loss"]
    assert values_of(history, "val", "accuracy") == fitted.history["val_accuracy"]
    assert history.epochs == tuple(range(1, epochs + 1))
    best = 1 + int(np.argmin(fitted.history["val_loss"]))
    run = callback.training_log.diagnosis
    assert (run.status, run.best_epoch) == ("overfit", best)
    assert epochs - run.onset <= 12
    assert f"epoch {epochs}: stop" in capsys.readouterr().err


@pytest.mark.slow
def test_keras_goes_on_where_nothing_overfits_or_nobody_asks_to_stop(rows, tmp_path):
    slow = assay.KerasCallback(tmp_path / "slow.jsonl", stop_when="overfit", progress=False)
    assert len(fit_keras(make_keras(rate=1e-4), rows, slow, epochs=30).epoch) == 30
    unasked = assay.KerasCallback(tmp_path / "unasked.jsonl", progress=False)
    assert len(fit_keras(make_keras(), rows, unasked, epochs=30).epoch) == 30


@pytest.mark.slow
def test_keras_validation_every_second_epoch_is_logged_at_those_epochs(rows, tmp_path):
    callback = assay.KerasCallback(tmp_path / "run.jsonl", progress=False)
    fit_keras(make_keras(), rows, callback, epochs=6, validation_freq=2)
    assert callback.training_log.history.find("val", "loss").epochs == (2, 4, 6)


@pytest.mark.slow
def test_a_second_fit_of_keras_is_a_further_run_unless_it_goes_on_counting(rows, tmp_path):
    callback = assay.KerasCallback(tmp_path / "run.jsonl", progress=False)
    model = make_keras()
    fit_keras(model, rows, callback, epochs=2)
    fit_keras(model, rows, callback, epochs=4, initial_epoch=2)
    fit_keras(model, rows, callback, epochs=3)
    lengths = {run.name: len(run.epochs) for run in read_history(tmp_path / "run.jsonl")}
    assert lengths == {"run/run 1": 4, "run/run 2": 3}


@pytest.mark.slow
def test_a_callback_of_keras_can_be_copied_and_pickled(tmp_path):
    keras = pytest.importorskip("keras")
    callback = assay.KerasCallback(tmp_path / "run.jsonl", stop_when="overfit")
    for made in (copy.deepcopy(callback), pickle.loads(pickle.dumps(callback))):
        assert isinstance(made, keras.callbacks.Callback)
        assert made.training_log.stop_when == ("overfit",)


def fit_lightning(rows, callback, **options):
    torch = pytest.importorskip("torch")
    L = pytest.importorskip("lightning")
    from torch.utils.data import DataLoader, TensorDataset

    class Net(L.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = torch.nn.Sequential(
                torch.nn.Linear(20, 64), torch.nn.ReLU(), torch.nn.Linear(64, 2)
            )
            self.losses = []

        def training_step(self, batch):
            loss = torch.nn.functional.cross_entropy(self.net(batch[0]), batch[1])
            self.log("train_loss", loss, on_step=True, on_epoch=True)
            return loss

        def validation_step(self, batch):
            logits = self.net(batch[0])
            self.log("val_loss", torch.nn.functional.cross_entropy(logits, batch[1]))
            self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())

        def on_validation_epoch_end(self):
            if not self.trainer.sanity_checking:
                self.losses.append(float(self.trainer.callback_metrics["val_loss"]))

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), 0.01)

    L.seed_everything(0, verbose=False)
    X, y, X_val, y_val = map(torch.as_tensor, rows)
    model = Net()
    trainer = L.Trainer(
        callbacks=[callback],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        accelerator="cpu",
        **options,
    )
    loaders = DataLoader(TensorDataset(X, y), 25), DataLoader(TensorDataset(X_val, y_val), 300)
    trainer.fit(model, *loaders)
    return model, trainer


@pytest.mark.slow
def test_lightning_ends_an_overfit_and_logs_every_epoch_once(rows, tmp_path, capsys):
    pytest.importorskip("lightning")
    callback = assay.LightningCallback(tmp_path / "run.jsonl", stop_when="overfit")
    model, trainer = fit_lightning(rows, callback, max_epochs=100)
    (history,) = read_history(tmp_path / "run.jsonl")
    assert values_of(history, "val", "loss") == pytest.approx(model.losses)
    assert len(values_of(history, "train", "loss")) == len(model.losses)
    assert history.epochs == tuple(range(len(model.losses)))
    assert history.metrics == ("accuracy",)
    run = callback.training_log.diagnosis
    assert (run.status, run.best_epoch) == ("overfit", int(np.argmin(model.losses)))
    assert trainer.current_epoch - run.onset <= 9
    assert f"epoch {len(model.losses) - 1}: stop" in capsys.readouterr().err


@pytest.mark.slow
def test_lightning_numbers_by_steps_where_an_epoch_holds_several_validations(rows, tmp_path):
    pytest.importorskip("lightning")
    callback = assay.LightningCallback(tmp_path / "run.jsonl", progress=False)
    model, _ = fit_lightning(rows, callback, max_epochs=3, val_check_interval=0.5)
    history = callback.training_log.history
    assert history.unit == "step"
    assert history.find("val", "loss").epochs == (2, 4, 6, 8, 10, 12)
    assert values_of(history, "val", "loss") == pytest.approx(model.losses)
    assert history.find("train", "loss").epochs == (4, 8, 12)


@pytest.mark.slow
def test_lightning_logs_no_value_of_an_earlier_validation_again(rows, tmp_path):
    pytest.importorskip("lightning")
    callback = assay.LightningCallback(tmp_path / "run.jsonl", progress=False)
    fit_lightning(rows, callback, max_epochs=6, check_val_every_n_epoch=3)
    history = callback.training_log.history
    assert history.find("val", "loss").epochs == (2, 5)
    assert history.find("train", "loss").epochs == (0, 1, 2, 3, 4, 5)


def fit_transformers(rows, callback, folder, epochs, **options):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = torch.nn.Sequential(
                torch.nn.Linear(20, 64), torch.nn.ReLU(), torch.nn.Linear(64, 2)
            )

        def forward(self, x, labels):
            logits = self.net(x)
            return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}

    transformers.set_seed(0)
    X, y, X_val, y_val = rows
    defaults = {
        "output_dir": str(folder),
        "num_train_epochs": epochs,
        "eval_strategy": "epoch",
        "save_strategy": "epoch",
        "save_total_limit": 1,
        "logging_steps": 2,
        "learning_rate": 0.01,
        "lr_scheduler_type": "constant",
        "per_device_train_batch_size": 25,
        "per_device_eval_batch_size": 300,
        "disable_tqdm": True,
        "report_to": [],
        "use_cpu": True,
    }
    trainer = transformers.Trainer(
        Net(),
        transformers.TrainingArguments(**defaults | options),
        train_dataset=[{"x": a, "labels": b} for a, b in zip(X, y, strict=True)],
        eval_dataset=[{"x": a, "labels": b} for a, b in zip(X_val, y_val, strict=True)],
        compute_metrics=lambda p: {"accuracy": float((p[0].argmax(1) == p[1]).mean())},
        callbacks=[callback],
    )
    trainer.evaluate()
    trainer.train()
    trainer.evaluate()
    return trainer


@pytest.mark.slow
def test_transformers_ends_an_overfit_and_logs_what_its_own_state_holds(rows, tmp_path, capsys):
    pytest.importorskip("transformers")
    callback = assay.TransformersCallback(tmp_path / "run.jsonl", stop_when="overfit")
    trainer = fit_transformers(rows, callback, tmp_path / "out", 100)
    (history,) = read_history(tmp_path / "run.jsonl")
    evaluated = [r for r in trainer.state.log_history if "eval_loss" in r][:-1]
    assert values_of(history, "val", "loss") == [r["eval_loss"] for r in evaluated]
    assert history.find("val", "loss").epochs == tuple(r["epoch"] for r in evaluated)
    run = callback.training_log.diagnosis
    best = min(evaluated, key=lambda r: r["eval_loss"])
    assert (run.status, run.best_epoch) == ("overfit", best["epoch"])
    assert dict(history.checkpoints)[best["epoch"]] == f"checkpoint-{best['step']}"
    assert len(evaluated) < 40
    assert "stop, more cannot pay" in capsys.readouterr().err


@pytest.mark.slow
def test_transformers_keeps_the_epoch_by_the_metric_that_the_trainer_chooses_by(rows, tmp_path):
    pytest.importorskip("transformers")
    callback = assay.TransformersCallback(tmp_path / "run.jsonl", progress=False)
    trainer = fit_transformers(
        rows,
        callback,
        tmp_path / "out",
        12,
        metric_for_best_model="accuracy",
        load_best_model_at_end=True,
    )
    run = callback.training_log.diagnosis
    assert run.history.monitor == "accuracy"
    assert run.best_epoch == trainer.state.best_global_step / 4


@pytest.mark.slow
@pytest.mark.parametrize("framework", ["lightning", "transformers"])
def test_of_two_processes_the_first_alone_writes_and_both_end_at_its_word(framework, tmp_path):
    pytest.importorskip("torch.distributed")
    pytest.importorskip(framework)
    script = Path(__file__).with_name("distributed_training.py")
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    run = subprocess.run(
        [sys.executable, *launch, script, framework, tmp_path],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    lines = (tmp_path / "run.jsonl").read_text().splitlines()
    assert [line for line in lines if '"assay"' in line] == lines[:1]
    (history,) = read_history(tmp_path / "run.jsonl")
    epochs = len(history.find("val", "loss").values)
    assert epochs < 40
    assert [(tmp_path / f"{rank}.txt").read_text() for rank in (0, 1)] == [str(epochs)] * 2
    assert run.stderr.count("stop, more cannot pay") == 1
