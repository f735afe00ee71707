"""PyTorch: any nn.Module on arrays, tensors, a Dataset or a DataLoader; logits stay logits.

>>> import torch
>>> net = torch.nn.Linear(2, 3)
>>> output = Torch().predict(net, torch.zeros(4, 2))
>>> output["logit"].shape, net.training
((4, 3), True)
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.adapters.base import Adapter, count_rows, slice_rows
from assay.errors import UnsupportedError
from assay.kernels import Array
from assay.table.schema import Kind, Task

__all__ = ["Torch"]

TRUTH_KEYS = ("labels", "label", "targets", "target", "y")
TOLERANCE = 1e-3  # by which the probabilities of a row may miss a sum of 1


@dataclass(frozen=True)
class Torch(Adapter):
    """Modules of PyTorch, run in evaluation mode without gradients, and put back afterwards.

    A batch of a DataLoader is inputs alone (a tensor), inputs and then truth (a tuple or list), or
    a dictionary of named inputs and truth (labels, label, targets, target or y).  Several inputs
    are passed to the module one after the other, named ones by name.  The output may be a tensor,
    a tuple that begins with one, or something with `logits`.
    """

    name = "torch"
    extra = "torch"
    modules = ("torch",)
    rank = 10
    batch_size = 1024

    def accepts(self, model: Any) -> bool:
        """Whether `model` is an nn.Module."""
        return isinstance(model, self.import_framework().nn.Module)

    def task(self, model: Any, y: Any) -> Task | None:
        """Multi-label where the truth `y` has several columns, regression where it is of numbers.

        Floating-point numbers count as numbers unless all of them are 0 or 1. `model` is not asked.
        """
        truth = np.asarray(y)
        if truth.ndim == 2 and truth.shape[1] > 1:
            return "multilabel"
        if truth.dtype.kind == "f" and not np.isin(truth, (0, 1)).all():
            return "regression"
        return None

    def batches(self, data: Any, size: int | None) -> Iterator[tuple[Any, Any | None]]:
        """Inputs and truth of each batch of a DataLoader or Dataset; slices of arrays and tensors.

        Parameters:
            data: A DataLoader that does not shuffle, a Dataset, an array or tensor, a tuple of
                them, or a dictionary of them.
            size: Rows a batch, but for a DataLoader, which has its own.
        """
        loading = self.import_framework().utils.data
        if isinstance(data, loading.Dataset):
            data = loading.DataLoader(data, batch_size=size)
        if isinstance(data, loading.DataLoader):
            self._refuse_shuffling(data)
            yield from map(_split_truth, data)
            return
        parts = data if isinstance(data, tuple | Mapping) else (data,)
        arrays = parts if isinstance(parts, Mapping) else dict(enumerate(parts))
        arrays = {key: _convert_to_array(values) for key, values in arrays.items()}
        n = count_rows(next(iter(arrays.values())))
        for start in range(0, n, size or max(n, 1)):
            batch = {k: slice_rows(a, start, start + (size or n)) for k, a in arrays.items()}
            yield batch if isinstance(parts, Mapping) else tuple(batch.values()), None

    @contextmanager
    def prepare(self, model: Any, device: str | None) -> Iterator[None]:
        """Evaluation mode of `model` on the `device`; on leaving, modes and device are restored."""
        torch = self.import_framework()
        modes = [(module, module.training) for module in model.modules()]
        homes = {tensor.device for tensor in _list_tensors(model)}
        moves = device is not None and homes != {torch.device(device)}
        if moves and len(homes) > 1:
            raise UnsupportedError(
                f"the model lies on several devices ({', '.join(map(str, homes))}) and cannot be "
                f"moved to {device}; leave device out"
            )
        try:
            if moves:
                model.to(device)
            model.eval()
            yield
        finally:
            for module, training in modes:
                module.training = training
            if moves and homes:
                model.to(homes.pop())

    def predict(
        self, model: Any, inputs: Any, *, device: str | None = None
    ) -> Mapping[Kind, Array]:
        """The output of `model` for `inputs` on `device`, as `logit`.

        `settle` finds what kind it is when all rows are there.
        """
        torch = self.import_framework()
        tensors = list(_list_tensors(model))
        place = device or (tensors[0].device if tensors else None)
        dtype = next((t.dtype for t in tensors if t.dtype.is_floating_point), None)

        def prepare(values: Any) -> Any:
            tensor = torch.as_tensor(values, device=place)
            return tensor.to(dtype) if dtype and tensor.dtype.is_floating_point else tensor

        with torch.no_grad():
            if isinstance(inputs, Mapping):
                output = model(**{name: prepare(values) for name, values in inputs.items()})
            elif isinstance(inputs, tuple | list):
                output = model(*map(prepare, inputs))
            else:
                output = model(prepare(inputs))
        return {"logit": _read_output(output)}

    def settle(
        self, model: Any, outputs: Mapping[Kind, Array], task: Task | None, kind: Kind | None
    ) -> Mapping[Kind, Array]:
        """The `outputs` of a `task` as values, logits or probabilities, or as the declared `kind`.

        Rows that sum to 1 are probabilities. Single outputs and those of several labels are logits
        where any lies outside [0, 1]; otherwise the last layer of the `model` tells, or `kind`.
        """
        output = outputs["logit"]
        if output.ndim > 2:
            raise UnsupportedError(
                f"the outputs of a {type(model).__name__} have shape {output.shape}; expected one "
                f"row a row of data: (n,), or (n, k)"
            )
        if kind is not None:
            return {kind: output}
        if task == "regression":
            return {"value": output}
        bounded = bool(len(output)) and float(output.min()) >= 0 and float(output.max()) <= 1
        if not bounded:
            return {"logit": output}
        if output.ndim == 2 and output.shape[1] > 1 and task != "multilabel":
            sums_to_1 = np.abs(output.sum(axis=1, dtype=np.float64) - 1).max() <= TOLERANCE
            return {"proba" if sums_to_1 else "logit": output}
        last = type([*model.modules()][-1]).__name__
        if last == "Sigmoid":
            return {"proba": output}
        if last == "Linear":
            return {"logit": output}
        raise UnsupportedError(
            f"the outputs of a {type(model).__name__} all lie in [0, 1]: they may be logits or "
            f"probabilities; say which, as in kinds={{'name': 'logit'}}"
        )

    def _refuse_shuffling(self, loader: Any) -> None:
        loading = self.import_framework().utils.data
        is_stream = isinstance(loader.dataset, loading.IterableDataset)
        sampler = loader.sampler
        if loader.batch_sampler is not None and not is_stream:
            own = type(loader.batch_sampler) is loading.BatchSampler
            sampler = loader.batch_sampler.sampler if own else loader.batch_sampler
        if not is_stream and not isinstance(sampler, loading.SequentialSampler):
            raise UnsupportedError(
                f"the DataLoader draws its rows by a {type(sampler).__name__}, so that their order "
                f"is not the data's; use DataLoader(dataset, batch_size=..., shuffle=False)"
            )
        if loader.drop_last and (is_stream or len(loader.dataset) % loader.batch_size):
            raise UnsupportedError(
                "the DataLoader leaves out the rows of the last, shorter batch (drop_last=True); "
                "use drop_last=False"
            )


def _split_truth(batch: Any) -> tuple[Any, Any | None]:
    """Inputs and truth of what a DataLoader gives."""
    if isinstance(batch, Mapping):
        key = next((key for key in TRUTH_KEYS if key in batch), None)
        inputs = {name: values for name, values in batch.items() if name != key}
        return inputs, None if key is None else batch[key]
    if not isinstance(batch, tuple | list):
        return batch, None
    if len(batch) == 1:
        return batch[0], None
    *first, truth = batch
    return first, truth


def _convert_to_array(values: Any) -> Any:
    """What can be sliced and made a tensor: data frames and lists as arrays."""
    if hasattr(values, "detach"):
        return values
    return values.to_numpy() if hasattr(values, "to_numpy") else np.asarray(values)


def _list_tensors(model: Any) -> Iterator[Any]:
    yield from model.parameters()
    yield from model.buffers()


def _read_output(output: Any) -> Array:
    """The tensor that counts of a module's output, as NumPy (half precision as float32)."""
    if hasattr(output, "logits"):
        output = output.logits
    elif isinstance(output, Mapping):
        output = output["logits"]
    elif isinstance(output, tuple | list):
        output = output[0]
    tensor = output.detach().cpu()
    array: Array = (tensor.float() if tensor.dtype.itemsize < 4 else tensor).numpy()
    return array
