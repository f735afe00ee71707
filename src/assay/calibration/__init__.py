"""Calibration: probabilities and scores are made into decisions, or better probabilities.

The verb is `tune_threshold`; every value is of rows that the choice was not made on.

- threshold: the score from which on the positive class is predicted
- temperature: the temperature that makes probabilities fit the truth best

>>> from assay.calibration.threshold import closed_form
>>> closed_form((1, 4))  # where a false negative costs four times as much as a false positive
0.2
"""
