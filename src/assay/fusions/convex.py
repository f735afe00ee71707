"""Pool: all that a fusion is fitted from, one figure per row and model, and what fitting gives.

>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays([0, 1, 1], {"a.proba": [0.4, 0.9, 0.3], "b.proba": [0.2, 0.5, 0.7]})
>>> Pool.of(p).terms.round(2).tolist()
[[0.6, 0.8], [0.9, 0.5], [0.3, 0.7]]
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from assay.core.atomic import write_whole
from assay.core.result import to_plain
from assay.errors import ReadError, SchemaError, UnsupportedError
from assay.kernels import Array
from assay.kernels.totals import FLOOR
from assay.table.folds import column_codes
from assay.table.labels import Label
from assay.table.predictions import Predictions
from assay.table.schema import Schema, Task

__all__ = ["LOSSES", "Fitted", "Gain", "Pool", "Pooled", "common_kind", "vote"]

Pooled: TypeAlias = Literal["proba", "value", "label"]
LOSSES: Mapping[Pooled, str] = {
    "proba": "log loss",
    "value": "squared error",
    "label": "error rate",
}
BATCH = 1 << 16


@dataclass(frozen=True)
class Fitted:
    """A fusion with its weights: what to save beside the models and apply to new rows.

    `weights` maps model -> weight, each >= 0, sum 1; `kind` is what is averaged (proba, value) or voted on (label);
    `gap` bounds how far the fitted loss is above its least possible value (0 where nothing was minimised).

    >>> f = Fitted("mean", {"a": 0.5, "b": 0.5}, "proba", "binary", (0, 1))
    >>> Fitted.from_json(f.to_json()) == f
    True
    """

    how: str
    weights: Mapping[str, float]
    kind: Pooled
    task: Task
    classes: tuple[Label, ...]
    gap: float = 0.0
    note: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The models fused, in the order of the table the weights were fitted on."""
        return tuple(self.weights)

    def apply(self, predictions: Predictions) -> dict[str, Array]:
        """The fused model's column on the rows of a table (or of a batch), ready for `Predictions.append`.

        {"proba": (n, k)} or {"value": (n,)} is the weighted mean; {"label": (n,)} the weighted majority, where a tie
        goes to the class declared first (multi-label: to 0).  Needs the columns of the models of positive weight.
        """
        self._check(predictions.schema)
        used = predictions.select([name for name, weight in self.weights.items() if weight > 0])
        parts = [self._batch(batch) for batch in used.batches(BATCH)] or [self._batch(used)]
        return {self.kind: parts[0] if len(parts) == 1 else np.concatenate(parts)}

    def _batch(self, batch: Predictions) -> Array:
        weights = [self.weights[name] for name in batch.models]
        outputs = (getattr(batch.rows(name), self.kind) for name in batch.models)
        if self.kind == "label":
            codes = vote(outputs, weights, batch.schema)
            return codes if self.task == "multilabel" else np.asarray(batch.classes)[codes]
        total = np.zeros((batch.n, batch.schema.k) if self.kind == "proba" else batch.n)
        for weight, output in zip(weights, outputs, strict=True):
            total += weight * output
        return np.clip(total, 0, 1) if self.kind == "proba" else total

    def _check(self, schema: Schema) -> None:
        if schema.task != self.task or set(schema.classes) != set(self.classes):
            raise SchemaError(
                f"the fusion was fitted on a {self.task} table with classes {list(self.classes)[:10]}; this one is "
                f"{schema.task} with {list(schema.classes)[:10]}. Apply it to the same classes, or fit it again."
            )
        missing = [
            name
            for name, weight in self.weights.items()
            if weight > 0 and name not in schema.models
        ]
        if missing:
            raise SchemaError(
                f"the fusion needs model {missing[0]!r}, which the table lacks; it has {', '.join(schema.models)}. "
                f"Add that model's column, or fit the fusion again without it."
            )

    def to_json(self, path: str | Path | None = None) -> str:
        """Versioned JSON: method, names, classes, weights; written to `path` as a whole when one is given."""
        plain = {f.name: to_plain(getattr(self, f.name)) for f in fields(self)}
        text = json.dumps({"schema": "assay.fitted/1", **plain}, indent=2, allow_nan=False)
        if path is not None:
            write_whole(path, text + "\n")
        return text

    @staticmethod
    def from_json(text: str) -> "Fitted":
        """The fitted fusion that `to_json` wrote; ReadError for anything else."""
        try:
            held = json.loads(text)
            if held.pop("schema") != "assay.fitted/1":
                raise KeyError("schema")
            return Fitted(**{**held, "classes": tuple(held["classes"])})
        except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise ReadError(
                f"this is no fitted fusion of schema assay.fitted/1 ({error!r}); save one with to_json"
            ) from error


@dataclass(frozen=True, eq=False)
class Pool:
    """All that convex weights are fitted from: one figure per row and model, not the k probabilities of each.

    terms (n, m), or (n, labels, m) for multi-label: the probability given to the truth, the error of a value, or the
    code of a label.  weight (n,); fold (n,), -1 for rows that may not be fitted on; cluster (n,) where declared.
    """

    schema: Schema
    kind: Pooled
    terms: Array
    truth: Array
    weight: Array
    fold: Array
    cluster: Array | None

    @staticmethod
    def of(
        predictions: Predictions, fold: Array | None = None, kind: Pooled | None = None
    ) -> "Pool":
        """The pool of a table, read in one pass; `fold` as `assign_folds` gives it."""
        kind = kind or common_kind(predictions)
        shape = (*predictions.truth.shape, len(predictions.models))
        terms = np.empty(shape, np.int64 if kind == "label" else np.float64)
        for batch in predictions.batches(BATCH):
            at = slice(
                batch.offset - predictions.offset, batch.offset - predictions.offset + batch.n
            )
            for j, model in enumerate(predictions.models):
                terms[at, ..., j] = _terms(batch, model, kind)
        weight = np.ones(predictions.n) if predictions.weight is None else predictions.weight
        fold = np.zeros(predictions.n, np.int64) if fold is None else fold
        return Pool(
            predictions.schema,
            kind,
            terms,
            predictions.truth,
            weight,
            fold,
            column_codes(predictions, "cluster"),
        )

    def take(self, rows: Array) -> "Pool":
        """The rows of a mask (n,)."""
        if rows.all():
            return self
        kept = {name: getattr(self, name)[rows] for name in ("terms", "truth", "weight", "fold")}
        return replace(self, **kept, cluster=None if self.cluster is None else self.cluster[rows])

    def fitted(self, how: str, weights: Array, gap: float = 0.0, note: str = "") -> Fitted:
        """A fitted fusion of the pool's models."""
        by_name = dict(zip(self.schema.models, map(float, weights), strict=True))
        return Fitted(how, by_name, self.kind, self.schema.task, self.schema.classes, gap, note)

    def losses(self, weights: Sequence[float] | Array) -> Array:
        """The loss of each row (n,) under these weights; the mean over labels in a multi-label task.

        -log of the fused probability of the truth (floored at 2.2e-16), squared error, or whether the vote is wrong.
        """
        if self.kind == "label":
            losses = (
                vote(np.moveaxis(self.terms, -1, 0), weights, self.schema) != self.truth
            ).astype(float)
        elif self.kind == "value":
            losses = (self.terms @ np.asarray(weights)) ** 2
        else:
            losses = -np.log(np.clip(self.terms @ np.asarray(weights), FLOOR, None))
        return np.asarray(losses if losses.ndim == 1 else losses.mean(axis=1))

    def gain(self, losses: Array, against: Array) -> "Gain":
        """Mean of the paired differences `losses - against`, with its standard error."""
        n = self.weight.sum()
        difference = losses - against
        mean = float(self.weight @ difference / n) if n else float("nan")
        moves = self.weight * (difference - mean) / (n or 1)
        # Rows of a cluster move together: their sum is one observation.
        moves = moves[self.weight > 0] if self.cluster is None else np.bincount(self.cluster, moves)
        units = (
            len(moves) if self.cluster is None else len(np.unique(self.cluster[self.weight > 0]))
        )
        error = (
            float(np.sqrt((moves**2).sum() * units / (units - 1))) if units > 1 else float("nan")
        )
        return Gain(mean, error, units)


class Gain(NamedTuple):
    """A paired difference of mean loss (below 0: the first is better), its standard error, the number of units."""

    difference: float
    error: float
    units: int

    @property
    def interval(self) -> tuple[float, float]:
        """95% interval by Student's t; (nan, nan) for fewer than two rows (or clusters)."""
        from scipy.special import stdtrit

        half = float(stdtrit(max(self.units - 1, 1), 0.975)) * self.error
        return self.difference - half, self.difference + half


def common_kind(predictions: Predictions) -> Pooled:
    """What all models give and can be fused: values, probabilities (or logits), or labels where none gives more."""
    schema = predictions.schema
    if schema.task == "regression":
        return "value"
    lacking = [model for model in schema.models if not schema.offers(model, "proba")]
    if not lacking:
        return "proba"
    if len(lacking) == len(schema.models) and all(
        schema.offers(model, "label") for model in lacking
    ):
        return "label"
    only = next((model for model in lacking if not schema.offers(model, "label")), lacking[0])
    raise UnsupportedError(
        f"model {only!r} gives only {', '.join(schema.models[only])}, which cannot be averaged with the other models' "
        f"probabilities. Give {only}.proba or {only}.logit, leave it out with predictions.select([...]), or take the "
        f"majority vote of labels: how='mean(of=label)'."
    )


def vote(
    outputs: Iterator[Array] | Array, weights: Sequence[float] | Array, schema: Schema
) -> Array:
    """Codes (n,) of most weighted votes; for multi-label 0/1 (n, labels) by more than half. Ties: the lowest code."""
    k = 2 if schema.task == "multilabel" else schema.k
    tally: Array = np.zeros(0)
    for codes, weight in zip(outputs, weights, strict=True):
        tally = tally if tally.size else np.zeros((codes.size, k))
        tally[np.arange(codes.size), codes.ravel().astype(np.intp)] += weight
        shape = codes.shape
    most: Array = np.asarray(np.argmax(tally, axis=1) if tally.size else np.zeros(0, np.int64))
    return np.reshape(most, shape)


def _terms(batch: Predictions, model: str, kind: Pooled) -> Array:
    """What one model adds to the pool: (n,), or (n, labels) for multi-label."""
    rows = batch.rows(model)
    if kind == "label":
        return rows.label
    if kind == "value":
        return np.asarray(rows.value - batch.truth)
    given = rows.given.get("proba")
    p: Array = rows.proba if given is None else given
    if batch.task == "multilabel":
        of_truth = np.where(batch.truth != 0, p, 1 - p)
    else:
        of_truth = np.take_along_axis(p, batch.truth[:, None].astype(np.intp), axis=1)[:, 0]
    return np.asarray(np.maximum(of_truth, FLOOR))
