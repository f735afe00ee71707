"""Checkpoints: named tensors in a file, in several, or in memory, read a part at a time.

>>> import torch
>>> in_memory = StateDict("net", {"weight": torch.tensor([[1.0, 2.0], [3.0, 4.0]])})
>>> in_memory.tensors
{'weight': TensorSpec(shape=(2, 2), dtype=torch.float32)}
>>> in_memory.read("weight", 1, 3)
tensor([2., 3.])
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from assay.errors import UnsupportedError
from assay.soups.base import Tensor

__all__ = ["Checkpoint", "StateDict", "TensorSpec", "find_shared", "read_elements"]


class TensorSpec(NamedTuple):
    """Shape and type of a tensor, known before its values are read."""

    shape: tuple[int, ...]
    dtype: Any

    @property
    def size(self) -> int:
        """How many elements there are."""
        return math.prod(self.shape)

    @property
    def is_float(self) -> bool:
        """Whether the elements are real numbers with a floating point."""
        return bool(self.dtype.is_floating_point)

    def __str__(self) -> str:
        return f"{str(self.dtype).removeprefix('torch.')} {self.shape}"


class Checkpoint(ABC):
    """Named tensors of one model.

    Attributes:
        name: What it is called in results.
        path: Its file or folder; None for one in memory.
        tensors: Shape and type of each tensor, by name.
        shared: Groups of names that are one and the same tensor.
        metadata: Texts that a file of safetensors has beside its tensors.
        files: Name of the file of each tensor, for a checkpoint in several files; else empty.
        notes: What a reader must know of how it was read.
    """

    name: str
    path: Path | None = None
    tensors: Mapping[str, TensorSpec]
    shared: tuple[tuple[str, ...], ...] = ()
    metadata: Mapping[str, str] = {}
    files: Mapping[str, str] = {}
    notes: tuple[str, ...] = ()

    @abstractmethod
    def read(self, tensor: str, start: int, stop: int) -> Tensor:
        """Some elements of a flattened tensor, in its own type.

        Parameters:
            tensor: Name of the tensor.
            start: Position of the first element.
            stop: Position after the last.
        """

    def read_whole(self, tensor: str) -> Tensor:
        """The `tensor` of that name, in its own type and shape."""
        spec = self.tensors[tensor]
        return self.read(tensor, 0, spec.size).reshape(spec.shape)


class StateDict(Checkpoint):
    """Tensors that are in memory already, as those of `model.state_dict()`."""

    def __init__(self, name: str, state: Mapping[str, Any]) -> None:
        self.name = name
        wrong = [key for key, value in state.items() if not hasattr(value, "untyped_storage")]
        if wrong or not state:
            what = f"{wrong[0]!r} is {type(state[wrong[0]]).__name__}" if wrong else "it is empty"
            raise UnsupportedError(
                f"checkpoint {name!r} is no state dict of tensors: {what}. Give "
                f"model.state_dict(), or the path of a file."
            )
        self.state = {key: value.detach() for key, value in state.items()}
        self.tensors = {
            key: TensorSpec(tuple(value.shape), value.dtype) for key, value in self.state.items()
        }
        self.shared = find_shared(self.state)

    def read(self, tensor: str, start: int, stop: int) -> Tensor:
        """The elements from `start` to `stop` of the `tensor` of that name, on the CPU."""
        return read_elements(self.state[tensor], start, stop).cpu()


def read_elements(tensor: Tensor, start: int, stop: int) -> Tensor:
    """The elements from `start` to `stop` of the flattened `tensor`, whatever its strides."""
    if tensor.is_contiguous():
        return tensor.reshape(-1)[start:stop]
    row = max(1, math.prod(tensor.shape[1:]))
    first = start // row
    rows = tensor[first : -(-stop // row)].reshape(-1)
    return rows[start - first * row : stop - first * row]


def find_shared(state: Mapping[str, Tensor]) -> tuple[tuple[str, ...], ...]:
    """The groups of names in a `state` dict that are one and the same tensor, as tied weights."""
    groups: dict[tuple[Any, ...], list[str]] = {}
    for name, tensor in state.items():
        if tensor.numel():
            key = (tensor.device, tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride())
            groups.setdefault(key, []).append(name)
    return tuple(tuple(names) for names in groups.values() if len(names) > 1)
