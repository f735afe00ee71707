"""Audit: where a model is weak and on what it rests, whom it treats differently, what it remembers,
what it must show.

Its verbs are `weak_slices`, `hardest_rows`, `permutation_importance`, `fairness` and
`membership_inference`. Its rooms:

- slices: the slices of the rows on which a model does significantly worse
- slice_finder: tests every slice of one model, and tells apart those that only overlap
- subgroups: the values of columns and their crosses that enough rows share
- hardest_rows: the rows that models get most wrong
- losses: the loss of each row
- importance: what performance rests on, by permutation of parts of the inputs
- inputs: the parts of what models read: columns, patches, words
- fairness: differences of metrics between groups, with intervals, and the criteria of fairness
- membership: whether losses give away which rows a model was trained on
- requirements: the bounds that a release must keep (gates)

>>> from assay.audit.requirements import Requirement
>>> Requirement.parse("f1 >= 90%")
Requirement(metric='f1', sign='>=', bound=0.9, model=None)
"""
