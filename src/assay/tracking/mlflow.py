"""MLflow: runs on a server or in a local store, through its client."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.errors import ReadError
from assay.io.read_write import read
from assay.readers.history import History
from assay.readers.mlflow import restore_inf
from assay.readers.points import Points, join_curves
from assay.table.predictions import Predictions
from assay.tracking.base import FOLDER, PREDICTIONS, Tracker, load_module
from assay.tracking.record import Record

__all__ = ["MLflow"]

BATCH = 1000  # metrics that a server takes at a time
LONGEST = 5000  # characters of a tag that every version keeps


@dataclass(frozen=True)
class MLflow(Tracker):
    """MLflow: figures as metrics, the verdict as a tag, documents as artifacts below `assay/`.

    Parameters:
        uri: Where the runs are kept, as in "sqlite:///mlflow.db" or the address of a server;
            default: what MLflow is set to.
        experiment: Experiment of a new run; default: what MLflow is set to.
    """

    name = "mlflow"
    module = "mlflow"
    extra = "mlflow"
    keeps_files = True

    uri: str | None = None
    experiment: str | None = None

    def write(self, record: Record, run: Any, step: int | None) -> str:
        mlflow = self.load_package()
        client = mlflow.MlflowClient(self.uri)
        number = self._find_run(mlflow, client, run)
        now = int(time.time() * 1000)
        metrics = [
            mlflow.entities.Metric(name, value, now, step or 0)
            for name, value in record.figures.items()
        ]
        for first in range(0, len(metrics), BATCH):
            client.log_batch(number, metrics=metrics[first : first + BATCH])
        client.set_tag(number, f"{FOLDER}.{record.kind}.verdict", _shorten(record.verdict))
        with tempfile.TemporaryDirectory() as folder:
            for file, content in record.files.items():
                path = Path(folder) / file
                path.write_bytes(content.encode() if isinstance(content, str) else content)
            client.log_artifacts(number, folder, FOLDER)
        return number

    def _find_run(self, mlflow: Any, client: Any, run: Any) -> str:
        """The ID of the run that is given, or under way, or made."""
        active = mlflow.active_run() if run is None and self.uri is None else run
        if active is None:
            return self._make_run(mlflow, client)
        number = str(active.info.run_id if hasattr(active, "info") else active)
        with _explain_missing(number, self.uri):
            client.get_run(number)
        return number

    def _make_run(self, mlflow: Any, client: Any) -> str:
        if self.uri is None and self.experiment is None:
            with mlflow.start_run() as made:
                return str(made.info.run_id)
        name = self.experiment or "Default"
        known = client.get_experiment_by_name(name)
        made = client.create_run(known.experiment_id if known else client.create_experiment(name))
        client.set_terminated(made.info.run_id)
        return str(made.info.run_id)

    def read_history(self, run: str) -> History:
        client = self.load_package().MlflowClient(self.uri)
        with _explain_missing(run, self.uri):
            found = client.get_run(run)
        curves = {}
        for name in found.data.metrics:
            logged = client.get_metric_history(run, name)
            pairs = [(point.step, restore_inf(point.value)) for point in logged]
            curves[name] = Points.from_pairs(sorted(pairs, key=lambda pair: pair[0]))
        return join_curves(curves, name=found.info.run_name or run, format=self.name, source=run)

    def read_predictions(self, run: str, file: str = PREDICTIONS, **reading: Any) -> Predictions:
        artifacts = load_module("mlflow.artifacts", self.extra)
        with tempfile.TemporaryDirectory() as folder:
            with _explain_missing(f"{run} with an artifact {file}", self.uri):
                path = artifacts.download_artifacts(
                    run_id=run, artifact_path=file, dst_path=folder, tracking_uri=self.uri
                )
            return read(path, **reading)


@contextmanager
def _explain_missing(what: str, uri: str | None) -> Iterator[None]:
    """A ReadError that says which store has no such run or artifact, of what MLflow raises."""
    mlflow = load_module("mlflow", MLflow.extra)
    try:
        yield
    except (mlflow.MlflowException, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise ReadError(
            f"MLflow at {uri or mlflow.get_tracking_uri()} has no run {what} ({reason}); name "
            "another, or the store, as in 'mlflow(uri=sqlite:///mlflow.db)'"
        ) from error


def _shorten(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 4]} ..."
