"""diagnosis: whether a run is over- or under-fitting, by its curves. Its verb is `diagnose`.

- diagnose: the verb: histories or logs in, the diagnosis of each run out
- judge: the diagnosis of one run
- unvalidated: the diagnosis of a run whose validation loss does not say how good it is
- training_curve: what the training loss alone says
- objective: what the losses measure, where it is not how well rows are predicted
- run_diagnosis: what is said of one run, for people, JSON and tables
- findings: the verdict in one sentence
- remarks: sentences on metrics and flags
- log_remarks: what a log holds beside its curves
- remedies: what to do
- places: what a point of a run is called, on its axis and on disk
- case: a judged run, as the words about it need it
- rules: from measurements to a status
- flags: severity, flags and confidence of a status
- metric_curve: a run judged by a validation metric
- metric_changes: how metrics fared between the epoch of lowest loss and the end
- measurements: the numbers that a curve is judged by
- baseline: the loss of a model that knows only how frequent each outcome is
- curves: the losses of a run on one axis
- runs: which of several runs is best, whether seeds explain it, which epochs were wasted
- run_names: which runs are one configuration with other seeds, by their names
- sketch: the losses of a run as lines of plain text
- training_log: a log of a run that is under way, with its verdict
- stopping: whether further epochs of a run that is under way can pay
- trend: noise, slope and smoothing of short curves

>>> from assay.diagnosis.diagnose import diagnose
>>> from assay.readers.history import History
>>> val_loss = [1.3, 1.0, 0.85, 0.8, 0.79, 0.82, 0.86, 0.9, 0.95, 1.0, 1.06, 1.1]
>>> print(diagnose(History.from_lists(val_loss=val_loss), n_classes=10).runs[0].status)
overfit
"""
