"""runs: predictions among the files of runs that trackers keep, by the address of the run.

>>> fetch_run("p.parquet")
'p.parquet'
"""

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from assay.readers.mlflow_runs import download, find_run

__all__ = ["FOLDER", "PREDICTIONS", "fetch_run"]

FOLDER = "assay"  # in which the files of a run lie
PREDICTIONS = f"{FOLDER}/predictions.parquet"


def fetch_run(path: Any) -> Any:
    """The file of predictions that a `path` of a run names; any other path as it is.

    That of mlflow:RUN_ID or mlflow:RUN_ID/FILE is a copy of the artifact, which lasts as long as
    the process; that of a folder of an offline run of Weights & Biases lies below it.
    """
    run = find_run(path)
    if run is not None:
        number, file = run
        return download(number, file or PREDICTIONS, tempfile.mkdtemp(dir=_open_folder().name))
    try:
        inside = Path(path) / "files" / PREDICTIONS
        return inside if inside.is_file() else path
    except (OSError, TypeError, ValueError):
        return path


@cache
def _open_folder() -> "tempfile.TemporaryDirectory[str]":
    """A folder that is removed when the process ends."""
    return tempfile.TemporaryDirectory(prefix="assay-runs-")
