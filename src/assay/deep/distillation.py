"""The result of distillation: the student, against the pool and against hard labels alone.

>>> Rival("hard labels alone", 0.5, -0.1, -0.2, -0.05).answer
'better'
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

from assay.core.result import Result
from assay.core.text import TextTable, format_number
from assay.readers.history import History
from assay.table.predictions import Predictions

__all__ = ["Distillation", "Rival"]


class Rival(NamedTuple):
    """What the student is compared with, on validation rows.

    Parameters:
        name: "hard labels alone" or "pool".
        loss: Its loss.
        difference: Loss of the student less that.
        low: Lower end of the 95 % interval of the difference.
        high: Upper end.
    """

    name: str
    loss: float
    difference: float
    low: float
    high: float

    @property
    def answer(self) -> str:
        """better, worse, or not surely different: the student, compared with this."""
        if self.high < 0:
            return "better"
        return "worse" if self.low > 0 else "not surely different"


@dataclass(frozen=True, repr=False, eq=False)
class Distillation(Result):
    """A student that has learnt what a pool says, and how good it is.

    Parameters:
        module: The student: a copy of what was given, trained.
        metric: The loss on true labels, as `evaluate` names it.
        loss: Loss of the student on validation rows.
        rivals: What it is compared with.
        temperature: What logits were divided by.
        hard: Weight of the true labels in training.
        best_epoch: The epoch whose weights the student has, counted from 1.
        history: Training and validation loss of each epoch, for `diagnose`.
        predictions: Validation rows with "student", "hard labels alone" and, where what it says of
            them is known, "pool".
        notes: What a reader must know beside the numbers.
    """

    schema_name: ClassVar[str] = "assay.distillation/1"
    json_keys: ClassVar[tuple[str, ...]] = (
        "metric", "loss", "temperature", "hard", "best_epoch", "epochs", "n", "notes", "rows",
    )  # fmt: skip

    module: Any = field(repr=False)
    metric: str
    loss: float
    rivals: tuple[Rival, ...]
    temperature: float
    hard: float
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
    def verdict(self) -> str:
        """The loss of the student, and whether it is better than each rival."""
        parts = [
            f"{one.answer} {'from' if one.answer.startswith('not') else 'than'} {one.name} "
            f"({format_number(one.loss)}; difference {one.difference:+.4g}, 95% interval "
            f"{one.low:+.4g} to {one.high:+.4g})"
            for one in self.rivals
        ]
        return (
            f"The student has validation {self.metric} {format_number(self.loss)}: "
            f"{'; '.join(parts)}."
        )

    @property
    def rows(self) -> tuple[dict[str, Any], ...]:
        """One tidy row a rival."""
        return tuple({**one._asdict(), "answer": one.answer} for one in self.rivals)

    @property
    def details(self) -> Sequence[str]:
        """How it was trained."""
        return [
            f"temperature {self.temperature:g}, hard labels weigh {self.hard:g}; epoch "
            f"{self.best_epoch} of {self.epochs} kept; {self.n} validation rows."
        ]

    @property
    def tables(self) -> list[TextTable]:
        """Losses of the student and its rivals."""
        rows = [["student", format_number(self.loss), "", ""]]
        rows += [
            [one.name, format_number(one.loss), f"{one.difference:+.4g}", one.answer]
            for one in self.rivals
        ]
        header = ["model", self.metric, "student less it", "the student is"]
        return [TextTable(header, rows)]
