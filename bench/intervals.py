"""What intervals cost: 1,000 replicates of every count metric on 1,000,000 rows against one
f1_score of scikit-learn.

Every metric of the registry that reads the confusion table, by each of its averages, with an
interval beside each figure, on two classes and on ten.

Prints one JSON line a case, medians of alternating runs in one process, then a table.

    python bench/intervals.py [--quick]
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
from sklearn.metrics import f1_score

from assay.errors import AssayError
from assay.evaluation.evaluate import evaluate
from assay.intervals.resampling import REPLICATES
from assay.metrics.base import METRICS
from assay.states.confusion import Confusion
from assay.table.predictions import Predictions

ROWS, RUNS = 1_000_000, 7
AVERAGES = ("macro", "micro", "weighted", "none")


def count_metrics(table: Predictions) -> list[str]:
    """Texts of all metrics that read the confusion table and serve this table, by each of their
    averages.
    """
    found = []
    for name in METRICS.names():
        averages = (
            AVERAGES if any(field.name == "average" for field in fields(METRICS[name])) else ()
        )
        for text in (name, *(f"{name}(average={average})" for average in averages)):
            try:
                metric = METRICS.parse(text).bind(table.schema)
            except AssayError:  # of another task, or without that average
                continue
            found += [text] if isinstance(metric.state, Confusion) else []
    return found


def seconds(work: Callable[[], Any]) -> float:
    """Wall seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measured(classes: int, rows: int = ROWS, runs: int = RUNS) -> dict[str, Any]:
    """Medians of both, which alternate so that both meet the same noise."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, classes, rows)
    said = np.where(rng.random(rows) < 0.8, y, rng.integers(0, classes, rows))
    table = Predictions.from_arrays(y, {"m": said})
    metrics = count_metrics(table)
    pairs = [
        (
            seconds(lambda: evaluate(table, metrics)),
            seconds(lambda: f1_score(y, said, average="macro")),
        )
        for _ in range(runs + 1)
    ][1:]
    ours, theirs = (round(statistics.median(side), 4) for side in zip(*pairs, strict=True))
    ratio = round(statistics.median(b / a for a, b in pairs), 1)
    return {
        "case": f"{classes} classes, {rows:,} rows",
        "metrics": len(metrics),
        "replicates": REPLICATES,
        "seconds": ours,
        "f1_score": theirs,
        "ratio": ratio,
    }


def main() -> None:
    """Print both cases; `--quick` on a tenth of the rows."""
    found = [
        measured(classes, ROWS // 10 if "--quick" in sys.argv else ROWS) for classes in (2, 10)
    ]
    for line in found:
        print(json.dumps(line), flush=True)
    print(
        "\n| case | count metrics | replicates | all of them, seconds "
        "| one f1_score, seconds | ratio |"
    )
    print("|--|--|--|--|--|--|")
    for line in found:
        print(f"| {' | '.join(str(value) for value in line.values())} |")


if __name__ == "__main__":
    main()
