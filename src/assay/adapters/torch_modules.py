"""Base of the adapters whose models are modules of PyTorch: data, modes, devices, gradients.

>>> import torch
>>> net = torch.nn.Linear(2, 3)
>>> with evaluate_modules([net], None):
...     net.training
False
>>> net.training
True
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import numpy as np

from assay.adapters.base import Adapter, count_rows, find_several, slice_rows
from assay.adapters.extents import Extent, choose_kind
from assay.errors import UnsupportedError
from assay.kernels import Array
from assay.table.schema import Kind, Task

__all__ = [
    "TorchModules",
    "evaluate_modules",
    "find_place",
    "name_output",
    "read_output",
    "settle_output",
    "split_truth",
]

ENDS: Mapping[str, Kind] = {"Sigmoid": "proba", "Linear": "logit"}  # what a last layer gives
# Where the tensors of modules lie, of those that are being evaluated.
_PLACES: WeakKeyDictionary[Any, tuple[Any, Any]] = WeakKeyDictionary()
TRUTH_KEYS = ("labels", "label", "targets", "target", "y")


class TorchModules(Adapter):
    """Base of adapters of modules: how data are cut into batches, and modules run and restored.

    A batch of a DataLoader is inputs alone (a tensor), inputs and then truth (a tuple or list), or
    a dictionary of named inputs and truth (labels, label, targets, target or y).
    """

    extra = "torch"
    modules: ClassVar[tuple[str, ...]] = ("torch",)
    batch_size = 1024

    def find_module(self, model: Any) -> Any:
        """The nn.Module that `model` is, or holds."""
        return model

    def task(self, model: Any, y: Any) -> Task | None:
        """Of several where the truth `y` has several columns, regression where it is of numbers.

        Floating-point numbers count as numbers unless all of them are 0 or 1. `model` is not asked.
        """
        truth = np.asarray(y)
        several = find_several(truth)
        if several is not None:
            return several
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
        loading = self.import_torch().utils.data
        if isinstance(data, loading.Dataset):
            data = loading.DataLoader(data, batch_size=size)
        if isinstance(data, loading.DataLoader):
            self._refuse_shuffling(data)
            yield from map(split_truth, data)
            return
        parts = data if isinstance(data, tuple | Mapping) else (data,)
        arrays = parts if isinstance(parts, Mapping) else dict(enumerate(parts))
        arrays = {key: _convert_to_array(values) for key, values in arrays.items()}
        inputs = arrays if isinstance(parts, Mapping) else tuple(arrays.values())
        n = self.count_rows(inputs)
        for start in range(0, n, size or max(n, 1)):
            yield self.slice_rows(inputs, start, start + (size or n)), None

    def count_data(self, data: Any) -> int | None:
        """Number of rows in all `data`; None where a stream does not say."""
        loading = self.import_torch().utils.data
        source = data.dataset if isinstance(data, loading.DataLoader) else data
        try:
            return self.count_rows(source)
        except (TypeError, NotImplementedError, UnsupportedError):
            return None

    def count_rows(self, inputs: Any) -> int:
        """Number of rows of the `inputs` of a batch: a tensor, several, or named ones."""
        if isinstance(inputs, tuple | list) and inputs and hasattr(inputs[0], "shape"):
            return count_rows(inputs[0])
        return count_rows(next(iter(inputs.values())) if isinstance(inputs, Mapping) else inputs)

    def slice_rows(self, inputs: Any, start: int, stop: int) -> Any:
        """Rows from `start` to before `stop` of the `inputs` of a batch."""
        if isinstance(inputs, tuple | list) and inputs and hasattr(inputs[0], "shape"):
            return tuple(slice_rows(values, start, stop) for values in inputs)
        if isinstance(inputs, Mapping):
            return {name: slice_rows(v, start, stop) for name, v in inputs.items()}
        return slice_rows(inputs, start, stop)

    def prepare(self, model: Any, device: str | None) -> AbstractContextManager[Any]:
        """Evaluation mode of `model` on the `device`; on leaving, modes and device are restored."""
        return evaluate_modules([self.find_module(model)], device)

    def predict(
        self, model: Any, inputs: Any, *, device: str | None = None
    ) -> Mapping[Kind, Array]:
        """The output of `model` for `inputs` on `device`, as `logit`, or as labels if it is whole.

        `settle` finds what kind it is when all rows are there.
        """
        return name_output(read_output(self.run_module(model, inputs, device)))

    def run_module(self, model: Any, inputs: Any, device: str | None) -> Any:
        """What the module of `model` gives for `inputs` on `device`, without gradients."""
        torch = self.import_torch()
        if torch.is_grad_enabled():  # outside of `prepare`, which turns them off once
            with torch.no_grad():
                return self.run_module(model, inputs, device)
        module = self.find_module(model)
        place, dtype = find_place(module, device)

        def move(values: Any) -> Any:
            tensor = torch.as_tensor(values, device=place)
            other = tensor.dtype is not dtype and dtype and tensor.is_floating_point()
            return tensor.to(dtype) if other else tensor

        if isinstance(inputs, tuple | list):
            return module(*map(move, inputs))
        if isinstance(inputs, Mapping):
            return module(**{name: move(values) for name, values in inputs.items()})
        return module(move(inputs))

    def settle(
        self,
        model: Any,
        extents: Mapping[Kind, Extent],
        task: Task | None,
        kind: Kind | None,
    ) -> Mapping[Kind, Kind]:
        """The outputs of a `task` as values, logits or probabilities, or as the declared `kind`.

        What their `extents` leave open the last layer of the `model` tells.
        """
        return settle_output(self.find_module(model), extents, task, kind)

    def import_torch(self) -> Any:
        """PyTorch, which is there where a module is."""
        import torch

        return torch

    def release_memory(self) -> None:
        """Give back what PyTorch keeps of the memory of a CUDA device."""
        torch = self.import_torch()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _refuse_shuffling(self, loader: Any) -> None:
        loading = self.import_torch().utils.data
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


def settle_output(
    module: Any, extents: Mapping[Kind, Extent], task: Task | None, kind: Kind | None
) -> Mapping[Kind, Kind]:
    """The output of a module as what it is.

    Rows that sum to 1 are probabilities. Single outputs and those of several labels are logits
    where any lies outside [0, 1]; otherwise the last layer tells, or the declared kind.

    Parameters:
        module: The nn.Module.
        extents: The range of its output.
        task: The task, where it is known.
        kind: The kind that is declared; None: none is.
    """
    if "logit" not in extents:
        return {given: kind or given for given in extents}
    last = type([*module.modules()][-1]).__name__
    name = type(module).__name__
    shown = choose_kind(extents["logit"], task, model_name=name, ends_in=kind or ENDS.get(last))
    return {"logit": kind or shown}


@contextmanager
def evaluate_modules(modules: Sequence[Any], device: str | None) -> Iterator[None]:
    """Evaluation mode of nn.Modules on a device, without gradients; on leaving, all is as it was.

    Parameters:
        modules: The modules.
        device: The device, as PyTorch names it; None: where they are.

    Raises:
        UnsupportedError: A module lies on several devices, or the device is not there.
    """
    import torch

    modes = [(part, part.training) for module in modules for part in module.modules()]
    moved = []
    try:
        for module in modules:
            home = _move(module, device)
            if home is not None:
                moved.append((module, home))
            module.eval()
            _PLACES[module] = _look_for_place(module)
        with torch.no_grad():
            yield
    finally:
        for module in modules:
            _PLACES.pop(module, None)
        for part, training in modes:
            part.training = training
        for module, home in moved:
            module.to(home)


def _move(module: Any, device: str | None) -> Any:
    """Move a module to a device; where it was, or None where it stays."""
    import torch

    if device is None:
        return None
    homes = {tensor.device for tensor in _list_tensors(module)}
    try:
        goal = torch.device(device)
    except RuntimeError as error:
        first = str(error).splitlines()[0]
        raise UnsupportedError(f"device {device!r} is none that PyTorch knows ({first})") from error
    if not homes or homes == {goal}:
        return None
    if len(homes) > 1:
        raise UnsupportedError(
            f"the model lies on several devices ({', '.join(map(str, homes))}) and cannot be "
            f"moved to {device}; leave device out"
        )
    try:
        module.to(device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        module.to(*homes)
        raise UnsupportedError(
            f"the model cannot be moved to device {device!r} ({str(error).splitlines()[0]})"
        ) from error
    return homes.pop()


def find_place(module: Any, device: str | None) -> tuple[Any, Any]:
    """Where inputs of a `module` belong (`device`, if given), and their type if they are floats."""
    place, dtype = _PLACES.get(module) or _look_for_place(module)
    return device or place, dtype


def _look_for_place(module: Any) -> tuple[Any, Any]:
    """Where the tensors of a `module` lie, and the type of those that are floats; None: none is."""
    place = None
    for tensor in _list_tensors(module):
        place = place or tensor.device
        if tensor.dtype.is_floating_point:
            return place, tensor.dtype
    return place, None


def split_truth(batch: Any) -> tuple[Any, Any | None]:
    """Inputs and truth of the `batch` that a DataLoader gives."""
    if isinstance(batch, Mapping):
        key = next((key for key in TRUTH_KEYS if key in batch), None)
        inputs = {name: values for name, values in batch.items() if name != key}
        return inputs, None if key is None else batch[key]
    if not isinstance(batch, tuple | list):
        return batch, None
    if len(batch) == 1:
        return batch[0], None
    *first, truth = batch
    return tuple(first), truth


def read_output(output: Any) -> Array:
    """The tensor that counts of a module's `output`, as NumPy (half precision as float32)."""
    if hasattr(output, "logits"):
        output = output.logits
    elif isinstance(output, Mapping):
        output = output["logits"]
    elif isinstance(output, tuple | list):
        output = output[0]
    array: Array = (output.float() if output.itemsize < 4 else output).numpy(force=True)
    return array


def name_output(output: Array) -> dict[Kind, Array]:
    """The `output` by its kind: whole numbers (n,) are labels, others are told apart later."""
    return {"label" if output.dtype.kind in "iub" and output.ndim == 1 else "logit": output}


def _convert_to_array(values: Any) -> Any:
    """What can be sliced and made a tensor: data frames and lists as arrays."""
    if hasattr(values, "detach"):
        return values
    return values.to_numpy() if hasattr(values, "to_numpy") else np.asarray(values)


def _list_tensors(module: Any) -> Iterator[Any]:
    yield from module.parameters()
    yield from module.buffers()
