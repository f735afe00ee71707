"""Fit: whether a model does much better on the rows it was trained on, or badly even there.

>>> from assay.advice.advise import advise
>>> from assay.table.predictions import Predictions
>>> y = [0, 1] * 200
>>> guess = [0, 1] * 100 + [0, 0, 1, 1] * 50
>>> p = Predictions.from_arrays(y, {"m": guess}, split=["train"] * 200 + ["test"] * 200)
>>> [advice.title for advice in advise(p) if advice.code == "A017"]
["Model 'm' overfits."]
"""

import math
from statistics import NormalDist

import numpy as np

from assay.advice.base import Advice, Check, CheckContext
from assay.kernels import Array
from assay.table.judging import take_training
from assay.table.predictions import Predictions

__all__ = ["Fit"]

# A gap below these is of no use to know of, however sure.
LEAST_GAP = 0.05  # of the share of wrong labels
LEAST_RATIO = 1.25  # of mean squared errors
# Underfitting: the loss on the training rows is this share of that of a constant answer, or more.
HARDLY = 0.9


class Fit(Check):
    """A model is worse on other rows than on those it was trained on, or bad even on these."""

    name = "A017"
    title = "Model {model!r} {fits}."

    def find(self, context: CheckContext) -> list[Advice]:
        every = context.every
        table = context.table
        if every is None or not every.is_in_memory or table.task == "multilabel":
            return []
        training = take_training(every.head)
        if not training.n or training.n == every.n:
            return []
        findings = []
        for model in table.models:
            if not table.schema.offers(model, "value" if table.task == "regression" else "label"):
                continue
            inside = _compute_losses(training, model)
            outside = _compute_losses(table.head, model)
            fits = _judge(inside, outside, _compute_constant_loss(training), context.level)
            if fits:
                findings.append(self._describe(model, fits, inside, outside, table.task))
        return findings

    def _describe(self, model: str, fits: str, inside: Array, outside: Array, task: str) -> Advice:
        loss = "mean squared error" if task == "regression" else "share of wrong labels"
        remedy = {
            "overfits": "Regularise it more, make it smaller or train it on more rows; choose "
            "by the other rows alone.",
            "underfits": "Give it more capacity, better features or less regularisation: it "
            "hardly does better than a constant answer on what it was taught.",
        }
        return self.report(
            f"Its {loss} is {inside.mean():.3g} on the {len(inside):,} rows of its training and "
            f"{outside.mean():.3g} on the {len(outside):,} others.",
            remedy[fits],
            model=model,
            fits=fits,
        )


def _compute_losses(table: Predictions, model: str) -> Array:
    """Squared error or wrong label of each row (n,)."""
    rows = table.rows(model)
    if table.task == "regression":
        return np.asarray(np.square(rows.residual))
    return np.asarray(rows.label != rows.truth, np.float64)


def _compute_constant_loss(table: Predictions) -> float:
    """The loss of the best constant answer."""
    if table.task == "regression":
        return float(np.var(table.truth))
    return 1 - float(np.bincount(table.truth).max()) / table.n


def _judge(inside: Array, outside: Array, constant: float, level: float) -> str:
    """overfits, underfits, or "" for neither, by the losses on training rows and on others."""
    gap = float(outside.mean() - inside.mean())
    error = math.sqrt(inside.var() / len(inside) + outside.var() / len(outside))
    is_sure = gap > -NormalDist().inv_cdf(level) * error
    is_share = constant <= 1 and bool(np.isin(outside, (0, 1)).all())
    ratio = LEAST_RATIO * float(inside.mean())
    is_large = gap >= LEAST_GAP if is_share else float(outside.mean()) >= ratio
    if gap > 0 and is_sure and is_large:
        return "overfits"
    return "underfits" if constant > 0 and inside.mean() >= HARDLY * constant else ""
