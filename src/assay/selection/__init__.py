"""Selection: models are cross-validated and chosen, with as few fits as will do.

The verb is `cross_validate`; its table is compared, fused and reported like any other.

- cross_validate: out-of-fold predictions of models of any framework as one table
- fused_estimators: several estimators fused into one that scikit-learn takes as its own
- race: models are dropped fold by fold, as soon as they cannot be the best
- halving: many models on few rows, the better ones on more
- learning_curve: what more training rows would bring
- one_standard_error: the cheapest model that is as good as the best
- experiment: the models and splits behind all of these
- fitting: a fresh estimator for each fold, or what a function trains
- parallel: several fits at a time
- fold_table: what is predicted for held-out rows, as one table
- training_data: the rows, with groups, weights and names
- splits: which rows are trained on and which are held out
- kept_state: estimators that keep what they learned when cloned are refused
- label_numbers: classifiers that want the numbers 0 to k - 1 for their labels
- inner_search: nested cross-validation of parameters
- store: outputs on disk, so that an interrupted run goes on
- fingerprint: by what an output in the store is known

>>> from sklearn.datasets import load_iris
>>> from sklearn.naive_bayes import GaussianNB
>>> from assay.selection.cross_validate import cross_validate
>>> p = cross_validate({"nb": GaussianNB()}, *load_iris(return_X_y=True), cv=3)
>>> p.models, p.n
(['nb'], 150)
"""
