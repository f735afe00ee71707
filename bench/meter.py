"""A Meter against torchmetrics on one epoch of logits, in one alternating run; what a step costs.

    python bench/meter.py [--rows 1000000] [--rounds 5]

Both update and compute accuracy, macro F1, ROC AUC and calibration error of rows x 10 logits in
batches of 1,024; the ratio is the median of the rounds. The memory of a Meter is that of a fresh
process, at so many rows and at four times as many. Of the callbacks of Keras and of Transformers it
is measured what share of a training they take, where these are installed.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

import assay

METRICS = ["accuracy", "f1", "roc_auc", "ece"]
CLASSES = 10
BATCH = 1024


def draw(n, seed=0):
    """Logits (n, 10) as float32, and targets (n,)."""
    rng = np.random.default_rng(seed)
    target = rng.integers(0, CLASSES, n)
    logits = rng.standard_normal((n, CLASSES), np.float32)
    logits[np.arange(n), target] += 2
    return logits, target


def make_meter():
    return assay.Meter(METRICS, kind="logit", intervals=False)


def make_torchmetrics():
    from torchmetrics import MetricCollection
    from torchmetrics import classification as of

    return MetricCollection(
        {
            "accuracy": of.MulticlassAccuracy(CLASSES, average="micro"),
            "f1": of.MulticlassF1Score(CLASSES),
            "roc_auc": of.MulticlassAUROC(CLASSES),
            "ece": of.MulticlassCalibrationError(CLASSES, 15),
        }
    )


def time_epoch(meter, logits, target):
    """Seconds of all updates and of the computing, and the values."""
    began = time.perf_counter()
    for start in range(0, len(target), BATCH):
        meter.update(logits[start : start + BATCH], target[start : start + BATCH])
    updated = time.perf_counter()
    result = meter.compute()
    ended = time.perf_counter()
    values = result.scalars if isinstance(result, assay.Evaluation) else result
    named = {name: round(float(value), 5) for name, value in values.items()}
    return updated - began, ended - updated, dict(sorted(named.items()))


def compare_speed(n, rounds):
    import torch

    logits, target = map(torch.from_numpy, draw(n))
    makers = {"assay": make_meter, "torchmetrics": make_torchmetrics}
    for make in makers.values():
        time_epoch(make(), logits[:BATCH], target[:BATCH])
    ratios = []
    for number in range(rounds):
        seconds = {}
        for name in list(makers)[:: 1 if number % 2 else -1]:
            update, compute, values = time_epoch(makers[name](), logits, target)
            seconds[name] = update + compute
            print(f"{name:12} update {update:6.2f} s  compute {compute:6.2f} s  {values}")
        ratios.append(seconds["torchmetrics"] / seconds["assay"])
    print(f"assay is {median(ratios):.1f} times as fast (rounds: {np.round(ratios, 1)})")
    return median(ratios)


def read_peak():
    """The highest memory that this process has taken, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def measure_memory(n):
    """Peak memory in MB that `n` rows add to a process that has seen 1,024."""
    logits, target = draw(100_000)
    meter = make_meter()
    time_epoch(meter, logits[:BATCH], target[:BATCH])
    before = read_peak()
    for start in range(0, n, len(target)):
        for at in range(0, min(len(target), n - start), BATCH):
            meter.update(logits[at : at + BATCH], target[at : at + BATCH])
    meter.compute()
    return read_peak() - before


def compare_memory(n):
    for rows in (n, 4 * n):
        command = [sys.executable, __file__, "--memory", str(rows)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        print(f"memory that {rows} rows take: {float(done.stdout):.0f} MB")


def shares_of_training(fit, *owners_and_hooks):
    """The share of the seconds of `fit()` that are spent in the hooks of each owner."""
    spent = [0.0] * len(owners_and_hooks)

    def wrap(hook, place):
        def timed(*args, **options):
            began = time.perf_counter()
            try:
                return hook(*args, **options)
            finally:
                spent[place] += time.perf_counter() - began

        return timed

    for place, (owner, names) in enumerate(owners_and_hooks):
        for name in names:
            setattr(owner, name, wrap(getattr(owner, name), place))
    began = time.perf_counter()
    fit()
    whole = time.perf_counter() - began
    return [f"{each / whole:.2%}" for each in spent]


def measure_keras(folder):
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras

    logits, target = draw(20_000)
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(256, activation="relu"), keras.layers.Dense(CLASSES)]
    model = keras.Sequential([keras.Input((CLASSES,)), *layers])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer="adam", loss=loss, metrics=["accuracy"])
    callback = assay.KerasCallback(os.path.join(folder, "keras.jsonl"), progress=False)
    validation = (logits[:1000], target[:1000])

    def fit():
        options = {"epochs": 3, "batch_size": 64, "verbose": 0, "validation_data": validation}
        model.fit(logits, target, callbacks=[callback], **options)

    hooks = [name for name in dir(callback) if name.startswith("on_")]
    at_steps = [name for name in hooks if "batch" in name]
    at_ends = [name for name in hooks if name not in at_steps]
    shares = shares_of_training(fit, (callback, at_steps), (callback, at_ends))
    print(
        f"of a training of Keras its callback takes {shares[0]} at steps and {shares[1]} at the "
        "ends of epochs"
    )

    meters = assay.KerasMeterCallback(validation, METRICS, kind="logit")

    def fit_meters():
        model.fit(logits, target, epochs=3, batch_size=64, verbose=0, callbacks=[meters])

    shares = shares_of_training(fit_meters, (meters, at_steps), (meters, ["on_epoch_end"]))
    print(f"and its meter {shares[0]} at steps, {shares[1]} at the ends of epochs, with predicting")


def measure_transformers(folder):
    import torch
    import transformers

    logits, target = draw(6000)

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            sizes = [CLASSES, 256, CLASSES]
            self.layers = torch.nn.Sequential(
                torch.nn.Linear(*sizes[:2]), torch.nn.ReLU(), torch.nn.Linear(*sizes[1:])
            )

        def forward(self, x, labels=None):
            out = self.layers(x)
            return {"loss": torch.nn.functional.cross_entropy(out, labels), "logits": out}

    rows = [{"x": x, "labels": int(y)} for x, y in zip(logits, target, strict=True)]
    args = transformers.TrainingArguments(
        output_dir=folder, num_train_epochs=3, per_device_train_batch_size=32,
        per_device_eval_batch_size=32, eval_strategy="epoch", save_strategy="no", report_to=[],
        use_cpu=True, disable_tqdm=True, remove_unused_columns=False, batch_eval_metrics=True,
        logging_strategy="epoch",
    )  # fmt: skip
    compute = assay.compute_metrics(*METRICS)
    callback = assay.TransformersCallback(os.path.join(folder, "hf.jsonl"), progress=False)
    trainer = transformers.Trainer(
        Net(), args, train_dataset=rows[:5000], eval_dataset=rows[5000:],
        compute_metrics=compute, callbacks=[callback],
    )  # fmt: skip
    hooks = [name for name in dir(callback) if name.startswith("on_")]
    at_steps = [name for name in hooks if "step" in name]
    at_ends = [name for name in hooks if name not in at_steps]
    meter = compute.meter
    shares = shares_of_training(
        trainer.train,
        (callback, at_steps),
        (callback, at_ends),
        (meter, ["update"]),
        (meter, ["compute"]),
    )
    print(
        f"of a training of Transformers its callback takes {shares[0]} at steps and {shares[1]} at "
        f"the ends of epochs, compute_metrics {shares[2]} and {shares[3]}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", type=int)
    options = parser.parse_args()
    if options.memory:
        print(measure_memory(options.memory))
        return
    compare_speed(options.rows, options.rounds)
    compare_memory(options.rows)
    for name, measure in (("keras", measure_keras), ("transformers", measure_transformers)):
        with tempfile.TemporaryDirectory() as folder:
            try:
                measure(folder)
            except ImportError:
                print(f"{name} is not installed: not measured")


if __name__ == "__main__":
    main()
