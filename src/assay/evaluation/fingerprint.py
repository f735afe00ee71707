"""Fingerprints: by what a table is known again, so that states are not taken for those of another.

>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays([0, 1, 1], {"m": [0, 1, 0]})
>>> same = Predictions.from_arrays([0, 1, 1], {"m": [0, 1, 0]})
>>> identify_table(p) == identify_table(same)
True
"""

import hashlib
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from assay.errors import ReadError
from assay.table.predictions import Predictions
from assay.table.protocol import Table
from assay.table.texts import restore_texts

__all__ = ["digest_rows", "identify_table"]

# Bytes of a file that one thread reads at a time.
BLOCK_BYTES = 1 << 24


def identify_table(table: Table) -> list[list[Any]]:
    """What tells the rows of a `table` from others: an entry for each file, or one for all rows.

    An entry has the name of the file, the digest of its content, and the condition by which rows
    were chosen.
    """
    if table.paths:
        return [
            [os.path.basename(path), digest_file(path), table.condition] for path in table.paths
        ]
    return [["", digest_rows(table.head), ""]]


def digest_file(path: str) -> str:
    """The digest of all bytes of the file at `path`, which several threads read in blocks."""
    try:
        starts = range(0, os.path.getsize(path), BLOCK_BYTES)
        with ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:
            return _digest(pool.map(partial(_digest_block, path), starts))
    except OSError as error:
        raise ReadError(f"{path}: cannot be read ({error.strerror or error})") from error


def digest_rows(rows: Predictions) -> str:
    """The digest of the truth, the weights, the outputs and the further columns of `rows`."""
    arrays = {
        f"{model}.{kind}": array
        for model, kinds in rows.outputs.items()
        for kind, array in kinds.items()
    }
    arrays["y"] = rows.truth
    if rows.weight is not None:
        arrays["weight"] = rows.weight
    parts: list[Any] = [repr(rows.schema)]
    for name, array in sorted(arrays.items()):
        content = _write_column(restore_texts(array)) if array.dtype == object else None
        parts += [
            f"{name} {array.dtype} {array.shape}",
            np.ascontiguousarray(array).data if content is None else content,
        ]
    for name, column in sorted(rows.columns.items()):
        parts += [f"{name} {len(column)}", _write_column(column)]
    return _digest(parts)


def _write_column(column: Any) -> Any:
    """The values of a `column` as bytes, however they are encoded in memory."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    sink = pa.BufferOutputStream()
    batch = pa.record_batch({"": column})
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return memoryview(sink.getvalue())


def _digest_block(path: str, start: int) -> str:
    with open(path, "rb") as file:
        file.seek(start)
        return _digest([file.read(BLOCK_BYTES)])


def _digest(parts: Iterable[Any]) -> str:
    """The digest of `parts`, texts or bytes, in their order."""
    whole = hashlib.blake2b(digest_size=16)
    for part in parts:
        whole.update(part.encode() if isinstance(part, str) else memoryview(part).cast("B"))
    return whole.hexdigest()
