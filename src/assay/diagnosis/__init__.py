"""diagnosis: whether a run is over- or under-fitting, by its curves. Its verb is `diagnose`.

- diagnose: the verb: histories or logs in, the diagnosis of each run out
- judge: the diagnosis of one run
- metric_curve: a run judged by a validation metric, where no loss was validated
- measurements: the numbers that a curve is judged by
- rules: from measurements to a status, its severity, flags and confidence
- explanations: findings, remarks and remedies in words
- trend: noise, slope and smoothing of short curves

>>> from assay.diagnosis.diagnose import diagnose
>>> from assay.readers.history import History
>>> val_loss = [1.3, 1.0, 0.85, 0.8, 0.79, 0.82, 0.86, 0.9, 0.95, 1.0, 1.06, 1.1]
>>> print(diagnose(History.from_lists(val_loss=val_loss), n_classes=10).runs[0].status)
overfit
"""
