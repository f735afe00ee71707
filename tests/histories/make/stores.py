"""Runs in the stores of trackers: MLflow, Weights & Biases, Trackio, Optuna, DVCLive, ClearML.

Made with mlflow-skinny 3.17.2, wandb 0.31.0, trackio 0.43.0, optuna 5.0.0, dvclive 3.49.1,
clearml 2.1.12 on Python 3.11. Losses are numbers made up, so that each is known; the stores are
those of the libraries.

    python stores.py OUT
"""

import os
import shutil
import sys
from pathlib import Path

TRAIN = [0.9, 0.6, 0.4, 0.3, 0.2, 0.1]
VAL = [1.0, 0.8, 0.7, 0.75, 0.85, 0.95]


def make_mlflow(out: Path) -> None:
    """Two runs in a SQLite store; the second one logs nan at its end."""
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{out / 'mlflow.db'}")
    mlflow.set_experiment("digits")
    for name in ("good", "diverged"):
        with mlflow.start_run(run_name=name):
            for epoch, (train, val) in enumerate(zip(TRAIN, VAL, strict=True)):
                is_lost = name == "diverged" and epoch > 3
                mlflow.log_metric("train_loss", float("nan") if is_lost else train, step=epoch)
                mlflow.log_metric("val_loss", float("inf") if is_lost else val, step=epoch)
                mlflow.log_metric("system/cpu_utilization_percentage", 50.0, step=epoch)
    keep_tables(out / "mlflow.db", "runs", "metrics")


def make_wandb(out: Path) -> None:
    """An offline run; its file alone is kept."""
    import wandb

    os.environ.update(WANDB_MODE="offline", WANDB_SILENT="true")
    run = wandb.init(project="digits", name="red", dir=str(out), config={"lr": 0.1})
    for epoch, (train, val) in enumerate(zip(TRAIN, VAL, strict=True)):
        run.log({"epoch": epoch, "train/loss": train, "val": {"loss": val, "note": "x"}})
    run.log({"epoch": 6, "train/loss": float("nan"), "val": {"loss": float("inf")}})
    run.finish()
    wandb.teardown()  # the file is complete only then
    (file,) = (out / "wandb").glob("offline-run-*/*.wandb")
    (out / "offline.wandb").write_bytes(keep_history(file.read_bytes()))
    shutil.rmtree(out / "wandb")


def keep_history(content: bytes) -> bytes:
    """The history of a run and its name, without the records that describe the machine."""
    from wandb.proto.wandb_internal_pb2 import Record

    kept, position = content[:7], 7
    while position < len(content):
        length = int.from_bytes(content[position + 4 : position + 6], "little")
        record = Record.FromString(content[position + 7 : position + 7 + length])
        position += 7 + length
        if record.WhichOneof("record_type") == "run":
            name = record.run.display_name
            record = Record()
            record.run.display_name = name
        elif record.WhichOneof("record_type") != "history":
            continue
        message = record.SerializeToString()
        kept += bytes(4) + len(message).to_bytes(2, "little") + b"\1" + message
    return kept


def keep_tables(file: Path, *tables: str) -> None:
    """Makes a store small: without indices, and without tables that say nothing of curves."""
    import sqlite3

    store = sqlite3.connect(file, isolation_level=None)
    store.execute("PRAGMA journal_mode = DELETE")
    store.execute("PRAGMA foreign_keys = OFF")
    listed = "SELECT name FROM sqlite_master WHERE type = ? AND sql IS NOT NULL"
    for kind in ("index", "table"):
        for (name,) in store.execute(listed, (kind,)).fetchall():
            if name not in tables and not name.startswith("sqlite"):
                store.execute(f'DROP {kind} "{name}"')
    if "runs" in tables:
        store.execute("UPDATE runs SET user_id = 'user', artifact_uri = '', source_name = ''")
    store.execute("PRAGMA page_size = 1024")
    store.execute("VACUUM")
    store.close()


def make_trackio(out: Path) -> None:
    """A project of two runs."""
    os.environ["TRACKIO_DIR"] = str(out / "trackio")
    import trackio

    for name in ("first", "second"):
        trackio.init(project="digits", name=name)
        for train, val in zip(TRAIN, VAL, strict=True):
            trackio.log({"train/loss": train, "val/loss": val})
        trackio.log({"train/loss": float("nan")})
        trackio.finish()
    shutil.move(out / "trackio" / "digits.db", out / "trackio.db")
    shutil.rmtree(out / "trackio")
    keep_tables(out / "trackio.db", "metrics")


def make_optuna(out: Path) -> None:
    """A study of three trials that report an error at each step; one of them is pruned."""
    import optuna

    study = optuna.create_study(
        storage=f"sqlite:///{out / 'optuna.db'}", study_name="digits", direction="minimize"
    )

    def objective(trial: optuna.Trial) -> float:
        for step, value in enumerate(VAL):
            trial.report(value + trial.number / 10, step)
            if trial.number == 2 and step == 3:
                raise optuna.TrialPruned
        return VAL[-1]

    study.optimize(objective, n_trials=3)
    tables = ("studies", "study_directions", "trials", "trial_intermediate_values")
    keep_tables(out / "optuna.db", *tables)


def make_dvclive(out: Path) -> None:
    """A run of training and validation."""
    from dvclive import Live

    with Live(str(out / "dvclive"), report=None, save_dvc_exp=False) as live:
        for train, val in zip(TRAIN, VAL, strict=True):
            live.log_metric("train/loss", train)
            live.log_metric("val/loss", val)
            live.next_step()


def make_clearml(out: Path) -> None:
    """An offline session; the library keeps nan as 0."""
    from clearml import Task

    Task.set_offline(True)
    task = Task.init("digits", "run", output_uri=False, auto_connect_frameworks=False)
    logger = task.get_logger()
    for epoch, (train, val) in enumerate(zip(TRAIN, VAL, strict=True)):
        logger.report_scalar("loss", "train", iteration=epoch, value=train)
        logger.report_scalar("loss", "validation", iteration=epoch, value=val)
    folder = task.get_offline_mode_folder()
    task.close()
    (file,) = Path(folder).glob("metrics.jsonl") or Path(folder).parent.glob("*.zip")
    shutil.copy(file, out / "clearml_metrics.jsonl")


if __name__ == "__main__":
    folder = Path(sys.argv[1]).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    for make in (make_mlflow, make_wandb, make_trackio, make_optuna, make_dvclive, make_clearml):
        make(folder)
