"""Fusions: several models of one table made into one more, fitted, judged on other rows, and saved.

The verb is `fuse`. A fusion is one frozen dataclass in one file; none imports another.

- base: what every fusion is, the registry of all, and `load_fitted`
- fitted: base of every fitted fusion, which applies, dumps, loads and saves itself
- baselines: what is predicted by those who know the truth of other rows, and no input
- choosing: the fusion that a call of `fuse` asks for, with its metric and weights
- coalitions: what the fusion of any of the models loses on rows left out of its fit
- convex: weights on the models, and the pool of numbers that they are fitted from
- cross_fitting: each row fused by a fusion that was fitted without the row's fold
- diversity: how differently models err, and what that is worth to their mean
- export_onnx: a fitted fusion and its models as one ONNX graph
- onnx_pools: the arithmetic of fitted fusions as ONNX nodes
- explain: why a fusion works, by what each model adds, and whether fewer would do
- frontier: how good a fusion of few models, or of cheap ones, is
- fuse: the verb and its result
- judging: losses of the fused and the single models, by metrics that `evaluate` prints, too
- alarms: members that spoil a fusion, or flatter it, without its numbers showing
- apply_fusion: a saved fusion on rows that came later, whose truth may be unknown
- additions: what a mean of models loses when one more is added
- auto: the mean of several fusions, each weighed by its loss on rows left out of its fit
- best: the single model of least loss, chosen as weights are
- features: further columns of a table as numbers
- gated: weights that depend on the row, by a logistic gate
- geometric: the mean of log probabilities
- greedy: ensemble selection for any metric
- log_pool: powers of probabilities of least log loss, which can sharpen
- logarithmic: products of powers of probabilities, and the log probabilities they are fitted from
- mean: soft voting, mean of values, majority vote, weights that are given
- neighbours: weights that depend on the row, by how well models do near it
- per_class: convex weights for each class or label
- performance: weights by how well each model does alone
- rank_mean: scores of different scales averaged by rank, for ROC AUC
- regressions: penalised ones that are pulled toward the mean of the models
- shares: by how much each model lowers the loss of a fusion
- simplex: weights >= 0 that sum to 1, of least log loss or squared error
- stacked_estimator: any estimator fitted to what the models say, layer on layer
- stacking: regularised regression on the members' outputs
- tempered: convex weights between a temperature on each member and one on their mean
- trimmed: the mean without the lowest and the highest, and the median
- weight_intervals: how far weights would move on other rows
- weighted: convex weights of least log loss, Brier score or squared error

>>> from assay.fusions.fuse import fuse
>>> from assay.table.predictions import Predictions
>>> votes = {"a": ["cat", "cat"], "b": ["cat", "dog"], "c": ["dog", "dog"]}
>>> fuse(Predictions.from_arrays(["cat", "dog"], votes), "mean").losses["b"]
0.0
"""
