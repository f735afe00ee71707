"""Tensors: arrays and tensors of any framework as they come out of a training loop.

>>> import numpy as np
>>> read_tensor([1, 2]).tolist(), is_on_accelerator(np.zeros(2))
([1, 2], False)
"""

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from assay.errors import SchemaError, UnsupportedError
from assay.kernels import Array

__all__ = ["is_on_accelerator", "read_all_on_host", "read_on_host", "read_tensor"]


def read_tensor(values: Any) -> Any:
    """The `values` without their gradient: a torch tensor where it lies, all else as NumPy.

    A tensor of the host is an array that shares its memory. bfloat16, which NumPy has not, becomes
    float32.

    Raises:
        SchemaError: The values are rows of several lengths.
        UnsupportedError: The values are not there yet, since a function is being compiled.
    """
    if isinstance(values, np.ndarray):
        return values
    if _is_torch(values):
        tensor = values.detach()
        return tensor if is_on_accelerator(tensor) else read_on_host(tensor)
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise SchemaError(
            f"a {type(values).__name__} is no array ({_quote_first_sentence(error)}); give rows of "
            "one length, or of tokens only those that count: (n, k) and (n,)"
        ) from error
    except Exception as error:
        raise UnsupportedError(
            f"a {type(values).__name__} has no values that can be read here "
            f"({_quote_first_sentence(error)}); call update outside of compiled functions (jit, "
            "tf.function), or compile with run_eagerly=True"
        ) from error
    return array.astype(np.float32) if array.dtype.name in ("bfloat16", "float8") else array


def is_on_accelerator(values: Any) -> bool:
    """Whether `values` are a torch tensor that does not lie in the memory of the host."""
    return _is_torch(values) and values.device.type != "cpu"


def read_on_host(values: Any) -> Array:
    """The `values` of an array, or of a torch tensor of any device, as NumPy; it waits for that.

    UnsupportedError where they are not there yet, as inside `torch.func.vmap`.
    """
    if isinstance(values, np.ndarray):
        return values
    tensor = values.float() if values.dtype == sys.modules["torch"].bfloat16 else values
    try:
        array: Array = tensor.cpu().numpy()
    except RuntimeError as error:
        raise UnsupportedError(
            f"a tensor has no values that can be read here ({_quote_first_sentence(error)}); call "
            "update outside of functions that torch.func transforms (vmap, grad), with what they "
            "return"
        ) from error
    return array


def read_all_on_host(columns: Mapping[str, Any]) -> dict[str, Array]:
    """The `columns`, arrays or torch tensors, as NumPy; those of one device with one wait for all.

    Parameters:
        columns: Array or tensor by name.
    """
    copies = dict(columns)
    devices = set()
    for name, values in columns.items():
        if is_on_accelerator(values) and values.device.type == "cuda":
            room = values.new_empty(values.shape, device="cpu", pin_memory=True)
            copies[name] = room.copy_(values, non_blocking=True)
            devices.add(values.device)
    for device in devices:
        sys.modules["torch"].cuda.current_stream(device).synchronize()
    return {name: read_on_host(values) for name, values in copies.items()}


def _quote_first_sentence(error: Exception) -> str:
    return str(error).partition("\n")[0].partition(". ")[0].rstrip(".")


def _is_torch(values: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(values, torch.Tensor)
