"""Training: metrics in the loops of frameworks, each value the one that `evaluate` gives.

Its noun is the `Meter`; what stands here hands one to a framework, or evaluates as that framework
asks. Lightning needs none of it: a Meter is an attribute of a module, and `compute().scalars` is
what `self.log_dict` takes.

- scorer: for what scikit-learn takes as `scoring`
- compute_metrics: for the Trainer of Transformers
- keras_metric: for `model.compile(metrics=[...])` of Keras
- keras_meter_callback: metrics of validation rows after each epoch of Keras
- ignite_metric: for the engines of PyTorch Ignite

>>> from sklearn.linear_model import LogisticRegression
>>> from sklearn.model_selection import cross_val_score
>>> X, y = [[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1]
>>> from assay.training.scorer import scorer
>>> cross_val_score(LogisticRegression(), X, y, scoring=scorer("accuracy"), cv=2).tolist()
[1.0, 1.0]
"""
