"""How often a fusion is said to pay where no model knows anything: at most 5 % is promised.

Labels are drawn independently of what the models predict. Each simulation draws a table of two to
ten models, of 60 to 600 rows, with two to four classes or with values, fuses it, and counts the
answer `pays`, and how often the fused model is said to beat the baseline (the shares of the
classes, or the mean of the truth). Models are of unlike confidence, as models that learned
nothing are; half of the tables have models that agree with each other, as if trained on the same
rows.

Prints one JSON line a fusion: its simulations, the share of `pays` and its standard error, and the
share that beats the baseline.

    python bench/random_labels.py [--simulations N] [--seed N]
"""

import argparse
import json
import math

import numpy as np

from assay.errors import UnsupportedError
from assay.fusions.base import FUSIONS
from assay.fusions.fuse import fuse
from assay.table.predictions import Predictions

MODELS = (2, 3, 5, 10)
ROWS = (60, 150, 600)


def draw_table(seed: int) -> Predictions:
    """Labels or values that have nothing to do with what the models say of them."""
    rng = np.random.default_rng(seed)
    n = ROWS[seed % len(ROWS)]
    m = MODELS[seed // len(ROWS) % len(MODELS)]
    k = int(rng.integers(1, 5))  # 1: values
    shared = rng.normal(size=(n, k)) if rng.random() < 0.5 else np.zeros((n, k))
    scales = rng.uniform(0.1, 1.5, m)
    logits = [scale * (shared + rng.normal(size=(n, k))) for scale in scales]
    if k == 1:
        values = {f"m{j}": z[:, 0] for j, z in enumerate(logits)}
        return Predictions.from_arrays(rng.normal(size=n), values, task="regression")
    y = rng.choice(k, n, p=rng.dirichlet(np.full(k, 5.0)))
    proba = {f"m{j}.proba": np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
             for j, z in enumerate(logits)}  # fmt: skip
    task = "binary" if k == 2 else "multiclass"
    return Predictions.from_arrays(y, proba, classes=range(k), task=task)


def main() -> None:
    """Simulate, and print a line a fusion."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--how", nargs="*", default=FUSIONS.names(), help="default: all")
    asked = parser.parse_args()
    for how in asked.how:
        pays, beats = [], []
        for simulation in range(asked.simulations):
            try:
                fused = fuse(draw_table(asked.seed + simulation), how)
            except UnsupportedError:
                continue  # it is for other tables, or for more rows
            pays.append(fused.answer == "pays")
            beats.append(fused.beats_baseline)
        if pays:
            share = float(np.mean(pays))
            line = {
                "how": how,
                "simulations": len(pays),
                "pays": round(share, 4),
                "error": round(math.sqrt(share * (1 - share) / len(pays)), 4),
                "better_than_chance": round(float(np.mean(beats)), 4),
            }
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
