"""Files of PyTorch: mapped into memory, weights only, so that no code of theirs is run.

>>> import tempfile, torch
>>> path = Path(tempfile.mkdtemp()) / "a.pt"
>>> torch.save({"state_dict": {"w": torch.tensor([1.0, 2.0])}, "epoch": 3}, path)
>>> TorchFile("a", path).read("w", 1, 2)
tensor([2.])
"""

import ctypes
import mmap
import pickle
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from assay.errors import ReadError
from assay.soups.base import Tensor, get_torch
from assay.soups.checkpoints import Checkpoint, TensorSpec, find_shared, read_elements

__all__ = ["TorchFile"]


class TorchFile(Checkpoint):
    """The state dict of one file that `torch.save` wrote.

    Where the file holds more than a state dict (epoch, optimizer), the one entry that is a state
    dict is taken.

    Parameters:
        name: What it is called in results.
        path: Its path.

    Raises:
        ReadError: It is no such file, it holds objects and not weights alone, or no state dict, or
            several.
    """

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.path = path
        loaded, notes = _load(path)
        self.state, entry = _find_state(loaded, path)
        self.notes = (*notes, *([f"{path}: of its entries {entry!r} is taken."] if entry else []))
        self.tensors = {
            key: TensorSpec(tuple(value.shape), value.dtype) for key, value in self.state.items()
        }
        self.shared = find_shared(self.state)
        self._mapped = _find_mappings(path)

    def read(self, tensor: str, start: int, stop: int) -> Tensor:
        """The elements from `start` to `stop` of the `tensor` of that name, copied."""
        elements = read_elements(self.state[tensor], start, stop)
        numbers = elements.clone()
        begin = elements.data_ptr()
        end = begin + elements.numel() * elements.element_size()
        if any(low <= begin < end <= high for low, high in self._mapped):
            _release_pages(begin, end)
        return numbers


def _load(path: Path) -> tuple[Any, tuple[str, ...]]:
    """What the file at `path` holds, and a note where it could not be mapped into memory."""
    torch = get_torch()
    loading = {"map_location": "cpu", "weights_only": True}
    try:
        try:
            return torch.load(path, mmap=True, **loading), ()
        except RuntimeError as error:
            if "_use_new_zipfile_serialization" not in str(error):
                raise
        return torch.load(path, **loading), (
            f"{path} is of the format that PyTorch wrote before 1.6: it is held in memory whole.",
        )
    except pickle.UnpicklingError as error:
        raise ReadError(
            f"{path}: holds more than weights ({_shorten(error)}), and only weights are read: the "
            f"rest of a pickle can run any code. If you trust it, save the weights alone: "
            f"torch.save(torch.load(path, weights_only=False).state_dict(), 'weights.pt')"
        ) from error
    except OSError as error:
        raise ReadError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (RuntimeError, EOFError, ValueError, KeyError) as error:
        raise ReadError(
            f"{path}: this is no file that torch.save wrote, or it was not written to its end "
            f"({_shorten(error)})"
        ) from error


def _shorten(error: Exception) -> str:
    """The sentence of an `error` of torch.load that says what is wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = [line for line in lines if "Unsupported" in line or "GLOBAL" in line] or lines
    return (said or [type(error).__name__])[0][:160].rstrip(". ")


def _is_state(value: Any) -> bool:
    """Whether a `value` is a dictionary of tensors and nothing else."""
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(isinstance(key, str) for key in value)
        and all(hasattr(tensor, "untyped_storage") for tensor in value.values())
    )


def _find_state(loaded: Any, path: Path) -> tuple[dict[str, Tensor], str]:
    """The state dict in what was loaded, and the entry that held it, "" where it is all."""
    if _is_state(loaded):
        return dict(loaded), ""
    entries = loaded if isinstance(loaded, Mapping) else {}
    states = [str(key) for key, value in entries.items() if _is_state(value)]
    if len(states) == 1:
        return dict(loaded[states[0]]), states[0]
    held = f"the state dicts {', '.join(states)}" if states else _describe(loaded)
    raise ReadError(
        f"{path}: holds {held}, where one state dict (names and tensors) was expected. Save the "
        f"one that you mean: torch.save(torch.load(path, weights_only=True)[...], 'weights.pt')"
    )


def _describe(loaded: Any) -> str:
    """What was loaded, in a few words."""
    if not isinstance(loaded, Mapping):
        return f"a {type(loaded).__name__}"
    kinds = [f"{key!r} ({type(value).__name__})" for key, value in list(loaded.items())[:5]]
    return f"{', '.join(kinds) or 'nothing'}{', ...' if len(loaded) > 5 else ''}"


def _find_mappings(path: Path) -> list[tuple[int, int]]:
    """Where in memory the file at `path` is mapped: first address and the one after the last."""
    try:
        lines = Path("/proc/self/maps").read_text().splitlines()
    except OSError:  # not on Linux
        return []
    places = [line.split()[0] for line in lines if line.endswith(f" {path.resolve()}")]
    return [(int(low, 16), int(high, 16)) for low, _, high in (p.partition("-") for p in places)]


def _release_pages(begin: int, end: int) -> None:
    """Take the pages of a mapped file from `begin` to `end` out of the memory of this process.

    They are read again when asked for. Without it memory grows with the files, though the system
    could reclaim it. Of memory that is no file this would erase what it holds.
    """
    first = begin - begin % mmap.PAGESIZE
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).madvise(
            ctypes.c_void_p(first), ctypes.c_size_t(end - first), mmap.MADV_DONTNEED
        )
