"""Schema: the task, the classes in their order, and the kinds of output that each model gives.

>>> Schema("binary", ("cat", "dog"), {"a": ("proba",)}, positive="dog").offers("a", "label")
True
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from assay.table.labels import Label

__all__ = [
    "BY_PART",
    "DENSE",
    "ENDS",
    "KINDS",
    "SPECIAL",
    "TASKS",
    "WRITTEN",
    "Kind",
    "Schema",
    "Task",
    "parse_column",
]

Task: TypeAlias = Literal[
    "binary", "multiclass", "multilabel", "regression", "multioutput", "text", "detection"
]  # fmt: skip
Kind: TypeAlias = Literal["label", "proba", "logit", "score", "value", "interval", "text"]
KINDS: tuple[Kind, ...] = get_args(Kind)
SPECIAL = ("id", "weight", "fold", "split", "cluster")

TASKS: tuple[Task, ...] = get_args(Task)
# Tasks whose truth and predictions are texts: what is written out, and boxes as JSON.
WRITTEN: tuple[Task, ...] = ("text", "detection")
DENSE = 1024  # classes up to which tables of pairs of them are kept whole
# Kinds that may have a column for each class, and for each end of an interval.
BY_PART: tuple[Kind, ...] = ("proba", "logit", "score", "label", "interval", "value")
ENDS = ("low", "high")

# What each reading of a model can be made from, best source first.
SOURCES: Mapping[str, tuple[Kind, ...]] = {
    "label": ("label", "proba", "logit"),
    "proba": ("proba", "logit"),
    "score": ("score", "logit", "proba"),
    "value": ("value",),
    "interval": ("interval",),
    "text": ("text",),
}
SUFFICIENT = {reads: frozenset(kinds) for reads, kinds in SOURCES.items()}


@dataclass(frozen=True)
class Schema:
    """What the table holds: task, classes in their declared order, and the kinds each model gives.

    `classes` are the labels of a multi-label task too, the outputs of a multi-output one, the
    categories of boxes in detection, and empty for regression and text.
    `positive` is the positive class of a binary task: the declared one, or else the last of the two
    in sorted order (`positive_declared` tells which). Without a truth (`has_truth`) the models have
    scores of the rows themselves, values or labels 1 for right and 0 for wrong, and the truth of
    the table is 0 or 1 throughout. Graded, the truth of a multi-label table holds how relevant each
    label is, 0 or more, which only metrics of ranked lists read.
    """

    task: Task
    classes: tuple[Label, ...]
    models: Mapping[str, tuple[Kind, ...]]
    positive: Label | None = None
    positive_declared: bool = False
    has_truth: bool = True
    graded: bool = False

    @property
    def k(self) -> int:
        """Number of classes, of labels in a multi-label task, of outputs in a multi-output one."""
        return len(self.classes)

    @property
    def positive_code(self) -> int:
        """Position of the positive class in `classes` (binary tasks)."""
        return self.classes.index(self.positive)

    def offers(self, model: str, reads: str) -> bool:
        """Whether `model` gives what a metric `reads`.

        Label, proba, score, value, interval or text.
        """
        kinds = self.models[model]
        if reads == "score" and self.task == "multiclass":
            return "proba" in kinds or "logit" in kinds
        return not SUFFICIENT[reads].isdisjoint(kinds)

    def __post_init__(self) -> None:
        if self.task == "binary" and self.positive is None:
            object.__setattr__(self, "positive", max(self.classes))


def parse_column(name: str, task: Task | None = None) -> tuple[str, Kind | None, str | None]:
    """Model, kind and class (or end of an interval) that the `name` of a column declares.

    Where that could be two kinds, the first counts. A name that ends in .text declares a kind where
    the `task` is text or detection alone: elsewhere such columns hold texts that models have read.

    >>> parse_column("bert.large.proba.cat"), parse_column("svm.score"), parse_column("svm")
    (('bert.large', 'proba', 'cat'), ('svm', 'score', None), ('svm', None, None))
    """
    matches = [(name.find(f".{kind}."), kind) for kind in BY_PART if f".{kind}." in name]
    if matches:
        at, by_part = min(matches)
        return name[:at], by_part, name[at + len(by_part) + 2 :]
    model, dot, kind_text = name.rpartition(".")
    if dot and kind_text in KINDS and (kind_text != "text" or task in WRITTEN):
        return model, kind_text, None
    return name, None, None
