"""Table: predictions of several models beside the truth; columns of any kind in, typed arrays out.

The verb of this wing is to validate: every check of a table happens here, once, on whole columns.

- buckets: the resampling unit of each row
- columns: columns of any framework as NumPy or Arrow
- folds: which rows judge a fusion that was fitted on the others
- groups: which slice each row belongs to
- labels: labels as codes
- outputs: what one model predicted, typed and checked
- predictions: `Predictions`, the table that everything else reads
- protocol: what verbs and engines ask of any table
- quantiles: quantiles of a column, found in passes
- schema: task, classes, and the kinds of output of each model
- validation: a checked schema and typed arrays of a whole table

>>> from assay.table.predictions import Predictions
>>> Predictions.from_arrays(["a", "b", "b"], {"m": ["a", "a", "b"]})
Predictions: 3 rows, binary (a, b; positive: b), 1 model: m (label)
"""
