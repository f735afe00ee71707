"""Advice: numbered checks of data and models, each with its evidence and what to do instead.

The verb is `advise`; every evaluation, report and study runs it. A check is one class with a code.

- base: what every check is, the registry of all, and what a check reads
- advise: the verb, the context of the checks, and the majority baseline
- data: imbalance, the assumed positive class, rare classes, too few rows
- fit: worse on other rows than on those of the training, or bad even there
- leakage: training rows, rows shared across splits, a fold unlike the others
- models: below a baseline, permuted or tied columns, reversed scores, an impossible truth
- remedies: temperature, threshold and costs

>>> from assay.advice.advise import advise
>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays([0, 1] * 50, {"m": [0, 1] * 50}, split=["train"] * 100)
>>> [advice.code for advice in advise(p)]
['A003', 'A005']
"""
