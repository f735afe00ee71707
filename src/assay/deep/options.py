"""Options of deep fusion and distillation, checked; the truth, and inputs divided among branches.

>>> divide_inputs(("image", "text"), {"text": 2, "image": 1})
[1, 2]
>>> divide_inputs(("image", "text"), 7)
[7, 7]
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from assay.core.arguments import check_whole
from assay.errors import NameLookupError, SchemaError, UnsupportedError, suggest
from assay.kernels import Array

__all__ = [
    "JOINS",
    "MOST",
    "DeepTask",
    "Design",
    "Features",
    "Join",
    "Target",
    "Training",
    "check_layer",
    "compute_moments",
    "divide_inputs",
    "find_pooled_axes",
    "make_target",
    "refuse_features",
    "require_data",
]

Join = Literal["concat", "gated", "attention"]
DeepTask = Literal["binary", "multiclass", "multilabel", "regression"]
Features = str | Callable[[Any, Any], Any]
MOST = 10.0  # deviations beyond which a feature counts as so many: a rare one must not blow up
JOINS: tuple[Join, ...] = ("concat", "gated", "attention")
TASKS: tuple[DeepTask, ...] = ("binary", "multiclass", "multilabel", "regression")


@dataclass(frozen=True)
class Target:
    """What a network gives.

    Parameters:
        task: binary, multiclass, multilabel or regression.
        size: Number of classes or labels; 1 in regression.
    """

    task: DeepTask
    size: int

    @property
    def metric(self) -> str:
        """The loss that is minimised, as `evaluate` names it."""
        return "mse" if self.task == "regression" else "log_loss"

    def read_truth(self, truth: Any, what: str) -> Array:
        """The truth of some rows as the loss takes it: codes (n,), 0/1 (n, labels), numbers (n,).

        Parameters:
            truth: The truth, an array or tensor.
            what: What the rows are for, for messages, as in "train".

        Raises:
            SchemaError: It has another shape, or classes that are not counted from 0 to size - 1.
        """
        if truth is None:
            raise SchemaError(f"{what} gives inputs without a truth; give ({what}_x, {what}_y)")
        values = np.asarray(truth.detach().cpu() if hasattr(truth, "detach") else truth)
        if self.task != "multilabel" and values.ndim == 2 and values.shape[1] == 1:
            values = values[:, 0]
        axes = 2 if self.task == "multilabel" else 1
        if values.ndim != axes or values.dtype.kind not in "iubf":
            raise SchemaError(
                f"the truth of {what} is of type {values.dtype} and shape {values.shape}; a "
                f"{self.task} task needs {self._describe_truth()}"
            )
        if not np.isfinite(values.astype(np.float64)).all():
            raise SchemaError(f"the truth of {what} is not finite in some rows; leave these out")
        if self.task == "regression":
            return np.asarray(values, np.float32)
        self._check_classes(values, what)
        return np.asarray(values, np.float32 if self.task == "multilabel" else np.int64)

    def _check_classes(self, values: Array, what: str) -> None:
        """Refuse classes that are no codes, and labels that are not `size` columns of 0 and 1."""
        if self.task == "multilabel":
            if values.shape[1] != self.size or not np.isin(values, (0, 1)).all():
                raise SchemaError(
                    f"the truth of {what} has {values.shape[1]} columns from {values.min()} to "
                    f"{values.max()}; n_classes={self.size} needs as many columns of 0 and 1"
                )
            return
        if values.size and (values != values.round()).any():
            raise SchemaError(
                f"the truth of {what} holds {values[values != values.round()][0]}; classes are "
                f"whole numbers from 0, numbers are task='regression'"
            )
        if values.size and (values.min() < 0 or values.max() >= self.size):
            wrong = values.min() if values.min() < 0 else values.max()
            raise SchemaError(
                f"the truth of {what} holds class {wrong:g}, and n_classes={self.size} knows 0 to "
                f"{self.size - 1}; count classes from 0"
                + (f", or give n_classes={wrong + 1:g}" if wrong > 0 else "")
            )

    def _describe_truth(self) -> str:
        if self.task == "multilabel":
            return f"0/1 of shape (n, {self.size})"
        if self.task == "regression":
            return "numbers of shape (n,)"
        return f"whole numbers 0 to {self.size - 1} of shape (n,)"


def make_target(n_classes: int | None, task: str | None) -> Target:
    """The target of a `task`, or of as many classes as `n_classes` says.

    Raises:
        UnsupportedError: They do not fit.

    >>> make_target(10, None)
    Target(task='multiclass', size=10)
    """
    if task not in (None, *TASKS):
        raise UnsupportedError(f"task must be one of {', '.join(TASKS)}; got {task!r}")
    if task == "regression" or n_classes is None:
        if task != "regression" or n_classes is not None:
            raise UnsupportedError(
                "give n_classes, the number of classes (or of labels, with task='multilabel'), or "
                "task='regression' without it"
            )
        return Target("regression", 1)
    check_whole("n_classes", n_classes, 1 if task == "multilabel" else 2)
    if task == "binary" and n_classes != 2:
        raise UnsupportedError(f"a binary task has n_classes=2; got {n_classes}")
    if task == "multilabel":
        return Target("multilabel", int(n_classes))
    return Target("binary" if n_classes == 2 else "multiclass", int(n_classes))


@dataclass(frozen=True)
class Design:
    """How branches are joined.

    Parameters:
        target: What the fused network gives.
        join: concat, gated or attention.
        features: Where each branch's features are; the output of branches that are not named.
        frozen: Names of the branches whose weights stay.
        width: Numbers to which each branch's features are projected, 1 or more.
        dropout: Share of the joined numbers that is dropped in training, 0 to below 1.
        aux_loss: Weight of each branch's own loss in the gradient of what lies below its own head.
        modality_dropout: Probability that a row is trained on without a branch, 0 to below 1.
    """

    target: Target
    join: Join
    features: Mapping[str, Features]
    frozen: frozenset[str]
    width: int
    dropout: float
    aux_loss: float
    modality_dropout: float

    def __post_init__(self) -> None:
        if self.join not in JOINS:
            raise UnsupportedError(f"join must be one of {', '.join(JOINS)}; got {self.join!r}")
        check_whole("width", self.width, 1)
        for name in ("dropout", "modality_dropout"):
            _check_part(name, getattr(self, name))
        if not 0 <= self.aux_loss < np.inf:
            raise UnsupportedError(f"aux_loss must be a number of 0 or more; got {self.aux_loss!r}")


@dataclass(frozen=True)
class Training:
    """How long, and how, is trained.

    Parameters:
        epochs: Most epochs, 1 or more.
        patience: Epochs without a lower validation loss after which training stops, 1 or more.
        batch_size: Rows a step, 1 or more.
        learning_rate: Step size of AdamW, above 0.
        weight_decay: Weight decay of AdamW, 0 or more.
        seed: Seed of initial weights, of the order of rows, and of what is dropped.
    """

    epochs: int
    patience: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    seed: int

    def __post_init__(self) -> None:
        for name in ("epochs", "patience", "batch_size"):
            check_whole(name, getattr(self, name), 1)
        check_whole("seed", self.seed, 0)
        if not 0 < self.learning_rate < np.inf:
            raise UnsupportedError(f"learning_rate must be above 0; got {self.learning_rate!r}")
        if not 0 <= self.weight_decay < np.inf:
            raise UnsupportedError(f"weight_decay must be 0 or more; got {self.weight_decay!r}")

    def refuse_loss(self, value: float, epoch: int, what: str) -> None:
        """Raise UnsupportedError where the loss of `what` is no finite `value` at an `epoch`."""
        if not np.isfinite(value):
            raise UnsupportedError(
                f"the {what} loss is {value} at epoch {epoch}; look for inputs that are not "
                f"finite, or lower learning_rate (it is {self.learning_rate:g})"
            )


def _check_part(name: str, value: float) -> None:
    """Refuse a `value` of the option `name` that is no share from 0 to below 1."""
    if not 0 <= value < 1:
        raise UnsupportedError(f"{name} must be from 0 to below 1; got {value!r}")


def divide_inputs(names: Sequence[str], inputs: Any) -> list[Any]:
    """The inputs of each branch: one each, by name or in their order, or the same for all.

    Parameters:
        names: Names of the branches.
        inputs: A dictionary by these names, a tuple or list of one for each; anything else is given
            to every branch as it is.
    """
    if isinstance(inputs, Mapping) and set(inputs) == set(names):
        return [inputs[name] for name in names]
    if isinstance(inputs, Mapping) and set(inputs) & set(names):
        listed = ", ".join(map(repr, inputs))
        raise SchemaError(
            f"the inputs are named {listed}, and the branches {', '.join(map(repr, names))}; name "
            "one input for each branch"
        )
    if isinstance(inputs, tuple | list) and len(inputs) == len(names):
        return list(inputs)
    if isinstance(inputs, tuple | list) and len(inputs) == 1:
        return divide_inputs(names, inputs[0])
    return [inputs] * len(names)


def check_layer(branch: str, layer: str, known: Sequence[str]) -> None:
    """Raise NameLookupError unless a `layer` is among the `known` ones of a `branch`."""
    if layer not in known:
        near = suggest(layer, known, 3)
        hint = f"Did you mean {' or '.join(near)}?" if near else f"It has {', '.join(known[:12])}"
        raise NameLookupError(f"branch {branch!r} has no layer {layer!r}. {hint}")


def refuse_features(branch: str, features: Array) -> None:
    """Raise SchemaError where `features` (n, d) of a `branch` are not finite."""
    if not np.isfinite(features).all():
        raise SchemaError(
            f"features of branch {branch!r} are not finite in some rows; look for such inputs, or "
            "for weights that are nan"
        )


def compute_moments(features: Array, is_frozen: bool) -> tuple[Array, Array]:
    """Mean and deviation (d,) by which `features` (n, d) are standardised.

    Each feature has its own deviation where the branch `is_frozen`; else all have the branch's, for
    those of single features change as it is trained.
    """
    mean = features.mean(axis=0, dtype=np.float64)
    scale = features.std(axis=0, dtype=np.float64)
    if not is_frozen:
        scale = np.full_like(scale, np.sqrt(np.mean(scale**2)))
    return mean.astype(np.float32), np.where(scale > 0, scale, 1.0).astype(np.float32)


def find_pooled_axes(branch: str, shape: Sequence[int | None], channels_last: bool) -> list[int]:
    """The axes over which features of a `shape` are averaged, so that one row is left a row.

    Maps (4 axes or more) are averaged over their places (before the channels if `channels_last`),
    sequences (3 axes) over their positions.

    Raises:
        SchemaError: The features of the `branch` are no (n, width), sequence or map.

    >>> find_pooled_axes("a", (8, 64, 7, 7), channels_last=False)
    [2, 3]
    """
    if len(shape) < 2:
        raise SchemaError(
            f"branch {branch!r} gives features of shape {tuple(shape)}; expected (n, width), a "
            "sequence (n, positions, width) or maps; name another layer by features="
        )
    if len(shape) == 3 or channels_last:
        return list(range(1, len(shape) - 1))
    return list(range(2, len(shape)))


def require_data(train: Any, val: Any) -> None:
    """Raise UnsupportedError unless there are rows to train and to validate on: `train`, `val`."""
    for name, data in (("train", train), ("val", val)):
        if data is None:
            raise UnsupportedError(
                f"{name} is missing: epochs are chosen, and branches judged, on validation rows "
                "that training has not seen; give train=(X, y) and val=(X_val, y_val)"
            )
