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
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from assay.errors import UnsupportedError
from assay.fusions.base import Fusion, refuse_labels
from assay.fusions.features import Features, standardise
from assay.fusions.fitted import BATCH, Fitted, header_fields
from assay.fusions.regressions import solve_labels, solve_ridge, solve_softmax
from assay.fusions.stacked_estimator import EstimatorInputs, fit_layers
from assay.kernels import Array
from assay.table.folds import assign_folds, find_held_out
from assay.table.predictions import Predictions
from assay.table.schema import Schema

__all__ = ["Stack", "Stacking"]

FEWEST_ROWS = 100
ROWS_PER_INPUT = 10
CERTIFIED = 1e-4  # gap above which a note says that the fit is not exact


@dataclass(frozen=True, kw_only=True)
class Stack(Fitted):
    """A fitted stacking: coefficients on the members' outputs, and an intercept.

    Parameters:
        coef: What each member adds: (m, k, k) from log-probability of a class to logit of a class,
            (m, labels) on the logits of labels, or (m,) on values.
        intercept: What is added to that: (k,), (labels,) or ().
        floor: Probability below which a member's is taken for it.
        features: How further columns are read; None where none are.
        feature_coef: What these add, standardised: (d, k), (d, labels) or (d,).
        feature_scale: Their mean and standard deviation (2, d).
    """

    coef: Array
    intercept: Array
    floor: float
    features: Features | None = None
    feature_coef: Array = field(default_factory=lambda: np.zeros((0, 0)))
    feature_scale: Array = field(default_factory=lambda: np.zeros((2, 0)))

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
        if self.features is not None:
            standard = (self.features.read(batch) - self.feature_scale[0]) / self.feature_scale[1]
            for column, effect in zip(standard.T, self.feature_coef, strict=True):
                total += column * effect if total.ndim == 1 else column[:, None] * effect
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
        header = {**header, "floor": self.floor}
        if self.features is None:
            return header, arrays
        own = {"feature_coef": self.feature_coef, "feature_scale": self.feature_scale}
        return {**header, "features": self.features.dump()}, {**arrays, **own}

    @classmethod
    def load(cls, header: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:
        """From the `header` and `arrays` of `dump`; ValueError where the shapes do not fit."""
        fields = header_fields(header)
        coef = arrays["coef"]
        intercept = arrays["intercept"]
        if coef.shape != _coef_shape(fields["schema"]) or intercept.shape != coef.shape[1:][:1]:
            raise ValueError(f"coefficients of shape {coef.shape}")
        columns = header.get("features")
        names = {"feature_coef", "feature_scale"} & set(arrays)
        beside: dict[str, Any] = {name: arrays[name] for name in names}
        return cls(
            **fields,
            coef=coef,
            intercept=intercept,
            floor=float(header["floor"]),
            features=None if columns is None else Features.load(columns),
            **beside,
        )

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
        extra: Numbers of further columns (n, d).
        features: How these are read; None where none are.
    """

    schema: Schema
    inputs: Array
    truth: Array
    weight: Array
    extra: Array
    features: Features | None

    def take(self, rows: Array) -> "StackInputs":
        """The `rows` of a mask (n,)."""
        if rows.all():
            return self
        names = ("inputs", "truth", "weight", "extra")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})


@dataclass(frozen=True)
class Stacking(Fusion[Any]):
    """Multinomial logistic regression on log-probabilities, or ridge regression on values.

    Logit of class c: b_c + sum over members j and classes d of w_jdc log p_jd; multi-label: label
    by label b_l + sum_j w_jl logit p_jl; regression: b + sum_j w_j f_j.  The penalty
    |w - w_equal|^2 / (2 C n) pulls toward the product of the members' probabilities with equal
    exponents (regression: toward their mean), not toward 0: with little evidence it is an average.

    Unlike weights that sum to 1 it can sharpen under-confident members, undo a bias and read what a
    member gets wrong.  It has many coefficients and hurts on few rows, so it refuses fewer than
    `min_rows`.  `fuse` fits it out of fold, as every fusion.  Also called stacked generalisation.

    With an `estimator`, that is fitted in place of the regression, to probabilities (of two classes
    that of the second) or values, as StackingClassifier and StackingRegressor of scikit-learn do.
    Such a stacking cannot be saved: that would take a pickle.

    Parameters:
        C: Inverse strength of the penalty, > 0, as in scikit-learn; default 0.05.
        floor: Probability below which a member's is taken for it, in (0, 0.5); default 0.001.
        min_rows: Rows below which fitting is refused; default: 100, or 10 for each input (a
            member's class or value) where that is more.
        estimator: An estimator of scikit-learn, or the name of one: boosting, forest, linear, mlp,
            or the dotted name of a class; default: the regression above.
        features: Columns of the table that are read beside the models, as in "age|sex": numbers, or
            texts of few values. `fuse(features=...)` (--features) sets it. Default "": none.
        layers: Layers of the estimator, each of which reads what those before it say of rows that
            they have not seen, beside the models; default 1.

    Source: Wolpert (1992), Neural Networks 5:241-259; Ting & Witten (1999), JAIR 10:271-289.
    """

    name = "stacking"
    aliases = ("stack",)
    fitted = Stack
    C: float = 0.05
    floor: float = 1e-3
    min_rows: int | None = None
    estimator: Any = None
    features: str = ""
    layers: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.C < np.inf:
            raise UnsupportedError(f"C of stacking must be a number > 0; got {self.C}")
        if not 0 < self.floor < 0.5:
            raise UnsupportedError(f"floor of stacking must be in (0, 0.5); got {self.floor}")
        if self.layers < 1:
            raise UnsupportedError(f"layers of stacking must be 1 or more; got {self.layers}")
        if self.layers > 1 and self.estimator is None:
            raise UnsupportedError(
                "a linear regression on linear regressions is one linear regression: give several "
                "layers an estimator, as in stacking(estimator=boosting, layers=2)"
            )

    def evidence(
        self, table: Predictions, fold: Array | None = None
    ) -> StackInputs | EstimatorInputs:
        """The members' outputs on the rows of `table`; too few rows of a `fold` are refused."""
        refuse_labels(table, self)
        features = Features.fit(table, self.features) if self.features else None
        self._refuse_few_rows(table, fold, 0 if features is None else len(features.labels))
        if self.estimator is not None:
            fold = assign_folds(table)[0] if fold is None else fold
            return EstimatorInputs(table, fold, features)
        parts = [
            np.stack([read_inputs(batch, model, self.floor) for model in batch.models], axis=-1)
            for batch in table.batches(BATCH)
        ]
        inputs = np.concatenate(parts)
        if table.task in ("binary", "multiclass"):
            inputs = np.ascontiguousarray(np.moveaxis(inputs, -1, 1))
        weight = np.ones(table.n) if table.weight is None else np.asarray(table.weight, np.float64)
        extra = np.zeros((table.n, 0)) if features is None else features.read(table)
        return StackInputs(table.schema, inputs, table.truth, weight, extra, features)

    def solve(self, evidence: StackInputs | EstimatorInputs, *, seed: int = 0) -> Fitted:
        """The coefficients of least penalised loss on the `evidence`, or estimators by `seed`."""
        if isinstance(evidence, EstimatorInputs):
            return fit_layers(str(self), evidence, self.estimator, self.layers, seed)
        share = evidence.weight / evidence.weight.sum()
        # The penalty counts against the effective number of rows (Kish), so that scaling the
        # weights changes nothing.
        penalty = float(share @ share) / self.C
        task = evidence.schema.task
        scale = np.stack(standardise(evidence.extra, share))
        extra = (evidence.extra - scale[0]) / scale[1]
        solve = {"regression": solve_ridge, "multilabel": solve_labels}.get(task, solve_softmax)
        coef, feature_coef, intercept, gap = solve(
            evidence.inputs, evidence.truth, share, penalty, extra
        )
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
            features=evidence.features,
            feature_coef=feature_coef,
            feature_scale=scale,
        )

    def _refuse_few_rows(self, table: Predictions, fold: Array | None, extra: int) -> None:
        usable = find_held_out(table)[0] if fold is None else fold >= 0
        if table.weight is not None:
            usable = usable & (table.weight > 0)
        members = len(table.models)
        inputs = members * (table.schema.k if table.task == "multiclass" else 1) + extra
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


def _coef_shape(schema: Schema) -> tuple[int, ...]:
    m = len(schema.models)
    if schema.task == "regression":
        return (m,)
    return (m, schema.k) if schema.task == "multilabel" else (m, schema.k, schema.k)
