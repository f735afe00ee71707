"""privacy: whether a model's losses give away which rows it was trained on.

>>> import numpy as np
>>> from assay.table.predictions import Predictions
>>> y, split = np.arange(200) % 2, np.repeat(["train", "test"], 100)
>>> sure = np.where(split == "train", 0.95, 0.6 + 0.3 * (np.arange(200) % 10) / 10)
>>> p = Predictions.from_arrays(y, {"m.proba": np.where(y == 1, sure, 1 - sure)}, split=split, positive=1)
>>> membership_inference(p).rows[0].auc
1.0
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from assay.core.result import Result
from assay.core.text import TextTable, format_estimate, format_number
from assay.errors import SchemaError
from assay.evaluation.evaluate import evaluate
from assay.intervals.differences import Estimate, mover_difference
from assay.intervals.proportions import wilson
from assay.io.read_write import Source, table_of
from assay.kernels import Array
from assay.metrics.base import METRICS
from assay.table.buckets import assign_buckets
from assay.table.predictions import Predictions, Rows

__all__ = ["Membership", "MembershipRow", "membership_inference"]

# What stands for the loss of a row, best source first: the sharper the loss, the sharper the attack.
LOSSES = (("proba", "log_loss"), ("value", "mse"), ("label", "hamming_loss"))


@dataclass(frozen=True)
class MembershipRow:
    """How well a threshold on the loss tells training rows (`members`) from `others`, for one model.

    `auc` in [`low`, `high`]: the chance that a training row has the lower loss of the two; 0.5 gives nothing away.
    `advantage`: largest true less false positive rate over all thresholds, too high by having been chosen;
    `held_out` in [`held_out_low`, `held_out_high`]: the same, each half of the rows by the threshold of the other.
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
    """What the losses of each model say of who was in its training set."""

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
        if not self.rows:
            return "No model has losses to judge by."
        return "\n".join(f"{row.model}: {row.reading}." for row in self.rows)

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


def membership_inference(
    predictions: Source, split: str = "split", *, member: Any = "train", confidence: float = 0.95
) -> Membership:
    """Whether the loss of a row tells if the model was trained on it: the threshold attack of Yeom et al. (2018).

    split: the column that says which rows were trained on, those of value `member`; all others were not.  The loss is
    the log loss where a model gives probabilities, the squared error in regression, else whether the row is wrong.
    The AUC is the chance that a row trained on has a lower loss than one that was not, with DeLong's interval (by
    cluster, where there is a cluster column).

    0.5 gives nothing away to this attack; stronger ones, that know how hard each row is, may still see more.  Rows of
    other kinds in the two splits (a later year, another site) look the same as memory does: compare like with like.
    Weights are not used: every row is somebody's.  SchemaError unless both kinds of rows are there.
    Sources: Yeom et al. (2018), IEEE CSF, 268-282; Carlini et al. (2022), IEEE S&P, 1897-1914; DeLong et al. (1988).
    """
    table = table_of(predictions)
    codes, values = table.group(split)
    if member not in values or len(values) < 2:
        raise SchemaError(
            f"column {split!r} must tell rows trained on ({member!r}) from others; its values are {values}. "
            f"Name the column with split=..., the value with member=..."
        )
    trained = codes == values.index(member)
    half = assign_buckets(table) % 2 == 0
    rows = tuple(_row(table, model, trained, half, confidence) for model in table.models)
    return Membership(rows, split, member, table.n, confidence, table.notes)


def _row(
    table: Predictions, model: str, trained: Array, half: Array, confidence: float
) -> MembershipRow:
    name, loss = _loss(table.rows(model))
    columns = {"cluster": table.columns["cluster"]} if "cluster" in table.columns else {}
    attack = Predictions.from_arrays(
        np.where(trained, "member", "other"), {"loss.score": -loss}, positive="member", **columns
    )
    area = evaluate(attack, "roc_auc", confidence=confidence).rows[0]
    held_out = _held_out(loss, trained, half, confidence)
    said = _reading(area.value, area.low, area.high)
    means = float(loss[trained].mean()), float(loss[~trained].mean())
    counts = int(trained.sum()), int((~trained).sum())
    best = float(_advantages(loss, trained)[1].max())
    return MembershipRow(
        model, name, area.value, area.low, area.high, best, *held_out, *counts, *means, said
    )  # fmt: skip


def _loss(rows: Rows) -> tuple[str, Array]:
    """Name and value (n,) of each row's loss; infinite ones are the largest finite number, to keep their order."""
    for kind, name in LOSSES:
        if rows.schema.offers(rows.model, kind):
            metric: Any = METRICS.parse(name)
            values = np.asarray(metric.bind(rows.schema).compute_rows(rows), np.float64)
            return name, np.nan_to_num(values[:, 0] if values.ndim == 2 else values)
    raise SchemaError(
        f"model {rows.model!r} gives scores only, which have no loss; give its probabilities or labels as well"
    )


def _advantages(loss: Array, trained: Array) -> tuple[Array, Array]:
    """Every threshold (m,), and the true less the false positive rate of saying "trained on" up to it."""
    order = np.argsort(loss, kind="stable")
    last = np.flatnonzero(np.append(np.diff(loss[order]) > 0, True))
    hit = trained[order]
    rates = [np.cumsum(of)[last] / max(int(of.sum()), 1) for of in (hit, ~hit)]
    return loss[order][last], rates[0] - rates[1]


def _held_out(loss: Array, trained: Array, half: Array, confidence: float) -> Estimate:
    """The advantage of each half of the rows by the threshold of the other, pooled; Newcombe's interval."""
    said = np.zeros(len(loss), bool)
    for own in (half, ~half):
        if not (trained[~own].any() and (~trained)[~own].any()):
            return Estimate(np.nan, np.nan, np.nan)
        thresholds, gained = _advantages(loss[~own], trained[~own])
        said[own] = loss[own] <= thresholds[np.argmax(gained)]
    rates = [_rate(said[of], confidence) for of in (trained, ~trained)]
    return mover_difference(rates[0], rates[1])


def _rate(said: Array, confidence: float) -> Estimate:
    low, high = wilson(np.array(float(said.sum())), np.array(float(len(said))), confidence)
    return Estimate(float(said.mean()), float(low), float(high))


def _reading(auc: float, low: float, high: float) -> str:
    if np.isnan(low) or low <= 0.5 <= high:
        return "gives nothing away that these rows show"
    if auc < 0.5:
        return "training rows have the higher losses: the splits hold other kinds of rows"
    return (
        f"gives away who was trained on: the training row has the lower loss in {auc:.0%} of pairs"
    )
