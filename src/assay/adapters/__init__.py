"""Adapters: fitted models of a framework and rows in, one table of predictions out.

The verb is `collect`. An adapter is one file: the only place where its framework is imported, and
that only once a model of it is there.

- arguments: models, inputs and truth as people give them, checked
- base: what every adapter is, the registry of all, and outputs aligned to the classes of a table
- collect: the verb
- passes: models of one framework predict all rows, batch by batch
- spool: columns that come batch by batch, in memory or in a file
- rows: what the passes gave, beside truth and further columns, as checked tables
- extents: the range of outputs, by which logits are told from probabilities
- estimators: base of the adapters whose models have scikit-learn's interface
- torch_modules: base of the adapters whose models are modules of PyTorch
- sklearn: estimators with scikit-learn's interface
- xgboost: its boosters and its estimators
- lightgbm: its boosters and its estimators
- catboost: its models, whose classes may be of another type than the truth
- keras: models of Keras 3 on any backend, and tf.data
- transformers: models with tokenizers, pipelines, Trainers, language models
- lightning: modules of Lightning, and what trainer.predict returned
- skorch: the modules of its nets
- onnx: sessions of ONNX Runtime
- onnx_graph: models as ONNX graphs
- sentence_transformers: cross-encoders
- function: any function of a batch of rows
- learners: what fusions take from scikit-learn: estimators by name, and nearest rows
- torch: modules of PyTorch
- tensors: arrays and tensors of any framework as a training loop has them
- distributed: what every process of a distributed training holds, gathered
- framework_object: base of what a framework calls: callbacks and metrics of its own classes
- callbacks: base of the callbacks, which log a training and end it when more cannot pay
- keras_callback: of Keras
- lightning_callback: of Lightning
- transformers_callback: of the Hugging Face Trainer

>>> from assay.adapters.collect import collect
>>> from sklearn.linear_model import LinearRegression
>>> X, y = [[0.0], [1.0], [2.0]], [0.5, 1.5, 2.5]
>>> collect({"line": LinearRegression().fit(X, y)}, X, y)
Predictions: 3 rows, regression, 1 model: line (value)
"""
