"""Per class: convex weights for each class or label, where models know different ones.

>>> from assay.table.predictions import Predictions
>>> y = [0, 1, 2] * 40
>>> knows_0 = [[0.9, 0.05, 0.05] if v == 0 else [0.1, 0.45, 0.45] for v in y]
>>> knows_2 = [[0.05, 0.05, 0.9] if v == 2 else [0.45, 0.45, 0.1] for v in y]
>>> p = Predictions.from_arrays(y, {"a.proba": knows_0, "b.proba": knows_2}, classes=[0, 1, 2])
>>> PerClass(shrink=1).fit(p).weights.round(1).tolist()
[[1.0, 0.5, 0.0], [0.0, 0.5, 1.0]]
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from assay.errors import UnsupportedError
from assay.fusions.base import Fusion, refuse_labels
from assay.fusions.fitted import BATCH, Fitted, header_fields
from assay.fusions.simplex import minimise_log_loss, share_prior
from assay.kernels import Array
from assay.kernels.totals import FLOOR
from assay.table.predictions import Predictions
from assay.table.schema import Schema

__all__ = ["ClassWeights", "PerClass"]


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassWeights(Fitted):
    """A fitted fusion of one weight a model and class.

    Parameters:
        weights: Weights (m, k), >= 0; those of a class sum to 1.
    """

    weights: Array

    def combine(self, batch: Predictions) -> Array:
        """The weighted means of each row of `batch`, class by class, divided by their sum."""
        own = {label: place for place, label in enumerate(self.schema.classes)}
        order = [own[label] for label in batch.schema.classes]
        total = np.zeros((batch.n, len(order)))
        for weights, model in zip(self.weights, self.models, strict=True):
            total += weights[order] * batch.rows(model).proba
        if self.schema.task == "multilabel":
            return np.clip(total, 0, 1)
        total = np.maximum(total, FLOOR)
        return np.asarray(total / total.sum(axis=1, keepdims=True))

    def importance(self) -> Mapping[str, float]:
        """The mean weight of each model over the classes."""
        return dict(zip(self.models, map(float, self.weights.mean(axis=1)), strict=True))

    def dump(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """The common header, and the weights."""
        header, arrays = super().dump()
        return header, {**arrays, "weights": self.weights}

    @classmethod
    def load(cls, header: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:
        """From the `header` and `arrays` of `dump`; ValueError where the shapes do not fit."""
        fields = header_fields(header)
        if arrays["weights"].shape != (len(fields["schema"].models), fields["schema"].k):
            raise ValueError(f"weights of shape {arrays['weights'].shape}")
        return cls(**fields, weights=arrays["weights"])

    def __eq__(self, other: object) -> bool:
        """Whether everything that is saved is equal."""
        if not isinstance(other, ClassWeights):
            return NotImplemented
        same = self.dump()[0] == other.dump()[0]
        return same and np.array_equal(self.weights, other.weights)

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, eq=False)
class ClassInputs:
    """What weights of each class are fitted to.

    Parameters:
        schema: Schema of the table.
        proba: Probabilities of the models (k, m, n), class by class.
        truth: Truth of the table, as codes (n,) or 0/1 (n, labels).
        weight: Weight of each row (n,).
    """

    schema: Schema
    proba: Array
    truth: Array
    weight: Array

    def take(self, rows: Array) -> "ClassInputs":
        """The `rows` of a mask (n,)."""
        if rows.all():
            return self
        proba = self.proba[:, :, rows]
        return ClassInputs(self.schema, proba, self.truth[rows], self.weight[rows])


@dataclass(frozen=True)
class PerClass(Fusion[ClassInputs]):
    """Convex weights for each class alone: p(c) is proportional to sum_j w_jc p_j(c).

    The weights of a class are of least log loss of whether it is that class: exact and certified.
    They are pulled toward those common to all classes by `shrink` pseudo-rows, so where no model
    knows a class better than elsewhere, they are nearly those of `weighted`.  In a multi-label task
    each label has its own weights; with two classes both have the same.

    Parameters:
        shrink: Pseudo-rows that pull toward the common weights, >= 0; default 20.

    Source: Breiman (1996), Machine Learning 24:49-64; Kittler et al. (1998), IEEE TPAMI 20:226-239.
    """

    name = "per_class"
    aliases = ("class_weighted",)
    fitted = ClassWeights
    least_rows = 20
    shrink: float = 20.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.shrink) and self.shrink >= 0):
            raise UnsupportedError(f"shrink of per_class must be a number >= 0; got {self.shrink}")

    def evidence(self, table: Predictions, fold: Array | None = None) -> ClassInputs:
        """The probabilities on the rows of `table`; `fold` is not used."""
        if table.task == "regression":
            raise UnsupportedError(
                "per_class is of classes, and these models give values; use how='weighted'"
            )
        refuse_labels(table, self)
        proba = np.empty((table.schema.k, len(table.models), table.n))
        for batch in table.batches(BATCH):
            start = batch.offset - table.offset
            for j, model in enumerate(batch.models):
                proba[:, j, start : start + batch.n] = batch.rows(model).proba.T
        weight = np.ones(table.n) if table.weight is None else np.asarray(table.weight, np.float64)
        return ClassInputs(table.schema, proba, table.truth, weight)

    def solve(self, evidence: ClassInputs, *, seed: int = 0) -> ClassWeights:
        """The weights of least loss of each class on the `evidence`; `seed` is not used."""
        k, _, n = evidence.proba.shape
        total = float(evidence.weight.sum())
        share = evidence.weight / total if total else np.full(n, 1 / max(n, 1))
        is_multilabel = evidence.schema.task == "multilabel"
        is_class = evidence.truth.T != 0 if is_multilabel else np.eye(k)[:, evidence.truth] > 0
        terms = np.where(is_class[:, None], evidence.proba, 1 - evidence.proba)
        terms = np.maximum(terms, FLOOR)  # (k, m, n)
        prior = float(share @ share)
        everything = np.concatenate(list(terms), axis=1).T
        shares = np.tile(share / k, k)
        pull = share_prior(everything, shares, 2 * prior)
        common = minimise_log_loss(everything, shares, pull).weights
        found = [
            minimise_log_loss(own.T, share, self.shrink * prior * common, start=common)
            for own in terms
        ]
        return ClassWeights(
            how=str(self),
            kind="proba",
            schema=evidence.schema,
            gap=max((solution.gap for solution in found), default=0.0),
            weights=np.stack([solution.weights for solution in found], axis=1),
        )
