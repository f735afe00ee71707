"""ONNX Runtime: sessions of models of any framework, by the names and types of their outputs.

>>> ONNX().name, ONNX().modules
('onnx', ('onnxruntime',))
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.adapters.base import Adapter, Answers, count_rows, find_several, slice_rows
from assay.adapters.extents import Extent, choose_kind
from assay.errors import UnsupportedError
from assay.kernels import Array
from assay.table.labels import Label
from assay.table.schema import Kind, Task

__all__ = ["ONNX"]

TYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
    "tensor(string)": np.object_,
}


@dataclass(frozen=True)
class ONNX(Adapter):
    """Sessions of ONNX Runtime: labels, and probabilities or scores beside them.

    Arrays are cast to the type of the input; several inputs are a dictionary by name. Probabilities
    that are a dictionary for each row (ZipMap of skl2onnx) name their classes, others do not.
    """

    name = "onnx"
    extra = "onnx"
    modules = ("onnxruntime",)
    batch_size = 1024

    def accepts(self, model: Any) -> bool:
        """Whether `model` is an InferenceSession."""
        import onnxruntime

        return isinstance(model, onnxruntime.InferenceSession)

    def task(self, model: Any, y: Any) -> Task | None:
        """As the columns of `y` say where it has several.

        Else regression where `model` has no labels and `y` is of floating-point numbers other than
        0 and 1.
        """
        truth = np.asarray(y)
        several = find_several(truth)
        if several is not None:
            return several
        labelled = any(_holds_labels(output) for output in model.get_outputs())
        if truth.dtype.kind == "f" and not labelled and not np.isin(truth, (0, 1)).all():
            return "regression"
        return None

    def count_rows(self, inputs: Any) -> int:
        """Number of rows of the `inputs` of a batch: an array, or several by name."""
        return count_rows(next(iter(inputs.values())) if isinstance(inputs, Mapping) else inputs)

    def slice_rows(self, inputs: Any, start: int, stop: int) -> Any:
        """Rows from `start` to before `stop` of the `inputs` of a batch."""
        if isinstance(inputs, Mapping):
            return {name: slice_rows(values, start, stop) for name, values in inputs.items()}
        return slice_rows(inputs, start, stop)

    def batches(self, data: Any, size: int | None) -> Any:
        """Slices of `size` rows of `data`: an array, or several by name."""
        if not isinstance(data, Mapping):
            yield from super().batches(data, size)
            return
        n = self.count_rows(data)
        for start in range(0, n, size or max(n, 1)):
            yield self.slice_rows(data, start, start + (size or n)), None

    def count_data(self, data: Any) -> int | None:
        """Number of rows of `data`: an array, or several by name."""
        return self.count_rows(data) if isinstance(data, Mapping) else super().count_data(data)

    def predict(
        self, model: Any, inputs: Any, *, device: str | None = None
    ) -> Mapping[Kind, Array]:
        """What `model` gives for `inputs`; see `answer`. `device` is that of the session."""
        return self.answer(model, inputs, None).outputs

    def answer(
        self, model: Any, inputs: Any, truth: Any | None, *, device: str | None = None
    ) -> Answers:
        """The label and the numbers that `model` gives for a batch of `inputs`, and its `truth`.

        `device` is not used: a session runs where its providers say.
        """
        feeds = _make_feeds(model, inputs)
        outputs: dict[Kind, Array] = {}
        classes: tuple[Label, ...] | None = None
        for output, values in zip(model.get_outputs(), _run(model, feeds), strict=True):
            if isinstance(values, list):
                classes = tuple(values[0]) if values else None
                outputs["proba"] = np.array([list(row.values()) for row in values])
                continue
            if _holds_labels(output):
                outputs.setdefault("label", np.asarray(values).reshape(len(values), -1)[:, 0])
            elif "logit" not in outputs:
                outputs["logit"] = np.asarray(values)
        return Answers(outputs, truth, classes=classes)

    def settle(
        self,
        model: Any,
        extents: Mapping[Kind, Extent],
        task: Task | None,
        kind: Kind | None,
    ) -> Mapping[Kind, Kind]:
        """The numbers of `model` by their `extents` and the `task`, or as the declared `kind`."""
        kinds = {given: given for given in extents}
        if "logit" in extents:
            shown = choose_kind(extents["logit"], task, model_name="session", ends_in=kind)
            kinds["logit"] = kind or shown
        return kinds


def _holds_labels(output: Any) -> bool:
    return bool(output.type in ("tensor(int64)", "tensor(string)") and len(output.shape) <= 2)


def _make_feeds(session: Any, inputs: Any) -> dict[str, Array]:
    """The inputs of a session by name, in the types that it wants."""
    wanted = session.get_inputs()
    if not isinstance(inputs, Mapping):
        if len(wanted) > 1:
            names = ", ".join(repr(each.name) for each in wanted)
            raise UnsupportedError(
                f"the session has several inputs ({names}); give the data as a dictionary of "
                f"arrays by these names"
            )
        inputs = {wanted[0].name: inputs}
    missing = [each.name for each in wanted if each.name not in inputs]
    if missing:
        raise UnsupportedError(
            f"the session wants the input {missing[0]!r}; the data have {', '.join(inputs)}"
        )
    feeds = {}
    for each in wanted:
        values = inputs[each.name]
        array = values.to_numpy() if hasattr(values, "to_numpy") else np.asarray(values)
        feeds[each.name] = array.astype(TYPES.get(each.type, array.dtype), copy=False)
    return feeds


def _run(session: Any, feeds: Mapping[str, Array]) -> list[Any]:
    """All outputs of a session; one of a fixed number of rows is run so many rows at a time."""
    fixed = session.get_inputs()[0].shape[:1]
    n = len(next(iter(feeds.values())))
    if not fixed or not isinstance(fixed[0], int) or fixed[0] == n:
        return list(session.run(None, dict(feeds)))
    size = fixed[0]
    parts = []
    for start in range(0, n, size):
        piece = {name: values[start : start + size] for name, values in feeds.items()}
        rows = len(next(iter(piece.values())))
        # The last piece is filled up with its own last row, which is then left out.
        places = np.minimum(np.arange(size), rows - 1)
        outputs = session.run(None, {name: values[places] for name, values in piece.items()})
        parts.append([values[:rows] for values in outputs])
    joined = []
    for values in zip(*parts, strict=True):
        first = values[0]
        joined.append(
            [row for part in values for row in part]
            if isinstance(first, list)
            else np.concatenate(values)
        )
    return joined
