"""mlflow_runs: runs of MLflow by their ID, on a server or in a local store, through its client.

>>> find_run("mlflow:0a1b2c/eval.json"), find_run("mlruns.db")
(('0a1b2c', 'eval.json'), None)
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from assay.core.extras import load_module
from assay.errors import ReadError
from assay.readers.history import History
from assay.readers.mlflow import restore_inf
from assay.readers.points import Points, join_curves

__all__ = ["EXTRA", "download", "explain_missing", "find_run", "read_run"]

EXTRA = "mlflow"
ADDRESS = re.compile(r"mlflow:(?P<run>[^/\\\s]+)(?:/(?P<file>.+))?")
MOST_SHOWN = 8


def find_run(path: Any) -> tuple[str, str | None] | None:
    """The run, and its artifact if one is named, of an address mlflow:RUN_ID or mlflow:RUN_ID/FILE.

    None of any other `path`, and where there is a file of this name.
    """
    match = ADDRESS.fullmatch(path) if isinstance(path, str) else None
    return None if match is None or os.path.exists(path) else (match["run"], match["file"])


def read_run(run: str, uri: str | None = None) -> History:
    """The curves of a `run`, in the store `uri`; default: the one that MLflow is set to."""
    client = _open_store(uri)
    with explain_missing(run, uri):
        found = client.get_run(run)
    curves = {}
    for name in found.data.metrics:
        logged = client.get_metric_history(run, name)
        pairs = [(point.step, restore_inf(point.value)) for point in logged]
        curves[name] = Points.from_pairs(sorted(pairs, key=lambda pair: pair[0]))
    return join_curves(curves, name=found.info.run_name or run, format="mlflow", source=run)


def download(run: str, file: str, folder: str | os.PathLike[str], uri: str | None = None) -> Path:
    """Where the artifact `file` of a `run` lies, copied to a `folder` from the store `uri`."""
    artifacts = load_module("mlflow.artifacts", EXTRA)
    client = _open_store(uri)
    with explain_missing(run, uri):
        client.get_run(run)
        try:
            path = artifacts.download_artifacts(
                run_id=run, artifact_path=file, dst_path=os.fspath(folder), tracking_uri=uri
            )
        except Exception as error:
            names = _list_files(client, run)
            shown = ", ".join(names[:MOST_SHOWN]) + ", ..." * (len(names) > MOST_SHOWN)
            raise ReadError(
                f"the run {run} of MLflow has no artifact {file} (it has "
                f"{shown or 'none'}); name one, as in mlflow:{run}/FILE, or track "
                f"predictions to the run first"
            ) from error
    return Path(path)


@contextmanager
def explain_missing(run: str, uri: str | None) -> Iterator[None]:
    """A ReadError, of what MLflow raises, that says that the store `uri` has no such `run`."""
    mlflow = load_module("mlflow", EXTRA)
    try:
        yield
    except (mlflow.MlflowException, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise ReadError(
            f"MLflow at {uri or mlflow.get_tracking_uri()} has no run {run} ({reason}); name "
            "another, or the store, by MLFLOW_TRACKING_URI=sqlite:///mlflow.db or "
            "'mlflow(uri=sqlite:///mlflow.db)'"
        ) from error


def _open_store(uri: str | None) -> Any:
    """The client of the store `uri`; ReadError where MLflow does not open it."""
    mlflow = load_module("mlflow", EXTRA)
    try:
        return mlflow.MlflowClient(uri)
    except (mlflow.MlflowException, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise ReadError(
            f"MLflow does not open the store {uri or mlflow.get_tracking_uri()}: {reason}"
        ) from error


def _list_files(client: Any, run: str, folder: str | None = None) -> list[str]:
    """The artifacts of a `run` below a `folder`."""
    files: list[str] = []
    for artifact in client.list_artifacts(run, folder):
        files += _list_files(client, run, artifact.path) if artifact.is_dir else [artifact.path]
    return files
