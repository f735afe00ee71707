"""Tracking: what was found out about models, logged to the run that trained them, and read back.

The verb is `track`. A tracker is one class in one file, the only place where its package is
imported, and that only once something is logged.

- base: `Tracker`, the family, and `TrackedRun`, a run of one
- track: the verb
- record: what is logged of a result: verdict, figures, files and rows
- figures: the numbers of a result by name, with the ends of their intervals
- mlflow: runs of MLflow, on a server or in a local store
- mlflow_evaluator: `assay` where `mlflow.models.evaluate` asks for evaluators
- wandb: runs of Weights & Biases, offline unless told otherwise
- tensorboard: event files of TensorBoard

>>> import assay, tempfile
>>> evaluation = assay.evaluate([0, 1, 1, 0], [0, 1, 0, 0], "accuracy")
>>> run = assay.track(evaluation, "tensorboard", run=tempfile.mkdtemp(), step=3, prefix="val")
>>> run.read_history().find("val", "accuracy").values
(0.75,)
"""
