"""Evaluation: every metric of every model in one pass. The verb is `evaluate`.

- evaluate: the verb, and `Evaluation`, its result
- plan: which states the metrics need, and the passes that fold them
- values: the values read off the states, with intervals and notes
- class_tables: a confusion matrix as a matrix, a classification report by class
- checkpoint: the states kept while rows are read, for when the reading is interrupted
- kept_rows: the rows themselves, kept beside them while they are few
- fingerprint: by what a table is known again
- state_file: the file that keeps all of these
- merge: the states of separate jobs, joined
- score_clusters: a metric of each cluster of rows, such as the Dice coefficient of each image
- meter: metrics of rows that come batch by batch, as in a training loop
- batch_reader: what a loop gives for a batch, as columns, checked
- row_buffer: columns of rows that grow batch by batch

>>> import assay
>>> p = assay.Predictions.from_arrays(["a", "b", "b", "a"], {"m": ["a", "b", "a", "a"]})
>>> assay.evaluate(p, ["accuracy", "mcc"]).metrics
['accuracy', 'mcc']
"""
