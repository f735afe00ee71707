"""Event files of TensorBoard: their scalars by tag, without the package that wrote them.

An event file is a row of records; most of them differ in time, step and value alone. Records that
are otherwise equal are decoded together, so that millions take seconds.

>>> from pathlib import Path
>>> import tempfile
>>> path = Path(tempfile.mkdtemp()) / "events.out.tfevents.1"
>>> event = bytes([0x10, 7, 0x2A, 10, 0x0A, 8, 0x0A, 1, 0x61, 0x15, 0, 0, 0, 0x3F])
>>> _ = path.write_bytes(len(event).to_bytes(8, "little") + b"crc_" + event + b"crc_")
>>> curve = read_scalars([path])["a"]
>>> curve.steps.tolist(), curve.values.tolist()
([7.0], [0.5])
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.readers.points import Points
from assay.readers.protobuf import MessageError, find_first, walk_fields

__all__ = ["read_scalars"]

BLOCK = 1 << 22  # bytes that are read at once
LARGEST = 1 << 28  # bytes of one record; beyond, the file is no event file
HEAD = 12  # bytes before a record: its length, with a checksum
TAIL = 4  # bytes after it: its checksum
SCALARS = "scalars"

# Fields by number, as in tensorboard/compat/proto: event, summary, tensor and types.
WALL_TIME = 1
STEP = 2
SUMMARY = 5
SESSION_LOG = 7
TAG = 1
SIMPLE_VALUE = 2
TENSOR = 8
METADATA = 9
TYPES = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8", 19: "<f2"}
CONTENT = 4
FLOATS = 5
DOUBLES = 6
START = 1

Bytes = NDArray[np.uint8]


class Slot(NamedTuple):
    """Where a record holds the value of a `tag`, and the type of the number there."""

    tag: str
    position: int
    type: str


@dataclass
class Layout:
    """What records of one kind hold, and where."""

    step: tuple[int, int] = (0, 0)
    slots: list[Slot] = field(default_factory=list)
    free: list[tuple[int, int]] = field(default_factory=list)  # bytes that differ, from and to
    is_start: bool = False

    def find_alike(self, records: Bytes, first: Bytes) -> NDArray[np.bool_]:
        """Which of the `records` (n, length) equal the `first` one but for time, step and value."""
        fixed = np.ones(len(first), dtype=bool)
        for start, end in self.free:
            fixed[start:end] = False
        alike: NDArray[np.bool_] = (records[:, fixed] == first[fixed]).all(axis=1)
        start, end = self.step
        ends = (records[:, start:end] & 0x80) == (first[start:end] & 0x80)
        both: NDArray[np.bool_] = alike & ends.all(axis=1)
        return both

    def decode_steps(self, records: Bytes) -> NDArray[np.float64]:
        start, end = self.step
        shifts = 7 * np.arange(end - start, dtype=np.int64)
        parts = (records[:, start:end] & 0x7F).astype(np.int64) << shifts
        steps: NDArray[np.float64] = parts.sum(axis=1).astype(np.float64)
        return steps


def read_scalars(files: Iterable[Path]) -> dict[str, Points]:
    """The scalars of event `files` by tag, in the order of writing; a record cut off ends a file.

    Where a session began again at a step (`purge_step`), later steps of what was written before are
    void.
    """
    scalars = Scalars()
    for file in files:
        for block, offsets, lengths in _split_records(file):
            scalars.add(block, offsets, lengths)
    return scalars.join()


def _split_records(path: Path) -> Iterator[tuple[Bytes, NDArray[np.intp], NDArray[np.intp]]]:
    """Blocks of the file, with the offsets and lengths of the whole records in each."""
    unpack = struct.Struct("<Q").unpack_from
    with path.open("rb") as file:
        rest = b""
        while block := file.read(max(BLOCK, len(rest))):
            block = rest + block
            offsets = []
            position = 0
            limit = len(block)
            while position + HEAD <= limit:
                following = position + unpack(block, position)[0] + HEAD + TAIL
                if following > limit:
                    break
                offsets.append(position)
                position = following
            if offsets:
                starts = np.array(offsets, dtype=np.intp)
                ends = np.append(starts[1:], position)
                content = np.frombuffer(block, dtype=np.uint8)
                yield content, starts + HEAD, ends - starts - HEAD - TAIL
            rest = block[position:]
            if len(rest) >= HEAD and unpack(rest, 0)[0] > LARGEST:
                return  # damaged: what follows cannot be told apart


class Scalars:
    """The points of all tags, gathered block by block."""

    def __init__(self) -> None:
        self.parts: dict[str, list[Points]] = {}
        self.plugins: dict[str, str] = {}

    def add(self, block: Bytes, offsets: NDArray[np.intp], lengths: NDArray[np.intp]) -> None:
        """The points of the records in a `block`, at `offsets` (n,) and of `lengths` (n,) bytes."""
        found: dict[str, list[tuple[NDArray[np.intp], Points]]] = {}
        starts: list[tuple[int, float]] = []
        for length in np.unique(lengths):
            order = np.flatnonzero(lengths == length)
            windows = np.lib.stride_tricks.sliding_window_view(block, int(length))
            records = windows[offsets[order]] if length else np.empty((0, 0), dtype=np.uint8)
            while len(records):
                layout = self._parse(records[0])
                alike = layout.find_alike(records, records[0])
                alike[0] = True  # also where nothing in it was understood
                steps = layout.decode_steps(records[alike])
                if layout.is_start:
                    starts += zip(order[alike].tolist(), steps.tolist(), strict=True)
                for slot in layout.slots:
                    width = np.dtype(slot.type).itemsize
                    content = records[alike, slot.position : slot.position + width]
                    values = np.ascontiguousarray(content).view(slot.type)[:, 0]
                    points = Points(steps, values.astype(np.float64))
                    found.setdefault(slot.tag, []).append((order[alike], points))
                records = records[~alike]
                order = order[~alike]
        self._append(found, sorted(starts))

    def _append(
        self,
        found: dict[str, list[tuple[NDArray[np.intp], Points]]],
        starts: list[tuple[int, float]],
    ) -> None:
        """Points in the order of their records, without those that a later start made void."""
        for record, step in starts:
            for tag, parts in self.parts.items():
                self.parts[tag] = [part.take(part.steps < step) for part in parts]
            for pairs in found.values():
                pairs[:] = [
                    (records[kept], points.take(kept))
                    for records, points in pairs
                    for kept in [(records > record) | (points.steps < step)]
                ]
        for tag, pairs in found.items():
            order = np.argsort(np.concatenate([records for records, _ in pairs]))
            joined = Points.join([points for _, points in pairs])
            self.parts.setdefault(tag, []).append(joined.take(order))

    def _parse(self, record: Bytes) -> Layout:
        """What one record holds; nothing where it is no event."""
        layout = Layout()
        try:
            for number, value, start in walk_fields(record.tobytes()):
                if number == WALL_TIME and isinstance(value, bytes):
                    layout.free.append((start, start + len(value)))
                elif number == STEP and isinstance(value, int):
                    layout.step = (start, start + max(1, -(-value.bit_length() // 7)))
                    layout.free.append(layout.step)
                elif number == SESSION_LOG and isinstance(value, bytes):
                    layout.is_start = find_first(value, 1) == START
                elif number == SUMMARY and isinstance(value, bytes):
                    layout.slots += self._parse_summary(value, start)
        except (MessageError, UnicodeDecodeError, TypeError):
            return Layout()
        layout.free += [
            (slot.position, slot.position + np.dtype(slot.type).itemsize) for slot in layout.slots
        ]
        return layout

    def _parse_summary(self, summary: bytes, offset: int) -> Iterator[Slot]:
        for number, value, start in walk_fields(summary):
            if number == 1:
                slot = self._parse_value(value, offset + start)
                if slot is not None:
                    yield slot

    def _parse_value(self, message: bytes, offset: int) -> Slot | None:
        """Where a summary value holds a scalar; the plugin of a tag is told by its first value."""
        fields = {number: (value, start) for number, value, start in walk_fields(message)}
        tag = fields[TAG][0].decode() if TAG in fields else ""
        if SIMPLE_VALUE in fields:
            return Slot(tag, offset + fields[SIMPLE_VALUE][1], "<f4")
        if TENSOR not in fields:
            return None
        if METADATA in fields:
            plugin = find_first(find_first(fields[METADATA][0], 1, b""), 1, b"")
            self.plugins.setdefault(tag, plugin.decode())
        if self.plugins.get(tag) != SCALARS:
            return None
        return _parse_tensor(tag, *fields[TENSOR], offset)

    def join(self) -> dict[str, Points]:
        """All points by tag."""
        joined = {tag: Points.join(parts) for tag, parts in self.parts.items()}
        return {tag: points for tag, points in joined.items() if len(points.steps)}


def _parse_tensor(tag: str, tensor: bytes, start: int, offset: int) -> Slot | None:
    """Where a tensor of one number holds it."""
    kind = TYPES.get(find_first(tensor, 1, 0))
    for number, value, position in walk_fields(tensor):
        if number in (FLOATS, DOUBLES):
            kind = "<f4" if number == FLOATS else "<f8"
        if number in (CONTENT, FLOATS, DOUBLES) and kind and _holds_one(value, kind):
            return Slot(tag, offset + start + position, kind)
    return None


def _holds_one(value: Any, kind: str) -> bool:
    return isinstance(value, bytes) and len(value) == np.dtype(kind).itemsize
