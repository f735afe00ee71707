"""safetensors: files of named tensors, read and written a part at a time.

The format: 8 bytes that give the length of a header, the header in JSON, then the numbers. See
https://github.com/huggingface/safetensors.

>>> import tempfile, torch
>>> path = Path(tempfile.mkdtemp()) / "a.safetensors"
>>> specs = {"w": TensorSpec((2,), torch.float32)}
>>> write_safetensors(path, specs, {}, iter([torch.tensor([1.0, 2.0])]))
>>> SafetensorsFile("a", path).read("w", 1, 2)
tensor([2.])
"""

import json
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from io import FileIO
from pathlib import Path
from typing import Any

from assay.errors import ReadError, UnsupportedError
from assay.soups.base import Tensor, get_torch
from assay.soups.checkpoints import Checkpoint, TensorSpec

__all__ = ["SafetensorsFile", "order_tensors", "write_safetensors"]

DTYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16",
    "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8", "U8": "uint8", "BOOL": "bool",
    "U16": "uint16", "U32": "uint32", "U64": "uint64", "C64": "complex64",
    "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2",
}  # fmt: skip
FLUSH = 1 << 26  # bytes
AHEAD = 1 << 23  # bytes that the system is asked to read in advance, as it reads in order
LONGEST_HEADER = 100_000_000  # bytes, that of the format


class SafetensorsFile(Checkpoint):
    """The tensors of one file of safetensors; nothing but the header is read before it is needed.

    Parameters:
        name: What it is called in results.
        path: Its path.

    Raises:
        ReadError: It is no such file, or a part of one.
    """

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.path = path
        header, self._begin = _read_header(path)
        self.metadata = header.pop("__metadata__", {})
        self.tensors = {}
        self._offsets = {}
        torch = get_torch()
        for tensor, entry in header.items():
            dtype = getattr(torch, DTYPES.get(entry["dtype"], ""), None)
            if dtype is None:
                raise UnsupportedError(
                    f"{path}: tensor {tensor!r} is of type {entry['dtype']}, which cannot be "
                    f"averaged; save the checkpoint in float32, float16 or bfloat16"
                )
            self.tensors[tensor] = TensorSpec(tuple(entry["shape"]), dtype)
            self._offsets[tensor] = entry["data_offsets"][0]
        self._check_lengths(header)

    def read(self, tensor: str, start: int, stop: int) -> Tensor:
        """The elements from `start` to `stop` of the `tensor` of that name."""
        torch = get_torch()
        dtype = self.tensors[tensor].dtype
        numbers = torch.empty(stop - start, dtype=dtype)
        if stop == start:
            return numbers
        buffer = memoryview(numbers.view(torch.uint8).numpy())
        with FileIO(str(self.path)) as file:
            place = self._begin + self._offsets[tensor] + start * dtype.itemsize
            file.seek(place)
            self._read_ahead(file, place, len(buffer))
            while len(buffer):
                count = file.readinto(buffer)
                if not count:
                    raise ReadError(f"{self.path}: the file ends within tensor {tensor!r}")
                buffer = buffer[count:]
        return numbers

    def _read_ahead(self, file: FileIO, place: int, length: int) -> None:
        """Have the system read on while this part is fused, each stretch of the file once."""
        if hasattr(os, "posix_fadvise") and (place == self._begin or -place % AHEAD < length):
            os.posix_fadvise(file.fileno(), place, 2 * AHEAD, os.POSIX_FADV_WILLNEED)

    def _check_lengths(self, header: Mapping[str, Any]) -> None:
        """ReadError unless the tensors of the `header` fill the file, one after the other."""
        end = 0
        for tensor, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
            begin, stop = entry["data_offsets"]
            spec = self.tensors[tensor]
            if begin != end or stop - begin != spec.size * spec.dtype.itemsize:
                raise ReadError(f"{self.path}: the header places tensor {tensor!r} wrongly")
            end = stop
        length = self.path.stat().st_size - self._begin  # type: ignore[union-attr]
        if length != end:
            raise ReadError(
                f"{self.path}: the header tells of {end:,} bytes of tensors, the file has "
                f"{length:,}; it was not written to its end, copy it again"
            )


def _read_header(path: Path) -> tuple[dict[str, Any], int]:
    """The header of the file at `path`, and where its numbers begin."""
    try:
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            text = file.read(length) if length <= LONGEST_HEADER else b""
    except OSError as error:
        raise ReadError(f"{path}: cannot be read ({error.strerror or error})") from error
    try:
        header = json.loads(text)
        for name, entry in header.items():
            if name != "__metadata__":
                entry["dtype"], entry["shape"], entry["data_offsets"][1]
    except (ValueError, AttributeError, KeyError, TypeError, IndexError) as error:
        raise ReadError(
            f"{path}: this is no file of safetensors, or it was not written to its end"
        ) from error
    return header, 8 + length


def order_tensors(specs: Mapping[str, TensorSpec]) -> list[str]:
    """The names of `specs` in the order in which a file has them: wide types first, for alignment.

    Parameters:
        specs: Shape and type of each tensor.
    """
    return sorted(specs, key=lambda name: -specs[name].dtype.itemsize)


def write_safetensors(
    path: str | Path,
    specs: Mapping[str, TensorSpec],
    metadata: Mapping[str, str],
    parts: Iterator[Tensor],
) -> None:
    """Write a file of safetensors from the parts of its tensors.

    Parameters:
        path: File to write.
        specs: Shape and type of each tensor, in the order of `order_tensors`.
        metadata: Texts beside the tensors.
        parts: Elements of the flattened tensors, one after the other, in that order.
    """
    torch = get_torch()
    codes = {getattr(torch, name, None): code for code, name in DTYPES.items()}
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name, spec in specs.items():
        begin, end = end, end + spec.size * spec.dtype.itemsize
        header[name] = {
            "dtype": codes[spec.dtype],
            "shape": list(spec.shape),
            "data_offsets": [begin, end],
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb", buffering=0) as file, ThreadPoolExecutor(1) as flushing:
        file.write(len(text).to_bytes(8, "little") + text)
        flushed = 0
        for part in parts:
            rest = memoryview(part.contiguous().view(torch.uint8).numpy())
            while len(rest):
                rest = rest[file.write(rest) :]
            if file.tell() > flushed + FLUSH:  # while more is fused, not all of it at the end
                flushed = file.tell()
                flushing.submit(os.fsync, file.fileno())
