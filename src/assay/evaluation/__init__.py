"""Evaluation: every metric of every model in one pass. The verb is `evaluate`.

- evaluate: the verb, and `Evaluation`, its result
- plan: which states the metrics need, and the passes that fold them
- values: the values read off the states, with intervals and notes
- checkpoint: the states kept while rows are read, for when the reading is interrupted
- state_file: the file that keeps them
- merge: the states of separate jobs, joined

>>> import assay
>>> p = assay.Predictions.from_arrays(["a", "b", "b", "a"], {"m": ["a", "b", "a", "a"]})
>>> assay.evaluate(p, ["accuracy", "mcc"]).metrics
['accuracy', 'mcc']
"""
