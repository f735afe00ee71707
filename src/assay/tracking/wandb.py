"""WandB: runs of Weights & Biases, offline unless told otherwise."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from assay.errors import ReadError, UnsupportedError
from assay.io.read_write import read
from assay.io.runs import FOLDER, PREDICTIONS
from assay.readers.history import History
from assay.readers.read_history import read_history
from assay.readers.wandb import has_ended
from assay.table.predictions import Predictions
from assay.tracking.base import Tracker
from assay.tracking.record import Record

__all__ = ["WandB", "await_end"]

PATIENCE = 10.0  # seconds that the file of a run is waited for
RECENT = 600.0  # seconds after which nothing more is expected of a file
SETTLED = 0.5  # seconds without a further record, after which one that has ended is complete


@dataclass(frozen=True)
class WandB(Tracker):
    """Weights & Biases: figures, the verdict, a table of the rows, the page, and files.

    With a step figures are points of curves, without one they stand in the summary of the run. A
    new run is finished at once. Nothing leaves the machine unless `mode` is "online";
    `wandb sync FOLDER` sends an offline run later.

    Parameters:
        project: Project of a new run; default: that of the package.
        folder: Folder in which `wandb/` is made for a new run; default ".".
        mode: "offline" (default) or "online": of a new run.
    """

    name = "wandb"
    module = "wandb"
    extra = "wandb"
    keeps_files = True
    aliases = ("weights_and_biases",)

    project: str | None = None
    folder: str = "."
    mode: Literal["offline", "online"] = "offline"

    def write(self, record: Record, run: Any, step: int | None) -> str:
        wandb = self.load_package()
        if isinstance(run, str | os.PathLike):
            raise UnsupportedError(
                f"the run {run} is finished, and wandb adds nothing to it; give the Run that "
                "wandb.init returned, before its finish()"
            )
        under_way = wandb.run if run is None else run
        if under_way is not None:
            return _log(wandb, under_way, record, step)
        settings = wandb.Settings(silent=True)
        with wandb.init(
            project=self.project, dir=self.folder, mode=self.mode, settings=settings
        ) as made:
            folder = _log(wandb, made, record, step)
        await_end(Path(folder))
        return folder

    def read_history(self, run: str) -> History:
        await_end(Path(run))
        return read_history(run)[-1]

    def read_predictions(self, run: str, file: str = PREDICTIONS, **reading: Any) -> Predictions:
        path = Path(run) / "files" / file
        if not path.exists():
            raise ReadError(f"the run {run} has no file {file}; track predictions to it first")
        return read(path, **reading)


def _log(wandb: Any, run: Any, record: Record, step: int | None) -> str:
    """Log a record to a run that is under way; the folder of the run."""
    if step is not None and step < run.step:
        raise UnsupportedError(
            f"the run is at step {run.step}, and wandb drops what is logged to an earlier one; got "
            f"step {step}; log each step before the next, or leave step out"
        )
    name = f"{FOLDER}/{record.kind}"
    page = record.files.get(f"{record.kind}.html")
    media: dict[str, Any] = {}
    if record.table is not None:
        columns = record.table.column_names
        lists = [record.table[column].to_pylist() for column in columns]
        rows = list(map(list, zip(*lists, strict=True)))
        media[f"{name}_rows"] = wandb.Table(columns=columns, data=rows)
    if page is not None:
        media[f"{name}_page"] = wandb.Html(page, inject=False)
    # Without commit the step stays where the loop has it.
    run.log({**(record.figures if step is not None else {}), **media}, step=step, commit=False)
    run.summary.update(
        {f"{name}_verdict": record.verdict, **(record.figures if step is None else {})}
    )
    for file, content in record.files.items():
        _save(run, file, content)
    return str(os.path.dirname(run.dir))


def _save(run: Any, file: str, content: str | bytes) -> None:
    path = Path(run.dir) / FOLDER / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    run.save(os.fspath(path), base_path=run.dir, policy="now")


def await_end(folder: Path) -> None:
    """Wait until the file of a run that has just finished, in a `folder`, is complete.

    `finish` of wandb 0.31.0 may return before the service beside it has written the last records,
    some of them below that which says how the run ended.
    """
    deadline = time.monotonic() + PATIENCE
    for file in folder.glob("run-*.wandb"):
        while (age := time.time() - file.stat().st_mtime) < RECENT and time.monotonic() < deadline:
            if age > SETTLED and has_ended(file):
                break
            time.sleep(0.05)
