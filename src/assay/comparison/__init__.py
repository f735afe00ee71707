"""Comparison: which of several models or algorithms is best, and which are as good.

The verb is `compare`; every difference is paired, on the same rows or the same folds.

- compare: the verb and its result, by rows or by folds
- paired_tests: two models on the same rows: McNemar, paired t, DeLong
- paired_bootstrap: the same for any metric: exchange of predictions, bootstrap
- paired_plan: which states and which procedure compare two models
- equal_differences: what differences show that are equal up to rounding: a sign test
- fold_values: the value of each model in each fold
- fold_tests: two algorithms on the same folds: corrected resampled t, 5x2cv F
- seeds: whether two models differ by more than the seeds they were trained with
- bayesian_fold_test: how likely each of two algorithms is better, by their folds
- datasets: several models over several data sets
- rank_tests: the tests behind it: Wilcoxon, Friedman, Nemenyi, Bayesian signed-rank
- corrections: p-values corrected for looking at many: Holm, Benjamini-Hochberg
- selection_bias: what the best is worth, corrected for having been selected

>>> from assay.comparison.compare import compare
>>> from assay.table.predictions import Predictions
>>> y = [0, 1] * 50
>>> p = Predictions.from_arrays(y, {"good": y, "poor": [0] * 100})
>>> compare(p, "accuracy").verdict
'good is best by accuracy (1.0000); every other model is significantly worse.'
"""
