"""What a soup costs: seconds and memory, against reading the checkpoints and doing nothing.

Writes checkpoints of random weights into a temporary folder, as many and as large as asked for if
the disk has room for twice that, and fuses them in processes of their own. Prints one JSON line:
gigabytes, the largest tensor, and for each recipe seconds, the peak of resident memory beyond that
of the imports, and the speed as a ratio to reading the same bytes (`cold`: the files are not in the
cache of the system before; `warm`: they are). The soup is written to the disk and flushed; `flush`
is what writing and flushing one checkpoint costs alone.

    python bench/soup.py [--checkpoints 8] [--gigabytes 1] [--tensors 8] [--how uniform ...]
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from assay.soups.base import get_torch
from assay.soups.checkpoints import TensorSpec
from assay.soups.safetensors_file import write_safetensors

BUFFER = 1 << 20  # bytes, the size that reads fastest here

FUSE = """
import sys, time
import assay, torch
assay.soup
folder, out, how, base = sys.argv[1:]
def peak():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
before = peak()
start = time.perf_counter()
assay.soup(folder, how, base=base or None).save(out)
seconds = time.perf_counter() - start
print(seconds, peak() - before, peak())
"""


def write_checkpoints(folder: Path, count: int, size: int, tensors: int) -> None:
    """Write `count` checkpoints of `size` bytes each, in that many equal tensors of float32."""
    torch = get_torch()
    rows = size // tensors // 4 // 1024
    specs = {f"layer{i}.weight": TensorSpec((rows, 1024), torch.float32) for i in range(tensors)}
    noise = torch.randn(1 << 20)
    for number in range(count):
        total = rows * 1024 * tensors
        chunks = [min(len(noise), total - at) for at in range(0, total, len(noise))]
        parts = (noise[:n] + 0.01 * torch.randn(n) for n in chunks)
        write_safetensors(folder / f"step-{number}.safetensors", specs, {}, parts)


def evict(folder: Path) -> None:
    """Take the files of a folder out of the cache of the system."""
    for path in folder.iterdir():
        with open(path, "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read_all(folder: Path) -> float:
    """Seconds in which every byte of the files of a folder is read into one buffer."""
    buffer = memoryview(bytearray(BUFFER))
    start = time.perf_counter()
    for path in sorted(folder.iterdir()):
        with open(path, "rb", buffering=0) as file:
            while file.readinto(buffer):  # type: ignore[attr-defined]
                pass
    return time.perf_counter() - start


def flush_one(folder: Path, out: Path) -> float:
    """Seconds in which one checkpoint is copied from the cache and flushed to the disk."""
    source = min(folder.iterdir())
    source.read_bytes()
    start = time.perf_counter()
    shutil.copyfile(source, out)
    with open(out, "rb+") as file:
        os.fsync(file.fileno())
    seconds = time.perf_counter() - start
    out.unlink()
    return seconds


def fuse(folder: Path, out: Path, how: str) -> tuple[float, int, int]:
    """Seconds, memory beyond that of the imports, and all memory of one soup."""
    base = str(min(folder.iterdir())) if how.partition("(")[0] in ("ties", "dare") else ""
    command = [sys.executable, "-c", FUSE, str(folder), str(out), how, base]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    seconds, more, peak = printed.split()
    out.unlink()
    return float(seconds), int(more), int(peak)


def measure(folder: Path, out: Path, how: str, runs: int, *, cold: bool) -> dict[str, float]:
    """Medians over alternating runs, so that both meet the same noise."""
    pairs = []
    for _ in range(runs):
        if cold:
            evict(folder)
        reading = read_all(folder)
        if cold:
            evict(folder)
        pairs.append((reading, *fuse(folder, out, how)))
    return {
        "seconds": round(statistics.median(p[1] for p in pairs), 2),
        "reading": round(statistics.median(p[0] for p in pairs), 2),
        "speed_ratio": round(statistics.median(p[0] / p[1] for p in pairs), 2),
        "memory_mb": round(max(p[2] for p in pairs) / 1e6),
        "process_mb": round(max(p[3] for p in pairs) / 1e6),
    }


def main() -> None:
    """Write, fuse and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoints", type=int, default=8)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--tensors", type=int, default=8)
    parser.add_argument("--how", nargs="+", default=["uniform"])
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    size = int(given.gigabytes * 1e9)
    with tempfile.TemporaryDirectory() as parent:
        free = shutil.disk_usage(parent).free
        if free < 2 * size * given.checkpoints:
            size = 256_000_000
        folder, out = Path(parent) / "run", Path(parent) / "soup.safetensors"
        folder.mkdir()
        write_checkpoints(folder, given.checkpoints, size, given.tensors)
        result = {
            "checkpoints": given.checkpoints,
            "gigabytes": size / 1e9,
            "largest_tensor_mb": round(size / given.tensors / 1e6),
            "flush": round(flush_one(folder, out), 2),
        }
        for how in given.how:
            result[how] = {
                name: measure(folder, out, how, given.runs, cold=name == "cold")
                for name in ("cold", "warm")
            }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
