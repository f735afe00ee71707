"""Stacking: a regularised regression on the members' outputs; it can sharpen and undo a bias.

>>> from assay.table.predictions import Predictions
>>> y = [float(v % 7) for v in range(200)]
>>> p = Predictions.from_arrays(
...     y, {"half": [v / 2 for v in y], "far": [v + 3 + v % 2 for v in y]}, task="regression")
>>> stack = Stacking(C=1e6).fit(p)
>>> bool((abs(stack.apply(p)["value"] - p.truth) < 0.01).all())  # no mean comes near
True
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from assay.errors import UnsupportedError
from assay.fusions.base import Fusion, refuse_labels
from assay.fusions.fitted import BATCH, Fitted, header_fields
from assay.kernels import Array
from assay.table.folds import find_held_out
from assay.table.predictions import Predictions
from assay.table.schema import Schema

__all__ = ["Stack", "Stacking"]

FEWEST_ROWS = 100
ROWS_PER_INPUT = 10
ROUNDING = 1e-12  # share of the truth's variance below which an error is rounding
CERTIFIED = 1e-4  # gap above which a note says that the fit is not exact


@dataclass(frozen=True, kw_only=True)
class Stack(Fitted):
    """A fitted stacking: coefficients on the members' outputs, and an intercept.

    Parameters:
        coef: What each member adds: (m, k, k) from log-probability of a class to logit of a class,
            (m, labels) on the logits of labels, or (m,) on values.
        intercept: What is added to that: (k,), (labels,) or ().
        floor: Probability below which a member's is taken for it.
    """

    coef: Array
    intercept: Array
    floor: float

    def combine(self, batch: Predictions) -> Array:
        """The fused probabilities (n, k) or (n, labels), or values (n,), of `batch`."""
        order = [batch.schema.classes.index(label) for label in self.schema.classes]
        total = np.zeros((batch.n, *self.intercept.shape)) + self.intercept
        # One product a column: a matrix product would round by the number of rows of the batch.
        for coef, model in zip(self.coef, self.models, strict=True):
            inputs = read_inputs(batch, model, self.floor)
            if self.schema.task in ("binary", "multiclass"):
                for column, effect in zip(order, coef, strict=True):
                    total += inputs[:, column, None] * effect
            else:
                total += (inputs[:, order] if order else inputs) * coef
        if not order:
            return total
        is_multilabel = self.schema.task == "multilabel"
        proba = 1 / (1 + np.exp(-total)) if is_multilabel else softmax(total)
        return proba[:, np.argsort(order)]

    def importance(self) -> Mapping[str, float]:
        """Each member's share of the sum of absolute coefficients."""
        sizes = np.abs(self.coef).reshape(len(self.coef), -1).sum(axis=1)
        shares = sizes / max(float(sizes.sum()), np.finfo(float).tiny)
        return dict(zip(self.models, map(float, shares), strict=True))

    def dump(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """The common header with the floor; coefficients and intercept."""
        header, arrays = super().dump()
        arrays = {**arrays, "coef": self.coef, "intercept": self.intercept}
        return {**header, "floor": self.floor}, arrays

    @classmethod
    def load(cls, header: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:
        """From the `header` and `arrays` of `dump`; ValueError where the shapes do not fit."""
        fields = header_fields(header)
        coef = arrays["coef"]
        intercept = arrays["intercept"]
        if coef.shape != _coef_shape(fields["schema"]) or intercept.shape != coef.shape[1:][:1]:
            raise ValueError(f"coefficients of shape {coef.shape}")
        return cls(**fields, coef=coef, intercept=intercept, floor=float(header["floor"]))

    def __eq__(self, other: object) -> bool:
        """Whether everything that is saved is equal."""
        if not isinstance(other, Stack):
            return NotImplemented
        return self.dump()[0] == other.dump()[0] and all(
            np.array_equal(mine, theirs)
            for mine, theirs in zip(self.dump()[1].values(), other.dump()[1].values(), strict=True)
        )

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, eq=False)
class StackInputs:
    """What a stacking is fitted to.

    Parameters:
        schema: Schema of the table.
        inputs: Values (n, m), logits (n, labels, m) or log-probabilities (n, m, k) of the members.
        truth: Truth of the table, as codes or values.
        weight: Weight of each row (n,).
    """

    schema: Schema
    inputs: Array
    truth: Array
    weight: Array

    def take(self, rows: Array) -> "StackInputs":
        """The `rows` of a mask (n,)."""
        if rows.all():
            return self
        return replace(
            self, inputs=self.inputs[rows], truth=self.truth[rows], weight=self.weight[rows]
        )


@dataclass(frozen=True)
class Stacking(Fusion[StackInputs]):
    """Multinomial logistic regression on log-probabilities, or ridge regression on values.

    Logit of class c: b_c + sum over members j and classes d of w_jdc log p_jd; multi-label: label
    by label b_l + sum_j w_jl logit p_jl; regression: b + sum_j w_j f_j.  The penalty
    |w - w_equal|^2 / (2 C n) pulls toward the product of the members' probabilities with equal
    exponents (regression: toward their mean), not toward 0: with little evidence it is an average.

    Unlike weights that sum to 1 it can sharpen under-confident members, undo a bias and read what a
    member gets wrong.  It has many coefficients and hurts on few rows, so it refuses fewer than
    `min_rows`.  `fuse` fits it out of fold, as every fusion.  Also called stacked generalisation.

    Parameters:
        C: Inverse strength of the penalty, > 0, as in scikit-learn; default 0.05.
        floor: Probability below which a member's is taken for it, in (0, 0.5); default 0.001.
        min_rows: Rows below which fitting is refused; default: 100, or 10 for each input (a
            member's class or value) where that is more.

    Source: Wolpert (1992), Neural Networks 5:241-259; Ting & Witten (1999), JAIR 10:271-289.
    """

    name = "stacking"
    aliases = ("stack",)
    fitted = Stack
    C: float = 0.05
    floor: float = 1e-3
    min_rows: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.C < np.inf:
            raise UnsupportedError(f"C of stacking must be a number > 0; got {self.C}")
        if not 0 < self.floor < 0.5:
            raise UnsupportedError(f"floor of stacking must be in (0, 0.5); got {self.floor}")

    def evidence(self, table: Predictions, fold: Array | None = None) -> StackInputs:
        """The members' outputs on the rows of `table`; too few rows of a `fold` are refused."""
        refuse_labels(table, self)
        self._refuse_few_rows(table, fold)
        parts = [
            np.stack([read_inputs(batch, model, self.floor) for model in batch.models], axis=-1)
            for batch in table.batches(BATCH)
        ]
        inputs = np.concatenate(parts)
        if table.task in ("binary", "multiclass"):
            inputs = np.ascontiguousarray(np.moveaxis(inputs, -1, 1))
        weight = np.ones(table.n) if table.weight is None else np.asarray(table.weight, np.float64)
        return StackInputs(table.schema, inputs, table.truth, weight)

    def solve(self, evidence: StackInputs, *, seed: int = 0) -> Stack:
        """The coefficients of least penalised loss on the `evidence`; `seed` is not used."""
        share = evidence.weight / evidence.weight.sum()
        # The penalty counts against the effective number of rows (Kish), so that scaling the
        # weights changes nothing.
        penalty = float(share @ share) / self.C
        task = evidence.schema.task
        if task == "regression":
            coef, intercept, gap = solve_ridge(evidence.inputs, evidence.truth, share, penalty)
        elif task == "multilabel":
            coef, intercept, gap = solve_labels(evidence.inputs, evidence.truth, share, penalty)
        else:
            coef, intercept, gap = solve_softmax(evidence.inputs, evidence.truth, share, penalty)
        certified = gap <= CERTIFIED
        return Stack(
            how=str(self),
            kind="value" if task == "regression" else "proba",
            schema=evidence.schema,
            notes=() if certified else (f"The loss may be {gap:.1g} above the least.",),
            gap=gap,
            coef=coef,
            intercept=intercept,
            floor=self.floor,
        )

    def _refuse_few_rows(self, table: Predictions, fold: Array | None) -> None:
        usable = find_held_out(table)[0] if fold is None else fold >= 0
        if table.weight is not None:
            usable = usable & (table.weight > 0)
        members = len(table.models)
        inputs = members * (table.schema.k if table.task == "multiclass" else 1)
        least = max(FEWEST_ROWS, ROWS_PER_INPUT * inputs)
        if self.min_rows is not None:
            least = self.min_rows
        rows = int(np.count_nonzero(usable))
        if rows < least:
            raise UnsupportedError(
                f"stacking {members} models ({inputs} inputs) needs at least {least} rows that no "
                f"model was trained on; the table has {rows}. On fewer it does worse than weights: "
                f"use how='weighted', or stacking(min_rows={rows}) all the same."
            )


def read_inputs(batch: Predictions, model: str, floor: float) -> Array:
    """What stacking reads of one `model` on the rows of `batch`.

    Log-probabilities (n, k), logits of labels (n, labels) or values (n,). Probabilities below
    `floor` are raised to it, and those of labels above 1 - floor are lowered.
    """
    rows = batch.rows(model)
    if batch.task == "regression":
        return np.asarray(rows.value, np.float64)
    if batch.task == "multilabel":
        proba = np.clip(rows.proba, floor, 1 - floor)
        return np.asarray(np.log(proba / (1 - proba)))
    return np.maximum(rows.log_proba, np.log(floor))


def softmax(logits: Array) -> Array:
    """Probabilities (n, k) of `logits` (n, k)."""
    proba = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(proba / proba.sum(axis=1, keepdims=True))


def solve_softmax(
    inputs: Array, truth: Array, share: Array, penalty: float
) -> tuple[Array, Array, float]:
    """Coefficients (m, k, k), intercept (k,) and gap of the multinomial regression.

    Parameters:
        inputs: Log-probabilities (n, m, k).
        truth: Class codes (n,).
        share: Share of each row (n,) in the loss, summing to 1.
        penalty: Weight of half the squared distance of the coefficients from equal exponents.
    """
    n, m, k = inputs.shape
    columns = inputs.reshape(n, m * k)
    equal = np.tile(np.eye(k) / m, (m, 1))
    base = columns @ equal
    place = np.arange(n), truth.astype(np.intp)

    def loss(change: Array) -> tuple[float, Array]:
        change = change.reshape(m * k + 1, k)
        logits = base + columns @ change[:-1] + change[-1]
        logits -= logits.max(axis=1, keepdims=True)
        proba = np.exp(logits)
        total = proba.sum(axis=1)
        value = share @ (np.log(total) - logits[place])
        proba *= (share / total)[:, None]
        proba[place] -= share
        slope = np.concatenate([columns.T @ proba, proba.sum(axis=0)[None]])
        value += penalty / 2 * (change**2).sum()
        return float(value), (slope + penalty * change).ravel()

    change, gap = _minimise(loss, (m * k + 1) * k, penalty)
    change = change.reshape(m * k + 1, k)
    return (equal + change[:-1]).reshape(m, k, k), change[-1], gap


def solve_labels(
    inputs: Array, truth: Array, share: Array, penalty: float
) -> tuple[Array, Array, float]:
    """Coefficients (m, labels), intercept (labels,) and gap of one logistic regression a label.

    `inputs` are logits (n, labels, m), `truth` is 0/1 (n, labels), `share` (n,) sums to 1;
    `penalty` is as in `solve_softmax`.
    """
    _, labels, m = inputs.shape
    sign = np.where(truth != 0, 1.0, -1.0)
    base = inputs.mean(axis=2)

    def loss(change: Array) -> tuple[float, Array]:
        change = change.reshape(labels, m + 1)
        margin = sign * (base + np.einsum("nlm,lm->nl", inputs, change[:, :-1]) + change[:, -1])
        value = share @ np.logaddexp(0.0, -margin).mean(axis=1)
        pull = -sign * np.exp(-np.logaddexp(0.0, margin)) * share[:, None] / labels
        slope = np.concatenate(
            [np.einsum("nl,nlm->lm", pull, inputs), pull.sum(axis=0)[:, None]], axis=1
        )
        value += penalty / 2 * (change**2).sum() / labels
        return float(value), (slope + penalty / labels * change).ravel()

    change, gap = _minimise(loss, labels * (m + 1), penalty / labels)
    change = change.reshape(labels, m + 1)
    return np.ascontiguousarray(1 / m + change[:, :-1].T), change[:, -1], gap


def solve_ridge(
    inputs: Array, truth: Array, share: Array, penalty: float
) -> tuple[Array, Array, float]:
    """Coefficients (m,), intercept () and gap 0 of the ridge regression on the members' values.

    `inputs` are values (n, m), `truth` (n,), `share` (n,) sums to 1.  `penalty` is in units of the
    squared error of the members' mean, so that the scale of the truth does not matter.
    """
    m = inputs.shape[1]
    equal = np.full(m, 1 / m)
    centre = share @ inputs
    mean = share @ truth
    centred = inputs - centre
    residual = truth - mean - centred @ equal
    scale = float(share @ residual**2)
    # An error of the mean that is rounding alone must not drown the penalty.
    scale = max(scale, ROUNDING * float(share @ (truth - mean) ** 2))
    if scale == 0:
        return equal, np.asarray(mean - centre @ equal), 0.0
    gram = centred.T @ (share[:, None] * centred) / scale + penalty * np.eye(m)
    change = np.linalg.solve(gram, centred.T @ (share * residual) / scale)
    coef = equal + change
    return coef, np.asarray(mean - centre @ coef), 0.0


def _minimise(loss: Any, size: int, penalty: float) -> tuple[Array, float]:
    """Where a `penalty`-strongly convex loss is least, and how far above the least at most."""
    from scipy.optimize import minimize

    optimum = minimize(
        loss,
        np.zeros(size),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 2000, "maxfun": 4000, "ftol": 1e-12, "gtol": 1e-8, "maxcor": 20},
    )
    slope = loss(optimum.x)[1]
    return optimum.x, float(slope @ slope / (2 * penalty))


def _coef_shape(schema: Schema) -> tuple[int, ...]:
    m = len(schema.models)
    if schema.task == "regression":
        return (m,)
    return (m, schema.k) if schema.task == "multilabel" else (m, schema.k, schema.k)
