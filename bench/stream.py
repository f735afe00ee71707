"""Speed and memory of the full report of a table on disk: whole processes, beside a bare decode of
the two columns.

Writes Parquet files (zstd, row groups of 1e6 rows) with the columns `y` and `m.label` of ten
classes, integers or, with --text, texts. Then it times processes in turns: decoding alone (pyarrow,
two threads, a file handle each), the report of `assay.evaluate`, and, where installed, the
confusion table by duckdb and by polars with two threads, from which a report would follow. All must
find the same accuracy. Prints one JSON line a side: median seconds, the median of the ratios to the
decode of the same turn, and the peak resident memory of the process, its interpreter and libraries
included.

    python bench/stream.py [--rows N] [--text] [--runs N]

The peak is what the system reports of each child when it ends (`wait4`). A child starts out with
the peak of the process that started it, so this one imports nothing large, and another writes the
table.
"""

import argparse
import importlib.util
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

GROUP = 1_000_000
GROUPS = 10  # of a file

DECODE = """
import sys
from pathlib import Path
from threading import Thread
import pyarrow.parquet as parquet

def decode(part):
    for path in files:
        footer = parquet.read_metadata(path)
        file = parquet.ParquetFile(path, metadata=footer, read_dictionary=texts)
        for group in range(part, file.num_row_groups, 2):
            file.read_row_group(group, columns=["y", "m.label"], use_threads=False)

files = sorted(Path(sys.argv[1]).glob("*.parquet"))
texts = ["y", "m.label"] if sys.argv[2] == "text" else []
threads = [Thread(target=decode, args=(part,)) for part in (0, 1)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""

ASSAY = """
import sys
import assay

metrics = ["accuracy", "balanced_accuracy", "mcc", "cohen_kappa", "confusion_matrix"]
averages = ("none", "macro", "micro", "weighted")
metrics += [f"{m}(average={a})" for m in ("precision", "recall", "f1") for a in averages]
print(assay.evaluate(sys.argv[1], metrics, intervals=False).rows[0].value)
"""

DUCKDB = """
import sys
import duckdb

duckdb.sql("set threads = 2; set enable_progress_bar = false")
files = f"'{sys.argv[1]}/*.parquet'"
table = duckdb.sql(f"select y, \\"m.label\\", count(*) from {files} group by all").fetchall()
print(sum(n for y, label, n in table if y == label) / sum(n for _, _, n in table))
"""

POLARS = """
import sys
import polars

rows = polars.scan_parquet(sys.argv[1] + "/*.parquet")
table = rows.group_by("y", "m.label").len().collect(engine="streaming")
print(table.filter(polars.col("y") == polars.col("m.label"))["len"].sum() / table["len"].sum())
"""


def sides() -> dict[str, str]:
    """What runs, by name; the decode first."""
    found = {"decode": DECODE, "assay": ASSAY}
    return found | {
        n: s for n, s in (("duckdb", DUCKDB), ("polars", POLARS)) if importlib.util.find_spec(n)
    }


def write(folder: Path, rows: int, text: bool) -> None:
    """The table, four predictions in five right."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as parquet

    rng = np.random.default_rng(0)
    names = pa.array([f"class {i}" for i in range(10)])

    def batches() -> Iterator[pa.Table]:
        for start in range(0, rows, GROUP):
            n = min(GROUP, rows - start)
            y = rng.integers(0, 10, n, np.int32)
            said = np.where(rng.random(n) < 0.8, y, rng.integers(0, 10, n, np.int32))
            yield pa.table(
                {
                    k: names.take(v) if text else v
                    for k, v in (("y", pa.array(y)), ("m.label", pa.array(said)))
                }
            )

    for number, batch in enumerate(batches()):
        if number % GROUPS == 0:
            file = parquet.ParquetWriter(
                folder / f"{number // GROUPS:04}.parquet", batch.schema, compression="zstd"
            )
        file.write_table(batch, row_group_size=GROUP)
        if number % GROUPS == GROUPS - 1:
            file.close()
    file.close()


def run(script: str, *arguments: str) -> tuple[float, float, str]:
    """Wall seconds, peak resident MB and output of a process of its own."""
    command = [sys.executable, "-c", script, *arguments]
    start = time.perf_counter()
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, env={**os.environ, "POLARS_MAX_THREADS": "2"}
    )
    assert child.stdout is not None
    said = child.stdout.read().decode().strip()
    _, status, used = os.wait4(child.pid, 0)
    took = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"a process ended with {child.returncode}")
    return took, used.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3), said


def measure(folder: str, rows: int, text: bool, runs: int) -> Iterator[dict[str, object]]:
    """The line of each side."""
    scripts = sides()
    label = "text" if text else "codes"
    # What runs just before leaves its mark on the memory, so each turn has an order of its own; the
    # first brings the
    # files into the cache.
    orders = (random.Random(turn).sample(list(scripts), len(scripts)) for turn in range(runs + 1))
    turns = [{name: run(scripts[name], folder, label) for name in order} for order in orders]
    for turn in turns:
        found = [float(turn[name][2]) for name in scripts if name != "decode"]
        assert max(found) - min(found) < 1e-12, found
    for name in scripts:
        yield {
            "case": f"report, {rows:.0e} rows, 10 {'text' if text else 'integer'} classes",
            "side": name,
            "seconds": round(statistics.median(turn[name][0] for turn in turns[1:]), 3),
            "ratio": round(
                statistics.median(turn[name][0] / turn["decode"][0] for turn in turns[1:]), 2
            ),
            "peak_mb": round(statistics.median(turn[name][1] for turn in turns[1:])),
        }


def main() -> None:
    """Write the table, time every side, remove the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=lambda n: int(float(n)), help="default: 1e8, of texts 3e7")
    parser.add_argument("--text", action="store_true", help="labels that are texts")
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    rows = asked.rows or (30_000_000 if asked.text else 100_000_000)
    if asked.write:
        write(asked.write, rows, asked.text)
        return
    with tempfile.TemporaryDirectory() as folder:
        texts = ["--text"] * asked.text
        subprocess.run(
            [sys.executable, __file__, "--write", folder, "--rows", str(rows), *texts], check=True
        )
        for line in measure(folder, rows, asked.text, asked.runs):
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
