"""Batch reader: what a training loop gives for a batch, as columns; and columns, as a table.

Kind, task and classes are declared, or settled by shape and type of the first batch, never by
its values: another cut of the rows into batches must not change what they mean.

>>> reader = BatchReader(classes=("cat", "dog")).settle(["dog", "cat"], ["dog", "dog"])
>>> columns, ignored = reader.read(["dog", "cat"], ["dog", "dog"])
>>> reader.make_table(columns).classes
('cat', 'dog')
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from assay.adapters.tensors import is_on_accelerator, read_on_host, read_tensor
from assay.errors import SchemaError, UnsupportedError
from assay.kernels import Array
from assay.table.conversions import make_conversions
from assay.table.labels import Label
from assay.table.outputs import RawOutputs, add_column
from assay.table.predictions import Predictions, assemble
from assay.table.schema import KINDS, TASKS, WRITTEN, Kind, Task

__all__ = ["BatchReader"]

# How far from 1 probabilities may sum in any case; the whole column says what rounding explains.
FAR_FROM_1 = 0.1
KINDS_OF_NUMBERS = "kind='proba', kind='score' or kind='value'"


@dataclass(frozen=True)
class BatchReader:
    """What the caller declares of the batches; see `Meter`."""

    name: str = "model"
    kind: Kind | None = None
    task: Task | None = None
    classes: tuple[Label, ...] | None = None
    class_names: tuple[str, ...] | None = None
    positive: Label | None = None
    ignore_label: Label | None = None

    def __post_init__(self) -> None:
        if self.kind is not None and self.kind not in KINDS:
            raise UnsupportedError(f"kind must be one of {', '.join(KINDS)}; got {self.kind!r}")
        if self.task is not None and self.task not in TASKS:
            raise UnsupportedError(f"task must be one of {', '.join(TASKS)}; got {self.task!r}")
        make_conversions(class_names=self.class_names, classes=self.classes)

    def settle(self, outputs: Any, target: Any) -> "BatchReader":
        """The reader with kind, task and classes.

        They are read off type and shape of the `outputs` and the `target` of the first batch.
        """
        outputs, target = read_tensor(outputs), read_tensor(target)
        kind = self.kind or self._find_kind(outputs)
        of_tokens = outputs.ndim == target.ndim + 1
        task = self.task or self._find_task(kind, target, of_tokens)
        if task not in (None, "binary", "multiclass"):
            return replace(self, kind=kind, task=task)
        classes = self.classes
        if classes is None and self.class_names is None:
            classes = _number_classes(kind, outputs)
        names = classes or self.class_names or ()
        found: Task = "binary" if len(names) == 2 else "multiclass"
        return replace(self, kind=kind, task=task or found, classes=classes)

    def read(self, outputs: Any, target: Any, weight: Any = None) -> tuple[dict[str, Any], int]:
        """The columns `outputs`, `target` and `weight` of a batch, and how many rows are left out.

        They are checked here on the host; those on an accelerator stay there, all of them, and are
        left out and checked when they are read: to count them would be to wait for it.
        """
        columns = {"outputs": read_tensor(outputs), "target": read_tensor(target)}
        if weight is not None:
            columns["weight"] = read_tensor(weight)
        columns = self._align(columns)
        if self.ignore_label is not None and columns["target"].ndim > 1:
            raise UnsupportedError(
                f"ignore_label={self.ignore_label!r} goes with one label a row; the target has "
                f"shape {tuple(columns['target'].shape)}. Leave ignore_label out"
            )
        if any(map(is_on_accelerator, columns.values())):
            return columns, 0
        columns, ignored = self.leave_out(columns)
        if len(columns["target"]) and not self._is_in_order(**columns):
            self.make_table(columns)
        return columns, ignored

    def leave_out(self, columns: dict[str, Array]) -> tuple[dict[str, Array], int]:
        """The `columns` without the rows to be ignored, and how many those are."""
        if self.ignore_label is None:
            return columns, 0
        keep = columns["target"] != self.ignore_label
        kept = {name: values[keep] for name, values in columns.items()}
        return kept, len(keep) - len(kept["target"])

    def make_table(self, columns: dict[str, Any]) -> Predictions:
        """The `columns` as a table, fully checked; SchemaError names the first offending row."""
        host = {name: read_on_host(values) for name, values in columns.items()}
        outputs: dict[str, RawOutputs] = {}
        add_column(outputs, self.name, self.kind, None, host["outputs"])
        return assemble(
            host["target"],
            outputs,
            {},
            classes=self.classes,
            task=self.task,
            positive=self.positive,
            weight=host.get("weight"),
            conversions=make_conversions(class_names=self.class_names, classes=self.classes),
        )

    def _find_kind(self, outputs: Any) -> Kind:
        if self.task in WRITTEN:
            return "text"
        if self.task in ("regression", "multioutput"):
            return "value"
        if not _is_fractional(outputs):
            return "label"
        raise UnsupportedError(
            f"outputs are {_describe(outputs)}, which may be logits, probabilities, scores or "
            f"numbers; say which: Meter(..., kind='logit'), {KINDS_OF_NUMBERS}"
        )

    def _find_task(self, kind: Kind, target: Any, of_tokens: bool) -> Task | None:
        """The task; None where there is one class a row, of two or of several."""
        if kind in ("value", "interval"):
            return "regression"
        if kind == "text":
            return "text"
        if target.ndim == 2 and target.shape[1] > 1 and not of_tokens:
            raise UnsupportedError(
                f"the target has shape {tuple(target.shape)}; say task='multilabel' if each column "
                "is a label that stands alone, task='multiclass' if each row holds a single 1, and "
                "give labels of tokens as (n,)"
            )
        return None

    def _align(self, columns: dict[str, Any]) -> dict[str, Any]:
        """Columns with one row each: of a class a token, or a column of its own, flattened."""
        outputs, target = columns["outputs"], columns["target"]
        if outputs.ndim == 0 or target.ndim == 0:
            raise SchemaError(
                f"outputs are {_describe(outputs)} and the target is {_describe(target)}; give one "
                "row a row of the batch, also where it has a single one: (1, k) and (1,)"
            )
        if target.ndim > 1 and outputs.shape[:-1] == target.shape:
            columns = {name: values.reshape(-1) for name, values in columns.items()}
            columns["outputs"] = outputs.reshape(-1, outputs.shape[-1])
        elif target.ndim == 2 and target.shape[1] == 1:
            columns = {**columns, "target": target.reshape(-1)}
        sizes = {len(values) for values in columns.values()}
        if len(sizes) > 1 or max(values.ndim for values in columns.values()) > 2:
            shapes = ", ".join(f"{name} {tuple(v.shape)}" for name, v in columns.items())
            raise SchemaError(
                f"a batch has {shapes}; give one row of outputs, of k columns at the end, for each "
                "target: (n, k) and (n,), or (n, length, k) and (n, length). Label maps of images "
                "go into assay.count_pixels(y, models), which keeps pixels of an image together"
            )
        return columns

    @cached_property
    def _numbers_classes(self) -> int:
        """How many classes there are, where they are the numbers 0, 1, ... in order; else 0."""
        names = range(len(self.class_names)) if self.classes is None and self.class_names else ()
        classes = self.classes or tuple(names)
        plain = all(type(label) is int for label in classes)
        return len(classes) if plain and classes == tuple(range(len(classes))) else 0

    def _is_in_order(self, outputs: Array, target: Array, weight: Array | None = None) -> bool:
        """Whether a batch is seen at a glance to be in order; if not, `make_table` will say."""
        k = self._numbers_classes
        if weight is not None or not k or target.ndim != 1 or target.dtype.kind not in "iu":
            return False
        if target.min() < 0 or target.max() >= k:
            return False
        if self.kind == "label":
            whole = outputs.ndim == 1 and outputs.dtype.kind in "iu"
            return whole and bool(outputs.min() >= 0 and outputs.max() < k)
        if outputs.shape[1:] != (k,) or outputs.dtype.kind != "f":
            return False
        if self.kind == "logit":
            return bool(np.isfinite(outputs).all())
        if self.kind == "proba":
            sums = outputs.sum(axis=1, dtype=np.float64)
            bounded = outputs.min() >= 0 and outputs.max() <= 1
            return bool(bounded and np.abs(sums - 1).max() < FAR_FROM_1)
        return False


def _is_fractional(outputs: Any) -> bool:
    """Whether outputs are floating-point numbers, of which a label is none."""
    return getattr(outputs.dtype, "kind", "") == "f" or "float" in str(outputs.dtype)


def _number_classes(kind: Kind, outputs: Any) -> tuple[Label, ...]:
    """The classes 0, 1, ... of the columns of outputs."""
    if kind == "label":
        raise UnsupportedError(
            "labels alone do not show which classes there are, and a batch may lack some; name "
            "them, as in Meter(..., classes=['cat', 'dog']) or classes=range(10)"
        )
    columns = outputs.shape[-1] if outputs.ndim > 1 else 1
    return tuple(range(max(columns, 2)))


def _describe(values: Any) -> str:
    return f"{values.dtype} of shape {tuple(values.shape)}"
