"""Logarithmic pools: products of powers of probabilities, and the log probabilities they are of.

>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays([0, 1], {"a.proba": [0.5, 0.8], "b.proba": [0.1, 0.2]})
>>> LogInputs.read(p).inputs.shape  # models, rows, classes
(2, 2, 2)
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from assay.fusions.fitted import BATCH, Fitted, header_fields
from assay.kernels import Array
from assay.table.predictions import Predictions
from assay.table.schema import Schema

__all__ = ["LogInputs", "LogPool", "normalise_logits", "read_logits"]


@dataclass(frozen=True, eq=False)
class LogInputs:
    """What powers and temperatures are fitted to.

    Parameters:
        schema: Schema of the table.
        inputs: Log probabilities of the members (m, n, k); logits (m, n, labels) for multi-label.
        truth: Truth of the table, as codes (n,) or 0/1 (n, labels).
        weight: Weight of each row (n,).
    """

    schema: Schema
    inputs: Array
    truth: Array
    weight: Array

    @staticmethod
    def read(table: Predictions, floor: float = 1e-3) -> "LogInputs":
        """Those of all models of a table.

        Parameters:
            table: The table; its models give probabilities.
            floor: Probability below which a member's is taken for it; default 0.001.
        """
        inputs = np.empty((len(table.models), table.n, table.schema.k))
        for batch in table.batches(BATCH):
            start = batch.offset - table.offset
            for member, model in zip(inputs, batch.models, strict=True):
                member[start : start + batch.n] = read_logits(batch, model, floor)
        weight = np.ones(table.n) if table.weight is None else np.asarray(table.weight, np.float64)
        return LogInputs(table.schema, inputs, table.truth, weight)

    def take(self, rows: Array) -> "LogInputs":
        """The `rows` of a mask (n,)."""
        if rows.all():
            return self
        return replace(
            self, inputs=self.inputs[:, rows], truth=self.truth[rows], weight=self.weight[rows]
        )

    @property
    def share(self) -> Array:
        """Share of each row (n,) in the weight; they sum to 1."""
        return np.asarray(self.weight / max(float(self.weight.sum()), 1e-300))

    def take_truth(self, logits: Array) -> Array:
        """The log probability of the truth, (n,) or (n, labels), from `logits` (n, k)."""
        if self.schema.task == "multilabel":
            return -np.logaddexp(0.0, np.where(self.truth != 0, -logits, logits))
        shifted = logits - logits.max(axis=1, keepdims=True)
        total = np.log(np.exp(shifted).sum(axis=1))
        return np.asarray(shifted[np.arange(len(shifted)), self.truth.astype(np.intp)] - total)


@dataclass(frozen=True, kw_only=True)
class LogPool(Fitted):
    """A fitted logarithmic pool: the normalised product of powers of the models' probabilities.

    Parameters:
        weights: Power of each model, >= 0; the larger their sum, the sharper the pool.
        floor: Probability below which a member's is taken for it.
    """

    weights: Mapping[str, float]
    floor: float

    def combine(self, batch: Predictions) -> Array:
        """The pooled probabilities of each row of `batch`; in multi-label tasks of each label."""
        total = np.zeros((batch.n, batch.schema.k))
        for name in batch.models:
            total += self.weights[name] * read_logits(batch, name, self.floor)
        return normalise_logits(total, self.schema.task == "multilabel")

    @property
    def required_models(self) -> tuple[str, ...]:
        """Names of the models of positive power."""
        return tuple(name for name, weight in self.weights.items() if weight > 0) or self.models

    def importance(self) -> Mapping[str, float]:
        """The powers, divided by their sum."""
        total = sum(self.weights.values()) or 1.0
        return {name: weight / total for name, weight in self.weights.items()}

    def dump(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """The common header, the powers and the floor; no array."""
        header, arrays = super().dump()
        return {**header, "weights": dict(self.weights), "floor": self.floor}, arrays

    @classmethod
    def load(cls, header: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:
        """From the `header` of `dump`; there are no `arrays`."""
        weights = {name: float(weight) for name, weight in header["weights"].items()}
        return cls(**header_fields(header), weights=weights, floor=float(header["floor"]))


def read_logits(batch: Predictions, model: str, floor: float) -> Array:
    """Log probabilities (n, k) of one `model` on the rows of `batch`; logits for multi-label.

    Probabilities below `floor` are raised to it, those of labels above 1 - floor lowered.
    """
    rows = batch.rows(model)
    if batch.task == "multilabel":
        proba = np.clip(rows.proba, floor, 1 - floor)
        return np.asarray(np.log(proba) - np.log1p(-proba))
    return np.maximum(rows.log_proba, np.log(floor))


def normalise_logits(logits: Array, is_multilabel: bool) -> Array:
    """Probabilities (n, k) of `logits` (n, k), of each label alone where `is_multilabel`."""
    if is_multilabel:
        return np.asarray(1 / (1 + np.exp(-logits)))
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))
