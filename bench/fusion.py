"""How fast weights are found for 50 models, beside AutoGluon's ensemble selection.

50 models of 10 classes on 100,000 rows, drawn so that some are far better than others and each is
right where others are wrong. One thread, seconds of the processor. Prints one JSON line each for
reading the probabilities of the truth from the table; for convex weights (`weighted(shrink=0)`) and
greedy selection of 25 steps from these, the best of some repeats, with the log loss, the duality
gap, and the most memory that was in use beside the table as a multiple of the probabilities of the
truth; and for the peer, the same 25 steps once, with the ratio of its time to each of ours.

`--peer PYTHON` is an interpreter that has autogluon.core; without it, its line is left out. `--rows
N` and `--models N` make the task smaller.

    python bench/fusion.py [--peer PYTHON] [--rows N] [--models N] [--repeats N]
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"  # before NumPy is imported

import numpy as np  # noqa: E402

from assay.fusions.base import FUSIONS  # noqa: E402
from assay.fusions.convex import Pool  # noqa: E402
from assay.table.predictions import Predictions  # noqa: E402

CLASSES = 10
STEPS = 25
OURS = ("weighted(shrink=0)", f"greedy(steps={STEPS})")

# What the peer's interpreter runs on the file of probabilities and that of the truth.
SELECT = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
import numpy as np
from autogluon.core import __version__
from autogluon.core.metrics import log_loss
from autogluon.core.models.greedy_ensemble.ensemble_selection import EnsembleSelection
proba, truth = np.load(sys.argv[1]), np.load(sys.argv[2])
selection = EnsembleSelection(
    ensemble_size=int(sys.argv[3]), problem_type="multiclass", metric=log_loss)
start = time.process_time()
selection.fit(list(proba), truth)
seconds = time.process_time() - start
print(json.dumps([__version__, seconds, list(map(float, selection.weights_))]))
"""


def main() -> None:
    """Run what the command line asks for, and print a JSON line each."""
    parser = argparse.ArgumentParser(description="How fast weights are found.")
    parser.add_argument("--peer", metavar="PYTHON", help="an interpreter that has autogluon.core")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--models", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    truth, proba = draw_models(options.rows, options.models)
    columns = {f"m{j:02}.proba": column for j, column in enumerate(proba)}
    table = Predictions.from_arrays(truth, columns, classes=range(CLASSES), task="multiclass")
    seconds, pool = measure(lambda: Pool.read(table), options.repeats)
    print(json.dumps({"what": "reading", "seconds": round(seconds, 4)}))
    ours = {how: measure_fusion(how, table, pool, options.repeats) for how in OURS}
    for how, found in ours.items():
        print(json.dumps({"what": how, **found}), flush=True)
    if options.peer:
        version, peer_seconds, weights = run_peer(options.peer, truth, proba)
        line = {
            "what": f"autogluon.core {version}, {STEPS} steps",
            "seconds": round(peer_seconds, 2),
            "log_loss": float(pool.losses(weights).mean()),
            **{f"times {how}": round(peer_seconds / own["seconds"]) for how, own in ours.items()},
            **{
                f"times {how} with reading": round(peer_seconds / (own["seconds"] + seconds))
                for how, own in ours.items()
            },
        }
        print(json.dumps(line))


def draw_models(n: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    """The truth (n,) and the probabilities (m, n, k) of models of different quality."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, CLASSES, n)
    shared = rng.normal(size=(n, CLASSES))  # what all models get wrong together
    proba = np.empty((m, n, CLASSES))
    for j in range(m):
        logits = 0.6 * shared + rng.normal(size=(n, CLASSES)) * rng.uniform(0.7, 1.3)
        logits[np.arange(n), truth] += rng.uniform(1.0, 2.5)
        odds = np.exp(logits)
        proba[j] = odds / odds.sum(axis=1, keepdims=True)
    return truth, proba


def measure_fusion(how: str, table: Predictions, pool: Pool, repeats: int) -> dict[str, Any]:
    """Seconds of fitting to the pool, loss, gap, models of some weight, and memory with reading."""
    fusion = FUSIONS.parse(how)
    seconds, fitted = measure(lambda: fusion.solve(pool, seed=0), repeats)
    weights = list(fitted.weights.values())
    tracemalloc.start()
    fusion.solve(Pool.read(table), seed=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return {
        "seconds": round(seconds, 4),
        "log_loss": float(pool.losses(weights).mean()),
        "gap": fitted.gap,
        "models": sum(weight > 0 for weight in weights),
        "memory": round(peak / pool.terms.nbytes, 3),
    }


def measure(run: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """The least seconds of the processor that `run` took, and what it gave."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        found = run()
        times.append(time.process_time() - start)
    return min(times), found


def run_peer(python: str, truth: np.ndarray, proba: np.ndarray) -> tuple[str, float, list[float]]:
    """Version, seconds and weights of the peer's selection."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, "proba.npy"), Path(folder, "truth.npy")]
        np.save(files[0], proba)
        np.save(files[1], truth)
        command = [python, "-c", SELECT, *map(str, files), str(STEPS)]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    version, seconds, weights = json.loads(out.splitlines()[-1])
    return version, seconds, weights


if __name__ == "__main__":
    main()
