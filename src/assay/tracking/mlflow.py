"""MLflow: runs on a server or in a local store, through its client."""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.io.read_write import read
from assay.io.runs import FOLDER, PREDICTIONS
from assay.readers.history import History
from assay.readers.mlflow_runs import EXTRA, download, explain_missing, read_run
from assay.table.predictions import Predictions
from assay.tracking.base import Tracker
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
    extra = EXTRA
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
        with explain_missing(number, self.uri):
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
        return read_run(run, self.uri)

    def read_predictions(self, run: str, file: str = PREDICTIONS, **reading: Any) -> Predictions:
        with tempfile.TemporaryDirectory() as folder:
            return read(download(run, file, folder, self.uri), **reading)


def _shorten(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 4]} ..."
