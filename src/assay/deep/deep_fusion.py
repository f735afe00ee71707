"""The result of training a fused network: the fused loss, and what each branch adds to it.

>>> Branch("a", 8, True, 0.5, 0.1, 0.05, 0.15, 0.7, 0.3, 0.2, 0.4).use
'used'
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

from assay.core.result import Result
from assay.core.text import TextTable, format_number
from assay.deep.options import Join
from assay.readers.history import History
from assay.table.predictions import Predictions

__all__ = ["Branch", "DeepFusion"]


class Branch(NamedTuple):
    """What one branch adds, on validation rows.

    Parameters:
        branch: Its name.
        width: Numbers that its features are.
        frozen: Whether its weights stayed.
        alone: Loss of its own auxiliary head.
        gain: `alone` less the fused loss: what fusing gains over this branch.
        gain_low: Lower end of the 95 % interval of the gain.
        gain_high: Upper end.
        dropped: Loss of the fused network without this branch: its features at their mean.
        rise: `dropped` less the fused loss: what the fused network loses without it.
        rise_low: Lower end of the 95 % interval of the rise.
        rise_high: Upper end.
    """

    branch: str
    width: int
    frozen: bool
    alone: float
    gain: float
    gain_low: float
    gain_high: float
    dropped: float
    rise: float
    rise_low: float
    rise_high: float

    @property
    def use(self) -> str:
        """used, ignored (the loss does not rise without it, beyond noise), or harmful."""
        if self.rise_low > 0:
            return "used"
        return "harmful" if self.rise_high < 0 else "ignored"


@dataclass(frozen=True, repr=False, eq=False)
class DeepFusion(Result):
    """What training a fused network gave, on validation rows.

    Parameters:
        join: How the branches are joined: concat, gated or attention.
        metric: The loss, as `evaluate` names it: log_loss, or mse in regression.
        loss: Loss of the fused network.
        branches: What each branch adds.
        best_epoch: The epoch whose weights the network has, counted from 1.
        history: Training and validation loss of each epoch, for `diagnose`.
        predictions: Validation rows with the models "fused", "<branch> alone" and
            "without <branch>".
        notes: What a reader must know beside the numbers.
    """

    schema_name: ClassVar[str] = "assay.deep_fusion/1"
    json_keys: ClassVar[tuple[str, ...]] = (
        "join", "metric", "loss", "best", "ignored_branches", "best_epoch", "epochs", "n", "notes",
        "rows",
    )  # fmt: skip

    join: Join
    metric: str
    loss: float
    branches: tuple[Branch, ...]
    best_epoch: int
    history: History
    predictions: Predictions = field(repr=False)
    notes: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """Number of validation rows."""
        return self.predictions.n

    @property
    def epochs(self) -> int:
        """How many epochs were trained."""
        return len(self.history.epochs)

    @property
    def best(self) -> str:
        """The branch whose own head has the least loss."""
        return min(self.branches, key=lambda one: one.alone).branch

    @property
    def ignored_branches(self) -> tuple[str, ...]:
        """Branches without which the fused loss does not rise beyond the noise of the rows."""
        return tuple(one.branch for one in self.branches if one.use != "used")

    @property
    def verdict(self) -> str:
        """The fused loss against that of the best branch alone, and whether a branch is ignored."""
        best = next(one for one in self.branches if one.branch == self.best)
        evidence = (
            f"validation {self.metric} {format_number(self.loss)} against "
            f"{format_number(best.alone)} of {best.branch!r} alone (gain {best.gain:+.4g}, 95% "
            f"interval {best.gain_low:+.4g} to {best.gain_high:+.4g})"
        )
        if best.gain_low > 0:
            return f"Fused is better than any branch: {evidence}."
        if best.gain_high < 0:
            return f"Fused is worse than {best.branch!r} alone, keep that: {evidence}."
        return f"Fused is not surely better than {best.branch!r} alone: {evidence}."

    @property
    def rows(self) -> tuple[dict[str, Any], ...]:
        """One tidy row a branch."""
        return tuple({**one._asdict(), "use": one.use} for one in self.branches)

    @property
    def details(self) -> Sequence[str]:
        """How many epochs were trained; which branches are ignored, and what helps."""
        idle = [repr(one.branch) for one in self.branches if one.use == "ignored"]
        harmful = [repr(one.branch) for one in self.branches if one.use == "harmful"]
        lines = [
            f"{self.join} of {len(self.branches)} branches; epoch {self.best_epoch} of "
            f"{self.epochs} kept; {self.n} validation rows."
        ]
        if idle:
            lines.append(
                f"{' and '.join(idle)}: ignored, as far as {self.n} rows can tell: without it the "
                "loss does not rise. Raise aux_loss or modality_dropout, name a layer that says "
                "more (features=), or leave the branch out."
            )
        if harmful:
            lines.append(f"{' and '.join(harmful)}: the loss falls without it; leave it out.")
        return lines

    @property
    def tables(self) -> list[TextTable]:
        """Losses of each branch alone and of the fused network without it."""
        rows = [
            [
                one.branch,
                str(one.width),
                "frozen" if one.frozen else "trained",
                format_number(one.alone),
                format_number(one.dropped),
                f"{one.rise:+.4g} [{one.rise_low:+.4g}, {one.rise_high:+.4g}]",
                one.use,
            ]
            for one in self.branches
        ]
        header = ["branch", "features", "weights", "alone", "without it", "rise", "use"]
        return [TextTable(header, rows)]
