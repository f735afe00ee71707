"""Start-up: whole-process wall time of the command line and the import, as a ratio to `import
numpy` in the same run.

Prints one JSON line a case: median seconds of alternating runs, and the ratio.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 9


def wall(command: list[str]) -> float:
    """Seconds of one run of a command."""
    start = time.perf_counter()
    subprocess.run(
        command, check=True, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    return time.perf_counter() - start


def main() -> None:
    """Alternate each case with the reference, so that both meet the same noise."""
    python = sys.executable
    reference = [python, "-c", "import numpy"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "small.csv"
        rows = (f"{i % 2},{0.9 - 0.8 * (i % 2):.3f},{0.1 + 0.8 * (i % 2):.3f}" for i in range(1000))
        path.write_text("y,m.proba.0,m.proba.1\n" + "\n".join(rows) + "\n")
        cases = {
            "import assay": [python, "-c", "import assay"],
            "assay --help": [python, "-m", "assay", "--help"],
            "assay evaluate, CSV of 1,000 rows": [
                python,
                "-m",
                "assay",
                "evaluate",
                str(path),
                "--json",
                "-",
            ],
        }
        for name, command in cases.items():
            wall(command), wall(reference)
            pairs = [(wall(command), wall(reference)) for _ in range(RUNS)]
            ours, numpy = (statistics.median(side) for side in zip(*pairs, strict=True))
            ratio = statistics.median(a / b for a, b in pairs)
            print(
                json.dumps(
                    {
                        "case": name,
                        "seconds": round(ours, 3),
                        "numpy": round(numpy, 3),
                        "ratio": round(ratio, 2),
                    }
                )
            )


if __name__ == "__main__":
    main()
