"""Shards: one checkpoint in several files, and the index that says which tensor is in which.

>>> import tempfile, torch
>>> folder = Path(tempfile.mkdtemp())
>>> torch.save({"a": torch.ones(1)}, folder / "one.bin")
>>> index = folder / "model.bin.index.json"
>>> _ = index.write_text('{"weight_map": {"a": "one.bin"}}')
>>> Shards("m", index).read("a", 0, 1)
tensor([1.])
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from assay.errors import ReadError
from assay.soups.base import Tensor
from assay.soups.checkpoints import Checkpoint
from assay.soups.safetensors_file import SafetensorsFile
from assay.soups.torch_file import TorchFile

__all__ = ["Shards", "open_file"]


def open_file(name: str, path: Path) -> Checkpoint:
    """The checkpoint in one file, or in those of an index.

    Parameters:
        name: What it is called in results.
        path: Its path.
    """
    if path.name.endswith(".index.json"):
        return Shards(name, path)
    kinds: dict[str, Callable[[str, Path], Checkpoint]] = {".safetensors": SafetensorsFile}
    return kinds.get(path.suffix.lower(), TorchFile)(name, path)


class Shards(Checkpoint):
    """The tensors of all files that an index names.

    Parameters:
        name: What it is called in results.
        path: Path of the index, `*.index.json`.

    Raises:
        ReadError: It is no index, or a file or a tensor that it names is missing.
    """

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.path = path
        self.files = _read_index(path)
        self._parts = {
            file: open_file(f"{name}/{file}", path.parent / file)
            for file in dict.fromkeys(self.files.values())
        }
        missing = [t for t, file in self.files.items() if t not in self._parts[file].tensors]
        if missing:
            raise ReadError(
                f"{path}: tensor {missing[0]!r} is not in {self.files[missing[0]]}, where the "
                f"index has it; copy the checkpoint again"
            )
        self.tensors = {t: self._parts[file].tensors[t] for t, file in self.files.items()}
        first = next(iter(self._parts.values()))
        self.metadata = first.metadata
        self.shared = tuple(group for part in self._parts.values() for group in part.shared)
        self.notes = tuple(note for part in self._parts.values() for note in part.notes)

    def read(self, tensor: str, start: int, stop: int) -> Tensor:
        """The elements from `start` to `stop` of the `tensor` of that name."""
        return self._parts[self.files[tensor]].read(tensor, start, stop)


def _read_index(path: Path) -> dict[str, str]:
    """The file of each tensor that the index at `path` names."""
    try:
        index: Any = json.loads(path.read_bytes())
        files = {str(tensor): str(file) for tensor, file in index["weight_map"].items()}
    except OSError as error:
        raise ReadError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ReadError(f"{path}: this is no index of shards, it has no weight_map") from error
    outside = [file for file in files.values() if Path(file).name != file]
    absent = [file for file in files.values() if not (path.parent / file).is_file()]
    if outside or absent or not files:
        what = (
            f"names {outside[0]!r}, which is not a file beside it"
            if outside
            else f"names {absent[0]!r}, which is not there"
            if absent
            else "names no file"
        )
        raise ReadError(f"{path}: the index {what}; copy the checkpoint again")
    return files
