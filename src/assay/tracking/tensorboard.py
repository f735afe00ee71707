"""TensorBoard: figures as scalars and documents as text, in an event file."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.core.extras import load_module
from assay.errors import ReadError
from assay.io.runs import FOLDER
from assay.readers.history import History
from assay.readers.read_history import read_history
from assay.tracking.base import Tracker
from assay.tracking.record import Record

__all__ = ["TensorBoard"]

SUFFIX = "assay"  # of the one event file of a folder that later calls go on with


@dataclass(frozen=True)
class TensorBoard(Tracker):
    """TensorBoard: scalars and Markdown in a folder of event files, or through a SummaryWriter.

    A folder gets one event file, in 64 bits, to which later calls add; a SummaryWriter keeps 32
    bits. TensorBoard watches one event file of a folder: give figures a folder of their own, or
    the SummaryWriter of the loop.

    Parameters:
        folder: Folder of the run, where `track` is given none; default "runs/assay".
    """

    name = "tensorboard"
    module = "tensorboard"
    extra = "tensorboard"
    aliases = ("tb",)

    folder: str = "runs/assay"

    def write(self, record: Record, run: Any, step: int | None) -> str:
        number = step or 0
        text = f"{FOLDER}/{record.kind}", record.files.get(f"{record.kind}.md", record.verdict)
        if hasattr(run, "add_scalar"):
            for name, value in record.figures.items():
                run.add_scalar(name, value, number)
            run.add_text(*text, number)
            run.flush()
            return str(run.log_dir)
        self.load_package()
        folder = Path(run or self.folder)
        _append(folder, [*_encode_scalars(record, number), _encode_text(*text, number)])
        return os.fspath(folder)

    def read_history(self, run: str) -> History:
        if not os.path.isdir(run):
            raise ReadError(f"{run} is no folder; expected that of a run")
        return read_history(run)[-1]


def _encode_scalars(record: Record, step: int) -> Iterator[bytes]:
    """An event for each figure."""
    plugin = load_module("tensorboard.plugins.scalar.metadata", TensorBoard.extra)
    tensor = load_module("tensorboard.compat.proto.tensor_pb2", TensorBoard.extra)
    types = load_module("tensorboard.compat.proto.types_pb2", TensorBoard.extra)
    metadata = plugin.create_summary_metadata("", "")
    for name, value in record.figures.items():
        number = tensor.TensorProto(dtype=types.DT_DOUBLE, double_val=[value])
        yield _encode_value(name, number, metadata, step)


def _encode_text(name: str, text: Any, step: int) -> bytes:
    """An event that holds Markdown."""
    plugin = load_module("tensorboard.plugins.text.metadata", TensorBoard.extra)
    tensor = load_module("tensorboard.compat.proto.tensor_pb2", TensorBoard.extra)
    types = load_module("tensorboard.compat.proto.types_pb2", TensorBoard.extra)
    content = tensor.TensorProto(dtype=types.DT_STRING, string_val=[str(text).encode()])
    return _encode_value(name, content, plugin.create_summary_metadata("", ""), step)


def _encode_value(name: str, tensor: Any, metadata: Any, step: int) -> bytes:
    event = load_module("tensorboard.compat.proto.event_pb2", TensorBoard.extra)
    summary = load_module("tensorboard.compat.proto.summary_pb2", TensorBoard.extra)
    value = summary.Summary.Value(tag=name, tensor=tensor, metadata=metadata)
    content = summary.Summary(value=[value])
    encoded: bytes = event.Event(
        wall_time=time.time(), step=step, summary=content
    ).SerializeToString()
    return encoded


def _append(folder: Path, events: list[bytes]) -> None:
    """Write `events` to the end of the one event file of a folder."""
    event = load_module("tensorboard.compat.proto.event_pb2", TensorBoard.extra)
    records = load_module("tensorboard.summary.writer.record_writer", TensorBoard.extra)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        known = sorted(folder.glob(f"events.out.tfevents.*.{SUFFIX}"))
        path = known[-1] if known else folder / f"events.out.tfevents.{int(time.time())}.{SUFFIX}"
        with path.open("ab") as file:
            writer = records.RecordWriter(file)
            if not file.tell():
                head = event.Event(wall_time=time.time(), file_version="brain.Event:2")
                writer.write(head.SerializeToString())
            for each in events:
                writer.write(each)
    except OSError as error:
        raise ReadError(
            f"{folder}: cannot be written ({error.strerror or error}); name another folder"
        ) from error
