"""States: what one pass over the rows keeps, from which metrics are read.

The verb of this wing is to observe: a `State` turns a batch of rows into a value, merges values of
batches, and gives the summary that formulas read. It is associative and commutative, with a neutral
element, so that any split of the rows gives the same answer.

- base: `State`, the recipe that all states follow
- class_counts: number of rows of each class
- confusion: how often each class was predicted for each true class
- matches: which found boxes are true ones, image by image
- moments: mean and spread of a value of each row
- null_band: the calibration error that chance alone gives
- paired_confusion: how often each truth met each pair of predictions of two models
- ranking: scores sorted once, and the threshold curve read off them
- reliability: predicted probability beside the rows that came true
- row_values: states that keep something of every row
- sketch: scores of a long stream, counted in narrow cells
- sparse: confusion tables of very many classes

>>> from assay.states.confusion import Confusion
>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays(["a", "b", "b"], {"m": ["a", "a", "b"]})
>>> state = Confusion()
>>> state.summary(state.observe(p.rows("m")), p.schema).tp.tolist()
[[1, 1]]
"""
