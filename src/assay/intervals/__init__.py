"""Intervals: how sure a value is, from the state that it was read off.

`procedures.compute_interval` chooses the procedure that suits the metric and the rows, or takes the
one that is named; `procedures.describe_method` says in a sentence what a procedure does.

- procedures: one interval of every value of a metric; the table of the procedures
- replicates: the state of one model on one group of rows, and its bootstrap replicates
- resampling: replicates from buckets of rows, or from confusion counts
- proportions: intervals of a share of rows, in closed form
- delong: the interval of the area under a ROC curve
- bootstrap_t: the interval of a mean, or of a ratio of sums, where losses are skewed
- largest_lead: the interval of the largest lead of one share of rows over another, as KS is one
- logit_spread: the interval of an average precision, by its spread as log-odds
- calibration_gaps: the interval of a calibration error, which chance alone makes larger
- small_samples: what to say where an interval rests on few rows of a class
- differences: differences and ratios of the values of different rows
- subgroup_tests: many subgroups of rows, each tested against all other rows

>>> import numpy as np
>>> from assay.intervals.proportions import wilson
>>> low, high = wilson(np.array(28.0), np.array(30.0), 0.95)
>>> round(float(low), 4), round(float(high), 4)
(0.7868, 0.9815)
"""
