"""Membership inference: whether a model's losses give away which rows it was trained on.

>>> import numpy as np
>>> from assay.table.predictions import Predictions
>>> row = np.arange(200)
>>> y = row % 2
>>> split = np.repeat(["train", "test"], 100)
>>> right = np.where(split == "train", 0.95, 0.6 + 0.03 * (row % 10))
>>> proba = {"m.proba": np.where(y == 1, right, 1 - right)}
>>> p = Predictions.from_arrays(y, proba, split=split, positive=1)
>>> membership_inference(p).rows[0].auc
1.0
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from assay.audit.losses import compute_losses
from assay.core.result import Result
from assay.core.text import TextTable, format_estimate, format_number
from assay.errors import SchemaError
from assay.evaluation.evaluate import evaluate
from assay.intervals.differences import UNKNOWN, Estimate, mover_difference
from assay.intervals.proportions import wilson
from assay.io.arrays import accept_arrays
from assay.io.source import Source, open_table
from assay.kernels import Array
from assay.table.buckets import assign_buckets
from assay.table.predictions import Predictions

__all__ = ["Membership", "MembershipRow", "membership_inference"]


@dataclass(frozen=True)
class MembershipRow:
    """How well a threshold on one model's loss tells training rows (`members`) from `others`.

    `auc` in [`low`, `high`]: the chance that a training row has the lower loss of the two; 0.5
    gives nothing away. `advantage`: largest true less false positive rate over all thresholds, too
    high by having been chosen; `held_out` in [`held_out_low`, `held_out_high`]: the same, each half
    of the rows by the threshold of the other.
    """

    model: str
    loss: str
    auc: float
    low: float
    high: float
    advantage: float
    held_out: float
    held_out_low: float
    held_out_high: float
    members: int
    others: int
    loss_of_members: float
    loss_of_others: float
    reading: str


@dataclass(frozen=True, repr=False)
class Membership(Result):
    """What the losses of each model say of who was in its training set.

    >>> from assay.table.predictions import Predictions
    >>> split = ["train"] * 20 + ["test"] * 20
    >>> p = Predictions.from_arrays(["a", "b"] * 20, {"m": ["a", "b"] * 20}, split=split)
    >>> membership_inference(p).verdict
    'm: gives nothing away that these rows show.'
    """

    schema_name: ClassVar[str] = "assay.membership/1"

    rows: tuple[MembershipRow, ...]
    split: str
    member: Any
    n: int
    confidence: float = 0.95
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """What the losses of each model give away, a line each."""
        return "\n".join(self.verdict_lines)

    @property
    def verdict_lines(self) -> list[str]:
        if not self.rows:
            return ["No model has losses to judge by."]
        return [f"{row.model}: {row.reading}." for row in self.rows]

    @property
    def details(self) -> list[str]:
        """How many rows stand on either side, and the level of the intervals."""
        title = f"Membership inference by the loss, {self.confidence:.0%} intervals"
        if not self.rows:
            return [title]
        row = self.rows[0]
        return [f"{title}: {row.members} training rows against {row.others} others"]

    @property
    def tables(self) -> list[TextTable]:
        """Mean losses, and how well they tell training rows from others."""
        header = ["model", "loss", "training", "others", "auc", "advantage (held out)"]
        body = [
            [
                row.model,
                row.loss,
                format_number(row.loss_of_members),
                format_number(row.loss_of_others),
                format_estimate(row.auc, row.low, row.high),
                format_estimate(row.held_out, row.held_out_low, row.held_out_high),
            ]
            for row in self.rows
        ]
        return [TextTable(header, body)]


@accept_arrays
def membership_inference(
    predictions: Source,
    split: str = "split",
    *,
    member: Any = "train",
    confidence: float = 0.95,
    where: str | None = None,
) -> Membership:
    """Whether the loss of a row tells if the model was trained on it, by a threshold on the loss.

    The loss is the log loss where a model gives probabilities, the squared error in regression,
    else whether the row is wrong. The AUC is the chance that a row trained on has a lower loss than
    one that was not, with DeLong's interval (by cluster, where there is a cluster column); 0.5
    gives nothing away to this attack. Stronger ones, that know how hard each row is, may still see
    more. Rows of other kinds in the two splits (a later year, another site) look the same as memory
    does: compare like with like. Weights are not used: every row is somebody's.

    Sources: Yeom et al. (2018), IEEE CSF, 268-282; Carlini et al. (2022), IEEE S&P, 1897-1914;
    DeLong et al. (1988), Biometrics 44:837-845.

    Parameters:
        predictions: A table, a data frame, the path of a file or of several, or the truth followed
            by what models predict, as for `evaluate`.
        split: The column that says which rows were trained on; default "split".
        member: Its value for those rows; all others were not trained on. Default "train".
        confidence: Level of the intervals, in (0, 1); default 0.95.
        where: Which rows to take, as in 'split == "test"' (see `Predictions.where`); default: all.

    Returns:
        A `Membership` with a row for each model.

    Raises:
        SchemaError: Rows of one kind are missing, or a model gives scores only.

    >>> split = ["train"] * 20 + ["test"] * 20
    >>> p = Predictions.from_arrays(["a", "b"] * 20, {"m": ["a", "b"] * 20}, split=split)
    >>> membership_inference(p).rows[0].members
    20
    """
    table = open_table(predictions, in_memory=True, where=where)
    codes, values = table.group(split)
    if member not in values or len(values) < 2:
        raise SchemaError(
            f"column {split!r} must tell rows trained on ({member!r}) from others; its values are "
            f"{values}. Name the column with split=..., the value with member=..."
        )
    trained = codes == values.index(member)
    rows = tuple(_attack(table, model, trained, confidence) for model in table.models)
    return Membership(rows, split, member, table.n, confidence, table.notes)


def _attack(table: Predictions, model: str, trained: Array, confidence: float) -> MembershipRow:
    """How well the loss of one model tells the rows that were `trained` on (n,) from the others."""
    name, loss = compute_losses(table.rows(model))  # the sharper the loss, the attack too
    columns = {"cluster": table.columns["cluster"]} if "cluster" in table.columns else {}
    attack = Predictions.from_arrays(
        np.where(trained, "member", "other"), {"loss.score": -loss}, positive="member", **columns
    )
    area = evaluate(attack, "roc_auc", confidence=confidence).rows[0]
    half = assign_buckets(table) % 2 == 0
    held_out = _cross_fit_advantage(loss, trained, half, confidence)
    return MembershipRow(
        model=model,
        loss=name,
        auc=area.value,
        low=area.low,
        high=area.high,
        advantage=float(_compute_advantages(loss, trained)[1].max()),
        held_out=held_out.value,
        held_out_low=held_out.low,
        held_out_high=held_out.high,
        members=int(trained.sum()),
        others=int((~trained).sum()),
        loss_of_members=float(loss[trained].mean()),
        loss_of_others=float(loss[~trained].mean()),
        reading=_interpret(area.value, area.low, area.high),
    )


def _compute_advantages(loss: Array, trained: Array) -> tuple[Array, Array]:
    """Every threshold (m,), and the true less the false positive rate of saying yes up to it."""
    order = np.argsort(loss, kind="stable")
    last = np.flatnonzero(np.append(np.diff(loss[order]) > 0, True))
    member = trained[order]
    true_rate = np.cumsum(member)[last] / max(int(member.sum()), 1)
    false_rate = np.cumsum(~member)[last] / max(int((~member).sum()), 1)
    return loss[order][last], true_rate - false_rate


def _cross_fit_advantage(loss: Array, trained: Array, half: Array, confidence: float) -> Estimate:
    """The advantage of each half of the rows by the threshold of the other, pooled.

    With Newcombe's interval of the difference of two rates.
    """
    positive = np.zeros(len(loss), bool)
    for inside in (half, ~half):
        outside = ~inside
        if not (trained[outside].any() and (~trained)[outside].any()):
            return UNKNOWN
        thresholds, advantages = _compute_advantages(loss[outside], trained[outside])
        positive[inside] = loss[inside] <= thresholds[np.argmax(advantages)]
    true_rate = _estimate_rate(positive[trained], confidence)
    return mover_difference(true_rate, _estimate_rate(positive[~trained], confidence))


def _estimate_rate(positive: Array, confidence: float) -> Estimate:
    successes = np.array(float(positive.sum()))
    low, high = wilson(successes, np.array(float(len(positive))), confidence)
    return Estimate(float(positive.mean()), float(low), float(high))


def _interpret(auc: float, low: float, high: float) -> str:
    if np.isnan(low) or low <= 0.5 <= high:
        return "gives nothing away that these rows show"
    if auc < 0.5:
        return "training rows have the higher losses: the splits hold other kinds of rows"
    return (
        f"gives away who was trained on: the training row has the lower loss in {auc:.0%} of pairs"
    )
