"""Stacked estimator: any scikit-learn estimator fitted to what the models say, layer on layer.

>>> from assay.fusions.base import FUSIONS
>>> from assay.table.predictions import Predictions
>>> y = [0, 1] * 60
>>> p = Predictions.from_arrays(y, {"a.proba": [0.4, 0.6] * 60, "b.proba": [0.5, 0.5] * 60})
>>> stack = FUSIONS.parse("stacking(estimator=linear)").fit(p)
>>> stack.apply(p)["proba"][:2].round(0).tolist()
[[1.0, 0.0], [0.0, 1.0]]
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NoReturn, Self

import numpy as np

from assay.adapters.learners import make_learner
from assay.errors import UnsupportedError
from assay.fusions.features import Features
from assay.fusions.fitted import BATCH, Fitted, header_fields
from assay.kernels import Array
from assay.kernels.totals import FLOOR
from assay.table.predictions import Predictions

__all__ = ["EstimatorInputs", "EstimatorStack", "fit_layers"]


@dataclass(frozen=True, kw_only=True, eq=False)
class EstimatorStack(Fitted):
    """Fitted estimators: one, or several in layers, each of which reads those before it, too.

    It is held in memory alone: no estimator is written without pickle, which runs code when read.

    Parameters:
        layers: The fitted estimator of each layer; in a multi-label task one a label.
        features: How further columns are read; None where none are.
    """

    layers: tuple[Any, ...]
    features: Features | None

    def combine(self, batch: Predictions) -> Array:
        """What the last layer says of the rows of `batch`."""
        table = batch.select(self.models)
        if not batch.n:
            shape = (0,) if self.kind == "value" else (0, batch.schema.k)
            return np.zeros(shape)
        own = self.schema.classes
        order = [batch.schema.classes.index(label) for label in own]
        inputs = read_inputs(table, self.features, order)
        column: Array = np.zeros(0)
        for estimators in self.layers:
            column = _say(estimators, inputs, len(own))
            inputs = np.concatenate([_trim(column, self.schema.task), inputs], axis=1)
        return column[:, np.argsort(order)] if order else column

    def dump(self) -> NoReturn:
        """Refused, as a file of it would have to be a pickle."""
        raise UnsupportedError(
            f"{self.how} cannot be saved: its estimator would have to be pickled, and a pickle "
            f"runs code when it is read. Save how='stacking' without estimator, or fuse again."
        )

    @classmethod
    def load(cls, header: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:
        """Refused: no file holds such a `header` and such `arrays`."""
        header_fields(header)
        raise ValueError("estimators are not saved")


@dataclass(frozen=True, eq=False)
class EstimatorInputs:
    """What estimators are stacked on.

    Parameters:
        table: The rows.
        fold: Fold of each of them (n,), -1 for rows that may not be fitted on.
        features: How further columns are read; None where none are.
    """

    table: Predictions
    fold: Array
    features: Features | None

    def take(self, rows: Array) -> "EstimatorInputs":
        """The `rows` of a mask (n,)."""
        if rows.all():
            return self
        return replace(self, table=self.table.take(rows), fold=self.fold[rows])


def fit_layers(
    how: str, evidence: EstimatorInputs, estimator: Any, layers: int, seed: int
) -> EstimatorStack:
    """The estimators fitted to the evidence, each layer to what those before it say out of fold.

    Parameters:
        how: Text of the fusion.
        evidence: The rows.
        estimator: An estimator, or the name of one.
        layers: How many there are, 1 or more.
        seed: What is random in fitting.
    """
    table, fold = evidence.table, evidence.fold
    schema = table.schema
    is_classifier = schema.task != "regression"
    inputs = read_inputs(table, evidence.features, list(range(schema.k)))
    weight = table.weight
    fitted = []
    for layer in range(layers):
        last = layer == layers - 1

        def fit(rows: Array, inputs: Array = inputs) -> Any:
            part = None if weight is None else weight[rows]
            return _fit(estimator, is_classifier, inputs[rows], table.truth[rows], part, seed)

        fitted.append(fit(np.ones(len(fold), bool)))
        if last:
            break
        folds = sorted(set(fold.tolist()))
        if len(folds) < 2:
            raise UnsupportedError(
                "several layers of stacking need rows of two folds, to tell a layer what those "
                "before it say of rows that they have not seen; use layers=1"
            )
        column = np.empty((len(fold), *_say(fitted[-1], inputs[:1], schema.k).shape[1:]))
        for left_out in folds:
            rows = fold == left_out
            column[rows] = _say(fit(~rows), inputs[rows], schema.k)
        inputs = np.concatenate([_trim(column, schema.task), inputs], axis=1)
    return EstimatorStack(
        how=how,
        kind="proba" if is_classifier else "value",
        schema=schema,
        layers=tuple(fitted),
        features=evidence.features,
    )


def read_inputs(table: Predictions, features: Features | None, order: list[int]) -> Array:
    """What estimators read of each row (n, d): the models' outputs, then the further columns.

    Probabilities as they are, of two classes that of the second alone, as scikit-learn has them.

    Parameters:
        table: The rows.
        features: How further columns are read.
        order: Position of each class that was fitted on among those of the table.
    """
    task = table.schema.task
    parts = []
    for batch in table.batches(BATCH):
        columns = []
        for model in batch.models:
            rows = batch.rows(model)
            if task == "regression":
                columns.append(np.asarray(rows.value, np.float64)[:, None])
            else:
                columns.append(_trim(np.asarray(rows.proba, np.float64)[:, order], task))
        if features is not None:
            columns.append(features.read(batch))
        parts.append(np.concatenate(columns, axis=1))
    return np.concatenate(parts)


def _trim(column: Array, task: str) -> Array:
    """A fused column as inputs (n, d)."""
    if task == "regression":
        return column[:, None]
    return column[:, 1:] if task == "binary" else column


def _fit(
    estimator: Any,
    is_classifier: bool,
    inputs: Array,
    truth: Array,
    weight: Array | None,
    seed: int,
) -> Any:
    """The estimator fitted to some rows; one for each label of several."""
    if truth.ndim == 2:
        return [
            _fit(estimator, is_classifier, inputs, label, weight, seed)
            for label in (truth != 0).astype(int).T
        ]
    made = make_learner(estimator, is_classifier, seed)
    if is_classifier and len(np.unique(truth)) < 2:
        return int(truth[0])
    if weight is None:
        return made.fit(inputs, truth)
    name = f"{made.steps[-1][0]}__sample_weight" if hasattr(made, "steps") else "sample_weight"
    try:
        return made.fit(inputs, truth, **{name: weight})
    except (TypeError, ValueError) as error:
        raise UnsupportedError(
            f"{type(made).__name__} cannot be stacked on rows that have weights ({error}); choose "
            f"an estimator that takes sample_weight, as estimator='boosting'"
        ) from error


def _say(estimator: Any, inputs: Array, k: int) -> Array:
    """Probabilities (n, k) or (n, labels), or values (n,), of a fitted estimator."""
    if isinstance(estimator, list):
        return np.stack([_say(own, inputs, 2)[:, 1] for own in estimator], axis=1)
    if isinstance(estimator, int):
        return np.tile(np.eye(k)[estimator], (len(inputs), 1))
    if not hasattr(estimator, "predict_proba"):
        return np.asarray(estimator.predict(inputs), np.float64).reshape(len(inputs))
    proba = np.zeros((len(inputs), k))
    proba[:, np.asarray(estimator.classes_, np.intp)] = estimator.predict_proba(inputs)
    if proba.shape[1] == len(estimator.classes_):
        return proba
    # A class that no row of the fit had keeps some probability.
    proba = np.maximum(proba, FLOOR)
    return np.asarray(proba / proba.sum(axis=1, keepdims=True))
