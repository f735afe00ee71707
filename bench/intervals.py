"""What intervals cost: 1,000 replicates of every count metric on 1,000,000 rows against one f1_score of scikit-learn.

Prints one JSON line: medians of alternating runs in one process, and the ratio.
"""

import json
import statistics
import time

import numpy as np
from sklearn.metrics import f1_score

from assay.evaluate import evaluate
from assay.predictions import Predictions

ROWS, CLASSES, RUNS = 1_000_000, 10, 7
METRICS = ["accuracy", "balanced_accuracy", "precision", "recall", "f1", "f1(average=micro)", "f1(average=weighted)"]
METRICS += [f"{name}(average=none)" for name in ("precision", "recall", "f1", "tp", "fp", "fn", "tn")]


def seconds(work) -> float:
    """Wall seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Alternate the two, so that both meet the same noise."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, CLASSES, ROWS)
    said = np.where(rng.random(ROWS) < 0.8, y, rng.integers(0, CLASSES, ROWS))
    table = Predictions.from_arrays(y, {"m": said})
    pairs = [
        (seconds(lambda: evaluate(table, METRICS)), seconds(lambda: f1_score(y, said, average="macro")))
        for _ in range(RUNS + 1)
    ][1:]
    ours, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(b / a for a, b in pairs)
    case = f"{len(METRICS)} count metrics with intervals against one f1_score, {ROWS:,} rows"
    print(
        json.dumps(
            {"case": case, "seconds": round(ours, 4), "scikit_learn": round(theirs, 4), "ratio": round(ratio, 1)}
        )
    )


if __name__ == "__main__":
    main()
