"""Logs of Aim: a repository of three runs, one closed, one killed, one that was continued.

Made with aim 3.29.1 on Python 3.11.

    python aim_repository.py OUT

What holds none of the values is left out afterwards: the index, the options and the logs of the
database, and what the store of names keeps beside them.
"""

import multiprocessing
import os
import shutil
import sqlite3
import sys
from pathlib import Path

from aim import Run

TRAIN = (0.9, 0.6, 0.4, 0.3, 0.2, 0.1)
VAL = (1.0, 0.8, 0.7, 0.75, 0.85, 0.95)


def track(run: Run, first: int, last: int) -> None:
    for epoch in range(first, last + 1):
        for subset, values in (("train", TRAIN), ("val", VAL)):
            value = values[epoch - 1] if epoch <= len(values) else float("nan")
            context = {"subset": subset}
            run.track(value, name="loss", step=10 * epoch, epoch=epoch, context=context)


def start(out: str, **options) -> Run:
    quiet = {"system_tracking_interval": None, "log_system_params": False}
    return Run(repo=out, capture_terminal_logs=False, **quiet, **options)


def kill(out: str) -> None:
    run = start(out)
    run.name = "killed"
    for step in range(30):
        run.track(1 / (step + 1), name="val_loss", step=step)
    os._exit(1)


def main(out: str) -> None:
    Path(out).mkdir(parents=True)
    run = start(out, experiment="digits")
    run.name = "closed"
    track(run, 1, 7)
    run.close()
    run = start(out)
    run.name = "continued"
    track(run, 1, 3)
    run.close()
    run = start(out, run_hash=run.hash)
    track(run, 3, 6)
    run.close()
    process = multiprocessing.get_context("spawn").Process(target=kill, args=(out,))
    process.start()
    process.join()
    for path in sorted(Path(out, ".aim").rglob("*")):
        if path.name.startswith(("OPTIONS", "LOG", "IDENTITY")) or path.name == "LOCK":
            path.unlink()
    for name in ("meta/index", "meta/progress", "seqs/progress", "locks", "check_ins"):
        shutil.rmtree(Path(out, ".aim", name), ignore_errors=True)
    with sqlite3.connect(Path(out, ".aim", "run_metadata.sqlite")) as store:
        tables = store.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            if table != "run":
                store.execute(f"DROP TABLE {table}")
    store.execute("VACUUM")
    store.close()


if __name__ == "__main__":
    main(sys.argv[1])
