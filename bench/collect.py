"""What `collect` costs above the bare forward loop: a PyTorch MLP over a million rows.

    python bench/collect.py [--rows 1000000] [--times 5]

Both run by turns in one process; the loop predicts the same batches and joins them. The ratio is
that of the shortest times.
"""

import argparse
import sys
from time import perf_counter

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


def main() -> int:
    """Print both times and their ratio; 1 where it is above `MOST`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=5)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    x = rng.normal(size=(options.rows, 64)).astype(np.float32)
    y = rng.integers(0, 10, options.rows)
    net = make_net()
    bare: list[float] = []
    collected: list[float] = []
    for _ in range(options.times):
        started = perf_counter()
        logits = run_bare(net, x, 1024)
        bare.append(perf_counter() - started)
        started = perf_counter()
        table = assay.collect({"net": net}, x, y, progress=False)
        collected.append(perf_counter() - started)
    assert np.array_equal(table.outputs["net"]["logit"], logits)
    ratio = min(collected) / min(bare)
    print(
        f"{options.rows:,} rows: bare loop {min(bare):.2f} s, collect {min(collected):.2f} s, "
        f"{ratio:.3f} times (at most {MOST})"
    )
    return int(ratio > MOST)


if __name__ == "__main__":
    sys.exit(main())
