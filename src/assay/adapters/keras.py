"""Keras 3: models on any backend, on arrays, tf.data and other data sets.

What a model gives is told by the activation of its last layer: logits stay logits.

>>> Keras().name, Keras().modules
('keras', ('keras',))
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.adapters.base import Adapter, count_rows, find_several, gives_batches, slice_rows
from assay.adapters.extents import Extent, choose_kind
from assay.errors import UnsupportedError
from assay.kernels import Array
from assay.table.schema import Kind, Task

__all__ = ["Keras"]

ENDS: Mapping[str, Kind] = {"softmax": "proba", "sigmoid": "proba", "linear": "logit"}


@dataclass(frozen=True)
class Keras(Adapter):
    """Models of Keras 3 on any backend, on arrays, tf.data, PyDataset and DataLoader.

    Several inputs are a list or a dictionary. Batches of a data set are inputs, or (inputs, truth)
    or (inputs, truth, weights), of which the weights are not read.
    """

    name = "keras"
    extra = "keras"
    modules = ("keras",)
    rank = 20
    batch_size = 1024

    def accepts(self, model: Any) -> bool:
        """Whether `model` is a keras.Model."""
        import keras

        return isinstance(model, keras.Model)

    def task(self, model: Any, y: Any) -> Task | None:
        """Several columns of a truth `y` are numbers, or labels unless `model` ends in softmax.

        Floating-point numbers are a regression unless all of them are 0 or 1.
        """
        truth = np.asarray(y)
        several = find_several(truth)
        if several is not None:
            one_hot = several == "multilabel" and _find_activation(model) == "softmax"
            return "multiclass" if one_hot else several
        if truth.dtype.kind == "f" and not np.isin(truth, (0, 1)).all():
            return "regression"
        return None

    def batches(self, data: Any, size: int | None) -> Iterator[tuple[Any, Any | None]]:
        """Inputs and truth of each batch of a data set; slices of arrays.

        Parameters:
            data: Arrays, a list or dictionary of them, a tf.data.Dataset, a PyDataset, or anything
                that gives batches.
            size: Rows a batch; of no effect where the data come in batches.
        """
        if hasattr(data, "element_spec"):
            yield from map(_split_batch, _require_batches(data, size))
            return
        if _gives_batches(data):
            # A PyDataset is indexed, and would go on for ever if it were iterated over.
            indexed = hasattr(data, "__getitem__") and not hasattr(data, "dataset")
            batches = (data[i] for i in range(len(data))) if indexed else data
            yield from map(_split_batch, batches)
            return
        n = self.count_rows(data)
        for start in range(0, n, size or max(n, 1)):
            yield self.slice_rows(_convert_to_arrays(data), start, start + (size or n)), None

    def count_data(self, data: Any) -> int | None:
        """Number of rows of `data`, arrays; None for what comes in batches."""
        if hasattr(data, "element_spec") or _gives_batches(data):
            return None
        return self.count_rows(data)

    def count_rows(self, inputs: Any) -> int:
        """Number of rows of the `inputs` of a batch: an array, several, or named ones."""
        if isinstance(inputs, Mapping):
            return count_rows(next(iter(inputs.values())))
        return count_rows(inputs[0] if _is_several(inputs) else inputs)

    def slice_rows(self, inputs: Any, start: int, stop: int) -> Any:
        """Rows from `start` to before `stop` of the `inputs` of a batch."""
        if isinstance(inputs, Mapping):
            return {name: slice_rows(v, start, stop) for name, v in inputs.items()}
        if _is_several(inputs):
            return [slice_rows(values, start, stop) for values in inputs]
        return slice_rows(inputs, start, stop)

    @contextmanager
    def prepare(self, model: Any, device: str | None) -> Iterator[None]:
        """Compute inside on `device`; a `model` that is a module of PyTorch keeps its modes."""
        import keras

        modules = [*model.modules()] if hasattr(model, "modules") else []
        modes = [(module, module.training) for module in modules]
        try:
            if device is None:
                yield
            else:
                with keras.device(device):
                    yield
        finally:
            for module, training in modes:
                module.training = training

    def predict(
        self, model: Any, inputs: Any, *, device: str | None = None
    ) -> Mapping[Kind, Array]:
        """The output of `model` for `inputs`, as `logit`; `settle` finds what kind it is.

        `device` is that of the context of `prepare`.
        """
        output = model.predict_on_batch(inputs)
        if isinstance(output, list | tuple | Mapping):
            raise UnsupportedError(
                f"the model has {len(output)} outputs; collect one at a time: "
                f"keras.Model(model.inputs, model.outputs[0])"
            )
        array: Array = np.asarray(output)
        half = array.dtype.itemsize < 4 and array.dtype.kind not in "iub"
        return {"logit": array.astype(np.float32) if half else array}

    def settle(
        self,
        model: Any,
        extents: Mapping[Kind, Extent],
        task: Task | None,
        kind: Kind | None,
    ) -> Mapping[Kind, Kind]:
        """The outputs by the activation of the last layer of `model`, or as the declared `kind`.

        Where that layer has another activation, or none, their `extents` tell for the `task`.
        """
        ends_in = kind or ENDS.get(_find_activation(model))
        shown = choose_kind(extents["logit"], task, model_name=model.name, ends_in=ends_in)
        if kind is None and shown != "value" and ends_in is not None:
            # Probabilities of float16 may miss the sum of 1, and logits may lie in [0, 1].
            shown = ends_in
        return {"logit": kind or shown}


def _find_activation(model: Any) -> str:
    """Name of the activation of the last layer; empty where it has none."""
    if not model.layers:
        return ""
    last = model.layers[-1]
    if type(last).__name__ in ("Softmax", "Sigmoid"):
        return type(last).__name__.lower()
    if hasattr(last, "layers"):
        return _find_activation(last)
    return getattr(getattr(last, "activation", None), "__name__", "")


def _require_batches(data: Any, size: int | None) -> Any:
    """A tf.data.Dataset in batches; one of single rows is put into such."""
    if int(data.cardinality()) == -1:
        raise UnsupportedError(
            "the tf.data.Dataset repeats its rows without end; give it without repeat(), or "
            "take(n) of its batches"
        )
    spec = data.element_spec
    truth = spec[1] if isinstance(spec, tuple) and len(spec) > 1 else None
    shape = getattr(truth, "shape", None)
    return data.batch(size or 1024) if shape is not None and shape.rank == 0 else data


def _gives_batches(data: Any) -> bool:
    """Whether `data` are batches: of a PyDataset, a DataLoader, or of a loader of one's own."""
    kinds = {cls.__name__ for cls in type(data).__mro__}
    return not kinds.isdisjoint(("PyDataset", "DataLoader")) or gives_batches(data)


def _split_batch(batch: Any) -> tuple[Any, Any | None]:
    """Inputs and truth of a batch; weights that follow are left out."""
    if not isinstance(batch, tuple | list):
        return _convert_to_arrays(batch), None
    truth = batch[1] if len(batch) > 1 else None
    return _convert_to_arrays(batch[0]), None if truth is None else np.asarray(truth)


def _convert_to_arrays(data: Any) -> Any:
    """Data frames, lists and tensors as arrays that every backend takes."""
    if isinstance(data, Mapping):
        return {name: _convert_to_arrays(values) for name, values in data.items()}
    if _is_several(data):
        return [_convert_to_arrays(values) for values in data]
    if hasattr(data, "to_numpy"):
        return data.to_numpy()
    return np.asarray(data.detach().cpu() if hasattr(data, "detach") else data)


def _is_several(data: Any) -> bool:
    """Whether data are several inputs, each an array."""
    return isinstance(data, tuple | list) and len(data) > 0 and hasattr(data[0], "shape")
