"""Logs of training loops: fastai, timm, SpeechBrain, stable-baselines3, Ray Tune, MMEngine.

Made with fastai 2.8.12, timm 1.0.31, speechbrain 1.1.2, stable-baselines3 2.9.2, ray 2.60.0,
mmengine 0.10.7 and torch 2.13.0 on the processor; tiny networks on made-up rows.

    python loops.py OUT
"""

import importlib.util
import random
import shutil
import sys
import types
from collections import OrderedDict
from pathlib import Path

import torch

random.seed(0)
torch.manual_seed(0)
X = torch.randn(240, 6)
y = (X[:, 0] + torch.randn(240) > 0).long()
TRAIN, VAL = (X[:40], y[:40]), (X[40:], y[40:])


def make_network() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(6, 64), torch.nn.ReLU(), torch.nn.Linear(64, 2))


def train_epochs(count):
    """Mean losses of training and validation, and the accuracy in percent, of each epoch."""
    model, loss = make_network(), torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(count):
        optimizer.zero_grad()
        train = loss(model(TRAIN[0]), TRAIN[1])
        train.backward()
        optimizer.step()
        with torch.no_grad():
            output = model(VAL[0])
            accuracy = (output.argmax(1) == VAL[1]).float().mean()
        yield train.item(), loss(output, VAL[1]).item(), 100 * accuracy.item()


def load_module(package: str, path: str):
    """One module of an installed package, without the rest, which wants torchvision."""
    root = importlib.util.find_spec(package).submodule_search_locations[0]
    spec = importlib.util.spec_from_file_location("module", Path(root) / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make_fastai(out: Path) -> None:
    from fastai.callback.progress import CSVLogger
    from fastai.data.core import DataLoaders
    from fastai.data.load import DataLoader
    from fastai.learner import Learner
    from fastai.metrics import accuracy
    from torch.utils.data import TensorDataset

    sets = [DataLoader(TensorDataset(*rows), bs=20) for rows in (TRAIN, VAL)]
    learner = Learner(
        DataLoaders(*sets),
        make_network(),
        loss_func=torch.nn.CrossEntropyLoss(),
        metrics=accuracy,
        path=out,
        cbs=CSVLogger("fastai.csv"),
    )
    learner.fit(12, lr=0.02)


def make_timm(out: Path) -> None:
    update_summary = load_module("timm", "utils/summary.py").update_summary

    (out / "timm").mkdir()
    for epoch, (train, val, accuracy) in enumerate(train_epochs(25)):
        update_summary(
            epoch,
            OrderedDict(loss=train),
            OrderedDict(loss=val, top1=accuracy, top5=100.0),
            str(out / "timm" / "summary.csv"),
            lr=0.02,
            write_header=epoch == 0,
        )


def make_speechbrain(out: Path) -> None:
    package = types.ModuleType("speechbrain")  # the real one imports torchaudio at once
    package.__path__ = importlib.util.find_spec("speechbrain").submodule_search_locations
    sys.modules["speechbrain"] = package
    from speechbrain.utils.train_logger import FileTrainLogger

    logger = FileTrainLogger(str(out / "speechbrain_train_log.txt"))
    for epoch, (train, val, accuracy) in enumerate(train_epochs(25), start=1):
        logger.log_stats(
            stats_meta={"epoch": epoch, "lr": 0.02},
            train_stats={"loss": train},
            valid_stats={"loss": val, "error": 1 - accuracy / 100},
        )
    logger.log_stats(stats_meta={"Epoch loaded": 7}, test_stats={"loss": val, "error": 0.5})


def make_stable_baselines(out: Path) -> None:
    import gymnasium
    from stable_baselines3 import PPO
    from stable_baselines3.common.callbacks import EvalCallback
    from stable_baselines3.common.logger import configure
    from stable_baselines3.common.monitor import Monitor

    folder = out / "sb3"
    watched = Monitor(gymnasium.make("CartPole-v1"), str(folder / "monitor"))
    model = PPO("MlpPolicy", watched, n_steps=256, seed=0)
    model.set_logger(configure(str(folder), ["csv"]))
    evaluation = EvalCallback(
        Monitor(gymnasium.make("CartPole-v1")), eval_freq=512, log_path=str(folder), verbose=0
    )
    model.learn(4096, callback=evaluation)


def make_ray(out: Path) -> None:
    from ray import tune

    def objective(config):
        for train, val, accuracy in train_epochs(8):
            tune.report({"train_loss": train, "val_loss": val, "val_accuracy": accuracy / 100})

    tuner = tune.Tuner(
        objective,
        param_space={"lr": tune.grid_search([0.02, 0.05])},
        run_config=tune.RunConfig(name="ray", storage_path=str(out)),
    )
    tuner.fit()
    for file in (out / "ray").rglob("*"):
        if file.is_file() and file.name not in ("progress.csv", "result.json"):
            file.unlink()


def make_mmengine(out: Path) -> None:
    from mmengine.evaluator import BaseMetric
    from mmengine.model import BaseModel
    from mmengine.runner import Runner

    class Model(BaseModel):
        def __init__(self):
            super().__init__()
            self.network = make_network()

        def forward(self, inputs, labels, mode="tensor"):
            output = self.network(inputs)
            if mode == "loss":
                return {"loss": torch.nn.functional.cross_entropy(output, labels)}
            return output, labels

    class Accuracy(BaseMetric):
        default_prefix = "accuracy"

        def process(self, batch, samples):
            output, labels = samples
            self.results.append((output.argmax(1) == labels).float().mean().item())

        def compute_metrics(self, results):
            return {"top1": 100 * sum(results) / len(results)}

    sets = [
        torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*rows), batch_size=20)
        for rows in (TRAIN, VAL)
    ]
    runner = Runner(
        model=Model(),
        work_dir=str(out / "mmengine"),
        train_dataloader=sets[0],
        val_dataloader=sets[1],
        train_cfg={"by_epoch": True, "max_epochs": 8, "val_interval": 1},
        val_cfg={},
        val_evaluator=[Accuracy()],
        optim_wrapper={"optimizer": {"type": "Adam", "lr": 0.02}},
        default_hooks={"logger": {"type": "LoggerHook", "interval": 1}},
    )
    runner.train()
    (file,) = (out / "mmengine").rglob("scalars.json")
    shutil.copy(file, out / "mmengine_scalars.json")
    shutil.rmtree(out / "mmengine")


if __name__ == "__main__":
    folder = Path(sys.argv[1]).absolute()
    for make in (
        make_fastai,
        make_timm,
        make_speechbrain,
        make_stable_baselines,
        make_mmengine,
        make_ray,
    ):
        make(folder)
