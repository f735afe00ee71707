"""Coverage of the 95 % intervals by simulation, beside the interval of the textbooks (Wald) for accuracy.

Scores of two normal classes, the model's probabilities being the true ones; true figures from a large sample.
Prints one JSON line a case: the share of samples whose interval holds the true figure, for each metric and way.

    python bench/coverage.py [runs]
"""

import json
import math
import sys

import numpy as np

from assay.evaluate import evaluate
from assay.predictions import Predictions

METRICS = (
    "accuracy",
    "precision",
    "recall",
    "f1",
    "f1(average=macro)",
    "balanced_accuracy",
    "roc_auc",
    "log_loss",
    "brier",
)
GOOD, MEDIOCRE = 3.29, 1.05  # distance of the classes at which the best accuracy is 0.95 and 0.70


def sample(rng, n, positive, apart):
    """A table of `n` rows, of which a share `positive` is positive."""
    y = (rng.random(n) < positive).astype(int)
    odds = apart * (rng.normal(size=n) + apart * y) - apart**2 / 2 + math.log(positive / (1 - positive))
    p = 1 / (1 + np.exp(-odds))
    return Predictions.from_arrays(y, {"m.proba": p}, classes=[0, 1], positive=1)


def wald(value, n):
    """The interval of the textbooks for a proportion."""
    half = 1.96 * math.sqrt(value * (1 - value) / n)
    return value - half, value + half


def main(runs: int = 400) -> None:
    """Every setting: balance, quality of the model, number of rows."""
    rng = np.random.default_rng(0)
    for positive in (0.5, 0.05):
        for apart, quality in ((GOOD, "good"), (MEDIOCRE, "mediocre")):
            population = evaluate(sample(rng, 2_000_000, positive, apart), METRICS, intervals=False)
            truth = {row.metric: row.value for row in population.rows}
            for n in (30, 100, 1000):
                held = {m: [] for m in (*METRICS, "accuracy by Wald")}
                for _ in range(runs):
                    table = sample(rng, n, positive, apart)
                    if min(np.bincount(table.truth, minlength=2)) < 1:
                        continue
                    for row in evaluate(table, METRICS).rows:
                        if not math.isnan(row.value):
                            held[row.metric].append(row.low <= truth[row.metric] <= row.high)
                        if row.metric == "accuracy":
                            low, high = wald(row.value, n)
                            held["accuracy by Wald"].append(low <= truth["accuracy"] <= high)
                shares = {m: round(float(np.mean(h)), 3) for m, h in held.items() if h}
                print(
                    json.dumps({"positive": positive, "model": quality, "n": n, "runs": runs, "coverage": shares}),
                    flush=True,
                )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
