"""Table: predictions of several models beside the truth; columns of any kind in, typed arrays out.

The verb of this wing is to validate: every check of a table happens here, once, on whole columns.

- boxes: the objects of each image, true and found, as one text a row
- buckets: the resampling unit of each row
- class_columns: one column for each class, aligned by name
- columns: columns of any framework as NumPy or Arrow
- condition: which rows are wanted, as a short text over columns
- conversions: what the caller asks to be done to columns before they are checked
- folds: which rows judge a fusion that was fitted on the others
- groups: which slice each row belongs to
- indexes: data frames and series matched by their indexes
- judging: which rows judge models, and which trained them
- label_maps: the class of every pixel of images, counted
- label_sets: labels that never meet, and labels that mark rows to ignore
- labels: labels as codes
- outputs: what one model predicted, typed and checked
- predictions: `Predictions`, the table that everything else reads
- rows: one model's rows as states read them, what it did not give derived
- probabilities: probabilities that sum to 1, and what they seem to be where they do not
- protocol: what verbs and engines ask of any table
- quantiles: quantiles of a column, found in passes
- schema: task, classes, and the kinds of output of each model
- splits: names and values by which a column tells training rows
- text_lists: cells of text that hold a list
- texts: truth and predictions that are written out
- times: dates and durations of NumPy, as Arrow takes them
- validation: a checked schema and typed arrays of a whole table

>>> from assay.table.predictions import Predictions
>>> Predictions.from_arrays(["a", "b", "b"], {"m": ["a", "a", "b"]})
Predictions: 3 rows, binary (a, b; positive: b), 1 model: m (label)
"""
