"""What `collect` costs above the bare forward loop: a PyTorch MLP over a million rows.

    python bench/collect.py [--rows 1000000] [--times 9]

Both run by turns in one process, now the one and now the other first; the loop predicts the same
batches and joins them. The ratio is the median over the turns; one turn before them warms up.
"""

import argparse
import sys
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import nn

import assay

MOST = 1.1  # times the bare loop


def make_net() -> nn.Module:
    """An MLP of 64 inputs, 256 hidden units and 10 classes."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 10))


def run_bare(net: nn.Module, x: np.ndarray, size: int) -> np.ndarray:
    """Logits of all rows, by the loop that everyone writes."""
    net.eval()
    starts = range(0, len(x), size)
    with torch.no_grad():
        parts = [net(torch.as_tensor(x[start : start + size])).numpy() for start in starts]
    return np.concatenate(parts)


def time_job(job: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds that a job takes, and what it gives."""
    started = perf_counter()
    result = job()
    return perf_counter() - started, result


def main() -> int:
    """Print both times and their ratio; 1 where it is above `MOST`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=9)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    x = rng.normal(size=(options.rows, 64)).astype(np.float32)
    y = rng.integers(0, 10, options.rows)
    net = make_net()
    jobs = {
        "bare": lambda: run_bare(net, x, 1024),
        "collect": lambda: assay.collect({"net": net}, x, y, progress=False),
    }
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for turn in range(options.times + 1):
        for name in sorted(jobs, reverse=bool(turn % 2)):
            taken, result = time_job(jobs[name])
            if turn:
                seconds[name].append(taken)
            if name == "bare":
                logits = result
            else:
                assert turn or np.array_equal(result.outputs["net"]["logit"], logits)
    ratios = sorted(c / b for c, b in zip(seconds["collect"], seconds["bare"], strict=True))
    ratio = median(ratios)
    print(
        f"{options.rows:,} rows: bare loop {median(seconds['bare']):.2f} s, collect "
        f"{median(seconds['collect']):.2f} s, {ratio:.2f} times ({ratios[0]:.2f} to "
        f"{ratios[-1]:.2f} over {options.times} turns; at most {MOST})"
    )
    return int(ratio > MOST)


if __name__ == "__main__":
    sys.exit(main())
