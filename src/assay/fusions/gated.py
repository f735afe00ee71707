"""Gated: weights that depend on the row, by a logistic gate on how sure the models are of it.

>>> import numpy as np
>>> from assay.table.predictions import Predictions
>>> x = np.linspace(-1, 1, 400)
>>> y = np.sin(9 * x)
>>> models = {"left": y + (x > 0), "right": y - (x < 0)}  # each is right on its side
>>> p = Predictions.from_arrays(y, models, task="regression", groups={"x": x})
>>> fitted = Gated(features="x").fit(p)
>>> bool(np.mean((fitted.apply(p)["value"] - y) ** 2) < 0.05)  # convex weights have 0.25
True
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from assay.errors import UnsupportedError
from assay.fusions.base import FUSIONS, Fusion, refuse_labels
from assay.fusions.convex import Pool
from assay.fusions.features import Features, standardise
from assay.fusions.fitted import BATCH, Fitted, header_fields
from assay.kernels import Array
from assay.table.predictions import Predictions

__all__ = ["GateInputs", "Gated", "Gates"]

MOST_VALUES = 2_000_000  # outputs of members that a gate is fitted to; rows beyond are left out
SAVED = ("coef", "intercept", "centre", "scale")
LEAST_WEIGHT = 1e-3  # of a model, where the gate begins


@dataclass(frozen=True, kw_only=True, eq=False)
class Gates(Fitted):
    """A fitted gate: each row's weights are the softmax of one linear function a model.

    Parameters:
        coef: Coefficients (m, d) on the standardised inputs.
        intercept: What is added to that (m,).
        centre: Mean of the inputs (d,).
        scale: Standard deviation of the inputs (d,).
        features: How further columns are read; None for a gate on the models' own outputs.
        shares: Mean weight of each model on the rows fitted on.
    """

    coef: Array
    intercept: Array
    centre: Array
    scale: Array
    features: Features | None
    shares: Mapping[str, float]

    def combine(self, batch: Predictions) -> Array:
        """The mean of the models' outputs on the rows of `batch`, with the weights of each row."""
        outputs = [getattr(batch.rows(model), self.kind) for model in self.models]
        inputs = read_gate_inputs(batch.select(self.models), outputs, self.features)
        logits = np.zeros((len(outputs), batch.n)) + self.intercept[:, None]
        for i in range(self.coef.shape[1]):
            standard = (inputs[..., i] - self.centre[i]) / self.scale[i]
            logits += standard * self.coef[:, i, None]
        total: Any = 0.0
        for weight, output in zip(_softmax(logits), outputs, strict=True):
            total = total + (weight if output.ndim == 1 else weight[:, None]) * output
        return np.clip(total, 0, 1) if self.kind == "proba" else np.asarray(total)

    def importance(self) -> Mapping[str, float]:
        """The mean weight of each model on the rows fitted on."""
        return self.shares

    def dump(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """The common header with how columns are read; coefficients, intercept and scales."""
        header, arrays = super().dump()
        columns = None if self.features is None else self.features.dump()
        own = {name: getattr(self, name) for name in SAVED}
        return {**header, "features": columns, "shares": dict(self.shares)}, {**arrays, **own}

    @classmethod
    def load(cls, header: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:
        """From the `header` and `arrays` of `dump`; ValueError where the shapes do not fit."""
        fields = header_fields(header)
        columns = header["features"]
        own: dict[str, Any] = {name: arrays[name] for name in SAVED}
        if own["coef"].shape != (len(fields["schema"].models), len(own["centre"])):
            raise ValueError(f"coefficients of shape {own['coef'].shape}")
        features = None if columns is None else Features.load(columns)
        return cls(**fields, **own, features=features, shares=dict(header["shares"]))

    def __eq__(self, other: object) -> bool:
        """Whether everything that is saved is equal."""
        if not isinstance(other, Gates):
            return NotImplemented
        (mine, arrays), (theirs, others) = self.dump(), other.dump()
        return mine == theirs and all(np.array_equal(arrays[key], others[key]) for key in arrays)

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, eq=False)
class GateInputs:
    """What a gate is fitted to.

    Parameters:
        pool: Pool of the rows.
        inputs: Inputs of the gate (m, n, d), or (1, n, d) where they are the same for all models.
        features: How further columns are read; None where none are.
    """

    pool: Pool
    inputs: Array
    features: Features | None

    def take(self, rows: Array) -> "GateInputs":
        """The `rows` of a mask (n,)."""
        if rows.all():
            return self
        return GateInputs(self.pool.take(rows), self.inputs[:, rows], self.features)


@dataclass(frozen=True)
class Gated(Fusion[GateInputs]):
    """Weights that depend on the row: softmax of a linear function of its inputs, one a model.

    w_j(x) is proportional to exp(b_j + v_j . z_j(x)). The inputs z are the columns that `features`
    names, standardised; without them how sure each model is of the row and how far it is from the
    mean of all (in regression: the mean of all, and how far and on which side of it each model is).
    The log loss (squared error) of the mixture is minimised, with a penalty that is worth `shrink`
    pseudo-rows and pulls toward the weights of `weighted`, the same for all rows.

    Parameters:
        features: Columns of the table that the weights depend on, as in "age|sex": numbers, or
            texts of few values. `fuse(features=...)` (--features) sets it. Default "": the models'
            own outputs.
        shrink: Strength of the penalty, above 0; default 2.

    Source: Jacobs, Jordan, Nowlan & Hinton (1991), Neural Computation 3:79-87 (mixtures).
    """

    name = "gated"
    aliases = ("gating", "mixture_of_experts")
    fitted = Gates
    least_rows = 20
    features: str = ""
    shrink: float = 2.0

    def __post_init__(self) -> None:
        if not 0 < self.shrink < np.inf:
            raise UnsupportedError(f"shrink of gated must be a number > 0; got {self.shrink}")

    def evidence(self, table: Predictions, fold: Array | None = None) -> GateInputs:
        """The pool of `table` with each row's `fold`, and the inputs of the gate."""
        refuse_labels(table, self)
        pool = Pool.read(table, fold)
        features = Features.fit(table, self.features) if self.features else None
        parts = []
        for batch in table.batches(BATCH):
            outputs = [getattr(batch.rows(model), pool.kind) for model in batch.models]
            parts.append(read_gate_inputs(batch, outputs, features))
        return GateInputs(pool, np.concatenate(parts, axis=1), features)

    def solve(self, evidence: GateInputs, *, seed: int = 0) -> Gates:
        """The gate of least penalised loss on the `evidence`; `seed` is handed on."""
        rows = len(evidence.pool.weight)
        step = -(-evidence.pool.terms.size // MOST_VALUES)
        if step > 1:
            evidence = evidence.take(np.arange(rows) % step == 0)
        pool = evidence.pool
        weighted: Any = FUSIONS["weighted"]()
        weights = np.array(list(weighted.solve(pool, seed=seed).weights.values()))
        start = np.log(np.maximum(weights, LEAST_WEIGHT))
        share = pool.weight / max(float(pool.weight.sum()), np.finfo(float).tiny)
        shape = evidence.inputs.shape
        spread = np.broadcast_to(share / shape[0], shape[:2]).ravel()
        centre, scale = standardise(evidence.inputs.reshape(-1, shape[2]), spread)
        standard = (evidence.inputs - centre) / scale
        coef, intercept = _minimise(pool, standard, share, start, self.shrink)
        mean = _softmax(_read_logits(standard, coef, intercept)) @ share
        mean = mean / mean.sum() if mean.any() else np.full(len(mean), 1 / len(mean))
        note = f"Fitted on {len(share)} of {rows} rows, evenly spread."
        return Gates(
            how=str(self),
            kind=pool.kind,
            schema=pool.schema,
            notes=(note,) if step > 1 else (),
            coef=coef,
            intercept=intercept,
            centre=centre,
            scale=scale,
            features=evidence.features,
            shares=dict(zip(pool.schema.models, mean.tolist(), strict=True)),
        )


def read_gate_inputs(batch: Predictions, outputs: list[Array], features: Features | None) -> Array:
    """The inputs of a gate (m, n, d), or (1, n, d) from `features` alone.

    Parameters:
        batch: Some rows.
        outputs: What each model gives them: probabilities (n, k) or values (n,).
        features: How further columns are read; None for inputs from the outputs.
    """
    if features is not None:
        return features.read(batch)[None]
    total: Any = 0.0
    for output in outputs:
        total = total + output
    mean = total / len(outputs)
    if outputs[0].ndim == 1:
        away = np.stack([output - mean for output in outputs])
        level = np.broadcast_to(mean, away.shape)
        return np.stack([level, away, np.abs(away)], axis=-1)
    away = np.stack([np.abs(output - mean).mean(axis=1) for output in outputs])
    if batch.task == "multilabel":
        sure = np.stack([np.abs(output - 0.5).mean(axis=1) for output in outputs])
    else:
        sure = np.stack([output.max(axis=1) for output in outputs])
    return np.stack([sure, away], axis=-1)


def _minimise(
    pool: Pool, inputs: Array, share: Array, start: Array, shrink: float
) -> tuple[Array, Array]:
    """The coefficients (m, d) and intercepts (m,) of least penalised loss."""
    from scipy.optimize import minimize

    m, d = len(start), inputs.shape[2]
    terms = np.moveaxis(pool.terms, -1, 0).reshape(m, len(share), -1)  # models, rows, labels
    labels = terms.shape[2]
    penalty = shrink * float(share @ share)
    weights = np.exp(start) / np.exp(start).sum()
    fused = np.tensordot(weights, terms, 1)
    # Squared errors are in units of those of the common weights.
    size = float(share @ (fused**2).mean(axis=1)) if pool.kind == "value" else 1.0
    size = 2 * max(size, np.finfo(float).tiny)

    def measure(flat: Array) -> tuple[float, Array]:
        change = flat.reshape(m, d + 1)
        weight = _softmax(_read_logits(inputs, change[:, 1:], start + change[:, 0]))
        fused = np.einsum("jn,jnl->nl", weight, terms)
        if pool.kind == "value":
            value = float(share @ (fused**2).mean(axis=1)) / size
            slope = 2 * share[:, None] * fused / size / labels
        else:
            value = -float(share @ np.log(fused).mean(axis=1))
            slope = -share[:, None] / fused / labels
        pull = np.einsum("nl,jnl->jn", slope, terms)
        pull = weight * (pull - (weight * pull).sum(axis=0))
        by_input = pull @ inputs[0] if len(inputs) == 1 else np.einsum("jn,jnd->jd", pull, inputs)
        gradient = np.concatenate([pull.sum(axis=1)[:, None], by_input], axis=1)
        value += penalty / 2 * float((change**2).sum())
        return value, (gradient + penalty * change).ravel()

    found = minimize(
        measure,
        np.zeros(m * (d + 1)),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 300, "ftol": 1e-10, "gtol": 1e-7},
    )
    change = found.x.reshape(m, d + 1)
    return change[:, 1:], start + change[:, 0]


def _read_logits(inputs: Array, coef: Array, intercept: Array) -> Array:
    """The linear function (m, n) of each model, from standardised `inputs`."""
    logits = np.zeros((len(coef), inputs.shape[1])) + intercept[:, None]
    for i in range(coef.shape[1]):
        logits += inputs[..., i] * coef[:, i, None]
    return logits


def _softmax(logits: Array) -> Array:
    """Weights (m, n) of each row, from `logits` (m, n)."""
    odds = np.exp(logits - logits.max(axis=0))
    return np.asarray(odds / odds.sum(axis=0))
