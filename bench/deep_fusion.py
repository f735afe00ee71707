"""Deep fusion on scikit-learn's digits: two unlike branches, and two halves of the image.

Each seed draws other rows: 600 to train, 300 to validate (they end training), 897 to judge. Ways:
networks alone; naive joint training (branches have no loss of their own, no row goes without one);
joint training as `fuse_networks` does by default; branches that were trained alone, then frozen.

    python bench/deep_fusion.py [--seeds 10]
"""

import argparse
from collections.abc import Callable, Mapping

import numpy as np
import torch
from scipy.stats import t as student
from sklearn.datasets import load_digits
from torch import Tensor, nn

import assay
from assay.deep.options import Target, Training
from assay.deep.torch_student import TorchStudent

TARGET = Target("multiclass", 10)
EPOCHS = 60
Inputs = Mapping[str, Tensor]


def make_mlp(inputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, 32), nn.ReLU(), nn.Linear(32, 10))


def make_convolution() -> nn.Module:
    return nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)),
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(128, 10),
    )


def make_unlike(pixels: Tensor) -> tuple[Inputs, Mapping[str, nn.Module], Mapping[str, str]]:
    inputs = {"mlp": pixels, "convolution": pixels}
    nets = {"mlp": make_mlp(64), "convolution": make_convolution()}
    return inputs, nets, {"mlp": "1", "convolution": "7"}


def make_halves(pixels: Tensor) -> tuple[Inputs, Mapping[str, nn.Module], Mapping[str, str]]:
    images = pixels.reshape(-1, 8, 8)
    inputs = {"left": images[:, :, :4].flatten(1), "right": images[:, :, 4:].flatten(1)}
    return inputs, {name: make_mlp(32) for name in inputs}, dict.fromkeys(inputs, "1")


def measure(case: Callable, seed: int) -> dict[str, float]:
    """Accuracy on the judging rows of each way, with rows and weights of a `seed`."""
    digits = load_digits()
    order = np.random.default_rng(seed).permutation(len(digits.data))
    torch.manual_seed(seed)
    inputs, nets, layers = case(torch.as_tensor(digits.data[order] / 16, dtype=torch.float32))
    truth = torch.as_tensor(digits.target[order])
    train, val, test = slice(0, 600), slice(600, 900), slice(900, None)

    def take(rows: slice) -> tuple[Inputs, Tensor]:
        return {name: values[rows] for name, values in inputs.items()}, truth[rows]

    def judge(module: nn.Module, values: Tensor | Inputs) -> float:
        table = assay.collect({"net": module}, values, truth[test].numpy(), classes=range(10))
        return assay.evaluate(table, "accuracy", intervals=False).value

    found = {}
    alone = {}
    for name, net in nets.items():
        rows = [(inputs[name][part], truth[part]) for part in (train, val)]
        pupil = TorchStudent(net, TARGET, *rows)
        options = Training(EPOCHS, 10, 64, 1e-3, 0.01, seed)
        alone[name], _ = pupil.learn(options, np.full((600, 10), 0.1), 1.0, 1.0)
        found[f"{name} alone"] = judge(alone[name], inputs[name][test])
    ways = {
        "naive joint training": (nets, {"freeze": False, "aux_loss": 0, "modality_dropout": 0}),
        "joint training": (nets, {"freeze": False}),
        "frozen branches": (alone, {"freeze": True}),
    }
    for way, (branches, options) in ways.items():
        net = assay.fuse_networks(branches, n_classes=10, features=layers, **options)
        net.fit(take(train), take(val), epochs=EPOCHS, seed=seed)
        found[way] = judge(net.module, take(test)[0])
    return found


def print_table(title: str, runs: list[dict[str, float]]) -> None:
    """Mean accuracy of each way, and how far it is ahead of the best branch, over seeds."""
    names = list(runs[0])
    best = np.max([[run[n] for n in names if n.endswith(" alone")] for run in runs], axis=1)
    spread = student.ppf(0.975, len(runs) - 1) / np.sqrt(len(runs))
    print(f"\n{title}, {len(runs)} seeds\n")
    print("| network | accuracy | ahead of the best branch (95 % interval) |\n|---|---|---|")
    for name in names:
        values = np.array([run[name] for run in runs])
        ahead = values - best
        half = spread * ahead.std(ddof=1)
        low, high = ahead.mean() - half, ahead.mean() + half
        said = "" if name.endswith(" alone") else f"{ahead.mean():+.4f} [{low:+.4f}, {high:+.4f}]"
        print(f"| {name} | {values.mean():.4f} | {said} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    seeds = range(parser.parse_args().seeds)
    for title, case in (("Two unlike branches", make_unlike), ("Two halves", make_halves)):
        print_table(title, [measure(case, seed) for seed in seeds])


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
