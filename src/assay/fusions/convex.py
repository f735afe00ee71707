"""Convex combinations: weights on the models, and the pool that they are fitted from.

>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays([0, 1, 1], {"a.proba": [0.4, 0.9, 0.3], "b.proba": [0.2, 0.5, 0.7]})
>>> Pool.read(p).terms.round(2).tolist()
[[0.6, 0.8], [0.9, 0.5], [0.3, 0.7]]
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from assay.errors import UnsupportedError
from assay.fusions.fitted import BATCH, Fitted, header_fields
from assay.kernels import Array
from assay.kernels.totals import FLOOR
from assay.table.folds import encode_column
from assay.table.predictions import Predictions
from assay.table.schema import Kind, Schema

__all__ = [
    "BLOCK", "Pool", "Weights", "common_kind", "compute_gram", "count_votes", "measure_gram",
    "parse_numbers",
]  # fmt: skip

BLOCK = 4096  # rows whose terms for some dozens of models stay in cache


@dataclass(frozen=True, kw_only=True)
class Weights(Fitted):
    """A fitted fusion of one weight a model: the weighted mean, or the weighted vote.

    Parameters:
        weights: Weight of each model, >= 0, summing to 1.

    >>> from assay.fusions.mean import Mean
    >>> p = Predictions.from_arrays([0, 1], {"a": [0, 1], "b": [1, 1]})
    >>> Weights.load(*Mean().fit(p).dump()) == Mean().fit(p)
    True
    """

    weights: Mapping[str, float]

    @property
    def required_models(self) -> tuple[str, ...]:
        """Names of the models of positive weight."""
        return tuple(name for name, weight in self.weights.items() if weight > 0)

    def combine(self, batch: Predictions) -> Array:
        """The weighted mean or vote of each row of `batch`; ties go to the class declared first."""
        weights = [self.weights[name] for name in batch.models]
        outputs = (getattr(batch.rows(name), self.kind) for name in batch.models)
        if self.kind == "label":
            codes = count_votes(outputs, weights, batch.schema)
            is_multilabel = self.schema.task == "multilabel"
            return codes if is_multilabel else np.asarray(batch.classes)[codes]
        total = np.zeros((batch.n, batch.schema.k) if self.kind == "proba" else batch.n)
        for weight, output in zip(weights, outputs, strict=True):
            total += weight * output
        return np.clip(total, 0, 1) if self.kind == "proba" else total

    def importance(self) -> Mapping[str, float]:
        """The weights."""
        return self.weights

    def dump(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """The common header and the weights; no array."""
        header, arrays = super().dump()
        return {**header, "weights": dict(self.weights)}, arrays

    @classmethod
    def load(cls, header: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:
        """From a `header` of today, or of assay.fitted/1, which kept one note and no kinds.

        There are no `arrays`.
        """
        weights = {name: float(weight) for name, weight in header["weights"].items()}
        if not weights or not all(0 <= weight < math.inf for weight in weights.values()):
            raise ValueError("weights")
        if "note" in header:
            kinds = dict.fromkeys(weights, (header["kind"],))
            notes = [header["note"]] if header["note"] else []
            header = {**header, "models": kinds, "notes": notes, "positive": None}
        return cls(**header_fields(header), weights=weights)


@dataclass(frozen=True, eq=False)
class Pool:
    """All that convex weights are fitted from: one number a row and model, not k probabilities.

    Parameters:
        schema: Schema of the table.
        kind: What is combined: "proba", "value" or "label".
        terms: What each model gives each row, (n, m), or (n, labels, m) for multi-label: the
            probability of the truth, the error of a value, or the code of a label.
        truth: Truth of the table, as codes or values.
        weight: Weight of each row (n,).
        fold: Fold of each row (n,), -1 for rows that may not be fitted on.
        cluster: Cluster of each row (n,) as codes, where declared.
    """

    schema: Schema
    kind: Kind
    terms: Array
    truth: Array
    weight: Array
    fold: Array
    cluster: Array | None

    @staticmethod
    def read(
        predictions: Predictions, fold: Array | None = None, kind: Kind | None = None
    ) -> "Pool":
        """The pool of `predictions`, read in one pass.

        `fold` is as `assign_folds` gives it; default: one fold. `kind` defaults to `common_kind`.
        """
        kind = kind or common_kind(predictions)
        shape = (len(predictions.models), *predictions.truth.shape)
        # Each model's terms lie together: the fusions read one model at a time, or all in blocks.
        columns = np.empty(shape, np.int64 if kind == "label" else np.float64)
        for batch in predictions.batches(BATCH):
            start = batch.offset - predictions.offset
            for j, model in enumerate(predictions.models):
                columns[j, start : start + batch.n] = _read_terms(batch, model, kind)
        weight = np.ones(predictions.n) if predictions.weight is None else predictions.weight
        fold = np.zeros(predictions.n, np.int64) if fold is None else fold
        return Pool(
            predictions.schema,
            kind,
            np.moveaxis(columns, 0, -1),
            predictions.truth,
            weight,
            fold,
            encode_column(predictions, "cluster"),
        )

    def take(self, rows: Array) -> "Pool":
        """The `rows` of a mask (n,)."""
        if rows.all():
            return self
        kept = {name: getattr(self, name)[rows] for name in ("truth", "weight", "fold")}
        terms = np.moveaxis(np.moveaxis(self.terms, -1, 0)[:, rows], 0, -1)
        cluster = None if self.cluster is None else self.cluster[rows]
        return replace(self, **kept, terms=terms, cluster=cluster)

    def to_fitted(self, how: str, weights: Array, gap: float = 0.0, note: str = "") -> Weights:
        """The fitted fusion `how` with `weights` (m,) of the pool's models, `gap` and a `note`."""
        return Weights(
            how=how,
            kind=self.kind,
            schema=self.schema,
            notes=(note,) if note else (),
            gap=gap,
            weights=dict(zip(self.schema.models, map(float, weights), strict=True)),
        )

    def losses(self, weights: Sequence[float] | Array) -> Array:
        """The loss of each row (n,) under `weights` (m,); in multi-label the mean over labels.

        -log of the fused probability of the truth (at least 2.2e-16), squared error, or whether the
        vote is wrong.
        """
        if self.kind == "label":
            votes = count_votes(np.moveaxis(self.terms, -1, 0), weights, self.schema)
            losses = (votes != self.truth).astype(float)
        elif self.kind == "value":
            losses = (self.terms @ np.asarray(weights)) ** 2
        else:
            losses = -np.log(np.clip(self.terms @ np.asarray(weights), FLOOR, None))
        return np.asarray(losses if losses.ndim == 1 else losses.mean(axis=1))


def common_kind(predictions: Predictions) -> Kind:
    """What all models of `predictions` give: values, probabilities, or else labels."""
    schema = predictions.schema
    if schema.task == "regression":
        return "value"
    if schema.task == "multioutput":
        raise UnsupportedError(
            "several outputs are not fused together; fuse the table of each output alone, its "
            "truth (n,) beside the column of each model"
        )
    if schema.task == "detection":
        raise UnsupportedError(
            "boxes are not fused; take the best model, or evaluate what weighted box fusion makes "
            "of them as one more model"
        )
    if schema.task == "text":
        raise UnsupportedError("texts have no mean, so they are not fused; take the best model")
    lacking = [model for model in schema.models if not schema.offers(model, "proba")]
    if not lacking:
        return "proba"
    scores_alone = [model for model in lacking if not schema.offers(model, "label")]
    if len(lacking) == len(schema.models) and not scores_alone:
        return "label"
    only = (scores_alone or lacking)[0]
    if scores_alone:
        rest = "the mean of ranks: how='rank_mean'"
    else:
        rest = "the majority vote of labels: how='hard'"
    raise UnsupportedError(
        f"model {only!r} gives only {', '.join(schema.models[only])}, which cannot be averaged "
        f"with the other models' probabilities. Give {only}.proba or {only}.logit, fuse some of "
        f"the models (models=[...], --models), or take {rest}."
    )


def count_votes(
    outputs: Iterator[Array] | Array, weights: Sequence[float] | Array, schema: Schema
) -> Array:
    """Codes (n,) of most weighted votes, the lowest of them where tied.

    Parameters:
        outputs: Codes (n,) of each model; 0/1 (n, labels) for multi-label, where more than half of
            the weight decides.
        weights: Weight of each model (m,).
        schema: Schema of the table.
    """
    k = 2 if schema.task == "multilabel" else schema.k
    tally: Array = np.zeros(0)
    for codes, weight in zip(outputs, weights, strict=True):
        tally = tally if tally.size else np.zeros((codes.size, k))
        tally[np.arange(codes.size), codes.ravel().astype(np.intp)] += weight
        shape = codes.shape
    most: Array = np.asarray(np.argmax(tally, axis=1) if tally.size else np.zeros(0, np.int64))
    return np.reshape(most, shape)


def parse_numbers(what: str, text: str, models: list[str]) -> Array:
    """The number (m,) that a `text` such as "0.7|0.3" or "a:0.7|b:0.3" gives each of `models`.

    Parameters:
        what: What the numbers are, for the message: weights or costs.
        text: The numbers, in the order of the models, or by name.
        models: Names of the models.
    """
    parts = [part.strip() for part in text.split("|")]
    by_name = [part.rpartition(":") for part in parts]
    named = all(colon for _, colon, _ in by_name)
    names = [name.strip() for name, _, _ in by_name] if named else models
    if sorted(names) != sorted(models) or len(parts) != len(models):
        raise UnsupportedError(
            f"the {what} {text!r} are not one for each model of {', '.join(models)}; name each "
            f"model once (a weight of 0 leaves it out)"
        )
    try:
        numbers = [float(number) for _, _, number in by_name]
    except ValueError:
        numbers = []
    if not numbers or not all(0 <= n < np.inf for n in numbers) or not any(numbers):
        raise UnsupportedError(
            f"the {what} {text!r} must be numbers of at least 0, one of them above 0, "
            f"as in '0.7|0.3'"
        )
    return np.array([numbers[names.index(model)] for model in models])


def measure_gram(table: Predictions, share: Array) -> Array:
    """Mean products (m, m) of the errors of probabilities of every two models, summed over classes.

    Parameters:
        table: Rows of models that give probabilities; errors of several labels are averaged.
        share: Share of each row (n,), >= 0, summing to 1.
    """
    m = len(table.models)
    k = table.schema.k
    total = np.zeros((m, m))
    for batch in table.batches(max(BLOCK // k, 1)):
        errors = np.empty((m, batch.n, k))
        for j, model in enumerate(batch.models):
            errors[j] = batch.rows(model).proba
        if table.task == "multilabel":
            errors -= batch.truth != 0
        else:
            errors[:, np.arange(batch.n), batch.truth.astype(np.intp)] -= 1
        start = batch.offset - table.offset
        errors *= np.sqrt(share[start : start + batch.n])[:, None]
        flat = errors.reshape(m, -1)
        total += flat @ flat.T
    return total / k if table.task == "multilabel" else total


def compute_gram(x: Array, share: Array, columns: Array | None = None) -> Array:
    """Mean products (m, m) of every two columns of a matrix, in one pass.

    Parameters:
        x: The matrix (n, m).
        share: Share of each row (n,), >= 0.
        columns: The columns that count; default: all.
    """
    m = x.shape[1] if columns is None else len(columns)
    takes_all = m == x.shape[1]
    total = np.zeros((m, m))
    root = np.sqrt(share)
    for start in range(0, len(x), BLOCK):
        rows = slice(start, start + BLOCK)
        block = (x[rows] if takes_all else x[rows][:, columns]) * root[rows, None]
        total += block.T @ block
    return total


def _read_terms(batch: Predictions, model: str, kind: Kind) -> Array:
    """What one model adds to the pool: (n,), or (n, labels) for multi-label."""
    rows = batch.rows(model)
    if kind == "label":
        return rows.label
    if kind == "value":
        return np.asarray(rows.value - batch.truth)
    declared = rows.outputs.get("proba")
    p: Array = rows.proba if declared is None else declared
    if batch.task == "multilabel":
        of_truth = np.where(batch.truth != 0, p, 1 - p)
    else:
        of_truth = np.take_along_axis(p, batch.truth[:, None].astype(np.intp), axis=1)[:, 0]
    return np.asarray(np.maximum(of_truth, FLOOR))
